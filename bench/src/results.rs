//! Figures of all runs, by name: what reports print and the gate judges, and what a baseline file holds.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::case::{Case, Mode};
use crate::floor::Floor;
use crate::schedule::{Run, Series};
use crate::subjects::Kind;
use crate::summary::{median, median_of};
use crate::{Error, Result};

/// Version of the JSON object.
pub const SCHEMA: u32 = 2;

/// The part of the time that other programs may take before a figure is marked.
const CROWDED: f64 = 0.05;

/// Percentiles with their JSON keys, and their names in tables.
pub const PERCENTILES: [(f64, &str, &str); 6] = [
    (50.0, "p50_ns", "p50"),
    (90.0, "p90_ns", "p90"),
    (99.0, "p99_ns", "p99"),
    (99.9, "p99_9_ns", "p99.9"),
    (99.99, "p99_99_ns", "p99.99"),
    (99.999, "p99_999_ns", "p99.999"),
];

/// Figures by their JSON keys, which carry their units.
pub type Figures = BTreeMap<String, f64>;

/// What one run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The figures.
    pub figures: Figures,
    /// What they are compared with, in nanoseconds.
    pub floor_ns: f64,
    /// Whether the floor changed during the run.
    pub moved: bool,
    /// The part of the time other programs had one of the CPUs.
    pub crowded: f64,
}

/// All runs of one case.
#[derive(Debug, Clone)]
pub struct Row {
    /// How the case is told from the others.
    pub name: String,
    /// What it is: absent in what was read from a file.
    pub case: Option<Case>,
    /// The runs, in order.
    pub runs: Vec<Measured>,
    /// Times of all runs together.
    pub times: Option<Histogram<u64>>,
}

impl Row {
    /// Sums up the runs of one case.
    pub fn of(series: &Series) -> Self {
        let mut all: Option<Histogram<u64>> = None;
        for times in series.runs.iter().filter_map(|run| run.sample.times.as_ref()) {
            match &mut all {
                None => all = Some(times.clone()),
                Some(all) => all.add(times).expect("histograms of the same bounds"),
            }
        }
        Self {
            name: series.case.name(),
            case: Some(series.case),
            runs: series.runs.iter().map(|run| measured(&series.case, run)).collect(),
            times: all,
        }
    }

