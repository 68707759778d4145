//! `podring-bench`: transports between two sides, beside the machine's floor.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use podring_bench::args::Arguments;
use podring_bench::program;

/// Measures podring, and what else carries messages, beside the machine's floor of the same run.
///
/// Exit status: 0 ok, 1 failure, 2 usage, 4 regression, 5 wrong content, 6 too noisy to tell, 124 stuck, 130
/// interrupted.
#[derive(Debug, Parser)]
#[command(name = "podring-bench", version, max_term_width = 100)]
struct Cli {
    /// Where to make the (own, removed) directory of the rings
    #[arg(long, default_value = podring::DEFAULT_DIR, value_name = "DIR")]
    dir: PathBuf,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    program::main(&cli.dir, cli.json, &cli.arguments, &[])
}
