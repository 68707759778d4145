//! What is borrowed from a ring of slots: a slot to write, a message to read, many of either.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::slice;
use std::time::{Duration, Instant};

use super::reader::Taken;
use super::{Consumer, Producer};
use crate::Result;
use crate::algo::mpmc::Table;
use crate::copy;
use crate::shm::header::SLOT_HEADER;
use crate::shm::region::Region;
use crate::waiting::Until;

/// A slot for one message, to be written in place: a `[u8]` of exactly the length claimed, holding whatever
/// was there before.
///
/// [`Claim::commit`] sends it. Dropping it instead sends nothing, and consumers pass over the slot; so they do when the
/// process dies. In a forked child its bytes are gone: committing and dropping it there do nothing.
#[must_use = "a claim that is not committed sends nothing"]
pub struct Claim<'a> {
    producer: &'a mut Producer,
    /// The messages of the batch it belongs to.
    held: Option<&'a mut u32>,
    ticket: u64,
    bytes: *mut u8,
    len: usize,
}

impl<'a> Claim<'a> {
    /// The caller's producer has claimed this ticket.
    #[inline(always)]
    pub(super) fn new(
        producer: &'a mut Producer,
        held: Option<&'a mut u32>,
        ticket: u64,
        len: usize,
    ) -> Self {
        let bytes = producer.writer.core.region.table().payload(ticket, SLOT_HEADER);
        Self { producer, held, ticket, bytes, len }
    }

    /// The message's id: its place in the one order of all messages of the ring.
    pub fn id(&self) -> u64 {
        self.ticket
    }

    /// Sends the message.
    #[inline(always)]
    pub fn commit(self) {
        let mut this = ManuallyDrop::new(self);
        this.put();
    }

    /// Fills the claim with a message of its length and commits it.
    #[inline(always)]
    pub(super) fn send(self, message: &[u8]) {
        debug_assert_eq!(message.len(), self.len);
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the claim has this length, begins at a multiple of eight and is this producer's alone until it is
        // published; the message is the caller's memory.
        unsafe { copy::into_ring(message.as_ptr(), this.bytes, this.len) };
        this.put();
    }

    #[inline(always)]
    fn put(&mut self) {
        let Self { producer, held, ticket, len, .. } = self;
        let writer = &mut producer.writer;
        if writer.core.region.is_foreign() {
            return;
        }
        let len = *len as u64;
        match held {
            Some(held) => {
                writer.publish_quietly(*ticket, len, put_length(len));
                **held += 1;
            }
            None => writer.publish(*ticket, len, put_length(len)),
        }
    }
}

/// What writes the length of a message into a slot that its caller has claimed, in a ring of messages of any length.
#[inline(always)]
fn put_length(len: u64) -> impl FnOnce(&Region, &Table<'_>, u64) {
    move |region, table, ticket| region.slot_length(table, ticket).set(len)
}

/// What writes a message into a slot that its caller has claimed; it is no longer than the ring takes.
#[inline(always)]
pub(super) fn put(message: &[u8]) -> impl FnOnce(&Region, &Table<'_>, u64) {
    move |region, table, ticket| {
        region.slot_length(table, ticket).set(message.len() as u64);
        let place = table.payload(ticket, SLOT_HEADER);
        // SAFETY: a slot has room for the largest message, its payload begins at a multiple of eight and is this
        // producer's alone until it is published; the message is the caller's memory.
        unsafe { copy::into_ring(message.as_ptr(), place, message.len()) };
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.producer.writer.core.region.is_foreign() {
            self.producer.writer.abandon();
        }
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        // SAFETY: as in `send`; all bytes are initialised (a segment is made of zeros).
        unsafe { slice::from_raw_parts(self.bytes, self.len) }
    }
}

impl DerefMut for Claim<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and the claim is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.bytes, self.len) }
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("id", &self.id()).field("len", &self.len).finish_non_exhaustive()
    }
}

/// Messages each of which is published when it is sent or committed, with consumers woken when the batch is published
/// or dropped, when it blocks, and in any case after [`Batch::MOST`] messages.
///
/// Other than with one producer, what is in a batch is not held back: others would wait for it.
#[derive(Debug)]
pub struct Batch<'a> {
    producer: &'a mut Producer,
    /// Messages nobody has been woken for.
    held: u32,
}

