//! `podring rm`: a ring's name goes; never while somebody is attached, unless forced.

use std::path::{Path, PathBuf};

use podring::Error;
use podring::inspect::{self, Remove, State};
use serde_json::{Value, json};

use crate::args::RmArgs;
use crate::output::{Exit, Failure, Output, Summary};
use crate::{ls, places};

pub(crate) fn run(dirs: &[PathBuf], args: &RmArgs, output: &Output) -> Result<Exit, Failure> {
    let places = if args.stale { places::resolve(dirs, args.all)? } else { Vec::new() };
    let (mut removed, mut repaired, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let shown = |dir: &Path, name: &str| {
        if places.len() > 1 { dir.join(name).display().to_string() } else { name.to_owned() }
    };
    let (rings, how) = if args.stale {
        let listings = ls::list(&places)?;
        let names = |state| {
            let wanted = listings.iter().filter(move |(_, listing)| listing.state == state);
            wanted.map(|(dir, listing)| (*dir, listing.name.clone()))
        };
        for (dir, name) in names(State::Live) {
            match inspect::repair(dir, &name) {
                Ok(0) | Err(Error::NotFound { .. }) => {}
                Ok(dead) => repaired.push((shown(dir, &name), dead)),
                // Somebody else's ring, to be read only: theirs to repair.
                Err(Error::Permission { .. }) => {}
                Err(error) => failed.push((shown(dir, &name), Failure::of_onlooker(error))),
            }
        }
        (names(State::Stale).collect::<Vec<_>>(), Remove::IfStale)
    } else {
        // A name says nothing about which of several directories is meant.
        let dir = places::only(dirs)?;
        let rings = args.names.iter().map(|name| (dir, name.clone())).collect();
        (rings, if args.force { Remove::Force } else { Remove::IfStale })
    };
    for (dir, name) in rings {
        let shown = shown(dir, &name);
        match inspect::remove(dir, &name, how) {
            Ok(()) => removed.push(shown),
            // Between the look and the removal somebody came, or somebody else removed it: not stale any more.
            Err(Error::RoleTaken { .. } | Error::NotFound { .. }) if args.stale => {}
            Err(error) => failed.push((shown, Failure::of_onlooker(error))),
        }
    }
    let removals = removed.iter().map(|name| format!("removed {name}"));
    let repairs = repaired.iter().map(|(name, dead)| format!("repaired {name}: {dead} dead"));
    let text = removals.chain(repairs).collect::<Vec<_>>().join("\n");
    let repairs: Vec<Value> =
        repaired.iter().map(|(name, dead)| json!({ "name": name, "dead": dead })).collect();
    let failures: Vec<Value> =
        failed.iter().map(|(name, failure)| json!({ "name": name, "error": failure.error() })).collect();
    let summary =
        Summary::new("rm", text, json!({ "removed": removed, "repaired": repairs, "failed": failures }));
    match merge(failed) {
        None => {
            output.finish(summary)?;
            Ok(Exit::Ok)
        }
        Some(failure) => Err(failure.with_summary(summary)),
    }
}

/// One failure that says what several say; the first decides the exit status.
fn merge(failed: Vec<(String, Failure)>) -> Option<Failure> {
    let message = failed.iter().map(|(_, failure)| failure.message()).collect::<Vec<_>>().join("\npodring: ");
    failed.into_iter().next().map(|(_, first)| first.with_message(message))
}
