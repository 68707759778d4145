//! The gate: has it become slower? `pass`, `regression`, or `too noisy to tell`.
//!
//! A condition compares a figure with a limit as a ratio: to the floor of the same run, to a baseline, or to a
//! number. What counts is the median over several runs; how far it can be trusted is measured, not assumed:
//! the runs of one program differ among themselves (A/A), and their scatter gives the band in which the median
//! lies 99 times in 100. Only a limit outside of the band can be judged.

use std::fmt;

use serde_json::{Value, json};

use crate::results::Row;
use crate::summary::median;
use crate::{Error, Result};

/// Fewer runs have no scatter to speak of.
pub const FEWEST: usize = 5;

/// A condition that must not hold, such as `p99 > 1.5x floor`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    key: String,
    /// Whether more than the limit is bad, or less.
    more_is_bad: bool,
    against: Against,
    /// The ratio at which it becomes true; for numbers, the number.
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    Floor,
    Baseline,
    Number,
}

impl Condition {
    /// Reads `FIGURE > LIMIT` or `FIGURE < LIMIT`: a limit is `1.5x floor`, `+10% of baseline`, `1.1x baseline`,
    /// or a number with its unit (`2us`, `5M`).
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is not a condition such as 'p99 > 1.5x floor', 'p50 > +10% of baseline', 'msgs_per_s < 1M', \
                 'p99.9 > 20us'"
            )
        };
        let at = text.find(['>', '<']).ok_or_else(wrong)?;
        let (figure, limit) = (text[..at].trim(), text[at + 1..].trim());
        let more_is_bad = &text[at..=at] == ">";
        let key = key(figure).ok_or_else(wrong)?;
        let words: Vec<&str> = limit.split_whitespace().filter(|word| *word != "of").collect();
        let (against, limit) = match words[..] {
            [ratio, "floor"] => (Against::Floor, ratio_of(ratio).ok_or_else(wrong)?),
            [ratio, "baseline"] => (Against::Baseline, ratio_of(ratio).ok_or_else(wrong)?),
            [number] => (Against::Number, number_of(number).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        if against == Against::Floor && !key.ends_with("_ns") && key != "ns_per_msg" {
            return Err(format!("'{text}': the floor is a time, and {figure} is not"));
        }
        if limit.is_nan() || limit <= 0.0 {
            return Err(wrong());
        }
        Ok(Self { text: text.trim().to_owned(), key, more_is_bad, against, limit })
    }

    /// Whether it needs a baseline.
    pub fn needs_baseline(&self) -> bool {
        self.against == Against::Baseline
    }

    /// What is asked where nothing else is: not a tenth slower than the baseline.
    pub fn usual() -> Vec<Self> {
        ["p50 > +10% of baseline", "ns_per_msg > +10% of baseline"]
            .into_iter()
            .map(|text| Self::parse(text).expect("a condition as parse wants it"))
            .collect()
    }
}

/// `p99.9` and `p99_9_ns` are the same.
fn key(figure: &str) -> Option<String> {
    const KNOWN: [&str; 12] = [
        "p50_ns",
        "p90_ns",
        "p99_ns",
        "p99_9_ns",
        "p99_99_ns",
        "p99_999_ns",
        "max_ns",
        "mean_ns",
        "min_ns",
        "ns_per_msg",
        "msgs_per_s",
        "bytes_per_s",
    ];
    let plain = figure.replace(['.', '/'], "_");
    KNOWN
        .into_iter()
        .find(|known| *known == plain || known.trim_end_matches("_ns") == plain)
        .map(str::to_owned)
}

/// `1.5x`, `+10%`, `-5%`.
fn ratio_of(text: &str) -> Option<f64> {
    if let Some(number) = text.strip_suffix('x') {
        return number.parse().ok();
    }
    let percent = text.strip_suffix('%')?;
    if !percent.starts_with(['+', '-']) {
        return None;
    }
    percent.parse::<f64>().ok().map(|percent| 1.0 + percent / 100.0)
}

/// `500ns`, `2us`, `1.5ms`, `1s`, `5M`, `2G`, `1000`.
fn number_of(text: &str) -> Option<f64> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "" | "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "k" | "K" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// What is known about a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It does not hold.
    Pass,
    /// It holds.
    Regression,
    /// The runs differ too much among themselves.
    TooNoisy,
}

