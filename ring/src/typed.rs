//! Rings of plain old data: elements of one type, at a fixed stride, without headers.
#![allow(unsafe_code)]

mod guard;

use std::marker::PhantomData;
use std::mem::{MaybeUninit, align_of, size_of};
use std::slice;
use std::time::{Duration, Instant};

use bytemuck::Pod;

use crate::algo::spsc;
use crate::copy;
use crate::mpmc;
use crate::options::{Mpmc, Options, Spsc};
use crate::participant::{NotSync, Participant};
use crate::peer::{Peer, Role};
use crate::shape::Shape;
use crate::shm::header::{Element, NAME_BYTES, clip};
use crate::stats::Stats;
use crate::sync;
use crate::waiting::Until;
use crate::{Error, Result};

pub use guard::{TypedClaim, TypedDrain};

/// A typed ring to be opened or made; begun with [`Options::typed`].
///
/// ```
/// # fn main() -> podring::Result<()> {
/// # let name = format!("doc-typed-{}", std::process::id());
/// let mut tx = podring::spsc(&name).typed::<[f64; 4]>().producer()?;
/// let mut rx = podring::spsc(&name).typed::<[f64; 4]>().consumer()?;
/// tx.send(&[1.0, 2.0, 3.0, 4.0])?;
/// assert_eq!(rx.recv()?[3], 4.0);
/// # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing until `producer` or `consumer` is called"]
pub struct TypedOptions<T, K = Spsc> {
    options: Options<K>,
    elements: Option<usize>,
    type_name: String,
    element: PhantomData<fn() -> T>,
}

impl<T: Pod, K> TypedOptions<T, K> {
    pub(crate) fn new(options: Options<K>) -> Self {
        // The path differs between two programs that share a definition by copying it; the name does not.
        let mut type_name = short_name(std::any::type_name::<T>());
        type_name.truncate(clip(&type_name, NAME_BYTES).len());
        Self { options, elements: None, type_name, element: PhantomData }
    }

    /// Elements the ring holds, rounded up to a power of two; by default 4096.
    pub fn elements(mut self, count: usize) -> Self {
        self.elements = Some(count);
        self
    }

    /// The name by which both sides know the element type, by default its name without the path: up to 64
    /// bytes without control characters. Opening a
    /// ring whose element has another name, size or alignment fails with [`Error::Mismatch`].
    pub fn type_name(mut self, name: &str) -> Self {
        self.type_name = name.to_owned();
        self
    }

    fn element(&self) -> Element {
        Element { name: self.type_name.clone(), size: size_of::<T>() as u64, align: align_of::<T>() as u64 }
    }
}

impl<T: Pod> TypedOptions<T, Mpmc> {
    /// Opens (or makes) the ring and takes a seat as one of its producers.
    ///
    /// # Errors
    ///
    /// As [`Options::producer`](Options::<Mpmc>::producer).
    pub fn producer(self) -> Result<mpmc::TypedProducer<T>> {
        mpmc::TypedProducer::attach(self.attach(Role::Producer)?)
    }

    /// Opens (or makes) the ring and takes a seat as one of its consumers.
    ///
    /// # Errors
    ///
    /// As [`Options::producer`](Options::<Mpmc>::producer).
    pub fn consumer(self) -> Result<mpmc::TypedConsumer<T>> {
        mpmc::TypedConsumer::attach(self.attach(Role::Consumer)?)
    }

    /// Makes the ring without taking a seat in it.
    ///
    /// # Errors
    ///
    /// As [`Options::make`](Options::<Mpmc>::make).
    pub fn make(self) -> Result<()> {
        Participant::make(&self.options.settings, &self.shape()?)
    }

    fn shape(&self) -> Result<Shape> {
        let elements = self.elements.or(self.options.settings.slots);
        Shape::typed_slots(&self.options.settings, elements, self.element())
    }

    fn attach(&self, role: Role) -> Result<Participant> {
        Participant::attach(&self.options.settings, &self.shape()?, role)
    }
}

impl<T: Pod> TypedOptions<T> {
    fn shape(&self) -> Result<Shape> {
        Shape::typed(&self.options.settings, self.elements, self.element())
    }

