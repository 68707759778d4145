//! `podring ls`: every file of the directories, and what is to be said of it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use podring::inspect::{self, Listing, Report, Seat, State};
use podring::{Role, Stats};
use serde_json::{Value, json};

use crate::args::PlacesArgs;
use crate::mapped::{Deleted, Mapped, Process};
use crate::output::{Exit, Failure, Output, Summary};
use crate::places::Place;
use crate::users::Users;
use crate::{human, places, table};

const HEADINGS: [&str; 15] = [
    "NAME", "KIND", "STATE", "OWNER", "MODE", "BYTES", "USED", "FILL", "PRODUCER", "CONSUMER", "CREATOR",
    "CREATED", "ACTIVE", "MAPPED", "DIR",
];

/// A file with or without its name, and who has it mapped.
struct Entry {
    dir: PathBuf,
    listing: Listing,
    deleted: bool,
    mapped_by: Vec<Process>,
}

pub(crate) fn run(dirs: &[PathBuf], args: &PlacesArgs, output: &Output) -> Result<Exit, Failure> {
    let places = places::resolve(dirs, args.all)?;
    let listings = list(&places)?;
    let mapped = Mapped::scan();
    let mut entries: Vec<Entry> = listings
        .into_iter()
        .map(|(dir, listing)| {
            let mapped_by = mapped.by(&dir.join(&listing.name)).to_vec();
            Entry { dir: dir.to_owned(), listing, deleted: false, mapped_by }
        })
        .collect();
    entries.extend(mapped.deleted.iter().filter_map(|deleted| nameless(deleted, &places, args.all)));
    let (users, now) = (Users::load(), SystemTime::now());
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(|entry| row(entry, &users, now)));
    if places.len() == 1 {
        // Where there is one directory, nobody asks which.
        rows.iter_mut().for_each(|row| row.truncate(HEADINGS.len() - 1));
    }
    let rings: Vec<Value> = entries.iter().map(|entry| members(entry, &users)).collect();
    let looked_at: Vec<String> = places.iter().map(|place| place.dir.display().to_string()).collect();
    let members = json!({
        "dir": looked_at.first(),
        "dirs": looked_at,
        "rings": rings,
        "processes_hidden": mapped.hidden,
    });
    output.finish(Summary::new("ls", table::align(&rows), members))?;
    Ok(Exit::Ok)
}

/// A ring whose name is gone while somebody still has it mapped. Other programs' files are left out, where that
/// can be told.
fn nameless(deleted: &Deleted, places: &[Place], all: bool) -> Option<Entry> {
    let (dir, name) = (deleted.path.parent()?, deleted.path.file_name()?.to_str()?);
    let is_ours = places.iter().any(|place| !place.found && place.dir == dir);
    let handle = deleted.handle.as_ref().filter(|_| all || is_ours)?;
    // The number of a ring whose name nobody knows any more is no name for a ring.
    let report = inspect::report_through(handle, dir, name.trim_start_matches('#')).ok()?;
    let listing = Listing {
        name: name.to_owned(),
        bytes: report.bytes,
        mode: report.mode,
        uid: report.uid,
        gid: report.gid,
        state: report.state,
        report: Some(report),
    };
    Some(Entry { dir: dir.to_owned(), listing, deleted: true, mapped_by: deleted.by.clone() })
}

