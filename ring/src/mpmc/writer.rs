//! What producers of messages and of elements have in common: claiming slots and handing them over.

use crate::algo::turn::Stage;
use crate::participant::Participant;
use crate::waiting::Until;
use crate::{Error, Result};

/// A producer's seat, and the claim it may have.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) core: Participant,
    /// The slot that is claimed and not handed over.
    claimed: Option<u64>,
    closed: bool,
}

impl Writer {
    pub(crate) fn new(core: Participant) -> Result<Self> {
        core.repair()?;
        let cursors = core.cursors();
        cursors.openers.0.join(core.number as u8, &cursors.stream.0);
        core.announce();
        Ok(Self { core, claimed: None, closed: false })
    }

    /// Claims a slot, if there is a free one.
    #[inline(always)]
    pub(crate) fn try_claim(&mut self) -> Result<Option<u64>> {
        self.begin()?;
        let ticket = claim(&self.core)?;
        self.claimed = ticket;
        if ticket.is_none() {
            self.core.idle()?;
        }
        Ok(ticket)
    }

    /// Claims a slot; blocks while there is none.
    #[inline(always)]
    pub(crate) fn claim_until(&mut self, until: Until) -> Result<u64> {
        self.begin()?;
        let ticket = match claim(&self.core)? {
            Some(ticket) => ticket,
            None => self.wait_for_slot(until)?,
        };
        self.claimed = Some(ticket);
        Ok(ticket)
    }

    #[inline(always)]
    fn begin(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if self.closed {
            return Err(Error::Closed { ring: self.core.ring.clone() });
        }
        self.abandon(); // a claim that was forgotten (`mem::forget`)
        Ok(())
    }

    #[cold]
    fn wait_for_slot(&mut self, until: Until) -> Result<u64> {
        let core = &self.core;
        let ticket = core.wait_for("space", until, || claim(core))?;
        // Slots become free in any order: the wake-up that came for this one may have been that for several.
        if core.region.table().more(ticket, Stage::Free) {
            core.cursors().space.0.notify_some(1);
        }
        Ok(ticket)
    }

    /// Hands the claimed slot to the consumers, and wakes one that sleeps.
    #[inline(always)]
    pub(crate) fn publish(&mut self, bytes: u64) {
        if self.publish_quietly(bytes) {
            self.wake(1);
        }
    }

    /// Hands the claimed slot to the consumers. False: there was none.
    #[inline(always)]
    pub(crate) fn publish_quietly(&mut self, bytes: u64) -> bool {
        let Some(ticket) = self.claimed.take() else { return false };
        let counters = self.core.counters();
        counters.messages.add(1);
        counters.bytes.add(bytes);
        self.core.region.table().publish(ticket);
        true
    }

    /// Wakes as many consumers as there are new messages.
    #[inline(always)]
    pub(crate) fn wake(&self, messages: u32) {
        if self.core.cursors().items.0.notify_some(messages) {
            self.core.counters().wakes.add(1);
        }
    }

    /// Gives up the claimed slot, if there is one: consumers pass over it.
    #[inline(always)]
    pub(crate) fn abandon(&mut self) {
        if self.claimed.is_some() {
            self.give_up();
        }
    }

    #[cold]
    fn give_up(&mut self) {
        if let Some(ticket) = self.claimed.take() {
            self.core.counters().abandoned.add(1);
            self.core.region.table().abandon(ticket);
            self.wake(1);
        }
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if !self.closed {
            self.abandon();
            self.closed = true;
            let cursors = self.core.cursors();
            if cursors.openers.0.close(self.core.number as u8, &cursors.stream.0) {
                self.core.announce();
            }
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.core.region.is_foreign() {
            self.abandon();
            self.core.cursors().openers.0.take_out(self.core.number as u8);
        }
    }
}

#[inline(always)]
fn claim(core: &Participant) -> Result<Option<u64>> {
    core.region.table().claim(core.number as u8).map_err(|found| core.corrupt(found))
}
