//! Finding the dead, and putting right what they left.

use std::io;

use crate::algo::repair::Orphan;
use crate::shm::header::SeatState;
use crate::shm::region::Region;
use crate::shm::seats;

/// Puts right what the last holder of a seat left, if it died. The caller holds the seat's lock.
pub(crate) fn repair_if_dead(region: &Region, number: usize) -> bool {
    let seat = region.seat(number);
    if !region.identity().kind.is_mpmc() || seat.state() != SeatState::Attached {
        return false;
    }
    let orphan = region.identity().orphan;
    let repaired = region.table().repair(number as u8, orphan);
    seat.counters.abandoned.add(repaired.tombstones);
    if orphan == Orphan::Drop {
        seat.counters.dropped.add(repaired.orphans);
    }
    seat.counters.repairs.add(1);
    seat.repaired();
    true
}

/// Does that for every one of these seats whose holder died. Returns for how many.
pub(crate) fn sweep(region: &Region, numbers: impl Iterator<Item = usize>) -> io::Result<usize> {
    let mut found = 0;
    for number in numbers {
        if region.seat(number).state() != SeatState::Attached || !seats::take(region.file(), number)? {
            continue;
        }
        // It may have been repaired, or taken and left again, before we had the lock.
        found += usize::from(repair_if_dead(region, number));
        seats::give_back(region.file(), number);
    }
    Ok(found)
}