    /// One figure of every run that has it.
    pub fn each(&self, key: &str) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.figures.get(key).copied()).collect()
    }

    /// The median of one figure; of the maximum, the largest; NaN where there is none.
    pub fn figure(&self, key: &str) -> f64 {
        match key {
            "max_ns" => self.each(key).into_iter().fold(f64::NAN, f64::max),
            "count" => self.each(key).into_iter().sum(),
            _ => median(&mut self.each(key)),
        }
    }

    /// The smallest and the largest of one figure.
    pub fn range(&self, key: &str) -> (f64, f64) {
        let each = self.each(key);
        (each.iter().copied().fold(f64::NAN, f64::min), each.iter().copied().fold(f64::NAN, f64::max))
    }

    /// One figure in nanoseconds as a multiple of the floor: the median of what it was in each run.
    pub fn per_floor(&self, key: &str) -> f64 {
        let mut ratios: Vec<f64> =
            self.runs.iter().filter_map(|run| run.figures.get(key).map(|ns| ns / run.floor_ns)).collect();
        median(&mut ratios)
    }

    /// The floor, median of the runs.
    pub fn floor_ns(&self) -> f64 {
        median_of(&self.runs, |run| run.floor_ns)
    }

    /// What disturbed the runs, in words; empty: nothing.
    pub fn mark(&self) -> String {
        let mark = |what, is_so: fn(&Measured) -> bool| {
            let count = self.runs.iter().filter(|run| is_so(run)).count();
            (count != 0).then(|| format!("{what} {count}/{}", self.runs.len()))
        };
        let marks = [
            mark("moved", |run| run.moved),
            mark("crowded", |run| run.crowded > CROWDED),
            // A receiver that was meant to sleep and did not.
            mark("awake", |run| {
                matches!((run.figures.get("parks"), run.figures.get("sleeps_expected")),
                    (Some(parks), Some(expected)) if parks < expected)
            }),
        ];
        marks.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// The figure by which this kind of case is judged: a time where times are measured.
    pub fn headline(&self) -> &'static str {
        if self.times.is_some() || self.runs.iter().any(|run| run.figures.contains_key("p50_ns")) {
            "p50_ns"
        } else {
            "ns_per_msg"
        }
    }

    /// Adds more runs of the same case.
    pub fn extend(&mut self, more: Self) {
        match (&mut self.times, &more.times) {
            (Some(all), Some(times)) => all.add(times).expect("histograms of the same bounds"),
            (all @ None, Some(times)) => *all = Some(times.clone()),
            (_, None) => {}
        }
        self.runs.extend(more.runs);
    }

    /// As an object.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("name".into(), json!(self.name));
        if let Some(case) = &self.case {
            let kind = match case.subject.kind() {
                Kind::Own => "podring",
                Kind::Peer => "peer",
                Kind::Bound => "bound",
            };
            object.extend([
                ("mode".into(), json!(case.mode)),
                ("subject".into(), json!(case.subject)),
                ("kind".into(), json!(kind)),
                ("message_bytes".into(), json!(case.size)),
                ("capacity_bytes".into(), json!(case.capacity)),
                ("wait".into(), json!(case.wait)),
                ("where".into(), json!(case.place)),
                ("batch".into(), json!(case.batch)),
            ]);
            if case.rate > 0.0 {
                object.insert("rate_per_s".into(), json!(case.rate));
            }
            if case.mode == Mode::Mpmc {
                object.insert("producers".into(), json!(case.producers));
                object.insert("consumers".into(), json!(case.consumers));
            }
        }
        for key in self.keys() {
            object.insert(key.clone(), number(self.figure(&key)));
        }
        object.insert("floor_ns".into(), number(self.floor_ns()));
        let headline = self.headline();
        let short = headline.trim_end_matches("_ns");
        object.insert(format!("{short}_per_floor"), number(self.per_floor(headline)));
        if headline == "p50_ns" {
            object.insert("p99_per_floor".into(), number(self.per_floor("p99_ns")));
        }
        let runs: Vec<Value> = self
            .runs
            .iter()
            .map(|run| {
                let mut object: Map<String, Value> =
                    run.figures.iter().map(|(key, value)| (key.clone(), number(*value))).collect();
                object.insert("floor_ns".into(), number(run.floor_ns));
                object.insert("floor_moved".into(), json!(run.moved));
                object.insert("crowded".into(), number(run.crowded));
                Value::Object(object)
            })
            .collect();
        object.insert("runs".into(), Value::Array(runs));
        Value::Object(object)
    }

    /// Every figure that some run has.
    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.runs.iter().flat_map(|run| run.figures.keys().cloned()).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// Reads the rows of a result that was printed as JSON.
pub fn read(text: &str, origin: &str) -> Result<Vec<Row>> {
    let wrong =
        |what: &str| Error::Usage(format!("{origin}: {what}; a baseline is what --format json printed"));
    let value: Value = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
    if value["schema"] != SCHEMA {
        return Err(wrong(&format!("schema {} and not {SCHEMA}", value["schema"])));
    }
    let rows = value["results"].as_array().ok_or_else(|| wrong("no results"))?;
    rows.iter().map(|row| read_row(row).ok_or_else(|| wrong("a result without name or runs"))).collect()
}

fn read_row(row: &Value) -> Option<Row> {
    let runs = row["runs"]
        .as_array()?
        .iter()
        .map(|run| {
            let mut figures: Figures = run
                .as_object()?
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.as_f64()?)))
                .collect();
            let floor_ns = figures.remove("floor_ns")?;
            let crowded = figures.remove("crowded")?;
            Some(Measured { figures, floor_ns, moved: run["floor_moved"].as_bool()?, crowded })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Row { name: row["name"].as_str()?.to_owned(), case: read_case(row), runs, times: None })
}

