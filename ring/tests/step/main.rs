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
//! Everything here runs on one processor: a child and its tracer take turns. So no participant polls (it
//! could only be in the other's way); polling changes nothing that others see.

#[path = "../common/mod.rs"]
mod common;

mod board;
mod exclusive;
mod ground;
mod handles;
mod judge;
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
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::Pid;

use board::Board;
use common::Scratch;
use ground::{Depth, Ground, Tally};

/// No operation is killed less often.
const LEAST: usize = 15;

fn main() {
    let Some(filters) = filters() else { return };
    let depth = depth();
    exclusive::check();
    let refused = teeth::check();
    println!("step: the judge refuses {refused} of {refused} wrong outcomes");
    // Made here, so that it goes whatever becomes of the process that does the work.
    let scratch = Scratch::new("step");
    let board = Board::make(&scratch.beside("board"));
    let worker = trace::forked(|| {
        let well = work(scratch.dir(), &board, &filters, depth);
        // Not by the end of `main`: the scratch directory is the parent's.
        std::process::exit(if well { 0 } else { 1 });
    });
    let limit = match depth {
        Depth::Quick => Duration::from_secs(10 * 60),
        Depth::All { .. } => Duration::from_secs(4 * 60 * 60),
    };
    let well = outcome(worker, limit);
    drop(scratch);
    if !well {
        std::process::exit(1);
    }
}

/// Whether somebody wants this to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupt(_: nix::libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Waits for the worker. A worker that hangs is a failure, too.
fn outcome(worker: trace::Forked, limit: Duration) -> bool {
    let start = Instant::now();
    for end in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { signal(end, SigHandler::Handler(interrupt)) }.expect("a handler for a signal");
    }
    loop {
        if let Some(well) = worker.has_ended() {
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

/// One processor for this process and all its children, so that whoever waits is woken at once.
fn stay_here() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("the processors allowed");
    let last = (0..CpuSet::count()).rev().find(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(last.expect("a processor")).expect("a processor that there is");
    sched_setaffinity(Pid::from_raw(0), &one).expect("one of the processors allowed");
}

fn work(dir: &Path, board: &Board, filters: &[String], depth: Depth) -> bool {
    if let Err(why) = trace::possible() {
        println!("{:=<100}", "");
        println!("SKIPPED: the single-step kills. {why} on this machine: nothing was proved.");
        println!("{:=<100}", "");
        return std::env::var("PODRING_REQUIRE_PTRACE").as_deref() != Ok("1");
    }
    stay_here();
    let start = Instant::now();
    println!(
        "{:<26} {:<26} {:>8} {:>7} {:>8} {:>7} {:>7} {:>6} {:>7}",
        "operation", "state", "instr.", "kills", "left out", "before", "beyond", "wrong", "seconds"
    );
    let mut ground = Ground::new(dir, board, depth);
    let mut total = Tally::default();
    let mut kills: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows::rows() {
        if !filters.is_empty() && !filters.iter().any(|filter| row.name().contains(filter)) {
            continue;
        }
        let since = Instant::now();
        let tally = ground.run(&row);
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
        *kills.entry(row.operation).or_default() += tally.kills;
        total.add(&tally);
    }
    println!(
        "step: {} operations, {} kills, {} instructions left out{}, {} kills strayed, {} messages accounted for, {} sleepers saved by their slice, {} violations, {:.1} s",
        kills.len(),
        total.kills,
        total.left_out,
        if total.skipped > 0 { " (+: and those before the segment was mapped)" } else { "" },
        total.strayed,
        total.messages,
        total.rescues,
        total.wrong,
        start.elapsed().as_secs_f64()
    );
    // One way or another, nothing may pass by doing nothing.
    let idle: Vec<&str> = kills.iter().filter(|&(_, &kills)| kills < LEAST).map(|(name, _)| *name).collect();
    if !idle.is_empty() || kills.is_empty() {
        println!("step: FAILED: hardly a kill in {idle:?}");
        return false;
    }
    if filters.is_empty() && total.rescues == 0 {
        println!("step: FAILED: nobody was killed between publishing and waking");
        return false;
    }
    total.wrong == 0
}
