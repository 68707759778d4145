//! What becomes of the claims of the dead.
//!
//! Whoever holds the lock of a dead participant's seat calls [`Table::repair`]: the kernel has proven that nothing more
//! will be written in that name, and nobody else repairs it. A repairer that dies is followed by another that begins
//! anew: every step leaves a ring that the same repair completes.

use super::mpmc::Table;
use super::turn::{Stage, Turn, after};
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// What to do with the message that a dead consumer had been handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// Another consumer gets it: delivered at least once.
    Return,
    /// Nobody gets it: delivered at most once.
    Drop,
}

/// What a repair put right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Repaired {
    /// Slots whose writer died.
    pub(crate) tombstones: u64,
    /// Messages whose reader died.
    pub(crate) orphans: u64,
}

impl Table<'_> {
    /// Puts right what the dead holder of `seat` left.
    pub(crate) fn repair(&self, seat: u8, orphan: Orphan) -> Repaired {
        // The claim that may not have been recorded. Acquire (T1, H1): if the counter names somebody else by now, that
        // one has recorded it.
        let tail = Turn(self.cursors.tail.0.load(Acquire));
        if tail.seat() == seat {
            self.record(tail, Stage::Free, Stage::Writing);
        }
        let head = Turn(self.cursors.head.0.load(Acquire));
        if head.seat() == seat {
            self.record(head, Stage::Ready, Stage::Reading);
        }
        let mut repaired = Repaired::default();
        for index in 0..self.rows.capacity {
            let slot = Turn(self.slot(index).load(Relaxed));
            if slot.seat() != seat {
                continue;
            }
            let (right, count) = match (slot.stage(), orphan) {
                (Some(Stage::Writing), _) => {
                    (Turn::of(slot.ticket(), Stage::Tombstone), &mut repaired.tombstones)
                }
                (Some(Stage::Reading), Orphan::Return) => {
                    (Turn::of(slot.ticket(), Stage::Returned), &mut repaired.orphans)
                }
                (Some(Stage::Reading), Orphan::Drop) => {
                    (Turn::of(after(slot.ticket(), self.rows.capacity), Stage::Free), &mut repaired.orphans)
                }
                _ => continue,
            };
            // Release: as the store that the dead one owed (M2, M3). An exchange, so that what the writer released stays.
            if self.slot(index).compare_exchange(slot.0, right.0, Release, Relaxed).is_ok() {
                *count += 1;
            }
        }
        self.cursors.openers.0.take_out(seat);
        // Also if nothing was found now: an earlier repairer may have died before it came to say so.
        self.cursors.returns.0.fetch_add(1, Release); // G2, with G1: what was given back is marked so
        self.cursors.items.0.wake_all();
        self.cursors.space.0.wake_all();
        repaired
    }
}
