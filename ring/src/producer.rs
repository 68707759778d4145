//! The sending side of a ring of bytes.

use std::time::{Duration, Instant};

use crate::algo::{record, spsc};
use crate::guard::{Batch, Claim, Held};
use crate::participant::{NotSync, Participant};
use crate::peer::Peer;
use crate::stats::Stats;
use crate::waiting::Until;
use crate::{Error, Result};

/// Sends messages of any length. One per ring; it may move between threads, but only one uses it at a time.
///
/// Dropping it leaves the ring as it is: a successor goes on where it ended. Only [`Producer::close`] marks
/// the end of the stream.
#[derive(Debug)]
pub struct Producer {
    pub(crate) core: Participant,
    pub(crate) cursor: spsc::Producer,
    /// Messages must be shorter: the largest, plus one; zero once it has closed.
    limit: usize,
    not_sync: NotSync,
}

impl Producer {
    pub(crate) fn attach(core: Participant) -> Result<Self> {
        let identity = core.region.identity();
        let limit = identity.largest as usize + 1;
        let cursor = spsc::Producer::attach(core.cursors(), identity.capacity, record::HEADER)
            .map_err(|found| core.corrupt(found))?;
        core.cursors().stream.0.open();
        core.announce();
        Ok(Self { core, cursor, limit, not_sync: NotSync::default() })
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
        match self.try_claim(message.len())? {
            Some(claim) => {
                claim.send(message);
                Ok(true)
            }
            None => Ok(false),
        }
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

    #[inline(always)]
    fn send_until(&mut self, message: &[u8], until: Until) -> Result<()> {
        self.claim_until(message.len(), until)?.send(message);
        Ok(())
    }

    /// Claims room for a message of `len` bytes, to be written in place; blocks while the ring is full.
    ///
    /// ```
    /// # fn main() -> podring::Result<()> {
    /// # let name = format!("doc-claim-{}", std::process::id());
    /// # let mut tx = podring::spsc(&name).producer()?;
    /// let mut claim = tx.claim(3)?;
    /// claim.copy_from_slice(b"abc");
    /// claim.commit();
    /// # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Producer::send`].
    #[inline(always)]
    pub fn claim(&mut self, len: usize) -> Result<Claim<'_>> {
        self.claim_until(len, Until::Forever)
    }

    /// Claims room for a message of `len` bytes if there is some; `None` means the ring is full.
    ///
    /// # Errors
    ///
    /// As [`Producer::try_send`].
    #[inline(always)]
    pub fn try_claim(&mut self, len: usize) -> Result<Option<Claim<'_>>> {
        let skip = self.room(0, len)?;
        Ok(skip.map(|skip| Claim::new(self, None, skip, len)))
    }

    /// Claims room for a message of `len` bytes; blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Producer::send_timeout`].
    #[inline(always)]
    pub fn claim_timeout(&mut self, len: usize, timeout: Duration) -> Result<Claim<'_>> {
        self.claim_until(len, Until::After(timeout))
    }

    /// Claims room for a message of `len` bytes; blocks while the ring is full, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`Producer::send_deadline`].
    #[inline(always)]
    pub fn claim_deadline(&mut self, len: usize, deadline: Instant) -> Result<Claim<'_>> {
        self.claim_until(len, Until::At(deadline))
    }

    #[inline(always)]
    fn claim_until(&mut self, len: usize, until: Until) -> Result<Claim<'_>> {
        let skip = match self.room(0, len)? {
            Some(skip) => skip,
            None => self.wait_for_room(len, until)?,
        };
        Ok(Claim::new(self, None, skip, len))
    }

    /// Bytes to skip before a record of `len` bytes behind those that a batch holds, or `None` if there is no room for
    /// both.
    #[inline(always)]
    pub(crate) fn room(&mut self, held: u64, len: usize) -> Result<Option<u64>> {
        if len >= self.limit {
            return Err(self.refuse(len));
        }
        self.core.check_fork()?;
        self.cursor
            .claim_record(self.core.cursors(), held, len as u64)
            .map_err(|found| self.core.corrupt(found))
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn wait_for_room(&mut self, len: usize, until: Until) -> Result<u64> {
        let Self { core, cursor, .. } = self;
        core.wait_for("space", until, || {
            cursor.claim_record(core.cursors(), 0, len as u64).map_err(|found| core.corrupt(found))
        })
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self, len: usize) -> Error {
        let ring = self.core.ring.clone();
        if self.limit == 0 {
            Error::Closed { ring }
        } else {
            Error::TooLarge { ring, len, largest: self.largest_message() }
        }
    }

    /// Makes what is written visible, counts it, and wakes a consumer that sleeps.
    #[inline(always)]
    pub(crate) fn publish(&mut self, held: Held) {
        let counters = self.core.counters();
        counters.messages.add(held.messages);
        counters.bytes.add(held.bytes);
        self.cursor.publish(self.core.cursors(), held.units);
        self.core.cursors().items.0.notify(|| self.core.seat().has_woken());
    }

    /// Begins a batch: many messages that become visible with one store.
    pub fn batch(&mut self) -> Batch<'_> {
        Batch::new(self)
    }

    /// Marks the end of the stream: consumers receive what is there, then [`Error::Closed`]. Later sends on
    /// this handle fail with [`Error::Closed`]; a new producer begins a new stream.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn close(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if self.limit > 0 {
            self.limit = 0;
            self.core.cursors().stream.0.close();
            self.core.announce();
        }
        Ok(())
    }

    /// Bytes of data the ring holds.
    pub fn capacity(&self) -> usize {
        self.core.region.identity().capacity as usize
    }

    /// The largest message in bytes.
    pub fn largest_message(&self) -> usize {
        self.core.region.identity().largest as usize
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

    /// Waits until a consumer is attached.
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
