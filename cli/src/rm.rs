//! `podring rm`: a ring's name goes; never while somebody is attached, unless forced.

use std::path::{Path, PathBuf};

use podring::Error;
use podring::inspect::{self, Remove, State};
use serde_json::{Value, json};

use crate::args::RmArgs;
use crate::output::{Exit, Failure, Output, Summary};
use crate::places::Place;
use crate::{ls, places};

pub(crate) fn run(dirs: &[PathBuf], args: &RmArgs, output: &Output) -> Result<Exit, Failure> {
    let places = if args.stale { places::resolve(dirs, args.all)? } else { Vec::new() };
    let (rings, how) = if args.stale {
        (stale(&places)?, Remove::IfStale)
    } else {
        // A name says nothing about which of several directories is meant.
        let dir = places::only(dirs)?;
        let rings = args.names.iter().map(|name| (dir, name.clone())).collect();
        (rings, if args.force { Remove::Force } else { Remove::IfStale })
    };
    let (mut removed, mut failed) = (Vec::new(), Vec::new());
    for (dir, name) in rings {
        let shown = if places.len() > 1 { dir.join(&name).display().to_string() } else { name.clone() };
        match inspect::remove(dir, &name, how) {
            Ok(()) => removed.push(shown),
            // Between the look and the removal somebody came, or somebody else removed it: not stale any more.
            Err(Error::RoleTaken { .. } | Error::NotFound { .. }) if args.stale => {}
            Err(error) => failed.push((shown, Failure::of_onlooker(error))),
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

fn stale(places: &[Place]) -> Result<Vec<(&Path, String)>, Failure> {
    let listings = ls::list(places)?;
    Ok(listings
        .into_iter()
        .filter(|(_, listing)| listing.state == State::Stale)
        .map(|(dir, listing)| (dir, listing.name))
        .collect())
}

/// One failure that says what several say; the first decides the exit status.
fn merge(failed: Vec<(String, Failure)>) -> Option<Failure> {
    let message = failed.iter().map(|(_, failure)| failure.message()).collect::<Vec<_>>().join("\npodring: ");
    failed.into_iter().next().map(|(_, first)| first.with_message(message))
}
