//! An operation once from its first instruction to its last: what each of them does. From this follows after
//! which of them to kill, and the quickest way to get there.

use std::collections::HashMap;
use std::path::Path;

use nix::unistd::Pid;

use crate::board::{Board, Phase};
use crate::trace::{Stop, Traced};
use crate::window::{DATA, Window};

/// No operation is longer; one that is does not end.
const LONGEST: usize = 20_000_000;

/// What an instruction does that others can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Private,
    /// It enters the kernel.
    Call,
    /// It changes a payload.
    Payload,
    /// It changes anything else in the segment.
    Words,
}

/// What every instruction of an operation does, in order.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// System calls that were passed before the first of them.
    skipped: usize,
    effects: Vec<Effect>,
    /// Where the child stands before each instruction, from where it was let go on; the operation begins
    /// after some of them. The last is where it stands after the operation.
    places: Vec<u64>,
    /// How often it has stood there before.
    passes: Vec<usize>,
    lead: usize,
}

/// Where to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Behind so many of the system calls that were skipped.
    Call(usize),
    /// Behind so many instructions.
    Instruction(usize),
    /// Behind the operation.
    End,
}

/// How to get behind an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// Skip so many system calls.
    pub(crate) calls: usize,
    /// Run until the child stands here ...
    pub(crate) place: u64,
    /// ... having passed it so often.
    pub(crate) passes: usize,
    /// Then take so many steps.
    pub(crate) steps: usize,
    /// Where it stands then.
    pub(crate) end: u64,
}

/// So often an instruction is not yet called a repetition.
const REPEATS: usize = 4;
/// Steps that passing a breakpoint takes as long as.
const PASS: usize = 2;

/// The segment that a child works on, as it was one instruction ago.
struct Watch {
    window: Option<Window>,
    last: Vec<u8>,
}

impl Watch {
    fn new(window: Option<Window>) -> Self {
        let last = window.as_ref().map_or_else(Vec::new, |window| window.bytes().to_vec());
        Self { window, last }
    }

    /// Looks for the segment of a child that is making one: it has no name yet.
    fn search(&mut self, pid: Pid, dir: &Path) {
        if self.window.is_some() {
            return;
        }
        let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let leads_here = std::fs::read_link(&path).is_ok_and(|to| to.starts_with(dir));
            let is_ring = path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() > DATA as u64);
            if leads_here && is_ring {
                *self = Self::new(Window::open(&path).ok());
                return;
            }
        }
    }

    /// What has changed since the last look.
    fn look(&mut self) -> Effect {
        let Some(window) = &self.window else { return Effect::Private };
        let now = window.bytes();
        if now == self.last {
            return Effect::Private;
        }
        let effect = if now[..DATA] == self.last[..DATA] { Effect::Payload } else { Effect::Words };
        self.last.copy_from_slice(now);
        effect
    }
}

impl Record {
    /// Steps through the operation of a child that stands right before it. If `skip` is set, this begins when
    /// the child has mapped the segment: before that it cannot change it.
    pub(crate) fn of(
        child: &Traced,
        board: &Board,
        dir: &Path,
        window: Option<Window>,
        skip: bool,
    ) -> Result<Self, String> {
        let mut watch = Watch::new(window);
        let mut record = Self::default();
        while skip && !has_mapped(child.pid(), dir) {
            match child.pass_call() {
                Stop::Done => record.skipped += 1,
                other => return Err(format!("after {} system calls: {other:?}", record.skipped)),
            }
            watch.search(child.pid(), dir);
        }
        let mut seen = HashMap::new();
        while record.places.len() < LONGEST {
            let (place, call) = child.next()?;
            let passes = seen.entry(place).or_insert(0);
            record.places.push(place);
            record.passes.push(*passes);
            *passes += 1;
            if board.phase() == Phase::After {
                return Ok(record);
            }
            let begun = board.phase() == Phase::Inside;
            match child.step() {
                Stop::Done => {}
                other => return Err(format!("after {} instructions: {other:?}", record.places.len())),
            }
            if call {
                watch.search(child.pid(), dir);
            }
            let change = watch.look();
            if begun {
                record.effects.push(if change == Effect::Private && call { Effect::Call } else { change });
            } else {
                record.lead += 1;
            }
        }
        Err(format!("it has not ended after {LONGEST} instructions"))
    }

