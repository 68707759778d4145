//! The wait protocol alone, with no bound on a sleep.

use std::sync::Arc;

use podring_loom_tests::explore::{Model, Play, mortal, reach};
use podring_loom_tests::signal::{Pieces, Progress};

fn wake(model: Model, publishers_fence: bool, times: u64) {
    model.must_reach(&["woke", "nobody to wake", "not there", "seen at the second look"]).pair(
        move || if publishers_fence { Progress::expecting_sleepers() } else { Progress::default() },
        move |progress| {
            (1..=times).for_each(|to| {
                progress.advance(to);
            })
        },
        move |progress| (1..=times).for_each(|wanted| progress.wait_for(wanted)),
        |_| {},
    );
}

#[test]
fn no_wake_up_is_lost() {
    wake(Model::new("signal").at_least(130).unbounded(), true, 1);
    wake(Model::new("signal, restless").at_least(320).unbounded().restless(), true, 1);
}

#[test]
fn no_wake_up_is_lost_after_another() {
    wake(Model::new("signal, twice").at_least(240), true, 2);
    wake(Model::new("signal, twice, restless").at_least(460).restless(), true, 2);
}

/// Publishers do not fence: the waiter has them pass a barrier.
#[test]
fn no_wake_up_is_lost_without_fences() {
    wake(Model::new("signal, barrier").unbounded(), false, 1);
    wake(Model::new("signal, barrier, twice"), false, 2);
    wake(Model::new("signal, barrier, twice, restless").restless(), false, 2);
}

/// A waiter that is woken and has to wait on announces itself anew, and has publishers pass another barrier.
#[test]
fn waiting_on_without_fences() {
    Model::new("signal, barrier, woken in vain").must_reach(&["woke", "nobody to wake", "not there"]).pair(
        Progress::default,
        |progress| {
            progress.advance(1);
            progress.advance(2);
        },
        |progress| progress.wait_for(2),
        |_| {},
    );
}

/// A waiter may die between announcing itself and its barrier: the next one finds the word announced and has its own
/// barrier to make.
#[test]
fn a_waiter_may_die_before_its_barrier() {
    let mut executions = 0;
    for steps in 0.. {
        let model =
            Model::new(format!("signal, death before step {steps} of announcing")).quiet().unbounded();
        let account = model.pair(
            Progress::default,
            |progress| {
                progress.advance(1);
            },
            move |progress| {
                reach(if mortal(steps, || progress.announce_and_leave()) { "lived" } else { "died" });
                progress.wait_for(1);
            },
            |_| {},
        );
        executions += account.executions;
        if !account.reached.contains("died") {
            println!("model announcing, death before each of {steps} steps: {executions} executions");
            assert!(steps >= 3, "announcing has fewer steps than it should: {steps}");
            return;
        }
    }
}

/// The barrier does not reach a publisher who may not register: it fences.
#[test]
fn a_stranger_publishes() {
    Model::new("signal, a stranger publishes").unbounded().must_reach(&["woke", "not there"]).pair(
        Progress::default,
        |progress| {
            progress.come_as_a_stranger();
            progress.advance(1);
        },
        |progress| progress.wait_for(1),
        |_| {},
    );
}

/// That a stranger is there does not spare anybody the barrier: a publisher may be at work who has not seen it come.
#[test]
fn a_stranger_is_there() {
    Model::new("signal, a stranger comes meanwhile").must_reach(&["woke", "not there"]).cast(
        Progress::default,
        vec![
            Arc::new(|progress: &Progress| {
                progress.advance(1);
            }),
            Arc::new(Progress::come_as_a_stranger),
            Arc::new(|progress: &Progress| progress.wait_for(1)),
        ],
        |_| {},
    );
}

/// News that is not progress wakes whether or not the word says that somebody waits.
fn news(model: Model, times: u64) {
    model.must_reach(&["not there"]).pair(
        Progress::expecting_sleepers,
        move |progress| (1..=times).for_each(|to| progress.announce(to)),
        move |progress| (1..=times).for_each(|wanted| progress.wait_for(wanted)),
        |_| {},
    );
}

