//! Raw streams: what goes in comes out, however it is cut.

use std::fs;
use std::process::Stdio;

use crate::scratch::{Scratch, noise};

const BIG: usize = 64 << 20;

/// Sends `input` with one process and receives it with another, either of which may start first.
fn transfer(scratch: &Scratch, send: &str, recv: &str, input: &[u8]) {
    let (from, to) = (scratch.file("in"), scratch.file("out"));
    fs::write(&from, input).unwrap();
    let receiver = scratch.start_with_files(recv, None, Some(&to));
    let sender = scratch.start_with_files(send, Some(&from), None);
    sender.outcome().expect(0).says(&[&format!("{} bytes", input.len())]);
    receiver.outcome().expect(0).says(&[&format!("{} bytes", input.len())]);
    assert!(fs::read(&to).unwrap() == input, "other bytes came out than went in");
}

#[test]
fn a_file_of_64_mib_arrives_unchanged() {
    let scratch = Scratch::new("file");
    transfer(&scratch, "send r", "recv r", &noise(BIG, 1));
    assert_eq!(scratch.names(), ["r"]);
}

#[test]
fn files_can_be_named_where_there_is_no_shell_to_redirect_with() {
    let scratch = Scratch::new("named");
    let (from, to) = (scratch.file("in"), scratch.file("out"));
    let input = noise(1 << 20, 5);
    fs::write(&from, &input).unwrap();
    let receiver = scratch.start(&format!("recv r --output {}", to.display()));
    scratch.run(&format!("send r --input {}", from.display())).expect(0);
    receiver.outcome().expect(0);
    assert!(fs::read(&to).unwrap() == input, "other bytes came out than went in");
    scratch.run("send r --input /no/such/file").expect(1).says(&["/no/such/file"]);
}

#[test]
fn it_arrives_unchanged_under_every_way_to_wait() {
    let scratch = Scratch::new("waits");
    for (wait, bytes) in [("park", BIG / 4), ("adaptive", BIG / 4), ("spin", 1 << 20)] {
        transfer(
            &scratch,
            &format!("send r --wait {wait}"),
            &format!("recv r --wait {wait}"),
            &noise(bytes, 2),
        );
    }
}

#[test]
fn it_arrives_unchanged_through_pipes() {
    let scratch = Scratch::new("pipes");
    let input = noise(BIG, 3);
    let receiver = scratch.start("recv r");
    scratch.feed("send r", &input).expect(0);
    let outcome = receiver.outcome();
    outcome.expect(0);
    assert!(outcome.stdout == input, "other bytes came out than went in");
}

#[test]
fn chunks_of_any_size_and_small_rings_do() {
    let scratch = Scratch::new("chunks");
    let input = noise(300_001, 4);
    for (ring, capacity, chunk) in
        [("a", "4K", "1"), ("b", "4K", "2040"), ("c", "64K", "7"), ("d", "1M", "512K")]
    {
        let input = if chunk == "1" { &input[..20_000] } else { &input[..] };
        let largest = if chunk == "512K" { "500K" } else { chunk };
        transfer(
            &scratch,
            &format!("send {ring} --capacity {capacity} --chunk {largest}"),
            &format!("recv {ring} --capacity {capacity}"),
            input,
        );
    }
}

#[test]
fn the_ring_keeps_a_stream_that_was_sent_before_anybody_listened() {
    let scratch = Scratch::new("before");
    let input = noise(200_000, 5);
    scratch.feed("send r", &input).expect(0);
    let outcome = scratch.run("recv r");
    outcome.expect(0);
    assert!(outcome.stdout == input, "other bytes came out than went in");
}

#[test]
fn an_empty_input_is_an_empty_stream() {
    let scratch = Scratch::new("empty");
    scratch.feed("send r", b"").expect(0).says(&["0 messages, 0 bytes"]);
    assert_eq!(scratch.run("recv r").expect(0).stdout, b"");
}

#[test]
fn a_closed_ring_is_opened_again_by_the_next_sender() {
    let scratch = Scratch::new("reopen");
    for round in 0..5_u8 {
        scratch.feed("send r", &[round; 100]).expect(0);
        assert_eq!(scratch.info("r")["closed"], true);
        assert_eq!(scratch.run("recv r").expect(0).stdout, [round; 100]);
    }
}

#[test]
fn a_ring_kept_open_makes_one_stream_of_two() {
    let scratch = Scratch::new("keep-open");
    let receiver = scratch.start("recv r --format lines");
    scratch.feed("send r --format lines --keep-open", b"one\ntwo\n").expect(0);
    assert_eq!(scratch.info("r")["closed"], false);
    scratch.feed("send r --format lines", b"three\n").expect(0);
    assert_eq!(receiver.outcome().expect(0).text(), "one\ntwo\nthree\n");
}

#[test]
fn a_count_ends_both_sides() {
    let scratch = Scratch::new("count");
    scratch.feed("send r -f lines -n 3", b"1\n2\n3\n4\n5\n").expect(0).says(&["3 messages"]);
    assert_eq!(scratch.run("recv r -f lines -n 2").expect(0).text(), "1\n2\n");
    // What was not asked for is still there.
    assert_eq!(scratch.run("recv r -f lines").expect(0).text(), "3\n");
}

#[test]
fn a_message_is_released_only_when_it_was_written() {
    let scratch = Scratch::new("unwritten");
    scratch.feed("send r -f lines", b"precious\n").expect(0);
    let mut command = scratch.podring("recv r -f lines");
    command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let status = command.stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(scratch.run("recv r -f lines").expect(0).text(), "precious\n");
}
