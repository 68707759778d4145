//! Rings with many producers and many consumers, from the shell.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scratch::{Running, Scratch, wait_until, words};

const FLAWS: [&str; 4] = ["lost", "duplicated", "reordered", "corrupt"];

#[test]
fn many_send_and_many_receive() {
    let scratch = Scratch::new("many");
    scratch.run("create r --mpmc --slots 100 --largest 40").expect(0);
    let info = scratch.info("r");
    assert_eq!((&info["kind"], &info["slots"]), (&"mpmc".into(), &128.into()));
    assert_eq!(
        (&info["largest_message_bytes"], &info["on_consumer_death"]),
        (&40.into(), &"redeliver".into())
    );
    // Neither has to say what kind of ring it is.
    let outs: Vec<_> = (0..2).map(|index| scratch.file(&format!("out{index}"))).collect();
    let receivers: Vec<Running> =
        outs.iter().map(|out| scratch.start_with_files("recv r -f lines", None, Some(out))).collect();
    wait_until("both receivers", || live(&scratch.info("r"), "consumer") == 2);
    let line = scratch.run("ls");
    assert!(line.expect(0).text().contains("+1"), "{}", line.text());
    let senders: Vec<Running> = (0..3)
        .map(|sender| {
            let input = scratch.file(&format!("in{sender}"));
            let lines: String = (0..2000).map(|line| format!("{sender} {line}\n")).collect();
            std::fs::write(&input, lines).unwrap();
            scratch.start_with_files("send r -f lines --keep-open", Some(&input), None)
        })
        .collect();
    for sender in senders {
        sender.outcome().expect(0);
    }
    // The end of the stream is everybody's.
    scratch.run("send r").expect(0);
    for receiver in receivers {
        receiver.outcome().expect(0);
    }
    let mut all = Vec::new();
    for out in &outs {
        let text = std::fs::read_to_string(out).unwrap();
        let lines: Vec<(u64, u64)> = text
            .lines()
            .map(|line| {
                line.split_once(' ').map(|(sender, line)| (sender.parse().unwrap(), line.parse().unwrap()))
            })
            .map(Option::unwrap)
            .collect();
        for sender in 0..3 {
            let of_one: Vec<u64> = lines.iter().filter(|line| line.0 == sender).map(|line| line.1).collect();
            assert!(of_one.is_sorted(), "sender {sender} in {}", out.display());
        }
        all.extend(lines);
    }
    all.sort_unstable();
    let sent: Vec<(u64, u64)> = (0..3).flat_map(|sender| (0..2000).map(move |line| (sender, line))).collect();
    assert_eq!(all, sent);
}

#[test]
fn options_of_the_other_kind_are_refused() {
    let scratch = Scratch::new("many-options");
    scratch.run("create many --mpmc").expect(0);
    scratch.run("create one").expect(0);
    scratch.run("send many --capacity 1M").expect(2).says(&["--capacity", "--slots"]);
    scratch.run("send new --mpmc --capacity 1M").expect(2).says(&["--capacity"]);
    scratch.run("send new --slots 4").expect(2).says(&["--mpmc"]);
    scratch.run("recv new --on-consumer-death drop").expect(2).says(&["--mpmc"]);
    scratch.run("send one --mpmc").expect(3).says(&["kind bytes", "mpmc"]);
    scratch.run("send many --mpmc --slots 4").expect(3).says(&["1024", "4"]);
    scratch.run("recv many --mpmc --on-consumer-death drop").expect(3).says(&["redelivery"]);
    scratch.run("create many --exist-ok").expect(3).says(&["kind mpmc"]);
    scratch.run("create many --mpmc --exist-ok --slots 1000").expect(0);
    scratch.run("create many --mpmc --exist-ok --slots 2000").expect(3).says(&["slots 1024", "2048"]);
    scratch.run("create many --mpmc --exist-ok --on-consumer-death drop").expect(3).says(&["redeliver"]);
}

#[test]
fn a_message_that_was_not_written_stays_in_the_ring() {
    let scratch = Scratch::new("many-jsonl");
    scratch.feed("send r --mpmc -f lines", b"[1]\nnone\n[2]\n").expect(0);
    let outcome = scratch.run("recv r -f jsonl");
    assert_eq!(outcome.expect(1).text(), "[1]\n");
    outcome.says(&["message 2", "stays in the ring"]);
    assert_eq!(scratch.run("recv r -f lines").expect(0).text(), "none\n[2]\n");
}

fn live(info: &Value, role: &str) -> usize {
    let seats = info["seats"].as_array().unwrap();
    seats.iter().filter(|seat| seat["live"] == true && seat["role"] == role).count()
}

fn with_journal(command: &str, journal: &Path) -> String {
    words(&[&command, &"--journal", &journal])
}

fn account(scratch: &Scratch, journal: &Path, status: i32) -> Value {
    scratch.run(&with_journal("verify account --json", journal)).expect(status).json()
}

