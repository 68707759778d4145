//! Calls that must come back in time, with one of the errors that a broken segment may lead to.

use std::time::{Duration, Instant};

use podring::{Error, Result};

use crate::board::{Board, Count};

/// What a call may take beyond its time-out: two slices of the default length.
pub(crate) const ALLOWANCE: Duration = Duration::from_millis(200);
/// What finding and entering a ring may take in all: it waits a little for the seat of somebody who is dying,
/// and for a name that others keep changing.
pub(crate) const ENTRY: Duration = Duration::from_millis(1250);

/// Nanoseconds that this thread could run and had to wait for a processor.
fn kept_waiting() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// A process's calls, noted on its row of the board.
pub(crate) struct Calls<'a> {
    pub(crate) board: &'a Board,
    pub(crate) row: usize,
    waited_before: u64,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(board: &'a Board, row: usize) -> Self {
        Self { board, row, waited_before: kept_waiting() }
    }

    /// Makes a call that may take so long, and a little more.
    #[track_caller]
    pub(crate) fn within<T>(&mut self, limit: Duration, call: impl FnOnce() -> Result<T>) -> Option<T> {
        let start = Instant::now();
        let result = call();
        let mut took = start.elapsed();
        if took > limit + ALLOWANCE / 4 {
            // Somebody else may have had the processor: that is not the library's time.
            let waited = kept_waiting();
            took = took.saturating_sub(Duration::from_nanos(waited.saturating_sub(self.waited_before)));
            self.waited_before = waited;
        }
        assert!(
            took <= limit + ALLOWANCE,
            "a call took {took:?}, with {limit:?} to wait: {:?}",
            result.err()
        );
        self.board.raise(self.row, Count::Longest, took.saturating_sub(limit).as_nanos() as u64);
        self.note(result)
    }

    /// The same, where nothing more is done with what came of it.
    #[track_caller]
    pub(crate) fn tries<T>(&mut self, limit: Duration, call: impl FnOnce() -> Result<T>) {
        self.within(limit, call);
    }

    #[track_caller]
    fn note<T>(&self, result: Result<T>) -> Option<T> {
        let count = match &result {
            Ok(_) => Count::Done,
            Err(error) => {
                // A text that cannot be shown would be no error, but the next failure.
                assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
                match error {
                    Error::Corrupt { .. } => Count::Corrupt,
                    Error::Timeout { .. } => Count::Timeout,
                    Error::Closed { .. } => Count::Closed,
                    Error::NotARing { .. }
                    | Error::Version { .. }
                    | Error::Truncated { .. }
                    | Error::Mismatch { .. }
                    | Error::BufferTooSmall { .. }
                    | Error::TooLarge { .. }
                    | Error::NotFound { .. }
                    | Error::Replaced { .. } => Count::OtherError,
                    _ => panic!("not what a broken segment may lead to: {error:?}"),
                }
            }
        };
        self.board.add(self.row, Count::Calls, 1);
        self.board.add(self.row, count, 1);
        result.ok()
    }
}
