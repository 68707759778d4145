//! Waiting: a word that says whether anybody sleeps, and how to wake them.
//!
//! The publisher stores its progress and then looks at the word; the waiter announces itself in the word
//! and then looks at the progress. With a full fence between the two steps on both sides at least one
//! sees the other, so no wake-up is lost (Dekker's store-load pattern).
//!
//! The word holds a bit for "somebody waits", not a count: the bit of a sleeper that was killed costs one
//! needless wake and heals itself, a count would cost a system call per message for ever.
//!
//! Publishers fence only when [`FENCED`] is set, and it is set before anybody's first wait: in a ring
//! where everybody spins, publishing is a plain store.

use crate::sync::Ordering::{Relaxed, SeqCst};
use crate::sync::{AtomicU32, Duration, fence, futex};

/// Somebody sleeps, or is about to.
const WAITING: u32 = 1;
/// Somebody here may sleep one day: publishers fence. One-way, never cleared.
const FENCED: u32 = 2;
/// Added with every wake, so that a waiter that has not yet gone to sleep does not.
const EPOCH: u32 = 4;
/// Attempts to clear the bit before waking anyway; only a peer that rewrites the word for ever gets here.
const ATTEMPTS: u32 = 64;

/// One direction's wait word.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Signal {
    word: AtomicU32,
}

impl Signal {
    /// Announces that somebody may sleep here. Returns whether this was news: then publishers that are at
    /// work may still be without the fence, and the caller must let all processors pass a barrier.
    pub(crate) fn allow_waiting(&self) -> bool {
        self.word.fetch_or(FENCED, SeqCst) & FENCED == 0
    }

    /// After progress was stored: wakes whoever waits for it. Returns whether anybody was.
    #[inline(always)]
    pub(crate) fn notify(&self) -> bool {
        if self.word.load(Relaxed) & FENCED == 0 {
            return false;
        }
        fence(SeqCst); // N, with W: we see the waiter, or it sees our progress
        let word = self.word.load(Relaxed);
        if word & WAITING == 0 {
            return false;
        }
        self.wake(word);
        true
    }

    /// Wakes whoever waits here, whatever the word says: for news other than progress.
    #[cold]
    pub(crate) fn wake_all(&self) {
        self.wake(self.word.load(Relaxed));
    }

    #[cold]
    fn wake(&self, mut word: u32) {
        for _ in 0..ATTEMPTS {
            let woken = (word & !WAITING).wrapping_add(EPOCH);
            match self.word.compare_exchange(word, woken, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        futex::wake_all(&self.word);
    }

    /// Announces a waiter. The caller looks at the ring once more and then calls [`Signal::wait`] with the
    /// key returned here.
    pub(crate) fn announce(&self) -> u32 {
        let key = self.word.fetch_or(WAITING, Relaxed) | WAITING;
        fence(SeqCst); // W, with N: the publisher sees us, or we see its progress
        key
    }

    /// Sleeps until woken, until `timeout` has passed, or for no reason. The caller looks at the ring
    /// afterwards in any case.
    pub(crate) fn wait(&self, key: u32, timeout: Duration) {
        futex::wait(&self.word, key, timeout);
    }
}
