//! What producers of messages and of elements have in common: claiming slots and handing them over.

use crate::Result;
use crate::algo::corrupt::Corrupt;
use crate::algo::turn::Stage;
use crate::participant::Participant;
use crate::waiting::Until;

/// No ticket: they have 55 bits.
const NONE: u64 = u64::MAX;

/// A producer's seat, and the claim it may have.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) core: Participant,
    /// The ticket that is claimed and not handed over, or `NONE`: in one word, as every message passes through it.
    claimed: u64,
    closed: bool,
}

impl Writer {
    pub(crate) fn new(core: Participant) -> Result<Self> {
        core.repair()?;
        let cursors = core.cursors();
        cursors.openers.0.join(core.number as u8, &cursors.stream.0);
        core.announce();
        Ok(Self { core, claimed: NONE, closed: false })
    }

    /// Claims a slot, if there is a free one.
    #[inline(always)]
    pub(crate) fn try_claim(&mut self) -> Result<Option<u64>> {
        self.begin()?;
        match claim(&self.core) {
            Ok(Some(ticket)) => {
                self.claimed = ticket;
                Ok(Some(ticket))
            }
            Ok(None) => self.core.idle().map(|()| None),
            Err(found) => Err(self.core.corrupt(found)),
        }
    }

    /// Claims a slot; blocks while there is none.
    #[inline(always)]
    pub(crate) fn claim_until(&mut self, until: Until) -> Result<u64> {
        self.begin()?;
        let ticket = match claim(&self.core) {
            Ok(Some(ticket)) => ticket,
            other => self.wait_for_slot(other, until)?,
        };
        self.claimed = ticket;
        Ok(ticket)
    }

    #[inline(always)]
    fn begin(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if self.closed {
            return Err(self.core.closed());
        }
        self.abandon(); // a claim that was forgotten (`mem::forget`)
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn wait_for_slot(
        &mut self,
        found: std::result::Result<Option<u64>, Corrupt>,
        until: Until,
    ) -> Result<u64> {
        let core = &self.core;
        found.map_err(|found| core.corrupt(found))?;
        let claim = || claim(core).map_err(|found| core.corrupt(found));
        let ticket = core.wait_for("space", until, claim)?;
        // Slots become free in any order: the wake-up that came for this one may have been that for several.
        if core.region.table().more(ticket, Stage::Free) {
            core.cursors().space.0.notify_some(1);
        }
        Ok(ticket)
    }

    /// The ticket that is claimed and not handed over.
    #[inline(always)]
    pub(super) fn claimed(&self) -> Option<u64> {
        (self.claimed != NONE).then_some(self.claimed)
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
        let Some(ticket) = self.claimed() else { return false };
        self.claimed = NONE;
        self.core.region.table().publish(ticket);
        let counters = self.core.counters();
        counters.messages.add(1);
        counters.bytes.add(bytes);
        true
    }

    /// Wakes as many consumers as there are new messages.
    #[inline(always)]
    pub(crate) fn wake(&self, messages: u32) {
        if self.core.cursors().items.0.notify_some(messages) {
            self.core.seat().has_woken();
        }
    }

    /// Gives up the claimed slot, if there is one: consumers pass over it.
    #[inline(always)]
    pub(crate) fn abandon(&mut self) {
        if self.claimed != NONE {
            self.give_up();
        }
    }

    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        if let Some(ticket) = self.claimed() {
            self.claimed = NONE;
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
fn claim(core: &Participant) -> std::result::Result<Option<u64>, Corrupt> {
    core.region.table().claim(core.number as u8)
}