    fn attach(&self, role: Role) -> Result<Participant> {
        Participant::attach(&self.options.settings, &self.shape()?, role)
    }

    /// Opens (or makes) the ring and takes the producer's seat.
    ///
    /// # Errors
    ///
    /// As [`Options::producer`].
    pub fn producer(self) -> Result<TypedProducer<T>> {
        let core = self.attach(Role::Producer)?;
        let capacity = core.region.identity().capacity;
        let cursor =
            spsc::Producer::attach(core.cursors(), capacity, 1).map_err(|found| core.corrupt(found))?;
        core.cursors().stream.0.open();
        core.announce();
        Ok(TypedProducer { core, cursor, closed: false, element: PhantomData, not_sync: NotSync::default() })
    }

    /// Opens (or makes) the ring and takes the consumer's seat.
    ///
    /// # Errors
    ///
    /// As [`Options::producer`].
    pub fn consumer(self) -> Result<TypedConsumer<T>> {
        let core = self.attach(Role::Consumer)?;
        let capacity = core.region.identity().capacity;
        let cursor =
            spsc::Consumer::attach(core.cursors(), capacity, 1).map_err(|found| core.corrupt(found))?;
        core.announce();
        Ok(TypedConsumer { core, cursor, element: PhantomData, not_sync: NotSync::default() })
    }

    /// Makes the ring without taking a seat in it.
    ///
    /// # Errors
    ///
    /// As [`Options::make`].
    pub fn make(self) -> Result<()> {
        Participant::make(&self.options.settings, &self.shape()?)
    }
}

/// A type's name without the paths in it: `a::B<c::D>` is `B<D>`.
fn short_name(full: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for c in full.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else if c == ':' {
            word.clear();
        } else {
            short.push_str(&std::mem::take(&mut word));
            short.push(c);
        }
    }
    short + &word
}

/// Sends elements of type `T`; otherwise as [`Producer`](crate::Producer).
#[derive(Debug)]
pub struct TypedProducer<T> {
    core: Participant,
    cursor: spsc::Producer,
    closed: bool,
    element: PhantomData<fn(T)>,
    not_sync: NotSync,
}

impl<T: Pod> TypedProducer<T> {
    /// Sends an element; blocks while the ring is full.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], and while blocked [`Error::PeerDied`] (if asked for), [`Error::Replaced`].
    #[inline(always)]
    pub fn send(&mut self, element: &T) -> Result<()> {
        self.send_until(element, Until::Forever)
    }

    /// Sends an element if there is room: `false` means the ring is full.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    #[inline(always)]
    #[must_use = "a full ring takes nothing"]
    pub fn try_send(&mut self, element: &T) -> Result<bool> {
        let room = self.has_room()?;
        if room {
            self.put_run(0, slice::from_ref(element));
            self.publish(1);
        }
        Ok(room)
    }

