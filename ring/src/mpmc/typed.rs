//! Rings of plain old data with many producers and many consumers.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::{align_of, size_of};
use std::time::{Duration, Instant};

use bytemuck::Pod;

use super::reader::{Reader, Taken};
use super::writer::Writer;
use crate::Result;
use crate::algo::mpmc::Table;
use crate::copy;
use crate::participant::{NotSync, Participant};
use crate::peer::Peer;
use crate::shm::header::element_header;
use crate::shm::region::Region;
use crate::stats::Stats;
use crate::waiting::Until;

/// Sends elements of type `T`; otherwise as [`mpmc::Producer`](super::Producer).
#[derive(Debug)]
pub struct TypedProducer<T> {
    writer: Writer,
    element: PhantomData<fn(T)>,
    not_sync: NotSync,
}

impl<T: Pod> TypedProducer<T> {
    pub(crate) fn attach(core: Participant) -> Result<Self> {
        Ok(Self { writer: Writer::new(core)?, element: PhantomData, not_sync: NotSync::default() })
    }

    /// Sends an element; blocks while the ring is full.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`](crate::Error::Closed), and while blocked [`Error::PeerDied`](crate::Error::PeerDied) (if asked
    /// for), [`Error::Replaced`](crate::Error::Replaced).
    #[inline(always)]
    pub fn send(&mut self, element: &T) -> Result<()> {
        self.send_until(element, Until::Forever)
    }

    /// Sends an element if there is room: `false` means the ring is full.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`](crate::Error::Closed).
    #[inline(always)]
    #[must_use = "a full ring takes nothing"]
    pub fn try_send(&mut self, element: &T) -> Result<bool> {
        if self.send_at_once(element) {
            return Ok(true);
        }
        let ticket = self.writer.try_claim()?;
        if let Some(ticket) = ticket {
            self.publish(ticket, element);
        }
        Ok(ticket.is_some())
    }

    /// Sends an element; blocks while the ring is full, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send`], and [`Error::Timeout`](crate::Error::Timeout).
    #[inline(always)]
    pub fn send_timeout(&mut self, element: &T, timeout: Duration) -> Result<()> {
        self.send_until(element, Until::After(timeout))
    }

    /// Sends an element; blocks while the ring is full, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send`], and [`Error::Timeout`](crate::Error::Timeout).
    #[inline(always)]
    pub fn send_deadline(&mut self, element: &T, deadline: Instant) -> Result<()> {
        self.send_until(element, Until::At(deadline))
    }

