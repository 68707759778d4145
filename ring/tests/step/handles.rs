//! Both kinds of rings behind one face, for those who set up and those who survive.

use std::path::Path;
use std::time::Duration;

use podring::{Consumer, Error, Options, Producer, Result, TypedConsumer, TypedOptions, TypedProducer, Wait};

use crate::board::Got;
use crate::message::{Element, bytes_of, element_of, number_of, number_of_element};
use crate::model::Kind;

/// The one ring.
pub(crate) const RING: &str = "ring";

/// Options of the ring: sleeping at once, and looking around often, so that no step is spent on polling.
pub(crate) fn options(dir: &Path) -> Options {
    podring::spsc(RING).dir(dir).wait(Wait::Park).slice(Duration::from_millis(10))
}

pub(crate) fn bytes(dir: &Path) -> Options {
    options(dir).capacity(Kind::Bytes.capacity() as usize)
}

pub(crate) fn typed(dir: &Path) -> TypedOptions<Element> {
    options(dir).typed::<Element>().elements(Kind::Typed.capacity() as usize)
}

pub(crate) enum Sender {
    Bytes(Producer),
    Typed(TypedProducer<Element>),
}

impl Sender {
    pub(crate) fn attach(dir: &Path, kind: Kind) -> Result<Self> {
        match kind {
            Kind::Bytes => bytes(dir).producer().map(Self::Bytes),
            Kind::Typed => typed(dir).producer().map(Self::Typed),
        }
    }

    pub(crate) fn try_send(&mut self, number: u64) -> Result<bool> {
        match self {
            Self::Bytes(tx) => tx.try_send(&bytes_of(number)),
            Self::Typed(tx) => tx.try_send(&element_of(number)),
        }
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        match self {
            Self::Bytes(tx) => tx.close(),
            Self::Typed(tx) => tx.close(),
        }
    }
}

pub(crate) enum Receiver {
    Bytes(Consumer),
    Typed(TypedConsumer<Element>),
}

/// What a look into the ring yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Message(Got),
    Nothing,
    Ended,
}

impl Receiver {
    pub(crate) fn attach(dir: &Path, kind: Kind) -> Result<Self> {
        match kind {
            Kind::Bytes => bytes(dir).consumer().map(Self::Bytes),
            Kind::Typed => typed(dir).consumer().map(Self::Typed),
        }
    }

    pub(crate) fn look(&mut self) -> Result<Look> {
        let got = match self {
            Self::Bytes(rx) => rx.try_recv().map(|message| {
                message.map(|message| Got { number: number_of(&message), marked: message.redelivered() })
            }),
            Self::Typed(rx) => rx.try_recv().map(|element| {
                element.map(|element| Got { number: number_of_element(&element), marked: false })
            }),
        };
        match got {
            Ok(Some(got)) => Ok(Look::Message(got)),
            Ok(None) => Ok(Look::Nothing),
            Err(Error::Closed { .. }) => Ok(Look::Ended),
            Err(error) => Err(error),
        }
    }
}
