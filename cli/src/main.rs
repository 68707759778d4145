//! `podring`: shared-memory rings from a shell. Send and receive, inspect, verify.
//!
//! One file for each command; results on standard output, progress and errors on standard error.

mod args;
mod completions;
mod cpu;
mod create;
mod doctor;
mod duration;
mod environment;
mod handle;
mod hex;
mod human;
mod info;
mod input;
mod json_line;
mod ls;
mod man;
mod mapped;
mod metrics;
mod open;
mod output;
mod patience;
mod ping;
mod places;
mod pong;
mod rate;
mod recv;
mod redirect;
mod rm;
mod round_trip;
mod send;
mod sigbus;
mod signals;
mod sink;
mod size;
mod stat;
mod table;
#[cfg(feature = "top")]
mod top;
mod transfer;
mod users;
mod verify;
mod watch;

use std::process::ExitCode;

use args::{Cli, Command, VerifyCommand};
use clap::Parser;
use output::{Exit, Failure, Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output::new(cli.json, cli.command.keeps_stdout_for_data());
    if let Command::Bench(arguments) = &cli.command {
        return match places::only(&cli.dirs) {
            // It has results and exit codes of its own.
            Ok(dir) => podring_bench::program::main(dir, cli.json, arguments, &["bench"]),
            Err(failure) => output.fail(&failure).into(),
        };
    }
    match run(&cli, &output) {
        Ok(exit) => exit.into(),
        Err(failure) => output.fail(&failure).into(),
    }
}

/// Help and version go to standard output and are no error; everything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe is a quiet end, and there is nobody to tell about another failure to write.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Ok.into();
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let message = error.to_string();
        let object = output::error_object("Usage", message.trim_end());
        // The exit status says the same.
        let _ = output::print_line(&object.to_string());
    }
    Exit::Usage.into()
}

fn run(cli: &Cli, output: &Output) -> Result<Exit, Failure> {
    sigbus::watch(cli.command.ring(), output)?;
    let dirs = &cli.dirs;
    let dir = || places::only(dirs);
    match &cli.command {
        Command::Send(args) => send::run(dir()?, args, output),
        Command::Recv(args) => recv::run(dir()?, args, output),
        Command::Create(args) => create::run(dir()?, args, output),
        Command::Ls(args) => ls::run(dirs, args, output),
        Command::Info(args) => info::run(dir()?, args, output),
        Command::Rm(args) => rm::run(dirs, args, output),
        Command::Doctor(args) => doctor::run(dir()?, args, output),
        Command::Metrics(args) => metrics::run(dirs, args, output),
        #[cfg(feature = "top")]
        Command::Top(args) => top::run(dirs, args, output),
        Command::Stat(args) => stat::run(dirs, args, output),
        Command::Verify(VerifyCommand::Producer(args)) => verify::producer::run(dir()?, args, output),
        Command::Verify(VerifyCommand::Consumer(args)) => verify::consumer::run(dir()?, args, output),
        Command::Verify(VerifyCommand::Account(args)) => verify::account::run(args, output),
        Command::Ping(args) => ping::run(dir()?, args, output),
        Command::Pong(args) => pong::run(dir()?, args, output),
        Command::Bench(_) => unreachable!("main has run it"),
        Command::Completions(args) => completions::run(args, output),
        Command::Man(args) => man::run(args, output),
    }
}
