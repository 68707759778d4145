//! How to poll before sleeping: for how long, and how often, on this machine and under these limits.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::{cgroup, sync};

/// About what it costs to sleep and be woken on another processor: polling longer cannot pay.
const WORTH_NS: u32 = 50_000;
/// A breath: long enough for a stream to bring several messages.
const BREATH_NS: u32 = 100;
/// The longest: messages of a stream so dense are kept back for less than a microsecond.
const LONGEST_BREATH_NS: u32 = 800;
/// Waits between two breaths that are taken only to see whether there is a stream.
const PROBE_WAITS: u32 = 256;
/// About what one look without a pause costs.
const LOOK_NS: u32 = 4;
/// A pause longer than this (Intel since Skylake: 140 cycles) is felt in a round trip.
const LONG_PAUSE_NS: u32 = 25;
/// Looks without a pause where a pause is long; an answer usually comes within them.
const BARE_LOOKS: u32 = 1024;
/// Looks before the processor is offered to others.
const LOOKS_BEFORE_YIELDING: u32 = 32;
/// About what offering it costs if nobody wants it.
const YIELD_NS: u32 = 300;
/// The longest time between two looks for space.
const LONGEST_GAP_NS: u32 = BREATH_NS << LONGEST_GAP;
const LONGEST_GAP: u32 = 6;
/// Under a quota: waits without polling after one that polled for nothing, doubled each time up to the second of these.
const FIRST_REST: u32 = 2;
const LONGEST_REST: u32 = 256;
/// Bytes that are read in a nanosecond at best, and into how many parts of a full ring that divides the wait for space.
const BYTES_PER_NS: u64 = 32;
const PARTS: u64 = 16;

/// What is polled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Messages. Every look takes the line of positions away from the producer; in a stream, where it writes
    /// that line all the time, it would be brought down to the pace of single messages. So where a breath
    /// brings more than one message, a breath is taken before every look.
    Messages,
    /// Space. A full ring is in front of us, so nothing is late if we look rarely, and every look takes a
    /// line away from the consumer. Whoever then finds room for one message only would wait again at once, and work on
    /// the lines that the consumer is reading; so the first look is taken when a part of the ring may be free.
    Space,
}

/// How to poll.
#[derive(Debug)]
pub(crate) struct Spin {
    /// How long to poll before sleeping. Zero: not at all.
    budget_ns: u32,
    pause_ns: u32,
    /// How long to wait for space before looking again.
    space_ns: u32,
    /// The breath that the last wait for messages began with; zero: none.
    breath_ns: Cell<u32>,
    /// The breath that the next one begins with.
    next_breath_ns: Cell<u32>,
    /// Waits for messages so far.
    waits: Cell<u32>,
    /// Whether to let others run after a few looks.
    yields: bool,
    /// Whether to poll only while that finds something: processor time is short.
    frugal: bool,
    /// If so: the waits to come that do not poll, and how many there will be after the next in vain.
    resting: Cell<u32>,
    next_rest: Cell<u32>,
}

impl Spin {
    /// No polling: sleep at once.
    pub(crate) fn none() -> Self {
        Self {
            budget_ns: 0,
            pause_ns: pause_ns(),
            space_ns: BREATH_NS,
            breath_ns: Cell::new(0),
            next_breath_ns: Cell::new(0),
            waits: Cell::new(0),
            yields: false,
            frugal: false,
            resting: Cell::new(0),
            next_rest: Cell::new(FIRST_REST),
        }
    }

    /// Polling up to the price of a sleep. Under a quota of less than two processors only while that finds something:
    /// then it takes less of the quota than sleeping would; otherwise it would use it up and be throttled.
    pub(crate) fn adaptive() -> Self {
        Self { frugal: cgroup::processors().is_some_and(|quota| quota < 2.0), ..Self::full() }
    }

    /// Polling up to the price of a sleep.
    pub(crate) fn full() -> Self {
        Self { budget_ns: WORTH_NS, ..Self::none() }
    }

    /// Letting others run after a few looks: whoever is waited for may want this processor.
    pub(crate) fn yielding(self) -> Self {
        Self { yields: true, ..self }
    }

    /// For a ring with this much data: how long a part of it takes to be read at best.
    pub(crate) fn over(self, data_bytes: u64) -> Self {
        let part_ns = data_bytes / (PARTS * BYTES_PER_NS);
        let longest = u64::from(LONGEST_GAP_NS / 2);
        Self { space_ns: part_ns.clamp(BREATH_NS.into(), longest) as u32, ..self }
    }

