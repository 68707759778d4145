//! One producer, one consumer: two free-running positions, each written by one side.
//!
//! Lamport's queue with the opposite position cached on each side (as in MCRingBuffer, Lee, Bu and
//! Chandranmenon 2010): the shared line is looked at only when the cached value says full or empty.
//! Publishing is one release store of the tail, releasing one of the head. A death before either store
//! means that nothing happened, a death after it that all of it did; so a successor only reads the two
//! positions and goes on.

use super::corrupt::Corrupt;
use super::cursors::Cursors;
use super::record::{self, Found};
use super::slots::Slots;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

/// The producer's side. Its own position lives here and is never read back from the segment. What is written and not yet
/// published lies behind it, and is the caller's to count: forgetting the count forgets the messages.
#[derive(Debug)]
pub(crate) struct Producer {
    capacity: u64,
    /// End of what is published.
    tail: u64,
    /// The consumer's position when last looked at.
    head: u64,
}

impl Producer {
    /// Takes over at the published position. The caller holds the producer's seat. Positions are multiples of
    /// `granule`.
    pub(crate) fn attach(cursors: &Cursors, capacity: u64, granule: u64) -> Result<Self, Corrupt> {
        // Relaxed: only the seat's holder stores the tail, and the kernel's lock orders us after the last one.
        let tail = cursors.tail.0.load(Relaxed);
        let head = cursors.head.0.load(Acquire); // P0, with C2: what lies below it is no longer read
        if tail.wrapping_sub(head) > capacity || tail % granule != 0 {
            return Err(Corrupt { field: "tail", value: tail, expected: head });
        }
        Ok(Self { capacity, tail, head })
    }

    /// Whether `need` units are free behind what is published. Looks at the consumer's position only when the last
    /// look says no.
    #[inline(always)]
    pub(crate) fn has_room(&mut self, cursors: &Cursors, need: u64) -> Result<bool, Corrupt> {
        if self.tail.wrapping_sub(self.head).wrapping_add(need) <= self.capacity {
            return Ok(true);
        }
        let head = cursors.head.0.load(Acquire); // P1, with C2: its reader is done
        if head.wrapping_sub(self.head) > self.tail.wrapping_sub(self.head) {
            return Err(Corrupt { field: "head", value: head, expected: self.tail });
        }
        self.head = head;
        Ok(self.tail.wrapping_sub(head).wrapping_add(need) <= self.capacity)
    }

    /// Units that are free behind what is published, as far as is known without looking.
    #[inline(always)]
    #[allow(dead_code)] // only typed rings ask
    pub(crate) fn known_room(&self) -> u64 {
        self.capacity.wrapping_sub(self.tail.wrapping_sub(self.head))
    }

    /// Room for a record of `len` bytes behind the `held` ones: the bytes to skip before it, or `None` if the ring is
    /// full.
    #[inline(always)]
    pub(crate) fn claim_record(
        &mut self,
        cursors: &Cursors,
        held: u64,
        len: u64,
    ) -> Result<Option<u64>, Corrupt> {
        let need = record::span(len);
        let skip = record::skip(self.tail.wrapping_add(held), need, self.capacity);
        Ok(self.has_room(cursors, held + skip + need)?.then_some(skip))
    }

    /// Puts the claimed record's header (and the padding before it) in place. Returns the bytes held with it.
    #[inline(always)]
    pub(crate) fn write_record(&self, slots: &Slots, held: u64, skip: u64, len: u64) -> u64 {
        let position = self.tail.wrapping_add(held);
        if skip > 0 {
            record::write_padding(slots, position, skip);
        }
        record::write_message(slots, position.wrapping_add(skip), len);
        held + skip + record::span(len)
    }

    /// End of what is published: where the next unit is written, if none is held.
    #[inline(always)]
    pub(crate) fn position(&self) -> u64 {
        self.tail
    }

    /// Hands the next `units`, which are written, to the consumer with one store.
    #[inline(always)]
    pub(crate) fn publish(&mut self, cursors: &Cursors, units: u64) {
        self.tail = self.tail.wrapping_add(units);
        cursors.tail.0.store(self.tail, Release); // P2, with C1: the messages are written
    }
}

/// The consumer's side. Its own position lives here and is never read back from the segment.
#[derive(Debug)]
pub(crate) struct Consumer {
    capacity: u64,
    /// The next unit to read.
    head: u64,
    /// End of what is released.
    released: u64,
    /// The producer's position when last looked at.
    tail: u64,
}