/// What is in each of these directories.
pub(crate) fn list(places: &[Place]) -> Result<Vec<(&Path, Listing)>, Failure> {
    let mut listings = Vec::new();
    for place in places {
        match inspect::list(&place.dir) {
            Ok(list) => listings.extend(
                list.into_iter()
                    .filter(|listing| !place.found || is_ring(listing.state))
                    .map(|listing| (place.dir.as_path(), listing)),
            ),
            Err(_) if place.found => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(listings)
}

fn is_ring(state: State) -> bool {
    !matches!(state, State::Foreign | State::Unreadable)
}

fn row(entry: &Entry, users: &Users, now: SystemTime) -> Vec<String> {
    let listing = &entry.listing;
    let mut cells = vec![
        human::harmless(&listing.name),
        listing.report.as_ref().map_or_else(dash, |report| report.kind.to_string()),
        state(entry),
        users.show(listing.uid),
        human::mode(listing.mode),
        human::bytes(listing.bytes),
    ];
    match &listing.report {
        Some(report) => cells.extend([
            human::bytes(report.used),
            fill(report),
            participant(report, Role::Producer),
            participant(report, Role::Consumer),
            human::harmless(&report.creator),
            human::age(report.created, now),
            human::age(report.last_activity, now),
        ]),
        None => cells.extend((0..7).map(|_| dash())),
    }
    cells.push(if entry.mapped_by.is_empty() { dash() } else { entry.mapped_by.len().to_string() });
    cells.push(human::harmless(&entry.dir.display().to_string()));
    cells
}

fn state(entry: &Entry) -> String {
    if entry.deleted { "deleted".to_owned() } else { entry.listing.state.to_string() }
}

fn dash() -> String {
    "-".to_owned()
}

/// Used part of the capacity.
pub(crate) fn fill(report: &Report) -> String {
    format!("{:.0}%", fill_percent(report))
}

pub(crate) fn fill_percent(report: &Report) -> f64 {
    if report.capacity == 0 { 0.0 } else { report.used as f64 * 100.0 / report.capacity as f64 }
}

/// Who is attached in a role: the first, and how many more.
fn participant(report: &Report, role: Role) -> String {
    let mut live = report.seats.iter().filter(|seat| seat.live && seat.role == role).map(describe);
    let Some(first) = live.next() else { return dash() };
    match live.count() {
        0 => first,
        more => format!("{first}+{more}"),
    }
}

/// `program@host(pid)`; the pid counts in the participant's own namespace.
pub(crate) fn describe(seat: &Seat) -> String {
    human::harmless(&format!("{}@{}({})", seat.program, seat.host, seat.pid))
}

fn members(entry: &Entry, users: &Users) -> Value {
    let listing = &entry.listing;
    let mut members = json!({
        "name": listing.name,
        "dir": entry.dir.display().to_string(),
        "state": state(entry),
        "mapped_by": processes(&entry.mapped_by),
        "file_bytes": listing.bytes,
        "mode": human::mode(listing.mode),
        "uid": listing.uid,
        "gid": listing.gid,
        "owner": users.name(listing.uid),
    });
    if let State::Incompatible { layout } = listing.state {
        members["layout"] = layout.into();
    }
    if let Some(report) = &listing.report {
        let facts = report_members(report);
        if let (Value::Object(members), Value::Object(facts)) = (&mut members, facts) {
            members.extend(facts);
        }
    }
    members
}

/// Processes as members.
pub(crate) fn processes(processes: &[Process]) -> Value {
    processes.iter().map(|process| json!({ "pid": process.pid, "program": process.program })).collect()
}

/// What is known of a ring beyond its file.
pub(crate) fn report_members(report: &Report) -> Value {
    json!({
        "kind": report.kind.to_string(),
        "layout": report.layout,
        "capacity_bytes": report.capacity,
        "slots": report.slots,
        "on_consumer_death": report.drops_orphans.map(|drops| if drops { "drop" } else { "redeliver" }),
        "largest_message_bytes": report.largest_message,
        "element": report.element.as_ref().map(|element| json!({
            "name": element.name,
            "size_bytes": element.size,
            "align_bytes": element.align,
        })),
        "used_bytes": report.used,
        "fill_percent": fill_percent(report),
        "written_bytes": report.written,
        "read_bytes": report.read,
        "closed": report.closed,
        "created_unix_ns": human::unix_ns(report.created),
        "last_activity_unix_ns": human::unix_ns(report.last_activity),
        "creator": report.creator,
        "creator_uid": report.creator_uid,
        "id": id(report),
        "seats": report.seats.iter().map(seat_members).collect::<Vec<_>>(),
    })
}

/// The ring's random id in hexadecimal.
pub(crate) fn id(report: &Report) -> String {
    report.id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seat_members(seat: &Seat) -> Value {
    json!({
        "seat": seat.index,
        "role": seat.role.to_string(),
        "live": seat.live,
        "left": seat.left,
        "pid": seat.pid,
        "program": seat.program,
        "host": seat.host,
        "since_unix_ns": human::unix_ns(seat.since),
        "stats": stats_members(&seat.stats),
    })
}

fn stats_members(stats: &Stats) -> Value {
    json!({
        "messages": stats.messages,
        "bytes": stats.bytes,
        "parks": stats.parks,
        "wakes": stats.wakes,
        "stalls": stats.stalls,
        "slice_rescues": stats.slice_rescues,
        "redeliveries": stats.redeliveries,
        "abandoned": stats.abandoned,
        "attaches": stats.attaches,
        "dropped": stats.dropped,
        "repairs": stats.repairs,
    })
}
