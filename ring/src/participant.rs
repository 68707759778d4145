//! What producers and consumers of every kind have in common: finding the ring, taking a seat, leaving it.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::algo::corrupt::Corrupt;
use crate::algo::cursors::Cursors;
use crate::algo::signal::Signal;
use crate::algo::stream::Drained;
use crate::mpmc::dead;
use crate::offer::Offer;
use crate::options::{Create, PeerLoss, Settings, Wait};
use crate::peer::{Peer, Role};
use crate::registration::is_registered;
use crate::shape::Shape;
use crate::shm::header::{Counters, Facts, Seat, SeatState};
use crate::shm::object::{self, Access, Location};
use crate::shm::region::Region;
use crate::shm::seats;
use crate::spin::Spin;
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

/// A seat in a mapped ring.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) region: Region,
    pub(crate) ring: Arc<str>,
    pub(crate) path: PathBuf,
    pub(crate) role: Role,
    /// The number of its seat.
    pub(crate) number: usize,
    pub(crate) wait: Wait,
    pub(crate) spin: Spin,
    pub(crate) offer: Offer,
    pub(crate) slice: Duration,
    pub(crate) peer_loss: PeerLoss,
    /// When it last looked for the dead.
    swept: Cell<Instant>,
    /// Looks that found nothing since then.
    idle: Cell<u32>,
}

/// Looks that find nothing between two looks at the clock.
const IDLE_LOOKS: u32 = 1024;

