//! The seam that `algo` is compiled with here: loom's atomics under the names of the library's own `sync`.

pub(crate) use core::time::Duration;
pub(crate) use loom::sync::atomic::Ordering;

use crate::world;

/// What an eight-byte word is: something exchanged, or eight bytes of the data area.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Only one side stores it, or all exchange it.
    Word(u32),
    /// Some exchange it while others store it.
    Slot(u32),
    Place(u32),
}

/// Eight bytes, also here, so that an array of them is addressed like a segment's bytes.
#[derive(Debug)]
pub(crate) struct AtomicU64(Kind);

const _: () = assert!(size_of::<AtomicU64>() == 8);

impl Default for AtomicU64 {
    fn default() -> Self {
        Self(Kind::Word(world::new_word() as u32))
    }
}

impl AtomicU64 {
    /// Eight zero bytes of the data area.
    ///
    /// Record headers live there, which the library accesses as relaxed atomics only so that a hostile peer
    /// cannot make a race of it. Here they are plain: with peers that follow the protocol nothing in the data
    /// area may ever be accessed by two sides at once.
    pub(crate) fn place() -> Self {
        Self(Kind::Place(world::new_place() as u32))
    }

    /// A slot's word.
    pub(crate) fn slot() -> Self {
        Self(Kind::Slot(world::new_word() as u32))
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        match self.0 {
            Kind::Word(index) | Kind::Slot(index) => load(index, order),
            Kind::Place(index) => {
                assert_eq!(order, Ordering::Relaxed, "the data area orders nothing");
                world::step();
                world::place(index as usize).read()
            }
        }
    }

    pub(crate) fn store(&self, new: u64, order: Ordering) {
        match self.0 {
            Kind::Word(index) => store(index, new, order),
            Kind::Slot(index) => store_by_exchange(index, new, order),
            Kind::Place(index) => {
                assert_eq!(order, Ordering::Relaxed, "the data area orders nothing");
                world::step();
                world::place(index as usize).write(new);
            }
        }
    }
}

impl AtomicU64 {
    pub(crate) fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.exchange("fetch_or", |word| word.fetch_or(bits, order))
    }

    pub(crate) fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.exchange("fetch_and", |word| word.fetch_and(bits, order))
    }

    pub(crate) fn fetch_add(&self, more: u64, order: Ordering) -> u64 {
        self.exchange("fetch_add", |word| word.fetch_add(more, order))
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.exchange("compare_exchange", |word| word.compare_exchange(current, new, success, failure))
    }

    /// A read-modify-write, which in the data area only a slot's word is.
    fn exchange<R: std::fmt::Debug>(
        &self,
        what: &str,
        change: impl FnOnce(&loom::sync::atomic::AtomicU64) -> R,
    ) -> R {
        let (Kind::Word(index) | Kind::Slot(index)) = self.0 else {
            unreachable!("payload and headers are not exchanged")
        };
        world::step();
        let word = world::word(index as usize);
        let outcome = change(&word.value);
        world::trace(|| format!("{what} of word {index}: {outcome:?}"));
        word.looked();
        word.changed();
        outcome
    }
}

/// A wait word or a flag.
#[derive(Debug)]
pub(crate) struct AtomicU32(u32);

impl Default for AtomicU32 {
    fn default() -> Self {
        Self(world::new_word() as u32)
    }
}

impl AtomicU32 {
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        load(self.0, order) as u32
    }

    pub(crate) fn store(&self, new: u32, order: Ordering) {
        store_by_exchange(self.0, new.into(), order);
    }

    pub(crate) fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
        world::step();
        let word = world::word(self.0 as usize);
        let old = word.value.fetch_or(bits.into(), order);
        world::trace(|| format!("sets bits of word {}: {old} | {bits}, {order:?}", self.0));
        word.looked();
        word.changed();
        old as u32
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        world::step();
        let word = world::word(self.0 as usize);
        let outcome = word.value.compare_exchange(current.into(), new.into(), success, failure);
        world::trace(|| format!("exchanges word {}: {current} for {new}, {outcome:?}", self.0));
        word.looked();
        word.changed();
        outcome.map(|old| old as u32).map_err(|found| found as u32)
    }
}

fn load(index: u32, order: Ordering) -> u64 {
    world::look();
    let word = world::word(index as usize);
    let value = word.value.load(order);
    world::trace(|| format!("loads word {index}: {value}, {order:?}"));
    word.looked();
    world::saw(index, value);
    value
}

fn store(index: u32, new: u64, order: Ordering) {
    world::step();
    let word = world::word(index as usize);
    word.value.store(new, order);
    world::trace(|| format!("stores word {index}: {new}, {order:?}"));
    word.changed();
}

/// As an exchange whose result nobody looks at.
///
/// Several participants write these words, some of them by read-modify-write, and loom does not know that
/// between what such an operation reads and what it writes nothing else can come: it lets a plain store
/// made later be older. Trying both orders of execution is enough.
///
/// An exchange goes on with the release sequence that it finds, which a store ends: what only that order would bring
/// is here taken for given.
fn store_by_exchange(index: u32, new: u64, order: Ordering) {
    world::step();
    let word = world::word(index as usize);
    word.value.swap(new, order);
    world::trace(|| format!("stores word {index}: {new}, {order:?}"));
    word.looked();
    word.changed();
}

pub(crate) fn fence(order: Ordering) {
    world::step();
    world::reach("fence");
    world::trace(|| format!("fence, {order:?}"));
    loom::sync::atomic::fence(order);
}

/// A pause in a polling loop.
pub(crate) fn relax() {
    world::relax();
}

/// Nothing reorders operations here but loom.
pub(crate) fn light() {}

/// `membarrier(2)`, of those who are registered.
pub(crate) fn heavy() -> bool {
    world::step();
    world::barrier_everywhere(false)
}

/// `membarrier(2)`, of all.
pub(crate) fn settle() -> bool {
    world::step();
    world::barrier_everywhere(true)
}

pub(crate) mod futex {
    //! Sleeping as the kernel promises it and no better: no timeout ever comes to the rescue, and being woken
    //! says nothing about what memory looks like.

    use super::{AtomicU32, Duration, Ordering::Relaxed};
    use crate::world;

    /// No value of a 32-bit word.
    const NEVER: u64 = 1 << 32;

    pub(crate) fn wait(word: &AtomicU32, expected: u32, _timeout: Duration) {
        world::step();
        if world::wakes_for_no_reason() {
            return;
        }
        let index = word.0 as usize;
        let word = world::word(index);
        // The kernel looks at the word and queues the thread under one lock. Here the thread is queued first: a
        // wake in between only makes it return early.
        word.queue.store(0, Relaxed);
        world::enqueue(index);
        // An exchange that never takes place reads the word's latest value, as the kernel does, and orders
        // nothing.
        let found = word.value.compare_exchange(NEVER, NEVER, Relaxed, Relaxed).unwrap_or_else(|found| found);
        word.looked();
        world::trace(|| format!("waits on word {index} for other than {expected}: {found}"));
        if found == expected.into() {
            world::sleep();
        } else {
            world::dequeue();
        }
    }

    pub(crate) fn wake_all(word: &AtomicU32) {
        wake(word, u32::MAX);
    }

    pub(crate) fn wake(word: &AtomicU32, many: u32) -> u32 {
        world::step();
        let index = word.0 as usize;
        world::word(index).queue.store(0, Relaxed);
        let woken = world::wake(index, many);
        world::trace(|| format!("wakes {woken} of at most {many} on word {index}"));
        woken
    }
}
