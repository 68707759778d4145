//! The one seam to the machine: atomics, fences, how to relax, how to sleep.
//!
//! A model checker replaces this module and compiles `algo/` with it.

pub(crate) mod futex;

pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use core::time::Duration;

/// A word that one participant writes and anybody may read; it orders nothing.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Fact32(AtomicU32);

impl Fact32 {
    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// The same, of eight bytes.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Fact64(AtomicU64);

impl Fact64 {
    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds to a word that only the caller writes: no locked instruction.
    #[inline(always)]
    pub(crate) fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }
}

/// Tells the processor that this is a polling loop.
#[inline(always)]
pub(crate) fn relax() {
    core::hint::spin_loop();
}

/// Lets every processor pass a full barrier: after it, everybody sees what was stored before it, and
/// whatever they had loaded earlier is ordered before it (`membarrier(2)`, the plain global command, which
/// needs no registration). Where the kernel refuses, waits are bounded by their slices all the same.
pub(crate) fn settle() {
    let _ = futex::membarrier_global();
}