impl<'a> Batch<'a> {
    /// How many messages are published at the most before consumers are woken.
    pub const MOST: u32 = 64;

    pub(super) fn new(producer: &'a mut Producer) -> Self {
        Self { producer, held: 0 }
    }

    /// Sends a message; blocks while the ring is full.
    ///
    /// # Errors
    ///
    /// As [`Producer::send`].
    #[inline(always)]
    pub fn send(&mut self, message: &[u8]) -> Result<()> {
        self.claim(message.len())?.send(message);
        Ok(())
    }

    /// Sends a message if there is room: `false` means the ring is full.
    ///
    /// # Errors
    ///
    /// As [`Producer::try_send`].
    #[inline(always)]
    #[must_use = "a full ring takes nothing"]
    pub fn try_send(&mut self, message: &[u8]) -> Result<bool> {
        let claim = self.try_claim(message.len())?;
        let taken = claim.is_some();
        if let Some(claim) = claim {
            claim.send(message);
        }
        Ok(taken)
    }

    /// As [`Batch::send`], blocking for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Producer::send_timeout`].
    #[inline(always)]
    pub fn send_timeout(&mut self, message: &[u8], timeout: Duration) -> Result<()> {
        self.claim_until(message.len(), Until::After(timeout))?.send(message);
        Ok(())
    }

    /// As [`Batch::send`], blocking until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Producer::send_deadline`].
    #[inline(always)]
    pub fn send_deadline(&mut self, message: &[u8], deadline: Instant) -> Result<()> {
        self.claim_until(message.len(), Until::At(deadline))?.send(message);
        Ok(())
    }

    /// Claims a slot for a message to be written in place; blocks while the ring is full.
    ///
    /// # Errors
    ///
    /// As [`Producer::claim`].
    #[inline(always)]
    pub fn claim(&mut self, len: usize) -> Result<Claim<'_>> {
        self.claim_until(len, Until::Forever)
    }

    /// As [`Batch::claim`] if there is a free slot; `None` means the ring is full.
    ///
    /// # Errors
    ///
    /// As [`Producer::try_claim`].
    #[inline(always)]
    pub fn try_claim(&mut self, len: usize) -> Result<Option<Claim<'_>>> {
        self.producer.check(len)?;
        if self.held >= Self::MOST {
            self.flush();
        }
        let ticket = self.producer.writer.try_claim()?;
        Ok(ticket.map(|ticket| Claim::new(self.producer, Some(&mut self.held), ticket, len)))
    }

    #[inline(always)]
    fn claim_until(&mut self, len: usize, until: Until) -> Result<Claim<'_>> {
        self.producer.check(len)?;
        if self.held >= Self::MOST {
            self.flush();
        }
        let ticket = match self.producer.writer.try_claim()? {
            Some(ticket) => ticket,
            None => {
                // Nothing would ever be freed if those who sleep did not learn of what there is.
                self.flush();
                self.producer.writer.claim_until(until)?
            }
        };
        Ok(Claim::new(self.producer, Some(&mut self.held), ticket, len))
    }

    /// Wakes consumers for what was sent.
    #[inline(always)]
    pub fn publish(mut self) {
        self.flush();
    }

    #[inline(always)]
    fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        if held > 0 && !self.producer.writer.core.region.is_foreign() {
            self.producer.writer.wake(held);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A message in its slot, read in place: a `[u8]`. Released (acknowledged) when dropped.
///
/// In a forked child its bytes are gone, and dropping it does nothing.
///
/// Whoever may write the segment could change it meanwhile; peers are trusted not to. Where they are not,
/// receive by copying: [`Consumer::recv_into`].
#[must_use = "a message is released when dropped"]
pub struct Message<'a> {
    consumer: &'a mut Consumer,
    bytes: *const u8,
    len: usize,
}

impl<'a> Message<'a> {
    /// The caller's consumer has taken this message.
    #[inline(always)]
    pub(super) fn new(consumer: &'a mut Consumer, taken: Taken) -> Result<Self> {
        let len = consumer.length(taken)?;
        let bytes = consumer.reader.core.region.table().payload(taken.ticket(), SLOT_HEADER);
        Ok(Self { consumer, bytes, len })
    }

    /// The message's id: its place in the one order of all messages of the ring. The same if it is delivered again.
    pub fn id(&self) -> u64 {
        self.taken().map_or(0, Taken::ticket)
    }

