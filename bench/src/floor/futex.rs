//! How long a futex takes to wake the other side and back: the price of sleeping.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Instant;

use rustix::thread::futex::{self, Flags, Timespec};

use crate::board::Board;
use crate::summary::median;
use crate::{Error, Result};

/// Median round trip in nanoseconds.
pub(super) fn play(board: &Board, trips: u32) -> Result<f64> {
    let [to, from] = board.words().doors.each_ref().map(|door| &door.0);
    let mut samples = Vec::with_capacity(trips as usize);
    for trip in 1..=trips {
        let start = Instant::now();
        wake(to, trip)?;
        sleep(board, from, trip)?;
        samples.push(start.elapsed().as_nanos() as f64);
    }
    Ok(median(&mut samples))
}

/// The other side of [`play`].
pub(super) fn echo(board: &Board, trips: u32) -> Result<()> {
    let [from, to] = board.words().doors.each_ref().map(|door| &door.0);
    for trip in 1..=trips {
        sleep(board, from, trip)?;
        wake(to, trip)?;
    }
    Ok(())
}

fn wake(door: &AtomicU32, trip: u32) -> Result<()> {
    door.store(trip, Release);
    // Not private: the sleeper is another process.
    futex::wake(door, Flags::empty(), 1).map_err(|e| Error::os("FUTEX_WAKE", e))?;
    Ok(())
}

/// Sleeps at once, without polling first.
fn sleep(board: &Board, door: &AtomicU32, trip: u32) -> Result<()> {
    let slice = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while door.load(Acquire) < trip {
        // Changed meanwhile, woken, interrupted or nothing for a while: look again in any case.
        let _ = futex::wait(door, Flags::empty(), trip - 1, Some(&slice));
        board.check()?;
    }
    Ok(())
}
