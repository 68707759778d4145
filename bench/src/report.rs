//! What is printed: tables for people, one object for programs.

use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use podring::Wait;
use serde_json::{Value, json};

use crate::environment::Environment;
use crate::floor::Floor;
use crate::pingpong::{PingPong, Rings};
use crate::schedule::{Case, Figures, Run, Series};
use crate::stream::{Outcome, Stream};
use crate::summary::median_of;
use crate::units::{bytes, figure};

/// Version of the JSON object.
const SCHEMA: u32 = 1;

/// The part of the time that other programs may take before a figure is marked.
const CROWDED: f64 = 0.05;

/// Percentiles of round trips, with their names in tables and as JSON keys.
const PERCENTILES: [(f64, &str, &str); 5] = [
    (50.0, "p50", "p50_ns"),
    (90.0, "p90", "p90_ns"),
    (99.0, "p99", "p99_ns"),
    (99.9, "p99.9", "p99_9_ns"),
    (99.99, "p99.99", "p99_99_ns"),
];

/// A case summed up over its runs: medians, but the largest maximum.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The case.
    pub case: Case,
    /// The medians.
    pub medians: Medians,
    /// The floor, median of the runs.
    pub floor: Floor,
    /// Runs during which the floor changed.
    pub moved: usize,
    /// Runs during which other programs had one of the CPUs for more than a twentieth of the time.
    pub crowded: usize,
    /// The part of the time other programs had one of the CPUs, median of the runs.
    pub crowding: f64,
    /// All runs.
    pub runs: usize,
}

/// The figures of a case.
#[derive(Debug, Clone)]
pub enum Medians {
    /// Of round trips.
    RoundTrip {
        /// p50, p90, p99, p99.9, p99.99 in nanoseconds.
        percentiles_ns: [f64; 5],
        /// The longest trip of all runs.
        max_ns: u64,
        /// Timed trips of all runs.
        count: u64,
        /// p50 as a multiple of the floor with a line for each direction, and with one line for both.
        per_floor: (f64, f64),
    },
    /// Of a stream.
    Stream {
        /// Nanoseconds for each message.
        ns_per_message: f64,
        /// Slowest and fastest run, in messages a second.
        range: (f64, f64),
        /// Time for each message as a multiple of the floor with a line for each direction.
        per_floor: f64,
        /// How often the reader slept in one run.
        parks: f64,
    },
}

impl Summary {
    /// Sums up the runs of one case.
    pub fn of(series: &Series) -> Self {
        let floors: Vec<Floor> = series.runs.iter().map(|run| run.floor).collect();
        Self {
            case: series.case,
            medians: match series.case {
                Case::RoundTrip(_) => round_trips(&series.runs),
                Case::Stream(_) => streams(&series.runs),
            },
            floor: Floor::median(&floors),
            moved: series.runs.iter().filter(|run| run.moved).count(),
            crowded: series.runs.iter().filter(|run| run.crowded > CROWDED).count(),
            crowding: median_of(&series.runs, |run| run.crowded),
            runs: series.runs.len(),
        }
    }

    fn json(&self) -> Value {
        let (kind, size, capacity, wait) = match &self.case {
            Case::RoundTrip(PingPong { rings, size, capacity, wait, .. }) => {
                (ring_name(*rings), size, capacity, wait)
            }
            Case::Stream(Stream { style, size, capacity, wait, .. }) => (style.name(), size, capacity, wait),
        };
        let mut object = json!({
            "message_bytes": size,
            "capacity_bytes": capacity,
            "wait": wait_name(*wait),
            "runs": self.runs,
            "runs_floor_moved": self.moved,
            "runs_crowded": self.crowded,
            "crowding": self.crowding,
            "floor": self.floor.json(),
        });
        match &self.medians {
            Medians::RoundTrip { percentiles_ns, max_ns, count, per_floor } => {
                object["rings"] = json!(kind);
                for ((_, _, key), value) in PERCENTILES.iter().zip(percentiles_ns) {
                    object[*key] = json!(value);
                }
                object["max_ns"] = json!(max_ns);
                object["count"] = json!(count);
                object["p50_per_floor_line_each"] = json!(per_floor.0);
                object["p50_per_floor_one_line"] = json!(per_floor.1);
            }
            Medians::Stream { ns_per_message, range, per_floor, parks } => {
                let rate = 1e9 / ns_per_message;
                object["style"] = json!(kind);
                if let Case::Stream(plan) = &self.case {
                    object["count"] = json!(plan.messages);
                    object["batch"] = json!(plan.style.is_batch().then_some(plan.batch));
                }
                object["ns_per_msg"] = json!(ns_per_message);
                object["msgs_per_s"] = json!(rate);
                object["msgs_per_s_min"] = json!(range.0);
                object["msgs_per_s_max"] = json!(range.1);
                object["bytes_per_s"] = json!(rate * *size as f64);
                object["ns_per_msg_per_floor_line_each"] = json!(per_floor);
                object["reader_parks"] = json!(parks);
            }
        }
        object
    }

