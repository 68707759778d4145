//! The end of a stream: set by a producer that is done, told to the consumer once it has drained.
//!
//! The word counts streams, so that whoever tells of an end cannot take the next stream's for it.

use crate::sync::AtomicU32;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// The bits that say how the present stream stands; the others count streams.
const STATE: u32 = 3;
const OPEN: u32 = 0;
const CLOSED: u32 = 1;
/// A consumer has been told; from here on consumers wait for the next stream.
const TOLD: u32 = 2;

/// Whether the producer has closed, and whether a consumer knows.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Stream {
    word: AtomicU32,
}

/// The end of one particular stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End(u32);

impl Stream {
    /// A producer begins a stream. Only the holder of the producer's seat calls this and [`Stream::close`].
    pub(crate) fn open(&self) {
        let before = self.word.load(Relaxed) & !STATE;
        self.word.store(before.wrapping_add(STATE + 1) | OPEN, Relaxed);
    }

    /// The producer is done.
    pub(crate) fn close(&self) {
        let stream = self.word.load(Relaxed) & !STATE;
        self.word.store(stream | CLOSED, Release); // E1, with E2: everything published before is visible
    }

    /// The end of the stream, if it is marked and no consumer has been told. The caller looks for messages
    /// once more before it believes in it.
    #[inline(always)]
    pub(crate) fn end(&self) -> Option<End> {
        let word = self.word.load(Acquire); // E2, with E1
        (word & STATE == CLOSED).then_some(End(word))
    }

    /// The consumer has drained and is being told of this end. A producer that has opened meanwhile wins.
    pub(crate) fn tell(&self, end: End) {
        let told = (end.0 & !STATE) | TOLD;
        let _ = self.word.compare_exchange(end.0, told, Relaxed, Relaxed);
    }

    /// Whether a producer has marked the end, told or not.
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Relaxed) & STATE != OPEN
    }
}
