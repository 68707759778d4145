//! `podring rm`: a ring's name goes; never while somebody is attached, unless forced.

use std::path::Path;

use podring::Error;
use podring::inspect::{self, Remove, State};
use serde_json::{Value, json};

use crate::args::RmArgs;
use crate::output::{Exit, Failure, Output, Summary};

pub(crate) fn run(dir: &Path, args: &RmArgs, output: &Output) -> Result<Exit, Failure> {
    let (names, how) = if args.stale {
        (stale(dir)?, Remove::IfStale)
    } else {
        (args.names.clone(), if args.force { Remove::Force } else { Remove::IfStale })
    };
    let (mut removed, mut failed) = (Vec::new(), Vec::new());
    for name in names {
        match inspect::remove(dir, &name, how) {
            Ok(()) => removed.push(name),
            // Between the look and the removal somebody came, or somebody else removed it: not stale any more.
            Err(Error::RoleTaken { .. } | Error::NotFound { .. }) if args.stale => {}
            Err(error) => failed.push((name, Failure::of_onlooker(error))),
        }
    }
    let text = removed.iter().map(|name| format!("removed {name}")).collect::<Vec<_>>().join("\n");
    let failures: Vec<Value> =
        failed.iter().map(|(name, failure)| json!({ "name": name, "error": failure.error() })).collect();
    let summary = Summary::new("rm", text, json!({ "removed": removed, "failed": failures }));
    match merge(failed) {
        None => {
            output.finish(summary)?;
            Ok(Exit::Ok)
        }
        Some(failure) => Err(failure.with_summary(summary)),
    }
}

fn stale(dir: &Path) -> Result<Vec<String>, Failure> {
    let listings = inspect::list(dir)?;
    Ok(listings
        .into_iter()
        .filter(|listing| listing.state == State::Stale)
        .map(|listing| listing.name)
        .collect())
}

/// One failure that says what several say; the first decides the exit status.
fn merge(failed: Vec<(String, Failure)>) -> Option<Failure> {
    let message = failed.iter().map(|(_, failure)| failure.message()).collect::<Vec<_>>().join("\npodring: ");
    failed.into_iter().next().map(|(_, first)| first.with_message(message))
}
