//! Atomics of the models, for tests of the models' own footing.

use crate::sync::{self, AtomicU32, AtomicU64};

pub use loom::sync::atomic::Ordering;

/// A position as `algo` sees it.
#[derive(Debug, Default)]
pub struct Word(AtomicU64);

impl Word {
    /// Loads.
    pub fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    /// Stores.
    pub fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }
}

/// A word to sleep on as `algo` sees it.
#[derive(Debug, Default)]
pub struct Bed(AtomicU32);

impl Bed {
    /// Loads.
    pub fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    /// Stores.
    pub fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    /// Exchanges.
    pub fn exchange(&self, old: u32, new: u32) -> bool {
        self.0.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Sleeps while the word holds `expected`.
    pub fn wait(&self, expected: u32) {
        sync::futex::wait(&self.0, expected, sync::Duration::MAX);
    }

    /// Wakes whoever sleeps.
    pub fn wake(&self) {
        sync::futex::wake_all(&self.0);
    }
}

/// A fence as `algo` sees it.
pub fn fence(order: Ordering) {
    sync::fence(order);
}

/// A barrier that all threads pass.
pub fn barrier_everywhere() {
    sync::settle();
}
