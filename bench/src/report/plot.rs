//! Charts: times by percentile, rates by message size.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::Result;
use crate::case::{Case, Mode, WaitName};
use crate::report::picture::{Axis, Line, Picture};
use crate::results::Row;
use crate::subjects::Kind;
use crate::units::{bytes, figure, nanoseconds};

/// A chart.
#[derive(Debug)]
pub struct Chart {
    /// What its file is called, without ending.
    pub name: String,
    /// The picture.
    pub svg: String,
}

/// Every chart for which there are figures.
pub fn charts(rows: &[Row]) -> Result<Vec<Chart>> {
    let cases: Vec<(&Row, &Case)> =
        rows.iter().filter_map(|row| row.case.as_ref().map(|case| (row, case))).collect();
    let mut charts = Vec::new();
    for mode in [Mode::Latency, Mode::Oneway, Mode::Wake] {
        // One that polls is no receiver that sleeps; it is in the table, marked.
        let fits = |case: &Case| case.mode == mode && (mode != Mode::Wake || case.wait != WaitName::Spin);
        for (size, these) in apart(&cases, |case| fits(case).then_some(case.size)) {
            charts.push(times(mode, size, &these)?);
        }
    }
    for mode in [Mode::Throughput, Mode::Mpmc] {
        let key =
            |case: &Case| (case.mode == mode).then_some((case.producers, case.consumers, case.batch > 1));
        for ((producers, consumers, batches), these) in apart(&cases, key) {
            charts.push(rates(mode, (producers, consumers), batches, &these)?);
        }
    }
    Ok(charts)
}

/// The cases that have a key, by it.
fn apart<'a, Key: Ord>(
    cases: &[(&'a Row, &'a Case)],
    key: impl Fn(&Case) -> Option<Key>,
) -> BTreeMap<Key, Vec<(&'a Row, &'a Case)>> {
    let mut all: BTreeMap<Key, Vec<_>> = BTreeMap::new();
    for &(row, case) in cases {
        if let Some(key) = key(case) {
            all.entry(key).or_default().push((row, case));
        }
    }
    all
}

/// What tells a case from the others of a chart.
fn label(case: &Case, cases: &[(&Row, &Case)]) -> String {
    let mut label = case.subject.name().to_owned();
    let differs = |of: fn(&Case) -> usize| {
        cases.iter().any(|(_, other)| other.subject == case.subject && of(other) != of(case))
    };
    if differs(|case| case.wait as usize) {
        label += &format!(", {}", case.wait.name());
    }
    if differs(|case| case.place as usize) {
        label += &format!(", {}", case.place.name());
    }
    if differs(|case| case.capacity) {
        label += &format!(", {}", bytes(case.capacity));
    }
    if differs(|case| case.batch) {
        label += &format!(", of {}", case.batch);
    }
    label
}

/// Times by percentile; both axes logarithmic, the lower one in 1/(1 - quantile).
fn times(mode: Mode, size: usize, cases: &[(&Row, &Case)]) -> Result<Chart> {
    let (what, name) = match mode {
        Mode::Latency => ("Round trips", "latency"),
        Mode::Oneway => ("One way at a rate", "oneway"),
        _ => ("To a receiver that sleeps", "wake"),
    };
    let mut lines: Vec<Line> = cases
        .iter()
        .filter_map(|(row, case)| {
            let times = row.times.as_ref()?;
            Some(Line {
                subject: case.subject.name(),
                nth: 0,
                label: label(case, cases),
                note: format!("p50 {}", nanoseconds(row.figure("p50_ns"))),
                own: case.subject.kind() == Kind::Own,
                points: curve(times),
            })
        })
        .collect();
    number(&mut lines);
    lines.sort_by(|a, b| a.points[0].1.total_cmp(&b.points[0].1));
    let floor = crate::summary::median_of(cases, |(row, _)| row.floor_ns());
    let title = format!("{what}, {} messages", bytes(size));
    Picture {
        name: format!("{name}-{size}"),
        title,
        x_name: "percentile",
        y_name: "time",
        x: Axis::Quantile,
        floor: Some((floor, format!("floor {}", nanoseconds(floor)))),
        lines,
    }
    .draw()
}

/// The points of a distribution that make its shape: p50 and on, five a decade.
fn curve(times: &Histogram<u64>) -> Vec<(f64, f64)> {
    let last = (times.len() as f64).clamp(10.0, 1e5);
    let mut points = Vec::new();
    let mut inverse = 2.0_f64;
    while inverse <= last {
        points.push((inverse, times.value_at_quantile(1.0 - 1.0 / inverse).max(1) as f64));
        inverse *= 10f64.powf(0.1);
    }
    points
}

/// Messages a second by size, of so many producers and consumers.
fn rates(mode: Mode, sides: (usize, usize), batches: bool, cases: &[(&Row, &Case)]) -> Result<Chart> {
    let mut lines: Vec<Line> = Vec::new();
    for (row, case) in cases {
        let label = label(case, cases);
        let point = (case.size as f64, row.figure("msgs_per_s") / 1e6);
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.push(point),
            None => lines.push(Line {
                subject: case.subject.name(),
                nth: 0,
                label,
                note: String::new(),
                own: case.subject.kind() == Kind::Own,
                points: vec![point],
            }),
        }
    }
    number(&mut lines);
    let usual = usual_size(cases);
    for line in &mut lines {
        line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        line.note = match line.rate(usual) {
            Some(rate) => format!("{} M/s of {}", figure(rate), bytes(usual)),
            None => String::new(),
        };
    }
    // The legend is in the order of what it says.
    lines.sort_by(|a, b| {
        let rate = |line: &Line| line.rate(usual).unwrap_or_default();
        rate(b).total_cmp(&rate(a))
    });
    let (what, name) = match (mode, sides) {
        (Mode::Throughput, _) => ("Streams".to_owned(), "throughput".to_owned()),
        (_, (producers, consumers)) => (
            format!("Producers and consumers: {producers}+{consumers}"),
            format!("mpmc-{producers}p{consumers}c"),
        ),
    };
    let how = if batches { "in batches" } else { "one at a time" };
    Picture {
        name: format!("{name}-{}", if batches { "batches" } else { "single" }),
        title: format!("{what}, {how}"),
        x_name: "message size",
        y_name: "million messages a second",
        x: Axis::Size,
        floor: None,
        lines,
    }
    .draw()
}

/// Numbers the lines of each subject: the first way to wait is the first of all subjects.
fn number(lines: &mut [Line]) {
    for at in 1..lines.len() {
        let (before, rest) = lines.split_at_mut(at);
        rest[0].nth = before.iter().filter(|line| line.subject == rest[0].subject).count();
    }
}

/// The size that the legend speaks of: 64 bytes, which most transports carry, or the next one.
fn usual_size(cases: &[(&Row, &Case)]) -> usize {
    const USUAL: usize = 64;
    cases.iter().map(|(_, case)| case.size).min_by_key(|size| size.abs_diff(USUAL)).unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::row;

    #[test]
    fn a_distribution_is_drawn_as_far_as_it_is_known() {
        let mut times = Histogram::new(3).unwrap();
        (1..=1000).for_each(|value| times.record(value).unwrap());
        let curve = curve(&times);
        assert_eq!(curve[0], (2.0, 500.0));
        let last = curve.last().unwrap();
        assert!(last.0 <= 1000.0 && last.1 >= 998.0, "{last:?}");
    }

    #[test]
    fn without_cases_there_is_no_chart() {
        assert!(charts(&[row("a", "p50_ns", &[(1.0, 1.0)])]).unwrap().is_empty());
    }
}
