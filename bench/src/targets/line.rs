//! One line of the table: what was wanted, what there is, and how far apart they are.

use crate::units::figure;

/// What a target allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// So much at most: of times.
    AtMost(f64),
    /// So much at least: of rates.
    AtLeast(f64),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// It is so.
    Met,
    /// It is not, by this part of the limit.
    Missed(f64),
    /// A figure without a limit.
    Figure,
    /// It could not be measured.
    Skipped,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What was measured.
    pub row: String,
    /// What is wanted.
    pub target: String,
    /// What there is.
    pub measured: String,
    /// Whether that is enough.
    pub outcome: Outcome,
}

impl Limit {
    /// Whether a value is within it. One that is no number is not.
    pub fn judge(self, value: f64) -> Outcome {
        let (met, missed) = match self {
            Self::AtMost(limit) => (value <= limit, value / limit - 1.0),
            Self::AtLeast(limit) => (value >= limit, 1.0 - value / limit),
        };
        if met { Outcome::Met } else { Outcome::Missed(missed) }
    }

    /// As in `at most 1.10x the line`.
    pub fn of(self, what: &str) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}x {what}"),
            Self::AtLeast(limit) => format!("≥ {limit}x {what}"),
        }
    }
}

impl Line {
    /// A ratio to something else, with its limit.
    pub fn ratio(row: impl Into<String>, limit: Limit, what: &str, ratio: f64, detail: &str) -> Self {
        Self {
            row: row.into(),
            target: limit.of(what),
            measured: format!("{}x: {detail}", figure(ratio)),
            outcome: limit.judge(ratio),
        }
    }

    /// A figure with a limit of its own kind, which `target` says in words.
    pub fn judged(
        row: impl Into<String>,
        target: &str,
        limit: Limit,
        value: f64,
        measured: impl Into<String>,
    ) -> Self {
        Self {
            row: row.into(),
            target: target.to_owned(),
            measured: measured.into(),
            outcome: limit.judge(value),
        }
    }

    /// A figure that nothing was wanted of.
    pub fn figure(row: impl Into<String>, measured: impl Into<String>) -> Self {
        Self {
            row: row.into(),
            target: "a figure".to_owned(),
            measured: measured.into(),
            outcome: Outcome::Figure,
        }
    }

    /// What could not be measured, and why.
    pub fn skipped(row: impl Into<String>, target: &str, why: &str) -> Self {
        Self {
            row: row.into(),
            target: target.to_owned(),
            measured: format!("skipped: {why}"),
            outcome: Outcome::Skipped,
        }
    }
}

impl Outcome {
    fn words(self) -> String {
        match self {
            Self::Met => "met".to_owned(),
            Self::Missed(by) if by.is_nan() => "**missed**".to_owned(),
            // A hundred times too much is easier to read than 9900 %.
            Self::Missed(by) if by >= 1.0 => format!("**missed: {}x as much**", figure(by + 1.0)),
            Self::Missed(by) => format!("**missed by {} %**", figure(by * 100.0)),
            Self::Figure => String::new(),
            Self::Skipped => "skipped".to_owned(),
        }
    }
}

/// The table in Markdown.
pub fn table(lines: &[Line]) -> String {
    let mut text = String::from("| row | target | measured | |\n|---|---|---|---|\n");
    for Line { row, target, measured, outcome } in lines {
        text += &format!("| {row} | {target} | {measured} | {} |\n", outcome.words());
    }
    let count = |is_so: fn(&Outcome) -> bool| lines.iter().filter(|line| is_so(&line.outcome)).count();
    text += &format!(
        "\n{} met, {} missed, {} skipped.\n",
        count(|outcome| *outcome == Outcome::Met),
        count(|outcome| matches!(outcome, Outcome::Missed(_))),
        count(|outcome| *outcome == Outcome::Skipped)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_in_both_directions() {
        assert_eq!(Limit::AtMost(2.0).judge(2.0), Outcome::Met);
        assert_eq!(Limit::AtMost(2.0).judge(3.0), Outcome::Missed(0.5));
        assert_eq!(Limit::AtLeast(2.0).judge(2.0), Outcome::Met);
        assert_eq!(Limit::AtLeast(2.0).judge(1.0), Outcome::Missed(0.5));
        assert!(matches!(Limit::AtMost(1.0).judge(f64::NAN), Outcome::Missed(_)), "nothing is not enough");
    }

    #[test]
    fn a_missed_target_is_told() {
        let lines = [
            Line::ratio("a", Limit::AtMost(1.1), "the line", 1.21, "121 ns and 100"),
            Line::ratio("b", Limit::AtLeast(1.0), "the best peer", 2.0, "x"),
            Line::judged("c", "0 %", Limit::AtMost(0.1), 20.0, "20 %"),
            Line::figure("d", "7 ns"),
            Line::skipped("e", "0", "no engine"),
        ];
        let text = table(&lines);
        for part in [
            "| a | ≤ 1.1x the line | 1.21x: 121 ns and 100 | **missed by 10.0 %** |",
            "| b | ≥ 1x the best peer | 2.00x: x | met |",
            "| c | 0 % | 20 % | **missed: 200x as much** |",
            "| d | a figure | 7 ns |  |",
            "| e | 0 | skipped: no engine | skipped |",
            "1 met, 2 missed, 1 skipped.",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
