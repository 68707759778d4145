//! What is done with a transport, the same for each: see [`Mode`].

pub mod mpmc;
pub mod oneway;
pub mod pingpong;
pub mod stream;

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::case::{Amount, Case, Mode, Place, Warmup};
use crate::clock::Clock;
use crate::content;
use crate::cpus::Pair;
use crate::partner::Staff;
use crate::remote::{Order, Work};
use crate::subjects::{self, Visitor};
use crate::transport::{Spec, Transport};
use crate::{Error, Result, interrupt};

/// What one run gave.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Times in nanoseconds, where single messages are timed.
    pub times: Option<Histogram<u64>>,
    /// Timed messages.
    pub messages: u64,
    /// From the first timed message to the last.
    pub elapsed: Duration,
    /// How often the readers slept, in all.
    pub parks: u64,
    /// How [crowded](crate::crowding) it was.
    pub crowded: f64,
    /// How far the two sides' clocks were apart, where that matters (it is taken into account).
    pub clock_offset_ns: Option<f64>,
}

/// What both sides of an open loop must agree on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// The clock.
    pub clock: Clock,
    /// From one message to the next.
    pub interval_ticks: f64,
}

/// All that a driver needs.
#[derive(Debug)]
pub struct Stage<'a> {
    /// What is measured.
    pub case: Case,
    /// What its transport is made for.
    pub spec: Spec,
    /// How much.
    pub amount: Amount,
    /// What the sides share.
    pub board: &'a Board,
    /// Who does the other side.
    pub staff: Staff<'a>,
    /// The CPUs; `None`: not pinned.
    pub cpus: Option<Pair>,
    /// The clock of single messages.
    pub clock: &'a Clock,
}

impl Stage<'_> {
    /// Runs it.
    pub fn run(&self) -> Result<Sample> {
        subjects::visit(&self.case, self)?
    }

    fn our_cpu(&self) -> Option<usize> {
        self.cpus.map(|pair| pair.ours)
    }

    fn partners_cpu(&self) -> Option<usize> {
        self.cpus.map(|pair| pair.partners)
    }

    fn pace(&self) -> Pace {
        let interval_ticks =
            if self.case.rate > 0.0 { self.clock.in_ticks(1e9 / self.case.rate) } else { 0.0 };
        Pace { clock: *self.clock, interval_ticks }
    }

    fn order(&self) -> Order {
        Order {
            board: self.board.path().to_owned(),
            cpu: self.partners_cpu(),
            work: Work::Case(self.case, self.spec.clone(), self.pace()),
        }
    }
}

impl Visitor for &Stage<'_> {
    type Out = Result<Sample>;

    fn visit<T: Transport, const WORDS: usize>(self) -> Result<Sample> {
        match self.case.mode {
            Mode::Latency => pingpong::run::<T, WORDS>(self),
            // The rate is given: nothing is gained by knowing the size when compiling.
            Mode::Oneway | Mode::Wake => oneway::run::<T>(self),
            Mode::Throughput => stream::run::<T, WORDS>(self),
            Mode::Mpmc if T::MANY => mpmc::run::<T, WORDS>(self),
            Mode::Mpmc => {
                Err(Error::Usage("mpmc: this transport has one producer and one consumer".to_owned()))
            }
        }
    }
}

/// The other side of a case, in another container.
pub fn join(case: &Case, spec: &Spec, pace: &Pace, board: &Board, cpu: Option<usize>) -> Result<()> {
    struct Join<'a>(&'a Case, &'a Spec, &'a Pace, &'a Board, Option<usize>);
    impl Visitor for Join<'_> {
        type Out = Result<()>;
        fn visit<T: Transport, const WORDS: usize>(self) -> Result<()> {
            let Self(case, spec, pace, board, cpu) = self;
            match case.mode {
                Mode::Latency => {
                    let (ping, pong) = pingpong::both(spec);
                    pingpong::echo::<T, WORDS>(&T::join(&ping)?, &T::join(&pong)?, board, cpu)
                }
                Mode::Oneway | Mode::Wake => oneway::write::<T>(&T::join(spec)?, case, pace, board, cpu),
                Mode::Throughput => stream::write::<T, WORDS>(&T::join(spec)?, case, board, cpu),
                Mode::Mpmc => Err(Error::Usage("--where container: not for mpmc".to_owned())),
            }
        }
    }
    subjects::visit(case, Join(case, spec, pace, board, cpu))?
}

/// When a measurement begins and ends. Looked at after each chunk of messages.
#[derive(Debug)]
struct Span {
    count: u64,
    duration: Duration,
    start: Instant,
    first: u64,
}

/// Messages between two looks at the clock.
fn chunk(size: usize) -> u64 {
    ((1 << 18) / size as u64).clamp(16, 4096)
}

