//! What is borrowed from a ring: a place to write, a message to read, many of either.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::slice;
use std::time::{Duration, Instant};

use crate::algo::record;
use crate::copy;
use crate::waiting::Until;
use crate::{Consumer, Producer, Result};

/// Room for one message, to be written in place: a `[u8]` of exactly the length claimed, holding whatever
/// was there before.
///
/// [`Claim::commit`] sends it. Dropping it instead sends nothing and leaves no trace, also when the process
/// dies. In a forked child its bytes are gone: committing and dropping it there do nothing.
#[must_use = "a claim that is not committed sends nothing"]
pub struct Claim<'a> {
    producer: &'a mut Producer,
    held: Option<&'a mut Held>,
    bytes: *mut u8,
    len: usize,
    skip: u64,
}

/// What is written and not yet published, or read and not yet released.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Bytes of the ring: headers and padding, too.
    pub(crate) units: u64,
}

impl<'a> Claim<'a> {
    /// The caller has asked the producer's cursor for this room.
    #[inline(always)]
    pub(crate) fn new(producer: &'a mut Producer, held: Option<&'a mut Held>, skip: u64, len: usize) -> Self {
        let before = held.as_ref().map_or(0, |held| held.units).wrapping_add(skip);
        let payload = producer.cursor.position().wrapping_add(before).wrapping_add(record::HEADER);
        let bytes = producer.core.region.slots().at(payload, 1);
        Self { producer, held, bytes, len, skip }
    }

    /// Sends the message (or adds it to the batch).
    #[inline(always)]
    pub fn commit(self) {
        let mut this = ManuallyDrop::new(self);
        this.put();
    }

    /// Fills the claim with a message of its length and commits it.
    #[inline(always)]
    pub(crate) fn send(self, message: &[u8]) {
        debug_assert_eq!(message.len(), self.len);
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the claim has this length and lies in one piece, at a multiple of eight, in the unpublished
        // part of the data area, which is the producer's alone; the message is the caller's memory.
        unsafe { copy::into_ring(message.as_ptr(), this.bytes, this.len) };
        this.put();
    }

    #[inline(always)]
    fn put(&mut self) {
        let Self { producer, held, len, skip, .. } = self;
        if producer.core.region.is_foreign() {
            return;
        }
        let bytes = *len as u64;
        let Held { messages, bytes: others, units } = held.as_ref().map_or(Held::default(), |held| **held);
        let units = producer.cursor.write_record(&producer.core.region.slots(), units, *skip, bytes);
        let now = Held { messages: messages + 1, bytes: others + bytes, units };
        match held {
            Some(held) => **held = now,
            None => producer.publish(now),
        }
    }
}

impl Drop for Claim<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.producer.core.region.is_foreign() {
            self.producer.core.counters().abandoned.add(1);
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
        f.debug_struct("Claim").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Messages that become visible together, with one store, when the batch is published.
///
/// Dropping it instead discards what it holds.
///
/// ```
/// # fn main() -> podring::Result<()> {
/// # let name = format!("doc-batch-{}", std::process::id());
/// # let mut tx = podring::spsc(&name).producer()?;
/// let mut batch = tx.batch();
/// for word in ["one", "two", "three"] {
///     batch.send(word.as_bytes())?;
/// }
/// batch.publish();
/// # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a batch that is not published sends nothing"]
pub struct Batch<'a> {
    producer: &'a mut Producer,
    held: Held,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(producer: &'a mut Producer) -> Self {
        Self { producer, held: Held::default() }
    }

    /// Adds a message. If the ring is full, what the batch holds is published and the call blocks for space.
    ///
    /// # Errors
    ///
    /// As [`Producer::send`].
    #[inline(always)]
    pub fn send(&mut self, message: &[u8]) -> Result<()> {
        self.claim_until(message.len(), Until::Forever)?.send(message);
        Ok(())
    }

    /// Adds a message if there is room: `false` means the ring is full with what the batch holds.
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