    /// System calls that were skipped, and with them all instructions before the last.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped
    }

    /// Instructions of the operation.
    pub(crate) fn len(&self) -> usize {
        self.effects.len()
    }

    /// The quickest way behind instruction `n`: to a place before it that is rarely passed, and on from there.
    pub(crate) fn way_to(&self, n: usize) -> Way {
        let end = (self.lead + n).min(self.places.len() - 1);
        let beyond = self.lead + n - end;
        let price = |steps: usize| steps + PASS * self.passes[end - steps];
        let mut best = 0;
        // Nothing further back than the price of the best can be cheaper.
        let mut steps = 0;
        while steps <= end && steps < price(best) {
            if price(steps) < price(best) {
                best = steps;
            }
            steps += 1;
        }
        let from = end - best;
        Way {
            calls: self.skipped,
            place: self.places[from],
            passes: self.passes[from],
            steps: best + beyond,
            end: self.places[end],
        }
    }

    /// Every place that was chosen: those behind skipped calls, behind instructions, and the end.
    pub(crate) fn points(&self, chosen: &[usize]) -> Vec<Point> {
        let calls = (1..self.skipped).map(Point::Call);
        let instructions = chosen.iter().map(|&n| Point::Instruction(n));
        calls.chain(instructions).chain([Point::End]).collect()
    }

    fn indices(&self, of: Effect) -> Vec<usize> {
        let is = |&(_, &effect): &(usize, &Effect)| effect == of;
        self.effects.iter().enumerate().filter(is).map(|(index, _)| index + 1).collect()
    }

    /// Behind every instruction. If there are more than `limit`, this leaves out most of those that a loop
    /// repeats and that do nothing others can see; none, though, between the first and the last that change
    /// the segment's words, unless even these are more than `limit`.
    pub(crate) fn all(&self, limit: usize) -> Vec<usize> {
        if self.len() <= limit {
            return (1..=self.len()).collect();
        }
        let words = self.indices(Effect::Words);
        let window = words.first().copied().unwrap_or(0)..words.last().map_or(0, |last| last + 1);
        let repeated = |n: usize| {
            self.effects[n - 1] == Effect::Private
                && self.passes[self.lead + n - 1] >= REPEATS
                && !(window.len() <= limit && window.contains(&n))
        };
        let (rest, chosen): (Vec<usize>, Vec<usize>) = (1..=self.len()).partition(|&n| repeated(n));
        sorted(chosen.into_iter().chain(some(&rest, limit / 4)).collect())
    }

    /// Behind and before every instruction that changes the segment's words, and behind `share` of those of
    /// every other sort.
    pub(crate) fn few(&self, share: usize) -> Vec<usize> {
        let mut chosen: Vec<usize> =
            self.indices(Effect::Words).into_iter().flat_map(|n| [n.max(2) - 1, n]).collect();
        for effect in [Effect::Private, Effect::Call, Effect::Payload] {
            chosen.extend(some(&self.indices(effect), share));
        }
        chosen.extend([1, self.len()]);
        sorted(chosen)
    }
}

/// Whether a child has mapped a file of this directory.
fn has_mapped(pid: Pid, dir: &Path) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let dir = format!(" {}/", dir.display());
    maps.lines().any(|line| line.contains(&dir))
}

fn sorted(mut list: Vec<usize>) -> Vec<usize> {
    list.sort_unstable();
    list.dedup();
    list
}

/// Up to `count` of a list, evenly spread.
fn some(list: &[usize], count: usize) -> Vec<usize> {
    if list.len() <= count {
        return list.to_vec();
    }
    (0..count).map(|index| list[index * list.len() / count]).collect()
}
