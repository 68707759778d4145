//! doctor: what it says of this machine, and two of them meeting. Containers are in containers/tests/sharing-*.sh.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scratch::{Outcome, Scratch, wait_until};

/// One of the checks of a report.
#[track_caller]
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn fingerprint(scratch: &Scratch) -> String {
    scratch.run("doctor --json").json()["fingerprint"].as_str().unwrap().to_owned()
}

#[test]
fn every_check_is_made_and_says_what_it_saw() {
    let scratch = Scratch::new("doctor-all");
    let outcome = scratch.run("doctor --json");
    let report = outcome.expect(0).json();
    for name in [
        "sharing",
        "access",
        "users",
        "room",
        "memory",
        "protected",
        "futex",
        "locks",
        "membarrier",
        "cpus",
        "clock",
        "timens",
        "memlock",
        "hugepages",
    ] {
        let check = check(&report, name);
        assert!(check["found"].as_str().is_some_and(|found| !found.is_empty()), "{check}");
        assert_ne!(check["verdict"], "fail", "{check}");
        assert_eq!(report["verdicts"][name], check["verdict"]);
    }
    // The self-tests are real: they have measured something.
    assert!(check(&report, "futex")["wake_ns"].as_u64().unwrap() > 0);
    assert!(check(&report, "locks")["free_after_kill_ns"].as_u64().unwrap() > 0);
    assert_eq!(report["failures"], 0);
    assert_eq!(report["mode"], check(&report, "sharing")["mode"]);
    assert!(scratch.names().is_empty(), "nothing is left behind: {:?}", scratch.names());
    let text = scratch.run("doctor");
    let text = text.expect(0).text();
    assert!(text.starts_with("ok    sharing") || text.starts_with("warn  sharing"), "{text}");
    assert!(text.contains("\nfingerprint         memory=") && text.ends_with(" failed\n"), "{text}");
}

#[test]
fn what_fails_names_its_remedy_and_the_exit_status() {
    let scratch = Scratch::new("doctor-fail");
    let outcome = scratch.run("doctor --size 256G --json");
    let report = outcome.expect(1).json();
    let room = check(&report, "room");
    assert_eq!(room["verdict"], "fail", "{room}");
    assert_eq!(room["needed_bytes"], (256_u64 << 30) + 24_576);
    assert!(room["remedies"].to_string().contains("--shm-size="), "{room}");
    scratch.run("doctor --size 1T").expect(2).says(&["512 GiB"]);

    fs::remove_dir(scratch.rings()).unwrap();
    let outcome = scratch.run("doctor --json");
    let report = outcome.expect(1).json();
    assert_eq!(report["mode"], "absent");
    assert_eq!(report["memory"], "none");
    assert!(check(&report, "sharing")["remedies"].to_string().contains("docker volume create"));
    // Without a directory the kernel is tested all the same.
    assert_eq!(check(&report, "futex")["verdict"], "ok");
    fs::create_dir(scratch.rings()).unwrap();
}

