//! stat, and the directories that ls, rm --stale and stat look into.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scratch::{Scratch, wait_until};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[test]
fn each_interval_is_a_line_with_what_happened_in_it() {
    let scratch = Scratch::new("stat");
    let producer = scratch.start("verify producer r --rate 5k/s");
    let consumer = scratch.start("verify consumer r");
    scratch.wait_for_seat("r", "producer");
    scratch.wait_for_seat("r", "consumer");
    let messages = |object: &Value, role: &str| {
        let seats = object["seats"].as_array().unwrap();
        seats.iter().find(|seat| seat["role"] == role).unwrap()["stats"]["messages"].as_u64().unwrap()
    };
    let before = scratch.info("r");
    let outcome = scratch.run("stat r -i 0.1 -n 5 --json");
    let after = scratch.info("r");
    let lines = lines(outcome.expect(0).text());
    assert_eq!(lines.len(), 5);
    let sum = |key: &str| lines.iter().map(|line| line[key].as_u64().unwrap()).sum::<u64>();
    // Whatever the machine's load, no more can have been counted than came between the two looks around it.
    for (key, role) in [("sent", "producer"), ("received", "consumer")] {
        let between = messages(&after, role) - messages(&before, role);
        assert!(sum(key) > 0 && sum(key) <= between, "{key}: {} of {between}", sum(key));
    }
    for line in &lines {
        assert_eq!((&line["ring"], &line["schema"]), (&"r".into(), &1.into()), "{line}");
        assert_eq!((&line["producers"], &line["consumers"]), (&1.into(), &1.into()), "{line}");
        let seconds = line["seconds"].as_f64().unwrap();
        assert!(seconds >= 0.05, "{line}");
        let rate = line["sent"].as_f64().unwrap() / seconds;
        assert!((line["sent_per_s"].as_f64().unwrap() - rate).abs() < 1e-6 * rate.max(1.0), "{line}");
    }
    let outcome = scratch.run("stat r -i 10ms -n 3 -t");
    let text = outcome.expect(0).text();
    assert_eq!(text.lines().count(), 4, "{text}");
    let headings: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        headings,
        [
            "TIME", "RING", "SENT/s", "RECV/s", "BYTES/s", "FILL", "USED", "PARKS", "STALLS", "WAKES",
            "RESCUES", "REDELIV", "PROD", "CONS"
        ]
    );
    let width = text.lines().next().unwrap().len();
    assert!(text.lines().all(|line| line.len() == width), "{text}");
    producer.signal(Signal::SIGTERM);
    producer.outcome().expect(0);
    consumer.signal(Signal::SIGTERM);
    consumer.outcome().expect(0);
}

#[test]
fn watching_needs_read_permission_alone_and_changes_nothing() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let scratch = Scratch::new("stat-read-only");
    scratch.feed("send r -f lines", b"one\ntwo\n").expect(0);
    let path = scratch.rings().join("r");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().mtime_nsec());
    let lines = lines(scratch.run("stat -i 10ms -n 2 --json").expect(0).text());
    assert_eq!(lines[1]["used_bytes"], 32);
    scratch.run("metrics --once").expect(0);
    let after = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().mtime_nsec());
    assert!(before == after, "the segment was written to");
}

#[test]
fn a_ring_that_is_not_there_is_an_error_and_one_that_goes_shows() {
    let scratch = Scratch::new("stat-gone");
    scratch.run("stat nothing -n 1").expect(3).says(&["'nothing' not found"]);
    scratch.run("create r").expect(0);
    scratch.run("stat r -i 0 -n 1").expect(2).says(&["10ms"]);
    let mut command = scratch.podring("stat r -i 10ms --json");
    command.stdout(fs::File::create(scratch.file("out")).unwrap());
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let has = |what: &str| fs::read_to_string(scratch.file("out")).unwrap().contains(what);
    wait_until("a line", || has("\"state\":\"stale\""));
    scratch.run("rm r").expect(0);
    wait_until("its end to show", || has("\"state\":\"gone\""));
    fs::write(scratch.file("out"), "").unwrap();
    scratch.run("create r").expect(0);
    wait_until("the new one", || has("\"state\":\"stale\""));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn stat_ends_when_nobody_reads_it() {
    let scratch = Scratch::new("stat-epipe");
    scratch.run("create r").expect(0);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = scratch.podring("stat -i 10ms");
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn several_directories_are_looked_into_at_once() {
    let (one, two) = (Scratch::new("dirs-1"), Scratch::new("dirs-2"));
    one.run("create same").expect(0);
    two.run("create same").expect(0);
    fs::write(two.rings().join("foreign"), b"mine").unwrap();
    let both = format!("--dir {}", two.rings().display());
    let outcome = one.run(&format!("{both} ls --json"));
    let object = outcome.expect(0).json();
    let found: Vec<(&str, &str)> = object["rings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ring| (ring["dir"].as_str().unwrap(), ring["name"].as_str().unwrap()))
        .collect();
    let (dir_1, dir_2) = (one.rings().display().to_string(), two.rings().display().to_string());
    assert_eq!(found, [(dir_1.as_str(), "same"), (&dir_2, "foreign"), (&dir_2, "same")]);
    let text = one.run(&format!("{both} ls"));
    assert!(text.expect(0).text().lines().next().unwrap().ends_with("DIR"), "{text:?}");
    let lines = lines(one.run(&format!("{both} stat -i 10ms -n 1 --json")).expect(0).text());
    assert_eq!(lines.len(), 2);
    // A name alone does not say which of them is meant.
    one.run(&format!("{both} rm same")).expect(2).says(&["one --dir"]);
    one.run(&format!("{both} info same")).expect(2).says(&["one --dir"]);
    let outcome = one.run(&format!("{both} rm --stale"));
    assert_eq!(outcome.expect(0).text(), format!("removed {dir_1}/same\nremoved {dir_2}/same\n"));
    assert_eq!((one.names().len(), two.names()), (0, vec!["foreign".to_owned()]));
    one.run(&format!("ls --dir {}/nothing", one.rings().display())).expect(3).says(&["nothing"]);
}

#[test]
fn everybody_who_takes_part_in_a_ring_of_many_counts() {
    let scratch = Scratch::new("stat-many");
    let ring = || podring::mpmc("many").dir(scratch.rings()).slots(64).largest_message(16);
    let mut producers = [ring().producer().unwrap(), ring().producer().unwrap()];
    let mut consumers = [ring().consumer().unwrap(), ring().consumer().unwrap(), ring().consumer().unwrap()];
    producers.iter_mut().for_each(|producer| (0..3).for_each(|_| producer.send(b"x").unwrap()));
    consumers.iter_mut().for_each(|consumer| drop(consumer.recv().unwrap()));
    let line = &lines(scratch.run("stat many -i 10ms -n 1 --json").expect(0).text())[0];
    assert_eq!((&line["producers"], &line["consumers"]), (&2.into(), &3.into()), "{line}");
    let outcome = scratch.run("metrics --once");
    let text = outcome.expect(0).text();
    let series = |role: &str, value: &str| {
        let is_it = |line: &&str| {
            line.starts_with("podring_messages_total{") && line.contains(role) && line.ends_with(value)
        };
        text.lines().filter(is_it).count()
    };
    assert_eq!((series("producer", " 3"), series("consumer", " 1")), (2, 3), "{text}");
}
