//! Killed at any instruction, in a ring with many participants: a child does one thing and is stepped through it by
//! `ptrace`; it is killed after its first instruction, another one after its second, and so on to the last. After every
//! kill a survivor puts right what is left, accounts for every message, and the ring goes round once more.
//!
//! `STEP=quick` (the default) kills before and behind every instruction that changes the segment, and behind a share of
//! all others; `STEP=all` behind every one (of operations of more than some thousand instructions, which are those that
//! sleep, behind a share). Arguments that are not options choose rows by parts of their names.
//! Where the machine does not let a process step through its child, the run says so and proves nothing; with
//! `PODRING_REQUIRE_PTRACE=1` that is a failure.

#[path = "../common/mod.rs"]
mod common;
#[path = "../step/machine.rs"]
#[allow(dead_code)] // breakpoints are not needed here
mod machine;
#[path = "../step/trace.rs"]
#[allow(dead_code)]
mod trace;

mod account;
mod acts;
mod ring;

use std::time::Instant;

use account::{Outcome, Tally};
use common::Scratch;
use common::words::Words;
use ring::{Ring, Scene};
use trace::{Stop, Traced};

/// Instructions that `quick` kills behind besides those that change the segment.
const SHARE: usize = 10;
/// Instructions that change the segment that `quick` kills before and behind; where others are at work, some of the
/// changes are theirs.
const NEAR: usize = 48;
/// Steps that `all` takes in a row, about: of longer operations it leaves out instructions, evenly.
const STEPS: usize = 4_000_000;
/// The same for `quick`, which takes no fewer than so many points, though.
const FEW_STEPS: usize = 400_000;
const FEW_POINTS: usize = 6;
/// No operation is longer.
const LONGEST: usize = 2_000_000;
/// A row is given up after so many violations.
const ENOUGH: u64 = 3;
/// No operation is shorter: a run that stepped through nothing must not look like a good one.
const SHORTEST: usize = 20;

/// What the child says: how far it is, and whether all went as it must.
pub(crate) const PHASE: usize = 0;
pub(crate) const WRONG: usize = 1;
/// What a sleeper got, one word each.
pub(crate) const LOGGED: usize = 2;
pub(crate) const LOG: usize = 8;

/// One thing to do in one situation.
pub(crate) struct Row {
    pub(crate) act: acts::Act,
    pub(crate) scene: Scene,
}

impl Row {
    fn name(&self) -> String {
        format!("{}/{}", self.act.name, self.scene.name)
    }
}

fn main() {
    let Some(filters) = filters() else { return };
    account::check_teeth();
    if let Err(why) = trace::possible() {
        println!(
            "SKIPPED: the single-step kills of rings with many participants. {why} on this machine: nothing was proved."
        );
        std::process::exit(i32::from(std::env::var("PODRING_REQUIRE_PTRACE").as_deref() == Ok("1")));
    }
    let all = match std::env::var("STEP").as_deref() {
        Err(_) | Ok("quick") => false,
        Ok("all") => true,
        Ok(other) => panic!("STEP is quick or all, not {other:?}"),
    };
    let start = Instant::now();
    let scratch = Scratch::new("step-mpmc");
    let board = Words::make(&scratch.beside("board"), 64);
    let mut total = Tally::default();
    let mut rows = 0;
    println!(
        "{:<44} {:>8} {:>7} {:>7} {:>6} {:>7}",
        "operation/state", "instr.", "kills", "stages", "wrong", "seconds"
    );
    for row in acts::rows() {
        let chosen = filters.is_empty() || filters.iter().any(|filter| row.name().contains(filter));
        if !chosen || (row.act.is_long && !all && filters.is_empty()) {
            continue;
        }
        let began = Instant::now();
        let tally = run(&row, &scratch, &board, all);
        println!(
            "{:<44} {:>8} {:>7} {:>7} {:>6} {:>7.1}",
            row.name(),
            tally.instructions,
            tally.kills,
            tally.stages.len(),
            tally.wrong,
            began.elapsed().as_secs_f64()
        );
        rows += 1;
        total.add(&tally);
    }
    println!(
        "step_mpmc: {rows} rows, {} instructions, {} kills, {} messages accounted for, {} repairs, {} violations, {:.1} s",
        total.instructions,
        total.kills,
        total.messages,
        total.repairs,
        total.wrong,
        start.elapsed().as_secs_f64()
    );
    let proved = rows > 0 && total.kills > 0 && (!filters.is_empty() || total.repairs > 0);
    if !proved {
        println!("step_mpmc: FAILED: nothing was proved");
    }
    drop(scratch);
    std::process::exit(i32::from(!proved || total.wrong > 0));
}

