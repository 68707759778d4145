//! The end of the stream of several producers: with the last that closes, told to each consumer once, after everything.

use std::sync::Arc;

use super::Shared;
use super::{A, B, C, D, role};
use podring_loom_tests::closing::Closing;
use podring_loom_tests::explore::{Model, Play, reach};
use podring_loom_tests::ring::{Wait, Wait::Park, Wait::Spin};
use podring_loom_tests::slots::{Ring, Rx, Tx};

fn both_attached(wait: Wait) -> impl Fn() -> Shared + Send + Sync + 'static {
    move || {
        let ring = Ring::new(2, wait);
        Tx::seated(&ring, A, wait);
        Tx::seated(&ring, B, wait);
        ring
    }
}

fn send_and_close(seat: u8, wait: Wait) -> Play<Shared> {
    role(move |ring| {
        let mut tx = Tx::seated(ring, seat, wait);
        tx.send_all(0..1);
        tx.close();
    })
}

fn one_consumer(name: &str, wait: Wait, at_least: u64) {
    let receive = role(move |ring| {
        let mut rx = Rx::seated(ring, C, wait);
        assert_eq!(rx.recv_to_the_end(), 2, "the end came before the messages");
        assert!(rx.finds_nothing(), "the end was told twice");
    });
    let model = Model::new(name).fewer_preemptions().at_least(at_least);
    model.must_reach(&["message before the end", "ended"]).cast(
        both_attached(wait),
        vec![send_and_close(A, wait), send_and_close(B, wait), receive],
        |ring| ring.account(2),
    );
}

#[test]
fn two_producers_close() {
    one_consumer("two producers close", Spin, 72);
}

#[test]
fn closing_wakes_the_consumer() {
    one_consumer("two producers close, the consumer sleeps", Park, 140);
}

/// Everybody sends, closes and receives to the end.
#[test]
fn each_consumer_is_told_once() {
    // A consumer that comes when another one has been told need not be told: both are there before.
    let play = |tx, rx| {
        role(move |ring| {
            let mut consumer = Rx::seated(ring, rx, Park);
            let mut tx = Tx::seated(ring, tx, Park);
            tx.send_all(0..1);
            tx.close();
            consumer.recv_to_the_end();
            assert!(consumer.finds_nothing(), "the end was told twice");
        })
    };
    Model::new("each is told once")
        .at_least(5100)
        .must_reach(&["message before the end", "consumer sleeps"])
        .cast(both_attached(Park), vec![play(A, C), play(B, D)], |ring| ring.account(2));
}

/// A producer comes, sends and closes while the last one closes: whatever they make of it, the end is marked.
#[test]
fn whoever_comes_while_the_last_one_closes_has_an_end() {
    let close = role(|ring| {
        let mut rx = Rx::seated(ring, C, Park);
        Tx::seated(ring, A, Park).close();
        let mut received = false;
        loop {
            match rx.recv() {
                Some(_) => received = true,
                None if received => break,
                None => reach("told before the message"),
            }
        }
    });
    let come = role(|ring| {
        let mut tx = Tx::attach(ring, B, Park);
        tx.send_all(0..1);
        tx.close();
    });
    let setup = || {
        let ring = Ring::new(2, Park);
        Tx::seated(&ring, A, Park);
        ring
    };
    Model::new("coming while the last one closes")
        .at_least(420)
        .must_reach(&["told before the message"])
        .cast(setup, vec![close, come], |ring| {
            assert!(ring.has_ended(), "all have closed, and nobody has marked the end");
            ring.account(1);
        });
}

/// Whoever comes while the last one closes, and stays, has an open stream.
#[test]
fn whoever_comes_while_the_last_one_closes_and_stays_has_a_stream() {
    let close = role(|ring| Tx::seated(ring, A, Spin).close());
    let come = role(|ring| drop(Tx::attach(ring, B, Spin)));
    let setup = || {
        let ring = Ring::new(2, Spin);
        Tx::seated(&ring, A, Spin);
        ring
    };
    Model::new("coming while the last one closes, to stay").at_least(9).cast(
        setup,
        vec![close, come],
        |ring| assert!(!ring.has_ended(), "the end is marked, and a producer is there"),
    );
}

/// The last one that closes has sent nothing: its end tells of what the others sent.
#[test]
fn the_last_end_tells_of_all_messages() {
    let send_and_close = role(|ring| {
        let mut tx = Tx::seated(ring, A, Spin);
        tx.send_all(0..1);
        tx.close();
        // Here it may stop, before the end of its role makes all of it seen.
        ring.has_ended();
    });
    let close = role(|ring| {
        Tx::seated(ring, B, Spin).close();
        let received = Rx::seated(ring, C, Spin).recv_to_the_end();
        assert_eq!(received, 1, "the end came before the message");
    });
    Model::new("the last end").at_least(120).must_reach(&["ended", "message before the end"]).cast(
        both_attached(Spin),
        vec![send_and_close, close],
        |ring| ring.account(1),
    );
}

/// A producer comes while the last one closes, writes and closes. Whoever of them marks the end of its stream, what it
/// has written is told with it.
#[test]
fn an_end_that_is_marked_for_another_tells_of_its_messages() {
    let close: Play<Closing> = Arc::new(|closing| closing.close(A));
    let come: Play<Closing> = Arc::new(|closing| closing.come_and_write(B));
    let look: Play<Closing> = Arc::new(|closing| match closing.told() {
        // Whoever came was not there yet, or it is the end of both.
        Some(0) => reach("told of the first"),
        // Unordered, this is a race.
        Some(_) => {
            reach("told of the second");
            assert_eq!(closing.read(), 1);
        }
        None => {}
    });
    let model = Model::new("an end for another").more_preemptions().at_least(330);
    model.must_reach(&["told of the first", "told of the second"]).cast(
        || Closing::with(A),
        vec![close, come, look],
        |closing| assert!(closing.told().is_some(), "all have closed, and nobody has marked the end"),
    );
}

/// A producer that has died is no longer waited for.
#[test]
fn a_dead_producer_keeps_no_stream_open() {
    let repair_and_close = role(|ring: &Shared| {
        ring.repair(A);
        Tx::seated(ring, B, Park).close();
    });
    let receive = role(|ring| assert_eq!(Rx::seated(ring, C, Park).recv_to_the_end(), 0));
    Model::new("a dead one's stream").at_least(76).must_reach(&["ended", "consumer sleeps"]).cast(
        both_attached(Park),
        vec![repair_and_close, receive],
        |ring| assert!(ring.has_ended()),
    );
}
