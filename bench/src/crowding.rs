//! Whether the two sides had their CPUs to themselves.
//!
//! The kernel accounts for the time a process was ready to run while another one had the CPU. A run that was
//! disturbed by a compiler next door is not wrong, but its figure is not the ring's.

use std::time::{Duration, Instant};

use crate::fork::Partner;

/// The accounts of both sides at the beginning of what is timed.
#[derive(Debug)]
pub struct Crowding {
    ours: String,
    partners: String,
    waited: Duration,
    start: Instant,
}

impl Crowding {
    /// Begins to count: when both sides have come and are pinned, for getting there is crowded always.
    pub fn begin(partner: &Partner) -> Self {
        let ours = "/proc/thread-self/schedstat".to_owned();
        let partners = format!("/proc/{}/schedstat", partner.pid());
        let waited = waited(&ours) + waited(&partners);
        Self { ours, partners, waited, start: Instant::now() }
    }

    /// The part of the time since then in which one side could not run because something else had its CPU.
    pub fn end(&self) -> f64 {
        let waited = (waited(&self.ours) + waited(&self.partners)).saturating_sub(self.waited);
        waited.as_secs_f64() / self.start.elapsed().as_secs_f64()
    }
}

/// Zero where the kernel keeps no such accounts.
fn waited(path: &str) -> Duration {
    std::fs::read_to_string(path).ok().as_deref().and_then(run_delay).unwrap_or_default()
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
        assert_eq!(waited("/proc/no such process/schedstat"), Duration::ZERO);
    }
}
