//! Full and empty, with sleepers and nothing but wake-ups to end a sleep.

use crate::{receive, send, words};
use podring_loom_tests::explore::{Model, reach};
use podring_loom_tests::ring::{Ring, Sides, Wait, Wait::Park, Wait::Spin, Wait::Unfenced};

fn sides(producer: Wait, consumer: Wait) -> impl Fn() -> Sides {
    move || Sides::new(Ring::of_bytes(32), producer, consumer, words)
}

const BOTH: &[&str] =
    &["full", "empty", "padding", "producer sleeps", "consumer sleeps", "producer wakes", "consumer wakes"];

#[test]
fn both_sides_sleep() {
    Model::new("both sides sleep").at_least(3_500).must_reach(BOTH).pair(
        sides(Park, Park),
        |sides| send(sides, 4),
        |sides| receive(sides, 4),
        |_| {},
    );
}

#[test]
fn both_sides_sleep_and_wake_for_no_reason() {
    Model::new("both sides sleep and wake for no reason").at_least(7_000).restless().must_reach(BOTH).pair(
        sides(Park, Park),
        |sides| send(sides, 4),
        |sides| receive(sides, 4),
        |_| {},
    );
}

/// Nobody fences: each side has the other one pass a barrier before it sleeps.
#[test]
fn both_sides_sleep_behind_barriers() {
    Model::new("both sides sleep behind barriers").must_reach(BOTH).pair(
        sides(Unfenced, Unfenced),
        |sides| send(sides, 4),
        |sides| receive(sides, 4),
        |_| {},
    );
}

/// A side that polls is never woken, and whoever only has such a side fences for nobody.
#[test]
fn only_the_consumer_sleeps() {
    Model::new("only the consumer sleeps")
        .at_least(7_000)
        .must_reach(&["full", "empty", "consumer sleeps", "producer wakes"])
        .must_not_reach(&["producer sleeps", "consumer wakes"])
        .pair(sides(Spin, Park), |sides| send(sides, 4), |sides| receive(sides, 4), |_| {});
}

#[test]
fn only_the_producer_sleeps() {
    Model::new("only the producer sleeps")
        .at_least(2_000)
        .must_reach(&["full", "empty", "producer sleeps", "consumer wakes"])
        .must_not_reach(&["consumer sleeps", "producer wakes"])
        .pair(sides(Park, Spin), |sides| send(sides, 4), |sides| receive(sides, 4), |_| {});
}

#[test]
fn batches_with_sleepers() {
    let batch = |sides: &Sides| {
        let messages: Vec<_> = (0..5).map(|sequence| (sequence, words(sequence))).collect();
        sides.tx().send_batch(&messages);
    };
    let drain = |sides: &Sides| {
        let mut rx = sides.rx();
        while rx.next() < 5 {
            reach(if rx.drain() > 1 { "drained more" } else { "drained one" });
        }
    };
    Model::new("batches with sleepers")
        .at_least(1_200)
        .must_reach(&["batch published in parts", "producer sleeps", "consumer sleeps", "drained more"])
        .pair(sides(Park, Park), batch, drain, |_| {});
}

#[test]
fn elements_with_sleepers() {
    let setup = || Sides::new(Ring::of_elements(1), Park, Park, words);
    let receive = |sides: &Sides| {
        let mut rx = sides.rx();
        while rx.next() < 3 {
            rx.recv_many(1);
        }
    };
    Model::new("elements with sleepers")
        .at_least(1_200)
        .must_reach(&["full", "empty", "producer sleeps", "consumer sleeps"])
        .pair(setup, |sides| sides.tx().send_all(0..3), receive, |_| {});
}