impl Participant {
    /// Opens or makes the ring and takes the role's seat.
    pub(crate) fn attach(options: &Settings, shape: &Shape, role: Role) -> Result<Self> {
        let at = Location::new(&options.name, &options.dir)?;
        check_mode(&at, options.mode)?;
        // Before a seat is taken, so that nobody sees it taken and not described for long; and this may take a while.
        let facts = Facts::mine();
        is_registered();
        let start = Instant::now();
        let mut seat_wanted_since = None;
        loop {
            if options.create != Create::New {
                match object::open(&at, Access::Write)? {
                    Some((opened, identity)) => {
                        check_owner(&at, options, &opened.file)?;
                        shape.check(&at, &identity)?;
                        let region = Region::map(&at, opened, identity, Access::Write)?;
                        let Some(number) = take_seat(&at, &region, role)? else {
                            let since = *seat_wanted_since.get_or_insert_with(Instant::now);
                            if since.elapsed() > SEAT_GRACE {
                                return Err(no_seat(at, &region, role));
                            }
                            std::thread::sleep(LOOK_AGAIN);
                            continue;
                        };
                        let current = object::is_current(region.file(), &at.path())
                            .map_err(|error| at.os("looking whether it was replaced", error))?;
                        if current {
                            region.seat(number).occupy(role, &facts);
                            return Ok(Self::seated(options, at, region, role, number));
                        }
                        // Removed between opening and sitting down: go on with what is there now.
                    }
                    None if options.create == Create::Never => {}
                    None => match Self::create(options, &at, shape, Some(role)) {
                        Ok((region, number)) => return Ok(Self::seated(options, at, region, role, number)),
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
                    return Err(at.not_found(waited));
                }
                std::thread::sleep(LOOK_AGAIN);
            } else {
                let (region, number) = Self::create(options, &at, shape, Some(role))?;
                return Ok(Self::seated(options, at, region, role, number));
            }
        }
    }

    /// Makes the ring and takes no seat.
    pub(crate) fn make(options: &Settings, shape: &Shape) -> Result<()> {
        let at = Location::new(&options.name, &options.dir)?;
        check_mode(&at, options.mode)?;
        Self::create(options, &at, shape, None).map(drop)
    }

    /// Makes a ring that is complete, and its creator seated, before it has a name. Returns the number of its seat, too.
    fn create(
        options: &Settings,
        at: &Location,
        shape: &Shape,
        role: Option<Role>,
    ) -> Result<(Region, usize)> {
        if at.path().symlink_metadata().is_ok() {
            return Err(Error::Exists { ring: at.ring.clone(), path: at.path() });
        }
        let facts = Facts::mine();
        let identity = shape.identity(at, &facts)?;
        let object::Unnamed { opened, mut passing } =
            object::prepare(at, identity.total_len(), options.mode)?;
        let region = Region::map(at, opened, identity, Access::Write)?;
        region.initialise();
        let mut number = 0;
        if let Some(role) = role {
            // All are free.
            number = take_seat(at, &region, role)?.unwrap_or_default();
            region.seat(number).occupy(role, &facts);
        }
        if !is_registered() {
            signal_of(&region, Role::Producer).require_fences_first();
            signal_of(&region, Role::Consumer).require_fences_first();
        }
        object::publish(at, region.file(), &mut passing)?;
        Ok((region, number))
    }

    fn seated(options: &Settings, at: Location, region: Region, role: Role, number: usize) -> Self {
        let spin = match options.wait {
            Wait::Spin => Spin::full(),
            Wait::Adaptive => Spin::adaptive(),
            Wait::Park => Spin::none(),
        };
        let spin = spin.over(region.identity().data_len());
        // Whoever is waited for may be on any processor, this one included.
        let spin = if region.identity().kind.is_mpmc() { spin.yielding() } else { spin };
        let path = at.path();
        let participant = Self {
            region,
            ring: at.ring,
            path,
            role,
            number,
            wait: options.wait,
            spin,
            offer: Offer::new(),
            slice: options.slice.clamp(SHORTEST_SLICE, LONGEST_SLICE),
            peer_loss: options.peer_loss,
            swept: Cell::new(Instant::now()),
            idle: Cell::new(0),
        };
        if !is_registered() {
            // In both directions: the barriers of those who wait do not reach this process, and it has none for those
            // who publish. (One that is registered and has none finds out when it waits.)
            signal_of(&participant.region, Role::Producer).require_fences();
            signal_of(&participant.region, Role::Consumer).require_fences();
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

    pub(crate) fn seat(&self) -> &Seat {
        self.region.seat(self.number)
    }

    #[inline(always)]
    pub(crate) fn counters(&self) -> &Counters {
        &self.region.seat(self.number).counters
    }

    /// Where this participant waits.
    pub(crate) fn my_signal(&self) -> &Signal {
        signal_of(&self.region, self.role)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn corrupt(&self, found: Corrupt) -> Error {
        Error::corrupt(&self.ring, found)
    }

    /// A handle of the parent is of no use in a forked child: its mapping is not there.
    #[inline(always)]
    pub(crate) fn check_fork(&self) -> Result<()> {
        if self.region.is_foreign() { Err(self.forked()) } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn forked(&self) -> Error {
        Error::Forked { ring: self.ring.clone() }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn closed(&self) -> Error {
        Error::Closed { ring: self.ring.clone() }
    }

    /// For a consumer that found nothing: [`Error::Closed`], once per stream, if the producer has closed and
    /// `again` finds nothing either, since everything before the mark is visible with it.
    #[inline(always)]
    pub(crate) fn drained<T>(&self, again: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
        match self.cursors().stream.0.drained(again)? {
            Drained::Found(found) => Ok(Some(found)),
            Drained::Nothing => Ok(None),
            Drained::Ended => Err(self.closed()),
        }
    }

    pub(crate) fn is_held(&self, number: usize) -> Result<bool> {
        seats::is_held(self.region.file(), number)
            .map_err(|error| self.os("looking for the other side", error))
    }

    /// The numbers of all seats but this one.
    pub(crate) fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let mine = self.number;
        (0..self.region.identity().kind.seats()).filter(move |&number| number != mine)
    }

    /// Puts right what dead participants left. Returns how many of them there were. In rings with one producer and one
    /// consumer there is nothing to put right.
    pub(crate) fn repair(&self) -> Result<usize> {
        self.check_fork()?;
        self.swept.set(Instant::now());
        if !self.region.identity().kind.is_mpmc() {
            return Ok(0);
        }
        dead::sweep(&self.region, self.others()).map_err(|error| self.os("looking for the dead", error))
    }

    /// The same, if a slice has passed since the last time.
    #[cold]
    pub(crate) fn repair_now_and_then(&self) -> Result<()> {
        if self.swept.get().elapsed() >= self.slice { self.repair().map(drop) } else { Ok(()) }
    }

    /// A look without waiting found nothing: whoever only ever does that looks for the dead, too.
    #[inline(always)]
    pub(crate) fn idle(&self) -> Result<()> {
        self.idle.set(self.idle.get().wrapping_add(1));
        if self.idle.get() % IDLE_LOOKS == 0 { self.repair_now_and_then() } else { Ok(()) }
    }

    pub(crate) fn os(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Os { ring: self.ring.clone(), doing, source }
    }

    /// Everybody else who is attached and alive.
    pub(crate) fn peers(&self) -> Result<Vec<Peer>> {
        self.check_fork()?;
        let mut peers = Vec::new();
        for number in self.others() {
            let seat = self.region.seat(number);
            // A lock without a description is somebody who is just sitting down.
            if seat.state() == SeatState::Attached && self.is_held(number)? {
                peers.push(seat.peer(number));
            }
        }
        Ok(peers)
    }

    /// Somebody on the other side who is attached and alive.
    pub(crate) fn peer(&self) -> Result<Option<Peer>> {
        Ok(self.peers()?.into_iter().find(|peer| peer.role != self.role))
    }

    pub(crate) fn stats(&self) -> Stats {
        if self.region.is_foreign() { Stats::default() } else { self.region.stats(self.number) }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        if self.region.is_foreign() {
            return;
        }
        self.seat().leave();
        seats::give_back(self.region.file(), self.number);
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

fn check_owner(at: &Location, options: &Settings, file: &std::fs::File) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Some(expected) = options.owner else { return Ok(()) };
    let found = file.metadata().map_err(|error| at.os("stat", error))?.uid();
    if found == expected {
        return Ok(());
    }
    Err(Error::WrongOwner { ring: at.ring.clone(), found, expected })
}

/// Takes a seat for the role: its own, or if there are many participants the first that is free.
fn take_seat(at: &Location, region: &Region, role: Role) -> Result<Option<usize>> {
    let kind = region.identity().kind;
    let eligible = if kind.is_mpmc() { 0..kind.seats() } else { role as usize..role as usize + 1 };
    for number in eligible {
        if seats::take(region.file(), number).map_err(|error| at.os("taking a seat", error))? {
            dead::repair_if_dead(region, number);
            region.seat(number).vacate();
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// Why there is no seat for the role.
fn no_seat(at: Location, region: &Region, role: Role) -> Error {
    let kind = region.identity().kind;
    if kind.is_mpmc() {
        return Error::SeatsTaken { ring: at.ring, seats: kind.seats() };
    }
    let holder = Box::new(region.seat(role as usize).peer(role as usize));
    Error::RoleTaken { ring: at.ring, role, holder }
}
