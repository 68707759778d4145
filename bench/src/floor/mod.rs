//! The machine's floor: what any transport has to pay here, at this moment.
//!
//! [`line`](self) a cache line there and back, a copy on one core and between two, a futex there and back.

mod copy;
mod futex;
mod line;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Result;
use crate::board::Board;
use crate::case::{Case, Mode};
use crate::cpus::{Pair, Pinned};
use crate::partner::Staff;
use crate::remote::{Order, Work};
use crate::summary::median_of;

/// How much of each to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Round trips of each form of the line.
    pub trips: u64,
    /// Bytes of each copy; 0: none.
    pub bytes: u64,
    /// Round trips of the futex; 0: none.
    pub wakes: u32,
}

impl Amounts {
    /// The line only: what changes from moment to moment.
    pub fn line_only(self) -> Self {
        Self { bytes: 0, wakes: 0, ..self }
    }
}

/// What the machine can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// One line for both directions, without PAUSE.
    pub one_line_plain_ns: f64,
    /// One line for both directions, with PAUSE.
    pub one_line_pause_ns: f64,
    /// One line for each direction, without PAUSE.
    pub line_each_plain_ns: f64,
    /// One line for each direction, with PAUSE.
    pub line_each_pause_ns: f64,
    /// Copied on one CPU.
    pub one_core_bytes_per_s: f64,
    /// Copied by one CPU and from there by the other.
    pub two_core_bytes_per_s: f64,
    /// A futex there and back.
    pub futex_ns: f64,
}

impl Floor {
    /// One line for both directions, polled in the better way.
    pub fn one_line_ns(&self) -> f64 {
        self.one_line_plain_ns.min(self.one_line_pause_ns)
    }

    /// One line for each direction, polled in the better way.
    pub fn line_each_ns(&self) -> f64 {
        self.line_each_plain_ns.min(self.line_each_pause_ns)
    }

    /// What a case is compared with, in nanoseconds: for round trips a line for each direction; for one way half
    /// of it; for a receiver that sleeps half a futex round trip; for streams the time in which the two CPUs hand
    /// over the bytes of one message.
    pub fn of(&self, case: &Case) -> f64 {
        match case.mode {
            Mode::Latency => self.line_each_ns(),
            Mode::Oneway => self.line_each_ns() / 2.0,
            Mode::Wake => self.futex_ns / 2.0,
            Mode::Throughput | Mode::Mpmc => case.size as f64 / self.two_core_bytes_per_s * 1e9,
        }
    }

    /// What held between two measurements: the mean of both. What the later one left out is taken from `self`.
    pub fn between(&self, later: &Self) -> Self {
        self.zip(later, f64::midpoint)
    }

    /// The later measurement, with what it left out taken from `self`.
    pub fn updated(&self, later: &Self) -> Self {
        self.zip(later, |_, later| later)
    }

    /// Whether the CPUs were so much nearer or farther in one of the two that a figure taken between them
    /// has no floor to be compared with.
    pub fn moved(&self, other: &Self) -> bool {
        let apart = |a: f64, b: f64| a.max(b) / a.min(b) > 1.25;
        apart(self.one_line_ns(), other.one_line_ns()) || apart(self.line_each_ns(), other.line_each_ns())
    }

    /// The median of each figure.
    pub fn median(floors: &[Self]) -> Self {
        let figures = std::array::from_fn(|at| median_of(floors, |floor| floor.figures()[at]));
        Self::from_figures(figures)
    }

    /// All figures as an object.
    pub fn json(&self) -> Value {
        json!({
            "one_line_ns": self.one_line_ns(),
            "line_each_ns": self.line_each_ns(),
            "one_line_plain_ns": self.one_line_plain_ns,
            "one_line_pause_ns": self.one_line_pause_ns,
            "line_each_plain_ns": self.line_each_plain_ns,
            "line_each_pause_ns": self.line_each_pause_ns,
            "copy_one_core_bytes_per_s": self.one_core_bytes_per_s,
            "copy_two_cores_bytes_per_s": self.two_core_bytes_per_s,
            "futex_round_trip_ns": self.futex_ns,
        })
    }

    /// Reads what [`Floor::json`] gave.
    pub fn read(value: &Value) -> Option<Self> {
        let of = |key: &str| value[key].as_f64();
        Some(Self {
            one_line_plain_ns: of("one_line_plain_ns")?,
            one_line_pause_ns: of("one_line_pause_ns")?,
            line_each_plain_ns: of("line_each_plain_ns")?,
            line_each_pause_ns: of("line_each_pause_ns")?,
            one_core_bytes_per_s: of("copy_one_core_bytes_per_s")?,
            two_core_bytes_per_s: of("copy_two_cores_bytes_per_s")?,
            futex_ns: of("futex_round_trip_ns")?,
        })
    }

