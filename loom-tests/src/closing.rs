//! The end of the stream of several producers alone: who has not closed, the mark, and one place that is written before.

use std::convert::Infallible;

use crate::algo::openers::Openers;
use crate::algo::stream::{Drained, Stream};
use crate::sync::{AtomicU64, Ordering::Relaxed, relax};

/// What producers that come and close share with whoever is told.
#[derive(Debug)]
pub struct Closing {
    openers: Openers,
    stream: Stream,
    written: AtomicU64,
}

impl Closing {
    /// With a producer in this seat.
    pub fn with(seat: u8) -> Self {
        let closing =
            Self { openers: Openers::default(), stream: Stream::default(), written: AtomicU64::place() };
        closing.openers.join(seat, &closing.stream);
        closing
    }

    /// A producer comes, writes, and closes a while later.
    pub fn come_and_write(&self, seat: u8) {
        self.openers.join(seat, &self.stream);
        self.written.store(1, Relaxed);
        relax();
        self.close(seat);
    }

    /// The producer in this seat closes.
    pub fn close(&self, seat: u8) {
        self.openers.close(seat, &self.stream);
    }

    /// Looks once for an end: of which stream, counted from 0.
    pub fn told(&self) -> Option<u32> {
        let mut told = None;
        let Ok(_) = self.stream.drained_for_one(&mut told, || Ok::<_, Infallible>(Drained::<()>::Ended));
        told.map(|stream| stream >> 2)
    }

    /// What has been written, if the end that was told is one that comes after it.
    pub fn read(&self) -> u64 {
        self.written.load(Relaxed)
    }
}
