//! Death at every step, of everybody, and what is made of what they left.
//!
//! The dead one's thread goes on as its successor, repairing first: all that a free seat tells is that its last holder's
//! accesses are over. In some models another thread finds the seat's lock free instead.

use std::cell::Cell;

use super::{A, B, C, D, Shared, receive, role};
use crate::at_every_step;
use podring_loom_tests::explore::{Account, Model, Play, mortal, reach};
use podring_loom_tests::ring::{Wait, Wait::Park, Wait::Spin};
use podring_loom_tests::slots::{Message, Ring, Rx, Tx};

fn lived(survived: bool) {
    reach(if survived { "lived" } else { "died" });
}

/// Sends two messages, dies doing it; the successor in its seat sends what is missing. Another one receives, sends in
/// between, and receives the rest.
fn producer_dies(model: Model, wait: Wait, steps: usize) -> Account {
    let die = role(move |ring| {
        lived(mortal(steps, || Tx::seated(ring, A, wait).send_all(0..2)));
        ring.repair(A);
        let sent = ring.sent_by(A.into());
        Tx::attach(ring, A, wait).send_all(sent..2);
    });
    let others = role(move |ring| {
        let mut rx = Rx::seated(ring, C, wait);
        rx.recv_many(1);
        Tx::seated(ring, B, wait).send_all(0..1);
        rx.recv_many(2);
    });
    // Room for all of them and for a tombstone: whoever receives here also sends, and must not wait for itself.
    model.fewer_preemptions().cast(move || Ring::new(4, wait), vec![die, others], |ring| ring.account(3))
}

#[test]
fn a_polling_producer_dies_at_every_step() {
    at_every_step("one of the producers", (19, 34_000), |model, steps| producer_dies(model, Spin, steps));
}

#[test]
fn a_sleeping_producer_dies_at_every_step() {
    at_every_step("one of the sleeping producers", (33, 40_000), |model, steps| {
        producer_dies(model, Park, steps)
    });
}

/// The same while another producer claims behind it: the claim must be recorded before its name is replaced.
#[test]
fn a_producer_dies_before_another_one_claims() {
    let run = |model: Model, steps| {
        let setup = || {
            // In the second lap, so that there is something older to be taken for a slot's word.
            let ring = Ring::new(2, Spin);
            Tx::seated(&ring, A, Spin).send_all(0..2);
            Rx::seated(&ring, C, Spin).recv_many(2);
            ring
        };
        let die = role(move |ring| {
            lived(mortal(steps, || Tx::seated(ring, A, Spin).send_all(2..3)));
            ring.repair(A);
        });
        let others = role(move |ring| {
            Tx::seated(ring, B, Spin).send_all(0..1);
            Rx::seated(ring, C, Spin).recv_many(1);
        });
        model.cast(setup, vec![die, others], |ring| {
            let rest = ring.sent_by(A.into()) + 1 - 3;
            Rx::seated(ring, D, Spin).recv_many(rest);
            ring.account(ring.sent_by(A.into()) + 1);
            // Nothing is left that stops anybody.
            for number in 1..3 {
                Tx::seated(ring, B, Spin).send_all(number..number + 1);
                Rx::seated(ring, D, Spin).recv_many(1);
            }
        })
    };
    at_every_step("a producer before another one", (12, 33_000), run);
}

/// A producer claims and dies, and the next claimer dies behind it: both names must be found.
#[test]
fn a_producer_dies_behind_a_dead_one() {
    let run = |model: Model, steps| {
        let die = role(move |ring| {
            Tx::seated(ring, A, Spin).claim();
            lived(mortal(steps, || Tx::seated(ring, B, Spin).send_all(0..1)));
            ring.repair(A);
            ring.repair(B);
            let sent = ring.sent_by(B.into());
            Tx::attach(ring, B, Spin).send_all(sent..1);
        });
        let roles = vec![die, receive(C, Spin, 1)];
        model.fewer_preemptions().cast(|| Ring::new(4, Spin), roles, |ring| ring.account(1))
    };
    at_every_step("a producer behind a dead one", (10, 31_000), run);
}

/// Receives a message, dies doing it; the successor in its seat receives what is missing. Another one sends two and
/// receives the one that is left.
fn consumer_dies(model: Model, wait: Wait, dropping: bool, steps: usize) -> Account {
    let die = role(move |ring| {
        lived(mortal(steps, || Rx::seated(ring, C, wait).recv_many(1)));
        ring.repair(C);
        let missing = 1 - ring.released_by(C) - ring.dropped();
        Rx::attach(ring, C, wait).recv_many(missing);
    });
    let others = role(move |ring| {
        // Not received before there is one more than the other side wants.
        Tx::seated(ring, A, wait).send_all(0..2);
        Rx::seated(ring, D, wait).recv_many(1);
    });
    let setup = move || if dropping { Ring::dropping(2, wait) } else { Ring::new(2, wait) };
    model.fewer_preemptions().cast(setup, vec![die, others], |ring| ring.account(2))
}

