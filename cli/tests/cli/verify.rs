//! `podring verify` says so when something is wrong, and only then.

use crate::scratch::{Scratch, words};

#[test]
fn a_clean_pair_has_no_flaws() {
    let scratch = Scratch::new("clean");
    for options in ["", "--batch 32", "--min 0 --max 0", "--min 100K --max 200K", "--wait park --batch 7"] {
        let count = if options.contains("200K") { 500 } else { 50_000 };
        let consumer = scratch.start(&format!("verify consumer r --count {count}"));
        scratch.run(&format!("verify producer r --count {count} {options}")).expect(0);
        let outcome = consumer.outcome();
        let text = outcome.expect(0).text();
        assert!(text.contains(&format!("received {count} messages")), "{text}");
        assert!(
            text.contains("1 runs: 0 lost, 0 duplicated, 0 reordered, 0 corrupt, 0 redelivered"),
            "{text}"
        );
        // The end of the stream, which `--count` has left there.
        scratch.run("recv r").expect(0);
    }
}

#[test]
fn the_consumer_ends_when_the_producer_does() {
    let scratch = Scratch::new("ends");
    let consumer = scratch.start("verify consumer r --json");
    let sent = scratch.run("verify producer r --duration 200ms --rate 10k/s --json").expect(0).json();
    let received = consumer.outcome().expect(0).json();
    assert!(sent["messages"].as_u64().unwrap() > 0);
    assert_eq!(sent["messages"], received["messages"]);
    assert_eq!(sent["bytes"], received["bytes"]);
    for key in ["lost", "duplicated", "reordered", "corrupt", "redelivered"] {
        assert_eq!(received[key], 0, "{key}");
    }
    assert_eq!(received["runs"], 1);
    assert!(received["messages_per_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_rate_is_kept() {
    let scratch = Scratch::new("rate");
    let start = std::time::Instant::now();
    scratch.run("verify producer r --count 101 --rate 500 --max 64").expect(0);
    // The 101st message is due after 200 ms; there is no upper bound on a busy machine.
    assert!(start.elapsed().as_millis() >= 200, "{:?}", start.elapsed());
}

#[test]
fn a_duration_ends_a_producer_that_nobody_reads() {
    let scratch = Scratch::new("unread");
    scratch.run("verify producer r --duration 100ms --capacity 4K").expect(0);
}

#[test]
fn two_producers_in_turn_are_two_runs() {
    let scratch = Scratch::new("runs");
    let consumer = scratch.start("verify consumer r --json");
    scratch.run("verify producer r --count 1000 --keep-open").expect(0);
    scratch.run("verify producer r --count 1000").expect(0);
    let received = consumer.outcome().expect(0).json();
    assert_eq!((&received["runs"], &received["messages"]), (&2.into(), &2000.into()));
}

#[test]
fn a_stream_that_ends_early_is_a_loss() {
    let scratch = Scratch::new("early");
    let consumer = scratch.start("verify consumer r --count 1001 --json");
    scratch.run("verify producer r --count 1000").expect(0);
    assert_eq!(consumer.outcome().expect(5).json()["lost"], 1);
}

/// Sends the messages of a verify producer on through another ring after `tamper` has had them, as lines of
/// hexadecimal digits, and returns what the consumer says.
fn tampered(test: &str, tamper: impl FnOnce(&mut Vec<String>)) -> serde_json::Value {
    let scratch = Scratch::new(test);
    scratch.run("verify producer from --count 100 --max 100").expect(0);
    let outcome = scratch.run("recv from -f hex");
    let mut lines: Vec<String> = outcome.expect(0).text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 100);
    tamper(&mut lines);
    scratch.feed("send to -f hex", (lines.join("\n") + "\n").as_bytes()).expect(0);
    let outcome = scratch.run("verify consumer to --json");
    let object = outcome.json();
    let damaged = ["lost", "duplicated", "reordered", "corrupt"].iter().any(|key| object[key] != 0);
    outcome.expect(if damaged { 5 } else { 0 });
    object
}

#[test]
fn a_relayed_stream_is_clean() {
    let object = tampered("relayed", |_| {});
    assert_eq!((&object["messages"], &object["lost"]), (&100.into(), &0.into()));
}

#[test]
fn a_lost_message_is_seen() {
    let object = tampered("lost", |lines| drop(lines.remove(50)));
    assert_eq!((&object["messages"], &object["lost"]), (&99.into(), &1.into()));
    let object = tampered("lost-first", |lines| drop(lines.remove(0)));
    assert_eq!(object["lost"], 1);
}

#[test]
fn a_duplicated_message_is_seen() {
    let object = tampered("duplicated", |lines| lines.insert(50, lines[49].clone()));
    assert_eq!((&object["messages"], &object["duplicated"]), (&100.into(), &1.into()));
}

#[test]
fn a_reordered_message_is_seen() {
    let object = tampered("reordered", |lines| lines.swap(50, 51));
    assert_eq!(
        (&object["messages"], &object["reordered"], &object["lost"]),
        (&100.into(), &1.into(), &0.into())
    );
}

#[test]
fn a_corrupt_message_is_seen() {
    let object = tampered("corrupt", |lines| {
        let last = lines[50].pop().unwrap();
        lines[50].push(if last == '0' { '1' } else { '0' });
    });
    assert_eq!(
        (&object["messages"], &object["corrupt"], &object["lost"]),
        (&99.into(), &1.into(), &0.into())
    );
}

#[test]
fn a_message_of_somebody_else_is_corrupt() {
    let object = tampered("garbage", |lines| lines.insert(50, "00".to_owned()));
    assert_eq!((&object["corrupt"], &object["messages"]), (&1.into(), &100.into()));
}

#[test]
fn an_account_compares_both_journals() {
    let scratch = Scratch::new("account");
    let journal = scratch.file("journal");
    let with_journal = |command: &str| words(&[&command, &"--journal", &journal]);
    scratch.run(&with_journal("verify account")).expect(3).says(&["no journal"]);
    let consumer = scratch.start(&with_journal("verify consumer r"));
    scratch.run(&with_journal("verify producer r --count 3000 --keep-open")).expect(0);
    scratch.run(&with_journal("verify producer r --count 2000")).expect(0);
    consumer.outcome().expect(0);
    let outcome = scratch.run(&with_journal("verify account"));
    assert_eq!(
        outcome.expect(0).text(),
        "5000 messages in 2 runs: 0 lost, 0 duplicated, 0 reordered, 0 corrupt, 0 redelivered\n"
    );
    // What nobody received is lost.
    scratch.run(&with_journal("verify producer r --count 10")).expect(0);
    let object = scratch.run(&with_journal("verify account --json")).expect(5).json();
    assert_eq!(
        (&object["lost"], &object["runs"], &object["messages"]),
        (&10.into(), &3.into(), &5000.into())
    );
}

#[test]
fn an_account_sees_a_message_that_vanished_between_two_consumers() {
    let scratch = Scratch::new("vanished");
    let journal = scratch.file("journal");
    let with_journal = |command: &str| words(&[&command, &"--journal", &journal]);
    scratch.run(&with_journal("verify producer r --count 300")).expect(0);
    scratch.run(&with_journal("verify consumer r --count 100")).expect(0);
    scratch.run("recv r -n 1 -f hex").expect(0);
    let object = scratch.run(&with_journal("verify consumer r --json")).expect(5).json();
    assert_eq!(object["lost"], 1);
    scratch.run(&with_journal("verify account")).expect(5);
}

#[test]
fn a_producer_without_journal_does_not_fit_a_consumer_with_one() {
    let scratch = Scratch::new("one-journal");
    scratch.run("verify producer r --count 2").expect(0);
    scratch
        .run(&words(&[&"verify consumer r --journal", &scratch.file("j")]))
        .expect(1)
        .says(&["keeps a journal too"]);
    // It was not acknowledged.
    assert_eq!(scratch.run("verify consumer r --json").expect(0).json()["messages"], 2);
}
