//! `podring man`: the manual pages.

use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;

use crate::args::{Cli, ManArgs};
use crate::output::{Exit, Failure, Output, Summary};

pub(crate) fn run(args: &ManArgs, output: &Output) -> Result<Exit, Failure> {
    let mut program = Cli::command();
    program.build();
    let mut command = &program;
    for name in &args.command {
        command = command
            .find_subcommand(name)
            .ok_or_else(|| Failure::usage(format!("there is no command '{}'", args.command.join(" "))))?;
    }
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .map_err(|error| Failure::io("writing the manual page", &error))?;
    let page = String::from_utf8_lossy(&page).trim_end().to_owned();
    output.finish(Summary::new("man", page.clone(), json!({ "page": page })))?;
    Ok(Exit::Ok)
}
