//! `podring-bench`: round trips and streams between two processes, beside the machine's floor.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use podring::Wait;
use podring_bench::clock::Clock;
use podring_bench::cpus::{self, Pair};
use podring_bench::environment::Environment;
use podring_bench::floor::Floor;
use podring_bench::report::{self, Summary};
use podring_bench::schedule::{self, Bench, Wishes};
use podring_bench::scratch::Scratch;
use podring_bench::stream::Style;
use podring_bench::units::{parse_bytes, parse_cpus};
use podring_bench::{Error, Result};

/// Measures podring between two processes, each result beside the machine's floor of the same run.
#[derive(Debug, Parser)]
#[command(name = "podring-bench", version)]
struct Arguments {
    /// What to measure (default: both)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MODE")]
    mode: Vec<Mode>,
    /// Message sizes, multiples of 8 (default: 64 for latency; 8,64,256,1K,64K for streams)
    #[arg(long, value_parser = parse_bytes, value_delimiter = ',', value_name = "BYTES")]
    size: Vec<usize>,
    /// How streams are written and read (default: all)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STYLE")]
    style: Vec<StyleName>,
    /// Round trips and messages of each run (default: some tenths of a second)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    count: Option<u64>,
    /// Runs of each case; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    runs: u16,
    /// Messages per batch
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    batch: u32,
    /// Ring capacities
    #[arg(long, value_parser = parse_bytes, value_delimiter = ',', default_value = "1M", value_name = "BYTES")]
    capacity: Vec<usize>,
    /// How both sides wait
    #[arg(long, value_enum, value_delimiter = ',', default_value = "spin,adaptive", value_name = "WAIT")]
    wait: Vec<WaitName>,
    /// The two CPUs (default: the first two allowed)
    #[arg(long, value_parser = parse_cpus, value_name = "A,B")]
    cpu: Option<(usize, usize)>,
    /// Round trips of each form of the floor, before and after each run
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    floor_count: u64,
    /// Seconds after which a run is stuck
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..), value_name = "SECONDS")]
    patience: u32,
    /// Where to make the (own, removed) directory of the rings
    #[arg(long, default_value = podring::DEFAULT_DIR, value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Round trips of single messages
    Latency,
    /// Streams one way
    Throughput,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WaitName {
    Spin,
    Adaptive,
    Park,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StyleName {
    /// send, recv_into
    Copy,
    /// claim and commit, borrowed recv
    InPlace,
    /// batch().send, drain
    BatchCopy,
    /// batch().claim, drain
    BatchInPlace,
    /// typed send, recv
    Typed,
    /// typed send_all, recv_many
    TypedBatch,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podring-bench: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let cases = schedule::cases(&wishes(arguments)?);
    if cases.is_empty() {
        return Err(Error::Usage(
            "--style, --size: no typed ring has such a size; nothing to measure".to_owned(),
        ));
    }
    let allowed = cpus::allowed()?;
    let pair: Option<Pair> = cpus::choose(arguments.cpu, &allowed)?;
    if pair.is_none() {
        eprintln!(
            "podring-bench: only one CPU: not pinned, both sides take turns on it, and the figures say little"
        );
    }
    let clock = Clock::calibrate();
    let environment = Environment::gather(&clock, allowed, pair);
    let scratch = Scratch::new(&arguments.dir)?;
    let bench = Bench {
        scratch: &scratch,
        cpus: pair,
        clock: &clock,
        floor_trips: arguments.floor_count,
        patience: Duration::from_secs(arguments.patience.into()),
    };
    let shown = std::io::stderr().is_terminal();
    let series = schedule::run(&bench, &cases, arguments.runs.into(), |number, all| {
        if shown {
            eprint!("\r{number}/{all} ");
        }
    })?;
    if shown {
        eprint!("\r              \r");
    }
    let floors: Vec<Floor> =
        series.iter().flat_map(|series| series.runs.iter().map(|run| run.floor)).collect();
    let (floor, summaries) = (Floor::median(&floors), series.iter().map(Summary::of).collect::<Vec<_>>());
    let output = if arguments.json {
        format!("{:#}\n", report::json(&environment, &floor, &summaries))
    } else {
        report::text(&environment, &floor, &summaries)
    };
    print(&output)
}

fn print(output: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|e| Error::os("writing the result", e)),
    }
}

fn wishes(arguments: &Arguments) -> Result<Wishes> {
    if let Some(size) = arguments.size.iter().find(|&&size| size == 0 || size % 8 != 0) {
        return Err(Error::Usage(format!(
            "--size {size}: sizes are multiples of 8, since whole words are checked"
        )));
    }
    let wanted = |mode| arguments.mode.is_empty() || arguments.mode.contains(&mode);
    let sizes = |mode, usual: &[usize]| match (wanted(mode), arguments.size.is_empty()) {
        (false, _) => Vec::new(),
        (true, true) => usual.to_vec(),
        (true, false) => arguments.size.clone(),
    };
    Ok(Wishes {
        trip_sizes: sizes(Mode::Latency, &[64]),
        stream_sizes: sizes(Mode::Throughput, &[8, 64, 256, 1024, 65536]),
        styles: if arguments.style.is_empty() {
            Style::ALL.to_vec()
        } else {
            arguments.style.iter().map(|&style| style.into()).collect()
        },
        capacities: arguments.capacity.clone(),
        waits: arguments.wait.iter().map(|&wait| wait.into()).collect(),
        batch: arguments.batch as usize,
        count: arguments.count,
    })
}

impl From<WaitName> for Wait {
    fn from(name: WaitName) -> Self {
        match name {
            WaitName::Spin => Self::Spin,
            WaitName::Adaptive => Self::Adaptive,
            WaitName::Park => Self::Park,
        }
    }
}

impl From<StyleName> for Style {
    fn from(name: StyleName) -> Self {
        match name {
            StyleName::Copy => Self::Copy,
            StyleName::InPlace => Self::InPlace,
            StyleName::BatchCopy => Self::BatchCopy,
            StyleName::BatchInPlace => Self::BatchInPlace,
            StyleName::Typed => Self::Typed,
            StyleName::TypedBatch => Self::TypedBatch,
        }
    }
}
