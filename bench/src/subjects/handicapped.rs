//! Any transport, slower: to see that the gate notices.

use std::time::{Duration, Instant};

use crate::Result;
use crate::board::Poll;
use crate::transport::{Spec, Transport, Tx};

/// A transport whose writer loses some time before each message.
#[derive(Debug)]
pub struct Handicapped<T> {
    inner: T,
    lost: Duration,
}

/// Its writing end.
#[derive(Debug)]
pub struct HandicappedTx<T> {
    inner: T,
    lost: Duration,
}

impl<T: Transport> Transport for Handicapped<T> {
    type Tx<'a>
        = HandicappedTx<T::Tx<'a>>
    where
        T: 'a;
    type Rx<'a>
        = T::Rx<'a>
    where
        T: 'a;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self { inner: T::create(spec)?, lost: Duration::from_nanos(spec.handicap_ns) })
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self { inner: T::join(spec)?, lost: Duration::from_nanos(spec.handicap_ns) })
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Tx<'a>> {
        Ok(HandicappedTx { inner: self.inner.tx(poll)?, lost: self.lost })
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Rx<'a>> {
        self.inner.rx(poll)
    }
}

impl<T: Tx> HandicappedTx<T> {
    fn lose(&self, messages: usize) {
        let (start, lost) = (Instant::now(), self.lost * messages as u32);
        while start.elapsed() < lost {
            std::hint::spin_loop();
        }
    }
}

impl<T: Tx> Tx for HandicappedTx<T> {
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        self.lose(1);
        self.inner.send(size, write)
    }

    fn send_many(&mut self, count: usize, size: usize, write: impl FnMut(usize, &mut [u8])) -> Result<()> {
        self.lose(count);
        self.inner.send_many(count, size, write)
    }

    fn give_up(&mut self) {
        self.inner.give_up();
    }
}