    /// Claims room for a message to be written in place; committing it adds it to the batch. If the ring is
    /// full, what the batch holds is published and the call blocks for space.
    ///
    /// # Errors
    ///
    /// As [`Producer::claim`].
    #[inline(always)]
    pub fn claim(&mut self, len: usize) -> Result<Claim<'_>> {
        self.claim_until(len, Until::Forever)
    }

    /// As [`Batch::claim`] if there is room; `None` means the ring is full with what the batch holds.
    ///
    /// # Errors
    ///
    /// As [`Producer::try_claim`].
    #[inline(always)]
    pub fn try_claim(&mut self, len: usize) -> Result<Option<Claim<'_>>> {
        let skip = self.producer.room(self.held.units, len)?;
        Ok(skip.map(|skip| Claim::new(self.producer, Some(&mut self.held), skip, len)))
    }

    #[inline(always)]
    fn claim_until(&mut self, len: usize, until: Until) -> Result<Claim<'_>> {
        let skip = match self.producer.room(self.held.units, len)? {
            Some(skip) => skip,
            None => {
                // Nothing would ever be freed if the consumer did not see what we hold.
                self.flush();
                self.producer.wait_for_room(len, until)?
            }
        };
        Ok(Claim::new(self.producer, Some(&mut self.held), skip, len))
    }

    /// Messages held and not yet published.
    pub fn len(&self) -> usize {
        self.held.messages as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.messages == 0
    }

    /// Makes everything in the batch visible with one store.
    #[inline(always)]
    pub fn publish(mut self) {
        self.flush();
    }

    #[inline(always)]
    fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        if held.messages > 0 && !self.producer.core.region.is_foreign() {
            self.producer.publish(held);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.held.messages > 0 && !self.producer.core.region.is_foreign() {
            self.producer.core.counters().abandoned.add(self.held.messages);
        }
    }
}

/// A message in the ring, read in place: a `[u8]`. Released (acknowledged) when dropped.
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
    /// The caller has the length of the next message from the consumer's cursor.
    #[inline(always)]
    pub(crate) fn new(consumer: &'a mut Consumer, len: u64) -> Self {
        let bytes = consumer.hand_out(len);
        Self { consumer, bytes, len: len as usize }
    }

    /// Whether a consumer that died before releasing it had been handed this message already.
    pub fn redelivered(&self) -> bool {
        self.consumer.is_redelivery()
    }
}

impl Drop for Message<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.consumer.core.region.is_foreign() {
            return;
        }
        self.consumer.cursor.pass_record(self.len as u64);
        self.consumer.release(1, self.len as u64);
    }
}

impl Deref for Message<'_> {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        // SAFETY: the record lies in one piece in the published part of the data area (checked when it was
        // found), which producers leave alone until it is released, which is when `self` is dropped.
        unsafe { slice::from_raw_parts(self.bytes, self.len) }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Many messages, read in place. All that were looked at are released with one store when it is dropped.
///
/// ```
/// # fn main() -> podring::Result<()> {
/// # let name = format!("doc-drain-{}", std::process::id());
/// # let mut tx = podring::spsc(&name).producer()?;
/// # let mut rx = podring::spsc(&name).consumer()?;
/// # tx.send(b"one")?;
/// # tx.send(b"two")?;
/// let mut drain = rx.drain()?;
/// while let Some(message) = drain.next()? {
///     println!("{} bytes", message.len());
/// }
/// drop(drain); // here they are released
/// # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a drain that is not read receives nothing"]
pub struct Drain<'a> {
    consumer: &'a mut Consumer,
    held: Held,
    redelivered: bool,
}

impl<'a> Drain<'a> {
    pub(crate) fn new(consumer: &'a mut Consumer) -> Self {
        Self { consumer, held: Held::default(), redelivered: false }
    }

    /// The next of the messages that were there when the drain began; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`](crate::Error::Corrupt); what was looked at before is released all the same.
    // Not an iterator: a message must not outlive the drain.
    #[allow(clippy::should_implement_trait)]
    #[inline(always)]
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        if self.consumer.cursor.known() == 0 {
            return Ok(None);
        }
        let Some(len) = self.consumer.next()? else { return Ok(None) };
        self.redelivered = self.consumer.is_redelivery();
        let bytes = self.consumer.hand_out(len);
        self.consumer.cursor.pass_record(len);
        self.held.messages += 1;
        self.held.bytes += len;
        // SAFETY: as in `Message::deref`; released when the drain, which the slice borrows, is dropped.
        Ok(Some(unsafe { slice::from_raw_parts(bytes, len as usize) }))
    }

    /// Whether a consumer that died before releasing it had been handed the last message that
    /// [`Drain::next`] returned.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }
}

impl Drop for Drain<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.held.messages > 0 && !self.consumer.core.region.is_foreign() {
            self.consumer.release(self.held.messages, self.held.bytes);
        }
    }
}
