//! podring's own rings: of bytes, copied or in place, of elements, and with many participants.

pub mod many;

use podring::{Consumer, PeerLoss, Producer, TypedConsumer, TypedOptions, TypedProducer};

use crate::board::Poll;
use crate::content;
use crate::transport::{Rx, Spec, Transport, Tx};
use crate::{Error, Result};

fn options(spec: &Spec) -> podring::Options {
    podring::spsc(spec.name.as_str())
        .dir(&spec.dir)
        .capacity(spec.capacity)
        .wait(spec.wait.into())
        .peer_loss(PeerLoss::Report)
}

/// A ring's name; its file goes with the one who made it.
#[derive(Debug)]
struct Named {
    spec: Spec,
    made: bool,
}

impl Drop for Named {
    fn drop(&mut self) {
        if self.made {
            // Not there if it was never opened; anything else is the directory's removal to report.
            let _ = std::fs::remove_file(self.spec.path());
        }
    }
}

/// A byte ring: `claim` and `commit`, or `batch().claim`; borrowed `recv`, or `drain`.
#[derive(Debug)]
pub struct InPlace(Named);

/// A byte ring: `send` and `recv_into`, or `batch().send` and `drain`.
#[derive(Debug)]
pub struct Copied(Named);

/// A ring of elements of `WORDS` words: `send` and `recv`, or `send_all` and `recv_many`.
#[derive(Debug)]
pub struct Typed<const WORDS: usize>(Named);

/// The writing end of [`InPlace`].
#[derive(Debug)]
pub struct InPlaceTx(Producer);

/// The reading end of [`InPlace`].
#[derive(Debug)]
pub struct InPlaceRx(Consumer);

impl Transport for InPlace {
    type Tx<'a> = InPlaceTx;
    type Rx<'a> = InPlaceRx;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: true }))
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: false }))
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<InPlaceTx> {
        Ok(InPlaceTx(options(&self.0.spec).producer()?))
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<InPlaceRx> {
        Ok(InPlaceRx(options(&self.0.spec).consumer()?))
    }
}

impl Tx for InPlaceTx {
    #[inline(always)]
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut claim = self.0.claim(size)?;
        write(&mut claim);
        claim.commit();
        Ok(())
    }

    #[inline(always)]
    fn send_many(
        &mut self,
        count: usize,
        size: usize,
        mut write: impl FnMut(usize, &mut [u8]),
    ) -> Result<()> {
        let mut batch = self.0.batch();
        for at in 0..count {
            let mut claim = batch.claim(size)?;
            write(at, &mut claim);
            claim.commit();
        }
        batch.publish();
        Ok(())
    }

    fn give_up(&mut self) {
        // The error to tell is the one before.
        let _ = self.0.close();
    }
}

impl Rx for InPlaceRx {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        Ok(read(&self.0.recv()?))
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        drain(&mut self.0, most, read)
    }

    fn parks(&self) -> u64 {
        self.0.stats().parks
    }
}

#[inline(always)]
fn drain(rx: &mut Consumer, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
    let mut drain = rx.drain()?;
    let mut count = 0;
    while count < most {
        match drain.next()? {
            Some(message) if read(message) => count += 1,
            _ => break,
        }
    }
    Ok(count)
}

/// The writing end of [`Copied`].
#[derive(Debug)]
pub struct CopiedTx {
    tx: Producer,
    buffer: Vec<u8>,
}

/// The reading end of [`Copied`].
#[derive(Debug)]
pub struct CopiedRx {
    rx: Consumer,
    buffer: Vec<u8>,
}

impl Transport for Copied {
    type Tx<'a> = CopiedTx;
    type Rx<'a> = CopiedRx;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: true }))
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: false }))
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<CopiedTx> {
        Ok(CopiedTx { tx: options(&self.0.spec).producer()?, buffer: vec![0; self.0.spec.size] })
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<CopiedRx> {
        Ok(CopiedRx { rx: options(&self.0.spec).consumer()?, buffer: vec![0; self.0.spec.size] })
    }
}

impl Tx for CopiedTx {
    #[inline(always)]
    fn send(&mut self, size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let message = &mut self.buffer[..size];
        write(message);
        Ok(self.tx.send(message)?)
    }

    #[inline(always)]
    fn send_many(
        &mut self,
        count: usize,
        size: usize,
        mut write: impl FnMut(usize, &mut [u8]),
    ) -> Result<()> {
        let message = &mut self.buffer[..size];
        let mut batch = self.tx.batch();
        for at in 0..count {
            write(at, message);
            batch.send(message)?;
        }
        batch.publish();
        Ok(())
    }

    fn give_up(&mut self) {
        // The error to tell is the one before.
        let _ = self.tx.close();
    }
}

impl Rx for CopiedRx {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let length = self.rx.recv_into(&mut self.buffer)?;
        Ok(read(&self.buffer[..length]))
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        drain(&mut self.rx, most, read)
    }

    fn parks(&self) -> u64 {
        self.rx.stats().parks
    }
}

impl<const WORDS: usize> Typed<WORDS> {
    fn options(&self) -> TypedOptions<[u64; WORDS]> {
        let spec = &self.0.spec;
        options(spec).typed().type_name("words").elements((spec.capacity / spec.size).max(2))
    }
}

