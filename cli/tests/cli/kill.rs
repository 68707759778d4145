//! SIGKILL in the middle of a stream, again and again: the journals of both sides agree at the end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::scratch::{Scratch, wait_until, words};

const KILLS: u64 = 20;

/// Where a journal keeps the count of a run: eight words, then one for each run.
fn count_of(file: &Path, run: u64) -> u64 {
    let Ok(file) = File::open(file) else { return 0 };
    let mut word = [0; 8];
    match file.read_exact_at(&mut word, (8 + run - 1) * 8) {
        Ok(()) => u64::from_ne_bytes(word),
        Err(_) => 0,
    }
}

fn account(scratch: &Scratch, journal: &Path) -> serde_json::Value {
    let outcome = scratch.run(&words(&[&"verify account --json --journal", &journal]));
    let object = outcome.expect(0).json();
    for key in ["lost", "duplicated", "reordered", "corrupt"] {
        assert_eq!(object[key], 0, "{key}: {object}");
    }
    object
}

/// When to kill: after so many messages more, never the same twice.
fn moment(round: u64) -> u64 {
    1 + round * 7919 % 5000
}

fn producer_killed(test: &str, options: &str) {
    let scratch = Scratch::new(test);
    let journal = scratch.file("journal");
    let consumer = scratch.start(&words(&[&"verify consumer r --capacity 64K --journal", &journal]));
    let command = words(&[&"verify producer r --capacity 64K", &options, &"--journal", &journal]);
    for round in 1..=KILLS {
        let mut producer = scratch.start(&command);
        wait_until("the producer to send", || {
            assert!(producer.is_running(), "the producer of round {round} has ended");
            count_of(&journal.join("producer"), round) >= moment(round)
        });
        producer.kill();
    }
    scratch.run(&words(&[&command, &"--count 1000"])).expect(0);
    consumer.outcome().expect(0);
    let object = account(&scratch, &journal);
    assert_eq!(object["runs"], KILLS + 1);
    let least: u64 = (1..=KILLS).map(moment).sum::<u64>() + 1000;
    assert!(object["messages"].as_u64().unwrap() >= least, "{object}");
    assert_eq!(scratch.names(), ["r"]);
}

#[test]
fn no_send_that_returned_is_lost_when_the_producer_is_killed() {
    producer_killed("kill-producer", "");
}

#[test]
fn no_batch_that_was_published_is_lost_when_the_producer_is_killed() {
    producer_killed("kill-batches", "--batch 16");
}

#[test]
fn nothing_is_lost_or_skipped_when_the_consumer_is_killed() {
    let scratch = Scratch::new("kill-consumer");
    let journal = scratch.file("journal");
    let mut producer = scratch.start(&words(&[&"verify producer r --journal", &journal]));
    let received = || count_of(&journal.join("consumer"), 1);
    for round in 1..=KILLS {
        let before = received();
        let consumer = scratch.start(&words(&[&"verify consumer r --journal", &journal]));
        wait_until("the consumer to receive", || received() >= before + moment(round));
        consumer.kill();
    }
    assert!(producer.is_running());
    producer.signal(nix::sys::signal::Signal::SIGTERM);
    let consumer = scratch.start(&words(&[&"verify consumer r --journal", &journal]));
    producer.outcome().expect(0);
    scratch.run(&words(&[&"verify producer r --count 1000 --journal", &journal])).expect(0);
    consumer.outcome().expect(0);
    let object = account(&scratch, &journal);
    assert_eq!(object["runs"], 2);
    let least: u64 = (1..=KILLS).map(moment).sum::<u64>() + 1000;
    assert!(object["messages"].as_u64().unwrap() >= least, "{object}");
    // At most one for each kill: what the dead consumer had noted and not released.
    assert!(object["redelivered"].as_u64().unwrap() <= KILLS, "{object}");
}

#[test]
fn both_sides_may_be_killed_in_turn() {
    let scratch = Scratch::new("kill-both");
    let journal = scratch.file("journal");
    let consumer_command = words(&[&"verify consumer r --capacity 16K --journal", &journal]);
    let producer_command = words(&[&"verify producer r --capacity 16K --journal", &journal]);
    for round in 1..=KILLS {
        let consumer = scratch.start(&consumer_command);
        let producer = scratch.start(&producer_command);
        wait_until("messages to pass", || count_of(&journal.join("consumer"), round) >= moment(round));
        if round % 2 == 0 {
            producer.kill();
            consumer.kill();
        } else {
            consumer.kill();
            producer.kill();
        }
    }
    let consumer = scratch.start(&consumer_command);
    scratch.run(&words(&[&producer_command, &"--count 1000"])).expect(0);
    consumer.outcome().expect(0);
    assert_eq!(account(&scratch, &journal)["runs"], KILLS + 1);
}

#[test]
fn a_raw_stream_goes_on_where_a_killed_receiver_ended() {
    let scratch = Scratch::new("kill-recv");
    let lines: String = (0..200_000).map(|line| format!("{line}\n")).collect();
    std::fs::write(scratch.file("in"), &lines).unwrap();
    let sender = scratch.start_with_files("send r -f lines --capacity 64K", Some(&scratch.file("in")), None);
    let mut received = String::new();
    for round in 0..5_u64 {
        let out = scratch.file(&format!("out{round}"));
        let receiver = scratch.start_with_files("recv r -f lines --capacity 64K", None, Some(&out));
        wait_until("the receiver to write", || {
            std::fs::metadata(&out).is_ok_and(|meta| meta.len() > 1000 * (round + 1))
        });
        receiver.kill();
        received.push_str(&std::fs::read_to_string(&out).unwrap());
        // A write may have been cut by the kill; its messages come again.
        received.truncate(received.rfind('\n').map_or(0, |at| at + 1));
    }
    let outcome = scratch.run("recv r -f lines");
    received.push_str(outcome.expect(0).text());
    sender.outcome().expect(0);
    // Repeats are allowed, gaps are not: the highest line so far may only grow by one.
    let mut expected = 0_u64;
    for line in received.lines() {
        let number: u64 = line.parse().unwrap();
        assert!(number <= expected, "{number} came where {expected} was due");
        expected = expected.max(number + 1);
    }
    assert_eq!(expected, 200_000);
}