/// What became of one condition in one case.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The case.
    pub case: String,
    /// The condition.
    pub condition: String,
    /// The figure, median of the runs.
    pub figure: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it was compared with: floor, baseline or number.
    pub reference: f64,
    /// Figure by reference: the median of the runs, and the band around it.
    pub ratio: f64,
    /// The lower end of the band.
    pub low: f64,
    /// The upper end of the band.
    pub high: f64,
    /// The ratio at which the condition becomes true.
    pub limit: f64,
    /// Runs that count.
    pub runs: usize,
    /// The outcome.
    pub outcome: Outcome,
}

impl Outcome {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regression => "regression",
            Self::TooNoisy => "too noisy to tell",
        }
    }
}

impl Verdict {
    /// As an object.
    pub fn json(&self) -> Value {
        json!({
            "case": self.case,
            "condition": self.condition,
            "outcome": self.outcome.name(),
            "figure": self.figure,
            "unit": self.unit,
            "reference": self.reference,
            "ratio": self.ratio,
            "ratio_low": self.low,
            "ratio_high": self.high,
            "ratio_limit": self.limit,
            "runs": self.runs,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({}): {} {} by {} is {:.3} (99 % between {:.3} and {:.3}, {} runs), limit {:.3}",
            self.outcome.name(),
            self.case,
            self.condition,
            crate::units::figure(self.figure),
            self.unit,
            crate::units::figure(self.reference),
            self.ratio,
            self.low,
            self.high,
            self.runs,
            self.limit
        )
    }
}

/// How a baseline was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// Each run of it stands beside a run of the candidate: nothing else changed between the two.
    Interleaved,
    /// At another time, maybe on another machine: only multiples of the floor can be compared.
    Earlier,
}

/// Judges every condition in every case that has its figure.
pub fn judge(
    conditions: &[Condition],
    rows: &[Row],
    baseline: Option<(&[Row], Baseline)>,
) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for row in rows {
        for condition in conditions {
            if row.each(&condition.key).is_empty() {
                continue;
            }
            let reference = match (condition.against, baseline) {
                (Against::Baseline, None) => {
                    return Err(Error::Usage(format!("--fail-if '{}' needs --baseline", condition.text)));
                }
                (Against::Baseline, Some((base, kind))) => {
                    match base.iter().find(|base| base.name == row.name) {
                        Some(base) => Some((base, kind)),
                        None => {
                            return Err(Error::Usage(format!("--baseline: has no result of {}", row.name)));
                        }
                    }
                }
                _ => None,
            };
            verdicts.push(verdict(condition, row, reference));
        }
    }
    if verdicts.is_empty() && !conditions.is_empty() {
        return Err(Error::Usage("--fail-if: no case has such a figure".to_owned()));
    }
    Ok(verdicts)
}

