//! What is printed: tables for people, and the forms that programs read.

pub mod ci;
pub mod csv;
pub mod hgrm;
pub mod html;
mod picture;
pub mod plot;
pub mod text;

use clap::ValueEnum;

use crate::environment::Environment;
use crate::floor::Floor;
use crate::gate::Verdict;
use crate::results::{self, Row};

/// A form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables
    Text,
    /// One object; also what --baseline reads
    Json,
    /// One line for each case
    Csv,
    /// HdrHistogram percentile distributions, for its plotter
    Hgrm,
    /// Bencher Metric Format
    Bmf,
    /// github-action-benchmark, customSmallerIsBetter
    Github,
    /// OpenMetrics text
    Openmetrics,
    /// JUnit XML: each condition of --fail-if a test case
    Junit,
    /// Markdown, for a job's summary page
    Markdown,
}

impl Format {
    /// How a file of this form ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Hgrm => "hgrm",
            Self::Bmf => "bmf.json",
            Self::Github => "github.json",
            Self::Openmetrics => "prom",
            Self::Junit => "junit.xml",
            Self::Markdown => "md",
        }
    }
}

/// Everything there is to print.
#[derive(Debug)]
pub struct Report {
    /// Where the figures were taken.
    pub environment: Environment,
    /// The machine's floor, median of all runs.
    pub floor: Floor,
    /// The figures.
    pub rows: Vec<Row>,
    /// What the gate says.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// In one of its forms.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => text::render(self),
            Format::Json => {
                let verdicts = self.verdicts.iter().map(Verdict::json).collect();
                let value = results::json(&self.environment.json(), &self.floor, &self.rows, &verdicts);
                format!("{value:#}\n")
            }
            Format::Csv => csv::render(&self.rows),
            Format::Hgrm => hgrm::render(&self.rows),
            Format::Bmf => format!("{:#}\n", ci::bmf(&self.rows)),
            Format::Github => format!("{:#}\n", ci::github(&self.rows)),
            Format::Openmetrics => ci::openmetrics(&self.rows),
            Format::Junit => ci::junit(&self.rows, &self.verdicts),
            Format::Markdown => text::markdown(self),
        }
    }
}
