//! Queues inside one process: each side takes its end of one that was made before.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use bytemuck::Pod;
use ringbuf::HeapRb;
use ringbuf::traits::{Consumer as _, Producer as _, Split as _};

use crate::board::Poll;
use crate::transport::{Rx, Spec, Transport, Tx};
use crate::{Error, Result};

/// A crate's queue.
pub trait Family: Debug + Send + Sync + 'static {
    /// Whether ends can be cloned.
    const MANY: bool = false;
    /// The writing end of a queue of `E`.
    type Sender<E: Pod + Send>: Sender<E>;
    /// The reading end.
    type Receiver<E: Pod + Send>: Receiver<E>;
    /// Makes a queue of at least that many elements.
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>);
}

/// Writes elements.
pub trait Sender<E: Pod>: Send + Sized {
    /// One more end, where there can be several.
    fn another(&self) -> Option<Self> {
        None
    }
    /// Whether there was room.
    fn push(&mut self, element: E) -> bool;
    /// As many as there is room for; how many.
    fn push_some(&mut self, block: &[E]) -> usize {
        usize::from(self.push(block[0]))
    }
}

/// Reads elements.
pub trait Receiver<E: Pod>: Send + Sized {
    /// One more end, where there can be several.
    fn another(&self) -> Option<Self> {
        None
    }
    /// The next element, if there is one.
    fn pop(&mut self) -> Option<E>;
    /// As many as there are; how many.
    fn pop_some(&mut self, block: &mut [E]) -> usize {
        match self.pop() {
            Some(element) => {
                block[0] = element;
                1
            }
            None => 0,
        }
    }
}

/// An end that was not handed out yet.
type Last<T> = Mutex<Option<Ends<T>>>;

/// A queue of elements of `WORDS` words.
#[derive(Debug)]
pub struct Inside<F: Family, const WORDS: usize>
where
    [u64; WORDS]: Pod,
{
    sender: Last<F::Sender<[u64; WORDS]>>,
    receiver: Last<F::Receiver<[u64; WORDS]>>,
    batch: usize,
}

/// An end that has no `Debug` of its own.
pub struct Ends<T>(T);

impl<T> Debug for Ends<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }
}

/// The writing end of [`Inside`].
#[derive(Debug)]
pub struct InsideTx<'a, S, const WORDS: usize> {
    sender: Ends<S>,
    poll: Poll<'a>,
    element: [u64; WORDS],
    block: Vec<[u64; WORDS]>,
}

/// The reading end of [`Inside`].
#[derive(Debug)]
pub struct InsideRx<'a, R, const WORDS: usize> {
    receiver: Ends<R>,
    poll: Poll<'a>,
    block: Vec<[u64; WORDS]>,
}

/// Hands out an end: the only one, or one more.
fn hand_out<T>(end: &Last<T>, another: impl FnOnce(&T) -> Option<T>) -> Result<Ends<T>> {
    let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
    match end.as_ref().and_then(|end| another(&end.0)) {
        Some(more) => Ok(Ends(more)),
        None => end.take().ok_or_else(|| Error::Usage("this queue has one end of each kind".to_owned())),
    }
}

impl<F: Family, const WORDS: usize> Transport for Inside<F, WORDS>
where
    [u64; WORDS]: Pod,
{
    const MANY: bool = F::MANY;
    type Tx<'a> = InsideTx<'a, F::Sender<[u64; WORDS]>, WORDS>;
    type Rx<'a> = InsideRx<'a, F::Receiver<[u64; WORDS]>, WORDS>;

    fn create(spec: &Spec) -> Result<Self> {
        let slots = NonZeroUsize::new(spec.slots()).unwrap_or(NonZeroUsize::MIN);
        let (sender, receiver) = F::make(slots);
        let (sender, receiver) = (Mutex::new(Some(Ends(sender))), Mutex::new(Some(Ends(receiver))));
        Ok(Self { sender, receiver, batch: spec.batch })
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Tx<'a>> {
        let sender = hand_out(&self.sender, Sender::another)?;
        Ok(InsideTx { sender, poll, element: [0; WORDS], block: vec![[0; WORDS]; self.batch] })
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Rx<'a>> {
        let receiver = hand_out(&self.receiver, Receiver::another)?;
        Ok(InsideRx { receiver, poll, block: vec![[0; WORDS]; self.batch] })
    }
}