impl Span {
    /// What goes before, untimed: until a transport has been full or empty a few times, a run measures how far
    /// one side was ahead when the other one came.
    fn warmup(stage: &Stage<'_>) -> Self {
        let Amount { count, duration, warmup } = stage.amount;
        let laps = match stage.case.mode {
            Mode::Throughput | Mode::Mpmc => 4 * (stage.case.capacity / stage.case.size) as u64,
            _ => 0,
        };
        let (count, duration) = match (warmup, count, duration) {
            (Some(Warmup::Count(count)), ..) => (count, Duration::ZERO),
            (Some(Warmup::Span(span)), ..) => (0, span),
            // Never more than is timed.
            (None, Some(count), _) => ((count / 10).max(laps.min(count)), Duration::ZERO),
            (None, None, span) => (0, span.unwrap_or_default() / 5),
        };
        Self { count, duration, start: Instant::now(), first: 0 }
    }

    /// What is timed, from message `first` on.
    fn timed(stage: &Stage<'_>, first: u64) -> Self {
        let count = match (stage.amount.count, stage.amount.duration) {
            (Some(count), _) => count,
            (None, Some(_)) => 0,
            (None, None) => 1,
        };
        let duration = stage.amount.duration.unwrap_or_default();
        Self { count, duration, start: Instant::now(), first }
    }

    /// The message at which to look at the clock next.
    #[inline(always)]
    fn next_look(&self, seq: u64, chunk: u64) -> u64 {
        let end = self.first + self.count;
        if seq < end { end.min(seq + chunk) } else { seq + chunk }
    }

    /// Whether this was all.
    fn is_over(&self, seq: u64) -> bool {
        (seq >= self.first + self.count && self.start.elapsed() >= self.duration) || interrupt::asked()
    }
}

/// Looks at every word of every message, in order.
#[derive(Debug)]
struct Checker<const WORDS: usize> {
    size: usize,
    seq: u64,
    odd: Option<Odd>,
}

#[derive(Debug, Clone, Copy)]
enum Odd {
    End,
    Wrong { length: usize },
}

impl<const WORDS: usize> Checker<WORDS> {
    fn new(size: usize) -> Self {
        Self { size, seq: 0, odd: None }
    }

    #[inline(always)]
    fn see(&mut self, bytes: &[u8]) -> bool {
        let right = content::check::<WORDS>(bytes, self.size, self.seq);
        if right {
            self.seq += 1;
        } else {
            self.note(bytes);
        }
        right
    }

    #[cold]
    fn note(&mut self, bytes: &[u8]) {
        self.odd = Some(match content::is_end(bytes) {
            true => Odd::End,
            false => Odd::Wrong { length: bytes.len() },
        });
    }

    /// Why a message was not the next one: its end is `Ok`, only where it is expected.
    #[cold]
    fn ended(&self, expected: bool, board: &Board) -> Result<()> {
        match self.odd {
            Some(Odd::End) if expected => Ok(()),
            Some(Odd::End) => {
                board.check()?;
                Err(Error::Content(format!("the stream ended before message {}", self.seq)))
            }
            Some(Odd::Wrong { length }) => {
                Err(Error::Content(format!("message {} of {} bytes ({length} came)", self.seq, self.size)))
            }
            None => Err(Error::Content(format!("no message {}", self.seq))),
        }
    }
}

/// Nanoseconds with three digits, up to the longest time a run may take.
fn histogram() -> Histogram<u64> {
    const LONGEST: u64 = 3_600_000_000_000;
    // Not one that grows: such a one, asked to saturate, keeps its first bound of two microseconds.
    Histogram::new_with_max(LONGEST, 3).expect("bounds that the crate allows")
}

/// Whether a mode can be measured there at all; in words, why not.
pub fn refuses(case: &Case) -> Option<String> {
    let subject = case.subject;
    let why = |what: &str| Some(format!("{}: {what}", subject.name()));
    if !subject.places().contains(&case.place) {
        return why(match case.place {
            Place::Container => "has no name that another container could find",
            Place::Process => "works inside one process only",
            Place::Thread => "works between processes only",
        });
    }
    if !subject.has_size(case.size) {
        return why("has no elements of this size");
    }
    if case.mode == Mode::Mpmc && case.place == Place::Container {
        return why("mpmc is not measured across containers: its participants are more than one process");
    }
    if case.mode == Mode::Mpmc && !subject.is_many() {
        return why("has one producer and one consumer");
    }
    if case.batch > 1 && !subject.has_batches() {
        return why("has no batches");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_counts_in_full() {
        let mut histogram = histogram();
        for ns in [300, 310, 50_000, 2_000_000_000] {
            histogram.saturating_record(ns);
        }
        assert_eq!(histogram.len(), 4);
        assert_eq!(histogram.value_at_quantile(0.5), 310);
        assert_eq!(histogram.max() / 10_000_000, 200);
    }

    #[test]
    fn the_end_is_told_from_a_wrong_message() {
        let mut checker = Checker::<8>::new(64);
        let mut message = [0; 64];
        content::fill::<8>(&mut message, 0);
        assert!(checker.see(&message));
        assert!(!checker.see(&message), "the same again");
        assert!(matches!(checker.odd, Some(Odd::Wrong { length: 64 })));
        content::fill_end(&mut message);
        assert!(!checker.see(&message));
        assert!(matches!(checker.odd, Some(Odd::End)));
    }
}
