//! Looking at rings without taking part: what `podring ls` and `podring info` show.
//!
//! Watching maps read-only and never stores: it disturbs nobody and needs read permission alone. [`remove`] changes a
//! name, and [`repair`] what dead participants left.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::algo::mpmc::Behind;
use crate::algo::repair::Orphan;
pub use crate::cgroup::{MemoryLimit, memory_limit, processors};
use crate::mpmc::dead;
use crate::peer::Role;
use crate::shape::LARGEST_RING;
use crate::shm::header::{DATA_OFFSET, Identity, LAYOUT, MIN_CAPACITY, SeatState, from_ns};
pub use crate::shm::header::{Element, Kind};
use crate::shm::object::{self, Access, Location, Opened};
use crate::shm::region::Region;
use crate::shm::seats;
use crate::stats::Stats;
use crate::{Error, Result};

/// The layout of segments that this version makes and opens.
pub const LAYOUT_VERSION: u32 = LAYOUT;

/// Bytes that the file of a ring of bytes with this capacity has, its header included; `None` where there
/// can be no such ring.
pub fn file_bytes(capacity: u64) -> Option<u64> {
    let rounded = capacity.checked_next_power_of_two().filter(|&rounded| rounded <= LARGEST_RING)?;
    Some(DATA_OFFSET as u64 + rounded.max(MIN_CAPACITY))
}

/// What is to be said of a file in the directory of rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// A ring with at least one participant alive.
    Live,
    /// A ring without any.
    Stale,
    /// Not a ring.
    Foreign,
    /// A ring of a layout this version does not know.
    Incompatible {
        /// The layout.
        layout: u32,
    },
    /// A ring whose header and memory do not go together.
    Damaged,
    /// It cannot be opened by this user.
    Unreadable,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Foreign => "foreign",
            Self::Incompatible { .. } => "incompatible",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
        })
    }
}

/// A file in the directory of rings.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// What it is.
    pub state: State,
    /// More of it, if it is a ring that can be read.
    pub report: Option<Report>,
}

/// What can be seen of a ring.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Whether anybody takes part.
    pub state: State,
    /// What it holds.
    pub kind: Kind,
    /// Its layout version.
    pub layout: u32,
    /// Bytes of data it holds.
    pub capacity: u64,
    /// Messages it holds, if it is made of slots. Then `used`, `written` and `read` count whole slots, and a message
    /// counts as read when it is claimed.
    pub slots: Option<u64>,
    /// The largest message in bytes.
    pub largest_message: u64,
    /// Whether the message that a consumer had been handed when it died is dropped rather than redelivered, if it is made
    /// of slots.
    pub drops_orphans: Option<bool>,
    /// The type of its elements, if it is typed.
    pub element: Option<Element>,
    /// Bytes of its file.
    pub bytes: u64,
    /// Bytes of data published and not released.
    pub used: u64,
    /// Bytes of data published since it was made.
    pub written: u64,
    /// Bytes of data released since it was made.
    pub read: u64,
    /// Whether the producer has marked the end of its stream.
    pub closed: bool,
    /// When it was made.
    pub created: SystemTime,
    /// The user who made it.
    pub creator_uid: u32,
    /// The program that made it, as `program@host`.
    pub creator: String,
    /// Its random id: another one after it was re-created.
    pub id: [u8; 16],
    /// Permission bits of its file.
    pub mode: u32,
    /// Owner of its file.
    pub uid: u32,
    /// Group of its file.
    pub gid: u32,
    /// The seats that were ever taken.
    pub seats: Vec<Seat>,
    /// Claims that others have to wait for at this moment, if it is made of slots. A busy ring has some in passing; one
    /// that is still there some time later belongs to a participant that is slow, stopped, or dead and not yet repaired.
    pub waiting_for: Vec<Awaited>,
    /// When somebody last attached, left or went to sleep. A participant that is busy shows in `written`
    /// and `read` instead.
    pub last_activity: SystemTime,
}

/// A seat that was taken at least once.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Its number.
    pub index: u8,
    /// What its holder does.
    pub role: Role,
    /// Whether its holder is alive.
    pub live: bool,
    /// Whether its last holder left in good order.
    pub left: bool,
    /// Whether its last holder died, and what it left has been put right.
    pub repaired: bool,
    /// The holder's process id in its own namespace.
    pub pid: u32,
    /// The holder's program.
    pub program: String,
    /// The holder's host name.
    pub host: String,
    /// When it attached.
    pub since: SystemTime,
    /// What it and its predecessors have counted.
    pub stats: Stats,
}

