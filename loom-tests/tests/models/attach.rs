//! Coming late: a side attaches while the other one is at work, and waits where nobody has waited before.

use crate::{receive, receive_by, send, words};
use podring_loom_tests::explore::{Account, Model};
use podring_loom_tests::ring::{Ring, Rx, Sides, Tx, Wait, Wait::Park, Wait::Spin};

fn polling() -> Sides {
    Sides::new(Ring::of_bytes(32), Spin, Spin, words)
}

/// A consumer that will sleep comes to a producer that polls and does not fence yet.
fn a_sleeping_consumer_comes(model: Model, messages: u64) -> Account {
    let come = move |sides: &Sides| {
        drop(sides.rx());
        receive_by(&mut Rx::attach(&sides.ring, Park, words), messages);
    };
    model.pair(polling, move |sides| send(sides, messages), come, |_| {})
}

#[test]
fn a_sleeping_consumer_comes_to_a_producer_that_does_not_fence() {
    a_sleeping_consumer_comes(
        Model::new("a sleeping consumer comes").at_least(330).must_reach(&[
            "consumer sleeps",
            "producer wakes",
            "full",
        ]),
        3,
    );
}

/// Without a barrier the switch to fences comes too late for a producer that is just publishing: then the library
/// relies on bounded sleeps, of which the models have none.
#[test]
#[should_panic(expected = "everybody sleeps")]
fn without_a_barrier_it_might_sleep_for_ever() {
    a_sleeping_consumer_comes(
        Model::new("a sleeping consumer comes, membarrier refused").without_membarrier(),
        1,
    );
}

/// A producer that will sleep comes to a full ring and a consumer that polls and does not fence yet.
#[test]
fn a_sleeping_producer_comes_to_a_consumer_that_does_not_fence() {
    let full = || {
        let sides = polling();
        send(&sides, 2);
        sides
    };
    let come = |sides: &Sides| {
        let mut tx = Tx::attach(&sides.ring, Park);
        (2..4).for_each(|sequence| tx.send(sequence, words(sequence)));
    };
    Model::new("a sleeping producer comes")
        .at_least(180)
        .must_reach(&["producer sleeps", "consumer wakes", "full", "padding"])
        .pair(full, come, |sides| receive(sides, 4), |_| {});
}

/// A side that comes while the other one sleeps.
#[test]
fn a_producer_comes_to_a_sleeping_consumer() {
    let setup = || Sides::new(Ring::of_bytes(32), Spin, Park, words);
    let come = |sides: &Sides| {
        drop(sides.tx());
        Tx::attach(&sides.ring, Spin).send(0, words(0));
    };
    Model::new("a producer comes to a sleeping consumer").at_least(90).must_reach(&["consumer sleeps"]).pair(
        setup,
        come,
        |sides| receive(sides, 1),
        |_| {},
    );
}

/// A producer that comes to a ring in use writes where its predecessor's messages have been read: the position it
/// finds tells it so.
fn a_producer_succeeds(name: &str, wait: Wait) {
    let setup = move || {
        let sides = Sides::new(Ring::of_bytes(32), wait, wait, words);
        send(&sides, 2);
        sides
    };
    let come = move |sides: &Sides| {
        let mut tx = Tx::attach(&sides.ring, wait);
        (2..4).for_each(|sequence| tx.send(sequence, words(sequence)));
    };
    let model = Model::new(name).must_reach(&["full", "padding"]).at_least(2_000);
    model.pair(setup, come, |sides| receive(sides, 4), |_| {});
}

#[test]
fn a_producer_succeeds_and_polls() {
    a_producer_succeeds("a producer succeeds and polls", Spin);
}

#[test]
fn a_producer_succeeds_and_sleeps() {
    a_producer_succeeds("a producer succeeds and sleeps", Park);
}

/// The position alone tells it so: also before it has announced itself, which fences.
#[test]
fn a_producer_succeeds_and_writes_at_once() {
    let setup = || {
        let sides = polling();
        send(&sides, 2);
        sides
    };
    let come = |sides: &Sides| {
        let mut tx = Tx::seated(&sides.ring, Spin);
        (2..4).for_each(|sequence| tx.send(sequence, words(sequence)));
    };
    let model =
        Model::new("a producer succeeds and writes at once").at_least(1_000).must_not_reach(&["fence"]);
    model.must_reach(&["full", "padding"]).pair(setup, come, |sides| receive(sides, 4), |_| {});
}
