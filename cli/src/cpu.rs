//! Staying on one CPU.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::output::{Exit, Failure};

/// Binds this thread, and those it starts, to a CPU.
pub(crate) fn pin(cpu: Option<usize>) -> Result<(), Failure> {
    let Some(cpu) = cpu else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)).map_err(|error| {
        let message = format!("cannot run on CPU {cpu} only: {error}; is it one of this container's?");
        Failure::new(Exit::Failure, "Os", message)
    })
}