#[test]
fn reports_of_many_add_up() {
    let scratch = Scratch::new("many-reports");
    scratch.run("create r --mpmc --slots 256 --largest 200").expect(0);
    let consumers: Vec<Running> = (0..2).map(|_| scratch.start("verify consumer r --json")).collect();
    wait_until("both consumers", || live(&scratch.info("r"), "consumer") == 2);
    let producers: Vec<Running> = (0..3)
        .map(|_| scratch.start("verify producer r --count 5000 --batch 4 --keep-open --json"))
        .collect();
    let mut sent: Vec<(u64, u64)> = Vec::new();
    for producer in producers {
        let report = producer.outcome().expect(0).json();
        sent.push((report["run"].as_u64().unwrap(), report["messages"].as_u64().unwrap()));
    }
    scratch.run("send r").expect(0);
    let mut received = std::collections::BTreeMap::new();
    for consumer in consumers {
        let report = consumer.outcome().expect(0).json();
        for flaw in &FLAWS[1..] {
            assert_eq!(report[flaw], 0, "{report}");
        }
        for producer in report["producers"].as_array().unwrap() {
            *received.entry(producer["run"].as_u64().unwrap()).or_insert(0) +=
                producer["messages"].as_u64().unwrap();
        }
    }
    sent.sort_unstable();
    assert_eq!(received.into_iter().collect::<Vec<_>>(), sent);
}

/// Passes what a producer with a journal has sent on to a consumer with a journal, after `tamper` had it.
fn tampered(test: &str, tamper: impl FnOnce(&mut Vec<String>)) -> (Value, Value) {
    let scratch = Scratch::new(test);
    let journal = scratch.file("journal");
    scratch.run(&with_journal("verify producer from --mpmc --count 100 --max 100", &journal)).expect(0);
    let outcome = scratch.run("recv from -f hex");
    let mut lines: Vec<String> = outcome.expect(0).text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 100);
    tamper(&mut lines);
    scratch.feed("send to --mpmc -f hex", (lines.join("\n") + "\n").as_bytes()).expect(0);
    let consumer = scratch.run(&with_journal("verify consumer to --json", &journal)).json();
    let outcome = scratch.run(&with_journal("verify account --json", &journal));
    let account = outcome.json();
    let damaged = FLAWS.iter().any(|flaw| account[flaw] != 0);
    outcome.expect(if damaged { 5 } else { 0 });
    (consumer, account)
}

fn flaws(account: &Value) -> [u64; 4] {
    FLAWS.map(|flaw| account[flaw].as_u64().unwrap())
}

#[test]
fn an_account_of_many_sees_every_flaw() {
    assert_eq!(flaws(&tampered("many-clean", |_| {}).1), [0, 0, 0, 0]);
    let (consumer, account) = tampered("many-lost", |lines| drop(lines.drain(50..53)));
    assert_eq!(flaws(&account), [3, 0, 0, 0]);
    // Which the one consumer cannot know.
    assert_eq!(consumer["producers"][0]["elsewhere"], 3);
    let (consumer, account) = tampered("many-twice", |lines| lines.insert(50, lines[10].clone()));
    assert_eq!((flaws(&account), &consumer["duplicated"]), ([0, 1, 0, 0], &1.into()));
    let (consumer, account) = tampered("many-swapped", |lines| lines.swap(50, 51));
    assert_eq!((flaws(&account), &consumer["reordered"]), ([0, 0, 1, 0], &1.into()));
    let (consumer, account) = tampered("many-corrupt", |lines| {
        let last = lines[50].pop().unwrap();
        lines[50].push(if last == '0' { '1' } else { '0' });
    });
    // Nobody can say which message it was.
    assert_eq!((flaws(&account), &consumer["corrupt"]), ([1, 0, 0, 1], &1.into()));
}

#[test]
fn a_duplicate_in_two_shares_is_seen() {
    let scratch = Scratch::new("many-shares");
    let journal = scratch.file("journal");
    scratch.run(&with_journal("verify producer from --mpmc --count 10", &journal)).expect(0);
    let outcome = scratch.run("recv from -f hex");
    let lines = outcome.expect(0).stdout.clone();
    for _ in 0..2 {
        scratch.feed("send to --mpmc -f hex", &lines).expect(0);
    }
    scratch.run(&with_journal("verify consumer to --count 10", &journal)).expect(0);
    let second = scratch.run(&with_journal("verify consumer to --count 10 --json", &journal));
    assert_eq!(second.expect(5).json()["duplicated"], 10);
    assert_eq!(flaws(&account(&scratch, &journal, 5)), [0, 10, 0, 0]);
}

#[test]
fn journals_of_two_kinds_are_not_mixed() {
    let scratch = Scratch::new("many-mixed");
    let journal = scratch.file("journal");
    scratch.run(&with_journal("verify producer one --count 1", &journal)).expect(0);
    scratch.run(&with_journal("verify producer many --mpmc --count 1", &journal)).expect(0);
    scratch.run(&with_journal("verify consumer many", &journal)).expect(0);
    scratch.run(&with_journal("verify account", &journal)).expect(3).says(&["two rings"]);
}

