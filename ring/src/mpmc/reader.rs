//! What consumers of messages and of elements have in common: claiming what is ready and giving it back.

use std::fmt;
use std::num::NonZeroU64;

use crate::Result;
use crate::algo::corrupt::Corrupt;
use crate::algo::mpmc::{Next, Table};
use crate::algo::stream::Drained;
use crate::algo::turn::Stage;
use crate::participant::Participant;
use crate::waiting::Until;

/// A message that is the consumer's to read: its ticket, and whether a consumer that died had been handed it. In one
/// word, as each message passes through several of these.
#[derive(Clone, Copy)]
pub(crate) struct Taken(NonZeroU64);

impl Taken {
    const REDELIVERED: u64 = 2;
    const TICKET_SHIFT: u32 = 2;

    #[inline(always)]
    fn new(ticket: u64, redelivered: bool) -> Self {
        let flag = if redelivered { Self::REDELIVERED } else { 0 };
        Self(NonZeroU64::MIN | ticket << Self::TICKET_SHIFT | flag)
    }

    #[inline(always)]
    pub(crate) fn ticket(self) -> u64 {
        self.0.get() >> Self::TICKET_SHIFT
    }

    #[inline(always)]
    pub(crate) fn redelivered(self) -> bool {
        self.0.get() & Self::REDELIVERED != 0
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken")
            .field("ticket", &self.ticket())
            .field("redelivered", &self.redelivered())
            .finish()
    }
}

