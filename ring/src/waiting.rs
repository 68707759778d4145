//! Waiting for the other side: polling, sleeping in slices, and noticing when it is in vain.

use std::time::{Duration, Instant};

use crate::algo::signal::Announced;
use crate::options::{PeerLoss, Wait};
use crate::participant::Participant;
use crate::peer::{Peer, Role};
use crate::shm::header::{SeatState, now_ns};
use crate::shm::{object, seats};
use crate::spin::For;
use crate::{Error, Result};

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Forever,
    After(Duration),
    At(Instant),
}

impl Until {
    /// The instant, or `None` if there is none (or it is beyond what the clock can say).
    fn deadline(self, start: Instant) -> Option<Instant> {
        match self {
            Self::Forever => None,
            Self::After(duration) => start.checked_add(duration),
            Self::At(instant) => Some(instant),
        }
    }
}

impl Participant {
    /// Repeats `attempt` until it yields something: polling first, then sleeping in slices.
    ///
    /// The fast path is the caller's: it has tried once.
    #[cold]
    pub(crate) fn wait_for<T>(
        &self,
        what: &'static str,
        until: Until,
        mut attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let polled = match self.role {
            Role::Producer => For::Space,
            Role::Consumer => For::Messages,
        };
        if self.shares_its_processor() {
            // Not for space: there is much to read before the other side has nothing to do.
            if self.wait == Wait::Adaptive && polled == For::Messages {
                if let Some(found) = self.offer.make(&mut attempt)? {
                    return Ok(found);
                }
            }
        } else if self.spin.is_due() {
            if let Some(found) = self.spin.poll(polled, &mut attempt)? {
                return Ok(found);
            }
        }
        self.counters().stalls.add(1);
        let start = Instant::now();
        let deadline = until.deadline(start);
        let mut look_around = start + self.slice;
        let mut announced = Announced::default();
        loop {
            let slept = self.wait != Wait::Spin;
            let found = if slept {
                self.my_signal().wait_unless(&mut announced, &mut attempt, || {
                    let wake = deadline.map_or(look_around, |deadline| deadline.min(look_around));
                    self.counters().parks.add(1);
                    self.counters().active_ns.set(now_ns());
                    wake.saturating_duration_since(Instant::now())
                })?
            } else {
                self.spin.poll(polled, &mut attempt)?
            };
            if let Some(found) = found {
                return Ok(found);
            }
            // Woken, most likely: to announce itself first would cost a barrier, and the next publisher a wake of nobody.
            let mut found = if slept { attempt()? } else { None };
            let now = Instant::now();
            let is_over = now >= look_around;
            if is_over && found.is_none() {
                self.repair()?;
                found = attempt()?;
            }
            if let Some(found) = found {
                if is_over && slept {
                    // Nobody woke us for this: the waker was killed first, or it came just now.
                    self.counters().slice_rescues.add(1);
                }
                return Ok(found);
            }
            if is_over {
                look_around = now + self.slice;
                if let Some(lost) = self.lost_peer()? {
                    // What it did before it died counts.
                    return attempt()?.ok_or(lost);
                }
            }
            if deadline.is_some_and(|deadline| now >= deadline) {
                // Also here, so that a loop of short time-outs learns of a loss.
                self.repair_now_and_then()?;
                let lost = self.lost_peer()?;
                let late = || self.timeout(what, start.elapsed());
                return attempt()?.ok_or_else(|| lost.unwrap_or_else(late));
            }
        }
    }

    /// Whether the other side was last seen on the processor this one runs on: it cannot move while this one
    /// polls there. A wrong guess costs one sleep.
    fn shares_its_processor(&self) -> bool {
        self.seat().note_processor();
        let here = self.seat().processor();
        let kind = self.region.identity().kind;
        !kind.is_mpmc() && here.is_some() && here == self.region.seat(self.role.other() as usize).processor()
    }

    /// Why waiting for the other side is in vain, if it is.
    fn lost_peer(&self) -> Result<Option<Error>> {
        if self.is_somebody_there()? {
            return Ok(None);
        }
        let mut died = None;
        for number in self.other_side() {
            let seat = self.region.seat(number);
            // Looked at before and after the lock: whoever sits down or leaves in between is not the dead one.
            let holder = || (seat.state(), seat.counters.attaches.get());
            let before = holder();
            if !matches!(before.0, SeatState::Attached | SeatState::Repaired) {
                continue;
            }
            let who = seat.peer(number);
            if self.is_held(number)? {
                return Ok(None);
            }
            if holder() == before {
                died = Some(Box::new(who));
            }
        }
        if let Some(who) = died.filter(|_| self.peer_loss == PeerLoss::Report) {
            return Ok(Some(Error::PeerDied { ring: self.ring.clone(), who }));
        }
        // Whoever comes now opens what is under the name.
        let current = object::is_current(self.region.file(), &self.path)
            .map_err(|error| self.os("looking whether it was replaced", error))?;
        Ok((!current).then(|| Error::Replaced { ring: self.ring.clone(), path: self.path.clone() }))
    }

    /// The numbers of the seats whose holders do, or may, the other thing.
    fn other_side(&self) -> impl Iterator<Item = usize> {
        self.others().filter(|&number| {
            let seat = self.region.seat(number);
            seat.state() == SeatState::Never || seat.role() != self.role
        })
    }

    /// Whether any of them is alive: one look for each row of seats side by side.
    fn is_somebody_there(&self) -> Result<bool> {
        let mut numbers = self.other_side().peekable();
        while let Some(first) = numbers.next() {
            let mut count = 1;
            while numbers.next_if_eq(&(first + count)).is_some() {
                count += 1;
            }
            let held = seats::any_held(self.region.file(), first, count);
            if held.map_err(|error| self.os("looking for the other side", error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[cold]
    fn timeout(&self, what: &'static str, waited: Duration) -> Error {
        let peer_attached = self.is_somebody_there().unwrap_or(false);
        Error::Timeout { ring: self.ring.clone(), what, waited, peer_attached }
    }

    /// Waits for the other side to attach.
    pub(crate) fn wait_for_peer(&self, timeout: Duration) -> Result<Peer> {
        self.check_fork()?;
        let start = Instant::now();
        let deadline = start.checked_add(timeout);
        let mut announced = Announced::default();
        loop {
            // Whoever attaches wakes us.
            let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let sleep = || left().map_or(self.slice, |left| left.min(self.slice));
            let found = self.my_signal().wait_unless(&mut announced, || self.peer(), sleep)?;
            // What woke us may have been news for somebody who waits for messages or space.
            if self.region.identity().kind.is_mpmc() {
                self.my_signal().notify_some(1);
            }
            if let Some(peer) = found {
                return Ok(peer);
            }
            if left().is_some_and(|left| left.is_zero()) {
                return self.peer()?.ok_or_else(|| self.timeout("peer", start.elapsed()));
            }
            if let Some(lost @ Error::Replaced { .. }) = self.lost_peer()? {
                return Err(lost);
            }
        }
    }
}
