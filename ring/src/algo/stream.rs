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

/// What an empty ring means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Drained<T> {
    /// It is not empty any more.
    Found(T),
    /// There may be more to come.
    Nothing,
    /// There is no more in this stream.
    Ended,
}

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

    /// For a consumer that found nothing: whether the stream has ended. If it is marked so, `again` looks for
    /// messages once more, since everything published before the mark is visible with it. Each end is told once.
    #[inline(always)]
    pub(crate) fn drained<T, E>(
        &self,
        again: impl FnOnce() -> Result<Option<T>, E>,
    ) -> Result<Drained<T>, E> {
        let word = self.word.load(Acquire); // E2, with E1
        if word & STATE != CLOSED {
            return Ok(Drained::Nothing);
        }
        if let Some(found) = again()? {
            return Ok(Drained::Found(found));
        }
        let told = (word & !STATE) | TOLD;
        // A producer that has begun another stream meanwhile wins.
        let _ = self.word.compare_exchange(word, told, Relaxed, Relaxed);
        Ok(Drained::Ended)
    }

    /// Whether a producer has marked the end, told or not.
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Relaxed) & STATE != OPEN
    }
}