    /// Sends an element; blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn send_timeout(&mut self, element: &T, timeout: Duration) -> Result<()> {
        self.send_until(element, Until::After(timeout))
    }

    /// Sends an element; blocks while the ring is full, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn send_deadline(&mut self, element: &T, deadline: Instant) -> Result<()> {
        self.send_until(element, Until::At(deadline))
    }

    /// Sends all elements in order; blocks while the ring is full. What fits is published with one store.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send`]; the elements before the failure were sent, in order.
    pub fn send_all(&mut self, elements: &[T]) -> Result<()> {
        let mut rest = elements;
        while !rest.is_empty() {
            if !self.has_room()? {
                self.wait_for_room(Until::Forever)?;
            }
            let now = rest.len().min(self.cursor.known_room() as usize);
            let (batch, later) = rest.split_at(now);
            let run = now.min(to_end(self.cursor.position(), self.core.region.identity().capacity));
            self.put_run(0, &batch[..run]);
            self.put_run(run as u64, &batch[run..]);
            self.publish(now as u64);
            rest = later;
        }
        Ok(())
    }

    /// Claims places for up to `most` elements, to be written in place; blocks while the ring is full. There are as many as
    /// are free in one piece, at least one (unless `most` is zero): fewer at the end of the ring, where the next claim
    /// goes on at its beginning.
    ///
    /// ```
    /// # fn main() -> podring::Result<()> {
    /// # let name = format!("doc-typed-claim-{}", std::process::id());
    /// # let mut tx = podring::spsc(&name).typed::<u64>().producer()?;
    /// # let mut rx = podring::spsc(&name).typed::<u64>().consumer()?;
    /// let mut places = tx.claim(3)?;
    /// places.copy_from_slice(&[7, 8, 9]);
    /// places.commit();
    ///
    /// let elements = rx.drain(100)?;
    /// assert_eq!(*elements, [7, 8, 9]);
    /// drop(elements); // here they are released
    /// # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send`].
    #[inline(always)]
    pub fn claim(&mut self, most: usize) -> Result<TypedClaim<'_, T>> {
        self.claim_until(most, Until::Forever)
    }

    /// As [`TypedProducer::claim`] if there is room; `None` means the ring is full.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::try_send`].
    #[inline(always)]
    pub fn try_claim(&mut self, most: usize) -> Result<Option<TypedClaim<'_, T>>> {
        Ok(if self.has_room()? { Some(TypedClaim::new(self, most)) } else { None })
    }

    /// As [`TypedProducer::claim`], blocking for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send_timeout`].
    #[inline(always)]
    pub fn claim_timeout(&mut self, most: usize, timeout: Duration) -> Result<TypedClaim<'_, T>> {
        self.claim_until(most, Until::After(timeout))
    }

    /// As [`TypedProducer::claim`], blocking until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send_deadline`].
    #[inline(always)]
    pub fn claim_deadline(&mut self, most: usize, deadline: Instant) -> Result<TypedClaim<'_, T>> {
        self.claim_until(most, Until::At(deadline))
    }

    #[inline(always)]
    fn claim_until(&mut self, most: usize, until: Until) -> Result<TypedClaim<'_, T>> {
        if !self.has_room()? {
            self.wait_for_room(until)?;
        }
        Ok(TypedClaim::new(self, most))
    }

    #[inline(always)]
    fn send_until(&mut self, element: &T, until: Until) -> Result<()> {
        if !self.has_room()? {
            self.wait_for_room(until)?;
        }
        self.put_run(0, slice::from_ref(element));
        self.publish(1);
        Ok(())
    }

    #[inline(always)]
    fn has_room(&mut self) -> Result<bool> {
        if self.closed {
            return Err(Error::Closed { ring: self.core.ring.clone() });
        }
        self.core.check_fork()?;
        self.cursor.has_room(self.core.cursors(), 1).map_err(|found| self.core.corrupt(found))
    }

    fn wait_for_room(&mut self, until: Until) -> Result<()> {
        let Self { core, cursor, .. } = self;
        core.wait_for("space", until, || {
            let room = cursor.has_room(core.cursors(), 1).map_err(|found| core.corrupt(found))?;
            Ok(room.then_some(()))
        })
    }

    /// Writes elements to the places behind the next `held` ones, for which there is room in one piece.
    #[inline(always)]
    fn put_run(&mut self, held: u64, elements: &[T]) {
        let position = self.cursor.position().wrapping_add(held);
        let place = self.core.region.slots().at(position, size_of::<T>()).cast::<T>();
        // SAFETY: the places are inside the data area, aligned (the area to a page, the stride is the type's
        // size, which the identity was checked to have), and the producer's until published.
        unsafe { copy::elements_into_ring(elements.as_ptr(), place, elements.len()) };
    }

    /// Makes the next elements, which are written, visible and wakes a consumer that sleeps. The position counts them.
    #[inline(always)]
    fn publish(&mut self, elements: u64) {
        self.cursor.publish(self.core.cursors(), elements);
        self.core.cursors().items.0.notify(|| self.core.seat().has_woken());
    }

    /// Marks the end of the stream, as [`Producer::close`](crate::Producer::close).
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn close(&mut self) -> Result<()> {
        self.core.check_fork()?;
        if !self.closed {
            self.closed = true;
            self.core.cursors().stream.0.close();
            self.core.announce();
        }
        Ok(())
    }
}

/// Receives elements of type `T`, by copying them or in place; otherwise as [`Consumer`](crate::Consumer).
#[derive(Debug)]
pub struct TypedConsumer<T> {
    core: Participant,
    cursor: spsc::Consumer,
    element: PhantomData<fn() -> T>,
    not_sync: NotSync,
}

