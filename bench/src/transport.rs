//! What is measured: anything that carries messages from one side to another.
//!
//! Drivers ([`drive`](crate::drive)) are generic over these traits, so that every transport does the same
//! work: the writer writes every word of a message where the transport wants it, the reader reads every word
//! where the transport has it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::board::Poll;
use crate::case::WaitName;
use crate::{Error, Result};

/// What a transport is made for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// A directory of this run, in shared memory.
    pub dir: PathBuf,
    /// A name that was not used before, for what the transport makes in there or elsewhere.
    pub name: String,
    /// Message size in bytes, a multiple of 8.
    pub size: usize,
    /// Bytes it shall hold.
    pub capacity: usize,
    /// How both sides wait, where the transport has a choice.
    pub wait: WaitName,
    /// The most messages sent together.
    pub batch: usize,
    /// Nanoseconds lost on purpose before each message, to try out the gate.
    pub handicap_ns: u64,
}

impl Spec {
    /// Messages that the capacity stands for, in transports that count messages.
    pub fn slots(&self) -> usize {
        (self.capacity / self.size).max(2).next_power_of_two()
    }

    /// A file of this transport.
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }
}

/// Carries messages one way. Made before the other side is started; each side then opens its end.
pub trait Transport: Sized + Sync {
    /// The writing end.
    type Tx<'a>: Tx
    where
        Self: 'a;
    /// The reading end.
    type Rx<'a>: Rx
    where
        Self: 'a;

    /// Whether it takes many producers and consumers: then each side may open several ends.
    const MANY: bool = false;

    /// Makes it. No handle of podring may be open yet: the process forks later.
    fn create(spec: &Spec) -> Result<Self>;

    /// Finds what a process in another container made.
    fn join(spec: &Spec) -> Result<Self> {
        Err(Error::Usage(format!("'{}' has no name that another container could find", spec.name)))
    }

    /// Opens a writing end.
    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Tx<'a>>;

    /// Opens a reading end.
    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Rx<'a>>;
}

/// Writes messages.
pub trait Tx {
    /// Sends one message of `size` bytes, which `write` fills; waits for room.
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()>;

    /// Sends `count` messages together, if the transport can; `write` fills each.
    #[inline(always)]
    fn send_many(
        &mut self,
        count: usize,
        size: usize,
        mut write: impl FnMut(usize, &mut [u8]),
    ) -> Result<()> {
        for at in 0..count {
            self.send(size, |bytes| write(at, bytes))?;
        }
        Ok(())
    }

    /// After a failure: the reader must not wait for the rest, if the transport can tell it.
    fn give_up(&mut self) {}
}

/// Gives up if what was done with a writing end has failed.
pub fn or_give_up<T>(tx: &mut impl Tx, done: Result<T>) -> Result<T> {
    if done.is_err() {
        tx.give_up();
    }
    done
}

/// Reads messages.
pub trait Rx {
    /// Waits for one message and shows it.
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R>;

    /// Waits for at least one message and shows those that are there, `most` at most, until `read` has enough.
    /// How many were read: one for which `read` says no is not counted.
    #[inline(always)]
    fn recv_many(&mut self, _most: usize, read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        self.recv(read).map(usize::from)
    }

    /// How often it slept.
    fn parks(&self) -> u64 {
        0
    }
}
