//! An operation once from its first instruction to its last: what each of them does. From this follows after
//! which of them to kill, and the quickest way to get there.

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
#[derive(Debug)]
pub(crate) struct Record {
    effects: Vec<Effect>,
    calls: Vec<usize>,
}

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
    /// Steps through the operation of a child that stands right before it.
    pub(crate) fn of(
        child: &Traced,
        board: &Board,
        dir: &Path,
        window: Option<Window>,
    ) -> Result<Self, String> {
        let mut watch = Watch::new(window);
        let mut record = Self { effects: Vec::new(), calls: Vec::new() };
        let mut begun = false;
        for _ in 0..LONGEST {
            let call = child.at_call();
            match child.step() {
                Stop::Done => {}
                other => return Err(format!("after {} instructions: {other:?}", record.effects.len())),
            }
            if call {
                watch.search(child.pid(), dir);
            }
            let change = watch.look();
            if !begun {
                // The first is the one after the mark.
                begun = board.phase() == Phase::Inside;
                continue;
            }
            let effect = if change == Effect::Private && call { Effect::Call } else { change };
            record.effects.push(effect);
            if call {
                record.calls.push(record.effects.len());
            }
            if board.phase() == Phase::After {
                return Ok(record);
            }
        }
        Err(format!("it has not ended after {LONGEST} instructions"))
    }

    /// Instructions of the operation.
    pub(crate) fn len(&self) -> usize {
        self.effects.len()
    }

    /// How to get behind instruction `n`: so many system calls at full speed, then so many instructions.
    pub(crate) fn way_to(&self, n: usize) -> (usize, usize) {
        let calls = self.calls.partition_point(|&call| call <= n);
        let Some(last) = calls.checked_sub(1).map(|index| self.calls[index]) else { return (0, n) };
        // A call stops twice on the way.
        if 2 * calls < last { (calls, n - last) } else { (0, n) }
    }

    fn indices(&self, of: Effect) -> Vec<usize> {
        let is = |&(_, &effect): &(usize, &Effect)| effect == of;
        self.effects.iter().enumerate().filter(is).map(|(index, _)| index + 1).collect()
    }

    /// Behind every instruction; if there are more than `limit`, behind every one from the first that changes
    /// the segment's words to the last, and `limit` of the others.
    pub(crate) fn all(&self, limit: usize) -> Vec<usize> {
        let every: Vec<usize> = (1..=self.len()).collect();
        if every.len() <= limit {
            return every;
        }
        let words = self.indices(Effect::Words);
        let (Some(&first), Some(&last)) = (words.first(), words.last()) else { return some(&every, limit) };
        let window = first.saturating_sub(1).max(1)..=(last + 1).min(self.len());
        let others: Vec<usize> = every.iter().copied().filter(|n| !window.contains(n)).collect();
        sorted(window.chain(some(&others, limit)).collect())
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
