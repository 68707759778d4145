//! What a ring of bytes must do, in the words of its documents: a queue, and positions that say when it is full.

use std::collections::VecDeque;

const HEADER: u64 = 8;

/// How the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Open,
    Closed,
    /// Closed, and a consumer knows.
    Told,
}

/// A message and its place.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) bytes: Vec<u8>,
    end: u64,
}

/// A ring of bytes.
#[derive(Debug)]
pub(crate) struct Model {
    capacity: u64,
    pub(crate) largest: usize,
    /// Published and not released.
    entries: VecDeque<Entry>,
    /// Written by a batch and not published.
    held: Vec<Entry>,
    /// Of the entries: read by a drain that was forgotten.
    read: usize,
    pub(crate) head: u64,
    pub(crate) tail: u64,
    pub(crate) stream: Stream,
    /// Position behind the last message that was handed out.
    handed: u64,
    /// The same, when the present consumer attached.
    handed_before: u64,
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) abandoned: u64,
}

impl Model {
    pub(crate) fn new(capacity: usize, largest: usize) -> Self {
        Self {
            capacity: capacity as u64,
            largest,
            entries: VecDeque::new(),
            held: Vec::new(),
            read: 0,
            head: 0,
            tail: 0,
            stream: Stream::Open,
            handed: 0,
            handed_before: 0,
            sent: 0,
            sent_bytes: 0,
            abandoned: 0,
        }
    }

    /// Bytes that a message takes after what is written, padding included; `None` if there is no room.
    fn need(&self, len: usize) -> Option<u64> {
        let tail = self.held.last().map_or(self.tail, |entry| entry.end);
        let record = HEADER + (len as u64).next_multiple_of(8);
        let to_end = self.capacity - tail % self.capacity;
        let need = if record > to_end { to_end + record } else { record };
        (tail + need - self.head <= self.capacity).then_some(tail + need)
    }

    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.need(len).is_some()
    }

    /// Adds a message, for which there is room, to the batch.
    pub(crate) fn hold(&mut self, bytes: &[u8]) {
        let end = self.need(bytes.len()).expect("there is room");
        self.held.push(Entry { bytes: bytes.to_vec(), end });
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn publish(&mut self) {
        for entry in self.held.drain(..) {
            self.sent += 1;
            self.sent_bytes += entry.bytes.len() as u64;
            self.tail = entry.end;
            self.entries.push_back(entry);
        }
    }

    pub(crate) fn abandon(&mut self) {
        self.abandoned += self.held.len() as u64;
        self.held.clear();
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.hold(bytes);
        self.publish();
    }

    /// The next message for the consumer.
    pub(crate) fn next(&self) -> Option<&Entry> {
        self.entries.get(self.read)
    }

    /// Whether the next message is marked as redelivered.
    pub(crate) fn is_redelivery(&self) -> bool {
        self.next().is_some_and(|entry| entry.end <= self.handed_before)
    }

    pub(crate) fn hand_out(&mut self) {
        let end = self.next().expect("there is one").end;
        if end >= self.handed_before {
            // Below that, what earlier consumers were handed counts.
            self.handed = end;
        }
    }

    pub(crate) fn pass(&mut self) {
        self.read += 1;
    }

    /// Gives back everything that was read.
    pub(crate) fn release(&mut self) {
        for entry in self.entries.drain(..self.read) {
            self.head = entry.end;
        }
        self.read = 0;
    }

    /// What an empty ring says: whether it is the end of the stream, which is told once.
    pub(crate) fn ends(&mut self) -> bool {
        let ends = self.stream == Stream::Closed;
        if ends {
            self.stream = Stream::Told;
        }
        ends
    }

    /// A new consumer: what was read and not released comes again.
    pub(crate) fn attach_consumer(&mut self) {
        self.read = 0;
        // Older than what was released, it marks nothing.
        self.handed_before = self.handed.max(self.head);
    }

    /// A new producer: what was written and not published is gone.
    pub(crate) fn attach_producer(&mut self) {
        self.stream = Stream::Open;
    }
}
