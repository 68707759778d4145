//! What the models stand on: that loom's hole is there and is closed, that weak memory shows, that a lost
//! wake-up is found, that a barrier is one.

use std::cell::Cell;

use podring_loom_tests::explore::{Model, reach};
use podring_loom_tests::litmus::Ordering::{Acquire, Relaxed, Release, SeqCst};
use podring_loom_tests::litmus::{Bed, Word, barrier_everywhere, fence};

fn look(word: &Word) {
    reach(if word.load(Relaxed) == 0 { "saw 0" } else { "saw 1" });
}

fn look_and_store(word: &Word) {
    word.load(Relaxed);
    word.store(1, Relaxed);
}

/// loom 0.7 never runs the second thread before the first one's look: tokio-rs/loom#166, #392. When this fails,
/// loom has been mended, and `Word::looked` may go.
#[test]
#[should_panic(expected = "no execution reached \"saw 1\"")]
fn stock_loom_has_a_hole() {
    let model = Model::new("hole of stock loom").stock().unbounded().left_first().at_least(1);
    model.must_reach(&["saw 1"]).pair(Word::default, look, look_and_store, |_| {});
}

/// The same model with what [`Model::new`] adds.
#[test]
fn the_hole_is_closed() {
    let model = Model::new("hole closed").unbounded().left_first();
    model.must_reach(&["saw 0", "saw 1"]).pair(Word::default, look, look_and_store, |_| {});
}

/// What the hole hides in a queue: a message published without Release.
fn publish_relaxed(model: Model) {
    let push = |(tail, message): &(Word, Word)| {
        message.store(7, Relaxed);
        let own = tail.load(Relaxed);
        tail.store(own + 1, Relaxed);
    };
    let pop = |(tail, message): &(Word, Word)| {
        if tail.load(Acquire) == 1 {
            assert_eq!(message.load(Relaxed), 7, "published and not there");
        }
    };
    model.unbounded().left_first().at_least(1).pair(<(Word, Word)>::default, pop, push, |_| {});
}

#[test]
fn stock_loom_misses_a_relaxed_publish() {
    publish_relaxed(Model::new("relaxed publish, stock loom").stock());
}

#[test]
#[should_panic(expected = "published and not there")]
fn a_relaxed_publish_is_found() {
    publish_relaxed(Model::new("relaxed publish"));
}

/// Two words, and what each of two threads saw in the other's after it stored to its own.
#[derive(Default)]
struct Buffers {
    words: [Word; 2],
    saw: [Cell<u64>; 2],
}

fn store_then_look(model: Model, left: fn(), right: fn()) {
    let side = |me: usize, between: fn()| {
        move |buffers: &Buffers| {
            buffers.words[me].store(1, Relaxed);
            between();
            buffers.saw[me].set(buffers.words[1 - me].load(Relaxed));
        }
    };
    let check = |buffers: &Buffers| {
        reach(match buffers.saw.each_ref().map(Cell::get) {
            [0, 0] => "neither",
            [1, 1] => "both",
            _ => "one",
        });
    };
    model.unbounded().pair(Buffers::default, side(0, left), side(1, right), check);
}

#[test]
fn both_stores_can_hide_in_buffers() {
    store_then_look(Model::new("store buffers").must_reach(&["neither", "one", "both"]), || {}, || {});
}

#[test]
fn one_fence_is_not_enough() {
    let model = Model::new("store buffers, one fence").must_reach(&["neither", "one", "both"]);
    store_then_look(model, || fence(SeqCst), || {});
}

#[test]
#[should_panic(expected = "no execution reached \"neither\"")]
fn a_fence_on_both_sides_empties_them() {
    let model = Model::new("store buffers, two fences").must_reach(&["one", "both", "neither"]);
    store_then_look(model, || fence(SeqCst), || fence(SeqCst));
}

#[test]
#[should_panic(expected = "no execution reached \"neither\"")]
fn a_barrier_that_all_pass_needs_no_fence_on_the_other_side() {
    let model = Model::new("store buffers, membarrier").must_reach(&["one", "both", "neither"]);
    store_then_look(model, || {}, barrier_everywhere);
}

#[test]
fn a_refused_barrier_is_none() {
    let model = Model::new("store buffers, membarrier refused").without_membarrier();
    store_then_look(model.must_reach(&["neither", "one", "both"]), || {}, barrier_everywhere);
}

/// A sleeper that is woken before it sleeps, and nobody else to wake it.
#[test]
#[should_panic(expected = "everybody sleeps")]
fn a_lost_wake_up_is_found() {
    let sleep = |word: &Bed| word.wait(0);
    Model::new("lost wake-up").pair(Bed::default, sleep, Bed::wake, |_| {});
}

/// The kernel compares and queues in one step: a change before the wake is never missed.
#[test]
fn the_kernel_loses_none() {
    let sleep = |word: &Bed| {
        while word.load(Relaxed) == 0 {
            reach("sleeps");
            word.wait(0);
        }
    };
    let wake = |word: &Bed| {
        word.store(1, Relaxed);
        word.wake();
    };
    Model::new("futex").at_least(7).unbounded().must_reach(&["sleeps"]).pair(
        Bed::default,
        sleep,
        wake,
        |_| {},
    );
}

/// Being woken, with or without reason, makes nothing visible.
fn message_after_sleep(model: Model) {
    let sleep = |(word, message): &(Bed, Word)| {
        word.wait(0);
        reach(if message.load(Relaxed) == 0 { "not visible" } else { "visible" });
    };
    let wake = |(word, message): &(Bed, Word)| {
        message.store(1, Relaxed);
        word.store(1, Release);
        word.wake();
    };
    let model = model.unbounded().must_reach(&["visible", "not visible"]);
    model.pair(<(Bed, Word)>::default, sleep, wake, |_| {});
}

#[test]
fn being_woken_orders_nothing() {
    message_after_sleep(Model::new("woken, with reason"));
}

#[test]
fn waking_for_no_reason_orders_nothing() {
    message_after_sleep(Model::new("woken for no reason").restless());
}

/// A store and an exchange by different threads have an order that both threads' later looks keep to.
#[test]
fn an_exchange_that_came_first_is_older() {
    let exchange = |word: &Bed| {
        let exchanged = word.exchange(0, 1);
        fence(SeqCst);
        reach(match (exchanged, word.load(Relaxed)) {
            (true, 1) => "store not seen",
            (true, _) => "store after exchange",
            (false, found) => {
                assert_eq!(found, 2);
                "no exchange"
            }
        });
    };
    let store = |word: &Bed| {
        word.store(2, Relaxed);
        fence(SeqCst);
        assert_eq!(word.load(Relaxed), 2, "the exchange is newer than what it could not have read");
    };
    let model = Model::new("store and exchange").at_least(4).unbounded();
    let model = model.must_reach(&["store not seen", "store after exchange", "no exchange"]);
    model.pair(Bed::default, exchange, store, |_| {});
}
