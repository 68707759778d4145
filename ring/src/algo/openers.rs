//! When the stream of many producers ends: with the last one that closes.
//!
//! A bit for each producer that is attached and has not closed. The one whose closing leaves none marks the end in
//! [`Stream`]. A producer that dies or leaves takes its bit with it and marks nothing: a stream ends only by closing.
//!
//! Producers may come, and close, while the last one is about to mark the end. So it makes the stream what the bits
//! say until they say the same afterwards: whoever comes or closes later sees what it made of it.

use super::stream::Stream;
use crate::sync::Ordering::{AcqRel, Acquire, SeqCst};
use crate::sync::{AtomicU64, fence};

/// Rounds before a look gives up: each but the last is lost to somebody who came or closed.
const ROUNDS: u32 = 64;

/// The producers that may still send.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Openers {
    seats: AtomicU64,
}

impl Openers {
    /// The producer in this seat begins; if the stream had ended, this is the next one.
    pub(crate) fn join(&self, seat: u8, stream: &Stream) {
        self.seats.fetch_or(bit(seat), AcqRel); // O1, with O1: what others published before they closed
        fence(SeqCst); // O2, with O3: we see the end, or the one who marks it sees us
        stream.open_if_ended();
    }

    /// The producer in this seat is done. Returns whether that ended the stream.
    pub(crate) fn close(&self, seat: u8, stream: &Stream) -> bool {
        if self.take_out(seat) != 0 {
            return false;
        }
        fence(SeqCst); // O4, with O3: whoever opens the stream again sees us gone, or we see it open
        let mut nobody = true;
        for _ in 0..ROUNDS {
            if nobody {
                stream.end();
            } else {
                stream.open_if_ended();
            }
            fence(SeqCst); // O3, with O2 and O4: whoever comes or closes sees what we made of the stream, or we see it
            let now = self.seats.load(Acquire) == 0; // O1: what those who have closed meanwhile published
            if now == nobody {
                break;
            }
            nobody = now;
        }
        true
    }

    /// The producer in this seat leaves, or is dead. Returns those that remain.
    pub(crate) fn take_out(&self, seat: u8) -> u64 {
        self.seats.fetch_and(!bit(seat), AcqRel) & !bit(seat) // O1, with O1: the last one has seen what all published
    }
}

fn bit(seat: u8) -> u64 {
    1 << (seat & 63)
}
