//! The wait protocol alone: one word of progress, one signal.

use std::convert::Infallible;

use crate::algo::signal::{Announced, Signal};
use crate::explore::reach;
use crate::sync::{AtomicU64, Duration, Ordering::Relaxed};

/// Progress that somebody waits for. It says nothing but how far it is.
#[derive(Debug, Default)]
pub struct Progress {
    count: AtomicU64,
    signal: Signal,
}

impl Progress {
    /// With a signal whose publishers fence.
    pub fn expecting_sleepers() -> Self {
        let progress = Self::default();
        progress.signal.require_fences_first();
        progress
    }

    /// The calling thread is out of reach of the barriers of others and has none itself, as where a seccomp filter forbids
    /// `membarrier(2)`; so it requires fences.
    pub fn come_as_a_stranger(&self) {
        crate::world::become_a_stranger();
        self.signal.require_fences();
    }

    /// Requires fences while others are at work.
    pub fn require_fences(&self) {
        self.signal.require_fences();
    }

    /// Makes progress and wakes whoever waits for it. Returns whether anybody seemed to.
    pub fn advance(&self, to: u64) -> bool {
        self.count.store(to, Relaxed);
        let mut woke = false;
        self.signal.notify(|| woke = true);
        reach(if woke { "woke" } else { "nobody to wake" });
        woke
    }

    /// Announces a waiter that never sleeps, as one that dies first.
    pub fn announce_and_leave(&self) {
        let mut announced = Announced::default();
        let Ok(_) =
            self.signal.wait_unless(&mut announced, || Ok::<_, Infallible>(Some(())), || Duration::MAX);
    }

    /// Makes progress of another kind, and wakes whatever the signal says.
    pub fn announce(&self, to: u64) {
        self.count.store(to, Relaxed);
        self.signal.wake_all();
    }

    /// Waits for progress.
    pub fn wait_for(&self, wanted: u64) {
        let there = || self.count.load(Relaxed) >= wanted;
        let mut announced = Announced::default();
        while !there() {
            let look = || {
                let there = there();
                reach(if there { "seen at the second look" } else { "not there" });
                Ok::<_, Infallible>(there.then_some(()))
            };
            let Ok(_) = self.signal.wait_unless(&mut announced, look, || Duration::MAX);
        }
    }
}

/// Pieces of something that several wait for, each of use to one of them.
#[derive(Debug, Default)]
pub struct Pieces {
    count: AtomicU64,
    signal: Signal,
}

impl Pieces {
    /// With a signal whose publishers fence.
    pub fn expecting_sleepers() -> Self {
        let pieces = Self::default();
        pieces.signal.require_fences_first();
        pieces
    }

    /// Announces a waiter that never sleeps, as one that dies first.
    pub fn announce_and_leave(&self) {
        let mut announced = Announced::default();
        let Ok(_) =
            self.signal.wait_unless(&mut announced, || Ok::<_, Infallible>(Some(())), || Duration::MAX);
    }

    /// Adds so many, and wakes as many. Returns whether anybody seemed to wait.
    pub fn give(&self, many: u32) -> bool {
        self.count.fetch_add(many.into(), Relaxed);
        let woke = self.signal.notify_some(many);
        reach(if woke { "woke" } else { "nobody to wake" });
        woke
    }

    /// Waits for a piece and takes it.
    pub fn take(&self) {
        let look = || {
            let mut count = self.count.load(Relaxed);
            while count > 0 {
                match self.count.compare_exchange(count, count - 1, Relaxed, Relaxed) {
                    Ok(_) => return Ok::<_, Infallible>(Some(())),
                    Err(now) => count = now,
                }
            }
            reach("not there");
            Ok(None)
        };
        let mut announced = Announced::default();
        let mut wait = || self.signal.wait_unless(&mut announced, look, || Duration::MAX);
        while wait().unwrap_or_else(|never| match never {}).is_none() {}
    }
}
