//! What producers and consumers of every kind have in common: finding the ring, the seat, waiting, peers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::algo::cursors::Cursors;
use crate::algo::signal::Signal;
use crate::algo::stream::Drained;
use crate::algo::{record, spsc};
use crate::options::{Create, Options, PeerLoss, Wait};
use crate::peer::{Peer, Role};
use crate::shm::header::{
    Counters, Element, Facts, Identity, Kind, MIN_CAPACITY, NAME_BYTES, Seat, SeatState, now_ns,
};
use crate::shm::object::{self, Access, Location};
use crate::shm::region::Region;
use crate::shm::seats;
use crate::spin::{For, Spin};
use crate::stats::Stats;
use crate::{Error, Result};

/// How long a participant that comes waits for the seat of one that is just dying: the kernel frees a killed
/// process's memory before its locks.
const SEAT_GRACE: Duration = Duration::from_millis(250);
/// What a slice may be: shorter would be polling, longer would be for ever.
const SHORTEST_SLICE: Duration = Duration::from_millis(1);
const LONGEST_SLICE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long to go on against others who make and remove the ring at the same time.
const CONTENTION: Duration = Duration::from_secs(1);
/// Between two looks at what only shows by looking.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Keeps a handle from being used by two threads at once, even for reading.
pub(crate) type NotSync = std::marker::PhantomData<std::cell::Cell<()>>;

/// What kind of ring is wanted: units asked for, and what to make where nothing was asked.
#[derive(Debug)]
pub(crate) struct Shape {
    kind: Kind,
    capacity: Option<u64>,
    default_capacity: u64,
    largest: Option<u64>,
    stride: u64,
    element: Element,
}

impl Shape {
    pub(crate) fn bytes(options: &Options) -> Result<Self> {
        let invalid = |option, value: usize, why: String| Error::OptionInvalid {
            ring: options.name.as_str().into(),
            option,
            value: value.to_string(),
            why,
        };
        let capacity = match options.capacity {
            None => None,
            Some(bytes) => match bytes.checked_next_power_of_two() {
                Some(rounded) if rounded as u64 <= 1 << 39 => Some((rounded as u64).max(MIN_CAPACITY)),
                _ => return Err(invalid("capacity", bytes, "the largest ring has 512 GiB".into())),
            },
        };
        let default_capacity = 1 << 20;
        let largest = options.largest.map(|bytes| bytes as u64);
        let element = Element::default();
        Ok(Self { kind: Kind::Bytes, capacity, default_capacity, largest, stride: 1, element })
    }

    #[cfg(feature = "bytemuck")]
    pub(crate) fn typed(options: &Options, elements: Option<usize>, element: Element) -> Result<Self> {
        let invalid = |option, value: String, why: &str| {
            Err(Error::OptionInvalid { ring: options.name.as_str().into(), option, value, why: why.into() })
        };
        if element.name.len() > NAME_BYTES || element.name.chars().any(char::is_control) {
            return invalid(
                "type name",
                format!("{:?}", element.name),
                "it has up to 64 bytes, none of control",
            );
        }
        if element.size == 0 || element.size > u64::from(u32::MAX) || element.align > 4096 {
            return invalid(
                "the element type",
                format!("{} ({} bytes, aligned to {})", element.name, element.size, element.align),
                "an element has 1 byte to 4 GiB and is aligned to at most 4096",
            );
        }
        let capacity = match elements.map(|count| count.max(1).checked_next_power_of_two()) {
            None => None,
            Some(Some(count))
                if (count as u64).checked_mul(element.size).is_some_and(|len| len <= 1 << 39) =>
            {
                Some(count as u64)
            }
            Some(_) => return invalid("elements", format!("{elements:?}"), "the largest ring has 512 GiB"),
        };
        let (stride, largest) = (element.size, Some(element.size));
        Ok(Self { kind: Kind::Typed, capacity, default_capacity: 4096, largest, stride, element })
    }

