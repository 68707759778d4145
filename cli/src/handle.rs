//! One handle for both kinds of ring: a command that sends or receives need not know how many others do.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use podring::{Peer, Result, Stats, mpmc};

/// Does the same with either kind.
macro_rules! either {
    ($self:expr, $it:ident => $do:expr) => {
        match $self {
            Self::Spsc($it) => $do,
            Self::Mpmc($it) => $do,
        }
    };
}

/// Sends to a ring.
#[derive(Debug)]
pub(crate) enum Producer {
    Spsc(podring::Producer),
    Mpmc(mpmc::Producer),
}

impl Producer {
    pub(crate) fn name(&self) -> &str {
        either!(self, it => it.name())
    }

    pub(crate) fn largest_message(&self) -> usize {
        either!(self, it => it.largest_message())
    }

    pub(crate) fn send_timeout(&mut self, message: &[u8], timeout: Duration) -> Result<()> {
        either!(self, it => it.send_timeout(message, timeout))
    }

    pub(crate) fn claim_timeout(&mut self, len: usize, timeout: Duration) -> Result<Claim<'_>> {
        Ok(match self {
            Self::Spsc(it) => Claim::Spsc(it.claim_timeout(len, timeout)?),
            Self::Mpmc(it) => Claim::Mpmc(it.claim_timeout(len, timeout)?),
        })
    }

    pub(crate) fn batch(&mut self) -> Batch<'_> {
        match self {
            Self::Spsc(it) => Batch::Spsc(it.batch()),
            Self::Mpmc(it) => Batch::Mpmc(it.batch()),
        }
    }

    pub(crate) fn wait_for_peer(&mut self, timeout: Duration) -> Result<Peer> {
        either!(self, it => it.wait_for_peer(timeout))
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        either!(self, it => it.close())
    }
}

/// A place to write a message.
#[derive(Debug)]
pub(crate) enum Claim<'a> {
    Spsc(podring::Claim<'a>),
    Mpmc(mpmc::Claim<'a>),
}

impl Claim<'_> {
    pub(crate) fn commit(self) {
        either!(self, it => it.commit());
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        either!(self, it => it)
    }
}

impl DerefMut for Claim<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        either!(self, it => it)
    }
}

/// Many messages at the price of one: visible at once, or woken for at once.
#[derive(Debug)]
pub(crate) enum Batch<'a> {
    Spsc(podring::Batch<'a>),
    Mpmc(mpmc::Batch<'a>),
}

impl Batch<'_> {
    pub(crate) fn try_send(&mut self, message: &[u8]) -> Result<bool> {
        either!(self, it => it.try_send(message))
    }

    pub(crate) fn try_claim(&mut self, len: usize) -> Result<Option<Claim<'_>>> {
        Ok(match self {
            Self::Spsc(it) => it.try_claim(len)?.map(Claim::Spsc),
            Self::Mpmc(it) => it.try_claim(len)?.map(Claim::Mpmc),
        })
    }

    pub(crate) fn publish(self) {
        either!(self, it => it.publish());
    }
}

/// Receives from a ring.
#[derive(Debug)]
pub(crate) enum Consumer {
    Spsc(podring::Consumer),
    Mpmc(mpmc::Consumer),
}

impl Consumer {
    pub(crate) fn recv_timeout(&mut self, timeout: Duration) -> Result<Message<'_>> {
        Ok(match self {
            Self::Spsc(it) => Message::Spsc(it.recv_timeout(timeout)?),
            Self::Mpmc(it) => Message::Mpmc(it.recv_timeout(timeout)?),
        })
    }

    pub(crate) fn stats(&self) -> Stats {
        either!(self, it => it.stats())
    }
}

/// A message in the ring, acknowledged when it is dropped.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Spsc(podring::Message<'a>),
    Mpmc(mpmc::Message<'a>),
}

impl Message<'_> {
    pub(crate) fn redelivered(&self) -> bool {
        either!(self, it => it.redelivered())
    }

    /// Leaves it to the next consumer.
    pub(crate) fn put_back(self) {
        match self {
            // Of one consumer, what is not released is received again.
            Self::Spsc(it) => mem::forget(it),
            Self::Mpmc(it) => it.put_back(),
        }
    }
}

impl Deref for Message<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        either!(self, it => it)
    }
}
