//! Those who do the work: workers on every processor, each with a directory and a board of its own. They take rows
//! until none is left.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::board::Board;
use crate::common::Scratch;
use crate::ground::{Depth, Ground};
use crate::ledger::Ledger;
use crate::rows::Row;
use crate::trace::{self, Forked};

/// Sets workers on each processor allowed. More than one where every instruction is killed behind: some operations
/// wait for a barrier on all processors, and others can be killed meanwhile.
pub(crate) fn start(scratch: &Scratch, ledger: &Ledger, rows: &[Row], depth: Depth) -> Vec<Forked> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("the processors allowed");
    let processors = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    let each = match depth {
        Depth::Quick => 1,
        Depth::All { .. } => 4,
    };
    let worker = |(number, cpu): (usize, usize)| {
        let dir = scratch.dir().join(number.to_string());
        std::fs::create_dir(&dir).expect("a directory for a worker");
        let board = Board::make(&scratch.beside(&format!("board-{number}")));
        trace::forked(|| {
            stay_on(cpu);
            let mut ground = Ground::new(&dir, &board, depth);
            loop {
                let index = ledger.take();
                let Some(row) = rows.get(index) else { break };
                ledger.enter(index, || ground.run(row));
            }
            // Not by the end of `main`: the scratch directory is the parent's.
            std::process::exit(0);
        })
    };
    processors.flat_map(|cpu| std::iter::repeat_n(cpu, each)).enumerate().map(worker).collect()
}

/// One processor for this process and all its children, so that whoever waits is woken at once.
fn stay_on(cpu: usize) {
    let mut one = CpuSet::new();
    one.set(cpu).expect("a processor that there is");
    sched_setaffinity(Pid::from_raw(0), &one).expect("one of the processors allowed");
}
