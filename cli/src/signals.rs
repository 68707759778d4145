//! Ctrl-C and SIGTERM: stop cleanly, print the summary so far.
//!
//! A thread of its own takes the two signals, so that no work is done in a handler. From then on it pokes
//! the main thread with a signal that does nothing but interrupt a system call: a read of standard input
//! or a write to standard output returns, however long it would have taken, and without the usual race
//! between looking at a flag and going to sleep. This also works as PID 1 of a container, where the kernel
//! ignores SIGTERM unless somebody asks for it.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::output::Failure;

static STOPPED: AtomicBool = AtomicBool::new(false);
static BEFORE_EXIT: OnceLock<fn()> = OnceLock::new();

/// How often the main thread is poked once the program shall stop.
const POKE: Duration = Duration::from_millis(20);

extern "C" fn do_nothing(_signal: i32) {}

/// Begins to watch for SIGINT and SIGTERM. To be called by the main thread, before any other is started.
pub(crate) fn watch() -> Result<(), Failure> {
    watch_also(&[])
}

/// The same, and these as well.
pub(crate) fn watch_also(others: &[Signal]) -> Result<(), Failure> {
    let failed = |error: nix::Error| Failure::io("watching for signals", &error.into());
    let interrupting = SigAction::new(SigHandler::Handler(do_nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing at all, which is async-signal-safe.
    unsafe { sigaction(Signal::SIGUSR1, &interrupting) }.map_err(failed)?;
    let signals: SigSet =
        [Signal::SIGINT, Signal::SIGTERM].into_iter().chain(others.iter().copied()).collect();
    signals.thread_block().map_err(failed)?;
    let main = pthread_self();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || take(signals, main))
        .map_err(|error: io::Error| Failure::io("starting the thread that watches for signals", &error))?;
    Ok(())
}

/// Whether the user wants the program to stop.
pub(crate) fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// What the program does when it is asked a second time, before it ends at once.
#[cfg(feature = "top")]
pub(crate) fn before_exit(what: fn()) {
    BEFORE_EXIT.get_or_init(|| what);
}

/// Sleeps until then, or until the user wants the program to stop: true.
pub(crate) fn sleep_until(then: Instant) -> bool {
    while !stopped() {
        let left = then.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        // A poke ends it early. In whole milliseconds, the last one not cut off.
        let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut [], timeout);
    }
    true
}

fn take(signals: SigSet, main: Pthread) {
    if signals.wait().is_err() {
        return;
    }
    STOPPED.store(true, Ordering::Relaxed);
    // Whoever asks a second time does not want to wait.
    let impatient = thread::Builder::new().name("impatience".to_owned()).spawn(move || {
        if let Ok(signal) = signals.wait() {
            if let Some(what) = BEFORE_EXIT.get() {
                what();
            }
            std::process::exit(128 + signal as i32);
        }
    });
    drop(impatient);
    loop {
        // Fails only when the main thread has ended, and the process with it.
        let _ = pthread_kill(main, Signal::SIGUSR1);
        thread::sleep(POKE);
    }
}
