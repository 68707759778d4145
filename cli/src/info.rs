//! `podring info`: everything about one ring.

use std::path::Path;
use std::time::SystemTime;

use podring::inspect::{self, Report, Seat};
use serde_json::Value;

use crate::args::InfoArgs;
use crate::mapped::{Mapped, Process};
use crate::output::{Exit, Failure, Output, Summary};
use crate::users::Users;
use crate::{human, ls, table};

pub(crate) fn run(dir: &Path, args: &InfoArgs, output: &Output) -> Result<Exit, Failure> {
    let report = inspect::report(dir, &args.name).map_err(Failure::of_onlooker)?;
    let users = Users::load();
    let mut members = ls::report_members(&report);
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
    output.finish(Summary::new("info", text(&report, &users, mapped_by), members))?;
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
    for seat in &report.seats {
        text.push('\n');
        text.push_str(&seat_text(seat, now));
    }
    text
}

fn seat_text(seat: &Seat, now: SystemTime) -> String {
    let state = match (seat.live, seat.left) {
        (true, _) => "live",
        (false, true) => "left",
        (false, false) => "died",
    };
    let stats = &seat.stats;
    format!(
        "\nseat {} {}: {state}, {}, since {} ({} ago)\n  messages {}, bytes {}, parks {}, wakes {}, stalls {}\n  \
         slice rescues {}, redeliveries {}, abandoned {}, attaches {}",
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
    )
}

fn user(uid: u32, users: &Users) -> String {
    match users.name(uid) {
        Some(name) => format!("user {name} ({uid})"),
        None => format!("user {uid}"),
    }
}
