//! The ring that was asked about: whether it is there, whether this user may take part, and who does.

use nix::unistd::{AccessFlags, access};
use podring::inspect::{self, Report, State};

use super::super::finding::Finding;
use super::super::place::Place;
use crate::{human, ls};

const CHECK: &str = "ring";

pub(super) fn check(place: &Place, name: &str) -> Finding {
    let finding = match inspect::report(&place.dir, name) {
        Ok(report) => known(place, &report),
        Err(error @ (podring::Error::NotFound { .. } | podring::Error::NoDirectory { .. })) => {
            Finding::warn(CHECK, format!("'{name}' is not in {}: {}", place.dir.display(), others(place)))
                .remedy(format!(
                    "podring doctor --with {name}   # on both sides: do they see the same memory?"
                ))
                .fact("error", error.kind())
        }
        Err(error @ podring::Error::Permission { owner: Some(owner), mode: Some(mode), .. }) => {
            let found = format!(
                "'{name}' has mode {} of uid {owner}: uid {} may neither look at it nor take part",
                human::mode(mode),
                place.uid
            );
            open_to_others(Finding::fail(CHECK, found), name, owner).fact("error", error.kind())
        }
        Err(error) => Finding::fail(CHECK, error.to_string()).fact("error", error.kind()),
    };
    finding.fact("ring", name)
}

/// A ring that was made where this side does not see it is the commonest failure: what is here instead says
/// much about whether this is the place.
fn others(place: &Place) -> String {
    let names: Vec<String> = inspect::list(&place.dir)
        .unwrap_or_default()
        .iter()
        .filter(|listing| matches!(listing.state, State::Live | State::Stale))
        .map(|listing| human::harmless(&listing.name))
        .collect();
    match names.as_slice() {
        [] => "there is no ring at all".to_owned(),
        names => format!("there are {}", names.join(", ")),
    }
}

fn known(place: &Place, report: &Report) -> Finding {
    let mode = human::mode(report.mode);
    let seats: Vec<String> = report
        .seats
        .iter()
        .filter(|seat| seat.live)
        .map(|seat| format!("{} {}", seat.role, ls::describe(seat)))
        .collect();
    let attached = if seats.is_empty() { "nobody is attached".to_owned() } else { seats.join(", ") };
    let found = format!(
        "'{}' is {}, {} full, mode {mode} of uid {}: {attached}",
        report.name,
        report.state,
        ls::fill(report),
        report.uid
    );
    let finding =
        if access(&report.path, AccessFlags::R_OK | AccessFlags::W_OK).is_err() && !place.is_read_only() {
            let found = format!("{found}; uid {} may look at it, but not take part", place.uid);
            open_to_others(Finding::fail(CHECK, found), &report.name, report.uid)
        } else {
            Finding::ok(CHECK, found)
        };
    finding
        .fact("state", report.state.to_string())
        .fact("mode", mode)
        .fact("uid", report.uid)
        .fact("fill_percent", ls::fill_percent(report))
        .fact("attached", seats)
}

fn open_to_others(finding: Finding, name: &str, owner: u32) -> Finding {
    finding
        .remedy(format!("podring create {name} --mode 0666   # made anew, open to every user"))
        .remedy(format!("docker run --user {owner} ...   # the ring's owner"))
}