/// The case, unless it is one that this build does not know.
fn read_case(row: &Value) -> Option<Case> {
    let size = |key: &str| row[key].as_u64().map(|value| value as usize);
    Some(Case {
        mode: serde_json::from_value(row["mode"].clone()).ok()?,
        subject: serde_json::from_value(row["subject"].clone()).ok()?,
        size: size("message_bytes")?,
        capacity: size("capacity_bytes")?,
        wait: serde_json::from_value(row["wait"].clone()).ok()?,
        batch: size("batch")?,
        place: serde_json::from_value(row["where"].clone()).ok()?,
        rate: row["rate_per_s"].as_f64().unwrap_or(0.0),
        producers: size("producers").unwrap_or(1),
        consumers: size("consumers").unwrap_or(1),
        handicap_ns: 0,
    })
}

/// The whole result as one object.
pub fn json(environment: &Value, floor: &Floor, rows: &[Row], verdicts: &Value) -> Value {
    let results: Vec<Value> = rows.iter().map(Row::json).collect();
    json!({
        "schema": SCHEMA,
        "command": "bench",
        "environment": environment,
        "floor": floor.json(),
        "results": results,
        "verdicts": verdicts,
    })
}

/// Four digits that count are more than any figure here has, and are easier to read.
fn number(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    if value == value.trunc() && value.abs() < 1e15 {
        return json!(value as i64);
    }
    let text = format!("{value:.5e}");
    json!(text.parse::<f64>().unwrap_or(value))
}

fn measured(case: &Case, run: &Run) -> Measured {
    let sample = &run.sample;
    let mut figures = Figures::new();
    let mut put = |key: &str, value: f64| {
        figures.insert(key.to_owned(), value);
    };
    put("count", sample.messages as f64);
    if let Some(times) = &sample.times {
        for (percentile, key, _) in PERCENTILES {
            put(key, times.value_at_percentile(percentile) as f64);
        }
        put("min_ns", times.min() as f64);
        put("mean_ns", times.mean());
        put("max_ns", times.max() as f64);
    }
    let ns = sample.elapsed.as_nanos() as f64 / sample.messages as f64;
    put("msgs_per_s", 1e9 / ns);
    if !case.mode.is_timed() {
        put("ns_per_msg", ns);
        put("bytes_per_s", 1e9 / ns * case.size as f64);
    }
    put("parks", sample.parks as f64);
    if case.mode == Mode::Wake && case.wait == crate::case::WaitName::Park {
        put("sleeps_expected", sample.messages as f64 * 0.9);
    }
    if let Some(offset) = sample.clock_offset_ns {
        put("clock_offset_ns", offset);
    }
    Measured { figures, floor_ns: run.floor.of(case), moved: run.moved, crowded: sample.crowded }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row with these values of one figure and these floors.
    pub(crate) fn row(name: &str, key: &str, values: &[(f64, f64)]) -> Row {
        let runs = values
            .iter()
            .map(|&(value, floor_ns)| Measured {
                figures: Figures::from([(key.to_owned(), value)]),
                floor_ns,
                moved: false,
                crowded: 0.0,
            })
            .collect();
        Row { name: name.to_owned(), case: None, runs, times: None }
    }

    #[test]
    fn the_ratio_is_taken_run_by_run() {
        let row = row("a", "p50_ns", &[(300.0, 200.0), (400.0, 400.0), (200.0, 100.0)]);
        assert_eq!(row.figure("p50_ns"), 300.0);
        assert_eq!(row.per_floor("p50_ns"), 1.5);
        assert_eq!(row.range("p50_ns"), (200.0, 400.0));
        assert!(row.figure("p99_ns").is_nan());
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let rows = vec![row("a", "p50_ns", &[(300.0, 200.5), (123.456, 100.0)])];
        let floor = crate::floor::tests::floor(100.0, 130.0);
        let text = json(&Value::Null, &floor, &rows, &Value::Null).to_string();
        let read = read(&text, "test").unwrap();
        assert_eq!(read[0].runs, rows[0].runs);
        assert_eq!(read[0].name, "a");
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["", "{}", r#"{"schema":1,"results":[]}"#, r#"{"schema":2,"results":[{"name":"a"}]}"#] {
            assert!(matches!(read(text, "file"), Err(Error::Usage(_))), "{text}");
        }
    }
}
