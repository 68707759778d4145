//! A cheap clock for single round trips: the time-stamp counter where it runs evenly, else `Instant`.

use std::time::{Duration, Instant};

/// Reads the time in ticks and turns ticks into nanoseconds. For one process only: each calibrates its own.
#[derive(Debug, Clone)]
pub struct Clock {
    ns_per_tick: f64,
    counter: bool,
    start: Instant,
}

impl Clock {
    /// Picks the clock and measures its rate (takes 20 ms where the counter is used).
    pub fn calibrate() -> Self {
        let start = Instant::now();
        if !counter::is_even() {
            return Self { ns_per_tick: 1.0, counter: false, start };
        }
        let (from, first) = (Instant::now(), counter::read());
        std::thread::sleep(Duration::from_millis(20));
        let (elapsed, last) = (from.elapsed(), counter::read());
        let ns_per_tick = elapsed.as_nanos() as f64 / last.wrapping_sub(first).max(1) as f64;
        Self { ns_per_tick, counter: true, start }
    }

    /// The time now. Does not pass earlier loads: a message must have been read before its time is taken.
    #[inline(always)]
    pub fn ticks(&self) -> u64 {
        if self.counter { counter::read() } else { self.start.elapsed().as_nanos() as u64 }
    }

    /// Ticks as nanoseconds, rounded.
    pub fn ns(&self, ticks: u64) -> u64 {
        (ticks as f64 * self.ns_per_tick).round() as u64
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

    #[test]
    fn agrees_with_the_systems_clock() {
        let clock = Clock::calibrate();
        let (from, first) = (Instant::now(), clock.ticks());
        std::thread::sleep(Duration::from_millis(30));
        let measured = clock.ns(clock.ticks() - first) as f64;
        // Taken after the counter, so it can only be longer, however the thread is scheduled.
        let system = from.elapsed().as_nanos() as f64;
        assert!(measured >= 29.0e6, "{measured} ns for a sleep of 30 ms");
        assert!(measured <= system * 1.01 + 1000.0, "{measured} ns, but the system says {system}");
    }
}