impl<S: Sender<[u64; WORDS]>, const WORDS: usize> Tx for InsideTx<'_, S, WORDS>
where
    [u64; WORDS]: Pod,
{
    #[inline(always)]
    fn send(&mut self, _size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        write(bytemuck::cast_slice_mut(&mut self.element));
        while !self.sender.0.push(self.element) {
            self.poll.again()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn send_many(
        &mut self,
        count: usize,
        _size: usize,
        mut write: impl FnMut(usize, &mut [u8]),
    ) -> Result<()> {
        for (at, element) in self.block[..count].iter_mut().enumerate() {
            write(at, bytemuck::cast_slice_mut(element));
        }
        let mut sent = 0;
        while sent < count {
            match self.sender.0.push_some(&self.block[sent..count]) {
                0 => self.poll.again()?,
                some => sent += some,
            }
        }
        Ok(())
    }
}

impl<R: Receiver<[u64; WORDS]>, const WORDS: usize> Rx for InsideRx<'_, R, WORDS>
where
    [u64; WORDS]: Pod,
{
    #[inline(always)]
    fn recv<O>(&mut self, read: impl FnOnce(&[u8]) -> O) -> Result<O> {
        loop {
            if let Some(element) = self.receiver.0.pop() {
                return Ok(read(bytemuck::cast_slice(&element)));
            }
            self.poll.again()?;
        }
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        let most = most.min(self.block.len());
        let count = loop {
            match self.receiver.0.pop_some(&mut self.block[..most]) {
                0 => self.poll.again()?,
                some => break some,
            }
        };
        for (at, element) in self.block[..count].iter().enumerate() {
            if !read(bytemuck::cast_slice(element)) {
                return Ok(at);
            }
        }
        Ok(count)
    }
}

/// rtrb.
#[derive(Debug)]
pub struct Rtrb;

impl Family for Rtrb {
    type Sender<E: Pod + Send> = rtrb::Producer<E>;
    type Receiver<E: Pod + Send> = rtrb::Consumer<E>;
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>) {
        rtrb::RingBuffer::new(slots.get())
    }
}

impl<E: Pod + Send> Sender<E> for rtrb::Producer<E> {
    #[inline(always)]
    fn push(&mut self, element: E) -> bool {
        rtrb::Producer::push(self, element).is_ok()
    }
    #[inline(always)]
    fn push_some(&mut self, block: &[E]) -> usize {
        self.push_partial_slice(block).0.len()
    }
}

impl<E: Pod + Send> Receiver<E> for rtrb::Consumer<E> {
    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        rtrb::Consumer::pop(self).ok()
    }
    #[inline(always)]
    fn pop_some(&mut self, block: &mut [E]) -> usize {
        self.pop_partial_slice(block).0.len()
    }
}

/// ringbuf.
#[derive(Debug)]
pub struct Ringbuf;

impl Family for Ringbuf {
    type Sender<E: Pod + Send> = ringbuf::HeapProd<E>;
    type Receiver<E: Pod + Send> = ringbuf::HeapCons<E>;
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>) {
        HeapRb::new(slots.get()).split()
    }
}

impl<E: Pod + Send> Sender<E> for ringbuf::HeapProd<E> {
    #[inline(always)]
    fn push(&mut self, element: E) -> bool {
        self.try_push(element).is_ok()
    }
    #[inline(always)]
    fn push_some(&mut self, block: &[E]) -> usize {
        self.push_slice(block)
    }
}

impl<E: Pod + Send> Receiver<E> for ringbuf::HeapCons<E> {
    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        self.try_pop()
    }
    #[inline(always)]
    fn pop_some(&mut self, block: &mut [E]) -> usize {
        self.pop_slice(block)
    }
}

/// gil.
#[derive(Debug)]
pub struct Gil;

impl Family for Gil {
    type Sender<E: Pod + Send> = gil::spsc::Sender<E>;
    type Receiver<E: Pod + Send> = gil::spsc::Receiver<E>;
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>) {
        gil::spsc::channel(slots)
    }
}

