//! The algorithms, pure: positions and indices, never payload bytes.
//!
//! No system calls, no allocation, no time, no panics. Atomics come only through `crate::sync`, so that a
//! model checker can compile these same files with atomics of its own. Every Acquire, Release and fence
//! bears a label and its partner's; `ORDERINGS.md` lists the pairs.

pub(crate) mod corrupt;
pub(crate) mod cursors;
pub(crate) mod mpmc;
pub(crate) mod openers;
pub(crate) mod record;
pub(crate) mod repair;
pub(crate) mod signal;
pub(crate) mod slots;
pub(crate) mod spsc;
pub(crate) mod stream;
pub(crate) mod turn;

/// A position as it is at some moment, for whoever only watches.
pub(crate) fn position(word: &crate::sync::AtomicU64) -> u64 {
    // Acquire keeps two looks in order; nothing is concluded from what is published below it.
    word.load(crate::sync::Ordering::Acquire)
}
