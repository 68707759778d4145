//! A round of a storm over a ring with many producers and many consumers: what happens to three of each, from one seed,
//! and what came of it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::plan::Random;
use crate::round::Tally;
use crate::scratch::{Scratch, wait_until, words};
use crate::side::Side;

/// Producers, and as many consumers.
const EACH: usize = 3;
const ALL: usize = 2 * EACH;
const BLOWS: usize = 80;
/// Blows between two moments at which messages must be seen to pass.
const CHECK: usize = 10;

/// Something that happens to one participant, or to two. Pauses are part of it.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// SIGKILL, and a successor after the pause.
    Kill(usize, Duration),
    /// SIGSTOP, and SIGKILL after the pause, without ever going on.
    KillStopped(usize, Duration),
    /// SIGKILL to both at once.
    KillTwo(usize, usize, Duration),
    /// SIGKILL, and a successor that is killed so soon that it may be taking its seat, or repairing what was left there.
    KillEarly(usize, Duration),
    /// SIGSTOP, and SIGCONT after the pause: it may be waited for meanwhile, and must not be overruled.
    Stop(usize, Duration),
    /// SIGKILL to the first while the second is stopped.
    KillBesideStopped(usize, usize, Duration),
    /// SIGTERM, and a successor after the pause.
    End(usize, Duration),
}

impl Blow {
    fn random(random: &mut Random) -> Self {
        let one = random.below(ALL as u64) as usize;
        let other = (one + 1 + random.below(ALL as u64 - 1) as usize) % ALL;
        let pause = random.pause();
        match random.below(16) {
            0..=4 => Self::Kill(one, pause),
            5..=6 => Self::KillStopped(one, pause),
            7..=8 => Self::KillTwo(one, other, pause),
            9..=10 => Self::KillEarly(one, pause / 8),
            11..=12 => Self::Stop(one, pause + Duration::from_millis(if random.one_in(4) { 150 } else { 0 })),
            13..=14 => Self::KillBesideStopped(one, other, pause),
            _ => Self::End(one, pause),
        }
    }
}

struct Round<'a> {
    /// Producers first.
    sides: Vec<Side>,
    scratch: &'a Scratch,
    journal: &'a Path,
    consumer_kills: u64,
    tally: Tally,
}

/// Plays a round. Returns what it did; panics if a message is unaccounted for.
pub(crate) fn run(seed: u64, round: u64, total: &mut Tally) -> Tally {
    let mut random = Random::of_round(seed, round);
    let (slots, largest) = random.pick(&[(2, 1056), (4, 48), (16, 200), (64, 1056), (1024, 5000)]);
    let batch = random.pick(&[1, 1, 8, 64]);
    let blows: Vec<_> = (0..BLOWS).map(|_| (random.pause(), Blow::random(&mut random))).collect();
    let scratch = Scratch::new(&format!("storm-many-{round}"));
    let journal = scratch.file("journal");
    scratch.run(&format!("create r --mpmc --slots {slots} --largest {largest}")).expect(0);
    let mut command = |role: &str| {
        let wait = random.pick(&["park", "adaptive", "adaptive", "spin"]);
        words(&[&role, &"--wait", &wait, &"--journal", &journal])
    };
    let max = largest - 32;
    let producer = format!("verify producer r --max {max} --batch {batch} --keep-open");
    let sides = (0..ALL).map(|index| command(if index < EACH { &producer } else { "verify consumer r" }));
    let mut round = Round {
        sides: sides.map(Side::new).collect(),
        scratch: &scratch,
        journal: &journal,
        consumer_kills: 0,
        tally: Tally::default(),
    };
    for (index, (pause, blow)) in blows.into_iter().enumerate() {
        round.all();
        if index % CHECK == 0 {
            round.messages_pass();
        }
        sleep(pause);
        round.strike(blow);
    }
    round.all();
    round.messages_pass();
    round.account(max);
    total.add(&round.tally);
    round.tally
}

impl Round<'_> {
    fn start(&mut self, index: usize) {
        if !self.sides[index].is_there() {
            self.sides[index].start(self.scratch, false);
        }
    }

    fn all(&mut self) {
        for index in 0..ALL {
            self.sides[index].look(false);
            self.start(index);
        }
    }

    fn kill(&mut self, index: usize) {
        self.sides[index].kill(false);
        self.tally.kills += 1;
        self.consumer_kills += u64::from(index >= EACH);
    }

    fn stop(&mut self, index: usize) {
        self.sides[index].signal(Signal::SIGSTOP);
        self.tally.stops += 1;
    }

    fn strike(&mut self, blow: Blow) {
        match blow {
            Blow::Kill(index, pause) => {
                self.kill(index);
                sleep(pause);
                self.start(index);
            }
            Blow::KillStopped(index, pause) => {
                self.stop(index);
                sleep(pause);
                self.kill(index);
            }
            Blow::KillTwo(one, other, pause) => {
                self.kill(one);
                self.kill(other);
                sleep(pause);
            }
            Blow::KillEarly(index, pause) => {
                self.kill(index);
                self.start(index);
                sleep(pause);
                self.kill(index);
            }
            Blow::Stop(index, pause) => {
                self.stop(index);
                sleep(pause);
                self.sides[index].signal(Signal::SIGCONT);
            }
            Blow::KillBesideStopped(one, other, pause) => {
                self.stop(other);
                self.kill(one);
                sleep(pause);
                self.start(one);
                sleep(pause);
                self.sides[other].signal(Signal::SIGCONT);
            }
            Blow::End(index, pause) => {
                self.sides[index].end(false);
                self.tally.ends += 1;
                sleep(pause);
            }
        }
    }

    /// Nobody is wedged: after whatever has happened, messages pass.
    fn messages_pass(&mut self) {
        let before = sent(self.journal);
        wait_until("messages to pass", || {
            self.all();
            sent(self.journal) > before
        });
    }

    /// The end: the producers go, the last one closes the stream, the consumers drain it, the journals are compared.
    fn account(&mut self, max: u64) {
        for index in 0..EACH {
            self.sides[index].end(false);
        }
        let last = format!("verify producer r --count 100 --max {max}");
        let last = self.scratch.start(&words(&[&last, &"--journal", &self.journal]));
        last.outcome().expect(0);
        for index in EACH..ALL {
            assert!(self.sides[index].finish(false));
        }
        let outcome = self.scratch.run(&words(&[&"verify account --json --journal", &self.journal]));
        let account = outcome.expect(0).json();
        let count = |key: &str| account[key].as_u64().unwrap_or_else(|| panic!("{key}: {account}"));
        for key in ["lost", "duplicated", "reordered", "corrupt"] {
            assert_eq!(count(key), 0, "{key}: {account}");
        }
        // At most one for each death: what a consumer had noted and not released.
        assert!(count("redelivered") <= self.consumer_kills, "{account}");
        assert_eq!(self.scratch.names(), ["r"], "nothing else is left behind");
        self.tally.messages = count("messages");
        self.tally.runs = count("runs");
        self.tally.redelivered = count("redelivered");
    }
}

/// Sends that have returned: the third word of each run's journal.
fn sent(journal: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(journal) else { return 0 };
    let runs = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("run-"));
    let mut word = [0; 8];
    runs.filter_map(|entry| {
        File::open(entry.path()).ok()?.read_exact_at(&mut word, 16).ok().map(|()| u64::from_ne_bytes(word))
    })
    .sum()
}