#[test]
fn a_directory_that_others_may_empty_is_a_warning() {
    let scratch = Scratch::new("doctor-mode");
    fs::set_permissions(scratch.rings(), fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = scratch.run("doctor --json");
    assert_eq!(check(&outcome.expect(0).json(), "access")["verdict"], "warn");
    fs::set_permissions(scratch.rings(), fs::Permissions::from_mode(0o1777)).unwrap();
    let outcome = scratch.run("doctor --json");
    assert_eq!(check(&outcome.expect(0).json(), "access")["verdict"], "ok");
}

#[test]
fn a_ring_is_looked_at() {
    let scratch = Scratch::new("doctor-ring");
    scratch.run("create other").expect(0);
    let outcome = scratch.run("doctor orders --json");
    let report = outcome.expect(0).json();
    let ring = check(&report, "ring");
    assert_eq!(ring["verdict"], "warn");
    assert!(ring["found"].as_str().unwrap().contains("there are other"), "{ring}");
    assert!(ring["remedies"].to_string().contains("podring doctor --with orders"), "{ring}");

    let receiver = scratch.start("recv orders");
    scratch.wait_for_seat("orders", "consumer");
    let outcome = scratch.run("doctor orders --json");
    let report = outcome.expect(0).json();
    let ring = check(&report, "ring");
    assert_eq!((&ring["verdict"], &ring["state"]), (&"ok".into(), &"live".into()));
    assert!(ring["attached"][0].as_str().unwrap().starts_with("consumer podring@"), "{ring}");
    receiver.kill();

    fs::write(scratch.rings().join("junk"), b"x").unwrap();
    let outcome = scratch.run("doctor junk --json");
    assert_eq!(check(&outcome.expect(1).json(), "ring")["error"], "NotARing");
}

#[track_caller]
fn met(outcome: &Outcome) {
    let report = outcome.expect(0).json();
    for name in ["memory", "token", "wakes", "locks"] {
        assert_eq!(report["verdicts"][name], "ok", "{report}");
    }
    assert_eq!(check(&report, "memory")["peer_fingerprint"], report["fingerprint"]);
    assert_eq!(check(&report, "memory")["same"], true);
    assert!(check(&report, "wakes")["parks"].as_u64().unwrap() > 0);
}

#[test]
fn two_sides_meet_whoever_comes_first() {
    let scratch = Scratch::new("doctor-meet");
    for _ in 0..3 {
        let one = scratch.start("doctor --with pair --timeout 50s --json");
        let other = scratch.start("doctor --with pair --timeout 50s --json");
        let (one, other) = (one.outcome(), other.outcome());
        met(&one);
        met(&other);
        assert!(scratch.names().is_empty(), "nothing is left behind: {:?}", scratch.names());
    }
}

#[test]
fn what_a_killed_side_left_is_passed_over() {
    let scratch = Scratch::new("doctor-killed");
    // The first was met by nobody; the second dies after hello was said to it.
    let first = scratch.start("doctor --with pair --timeout 50s");
    wait_until("the first side", || scratch.names().len() == 2);
    scratch.wait_for_seat("pair.doctor-2", "consumer");
    let second = scratch.start("doctor --with pair --timeout 50s");
    second.signal(Signal::SIGSTOP);
    first.kill();
    second.kill();
    let one = scratch.start("doctor --with pair --timeout 50s --json");
    let other = scratch.start("doctor --with pair --timeout 50s --json");
    met(&one.outcome());
    met(&other.outcome());
    assert!(scratch.names().is_empty(), "{:?}", scratch.names());
}

#[test]
fn who_meets_nobody_is_told_the_likely_causes() {
    let scratch = Scratch::new("doctor-alone");
    let outcome = scratch.run("doctor --with pair --timeout 300ms --json");
    let report = outcome.expect(1).json();
    let meeting = check(&report, "meeting");
    assert_eq!(meeting["verdict"], "fail");
    assert!(meeting["causes"].as_array().unwrap().contains(&"not-started".into()), "{meeting}");
    assert!(
        meeting["remedies"][0].as_str().unwrap().contains(report["fingerprint"].as_str().unwrap()),
        "{meeting}"
    );
    assert!(scratch.names().is_empty(), "{:?}", scratch.names());
    scratch.run("doctor --with a/b --timeout 300ms").expect(2).says(&["ring name"]);
    scratch.run("doctor orders --with pair").expect(2);
}

#[test]
fn an_interrupted_wait_ends_at_once_and_leaves_nothing() {
    let scratch = Scratch::new("doctor-stopped");
    let waiting = scratch.start("doctor --with pair --timeout 10m");
    scratch.wait_for_seat("pair.doctor-2", "consumer");
    waiting.signal(Signal::SIGTERM);
    waiting.outcome().expect(1).says(&["stopped before the other side came"]);
    assert!(scratch.names().is_empty(), "{:?}", scratch.names());
}

#[test]
fn fingerprints_are_compared() {
    let (scratch, elsewhere) = (Scratch::new("doctor-print"), Scratch::new("doctor-elsewhere"));
    let (mine, theirs) = (fingerprint(&scratch), fingerprint(&elsewhere));
    let outcome = scratch.run(&format!("doctor --peer-fingerprint {mine} --json"));
    assert_eq!(outcome.expect(0).json()["verdicts"]["comparison"], "ok");
    // Two directories of one file system: the inode tells.
    let outcome = scratch.run(&format!("doctor --peer-fingerprint {theirs} --json"));
    assert_eq!(outcome.expect(1).json()["verdicts"]["comparison"], "fail");
    let boot = mine.split(',').find(|part| part.starts_with("boot=")).unwrap();
    let other_kernel = mine.replace(boot, "boot=00000000");
    let outcome =
        scratch.run(&format!("doctor --with pair --timeout 10m --peer-fingerprint {other_kernel} --json"));
    let report = outcome.expect(1).json();
    assert_eq!(check(&report, "comparison")["cause"], "two-kernels", "and it did not wait for ten minutes");
    scratch.run("doctor --peer-fingerprint nonsense").expect(2).says(&["the whole line"]);
}

#[test]
fn a_disk_costs_and_the_cost_is_measured() {
    // A directory of the build is on a disk, except where everything is in memory.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("doctor-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_podring"));
    let output = doctor.args(["doctor", "--json", "--dir"]).arg(&dir).output().unwrap();
    fs::remove_dir(&dir).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    if report["mode"] != "disk-directory" {
        eprintln!("SKIPPED: the build directory is no directory on disk, but {}", report["mode"]);
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{report}");
    let disk = check(&report, "disk");
    assert_eq!(disk["verdict"], "warn");
    assert!(
        disk["store_after_write_back_ns"].as_u64().unwrap() > disk["store_ns"].as_u64().unwrap(),
        "{disk}"
    );
}
