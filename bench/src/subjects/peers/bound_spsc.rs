//! The least that a ring with one producer and one consumer has to do: two indices on lines of their own, each
//! side with a copy of the other's. It knows nothing of death, sleep, lengths or versions.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

use crate::Result;
use crate::board::Poll;
use crate::subjects::peers::shared_file::SharedFile;
use crate::transport::{Rx, Spec, Transport, Tx};

/// The ring.
#[derive(Debug)]
pub struct BoundSpsc {
    file: SharedFile,
    size: usize,
}

/// One end.
#[derive(Debug)]
pub struct End<'a> {
    file: &'a SharedFile,
    tail: &'a AtomicU64,
    head: &'a AtomicU64,
    own: u64,
    seen: u64,
    size: usize,
    poll: Poll<'a>,
}

impl BoundSpsc {
    fn end<'a>(&'a self, poll: Poll<'a>) -> Result<End<'a>> {
        let [tail, head] = self.file.lines();
        Ok(End { file: &self.file, tail: &tail.0, head: &head.0, own: 0, seen: 0, size: self.size, poll })
    }
}

impl Transport for BoundSpsc {
    type Tx<'a> = End<'a>;
    type Rx<'a> = End<'a>;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self { file: SharedFile::open(spec, spec.size, true)?, size: spec.size })
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self { file: SharedFile::open(spec, spec.size, false)?, size: spec.size })
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<End<'a>> {
        self.end(poll)
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<End<'a>> {
        self.end(poll)
    }
}

impl End<'_> {
    /// Waits until the slot of `ticket` is free.
    #[inline(always)]
    fn room(&mut self, ticket: u64) -> Result<()> {
        while ticket - self.seen == self.file.slots() {
            self.seen = self.head.load(Acquire);
            if ticket - self.seen == self.file.slots() {
                self.poll.again()?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn write(&mut self, ticket: u64, size: usize, write: impl FnOnce(&mut [u8])) {
        // SAFETY: a slot between head and tail + slots is the producer's; it is as long as a message.
        write(unsafe { std::slice::from_raw_parts_mut(self.file.slot(ticket), size) });
    }

    #[inline(always)]
    fn message(&self, ticket: u64) -> &[u8] {
        // SAFETY: a slot between head and tail is the consumer's until head passes it.
        unsafe { std::slice::from_raw_parts(self.file.slot(ticket), self.size) }
    }

    /// Waits until there is something to read.
    #[inline(always)]
    fn something(&mut self) -> Result<()> {
        while self.seen == self.own {
            self.seen = self.tail.load(Acquire);
            if self.seen == self.own {
                self.poll.again()?;
            }
        }
        Ok(())
    }
}

impl Tx for End<'_> {
    #[inline(always)]
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        self.room(self.own)?;
        self.write(self.own, size, write);
        self.own += 1;
        self.tail.store(self.own, Release);
        Ok(())
    }

    #[inline(always)]
    fn send_many(
        &mut self,
        count: usize,
        size: usize,
        mut write: impl FnMut(usize, &mut [u8]),
    ) -> Result<()> {
        for at in 0..count {
            if self.own - self.seen == self.file.slots() {
                // What is written must be seen before there can be room.
                self.tail.store(self.own, Release);
                self.room(self.own)?;
            }
            self.write(self.own, size, |bytes| write(at, bytes));
            self.own += 1;
        }
        self.tail.store(self.own, Release);
        Ok(())
    }
}

impl Rx for End<'_> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.something()?;
        let result = read(self.message(self.own));
        self.own += 1;
        self.head.store(self.own, Release);
        Ok(result)
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        self.something()?;
        let first = self.own;
        let end = self.seen.min(first + most as u64);
        while self.own < end && read(self.message(self.own)) {
            self.own += 1;
        }
        let count = (self.own - first) as usize;
        self.head.store(self.own, Release);
        Ok(count)
    }
}
