//! The machine's floor: how long one cache line takes to another process and back.
//!
//! ```text
//!   one line            A: store 1 ──► B sees 1, stores 2 ──► A sees 2       both write the same line
//!   a line each way     A: store k ──► B sees k                              what any ring has to use:
//!                       A sees k   ◄── B: store k                            it must not overwrite what is unread
//! ```
//!
//! Each form is polled with and without the CPU's PAUSE between two looks, and the better one counts:
//! PAUSE takes 10 ns on one CPU and 50 on another, and can help or harm.

use std::ffi::c_void;
use std::hint::spin_loop;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use serde_json::{Value, json};

use crate::cpus::{Pair, Pinned};
use crate::fork::Partner;
use crate::summary::median;
use crate::{Error, Result};

/// Round trips per time stamp: enough to make the clock's own cost vanish.
const BATCH: u64 = 16;
/// How long one side waits for the other before it is an error.
const PATIENCE: Duration = Duration::from_secs(20);

/// Median round trips, in nanoseconds.
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

    /// What held between two measurements: the mean of both.
    pub fn between(&self, other: &Self) -> Self {
        self.zip(other, f64::midpoint)
    }

    /// Whether the CPUs were so much nearer or farther in one of the two that a figure taken between them
    /// has no floor to be compared with.
    pub fn moved(&self, other: &Self) -> bool {
        let apart = |a: f64, b: f64| a.max(b) / a.min(b) > 1.25;
        apart(self.one_line_ns(), other.one_line_ns()) || apart(self.line_each_ns(), other.line_each_ns())
    }

    /// The median of each figure.
    pub fn median(floors: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(&mut floors.iter().map(figure).collect::<Vec<_>>());
        Self {
            one_line_plain_ns: of(|f| f.one_line_plain_ns),
            one_line_pause_ns: of(|f| f.one_line_pause_ns),
            line_each_plain_ns: of(|f| f.line_each_plain_ns),
            line_each_pause_ns: of(|f| f.line_each_pause_ns),
        }
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
        })
    }

    fn zip(&self, other: &Self, f: fn(f64, f64) -> f64) -> Self {
        Self {
            one_line_plain_ns: f(self.one_line_plain_ns, other.one_line_plain_ns),
            one_line_pause_ns: f(self.one_line_pause_ns, other.one_line_pause_ns),
            line_each_plain_ns: f(self.line_each_plain_ns, other.line_each_plain_ns),
            line_each_pause_ns: f(self.line_each_pause_ns, other.line_each_pause_ns),
        }
    }
}

/// Measures all four, `trips` round trips each, between this process and a forked one.
pub fn measure(cpus: Option<Pair>, trips: u64) -> Result<Floor> {
    let memory = Memory::new()?;
    let partner = Partner::start(|| {
        let _pinned = Pinned::to(cpus.map(|pair| pair.partners))?;
        let board = memory.board();
        board.ready.0.store(1, Release);
        echo::<false>(&board.one_line, &board.one_line, trips)?;
        echo::<true>(&board.one_line_pause, &board.one_line_pause, trips)?;
        echo::<false>(&board.there, &board.back, trips)?;
        echo::<true>(&board.there_pause, &board.back_pause, trips)
    })?;
    partner.conclude(play_all(&memory, cpus.map(|pair| pair.ours), trips))
}

fn play_all(memory: &Memory, cpu: Option<usize>, trips: u64) -> Result<Floor> {
    let _pinned = Pinned::to(cpu)?;
    let board = memory.board();
    wait_for::<true>(&board.ready.0, 1)?;
    Ok(Floor {
        one_line_plain_ns: play::<false>(&board.one_line, &board.one_line, trips)?,
        one_line_pause_ns: play::<true>(&board.one_line_pause, &board.one_line_pause, trips)?,
        line_each_plain_ns: play::<false>(&board.there, &board.back, trips)?,
        line_each_pause_ns: play::<true>(&board.there_pause, &board.back_pause, trips)?,
    })
}

/// A word on lines of its own: 256 bytes, since neighbours are fetched in pairs.
#[derive(Debug)]
#[repr(C, align(256))]
struct Line(AtomicU64);

#[derive(Debug)]
#[repr(C)]
struct Board {
    ready: Line,
    one_line: Line,
    one_line_pause: Line,
    there: Line,
    back: Line,
    there_pause: Line,
    back_pause: Line,
}

/// Memory that parent and child share.
#[derive(Debug)]
struct Memory(MmapRaw);

impl Memory {
    fn new() -> Result<Self> {
        let what = "shared memory for the floor";
        let file =
            memfd_create("podring-bench-floor", MFdFlags::MFD_CLOEXEC).map_err(|e| Error::os(what, e))?;
        let length = size_of::<Board>();
        ftruncate(file.as_fd(), length as i64).map_err(|e| Error::os(what, e))?;
        MmapOptions::new().len(length).map_raw(&file).map(Self).map_err(|e| Error::os(what, e))
    }

    fn board(&self) -> &Board {
        // By way of c_void: a mapping begins on a page, whatever the pointer's type says.
        let board = self.0.as_mut_ptr().cast::<c_void>().cast::<Board>();
        // SAFETY: the mapping is page-aligned, `size_of::<Board>()` long, zeroed (valid for atomics), lives as
        // long as `self`, and all that is in it is atomic.
        unsafe { &*board }
    }
}

/// Sends odd numbers and waits for the even ones; the median time of one trip.
fn play<const PAUSE: bool>(to: &Line, from: &Line, trips: u64) -> Result<f64> {
    let mut samples = Vec::with_capacity((trips / BATCH + 1) as usize);
    let mut trip = 0;
    while trip < trips {
        let batch = BATCH.min(trips - trip);
        let start = Instant::now();
        for _ in 0..batch {
            to.0.store(2 * trip + 1, Release);
            wait_for::<PAUSE>(&from.0, 2 * trip + 2)?;
            trip += 1;
        }
        samples.push(start.elapsed().as_nanos() as f64 / batch as f64);
    }
    Ok(median(&mut samples))
}

/// The other side of [`play`].
fn echo<const PAUSE: bool>(from: &Line, to: &Line, trips: u64) -> Result<()> {
    for trip in 0..trips {
        wait_for::<PAUSE>(&from.0, 2 * trip + 1)?;
        to.0.store(2 * trip + 2, Release);
    }
    Ok(())
}

#[inline(always)]
fn wait_for<const PAUSE: bool>(word: &AtomicU64, value: u64) -> Result<()> {
    const LOOKS: u32 = 1 << 14;
    for _ in 0..LOOKS {
        if word.load(Acquire) == value {
            return Ok(());
        }
        if PAUSE {
            spin_loop();
        }
    }
    wait_long(word, value)
}

/// The other side does not run at present: let it, and do not wait for ever.
#[cold]
#[inline(never)]
fn wait_long(word: &AtomicU64, value: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if word.load(Acquire) == value {
            return Ok(());
        }
        std::thread::yield_now();
    }
    Err(Error::Partner(format!("did not answer within {PATIENCE:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(one: f64, each: f64) -> Floor {
        Floor {
            one_line_plain_ns: one,
            one_line_pause_ns: one + 10.0,
            line_each_plain_ns: each + 10.0,
            line_each_pause_ns: each,
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
