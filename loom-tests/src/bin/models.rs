//! Runs the models, each in a process of its own, as many at a time as there are processors.
//!
//! Arguments select models by a part of their names. `LOOM_PREEMPTIONS` sets how often threads may be preempted
//! per execution (2), `--limit SECONDS` how long one test may take (600), `--jobs N` how many run at a time.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use podring_loom_tests::runner::{Outcome, Suite};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("models: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let mut wanted: Vec<String> = Vec::new();
    let mut limit = Duration::from_secs(600);
    let mut jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let number = arguments.next().and_then(|text| text.parse::<u32>().ok());
            number.ok_or_else(|| format!("{argument} takes a number"))
        };
        match argument.as_str() {
            "--limit" => limit = Duration::from_secs(number()?.into()),
            "--jobs" => jobs = number()? as usize,
            _ => wanted.push(argument),
        }
    }
    let start = Instant::now();
    let suite = Suite::build(Path::new(env!("CARGO_MANIFEST_DIR")), None)?;
    let mut tests = suite.tests()?;
    tests.retain(|test| wanted.is_empty() || wanted.iter().any(|part| test.contains(part.as_str())));
    if tests.is_empty() {
        return Err(format!("no model is named like {wanted:?}"));
    }
    println!("{:>12} {:>7}  model", "executions", "seconds");
    let outcomes = suite.run_all(&tests, jobs, limit, show)?;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    for outcome in &failed {
        println!("\n--- {}\n{}", outcome.test, outcome.output);
    }
    println!(
        "{} models, {} executions, {} failed, {:.0} s",
        outcomes.len(),
        outcomes.iter().map(|outcome| outcome.executions).sum::<u64>(),
        failed.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(failed.is_empty())
}

fn show(outcome: &Outcome) {
    let verdict = if outcome.passed { "" } else { "  FAILED" };
    println!("{:>12} {:>7.1}  {}{verdict}", outcome.executions, outcome.took.as_secs_f64(), outcome.test);
}
