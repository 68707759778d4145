//! One of many that receive messages of any length.

use std::time::{Duration, Instant};

use super::guard::{Drain, Message};
use super::reader::{Reader, Taken};
use crate::algo::corrupt::Corrupt;
use crate::copy;
use crate::participant::{NotSync, Participant};
use crate::peer::Peer;
use crate::shm::header::SLOT_HEADER;
use crate::stats::Stats;
use crate::waiting::Until;
use crate::{Error, Result};

/// Receives messages from a ring that many receive from; each message goes to one of them. It may move between threads,
/// but only one uses it at a time: each thread makes its own.
///
/// Releasing a message acknowledges it: what a consumer was handed and had not released when it died, another one gets,
/// marked [`Message::redelivered`].
#[derive(Debug)]
pub struct Consumer {
    pub(super) reader: Reader,
    largest: u64,
    not_sync: NotSync,
}

impl Consumer {
    pub(crate) fn attach(core: Participant) -> Result<Self> {
        let largest = core.region.identity().largest;
        Ok(Self { reader: Reader::new(core)?, largest, not_sync: NotSync::default() })
    }

    /// Receives the next message in place; blocks while the ring is empty. The message is released when the
    /// returned [`Message`] is dropped; one that is forgotten (`mem::forget`) when this consumer receives again or goes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] once, when the last producer has closed and everything has been received (receiving again
    /// waits for the next stream), [`Error::PeerDied`] (if asked for), [`Error::Replaced`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn recv(&mut self) -> Result<Message<'_>> {
        self.recv_until(Until::Forever)
    }

    /// Receives the next message in place if there is one; `None` means there is none to be had now.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<Option<Message<'_>>> {
        let taken = self.reader.try_take()?;
        taken.map(|taken| Message::new(self, taken)).transpose()
    }

    /// Receives the next message in place; blocks while the ring is empty, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Message<'_>> {
        self.recv_until(Until::After(timeout))
    }

    /// Receives the next message in place; blocks while the ring is empty, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<Message<'_>> {
        self.recv_until(Until::At(deadline))
    }

    #[inline(always)]
    fn recv_until(&mut self, until: Until) -> Result<Message<'_>> {
        let taken = self.reader.take_until(until)?;
        Message::new(self, taken)
    }

    /// Copies the next message to the front of `buffer`, releases it, and returns its length; blocks while
    /// the ring is empty. Sound even if a peer changes the message meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::BufferTooSmall`], before anything is received: a buffer has room for the
    /// ring's largest message, as others take what this consumer leaves.
    #[inline(always)]
    pub fn recv_into(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_into_until(buffer, Until::Forever)
    }

    /// As [`Consumer::recv_into`] if there is a message; `None` means there is none to be had now.
    ///
    /// # Errors
    ///
    /// As [`Consumer::try_recv`], and [`Error::BufferTooSmall`].
    #[inline(always)]
    pub fn try_recv_into(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        self.check_buffer(buffer.len())?;
        self.reader.try_take()?.map(|taken| self.copy_out(taken, buffer.as_mut_ptr())).transpose()
    }

    /// As [`Consumer::recv_into`], for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv_into`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_into_timeout(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize> {
        self.recv_into_until(buffer, Until::After(timeout))
    }

    /// As [`Consumer::recv_into`], until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv_into`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_into_deadline(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize> {
        self.recv_into_until(buffer, Until::At(deadline))
    }

    #[inline(always)]
    fn recv_into_until(&mut self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.check_buffer(buffer.len())?;
        let taken = self.reader.take_until(until)?;
        self.copy_out(taken, buffer.as_mut_ptr())
    }

    /// Replaces what is in `out` by a copy of the next message and releases it; blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`].
    #[inline(always)]
    pub fn recv_to_vec(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let taken = self.reader.take_until(Until::Forever)?;
        self.copy_to_vec(taken, out)
    }

    /// As [`Consumer::recv_to_vec`] if there is a message; `false` means there is none and `out` is as it was.
    ///
    /// # Errors
    ///
    /// As [`Consumer::try_recv`].
    #[inline(always)]
    #[must_use = "an empty ring yields nothing"]
    pub fn try_recv_to_vec(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        match self.reader.try_take()? {
            Some(taken) => self.copy_to_vec(taken, out).map(|()| true),
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
        let taken = self.reader.take_until(Until::After(timeout))?;
        self.copy_to_vec(taken, out)
    }

    /// As [`Consumer::recv_to_vec`], until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_to_vec_deadline(&mut self, out: &mut Vec<u8>, deadline: Instant) -> Result<()> {
        let taken = self.reader.take_until(Until::At(deadline))?;
        self.copy_to_vec(taken, out)
    }

    /// Receives many messages in place, each released when the next one is asked for, and producers woken once; blocks
    /// while the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`].
    pub fn drain(&mut self) -> Result<Drain<'_>> {
        let taken = self.reader.take_until(Until::Forever)?;
        Ok(Drain::new(self, taken))
    }

    /// As [`Consumer::drain`], for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    pub fn drain_timeout(&mut self, timeout: Duration) -> Result<Drain<'_>> {
        let taken = self.reader.take_until(Until::After(timeout))?;
        Ok(Drain::new(self, taken))
    }

    /// As [`Consumer::drain`], until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`], and [`Error::Timeout`].
    pub fn drain_deadline(&mut self, deadline: Instant) -> Result<Drain<'_>> {
        let taken = self.reader.take_until(Until::At(deadline))?;
        Ok(Drain::new(self, taken))
    }

    /// The length of a message that was taken, checked.
    #[inline(always)]
    pub(super) fn length(&mut self, taken: Taken) -> Result<usize> {
        let region = &self.reader.core.region;
        let len = region.slot_length(&region.table(), taken.ticket()).get();
        if len > self.largest {
            return Err(self.bad_length(len));
        }
        Ok(len as usize)
    }

    #[cold]
    #[inline(never)]
    fn bad_length(&mut self, found: u64) -> Error {
        self.reader.release(0);
        self.reader.core.corrupt(Corrupt { field: "message length", value: found, expected: self.largest })
    }

    #[inline(always)]
    fn check_buffer(&self, buffer: usize) -> Result<()> {
        if (buffer as u64) < self.largest {
            return Err(self.too_small(buffer));
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn too_small(&self, buffer: usize) -> Error {
        Error::BufferTooSmall { ring: self.reader.core.ring.clone(), buffer, len: self.largest as usize }
    }

    #[inline(always)]
    fn copy_to_vec(&mut self, taken: Taken, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        out.reserve(self.largest as usize);
        let len = self.copy_out(taken, out.as_mut_ptr())?;
        // SAFETY: `copy_out` has just written `len` bytes, for which `reserve` made room.
        #[allow(unsafe_code)]
        unsafe {
            out.set_len(len);
        }
        Ok(())
    }

    /// Copies a message to `to`, which has room for the largest one, and releases it.
    #[inline(always)]
    fn copy_out(&mut self, taken: Taken, to: *mut u8) -> Result<usize> {
        let len = self.length(taken)?;
        let from = self.reader.core.region.table().payload(taken.ticket(), SLOT_HEADER);
        // SAFETY: the payload has room for the largest message, rounded up to eight, and the length was checked against
        // it; it is ours until released and starts at a multiple of eight. The target is private and large enough.
        #[allow(unsafe_code)]
        unsafe {
            copy::out_of_ring(from, to, len);
        }
        self.reader.release(len as u64);
        Ok(len)
    }

    /// Looks for participants that died and puts right what they left; returns how many there were. Calls that block
    /// do so after each slice, and calls that only try do so now and then: nobody has to call this.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], [`Error::Forked`].
    pub fn repair(&mut self) -> Result<usize> {
        self.reader.core.repair()
    }

    /// Messages the ring holds.
    pub fn slots(&self) -> usize {
        self.reader.core.region.identity().capacity as usize
    }

    /// The largest message in bytes.
    pub fn largest_message(&self) -> usize {
        self.largest as usize
    }

    /// The number of this consumer's seat.
    pub fn seat(&self) -> u8 {
        self.reader.core.number as u8
    }

    /// The ring's name.
    pub fn name(&self) -> &str {
        &self.reader.core.ring
    }

    /// Everybody else who is attached and alive, other consumers included.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], [`Error::Forked`].
    pub fn peers(&self) -> Result<Vec<Peer>> {
        self.reader.core.peers()
    }

    /// Waits until a producer is attached.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::Replaced`].
    pub fn wait_for_peer(&mut self, timeout: Duration) -> Result<Peer> {
        self.reader.core.wait_for_peer(timeout)
    }

    /// What this seat has counted.
    pub fn stats(&self) -> Stats {
        self.reader.core.stats()
    }
}
