//! What parent and children tell each other: words that outlive a kill.

use std::path::Path;

use crate::common::words::Words;
use crate::trace::stand_still;

const PHASE: usize = 0;
const SAW: usize = 1;
const WRONG: usize = 2;
const RESCUES: usize = 3;
const DIED: usize = 4;
const ENDS: usize = 5;
const LOGGED: usize = 6;
const LOG: usize = 16;
const COUNT: usize = 512;
/// In the log: the message was marked.
const MARKED: u64 = 1 << 63;
/// In the log: the message was torn.
const TORN: u64 = 1 << 62;

/// How far a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Phase {
    Before,
    Inside,
    After,
}

/// What somebody received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Got {
    /// `None`: it was torn.
    pub(crate) number: Option<u64>,
    pub(crate) marked: bool,
}

pub(crate) struct Board(Words);

impl Board {
    pub(crate) fn make(path: &Path) -> Self {
        Self(Words::make(path, COUNT))
    }

    /// For the next child.
    pub(crate) fn clear(&self) {
        (0..LOG).for_each(|index| self.0.set(index, 0));
    }

    /// The child stands right before the operation; the parent goes on with it.
    #[inline(never)]
    pub(crate) fn begin(&self) {
        stand_still();
        self.0.set(PHASE, 1);
    }

    /// The operation has returned.
    #[inline(never)]
    pub(crate) fn end(&self) {
        self.0.set(PHASE, 2);
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.0.get(PHASE) {
            0 => Phase::Before,
            1 => Phase::Inside,
            _ => Phase::After,
        }
    }

    /// Something was not as it must be; said by the child.
    pub(crate) fn expect(&self, well: bool) {
        if !well {
            self.0.set(WRONG, 1);
        }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.0.get(WRONG) == 0
    }

    /// The child's code has seen another message.
    #[inline(always)]
    pub(crate) fn see(&self) {
        self.0.set(SAW, self.0.get(SAW) + 1);
    }

    /// Messages the child's code has seen.
    pub(crate) fn saw(&self) -> usize {
        self.0.get(SAW) as usize
    }

    /// A parked peer has received or sent something.
    pub(crate) fn log(&self, got: Got) {
        let index = self.0.get(LOGGED) as usize;
        assert!(LOG + index < COUNT, "the log is full");
        let word = got.number.unwrap_or(TORN) | if got.marked { MARKED } else { 0 };
        self.0.set(LOG + index, word);
        self.0.set(LOGGED, index as u64 + 1);
    }

    pub(crate) fn logged(&self) -> Vec<Got> {
        let got = |word: u64| Got {
            number: (word & TORN == 0).then_some(word & !MARKED),
            marked: word & MARKED != 0,
        };
        (0..self.0.get(LOGGED) as usize).map(|index| got(self.0.get(LOG + index))).collect()
    }

    pub(crate) fn note_end(&self) {
        self.0.set(ENDS, self.0.get(ENDS) + 1);
    }

    /// How often a parked peer was told of the end of a stream.
    pub(crate) fn ends(&self) -> u64 {
        self.0.get(ENDS)
    }

    pub(crate) fn note_death(&self) {
        self.0.set(DIED, self.0.get(DIED) + 1);
    }

    /// How often a parked peer was told of a death.
    pub(crate) fn deaths(&self) -> u64 {
        self.0.get(DIED)
    }

    pub(crate) fn note_rescues(&self, count: u64) {
        self.0.set(RESCUES, count);
    }

    /// Sleeps of a parked peer that only their slice ended.
    pub(crate) fn rescues(&self) -> u64 {
        self.0.get(RESCUES)
    }
}
