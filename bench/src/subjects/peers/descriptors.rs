//! Pipes and sockets: the kernel copies, and blocks.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::board::Poll;
use crate::transport::{Rx, Spec, Transport, Tx};
use crate::{Error, Result};

/// Both ends of a byte stream, and the size of its messages.
#[derive(Debug)]
struct Ends {
    tx: File,
    rx: File,
    size: usize,
}

impl Ends {
    fn new(tx: OwnedFd, rx: OwnedFd, spec: &Spec) -> Self {
        Self { tx: tx.into(), rx: rx.into(), size: spec.size }
    }

    fn tx(&self) -> Result<StreamTx> {
        let file = self.tx.try_clone().map_err(|e| Error::os("dup", e))?;
        Ok(StreamTx { file, buffer: vec![0; self.size] })
    }

    fn rx(&self) -> Result<StreamRx> {
        let file = self.rx.try_clone().map_err(|e| Error::os("dup", e))?;
        Ok(StreamRx { file, buffer: vec![0; self.size] })
    }
}

/// Writes whole messages.
#[derive(Debug)]
pub struct StreamTx {
    file: File,
    buffer: Vec<u8>,
}

/// Reads whole messages.
#[derive(Debug)]
pub struct StreamRx {
    file: File,
    buffer: Vec<u8>,
}

impl Tx for StreamTx {
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let message = &mut self.buffer[..size];
        write(message);
        self.file.write_all(message).map_err(|e| Error::os("write", e))
    }
}

impl Rx for StreamRx {
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.file.read_exact(&mut self.buffer).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => Error::Abandoned,
            _ => Error::os("read", e),
        })?;
        Ok(read(&self.buffer))
    }
}

/// A transport made of two descriptors.
macro_rules! stream {
    ($(#[$doc:meta])* $name:ident, $make:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Ends);

        impl Transport for $name {
            type Tx<'a> = StreamTx;
            type Rx<'a> = StreamRx;

            fn create(spec: &Spec) -> Result<Self> {
                let make: fn() -> Result<(OwnedFd, OwnedFd)> = $make;
                let (tx, rx) = make()?;
                Ok(Self(Ends::new(tx, rx, spec)))
            }

            fn tx<'a>(&'a self, _: Poll<'a>) -> Result<StreamTx> {
                self.0.tx()
            }

            fn rx<'a>(&'a self, _: Poll<'a>) -> Result<StreamRx> {
                self.0.rx()
            }
        }
    };
}

stream!(
    /// pipe(2).
    Pipe,
    || {
        let (rx, tx) = std::io::pipe().map_err(|e| Error::os("pipe", e))?;
        Ok((tx.into(), rx.into()))
    }
);

stream!(
    /// A pair of Unix stream sockets.
    UnixStream,
    || pair(SockType::Stream)
);

stream!(
    /// A TCP connection over loopback, without Nagle's delay.
    Tcp,
    || {
        let doing = |e| Error::os("TCP over loopback", e);
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(doing)?;
        let tx = TcpStream::connect(listener.local_addr().map_err(doing)?).map_err(doing)?;
        let (rx, _) = listener.accept().map_err(doing)?;
        tx.set_nodelay(true).map_err(doing)?;
        Ok((tx.into(), rx.into()))
    }
);

fn pair(kind: SockType) -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)
        .map_err(|e| Error::os("socketpair", e))
}

/// A pair of Unix sockets that keep messages apart.
#[derive(Debug)]
pub struct UnixSeqpacket(Ends);

/// Writes one message with each call.
#[derive(Debug)]
pub struct PacketTx(StreamTx);

/// Reads one message with each call.
#[derive(Debug)]
pub struct PacketRx(StreamRx);

impl Transport for UnixSeqpacket {
    type Tx<'a> = PacketTx;
    type Rx<'a> = PacketRx;

    fn create(spec: &Spec) -> Result<Self> {
        let (tx, rx) = pair(SockType::SeqPacket)?;
        Ok(Self(Ends::new(tx, rx, spec)))
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<PacketTx> {
        self.0.tx().map(PacketTx)
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<PacketRx> {
        self.0.rx().map(PacketRx)
    }
}

impl Tx for PacketTx {
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let StreamTx { file, buffer } = &mut self.0;
        let message = &mut buffer[..size];
        write(message);
        loop {
            match file.write_vectored(&[IoSlice::new(message)]) {
                Ok(sent) if sent == size => return Ok(()),
                Ok(sent) => {
                    return Err(Error::Content(format!("{sent} bytes of a packet of {size} were sent")));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::os("write", error)),
            }
        }
    }
}

impl Rx for PacketRx {
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let StreamRx { file, buffer } = &mut self.0;
        loop {
            match file.read(buffer) {
                Ok(0) => return Err(Error::Abandoned),
                Ok(length) => return Ok(read(&buffer[..length])),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::os("read", error)),
            }
        }
    }
}
