//! A ring that somebody cuts short while it is in use: the kernel ends whoever touches a page that is gone, by
//! SIGBUS. Nothing can prevent it (`SECURITY.md`); it can be said before the end.

use std::sync::OnceLock;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::output::{Exit, Failure, Output};

/// What to print, and on which descriptors: made beforehand, for a handler can allocate nothing.
static LAST_WORDS: OnceLock<Vec<(libc::c_int, Vec<u8>)>> = OnceLock::new();

extern "C" fn say_and_end(signal: libc::c_int) {
    for (descriptor, text) in LAST_WORDS.get().into_iter().flatten() {
        // SAFETY: write(2) of a buffer that lives for ever; it is async-signal-safe. What cannot be said is not.
        unsafe { libc::write(*descriptor, text.as_ptr().cast(), text.len()) };
    }
    // Taken when the handler returns, with the default action (SA_RESETHAND). PID 1 of a container ignores that,
    // and ends by the access itself, which is then made again.
    // SAFETY: raise(3) is async-signal-safe.
    unsafe { libc::raise(signal) };
}

/// Has the program say why it ends by SIGBUS. `ring`: the one it uses, if it is only one.
pub(crate) fn watch(ring: Option<&str>, output: &Output) -> Result<(), Failure> {
    let (subject, name) = match ring {
        Some(name) => (format!("ring '{name}'"), name),
        None => ("a ring".to_owned(), "NAME"),
    };
    let failure = Failure::new(
        Exit::Failure,
        "Bus",
        format!(
            "{subject} was cut short while in use, or a page of its file could not be had (SIGBUS); whoever may \
             write to the file can do that. What was in it is gone: remove it (podring rm --force {name}), and it \
             is made anew"
        ),
    );
    // Kept until the end, so nothing to do if it was said before.
    let _ = LAST_WORDS.set(output.last_words(&failure));
    let action = SigAction::new(SigHandler::Handler(say_and_end), SaFlags::SA_RESETHAND, SigSet::empty());
    // SAFETY: the handler only makes async-signal-safe calls, and reads what was set before.
    unsafe { sigaction(Signal::SIGBUS, &action) }
        .map(drop)
        .map_err(|error| Failure::io("watching for SIGBUS", &error.into()))
}