    fn identity(&self, at: &Location, facts: &Facts) -> Result<Identity> {
        let capacity = self.capacity.unwrap_or(self.default_capacity);
        let possible = match self.kind {
            Kind::Bytes => record::largest(capacity).min(u64::from(u32::MAX) - record::HEADER),
            Kind::Typed => self.element.size,
        };
        if let Some(largest) = self.largest.filter(|&largest| largest > possible) {
            return Err(Error::OptionInvalid {
                ring: at.ring.clone(),
                option: "largest message",
                value: largest.to_string(),
                why: format!("a capacity of {capacity} takes messages of up to {possible} bytes"),
            });
        }
        Ok(Identity {
            kind: self.kind,
            capacity,
            stride: self.stride,
            largest: self.largest.unwrap_or(possible),
            element: self.element.clone(),
            created_ns: now_ns(),
            creator_uid: nix::unistd::geteuid().as_raw(),
            creator_pid: facts.pid,
            creator_program: facts.program.clone(),
            creator_host: facts.host.clone(),
            id: object::random_id().map_err(|error| at.os("drawing a random id", error))?,
        })
    }

    /// An existing ring must be of this kind, and have what was explicitly asked for.
    fn check(&self, at: &Location, found: &Identity) -> Result<()> {
        let mismatch = |what, found: String, expected: String| {
            Err(Error::Mismatch { ring: at.ring.clone(), what, found, expected })
        };
        if found.kind != self.kind {
            return mismatch("kind", found.kind.to_string(), self.kind.to_string());
        }
        if found.element != self.element {
            let describe = |e: &Element| format!("{} ({} bytes, aligned to {})", e.name, e.size, e.align);
            return mismatch("element type", describe(&found.element), describe(&self.element));
        }
        if let Some(capacity) = self.capacity.filter(|&capacity| capacity != found.capacity) {
            return mismatch("capacity", found.capacity.to_string(), capacity.to_string());
        }
        if let Some(largest) = self.largest.filter(|&largest| largest != found.largest) {
            return mismatch("largest message", found.largest.to_string(), largest.to_string());
        }
        Ok(())
    }
}

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

/// A seat in a mapped ring.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) region: Region,
    pub(crate) ring: Arc<str>,
    path: PathBuf,
    role: Role,
    wait: Wait,
    pub(crate) spin: Spin,
    slice: Duration,
    peer_loss: PeerLoss,
}

impl Participant {
    /// Opens or makes the ring and takes the role's seat.
    pub(crate) fn attach(options: &Options, shape: &Shape, role: Role) -> Result<Self> {
        let at = Location::new(&options.name, &options.dir)?;
        check_mode(&at, options.mode)?;
        let start = Instant::now();
        let mut seat_wanted_since = None;
        loop {
            if options.create != Create::New {
                match object::open(&at, Access::Write)? {
                    Some((opened, identity)) => {
                        check_owner(&at, options, &opened.file)?;
                        shape.check(&at, &identity)?;
                        let region = Region::map(&at, opened, identity, Access::Write)?;
                        if !take_seat(&at, &region, role)? {
                            let since = *seat_wanted_since.get_or_insert_with(Instant::now);
                            if since.elapsed() > SEAT_GRACE {
                                let holder = region.seat(role as usize).peer(role as usize, role);
                                return Err(Error::RoleTaken {
                                    ring: at.ring,
                                    role,
                                    holder: Box::new(holder),
                                });
                            }
                            std::thread::sleep(LOOK_AGAIN);
                            continue;
                        }
                        let current = object::is_current(region.file(), &at.path())
                            .map_err(|error| at.os("looking whether it was replaced", error))?;
                        if current {
                            region.seat(role as usize).occupy(role, &Facts::mine());
                            return Ok(Self::seated(options, at, region, role));
                        }
                        // Removed between opening and sitting down: go on with what is there now.
                    }
                    None if options.create == Create::Never => {}
                    None => match Self::create(options, &at, shape, Some(role)) {
                        Ok(region) => return Ok(Self::seated(options, at, region, role)),
                        Err(Error::Exists { .. }) => {} // somebody was faster: open theirs
                        Err(error) => return Err(error),
                    },
                }
                let patience = match options.create {
                    Create::Never => options.open_timeout,
                    _ => options.open_timeout.max(CONTENTION),
                };
                let waited = start.elapsed();
                if waited >= patience {
                    return Err(Error::NotFound { ring: at.ring, dir: at.dir, waited });
                }
                std::thread::sleep(LOOK_AGAIN);
            } else {
                let region = Self::create(options, &at, shape, Some(role))?;
                return Ok(Self::seated(options, at, region, role));
            }
        }
    }

    /// Makes the ring and takes no seat.
    pub(crate) fn make(options: &Options, shape: &Shape) -> Result<()> {
        let at = Location::new(&options.name, &options.dir)?;
        check_mode(&at, options.mode)?;
        Self::create(options, &at, shape, None).map(drop)
    }

