//! Taking part in the barriers of those who wait ([`sync::heavy`]).
//!
//! A process with one thread registers in a microsecond. One with several waits for a grace period of the whole kernel,
//! some ten milliseconds and on a busy machine seconds, in which it cannot even be killed. So it is done before `main`,
//! or, where this library is loaded later than that, before a seat is taken.
#![allow(unsafe_code)]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::sync;

static REGISTERED: AtomicBool = AtomicBool::new(false);

/// Whether this process takes part. If not, the kernel or a seccomp filter refuses: then publishers have to fence, this
/// process among them. Forked children take part where their parent does.
pub(crate) fn is_registered() -> bool {
    if !REGISTERED.load(Relaxed) && sync::register() {
        REGISTERED.store(true, Relaxed);
    }
    REGISTERED.load(Relaxed)
}

extern "C" fn before_main() {
    is_registered();
}

#[cfg(not(miri))] // which has no such call
#[used]
// The section holds pointers to functions that run before `main`; this one makes a system call and stores a flag.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;
