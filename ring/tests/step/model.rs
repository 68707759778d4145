//! What a ring holds, by the book: `docs/layout.md` once more, in the plainest way.

use std::collections::VecDeque;

use crate::message::len_of;

/// The two kinds of rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bytes,
    Typed,
}

/// Units both kinds of rings hold here.
impl Kind {
    pub(crate) const fn capacity(self) -> u64 {
        match self {
            Self::Bytes => 4096,
            Self::Typed => 16,
        }
    }

    /// What a seat adds to its count for each message: of elements the positions are the count.
    fn counts(self) -> u64 {
        u64::from(self == Self::Bytes)
    }
}

pub(crate) const STREAM_STATE: u64 = 3;
pub(crate) const CLOSED: u64 = 1;
pub(crate) const TOLD: u64 = 2;

/// A message and the units it takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// A ring's words, and its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) kind: Kind,
    pub(crate) tail: u64,
    pub(crate) head: u64,
    pub(crate) stream: u64,
    pub(crate) handed: u64,
    /// Messages counted by the producer's and the consumer's seat.
    pub(crate) counted: [u64; 2],
    /// What is published and not released.
    pub(crate) places: VecDeque<Place>,
}

impl Model {
    /// A ring that nobody has used.
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, tail: 0, head: 0, stream: 0, handed: 0, counted: [0; 2], places: VecDeque::new() }
    }

    /// Units a message takes up, and units to skip before it.
    fn needs(&self, number: u64) -> (u64, u64) {
        match self.kind {
            Kind::Typed => (1, 0),
            Kind::Bytes => {
                let span = 8 + (len_of(number) as u64).next_multiple_of(8);
                let room = self.kind.capacity() - self.tail % self.kind.capacity();
                (span, if span > room { room } else { 0 })
            }
        }
    }

    /// Sends a message if there is room.
    pub(crate) fn send(&mut self, number: u64) -> bool {
        let (span, skip) = self.needs(number);
        if self.tail - self.head + skip + span > self.kind.capacity() {
            return false;
        }
        let start = self.tail + skip;
        self.tail = start + span;
        self.counted[0] += self.kind.counts();
        self.places.push_back(Place { number, start, end: self.tail });
        true
    }

    /// Receives and releases the next message.
    pub(crate) fn receive(&mut self) -> Option<u64> {
        let place = self.places.pop_front()?;
        self.head = place.end;
        if self.kind == Kind::Bytes {
            self.handed = place.end;
        }
        self.counted[1] += self.kind.counts();
        Some(place.number)
    }

    /// Notes that the first so many messages are being handed out.
    pub(crate) fn hand_out(&mut self, count: usize) {
        self.handed = self.places[count - 1].end;
    }

    /// A producer sits down.
    pub(crate) fn open(&mut self) {
        self.stream = (self.stream & !STREAM_STATE) + STREAM_STATE + 1;
    }

    pub(crate) fn close(&mut self) {
        self.stream = self.stream & !STREAM_STATE | CLOSED;
    }

    pub(crate) fn tell(&mut self) {
        self.stream = self.stream & !STREAM_STATE | TOLD;
    }
}
