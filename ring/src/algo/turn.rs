//! The words of a ring of slots: a ticket, a seat, and what is being done, in one.
//!
//! ```text
//! bits  9-63  ticket   the ever-growing number of a message
//!       3-8   seat     who does it
//!       0-2   state    what
//! ```
//!
//! Tickets wrap around after 2^55 messages (eleven years at a hundred million a second), and are compared by distance.

/// What is being done with a ticket in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Stage {
    /// To be written. The claim may have been made: then the tail names its owner.
    Free = 0,
    /// Claimed by the seat and being written.
    Writing = 1,
    /// Written, to be read. The claim may have been made: then the head names its owner.
    Ready = 2,
    /// Claimed by the seat and being read.
    Reading = 3,
    /// Its writer died or gave up: nothing to read.
    Tombstone = 4,
    /// Its reader died: to be read once more, behind the head.
    Returned = 5,
}

const STAGE: u64 = 7;
const SEAT_SHIFT: u32 = 3;
const SEAT: u64 = 63;
const TICKET_SHIFT: u32 = 9;
const TICKET: u64 = u64::MAX >> TICKET_SHIFT;

/// A slot's word; in the tail and the head: the next ticket, and the seat that claimed the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn(pub(crate) u64);

impl Turn {
    #[inline(always)]
    pub(crate) const fn new(ticket: u64, seat: u8, stage: Stage) -> Self {
        Self(ticket << TICKET_SHIFT | (seat as u64 & SEAT) << SEAT_SHIFT | stage as u64)
    }

    /// Without an owner.
    #[inline(always)]
    pub(crate) const fn of(ticket: u64, stage: Stage) -> Self {
        Self::new(ticket, 0, stage)
    }

    #[inline(always)]
    pub(crate) const fn ticket(self) -> u64 {
        self.0 >> TICKET_SHIFT
    }

    /// Below 64, whatever the word holds.
    #[inline(always)]
    pub(crate) const fn seat(self) -> u8 {
        (self.0 >> SEAT_SHIFT & SEAT) as u8
    }

    /// Whether it names this seat.
    #[inline(always)]
    pub(crate) const fn names(self, seat: u8) -> bool {
        (self.0 ^ Self::new(0, seat, Stage::Free).0) & SEAT << SEAT_SHIFT == 0
    }

    /// `None`: no participant writes that.
    #[inline(always)]
    pub(crate) const fn stage(self) -> Option<Stage> {
        Some(match self.0 & STAGE {
            0 => Stage::Free,
            1 => Stage::Writing,
            2 => Stage::Ready,
            3 => Stage::Reading,
            4 => Stage::Tombstone,
            5 => Stage::Returned,
            _ => return None,
        })
    }

    /// How far its ticket is ahead of another one.
    #[inline(always)]
    pub(crate) const fn ahead_of(self, ticket: u64) -> i64 {
        ((self.0 & !(u64::MAX >> (64 - TICKET_SHIFT))).wrapping_sub(ticket << TICKET_SHIFT) as i64)
            >> TICKET_SHIFT
    }
}

/// The ticket `distance` after another one.
#[inline(always)]
pub(crate) const fn after(ticket: u64, distance: u64) -> u64 {
    ticket.wrapping_add(distance) & TICKET
}

/// The ticket before another one.
#[inline(always)]
pub(crate) const fn before(ticket: u64) -> u64 {
    ticket.wrapping_sub(1) & TICKET
}
