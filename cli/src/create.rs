//! `podring create`: a ring that waits for its participants.

use std::path::Path;

use podring::inspect::{Kind, State};
use podring::{Create, Error, inspect};
use serde_json::json;

use crate::args::{ConsumerDeathArg, CreateArgs};
use crate::human;
use crate::open;
use crate::output::{Exit, Failure, Output, Summary};

pub(crate) fn run(dir: &Path, args: &CreateArgs, output: &Output) -> Result<Exit, Failure> {
    if args.ring.ring.no_create {
        return Err(Failure::usage("create and --no-create exclude each other"));
    }
    let ring = &args.ring;
    let made = if ring.mpmc {
        open::mpmc_options(dir, &args.name, ring).create(Create::New).make()
    } else {
        open::options(dir, &args.name, &ring.ring).create(Create::New).make()
    };
    let created = match made {
        Ok(()) => true,
        Err(Error::Exists { .. }) if args.exist_ok => false,
        Err(error) => return Err(error.into()),
    };
    let report = inspect::report(dir, &args.name)?;
    if !created {
        check_existing(args, &report)?;
    }
    let what = if created { "created" } else { "exists already" };
    let holds = match report.slots {
        Some(slots) => format!("{slots} slots"),
        None => format!("capacity {}", human::bytes(report.capacity)),
    };
    let text = format!(
        "{} {what}: {holds}, largest message {}, {} of {}",
        report.name,
        human::bytes(report.largest_message),
        human::bytes(report.bytes),
        dir.display(),
    );
    let members = json!({
        "ring": report.name,
        "path": report.path.display().to_string(),
        "created": created,
        "kind": report.kind.to_string(),
        "slots": report.slots,
        "capacity_bytes": report.capacity,
        "largest_message_bytes": report.largest_message,
        "file_bytes": report.bytes,
        "mode": human::mode(report.mode),
    });
    output.finish(Summary::new("create", text, members))?;
    Ok(Exit::Ok)
}

/// A ring that exists is only as good as a new one if it has what was asked for.
fn check_existing(args: &CreateArgs, found: &inspect::Report) -> Result<(), Failure> {
    let name = &args.name;
    let refuse = |what: &str, found: String, asked: String| {
        let message = format!(
            "ring '{}' exists with {what} {found}, asked for was {asked}; ask for the same, or remove the ring",
            name
        );
        Err(Failure::new(Exit::Unavailable, "Mismatch", message))
    };
    if !matches!(found.state, State::Live | State::Stale) {
        return refuse("state", found.state.to_string(), "a ring".to_owned());
    }
    let kind = if args.ring.mpmc { Kind::Mpmc } else { Kind::Bytes };
    if found.kind != kind {
        return refuse("kind", found.kind.to_string(), kind.to_string());
    }
    if let (Some(asked), Some(slots)) = (args.ring.slots, found.slots) {
        let asked = asked.max(2).checked_next_power_of_two().unwrap_or(usize::MAX) as u64;
        if asked != slots {
            return refuse("slots", slots.to_string(), asked.to_string());
        }
    }
    if let Some(asked) = args.ring.on_consumer_death {
        let drops = asked == ConsumerDeathArg::Drop;
        if found.drops_orphans != Some(drops) {
            let describe = |drops| if drops { "drop" } else { "redeliver" }.to_owned();
            return refuse("--on-consumer-death", describe(!drops), describe(drops));
        }
    }
    let args = &args.ring.ring;
    if let Some(asked) = args.capacity {
        let asked = asked.checked_next_power_of_two().unwrap_or(usize::MAX).max(4096) as u64;
        if asked != found.capacity {
            return refuse("capacity", found.capacity.to_string(), asked.to_string());
        }
    }
    if let Some(asked) = args.largest.filter(|asked| *asked as u64 != found.largest_message) {
        return refuse("largest message", found.largest_message.to_string(), asked.to_string());
    }
    if let Some(asked) = args.mode.filter(|asked| *asked != found.mode & 0o7777) {
        return refuse("mode", human::mode(found.mode), human::mode(asked));
    }
    if let Some(asked) = args.owner.filter(|asked| *asked != found.uid) {
        return refuse("owner", found.uid.to_string(), asked.to_string());
    }
    Ok(())
}
