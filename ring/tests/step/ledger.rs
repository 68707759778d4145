//! What came of each row, written by all workers into memory that outlives them.

use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::common::words::Words;
use crate::ground::Tally;

/// Words of a row: its tally, the time it took, and whether it is done.
const ENTRY: usize = Tally::COUNTS + 2;
const MICROS: usize = Tally::COUNTS;
const DONE: usize = Tally::COUNTS + 1;

/// The first word counts the rows that were taken.
pub(crate) struct Ledger(Words);

impl Ledger {
    pub(crate) fn make(path: &Path, rows: usize) -> Self {
        Self(Words::make(path, 1 + rows * ENTRY))
    }

    /// The next row that nobody has taken.
    pub(crate) fn take(&self) -> usize {
        self.0.at(0).fetch_add(1, SeqCst) as usize
    }

    /// Does a row, and writes down what came of it.
    pub(crate) fn enter(&self, row: usize, work: impl FnOnce() -> Tally) {
        let since = Instant::now();
        let tally = work();
        let set = |index: usize, word: u64| self.0.set(1 + row * ENTRY + index, word);
        tally.counts().into_iter().enumerate().for_each(|(index, count)| set(index, count));
        set(MICROS, since.elapsed().as_micros() as u64);
        set(DONE, 1);
    }

    /// What came of a row, and how long it took; `None` if it is not finished.
    pub(crate) fn of(&self, row: usize) -> Option<(Tally, Duration)> {
        let word = |index: usize| self.0.get(1 + row * ENTRY + index);
        (word(DONE) == 1)
            .then(|| (Tally::from_counts(std::array::from_fn(word)), Duration::from_micros(word(MICROS))))
    }
}