/// A claim that others have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// The seat of whoever has the claim; its holder is in [`Report::seats`].
    pub seat: u8,
    /// What it has yet to do: a producer to publish the next message, which consumers wait for; a consumer to release
    /// the slot that comes up next, which producers wait for.
    pub role: Role,
    /// The message it has claimed.
    pub id: u64,
    /// Whether it is alive: a claim of the living is waited for, however long they are stopped.
    pub live: bool,
}

/// Everything in a directory of rings that is a regular file, by name.
///
/// # Errors
///
/// [`Error::NoDirectory`], [`Error::Os`].
pub fn list(dir: &Path) -> Result<Vec<Listing>> {
    let ring = || dir.display().to_string().into();
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoDirectory { ring: ring(), dir: dir.to_owned() });
        }
        Err(source) => return Err(Error::Os { ring: ring(), doing: "listing the directory", source }),
    };
    let mut listings: Vec<Listing> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let meta = entry.metadata().ok()?; // gone meanwhile
            meta.is_file().then(|| listing(dir, &entry.file_name().to_string_lossy(), &meta))
        })
        .collect();
    listings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listings)
}

fn listing(dir: &Path, name: &str, meta: &std::fs::Metadata) -> Listing {
    let (state, report) = match report(dir, name) {
        Ok(report) => (report.state, Some(report)),
        Err(Error::Version { found, .. }) => (State::Incompatible { layout: found }, None),
        Err(Error::Truncated { .. } | Error::Corrupt { .. }) => (State::Damaged, None),
        Err(Error::NotARing { .. } | Error::NameInvalid { .. }) => (State::Foreign, None),
        Err(_) => (State::Unreadable, None),
    };
    Listing {
        name: name.to_owned(),
        bytes: meta.len(),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        state,
        report,
    }
}

/// Looks at one ring.
///
/// # Errors
///
/// [`Error::NotFound`], [`Error::Permission`], and what is wrong with the file: [`Error::NotARing`],
/// [`Error::Version`], [`Error::Truncated`], [`Error::Corrupt`].
pub fn report(dir: &Path, name: &str) -> Result<Report> {
    let at = Location::new(name, dir)?;
    let Some((opened, identity)) = object::open(&at, Access::Read)? else {
        return Err(at.not_found(Duration::ZERO));
    };
    describe(&at, opened, identity)
}

/// Looks at a ring that has lost its name, through whatever still leads to its file, such as `/proc/PID/fd/N` of a
/// participant. `dir` and `name` are what it was called.
///
/// # Errors
///
/// As [`report`].
pub fn report_through(link: &Path, dir: &Path, name: &str) -> Result<Report> {
    let at = Location::new(name, dir)?;
    let (opened, identity) = object::open_through(&at, link)?;
    describe(&at, opened, identity)
}

fn describe(at: &Location, opened: Opened, identity: Identity) -> Result<Report> {
    let meta = opened.file.metadata().map_err(|error| at.os("stat", error))?;
    let region = Region::map(at, opened, identity, Access::Read)?;
    let identity = region.identity();
    let cursors = region.cursors();
    // The head first: the tail read afterwards is never behind it.
    let position = if identity.kind.is_mpmc() { crate::algo::mpmc::ticket } else { crate::algo::position };
    let read = position(&cursors.head.0);
    let written = position(&cursors.tail.0);
    let mut seen = Vec::new();
    let mut last_activity = identity.created_ns;
    for index in 0..identity.kind.seats() {
        let seat = region.seat(index);
        let live = seats::is_held(region.file(), index).map_err(|error| at.os("looking at a seat", error))?;
        if seat.state() == SeatState::Never && !live {
            continue;
        }
        let peer = seat.peer(index);
        last_activity = last_activity.max(seat.counters.active_ns.get());
        seen.push(Seat {
            index: index as u8,
            role: peer.role,
            live,
            left: seat.state() == SeatState::Left,
            repaired: seat.state() == SeatState::Repaired,
            pid: peer.pid,
            program: peer.program,
            host: peer.host,
            since: peer.since,
            stats: region.stats(index),
        });
    }
    let mut waiting_for = Vec::new();
    if identity.kind.is_mpmc() {
        let table = region.table();
        let claims = [(Role::Producer, table.unpublished()), (Role::Consumer, table.unreleased())];
        for (role, claim) in claims {
            let Some(Behind { seat, ticket: id }) = claim else { continue };
            let live = seats::is_held(region.file(), seat.into())
                .map_err(|error| at.os("looking at a seat", error))?;
            waiting_for.push(Awaited { seat, role, id, live });
        }
    }
    let state = if seen.iter().any(|seat| seat.live) { State::Live } else { State::Stale };
    Ok(Report {
        name: at.ring.to_string(),
        path: at.path(),
        state,
        kind: identity.kind,
        layout: LAYOUT,
        capacity: identity.data_len(),
        slots: identity.kind.is_mpmc().then_some(identity.capacity),
        largest_message: identity.largest,
        drops_orphans: identity.kind.is_mpmc().then_some(identity.orphan == Orphan::Drop),
        element: identity.kind.is_typed().then(|| identity.element.clone()),
        bytes: identity.total_len(),
        used: written.wrapping_sub(read).min(identity.capacity) * identity.stride,
        written: written.wrapping_mul(identity.stride),
        read: read.wrapping_mul(identity.stride),
        closed: cursors.stream.0.is_closed(),
        created: identity.created(),
        creator_uid: identity.creator_uid,
        creator: format!("{}@{}", identity.creator_program, identity.creator_host),
        id: identity.id,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        seats: seen,
        waiting_for,
        last_activity: from_ns(last_activity),
    })
}

