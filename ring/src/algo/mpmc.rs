//! Many producers, many consumers: a fixed number of slots in one total order, and every claim has a name on it.
//!
//! Vyukov's bounded queue (2010) takes a ticket from a shared counter and then the slot of that ticket. Who is killed in
//! between leaves a hole nobody can fill, for nobody knows whose ticket it was. Here the counter's word holds the next
//! ticket *and the seat that claimed the one before*, so the one atomic step that takes a ticket also says who took it.
//! Before that name is replaced, the next claimer makes sure that it is recorded in the slot of the ticket it stands
//! for. So at any instant at most one claim a side is not recorded in its slot, and that one is named by the counter.
//!
//! A claimer need not record its own last claim: a participant has at most one claim of each kind at a time, so its
//! last one is done with by then.
//!
//! Slots go Free(t) -> Writing(t, seat) -> Ready(t) -> Reading(t, seat) -> Free(t + capacity), where Writing and Reading
//! may be left out. [`repair`](super::repair) says what becomes of the claims of the dead.

use super::corrupt::Corrupt;
use super::cursors::Cursors;
use super::slots::Slots;
use super::turn::{Stage, Turn, after, before};
use crate::sync::AtomicU64;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Rounds before a look gives up. Every round but the last is lost to another participant's progress, so only words
/// that are being rewritten for ever get here.
const ROUNDS: u32 = 1024;

/// What a consumer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The message of this ticket, which is now the caller's to read.
    Message(u64),
    /// Nothing has been published.
    Nothing,
    /// The next message is being written by this seat.
    Behind(u8),
}

/// A claim that is not done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) seat: u8,
    pub(crate) ticket: u64,
}

/// Where the slots are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    pub(crate) slots: Slots,
    /// Words of eight bytes from slot to slot.
    pub(crate) words: usize,
    /// Slots, a power of two, at least two.
    pub(crate) capacity: u64,
}

/// A ring of slots, as seen by one participant. It holds where they are itself, so that an operation that makes one reads
/// that once, not again behind each of its atomic steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) cursors: &'a Cursors,
    pub(crate) rows: Rows,
}

/// Why one look did not get a claim.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Missed {
    /// The slot of the ticket that the counter held was something else.
    Slot { seen: Turn, slot: Turn },
    /// Somebody else got the ticket; the counter now holds this.
    Counter(Turn),
}