impl<E: Pod + Send> Sender<E> for gil::spsc::Sender<E> {
    #[inline(always)]
    fn push(&mut self, element: E) -> bool {
        self.try_send(element).is_ok()
    }
    #[inline(always)]
    fn push_some(&mut self, block: &[E]) -> usize {
        let room = self.write_buffer();
        let count = room.len().min(block.len());
        for (place, element) in room.iter_mut().zip(block) {
            place.write(*element);
        }
        // SAFETY: so many elements were written into the buffer that it gave.
        unsafe { self.commit(count) };
        count
    }
}

impl<E: Pod + Send> Receiver<E> for gil::spsc::Receiver<E> {
    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        self.try_recv()
    }
    #[inline(always)]
    fn pop_some(&mut self, block: &mut [E]) -> usize {
        let mut guard = self.read_guard();
        let count = guard.len().min(block.len());
        block[..count].copy_from_slice(&guard.as_slice()[..count]);
        guard.advance(count);
        count
    }
}

/// gil's channel of many.
#[derive(Debug)]
pub struct GilMpmc;

impl Family for GilMpmc {
    const MANY: bool = true;
    type Sender<E: Pod + Send> = gil::mpmc::Sender<E>;
    type Receiver<E: Pod + Send> = gil::mpmc::Receiver<E>;
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>) {
        gil::mpmc::channel(slots)
    }
}

impl<E: Pod + Send> Sender<E> for gil::mpmc::Sender<E> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn push(&mut self, element: E) -> bool {
        self.try_send(element).is_ok()
    }
}

impl<E: Pod + Send> Receiver<E> for gil::mpmc::Receiver<E> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        self.try_recv()
    }
}

/// omango's channel of many.
#[derive(Debug)]
pub struct Omango;

impl Family for Omango {
    const MANY: bool = true;
    type Sender<E: Pod + Send> = omango::queue::mpmc::BSender<E>;
    type Receiver<E: Pod + Send> = omango::queue::mpmc::BReceiver<E>;
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>) {
        omango::queue::mpmc::bounded(u32::try_from(slots.get()).unwrap_or(u32::MAX))
    }
}

impl<E: Pod + Send> Sender<E> for omango::queue::mpmc::BSender<E> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn push(&mut self, element: E) -> bool {
        self.try_send(element).is_ok()
    }
}

impl<E: Pod + Send> Receiver<E> for omango::queue::mpmc::BReceiver<E> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        self.try_recv().ok()
    }
}

/// crossbeam's ArrayQueue.
#[derive(Debug)]
pub struct ArrayQueue;

impl Family for ArrayQueue {
    const MANY: bool = true;
    type Sender<E: Pod + Send> = Arc<crossbeam::queue::ArrayQueue<E>>;
    type Receiver<E: Pod + Send> = Arc<crossbeam::queue::ArrayQueue<E>>;
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>) {
        let queue = Arc::new(crossbeam::queue::ArrayQueue::new(slots.get()));
        (queue.clone(), queue)
    }
}

impl<E: Pod + Send> Sender<E> for Arc<crossbeam::queue::ArrayQueue<E>> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn push(&mut self, element: E) -> bool {
        crossbeam::queue::ArrayQueue::push(self, element).is_ok()
    }
}

impl<E: Pod + Send> Receiver<E> for Arc<crossbeam::queue::ArrayQueue<E>> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        crossbeam::queue::ArrayQueue::pop(self)
    }
}

/// crossbeam's bounded channel.
#[derive(Debug)]
pub struct CrossbeamChannel;

impl Family for CrossbeamChannel {
    const MANY: bool = true;
    type Sender<E: Pod + Send> = crossbeam::channel::Sender<E>;
    type Receiver<E: Pod + Send> = crossbeam::channel::Receiver<E>;
    fn make<E: Pod + Send>(slots: NonZeroUsize) -> (Self::Sender<E>, Self::Receiver<E>) {
        crossbeam::channel::bounded(slots.get())
    }
}

impl<E: Pod + Send> Sender<E> for crossbeam::channel::Sender<E> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn push(&mut self, element: E) -> bool {
        self.try_send(element).is_ok()
    }
}

impl<E: Pod + Send> Receiver<E> for crossbeam::channel::Receiver<E> {
    fn another(&self) -> Option<Self> {
        Some(self.clone())
    }
    #[inline(always)]
    fn pop(&mut self) -> Option<E> {
        self.try_recv().ok()
    }
}