#[test]
fn news_wakes() {
    news(Model::new("news").at_least(34).unbounded(), 1);
    news(Model::new("news, twice").at_least(100), 2);
}

/// Nobody may sleep: progress is made without a fence.
#[test]
fn nobody_fences_where_nobody_sleeps() {
    Model::new("signal, nobody sleeps").unbounded().must_not_reach(&["fence", "woke"]).at_least(1).pair(
        Progress::default,
        |progress| {
            progress.advance(1);
        },
        |_| {},
        |_| {},
    );
}

/// Waiting is allowed while progress is made without fences.
fn allow_late(model: Model) {
    model.unbounded().pair(
        Progress::default,
        |progress| {
            progress.advance(1);
        },
        |progress| {
            progress.require_fences();
            progress.wait_for(1);
        },
        |_| {},
    );
}

#[test]
fn waiting_is_allowed_late() {
    allow_late(Model::new("signal, allowed late").at_least(4).must_reach(&["woke", "not there"]));
}

#[test]
#[should_panic(expected = "everybody sleeps")]
fn waiting_is_allowed_late_without_a_barrier() {
    allow_late(Model::new("signal, allowed late, membarrier refused").without_membarrier());
}

/// Who allows waiting may die before the barrier: the next one must not believe it has passed.
#[test]
fn whoever_allows_waiting_may_die_doing_it() {
    let mut executions = 0;
    for steps in 0.. {
        let model = Model::new(format!("signal, death before step {steps} of allowing")).quiet().unbounded();
        let account = model.pair(
            Progress::default,
            |progress| {
                progress.advance(1);
            },
            move |progress| {
                reach(if mortal(steps, || progress.require_fences()) { "lived" } else { "died" });
                progress.require_fences();
                progress.wait_for(1);
            },
            |_| {},
        );
        executions += account.executions;
        if !account.reached.contains("died") {
            println!("model allowing, death before each of {steps} steps: {executions} executions");
            assert!(steps >= 3, "allowing has fewer steps than it should: {steps}");
            return;
        }
    }
}

/// What a dead sleeper left costs one needless wake, not one per message.
#[test]
fn a_wake_clears_the_bit() {
    let model = Model::new("what a dead sleeper left").at_least(1);
    model.pair(
        || {
            let progress = Progress::expecting_sleepers();
            progress.announce_and_leave();
            progress
        },
        |progress| {
            assert!(progress.advance(1), "the bit is seen");
            assert!(!progress.advance(2), "the bit is cleared");
        },
        |_| {},
        |_| {},
    );
}

/// Several wait: each piece wakes one of them, and nobody sleeps beside a piece.
#[test]
fn several_sleepers_are_woken() {
    let give = |many: u32, times: u32| -> Play<Pieces> {
        Arc::new(move |pieces| {
            (0..times).for_each(|_| {
                pieces.give(many);
            });
        })
    };
    for (name, at_least, many, times) in
        [("two sleepers, two pieces", 1000, 1, 2), ("two sleepers, two at once", 370, 2, 1)]
    {
        let take: Play<Pieces> = Arc::new(Pieces::take);
        let model = Model::new(name).at_least(at_least).must_reach(&["woke", "nobody to wake", "not there"]);
        model.cast(Pieces::expecting_sleepers, vec![give(many, times), take.clone(), take], |_| {});
    }
}

/// As with one that waits: what a dead one left costs one needless wake.
#[test]
fn a_wake_of_some_clears_the_bit() {
    let setup = || {
        let pieces = Pieces::expecting_sleepers();
        pieces.announce_and_leave();
        pieces
    };
    let give = |pieces: &Pieces| {
        assert!(pieces.give(1), "the bit is seen");
        assert!(!pieces.give(1), "the bit is cleared");
    };
    Model::new("what a dead one of several left").at_least(1).pair(setup, give, |_| {}, |_| {});
}
