//! Killed at any instruction: a child does one thing to a ring and is stepped through it by `ptrace`; it is
//! killed after its first instruction, another one after its second, and so on to the last. After every
//! kill the survivors take over, account for every message, and go on; what they may find is what
//! `docs/crash.md` says, and nothing else.
//!
//! `STEP=quick` (the default) kills behind and before every instruction that changes the segment's words,
//! and behind a share of all others; where a ring is made, behind every system call before the segment is
//! mapped. `STEP=all` kills behind every instruction; only of operations with more than `STEP_LIMIT` (20000)
//! it leaves out some: repetitions, by a loop, of instructions that do nothing others can see. What is left
//! out is counted and said.
//!
//! Arguments that are not options choose rows by parts of their names: `cargo test --test step -- send/full`.
//! Where the machine does not let a process step through its child, the run says so and proves nothing;
//! with `PODRING_REQUIRE_PTRACE=1` that is a failure.
//!
//! The rows are shared out among one worker for each processor. All that a worker does runs on its own: a child and
//! its tracer take turns. So no participant polls (it could only be in the other's way); polling changes nothing that
//! others see.

#[path = "../common/mod.rs"]
mod common;

mod board;
mod crew;
mod exclusive;
mod ground;
mod handles;
mod judge;
mod ledger;
mod machine;
mod message;
mod model;
mod operations;
mod parked;
mod record;
mod refuse;
mod rows;
mod scene;
mod starts;
mod survivors;
mod teeth;
mod trace;
mod window;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, signal};

use common::Scratch;
use ground::{Depth, Tally};
use ledger::Ledger;
use rows::Row;
use trace::Forked;

/// No operation is killed less often.
const LEAST: u64 = 15;

fn main() {
    let Some(filters) = filters() else { return };
    let depth = depth();
    exclusive::check();
    let refused = teeth::check();
    println!("step: the judge refuses {refused} of {refused} wrong outcomes");
    if let Err(why) = trace::possible() {
        println!("{:=<100}", "");
        println!("SKIPPED: the single-step kills. {why} on this machine: nothing was proved.");
        println!("{:=<100}", "");
        std::process::exit(i32::from(std::env::var("PODRING_REQUIRE_PTRACE").as_deref() == Ok("1")));
    }
    let whole = filters.is_empty();
    let mut rows = rows::rows();
    rows.retain(|row| whole || filters.iter().any(|filter| row.name().contains(filter)));
    println!(
        "{:<26} {:<26} {:>8} {:>7} {:>8} {:>7} {:>7} {:>6} {:>7}",
        "operation", "state", "instr.", "kills", "left out", "before", "beyond", "wrong", "seconds"
    );
    let start = Instant::now();
    // Made here, so that it goes whatever becomes of the processes that do the work.
    let scratch = Scratch::new("step");
    let ledger = Ledger::make(&scratch.beside("ledger"), rows.len());
    let crew = crew::start(&scratch, &ledger, &rows, depth);
    let limit = match depth {
        Depth::Quick => Duration::from_secs(10 * 60),
        Depth::All { .. } => Duration::from_secs(4 * 60 * 60),
    };
    let mut total = Total::default();
    let ended = outcome(crew, limit, || total.look(&ledger, &rows));
    drop(scratch);
    if !(total.judge(&rows, whole, start) && ended) {
        std::process::exit(1);
    }
}

/// Whether somebody wants this to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupt(_: nix::libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Waits for the workers. One that hangs is a failure, too; what is left of the crew goes with it.
fn outcome(mut crew: Vec<Forked>, limit: Duration, mut look: impl FnMut()) -> bool {
    let start = Instant::now();
    for end in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { signal(end, SigHandler::Handler(interrupt)) }.expect("a handler for a signal");
    }
    let mut well = true;
    loop {
        crew.retain(|worker| match worker.has_ended() {
            None => true,
            Some(in_good_order) => {
                well &= in_good_order;
                false
            }
        });
        look();
        if crew.is_empty() {
            return well;
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            eprintln!("step: interrupted");
            return false;
        }
        if start.elapsed() > limit {
            eprintln!("step: FAILED: it still runs after {limit:?}");
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What names must contain, as the test runner passes it on; `None`: this is not asked for.
fn filters() -> Option<Vec<String>> {
    let mut filters = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => {
                println!("step: test");
                return None;
            }
            "--ignored" => return None,
            "--test-threads" | "--skip" | "--format" | "--color" | "--logfile" | "-Z" => {
                arguments.next();
            }
            option if option.starts_with('-') => {}
            name => filters.push(name.to_owned()),
        }
    }
    let known =
        |filter: &String| filter == "step" || rows::rows().iter().any(|row| row.name().contains(filter));
    if !filters.is_empty() && !filters.iter().any(known) {
        return None;
    }
    filters.retain(|filter| filter != "step");
    Some(filters)
}

fn depth() -> Depth {
    let limit =
        std::env::var("STEP_LIMIT").map_or(20_000, |text| text.parse().expect("STEP_LIMIT is a number"));
    match std::env::var("STEP").as_deref() {
        Err(_) | Ok("quick") => Depth::Quick,
        Ok("all") => Depth::All { limit },
        Ok(other) => panic!("STEP is quick or all, not {other:?}"),
    }
}

/// What the rows came to so far.
#[derive(Default)]
struct Total {
    finished: Vec<bool>,
    kills: BTreeMap<&'static str, u64>,
    all: Tally,
}

impl Total {
    /// Adds and shows the rows that were finished since the last look.
    fn look(&mut self, ledger: &Ledger, rows: &[Row]) {
        self.finished.resize(rows.len(), false);
        for (index, row) in rows.iter().enumerate() {
            if self.finished[index] {
                continue;
            }
            let Some((tally, took)) = ledger.of(index) else { continue };
            self.finished[index] = true;
            show(row, &tally, took);
            *self.kills.entry(row.operation).or_default() += tally.kills;
            self.all.add(&tally);
        }
    }

    /// Whether all this proves anything.
    fn judge(&self, rows: &[Row], whole: bool, start: Instant) -> bool {
        let Self { finished, kills, all } = self;
        println!(
            "step: {} operations in {} rows, {} instructions, {} kills, {} instructions left out{}, {} kills strayed, \
             {} messages accounted for, {} sleepers saved by their slice, {} violations, {:.1} s",
            kills.len(),
            finished.iter().filter(|&&finished| finished).count(),
            all.instructions,
            all.kills,
            all.left_out,
            if all.skipped > 0 { " (+: and those before the segment was mapped)" } else { "" },
            all.strayed,
            all.messages,
            all.rescues,
            all.wrong,
            start.elapsed().as_secs_f64()
        );
        let missing = rows.iter().zip(finished).filter(|&(_, &finished)| !finished);
        let missing: Vec<String> = missing.map(|(row, _)| row.name()).collect();
        if !missing.is_empty() {
            println!("step: FAILED: not finished: {missing:?}");
            return false;
        }
        // One way or another, nothing may pass by doing nothing.
        let idle: Vec<&str> =
            kills.iter().filter(|&(_, &kills)| kills < LEAST).map(|(name, _)| *name).collect();
        if !idle.is_empty() || kills.is_empty() {
            println!("step: FAILED: hardly a kill in {idle:?}");
            return false;
        }
        if whole && all.rescues == 0 {
            println!("step: FAILED: nobody was killed between publishing and waking");
            return false;
        }
        all.wrong == 0
    }
}

fn show(row: &Row, tally: &Tally, took: Duration) {
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
        took.as_secs_f64()
    );
}