    /// Whether a consumer that died before releasing it had been handed this message already.
    pub fn redelivered(&self) -> bool {
        self.taken().is_some_and(Taken::redelivered)
    }

    /// What the consumer has taken; it has, as long as there is a message.
    fn taken(&self) -> Option<Taken> {
        self.consumer.reader.taken
    }

    /// Leaves the message to another consumer (or this one, when it receives again), marked
    /// [`redelivered`](Self::redelivered): it is not acknowledged.
    pub fn put_back(self) {
        if !self.consumer.reader.core.region.is_foreign() {
            self.consumer.reader.put_back();
        }
    }
}

impl Drop for Message<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.consumer.reader.core.region.is_foreign() {
            self.consumer.reader.release(self.len as u64);
        }
    }
}

impl Deref for Message<'_> {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        // SAFETY: the length was checked against the slot's room, and the slot is this consumer's until it is released,
        // which is when `self` is dropped.
        unsafe { slice::from_raw_parts(self.bytes, self.len) }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("id", &self.id()).field("len", &self.len).finish_non_exhaustive()
    }
}

/// Many messages, read in place one after another: each is released when the next one is asked for. Producers that sleep
/// are woken when the drain ends, and in any case after [`Drain::MOST`] messages.
///
/// ```
/// # fn main() -> podring::Result<()> {
/// # let name = format!("doc-mpmc-drain-{}", std::process::id());
/// # let mut tx = podring::mpmc(&name).producer()?;
/// # let mut rx = podring::mpmc(&name).consumer()?;
/// # tx.send(b"one")?;
/// # tx.send(b"two")?;
/// let mut drain = rx.drain()?;
/// while let Some(message) = drain.next()? {
///     println!("{} bytes", message.len());
/// }
/// # drop(drain);
/// # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a drain that is not read receives nothing"]
pub struct Drain<'a> {
    consumer: &'a mut Consumer,
    /// Taken and not yet handed out: the first.
    first: Option<Taken>,
    last: Option<Taken>,
    len: usize,
    /// Slots nobody has been woken for.
    freed: u32,
}

impl<'a> Drain<'a> {
    /// How many slots are released at the most before producers are woken.
    pub const MOST: u32 = 64;

    pub(super) fn new(consumer: &'a mut Consumer, first: Taken) -> Self {
        Self { consumer, first: Some(first), last: None, len: 0, freed: 0 }
    }

    /// The next message; `None` if there is none now.
    ///
    /// # Errors
    ///
    /// As [`Consumer::try_recv`].
    // Not an iterator: a message must not outlive the next one.
    #[allow(clippy::should_implement_trait)]
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        self.release();
        let taken = match self.first.take() {
            Some(first) => Some(first),
            None => self.consumer.reader.try_take()?,
        };
        let Some(taken) = taken else { return Ok(None) };
        self.len = self.consumer.length(taken)?;
        self.last = Some(taken);
        let bytes = self.consumer.reader.core.region.table().payload(taken.ticket(), SLOT_HEADER);
        // SAFETY: as in `Message::deref`; released when the drain, which the slice borrows, goes on.
        Ok(Some(unsafe { slice::from_raw_parts(bytes, self.len) }))
    }

    /// The id of the last message that [`Drain::next`] returned, as [`Message::id`].
    pub fn id(&self) -> Option<u64> {
        self.last.map(|taken| taken.ticket())
    }

    /// Whether a consumer that died had been handed the last message that [`Drain::next`] returned.
    pub fn redelivered(&self) -> bool {
        self.last.is_some_and(|taken| taken.redelivered())
    }

    #[inline(always)]
    fn release(&mut self) {
        if self.last.take().is_some() && !self.consumer.reader.core.region.is_foreign() {
            self.freed += u32::from(self.consumer.reader.release_quietly(self.len as u64));
            if self.freed >= Self::MOST {
                self.wake();
            }
        }
    }

    fn wake(&mut self) {
        self.consumer.reader.wake(std::mem::take(&mut self.freed));
    }
}

impl Drop for Drain<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.release();
        if !self.consumer.reader.core.region.is_foreign() {
            // One that was taken and never asked for comes again: it has not been read.
            if self.first.take().is_some() {
                self.consumer.reader.put_back();
            }
            if self.freed > 0 {
                self.wake();
            }
        }
    }
}
