//! Whether the sides had their CPUs to themselves.
//!
//! The kernel accounts for the time a thread was ready to run while another one had the CPU. A run that was
//! disturbed by a compiler next door is not wrong, but its figure is not the transport's.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::board::Board;

/// This thread's account at the beginning of what is timed.
#[derive(Debug)]
pub struct Crowding {
    waited: Duration,
    start: Instant,
}

impl Crowding {
    /// Begins to count: when the sides have come and are pinned, for getting there is crowded always.
    pub fn begin() -> Self {
        Self { waited: waited(), start: Instant::now() }
    }

    /// Puts what this thread had to wait on the board.
    pub fn report(&self, board: &Board) {
        let waited = waited().saturating_sub(self.waited).as_nanos() as u64;
        board.words().waited_ns.fetch_add(waited, Relaxed);
    }

    /// The part of the time since then in which one side could not run because something else had its CPU:
    /// when all have reported.
    pub fn share(&self, board: &Board) -> f64 {
        board.words().waited_ns.load(Relaxed) as f64 / self.start.elapsed().as_nanos() as f64
    }
}

/// Zero where the kernel keeps no such accounts.
fn waited() -> Duration {
    let account = std::fs::read_to_string("/proc/thread-self/schedstat");
    account.ok().as_deref().and_then(run_delay).unwrap_or_default()
}

fn run_delay(schedstat: &str) -> Option<Duration> {
    let ns = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_the_second_number() {
        assert_eq!(run_delay("38123486 1559403 23\n"), Some(Duration::from_nanos(1_559_403)));
        assert_eq!(run_delay(""), None);
    }
}
