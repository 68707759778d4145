//! cloudtoid-interprocess: bytes, many on both sides, polled.

use cloudtoid_interprocess::{Error as CloudtoidError, Options, Publisher, Subscriber};

use crate::Result;
use crate::board::Poll;
use crate::subjects::peers::failed;
use crate::transport::{Rx, Spec, Transport, Tx};

const NAME: &str = "cloudtoid-interprocess";

/// A queue: each participant opens an end of its own.
#[derive(Debug)]
pub struct Cloudtoid(Spec);

/// A writing end.
pub struct CloudtoidTx<'a> {
    publisher: Publisher,
    buffer: Vec<u8>,
    poll: Poll<'a>,
}

/// A reading end.
pub struct CloudtoidRx<'a> {
    subscriber: Subscriber,
    buffer: Vec<u8>,
    poll: Poll<'a>,
}

impl Cloudtoid {
    fn options(&self) -> Options {
        Options::new(self.0.name.as_str(), self.0.capacity.max(64)).with_path(&self.0.dir)
    }
}

impl Transport for Cloudtoid {
    const MANY: bool = true;
    type Tx<'a> = CloudtoidTx<'a>;
    type Rx<'a> = CloudtoidRx<'a>;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self(spec.clone()))
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<CloudtoidTx<'a>> {
        let publisher = Publisher::open(&self.options()).map_err(|e| failed(NAME, "opening", e))?;
        Ok(CloudtoidTx { publisher, buffer: vec![0; self.0.size * self.0.batch], poll })
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<CloudtoidRx<'a>> {
        let subscriber = Subscriber::open(&self.options()).map_err(|e| failed(NAME, "opening", e))?;
        Ok(CloudtoidRx { subscriber, buffer: vec![0; self.0.size], poll })
    }
}

impl Tx for CloudtoidTx<'_> {
    #[inline(always)]
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let message = &mut self.buffer[..size];
        write(message);
        loop {
            match self.publisher.try_send(message) {
                Ok(()) => return Ok(()),
                Err(CloudtoidError::Full) => self.poll.again()?,
                Err(error) => return Err(failed(NAME, "sending", error)),
            }
        }
    }

    #[inline(always)]
    fn send_many(
        &mut self,
        count: usize,
        size: usize,
        mut write: impl FnMut(usize, &mut [u8]),
    ) -> Result<()> {
        let block = &mut self.buffer[..count * size];
        for (at, message) in block.chunks_exact_mut(size).enumerate() {
            write(at, message);
        }
        let messages: Vec<&[u8]> = block.chunks_exact(size).collect();
        let mut left = &messages[..];
        while !left.is_empty() {
            match self.publisher.try_send_batch(left) {
                Ok(0) => self.poll.again()?,
                Ok(sent) => left = &left[sent..],
                Err(error) => return Err(failed(NAME, "sending", error)),
            }
        }
        Ok(())
    }
}

impl Rx for CloudtoidRx<'_> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        loop {
            match self.subscriber.try_recv_into(&mut self.buffer) {
                Ok(Some(length)) => return Ok(read(&self.buffer[..length])),
                Ok(None) => self.poll.again()?,
                Err(error) => return Err(failed(NAME, "receiving", error)),
            }
        }
    }
}
