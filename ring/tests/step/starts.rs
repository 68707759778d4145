//! Rings in the states that operations start from, made with the library and checked against the model.

use std::path::Path;
use std::time::Duration;

use podring::Role;

use crate::board::Board;
use crate::handles::{Look, RING, Receiver, Sender, bytes, options};
use crate::message::number;
use crate::model::{Kind, Model};
use crate::survivors::clear;
use crate::trace::Traced;
use crate::window::Window;

/// Length of most messages: with their header they take up 64 bytes, and their end is no word's end.
pub(crate) const LEN: usize = 52;
/// A message that is copied in another way, and that cannot be stored at once by far.
pub(crate) const LONG: usize = 1500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    One,
    /// Three, the middle one behind padding.
    WrapBehind,
    /// One; the next to be sent will be behind padding.
    WrapAhead,
    /// Room for so many more.
    Room(usize),
    Full,
    /// One that is long.
    Long,
    /// Nothing, and the stream has ended.
    Closed,
    /// One, and the stream has ended.
    ClosedOne,
    /// Only this role has ever been there.
    Only(Role),
    /// Three, two of which a consumer that was killed had been handed.
    Held,
    /// One, and behind it what a producer had written before it was killed.
    Unpublished,
    /// Nothing, and a consumer was killed in its sleep.
    Asleep,
}

impl State {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Empty => "empty".into(),
            Self::One => "one message".into(),
            Self::WrapBehind | Self::WrapAhead => "wrapping".into(),
            Self::Room(1) => "nearly full".into(),
            Self::Room(count) => format!("room for {count}"),
            Self::Full => "full".into(),
            Self::Long => "long message".into(),
            Self::Closed => "ended".into(),
            Self::ClosedOne => "one, then the end".into(),
            Self::Only(role) => format!("only a {role} was there"),
            Self::Held => "consumer died holding two".into(),
            Self::Unpublished => "producer died in a claim".into(),
            Self::Asleep => "consumer died asleep".into(),
        }
    }
}

/// A ring's bytes, nobody being attached, and what they mean.
pub(crate) struct Start {
    pub(crate) bytes: Vec<u8>,
    pub(crate) model: Model,
}

struct Maker<'a> {
    dir: &'a Path,
    model: Model,
    sequence: u64,
}

impl Maker<'_> {
    fn sender(&mut self) -> Sender {
        self.model.open();
        Sender::attach(self.dir, self.model.kind).expect("a producer")
    }

    fn receiver(&self) -> Receiver {
        Receiver::attach(self.dir, self.model.kind).expect("a consumer")
    }

    fn send(&mut self, tx: &mut Sender, len: usize) -> bool {
        self.sequence += 1;
        let number = number(self.sequence, len);
        let sent = tx.try_send(number).expect("room or not");
        assert_eq!(self.model.send(number), sent, "the model knows how much room there is");
        sent
    }

    fn receive(&mut self, rx: &mut Receiver) {
        let Ok(Look::Message(got)) = rx.look() else { panic!("a message is there") };
        assert_eq!(got.number, self.model.receive(), "the model knows what comes next");
    }

    /// Sends and receives until what follows would wrap.
    fn move_to_the_end(&mut self, tx: &mut Sender, rx: &mut Receiver) {
        let (rounds, last) = match self.model.kind {
            Kind::Bytes => (63, 24), // 63 x 64 bytes and one of 32: 32 are left, too few
            Kind::Typed => (14, LEN),
        };
        for round in 0..=rounds {
            assert!(self.send(tx, if round == rounds { last } else { LEN }));
            self.receive(rx);
        }
    }
}

