//! Standard input without a second buffer behind our back, and interruptible by Ctrl-C.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd;

use crate::output::Failure;
use crate::patience::Ended;
use crate::signals;

nix::ioctl_read_bad!(bytes_waiting, nix::libc::FIONREAD, nix::libc::c_int);

/// What an unprivileged process may make of a pipe: fewer system calls for a dense stream.
const PIPE_BYTES: nix::libc::c_int = 1 << 20;

/// Why reading or writing a standard stream ended.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The user said stop.
    Stopped,
    /// The reader of standard output went away.
    Gone,
    /// Anything else.
    Failed(Failure),
}

impl From<Ended> for Halt {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Stopped => Self::Stopped,
            Ended::Failed(error) => Self::Failed(error.into()),
        }
    }
}

/// Makes a pipe as large as is allowed; anything but a pipe is left alone.
pub(crate) fn widen(stream: impl AsFd) {
    let small = fcntl(&stream, FcntlArg::F_GETPIPE_SZ).is_ok_and(|bytes| bytes < PIPE_BYTES);
    if small {
        // Refused when the user has many pipes; then it stays as it is.
        let _ = fcntl(&stream, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    }
}

/// Reads what there is, up to the buffer's length; 0 is the end of the input.
pub(crate) fn read(buffer: &mut [u8]) -> Result<usize, Halt> {
    let stdin = io::stdin();
    loop {
        if signals::stopped() {
            return Err(Halt::Stopped);
        }
        match unistd::read(stdin.as_fd(), buffer) {
            Ok(bytes) => return Ok(bytes),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait_readable()?,
            Err(error) => {
                return Err(Halt::Failed(Failure::io("reading standard input", &error.into())));
            }
        }
    }
}

/// Bytes that can be read at once without blocking; 0 if there are none or the stream cannot tell.
pub(crate) fn waiting() -> usize {
    let mut bytes = 0;
    // SAFETY: FIONREAD stores one int through the pointer, which is to a live local int.
    let known = unsafe { bytes_waiting(io::stdin().as_raw_fd(), &raw mut bytes) };
    if known.is_ok() { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Somebody else has made the stream non-blocking: wait for it all the same.
fn wait_readable() -> Result<(), Halt> {
    wait_for(io::stdin().as_fd(), nix::poll::PollFlags::POLLIN, "standard input")
}

/// Waits until a stream is ready or a signal came.
pub(crate) fn wait_for(
    stream: std::os::fd::BorrowedFd<'_>,
    event: nix::poll::PollFlags,
    what: &str,
) -> Result<(), Halt> {
    use nix::poll::{PollFd, PollTimeout, poll};
    match poll(&mut [PollFd::new(stream, event)], PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(Halt::Failed(Failure::io(&format!("waiting for {what}"), &error.into()))),
    }
}

/// Cuts standard input into lines.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes from `start` that are known to hold no newline.
    searched: usize,
    longest: usize,
    number: u64,
    ended: bool,
}

impl Lines {
    /// Lines of up to `longest` bytes.
    pub(crate) fn new(longest: usize) -> Self {
        let buffer = vec![0; 256 << 10];
        Self { buffer, start: 0, end: 0, searched: 0, longest, number: 0, ended: false }
    }

    /// Number of the last line that was returned, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that has been read already, without its newline.
    pub(crate) fn next_buffered(&mut self) -> Option<&[u8]> {
        let unread = &self.buffer[self.start..self.end];
        let (line, consumed) = match memchr::memchr(b'\n', &unread[self.searched..]) {
            Some(at) => (self.searched + at, self.searched + at + 1),
            None if self.ended && !unread.is_empty() => (unread.len(), unread.len()),
            None => {
                self.searched = unread.len();
                return None;
            }
        };
        let line = self.start..self.start + line;
        self.start += consumed;
        self.searched = 0;
        self.number += 1;
        Some(&self.buffer[line])
    }

    /// Reads more of standard input; `false` at its end. Call it when no line is buffered any more.
    pub(crate) fn read_more(&mut self) -> Result<bool, Halt> {
        if self.ended {
            return Ok(false);
        }
        let unread = self.end - self.start;
        if unread > self.longest {
            let message = format!(
                "line {} of standard input has more than the {} bytes that fit in a message of this ring",
                self.number + 1,
                self.longest
            );
            return Err(Halt::Failed(Failure::new(crate::output::Exit::Failure, "TooLarge", message)));
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, unread);
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let bytes = read(&mut self.buffer[self.end..])?;
        self.end += bytes;
        self.ended = bytes == 0;
        // At the end, what is left is the last line.
        Ok(bytes > 0 || unread > 0)
    }
}
