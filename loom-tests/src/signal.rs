//! The wait protocol alone: one word of progress, one signal.

use std::convert::Infallible;

use crate::algo::signal::Signal;
use crate::explore::reach;
use crate::sync::{AtomicU64, Duration, Ordering::Relaxed};

/// Progress that somebody waits for. It says nothing but how far it is.
#[derive(Debug, Default)]
pub struct Progress {
    count: AtomicU64,
    signal: Signal,
}

impl Progress {
    /// With a signal on which somebody may sleep.
    pub fn expecting_sleepers() -> Self {
        let progress = Self::default();
        progress.signal.allow_waiting_first();
        progress
    }

    /// Announces, while others are at work, that somebody may sleep.
    pub fn allow_waiting(&self) {
        self.signal.allow_waiting();
    }

    /// Makes progress and wakes whoever waits for it. Returns whether anybody seemed to.
    pub fn advance(&self, to: u64) -> bool {
        self.count.store(to, Relaxed);
        let woke = self.signal.notify();
        reach(if woke { "woke" } else { "nobody to wake" });
        woke
    }

    /// Announces a waiter that never sleeps, as one that dies first.
    pub fn announce_and_leave(&self) {
        let Ok(_) = self.signal.wait_unless(|| Ok::<_, Infallible>(Some(())), || Duration::MAX);
    }

    /// Makes progress of another kind, and wakes whatever the signal says.
    pub fn announce(&self, to: u64) {
        self.count.store(to, Relaxed);
        self.signal.wake_all();
    }

    /// Waits for progress.
    pub fn wait_for(&self, wanted: u64) {
        let there = || self.count.load(Relaxed) >= wanted;
        while !there() {
            let look = || {
                let there = there();
                reach(if there { "seen at the second look" } else { "not there" });
                Ok::<_, Infallible>(there.then_some(()))
            };
            let Ok(_) = self.signal.wait_unless(look, || Duration::MAX);
        }
    }
}
