//! Messages between those who are alive and poll: one total order, nothing lost, nothing twice, nothing torn.

use super::{A, B, C, D, Shared, receive, role, send};
use podring_loom_tests::explore::{Model, reach};
use podring_loom_tests::ring::Wait::Spin;
use podring_loom_tests::slots::{Message, Ring, Rx, Tx};

#[test]
fn two_producers_and_one_consumer() {
    Model::new("2 + 1").fewer_preemptions().must_reach(&["full", "empty"]).at_least(350).cast(
        || Ring::new(2, Spin),
        vec![send(A, Spin, 2), send(B, Spin, 1), receive(C, Spin, 3)],
        |ring| ring.account(3),
    );
}

#[test]
fn one_producer_and_two_consumers() {
    Model::new("1 + 2").fewer_preemptions().must_reach(&["full", "empty"]).at_least(6200).cast(
        || Ring::new(2, Spin),
        vec![send(A, Spin, 3), receive(C, Spin, 2), receive(D, Spin, 1)],
        |ring| ring.account(3),
    );
}

#[test]
fn two_producers_and_two_consumers() {
    Model::new("2 + 2").fewer_preemptions().must_reach(&["empty"]).left_first().at_least(5200).cast(
        || Ring::new(2, Spin),
        vec![send(A, Spin, 1), send(B, Spin, 1), receive(C, Spin, 1), receive(D, Spin, 1)],
        |ring| ring.account(2),
    );
}

/// On two threads there is time for more: everybody sends, and receives what comes first.
#[test]
fn everybody_sends_and_receives() {
    let both = |tx, rx| {
        role(move |ring| {
            let (mut tx, mut rx) = (Tx::seated(ring, tx, Spin), Rx::seated(ring, rx, Spin));
            for number in 0..2 {
                tx.send_all(number..number + 1);
                rx.recv_many(1);
            }
        })
    };
    Model::new("everybody sends and receives").fewer_preemptions().at_least(3500).cast(
        || Ring::new(2, Spin),
        vec![both(A, C), both(B, D)],
        |ring| ring.account(4),
    );
}

/// A claim that is given up leaves nothing to wait for.
#[test]
fn a_claim_that_is_dropped_is_passed_over() {
    let drop_and_send = role(|ring| {
        let mut tx = Tx::seated(ring, A, Spin);
        tx.claim();
        tx.write(Message(9, 9));
        tx.abandon();
        tx.send_all(0..2);
    });
    Model::new("a claim is dropped").must_reach(&["full"]).at_least(1400).cast(
        || Ring::new(2, Spin),
        vec![
            drop_and_send,
            role(|ring| {
                let mut rx = Rx::seated(ring, C, Spin);
                rx.recv_many(1);
                Tx::seated(ring, B, Spin).send_all(0..1);
                rx.recv_many(2);
            }),
        ],
        |ring| {
            assert_eq!(ring.given_up(), 1);
            ring.account(3);
        },
    );
}

/// Two consumers find the same slot that was given up.
#[test]
fn two_consumers_pass_over_the_same_claim() {
    let setup = || {
        let ring = Ring::new(4, Spin);
        let mut tx = Tx::seated(&ring, A, Spin);
        tx.claim();
        tx.abandon();
        tx.send_all(0..2);
        ring
    };
    let receive_and_send = role(|ring| {
        Rx::seated(ring, C, Spin).recv_many(1);
        Tx::seated(ring, B, Spin).send_all(0..2);
    });
    Model::new("two consumers pass over a claim").at_least(350).cast(
        setup,
        vec![receive_and_send, receive(D, Spin, 1)],
        |ring| {
            Rx::seated(ring, D, Spin).recv_many(2);
            ring.account(4);
        },
    );
}

#[test]
fn batches() {
    let batches = role(|ring| {
        Tx::seated(ring, A, Spin).send_batch(0..2);
        Tx::seated(ring, B, Spin).send_batch(0..2);
    });
    let drain = role(|ring| {
        let mut rx = Rx::seated(ring, C, Spin);
        for _ in 0..2 {
            for _ in 0..2 {
                rx.take();
                rx.release_quietly();
            }
            rx.wake(2);
        }
    });
    Model::new("batches of many").must_reach(&["full"]).at_least(490).cast(
        || Ring::new(2, Spin),
        vec![batches, drain],
        |ring| ring.account(4),
    );
}