fn verdict(condition: &Condition, row: &Row, base: Option<(&Row, Baseline)>) -> Verdict {
    let key = condition.key.as_str();
    // Where the floor changed during a run there is nothing to compare its figure with.
    let steady = |row: &Row| -> Vec<(f64, f64)> {
        row.runs
            .iter()
            .filter(|run| !run.moved)
            .filter_map(|run| run.figures.get(key).map(|figure| (*figure, run.floor_ns)))
            .collect()
    };
    let logs = |values: &mut dyn Iterator<Item = f64>| values.map(f64::ln).collect::<Vec<f64>>();
    // A rate goes down where a time goes up: per floor, it is multiplied.
    let per_floor = |(figure, floor): (f64, f64)| match key {
        "msgs_per_s" | "bytes_per_s" => figure * floor,
        _ => figure / floor,
    };
    let (ratios, error, reference) = match (condition.against, base) {
        (Against::Baseline, Some((base, Baseline::Interleaved))) => {
            let pairs: Vec<(f64, f64)> = row
                .runs
                .iter()
                .zip(&base.runs)
                .filter(|(ours, theirs)| !ours.moved && !theirs.moved && near(ours.floor_ns, theirs.floor_ns))
                .filter_map(|(ours, theirs)| Some((*ours.figures.get(key)?, *theirs.figures.get(key)?)))
                .collect();
            let ratios = logs(&mut pairs.iter().map(|(ours, theirs)| ours / theirs));
            // A/A: the baseline against itself, one round later, is as noisy as any such ratio.
            let again = logs(&mut pairs.windows(2).map(|two| two[1].1 / two[0].1));
            let scatter = deviation(&ratios).max(spread(&again));
            (ratios, scatter, base.figure(key))
        }
        (Against::Baseline, Some((base, Baseline::Earlier))) => {
            let theirs = logs(&mut steady(base).into_iter().map(per_floor));
            let middle = median(&mut theirs.clone());
            let ours = logs(&mut steady(row).into_iter().map(per_floor));
            let ratios: Vec<f64> = ours.iter().map(|ratio| ratio - middle).collect();
            // Both medians are uncertain; that of the baseline by what its own runs show.
            let theirs = deviation(&theirs) * (ratios.len() as f64 / theirs.len().max(1) as f64).sqrt();
            let scatter = deviation(&ratios).hypot(theirs);
            (ratios, scatter, base.figure(key))
        }
        (Against::Floor, _) => {
            let ratios = logs(&mut steady(row).into_iter().map(|(figure, floor)| figure / floor));
            let scatter = deviation(&ratios);
            (ratios, scatter, row.floor_ns())
        }
        _ => {
            let ratios = logs(&mut row.each(key).into_iter().map(|figure| figure / condition.limit));
            let scatter = deviation(&ratios);
            (ratios, scatter, condition.limit)
        }
    };
    let limit = if condition.against == Against::Number { 1.0 } else { condition.limit };
    let runs = ratios.len();
    let middle = median(&mut ratios.clone());
    let band = band(error, runs);
    let (low, high) = ((middle - band).exp(), (middle + band).exp());
    let outcome = match condition.more_is_bad {
        _ if runs < FEWEST || !band.is_finite() => Outcome::TooNoisy,
        true if high <= limit => Outcome::Pass,
        true if low > limit => Outcome::Regression,
        false if low >= limit => Outcome::Pass,
        false if high < limit => Outcome::Regression,
        _ => Outcome::TooNoisy,
    };
    Verdict {
        case: row.name.clone(),
        condition: condition.text.clone(),
        figure: row.figure(key),
        unit: match key {
            "msgs_per_s" => "messages/s",
            "bytes_per_s" => "bytes/s",
            _ => "ns",
        },
        reference,
        ratio: middle.exp(),
        low,
        high,
        limit,
        runs,
        outcome,
    }
}

/// Whether two floors are near enough for two figures to be compared as they stand.
fn near(a: f64, b: f64) -> bool {
    a.max(b) / a.min(b) < 1.25
}

/// A median absolute deviation, as large as the standard deviation of a normal distribution.
const TO_SIGMA: f64 = 1.4826;

/// How far values lie from their median.
fn deviation(values: &[f64]) -> f64 {
    let middle = median(&mut values.to_vec());
    spread(&values.iter().map(|value| value - middle).collect::<Vec<_>>())
}

/// How far values lie from zero.
fn spread(values: &[f64]) -> f64 {
    TO_SIGMA * median(&mut values.iter().map(|value| value.abs()).collect::<Vec<_>>())
}

