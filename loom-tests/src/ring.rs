//! Driving a ring as the library's handles do: what they do with payload, and in which order they call `algo`.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use crate::algo::record::{self, HEADER};
use crate::algo::signal::{Announced, Signal};
use crate::algo::slots::Slots;
use crate::algo::spsc;
use crate::algo::stream::Drained;
use crate::algo::{self, cursors::Cursors};
use crate::explore::reach;
use crate::sync::{AtomicU64, Duration, relax};

/// Bytes of a word of payload.
const WORD: u64 = 8;

/// How a side waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Polls for ever.
    Spin,
    /// Sleeps at once; the other side fences.
    Park,
    /// Sleeps at once, after a barrier that all others pass.
    Unfenced,
}

/// A ring in a segment of its own.
#[derive(Debug)]
pub struct Ring {
    cursors: Cursors,
    area: Box<[AtomicU64]>,
    /// In units: bytes, or elements.
    capacity: u64,
}

impl Ring {
    /// A ring of `capacity` bytes of records.
    pub fn of_bytes(capacity: u64) -> Self {
        Self::new(capacity / WORD, capacity)
    }

    /// A ring of `capacity` elements of one word.
    pub fn of_elements(capacity: u64) -> Self {
        Self::new(capacity, capacity)
    }

    fn new(words: u64, capacity: u64) -> Self {
        let area = (0..words).map(|_| AtomicU64::place()).collect();
        Self { cursors: Cursors::default(), area, capacity }
    }

    /// What somebody who only watches sees: how far is read, then how far is written.
    pub fn watch(&self) -> (u64, u64) {
        let read = algo::position(&self.cursors.head.0);
        let written = algo::position(&self.cursors.tail.0);
        (read, written)
    }

    fn slots(&self) -> Slots {
        let base = self.area.as_ptr().cast_mut().cast::<u8>();
        // SAFETY: the area has `capacity` units, a power of two, of one byte (`of_bytes`: a word is eight bytes
        // here as well) or of one word (`of_elements`), and lives as long as the ring.
        unsafe { Slots::new(base, self.capacity) }
    }

    #[allow(clippy::cast_ptr_alignment)] // the area is an array of these
    fn place(&self, position: u64, stride: usize) -> &AtomicU64 {
        let place = self.slots().at(position, stride).cast::<AtomicU64>();
        // SAFETY: `at` stays inside the area, which is an array of these, and positions are multiples of one.
        unsafe { &*place }
    }

    fn announce(&self) {
        self.cursors.items.0.wake_all();
        self.cursors.space.0.wake_all();
    }
}

/// Waits for what `look` finds, in a side's way.
pub(crate) fn wait_for<T>(
    signal: &Signal,
    wait: Wait,
    asleep: &'static str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let mut announced = Announced::default();
    loop {
        match wait {
            Wait::Spin => {
                if let Some(found) = look() {
                    return found;
                }
                relax();
            }
            Wait::Park | Wait::Unfenced => {
                let timeout = || {
                    reach(asleep);
                    Duration::MAX
                };
                let found = signal.wait_unless(&mut announced, || Ok::<_, Infallible>(look()), timeout);
                if let Ok(Some(found)) = found {
                    return found;
                }
            }
        }
    }
}

/// What message number `sequence` says in its word number `index`.
fn word(sequence: u64, index: u64) -> u64 {
    sequence * 16 + index + 1
}

/// The number of the message at a position, where message number `n` has `words(n)` words.
fn sequence_at(position: u64, capacity: u64, words: fn(u64) -> u64) -> u64 {
    let (mut start, mut sequence) = (0, 0);
    loop {
        let need = record::span(words(sequence) * WORD);
        let skip = record::skip(start, need, capacity);
        if start == position || start + skip == position {
            return sequence;
        }
        assert!(start < position, "no message begins at {position}");
        start += skip + need;
        sequence += 1;
    }
}

/// The producer's side.
#[derive(Debug)]
pub struct Tx {
    ring: Rc<Ring>,
    cursor: spsc::Producer,
    wait: Wait,
}

