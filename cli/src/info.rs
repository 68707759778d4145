//! `podring info`: everything about one ring.

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use podring::Role;
use podring::inspect::{self, Awaited, Report, Seat};
use serde_json::{Value, json};

use crate::args::InfoArgs;
use crate::mapped::{Mapped, Process};
use crate::output::{Exit, Failure, Output, Summary};
use crate::users::Users;
use crate::{human, ls, table};

/// A claim that is there for longer than this is not just passing by.
const PASSING: Duration = Duration::from_millis(50);

pub(crate) fn run(dir: &Path, args: &InfoArgs, output: &Output) -> Result<Exit, Failure> {
    let repaired = match args.repair {
        true => Some(inspect::repair(dir, &args.name).map_err(Failure::of_onlooker)?),
        false => None,
    };
    let look = || inspect::report(dir, &args.name).map_err(Failure::of_onlooker);
    let mut report = look()?;
    if !report.waiting_for.is_empty() {
        // Claims come and go; those that stay are worth a word.
        let before = report.waiting_for;
        thread::sleep(PASSING);
        report = look()?;
        report.waiting_for.retain(|claim| before.contains(claim));
    }
    let users = Users::load();
    let mut members = ls::report_members(&report);
    members["waiting_for"] = report.waiting_for.iter().map(|claim| awaited_members(claim, &report)).collect();
    members["repaired"] = repaired.into();
    members["name"] = report.name.as_str().into();
    members["path"] = report.path.display().to_string().into();
    members["state"] = report.state.to_string().into();
    members["file_bytes"] = report.bytes.into();
    members["mode"] = human::mode(report.mode).into();
    members["uid"] = report.uid.into();
    members["gid"] = report.gid.into();
    members["owner"] = users.name(report.uid).map_or(Value::Null, Value::from);
    let mapped = Mapped::scan();
    let mapped_by = mapped.by(&report.path);
    members["mapped_by"] = ls::processes(mapped_by);
    members["processes_hidden"] = mapped.hidden.into();
    let mut text = text(&report, &users, mapped_by);
    if let Some(dead) = repaired {
        text = format!("repaired what {dead} dead participants left\n\n{text}");
    }
    output.finish(Summary::new("info", text, members))?;
    Ok(Exit::Ok)
}

fn text(report: &Report, users: &Users, mapped_by: &[Process]) -> String {
    let now = SystemTime::now();
    let size = |bytes: u64| format!("{} ({bytes} bytes)", human::bytes(bytes));
    let when = |time: SystemTime| format!("{} ({} ago)", human::utc(time), human::age(time, now));
    let mut facts = vec![
        ("name", report.name.clone()),
        ("path", report.path.display().to_string()),
        ("state", report.state.to_string()),
        ("kind", format!("{}, layout {}", report.kind, report.layout)),
        ("capacity", size(report.capacity)),
        ("largest message", size(report.largest_message)),
        ("file", size(report.bytes)),
        ("used", format!("{}, {:.1}% full", size(report.used), ls::fill_percent(report))),
        ("positions", format!("written {}, read {}", report.written, report.read)),
        ("stream", if report.closed { "closed" } else { "open" }.to_owned()),
        (
            "owner",
            format!("{}, group {}, mode {}", user(report.uid, users), report.gid, human::mode(report.mode)),
        ),
        ("creator", format!("{}, {}", human::harmless(&report.creator), user(report.creator_uid, users))),
        ("created", when(report.created)),
        ("active", when(report.last_activity)),
        ("id", ls::id(report)),
    ];
    if let Some(slots) = report.slots {
        let then = if report.drops_orphans == Some(true) { "dropped" } else { "redelivered" };
        facts[4].1 = format!("{slots} slots, {}; what a consumer dies with is {then}", facts[4].1);
    }
    if let Some(element) = &report.element {
        let shape = format!("{}, {} bytes, aligned to {}", element.name, element.size, element.align);
        facts.insert(4, ("element", human::harmless(&shape)));
    }
    if !mapped_by.is_empty() {
        let processes = mapped_by.iter().map(|it| human::harmless(&format!("{}({})", it.program, it.pid)));
        facts.push(("mapped by", processes.collect::<Vec<_>>().join(", ")));
    }
    let rows: Vec<Vec<String>> = facts.into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect();
    let mut text = table::align(&rows);
    for claim in &report.waiting_for {
        text.push_str("\n\n");
        text.push_str(&awaited_text(claim, report, now));
    }
    for seat in &report.seats {
        text.push('\n');
        text.push_str(&seat_text(seat, now));
    }
    text
}

/// Whom everybody waits for, and what becomes of it.
fn awaited_text(claim: &Awaited, report: &Report, now: SystemTime) -> String {
    let holder = report.seats.iter().find(|seat| seat.index == claim.seat);
    let who = holder.map_or_else(String::new, |seat| {
        format!(
            ", {}, since {} ({} ago)",
            ls::describe(seat),
            human::utc(seat.since),
            human::age(seat.since, now)
        )
    });
    let (waiting, owed) = match claim.role {
        Role::Producer => ("consumers wait", "publish"),
        Role::Consumer => ("producers wait", "release"),
    };
    let outlook = match claim.live {
        true => "it is alive, so it is waited for; end it, and the others go on",
        false => "it is dead; whoever is blocked repairs that, and so does `podring info --repair`",
    };
    format!("{waiting} for seat {}{who} to {owed} message {}: {outlook}", claim.seat, claim.id)
}

fn awaited_members(claim: &Awaited, report: &Report) -> Value {
    let holder = report.seats.iter().find(|seat| seat.index == claim.seat);
    json!({
        "seat": claim.seat,
        "role": claim.role.to_string(),
        "live": claim.live,
        "message": claim.id,
        "pid": holder.map(|seat| seat.pid),
        "program": holder.map(|seat| seat.program.as_str()),
        "host": holder.map(|seat| seat.host.as_str()),
        "since_unix_ns": holder.and_then(|seat| human::unix_ns(seat.since)),
    })
}

fn seat_text(seat: &Seat, now: SystemTime) -> String {
    let state = match (seat.live, seat.left) {
        (true, _) => "live",
        (false, true) => "left",
        (false, false) if seat.repaired => "died and was repaired",
        (false, false) => "died",
    };
    let stats = &seat.stats;
    format!(
        "\nseat {} {}: {state}, {}, since {} ({} ago)\n  messages {}, bytes {}, parks {}, wakes {}, stalls {}\n  \
         slice rescues {}, redeliveries {}, abandoned {}, attaches {}, dropped {}, repairs {}",
        seat.index,
        seat.role,
        ls::describe(seat),
        human::utc(seat.since),
        human::age(seat.since, now),
        stats.messages,
        stats.bytes,
        stats.parks,
        stats.wakes,
        stats.stalls,
        stats.slice_rescues,
        stats.redeliveries,
        stats.abandoned,
        stats.attaches,
        stats.dropped,
        stats.repairs,
    )
}

fn user(uid: u32, users: &Users) -> String {
    match users.name(uid) {
        Some(name) => format!("user {name} ({uid})"),
        None => format!("user {uid}"),
    }
}
