//! Vyukov's bounded queue as it stands, the least that a queue of many has to do: a producer that dies between
//! its claim and its message blocks every consumer for ever.
//!
//! Slot: a sequence word, then the message. `sequence == ticket`: free; `ticket + 1`: written; `ticket + slots`:
//! free for the next lap. Here the word counts from the slot's number, so that zeroed memory is an empty queue.

use std::ffi::c_void;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::Result;
use crate::board::Poll;
use crate::subjects::peers::shared_file::SharedFile;
use crate::transport::{Rx, Spec, Transport, Tx};

const WORD: usize = size_of::<u64>();

/// The queue.
#[derive(Debug)]
pub struct BoundMpmc {
    file: SharedFile,
    size: usize,
}

/// One end.
#[derive(Debug)]
pub struct End<'a> {
    queue: &'a BoundMpmc,
    poll: Poll<'a>,
}

impl Transport for BoundMpmc {
    const MANY: bool = true;
    type Tx<'a> = End<'a>;
    type Rx<'a> = End<'a>;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self { file: SharedFile::open(spec, WORD + spec.size, true)?, size: spec.size })
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self { file: SharedFile::open(spec, WORD + spec.size, false)?, size: spec.size })
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<End<'a>> {
        Ok(End { queue: self, poll })
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<End<'a>> {
        Ok(End { queue: self, poll })
    }
}

impl BoundMpmc {
    #[inline(always)]
    fn sequence(&self, ticket: u64) -> &AtomicU64 {
        let word = self.file.slot(ticket).cast::<c_void>().cast::<AtomicU64>();
        // SAFETY: slots begin on a multiple of 8 with this word, which is only ever used as an atomic.
        unsafe { &*word }
    }

    /// The sequence of a slot, less the slot's number in the first lap.
    #[inline(always)]
    fn lap_of(&self, ticket: u64) -> u64 {
        ticket - (ticket & (self.file.slots() - 1))
    }

    /// The message behind the word.
    #[inline(always)]
    fn message(&self, ticket: u64) -> *mut u8 {
        // SAFETY: a slot is a word longer than a message.
        unsafe { self.file.slot(ticket).add(WORD) }
    }

    /// Takes the next ticket of `index` whose slot is `ready` for it.
    #[inline(always)]
    fn take(&self, index: &AtomicU64, ready: u64, poll: &mut Poll<'_>) -> Result<u64> {
        let mut ticket = index.load(Relaxed);
        loop {
            let ahead = self.sequence(ticket).load(Acquire).wrapping_sub(self.lap_of(ticket) + ready) as i64;
            if ahead == 0 {
                match index.compare_exchange_weak(ticket, ticket + 1, Relaxed, Relaxed) {
                    Ok(_) => return Ok(ticket),
                    Err(now) => ticket = now,
                }
            } else {
                if ahead < 0 {
                    poll.again()?;
                }
                ticket = index.load(Relaxed);
            }
        }
    }
}

impl Tx for End<'_> {
    #[inline(always)]
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let queue = self.queue;
        let [tail, _] = queue.file.lines();
        let ticket = queue.take(&tail.0, 0, &mut self.poll)?;
        // SAFETY: whoever has the ticket of a free slot is alone with it until its sequence says that it is written.
        write(unsafe { std::slice::from_raw_parts_mut(queue.message(ticket), size) });
        queue.sequence(ticket).store(queue.lap_of(ticket) + 1, Release);
        Ok(())
    }
}

impl Rx for End<'_> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let queue = self.queue;
        let [_, head] = queue.file.lines();
        let ticket = queue.take(&head.0, 1, &mut self.poll)?;
        // SAFETY: whoever has the ticket of a written slot is alone with it until its sequence says that it is free.
        let result = read(unsafe { std::slice::from_raw_parts(queue.message(ticket), queue.size) });
        queue.sequence(ticket).store(queue.lap_of(ticket) + queue.file.slots(), Release);
        Ok(result)
    }
}