/// Half the width of the band in which a median of `runs` values lies 99 times in 100.
fn band(sigma: f64, runs: usize) -> f64 {
    const TWO_SIDED_99: f64 = 2.576;
    const OF_A_MEDIAN: f64 = 1.2533;
    // A deviation estimated from few values is itself uncertain.
    let few = 1.0 + 2.0 / runs.max(1) as f64;
    TWO_SIDED_99 * OF_A_MEDIAN * sigma * few / (runs as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::row;

    fn parse(text: &str) -> Condition {
        Condition::parse(text).unwrap()
    }

    fn judged(condition: &str, ours: &[f64], base: Option<(&[f64], Baseline)>) -> Outcome {
        let rows = |values: &[f64]| {
            vec![row("a", "p50_ns", &values.iter().map(|v| (*v, 100.0)).collect::<Vec<_>>())]
        };
        let base = base.map(|(values, kind)| (rows(values), kind));
        let base = base.as_ref().map(|(rows, kind)| (&rows[..], *kind));
        judge(&[parse(condition)], &rows(ours), base).unwrap()[0].outcome
    }

    const CALM: [f64; 6] = [100.0, 101.0, 99.0, 100.5, 99.5, 100.0];
    const WILD: [f64; 6] = [100.0, 160.0, 70.0, 130.0, 80.0, 105.0];

    #[test]
    fn conditions_are_read() {
        let condition = parse("p99 > 1.5x floor");
        assert_eq!(
            (condition.key.as_str(), condition.limit, condition.against),
            ("p99_ns", 1.5, Against::Floor)
        );
        let condition = parse("p99.9 > +10% of baseline");
        assert_eq!((condition.key.as_str(), condition.against), ("p99_9_ns", Against::Baseline));
        assert!((condition.limit - 1.1).abs() < 1e-9 && condition.more_is_bad);
        let condition = parse("msgs_per_s < 5M");
        assert_eq!((condition.limit, condition.more_is_bad), (5e6, false));
        assert_eq!(parse("p50>2us").limit, 2000.0);
        for wrong in [
            "",
            "p50",
            "p51 > 1x floor",
            "p50 > 10% of baseline",
            "p50 > floor",
            "p50 > -100% of baseline",
            "msgs_per_s < 1x floor",
            "p50 > 3 parsecs",
            "p50 = 1us",
        ] {
            assert!(Condition::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_passes_and_slower_fails() {
        let slow = CALM.map(|v| v * 1.3);
        for kind in [Baseline::Interleaved, Baseline::Earlier] {
            assert_eq!(judged("p50 > +10% of baseline", &CALM, Some((&CALM, kind))), Outcome::Pass);
            assert_eq!(judged("p50 > +10% of baseline", &slow, Some((&CALM, kind))), Outcome::Regression);
        }
        assert_eq!(judged("p50 > 1.5x floor", &CALM, None), Outcome::Pass);
        assert_eq!(judged("p50 > 1.2x floor", &slow, None), Outcome::Regression);
        assert_eq!(judged("p50 > 90ns", &CALM, None), Outcome::Regression);
    }

    #[test]
    fn what_cannot_be_told_is_said_so() {
        for kind in [Baseline::Interleaved, Baseline::Earlier] {
            assert_eq!(judged("p50 > +10% of baseline", &WILD, Some((&CALM, kind))), Outcome::TooNoisy);
        }
        assert_eq!(
            judged("p50 > +10% of baseline", &CALM[..3], Some((&CALM, Baseline::Interleaved))),
            Outcome::TooNoisy
        );
        let near = CALM.map(|v| v * 1.1);
        assert_eq!(
            judged("p50 > +10% of baseline", &near, Some((&CALM, Baseline::Interleaved))),
            Outcome::TooNoisy
        );
    }

    #[test]
    fn interleaving_takes_out_what_both_share() {
        // The machine gets twice as slow half-way, for both.
        let drift = |values: [f64; 6]| {
            let mut at = 0;
            values.map(|v| {
                at += 1;
                if at > 3 { v * 2.0 } else { v }
            })
        };
        let (base, ours) = (drift(CALM), drift(CALM.map(|v| v * 1.02)));
        assert_eq!(
            judged("p50 > +10% of baseline", &ours, Some((&base, Baseline::Interleaved))),
            Outcome::Pass
        );
    }

    #[test]
    fn a_rate_falls() {
        let rows = |rate: f64| vec![row("a", "msgs_per_s", &CALM.map(|v| (v * rate, 100.0)))];
        let condition = [parse("msgs_per_s < -10% of baseline")];
        for kind in [Baseline::Interleaved, Baseline::Earlier] {
            let outcome =
                |ours: f64| judge(&condition, &rows(ours), Some((&rows(1.0), kind))).unwrap()[0].outcome;
            assert_eq!(outcome(1.0), Outcome::Pass);
            assert_eq!(outcome(0.7), Outcome::Regression);
        }
    }

    #[test]
    fn a_baseline_must_know_the_case() {
        let (ours, base) = (vec![row("a", "p50_ns", &[(1.0, 1.0)])], vec![row("b", "p50_ns", &[(1.0, 1.0)])]);
        let condition = [parse("p50 > 1.1x baseline")];
        assert!(judge(&condition, &ours, Some((&base, Baseline::Earlier))).is_err());
        assert!(judge(&condition, &ours, None).is_err());
    }
}
