//! One round of a storm: a ring, two journals, two sides, and everything that happens to them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::plan::{Blow, Plan, Which};
use crate::scratch::{Scratch, wait_until, words};
use crate::side::Side;

/// Blows between two moments at which messages must be seen to pass.
const CHECK: usize = 10;
/// Between two looks at a process, and how many there are at most.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
const LOOKS: u32 = 5000;
/// Words before the first run's in a journal.
const JOURNAL_HEAD: usize = 8;

/// What was done and what came of it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    pub(crate) ends: u64,
    usurpers: u64,
    told: u64,
    pub(crate) messages: u64,
    pub(crate) runs: u64,
    pub(crate) redelivered: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills, {} stops, {} ends, {} usurpers refused, {} told of a death; {} messages in {} runs, {} \
             redelivered",
            self.kills,
            self.stops,
            self.ends,
            self.usurpers,
            self.told,
            self.messages,
            self.runs,
            self.redelivered
        )
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.kills += other.kills;
        self.stops += other.stops;
        self.ends += other.ends;
        self.usurpers += other.usurpers;
        self.told += other.told;
        self.messages += other.messages;
        self.runs += other.runs;
        self.redelivered += other.redelivered;
    }
}

/// Plays a round. Returns what it did; panics if a message is unaccounted for.
pub(crate) fn run(seed: u64, round: u64, total: &mut Tally) -> Tally {
    let plan = Plan::of_round(seed, round);
    let scratch = Scratch::new(&format!("storm-{round}"));
    let journal = scratch.file("journal");
    let command = |command: &str| words(&[&command, &"--journal", &journal]);
    let mut round = Round {
        producer: Side::new(command(&plan.producer)),
        consumer: Side::new(command(&plan.consumer)),
        may_be_told: plan.told,
        consumer_kills: 0,
        tally: Tally::default(),
        scratch: &scratch,
        journal: journal.clone(),
    };
    for (index, (pause, blow)) in plan.blows.iter().enumerate() {
        round.both();
        if index % CHECK == 0 {
            round.messages_pass();
        }
        sleep(*pause);
        round.strike(*blow);
    }
    round.messages_pass();
    round.account(&plan);
    total.add(&round.tally);
    round.tally
}

struct Round<'a> {
    producer: Side,
    consumer: Side,
    may_be_told: bool,
    consumer_kills: u64,
    tally: Tally,
    scratch: &'a Scratch,
    journal: PathBuf,
}

