//! Full and empty with several sleepers, of whom each piece of news wakes one.

use super::{A, B, C, D, receive, role, send};
use podring_loom_tests::explore::Model;
use podring_loom_tests::ring::Wait::{Park, Unfenced};
use podring_loom_tests::slots::{Ring, Rx, Tx};

#[test]
fn two_consumers_sleep() {
    for (name, at_least, restless) in
        [("two consumers sleep", 340, false), ("two consumers sleep, restless", 390, true)]
    {
        let model = Model::new(name).fewer_preemptions().at_least(at_least);
        let model = if restless { model.restless() } else { model };
        model.must_reach(&["consumer sleeps", "producer wakes"]).cast(
            || Ring::new(2, Park),
            vec![send(A, Park, 2), receive(C, Park, 1), receive(D, Park, 1)],
            |ring| ring.account(2),
        );
    }
}

#[test]
fn two_producers_sleep() {
    let setup = || {
        let ring = Ring::new(2, Park);
        Tx::seated(&ring, A, Park).send_all(0..2);
        ring
    };
    let more = |seat, from: u64| role(move |ring| Tx::seated(ring, seat, Park).send_all(from..from + 1));
    let model = Model::new("two producers sleep").fewer_preemptions().at_least(110);
    model.must_reach(&["producer sleeps", "consumer wakes"]).cast(
        setup,
        vec![more(A, 2), more(B, 0), receive(C, Park, 4)],
        |ring| ring.account(4),
    );
}

/// Nobody fences: whoever sleeps has all others pass a barrier before.
#[test]
fn a_consumer_and_a_producer_sleep_behind_barriers() {
    Model::new("among many, both sleep behind barriers")
        .must_reach(&["consumer sleeps", "producer wakes", "producer sleeps", "consumer wakes"])
        .cast(
            || Ring::new(2, Unfenced),
            vec![send(A, Unfenced, 3), receive(C, Unfenced, 3)],
            |ring| ring.account(3),
        );
}

/// Messages become ready in the wrong order: the one that was woken for the second finds nothing, and whoever is woken
/// for the first has to pass the news on.
#[test]
fn a_consumer_wakes_another() {
    let out_of_order = role(|ring| {
        let (mut first, mut second) = (Tx::seated(ring, A, Park), Tx::seated(ring, B, Park));
        first.claim();
        second.send_all(0..1);
        first.write(podring_loom_tests::slots::Message(A.into(), 0));
        first.publish_quietly(podring_loom_tests::slots::Message(A.into(), 0));
        first.wake(1);
    });
    let model = Model::new("a consumer wakes another").at_least(320).fewer_preemptions();
    model.must_reach(&["behind", "consumer sleeps", "consumer wakes consumer"]).cast(
        || Ring::new(2, Park),
        vec![receive(C, Park, 1), receive(D, Park, 1), out_of_order],
        |ring| ring.account(2),
    );
}

/// The same with slots that become free in the wrong order.
#[test]
fn a_producer_wakes_another() {
    let setup = || {
        let ring = Ring::new(2, Park);
        Tx::seated(&ring, A, Park).send_all(0..2);
        ring
    };
    let out_of_order = role(|ring| {
        let (mut first, mut second) = (Rx::seated(ring, C, Park), Rx::seated(ring, D, Park));
        first.take();
        second.recv();
        first.release();
        first.recv_many(2);
    });
    let more = |seat, from: u64| role(move |ring| Tx::seated(ring, seat, Park).send_all(from..from + 1));
    let model = Model::new("a producer wakes another").at_least(120).fewer_preemptions();
    model.must_reach(&["producer sleeps", "producer wakes producer"]).cast(
        setup,
        vec![more(A, 2), more(B, 0), out_of_order],
        |ring| ring.account(4),
    );
}