/// A consumer's seat, and the message it may have.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) core: Participant,
    /// What is taken and not given back.
    pub(super) taken: Option<Taken>,
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

    /// Takes the next message if one look finds it. Whatever was the matter if it does not, the other ways to take find
    /// out.
    #[inline(always)]
    pub(crate) fn take_at_once(&mut self) -> Option<Taken> {
        let Some(Next::Message(ticket)) = self.look(&self.core.region.table()) else { return None };
        self.taken = Some(Taken::new(ticket, false));
        self.taken
    }

    /// Takes the next message if one look finds it, has it read and gives it back. It is not remembered as taken: `read`
    /// does not panic. Returns what `read` does, and the ticket.
    #[cfg(feature = "bytemuck")]
    #[inline(always)]
    pub(crate) fn recv_at_once<R>(
        &mut self,
        bytes: u64,
        read: impl FnOnce(&Table<'_>, u64) -> R,
    ) -> Option<(R, u64)> {
        let (table, counters) = (self.core.region.table(), self.core.counters());
        let Some(Next::Message(ticket)) = self.look(&table) else { return None };
        let result = read(&table, ticket);
        counters.messages.add(1);
        counters.bytes.add(bytes);
        table.release(ticket);
        if table.cursors.space.0.notify_some(1) {
            self.core.seat().has_woken();
        }
        Some((result, ticket))
    }

    /// One look at what comes next; `None`, if it takes more than that to tell.
    #[inline(always)]
    fn look(&self, table: &Table<'_>) -> Option<Next> {
        let ready = !self.core.region.is_foreign() && self.taken.is_none();
        if !ready || table.returns() != self.finding.returns {
            return None;
        }
        table.try_take(self.core.number as u8).ok()
    }

    /// Takes the next message, if there is one.
    #[inline(always)]
    pub(crate) fn try_take(&mut self) -> Result<Option<Taken>> {
        match self.look(&self.core.region.table()) {
            Some(Next::Message(ticket)) => {
                self.taken = Some(Taken::new(ticket, false));
                Ok(self.taken)
            }
            Some(Next::Nothing) if !self.finding.must_tell(&self.core) => self.nothing(),
            _ => self.find(),
        }
    }

    /// Takes the next message; blocks while there is none.
    #[inline(always)]
    pub(crate) fn take_until(&mut self, until: Until) -> Result<Taken> {
        match self.take_at_once() {
            Some(taken) => Ok(taken),
            None => self.wait_for_message(until),
        }
    }

    /// Takes the next message if there is one, and nothing else: an end is left to be told.
    #[cfg(feature = "bytemuck")]
    #[inline(always)]
    pub(crate) fn try_take_only(&mut self) -> Result<Option<Taken>> {
        self.begin()?;
        self.taken = match self.finding.take(&self.core) {
            Ok(Drained::Found(taken)) => Some(taken),
            Ok(Drained::Nothing | Drained::Ended) => None,
            Err(found) => return Err(self.core.corrupt(found)),
        };
        Ok(self.taken)
    }

    fn begin(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if self.taken.is_some() {
            self.release_forgotten();
        }
        Ok(())
    }

    /// A message that was forgotten (`mem::forget`).
    #[cold]
    #[inline(never)]
    fn release_forgotten(&mut self) {
        self.release(0);
    }

    #[cold]
    #[inline(never)]
    fn find(&mut self) -> Result<Option<Taken>> {
        self.begin()?;
        self.taken = self.finding.look(&self.core)?;
        if self.taken.is_none() { self.nothing() } else { Ok(self.taken) }
    }

    /// The answer of a ring that has nothing now.
    #[inline(always)]
    fn nothing(&self) -> Result<Option<Taken>> {
        self.core.idle().map(|()| None)
    }

    /// Takes the next message; blocks while there is none. For whoever found none at once.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait_for_message(&mut self, until: Until) -> Result<Taken> {
        self.begin()?;
        let Self { core, finding, .. } = self;
        let taken = match finding.look(core)? {
            Some(taken) => taken,
            None => {
                let taken = core.wait_for("message", until, || finding.look(core))?;
                // Messages become ready in any order: the wake-up that came for this one may have been that for several.
                let more = core.region.table().more(taken.ticket(), Stage::Ready);
                core.spin.note(more);
                if more {
                    core.cursors().items.0.notify_some(1);
                }
                taken
            }
        };
        self.taken = Some(taken);
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
        self.count(bytes);
        if taken.redelivered() {
            self.core.counters().redeliveries.add(1);
        }
        self.core.region.table().release(taken.ticket());
        true
    }

    #[inline(always)]
    fn count(&self, bytes: u64) {
        let counters = self.core.counters();
        counters.messages.add(1);
        counters.bytes.add(bytes);
    }

    /// Lets another consumer have what was taken, as if this one had died with it.
    #[cold]
    pub(crate) fn put_back(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.core.region.table().put_back(taken.ticket());
            self.core.cursors().items.0.notify_some(1);
        }
    }

    /// Wakes as many producers as there are free slots.
    #[inline(always)]
    pub(crate) fn wake(&self, slots: u32) {
        if self.core.cursors().space.0.notify_some(slots) {
            self.core.seat().has_woken();
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

/// What a look finds.
type Found = std::result::Result<Drained<Taken>, Corrupt>;

impl Finding {
    /// What can be had: a message, nothing yet, or nothing any more if the stream has ended.
    fn take(&mut self, core: &Participant) -> Found {
        let table = core.region.table();
        let seat = core.number as u8;
        if let Some(ticket) = table.adopt(seat, &mut self.returns)? {
            return Ok(Drained::Found(Taken::new(ticket, true)));
        }
        Ok(match table.take(seat)? {
            Next::Message(ticket) => Drained::Found(Taken::new(ticket, false)),
            Next::Nothing => Drained::Ended,
            // Whoever writes it may be dead; what comes after it is still to be had.
            Next::Behind(_) => Drained::Nothing,
        })
    }

    fn look(&mut self, core: &Participant) -> Result<Option<Taken>> {
        let found = self.take(core);
        self.judge(core, found)
    }

    /// Whether a ring in which nothing is ready may have come to an end that has not been told.
    #[inline(always)]
    fn must_tell(&self, core: &Participant) -> bool {
        core.cursors().stream.0.ended(self.told).is_some()
    }

    /// What was found, for the caller; if it looks like the end of the stream, whether it is one that has not been told.
    fn judge(&mut self, core: &Participant, found: Found) -> Result<Option<Taken>> {
        let mut told = self.told;
        let found = match found {
            Ok(Drained::Ended) => core.cursors().stream.0.drained_for_one(&mut told, || self.take(core)),
            other => other,
        };
        self.told = told;
        match found {
            Ok(Drained::Found(taken)) => Ok(Some(taken)),
            Ok(Drained::Nothing) => Ok(None),
            Ok(Drained::Ended) => Err(core.closed()),
            Err(found) => Err(core.corrupt(found)),
        }
    }
}
