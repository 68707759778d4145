//! Every exit status, and what is said with it.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::scratch::Scratch;

#[test]
fn a_missing_ring_is_3() {
    let scratch = Scratch::new("missing");
    for command in ["recv r", "send r", "verify consumer r", "verify producer r", "pong r"] {
        scratch
            .run(&format!("{command} --no-create --open-timeout 50ms"))
            .expect(3)
            .says(&["podring: ring 'r", "not found"]);
    }
    scratch.run("info r").expect(3).says(&["podring: ring 'r' not found", "podring ls"]);
    scratch.run("rm r").expect(3).says(&["not found"]);
    assert!(scratch.names().is_empty());
}

#[test]
fn no_create_waits_for_the_other_side() {
    let scratch = Scratch::new("no-create");
    let receiver = scratch.start("recv r --no-create --open-timeout 1m");
    scratch.feed("send r", b"hello").expect(0);
    assert_eq!(receiver.outcome().expect(0).text(), "hello");
}

#[test]
fn a_timeout_is_124() {
    let scratch = Scratch::new("timeout");
    scratch.run("recv r --timeout 250ms").expect(124).says(&["no message within 0.250 s", "not attached"]);
    scratch.run("verify consumer r --timeout 50ms").expect(124);
    scratch.run("ping r --timeout 50ms").expect(124).says(&["podring pong r"]);
    scratch.feed("send r --wait-for-peer 50ms", b"x").expect(124).says(&["no peer within 0.050 s"]);
    scratch
        .feed("send r --timeout 150ms --keep-open", &[0; 3 << 20])
        .expect(124)
        .says(&["no space within 0.150 s"]);
}

#[test]
fn a_timeout_counts_for_each_message_and_keeps_what_came() {
    let scratch = Scratch::new("timeout-later");
    scratch.feed("send r -f lines --keep-open", b"a\nb\n").expect(0);
    let outcome = scratch.run("recv r -f lines --timeout 50ms");
    outcome.expect(124).says(&["2 messages"]);
    assert_eq!(outcome.text(), "a\nb\n");
}

#[test]
fn wrong_usage_is_2() {
    let scratch = Scratch::new("usage");
    for args in [
        "",
        "frobnicate",
        "send",
        "send r --capacity lots",
        "send r --chunk 0",
        "send r --chunk 1G",
        "recv r --timeout soon",
        "recv r --mode 0999",
        "create s --no-create",
        "create a/b",
        "create ..",
        "create s --capacity 64K --largest 64K",
        "rm",
        "rm r --stale",
        "verify producer r --min 9 --max 3",
        "verify producer r --max 1G",
        "verify producer r --count 1 --duration 1s",
        "ping r --size 4",
        "completions basic",
        "man frobnicate",
    ] {
        let outcome = scratch.run(args);
        assert_eq!(outcome.status, 2, "{args}: {}", outcome.stderr);
        assert!(!outcome.stderr.is_empty(), "{args}");
    }
}

#[test]
fn a_second_producer_or_consumer_is_3_and_named() {
    let scratch = Scratch::new("second");
    let mut command = scratch.podring("send r");
    command.stdin(Stdio::piped());
    let mut sender = command.spawn().unwrap();
    scratch.wait_for_seat("r", "producer");
    let pid = format!("pid {}", sender.id());
    scratch.feed("send r", b"x").expect(3).says(&["already has a producer", &pid]);
    scratch.run("verify producer r").expect(3).says(&["already has a producer"]);
    let receiver = scratch.start("recv r");
    scratch.wait_for_seat("r", "consumer");
    scratch.run("recv r").expect(3).says(&["already has a consumer", &format!("pid {}", receiver.pid())]);
    drop(sender.stdin.take());
    assert!(sender.wait().unwrap().success());
    receiver.outcome().expect(0);
}

#[test]
fn another_shape_than_asked_for_is_3() {
    let scratch = Scratch::new("mismatch");
    scratch.run("create r --capacity 64K").expect(0);
    scratch.run("recv r --capacity 1M").expect(3).says(&["capacity 65536", "1048576"]);
    scratch.run("create r --exist-ok --capacity 1M").expect(3).says(&["capacity 65536", "1048576"]);
    scratch.run("create r --exist-ok --capacity 60K").expect(0);
    scratch.run("create r").expect(3).says(&["exists already"]);
}

#[test]
fn a_foreign_file_is_3() {
    let scratch = Scratch::new("foreign-file");
    std::fs::write(scratch.rings().join("r"), b"mine").unwrap();
    scratch.run("recv r").expect(3).says(&["is not a ring"]);
    scratch.run("info r").expect(3).says(&["is not a ring"]);
    scratch.run("rm r").expect(3).says(&["is not a ring"]);
    scratch.run("create r --exist-ok").expect(3).says(&["is not a ring"]);
    assert_eq!(std::fs::read(scratch.rings().join("r")).unwrap(), b"mine");
}

#[test]
fn a_missing_directory_is_3() {
    let scratch = Scratch::new("no-dir");
    for command in ["ls", "recv r", "create r", "rm --stale"] {
        scratch
            .run(&format!("{command} --dir {}", scratch.file("nowhere").display()))
            .expect(3)
            .says(&["does not exist"]);
    }
}

#[test]
fn a_dead_producer_is_reported_on_request() {
    let scratch = Scratch::new("peer-loss");
    let receiver = scratch.start("recv r -f lines --peer-loss report");
    let mut command = scratch.podring("send r -f lines");
    command.stdin(Stdio::piped());
    let mut sender = command.spawn().unwrap();
    use std::io::Write;
    sender.stdin.as_mut().unwrap().write_all(b"last words\n").unwrap();
    crate::scratch::wait_until("the message", || {
        let outcome = scratch.run("info r --json");
        outcome.status == 0 && outcome.json()["read_bytes"].as_u64() > Some(0)
    });
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(sender.id()).unwrap()), Signal::SIGKILL)
        .unwrap();
    sender.wait().unwrap();
    let outcome = receiver.outcome();
    outcome.expect(1).says(&["died without closing"]);
    assert_eq!(outcome.text(), "last words\n");
}

#[test]
fn errors_are_json_too() {
    let scratch = Scratch::new("json-errors");
    let object = scratch.run("info r --json").expect(3).json();
    assert_eq!(object["error"]["kind"], "NotFound");
    assert!(object["error"]["message"].as_str().unwrap().contains("not found"));
    let object = scratch.run("frobnicate --json").expect(2).json();
    assert_eq!(object["error"]["kind"], "Usage");
    let object = scratch.run("create / --json").expect(2).json();
    assert_eq!(object["error"]["kind"], "NameInvalid");
    // Where standard output is for data, standard error has the object and nothing else.
    let object = scratch.run("recv r --timeout 1ms --json").expect(124).json_on_stderr();
    assert_eq!((&object["error"]["kind"], &object["messages"]), (&"Timeout".into(), &0.into()));
    let object = scratch.feed("send r -f hex --json", b"0a\nx\n").expect(1).json_on_stderr();
    assert_eq!((&object["error"]["kind"], &object["messages"]), (&"Input".into(), &1.into()));
}

#[test]
fn a_failure_to_print_a_result_is_1() {
    let scratch = Scratch::new("full-output");
    let mut command = scratch.podring("ls");
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap()).stderr(Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(1));
}
