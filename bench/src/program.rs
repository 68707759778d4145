//! The program: from the command line to the result and the exit code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::args::Arguments;
use crate::case::{Case, Place};
use crate::clock::Clock;
use crate::cpus;
use crate::environment::Environment;
use crate::floor::{Amounts, Floor};
use crate::gate::{self, Baseline, Condition, Outcome};
use crate::interleave::Interleaved;
use crate::remote::{self, Remote};
use crate::report::{Format, Report, html, plot};
use crate::results::{self, Row};
use crate::schedule::{Bench, Series};
use crate::scratch::Scratch;
use crate::{Error, Result, interrupt};

/// Exit code of a regression.
const REGRESSION: u8 = 4;
/// Exit code where the runs differ too much among themselves.
const TOO_NOISY: u8 = 6;
/// Bytes of each copy of the floor.
const COPIED: u64 = 256 << 20;
/// Round trips of the futex.
const WAKES: u32 = 400;

/// Runs the program: `dir` is where rings are made, `json` the same as `--format json`. `command` is what stands
/// between the program's name and these arguments on the command line.
///
/// Call it while the process has one thread: it forks.
pub fn main(dir: &Path, json: bool, arguments: &Arguments, command: &[&str]) -> ExitCode {
    match run(dir, json, arguments, command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("podring-bench: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(dir: &Path, json: bool, arguments: &Arguments, command: &[&str]) -> Result<u8> {
    interrupt::listen()?;
    if arguments.serve {
        let count = remote::serve(dir)?;
        eprintln!("podring-bench: {count} orders done");
        return Ok(0);
    }
    let cases = arguments.cases()?;
    let formats = formats(json, arguments)?;
    let mut conditions = arguments.fail_if.clone();
    if arguments.baseline.is_some() && conditions.is_empty() {
        conditions = Condition::usual();
    }
    if arguments.baseline.is_none() && conditions.iter().any(Condition::needs_baseline) {
        return Err(Error::Usage("--fail-if: a condition on the baseline needs --baseline".to_owned()));
    }
    let baseline = match &arguments.baseline {
        Some(path) if is_program(path) => Some(Against::Program(path.clone())),
        Some(path) => Some(Against::Rows(read_rows(path)?)),
        None => None,
    };
    let report = match baseline {
        Some(Against::Program(path)) => in_turn(dir, arguments, &conditions, &path, command)?,
        Some(Against::Rows(rows)) => alone(dir, arguments, &cases, &conditions, Some(&rows))?,
        None => alone(dir, arguments, &cases, &conditions, None)?,
    };
    publish(&report, arguments, &formats)?;
    picture(&report, arguments)?;
    let worst = |outcome| report.verdicts.iter().any(|verdict| verdict.outcome == outcome);
    Ok(match () {
        () if interrupt::asked() => 130,
        () if worst(Outcome::Regression) => REGRESSION,
        () if worst(Outcome::TooNoisy) => TOO_NOISY,
        () => 0,
    })
}

enum Against {
    Program(PathBuf),
    Rows(Vec<Row>),
}

/// Measures here; with conditions, until they can be judged.
fn alone(
    dir: &Path,
    arguments: &Arguments,
    cases: &[Case],
    conditions: &[Condition],
    baseline: Option<&[Row]>,
) -> Result<Report> {
    let allowed = cpus::allowed()?;
    let pair = cpus::choose(arguments.cpu, &allowed)?;
    if pair.is_none() {
        eprintln!(
            "podring-bench: only one CPU: not pinned, both sides take turns on it, and the figures say little"
        );
    }
    let clock = Clock::calibrate();
    let environment = Environment::gather(&clock, allowed, pair);
    let scratch = Scratch::new(dir)?;
    let container = cases.iter().any(|case| case.place == Place::Container);
    let bench = Bench {
        remote: if container { Some(Remote::find(dir)?) } else { None },
        scratch,
        cpus: pair,
        clock,
        floor: Amounts {
            trips: arguments.floor_count,
            bytes: COPIED.min(arguments.floor_count << 14),
            wakes: WAKES.min(arguments.floor_count as u32),
        },
        amount: arguments.amount(),
        patience: Duration::from_secs(arguments.patience.into()),
    };
    let mut series: Vec<Series> = Vec::new();
    let more = |runs: usize, series: &mut Vec<Series>| -> Result<()> {
        let mut progress = Progress::new();
        let ran =
            bench.run(cases, runs, &mut |number, all, case| progress.show(number, all, &case.name()))?;
        for ran in ran {
            match series.iter_mut().find(|known| known.case == ran.case) {
                Some(known) => known.runs.extend(ran.runs),
                None => series.push(ran),
            }
        }
        Ok(())
    };
    let gate = !conditions.is_empty();
    let least = if gate { gate::FEWEST.max(arguments.runs.into()) } else { arguments.runs.into() };
    more(least, &mut series)?;
    let mut verdicts = Vec::new();
    if gate {
        loop {
            let rows: Vec<Row> = series.iter().map(Row::of).collect();
            verdicts = gate::judge(conditions, &rows, baseline.map(|rows| (rows, Baseline::Earlier)))?;
            let runs = series.iter().map(|series| series.runs.len()).max().unwrap_or(0);
            let told = verdicts.iter().all(|verdict| verdict.outcome != Outcome::TooNoisy);
            if told || runs >= arguments.most_runs.into() || interrupt::asked() {
                break;
            }
            more(2, &mut series)?;
        }
    }
    let floors: Vec<Floor> =
        series.iter().flat_map(|series| series.runs.iter().map(|run| run.floor)).collect();
    Ok(Report {
        environment,
        floor: Floor::median(&floors),
        rows: series.iter().map(Row::of).collect(),
        verdicts,
    })
}

/// Measures by running a baseline and this program in turn.
fn in_turn(
    dir: &Path,
    arguments: &Arguments,
    conditions: &[Condition],
    baseline: &Path,
    command: &[&str],
) -> Result<Report> {
    if arguments.place.contains(&Place::Container) {
        return Err(Error::Usage(
            "--baseline PROGRAM: not with --where container; give the JSON of an earlier run".to_owned(),
        ));
    }
    let allowed = cpus::allowed()?;
    let pair = cpus::choose(arguments.cpu, &allowed)?;
    let environment = Environment::gather(&Clock::calibrate(), allowed, pair);
    let mut turns = Interleaved::new(dir, arguments, baseline, command)?;
    let mut progress = Progress::new();
    let most: usize = arguments.most_runs.into();
    let least = gate::FEWEST.max(arguments.runs.into());
    loop {
        let round = turns.rounds() + 1;
        progress.show(round, most, "baseline and candidate in turn");
        turns.round()?;
        if turns.rounds() < least && !interrupt::asked() {
            continue;
        }
        let verdicts =
            gate::judge(conditions, &turns.candidate, Some((&turns.baseline, Baseline::Interleaved)))?;
        let told = verdicts.iter().all(|verdict| verdict.outcome != Outcome::TooNoisy);
        if told || turns.rounds() >= most || interrupt::asked() {
            return Ok(Report { environment, floor: turns.floor(), rows: turns.candidate, verdicts });
        }
    }
}

/// Which forms, and whether they go where they can go.
fn formats(json: bool, arguments: &Arguments) -> Result<Vec<Format>> {
    let mut formats = arguments.format.clone();
    if json && !formats.contains(&Format::Json) {
        formats.push(Format::Json);
    }
    if formats.is_empty() {
        formats.push(Format::Text);
    }
    if formats.len() > 1 && arguments.out.is_none() {
        return Err(Error::Usage(
            "several forms need --out PATH: they become PATH.json, PATH.csv, ...".to_owned(),
        ));
    }
    Ok(formats)
}

fn publish(report: &Report, arguments: &Arguments, formats: &[Format]) -> Result<()> {
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|e| Error::os(format!("writing {}", path.display()), e))
    };
    match (&arguments.out, formats) {
        (None, [format, ..]) => print(&report.render(*format))?,
        (None, []) => {}
        (Some(path), [format]) => write(path, &report.render(*format))?,
        (Some(stem), formats) => {
            for format in formats {
                let mut path = stem.clone().into_os_string();
                path.push(format!(".{}", format.extension()));
                write(Path::new(&path), &report.render(*format))?;
            }
        }
    }
    if arguments.out.is_some() {
        // What was written is for programs; whoever started this wants to see something.
        print(&report.render(Format::Text))?;
    }
    Ok(())
}

