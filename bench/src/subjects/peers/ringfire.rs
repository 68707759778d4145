//! ringfire: elements in shared memory, lossless, polled.

use ringfire::{FlowControl, RingConsumer, RingConsumerBuilder, RingProducer, RingProducerBuilder};

use crate::Result;
use crate::board::Poll;
use crate::subjects::peers::failed;
use crate::transport::{Rx, Spec, Transport, Tx};

const NAME: &str = "ringfire";

/// A ring.
#[derive(Debug)]
pub struct Ringfire<const WORDS: usize>(Spec);

/// The writing end.
pub struct RingfireTx<'a, const WORDS: usize> {
    producer: RingProducer<[u64; WORDS]>,
    element: [u64; WORDS],
    block: Vec<[u64; WORDS]>,
    poll: Poll<'a>,
}

/// The reading end.
pub struct RingfireRx<'a, const WORDS: usize> {
    consumer: RingConsumer<[u64; WORDS]>,
    block: Vec<[u64; WORDS]>,
    poll: Poll<'a>,
}

impl<const WORDS: usize> Transport for Ringfire<WORDS> {
    type Tx<'a> = RingfireTx<'a, WORDS>;
    type Rx<'a> = RingfireRx<'a, WORDS>;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self(spec.clone()))
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Tx<'a>> {
        let producer = RingProducerBuilder::new(self.0.slots() as u64)
            .flow_control(FlowControl::LosslessBackpressure)
            .build(self.0.path())
            .map_err(|e| failed(NAME, "creating", e))?;
        Ok(RingfireTx { producer, element: [0; WORDS], block: vec![[0; WORDS]; self.0.batch], poll })
    }

    fn rx<'a>(&'a self, mut poll: Poll<'a>) -> Result<Self::Rx<'a>> {
        // Only the producer makes the file, and only a complete one can be attached to.
        let consumer = loop {
            match RingConsumerBuilder::new().start_from_oldest().attach(self.0.path()) {
                Ok(consumer) => break consumer,
                Err(_) => poll.again()?,
            }
        };
        Ok(RingfireRx { consumer, block: vec![[0; WORDS]; self.0.batch], poll })
    }
}

impl<const WORDS: usize> Tx for RingfireTx<'_, WORDS>
where
    [u64; WORDS]: bytemuck::Pod,
{
    #[inline(always)]
    fn send(&mut self, _size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        write(bytemuck::cast_slice_mut(&mut self.element));
        while self.producer.try_push(&self.element).is_err() {
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
        self.producer.push_batch(&self.block[..count]);
        Ok(())
    }
}

impl<const WORDS: usize> Rx for RingfireRx<'_, WORDS>
where
    [u64; WORDS]: bytemuck::Pod,
{
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        loop {
            if let Some(element) = self.consumer.try_recv() {
                return Ok(read(bytemuck::cast_slice(&element)));
            }
            self.poll.again()?;
        }
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        let most = most.min(self.block.len());
        let count = loop {
            match self.consumer.recv_batch(&mut self.block[..most]) {
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
