//! Streaming where everybody polls: wrap-around, padding, batches, claims that are dropped. Nobody fences.

use crate::{receive, send, words};
use podring_loom_tests::explore::{Model, reach};
use podring_loom_tests::ring::{Ring, Sides, Wait::Spin};

fn polling() -> Sides {
    Sides::new(Ring::of_bytes(32), Spin, Spin, words)
}

fn elements() -> Sides {
    Sides::new(Ring::of_elements(2), Spin, Spin, words)
}

fn model(name: &str) -> Model {
    Model::new(name).must_not_reach(&["fence", "producer sleeps", "consumer sleeps"])
}

#[test]
fn records_wrap_around_with_padding() {
    model("records wrap around with padding").at_least(7_000).must_reach(&["full", "empty", "padding"]).pair(
        polling,
        |sides| send(sides, 4),
        |sides| receive(sides, 4),
        |_| {},
    );
}

#[test]
fn elements_wrap_around() {
    let send = |sides: &Sides| sides.tx().send_all(0..4);
    let receive = |sides: &Sides| {
        let mut rx = sides.rx();
        while rx.next() < 4 {
            match rx.recv_many(if rx.next() == 0 { 1 } else { 2 }) {
                1 => reach("one"),
                _ => reach("two"),
            }
        }
    };
    model("elements wrap around").at_least(1_500).must_reach(&["full", "empty", "one", "two"]).pair(
        elements,
        send,
        receive,
        |_| {},
    );
}

#[test]
fn batches_are_published_and_released_with_one_store() {
    let batches = |sides: &Sides| {
        let mut tx = sides.tx();
        tx.send_batch(&[(0, words(0)), (1, words(1))]);
        tx.send_batch(&[(2, words(2)), (3, words(3)), (4, words(4))]);
    };
    let drain = |sides: &Sides| {
        let mut rx = sides.rx();
        while rx.next() < 5 {
            match rx.drain() {
                1 => reach("drained one"),
                2 => reach("drained two"),
                _ => reach("drained more"),
            }
        }
    };
    model("batches")
        .at_least(240)
        .must_reach(&["full", "empty", "padding", "batch published in parts", "drained two"])
        .pair(polling, batches, drain, |_| {});
}

/// A drain takes what is there when it begins, not only what was there when the ring was looked at before.
#[test]
fn a_drain_takes_what_came_meanwhile() {
    let drain = |sides: &Sides| {
        let mut rx = sides.rx();
        reach(if rx.drain() > 1 { "drained two" } else { "drained one" });
        while rx.next() < 2 {
            rx.drain();
        }
    };
    model("drains").at_least(40).must_reach(&["drained one", "drained two", "came meanwhile", "empty"]).pair(
        polling,
        |sides| send(sides, 2),
        drain,
        |_| {},
    );
}

/// Batches of which no part may be seen before the whole.
#[test]
fn a_batch_is_seen_whole() {
    let batch = |sides: &Sides| sides.tx().send_batch(&[(0, words(0)), (1, words(1))]);
    let drain = |sides: &Sides| assert_eq!(sides.rx().drain(), 2, "a batch that fits is one");
    model("a batch is seen whole").at_least(5).must_reach(&["empty"]).pair(polling, batch, drain, |_| {});
}

#[test]
fn what_is_dropped_leaves_no_trace() {
    let send = |sides: &Sides| {
        let mut tx = sides.tx();
        tx.claim_and_drop(70, 1);
        tx.send(0, words(0));
        tx.drop_batch(&[(80, 0), (90, 1)]);
        tx.send(1, words(1));
        tx.claim_and_drop(60, 1);
        tx.send(2, words(2));
    };
    model("dropped claims and batches").at_least(900).must_reach(&["full", "empty", "padding"]).pair(
        polling,
        send,
        |sides| receive(sides, 3),
        |_| {},
    );
}

/// Somebody who only watches looks at what is read first, and so never sees more read than written.
#[test]
fn a_watcher_sees_no_more_read_than_written() {
    let work = |sides: &Sides| {
        let (mut tx, mut rx) = (sides.tx(), sides.rx());
        for sequence in 0..2 {
            tx.send(sequence, words(sequence));
            rx.recv();
        }
    };
    let watch = |sides: &Sides| {
        let (read, written) = sides.ring.watch();
        assert!(read <= written, "{read} bytes read of {written}");
        reach(if read == written { "level" } else { "ahead" });
    };
    model("watching").at_least(12).must_reach(&["level", "ahead"]).pair(polling, work, watch, |_| {});
}
