//! The receiving side of a ring of bytes.

use std::time::{Duration, Instant};

use crate::algo::{record, spsc};
use crate::copy;
use crate::guard::{Drain, Message};
use crate::participant::{NotSync, Participant};
use crate::peer::Peer;
use crate::stats::Stats;
use crate::sync;
use crate::waiting::Until;
use crate::{Error, Result};

/// Receives messages in order. One per ring; it may move between threads, but only one uses it at a time.
///
/// Releasing a message acknowledges it: what a consumer was handed and had not released when it died, its
/// successor gets again, marked [`Message::redelivered`].
#[derive(Debug)]
pub struct Consumer {
    pub(crate) core: Participant,
    pub(crate) cursor: spsc::Consumer,
    largest: u64,
    /// Position up to which the last consumer had been handed messages.
    handed_before: u64,
    not_sync: NotSync,
}

/// Bytes that travel between processors at a time.
const LINE: u64 = 64;
/// How many bytes ahead of the message being read lines are asked for.
const AHEAD: u64 = 512;

impl Consumer {
    pub(crate) fn attach(core: Participant) -> Result<Self> {
        let identity = core.region.identity();
        let (capacity, largest) = (identity.capacity, identity.largest);
        let cursor = spsc::Consumer::attach(core.cursors(), capacity, record::HEADER)
            .map_err(|found| core.corrupt(found))?;
        let handed = core.counters().handed.get();
        let ahead = handed.wrapping_sub(cursor.position());
        // Anything else is stale or forged, and only a mark on messages depends on it.
        let handed_before = if ahead <= capacity { handed } else { cursor.position() };
        core.announce();
        Ok(Self { core, cursor, largest, handed_before, not_sync: NotSync::default() })
    }