impl<T: Pod> TypedConsumer<T> {
    /// Receives the next element; blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`Consumer::recv`](crate::Consumer::recv).
    #[inline(always)]
    pub fn recv(&mut self) -> Result<T> {
        self.recv_until(Until::Forever)
    }

    /// Receives the next element if there is one; `None` means the ring is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Corrupt`].
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<Option<T>> {
        Ok(if self.is_there()? { Some(self.take_one()) } else { None })
    }

    /// Receives the next element; blocks while the ring is empty, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T> {
        self.recv_until(Until::After(timeout))
    }

    /// Receives the next element; blocks while the ring is empty, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`], and [`Error::Timeout`].
    #[inline(always)]
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T> {
        self.recv_until(Until::At(deadline))
    }

    /// Receives as many elements as there are, up to the length of `into`; blocks while there is none.
    /// Returns how many. All are released with one store.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`]; an error behind elements that are there is told by the next call.
    pub fn recv_many(&mut self, into: &mut [T]) -> Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if !self.is_there()? {
            self.wait_for_element(Until::Forever)?;
        }
        let count = self.known_up_to(into.len());
        let run = count.min(to_end(self.cursor.position(), self.core.region.identity().capacity));
        // SAFETY: the same elements; they are only written, with valid ones.
        let into = unsafe { slice::from_raw_parts_mut(into.as_mut_ptr().cast::<MaybeUninit<T>>(), count) };
        let (first, rest) = into.split_at_mut(run);
        self.read_run(first);
        self.read_run(rest);
        self.release();
        Ok(count)
    }

    /// Receives the elements that are there, in place; blocks while there is none. They are those that lie in one piece, up
    /// to `most` (fewer at the end of the ring, where the next drain goes on at its beginning), and are released with one
    /// store when the returned [`TypedDrain`] is dropped. See [`TypedProducer::claim`] for an example.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`].
    #[inline(always)]
    pub fn drain(&mut self, most: usize) -> Result<TypedDrain<'_, T>> {
        self.drain_until(most, Until::Forever)
    }

    /// As [`TypedConsumer::drain`] if there is an element; `None` means the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::try_recv`].
    #[inline(always)]
    pub fn try_drain(&mut self, most: usize) -> Result<Option<TypedDrain<'_, T>>> {
        Ok(if self.is_there()? { Some(TypedDrain::new(self, most)) } else { None })
    }

    /// As [`TypedConsumer::drain`], blocking for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv_timeout`].
    #[inline(always)]
    pub fn drain_timeout(&mut self, most: usize, timeout: Duration) -> Result<TypedDrain<'_, T>> {
        self.drain_until(most, Until::After(timeout))
    }

    /// As [`TypedConsumer::drain`], blocking until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv_deadline`].
    #[inline(always)]
    pub fn drain_deadline(&mut self, most: usize, deadline: Instant) -> Result<TypedDrain<'_, T>> {
        self.drain_until(most, Until::At(deadline))
    }

    #[inline(always)]
    fn drain_until(&mut self, most: usize, until: Until) -> Result<TypedDrain<'_, T>> {
        if !self.is_there()? {
            self.wait_for_element(until)?;
        }
        Ok(TypedDrain::new(self, most))
    }

    /// How many elements there are, up to `most`; at least one is known.
    #[inline(always)]
    fn known_up_to(&mut self, most: usize) -> usize {
        if self.cursor.known() < most as u64 {
            // What is known is sound, whatever the position holds now; when that is used up, the error is found again.
            let _ = self.cursor.look(self.core.cursors());
        }
        most.min(self.cursor.known() as usize)
    }

    #[inline(always)]
    fn recv_until(&mut self, until: Until) -> Result<T> {
        if !self.is_there()? {
            self.wait_for_element(until)?;
        }
        Ok(self.take_one())
    }

    /// Whether an element can be read now.
    #[inline(always)]
    fn is_there(&mut self) -> Result<bool> {
        self.core.check_fork()?;
        Ok(self.cursor.known() > 0 || look(&self.core, &mut self.cursor)?.is_some())
    }

    fn wait_for_element(&mut self, until: Until) -> Result<u64> {
        let Self { core, cursor, .. } = self;
        core.wait_for("message", until, || {
            let available = look(core, cursor)?;
            if available.is_none() {
                sync::touch(core.region.slots().at(cursor.position(), size_of::<T>()));
            }
            Ok(available)
        })
        .inspect(|&count| core.spin.note(count > 1))
    }

    /// Takes the next element, which is there.
    #[inline(always)]
    fn take_one(&mut self) -> T {
        let mut element = MaybeUninit::uninit();
        self.read_run(slice::from_mut(&mut element));
        self.release();
        // SAFETY: it has been written; every bit pattern is a valid `T`.
        unsafe { element.assume_init() }
    }

    /// Copies elements from the read position on, which are published and lie in one piece.
    #[inline(always)]
    fn read_run(&mut self, into: &mut [MaybeUninit<T>]) {
        self.ask_ahead(into.len() as u64);
        let place = self.core.region.slots().at(self.cursor.position(), size_of::<T>()).cast::<T>();
        // SAFETY: inside the data area and aligned, as in `put_run`; every bit pattern is a valid `T` (it is
        // plain old data), so what a hostile peer writes meanwhile is merely wrong.
        unsafe { copy::elements_out_of_ring(place, into.as_mut_ptr().cast(), into.len()) };
        self.cursor.pass(into.len() as u64);
    }

    /// In a stream, asks for the line of elements that are read some time after the next `count`. Once a line.
    #[inline(always)]
    fn ask_ahead(&self, count: u64) {
        let size = (size_of::<T>() as u64).max(1);
        let (ahead, to_a_line) = (count + AHEAD / size, (LINE / size).next_power_of_two());
        let position = self.cursor.position();
        if position & (to_a_line - 1) < count && self.cursor.known() > ahead {
            sync::touch(self.core.region.slots().at(position.wrapping_add(ahead), size_of::<T>()));
        }
    }

    /// Gives what was read back to the producer and wakes it if it sleeps. The position counts the elements.
    #[inline(always)]
    fn release(&mut self) {
        self.cursor.release(self.core.cursors());
        self.core.cursors().space.0.notify(|| self.core.seat().has_woken());
    }
}

