//! `podring verify`: is every message delivered once, in order, whole?

pub(crate) mod account;
mod check;
mod checker;
pub(crate) mod consumer;
mod journal;
mod message;
pub(crate) mod producer;
mod share;
mod stillness;
mod tally;

use checker::Counts;
use serde_json::{Value, json};

use crate::output::Exit;

/// `0 lost, 0 duplicated, ...`, in the words every summary uses.
fn counts_text(counts: &Counts) -> String {
    format!(
        "{} lost, {} duplicated, {} reordered, {} corrupt, {} redelivered",
        counts.lost, counts.duplicated, counts.reordered, counts.corrupt, counts.redelivered
    )
}

fn counts_members(counts: &Counts) -> Value {
    json!({
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "reordered": counts.reordered,
        "corrupt": counts.corrupt,
        "redelivered": counts.redelivered,
    })
}

fn counts_exit(counts: &Counts) -> Exit {
    if counts.damaged() { Exit::Damaged } else { Exit::Ok }
}

/// Adds the members of one JSON object to another.
fn extend(mut members: Value, more: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut members, more) {
        members.extend(more);
    }
    members
}
