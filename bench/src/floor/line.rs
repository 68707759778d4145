//! How long one cache line takes to the other side and back.
//!
//! ```text
//!   one line            A: store 1 ──► B sees 1, stores 2 ──► A sees 2       both write the same line
//!   a line each way     A: store k ──► B sees k                              what any ring has to use:
//!                       A sees k   ◄── B: store k                            it must not overwrite what is unread
//! ```
//!
//! Each form is polled with and without the CPU's PAUSE between two looks, and the better one counts:
//! PAUSE takes 10 ns on one CPU and 50 on another, and can help or harm.

use std::hint::spin_loop;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Instant;

use crate::Result;
use crate::board::{Board, Line};
use crate::summary::median;

/// Round trips per time stamp: enough to make the clock's own cost vanish.
const BATCH: u64 = 16;

/// Median round trips in nanoseconds: (one line plain, with PAUSE, a line each plain, with PAUSE).
pub(super) fn play_all(board: &Board, trips: u64) -> Result<[f64; 4]> {
    let [a, b, there, back, there_pause, back_pause, ..] = &board.words().lines;
    Ok([
        play::<false>(board, a, a, trips)?,
        play::<true>(board, b, b, trips)?,
        play::<false>(board, there, back, trips)?,
        play::<true>(board, there_pause, back_pause, trips)?,
    ])
}

/// The other side of [`play_all`].
pub(super) fn echo_all(board: &Board, trips: u64) -> Result<()> {
    let [a, b, there, back, there_pause, back_pause, ..] = &board.words().lines;
    echo::<false>(board, a, a, trips)?;
    echo::<true>(board, b, b, trips)?;
    echo::<false>(board, there, back, trips)?;
    echo::<true>(board, there_pause, back_pause, trips)
}

/// Sends odd numbers and waits for the even ones; the median time of one trip.
fn play<const PAUSE: bool>(board: &Board, to: &Line, from: &Line, trips: u64) -> Result<f64> {
    let mut samples = Vec::with_capacity((trips / BATCH + 1) as usize);
    let mut trip = 0;
    while trip < trips {
        let batch = BATCH.min(trips - trip);
        let start = Instant::now();
        for _ in 0..batch {
            to.0.store(2 * trip + 1, Release);
            wait_for::<PAUSE>(board, from, 2 * trip + 2)?;
            trip += 1;
        }
        samples.push(start.elapsed().as_nanos() as f64 / batch as f64);
    }
    Ok(median(&mut samples))
}

/// The other side of [`play`].
fn echo<const PAUSE: bool>(board: &Board, from: &Line, to: &Line, trips: u64) -> Result<()> {
    for trip in 0..trips {
        wait_for::<PAUSE>(board, from, 2 * trip + 1)?;
        to.0.store(2 * trip + 2, Release);
    }
    Ok(())
}

/// Polls a line until it holds at least `value`.
#[inline(always)]
pub(super) fn wait_for<const PAUSE: bool>(board: &Board, line: &Line, value: u64) -> Result<()> {
    const LOOKS: u32 = 1 << 14;
    for _ in 0..LOOKS {
        if line.0.load(Acquire) >= value {
            return Ok(());
        }
        if PAUSE {
            spin_loop();
        }
    }
    // The other side does not run at present: let it, and do not wait for ever.
    board.wait(|_| line.0.load(Acquire) >= value, "answer")
}
