//! Fills in the table of performance targets: what is wanted, what there is here, and what is missed by how much.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use podring_bench::clock::Clock;
use podring_bench::environment::Environment;
use podring_bench::targets::{Desk, Part, table};
use podring_bench::units::parse_span;
use podring_bench::{Result, cpus, interrupt};

/// Measures every performance target and prints them as a Markdown table.
///
/// Exit status: 0 measured, whatever came of it; 1 failure, 2 usage, 5 wrong content, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "podring-targets", max_term_width = 100)]
struct Arguments {
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    rounds: u16,
    /// Length of a run
    #[arg(long, default_value = "150ms", value_parser = parse_span, value_name = "SPAN")]
    duration: Duration,
    /// Where to make the (own, removed) directories of the rings
    #[arg(long, default_value = podring::DEFAULT_DIR, value_name = "DIR")]
    dir: PathBuf,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) if interrupt::asked() => ExitCode::from(130),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podring-targets: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    interrupt::listen()?;
    let allowed = cpus::allowed()?;
    let pair = cpus::choose(None, &allowed)?;
    let clock = Clock::calibrate();
    let environment = Environment::gather(&clock, allowed, pair);
    let desk = Desk {
        dir: arguments.dir,
        cpus: pair,
        clock,
        rounds: arguments.rounds.into(),
        span: arguments.duration,
    };
    let parts = if arguments.only.is_empty() { Part::all() } else { &arguments.only };
    let mut lines = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if interrupt::asked() {
            break;
        }
        if std::io::stderr().is_terminal() {
            eprintln!("{}/{} {part:?}", at + 1, parts.len());
        }
        lines.extend(part.measure(&desk)?);
    }
    let text = format!("{}\n```\n{}```\n", table(&lines), environment.lines());
    // Whoever read has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