#[test]
fn a_polling_consumer_dies_at_every_step() {
    let run = |model: Model, steps| consumer_dies(model, Spin, false, steps);
    at_every_step("one of the consumers", (22, 59_000), run);
}

#[test]
fn a_sleeping_consumer_dies_at_every_step() {
    let run = |model: Model, steps| consumer_dies(model, Park, false, steps);
    at_every_step("one of the sleeping consumers", (34, 43_000), run);
}

#[test]
fn a_consumer_dies_at_every_step_and_its_message_is_dropped() {
    let run = |model: Model, steps| consumer_dies(model, Spin, true, steps);
    at_every_step("one of the consumers, dropping", (22, 49_000), run);
}

/// Repairs what the dead holder of a seat left, dies doing it, and is followed by another. Then somebody sends.
fn repairer_dies(seat: u8, steps: usize) -> Play<Shared> {
    role(move |ring| {
        lived(mortal(steps, || ring.repair(seat)));
        ring.repair(seat);
        Tx::attach(ring, A, Spin).send_all(0..1);
    })
}

/// A ring in which a consumer has died with a message.
fn dead_with_a_message(dropping: bool) -> Shared {
    let ring = if dropping { Ring::dropping(2, Spin) } else { Ring::new(2, Spin) };
    Tx::seated(&ring, B, Spin).send_all(0..1);
    let taken = Rx::seated(&ring, C, Spin).take();
    assert!(taken.is_some());
    ring
}

/// A ring in which a producer has died writing.
fn dead_with_a_claim() -> Shared {
    let ring = Ring::new(2, Spin);
    let mut tx = Tx::seated(&ring, A, Spin);
    tx.claim();
    tx.write(Message(9, 9));
    ring
}

#[test]
fn the_repairer_of_a_consumer_dies_at_every_step() {
    let run = |model: Model, steps| {
        let roles = vec![repairer_dies(C, steps), receive(D, Spin, 2)];
        model.fewer_preemptions().cast(|| dead_with_a_message(false), roles, |ring| ring.account(2))
    };
    at_every_step("the repairer of a consumer", (15, 6300), run);
}

#[test]
fn the_repairer_dies_at_every_step_of_dropping() {
    let run = |model: Model, steps| {
        let roles = vec![repairer_dies(C, steps), receive(D, Spin, 1)];
        model.fewer_preemptions().cast(
            || dead_with_a_message(true),
            roles,
            |ring| {
                assert!(ring.dropped() <= 1, "one message was there to be dropped");
                assert_eq!(ring.redelivered(), 0, "what was to be dropped was handed out again");
                // Who died dropping it had no time to say so.
                ring.account_without(1, 2);
            },
        )
    };
    at_every_step("the repairer, dropping", (15, 550), run);
}

#[test]
fn the_repairer_of_a_producer_dies_at_every_step() {
    let run = |model: Model, steps| {
        let roles = vec![repairer_dies(A, steps), receive(D, Spin, 1)];
        model.fewer_preemptions().cast(dead_with_a_claim, roles, |ring| {
            assert!(ring.given_up() <= 1, "one claim was there to be given up");
            ring.account(1);
        })
    };
    at_every_step("the repairer of a producer", (16, 10_000), run);
}

/// Whoever repairs leaves alone what the living have claimed meanwhile.
#[test]
fn repair_leaves_others_alone() {
    let repair = role(|ring: &Shared| ring.repair(A));
    let others = role(|ring: &Shared| {
        let mut tx = Tx::seated(ring, B, Spin);
        tx.claim();
        // Recorded, as all but the last claim are.
        Tx::seated(ring, D, Spin).claim_and_abandon();
        tx.write(Message(B.into(), 0));
        tx.publish_quietly(Message(B.into(), 0));
        Rx::seated(ring, C, Spin).recv_many(1);
    });
    let setup = || {
        let ring = Ring::new(4, Spin);
        Tx::seated(&ring, A, Spin).claim();
        ring
    };
    Model::new("repair beside the living").at_least(2400).must_reach(&["tombstone"]).cast(
        setup,
        vec![repair, others],
        |ring| {
            assert_eq!(ring.given_up(), 2, "the dead one's, and the one given up");
            ring.account(1);
        },
    );
}