impl Table<'_> {
    /// Prepares a slot of a ring that nobody else can see yet.
    pub(crate) fn initialise(&self, index: u64) {
        self.slot(index).store(Turn::of(index, Stage::Free).0, Relaxed);
    }

    /// Where the slot of a ticket begins.
    #[inline(always)]
    pub(crate) fn place(&self, ticket: u64) -> *mut u8 {
        self.rows.slots.at(ticket, self.rows.words * 8)
    }

    /// Where the payload of a slot begins, behind a header of the ring's kind; it has room for the largest message,
    /// rounded up to a multiple of eight.
    #[inline(always)]
    pub(crate) fn payload(&self, ticket: u64, header: u64) -> *mut u8 {
        self.place(ticket).wrapping_add(header as usize)
    }

    #[inline(always)]
    pub(crate) fn slot(&self, ticket: u64) -> &AtomicU64 {
        self.rows.slots.state(ticket, self.rows.words)
    }

    /// Claims the next slot for writing, in the name of `seat`; `None` if the ring is full. The caller has no other
    /// claim to write.
    pub(crate) fn claim(&self, seat: u8) -> Result<Option<u64>, Corrupt> {
        let mut look = self.try_claim(seat);
        for _ in 1..ROUNDS {
            let seen = match look {
                Ok(ticket) => return Ok(Some(ticket)),
                Err(Missed::Counter(now)) => now,
                Err(Missed::Slot { seen, slot }) => match self.not_free(seen, slot)? {
                    Some(now) => now,
                    None => return Ok(None),
                },
            };
            look = self.claim_at(seen, seat);
        }
        Ok(look.ok())
    }

    /// The same with a single look, for whoever calls [`Table::claim`] if that was not enough.
    #[inline(always)]
    pub(crate) fn try_claim(&self, seat: u8) -> Result<u64, Missed> {
        let seen = Turn(self.cursors.tail.0.load(Acquire)); // T1, with T2: the claims before it are recorded
        self.claim_at(seen, seat)
    }

    /// Claims the ticket that the tail held when it was `seen`.
    #[inline(always)]
    fn claim_at(&self, seen: Turn, seat: u8) -> Result<u64, Missed> {
        let ticket = seen.ticket();
        let slot = Turn(self.slot(ticket).load(Acquire)); // M1, with M2: its last reader is done
        if slot != Turn::of(ticket, Stage::Free) {
            return Err(Missed::Slot { seen, slot });
        }
        let advanced = self.advance(&self.cursors.tail.0, seen, seat, [Stage::Free, Stage::Writing]);
        advanced.map(|()| ticket).map_err(Missed::Counter)
    }

    /// What a slot means that was not free when the tail was `seen`: `None`, that the ring is full, or what the tail
    /// holds now.
    #[cold]
    #[inline(never)]
    fn not_free(self, seen: Turn, slot: Turn) -> Result<Option<Turn>, Corrupt> {
        let ahead = slot.ahead_of(seen.ticket());
        if ahead >= 0 {
            return self.moved(&self.cursors.tail.0, seen, slot).map(Some);
        }
        // The last lap's message is still there.
        let last_lap = ahead == -(self.rows.capacity as i64);
        if last_lap && slot.stage().is_some_and(|stage| stage != Stage::Free) {
            return Ok(None);
        }
        Err(bad_slot(slot, seen.ticket()))
    }

    /// Hands a slot that was claimed and written to the consumers.
    #[inline(always)]
    pub(crate) fn publish(&self, ticket: u64) {
        self.slot(ticket).store(Turn::of(ticket, Stage::Ready).0, Release); // M3, with M4: the message is written
    }

    /// Gives up a slot that was claimed for writing: readers pass over it.
    pub(crate) fn abandon(&self, ticket: u64) {
        self.slot(ticket).store(Turn::of(ticket, Stage::Tombstone).0, Release); // M3, with M4: as a message
    }

    /// Claims the next message for reading, in the name of `seat`. The caller has no other message to read.
    pub(crate) fn take(&self, seat: u8) -> Result<Next, Corrupt> {
        let mut look = self.try_take(seat);
        for _ in 1..ROUNDS {
            let seen = match look {
                Ok(next) => return Ok(next),
                Err(Missed::Counter(now)) => now,
                Err(Missed::Slot { seen, slot }) => match self.not_ready(seat, seen, slot)? {
                    Ok(next) => return Ok(next),
                    Err(now) => now,
                },
            };
            look = self.take_at(seen, seat);
        }
        Ok(look.unwrap_or(Next::Nothing))
    }

    /// The same with a single look, for whoever calls [`Table::take`] if that was not enough.
    #[inline(always)]
    pub(crate) fn try_take(&self, seat: u8) -> Result<Next, Missed> {
        let seen = Turn(self.cursors.head.0.load(Acquire)); // H1, with H2: the claims before it are recorded
        self.take_at(seen, seat)
    }

    /// Claims the message of the ticket that the head held when it was `seen`.
    #[inline(always)]
    fn take_at(&self, seen: Turn, seat: u8) -> Result<Next, Missed> {
        let ticket = seen.ticket();
        let slot = Turn(self.slot(ticket).load(Acquire)); // M4, with M3: the message is written
        if slot == Turn::of(ticket, Stage::Ready) {
            let advanced = self.advance(&self.cursors.head.0, seen, seat, [Stage::Ready, Stage::Reading]);
            return advanced.map(|()| Next::Message(ticket)).map_err(Missed::Counter);
        }
        if slot == Turn::of(ticket, Stage::Free) {
            return Ok(Next::Nothing);
        }
        Err(Missed::Slot { seen, slot })
    }

    /// What a slot means that was neither ready nor free when the head was `seen`: what there is to have, or, as an error,
    /// that the head is to be looked at again and now holds this.
    #[cold]
    #[inline(never)]
    fn not_ready(self, seat: u8, seen: Turn, slot: Turn) -> Result<Result<Next, Turn>, Corrupt> {
        let head = &self.cursors.head.0;
        let ticket = seen.ticket();
        Ok(match (slot.ahead_of(ticket), slot.stage()) {
            (0, Some(Stage::Writing)) => Ok(Next::Behind(slot.seat())),
            (0, Some(Stage::Tombstone)) => {
                self.bury(ticket, slot);
                Err(seen)
            }
            // The message of the last lap is still being read, so nobody can have written this one.
            (distance, Some(Stage::Reading | Stage::Returned))
                if distance == -(self.rows.capacity as i64) =>
            {
                Ok(Next::Nothing)
            }
            // The slot is already the next lap's: a tombstone was here, or the head has moved on.
            (distance, Some(_)) if distance == self.rows.capacity as i64 => {
                Err(match self.advance(head, seen, seat, [Stage::Ready, Stage::Reading]) {
                    Ok(()) => Turn(head.load(Acquire)), // H1, with H2
                    Err(now) => now,
                })
            }
            (distance, Some(_)) if distance >= 0 => Err(self.moved(head, seen, slot)?),
            _ => return Err(bad_slot(slot, ticket)),
        })
    }

    /// Claims a message that a dead consumer had been handed, if there may be one. `seen` is how many times the caller
    /// knows messages to have been given back.
    #[inline(always)]
    pub(crate) fn adopt(&self, seat: u8, seen: &mut u64) -> Result<Option<u64>, Corrupt> {
        let now = self.returns();
        if now == *seen {
            return Ok(None);
        }
        let found = self.find_returned(seat)?;
        if found.is_none() {
            *seen = now;
        }
        Ok(found)
    }

    /// How many times messages may have been given back: if that is what the caller knows, there is none to adopt.
    #[inline(always)]
    pub(crate) fn returns(&self) -> u64 {
        self.cursors.returns.0.load(Acquire) // G1, with G2: what was given back is marked so
    }

    #[cold]
    #[inline(never)]
    fn find_returned(self, seat: u8) -> Result<Option<u64>, Corrupt> {
        for index in 0..self.rows.capacity {
            let slot = Turn(self.slot(index).load(Relaxed));
            if slot.stage() != Some(Stage::Returned) {
                continue;
            }
            let ticket = slot.ticket();
            if ticket & (self.rows.capacity - 1) != index {
                return Err(bad_slot(slot, index));
            }
            let mine = Turn::new(ticket, seat, Stage::Reading);
            // M4, with M3: through all the exchanges in between, the message is written.
            if self.slot(index).compare_exchange(slot.0, mine.0, Acquire, Relaxed).is_ok() {
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }

    /// Gives a slot that was read back to the producers: the acknowledgement.
    #[inline(always)]
    pub(crate) fn release(&self, ticket: u64) {
        let next = Turn::of(after(ticket, self.rows.capacity), Stage::Free);
        self.slot(ticket).store(next.0, Release); // M2, with M1: we no longer read it
    }

    /// Lets another consumer have a message that was claimed for reading, as after a repair.
    #[cold]
    pub(crate) fn put_back(&self, ticket: u64) {
        self.slot(ticket).store(Turn::of(ticket, Stage::Returned).0, Release); // M3, with M4: it is still written
        self.cursors.returns.0.fetch_add(1, Release); // G2, with G1
    }

    /// Whether another message is ready behind the one just taken, or another slot free behind the one just claimed.
    pub(crate) fn more(&self, ticket: u64, stage: Stage) -> bool {
        let next = after(ticket, 1);
        self.slot(next).load(Relaxed) == Turn::of(next, stage).0
    }

    /// The claim that consumers wait for now: somebody writes the message at the head. For whoever only watches.
    pub(crate) fn unpublished(&self) -> Option<Behind> {
        let ticket = ticket(&self.cursors.head.0);
        self.held(ticket, &self.cursors.tail.0, [Stage::Free, Stage::Writing])
    }

    /// The claim that producers wait for now: somebody still reads what the slot at the tail held a lap ago.
    pub(crate) fn unreleased(&self) -> Option<Behind> {
        let ticket = after(ticket(&self.cursors.tail.0), self.rows.capacity.wrapping_neg());
        self.held(ticket, &self.cursors.head.0, [Stage::Ready, Stage::Reading])
    }

    /// Who has claimed a ticket, as its slot says or, if the claim is not recorded yet, the counter.
    fn held(&self, ticket: u64, counter: &AtomicU64, [from, to]: [Stage; 2]) -> Option<Behind> {
        let slot = Turn(self.slot(ticket).load(Relaxed));
        if slot.ticket() != ticket {
            return None;
        }
        if slot.stage() == Some(to) {
            return Some(Behind { seat: slot.seat(), ticket });
        }
        let last = Turn(counter.load(Relaxed));
        let unrecorded = slot.stage() == Some(from) && before(last.ticket()) == ticket;
        unrecorded.then_some(Behind { seat: last.seat(), ticket })
    }

    /// Takes the ticket that `counter` holds, in the name of `seat`, or says what the counter holds now.
    ///
    /// The claim before it is recorded first: once the counter names somebody else, nothing but its slot could.
    #[inline(always)]
    fn advance(&self, counter: &AtomicU64, seen: Turn, seat: u8, [from, to]: [Stage; 2]) -> Result<(), Turn> {
        if !seen.names(seat) {
            self.record(seen, from, to);
        }
        let next = Turn::new(after(seen.ticket(), 1), seat, Stage::Free);
        // T2 and H2, with T1 and H1: what is recorded. Acquire on failure: as the first load.
        counter.compare_exchange(seen.0, next.0, AcqRel, Acquire).map(drop).map_err(Turn)
    }

    /// Puts the name that a counter holds into the slot of the ticket that it stands for, unless that is done with.
    #[inline(always)]
    pub(super) fn record(&self, counter: Turn, from: Stage, to: Stage) {
        let ticket = before(counter.ticket());
        let slot = self.slot(ticket);
        let unrecorded = Turn::of(ticket, from).0;
        if slot.load(Relaxed) == unrecorded {
            let recorded = Turn::new(ticket, counter.seat(), to).0;
            // M5, with M1 and M4: who finds the name here finds the counter moved on. An exchange, so that what the
            // slot's last store released stays.
            let _ = slot.compare_exchange(unrecorded, recorded, Release, Relaxed);
        }
    }

    /// Frees a tombstone that has come up to be read. If the caller dies right after, the next consumer finds the slot
    /// ahead of the head, and goes on.
    fn bury(&self, ticket: u64, tombstone: Turn) {
        let next = Turn::of(after(ticket, self.rows.capacity), Stage::Free);
        // Release keeps M2's order for the next writer, though nobody has read the slot.
        if self.slot(ticket).compare_exchange(tombstone.0, next.0, Release, Relaxed).is_ok() {
            self.cursors.space.0.notify_some(1);
        }
    }

    /// The counter as it is now that the slot of the ticket it held is somebody's.
    fn moved(&self, counter: &AtomicU64, seen: Turn, slot: Turn) -> Result<Turn, Corrupt> {
        let now = Turn(counter.load(Acquire)); // T1 and H1
        if now == seen { Err(bad_slot(slot, seen.ticket())) } else { Ok(now) }
    }
}

#[cold]
fn bad_slot(found: Turn, ticket: u64) -> Corrupt {
    Corrupt { field: "slot", value: found.0, expected: ticket }
}

/// The ticket that a counter holds, for whoever only watches.
pub(crate) fn ticket(counter: &AtomicU64) -> u64 {
    Turn(super::position(counter)).ticket()
}
