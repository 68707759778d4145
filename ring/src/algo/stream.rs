//! The end of a stream: set by a producer that is done, seen by the consumer once it has drained.

use crate::sync::AtomicU32;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

const OPEN: u32 = 0;
const CLOSED: u32 = 1;
/// A consumer has been told; the next one waits for a new stream.
const SEEN: u32 = 2;

/// Whether the producer has closed, and whether a consumer knows.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Stream {
    state: AtomicU32,
}

impl Stream {
    /// A producer starts (or goes on): there is more to come.
    pub(crate) fn open(&self) {
        self.state.store(OPEN, Relaxed);
    }

    /// The producer is done.
    pub(crate) fn close(&self) {
        self.state.store(CLOSED, Release); // E1, with E2: everything published before is visible
    }

    /// Whether the end is marked and no consumer has been told. The caller looks for messages once more
    /// before it believes in the end.
    #[inline(always)]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Acquire) == CLOSED // E2, with E1
    }

    /// A consumer has drained and is being told. A producer that has opened meanwhile wins.
    pub(crate) fn mark_seen(&self) {
        let _ = self.state.compare_exchange(CLOSED, SEEN, Relaxed, Relaxed);
    }

    /// Whether a producer has marked the end, told or not.
    pub(crate) fn ended(&self) -> bool {
        self.state.load(Relaxed) != OPEN
    }
}
