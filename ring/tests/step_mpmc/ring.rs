//! The ring a child works on: made anew for each, with what is in it before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use podring::inspect::{Remove, remove};
use podring::mpmc::{Consumer, Producer};
use podring::{ConsumerDeath, Mpmc, Options, Wait};

use crate::common::Scratch;
use crate::common::words::Words;
use crate::trace::{Forked, forked, stand_still};
use crate::{LOG, LOGGED, PHASE, WRONG};

pub(crate) const SLOTS: usize = 4;
const NAME: &str = "ring";
/// A sleeper's slice: how late a wake-up may come that the dead one owed.
const SLICE: Duration = Duration::from_millis(5);

/// Who died before the child came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dead {
    Nobody,
    /// A producer with a claim that only the tail names.
    Writing,
    /// A producer with a claim that is recorded in its slot, and a message behind it.
    WritingBehind,
    /// A consumer with a message that only the head names.
    Reading,
    /// A consumer with a message that is recorded in its slot: somebody else received the next one.
    ReadingBehind,
}

/// Who sleeps while the child is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleeper {
    Nobody,
    Consumer,
    Producer,
}

/// What there is before the operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// Messages that have come and gone.
    pub(crate) gone: u64,
    /// Messages in the ring: numbers from 1 on.
    pub(crate) there: u64,
    pub(crate) dead: Dead,
    pub(crate) sleeper: Sleeper,
    pub(crate) then: ConsumerDeath,
}

/// A ring, and a producer and a consumer that survive.
pub(crate) struct Ring {
    path: PathBuf,
    dir: PathBuf,
    pub(crate) tx: Producer,
    pub(crate) rx: Consumer,
    /// What the survivors will receive if the child does nothing; those that come again are marked.
    pub(crate) expected: Vec<(u64, bool)>,
    sleeper: Option<Forked>,
}

impl Ring {
    pub(crate) fn prepare(scene: &Scene, scratch: &Scratch, board: &Words) -> Self {
        (0..LOG + 8).for_each(|index| board.set(index, 0));
        let dir = scratch.dir().to_owned();
        let _ = remove(&dir, NAME, Remove::Force);
        options(&dir).on_consumer_death(scene.then).make().expect("a ring");
        let mut tx = options(&dir).producer().expect("a seat");
        let mut rx = options(&dir).consumer().expect("a seat");
        for number in 0..scene.gone {
            assert!(tx.try_send(&bytes(number)).expect("a sound ring"));
            drop(rx.try_recv().expect("a sound ring").expect("a message"));
        }
        let mut expected: Vec<(u64, bool)> = Vec::new();
        for number in 1..=scene.there {
            assert!(tx.try_send(&bytes(number)).expect("a sound ring"), "room");
            expected.push((number, false));
        }
        match scene.dead {
            Dead::Nobody => {}
            Dead::Writing | Dead::WritingBehind => {
                die(|| {
                    let mut dead = options(&dir).producer().expect("a seat");
                    let claim = dead.try_claim(8).expect("a sound ring").expect("room");
                    stand_still();
                    drop(claim);
                });
                if scene.dead == Dead::WritingBehind {
                    assert!(tx.try_send(&bytes(90)).expect("a sound ring"), "room");
                    expected.push((90, false));
                }
            }
            Dead::Reading | Dead::ReadingBehind => {
                die(|| {
                    let mut dead = options(&dir).consumer().expect("a seat");
                    let message = dead.try_recv().expect("a sound ring").expect("a message");
                    stand_still();
                    drop(message);
                });
                match scene.then {
                    ConsumerDeath::Redeliver => expected[0].1 = true,
                    ConsumerDeath::Drop => drop(expected.remove(0)),
                }
                if scene.dead == Dead::ReadingBehind {
                    drop(rx.try_recv().expect("a sound ring").expect("a second message"));
                    expected.retain(|&(number, _)| number != 2);
                }
            }
        }
        let mut ring = Self { path: dir.join(NAME), dir, tx, rx, expected, sleeper: None };
        ring.sleeper = match scene.sleeper {
            Sleeper::Nobody => None,
            Sleeper::Consumer => Some(ring.sleep(
                |dir, board| {
                    let mut rx = options(dir).consumer().expect("a seat");
                    loop {
                        let message = rx.recv().expect("a message");
                        let logged = board.get(LOGGED);
                        board.set(LOG + logged as usize, number(&message));
                        drop(message);
                        board.set(LOGGED, logged + 1);
                    }
                },
                board,
            )),
            Sleeper::Producer => Some(ring.sleep(
                |dir, board| {
                    let mut tx = options(dir).producer().expect("a seat");
                    tx.send(&bytes(70)).expect("sent");
                    board.set(LOGGED, 1);
                    loop {
                        stand_still();
                    }
                },
                board,
            )),
        };
        board.set(PHASE, 0);
        board.set(WRONG, 0);
        ring
    }

    /// Starts somebody and waits until it sleeps.
    fn sleep(&self, body: impl FnOnce(&Path, &Words), board: &Words) -> Forked {
        let before = self.sleeps();
        let sleeper = forked(|| body(&self.dir, board));
        crate::common::eventually("it falls asleep", || self.sleeps() > before);
        sleeper
    }

    /// Sleeps of everybody, as the seats count them.
    fn sleeps(&self) -> u64 {
        let report = podring::inspect::report(&self.dir, NAME).expect("a ring");
        report.seats.iter().map(|seat| seat.stats.parks).sum()
    }

    pub(crate) fn options(&self) -> Options<Mpmc> {
        options(&self.dir)
    }

    /// All of the segment, as it stands.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).expect("the ring's file")
    }

    /// Whether a message is published and claimed by nobody.
    pub(crate) fn has_ready(&self) -> bool {
        self.slots().any(|word| word & 7 == 2)
    }

    /// Whether a slot is free for the next message.
    pub(crate) fn has_free(&self) -> bool {
        let bytes = self.bytes();
        let tail = word(&bytes, 4096) >> 9;
        let slot = word(&bytes, 24576 + 32 * (tail as usize % SLOTS));
        slot == tail << 9
    }

    fn slots(&self) -> impl Iterator<Item = u64> {
        let bytes = self.bytes();
        (0..SLOTS).map(move |index| word(&bytes, 24576 + 32 * index))
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends the sleeper.
    pub(crate) fn wake_up_call(&mut self) {
        self.sleeper = None;
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Runs something in a process that is killed where it stands still.
fn die(body: impl FnOnce()) {
    let child = crate::trace::Traced::start(body).expect("a child");
    child.kill();
}

fn options(dir: &Path) -> Options<Mpmc> {
    podring::mpmc(NAME).dir(dir).slots(SLOTS).largest_message(16).wait(Wait::Park).slice(SLICE)
}

pub(crate) fn bytes(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..].copy_from_slice(&(!number).to_le_bytes());
    bytes
}

/// Which message this is; `u64::MAX` if it is torn.
pub(crate) fn number(message: &[u8]) -> u64 {
    let Ok(whole): Result<[u8; 16], _> = message.try_into() else { return u64::MAX };
    let number = word(&whole, 0);
    if word(&whole, 8) == !number { number } else { u64::MAX }
}
