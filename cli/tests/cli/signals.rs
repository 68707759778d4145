//! Ctrl-C and SIGTERM end a command cleanly; a closed pipe ends it quietly.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::scratch::{Scratch, noise, wait_until};

#[test]
fn a_waiting_command_ends_with_its_summary() {
    let scratch = Scratch::new("stop");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        for (command, ring, role) in [
            ("recv r", "r", "consumer"),
            ("verify consumer r", "r", "consumer"),
            ("verify producer r", "r", "producer"),
            ("ping p", "p.ping", "producer"),
            ("pong p", "p.ping", "consumer"),
        ] {
            let running = scratch.start(command);
            scratch.wait_for_seat(ring, role);
            running.signal(signal);
            let outcome = running.outcome();
            assert_eq!(outcome.status, 0, "{command}: {outcome:?}");
        }
        scratch.run("rm --stale").expect(0);
    }
}

#[test]
fn a_sender_that_waits_for_input_ends_and_does_not_close() {
    let scratch = Scratch::new("stop-send");
    let mut command = scratch.podring("send r -f lines --json");
    command.stdin(Stdio::piped());
    let mut sender = command.spawn().unwrap();
    sender.stdin.as_mut().unwrap().write_all(b"one\n").unwrap();
    wait_until("the message", || {
        let outcome = scratch.run("info r --json");
        outcome.status == 0 && outcome.json()["written_bytes"].as_u64() > Some(0)
    });
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(sender.id()).unwrap()), Signal::SIGINT)
        .unwrap();
    let mut stderr = String::new();
    sender.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(sender.wait().unwrap().code(), Some(0));
    let object: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(object["messages"], 1);
    assert_eq!(scratch.info("r")["closed"], false);
    assert_eq!(scratch.run("recv r -f lines -n 1").expect(0).text(), "one\n");
}

#[test]
fn a_sender_blocked_by_a_full_ring_ends() {
    let scratch = Scratch::new("stop-full");
    fs::write(scratch.file("in"), noise(1 << 20, 7)).unwrap();
    let sender = scratch.start_with_files("send r --capacity 64K", Some(&scratch.file("in")), None);
    wait_until("the ring to be full", || {
        let outcome = scratch.run("info r --json");
        outcome.status == 0 && outcome.json()["seats"][0]["stats"]["stalls"].as_u64() > Some(0)
    });
    sender.signal(Signal::SIGTERM);
    sender.outcome().expect(0);
    assert_eq!(scratch.info("r")["closed"], false);
}

#[test]
fn a_receiver_blocked_by_a_full_pipe_ends_and_loses_nothing() {
    let scratch = Scratch::new("stop-pipe");
    let input = noise(8 << 20, 8);
    fs::write(scratch.file("in"), &input).unwrap();
    let sender = scratch.start_with_files("send r", Some(&scratch.file("in")), None);
    let mut command = scratch.podring("recv r");
    let mut receiver = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("everything to stand still", || {
        let outcome = scratch.run("info r --json");
        outcome.status == 0 && {
            let before = outcome.json()["written_bytes"].as_u64();
            std::thread::sleep(std::time::Duration::from_millis(100));
            before > Some(1 << 20) && scratch.info("r")["written_bytes"].as_u64() == before
        }
    });
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(receiver.id()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert_eq!(receiver.wait().unwrap().code(), Some(0));
    let mut first = Vec::new();
    receiver.stdout.take().unwrap().read_to_end(&mut first).unwrap();
    let second = scratch.run("recv r");
    second.expect(0);
    sender.outcome().expect(0);
    // What was written and not acknowledged came again: the second part overlaps the first or adjoins it.
    let start = input.len() - second.stdout.len();
    assert!(start <= first.len(), "{} bytes are missing", start - first.len());
    assert!(first == input[..first.len()], "the first part is not the beginning");
    assert!(second.stdout == input[start..], "the second part is not the rest");
}

#[test]
fn a_command_that_waits_for_its_ring_ends() {
    let scratch = Scratch::new("stop-open");
    let receiver = scratch.start("recv r --no-create --open-timeout 1h");
    // It has begun when it has blocked the signal; until then SIGTERM would end it all the same.
    wait_until("the signal to be watched for", || blocks_sigterm(receiver.pid()));
    receiver.signal(Signal::SIGTERM);
    receiver.outcome().expect(0).says(&["0 messages"]);
}

fn blocks_sigterm(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or("0");
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    mask >> (Signal::SIGTERM as i32 - 1) & 1 == 1
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let scratch = Scratch::new("epipe");
    fs::write(scratch.file("in"), noise(8 << 20, 9)).unwrap();
    let sender = scratch.start_with_files("send r --capacity 16M", Some(&scratch.file("in")), None);
    sender.outcome().expect(0);
    let mut command = scratch.podring("recv r --capacity 16M");
    let mut receiver = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = receiver.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let mut stderr = String::new();
    receiver.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(receiver.wait().unwrap().code(), Some(0), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    // What nobody read is still there.
    assert!(scratch.info("r")["used_bytes"].as_u64().unwrap() > 4 << 20);
}

#[test]
fn a_pipe_closed_before_the_first_message_is_noticed() {
    let scratch = Scratch::new("epipe-idle");
    let mut command = scratch.podring("recv r");
    let mut receiver = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(receiver.stdout.take());
    assert_eq!(receiver.wait().unwrap().code(), Some(0));
}

#[test]
fn a_result_that_nobody_reads_is_a_quiet_end() {
    let scratch = Scratch::new("epipe-ls");
    for args in ["ls", "ls --json", "--help", "man", "completions zsh"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = scratch.podring(args);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args}");
    }
}

#[test]
fn a_ring_that_is_cut_while_in_use_is_named_before_the_end() {
    let scratch = Scratch::new("cut");
    for command in ["recv r", "verify producer r --max 100", "recv r --json", "verify consumer r --json"] {
        let role = if command.contains("producer") { "producer" } else { "consumer" };
        let running = scratch.start(command);
        scratch.wait_for_seat("r", role);
        fs::File::options().write(true).open(scratch.rings().join("r")).unwrap().set_len(0).unwrap();
        let outcome = running.outcome();
        // By the signal, for whoever looks at how it ended; and with a word for whoever reads.
        assert_eq!(outcome.status, -(Signal::SIGBUS as i32), "{command}: {outcome:?}");
        outcome.says(&["ring 'r' was cut short", "podring rm --force r"]);
        if command.contains("--json") {
            let object = if command.starts_with("recv") { outcome.json_on_stderr() } else { outcome.json() };
            assert_eq!(object["error"]["kind"], "Bus", "{object}");
        }
        scratch.run("info r").expect(3);
        scratch.run("rm --force r").expect(0);
    }
}
