//! Tables for people.

use comfy_table::{CellAlignment, Table, presets};

use crate::case::{Case, Mode};
use crate::gate::Verdict;
use crate::report::Report;
use crate::results::Row;
use crate::subjects::Kind;
use crate::units::{bytes, figure};

/// The whole result as text.
pub fn render(report: &Report) -> String {
    let mut parts = vec![
        report.environment.lines(),
        format!("The machine's floor (median of all runs)\n{}\n", floor(report)),
    ];
    for mode in MODES {
        if let Some(table) = mode_table(&report.rows, mode, presets::NOTHING) {
            parts.push(format!("{}\n{}\n", title(mode), trimmed(&table)));
        }
    }
    parts.extend(notes(&report.rows));
    if !report.verdicts.is_empty() {
        parts.push(report.verdicts.iter().map(|verdict| format!("{verdict}\n")).collect());
    }
    parts.join("\n")
}

/// The same for a job's summary page.
pub fn markdown(report: &Report) -> String {
    let mut parts = Vec::new();
    if !report.verdicts.is_empty() {
        parts.push(verdict_table(&report.verdicts));
    }
    for mode in MODES {
        if let Some(table) = mode_table(&report.rows, mode, presets::ASCII_MARKDOWN) {
            parts.push(format!("**{}**\n\n{}\n", title(mode), trimmed(&table)));
        }
    }
    parts.extend(notes(&report.rows));
    parts.push(format!("```\n{}\n{}\n```\n", report.environment.lines(), floor(report)));
    parts.join("\n")
}

const MODES: [Mode; 5] = [Mode::Latency, Mode::Oneway, Mode::Wake, Mode::Throughput, Mode::Mpmc];

/// What stands above a table.
pub fn title(mode: Mode) -> &'static str {
    match mode {
        Mode::Latency => "Round trips, nanoseconds (floor: a line for each direction)",
        Mode::Oneway => {
            "One way at a rate, nanoseconds from when a message was due (floor: half a line round trip)"
        }
        Mode::Wake => "To a receiver that sleeps, nanoseconds (floor: half a futex round trip)",
        Mode::Throughput => "Streams (floor: the two CPUs hand over the same bytes by copying)",
        Mode::Mpmc => {
            "Many producers, many consumers (floor: the two CPUs hand over the same bytes by copying)"
        }
    }
}

/// The table of the floor.
fn floor(report: &Report) -> String {
    let floor = &report.floor;
    let ns = |value| format!("{} ns", figure(value));
    let rate = |value: f64| format!("{} GB/s", figure(value / 1e9));
    let mut table = table(&["", "best", "plain", "with PAUSE"], presets::NOTHING);
    table.add_row(vec![
        "line round trip, one for both directions".to_owned(),
        ns(floor.one_line_ns()),
        ns(floor.one_line_plain_ns),
        ns(floor.one_line_pause_ns),
    ]);
    table.add_row(vec![
        "line round trip, one for each direction".to_owned(),
        ns(floor.line_each_ns()),
        ns(floor.line_each_plain_ns),
        ns(floor.line_each_pause_ns),
    ]);
    table.add_row(vec!["copy on one core".to_owned(), rate(floor.one_core_bytes_per_s)]);
    table.add_row(vec!["copy from core to core".to_owned(), rate(floor.two_core_bytes_per_s)]);
    table.add_row(vec!["futex round trip".to_owned(), ns(floor.futex_ns)]);
    trimmed(&table)
}

/// The table of one mode, if there is anything in it.
fn mode_table(rows: &[Row], mode: Mode, preset: &str) -> Option<Table> {
    let rows: Vec<(&Row, &Case)> = rows
        .iter()
        .filter_map(|row| row.case.as_ref().filter(|case| case.mode == mode).map(|case| (row, case)))
        .collect();
    let columns = columns(mode, &rows);
    let mut table = table(&columns.iter().map(|column| column.head).collect::<Vec<_>>(), preset);
    for (row, case) in &rows {
        table.add_row(columns.iter().map(|column| (column.cell)(row, case)).collect::<Vec<_>>());
    }
    (!rows.is_empty()).then_some(table)
}

type Cell<'a> = dyn Fn(&Row, &Case) -> String + 'a;

struct Column<'a> {
    head: &'static str,
    cell: Box<Cell<'a>>,
}

fn column<'a>(head: &'static str, cell: impl Fn(&Row, &Case) -> String + 'a) -> Column<'a> {
    Column { head, cell: Box::new(cell) }
}