/// Draws charts and writes the page, where asked for.
fn picture(report: &Report, arguments: &Arguments) -> Result<()> {
    if arguments.plot.is_none() && arguments.report.is_none() {
        return Ok(());
    }
    let charts = plot::charts(&report.rows)?;
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|e| Error::os(format!("writing {}", path.display()), e))
    };
    if let Some(dir) = &arguments.plot {
        std::fs::create_dir_all(dir).map_err(|e| Error::os(format!("making {}", dir.display()), e))?;
        for chart in &charts {
            write(&dir.join(format!("{}.svg", chart.name)), &chart.svg)?;
        }
    }
    if let Some(path) = &arguments.report {
        let mut words = std::env::args();
        let program = words.next().unwrap_or_default();
        let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let command = std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ");
        write(path, &html::render(report, &charts, &command))?;
    }
    Ok(())
}

fn print(output: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|e| Error::os("writing the result", e)),
    }
}

/// Whether a baseline is to be run rather than read.
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn read_rows(path: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::os(format!("reading the baseline {}", path.display()), e))?;
    results::read(&text, &path.display().to_string())
}

/// What comes next, on standard error, if somebody is looking.
#[derive(Debug)]
struct Progress {
    shown: bool,
    width: usize,
}

impl Progress {
    fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), width: 0 }
    }

    fn show(&mut self, number: usize, all: usize, what: &str) {
        if self.shown {
            let line = format!("{number}/{all} {what}");
            eprint!("\r{line:<width$}", width = self.width);
            self.width = line.len();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r{:width$}\r", "", width = self.width);
        }
    }
}
