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

    /// The first of many producers begins: if the stream had ended, the next one begins.
    pub(crate) fn open_if_ended(&self) {
        let word = self.word.load(Relaxed);
        if word & STATE != OPEN {
            let next = (word & !STATE).wrapping_add(STATE + 1) | OPEN;
            if self.word.compare_exchange(word, next, Relaxed, Relaxed).is_err() {
                // Only telling changes an ended stream, or somebody else who begins the next one.
                let told = (word & !STATE) | TOLD;
                let _ = self.word.compare_exchange(told, next, Relaxed, Relaxed);
            }
        }
    }

    /// The last of many producers is done.
    pub(crate) fn end(&self) {
        let word = self.word.load(Relaxed);
        if word & STATE == OPEN {
            // Failing: somebody else who thought itself the last has marked it.
            let _ = self.word.compare_exchange(word, word | CLOSED, Release, Relaxed); // E1, with E2
        }
    }

    /// Which end a consumer that attaches need not be told of: one that another consumer has been told of.
    pub(crate) fn told(&self) -> Option<u32> {
        let word = self.word.load(Relaxed);
        (word & STATE == TOLD).then_some(word & !STATE)
    }

    /// The present stream, if it has ended and it is not the one whose end was `told`.
    #[inline(always)]
    pub(crate) fn ended(&self, told: Option<u32>) -> Option<u32> {
        let word = self.word.load(Acquire); // E2, with E1
        let stream = word & !STATE;
        (word & STATE != OPEN && told != Some(stream)).then_some(stream)
    }

    /// As [`Stream::drained`] for one of many consumers, each of which is told each end once; `told` is the last end
    /// this one was told of.
    #[inline(always)]
    pub(crate) fn drained_for_one<T, E>(
        &self,
        told: &mut Option<u32>,
        again: impl FnOnce() -> Result<Drained<T>, E>,
    ) -> Result<Drained<T>, E> {
        let Some(stream) = self.ended(*told) else { return Ok(Drained::Nothing) };
        let found = again()?;
        if matches!(found, Drained::Ended) {
            *told = Some(stream);
            // A producer that has begun another stream meanwhile wins.
            let _ = self.word.compare_exchange(stream | CLOSED, stream | TOLD, Relaxed, Relaxed);
        }
        Ok(found)
    }

    /// Whether a producer has marked the end, told or not.
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Relaxed) & STATE != OPEN
    }
}
