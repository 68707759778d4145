//! One side of a stream: a process that is started again and again.

use nix::sys::signal::Signal;

use crate::scratch::{Running, Scratch};

/// What a process says that was told of the other side's death.
const TOLD: &str = "died without closing";

/// One side: its command, and the process that runs it.
pub(crate) struct Side {
    command: String,
    running: Option<Running>,
    /// Whether the other side was killed in this process's time, or was dead when it began.
    other_died: bool,
    asked_to_end: bool,
    /// Processes that ended because they were told so.
    pub(crate) told: u64,
}

impl Side {
    pub(crate) fn new(command: String) -> Self {
        Self { command, running: None, other_died: false, asked_to_end: false, told: 0 }
    }

    /// Starts a process. The seat of the other side may be a dead one's at this moment.
    pub(crate) fn start(&mut self, scratch: &Scratch, other_may_be_dead: bool) {
        self.other_died = other_may_be_dead;
        self.running = Some(scratch.start(&self.command));
    }

    /// Whether the present process has taken its seat: from then on nobody hears of its predecessor's death.
    pub(crate) fn is_seated(&self, scratch: &Scratch) -> bool {
        let Some(process) = &self.running else { return false };
        let outcome = scratch.run("info r --json");
        // Before the first of them, there is no ring.
        outcome.status == 0
            && outcome.json()["seats"].as_array().is_some_and(|seats| {
                seats.iter().any(|seat| seat["live"] == true && seat["pid"] == process.pid())
            })
    }

    pub(crate) fn is_there(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn other_died(&mut self) {
        self.other_died = true;
    }

    fn process(&self) -> &Running {
        self.running.as_ref().expect("only what runs is stopped")
    }

    /// Signals the process, if it still runs, and waits until a stop has taken effect.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process().signal(signal);
        if signal == Signal::SIGSTOP {
            let pid = nix::unistd::Pid::from_raw(self.process().pid());
            // Not reaped: whoever waits for it later must find it.
            let stopped = nix::sys::wait::Id::Pid(pid);
            use nix::sys::wait::WaitPidFlag as Flag;
            nix::sys::wait::waitid(stopped, Flag::WSTOPPED | Flag::WEXITED | Flag::WNOWAIT).unwrap();
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, may_be_told: bool) {
        self.look(may_be_told);
        if let Some(process) = self.running.take() {
            process.kill();
        }
    }

    /// SIGTERM, and the end that belongs to it.
    pub(crate) fn end(&mut self, may_be_told: bool) {
        self.look(may_be_told);
        let Some(process) = self.running.take() else { return };
        process.signal(Signal::SIGTERM);
        self.asked_to_end = true;
        self.judge(process, may_be_told);
        self.asked_to_end = false;
    }

    /// Waits for a process that is to end by itself. Returns whether it did; otherwise it was told of a death, or
    /// there was none.
    pub(crate) fn finish(&mut self, may_be_told: bool) -> bool {
        let told = self.told;
        let Some(process) = self.running.take() else { return false };
        self.judge(process, may_be_told);
        self.told == told
    }

    /// Whether the process has ended by itself, other than by being told of a death; of that it only takes note.
    pub(crate) fn has_finished(&mut self, may_be_told: bool) -> bool {
        let ended = self.running.as_mut().is_some_and(|process| !process.is_running());
        ended && self.finish(may_be_told)
    }

    /// Takes note of a process that was told of a death; it has no other reason to end.
    pub(crate) fn look(&mut self, may_be_told: bool) {
        assert!(!self.has_finished(may_be_told), "{} has ended without being asked to", self.command);
    }

    fn judge(&mut self, process: Running, may_be_told: bool) {
        let outcome = process.outcome();
        if outcome.status == 1 && outcome.stderr.contains(TOLD) {
            assert!(may_be_told && self.other_died, "a living peer was taken for dead: {}", outcome.stderr);
            self.told += 1;
        } else if self.asked_to_end && outcome.status == -(Signal::SIGTERM as i32) {
            // It was too young to listen, and had not opened the ring.
        } else {
            outcome.expect(0);
        }
    }
}
