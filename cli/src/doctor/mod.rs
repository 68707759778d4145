//! `podring doctor`: whether rings can work here, and what mends it if not. With `--with NAME` on both sides:
//! whether the two see the same memory, and why not.

mod checks;
mod explain;
mod finding;
mod fingerprint;
mod ground;
mod helper;
mod meeting;
mod mountinfo;
mod place;
mod sharing;

use std::path::Path;

use podring::inspect;
use serde_json::{Map, Value, json};

use crate::args::DoctorArgs;
use crate::output::{Exit, Failure, Output, Summary};
use checks::Wish;
use finding::{Finding, Verdict};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use helper::Part;
use place::Place;

pub(crate) fn run(dir: &Path, args: &DoctorArgs, output: &Output) -> Result<Exit, Failure> {
    if let Some(part) = args.helper {
        let status = helper::play(part).map_err(|error| Failure::io("helping the doctor", &error))?;
        std::process::exit(status);
    }
    let bytes = inspect::file_bytes(args.size as u64)
        .ok_or_else(|| Failure::usage("--size: the largest ring has 512 GiB"))?;
    let place = Place::look(dir);
    let mine = Fingerprint::of(&place);
    let mut findings = match &args.with {
        None => checks::all(&place, &Wish { ring: args.name.as_deref(), bytes }),
        Some(_) => checks::setting(&place),
    };
    let theirs = args.peer_fingerprint.as_ref();
    findings.extend(theirs.map(|theirs| compare(&mine, theirs)));
    if let Some(name) = &args.with {
        // Who is known to see other memory is not worth waiting for.
        if theirs.is_none_or(|theirs| mine.is_same_memory(theirs)) {
            findings.extend(meeting::hold(&place, &mine, name, args.timeout)?);
        }
    }
    report(&place, &mine, args, findings, output)
}

/// The other side's fingerprint beside one's own.
fn compare(mine: &Fingerprint, theirs: &Fingerprint) -> Finding {
    let finding = match explain::difference(mine, theirs) {
        None => Finding::ok("comparison", format!("the other side sees the same memory ({})", mine.short())),
        Some(cause) => Finding::fail(
            "comparison",
            format!(
                "the other side sees other memory ({}, here {}): {}",
                theirs.short(),
                mine.short(),
                cause.text
            ),
        )
        .remedy(cause.remedy)
        .fact("cause", cause.name),
    };
    finding.fact("peer_fingerprint", theirs.to_string())
}

fn report(
    place: &Place,
    mine: &Fingerprint,
    args: &DoctorArgs,
    findings: Vec<Finding>,
    output: &Output,
) -> Result<Exit, Failure> {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict() == verdict).count();
    let (warnings, failures) = (count(Verdict::Warn), count(Verdict::Fail));
    let worst = findings.iter().map(Finding::verdict).max().unwrap_or(Verdict::Ok);
    let mut lines: Vec<String> = findings.iter().map(Finding::text).collect();
    lines.push(format!("fingerprint         {mine}"));
    lines.push(format!("{} ok, {warnings} to warn of, {failures} failed", count(Verdict::Ok)));
    let verdicts =
        findings.iter().map(|finding| (finding.check().to_owned(), finding.verdict().to_string().into()));
    let members = json!({
        "verdicts": verdicts.collect::<Map<String, Value>>(),
        "dir": place.dir.display().to_string(),
        "mode": place.sharing.to_string(),
        "verdict": worst.to_string(),
        "ring": args.name,
        "with": args.with,
        "fingerprint": mine.to_string(),
        "memory": mine.short(),
        "checks": findings.iter().map(Finding::member).collect::<Vec<Value>>(),
        "ok": count(Verdict::Ok),
        "warnings": warnings,
        "failures": failures,
    });
    output.finish(Summary::new("doctor", lines.join("\n"), members))?;
    Ok(if worst == Verdict::Fail { Exit::Failure } else { Exit::Ok })
}
