//! What producers of messages and of elements have in common: claiming slots and handing them over.

use crate::Result;
use crate::algo::mpmc::Table;
use crate::algo::turn::Stage;
use crate::participant::Participant;
use crate::shm::header::Counters;
use crate::shm::region::Region;
use crate::waiting::Until;

/// No tickets: they have 55 bits.
const NONE: u64 = u64::MAX;
const CLOSED: u64 = u64::MAX - 1;

/// A producer's seat, and the claim it may have.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) core: Participant,
    /// The ticket that is claimed and not handed over, or `NONE`, or `CLOSED`: in one word, as every message looks at it.
    claimed: u64,
}

impl Writer {
    pub(crate) fn new(core: Participant) -> Result<Self> {
        core.repair()?;
        let cursors = core.cursors();
        cursors.openers.0.join(core.number as u8, &cursors.stream.0);
        core.announce();
        Ok(Self { core, claimed: NONE })
    }

    /// Claims a slot if one look is enough. Whatever was the matter if it is not, the other ways to claim find out.
    #[inline(always)]
    pub(crate) fn claim_at_once(&mut self) -> Option<u64> {
        let ticket = self.look(&self.core.region.table())?;
        self.claimed = ticket;
        Some(ticket)
    }

    /// Claims a slot if one look is enough, has it written and hands it to the consumers. The claim is not remembered:
    /// `write` does not panic. False: nothing was sent, and the other ways to claim find out why.
    #[inline(always)]
    pub(crate) fn send_at_once(&mut self, bytes: u64, write: impl FnOnce(&Region, &Table<'_>, u64)) -> bool {
        let (table, counters) = (self.core.region.table(), self.core.counters());
        let Some(ticket) = self.look(&table) else { return false };
        write(&self.core.region, &table, ticket);
        self.hand_over(&table, counters, ticket, bytes);
        self.announce(&table, 1);
        true
    }

    #[inline(always)]
    fn look(&self, table: &Table<'_>) -> Option<u64> {
        if self.core.region.is_foreign() || self.claimed != NONE {
            return None;
        }
        table.try_claim(self.core.number as u8).ok()
    }

    /// Claims a slot, if there is a free one.
    #[inline(always)]
    pub(crate) fn try_claim(&mut self) -> Result<Option<u64>> {
        match self.claim_at_once() {
            None => self.claim_if_free(),
            ticket => Ok(ticket),
        }
    }

    #[cold]
    #[inline(never)]
    fn claim_if_free(&mut self) -> Result<Option<u64>> {
        self.begin()?;
        match claim(&self.core)? {
            None => self.core.idle().map(|()| None),
            Some(ticket) => {
                self.claimed = ticket;
                Ok(Some(ticket))
            }
        }
    }

    /// Claims a slot; blocks while there is none.
    #[inline(always)]
    pub(crate) fn claim_until(&mut self, until: Until) -> Result<u64> {
        match self.claim_at_once() {
            None => self.wait_for_slot(until),
            Some(ticket) => Ok(ticket),
        }
    }

    fn begin(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if self.claimed == CLOSED {
            return Err(self.core.closed());
        }
        self.abandon(); // a claim that was forgotten (`mem::forget`)
        Ok(())
    }

    /// Claims a slot; blocks while there is none. For whoever could not claim one at once.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait_for_slot(&mut self, until: Until) -> Result<u64> {
        self.begin()?;
        let core = &self.core;
        let ticket = match claim(core)? {
            Some(ticket) => ticket,
            None => {
                let ticket = core.wait_for("space", until, || claim(core))?;
                // Slots become free in any order: the wake-up that came for this one may have been that for several.
                if core.region.table().more(ticket, Stage::Free) {
                    core.cursors().space.0.notify_some(1);
                }
                ticket
            }
        };
        self.claimed = ticket;
        Ok(ticket)
    }

    /// Has the claimed slot written and hands it to the consumers, and wakes one that sleeps.
    #[inline(always)]
    pub(crate) fn publish(&mut self, ticket: u64, bytes: u64, write: impl FnOnce(&Region, &Table<'_>, u64)) {
        self.publish_quietly(ticket, bytes, write);
        self.wake(1);
    }

    /// Has the claimed slot written and hands it to the consumers.
    #[inline(always)]
    pub(crate) fn publish_quietly(
        &mut self,
        ticket: u64,
        bytes: u64,
        write: impl FnOnce(&Region, &Table<'_>, u64),
    ) {
        debug_assert_eq!(self.claimed, ticket);
        self.claimed = NONE;
        let (table, counters) = (self.core.region.table(), self.core.counters());
        write(&self.core.region, &table, ticket);
        self.hand_over(&table, counters, ticket, bytes);
    }

    #[inline(always)]
    fn hand_over(&self, table: &Table<'_>, counters: &Counters, ticket: u64, bytes: u64) {
        table.publish(ticket);
        counters.messages.add(1);
        counters.bytes.add(bytes);
    }

    /// Wakes as many consumers as there are new messages.
    #[inline(always)]
    pub(crate) fn wake(&self, messages: u32) {
        self.announce(&self.core.region.table(), messages);
    }

    #[inline(always)]
    fn announce(&self, table: &Table<'_>, messages: u32) {
        if table.cursors.items.0.notify_some(messages) {
            self.core.seat().has_woken();
        }
    }

    /// Gives up the claimed slot, if there is one: consumers pass over it.
    #[inline(always)]
    pub(crate) fn abandon(&mut self) {
        if self.claimed < CLOSED {
            self.give_up();
        }
    }

    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        self.core.counters().abandoned.add(1);
        self.core.region.table().abandon(self.claimed);
        self.claimed = NONE;
        self.wake(1);
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if self.claimed != CLOSED {
            self.abandon();
            self.claimed = CLOSED;
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

fn claim(core: &Participant) -> Result<Option<u64>> {
    core.region.table().claim(core.number as u8).map_err(|found| core.corrupt(found))
}
