//! A child that is run one instruction at a time, and killed between two of them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::machine;

/// Why the child stands still.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It has done what it was told to.
    Done,
    /// It stopped itself.
    Marked,
    /// It ended, or is about to because of a signal.
    Lost(String),
}

/// A forked child; killed when dropped.
pub(crate) struct Forked {
    pid: Pid,
    /// Whether it was reaped: from then on the number may be another process's.
    gone: Cell<bool>,
}

/// Runs `body` in a child. It must not return to the caller's code, whatever happens in it.
pub(crate) fn forked(body: impl FnOnce()) -> Forked {
    // SAFETY: this process has a single thread, so the child may do anything.
    match unsafe { fork() }.expect("another process") {
        ForkResult::Parent { child } => Forked { pid: child, gone: Cell::new(false) },
        ForkResult::Child => {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).expect("a child dies with its parent");
            let well = catch_unwind(AssertUnwindSafe(body)).is_ok();
            // SAFETY: ends the process without running what the parent registered for its own end.
            unsafe { libc::_exit(if well { 0 } else { 101 }) }
        }
    }
}

/// Stops the calling process until its parent goes on with it. No system call follows the stop.
#[inline(never)]
pub(crate) fn stand_still() {
    kill(Pid::this(), Signal::SIGSTOP).expect("a signal to itself");
}

impl Forked {
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// SIGKILL. Returns when the process is gone, and with it its mappings and locks.
    pub(crate) fn kill(self) {
        self.end();
    }

    /// Whether it has ended. Reaps it.
    pub(crate) fn has_ended(&self) -> Option<bool> {
        match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).expect("a child of ours") {
            WaitStatus::StillAlive => None,
            status => {
                self.gone.set(true);
                Some(matches!(status, WaitStatus::Exited(_, 0)))
            }
        }
    }

    fn end(&self) {
        if self.gone.get() {
            return;
        }
        let _ = kill(self.pid, Signal::SIGKILL);
        loop {
            match waitpid(self.pid, None) {
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        self.gone.set(true);
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        self.end();
    }
}

/// A traced child.
pub(crate) struct Traced(Forked);

impl Traced {
    /// Runs `body` in a child until it stands still.
    pub(crate) fn start(body: impl FnOnce()) -> Result<Self, String> {
        let child = forked(|| {
            ptrace::traceme().expect("a parent may trace its child");
            body();
        });
        let traced = Self(child);
        match traced.wait() {
            Stop::Marked => {}
            other => return Err(format!("the child did not begin: {other:?}")),
        }
        // No child outlives this process.
        ptrace::setoptions(traced.0.pid, Options::PTRACE_O_EXITKILL)
            .map_err(|error| format!("PTRACE_SETOPTIONS: {error}"))?;
        Ok(traced)
    }

    pub(crate) fn pid(&self) -> Pid {
        self.0.pid
    }

    fn wait(&self) -> Stop {
        loop {
            return match waitpid(self.0.pid, None) {
                Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => Stop::Done,
                Ok(WaitStatus::Stopped(_, Signal::SIGSTOP)) => Stop::Marked,
                Ok(other) => {
                    let reaped = matches!(other, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
                    self.0.gone.set(reaped);
                    Stop::Lost(format!("{other:?}"))
                }
                Err(Errno::EINTR) => continue,
                Err(error) => Stop::Lost(format!("waitpid: {error}")),
            };
        }
    }

    /// One instruction. A system call is one, however long it takes.
    pub(crate) fn step(&self) -> Stop {
        match machine::step(self.0.pid, || self.wait()) {
            Ok(stop) => stop,
            Err(error) => Stop::Lost(format!("PTRACE_SINGLESTEP: {error}")),
        }
    }

    /// On to where the next system call has returned.
    pub(crate) fn pass_call(&self) -> Stop {
        for _ in ["entry", "exit"] {
            if let Err(error) = ptrace::syscall(self.0.pid, None) {
                return Stop::Lost(format!("PTRACE_SYSCALL: {error}"));
            }
            match self.wait() {
                Stop::Done => {}
                other => return other,
            }
        }
        Stop::Done
    }

    /// On to where the child is about to execute the instruction at `place` once more after having done so
    /// `passes` times.
    pub(crate) fn run_to(&self, place: u64, passes: usize) -> Stop {
        self.try_run_to(place, passes).unwrap_or_else(|error| Stop::Lost(format!("a breakpoint: {error}")))
    }

    fn try_run_to(&self, place: u64, passes: usize) -> nix::Result<Stop> {
        let pid = self.0.pid;
        for pass in 0..=passes {
            let code = machine::plant(pid, place)?;
            match self.run() {
                Stop::Done => {}
                other => return Ok(other),
            }
            machine::restore(pid, place, code)?;
            machine::back_to(pid, place)?;
            if pass < passes {
                match self.step() {
                    Stop::Done => {}
                    other => return Ok(other),
                }
            }
        }
        Ok(Stop::Done)
    }

    /// On to where the child stands still, or to a breakpoint.
    pub(crate) fn run(&self) -> Stop {
        match ptrace::cont(self.0.pid, None) {
            Ok(()) => self.wait(),
            Err(error) => Stop::Lost(format!("PTRACE_CONT: {error}")),
        }
    }

    /// The address of the next instruction, and whether it enters the kernel.
    pub(crate) fn next(&self) -> Result<(u64, bool), String> {
        let next = || {
            let place = machine::place(self.0.pid)?;
            Ok((place, machine::is_call(self.0.pid, place)?))
        };
        next().map_err(|error: nix::Error| format!("where the child stands: {error}"))
    }

    pub(crate) fn kill(self) {
        self.0.kill();
    }
}

/// Whether this machine lets a process step through its child; if not, why.
pub(crate) fn possible() -> Result<(), String> {
    let child = forked(|| {
        if ptrace::traceme().is_ok() {
            stand_still();
            stand_still();
        }
    });
    let traced = Traced(child);
    match traced.wait() {
        Stop::Marked => {}
        _ => return Err("PTRACE_TRACEME is refused".into()),
    }
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(machine::place(traced.0.pid).map_err(|error| format!("PTRACE_GETREGS: {error}"))?);
        match traced.step() {
            Stop::Done => {}
            other => return Err(format!("a step ends with {other:?}")),
        }
    }
    places.dedup();
    if places.len() == 3 { Ok(()) } else { Err("a step does not move the child by an instruction".into()) }
}
