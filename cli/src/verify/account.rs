//! `podring verify account`: do the journals of both sides agree?

use serde_json::json;

use super::journal::Account;
use super::{counts_exit, counts_members, counts_text, extend};
use crate::args::AccountArgs;
use crate::output::{Exit, Failure, Output, Summary};

pub(crate) fn run(args: &AccountArgs, output: &Output) -> Result<Exit, Failure> {
    let Account { messages, runs, counts } = Account::of(&args.journal)?;
    let text = format!("{messages} messages in {runs} runs: {}", counts_text(&counts));
    let members =
        json!({ "journal": args.journal.display().to_string(), "messages": messages, "runs": runs });
    output.finish(Summary::new("verify account", text, extend(members, counts_members(&counts))))?;
    Ok(counts_exit(&counts))
}
