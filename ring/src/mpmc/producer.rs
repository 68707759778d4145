//! One of many that send messages of any length.

use std::time::{Duration, Instant};

use super::guard::{Batch, Claim, put};
use super::writer::Writer;
use crate::participant::{NotSync, Participant};
use crate::peer::Peer;
use crate::stats::Stats;
use crate::waiting::Until;
use crate::{Error, Result};

/// Sends messages into a ring that many send into. It may move between threads, but only one uses it at a time: each
/// thread makes its own.
///
/// Dropping it leaves its messages in the ring. Only [`Producer::close`] has a part in ending the stream.
#[derive(Debug)]
pub struct Producer {
    pub(super) writer: Writer,
    largest: usize,
    not_sync: NotSync,
}

impl Producer {
    pub(crate) fn attach(core: Participant) -> Result<Self> {
        let largest = core.region.identity().largest as usize;
        Ok(Self { writer: Writer::new(core)?, largest, not_sync: NotSync::default() })
    }

    /// Sends a message; blocks while the ring is full.
    ///
    /// When it returns, the message is in the ring and survives the death of this process. If the process is
    /// killed inside the call, the message was either sent whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Closed`], and while blocked [`Error::PeerDied`] (if asked for),
    /// [`Error::Replaced`].
    #[inline(always)]
    pub fn send(&mut self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Forever)
    }

    /// Sends a message if there is room: `false` means the ring is full and nothing was sent.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Closed`].
    #[inline(always)]
    #[must_use = "a full ring takes nothing"]
    pub fn try_send(&mut self, message: &[u8]) -> Result<bool> {
        self.check(message.len())?;
        if self.send_at_once(message) {
            return Ok(true);
        }
        let claim = self.try_claim(message.len())?;
        let taken = claim.is_some();
        if let Some(claim) = claim {
            claim.send(message);
        }
        Ok(taken)
    }

    /// Sends a message; blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Producer::send`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn send_timeout(&mut self, message: &[u8], timeout: Duration) -> Result<()> {
        self.send_until(message, Until::After(timeout))
    }

    /// Sends a message; blocks while the ring is full, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Producer::send`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn send_deadline(&mut self, message: &[u8], deadline: Instant) -> Result<()> {
        self.send_until(message, Until::At(deadline))
    }

    /// Claims a slot for a message of `len` bytes, to be written in place; blocks while the ring is full.
    ///
    /// The slot is this producer's until the claim is committed or dropped, and consumers wait for it when they come
    /// to it: do not keep it. One that is forgotten (`mem::forget`) is given up when this producer claims again,
    /// closes or goes.
    ///
    /// # Errors
    ///
    /// As [`Producer::send`].
    #[inline(always)]
    pub fn claim(&mut self, len: usize) -> Result<Claim<'_>> {
        self.claim_until(len, Until::Forever)
    }

    /// Claims a slot if one is free; `None` means the ring is full.
    ///
    /// # Errors
    ///
    /// As [`Producer::try_send`].
    #[inline(always)]
    pub fn try_claim(&mut self, len: usize) -> Result<Option<Claim<'_>>> {
        self.check(len)?;
        Ok(self.writer.try_claim()?.map(|ticket| Claim::new(self, None, ticket, len)))
    }

    /// Claims a slot; blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Producer::send_timeout`].
    #[inline(always)]
    pub fn claim_timeout(&mut self, len: usize, timeout: Duration) -> Result<Claim<'_>> {
        self.claim_until(len, Until::After(timeout))
    }

    /// Claims a slot; blocks while the ring is full, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Producer::send_deadline`].
    #[inline(always)]
    pub fn claim_deadline(&mut self, len: usize, deadline: Instant) -> Result<Claim<'_>> {
        self.claim_until(len, Until::At(deadline))
    }

    #[inline(always)]
    fn send_until(&mut self, message: &[u8], until: Until) -> Result<()> {
        self.check(message.len())?;
        if self.send_at_once(message) { Ok(()) } else { self.send_later(message, until) }
    }

    /// The message is none too large.
    #[inline(always)]
    fn send_at_once(&mut self, message: &[u8]) -> bool {
        self.writer.send_at_once(message.len() as u64, put(message))
    }

    #[cold]
    #[inline(never)]
    fn send_later(&mut self, message: &[u8], until: Until) -> Result<()> {
        let ticket = self.writer.wait_for_slot(until)?;
        Claim::new(self, None, ticket, message.len()).send(message);
        Ok(())
    }

    #[inline(always)]
    fn claim_until(&mut self, len: usize, until: Until) -> Result<Claim<'_>> {
        self.check(len)?;
        let ticket = self.writer.claim_until(until)?;
        Ok(Claim::new(self, None, ticket, len))
    }

    #[inline(always)]
    pub(super) fn check(&self, len: usize) -> Result<()> {
        if len > self.largest {
            return Err(self.too_large(len));
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn too_large(&self, len: usize) -> Error {
        Error::TooLarge { ring: self.writer.core.ring.clone(), len, largest: self.largest }
    }

    /// Begins a batch: many messages, each published as it is committed, and the consumers woken once.
    pub fn batch(&mut self) -> Batch<'_> {
        Batch::new(self)
    }

    /// Marks that this producer is done. When the last producer that is attached has closed, the stream ends: each
    /// consumer receives what is left, then [`Error::Closed`]. A producer that attaches later begins a new stream.
    ///
    /// A producer that goes without closing, or is killed, does not end the stream: its successor may.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn close(&mut self) -> Result<()> {
        self.writer.close()
    }

    /// Looks for participants that died and puts right what they left; returns how many there were. Calls that block
    /// do so after each slice, and calls that only try do so now and then: nobody has to call this.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], [`Error::Forked`].
    pub fn repair(&mut self) -> Result<usize> {
        self.writer.core.repair()
    }

    /// Messages the ring holds.
    pub fn slots(&self) -> usize {
        self.writer.core.region.identity().capacity as usize
    }

    /// The largest message in bytes.
    pub fn largest_message(&self) -> usize {
        self.largest
    }

    /// The number of this producer's seat.
    pub fn seat(&self) -> u8 {
        self.writer.core.number as u8
    }

    /// The ring's name.
    pub fn name(&self) -> &str {
        &self.writer.core.ring
    }

    /// Everybody else who is attached and alive, other producers included.
    ///
    /// # Errors
    ///
    /// [`Error::Os`], [`Error::Forked`].
    pub fn peers(&self) -> Result<Vec<Peer>> {
        self.writer.core.peers()
    }

    /// Waits until a consumer is attached.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::Replaced`].
    pub fn wait_for_peer(&mut self, timeout: Duration) -> Result<Peer> {
        self.writer.core.wait_for_peer(timeout)
    }

    /// What this seat has counted.
    pub fn stats(&self) -> Stats {
        self.writer.core.stats()
    }
}