/// Makes a ring of this state, and leaves the directory empty.
pub(crate) fn build(dir: &Path, board: &Board, kind: Kind, state: State) -> Start {
    clear(dir);
    let mut maker = Maker { dir, model: Model::new(kind), sequence: 0 };
    match state {
        State::Only(Role::Producer) => drop(maker.sender()),
        State::Only(Role::Consumer) => drop(maker.receiver()),
        _ => {
            let (mut tx, mut rx) = (maker.sender(), maker.receiver());
            fill(&mut maker, &mut tx, &mut rx, state);
        }
    }
    match state {
        State::Held => {
            maker.model.hand_out(2);
            die(dir, board, hold_two);
        }
        State::Unpublished => {
            maker.model.open();
            die(dir, board, claim_and_write);
        }
        State::Asleep => {
            let sleeper = crate::trace::forked(|| sleep(dir));
            let window = Window::open(&dir.join(RING)).expect("the ring's file");
            crate::common::eventually("the consumer waits", || window.somebody_waits(true));
            sleeper.kill();
        }
        _ => {}
    }
    let path = dir.join(RING);
    let bytes = std::fs::read(&path).expect("the ring's file");
    let glance = Window::open(&path).expect("the ring's file").glance();
    let model = maker.model;
    assert_eq!(
        (glance.tail, glance.head, glance.stream, glance.handed, glance.counted),
        (model.tail, model.head, model.stream, model.handed, model.counted),
        "the model and the ring agree ({kind:?}, {state:?})"
    );
    std::fs::remove_file(path).expect("a file of ours");
    Start { bytes, model }
}

fn fill(maker: &mut Maker<'_>, tx: &mut Sender, rx: &mut Receiver, state: State) {
    match state {
        State::Empty | State::Asleep | State::Only(_) => {}
        State::One | State::Unpublished => assert!(maker.send(tx, LEN)),
        State::Held => (0..3).for_each(|_| assert!(maker.send(tx, LEN))),
        State::Long => assert!(maker.send(tx, LONG)),
        State::WrapBehind => {
            maker.move_to_the_end(tx, rx);
            (0..3).for_each(|_| assert!(maker.send(tx, LEN)));
            let first = maker.model.places[0];
            assert!(maker.model.kind == Kind::Typed || first.start > maker.model.head, "there is padding");
        }
        State::WrapAhead => {
            maker.move_to_the_end(tx, rx);
        }
        State::Full => fill_up(maker, tx, 0),
        State::Room(count) => fill_up(maker, tx, count),
        State::Closed | State::ClosedOne => {
            if state == State::ClosedOne {
                assert!(maker.send(tx, LEN));
            }
            tx.close().expect("a producer may close");
            maker.model.close();
        }
    }
}

/// Fills a ring but for room for so many messages.
fn fill_up(maker: &mut Maker<'_>, tx: &mut Sender, room: usize) {
    let lengths = match maker.model.kind {
        // 64, 1024 three times, 512, and 64 seven times: few messages, few steps to receive all.
        Kind::Bytes => [&[LEN, 1016, 1016, 1016, 504][..], &[LEN; 7]].concat(),
        Kind::Typed => vec![LEN; Kind::Typed.capacity() as usize],
    };
    for &len in &lengths[..lengths.len() - room] {
        assert!(maker.send(tx, len));
    }
    assert!(room > 0 || !maker.send(tx, LEN), "a full ring");
}

/// Runs a child until it stands still, and kills it.
fn die(dir: &Path, board: &Board, act: fn(&Path, &Board)) {
    board.clear();
    Traced::start(|| act(dir, board)).expect("a child that stands still").kill();
}

fn hold_two(dir: &Path, board: &Board) {
    let mut rx = bytes(dir).consumer().expect("a consumer");
    let mut drain = rx.drain().expect("messages");
    assert!(drain.next().expect("the first").is_some() && drain.next().expect("the second").is_some());
    board.begin();
}

fn claim_and_write(dir: &Path, board: &Board) {
    let mut tx = bytes(dir).producer().expect("a producer");
    let mut batch = tx.batch();
    batch.send(&[0xA5; 40]).expect("room");
    let mut claim = batch.claim(400).expect("room");
    claim.fill(0x5A);
    board.begin();
}

fn sleep(dir: &Path) {
    let mut rx = options(dir).slice(Duration::from_secs(60)).consumer().expect("a consumer");
    let _ = rx.recv();
}
