//! A start gate of `atomic-wait`: made for threads of one process, which these are. Rings cannot use it (its
//! futexes are private to a process).

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Closed until opened once.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU32);

impl Gate {
    /// Lets all pass.
    pub(crate) fn open(&self) {
        self.0.store(1, Release);
        atomic_wait::wake_all(&self.0);
    }

    /// Waits until it is open.
    pub(crate) fn pass(&self) {
        while self.0.load(Acquire) == 0 {
            atomic_wait::wait(&self.0, 0);
        }
    }
}
