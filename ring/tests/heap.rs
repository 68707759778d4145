//! The algorithms as they stand, over heap memory and between threads of one process: what ThreadSanitizer and
//! Miri can look into. Payloads are plain memory, so that every access the positions do not order is a race.

#[path = "../src/algo/mod.rs"]
#[allow(dead_code)] // this uses the ring of bytes
mod algo;

/// What the algorithms ask of the machine, without system calls.
mod sync {
    pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
    pub(crate) use core::time::Duration;

    pub(crate) fn light() {
        core::sync::atomic::compiler_fence(Ordering::SeqCst);
    }

    /// Publishers fence here from the start on (`require_fences_first`), so nobody needs these.
    pub(crate) fn settle() -> bool {
        true
    }

    pub(crate) fn heavy() -> bool {
        true
    }

    pub(crate) mod futex {
        use super::{AtomicU32, Duration, Ordering::Relaxed};
        use std::sync::{Condvar, Mutex};

        static QUEUE: Mutex<()> = Mutex::new(());
        static WOKEN: Condvar = Condvar::new();

        /// Ends when woken: who sleeps through all of its time has missed a wake-up.
        pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) {
            let queue = QUEUE.lock().expect("nobody panics here");
            if word.load(Relaxed) == expected {
                let (_queue, slept) = WOKEN.wait_timeout(queue, timeout).expect("nobody panics here");
                assert!(!slept.timed_out(), "nobody woke who waits: a wake-up was lost");
            }
        }

        pub(crate) fn wake_all(_: &AtomicU32) {
            drop(QUEUE.lock());
            WOKEN.notify_all();
        }

        /// Wakes everybody: whoever is woken too many looks, and sleeps again.
        pub(crate) fn wake(word: &AtomicU32, many: u32) -> u32 {
            wake_all(word);
            many
        }
    }
}

use std::cell::UnsafeCell;
use std::convert::Infallible;
use std::time::Duration;

use algo::cursors::Cursors;
use algo::record;
use algo::signal::Announced;
use algo::slots::Slots;
use algo::spsc::{Consumer, Producer};
use algo::stream::Drained;

const CAPACITY: u64 = 256;
const MESSAGES: u64 = if cfg!(miri) { 200 } else { 100_000 };
/// Waits in a row, before the other side must have failed.
const WAITS: u32 = 500;
/// Longer than anybody is kept waiting by a machine with other things to do. Under Miri, time passes as soon as
/// everybody sleeps.
const SLICE: Duration = Duration::from_secs(60);

/// A ring of bytes on the heap.
struct Ring {
    cursors: Cursors,
    area: Box<[UnsafeCell<u64>]>,
}

// SAFETY: the area is only accessed as the positions allow; that this is enough is what the test is about.
unsafe impl Sync for Ring {}

impl Ring {
    fn new() -> Self {
        let cursors = Cursors::default();
        cursors.items.0.require_fences_first();
        cursors.space.0.require_fences_first();
        Self { cursors, area: (0..CAPACITY / 8).map(|_| UnsafeCell::new(0)).collect() }
    }

    fn slots(&self) -> Slots {
        // SAFETY: a power of two of bytes, aligned to eight, that live as long as the ring.
        unsafe { Slots::new(self.area.as_ptr().cast_mut().cast(), CAPACITY) }
    }
}

/// Length and content of a message follow from its number.
fn length(number: u64) -> u64 {
    number * 7 % 61
}

fn word(number: u64, index: u64) -> u64 {
    (number << 32) + index
}

/// The words that a message of so many bytes takes up. Payloads are written and read by whole words, as headers
/// are: Miri cannot follow one word that is now one access and now several (`docs/verification.md`).
fn words(len: u64) -> u64 {
    len.div_ceil(8)
}

/// Where word `index` of a payload is, as plain memory.
#[allow(clippy::cast_ptr_alignment)] // payloads begin at multiples of eight
fn place(slots: &Slots, payload: u64, index: u64) -> *mut u64 {
    slots.at(payload.wrapping_add(8 * index), 1).cast()
}

