//! The end of a stream: everything before it is received, it is told once, and it wakes who waits.

use crate::words;
use podring_loom_tests::explore::{Model, reach};
use podring_loom_tests::ring::{Next, Ring, Sides, Tx, Wait, Wait::Park, Wait::Spin};

fn sides(wait: Wait) -> impl Fn() -> Sides {
    move || Sides::new(Ring::of_bytes(32), wait, wait, words)
}

fn send_and_close(sides: &Sides, messages: u64) {
    let mut tx = sides.tx();
    (0..messages).for_each(|sequence| tx.send(sequence, words(sequence)));
    tx.close();
}

fn receive_to_the_end(sides: &Sides, messages: u64) {
    let mut rx = sides.rx();
    for sequence in 0..messages {
        assert_eq!(rx.recv(), Next::Message(sequence), "the end came before the messages");
    }
    assert_eq!(rx.recv(), Next::Closed);
}

#[test]
fn everything_before_the_end_is_received() {
    Model::new("everything before the end")
        .at_least(2_200)
        .must_reach(&["message before the end", "empty", "full"])
        .pair(sides(Spin), |sides| send_and_close(sides, 3), |sides| receive_to_the_end(sides, 3), |_| {});
}

#[test]
fn closing_wakes_a_consumer() {
    Model::new("closing wakes a consumer")
        .at_least(140)
        .must_reach(&["consumer sleeps", "message before the end"])
        .pair(sides(Park), |sides| send_and_close(sides, 1), |sides| receive_to_the_end(sides, 1), |_| {});
}

#[test]
fn closing_an_empty_stream_wakes_a_consumer() {
    for (name, restless) in [("closing at once", false), ("closing at once, restless", true)] {
        let model = Model::new(name).must_reach(&["consumer sleeps"]).at_least(9);
        let model = if restless { model.restless() } else { model };
        model.pair(
            sides(Park),
            |sides| send_and_close(sides, 0),
            |sides| receive_to_the_end(sides, 0),
            |_| {},
        );
    }
}

/// A producer closes and the next one begins another stream: the consumer is told of the first end or, if it comes
/// too late, is not; of the second one it is told in any case, and of each once.
#[test]
fn every_end_is_told_once() {
    let two_streams = |sides: &Sides| {
        send_and_close(sides, 1);
        let mut next = Tx::attach(&sides.ring, Park);
        next.send(1, words(1));
        next.close();
    };
    let receive = |sides: &Sides| {
        let mut rx = sides.rx();
        assert_eq!(rx.recv(), Next::Message(0));
        match rx.recv() {
            Next::Closed => {
                reach("the first end was told");
                assert_eq!(rx.recv(), Next::Message(1), "the first end was told twice");
            }
            Next::Message(sequence) => {
                reach("the first end was overtaken");
                assert_eq!(sequence, 1);
            }
        }
        assert_eq!(rx.recv(), Next::Closed);
        assert_eq!(rx.try_recv(), None, "the second end was told twice");
    };
    Model::new("every end is told once")
        .at_least(4_000)
        .must_reach(&["the first end was told", "the first end was overtaken", "consumer sleeps"])
        .pair(sides(Park), two_streams, receive, |_| {});
}