    /// Makes a ring that is complete, and its creator seated, before it has a name.
    fn create(options: &Options, at: &Location, shape: &Shape, role: Option<Role>) -> Result<Region> {
        if at.path().symlink_metadata().is_ok() {
            return Err(Error::Exists { ring: at.ring.clone(), path: at.path() });
        }
        let facts = Facts::mine();
        let identity = shape.identity(at, &facts)?;
        let object::Unnamed { opened, mut passing } =
            object::prepare(at, identity.total_len(), options.mode)?;
        let region = Region::map(at, opened, identity, Access::Write)?;
        region.initialise();
        if let Some(role) = role {
            take_seat(at, &region, role)?;
            region.seat(role as usize).occupy(role, &facts);
            if options.wait != Wait::Spin {
                signal_of(&region, role).allow_waiting_first();
            }
        }
        object::publish(at, region.file(), &mut passing)?;
        Ok(region)
    }

    fn seated(options: &Options, at: Location, region: Region, role: Role) -> Self {
        let spin = match options.wait {
            Wait::Spin => Spin::full(),
            Wait::Adaptive => Spin::adaptive(),
            Wait::Park => Spin::none(),
        };
        let path = at.path();
        let participant = Self {
            region,
            ring: at.ring,
            path,
            role,
            wait: options.wait,
            spin,
            slice: options.slice.clamp(SHORTEST_SLICE, LONGEST_SLICE),
            peer_loss: options.peer_loss,
        };
        if options.wait != Wait::Spin {
            participant.my_signal().allow_waiting();
        }
        participant
    }

    /// Tells everybody who sleeps here that something other than the positions has changed.
    pub(crate) fn announce(&self) {
        self.cursors().items.0.wake_all();
        self.cursors().space.0.wake_all();
    }

    #[inline(always)]
    pub(crate) fn cursors(&self) -> &Cursors {
        self.region.cursors()
    }

    fn seat(&self) -> &Seat {
        self.region.seat(self.role as usize)
    }

    #[inline(always)]
    pub(crate) fn counters(&self) -> &Counters {
        &self.region.seat(self.role as usize).counters
    }

    /// Where this participant waits.
    fn my_signal(&self) -> &Signal {
        signal_of(&self.region, self.role)
    }

    #[cold]
    pub(crate) fn corrupt(&self, found: spsc::Corrupt) -> Error {
        Error::corrupt(&self.ring, found)
    }

    /// A handle of the parent is of no use in a forked child: its mapping is not there.
    #[inline(always)]
    pub(crate) fn check_fork(&self) -> Result<()> {
        if self.region.is_foreign() { Err(Error::Forked { ring: self.ring.clone() }) } else { Ok(()) }
    }

