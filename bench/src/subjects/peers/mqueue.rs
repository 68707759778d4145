//! A POSIX message queue: ten messages deep, unless fs.mqueue.msg_max was raised.

use nix::errno::Errno;
use nix::mqueue::{
    MQ_OFlag, MqAttr, MqdT, mq_attr_member_t, mq_close, mq_open, mq_receive, mq_send, mq_unlink,
};
use nix::sys::stat::Mode;

use crate::board::Poll;
use crate::transport::{Rx, Spec, Transport, Tx};
use crate::{Error, Result};

const DEPTH: mq_attr_member_t = 10;

/// A queue; its name goes with it.
#[derive(Debug)]
pub struct Mqueue {
    name: String,
    size: usize,
}

/// One end.
#[derive(Debug)]
pub struct End {
    queue: Option<MqdT>,
    buffer: Vec<u8>,
}

impl Mqueue {
    fn open(&self, flags: MQ_OFlag) -> Result<End> {
        let attributes = MqAttr::new(0, DEPTH, self.size as mq_attr_member_t, 0);
        let queue = mq_open(self.name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR, Some(&attributes))
            .map_err(|e| Error::os(format!("mq_open {}", self.name), e))?;
        Ok(End { queue: Some(queue), buffer: vec![0; self.size] })
    }
}

impl Drop for Mqueue {
    fn drop(&mut self) {
        let _ = mq_unlink(self.name.as_str());
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            let _ = mq_close(queue);
        }
    }
}

impl Transport for Mqueue {
    type Tx<'a> = End;
    type Rx<'a> = End;

    fn create(spec: &Spec) -> Result<Self> {
        let run = spec.dir.file_name().unwrap_or_default().to_string_lossy();
        let queue = Self { name: format!("/{run}.{}", spec.name), size: spec.size };
        queue.open(MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDWR | MQ_OFlag::O_CLOEXEC)?;
        Ok(queue)
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<End> {
        self.open(MQ_OFlag::O_WRONLY | MQ_OFlag::O_CLOEXEC)
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<End> {
        self.open(MQ_OFlag::O_RDONLY | MQ_OFlag::O_CLOEXEC)
    }
}

impl Tx for End {
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let Some(queue) = &self.queue else { return Err(Error::Abandoned) };
        let message = &mut self.buffer[..size];
        write(message);
        loop {
            match mq_send(queue, message, 0) {
                Err(Errno::EINTR) => {}
                sent => return sent.map_err(|e| Error::os("mq_send", e)),
            }
        }
    }
}

impl Rx for End {
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let Some(queue) = &self.queue else { return Err(Error::Abandoned) };
        loop {
            match mq_receive(queue, &mut self.buffer, &mut 0) {
                Ok(length) => return Ok(read(&self.buffer[..length])),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Error::os("mq_receive", error)),
            }
        }
    }
}
