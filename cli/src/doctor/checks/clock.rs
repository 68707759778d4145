//! The clock: read around every sleep and every time-out, so it must be cheap.

use std::fs;
use std::time::{Duration, Instant};

use super::super::finding::Finding;

const CHECK: &str = "clock";
/// A clock that is read without a system call takes some tens of nanoseconds.
const CHEAP: Duration = Duration::from_nanos(400);

pub(super) fn check() -> Finding {
    let source = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let source = source.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
    let cost = cost();
    let found = format!("clock source {source}, {} ns to read", cost.as_nanos());
    let finding = if cost <= CHEAP {
        Finding::ok(CHECK, found)
    } else {
        Finding::warn(
            CHECK,
            format!(
                "{found}: a system call each time; round trips that look at it are \
                                      slower"
            ),
        )
        .remedy(
            "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource   # on \
                     the host, if it is in available_clocksource",
        )
    };
    finding.fact("source", source).fact("read_ns", u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX))
}

/// What one look at the clock takes: the best of a few tries, so that a moment off the processor does not count.
fn cost() -> Duration {
    const LOOKS: u32 = 200;
    let once = || {
        let start = Instant::now();
        (0..LOOKS).for_each(|_| {
            std::hint::black_box(Instant::now());
        });
        start.elapsed() / LOOKS
    };
    (0..10).map(|_| once()).min().unwrap_or_default()
}
