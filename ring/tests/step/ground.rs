//! Kills in one row of the table after another, and what came of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use crate::board::{Board, Phase};
use crate::operations::Post;
use crate::record::{Point, Record, Way};
use crate::rows::Row;
use crate::scene::{Scene, Side, Stage, Verdict};
use crate::trace::{Stop, Traced};

/// Instructions of each other sort that `quick` kills behind, per row.
const SHARE: usize = 14;
/// A row is given up after so many violations: a peer that is not woken costs some seconds each time.
const ENOUGH: u64 = 5;
/// No operation is shorter: a run that stepped through nothing must not look like a good one.
const SHORTEST: usize = 20;

/// How many instructions to kill behind.
#[derive(Clone, Copy)]
pub(crate) enum Depth {
    Quick,
    All { limit: usize },
}

/// What came of a row.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) instructions: u64,
    pub(crate) kills: u64,
    /// System calls before the first instruction counted.
    pub(crate) skipped: u64,
    pub(crate) left_out: u64,
    pub(crate) strayed: u64,
    pub(crate) before: u64,
    pub(crate) beyond: u64,
    pub(crate) rescues: u64,
    pub(crate) messages: u64,
    pub(crate) wrong: u64,
}

/// What all kills need.
pub(crate) struct Ground<'a> {
    dir: &'a Path,
    board: &'a Board,
    depth: Depth,
    /// Of operations that go the same way in every state, the first one's record.
    shared: BTreeMap<&'static str, Rc<Record>>,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(dir: &'a Path, board: &'a Board, depth: Depth) -> Self {
        Self { dir, board, depth, shared: BTreeMap::new() }
    }

    /// Kills in one row.
    pub(crate) fn run(&mut self, row: &Row) -> Tally {
        let scene = row.scene(self.dir, self.board);
        let mut tally = Tally::default();
        let record = match self.record(row, &scene, &mut tally) {
            Ok(record) => record,
            Err(wrong) => {
                tally.refuse(row, Point::End, &[wrong]);
                return tally;
            }
        };
        tally.instructions = record.len() as u64;
        tally.skipped = record.skipped() as u64;
        if record.len() < SHORTEST {
            tally.refuse(row, Point::End, &[format!("an operation of {} instructions", record.len())]);
        }
        let chosen = match self.depth {
            Depth::Quick => record.few(SHARE),
            Depth::All { limit } => record.all(limit),
        };
        tally.left_out = (record.len() - chosen.len()) as u64;
        for point in record.points(&chosen) {
            self.kill(point, row, &scene, &record, &mut tally);
            if tally.wrong >= ENOUGH {
                println!("GIVEN UP: {}, behind {point:?}", row.name());
                return tally;
            }
        }
        if (tally.before > 0) != (tally.beyond > 0) {
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
                tally.strayed += u64::from(!arrived);
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
    fn note(&mut self, row: &Row, point: Point, verdict: Verdict) {
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

    pub(crate) const COUNTS: usize = 10;

    pub(crate) fn counts(&self) -> [u64; Self::COUNTS] {
        let Self { instructions, kills, skipped, left_out, strayed, .. } = *self;
        let Self { before, beyond, rescues, messages, wrong, .. } = *self;
        [instructions, kills, skipped, left_out, strayed, before, beyond, rescues, messages, wrong]
    }

    pub(crate) fn from_counts(counts: [u64; Self::COUNTS]) -> Self {
        let [instructions, kills, skipped, left_out, strayed, before, beyond, rescues, messages, wrong] =
            counts;
        Self { instructions, kills, skipped, left_out, strayed, before, beyond, rescues, messages, wrong }
    }

    /// Adds another row's.
    pub(crate) fn add(&mut self, row: &Self) {
        let mut counts = self.counts();
        counts.iter_mut().zip(row.counts()).for_each(|(sum, count)| *sum += count);
        *self = Self::from_counts(counts);
    }
}