/// Kills in one row.
fn run(row: &Row, scratch: &Scratch, board: &Words, all: bool) -> Tally {
    let mut tally = Tally::default();
    let (length, changes) = match record(row, scratch, board) {
        Ok(record) => record,
        Err(wrong) => {
            tally.refuse(&row.name(), 0, &wrong);
            return tally;
        }
    };
    tally.instructions = length as u64;
    if length < SHORTEST {
        tally.refuse(&row.name(), 0, &format!("an operation of {length} instructions"));
    }
    let near: Vec<usize> = changes.iter().flat_map(|&n| [n.max(2) - 1, n]).collect();
    let most = if all { (STEPS / length).max(SHARE) } else { SHARE };
    let few = (FEW_STEPS / length).clamp(FEW_POINTS, NEAR);
    let mut points = some(&near, if all { near.len() } else { few });
    points.extend(some(&(1..=length).collect::<Vec<_>>(), if all { most } else { few.min(most) }));
    points.push(length);
    points.sort_unstable();
    points.dedup();
    let mut least = 0;
    for (turn, &n) in points.iter().enumerate() {
        match kill(row, scratch, board, n, turn % 2 == 1) {
            Ok(Outcome { stage, messages, repaired }) => {
                tally.kills += 1;
                tally.messages += messages;
                tally.repairs += repaired;
                tally.stages.insert(stage);
                if stage < least && !row.act.reads_clock {
                    tally.refuse(&row.name(), n, &format!("back at stage {stage} after {least}"));
                }
                least = least.max(stage);
            }
            Err(wrong) => tally.refuse(&row.name(), n, &wrong),
        }
        if tally.wrong >= ENOUGH {
            println!("GIVEN UP: {}", row.name());
            return tally;
        }
    }
    if tally.stages.len() < row.act.least_stages {
        let seen = format!("only {:?} of its stages were seen", tally.stages);
        tally.refuse(&row.name(), 0, &seen);
    }
    tally
}

/// Up to `count` of a list, evenly spread.
fn some(list: &[usize], count: usize) -> Vec<usize> {
    if list.len() <= count {
        return list.to_vec();
    }
    (0..count).map(|index| list[index * list.len() / count]).collect()
}

/// How many instructions the operation has, and which of them change the segment.
fn record(row: &Row, scratch: &Scratch, board: &Words) -> Result<(usize, Vec<usize>), String> {
    let ring = Ring::prepare(&row.scene, scratch, board);
    let child = Traced::start(|| (row.act.run)(&ring, board))?;
    let mut last = ring.bytes();
    let mut changes = Vec::new();
    for n in 1..LONGEST {
        match child.step() {
            Stop::Done => {}
            other => return Err(format!("after {n} instructions: {other:?}")),
        }
        let now = ring.bytes();
        if now != last {
            changes.push(n);
            last = now;
        }
        if board.get(PHASE) == 2 {
            return Ok((n, changes));
        }
    }
    Err(format!("it has not ended after {LONGEST} instructions"))
}

/// A new child, killed behind its `n`th instruction.
fn kill(row: &Row, scratch: &Scratch, board: &Words, n: usize, newcomer: bool) -> Result<Outcome, String> {
    let mut ring = Ring::prepare(&row.scene, scratch, board);
    let child = Traced::start(|| (row.act.run)(&ring, board))?;
    for step in 0..n {
        if board.get(PHASE) == 2 {
            break;
        }
        match child.step() {
            Stop::Done => {}
            other => return Err(format!("it ended by itself after {step}: {other:?}")),
        }
    }
    let ended = board.get(PHASE) == 2;
    if ended {
        // On to where it says what it got.
        match child.run() {
            Stop::Marked => {}
            other => return Err(format!("it ended by itself: {other:?}")),
        }
    }
    child.kill();
    if board.get(WRONG) != 0 {
        return Err("the operation returned something else than it should".into());
    }
    account::check(row, &mut ring, board, ended, newcomer)
}

/// What names must contain, as the test runner passes it on; `None`: this is not asked for.
fn filters() -> Option<Vec<String>> {
    let mut filters = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => {
                println!("step_mpmc: test");
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
    let known = |filter: &String| {
        filter == "step_mpmc" || acts::rows().iter().any(|row| row.name().contains(filter.as_str()))
    };
    if !filters.is_empty() && !filters.iter().any(known) {
        return None;
    }
    filters.retain(|filter| filter != "step_mpmc");
    Some(filters)
}