/// Whoever waits behind a dead producer finds its seat's lock free, and repairs.
#[test]
fn whoever_waits_behind_the_dead_repairs() {
    let run = |model: Model, steps| {
        let die = role(move |ring| {
            lived(mortal(steps, || Tx::seated(ring, A, Spin).send_all(0..1)));
            let sent = ring.sent_by(A.into());
            ring.free(A);
            Tx::attach(ring, B, Spin).send_all(0..2 - sent);
        });
        let wait = role(move |ring| {
            let mut rx = Rx::seated(ring, C, Spin);
            for _ in 0..2 {
                rx.take_and_sweep(A);
                rx.release();
            }
        });
        model.cast(|| Ring::new(2, Spin), vec![die, wait], |ring| ring.account(2))
    };
    at_every_step("a producer waited for", (8, 24_000), run);
}

/// The same with a consumer: the one who waits for messages gets those of the dead.
#[test]
fn whoever_waits_for_messages_adopts() {
    let run = |model: Model, steps| {
        let setup = || {
            let ring = Ring::new(2, Spin);
            Tx::seated(&ring, A, Spin).send_all(0..2);
            ring
        };
        let die = role(move |ring| {
            lived(mortal(steps, || Rx::seated(ring, C, Spin).recv_many(1)));
            let released = ring.released_by(C);
            ring.free(C);
            // In another seat, so that nobody but a sweeper repairs this one.
            if released == 0 {
                let mut rx = Rx::attach(ring, A, Spin);
                rx.take_and_sweep(C);
                rx.release();
            }
        });
        let wait = role(move |ring| {
            let mut rx = Rx::seated(ring, D, Spin);
            rx.take_and_sweep(C);
            rx.release();
        });
        model.cast(setup, vec![die, wait], |ring| ring.account(2))
    };
    at_every_step("a consumer waited for", (12, 3300), run);
}

/// A consumer dies giving a message back.
#[test]
fn a_consumer_dies_at_every_step_of_putting_back() {
    let run = |model: Model, steps| {
        let setup = || {
            let ring = Ring::new(2, Park);
            Tx::seated(&ring, A, Park).send_all(0..1);
            ring
        };
        let die = role(move |ring| {
            lived(mortal(steps, || Rx::seated(ring, C, Park).put_back_if_any()));
            ring.repair(C);
            Tx::seated(ring, A, Park).send_all(1..2);
        });
        model.fewer_preemptions().cast(setup, vec![die, receive(D, Park, 2)], |ring| ring.account(2))
    };
    at_every_step("putting back", (12, 3100), run);
}

/// A consumer dies passing over a slot that was given up.
#[test]
fn a_consumer_dies_at_every_step_of_passing_over() {
    let run = |model: Model, steps| {
        let setup = || {
            let ring = Ring::new(2, Park);
            let mut tx = Tx::seated(&ring, A, Park);
            tx.claim();
            tx.abandon();
            tx.send_all(0..1);
            ring
        };
        let die = role(move |ring| {
            lived(mortal(steps, || Rx::seated(ring, C, Park).recv_many(1)));
            ring.repair(C);
            let missing = 1 - ring.released_by(C);
            Rx::attach(ring, C, Park).recv_many(missing);
        });
        let others = role(|ring| {
            Tx::seated(ring, B, Park).send_all(0..2);
            Rx::seated(ring, D, Park).recv_many(2);
        });
        model.fewer_preemptions().cast(setup, vec![die, others], |ring| ring.account(3))
    };
    at_every_step("passing over", (28, 15_000), run);
}

/// One of two producers dies closing; whoever comes into its seat closes.
#[test]
fn a_producer_dies_at_every_step_of_closing() {
    let run = |model: Model, steps| {
        let setup = || {
            let ring = Ring::new(2, Park);
            Tx::seated(&ring, A, Park).send_all(0..1);
            Tx::seated(&ring, B, Park);
            ring
        };
        let die = role(move |ring: &Shared| {
            lived(mortal(steps, || Tx::seated(ring, A, Park).close()));
            ring.repair(A);
            Tx::attach(ring, A, Park).close();
        });
        let others = role(|ring: &Shared| {
            let mut rx = Rx::seated(ring, C, Park);
            Tx::seated(ring, B, Park).close();
            let received = Cell::new(0);
            received.set(rx.recv_to_the_end());
            assert_eq!(received.get(), 1, "the end came before the message");
        });
        model.fewer_preemptions().cast(setup, vec![die, others], |ring| {
            assert!(ring.has_ended(), "all have closed, and nobody has marked the end");
            ring.account(1);
        })
    };
    at_every_step("closing one of two", (15, 1500), run);
}