/// Elements that can be read now, `None` if there are none, [`Error::Closed`] if there will be none.
#[inline(always)]
fn look(core: &Participant, cursor: &mut spsc::Consumer) -> Result<Option<u64>> {
    let mut available = || {
        let count = cursor.available(core.cursors()).map_err(|found| core.corrupt(found))?;
        Ok((count > 0).then_some(count))
    };
    match available()? {
        Some(count) => Ok(Some(count)),
        None => core.drained(available),
    }
}

/// Bytes that travel between processors at a time.
const LINE: u64 = 64;
/// How many bytes ahead of the elements being read lines are asked for.
const AHEAD: u64 = 512;

/// Elements from `position` to where the data area ends.
fn to_end(position: u64, capacity: u64) -> usize {
    (capacity - (position & (capacity - 1))) as usize
}

macro_rules! common {
    ($handle:ident, $peer:literal) => {
        impl<T: Pod> $handle<T> {
            /// Elements the ring holds.
            pub fn capacity(&self) -> usize {
                self.core.region.identity().capacity as usize
            }

            /// The ring's name.
            pub fn name(&self) -> &str {
                &self.core.ring
            }

            /// Everybody else who is attached and alive.
            ///
            /// # Errors
            ///
            /// [`Error::Os`], [`Error::Forked`].
            pub fn peers(&self) -> Result<Vec<Peer>> {
                Ok(self.core.peer()?.into_iter().collect())
            }

            #[doc = concat!("Waits until a ", $peer, " is attached.")]
            ///
            /// # Errors
            ///
            /// [`Error::Timeout`], [`Error::Replaced`].
            pub fn wait_for_peer(&mut self, timeout: Duration) -> Result<Peer> {
                self.core.wait_for_peer(timeout)
            }

            /// What this seat has counted.
            pub fn stats(&self) -> Stats {
                self.core.stats()
            }
        }
    };
}

common!(TypedProducer, "consumer");
common!(TypedConsumer, "producer");