/// What was taken and given back unread is somebody's, at once and marked.
#[test]
fn what_is_put_back_is_adopted() {
    let setup = || {
        let ring = Ring::new(2, Spin);
        Tx::seated(&ring, A, Spin).send_all(0..2);
        ring
    };
    let put_back = role(|ring| {
        let mut rx = Rx::seated(ring, C, Spin);
        rx.take_and_put_back();
        rx.recv_many(1);
    });
    Model::new("put back").must_reach(&["adopted"]).at_least(90).cast(
        setup,
        vec![put_back, receive(D, Spin, 1)],
        |ring| ring.account(2),
    );
}

/// While one looks at the tail, another one goes more than a whole lap further: what it claimed meanwhile must be known
/// with the tail that is found then.
#[test]
fn a_claim_comes_a_lap_late() {
    let lap = role(|ring| {
        let (mut tx, mut rx) = (Tx::seated(ring, A, Spin), Rx::seated(ring, C, Spin));
        for number in 0..3 {
            tx.send_all(number..number + 1);
            rx.recv_many(1);
        }
    });
    Model::new("a lap late").fewer_preemptions().at_least(130).cast(
        || Ring::new(2, Spin),
        vec![lap, send(B, Spin, 1)],
        |ring| {
            Rx::seated(ring, D, Spin).recv_many(1);
            ring.account(4);
        },
    );
}

/// What was written into a slot that was given up is over before the slot is written again, though nobody reads it.
fn written_again(name: &str, at_least: u64, give_up: impl Fn(&Shared, Tx) + Send + Sync + 'static) {
    let write_and_give_up = role(move |ring| {
        let mut tx = Tx::seated(ring, A, Spin);
        tx.claim();
        // A claim behind it, so that it is recorded before it is written.
        Tx::seated(ring, D, Spin).claim_and_abandon();
        tx.write(Message(9, 9));
        give_up(ring, tx);
    });
    let write_again = role(|ring| {
        Rx::seated(ring, C, Spin).finds_nothing();
        let mut tx = Tx::seated(ring, B, Spin);
        // Not before the claims that it is to find.
        if ring.given_up() > 0 && tx.try_claim() {
            reach("written again");
            tx.write(Message(B.into(), 0));
            tx.publish_quietly(Message(B.into(), 0));
        }
    });
    Model::new(name).at_least(at_least).must_reach(&["written again"]).cast(
        || Ring::new(2, Spin),
        vec![write_and_give_up, write_again],
        |ring| {
            assert_eq!(ring.given_up(), 2);
            let sent = ring.sent_by(B.into());
            Rx::seated(ring, D, Spin).recv_many(sent);
            ring.account(sent);
        },
    );
}

#[test]
fn a_slot_that_was_given_up_is_written_again() {
    written_again("written again", 16, |_, mut tx| tx.abandon());
}

#[test]
fn a_slot_of_a_dead_producer_is_written_again() {
    written_again("written again after repair", 89, |ring, _dead| ring.repair(A));
}

/// Whoever looks for what was given back may come before it has been counted: it is whole all the same. And what has
/// been counted is found.
#[test]
fn what_is_put_back_is_adopted_early() {
    let setup = || {
        let ring = Ring::new(2, Spin);
        ring.repair(C); // counts, and gives nothing back
        ring
    };
    let put_back = role(|ring| {
        Tx::seated(ring, A, Spin).send_all(0..1);
        Rx::seated(ring, C, Spin).put_back_if_any();
    });
    Model::new("put back, adopted early").must_reach(&["adopted"]).at_least(190).cast(
        setup,
        vec![put_back, receive(D, Spin, 1)],
        |ring| ring.account(1),
    );
}

/// Of what was given back together, one consumer gets all.
#[test]
fn all_that_is_put_back_is_adopted() {
    let setup = || {
        let ring = Ring::new(4, Spin);
        Tx::seated(&ring, A, Spin).send_all(0..2);
        let (mut first, mut second) = (Rx::seated(&ring, C, Spin), Rx::seated(&ring, D, Spin));
        first.take();
        second.take();
        first.put_back();
        second.put_back();
        ring
    };
    Model::new("two put back").must_reach(&["adopted"]).at_least(29).cast(
        setup,
        vec![send(B, Spin, 1), receive(D, Spin, 3)],
        |ring| {
            assert_eq!(ring.redelivered(), 2);
            ring.account(3);
        },
    );
}
