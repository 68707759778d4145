//! The other process of a measurement: forked, watched, and never left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::{Error, Result};

/// A forked process that runs one task. Dropped before it was waited for, it is killed and reaped.
#[derive(Debug)]
pub struct Partner {
    pid: Pid,
    /// How it ended, once it has been reaped.
    ended: Option<String>,
}

const WELL: &str = "exit code 0";

impl Partner {
    /// Forks a process that runs `task`, prints its error if it has one, and ends.
    ///
    /// Hold no ring while calling this: the library closes the handles of a forked child, and a ring
    /// shared by accident would be measured with one participant too many.
    pub fn start(task: impl FnOnce() -> Result<()>) -> Result<Self> {
        let parent = getpid();
        // SAFETY: the programs here have one thread when they fork, so the child may allocate and lock.
        match unsafe { fork() }.map_err(|e| Error::os("fork", e))? {
            ForkResult::Parent { child } => Ok(Self { pid: child, ended: None }),
            ForkResult::Child => {
                let code = child(parent, task);
                // SAFETY: ends the process at once; the parent's buffers and guards are the parent's.
                unsafe { libc::_exit(code) }
            }
        }
    }

    /// Whether the process still runs; an error if it has failed. One with little to do may be done already.
    pub fn still_runs(&mut self) -> Result<bool> {
        match self.look()? {
            None => Ok(true),
            Some(WELL) => Ok(false),
            Some(how) => Err(failed(how)),
        }
    }

    /// The process's id, also after it has ended, until [`Partner::conclude`].
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Ends the measurement: with what it gave, if the process now ends without an error as well. If it has
    /// failed, that is why the measurement did too, and is the error to tell.
    pub fn conclude<T>(mut self, measured: Result<T>) -> Result<T> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let patience = if measured.is_ok() { PATIENCE } else { PATIENCE / 10 };
        let deadline = Instant::now() + patience;
        loop {
            match self.look()? {
                Some(WELL) => return measured,
                Some(how) => return Err(failed(how)),
                None if Instant::now() > deadline => {
                    let late = || Error::Partner(format!("still runs {patience:?} after the work was done"));
                    return measured.and_then(|_| Err(late()));
                }
                None => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }

    /// How it ended, if it has. It stays a zombie, whose accounts can be read, until this is dropped.
    fn look(&mut self) -> Result<Option<&str>> {
        if self.ended.is_none() {
            let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            let status = waitid(Id::Pid(self.pid), look).map_err(|e| Error::os("waitid", e))?;
            self.ended = match status {
                WaitStatus::Exited(_, code) => Some(format!("exit code {code}")),
                WaitStatus::Signaled(_, signal, _) => Some(format!("killed by {signal}")),
                _ => None,
            };
        }
        Ok(self.ended.as_deref())
    }
}

fn failed(how: &str) -> Error {
    Error::Partner(format!("failed ({how}; see above)"))
}

impl Drop for Partner {
    fn drop(&mut self) {
        // Neither can fail for a child that nobody else has reaped, and a signal is nothing to a zombie.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

fn child(parent: Pid, task: impl FnOnce() -> Result<()>) -> i32 {
    // A parent that is killed must not leave its partner spinning.
    if let Err(error) = set_pdeathsig(Signal::SIGKILL) {
        eprintln!("podring-bench: PR_SET_PDEATHSIG: {error}");
        return 1;
    }
    if getppid() != parent {
        return 1;
    }
    match catch_unwind(AssertUnwindSafe(task)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            eprintln!("podring-bench: in the other process: {error}");
            i32::from(error.exit_code())
        }
        Err(_) => 101,
    }
}
