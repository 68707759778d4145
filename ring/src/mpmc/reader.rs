//! What consumers of messages and of elements have in common: claiming what is ready and giving it back.

use crate::algo::mpmc::Next;
use crate::algo::stream::Drained;
use crate::algo::turn::Stage;
use crate::participant::Participant;
use crate::waiting::Until;
use crate::{Error, Result};

/// A message that is the consumer's to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) ticket: u64,
    /// Whether a consumer that died had been handed it.
    pub(crate) redelivered: bool,
}

/// A consumer's seat, and the message it may have.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) core: Participant,
    /// What is taken and not given back.
    taken: Option<Taken>,
    finding: Finding,
}

/// What a consumer remembers between two looks.
#[derive(Debug)]
struct Finding {
    /// How often messages of dead consumers had been given back when none was left.
    returns: u64,
    /// The last end of a stream that it was told of.
    told: Option<u32>,
}

impl Reader {
    pub(crate) fn new(core: Participant) -> Result<Self> {
        core.repair()?;
        let finding = Finding { returns: 0, told: core.cursors().stream.0.told() };
        core.announce();
        Ok(Self { core, taken: None, finding })
    }

    /// Takes the next message, if there is one.
    #[inline(always)]
    pub(crate) fn try_take(&mut self) -> Result<Option<Taken>> {
        self.begin()?;
        let taken = self.finding.look(&self.core)?;
        self.taken = taken;
        if taken.is_none() {
            self.core.idle()?;
        }
        Ok(taken)
    }

    /// Takes the next message; blocks while there is none.
    #[inline(always)]
    pub(crate) fn take_until(&mut self, until: Until) -> Result<Taken> {
        self.begin()?;
        let taken = match self.finding.look(&self.core)? {
            Some(taken) => taken,
            None => self.wait_for_message(until)?,
        };
        self.taken = Some(taken);
        Ok(taken)
    }

    /// Takes the next message if there is one, and nothing else: an end is left to be told.
    #[cfg(feature = "bytemuck")]
    #[inline(always)]
    pub(crate) fn try_take_only(&mut self) -> Result<Option<Taken>> {
        self.begin()?;
        self.taken = match self.finding.take(&self.core)? {
            Drained::Found(taken) => Some(taken),
            Drained::Nothing | Drained::Ended => None,
        };
        Ok(self.taken)
    }

    #[inline(always)]
    fn begin(&mut self) -> Result<()> {
        self.core.check_fork()?;
        self.release(0); // a message that was forgotten (`mem::forget`)
        Ok(())
    }

    #[cold]
    fn wait_for_message(&mut self, until: Until) -> Result<Taken> {
        let Self { core, finding, .. } = self;
        let taken = core.wait_for("message", until, || finding.look(core))?;
        // Messages become ready in any order: the wake-up that came for this one may have been that for several.
        if core.region.table().more(taken.ticket, Stage::Ready) {
            core.cursors().items.0.notify_some(1);
        }
        Ok(taken)
    }

    /// Gives back what was taken, if anything, and wakes a producer that waits for space.
    #[inline(always)]
    pub(crate) fn release(&mut self, bytes: u64) {
        if self.release_quietly(bytes) {
            self.wake(1);
        }
    }

    /// Gives back what was taken. False: there was nothing.
    #[inline(always)]
    pub(crate) fn release_quietly(&mut self, bytes: u64) -> bool {
        let Some(taken) = self.taken.take() else { return false };
        let counters = self.core.counters();
        counters.messages.add(1);
        counters.bytes.add(bytes);
        if taken.redelivered {
            counters.redeliveries.add(1);
        }
        self.core.region.table().release(taken.ticket);
        true
    }

    /// Lets another consumer have what was taken, as if this one had died with it.
    #[cold]
    pub(crate) fn put_back(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.core.region.table().put_back(taken.ticket);
            self.core.cursors().items.0.notify_some(1);
        }
    }

    /// Wakes as many producers as there are free slots.
    #[inline(always)]
    pub(crate) fn wake(&self, slots: u32) {
        if self.core.cursors().space.0.notify_some(slots) {
            self.core.counters().wakes.add(1);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.core.region.is_foreign() {
            self.release(0);
        }
    }
}

impl Finding {
    /// What can be had: a message, nothing yet, or nothing any more if the stream has ended.
    #[inline(always)]
    fn take(&mut self, core: &Participant) -> Result<Drained<Taken>> {
        let corrupt = |found| core.corrupt(found);
        let table = core.region.table();
        let seat = core.number as u8;
        if let Some(ticket) = table.adopt(seat, &mut self.returns).map_err(corrupt)? {
            return Ok(Drained::Found(Taken { ticket, redelivered: true }));
        }
        Ok(match table.take(seat).map_err(corrupt)? {
            Next::Message(ticket) => Drained::Found(Taken { ticket, redelivered: false }),
            Next::Nothing => Drained::Ended,
            // Whoever writes it may be dead; what comes after it is still to be had.
            Next::Behind(_) => Drained::Nothing,
        })
    }

    #[inline(always)]
    fn look(&mut self, core: &Participant) -> Result<Option<Taken>> {
        let mut found = self.take(core)?;
        if matches!(found, Drained::Ended) {
            let mut told = self.told;
            found = core.cursors().stream.0.drained_for_one(&mut told, || self.take(core))?;
            self.told = told;
        }
        match found {
            Drained::Found(taken) => Ok(Some(taken)),
            Drained::Nothing => Ok(None),
            Drained::Ended => Err(Error::Closed { ring: core.ring.clone() }),
        }
    }
}
