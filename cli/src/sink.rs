//! Standard output for data: large writes, interruptible by Ctrl-C, a closed pipe told from a failure.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;

use crate::input::{Halt, wait_for, widen};
use crate::output::Failure;
use crate::signals;

/// Small messages are collected up to this before they are written.
const BUFFER: usize = 64 << 10;
/// From this length on a message is written from where it is.
const DIRECT: usize = 16 << 10;

/// Collects small pieces and writes large ones at once.
#[derive(Debug)]
pub(crate) struct Sink {
    buffer: Vec<u8>,
}

impl Sink {
    pub(crate) fn new() -> Self {
        widen(io::stdout());
        Self { buffer: Vec::with_capacity(BUFFER) }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        if bytes.len() >= DIRECT {
            self.flush()?;
            return write(bytes);
        }
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The buffer itself, for what is written piece by piece; to be followed by [`Sink::settle`].
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes the buffer if it has become large.
    pub(crate) fn settle(&mut self) -> Result<(), Halt> {
        if self.buffer.len() > BUFFER { self.flush() } else { Ok(()) }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Halt> {
        let result = write(&self.buffer);
        self.buffer.clear();
        result
    }
}

fn write(mut bytes: &[u8]) -> Result<(), Halt> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match unistd::write(stdout.as_fd(), bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) if signals::stopped() => return Err(Halt::Stopped),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if signals::stopped() => return Err(Halt::Stopped),
            Err(Errno::EAGAIN) => wait_for(stdout.as_fd(), PollFlags::POLLOUT, "standard output")?,
            Err(Errno::EPIPE) => return Err(Halt::Gone),
            Err(error) => {
                return Err(Halt::Failed(Failure::io("writing to standard output", &error.into())));
            }
        }
    }
    Ok(())
}

/// Whether the reader of standard output has gone away, which a program that writes nothing would not hear.
pub(crate) fn reader_is_gone() -> bool {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}
