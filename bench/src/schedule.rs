//! Which cases are run, how often, and in which order: the floor is measured before and after each of them.

use std::time::Duration;

use hdrhistogram::Histogram;
use podring::Wait;

use crate::Result;
use crate::clock::Clock;
use crate::content;
use crate::cpus::Pair;
use crate::floor::{self, Floor};
use crate::pingpong::{PingPong, Rings};
use crate::scratch::Scratch;
use crate::stream::{self, Stream, Style};
use crate::watchdog::Watchdog;

/// What a user wants measured: every combination is a case.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Message sizes of round trips; none: no round trips.
    pub trip_sizes: Vec<usize>,
    /// Message sizes of streams; none: no streams.
    pub stream_sizes: Vec<usize>,
    /// How messages of streams are written and read.
    pub styles: Vec<Style>,
    /// Ring capacities in bytes.
    pub capacities: Vec<usize>,
    /// How both sides wait.
    pub waits: Vec<Wait>,
    /// Messages per batch.
    pub batch: usize,
    /// Round trips and messages; `None`: as many as take some tenths of a second.
    pub count: Option<u64>,
}

/// One thing to measure.
#[derive(Debug, Clone, Copy)]
pub enum Case {
    /// Latency.
    RoundTrip(PingPong),
    /// Throughput.
    Stream(Stream),
}

/// What one run of a case gave.
#[derive(Debug, Clone)]
pub enum Figures {
    /// Round trips in nanoseconds.
    RoundTrip(Histogram<u64>),
    /// Messages and time.
    Stream(stream::Outcome),
}

/// One run, with the floors around it.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it gave.
    pub figures: Figures,
    /// The floor during the run: the mean of the one before and the one after.
    pub floor: Floor,
    /// Whether these two differ so much that the multiple of the floor says little.
    pub moved: bool,
    /// The part of the time in which one side could not run because something else had its CPU.
    pub crowded: f64,
}

/// All runs of one case.
#[derive(Debug, Clone)]
pub struct Series {
    /// The case.
    pub case: Case,
    /// Its runs, in order.
    pub runs: Vec<Run>,
}

/// The machine and the patience for all runs.
#[derive(Debug)]
pub struct Bench<'a> {
    /// Where the rings are made.
    pub scratch: &'a Scratch,
    /// The CPUs; `None`: not pinned.
    pub cpus: Option<Pair>,
    /// The clock of round trips.
    pub clock: &'a Clock,
    /// Round trips of each form of the floor.
    pub floor_trips: u64,
    /// After this a run is stuck, and the program ends.
    pub patience: Duration,
}

/// Every combination of the wishes that exists: typed rings have only the sizes in [`content::SIZES`].
pub fn cases(wishes: &Wishes) -> Vec<Case> {
    let mut cases = Vec::new();
    for &capacity in &wishes.capacities {
        for &wait in &wishes.waits {
            for &size in &wishes.trip_sizes {
                for rings in [Rings::Bytes, Rings::Typed] {
                    if rings == Rings::Bytes || content::SIZES.contains(&size) {
                        let trips = wishes.count.unwrap_or(200_000);
                        cases.push(Case::RoundTrip(PingPong { rings, size, trips, capacity, wait }));
                    }
                }
            }
        }
    }
    for &size in &wishes.stream_sizes {
        for &style in &wishes.styles {
            for &capacity in &wishes.capacities {
                for &wait in &wishes.waits {
                    if !style.is_typed() || content::SIZES.contains(&size) {
                        let messages = wishes.count.unwrap_or_else(|| usual_messages(size));
                        let batch = wishes.batch;
                        cases.push(Case::Stream(Stream { style, size, messages, batch, capacity, wait }));
                    }
                }
            }
        }
    }
    cases
}

/// Runs all cases `runs` times, one round after the other so that a slow minute does not fall on one case
/// alone. `progress` hears what comes next, as (number, of how many).
pub fn run(
    bench: &Bench<'_>,
    cases: &[Case],
    runs: usize,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Series>> {
    let mut all: Vec<Series> =
        cases.iter().map(|&case| Series { case, runs: Vec::with_capacity(runs) }).collect();
    let mut before = bench.floor()?;
    for round in 0..runs {
        for (at, series) in all.iter_mut().enumerate() {
            progress(round * cases.len() + at + 1, runs * cases.len());
            let (figures, crowded) = bench.once(&series.case)?;
            let after = bench.floor()?;
            let (floor, moved) = (before.between(&after), before.moved(&after));
            series.runs.push(Run { figures, floor, moved, crowded });
            before = after;
        }
    }
    Ok(all)
}

impl Bench<'_> {
    /// The floor now.
    pub fn floor(&self) -> Result<Floor> {
        let _watchdog = Watchdog::arm(self.patience, "the floor")?;
        floor::measure(self.cpus, self.floor_trips)
    }

    fn once(&self, case: &Case) -> Result<(Figures, f64)> {
        let _watchdog = Watchdog::arm(self.patience, &format!("{case:?}"))?;
        match case {
            Case::RoundTrip(plan) => {
                let (trips, crowded) = plan.run(self.scratch, self.cpus, self.clock)?;
                Ok((Figures::RoundTrip(trips), crowded))
            }
            Case::Stream(plan) => {
                let outcome = plan.run(self.scratch, self.cpus)?;
                Ok((Figures::Stream(outcome), outcome.crowded))
            }
        }
    }
}

/// Some tenths of a second: up to 20 million messages, up to 2 GiB.
fn usual_messages(size: usize) -> u64 {
    ((2 << 30) / size as u64).min(20_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes() -> Wishes {
        Wishes {
            trip_sizes: vec![64],
            stream_sizes: vec![8, 1000],
            styles: Style::ALL.to_vec(),
            capacities: vec![1 << 20],
            waits: vec![Wait::Spin, Wait::Adaptive],
            batch: 32,
            count: None,
        }
    }

    #[test]
    fn typed_rings_only_for_sizes_with_a_type() {
        let cases = cases(&wishes());
        let trips = cases.iter().filter(|case| matches!(case, Case::RoundTrip(_))).count();
        assert_eq!(trips, 4, "two kinds of rings, two ways to wait");
        let of_size = |wanted| {
            cases
                .iter()
                .filter(|case| matches!(case, Case::Stream(Stream { size, .. }) if *size == wanted))
                .count()
        };
        assert_eq!(of_size(8), 12);
        assert_eq!(of_size(1000), 8, "no typed ring of 125 words");
    }

    #[test]
    fn a_count_is_taken_as_it_is() {
        for case in cases(&Wishes { count: Some(123), ..wishes() }) {
            match case {
                Case::RoundTrip(plan) => assert_eq!(plan.trips, 123),
                Case::Stream(plan) => assert_eq!(plan.messages, 123),
            }
        }
    }

    #[test]
    fn large_messages_are_fewer() {
        assert_eq!(usual_messages(8), 20_000_000);
        assert_eq!(usual_messages(65536), 32768);
    }
}
