//! The end of the stream of several producers: with the last that closes, told to each consumer once, after everything.

use super::Shared;
use super::{A, B, C, D, role};
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

fn one_consumer(name: &str, wait: Wait) {
    let receive = role(move |ring| {
        let mut rx = Rx::seated(ring, C, wait);
        assert_eq!(rx.recv_to_the_end(), 2, "the end came before the messages");
        assert!(rx.finds_nothing(), "the end was told twice");
    });
    Model::new(name).fewer_preemptions().at_least(2).must_reach(&["message before the end", "ended"]).cast(
        both_attached(wait),
        vec![send_and_close(A, wait), send_and_close(B, wait), receive],
        |ring| ring.account(2),
    );
}

#[test]
fn two_producers_close() {
    one_consumer("two producers close", Spin);
}

#[test]
fn closing_wakes_the_consumer() {
    one_consumer("two producers close, the consumer sleeps", Park);
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
        .at_least(2)
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
    Model::new("coming while the last one closes").at_least(2).must_reach(&["told before the message"]).cast(
        setup,
        vec![close, come],
        |ring| {
            assert!(ring.has_ended(), "all have closed, and nobody has marked the end");
            ring.account(1);
        },
    );
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
    Model::new("coming while the last one closes, to stay").at_least(2).cast(
        setup,
        vec![close, come],
        |ring| assert!(!ring.has_ended(), "the end is marked, and a producer is there"),
    );
}