    /// Sends all elements in order; blocks while the ring is full. Each is published at once, and consumers are woken
    /// for many.
    ///
    /// # Errors
    ///
    /// As [`TypedProducer::send`]; the elements before the failure were sent, in order.
    pub fn send_all(&mut self, elements: &[T]) -> Result<()> {
        for run in elements.chunks(super::Batch::MOST as usize) {
            let mut unannounced = 0;
            let mut outcome = Ok(());
            for element in run {
                let ticket = match self.writer.try_claim() {
                    Ok(Some(ticket)) => Ok(ticket),
                    Ok(None) => {
                        // Nothing would ever be freed if those who sleep did not learn of what there is.
                        self.writer.wake(std::mem::take(&mut unannounced));
                        self.writer.claim_until(Until::Forever)
                    }
                    Err(error) => Err(error),
                };
                match ticket {
                    Ok(ticket) => {
                        self.writer.publish_quietly(ticket, size_of::<T>() as u64, put(element));
                        unannounced += 1;
                    }
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            if unannounced > 0 {
                self.writer.wake(unannounced);
            }
            outcome?;
        }
        Ok(())
    }

    #[inline(always)]
    fn send_until(&mut self, element: &T, until: Until) -> Result<()> {
        if self.send_at_once(element) { Ok(()) } else { self.send_later(element, until) }
    }

    #[inline(always)]
    fn send_at_once(&mut self, element: &T) -> bool {
        self.writer.send_at_once(size_of::<T>() as u64, put(element))
    }

    #[cold]
    #[inline(never)]
    fn send_later(&mut self, element: &T, until: Until) -> Result<()> {
        let ticket = self.writer.wait_for_slot(until)?;
        self.publish(ticket, element);
        Ok(())
    }

    #[inline(always)]
    fn publish(&mut self, ticket: u64, element: &T) {
        self.writer.publish(ticket, size_of::<T>() as u64, put(element));
    }

    /// Marks that this producer is done, as [`mpmc::Producer::close`](super::Producer::close).
    ///
    /// # Errors
    ///
    /// [`Error::Forked`](crate::Error::Forked).
    pub fn close(&mut self) -> Result<()> {
        self.writer.close()
    }

    /// Looks for the dead, as [`mpmc::Producer::repair`](super::Producer::repair).
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os), [`Error::Forked`](crate::Error::Forked).
    pub fn repair(&mut self) -> Result<usize> {
        self.writer.core.repair()
    }

    /// Everybody else who is attached and alive, other producers included.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os), [`Error::Forked`](crate::Error::Forked).
    pub fn peers(&self) -> Result<Vec<Peer>> {
        self.writer.core.peers()
    }

    /// Waits until a consumer is attached.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`](crate::Error::Timeout), [`Error::Replaced`](crate::Error::Replaced).
    pub fn wait_for_peer(&mut self, timeout: Duration) -> Result<Peer> {
        self.writer.core.wait_for_peer(timeout)
    }

    /// What this seat has counted.
    pub fn stats(&self) -> Stats {
        self.writer.core.stats()
    }
}

/// Bytes of a slot before an element of this type, which is the type of the ring.
const fn header<T>() -> u64 {
    element_header(align_of::<T>() as u64)
}

/// What writes an element into a slot that its caller has claimed, in a ring of this type.
#[inline(always)]
fn put<T: Pod>(element: &T) -> impl FnOnce(&Region, &Table<'_>, u64) {
    move |_, table, ticket| {
        let place = table.payload(ticket, header::<T>()).cast::<T>();
        // SAFETY: the payload has the element's size and alignment (the identity was checked to have the type's, and the
        // stride and header follow from it), and is this producer's alone until it is published.
        unsafe { copy::elements_into_ring(element, place, 1) };
    }
}

/// Copies the element out of a slot that the caller has claimed.
#[inline(always)]
fn get<T: Pod>(table: &Table<'_>, ticket: u64) -> T {
    let mut element = T::zeroed();
    let place = table.payload(ticket, header::<T>()).cast::<T>();
    // SAFETY: the payload has the element's size and alignment, as in `put`; every bit pattern is a valid `T` (it is
    // plain old data), so what a hostile peer writes meanwhile is merely wrong.
    unsafe { copy::elements_out_of_ring(place, &raw mut element, 1) };
    element
}

/// An element as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<T> {
    /// The element.
    pub element: T,
    /// Its place in the one order of all elements of the ring. The same if it is delivered again.
    pub id: u64,
    /// Whether a consumer that died before releasing it had been handed it already.
    pub redelivered: bool,
}

/// Receives elements of type `T`, copying them; otherwise as [`mpmc::Consumer`](super::Consumer).
#[derive(Debug)]
pub struct TypedConsumer<T> {
    reader: Reader,
    element: PhantomData<fn() -> T>,
    not_sync: NotSync,
}

impl<T: Pod> TypedConsumer<T> {
    pub(crate) fn attach(core: Participant) -> Result<Self> {
        Ok(Self { reader: Reader::new(core)?, element: PhantomData, not_sync: NotSync::default() })
    }

    /// Receives the next element; blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`mpmc::Consumer::recv`](super::Consumer::recv).
    #[inline(always)]
    pub fn recv(&mut self) -> Result<T> {
        self.recv_until(Until::Forever, |received| received.element)
    }

