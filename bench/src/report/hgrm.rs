//! The percentile distribution as HdrHistogram prints it, for its plotter: values in nanoseconds.

use std::fmt::Write;

use hdrhistogram::Histogram;

use crate::results::Row;

const TICKS_PER_HALF: u32 = 5;

/// All cases in which times were measured, each behind a comment with its name.
pub fn render(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        if let Some(times) = &row.times {
            let _ = writeln!(out, "#[Case = {}, values in nanoseconds]", row.name);
            distribution(&mut out, times);
        }
    }
    out
}

fn distribution(out: &mut String, times: &Histogram<u64>) {
    let _ = writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    for step in times.iter_quantiles(TICKS_PER_HALF) {
        let (value, quantile) = (step.value_iterated_to() as f64, step.quantile_iterated_to());
        let count = times.count_between(0, step.value_iterated_to());
        let _ = match quantile < 1.0 {
            true => writeln!(out, "{value:12.3} {quantile:14.12} {count:10} {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(out, "{value:12.3} {quantile:14.12} {count:10}"),
        };
    }
    let _ = writeln!(out, "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]", times.mean(), times.stdev());
    let _ = writeln!(out, "#[Max     = {:12.3}, Total count    = {:12}]", times.max() as f64, times.len());
    let _ = writeln!(
        out,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        times.distinct_values().div_ceil(1024),
        2048
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_plotter_wants_it() {
        let mut times = Histogram::new(3).unwrap();
        (1..=100).for_each(|value| times.record(value).unwrap());
        let mut out = String::new();
        distribution(&mut out, &times);
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].contains("Percentile") && lines[1].is_empty());
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["1.000", "0.000000000000", "1", "1.00"]);
        assert!(lines.iter().any(|line| line.starts_with("     100.000 1.000000000000        100")));
        assert!(out.contains("#[Max     =      100.000, Total count    =          100]"));
    }
}
