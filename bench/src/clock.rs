//! A cheap clock for single messages: the time-stamp counter where it runs evenly, else the system's.
//!
//! Two processes may compare their readings: the counter is the machine's, and `CLOCK_MONOTONIC` is the same
//! everywhere outside of time namespaces. [`oneway`](crate::drive::oneway) checks that before it relies on it.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Reads the time in ticks and turns ticks into nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    ns_per_tick: f64,
    counter: bool,
}

impl Clock {
    /// Picks the clock and measures its rate (takes 20 ms where the counter is used).
    pub fn calibrate() -> Self {
        if !counter::is_even() {
            return Self { ns_per_tick: 1.0, counter: false };
        }
        let (from, first) = (Instant::now(), counter::read());
        std::thread::sleep(Duration::from_millis(20));
        let (elapsed, last) = (from.elapsed(), counter::read());
        let ns_per_tick = elapsed.as_nanos() as f64 / last.wrapping_sub(first).max(1) as f64;
        Self { ns_per_tick, counter: true }
    }

    /// The time now. Does not pass earlier loads: a message must have been read before its time is taken.
    #[inline(always)]
    pub fn ticks(&self) -> u64 {
        if self.counter { counter::read() } else { monotonic() }
    }

    /// Ticks as nanoseconds, rounded.
    pub fn ns(&self, ticks: u64) -> u64 {
        (ticks as f64 * self.ns_per_tick).round() as u64
    }

    /// Nanoseconds in ticks.
    pub fn in_ticks(&self, ns: f64) -> f64 {
        ns / self.ns_per_tick
    }

    /// What one reading adds to a measured interval, in nanoseconds (median of many).
    pub fn overhead_ns(&self) -> f64 {
        let mut gaps: Vec<f64> = (0..1001)
            .map(|_| {
                let from = self.ticks();
                self.ticks().wrapping_sub(from) as f64 * self.ns_per_tick
            })
            .collect();
        crate::summary::median(&mut gaps)
    }

    /// The clock's name, for the report.
    pub fn name(&self) -> &'static str {
        if self.counter { "tsc" } else { "monotonic" }
    }
}

fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has this clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use std::arch::x86_64::{__cpuid, _mm_lfence, _rdtsc};

    /// Whether the counter runs at one rate in every power state ("invariant TSC").
    pub(super) fn is_even() -> bool {
        const POWER: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
        // SAFETY: every x86-64 has CPUID.
        let (highest, power) = unsafe { (__cpuid(0x8000_0000).eax, __cpuid(POWER)) };
        highest >= POWER && power.edx & INVARIANT != 0
    }

    #[inline(always)]
    pub(super) fn read() -> u64 {
        // SAFETY: SSE2 is part of x86-64. The fence keeps the reading behind every earlier load.
        unsafe { _mm_lfence() };
        // SAFETY: reads a counter that user space may read wherever Linux uses it as its clock.
        unsafe { _rdtsc() }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    pub(super) fn is_even() -> bool {
        false
    }

    pub(super) fn read() -> u64 {
        unreachable!("only read where `is_even` says so")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees_with_the_systems(clock: Clock) {
        let (from, first) = (Instant::now(), clock.ticks());
        std::thread::sleep(Duration::from_millis(30));
        let measured = clock.ns(clock.ticks() - first) as f64;
        // Taken after the counter, so it can only be longer, however the thread is scheduled.
        let system = from.elapsed().as_nanos() as f64;
        assert!(measured >= 29.0e6, "{measured} ns for a sleep of 30 ms");
        assert!(measured <= system * 1.01 + 1000.0, "{measured} ns, but the system says {system}");
    }

    #[test]
    fn agrees_with_the_systems_clock() {
        agrees_with_the_systems(Clock::calibrate());
        agrees_with_the_systems(Clock { ns_per_tick: 1.0, counter: false });
    }
}