    /// For a consumer that found nothing: [`Error::Closed`], once per stream, if the producer has closed and
    /// `again` finds nothing either, since everything before the mark is visible with it.
    #[inline(always)]
    pub(crate) fn drained<T>(&self, again: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
        match self.cursors().stream.0.drained(again)? {
            Drained::Found(found) => Ok(Some(found)),
            Drained::Nothing => Ok(None),
            Drained::Ended => Err(Error::Closed { ring: self.ring.clone() }),
        }
    }

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
        let polls = !self.spin.is_none() && !self.shares_its_processor();
        if polls {
            if let Some(found) = self.spin.poll(polled, &mut attempt)? {
                return Ok(found);
            }
        }
        self.counters().stalls.add(1);
        let start = Instant::now();
        let deadline = until.deadline(start);
        let mut look_around = start + self.slice;
        loop {
            let slept = self.wait != Wait::Spin;
            let found = if slept {
                self.my_signal().wait_unless(&mut attempt, || {
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
            let now = Instant::now();
            if now >= look_around {
                look_around = now + self.slice;
                if let Some(found) = attempt()? {
                    if slept {
                        // Nobody woke us for this: the waker was killed first, or it came just now.
                        self.counters().slice_rescues.add(1);
                    }
                    return Ok(found);
                }
                if let Some(lost) = self.lost_peer()? {
                    // What it did before it died counts.
                    return attempt()?.ok_or(lost);
                }
            }
            if deadline.is_some_and(|deadline| now >= deadline) {
                // Also here, so that a loop of short time-outs learns of a loss.
                let lost = self.lost_peer()?;
                let late = || self.timeout(what, start.elapsed());
                return attempt()?.ok_or_else(|| lost.unwrap_or_else(late));
            }
        }
    }

    /// Whether the other side can only run where this one does: it cannot move while this one polls.
    fn shares_its_processor(&self) -> bool {
        let only = self.seat().only_processor();
        only.is_some() && only == self.region.seat(self.role.other() as usize).only_processor()
    }

    /// Why waiting for the other side is in vain, if it is.
    fn lost_peer(&self) -> Result<Option<Error>> {
        let role = self.role.other();
        let seat = self.region.seat(role as usize);
        // Looked at before and after the lock: whoever sits down or leaves in between is not the dead one.
        let holder = || (seat.state(), seat.counters.attaches.get());
        let before = holder();
        let who = seat.peer(role as usize, role);
        if self.is_held(role)? {
            return Ok(None);
        }
        let died = before.0 == SeatState::Attached && holder() == before;
        if self.peer_loss == PeerLoss::Report && died {
            let who = Box::new(who);
            return Ok(Some(Error::PeerDied { ring: self.ring.clone(), who }));
        }
        // Whoever comes now opens what is under the name.
        let current = object::is_current(self.region.file(), &self.path)
            .map_err(|error| self.os("looking whether it was replaced", error))?;
        Ok((!current).then(|| Error::Replaced { ring: self.ring.clone(), path: self.path.clone() }))
    }

    fn is_held(&self, role: Role) -> Result<bool> {
        seats::is_held(self.region.file(), role as usize)
            .map_err(|error| self.os("looking for the other side", error))
    }

    fn os(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Os { ring: self.ring.clone(), doing, source }
    }

    #[cold]
    fn timeout(&self, what: &'static str, waited: Duration) -> Error {
        let peer_attached = self.is_held(self.role.other()).unwrap_or(false);
        Error::Timeout { ring: self.ring.clone(), what, waited, peer_attached }
    }

    /// The other side, if it is attached and alive.
    pub(crate) fn peer(&self) -> Result<Option<Peer>> {
        self.check_fork()?;
        let role = self.role.other();
        let seat = self.region.seat(role as usize);
        // A lock without a description is somebody who is just sitting down.
        let there = self.is_held(role)? && seat.state() == SeatState::Attached;
        Ok(there.then(|| seat.peer(role as usize, role)))
    }

    /// Waits for the other side to attach.
    pub(crate) fn wait_for_peer(&self, timeout: Duration) -> Result<Peer> {
        self.check_fork()?;
        let start = Instant::now();
        let deadline = start.checked_add(timeout);
        loop {
            // Whoever attaches wakes us.
            let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let sleep = || left().map_or(self.slice, |left| left.min(self.slice));
            if let Some(peer) = self.my_signal().wait_unless(|| self.peer(), sleep)? {
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

    pub(crate) fn stats(&self) -> Stats {
        if self.region.is_foreign() { Stats::default() } else { Stats::of(self.counters()) }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        if self.region.is_foreign() {
            return;
        }
        self.seat().leave();
        seats::give_back(self.region.file(), self.role as usize);
        self.announce();
    }
}

/// Where a role waits.
fn signal_of(region: &Region, role: Role) -> &Signal {
    match role {
        Role::Producer => &region.cursors().space.0,
        Role::Consumer => &region.cursors().items.0,
    }
}

fn check_mode(at: &Location, mode: u32) -> Result<()> {
    if mode & !0o777 == 0 && mode & 0o600 == 0o600 {
        return Ok(());
    }
    Err(Error::OptionInvalid {
        ring: at.ring.clone(),
        option: "mode",
        value: format!("{mode:04o}"),
        why: "it is permission bits, and the owner reads and writes".into(),
    })
}

fn check_owner(at: &Location, options: &Options, file: &std::fs::File) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Some(expected) = options.owner else { return Ok(()) };
    let found = file.metadata().map_err(|error| at.os("stat", error))?.uid();
    if found == expected {
        return Ok(());
    }
    Err(Error::WrongOwner { ring: at.ring.clone(), found, expected })
}

fn take_seat(at: &Location, region: &Region, role: Role) -> Result<bool> {
    let taken = seats::take(region.file(), role as usize).map_err(|error| at.os("taking a seat", error))?;
    if taken {
        region.seat(role as usize).vacate();
    }
    Ok(taken)
}
