//! The other side of a measurement: a forked process, a thread, or a process in another container. Watched,
//! and never left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::board::Board;
use crate::remote::{Order, Remote};
use crate::{Error, Result};

/// Where partners come from.
#[derive(Debug, Clone, Copy)]
pub enum Staff<'a> {
    /// Threads of this process.
    Threads,
    /// Forked processes.
    Processes,
    /// A process in another container.
    Container(&'a Remote),
}

/// A partner at work.
#[derive(Debug)]
pub enum Partner<'scope> {
    /// A thread.
    Thread(Option<ScopedJoinHandle<'scope, Result<()>>>),
    /// A process.
    Process(Process),
    /// One that was sent an order.
    Remote(&'scope Remote, Option<Result<()>>),
}

impl Staff<'_> {
    /// Has the partners do `tasks` while this thread does `ours`, and ends with what that gave, if all others
    /// end well too. If one has failed, that is why `ours` did, and is the error to tell.
    ///
    /// `order` describes the task (then there is one) to a process that shares no memory with this one.
    ///
    /// Hold no ring while calling this: the library closes the handles of a forked child, and a ring shared by
    /// accident would be measured with one participant too many.
    pub fn beside<T>(
        &self,
        board: &Board,
        order: impl FnOnce() -> Order,
        tasks: Vec<impl FnOnce() -> Result<()> + Send>,
        ours: impl FnOnce(&mut Crew<'_>) -> Result<T>,
    ) -> Result<T> {
        let guarded = |task: Box<dyn FnOnce() -> Result<()> + Send + '_>| {
            match task() {
                // Somebody else has failed, and says why.
                Ok(()) | Err(Error::Abandoned) => Ok(()),
                Err(error) => {
                    board.fail();
                    Err(error)
                }
            }
        };
        std::thread::scope(|scope| {
            let mut crew = Crew { partners: Vec::new() };
            match self {
                Self::Threads => {
                    for task in tasks {
                        let thread = scope.spawn(move || guarded(Box::new(task)));
                        crew.partners.push(Partner::Thread(Some(thread)));
                    }
                }
                Self::Processes => {
                    for task in tasks {
                        crew.partners.push(Partner::Process(Process::start(|| guarded(Box::new(task)))?));
                    }
                }
                Self::Container(remote) => {
                    remote.order(&order())?;
                    crew.partners.push(Partner::Remote(remote, None));
                }
            }
            let result = ours(&mut crew);
            if result.is_err() {
                // They must not wait for us.
                board.fail();
            }
            crew.conclude(result)
        })
    }
}

/// All partners of one run.
#[derive(Debug)]
pub struct Crew<'scope> {
    partners: Vec<Partner<'scope>>,
}

impl Crew<'_> {
    /// Lets all begin when that many participants are ready.
    pub fn gather(&mut self, board: &Board, participants: usize) -> Result<()> {
        board.await_ready(participants as u32, || self.check())?;
        board.go();
        Ok(())
    }

    /// An error if one has failed. One with little to do may be done already.
    pub fn check(&mut self) -> Result<()> {
        self.partners.iter_mut().try_for_each(|partner| partner.ended().map(|_| ()))
    }

    fn conclude<T>(mut self, measured: Result<T>) -> Result<T> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let patience = if measured.is_ok() { PATIENCE } else { PATIENCE / 10 };
        let deadline = Instant::now() + patience;
        for partner in &mut self.partners {
            loop {
                match partner.ended() {
                    Ok(true) => break,
                    // The first failure is the one to tell; that of a lost peer is the peer's.
                    Err(error) => match measured {
                        Ok(_) | Err(Error::Abandoned | Error::Ring(podring::Error::PeerDied { .. })) => {
                            return Err(error);
                        }
                        Err(_) => break,
                    },
                    Ok(false) if Instant::now() > deadline => {
                        let late =
                            || Error::Partner(format!("still runs {patience:?} after the work was done"));
                        return measured.and_then(|_| Err(late()));
                    }
                    Ok(false) => std::thread::sleep(Duration::from_micros(200)),
                }
            }
        }
        measured
    }
}

impl Partner<'_> {
    /// Whether it has ended; an error if it has failed.
    fn ended(&mut self) -> Result<bool> {
        match self {
            Self::Process(process) => process.ended(),
            Self::Thread(thread) => match thread.take_if(|thread| thread.is_finished()) {
                Some(thread) => match thread.join() {
                    Ok(done) => done.map(|()| true),
                    Err(_) => Err(failed("panicked")),
                },
                None => Ok(thread.is_none()),
            },
            Self::Remote(remote, answer) => {
                if answer.is_none() {
                    *answer = remote.answer()?;
                }
                match answer {
                    None => Ok(false),
                    Some(Ok(())) => Ok(true),
                    Some(Err(error)) => Err(Error::Partner(error.to_string())),
                }
            }
        }
    }
}

/// A forked process that runs one task. Dropped before it has ended, it is killed and reaped.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    /// How it ended, once it has.
    how: Option<String>,
}

const WELL: &str = "exit code 0";

impl Process {
    /// Forks a process that runs `task`, prints its error if it has one, and ends.
    pub fn start(task: impl FnOnce() -> Result<()>) -> Result<Self> {
        let parent = getpid();
        // SAFETY: the programs here have one thread when they fork, so the child may allocate and lock.
        match unsafe { fork() }.map_err(|e| Error::os("fork", e))? {
            ForkResult::Parent { child } => Ok(Self { pid: child, how: None }),
            ForkResult::Child => {
                let code = child(parent, task);
                // SAFETY: ends the process at once; the parent's buffers and guards are the parent's.
                unsafe { libc::_exit(code) }
            }
        }
    }

    /// Whether it has ended; an error if it has failed.
    fn ended(&mut self) -> Result<bool> {
        if self.how.is_none() {
            let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            let status = waitid(Id::Pid(self.pid), look).map_err(|e| Error::os("waitid", e))?;
            self.how = match status {
                WaitStatus::Exited(_, code) => Some(format!("exit code {code}")),
                WaitStatus::Signaled(_, signal, _) => Some(format!("killed by {signal}")),
                _ => None,
            };
        }
        match self.how.as_deref() {
            None => Ok(false),
            Some(WELL) => Ok(true),
            Some(how) => Err(failed(how)),
        }
    }
}

fn failed(how: &str) -> Error {
    Error::Partner(format!("failed ({how}; see above)"))
}

impl Drop for Process {
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
    for at in [Signal::SIGINT, Signal::SIGTERM] {
        // Ctrl-C goes to the whole foreground group; it is the parent that ends the run, and this side with it.
        // SAFETY: ignoring a signal runs no handler.
        if let Err(error) = unsafe { signal(at, SigHandler::SigIgn) } {
            eprintln!("podring-bench: ignoring {at}: {error}");
            return 1;
        }
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
