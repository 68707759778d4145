//! shaq: elements in shared memory, written and read in place, polled.

use std::fs::{File, OpenOptions};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;

use shaq::spsc::{Consumer, Producer, minimum_file_size};

use crate::board::Poll;
use crate::subjects::peers::failed;
use crate::transport::{Rx, Spec, Transport, Tx};
use crate::{Error, Result};

const NAME: &str = "shaq";

/// A queue.
#[derive(Debug)]
pub struct Shaq<const WORDS: usize>(File);

/// The writing end.
pub struct ShaqTx<'a, const WORDS: usize> {
    producer: Producer<[u64; WORDS]>,
    poll: Poll<'a>,
}

/// The reading end.
pub struct ShaqRx<'a, const WORDS: usize> {
    consumer: Consumer<[u64; WORDS]>,
    poll: Poll<'a>,
}

impl<const WORDS: usize> Transport for Shaq<WORDS> {
    type Tx<'a> = ShaqTx<'a, WORDS>;
    type Rx<'a> = ShaqRx<'a, WORDS>;

    fn create(spec: &Spec) -> Result<Self> {
        let path = spec.path();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::os(format!("making {}", path.display()), e))?;
        let size = minimum_file_size::<[u64; WORDS]>(spec.slots());
        // SAFETY: this is the only initialisation of the file, before anybody joins; words are plain data.
        unsafe { Producer::<[u64; WORDS]>::create(&file, size) }.map_err(|e| failed(NAME, "creating", e))?;
        Ok(Self(file))
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Tx<'a>> {
        // SAFETY: the producer that made the file is gone, and this is the only one that joins.
        let producer = unsafe { Producer::join(&self.0) }.map_err(|e| failed(NAME, "joining", e))?;
        Ok(ShaqTx { producer, poll })
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Rx<'a>> {
        // SAFETY: the only consumer.
        let consumer = unsafe { Consumer::join(&self.0) }.map_err(|e| failed(NAME, "joining", e))?;
        Ok(ShaqRx { consumer, poll })
    }
}

impl<const WORDS: usize> ShaqTx<'_, WORDS> {
    /// Writes as many as there is room for, and publishes them together.
    #[inline(always)]
    fn write(&mut self, from: usize, count: usize, write: &mut impl FnMut(usize, &mut [u8])) -> usize {
        let mut batch = self.producer.write_batch();
        for at in from..count {
            // SAFETY: a reserved place is written before the batch is dropped.
            let Some(place) = (unsafe { batch.try_as_mut() }) else { return at };
            write(at, bytemuck::cast_slice_mut(place.write([0; WORDS])));
        }
        count
    }
}

impl<const WORDS: usize> Tx for ShaqTx<'_, WORDS> {
    #[inline(always)]
    fn send(&mut self, _size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut write = Some(write);
        let mut once = |_: usize, bytes: &mut [u8]| {
            if let Some(write) = write.take() {
                write(bytes);
            }
        };
        while self.write(0, 1, &mut once) == 0 {
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
        let mut sent = 0;
        while sent < count {
            let now = self.write(sent, count, &mut write);
            if now == sent {
                self.poll.again()?;
            }
            sent = now;
        }
        Ok(())
    }
}

impl<const WORDS: usize> Rx for ShaqRx<'_, WORDS> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        loop {
            let batch = self.consumer.try_reserve_read_batch(NonZeroUsize::MIN);
            if let Some(element) = batch.as_ref().and_then(|batch| batch.get(0)) {
                return Ok(read(bytemuck::cast_slice(element)));
            }
            self.poll.again()?;
        }
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        loop {
            if let Some(batch) = self.consumer.try_reserve_read_batch(most) {
                let (first, second) = batch.as_slices();
                let mut count = 0;
                for element in first.iter().chain(second) {
                    if !read(bytemuck::cast_slice(element)) {
                        break;
                    }
                    count += 1;
                }
                return Ok(count);
            }
            self.poll.again()?;
        }
    }
}