    /// Receives the next message in place; blocks while the ring is empty. The message is released when the
    /// returned [`Message`] is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] once, when the producer has closed and everything has been received (receiving again
    /// waits for the next stream), [`Error::PeerDied`] (if asked for), [`Error::Replaced`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn recv(&mut self) -> Result<Message<'_>> {
        let len = self.next_until(Until::Forever)?;
        Ok(Message::new(self, len))
    }

    /// Receives the next message in place if there is one; `None` means the ring is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<Option<Message<'_>>> {
        let len = self.next()?;
        Ok(len.map(|len| Message::new(self, len)))
    }

    /// Receives the next message in place; blocks while the ring is empty, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Message<'_>> {
        let len = self.next_until(Until::After(timeout))?;
        Ok(Message::new(self, len))
    }

    /// Receives the next message in place; blocks while the ring is empty, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<Message<'_>> {
        let len = self.next_until(Until::At(deadline))?;
        Ok(Message::new(self, len))
    }

    /// Copies the next message to the front of `buffer`, releases it, and returns its length; blocks while
    /// the ring is empty. Sound even if a peer changes the message meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::BufferTooSmall`]: then the message stays in the ring.
    #[inline(always)]
    pub fn recv_into(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let len = self.next_until(Until::Forever)?;
        self.copy_into(len, buffer)
    }

    /// As [`Consumer::recv_into`] if there is a message; `None` means the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`Consumer::try_recv`], and [`Error::BufferTooSmall`].
    #[inline(always)]
    pub fn try_recv_into(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        self.next()?.map(|len| self.copy_into(len, buffer)).transpose()
    }

    /// As [`Consumer::recv_into`], for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv_into`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_into_timeout(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize> {
        let len = self.next_until(Until::After(timeout))?;
        self.copy_into(len, buffer)
    }

    /// As [`Consumer::recv_into`], until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv_into`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_into_deadline(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize> {
        let len = self.next_until(Until::At(deadline))?;
        self.copy_into(len, buffer)
    }

    /// Replaces what is in `out` by a copy of the next message and releases it; blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`].
    #[inline(always)]
    pub fn recv_to_vec(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let len = self.next_until(Until::Forever)?;
        self.copy_to_vec(len, out)
    }

    /// As [`Consumer::recv_to_vec`] if there is a message; `false` means the ring is empty and `out` is as it was.
    ///
    /// # Errors
    ///
    /// As [`Consumer::try_recv`].
    #[inline(always)]
    #[must_use = "an empty ring yields nothing"]
    pub fn try_recv_to_vec(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        match self.next()? {
            Some(len) => self.copy_to_vec(len, out).map(|()| true),
            None => Ok(false),
        }
    }

    /// As [`Consumer::recv_to_vec`], for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_to_vec_timeout(&mut self, out: &mut Vec<u8>, timeout: Duration) -> Result<()> {
        let len = self.next_until(Until::After(timeout))?;
        self.copy_to_vec(len, out)
    }

    /// As [`Consumer::recv_to_vec`], until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_to_vec_deadline(&mut self, out: &mut Vec<u8>, deadline: Instant) -> Result<()> {
        let len = self.next_until(Until::At(deadline))?;
        self.copy_to_vec(len, out)
    }

    /// Receives everything that is there, in place; blocks while there is nothing. All that was looked at is
    /// released with one store when the returned [`Drain`] is dropped.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`].
    #[inline(always)]
    pub fn drain(&mut self) -> Result<Drain<'_>> {
        self.next_until(Until::Forever)?;
        self.begin_drain()
    }

    /// As [`Consumer::drain`] if there is something; `None` means the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`Consumer::try_recv`].
    #[inline(always)]
    pub fn try_drain(&mut self) -> Result<Option<Drain<'_>>> {
        match self.next()? {
            Some(_) => self.begin_drain().map(Some),
            None => Ok(None),
        }
    }

    /// A drain of everything that is there at this moment, not only of what was there at the last look.
    #[inline(always)]
    fn begin_drain(&mut self) -> Result<Drain<'_>> {
        self.cursor.look(self.core.cursors()).map_err(|found| self.core.corrupt(found))?;
        Ok(Drain::new(self))
    }

    /// As [`Consumer::drain`], for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn drain_timeout(&mut self, timeout: Duration) -> Result<Drain<'_>> {
        self.next_until(Until::After(timeout))?;
        self.begin_drain()
    }

    /// As [`Consumer::drain`], until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn drain_deadline(&mut self, deadline: Instant) -> Result<Drain<'_>> {
        self.next_until(Until::At(deadline))?;
        self.begin_drain()
    }

    #[inline(always)]
    fn next_until(&mut self, until: Until) -> Result<u64> {
        match self.next()? {
            Some(len) => Ok(len),
            None => self.wait_for_message(until),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_for_message(&mut self, until: Until) -> Result<u64> {
        if self.cursor.owes() {
            // A drain was forgotten (`mem::forget`): nothing would ever be sent if it kept the ring full.
            self.release(0, 0);
        }
        let Self { core, cursor, largest, .. } = self;
        core.wait_for("message", until, || {
            let len = look(core, cursor, *largest)?;
            if len.is_none() {
                let slots = core.region.slots();
                sync::touch(slots.at(cursor.position(), 1));
                sync::touch(slots.at(cursor.position().wrapping_add(LINE), 1));
            }
            Ok(len)
        })
        .inspect(|&len| core.spin.note(cursor.known() > record::span(len)))
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<u64>> {
        self.core.check_fork()?;
        look(&self.core, &mut self.cursor, self.largest)
    }

    /// Where a message's bytes are, noting that they are being handed out.
    #[inline(always)]
    pub(crate) fn hand_out(&self, len: u64) -> *const u8 {
        let position = self.cursor.position().wrapping_add(record::HEADER);
        let end = self.cursor.position().wrapping_add(record::span(len));
        if self.is_redelivery() {
            // The mark stays: it says what an earlier holder was handed, should this one die, too.
            self.count_redelivery();
        } else {
            self.core.counters().handed.set(end);
        }
        self.ask_ahead(position, record::span(len));
        self.core.region.slots().at(position, 1)
    }

    #[cold]
    fn count_redelivery(&self) {
        self.core.counters().redeliveries.add(1);
    }

    /// In a stream, asks for the lines of the messages after the next few: where a record begins is known only
    /// from the one before, so the processor cannot ask for them itself.
    #[inline(always)]
    fn ask_ahead(&self, position: u64, span: u64) {
        let into_line = position & (LINE - 1);
        if into_line < span && self.cursor.known() > AHEAD + 2 * LINE {
            let slots = self.core.region.slots();
            sync::touch(slots.at(position.wrapping_add(AHEAD), 1));
            sync::touch(slots.at(position.wrapping_add(AHEAD + LINE), 1));
        }
    }

    /// Whether the message at the read position had been handed to a consumer that died.
    #[inline(always)]
    pub(crate) fn is_redelivery(&self) -> bool {
        is_before(self.cursor.position(), self.handed_before)
    }

    /// Gives everything passed over back to the producer, counts it, and wakes a producer that sleeps.
    #[inline(always)]
    pub(crate) fn release(&mut self, messages: u64, bytes: u64) {
        let counters = self.core.counters();
        counters.messages.add(messages);
        counters.bytes.add(bytes);
        self.cursor.release(self.core.cursors());
        self.core.cursors().space.0.notify(|| self.core.seat().has_woken());
    }

    #[inline(always)]
    fn copy_into(&mut self, len: u64, buffer: &mut [u8]) -> Result<usize> {
        let bytes = len as usize;
        if bytes > buffer.len() {
            return Err(self.too_small(buffer.len(), bytes));
        }
        self.copy_out(len, buffer.as_mut_ptr());
        Ok(bytes)
    }

    #[inline(always)]
    fn copy_to_vec(&mut self, len: u64, out: &mut Vec<u8>) -> Result<()> {
        let bytes = len as usize;
        out.clear();
        out.reserve(bytes);
        self.copy_out(len, out.as_mut_ptr());
        // SAFETY: `copy_out` has just written `len` bytes, for which `reserve` made room.
        #[allow(unsafe_code)]
        unsafe {
            out.set_len(bytes);
        }
        Ok(())
    }

    /// Copies a message to `to`, which has room for it, and releases it.
    #[inline(always)]
    fn copy_out(&mut self, len: u64, to: *mut u8) {
        let from = self.hand_out(len);
        // SAFETY: `next` checked that the record lies in the published part of the data area, in one piece;
        // it is ours until it is released, starts at a multiple of eight and is padded to one. The buffer is
        // private and large enough (both callers checked).
        #[allow(unsafe_code)]
        unsafe {
            copy::out_of_ring(from, to, len as usize);
        }
        self.cursor.pass_record(len);
        self.release(1, len);
    }

    #[cold]
    #[inline(never)]
    fn too_small(&self, buffer: usize, len: usize) -> Error {
        Error::BufferTooSmall { ring: self.core.ring.clone(), buffer, len }
    }

    /// Bytes of data the ring holds.
    pub fn capacity(&self) -> usize {
        self.core.region.identity().capacity as usize
    }

    /// The largest message in bytes.
    pub fn largest_message(&self) -> usize {
        self.largest as usize
    }

    /// The ring's name.
    pub fn name(&self) -> &str {
        &self.core.ring
    }

    /// Everybody else who is attached and alive.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], [`Error::Forked`].
    pub fn peers(&self) -> Result<Vec<Peer>> {
        self.core.peers()
    }

    /// Waits until a producer is attached.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::Replaced`].
    pub fn wait_for_peer(&mut self, timeout: Duration) -> Result<Peer> {
        self.core.wait_for_peer(timeout)
    }

    /// What this seat has counted.
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }
}

/// Whether one free-running position is before another.
#[inline(always)]
fn is_before(position: u64, other: u64) -> bool {
    (other.wrapping_sub(position) as i64) > 0
}

/// The next message, `None` if there is none now, [`Error::Closed`] if there will be none.
#[inline(always)]
fn look(core: &Participant, cursor: &mut spsc::Consumer, largest: u64) -> Result<Option<u64>> {
    match cursor.next_record(core.cursors(), core.region.slots(), largest) {
        Ok(Some(len)) => Ok(Some(len)),
        Ok(None) => core.drained(|| look_again(core, cursor, largest)),
        Err(found) => Err(core.corrupt(found)),
    }
}

#[cold]
#[inline(never)]
fn look_again(core: &Participant, cursor: &mut spsc::Consumer, largest: u64) -> Result<Option<u64>> {
    cursor.next_record(core.cursors(), core.region.slots(), largest).map_err(|found| core.corrupt(found))
}
