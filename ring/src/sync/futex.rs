//! Sleeping and waking between processes.
//!
//! Never the PRIVATE flag: it keys the wait by address space, and the other side lives in another one.
#![allow(unsafe_code)]

use super::{AtomicU32, Duration};
use nix::libc;
use rustix::thread::futex::{self, Flags, Timespec};

/// Sleeps while `word` holds `expected`, for at most `timeout`. Returns for any reason, also for none: a
/// wake, the time-out, a signal, a word that differs.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // Every error (EAGAIN, EINTR, ETIMEDOUT) means the same to the caller: look at the ring.
    let _ = futex::wait(word, Flags::empty(), expected, Some(&timeout));
}

/// Wakes everybody who sleeps on `word`, in any process.
pub(crate) fn wake_all(word: &AtomicU32) {
    wake(word, i32::MAX as u32);
}

/// Wakes up to `many` who sleep on `word`, in any process, and says how many.
pub(crate) fn wake(word: &AtomicU32, many: u32) -> u32 {
    let woken = futex::wake(word, Flags::empty(), many.min(i32::MAX as u32));
    woken.ok().and_then(|woken| u32::try_from(woken).ok()).unwrap_or(0)
}

/// `membarrier(2)`. False where the kernel or a seccomp filter refuses.
pub(crate) fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: the call takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}
