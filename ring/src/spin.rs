//! How long to poll before sleeping, on this machine and under these limits.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::{cgroup, sync};

/// About what it costs to sleep and be woken on another processor: polling longer cannot pay.
const WORTH: Duration = Duration::from_micros(50);
/// Polls before the first pause where a pause is long. The other side's answer usually comes within them.
const BARE: u32 = 1024;
/// A pause longer than this (Intel since Skylake: 140 cycles) is felt in a round trip.
const LONG: Duration = Duration::from_nanos(25);

/// How to poll.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spin {
    /// Polls before the first pause.
    bare: u32,
    /// Polls in all.
    polls: u32,
}

impl Spin {
    /// No polling: sleep at once.
    pub(crate) const NONE: Self = Self { bare: 0, polls: 0 };

    /// Polling up to the price of a sleep; none under a quota of less than two processors, which polling
    /// would use up and be throttled for.
    pub(crate) fn adaptive() -> Self {
        if cgroup::processors().is_some_and(|quota| quota < 2.0) { Self::NONE } else { Self::tuned() }
    }

    /// Polling up to the price of a sleep.
    pub(crate) fn tuned() -> Self {
        static PAUSE: OnceLock<Duration> = OnceLock::new();
        let pause = *PAUSE.get_or_init(measure_pause);
        let bare = if pause > LONG { BARE } else { 0 };
        let paused = WORTH.as_nanos() / pause.as_nanos().max(1);
        Self { bare, polls: bare + u32::try_from(paused).unwrap_or(u32::MAX / 2) }
    }

    /// Polls in all.
    pub(crate) fn polls(&self) -> u32 {
        self.polls
    }

    /// Between poll `step` and the next one.
    #[inline(always)]
    pub(crate) fn relax(&self, step: u32) {
        if step >= self.bare {
            sync::relax();
        }
    }
}

/// The one processor that the calling thread may run on, or `None` if there are several.
pub(crate) fn only_processor() -> Option<u32> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).ok()?;
    let mut processors = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    let first = processors.next()?;
    processors.next().is_none().then_some(first as u32)
}

/// What one pause takes, by the best of a few tries.
fn measure_pause() -> Duration {
    const PAUSES: u32 = 64;
    let once = || {
        let start = Instant::now();
        (0..PAUSES).for_each(|_| sync::relax());
        start.elapsed() / PAUSES
    };
    (0..4).map(|_| once()).min().unwrap_or_default()
}