    fn mark(&self) -> String {
        let mark = |what, count| (count != 0).then(|| format!("{what} {count}/{}", self.runs));
        [mark("moved", self.moved), mark("crowded", self.crowded)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The whole result as one object.
pub fn json(environment: &Environment, floor: &Floor, summaries: &[Summary]) -> Value {
    let of = |wanted: fn(&Case) -> bool| -> Vec<Value> {
        summaries.iter().filter(|summary| wanted(&summary.case)).map(Summary::json).collect()
    };
    json!({
        "schema": SCHEMA,
        "environment": environment.json(),
        "floor": floor.json(),
        "round_trips": of(|case| matches!(case, Case::RoundTrip(_))),
        "streams": of(|case| matches!(case, Case::Stream(_))),
    })
}

/// The whole result as text.
pub fn text(environment: &Environment, floor: &Floor, summaries: &[Summary]) -> String {
    let mut parts = vec![environment.lines(), floor_text(floor)];
    parts.extend(round_trip_table(summaries));
    parts.extend(stream_table(summaries));
    let mut notes = String::new();
    if summaries.iter().any(|summary| summary.moved != 0) {
        notes.push_str(
            "moved n/m: in n of m runs the floor before and after differed by more than a quarter; the host \
             moved the CPUs, and the multiple of the floor says little.\n",
        );
    }
    if summaries.iter().any(|summary| summary.crowded != 0) {
        notes.push_str(
            "crowded n/m: in n of m runs other programs had the CPUs for more than a twentieth of the time; \
             measure again when nothing else runs.\n",
        );
    }
    if !notes.is_empty() {
        parts.push(notes);
    }
    parts.join("\n")
}

fn floor_text(floor: &Floor) -> String {
    let mut table = table(&["raw cache-line round trip", "best", "plain", "with PAUSE"]);
    let ns = |value| format!("{} ns", figure(value));
    table.add_row(vec![
        "one line for both directions".to_owned(),
        ns(floor.one_line_ns()),
        ns(floor.one_line_plain_ns),
        ns(floor.one_line_pause_ns),
    ]);
    table.add_row(vec![
        "a line for each direction".to_owned(),
        ns(floor.line_each_ns()),
        ns(floor.line_each_plain_ns),
        ns(floor.line_each_pause_ns),
    ]);
    format!("The machine's floor (median of all runs)\n{}\n", trimmed(&table))
}

fn round_trip_table(summaries: &[Summary]) -> Option<String> {
    let mut head = vec!["rings", "size", "capacity", "wait"];
    head.extend(PERCENTILES.map(|(_, name, _)| name));
    head.extend(["max", "n", "p50/floor", "p50/one line", ""]);
    let mut table = table(&head);
    let mut any = false;
    for summary in summaries {
        let Summary {
            case: Case::RoundTrip(plan),
            medians: Medians::RoundTrip { percentiles_ns, max_ns, count, per_floor },
            ..
        } = summary
        else {
            continue;
        };
        any = true;
        let mut row = vec![
            ring_name(plan.rings).to_owned(),
            bytes(plan.size),
            bytes(plan.capacity),
            wait_name(plan.wait).to_owned(),
        ];
        row.extend(percentiles_ns.map(|ns| format!("{ns:.0}")));
        row.extend([
            max_ns.to_string(),
            count.to_string(),
            times(per_floor.0),
            times(per_floor.1),
            summary.mark(),
        ]);
        table.add_row(row);
    }
    any.then(|| {
        format!(
            "Round trips, nanoseconds (median of the runs; floor: a line for each direction)\n{}\n",
            trimmed(&table)
        )
    })
}

fn stream_table(summaries: &[Summary]) -> Option<String> {
    let mut table = table(&[
        "size", "style", "capacity", "wait", "M msg/s", "min-max", "GB/s", "ns/msg", "ns/floor", "parks", "",
    ]);
    let mut any = false;
    for summary in summaries {
        let Summary {
            case: Case::Stream(plan),
            medians: Medians::Stream { ns_per_message, range, per_floor, parks },
            ..
        } = summary
        else {
            continue;
        };
        any = true;
        table.add_row(vec![
            bytes(plan.size),
            if plan.style.is_batch() {
                format!("{} of {}", plan.style.name(), plan.batch)
            } else {
                plan.style.name().to_owned()
            },
            bytes(plan.capacity),
            wait_name(plan.wait).to_owned(),
            figure(1e3 / ns_per_message),
            format!("{}-{}", figure(range.0 / 1e6), figure(range.1 / 1e6)),
            figure(plan.size as f64 / ns_per_message),
            figure(*ns_per_message),
            times(*per_floor),
            format!("{parks:.0}"),
            summary.mark(),
        ]);
    }
    any.then(|| {
        format!("Streams (median of the runs; floor: a line for each direction)\n{}\n", trimmed(&table))
    })
}

fn round_trips(runs: &[Run]) -> Medians {
    let runs: Vec<(&Histogram<u64>, Floor)> = runs
        .iter()
        .filter_map(|run| match &run.figures {
            Figures::RoundTrip(trips) => Some((trips, run.floor)),
            Figures::Stream(_) => None,
        })
        .collect();
    let at = |trips: &Histogram<u64>, percentile| trips.value_at_percentile(percentile) as f64;
    Medians::RoundTrip {
        percentiles_ns: PERCENTILES
            .map(|(percentile, ..)| median_of(&runs, |(trips, _)| at(trips, percentile))),
        max_ns: runs.iter().map(|(trips, _)| trips.max()).max().unwrap_or(0),
        count: runs.iter().map(|(trips, _)| trips.len()).sum(),
        per_floor: (
            median_of(&runs, |(trips, floor)| at(trips, 50.0) / floor.line_each_ns()),
            median_of(&runs, |(trips, floor)| at(trips, 50.0) / floor.one_line_ns()),
        ),
    }
}

fn streams(runs: &[Run]) -> Medians {
    let runs: Vec<(Outcome, Floor)> = runs
        .iter()
        .filter_map(|run| match &run.figures {
            Figures::Stream(outcome) => Some((*outcome, run.floor)),
            Figures::RoundTrip(_) => None,
        })
        .collect();
    let rates = || runs.iter().map(|(outcome, _)| 1e9 / outcome.ns_per_message());
    Medians::Stream {
        ns_per_message: median_of(&runs, |(outcome, _)| outcome.ns_per_message()),
        range: (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max)),
        per_floor: median_of(&runs, |(outcome, floor)| outcome.ns_per_message() / floor.line_each_ns()),
        parks: median_of(&runs, |(outcome, _)| outcome.parks as f64),
    }
}

fn ring_name(rings: Rings) -> &'static str {
    match rings {
        Rings::Bytes => "bytes",
        Rings::Typed => "typed",
    }
}

fn wait_name(wait: Wait) -> &'static str {
    match wait {
        Wait::Spin => "spin",
        Wait::Adaptive => "adaptive",
        Wait::Park => "park",
    }
}