/// Sends messages, some of them in batches; takes its seat anew now and then, with a message half written.
fn produce(ring: &Ring, numbers: std::ops::Range<u64>) {
    let (cursors, slots) = (&ring.cursors, ring.slots());
    let attach = || Producer::attach(cursors, CAPACITY, record::HEADER).expect("positions are right");
    let mut producer = attach();
    let mut held = 0;
    for number in numbers {
        let len = length(number);
        let skip = match producer.claim_record(cursors, held, len).expect("positions are right") {
            Some(skip) => skip,
            None => {
                // Only what is published can make room.
                producer.publish(cursors, held);
                held = 0;
                cursors.items.0.notify(|| ());
                let mut waits = 0..WAITS;
                let mut announced = Announced::default();
                loop {
                    waits.next().expect("the consumer goes on");
                    let look = || Ok::<_, Infallible>(producer.claim_record(cursors, 0, len).expect("right"));
                    if let Ok(Some(skip)) = cursors.space.0.wait_unless(&mut announced, look, || SLICE) {
                        break skip;
                    }
                }
            }
        };
        let payload = producer.position().wrapping_add(held + skip + record::HEADER);
        for index in 0..words(len) {
            // SAFETY: inside the claimed record, which is this side's alone.
            unsafe { place(&slots, payload, index).write(word(number, index)) };
        }
        held = producer.write_record(&slots, held, skip, len);
        if number % 3 != 0 || number % 50 == 1 {
            producer.publish(cursors, held);
            held = 0;
            cursors.items.0.notify(|| ());
        }
        if number % 50 == 1 {
            // Everything is published: a successor goes on from here.
            producer = attach();
        }
    }
    producer.publish(cursors, held);
    cursors.stream.0.close();
    cursors.items.0.wake_all();
}

/// There are no more messages.
struct End;

/// The next message, if there is one now, as the library's handles look for it.
fn look(ring: &Ring, consumer: &mut Consumer) -> Result<Option<u64>, End> {
    let (cursors, slots) = (&ring.cursors, ring.slots());
    let mut next =
        || Ok(consumer.next_record(cursors, slots, record::largest(CAPACITY)).expect("headers are right"));
    if let Some(found) = next()? {
        return Ok(Some(found));
    }
    match cursors.stream.0.drained(next)? {
        Drained::Found(found) => Ok(Some(found)),
        Drained::Nothing => Ok(None),
        Drained::Ended => Err(End),
    }
}

/// Receives all messages up to the end of the stream, releasing several at a time. Returns how many.
fn consume(ring: &Ring) -> u64 {
    let (cursors, slots) = (&ring.cursors, ring.slots());
    let attach = || Consumer::attach(cursors, CAPACITY, record::HEADER).expect("positions are right");
    let mut consumer = attach();
    let (mut number, mut waits) = (0, 0);
    let mut announced = Announced::default();
    loop {
        let found = match look(ring, &mut consumer) {
            Ok(None) => {
                waits += 1;
                assert!(waits < WAITS, "the producer goes on");
                consumer.release(cursors);
                cursors.space.0.notify(|| ());
                cursors.items.0.wait_unless(&mut announced, || look(ring, &mut consumer), || SLICE)
            }
            found => found,
        };
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(End) => return number,
        };
        let (payload, len) = (consumer.position() + record::HEADER, found);
        assert_eq!(len, length(number));
        for index in 0..words(len) {
            // SAFETY: inside a published record, which the other side leaves alone until it is released.
            let got = unsafe { place(&slots, payload, index).read() };
            assert_eq!(got, word(number, index), "word {index} of message {number}");
        }
        consumer.pass_record(len);
        (number, waits) = (number + 1, 0);
        if number % 4 != 0 || number % 37 == 1 {
            consumer.release(cursors);
            cursors.space.0.notify(|| ());
        }
        if number % 37 == 1 {
            consumer = attach();
        }
    }
}

#[test]
fn a_stream_between_threads_is_whole_and_free_of_races() {
    for _ in 0..if cfg!(miri) { 2 } else { 3 } {
        let ring = Ring::new();
        let received = std::thread::scope(|scope| {
            let consumer = scope.spawn(|| consume(&ring));
            let producer = scope.spawn(|| produce(&ring, 0..MESSAGES));
            // Joined by name: of the scope's own waiting, ThreadSanitizer sees nothing.
            producer.join().expect("the producer");
            consumer.join().expect("the consumer")
        });
        assert_eq!(received, MESSAGES);
        println!("heap: {received} messages");
    }
}