/// Sends of all runs that have returned, as the journals have it in their third words.
fn sent(journal: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(journal) else { return 0 };
    let runs = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("run-"));
    let mut word = [0; 8];
    runs.map(|entry| {
        let file = std::fs::File::open(entry.path()).unwrap();
        match std::os::unix::fs::FileExt::read_exact_at(&file, &mut word, 16) {
            Ok(()) => u64::from_ne_bytes(word),
            Err(_) => 0,
        }
    })
    .sum()
}

#[test]
fn nothing_is_lost_when_any_of_many_is_killed() {
    const KILLS: u64 = 40;
    let scratch = Scratch::new("many-kill");
    let journal = scratch.file("journal");
    scratch.run("create r --mpmc --slots 64 --largest 200").expect(0);
    let commands = ["verify producer r --max 160 --keep-open", "verify consumer r"]
        .map(|command| with_journal(command, &journal));
    let mut sides: Vec<Running> = (0..4).map(|index| scratch.start(&commands[index % 2])).collect();
    let mut consumer_kills = 0;
    for kill in 0..KILLS {
        // Wedged is who does not go on; how soon is the machine's business.
        let goal = sent(&journal) + 1 + kill * 7919 % 3000;
        wait_until("messages to pass", || sent(&journal) >= goal);
        let index = (kill * 7 % 11 % 4) as usize;
        std::mem::replace(&mut sides[index], scratch.start(&commands[index % 2])).kill();
        consumer_kills += u64::from(index % 2 == 1);
    }
    for (index, side) in sides.iter().enumerate() {
        if index % 2 == 0 {
            side.signal(Signal::SIGTERM);
        }
    }
    let (producers, consumers): (Vec<_>, Vec<_>) =
        sides.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    for (_, producer) in producers {
        let outcome = producer.outcome();
        // One that was just starting may not have listened yet.
        assert!(outcome.status == 0 || outcome.status == -15, "{outcome:?}");
    }
    scratch.run(&with_journal("verify producer r --count 100", &journal)).expect(0);
    for (_, consumer) in consumers {
        consumer.outcome().expect(0);
    }
    let account = account(&scratch, &journal, 0);
    assert_eq!(flaws(&account), [0, 0, 0, 0], "{account}");
    assert!(account["redelivered"].as_u64().unwrap() <= consumer_kills, "{account}");
    assert!(account["messages"].as_u64().unwrap() >= sent(&journal), "{account}");
    assert!(account["longest_wait_ms"].as_f64().unwrap() >= 0.0, "{account}");
    println!("{KILLS} kills: {account}");
}

/// Sends one message, and stops a receiver that has it and cannot write it: its output is a full pipe.
fn receiver_with_a_message(scratch: &Scratch) -> Running {
    let mut command = scratch.podring("recv r");
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(writer);
    // Larger than any pipe that an unprivileged user may have.
    let receiver = Running::start(command);
    let message = vec![b'x'; 3 << 20];
    std::fs::write(scratch.file("large"), &message).unwrap();
    let large = scratch.file("large");
    scratch.start_with_files("send r --chunk 3M --keep-open", Some(&large), None).outcome().expect(0);
    std::mem::forget(reader);
    receiver
}

#[test]
fn info_names_whom_all_wait_for_and_repairs_the_dead() {
    let scratch = Scratch::new("many-stuck");
    scratch.run("create r --mpmc --slots 2 --largest 3M").expect(0);
    let receiver = receiver_with_a_message(&scratch);
    scratch.feed("send r --keep-open", b"next").expect(0);
    let seat = || scratch.info("r")["waiting_for"][0].clone();
    wait_until("the receiver to be waited for", || seat()["role"] == "consumer");
    let stuck = seat();
    assert_eq!(
        (&stuck["live"], &stuck["message"], &stuck["pid"]),
        (&true.into(), &0.into(), &receiver.pid().into())
    );
    let outcome = scratch.run("info r");
    assert!(outcome.expect(0).text().contains("producers wait for seat"), "{}", outcome.text());
    // Alive is not dead, however it is asked.
    assert_eq!(scratch.run("info r --repair --json").expect(0).json()["repaired"], 0);
    receiver.kill();
    assert_eq!(seat()["live"], false);
    let repaired = scratch.run("info r --repair --json").expect(0).json();
    assert_eq!((&repaired["repaired"], &repaired["waiting_for"]), (&1.into(), &serde_json::json!([])));
    assert_eq!(scratch.run("info r --repair --json").expect(0).json()["repaired"], 0);
    // What it died with comes again.
    let received = scratch.run("recv r --count 2");
    assert_eq!(received.expect(0).stdout.len(), (3 << 20) + 4);
}

#[test]
fn rm_stale_repairs_rings_in_use() {
    let scratch = Scratch::new("many-rm");
    let living = scratch.start("recv r --mpmc");
    scratch.wait_for_seat("r", "consumer");
    let dead = scratch.start("recv r");
    wait_until("the second receiver", || live(&scratch.info("r"), "consumer") == 2);
    // Stopped, so that it does not repair by itself.
    living.signal(Signal::SIGSTOP);
    dead.kill();
    let object = scratch.run("rm --stale --json").expect(0).json();
    assert_eq!(object["repaired"], serde_json::json!([{ "name": "r", "dead": 1 }]));
    assert_eq!(object["removed"], serde_json::json!([]));
}
