//! Ctrl-C and SIGTERM: stop, and print what there is. A second one ends the program at once.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::{Error, Result};

static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn ask(_: i32) {
    ASKED.store(true, Relaxed);
}

/// Begins to listen.
pub fn listen() -> Result<()> {
    // The second signal has its usual effect again.
    let action = SigAction::new(
        SigHandler::Handler(ask),
        SaFlags::SA_RESETHAND | SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler stores to an atomic and does nothing else.
        unsafe { sigaction(signal, &action) }.map_err(|e| Error::os("sigaction", e))?;
    }
    Ok(())
}

/// Whether the user wants the program to stop.
pub fn asked() -> bool {
    ASKED.load(Relaxed)
}
