//! Those who do the work: one for each processor, each with a directory and a board of its own. They take rows until
//! none is left, and write what came of each into a ledger that outlives them.

use std::path::Path;
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::board::Board;
use crate::common::Scratch;
use crate::common::words::Words;
use crate::ground::{Depth, Ground, Tally};
use crate::rows::Row;
use crate::trace::{self, Forked};

/// Words of the ledger for each row: the tally, and whether the row is done.
const ENTRY: usize = 8;
/// The ledger's first word: rows taken so far.
const TAKEN: usize = 0;

/// What came of each row.
pub(crate) struct Ledger(Words);

impl Ledger {
    pub(crate) fn make(path: &Path, rows: usize) -> Self {
        Self(Words::make(path, 1 + rows * ENTRY))
    }

    /// The next row that nobody has taken.
    fn take(&self) -> usize {
        self.0.at(TAKEN).fetch_add(1, std::sync::atomic::Ordering::SeqCst) as usize
    }

    fn enter(&self, row: usize, tally: &Tally) {
        let words = [
            tally.kills as u64,
            tally.skipped as u64,
            tally.left_out as u64,
            tally.strayed as u64,
            tally.rescues,
            tally.messages,
            tally.wrong as u64,
            1,
        ];
        words.into_iter().enumerate().for_each(|(index, word)| self.0.set(1 + row * ENTRY + index, word));
    }

    /// What came of a row; `None` if nobody has finished it.
    pub(crate) fn of(&self, row: usize) -> Option<Tally> {
        let word = |index: usize| self.0.get(1 + row * ENTRY + index);
        (word(ENTRY - 1) == 1).then(|| Tally {
            kills: word(0) as usize,
            skipped: word(1) as usize,
            left_out: word(2) as usize,
            strayed: word(3) as usize,
            rescues: word(4),
            messages: word(5),
            wrong: word(6) as usize,
            ..Tally::default()
        })
    }
}

/// Sets one worker on each processor allowed.
pub(crate) fn start(scratch: &Scratch, ledger: &Ledger, rows: &[Row], depth: Depth) -> Vec<Forked> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("the processors allowed");
    let processors = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    let worker = |cpu: usize| {
        let dir = scratch.dir().join(cpu.to_string());
        std::fs::create_dir(&dir).expect("a directory for a worker");
        let board = Board::make(&scratch.beside(&format!("board-{cpu}")));
        trace::forked(|| {
            stay_on(cpu);
            work(&dir, &board, ledger, rows, depth);
            // Not by the end of `main`: the scratch directory is the parent's.
            std::process::exit(0);
        })
    };
    processors.take(rows.len()).map(worker).collect()
}

/// One processor for this process and all its children, so that whoever waits is woken at once.
fn stay_on(cpu: usize) {
    let mut one = CpuSet::new();
    one.set(cpu).expect("a processor that there is");
    sched_setaffinity(Pid::from_raw(0), &one).expect("one of the processors allowed");
}

fn work(dir: &Path, board: &Board, ledger: &Ledger, rows: &[Row], depth: Depth) {
    let mut ground = Ground::new(dir, board, depth);
    loop {
        let index = ledger.take();
        let Some(row) = rows.get(index) else { break };
        let since = Instant::now();
        let tally = ground.run(row);
        let skipped = if tally.skipped > 0 { "+" } else { "" };
        println!(
            "{:<26} {:<26} {:>8} {:>7} {:>8} {:>7} {:>7} {:>6} {:>7.1}",
            row.operation,
            row.state,
            format!("{skipped}{}", tally.instructions),
            tally.kills,
            format!("{skipped}{}", tally.left_out),
            tally.before,
            tally.beyond,
            tally.wrong,
            since.elapsed().as_secs_f64()
        );
        ledger.enter(index, &tally);
    }
}
