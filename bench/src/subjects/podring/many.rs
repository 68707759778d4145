//! podring's rings with many participants: of bytes in place, and of elements.

use podring::{Mpmc, PeerLoss, TypedOptions, mpmc};

use super::Named;
use crate::Result;
use crate::board::Poll;
use crate::transport::{Rx, Spec, Transport, Tx};

fn options(spec: &Spec) -> podring::Options<Mpmc> {
    podring::mpmc(spec.name.as_str()).dir(&spec.dir).wait(spec.wait.into()).peer_loss(PeerLoss::Report)
}

/// A ring with many participants: `claim` and `commit`, or `batch().claim`; borrowed `recv`, or `drain`.
#[derive(Debug)]
pub struct Many(Named);

/// A writing end of [`Many`].
#[derive(Debug)]
pub struct ManyTx(mpmc::Producer);

/// A reading end of [`Many`].
#[derive(Debug)]
pub struct ManyRx(mpmc::Consumer);

impl Many {
    fn options(&self) -> podring::Options<Mpmc> {
        let spec = &self.0.spec;
        options(spec).slots(spec.slots()).largest_message(spec.size)
    }
}

impl Transport for Many {
    const MANY: bool = true;
    type Tx<'a> = ManyTx;
    type Rx<'a> = ManyRx;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: true }))
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: false }))
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<ManyTx> {
        Ok(ManyTx(self.options().producer()?))
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<ManyRx> {
        Ok(ManyRx(self.options().consumer()?))
    }
}

impl Tx for ManyTx {
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

impl Rx for ManyRx {
    #[inline(always)]
    fn recv<R>(&mut self, read: impl FnOnce(&[u8]) -> R) -> Result<R> {
        Ok(read(&self.0.recv()?))
    }

    #[inline(always)]
    fn recv_many(&mut self, most: usize, mut read: impl FnMut(&[u8]) -> bool) -> Result<usize> {
        let mut drain = self.0.drain()?;
        let mut count = 0;
        while count < most {
            match drain.next()? {
                Some(message) if read(message) => count += 1,
                _ => break,
            }
        }
        Ok(count)
    }

    fn parks(&self) -> u64 {
        self.0.stats().parks
    }
}

/// A ring of elements of `WORDS` words with many participants: `send` and `recv`, or `send_all` and `recv_many`.
#[derive(Debug)]
pub struct TypedMany<const WORDS: usize>(Named);

impl<const WORDS: usize> TypedMany<WORDS> {
    fn options(&self) -> TypedOptions<[u64; WORDS], Mpmc> {
        let spec = &self.0.spec;
        options(spec).typed().type_name("words").elements(spec.slots())
    }
}

/// A writing end of [`TypedMany`].
#[derive(Debug)]
pub struct TypedManyTx<const WORDS: usize> {
    tx: mpmc::TypedProducer<[u64; WORDS]>,
    block: Vec<[u64; WORDS]>,
}

/// A reading end of [`TypedMany`].
#[derive(Debug)]
pub struct TypedManyRx<const WORDS: usize> {
    rx: mpmc::TypedConsumer<[u64; WORDS]>,
    block: Vec<[u64; WORDS]>,
}

impl<const WORDS: usize> Transport for TypedMany<WORDS> {
    const MANY: bool = true;
    type Tx<'a> = TypedManyTx<WORDS>;
    type Rx<'a> = TypedManyRx<WORDS>;

    fn create(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: true }))
    }

    fn join(spec: &Spec) -> Result<Self> {
        Ok(Self(Named { spec: spec.clone(), made: false }))
    }

    fn tx<'a>(&'a self, _: Poll<'a>) -> Result<TypedManyTx<WORDS>> {
        Ok(TypedManyTx { tx: self.options().producer()?, block: vec![[0; WORDS]; self.0.spec.batch] })
    }

    fn rx<'a>(&'a self, _: Poll<'a>) -> Result<TypedManyRx<WORDS>> {
        Ok(TypedManyRx { rx: self.options().consumer()?, block: vec![[0; WORDS]; self.0.spec.batch] })
    }
}

impl<const WORDS: usize> Tx for TypedManyTx<WORDS> {
    #[inline(always)]
    fn send(&mut self, _size: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
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

impl<const WORDS: usize> Rx for TypedManyRx<WORDS> {
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
