//! The one seam to the machine: atomics, fences, how to relax, how to sleep.
//!
//! A model checker replaces this module and compiles `algo/` with it.

pub(crate) mod futex;

pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use core::time::Duration;

use nix::libc;

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

/// Keeps the compiler from moving a later load before an earlier store. The processor still may, unless
/// the other side has it pass a barrier in between ([`heavy`], [`settle`]).
#[inline(always)]
pub(crate) fn light() {
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// Asks for the cache line at `place`, which the other side is about to publish: it then arrives together
/// with the word that says so, not after it. Any address will do; it is only a hint.
#[inline(always)]
pub(crate) fn touch(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(target_arch = "aarch64")]
    #[allow(unsafe_code)]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
}

/// Lets every thread of all processes that are [registered](register) pass a full barrier: what such a thread stored
/// before a [`light`] is visible to the caller, or what it loads after that is not older than this call
/// (`membarrier(2)`: those that run are interrupted, the others pass one when they run again). Microseconds if one
/// runs. False where the kernel or a seccomp filter refuses.
pub(crate) fn heavy() -> bool {
    futex::membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED)
}

/// Has the calling process take part in the [`heavy`] barriers of others, for as long as it runs this program. False
/// where the kernel or a seccomp filter refuses.
pub(crate) fn register() -> bool {
    futex::membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
}

/// As [`heavy`], of all processes whether registered or not. Some ten milliseconds.
pub(crate) fn settle() -> bool {
    futex::membarrier(libc::MEMBARRIER_CMD_GLOBAL)
}
