//! Death at every step, and a successor. The successor runs on the dead one's thread: all that a free seat tells is
//! that its last holder's accesses are over, which is what a thread's own past is to it.

use std::cell::Cell;

use crate::{at_every_step, receive, receive_by, send, words};
use podring_loom_tests::explore::{Account, Model, mortal, reach};
use podring_loom_tests::ring::{Next, Ring, Rx, Sides, Tx, Wait, Wait::Park, Wait::Spin};

fn sides(wait: Wait) -> impl Fn() -> (Sides, Cell<u64>) {
    move || (Sides::new(Ring::of_bytes(32), wait, wait, words), Cell::new(0))
}

/// Sends three messages, the last two as a batch, dies doing it; a successor sends what is missing of five.
fn producer_dies(model: Model, wait: Wait, steps: usize) -> Account {
    let live_and_succeed = move |(sides, sent): &(Sides, Cell<u64>)| {
        let survived = mortal(steps, || {
            let mut tx = sides.tx();
            tx.send(0, words(0));
            sent.set(1);
            tx.send_batch(&[(1, words(1)), (2, words(2))]);
            sent.set(3);
        });
        reach(if survived { "lived" } else { "died" });
        let mut tx = Tx::attach(&sides.ring, wait);
        let next = tx.next(words);
        assert!(next >= sent.get(), "{} messages were sent, {next} are there", sent.get());
        if next > sent.get() {
            reach("died after publishing");
        }
        (next..3).for_each(|sequence| tx.send(sequence, words(sequence)));
    };
    model.pair(sides(wait), live_and_succeed, |(sides, _)| receive(sides, 3), |_| {})
}

#[test]
fn a_polling_producer_dies_at_every_step() {
    at_every_step("polling producer", (16, 200_000), |model, steps| producer_dies(model, Spin, steps));
}

#[test]
fn a_sleeping_producer_dies_at_every_step() {
    at_every_step("sleeping producer", (30, 250_000), |model, steps| producer_dies(model, Park, steps));
}

/// Receives, dies doing it; a successor receives again what was not released.
fn consumer_dies(model: Model, wait: Wait, steps: usize) -> Account {
    let live_and_succeed = move |(sides, released): &(Sides, Cell<u64>)| {
        let handed = Cell::new(0);
        let survived = mortal(steps, || {
            let mut rx = sides.rx();
            assert_eq!(rx.recv(), Next::Message(0));
            released.set(1);
            handed.set(1);
            if let Next::Message(sequence) = rx.read_and_keep() {
                handed.set(sequence + 1);
            }
        });
        reach(if survived { "lived" } else { "died" });
        let mut rx = Rx::attach(&sides.ring, wait, words);
        assert!(rx.next() >= released.get(), "what was released came again");
        if rx.next() < handed.get() {
            reach("handed out again");
        }
        receive_by(&mut rx, 3);
    };
    model.pair(sides(wait), |(sides, _)| send(sides, 3), live_and_succeed, |_| {})
}

#[test]
fn a_polling_consumer_dies_at_every_step() {
    at_every_step("polling consumer", (15, 100_000), |model, steps| consumer_dies(model, Spin, steps));
}

#[test]
fn a_sleeping_consumer_dies_at_every_step() {
    at_every_step("sleeping consumer", (25, 180_000), |model, steps| consumer_dies(model, Park, steps));
}

/// The successor dies as well, at every step of sitting down, and the one after it goes on.
#[test]
fn a_successor_dies_at_every_step_of_attaching() {
    let run = |model: Model, steps| {
        let succeed = move |(sides, _): &(Sides, Cell<u64>)| {
            drop(sides.rx());
            let survived = mortal(steps, || drop(Rx::attach(&sides.ring, Park, words)));
            reach(if survived { "lived" } else { "died" });
            receive_by(&mut Rx::attach(&sides.ring, Park, words), 3);
        };
        model.pair(sides(Spin), |(sides, _)| send(sides, 3), succeed, |_| {})
    };
    at_every_step("attaching consumer", (12, 30_000), run);
}

/// A producer may die while it closes: whoever comes next closes again.
#[test]
fn a_producer_dies_at_every_step_of_closing() {
    let run = |model: Model, steps| {
        let close = move |(sides, _): &(Sides, Cell<u64>)| {
            sides.tx().send(0, words(0));
            let survived = mortal(steps, || Tx::seated(&sides.ring, Park).close());
            reach(if survived { "lived" } else { "died" });
            Tx::attach(&sides.ring, Park).close();
        };
        let receive = |(sides, _): &(Sides, Cell<u64>)| {
            let mut rx = sides.rx();
            assert_eq!(rx.recv(), Next::Message(0));
            assert_eq!(rx.recv(), Next::Closed);
        };
        model.pair(sides(Park), close, receive, |_| {})
    };
    at_every_step("closing", (11, 27_000), run);
}