    fn figures(&self) -> [f64; 7] {
        [
            self.one_line_plain_ns,
            self.one_line_pause_ns,
            self.line_each_plain_ns,
            self.line_each_pause_ns,
            self.one_core_bytes_per_s,
            self.two_core_bytes_per_s,
            self.futex_ns,
        ]
    }

    fn from_figures(figures: [f64; 7]) -> Self {
        let [
            one_line_plain_ns,
            one_line_pause_ns,
            line_each_plain_ns,
            line_each_pause_ns,
            one_core_bytes_per_s,
            two_core_bytes_per_s,
            futex_ns,
        ] = figures;
        Self {
            one_line_plain_ns,
            one_line_pause_ns,
            line_each_plain_ns,
            line_each_pause_ns,
            one_core_bytes_per_s,
            two_core_bytes_per_s,
            futex_ns,
        }
    }

    /// Figures that `later` did not measure are NaN there.
    fn zip(&self, later: &Self, f: fn(f64, f64) -> f64) -> Self {
        let (ours, theirs) = (self.figures(), later.figures());
        Self::from_figures(std::array::from_fn(|at| match theirs[at].is_nan() {
            true => ours[at],
            false => f(ours[at], theirs[at]),
        }))
    }
}

/// Measures it between this side and a partner. What is left out is NaN.
pub fn measure(board: &Board, staff: Staff<'_>, cpus: Option<Pair>, amounts: Amounts) -> Result<Floor> {
    let cpu = cpus.map(|pair| pair.partners);
    staff.beside(
        board,
        || Order { board: board.path().to_owned(), cpu, work: Work::Floor(amounts) },
        vec![|| answer(board, cpu, amounts)],
        |crew| {
            let _pinned = Pinned::to(cpus.map(|pair| pair.ours))?;
            crew.gather(board, 1)?;
            let lines = line::play_all(board, amounts.trips)?;
            let (mut one_core, mut two_core, mut futex) = (f64::NAN, f64::NAN, f64::NAN);
            if amounts.bytes != 0 {
                two_core = copy::read(board, amounts.bytes)?;
                one_core = copy::one_core(amounts.bytes);
            }
            if amounts.wakes != 0 {
                futex = futex::play(board, amounts.wakes)?;
            }
            let [one_line_plain_ns, one_line_pause_ns, line_each_plain_ns, line_each_pause_ns] = lines;
            Ok(Floor {
                one_line_plain_ns,
                one_line_pause_ns,
                line_each_plain_ns,
                line_each_pause_ns,
                one_core_bytes_per_s: one_core,
                two_core_bytes_per_s: two_core,
                futex_ns: futex,
            })
        },
    )
}

/// The partner's side of [`measure`].
pub fn answer(board: &Board, cpu: Option<usize>, amounts: Amounts) -> Result<()> {
    let _pinned = Pinned::to(cpu)?;
    board.arrive()?;
    line::echo_all(board, amounts.trips)?;
    if amounts.bytes != 0 {
        copy::write(board, amounts.bytes)?;
    }
    if amounts.wakes != 0 {
        futex::echo(board, amounts.wakes)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A floor with these lines.
    pub(crate) fn floor(one: f64, each: f64) -> Floor {
        Floor {
            one_line_plain_ns: one,
            one_line_pause_ns: one + 10.0,
            line_each_plain_ns: each + 10.0,
            line_each_pause_ns: each,
            one_core_bytes_per_s: 2e10,
            two_core_bytes_per_s: 1e10,
            futex_ns: 40_000.0,
        }
    }

    #[test]
    fn the_better_way_of_polling_counts() {
        let floor = floor(100.0, 130.0);
        assert_eq!((floor.one_line_ns(), floor.line_each_ns()), (100.0, 130.0));
    }

    #[test]
    fn between_two_is_their_mean() {
        assert_eq!(floor(100.0, 200.0).between(&floor(120.0, 220.0)), floor(110.0, 210.0));
    }

    #[test]
    fn what_was_left_out_stays() {
        let short = Floor { futex_ns: f64::NAN, two_core_bytes_per_s: f64::NAN, ..floor(120.0, 220.0) };
        assert_eq!(floor(100.0, 200.0).updated(&short), floor(120.0, 220.0));
    }

    #[test]
    fn a_move_of_the_cpus_is_noticed() {
        assert!(!floor(100.0, 130.0).moved(&floor(110.0, 120.0)));
        assert!(floor(100.0, 130.0).moved(&floor(130.0, 130.0)));
        assert!(floor(100.0, 400.0).moved(&floor(100.0, 130.0)));
    }

    #[test]
    fn the_median_is_taken_figure_by_figure() {
        let floors = [floor(100.0, 400.0), floor(300.0, 130.0), floor(110.0, 140.0)];
        assert_eq!(Floor::median(&floors), floor(110.0, 140.0));
    }
}
