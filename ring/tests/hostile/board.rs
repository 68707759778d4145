//! What a process of an attack has done so far, where the test can see it even if the process dies.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use crate::common::words::Words;

/// Counts of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// Hostile writes.
    Writes,
    /// Calls into the library that returned.
    Calls,
    /// Of these: with what was asked for.
    Done,
    Corrupt,
    Timeout,
    Closed,
    /// With any other error that is allowed.
    OtherError,
    /// Nanoseconds by which a call took longer than its time-out, at most; without the time in which other
    /// processes had the processor.
    Longest,
    /// Mappings that lay between memory nobody may touch.
    Guarded,
}

const COUNTS: usize = 16;

/// One word for the order to stop, then a row of counts for each process.
pub(crate) struct Board(Words);

impl Board {
    pub(crate) fn make(path: &Path, rows: usize) -> Self {
        Self(Words::make(path, 1 + rows * COUNTS))
    }

    pub(crate) fn map(path: &Path) -> Self {
        Self(Words::map(path))
    }

    fn word(row: usize, count: Count) -> usize {
        1 + row * COUNTS + count as usize
    }

    pub(crate) fn get(&self, row: usize, count: Count) -> u64 {
        self.0.get(Self::word(row, count))
    }

    pub(crate) fn add(&self, row: usize, count: Count, more: u64) {
        self.0.at(Self::word(row, count) * 8).fetch_add(more, Relaxed);
    }

    pub(crate) fn raise(&self, row: usize, count: Count, to: u64) {
        self.0.at(Self::word(row, count) * 8).fetch_max(to, Relaxed);
    }

    /// Tells everybody to stop.
    pub(crate) fn stop(&self) {
        self.0.set(0, 1);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.get(0) != 0
    }
}