impl Consumer {
    /// Takes over at the released position: what the last consumer did not release comes again. The caller
    /// holds the consumer's seat. Positions are multiples of `granule`.
    pub(crate) fn attach(cursors: &Cursors, capacity: u64, granule: u64) -> Result<Self, Corrupt> {
        // Relaxed: only the seat's holder stores the head, and the kernel's lock orders us after the last one.
        let head = cursors.head.0.load(Relaxed);
        if head % granule != 0 {
            return Err(Corrupt { field: "head", value: head, expected: granule });
        }
        // Starting as if empty makes the first look an acquire of its own (C1).
        let mut consumer = Self { capacity, head, released: head, tail: head };
        consumer.available(cursors)?;
        Ok(consumer)
    }

    /// Units published and not yet read. Looks at the producer's position only when the last look says none.
    #[inline(always)]
    pub(crate) fn available(&mut self, cursors: &Cursors) -> Result<u64, Corrupt> {
        if self.head == self.tail {
            self.look(cursors)?;
        }
        Ok(self.known())
    }

    /// Looks at the producer's position.
    #[inline(always)]
    pub(crate) fn look(&mut self, cursors: &Cursors) -> Result<(), Corrupt> {
        let tail = cursors.tail.0.load(Acquire); // C1, with P2: the messages below it are written
        if tail == self.tail {
            return Ok(());
        }
        let most = self.capacity.wrapping_sub(self.tail.wrapping_sub(self.released));
        if tail.wrapping_sub(self.tail) > most {
            return Err(Corrupt { field: "tail", value: tail, expected: self.tail });
        }
        self.tail = tail;
        Ok(())
    }

    /// Units published and not yet read, as far as is known without looking.
    #[inline(always)]
    pub(crate) fn known(&self) -> u64 {
        self.tail.wrapping_sub(self.head)
    }

    /// The length of the next message, which lies behind the header at [`Consumer::position`]. It stays the next one
    /// until [`Consumer::pass_record`]. Padding before it is passed over.
    #[inline(always)]
    pub(crate) fn next_record(
        &mut self,
        cursors: &Cursors,
        slots: Slots,
        largest: u64,
    ) -> Result<Option<u64>, Corrupt> {
        let available = self.available(cursors)?;
        if available == 0 {
            return Ok(None);
        }
        match record::read(&slots, self.head, available, self.capacity, largest) {
            Found::Message(len) => Ok(Some(len)),
            Found::Padding(bytes) => self.record_behind_padding(slots, bytes, available, largest).map(Some),
            Found::Bad(bad) => Err(self.bad_header(bad)),
        }
    }

    /// Once a lap.
    #[cold]
    fn record_behind_padding(
        &mut self,
        slots: Slots,
        padding: u64,
        available: u64,
        largest: u64,
    ) -> Result<u64, Corrupt> {
        // Padding is published together with the message it makes room for.
        self.pass(padding);
        let available = available - padding;
        if available == 0 {
            return Err(self.bad_header(0));
        }
        match record::read(&slots, self.head, available, self.capacity, largest) {
            Found::Message(len) => Ok(len),
            Found::Padding(bad) | Found::Bad(bad) => Err(self.bad_header(bad)),
        }
    }

    #[cold]
    fn bad_header(&self, found: u64) -> Corrupt {
        Corrupt { field: "record header", value: found, expected: self.head }
    }

    /// Counts the record of `len` bytes at the read position as read; [`Consumer::release`] gives it back.
    #[inline(always)]
    pub(crate) fn pass_record(&mut self, len: u64) {
        self.pass(record::span(len));
    }

    /// Where the next unit is read.
    #[inline(always)]
    pub(crate) fn position(&self) -> u64 {
        self.head
    }

    /// Counts `units` as read.
    #[inline(always)]
    pub(crate) fn pass(&mut self, units: u64) {
        self.head = self.head.wrapping_add(units);
    }

    /// Whether something is read and not released.
    pub(crate) fn owes(&self) -> bool {
        self.head != self.released
    }

    /// Gives everything read back to the producer with one store: the acknowledgement.
    #[inline(always)]
    pub(crate) fn release(&mut self, cursors: &Cursors) {
        self.released = self.head;
        cursors.head.0.store(self.head, Release); // C2, with P0 and P1: we no longer read below it
    }
}
