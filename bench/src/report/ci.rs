//! The forms that continuous integration reads.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::gate::{Outcome, Verdict};
use crate::results::Row;

/// Bencher Metric Format: each case with its measures, each measure with the range of its runs.
pub fn bmf(rows: &[Row]) -> Value {
    let mut object = Map::new();
    for row in rows {
        let measures: &[(&str, &str)] = match row.headline() {
            "p50_ns" => &[("latency", "p50_ns"), ("latency_p99", "p99_ns")],
            _ => &[("throughput", "msgs_per_s")],
        };
        let measures: Map<String, Value> = measures
            .iter()
            .map(|(measure, key)| {
                let (low, high) = row.range(key);
                let value = json!({"value": row.figure(key), "lower_value": low, "upper_value": high});
                ((*measure).to_owned(), value)
            })
            .collect();
        object.insert(row.name.clone(), Value::Object(measures));
    }
    Value::Object(object)
}

/// github-action-benchmark's `customSmallerIsBetter`: times only, so streams as nanoseconds for each message.
pub fn github(rows: &[Row]) -> Value {
    let mut entries = Vec::new();
    for row in rows {
        let keys: &[&str] = if row.headline() == "p50_ns" { &["p50_ns", "p99_ns"] } else { &["ns_per_msg"] };
        for key in keys {
            let (low, high) = row.range(key);
            entries.push(json!({
                "name": format!("{} {}", row.name, key.trim_end_matches("_ns")),
                "unit": if *key == "ns_per_msg" { "ns/message" } else { "ns" },
                "value": row.figure(key),
                "range": format!("{low:.1} to {high:.1}"),
                "extra": format!("{:.2}x floor of {:.1} ns", row.per_floor(key), row.floor_ns()),
            }));
        }
    }
    Value::Array(entries)
}

/// OpenMetrics text: one gauge for each figure, cases as labels.
pub fn openmetrics(rows: &[Row]) -> String {
    let mut out = String::new();
    let figures = [
        ("p50_ns", "round trip or delivery, median"),
        ("p99_ns", "round trip or delivery, 99th percentile"),
        ("p99_9_ns", "round trip or delivery, 99.9th percentile"),
        ("max_ns", "round trip or delivery, longest"),
        ("msgs_per_s", "messages a second"),
        ("bytes_per_s", "bytes a second"),
    ];
    for (key, help) in figures {
        let mut lines = String::new();
        for row in rows {
            let (Some(case), value) = (&row.case, row.figure(key)) else { continue };
            if value.is_finite() {
                let _ = writeln!(
                    lines,
                    "podring_bench_{key}{{mode=\"{}\",subject=\"{}\",message_bytes=\"{}\",batch=\"{}\",wait=\"{}\",\
                     where=\"{}\",case=\"{}\"}} {value}",
                    case.mode.name(),
                    case.subject.name(),
                    case.size,
                    case.batch,
                    case.wait.name(),
                    case.place.name(),
                    row.name
                );
            }
        }
        if !lines.is_empty() {
            let _ = writeln!(out, "# TYPE podring_bench_{key} gauge\n# HELP podring_bench_{key} {help}");
            out += &lines;
        }
    }
    let ratios: String = rows
        .iter()
        .map(|row| {
            format!("podring_bench_per_floor{{case=\"{}\"}} {}\n", row.name, row.per_floor(row.headline()))
        })
        .collect();
    let _ = writeln!(
        out,
        "# TYPE podring_bench_per_floor gauge\n# HELP podring_bench_per_floor the first figure as a multiple of the \
         machine's floor"
    );
    out + &ratios + "# EOF\n"
}

/// JUnit: each verdict a test case; without conditions, each case one that passed.
pub fn junit(rows: &[Row], verdicts: &[Verdict]) -> String {
    let count = |outcome| verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    let all = if verdicts.is_empty() { rows.len() } else { verdicts.len() };
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"podring bench\" tests=\"{all}\" \
         failures=\"{}\" errors=\"{}\">\n",
        count(Outcome::Regression),
        count(Outcome::TooNoisy)
    );
    if verdicts.is_empty() {
        for row in rows {
            let _ =
                writeln!(out, "    <testcase classname=\"podring.bench\" name=\"{}\"/>", escaped(&row.name));
        }
    }
    for verdict in verdicts {
        let name = escaped(&format!("{}: not {}", verdict.case, verdict.condition));
        let _ = write!(out, "    <testcase classname=\"podring.bench\" name=\"{name}\"");
        let message = escaped(&verdict.to_string());
        let _ = match verdict.outcome {
            Outcome::Pass => writeln!(out, "><system-out>{message}</system-out></testcase>"),
            Outcome::Regression => {
                writeln!(out, "><failure type=\"regression\" message=\"{message}\"/></testcase>")
            }
            Outcome::TooNoisy => {
                writeln!(out, "><error type=\"too noisy to tell\" message=\"{message}\"/></testcase>")
            }
        };
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// Text inside of XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Condition, judge};
    use crate::results::tests::row;

    #[test]
    fn junit_tells_the_three_outcomes_apart() {
        let calm = [(100.0, 90.0); 6];
        let wild = [(100.0, 90.0), (300.0, 90.0), (50.0, 90.0), (200.0, 90.0), (80.0, 90.0)];
        let rows = [row("a", "p50_ns", &calm), row("b", "p50_ns", &wild)];
        let conditions = ["p50 > 2x floor", "p50 > 1.01x floor"].map(|text| Condition::parse(text).unwrap());
        let verdicts = judge(&conditions, &rows, None).unwrap();
        let xml = junit(&rows, &verdicts);
        assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"2\""), "{xml}");
        assert!(xml.contains("name=\"a: not p50 &gt; 2x floor\"><system-out>"), "{xml}");
        assert!(junit(&rows, &[]).contains("tests=\"2\" failures=\"0\""));
    }

    #[test]
    fn smaller_is_better_everywhere() {
        let rows = [row("s", "ns_per_msg", &[(20.0, 10.0)]), row("t", "p50_ns", &[(200.0, 100.0)])];
        let value = github(&rows);
        assert_eq!(value[0]["name"], "s ns_per_msg");
        assert_eq!(value[1]["extra"], "2.00x floor of 100.0 ns");
        assert_eq!(bmf(&rows)["t"]["latency"]["upper_value"], 200.0);
    }
}