impl Tx {
    /// Takes the seat, which must be free, of a ring of records.
    pub fn attach(ring: &Rc<Ring>, wait: Wait) -> Self {
        Self::attach_to(ring, wait, HEADER)
    }

    /// Takes the seat, which must be free, of a ring of elements.
    pub fn attach_typed(ring: &Rc<Ring>, wait: Wait) -> Self {
        Self::attach_to(ring, wait, 1)
    }

    fn attach_to(ring: &Rc<Ring>, wait: Wait, granule: u64) -> Self {
        if wait == Wait::Park {
            ring.cursors.space.0.require_fences();
        }
        let cursor = spsc::Producer::attach(&ring.cursors, ring.capacity, granule).expect("a sound ring");
        ring.cursors.stream.0.open();
        ring.announce();
        Self { ring: ring.clone(), cursor, wait }
    }

    /// Sits already when the model begins.
    pub fn seated(ring: &Rc<Ring>, wait: Wait) -> Self {
        let cursor = spsc::Producer::attach(&ring.cursors, ring.capacity, 1).expect("a sound ring");
        Self { ring: ring.clone(), cursor, wait }
    }

    /// Room behind `held` bytes that are written and not published.
    fn room(&mut self, held: u64, words: u64) -> Option<u64> {
        let skip = self.cursor.claim_record(&self.ring.cursors, held, words * WORD).expect("a sound ring");
        match skip {
            None => reach("full"),
            Some(0) => {}
            Some(_) => reach("padding"),
        }
        skip
    }

    fn room_until(&mut self, words: u64) -> u64 {
        if let Some(skip) = self.room(0, words) {
            return skip;
        }
        let (ring, wait) = (self.ring.clone(), self.wait);
        wait_for(&ring.cursors.space.0, wait, "producer sleeps", || self.room(0, words))
    }

    fn write(&mut self, held: u64, skip: u64, sequence: u64, words: u64) {
        let payload = self.cursor.position() + held + skip + HEADER;
        for index in 0..words {
            let place = self.ring.place(payload + index * WORD, 1);
            place.store(word(sequence, index), loom::sync::atomic::Ordering::Relaxed);
        }
    }

    fn publish(&mut self, units: u64) {
        self.cursor.publish(&self.ring.cursors, units);
        self.ring.cursors.items.0.notify(|| reach("producer wakes"));
    }

    /// Sends if there is room.
    pub fn try_send(&mut self, sequence: u64, words: u64) -> bool {
        let Some(skip) = self.room(0, words) else { return false };
        let held = self.put(0, skip, sequence, words);
        self.publish(held);
        true
    }

    /// Sends, waiting for room.
    pub fn send(&mut self, sequence: u64, words: u64) {
        let skip = self.room_until(words);
        let held = self.put(0, skip, sequence, words);
        self.publish(held);
    }

    /// Returns the bytes held with it.
    fn put(&mut self, held: u64, skip: u64, sequence: u64, words: u64) -> u64 {
        self.write(held, skip, sequence, words);
        self.cursor.write_record(&self.ring.slots(), held, skip, words * WORD)
    }

    /// The number of the next message of a ring whose message number `n` has `words(n)` words.
    pub fn next(&self, words: fn(u64) -> u64) -> u64 {
        sequence_at(self.cursor.position(), self.ring.capacity, words)
    }

    /// Claims, writes, and drops the claim.
    pub fn claim_and_drop(&mut self, sequence: u64, words: u64) {
        let skip = self.room_until(words);
        self.write(0, skip, sequence, words);
    }

    /// Sends messages as one batch; publishes what it holds where the ring is full.
    pub fn send_batch(&mut self, messages: &[(u64, u64)]) {
        let mut held = 0;
        for &(sequence, words) in messages {
            let skip = match self.room(held, words) {
                Some(skip) => skip,
                None => {
                    if held > 0 {
                        reach("batch published in parts");
                        self.publish(held);
                        held = 0;
                    }
                    self.room_until(words)
                }
            };
            held = self.put(held, skip, sequence, words);
        }
        if held > 0 {
            self.publish(held);
        }
    }

    /// Writes messages of a batch and drops it.
    pub fn drop_batch(&mut self, messages: &[(u64, u64)]) {
        let mut held = 0;
        for &(sequence, words) in messages {
            if let Some(skip) = self.room(held, words) {
                held = self.put(held, skip, sequence, words);
            }
        }
    }

