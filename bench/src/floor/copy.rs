//! How many bytes a second one CPU copies, and two hand to each other.
//!
//! ```text
//!   one core     this side: 1 MiB of its own ──► 1 MiB of its own
//!   two cores    partner: 64 KiB of its own ──► shared, 16 blocks in turn ──► 64 KiB of this side's own
//! ```

use std::hint::black_box;
use std::sync::atomic::Ordering::Release;
use std::time::Instant;

use crate::Result;
use crate::board::{BULK, Board};
use crate::floor::line::wait_for;

const BLOCK: usize = 64 << 10;
const BLOCKS: u64 = (BULK / BLOCK) as u64;

/// Bytes a second on this CPU alone.
pub(super) fn one_core(bytes: u64) -> f64 {
    let (from, mut to) = (vec![1u8; BULK], vec![0u8; BULK]);
    let rounds = (bytes / BULK as u64).max(1);
    to.copy_from_slice(black_box(&from));
    let start = Instant::now();
    for _ in 0..rounds {
        black_box(&mut to).copy_from_slice(black_box(&from));
    }
    (rounds * BULK as u64) as f64 / start.elapsed().as_secs_f64()
}

/// Bytes a second from the partner's memory to this side's.
pub(super) fn read(board: &Board, bytes: u64) -> Result<f64> {
    let [.., written, read] = &board.words().lines;
    let mut own = vec![0u8; BLOCK];
    let mut start = Instant::now();
    let blocks = blocks(bytes);
    for block in 0..blocks + BLOCKS {
        if block == BLOCKS {
            // The first lap is not timed: pages are touched, and the partner begins.
            start = Instant::now();
        }
        wait_for::<true>(board, written, block + 1)?;
        // SAFETY: a place inside the mapping, a block of which is left behind it.
        let shared = unsafe { board.bulk().add(at(block)) };
        // SAFETY: the partner has written this block (`written` says so, Acquire) and does not touch it again
        // before `read` says that we are done with it.
        let shared = unsafe { std::slice::from_raw_parts(shared, BLOCK) };
        own.copy_from_slice(shared);
        read.0.store(block + 1, Release);
        black_box(&mut own);
    }
    Ok((blocks * BLOCK as u64) as f64 / start.elapsed().as_secs_f64())
}

/// The partner's side of [`read`].
pub(super) fn write(board: &Board, bytes: u64) -> Result<()> {
    let [.., written, read] = &board.words().lines;
    let mut own = vec![1u8; BLOCK];
    for block in 0..blocks(bytes) + BLOCKS {
        if block >= BLOCKS {
            wait_for::<true>(board, read, block - BLOCKS + 1)?;
        }
        // SAFETY: a place inside the mapping, a block of which is left behind it.
        let shared = unsafe { board.bulk().add(at(block)) };
        // SAFETY: the reader is done with this block (`read` says so, Acquire) and does not look at it again
        // before `written` says that it is there.
        unsafe { std::ptr::copy_nonoverlapping(black_box(&mut own).as_ptr(), shared, BLOCK) };
        written.0.store(block + 1, Release);
    }
    Ok(())
}

fn blocks(bytes: u64) -> u64 {
    (bytes / BLOCK as u64).max(1)
}

fn at(block: u64) -> usize {
    (block % BLOCKS) as usize * BLOCK
}
