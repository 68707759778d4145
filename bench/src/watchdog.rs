//! Ends the program when a run does not end: a lost wake-up must be a failure, not a night of waiting.

use std::ptr::null_mut;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::alarm;

use crate::{Error, Result};

/// The exit code of a run that did not end in time.
pub const TIMED_OUT: i32 = 124;

/// While it lives, the program has the given time; then it ends with a message and [`TIMED_OUT`].
///
/// Guards in memory do not run then: the partner is killed by the kernel with its parent, and the
/// scratch directory is removed by its janitor.
#[derive(Debug)]
pub struct Watchdog(());

/// What to say at the end: made before, for a signal handler may not.
static MESSAGE: AtomicPtr<String> = AtomicPtr::new(null_mut());

impl Watchdog {
    /// Starts the clock for `what`, in whole seconds and at least one. One at a time.
    pub fn arm(patience: Duration, what: &str) -> Result<Self> {
        let message = format!("podring-bench: did not end within {patience:?} (see --patience): {what}\n");
        MESSAGE.store(Box::into_raw(Box::new(message)), Release);
        let action = SigAction::new(SigHandler::Handler(give_up), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler calls only write(2) and _exit(2), both async-signal-safe.
        unsafe { sigaction(Signal::SIGALRM, &action) }.map_err(|e| Error::os("sigaction", e))?;
        alarm::set(u32::try_from(patience.as_secs().max(1)).unwrap_or(u32::MAX));
        Ok(Self(()))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        alarm::cancel();
        let message = MESSAGE.swap(null_mut(), Acquire);
        if !message.is_null() {
            // SAFETY: it came from `Box::into_raw` in `arm`, and the swap gave it to us alone; the handler runs on
            // this thread or, with the alarm cancelled, not at all.
            drop(unsafe { Box::from_raw(message) });
        }
    }
}

extern "C" fn give_up(_: libc::c_int) {
    // SAFETY: null, or the string that `arm` made and that lives until the alarm is cancelled.
    if let Some(message) = unsafe { MESSAGE.load(Acquire).as_ref() } {
        // SAFETY: the pointer and length are those of a string; a failed write changes nothing here.
        unsafe { libc::write(libc::STDERR_FILENO, message.as_ptr().cast(), message.len()) };
    }
    // SAFETY: ends the process at once, which is what is wanted.
    unsafe { libc::_exit(TIMED_OUT) }
}