/// Puts right what dead participants left in a ring, as those that take part do by themselves when they are blocked.
/// Returns how many of them there were; in a ring with one producer and one consumer there is nothing to put right.
///
/// # Errors
///
/// As [`report`].
pub fn repair(dir: &Path, name: &str) -> Result<usize> {
    let at = Location::new(name, dir)?;
    let Some((opened, identity)) = object::open(&at, Access::Write)? else {
        return Err(at.not_found(Duration::ZERO));
    };
    let region = Region::map(&at, opened, identity, Access::Write)?;
    if !region.identity().kind.is_mpmc() {
        return Ok(0);
    }
    dead::sweep(&region, 0..region.identity().kind.seats())
        .map_err(|error| at.os("looking for the dead", error))
}

/// When [`remove`] may remove a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remove {
    /// Only if no participant is alive.
    IfStale,
    /// In any case, also a file that is not a readable ring. Participants that are attached keep the memory
    /// until they go, and are told [`Error::Replaced`] when they are blocked and alone.
    Force,
}

/// Removes a ring's name.
///
/// # Errors
///
/// [`Error::NotFound`], [`Error::Permission`], and with [`Remove::IfStale`] [`Error::RoleTaken`] naming a
/// living participant, or what is wrong with a file that is not a ring.
pub fn remove(dir: &Path, name: &str, how: Remove) -> Result<()> {
    let at = Location::new(name, dir)?;
    let not_found = || at.not_found(Duration::ZERO);
    // Held until the name is gone: nobody sits down in between.
    let mut seats_held = None;
    if how == Remove::IfStale {
        let (opened, _) = object::open(&at, Access::Write)?.ok_or_else(not_found)?;
        if !seats::take_all(&opened.file).map_err(|error| at.os("looking for participants", error))? {
            let report = report(dir, name)?;
            let holder = report.seats.into_iter().find(|seat| seat.live);
            let (role, seat) = holder.map_or((Role::Consumer, None), |seat| (seat.role, Some(seat)));
            let holder = Box::new(crate::Peer {
                role,
                seat: seat.as_ref().map_or(0, |seat| seat.index),
                pid: seat.as_ref().map_or(0, |seat| seat.pid),
                program: seat.as_ref().map_or_else(String::new, |seat| seat.program.clone()),
                host: seat.as_ref().map_or_else(String::new, |seat| seat.host.clone()),
                since: seat.as_ref().map_or(SystemTime::UNIX_EPOCH, |seat| seat.since),
            });
            return Err(Error::RoleTaken { ring: at.ring, role, holder });
        }
        if !object::is_current(&opened.file, &at.path())
            .map_err(|error| at.os("looking whether it was replaced", error))?
        {
            return Err(not_found());
        }
        seats_held = Some(opened);
    }
    let removed = object::unlink(&at);
    if let Some(opened) = seats_held {
        seats::give_back_all(&opened.file);
    }
    removed?.then_some(()).ok_or_else(not_found)
}
