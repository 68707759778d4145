//! `podring verify account`: do the journals of both sides agree?

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::journal::{self, Account};
use super::tally;
use super::{counts_exit, counts_members, counts_text, extend};
use crate::args::AccountArgs;
use crate::output::{Exit, Failure, Output, Summary};

pub(crate) fn run(args: &AccountArgs, output: &Output) -> Result<Exit, Failure> {
    let Account { messages, runs, counts, longest_wait } = read(&args.journal)?;
    let mut text = format!("{messages} messages in {runs} runs: {}", counts_text(&counts));
    let mut members =
        json!({ "journal": args.journal.display().to_string(), "messages": messages, "runs": runs });
    if let Some(wait) = longest_wait {
        let milliseconds = wait.as_secs_f64() * 1e3;
        let _ = write!(text, "; the longest wait for somebody alive: {milliseconds:.1} ms");
        members = extend(members, json!({ "longest_wait_ms": milliseconds }));
    }
    output.finish(Summary::new("verify account", text, extend(members, counts_members(&counts))))?;
    Ok(counts_exit(&counts))
}

/// The journals tell by their names which kind of ring they are of.
fn read(dir: &Path) -> Result<Account, Failure> {
    match (journal::is_kept_in(dir), tally::is_kept_in(dir)) {
        (_, false) => Account::of(dir),
        (false, true) => tally::account(dir),
        (true, true) => {
            let message = format!(
                "{} has journals of two rings, one of them with many producers and consumers: choose a directory for each",
                dir.display()
            );
            Err(Failure::new(Exit::Unavailable, "Journal", message))
        }
    }
}
