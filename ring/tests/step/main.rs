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
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use board::{Board, Phase};
use common::Scratch;
use operations::Post;
use record::{Point, Record, Way};
use rows::Row;
use scene::{Scene, Side, Stage};
use trace::{Stop, Traced};

/// Instructions of each other sort that `quick` kills behind, per row.
const SHARE: usize = 14;
/// A row is given up after so many violations: a peer that is not woken costs some seconds each time.
const ENOUGH: usize = 5;
/// No operation is shorter: a run that stepped through nothing must not look like a good one.
const SHORTEST: usize = 20;
/// No operation is killed less often.
const LEAST: usize = 15;

/// How many instructions to kill behind.
#[derive(Clone, Copy)]
enum Depth {
    Quick,
    All { limit: usize },
}

/// What came of a row.
#[derive(Default)]
struct Tally {
    instructions: usize,
    kills: usize,
    /// System calls before the first instruction counted.
    skipped: usize,
    left_out: usize,
    strayed: usize,
    before: usize,
    beyond: usize,
    rescues: u64,
    messages: u64,
    wrong: usize,
}

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

/// Waits for the worker. A worker that hangs is a failure, too.
fn outcome(mut worker: trace::Forked, limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        if let Some(well) = worker.has_ended() {
            return well;
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
    let mut ground = Ground { dir, board, depth, shared: BTreeMap::new() };
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

/// What all kills need.
struct Ground<'a> {
    dir: &'a Path,
    board: &'a Board,
    depth: Depth,
    /// Of operations that go the same way in every state, the first one's record.
    shared: BTreeMap<&'static str, Rc<Record>>,
}

impl Ground<'_> {
    /// Kills in one row.
    fn run(&mut self, row: &Row) -> Tally {
        let scene = row.scene(self.dir, self.board);
        let mut tally = Tally::default();
        let record = match self.record(row, &scene, &mut tally) {
            Ok(record) => record,
            Err(wrong) => {
                tally.refuse(row, Point::End, &[wrong]);
                return tally;
            }
        };
        tally.instructions = record.len();
        tally.skipped = record.skipped();
        if record.len() < SHORTEST {
            tally.refuse(row, Point::End, &[format!("an operation of {} instructions", record.len())]);
        }
        let chosen = match self.depth {
            Depth::Quick => record.few(SHARE),
            Depth::All { limit } => record.all(limit),
        };
        tally.left_out = record.len() - chosen.len();
        for point in record.points(&chosen) {
            self.kill(point, row, &scene, &record, &mut tally);
            if tally.wrong >= ENOUGH {
                println!("GIVEN UP: {}, behind {point:?}", row.name());
                return tally;
            }
        }
        let decides = tally.before > 0 || tally.beyond > 0;
        if decides && (tally.before == 0 || tally.beyond == 0) {
            tally.refuse(row, Point::End, &["all kills were on one side of what decides".into()]);
        }
        tally
    }

    /// The operation from its first instruction to its last; killed after it.
    fn record(&mut self, row: &Row, scene: &Scene, tally: &mut Tally) -> Result<Rc<Record>, String> {
        let quick = matches!(self.depth, Depth::Quick);
        let shared = quick && row.is_the_same_everywhere();
        if let Some(record) = self.shared.get(row.operation).filter(|_| shared) {
            return Ok(record.clone());
        }
        let post = Post { dir: self.dir, board: self.board };
        let stage = Stage::set(scene, &post);
        let child = Traced::start(|| (row.act)(&post))?;
        let skip = quick && matches!(scene, Scene::Birth { .. });
        let record = Rc::new(Record::of(&child, self.board, self.dir, stage.view(), skip)?);
        let stop = child.run();
        if stop != Stop::Marked {
            return Err(format!("it did not come to its end: {stop:?}"));
        }
        let before = stage.look(true);
        child.kill();
        tally.note(row, Point::End, stage.check(&before, false));
        if shared {
            self.shared.insert(row.operation, record.clone());
        }
        Ok(record)
    }

    /// A new child, killed at a point.
    fn kill(&self, point: Point, row: &Row, scene: &Scene, record: &Record, tally: &mut Tally) {
        let post = Post { dir: self.dir, board: self.board };
        let stage = Stage::set(scene, &post);
        let child = match Traced::start(|| (row.act)(&post)) {
            Ok(child) => child,
            Err(wrong) => return tally.refuse(row, point, &[wrong]),
        };
        let mut stop = match point {
            Point::Call(calls) => self.pass(&child, calls),
            Point::Instruction(n) => {
                let way = record.way_to(n);
                let stop = self.go(&child, way);
                let arrived = child.next().is_ok_and(|(place, _)| place == way.end);
                tally.strayed += usize::from(!arrived);
                stop
            }
            Point::End => Stop::Done,
        };
        let ended = self.board.phase() == Phase::After || point == Point::End;
        if ended && stop == Stop::Done {
            // On to where it says what it got.
            stop = child.run();
        }
        if let Stop::Lost(how) = stop {
            return tally.refuse(row, point, &[format!("it ended by itself: {how}")]);
        }
        let before = stage.look(ended);
        child.kill();
        tally.note(row, point, stage.check(&before, tally.kills % 2 == 1));
    }

    fn pass(&self, child: &Traced, calls: usize) -> Stop {
        (0..calls).map(|_| child.pass_call()).find(|stop| *stop != Stop::Done).unwrap_or(Stop::Done)
    }

    /// Takes the child along the way, or to the operation's end.
    fn go(&self, child: &Traced, way: Way) -> Stop {
        let passed = self.pass(child, way.calls);
        if passed != Stop::Done {
            return passed;
        }
        match child.run_to(way.place, way.passes) {
            Stop::Done => {}
            other => return other,
        }
        for _ in 0..way.steps {
            if self.board.phase() == Phase::After {
                break;
            }
            match child.step() {
                Stop::Done => {}
                other => return other,
            }
        }
        Stop::Done
    }
}

impl Tally {
    fn note(&mut self, row: &Row, point: Point, verdict: scene::Verdict) {
        self.kills += 1;
        self.rescues += verdict.rescues;
        self.messages += verdict.messages;
        match verdict.side {
            Side::Before => self.before += 1,
            Side::Beyond => self.beyond += 1,
            Side::Neither => {}
        }
        if !verdict.wrong.is_empty() {
            self.refuse(row, point, &verdict.wrong);
        }
    }

    fn refuse(&mut self, row: &Row, point: Point, wrong: &[String]) {
        self.wrong += 1;
        println!("VIOLATION: {}, killed behind {point:?}: {}", row.name(), wrong.join("; "));
    }

    fn add(&mut self, row: &Self) {
        self.kills += row.kills;
        self.skipped += row.skipped;
        self.left_out += row.left_out;
        self.strayed += row.strayed;
        self.rescues += row.rescues;
        self.messages += row.messages;
        self.wrong += row.wrong;
    }
}