fn columns<'a>(mode: Mode, rows: &'a [(&'a Row, &'a Case)]) -> Vec<Column<'a>> {
    let differs = |of: fn(&Case) -> usize| rows.iter().any(|(_, case)| of(case) != of(rows[0].1));
    let mut columns = vec![column("transport", |_, case| case.subject.name().to_owned())];
    if differs(|case| case.place as usize) {
        columns.push(column("where", |_, case| case.place.name().to_owned()));
    }
    columns.push(column("size", |_, case| bytes(case.size)));
    if differs(|case| case.capacity) {
        columns.push(column("capacity", |_, case| bytes(case.capacity)));
    }
    columns.push(column("wait", |_, case| case.wait.name().to_owned()));
    if mode == Mode::Mpmc {
        columns.push(column("p+c", |_, case| format!("{}+{}", case.producers, case.consumers)));
    }
    if mode.is_timed() {
        if rows.iter().any(|(_, case)| case.rate > 0.0) {
            columns.push(column("rate/s", |_, case| figure(case.rate)));
            columns.push(column("reached", |row, _| figure(row.figure("msgs_per_s"))));
        }
        for (key, name) in [
            ("p50_ns", "p50"),
            ("p90_ns", "p90"),
            ("p99_ns", "p99"),
            ("p99_9_ns", "p99.9"),
            ("p99_99_ns", "p99.99"),
            ("max_ns", "max"),
        ] {
            columns.push(column(name, move |row, _| format!("{:.0}", row.figure(key))));
        }
        columns.push(column("n", |row, _| format!("{:.0}", row.figure("count"))));
        columns.push(column("p50/floor", |row, _| times(row.per_floor("p50_ns"))));
    } else {
        if rows.iter().any(|(_, case)| case.batch > 1) {
            columns.push(column("batch", |_, case| case.batch.to_string()));
        }
        columns.push(column("M msg/s", |row, _| figure(row.figure("msgs_per_s") / 1e6)));
        columns.push(column("min-max", |row, _| {
            let (low, high) = row.range("msgs_per_s");
            format!("{}-{}", figure(low / 1e6), figure(high / 1e6))
        }));
        columns.push(column("GB/s", |row, _| figure(row.figure("bytes_per_s") / 1e9)));
        columns.push(column("ns/msg", |row, _| figure(row.figure("ns_per_msg"))));
        columns.push(column("ns/floor", |row, _| times(row.per_floor("ns_per_msg"))));
    }
    if rows.iter().any(|(_, case)| case.subject.kind() != Kind::Own) {
        columns.push(column("beside podring", |row, case| beside(row, case, rows)));
    }
    columns.push(column("", |row, _| row.mark()));
    columns
}

/// How a peer's figure stands to podring's best on the same work. Where it is ahead, that is said.
pub fn beside(row: &Row, case: &Case, rows: &[(&Row, &Case)]) -> String {
    if case.subject.kind() == Kind::Own {
        return String::new();
    }
    let key = row.headline();
    let same = |other: &Case| {
        other.subject.kind() == Kind::Own
            && (other.mode, other.size, other.batch > 1) == (case.mode, case.size, case.batch > 1)
            && (other.producers, other.consumers) == (case.producers, case.consumers)
    };
    let best =
        rows.iter().filter(|(_, other)| same(other)).map(|(row, _)| row.figure(key)).fold(f64::NAN, f64::min);
    let ratio = row.figure(key) / best;
    match ratio {
        ratio if ratio.is_nan() => String::new(),
        ratio if ratio < 0.995 => format!("AHEAD {}", times(1.0 / ratio)),
        ratio => format!("{} slower", times(ratio)),
    }
}

fn verdict_table(verdicts: &[Verdict]) -> String {
    let mut table =
        table(&["", "case", "fails if", "figure", "ratio", "99 % band", "limit"], presets::ASCII_MARKDOWN);
    for verdict in verdicts {
        table.add_row(vec![
            format!("**{}**", verdict.outcome.name()),
            verdict.case.clone(),
            verdict.condition.clone(),
            format!("{} {}", figure(verdict.figure), verdict.unit),
            figure(verdict.ratio),
            format!("{}-{}", figure(verdict.low), figure(verdict.high)),
            figure(verdict.limit),
        ]);
    }
    trimmed(&table) + "\n"
}

fn notes(rows: &[Row]) -> Option<String> {
    let marks: String = rows.iter().map(Row::mark).collect();
    let notes: Vec<&str> = [
        (
            "moved",
            "moved n/m: in n of m runs the floor before and after differed by more than a quarter; the host moved the \
             CPUs, and the multiple of the floor says little.",
        ),
        (
            "crowded",
            "crowded n/m: in n of m runs other programs had the CPUs for more than a twentieth of the time; measure \
             again when nothing else runs.",
        ),
        ("awake", "awake n/m: in n of m runs the receiver did not sleep before most messages."),
    ]
    .into_iter()
    .filter_map(|(word, note)| marks.contains(word).then_some(note))
    .collect();
    (!notes.is_empty()).then(|| notes.join("\n") + "\n")
}

fn times(ratio: f64) -> String {
    format!("{}x", figure(ratio))
}

/// A table: words to the left, figures to the right.
fn table(head: &[&str], preset: &str) -> Table {
    const WORDS: [&str; 8] = ["transport", "where", "wait", "case", "fails if", "beside podring", "p+c", ""];
    let mut table = Table::new();
    table.load_preset(preset).set_header(head);
    for (column, name) in table.column_iter_mut().zip(head) {
        if preset == presets::NOTHING {
            column.set_padding((0, 2));
        }
        if !WORDS.contains(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