    /// Whether this wait is to poll.
    pub(crate) fn is_due(&self) -> bool {
        let rest = self.resting.get();
        self.resting.set(rest.saturating_sub(1));
        self.budget_ns > 0 && rest == 0
    }

    /// After a wait that polled: whether it found something.
    fn learn(&self, found: bool) {
        if !self.frugal {
            return;
        }
        if found {
            self.next_rest.set(FIRST_REST);
        } else {
            let rest = self.next_rest.get();
            self.resting.set(rest);
            self.next_rest.set((2 * rest).min(LONGEST_REST));
        }
    }

    /// Repeats `attempt` until it yields something or the budget is spent.
    #[inline(always)]
    pub(crate) fn poll<T, E>(
        &self,
        what: For,
        mut attempt: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let mut spent_ns = 0;
        let mut looks = 0;
        if what == For::Messages {
            let waits = self.waits.get().wrapping_add(1);
            self.waits.set(waits);
            let probe_ns = if waits % PROBE_WAITS == 0 { BREATH_NS } else { 0 };
            self.breath_ns.set(self.next_breath_ns.get().max(probe_ns));
            spent_ns += self.pass(self.breath_ns.get());
        }
        while spent_ns < self.budget_ns {
            if let Some(found) = attempt()? {
                self.learn(true);
                return Ok(Some(found));
            }
            let gap_ns = match what {
                For::Space => (self.space_ns << looks.min(LONGEST_GAP)).min(LONGEST_GAP_NS),
                For::Messages if self.pause_ns > LONG_PAUSE_NS && looks < BARE_LOOKS => 0,
                For::Messages => self.pause_ns,
            };
            looks += 1;
            if self.yields && looks > LOOKS_BEFORE_YIELDING {
                std::thread::yield_now();
                spent_ns += YIELD_NS;
                continue;
            }
            spent_ns += self.pass(gap_ns) + LOOK_NS;
        }
        self.learn(false);
        Ok(None)
    }

    /// After messages were found: whether there was more than one.
    #[inline(always)]
    pub(crate) fn note(&self, several: bool) {
        let next_ns = if several { (2 * self.breath_ns.get()).min(LONGEST_BREATH_NS) } else { 0 };
        self.next_breath_ns.set(next_ns);
    }

    /// Pauses for about this long. Returns for how long it did.
    #[inline(always)]
    fn pass(&self, ns: u32) -> u32 {
        let mut passed = 0;
        while passed < ns {
            sync::relax();
            passed += self.pause_ns;
        }
        passed
    }
}

/// The processor that the calling thread runs on at this moment.
pub(crate) fn processor() -> Option<u32> {
    nix::sched::sched_getcpu().ok().and_then(|cpu| u32::try_from(cpu).ok())
}

/// What one pause takes, at least 1: measured once, by the best of a few tries.
fn pause_ns() -> u32 {
    const PAUSES: u32 = 64;
    static PAUSE: OnceLock<u32> = OnceLock::new();
    *PAUSE.get_or_init(|| {
        let once = || {
            let start = Instant::now();
            (0..PAUSES).for_each(|_| sync::relax());
            start.elapsed() / PAUSES
        };
        let best = (0..4).map(|_| once()).min().unwrap_or(Duration::ZERO);
        u32::try_from(best.as_nanos()).unwrap_or(u32::MAX).clamp(1, 1000)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `waits` poll if nothing comes while they do.
    fn polled(spin: &Spin, waits: u32) -> u32 {
        let poll = || spin.poll(For::Messages, || Ok::<Option<()>, ()>(None));
        (0..waits).filter(|_| spin.is_due() && poll() == Ok(None)).count() as u32
    }

    #[test]
    fn where_time_is_short_polling_in_vain_becomes_rare() {
        let spin = Spin { frugal: true, ..Spin::full() };
        // After 1 + 2 + 1 + 4 + 1 + ... + 256 waits each rest is the longest.
        assert_eq!(polled(&spin, 518), 8);
        assert_eq!(polled(&spin, 10 * (LONGEST_REST + 1)), 10);
    }

    #[test]
    fn where_time_is_short_polling_goes_on_as_soon_as_it_finds_something() {
        let spin = Spin { frugal: true, ..Spin::full() };
        polled(&spin, 518);
        while !spin.is_due() {}
        assert_eq!(spin.poll(For::Messages, || Ok::<_, ()>(Some(1))), Ok(Some(1)));
        assert!((0..100).all(|_| spin.is_due()), "it polls every time while it finds something");
    }

    #[test]
    fn others_poll_every_time_or_never() {
        assert_eq!(polled(&Spin::full(), 20), 20);
        assert_eq!(polled(&Spin::none(), 20), 0);
    }
}