fn times(ratio: f64) -> String {
    format!("{}x", figure(ratio))
}

/// A table without lines: words to the left, figures to the right.
fn table(head: &[&str]) -> Table {
    const WORDS: [&str; 5] = ["rings", "style", "wait", "raw cache-line round trip", ""];
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(head);
    for (column, name) in table.column_iter_mut().zip(head) {
        column.set_padding((0, 2));
        if !WORDS.contains(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Style;
    use std::time::Duration;

    fn floor(line_each: f64) -> Floor {
        Floor {
            one_line_plain_ns: line_each / 2.0,
            one_line_pause_ns: line_each,
            line_each_plain_ns: line_each,
            line_each_pause_ns: line_each * 2.0,
        }
    }

    fn trips(values: &[u64]) -> Figures {
        let mut histogram = Histogram::new(3).unwrap();
        for &value in values {
            histogram.record(value).unwrap();
        }
        Figures::RoundTrip(histogram)
    }

    fn round_trip_series() -> Series {
        let run = |values: &[u64], line_each, moved| Run {
            figures: trips(values),
            floor: floor(line_each),
            moved,
            crowded: 0.0,
        };
        Series {
            case: Case::RoundTrip(PingPong {
                rings: Rings::Bytes,
                size: 64,
                trips: 3,
                capacity: 1 << 20,
                wait: Wait::Spin,
            }),
            runs: vec![
                run(&[290, 300, 310], 200.0, false),
                run(&[390, 400, 900], 400.0, true),
                run(&[190, 200, 210], 100.0, false),
            ],
        }
    }

    fn stream_series() -> Series {
        let run = |nanos| Run {
            figures: Figures::Stream(Outcome {
                messages: 1000,
                elapsed: Duration::from_nanos(nanos),
                parks: 4,
                crowded: 0.5,
            }),
            floor: floor(200.0),
            moved: false,
            crowded: 0.5,
        };
        Series {
            case: Case::Stream(Stream {
                style: Style::BatchCopy,
                size: 256,
                messages: 900,
                batch: 32,
                capacity: 65536,
                wait: Wait::Adaptive,
            }),
            runs: vec![run(10_000), run(20_000), run(40_000)],
        }
    }

    #[test]
    fn the_ratio_is_taken_run_by_run() {
        let Medians::RoundTrip { percentiles_ns, max_ns, count, per_floor } =
            Summary::of(&round_trip_series()).medians
        else {
            panic!("round trips sum up to round trips");
        };
        assert_eq!(percentiles_ns[0], 300.0);
        assert_eq!(max_ns, 900);
        assert_eq!(count, 9);
        // 300/200, 400/400, 200/100: the middle is 1.5, and not 300 over the median floor by chance alone.
        assert_eq!(per_floor, (1.5, 3.0));
    }

    #[test]
    fn rates_come_from_the_middle_run() {
        let summary = Summary::of(&stream_series());
        let Medians::Stream { ns_per_message, range, per_floor, parks } = summary.medians else {
            panic!("streams sum up to streams");
        };
        assert_eq!(ns_per_message, 20.0);
        assert_eq!(range, (25e6, 100e6));
        assert_eq!(per_floor, 0.1);
        assert_eq!(parks, 4.0);
        let object = summary.json();
        assert_eq!(object["msgs_per_s"], 50e6);
        assert_eq!(object["bytes_per_s"], 12.8e9);
        assert_eq!(object["style"], "batch-copy");
        assert_eq!(object["batch"], 32);
    }

    #[test]
    fn tables_have_units_and_ratios() {
        let summaries = [Summary::of(&round_trip_series()), Summary::of(&stream_series())];
        let trips = round_trip_table(&summaries).unwrap();
        let line = trips.lines().nth(2).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..7], ["bytes", "64", "B", "1", "MiB", "spin", "300"], "{trips}");
        assert_eq!(words[words.len() - 4..], ["1.50x", "3.00x", "moved", "1/3"], "{trips}");
        let streams = stream_table(&summaries).unwrap();
        assert!(streams.contains("M msg/s") && streams.contains("GB/s"), "{streams}");
        let line = streams.lines().nth(2).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "256",
                "B",
                "batch-copy",
                "of",
                "32",
                "64",
                "KiB",
                "adaptive",
                "50.0",
                "25.0-100",
                "12.8",
                "20.0",
                "0.100x",
                "4",
                "crowded",
                "3/3"
            ],
            "{streams}"
        );
    }

    #[test]
    fn no_table_for_what_was_not_run() {
        let summaries = [Summary::of(&stream_series())];
        assert!(round_trip_table(&summaries).is_none());
        assert!(stream_table(&summaries).is_some());
    }
}