/// Elements of up to so many words are put together where they are sent, as a user's would be; the compiler may then keep
/// them in registers.
const LOCAL_WORDS: usize = 32;

/// The writing end of [`Typed`].
#[derive(Debug)]
pub struct TypedTx<const WORDS: usize> {
    tx: TypedProducer<[u64; WORDS]>,
    element: [u64; WORDS],
    block: Vec<[u64; WORDS]>,
}

/// The reading end of [`Typed`].
#[derive(Debug)]
pub struct TypedRx<const WORDS: usize> {
    rx: TypedConsumer<[u64; WORDS]>,
    block: Vec<[u64; WORDS]>,
}

impl<const WORDS: usize> Transport for Typed<WORDS> {
    type Tx<'a> = TypedTx<WORDS>;
    type Rx<'a> = TypedRx<WORDS>;

    fn create(spec: &Spec) -> Result<Self> {
        match WORDS * 8 == spec.size {
            true => Ok(Self(Named { spec: spec.clone(), made: true })),
            false => Err(Error::Usage(format!(
                "no element of {} bytes is known here; there are {:?}",
                spec.size,
                content::SIZES
            ))),
        }
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: false }))
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<TypedTx<WORDS>> {
        Ok(TypedTx {
            tx: self.options().producer()?,
            element: [0; WORDS],
            block: vec![[0; WORDS]; self.0.spec.batch],
        })
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<TypedRx<WORDS>> {
        Ok(TypedRx { rx: self.options().consumer()?, block: vec![[0; WORDS]; self.0.spec.batch] })
    }
}

impl<const WORDS: usize> Tx for TypedTx<WORDS> {
    #[inline(always)]
    fn send(&mut self, _size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        if WORDS > LOCAL_WORDS {
            write(bytemuck::cast_slice_mut(&mut self.element));
            return Ok(self.tx.send(&self.element)?);
        }
        let mut element = [0; WORDS];
        write(bytemuck::cast_slice_mut(&mut element));
        Ok(self.tx.send(&element)?)
    }

    #[inline(always)]
    fn send_many(
        &mut self,
        count: usize,
        _size: usize,
        mut write: impl FnMut(usize, &mut [u8]),
    ) -> Result<()> {
        let block = &mut self.block[..count];
        for (at, element) in block.iter_mut().enumerate() {
            write(at, bytemuck::cast_slice_mut(element));
        }
        Ok(self.tx.send_all(block)?)
    }

    fn give_up(&mut self) {
        // The error to tell is the one before.
        let _ = self.tx.close();
    }
}

impl<const WORDS: usize> Rx for TypedRx<WORDS> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        Ok(read(bytemuck::cast_slice(&self.rx.recv()?)))
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        let most = most.min(self.block.len());
        let count = self.rx.recv_many(&mut self.block[..most])?;
        for (at, element) in self.block[..count].iter().enumerate() {
            if !read(bytemuck::cast_slice(element)) {
                return Ok(at);
            }
        }
        Ok(count)
    }

    fn parks(&self) -> u64 {
        self.rx.stats().parks
    }
}

/// A ring of elements of `WORDS` words: `claim` and `drain`, of one or of many.
#[derive(Debug)]
pub struct TypedInPlace<const WORDS: usize>(Typed<WORDS>);

/// The writing end of [`TypedInPlace`].
#[derive(Debug)]
pub struct TypedInPlaceTx<const WORDS: usize>(TypedProducer<[u64; WORDS]>);

/// The reading end of [`TypedInPlace`].
#[derive(Debug)]
pub struct TypedInPlaceRx<const WORDS: usize>(TypedConsumer<[u64; WORDS]>);

impl<const WORDS: usize> Transport for TypedInPlace<WORDS> {
    type Tx<'a> = TypedInPlaceTx<WORDS>;
    type Rx<'a> = TypedInPlaceRx<WORDS>;

    fn create(spec: &Spec) -> Result<Self> {
        Typed::create(spec).map(Self)
    }

    fn join(spec: &Spec) -> Result<Self> {
        Typed::join(spec).map(Self)
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<TypedInPlaceTx<WORDS>> {
        Ok(TypedInPlaceTx(self.0.options().producer()?))
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<TypedInPlaceRx<WORDS>> {
        Ok(TypedInPlaceRx(self.0.options().consumer()?))
    }
}

impl<const WORDS: usize> Tx for TypedInPlaceTx<WORDS> {
    #[inline(always)]
    fn send(&mut self, _size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let mut places = self.0.claim(1)?;
        write(bytemuck::cast_slice_mut(&mut places[0]));
        places.commit();
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
            let mut places = self.0.claim(count - sent)?;
            for place in places.iter_mut() {
                write(sent, bytemuck::cast_slice_mut(place));
                sent += 1;
            }
            places.commit();
        }
        Ok(())
    }

    fn give_up(&mut self) {
        // The error to tell is the one before.
        let _ = self.0.close();
    }
}

impl<const WORDS: usize> Rx for TypedInPlaceRx<WORDS> {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        Ok(read(bytemuck::cast_slice(&self.0.drain(1)?[0])))
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        let elements = self.0.drain(most)?;
        Ok(elements.iter().take_while(|element| read(bytemuck::cast_slice(*element))).count())
    }

    fn parks(&self) -> u64 {
        self.0.stats().parks
    }
}
