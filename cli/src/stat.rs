//! `podring stat`: what happens in rings, line by line, for scripts and for people who know vmstat.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use podring::Role;
use podring::inspect::Report;
use serde_json::{Value, json};

use crate::args::StatArgs;
use crate::output::{self, Exit, Failure, Output};
use crate::watch::flow::{Flow, alive};
use crate::watch::look::{Key, Look, Watched};
use crate::{human, ls, places, signals};

/// On a terminal the headings come again after so many lines.
const LINES_TO_HEADINGS: usize = 20;

pub(crate) fn run(dirs: &[PathBuf], args: &StatArgs, output: &Output) -> Result<Exit, Failure> {
    let watched = Watched::new(places::resolve(dirs, args.places.all)?, &args.names);
    watched.check()?;
    signals::watch()?;
    let mut printer = Printer::new(args, &watched, output.is_json());
    let mut before = watched.look()?;
    // Intervals are counted from the start: what printing takes does not add up.
    let mut next = Instant::now();
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        next = (next + args.interval).max(Instant::now());
        if signals::sleep_until(next) {
            break;
        }
        let now = watched.look()?;
        if !printer.print(&watched, &before, &now)? {
            break;
        }
        before = now;
    }
    Ok(Exit::Ok)
}

/// Lines of equal columns.
struct Printer {
    json: bool,
    timestamp: bool,
    width: usize,
    with_dir: bool,
    lines: usize,
    repeat: bool,
}

impl Printer {
    fn new(args: &StatArgs, watched: &Watched, json: bool) -> Self {
        let width = watched.names().iter().map(|name| name.chars().count()).max().unwrap_or(12);
        Self {
            json,
            timestamp: args.timestamp,
            width: width.max(8),
            with_dir: watched.has_many_places(),
            lines: 0,
            repeat: std::io::stdout().is_terminal(),
        }
    }

    /// False: nobody reads it.
    fn print(
        &mut self,
        watched: &Watched,
        before: &BTreeMap<Key, Look>,
        now: &BTreeMap<Key, Look>,
    ) -> Result<bool, Failure> {
        let time = SystemTime::now();
        for (key, look) in now {
            // A ring that has just come has no interval yet.
            let Some(earlier) = before.get(key) else { continue };
            let flow = Flow::between(&earlier.report, &look.report, look.at - earlier.at);
            let heard = if self.json {
                output::print_next_line(&members(key, &look.report, &flow, time).to_string())?
            } else {
                self.line(key, time, &cells(&look.report, &flow))?
            };
            if !heard {
                return Ok(false);
            }
        }
        // One that was asked for and is not there must show, or a script waits for ever.
        for name in watched.names() {
            if now.keys().any(|(_, it)| it == name) {
                continue;
            }
            let heard = if self.json {
                let object = json!({
                    "schema": output::SCHEMA, "command": "stat", "unix_ns": human::unix_ns(time),
                    "ring": name, "state": "gone",
                });
                output::print_next_line(&object.to_string())?
            } else {
                self.line(&(PathBuf::new(), name.clone()), time, &["gone".to_owned()])?
            };
            if !heard {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn line(&mut self, (dir, name): &Key, time: SystemTime, cells: &[String]) -> Result<bool, Failure> {
        if self.lines == 0 || (self.repeat && self.lines.is_multiple_of(LINES_TO_HEADINGS)) {
            let headings: Vec<String> = COLUMNS.iter().map(|(heading, _)| (*heading).to_owned()).collect();
            output::print_next_line(&self.columns("TIME", "RING", &headings, "DIR"))?;
        }
        self.lines += 1;
        let (name, dir) = (human::harmless(name), human::harmless(&dir.display().to_string()));
        output::print_next_line(&self.columns(&human::utc(time), &name, cells, &dir))
    }

    fn columns(&self, time: &str, name: &str, cells: &[String], dir: &str) -> String {
        let mut line = String::new();
        if self.timestamp {
            line.push_str(&format!("{time:<24}"));
        }
        line.push_str(&format!("{name:<width$}", width = self.width));
        for ((_, width), cell) in COLUMNS.iter().zip(cells) {
            line.push_str(&format!(" {cell:>width$}"));
        }
        if self.with_dir {
            line.push_str(&format!("  {dir}"));
        }
        line.trim_end().to_owned()
    }
}

const COLUMNS: [(&str, usize); 12] = [
    ("SENT/s", 8),
    ("RECV/s", 8),
    ("BYTES/s", 8),
    ("FILL", 5),
    ("USED", 8),
    ("PARKS", 7),
    ("STALLS", 7),
    ("WAKES", 7),
    ("RESCUES", 7),
    ("REDELIV", 7),
    ("PROD", 4),
    ("CONS", 4),
];

fn cells(report: &Report, flow: &Flow) -> Vec<String> {
    let counts = &flow.counts;
    vec![
        human::count(flow.per_second(counts.sent)),
        human::count(flow.per_second(counts.received)),
        human::bytes(flow.per_second(counts.received_bytes) as u64),
        ls::fill(report),
        human::bytes(report.used),
        counts.parks.to_string(),
        counts.stalls.to_string(),
        counts.wakes.to_string(),
        counts.slice_rescues.to_string(),
        counts.redeliveries.to_string(),
        alive(report, Role::Producer).to_string(),
        alive(report, Role::Consumer).to_string(),
    ]
}

fn members((dir, name): &Key, report: &Report, flow: &Flow, time: SystemTime) -> Value {
    let counts = &flow.counts;
    json!({
        "schema": output::SCHEMA,
        "command": "stat",
        "unix_ns": human::unix_ns(time),
        "seconds": flow.seconds,
        "ring": name,
        "dir": dir.display().to_string(),
        "id": ls::id(report),
        "state": report.state.to_string(),
        "sent_per_s": flow.per_second(counts.sent),
        "received_per_s": flow.per_second(counts.received),
        "sent_bytes_per_s": flow.per_second(counts.sent_bytes),
        "received_bytes_per_s": flow.per_second(counts.received_bytes),
        "sent": counts.sent,
        "received": counts.received,
        "used_bytes": report.used,
        "capacity_bytes": report.capacity,
        "fill_percent": ls::fill_percent(report),
        "parks": counts.parks,
        "stalls": counts.stalls,
        "wakes": counts.wakes,
        "slice_rescues": counts.slice_rescues,
        "redeliveries": counts.redeliveries,
        "abandoned": counts.abandoned,
        "producers": alive(report, Role::Producer),
        "consumers": alive(report, Role::Consumer),
    })
}
