//! `podring completions`: a script for the shell.

use clap::CommandFactory;
use serde_json::json;

use crate::args::{Cli, CompletionsArgs};
use crate::output::{Exit, Failure, Output, Summary};

pub(crate) fn run(args: &CompletionsArgs, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "podring", &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    let members = json!({ "shell": args.shell.to_string(), "script": script });
    output.finish(Summary::new("completions", script, members))?;
    Ok(Exit::Ok)
}