    /// Sends elements, as many at once as there is room for.
    pub fn send_all(&mut self, elements: std::ops::Range<u64>) {
        let mut next = elements.start;
        while next < elements.end {
            if !self.has_room() {
                let (ring, wait) = (self.ring.clone(), self.wait);
                wait_for(&ring.cursors.space.0, wait, "producer sleeps", || self.has_room().then_some(()));
            }
            let now = self.cursor.known_room().min(elements.end - next);
            for held in 0..now {
                let place = self.ring.place(self.cursor.position() + held, size_of::<AtomicU64>());
                place.store(word(next, 0), loom::sync::atomic::Ordering::Relaxed);
                next += 1;
            }
            self.publish(now);
        }
    }

    fn has_room(&mut self) -> bool {
        let room = self.cursor.has_room(&self.ring.cursors, 1).expect("a sound ring");
        if !room {
            reach("full");
        }
        room
    }

    /// Marks the end of the stream.
    pub fn close(self) {
        self.ring.cursors.stream.0.close();
        self.ring.announce();
    }
}

/// What a look at the ring yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Message number so and so.
    Message(u64),
    /// The stream has ended.
    Closed,
}

#[derive(Debug, Clone, Copy)]
enum Look {
    Message(u64),
    Closed,
}

/// The consumer's side.
#[derive(Debug)]
pub struct Rx {
    ring: Rc<Ring>,
    cursor: spsc::Consumer,
    wait: Wait,
    /// Message number so and so has this many words: how one is told from the next.
    words: fn(u64) -> u64,
    next: u64,
}

impl Rx {
    /// Takes the seat, which must be free, of a ring of records. Message number `n` has `words(n)` words.
    pub fn attach(ring: &Rc<Ring>, wait: Wait, words: fn(u64) -> u64) -> Self {
        if wait == Wait::Park {
            ring.cursors.items.0.require_fences();
        }
        let cursor = spsc::Consumer::attach(&ring.cursors, ring.capacity, HEADER).expect("a sound ring");
        ring.announce();
        let next = sequence_at(cursor.position(), ring.capacity, words);
        Self { ring: ring.clone(), cursor, wait, words, next }
    }

    /// Sits already when the model begins.
    pub fn seated(ring: &Rc<Ring>, wait: Wait, words: fn(u64) -> u64) -> Self {
        let cursor = spsc::Consumer::attach(&ring.cursors, ring.capacity, 1).expect("a sound ring");
        Self { ring: ring.clone(), cursor, wait, words, next: 0 }
    }

    fn largest(&self) -> u64 {
        record::largest(self.ring.capacity)
    }

    fn record(&mut self) -> Option<u64> {
        let largest = self.largest();
        self.cursor.next_record(&self.ring.cursors, self.ring.slots(), largest).expect("a sound ring")
    }

    fn look(&mut self) -> Option<Look> {
        if let Some(len) = self.record() {
            return Some(Look::Message(len));
        }
        let ring = self.ring.clone();
        match ring.cursors.stream.0.drained(|| Ok::<_, Infallible>(self.record())) {
            Ok(Drained::Found(len)) => {
                reach("message before the end");
                Some(Look::Message(len))
            }
            Ok(Drained::Nothing) => {
                reach("empty");
                None
            }
            Ok(Drained::Ended) => Some(Look::Closed),
        }
    }

    fn look_until(&mut self) -> Look {
        if let Some(found) = self.look() {
            return found;
        }
        let (ring, wait) = (self.ring.clone(), self.wait);
        wait_for(&ring.cursors.items.0, wait, "consumer sleeps", || self.look())
    }

    /// Reads the next message, of this length, and checks every word of it.
    fn read(&mut self, len: u64) -> u64 {
        let position = self.cursor.position() + record::HEADER;
        let sequence = self.next;
        assert_eq!(len, (self.words)(sequence) * WORD, "message {sequence} has its length");
        for index in 0..len / WORD {
            let place = self.ring.place(position + index * WORD, 1);
            let found = place.load(loom::sync::atomic::Ordering::Relaxed);
            assert_eq!(found, word(sequence, index), "message {sequence} is whole and in its turn");
        }
        self.cursor.pass_record(len);
        self.next += 1;
        sequence
    }