impl Round<'_> {
    fn side(&mut self, which: Which) -> (&mut Side, &mut Side) {
        match which {
            Which::Producer => (&mut self.producer, &mut self.consumer),
            Which::Consumer => (&mut self.consumer, &mut self.producer),
        }
    }

    fn start(&mut self, which: Which) {
        let (scratch, may_be_told) = (self.scratch, self.may_be_told);
        let (side, other) = self.side(which);
        if !side.is_there() {
            side.start(scratch, may_be_told && !other.is_seated(scratch));
        }
    }

    /// Lets both sides run: who has ended because it was told of a death comes again.
    fn both(&mut self) {
        let may_be_told = self.may_be_told;
        self.producer.look(may_be_told);
        self.consumer.look(may_be_told);
        self.start(Which::Producer);
        self.start(Which::Consumer);
    }

    fn kill(&mut self, which: Which) {
        let may_be_told = self.may_be_told;
        let (side, other) = self.side(which);
        side.kill(may_be_told);
        other.other_died();
        self.tally.kills += 1;
        self.consumer_kills += u64::from(which == Which::Consumer);
    }

    fn stop(&mut self, which: Which) {
        self.side(which).0.signal(Signal::SIGSTOP);
        self.tally.stops += 1;
    }

    fn go_on(&mut self, which: Which) {
        self.side(which).0.signal(Signal::SIGCONT);
    }

    fn strike(&mut self, blow: Blow) {
        match blow {
            Blow::Kill(which, pause) => {
                self.kill(which);
                sleep(pause);
                self.start(which);
            }
            Blow::KillStopped(which, pause) => {
                self.stop(which);
                sleep(pause);
                self.kill(which);
                self.start(which);
            }
            Blow::KillBoth(which, pause) => {
                self.kill(which);
                sleep(pause / 4);
                self.kill(which.other());
                sleep(pause);
                self.start(which);
                self.start(which.other());
            }
            Blow::KillEarly(which, pause) => {
                self.kill(which);
                self.start(which);
                sleep(pause);
                self.kill(which);
                self.start(which);
            }
            Blow::Stop(which, pause) => {
                self.stop(which);
                sleep(pause);
                self.go_on(which);
            }
            Blow::StopBoth(which, pause) => {
                self.stop(which);
                self.stop(which.other());
                sleep(pause);
                self.go_on(which);
                sleep(pause);
                self.go_on(which.other());
            }
            Blow::KillBesideStopped(which, pause) => {
                self.stop(which.other());
                self.kill(which);
                sleep(pause);
                self.start(which);
                sleep(pause);
                self.go_on(which.other());
            }
            Blow::End(which, pause) => {
                let may_be_told = self.may_be_told;
                self.side(which).0.end(may_be_told);
                self.tally.ends += 1;
                sleep(pause);
                self.start(which);
            }
            Blow::Usurp(which) => self.usurp(which),
        }
    }

    fn is_seated(&mut self, which: Which) -> bool {
        let scratch = self.scratch;
        self.side(which).0.is_seated(scratch)
    }

    /// A stopped side keeps its seat, whoever else wants it.
    fn usurp(&mut self, which: Which) {
        let (seat, command) = match which {
            Which::Producer => ("producer", "verify producer r --count 1 --keep-open"),
            Which::Consumer => ("consumer", "verify consumer r --count 1"),
        };
        // Stopped before it took its seat, it has none to keep.
        let mut looks = 0;
        self.stop(which);
        while !self.is_seated(which) {
            self.go_on(which);
            looks += 1;
            assert!(looks < LOOKS, "the {seat} does not take its seat");
            sleep(LOOK_AGAIN);
            self.both();
            self.stop(which);
        }
        let outcome = self.scratch.run(command);
        outcome.expect(3).says(&["already has a", seat]);
        self.go_on(which);
        self.tally.usurpers += 1;
    }

    /// Nobody is wedged: after whatever has happened, messages pass.
    fn messages_pass(&mut self) {
        let before = received(&self.journal);
        wait_until("messages to pass", || {
            self.both();
            received(&self.journal) > before
        });
    }

    /// The end: the stream is closed, the consumer drains it, and the journals are compared.
    fn account(&mut self, plan: &Plan) {
        let may_be_told = self.may_be_told;
        self.producer.end(may_be_told);
        let last = words(&[&plan.producer, &"--count 1000 --journal", &self.journal]);
        let mut last = self.scratch.start(&last);
        // A consumer may just be hearing of a death before this, and then leaves its place to another.
        let mut finished = false;
        while last.is_running() && !finished {
            finished = self.consumer.has_finished(may_be_told);
            if !finished {
                self.start(Which::Consumer);
                sleep(LOOK_AGAIN);
            }
        }
        last.outcome().expect(0);
        while !finished {
            self.start(Which::Consumer);
            finished = self.consumer.finish(may_be_told);
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
        self.tally.told = self.producer.told + self.consumer.told;
        self.tally.messages = count("messages");
        self.tally.runs = count("runs");
        self.tally.redelivered = count("redelivered");
    }
}

/// Messages that the consumer's journal has, of all runs.
fn received(journal: &Path) -> u64 {
    let bytes = std::fs::read(journal.join("consumer")).unwrap_or_default();
    let words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
    words.skip(JOURNAL_HEAD).sum()
}