/// One batch wakes as many as it has messages, one drain as many as it has freed.
#[test]
fn a_batch_wakes_several() {
    let batch = role(|ring| Tx::seated(ring, A, Park).send_batch(0..2));
    let model = Model::new("a batch wakes several").at_least(210).fewer_preemptions();
    model.must_reach(&["consumer sleeps", "producer wakes"]).cast(
        || Ring::new(2, Park),
        vec![receive(C, Park, 1), receive(D, Park, 1), batch],
        |ring| ring.account(2),
    );
}

/// A claim that is given up wakes whoever waits behind it, and its slot whoever waits for space.
#[test]
fn a_claim_that_is_dropped_wakes() {
    let drop_it = role(|ring| {
        let mut tx = Tx::seated(ring, A, Park);
        tx.claim();
        Tx::seated(ring, B, Park).send_all(0..1);
        tx.abandon();
        tx.send_all(0..2);
    });
    let model = Model::new("a dropped claim wakes").fewer_preemptions().at_least(100);
    model.must_reach(&["consumer sleeps", "producer sleeps", "behind"]).cast(
        || Ring::new(2, Park),
        vec![drop_it, receive(C, Park, 3)],
        |ring| ring.account(3),
    );
}

/// What is put back wakes somebody.
#[test]
fn what_is_put_back_wakes() {
    let put_back = role(|ring| {
        let mut rx = Rx::seated(ring, C, Park);
        rx.take_and_put_back();
    });
    let setup = || {
        let ring = Ring::new(2, Park);
        Tx::seated(&ring, A, Park).send_all(0..1);
        ring
    };
    // If it takes the message first, there is one more for the other.
    let receive = role(|ring| {
        let mut rx = Rx::seated(ring, D, Park);
        rx.recv_many(1);
        Tx::seated(ring, A, Park).send_all(1..2);
    });
    Model::new("what is put back wakes").at_least(360).must_reach(&["consumer sleeps", "adopted"]).cast(
        setup,
        vec![put_back, receive],
        |ring| {
            Rx::seated(ring, D, Park).recv_many(1);
            ring.account(2);
        },
    );
}

/// A slot that was given up is free when it has been passed over, and not only when what is behind it has been read.
#[test]
fn passing_over_wakes_a_producer() {
    let setup = || {
        let ring = Ring::new(2, Park);
        let mut tx = Tx::seated(&ring, A, Park);
        tx.claim_and_abandon();
        tx.send_all(0..1);
        ring
    };
    let keep_one = role(|ring| {
        let (mut first, mut second) = (Rx::seated(ring, C, Park), Rx::seated(ring, D, Park));
        first.take();
        second.recv();
        first.release();
    });
    Model::new("passing over wakes").at_least(57).must_reach(&["producer sleeps", "full"]).cast(
        setup,
        vec![send(B, Park, 1), keep_one],
        |ring| ring.account(2),
    );
}

/// Repair wakes whoever waits behind the dead.
#[test]
fn repair_wakes_a_consumer() {
    let setup = || {
        let ring = Ring::new(2, Park);
        Tx::seated(&ring, A, Park).claim();
        Tx::seated(&ring, B, Park).send_all(0..1);
        ring
    };
    Model::new("repair wakes a consumer").at_least(54).must_reach(&["consumer sleeps", "behind"]).cast(
        setup,
        vec![role(|ring| ring.repair(A)), receive(C, Park, 1)],
        |ring| ring.account(1),
    );
}

/// Repair wakes whoever waits for the slot of a message that is dropped.
#[test]
fn repair_wakes_a_producer() {
    let setup = || {
        let ring = Ring::dropping(2, Park);
        Tx::seated(&ring, A, Park).send_all(0..2);
        Rx::seated(&ring, C, Park).take();
        ring
    };
    Model::new("repair wakes a producer").at_least(40).must_reach(&["producer sleeps", "full"]).cast(
        setup,
        vec![role(|ring| ring.repair(C)), send(B, Park, 1)],
        |ring| {
            Rx::seated(ring, D, Park).recv_many(2);
            ring.account(3);
        },
    );
}