    fn release(&mut self) {
        self.cursor.release(&self.ring.cursors);
        self.ring.cursors.space.0.notify(|| reach("consumer wakes"));
    }

    /// Receives if there is something.
    pub fn try_recv(&mut self) -> Option<Next> {
        let look = self.look()?;
        Some(self.take(look))
    }

    /// Receives, waiting for something.
    pub fn recv(&mut self) -> Next {
        let look = self.look_until();
        self.take(look)
    }

    fn take(&mut self, look: Look) -> Next {
        match look {
            Look::Message(len) => {
                let sequence = self.read(len);
                self.release();
                Next::Message(sequence)
            }
            Look::Closed => Next::Closed,
        }
    }

    /// Waits for something and receives all that is there, released at once. Returns how much it was.
    pub fn drain(&mut self) -> u64 {
        let mut look = self.look_until();
        let seen = self.cursor.known();
        self.cursor.look(&self.ring.cursors).expect("a sound ring");
        if self.cursor.known() > seen {
            reach("came meanwhile");
        }
        let mut count = 0;
        loop {
            let Look::Message(len) = look else { unreachable!("not closed in these models") };
            self.read(len);
            count += 1;
            if self.cursor.known() == 0 {
                break;
            }
            look = self.look().expect("known to be there");
        }
        self.release();
        count
    }

    /// Reads a message and does not release it: the consumer dies with it.
    pub fn read_and_keep(&mut self) -> Next {
        match self.look_until() {
            Look::Message(len) => Next::Message(self.read(len)),
            Look::Closed => Next::Closed,
        }
    }

    /// Receives elements, waiting for at least one, at most `most`. Returns how many.
    pub fn recv_many(&mut self, most: u64) -> u64 {
        if self.available().is_none() {
            let (ring, wait) = (self.ring.clone(), self.wait);
            wait_for(&ring.cursors.items.0, wait, "consumer sleeps", || self.available());
        }
        if self.cursor.known() < most {
            self.cursor.look(&self.ring.cursors).expect("a sound ring");
        }
        let count = self.cursor.known().min(most);
        for _ in 0..count {
            let place = self.ring.place(self.cursor.position(), size_of::<AtomicU64>());
            let found = place.load(loom::sync::atomic::Ordering::Relaxed);
            assert_eq!(found, word(self.next, 0), "element {} is whole and in its turn", self.next);
            self.cursor.pass(1);
            self.next += 1;
        }
        self.release();
        count
    }

    fn available(&mut self) -> Option<u64> {
        let count = self.cursor.available(&self.ring.cursors).expect("a sound ring");
        if count == 0 {
            reach("empty");
        }
        (count > 0).then_some(count)
    }

    /// The number of the next message.
    pub fn next(&self) -> u64 {
        self.next
    }
}

/// A ring with both sides seated, for two roles to take.
#[derive(Debug)]
pub struct Sides {
    /// The ring.
    pub ring: Rc<Ring>,
    tx: RefCell<Option<Tx>>,
    rx: RefCell<Option<Rx>>,
}

impl Sides {
    /// Seats both sides, which wait so and so.
    pub fn new(ring: Ring, producer: Wait, consumer: Wait, words: fn(u64) -> u64) -> Self {
        let ring = Rc::new(ring);
        if producer == Wait::Park {
            ring.cursors.space.0.require_fences_first();
        }
        if consumer == Wait::Park {
            ring.cursors.items.0.require_fences_first();
        }
        let tx = RefCell::new(Some(Tx::seated(&ring, producer)));
        let rx = RefCell::new(Some(Rx::seated(&ring, consumer, words)));
        Self { ring, tx, rx }
    }

    /// The producer, for the role that plays it.
    pub fn tx(&self) -> Tx {
        self.tx.take().expect("one role plays the producer")
    }

    /// The consumer, for the role that plays it.
    pub fn rx(&self) -> Rx {
        self.rx.take().expect("one role plays the consumer")
    }
}