    /// Receives the next element with its id; blocks while the ring is empty.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`].
    #[inline(always)]
    pub fn recv_with_id(&mut self) -> Result<Received<T>> {
        self.recv_until(Until::Forever, |received| received)
    }

    /// Receives the next element if there is one to be had now.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`](crate::Error::Closed), [`Error::Corrupt`](crate::Error::Corrupt).
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<Option<T>> {
        let taken = self.reader.try_take()?;
        Ok(taken.map(|taken| self.copy_out(taken).element))
    }

    /// Receives the next element; blocks while the ring is empty, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`], and [`Error::Timeout`](crate::Error::Timeout).
    #[inline(always)]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T> {
        self.recv_until(Until::After(timeout), |received| received.element)
    }

    /// Receives the next element; blocks while the ring is empty, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`], and [`Error::Timeout`](crate::Error::Timeout).
    #[inline(always)]
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T> {
        self.recv_until(Until::At(deadline), |received| received.element)
    }

    /// Receives as many elements as there are to be had now, up to the length of `into`; blocks while there is none.
    /// Returns how many. Each is released at once, and producers are woken for all.
    ///
    /// # Errors
    ///
    /// As [`TypedConsumer::recv`]; what was received before is not lost: an error after the first element is told by the
    /// next call.
    pub fn recv_many(&mut self, into: &mut [T]) -> Result<usize> {
        let [first, rest @ ..] = into else { return Ok(0) };
        let taken = self.reader.take_until(Until::Forever)?;
        *first = self.read(taken);
        let mut count = 1;
        let mut freed = u32::from(self.reader.release_quietly(size_of::<T>() as u64));
        for place in rest {
            // Neither the end of the stream nor an error must be told and forgotten here: the next call finds it again.
            let Ok(Some(taken)) = self.reader.try_take_only() else { break };
            *place = self.read(taken);
            freed += u32::from(self.reader.release_quietly(size_of::<T>() as u64));
            count += 1;
        }
        self.reader.wake(freed);
        Ok(count)
    }

    /// Receives an element and returns what `of` makes of it.
    #[inline(always)]
    fn recv_until<R>(&mut self, until: Until, of: impl FnOnce(Received<T>) -> R) -> Result<R> {
        match self.reader.recv_at_once(size_of::<T>() as u64, get::<T>) {
            Some((element, id)) => Ok(of(Received { element, id, redelivered: false })),
            None => self.recv_later(until).map(of),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_later(&mut self, until: Until) -> Result<Received<T>> {
        let taken = self.reader.wait_for_message(until)?;
        Ok(self.copy_out(taken))
    }

    #[inline(always)]
    fn copy_out(&mut self, taken: Taken) -> Received<T> {
        let element = self.read(taken);
        self.reader.release(size_of::<T>() as u64);
        Received { element, id: taken.ticket(), redelivered: taken.redelivered() }
    }

    #[inline(always)]
    fn read(&self, taken: Taken) -> T {
        get(&self.reader.core.region.table(), taken.ticket())
    }

    /// Looks for the dead, as [`mpmc::Consumer::repair`](super::Consumer::repair).
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os), [`Error::Forked`](crate::Error::Forked).
    pub fn repair(&mut self) -> Result<usize> {
        self.reader.core.repair()
    }

    /// Everybody else who is attached and alive, other consumers included.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os), [`Error::Forked`](crate::Error::Forked).
    pub fn peers(&self) -> Result<Vec<Peer>> {
        self.reader.core.peers()
    }

    /// Waits until a producer is attached.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`](crate::Error::Timeout), [`Error::Replaced`](crate::Error::Replaced).
    pub fn wait_for_peer(&mut self, timeout: Duration) -> Result<Peer> {
        self.reader.core.wait_for_peer(timeout)
    }

    /// What this seat has counted.
    pub fn stats(&self) -> Stats {
        self.reader.core.stats()
    }
}
