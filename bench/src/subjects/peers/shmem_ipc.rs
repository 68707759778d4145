//! shmem-ipc: elements in a memfd, written and read in place. It blocks by eventfds; here it is polled, and
//! signals nobody.

use shmem_ipc::sharedring::{Receiver, Sender};

use crate::board::Poll;
use crate::subjects::peers::failed;
use crate::transport::{Rx, Spec, Transport, Tx};
use crate::{Error, Result};

const NAME: &str = "shmem-ipc";

/// A ring, made by its sender; both sides attach to its descriptors.
pub struct ShmemIpc<const WORDS: usize> {
    made: Sender<[u64; WORDS]>,
    slots: usize,
}

/// The writing end.
pub struct ShmemIpcTx<'a, const WORDS: usize> {
    sender: Sender<[u64; WORDS]>,
    poll: Poll<'a>,
}

/// The reading end.
pub struct ShmemIpcRx<'a, const WORDS: usize> {
    receiver: Receiver<[u64; WORDS]>,
    poll: Poll<'a>,
}

// SAFETY: after it was made it is only asked for its descriptors, which any thread may duplicate.
unsafe impl<const WORDS: usize> Sync for ShmemIpc<WORDS> {}

impl<const WORDS: usize> ShmemIpc<WORDS> {
    fn descriptors(&self) -> Result<[std::fs::File; 3]> {
        let dup = |file: &std::fs::File| file.try_clone().map_err(|e| Error::os("dup", e));
        Ok([dup(self.made.memfd().as_file())?, dup(self.made.empty_signal())?, dup(self.made.full_signal())?])
    }
}

impl<const WORDS: usize> Transport for ShmemIpc<WORDS> {
    type Tx<'a> = ShmemIpcTx<'a, WORDS>;
    type Rx<'a> = ShmemIpcRx<'a, WORDS>;

    fn create(spec: &Spec) -> Result<Self> {
        let slots = spec.slots();
        Ok(Self { made: Sender::new(slots).map_err(|e| failed(NAME, "creating", e))?, slots })
    }

    fn tx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Tx<'a>> {
        let [memory, empty, full] = self.descriptors()?;
        let sender =
            Sender::open(self.slots, memory, empty, full).map_err(|e| failed(NAME, "attaching", e))?;
        Ok(ShmemIpcTx { sender, poll })
    }

    fn rx<'a>(&'a self, poll: Poll<'a>) -> Result<Self::Rx<'a>> {
        let [memory, empty, full] = self.descriptors()?;
        let receiver =
            Receiver::open(self.slots, memory, empty, full).map_err(|e| failed(NAME, "attaching", e))?;
        Ok(ShmemIpcRx { receiver, poll })
    }
}

impl<const WORDS: usize> ShmemIpcTx<'_, WORDS> {
    #[inline(always)]
    fn write(
        &mut self,
        from: usize,
        count: usize,
        write: &mut impl FnMut(usize, &mut [u8]),
    ) -> Result<usize> {
        let mut sent = 0;
        self.sender
            .sender_mut()
            .send(|place, room| {
                sent = room.min(count - from);
                // SAFETY: `room` elements from `place` on are the sender's, and words may hold anything.
                let elements = unsafe { std::slice::from_raw_parts_mut(place, sent) };
                for (at, element) in elements.iter_mut().enumerate() {
                    write(from + at, bytemuck::cast_slice_mut(element));
                }
                sent
            })
            .map_err(|e| failed(NAME, "sending", e))?;
        Ok(sent)
    }
}

impl<const WORDS: usize> Tx for ShmemIpcTx<'_, WORDS> {
    #[inline(always)]
    fn send(&mut self, _size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut write = Some(write);
        let mut once = |_: usize, bytes: &mut [u8]| {
            if let Some(write) = write.take() {
                write(bytes);
            }
        };
        while self.write(0, 1, &mut once)? == 0 {
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
            match self.write(sent, count, &mut write)? {
                0 => self.poll.again()?,
                some => sent += some,
            }
        }
        Ok(())
    }
}

impl<const WORDS: usize> ShmemIpcRx<'_, WORDS> {
    /// Reads up to `most`; how many there were.
    #[inline(always)]
    fn read(&mut self, most: usize, read: &mut impl FnMut(&[u8])) -> Result<usize> {
        let mut count = 0;
        self.receiver
            .receiver_mut()
            .recv(|place, there| {
                count = there.min(most);
                // SAFETY: `there` elements from `place` on are the receiver's, and were written.
                let elements = unsafe { std::slice::from_raw_parts(place, count) };
                elements.iter().for_each(|element| read(bytemuck::cast_slice(element)));
                count
            })
            .map_err(|e| failed(NAME, "receiving", e))?;
        Ok(count)
    }
}

impl<const WORDS: usize> Rx for ShmemIpcRx<'_, WORDS> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let (mut read, mut result) = (Some(read), None);
        let mut once = |bytes: &[u8]| result = read.take().map(|read| read(bytes));
        while self.read(1, &mut once)? == 0 {
            self.poll.again()?;
        }
        result.ok_or(Error::Abandoned)
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        let (mut right, mut going) = (0, true);
        let mut all = |bytes: &[u8]| {
            going = going && read(bytes);
            right += usize::from(going);
        };
        while self.read(most, &mut all)? == 0 {
            self.poll.again()?;
        }
        Ok(right)
    }
}
