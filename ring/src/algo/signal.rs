//! Waiting: a word that says whether anybody sleeps, and how to wake them.
//!
//! The publisher stores its progress and then looks at the word; the waiter announces itself in the word
//! and then looks at the progress. With a full fence between the two steps on both sides at least one
//! sees the other, so no wake-up is lost (Dekker's store-load pattern).
//!
//! A fence is dear where messages are frequent and sleeps are rare. So publishers have none: the waiter, before it
//! looks, has the kernel put one into every publisher (asymmetric fences; `membarrier(2)`, as in the RCU library of
//! Desnoyers and others, 2012). Where somebody cannot take part in that, [`FENCED`] is set, once and for all, and
//! publishers fence.
//!
//! The word holds a bit for "somebody waits", not a count: the bit of a sleeper that was killed costs one
//! needless wake and heals itself, a count would cost a system call per message for ever.

use crate::sync::Ordering::{Relaxed, SeqCst};
use crate::sync::{self, AtomicU32, Duration, fence, futex};

/// Somebody sleeps, or is about to.
const WAITING: u32 = 1;
/// Publishers fence. One-way, never cleared.
const FENCED: u32 = 2;
/// Every publisher has had the chance to see [`FENCED`]: a barrier has passed on all processors. One-way.
const SETTLED: u32 = 4;
/// Added with every wake, so that a waiter that has not yet gone to sleep does not.
const EPOCH: u32 = 8;
/// Attempts to clear the bit before waking anyway; only a peer that rewrites the word for ever gets here.
const ATTEMPTS: u32 = 64;

/// What a waiter last made of the word when it announced itself.
#[derive(Debug, Default)]
pub(crate) struct Announced(Option<u32>);

/// One direction's wait word.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Signal {
    word: AtomicU32,
}

impl Signal {
    /// Has publishers fence, before anybody else can see the ring.
    pub(crate) fn require_fences_first(&self) {
        self.word.store(FENCED | SETTLED, Relaxed);
    }

    /// Has publishers fence: for whoever is out of reach of the waiters' barriers, or cannot make one. Publishers may be
    /// at work without fences, so the first to come lets all processors pass a barrier; if it dies before that, or may
    /// not, the next one does.
    pub(crate) fn require_fences(&self) {
        if self.word.load(Relaxed) & SETTLED == 0 {
            self.word.fetch_or(FENCED, SeqCst);
            // S, with N0: publishers see FENCED, or we see what they published without it
            if sync::settle() {
                self.word.fetch_or(SETTLED, SeqCst);
            }
        }
    }

    /// After progress was stored: wakes whoever waits for it, and then tells the caller, where somebody was.
    #[inline(always)]
    pub(crate) fn notify(&self, woken: impl FnOnce()) {
        let word = self.glance();
        if word & (FENCED | WAITING) != 0 {
            self.notify_waiters(word, woken);
        }
    }

    /// As [`Signal::notify`], where several may wait and each of `many` pieces of news is of use to one of them: wakes
    /// that many and lets the others sleep.
    #[inline(always)]
    pub(crate) fn notify_some(&self, many: u32) -> bool {
        let word = self.glance();
        word & (FENCED | WAITING) != 0 && self.notify_some_waiters(word, many)
    }

    /// The word, after the caller's progress.
    #[inline(always)]
    fn glance(&self) -> u32 {
        sync::light(); // N0, with S and W0: progress first, then the look
        self.word.load(Relaxed)
    }

    #[cold]
    #[inline(never)]
    fn notify_waiters(&self, word: u32, woken: impl FnOnce()) {
        if let Some(word) = self.look_for_waiters(word) {
            self.wake(word);
            woken();
        }
    }

    #[cold]
    #[inline(never)]
    fn notify_some_waiters(&self, word: u32, many: u32) -> bool {
        let waiting = self.look_for_waiters(word).is_some();
        if waiting {
            self.wake_some(many);
        }
        waiting
    }

    /// The word as it is now, if it says that somebody waits; `word` is what it was at a glance.
    fn look_for_waiters(&self, mut word: u32) -> Option<u32> {
        if word & FENCED != 0 {
            fence(SeqCst); // N, with W: we see the waiter, or it sees our progress
            word = self.word.load(Relaxed);
        }
        Some(word).filter(|word| word & WAITING != 0)
    }

    /// After news other than progress was stored: wakes whoever waits here, whatever the word says.
    #[cold]
    pub(crate) fn wake_all(&self) {
        fence(SeqCst); // A, with W: whoever announces after this sees the news
        self.wake(self.word.load(Relaxed));
    }

    #[cold]
    #[inline(never)]
    fn wake(&self, word: u32) {
        self.next_epoch(word, WAITING);
        futex::wake_all(&self.word);
    }

    /// Wakes `many` and leaves the bit to those who sleep on. Where that many no longer sleep, nobody is known to, and
    /// the bit is cleared; whoever has gone to sleep on it meanwhile is woken to set it again.
    #[cold]
    #[inline(never)]
    fn wake_some(&self, many: u32) {
        self.next_epoch(self.word.load(Relaxed), 0);
        if futex::wake(&self.word, many) < many {
            self.wake(self.word.load(Relaxed));
        }
    }

    /// Changes the word, so that whoever is about to sleep on it does not, and takes `bits` out of it.
    fn next_epoch(&self, mut word: u32, bits: u32) {
        for _ in 0..ATTEMPTS {
            let next = (word & !bits).wrapping_add(EPOCH);
            match self.word.compare_exchange(word, next, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
    }

    /// One round of waiting: announces a waiter, looks once more, and if there still is nothing, sleeps until
    /// woken, until the time is over, or for no reason. The caller looks again in any case.
    ///
    /// Whoever goes back to sleep is still announced if the word is what `announced` says: it has never been anything
    /// else since, as every wake adds to it. So publishers have seen us ever since the barrier, and before it we looked.
    pub(crate) fn wait_unless<T, E>(
        &self,
        announced: &mut Announced,
        look: impl FnOnce() -> Result<Option<T>, E>,
        timeout: impl FnOnce() -> Duration,
    ) -> Result<Option<T>, E> {
        let mut key = self.word.load(Relaxed);
        if announced.0 != Some(key) {
            key = self.word.fetch_or(WAITING, Relaxed) | WAITING;
            self.order(key);
            announced.0 = Some(key);
        }
        let found = look()?;
        if found.is_none() {
            futex::wait(&self.word, key, timeout());
        }
        Ok(found)
    }

    /// Between announcing a waiter and its look. What changes the word here keeps its caller from sleeping on it.
    fn order(&self, word: u32) {
        // W0, with N0: as W, of publishers without a fence of their own. Others set FENCED before they publish.
        if word & SETTLED == 0 && !sync::heavy() {
            self.require_fences();
        }
        fence(SeqCst); // W, with N and A: the publisher sees us, or we see its progress
    }
}
