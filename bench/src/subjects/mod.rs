//! All transports that can be measured, and what is known of each.

pub mod handicapped;
#[cfg(feature = "peers")]
pub mod peers;
pub mod podring;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::case::{Case, Place, WaitName};
use crate::content;
use crate::transport::Transport;
use crate::{Error, Result};

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Byte ring, written and read in place
    Podring,
    /// Byte ring, copied in and out
    PodringCopy,
    /// Ring of elements, copied in and out
    PodringTyped,
    /// Ring of elements, written and read in place
    PodringTypedInPlace,
    /// Ring with many participants, written and read in place
    PodringMpmc,
    /// Ring of elements with many participants
    PodringMpmcTyped,
    /// pipe(2)
    #[cfg(feature = "peers")]
    Pipe,
    /// Unix stream socket
    #[cfg(feature = "peers")]
    UnixStream,
    /// Unix sequenced-packet socket
    #[cfg(feature = "peers")]
    UnixSeqpacket,
    /// POSIX message queue
    #[cfg(feature = "peers")]
    Mqueue,
    /// TCP over loopback
    #[cfg(feature = "peers")]
    Tcp,
    /// iceoryx2, publish and subscribe
    #[cfg(feature = "peers")]
    Iceoryx2,
    /// ringfire, lossless
    #[cfg(feature = "peers")]
    Ringfire,
    /// shaq
    #[cfg(feature = "peers")]
    Shaq,
    /// cloudtoid-interprocess
    #[cfg(feature = "peers")]
    Cloudtoid,
    /// shmem-ipc
    #[cfg(feature = "peers")]
    ShmemIpc,
    /// rtrb, in one process
    #[cfg(feature = "peers")]
    Rtrb,
    /// ringbuf, in one process
    #[cfg(feature = "peers")]
    Ringbuf,
    /// gil, in one process
    #[cfg(feature = "peers")]
    Gil,
    /// gil's MPMC channel, in one process
    #[cfg(feature = "peers")]
    GilMpmc,
    /// omango's MPMC channel, in one process
    #[cfg(feature = "peers")]
    Omango,
    /// crossbeam's ArrayQueue, in one process
    #[cfg(feature = "peers")]
    ArrayQueue,
    /// crossbeam's bounded channel, in one process
    #[cfg(feature = "peers")]
    CrossbeamChannel,
    /// Bound: a plain ring with cached indices
    #[cfg(feature = "peers")]
    BoundSpsc,
    /// Bound: Vyukov's queue as it stands
    #[cfg(feature = "peers")]
    BoundMpmc,
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// podring's.
    Own,
    /// What a user might take instead.
    Peer,
    /// The least that such a thing has to do: no recovery, no waiting, no checks.
    Bound,
}

/// What is known of a transport.
#[derive(Debug, Clone, Copy)]
struct Facts {
    name: &'static str,
    kind: Kind,
    places: &'static [Place],
    /// How it can be told to wait.
    waits: &'static [WaitName],
    /// Which messages it carries.
    sizes: Sizes,
    /// Whether several messages can be published or released together.
    batches: bool,
    /// Whether it takes many producers and consumers.
    many: bool,
}

/// Which messages a transport carries.
#[derive(Debug, Clone, Copy)]
enum Sizes {
    /// Bytes up to this many.
    UpTo(usize),
    /// Elements of a type, which exist only for these sizes.
    Elements(&'static [usize]),
}

/// Elements of rings of many: each has code of its own, which takes its time to compile.
const MANY_SIZES: &[usize] = &[8, 16, 64, 256];
/// Elements in place, for the same reason.
const IN_PLACE_SIZES: &[usize] = &[8, 64, 256, 1024];

const ANYWHERE: &[Place] = &[Place::Thread, Place::Process, Place::Container];
const ANY_WAIT: &[WaitName] = &[WaitName::Spin, WaitName::Adaptive, WaitName::Park];

const OWN: Facts = Facts {
    name: "",
    kind: Kind::Own,
    places: ANYWHERE,
    waits: ANY_WAIT,
    sizes: Sizes::UpTo(usize::MAX),
    batches: true,
    many: false,
};

/// A peer between processes, of bytes.
#[cfg(feature = "peers")]
const PEER: Facts = Facts {
    kind: Kind::Peer,
    places: &[Place::Thread, Place::Process],
    waits: &[WaitName::Spin],
    batches: false,
    ..OWN
};

/// A peer inside one process, of elements.
#[cfg(feature = "peers")]
const INSIDE: Facts = Facts { places: &[Place::Thread], sizes: Sizes::Elements(&[8, 64]), ..PEER };

/// The same with many participants.
#[cfg(feature = "peers")]
const INSIDE_MANY: Facts = Facts { many: true, sizes: Sizes::Elements(MANY_SIZES), ..INSIDE };

impl Subject {
    fn facts(self) -> Facts {
        match self {
            Self::Podring => Facts { name: "podring", ..OWN },
            Self::PodringCopy => Facts { name: "podring-copy", ..OWN },
            Self::PodringTyped => {
                Facts { name: "podring-typed", sizes: Sizes::Elements(&content::SIZES), ..OWN }
            }
            Self::PodringTypedInPlace => {
                Facts { name: "podring-typed-in-place", sizes: Sizes::Elements(IN_PLACE_SIZES), ..OWN }
            }
            Self::PodringMpmc => Facts { name: "podring-mpmc", many: true, ..OWN },
            Self::PodringMpmcTyped => {
                Facts { name: "podring-mpmc-typed", sizes: Sizes::Elements(MANY_SIZES), many: true, ..OWN }
            }
            #[cfg(feature = "peers")]
            peer => peer.facts_of_peer(),
        }
    }

    #[cfg(feature = "peers")]
    fn facts_of_peer(self) -> Facts {
        let blocking = Facts { waits: &[WaitName::Own], ..PEER };
        let shared_elements = Facts { sizes: Sizes::Elements(&[8, 64, 1024]), batches: true, ..PEER };
        let bound = Facts { kind: Kind::Bound, places: ANYWHERE, batches: true, ..PEER };
        match self {
            Self::Pipe => Facts { name: "pipe", ..blocking },
            Self::UnixStream => Facts { name: "unix-stream", ..blocking },
            // One packet is one piece of kernel memory, of limited length.
            Self::UnixSeqpacket => {
                Facts { name: "unix-seqpacket", sizes: Sizes::UpTo(128 << 10), ..blocking }
            }
            // fs.mqueue.msgsize_max, unless it was raised.
            Self::Mqueue => Facts { name: "mqueue", sizes: Sizes::UpTo(8192), ..blocking },
            Self::Tcp => Facts { name: "tcp", ..blocking },
            Self::Iceoryx2 => Facts { name: "iceoryx2", ..PEER },
            Self::Ringfire => Facts { name: "ringfire", ..shared_elements },
            Self::Shaq => Facts { name: "shaq", ..shared_elements },
            Self::Cloudtoid => Facts { name: "cloudtoid", batches: true, many: true, ..PEER },
            Self::ShmemIpc => Facts { name: "shmem-ipc", ..shared_elements },
            Self::Rtrb => Facts { name: "rtrb", batches: true, ..INSIDE },
            Self::Ringbuf => Facts { name: "ringbuf", batches: true, ..INSIDE },
            Self::Gil => Facts { name: "gil", batches: true, ..INSIDE },
            Self::GilMpmc => Facts { name: "gil-mpmc", ..INSIDE_MANY },
            Self::Omango => Facts { name: "omango", ..INSIDE_MANY },
            Self::ArrayQueue => Facts { name: "array-queue", ..INSIDE_MANY },
            Self::CrossbeamChannel => Facts { name: "crossbeam-channel", ..INSIDE_MANY },
            Self::BoundSpsc => Facts { name: "bound-spsc", ..bound },
            Self::BoundMpmc => Facts { name: "bound-mpmc", batches: false, many: true, ..bound },
            own => unreachable!("{own:?} is no peer"),
        }
    }

    /// Every transport of this build.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Whose it is.
    pub fn kind(self) -> Kind {
        self.facts().kind
    }

    /// Where the other side may be.
    pub fn places(self) -> &'static [Place] {
        self.facts().places
    }

    /// How it can be told to wait.
    pub fn waits(self) -> &'static [WaitName] {
        self.facts().waits
    }

    /// Whether it carries messages of this size.
    pub fn has_size(self, size: usize) -> bool {
        match self.facts().sizes {
            Sizes::UpTo(largest) => size <= largest,
            Sizes::Elements(sizes) => sizes.contains(&size),
        }
    }

    /// Whether several messages can be published or released together.
    pub fn has_batches(self) -> bool {
        self.facts().batches
    }

    /// Whether it takes many producers and consumers.
    pub fn is_many(self) -> bool {
        self.facts().many
    }
}

/// Something to do with a transport whose type is known when compiling, and with the number of words of its
/// messages where that is known too, or 0.
pub trait Visitor {
    /// What it gives.
    type Out;

    /// Does it.
    fn visit<T: Transport, const WORDS: usize>(self) -> Self::Out;
}

/// Calls the visitor with the transport of a case.
pub fn visit<V: Visitor>(case: &Case, visitor: V) -> Result<V::Out> {
    /// A transport of bytes.
    macro_rules! bytes {
        ($transport:ty) => {
            match case.size {
                // Where the work around a transport would count beside it.
                8 => visitor.visit::<$transport, 1>(),
                16 => visitor.visit::<$transport, 2>(),
                64 => visitor.visit::<$transport, 8>(),
                256 => visitor.visit::<$transport, 32>(),
                _ => visitor.visit::<$transport, 0>(),
            }
        };
    }
    /// A transport of elements.
    macro_rules! elements {
        ($transport:ident) => {
            match case.size {
                8 => visitor.visit::<$transport<1>, 1>(),
                16 => visitor.visit::<$transport<2>, 2>(),
                64 => visitor.visit::<$transport<8>, 8>(),
                256 => visitor.visit::<$transport<32>, 32>(),
                1024 => visitor.visit::<$transport<128>, 128>(),
                4096 => visitor.visit::<$transport<512>, 512>(),
                65536 => visitor.visit::<$transport<8192>, 8192>(),
                size => return Err(no_element(size)),
            }
        };
    }
    macro_rules! elements_in_place {
        ($transport:ident) => {
            match case.size {
                8 => visitor.visit::<$transport<1>, 1>(),
                64 => visitor.visit::<$transport<8>, 8>(),
                256 => visitor.visit::<$transport<32>, 32>(),
                1024 => visitor.visit::<$transport<128>, 128>(),
                size => return Err(no_element(size)),
            }
        };
    }
    macro_rules! elements_of_many {
        ($transport:ident) => {
            match case.size {
                8 => visitor.visit::<$transport<1>, 1>(),
                16 => visitor.visit::<$transport<2>, 2>(),
                64 => visitor.visit::<$transport<8>, 8>(),
                256 => visitor.visit::<$transport<32>, 32>(),
                size => return Err(no_element(size)),
            }
        };
    }
    use handicapped::Handicapped;
    use podring::many::{Many, TypedMany};
    use podring::{Typed, TypedInPlace};
    if case.handicap_ns != 0 {
        return Ok(match case.subject {
            Subject::Podring => visitor.visit::<Handicapped<podring::InPlace>, 0>(),
            _ => return Err(Error::Usage("--handicap-ns: with --subject podring".to_owned())),
        });
    }
    Ok(match case.subject {
        Subject::Podring => bytes!(podring::InPlace),
        Subject::PodringCopy => bytes!(podring::Copied),
        Subject::PodringTyped => elements!(Typed),
        Subject::PodringTypedInPlace => elements_in_place!(TypedInPlace),
        Subject::PodringMpmc => bytes!(Many),
        Subject::PodringMpmcTyped => elements_of_many!(TypedMany),
        #[cfg(feature = "peers")]
        _ => return peers::visit(case, visitor),
    })
}

fn no_element(size: usize) -> Error {
    Error::Usage(format!("--size {size}: no element has this size"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Mode;

    /// Whether a transport takes many, and the words of its messages.
    struct Look;

    impl Visitor for Look {
        type Out = (bool, usize);
        fn visit<T: Transport, const WORDS: usize>(self) -> Self::Out {
            (T::MANY, WORDS)
        }
    }

    fn look(subject: Subject, size: usize) -> Result<(bool, usize)> {
        let case = Case {
            mode: Mode::Mpmc,
            subject,
            size,
            capacity: 1 << 16,
            wait: WaitName::Spin,
            batch: 1,
            place: Place::Thread,
            rate: 0.0,
            producers: 1,
            consumers: 1,
            handicap_ns: 0,
        };
        visit(&case, Look)
    }

    #[test]
    fn what_is_said_of_a_transport_is_so() {
        for &subject in Subject::all() {
            for size in content::SIZES.into_iter().chain([24]) {
                let found = look(subject, size);
                let Sizes::Elements(_) = subject.facts().sizes else {
                    let (many, words) = found.unwrap();
                    assert_eq!(many, subject.is_many(), "{}", subject.name());
                    assert!([0, size / 8].contains(&words), "{} of {size}", subject.name());
                    continue;
                };
                match found {
                    Ok(found) if subject.has_size(size) => {
                        assert_eq!(found, (subject.is_many(), size / 8), "{}", subject.name());
                    }
                    found => {
                        assert_eq!(found.is_ok(), subject.has_size(size), "{} of {size}", subject.name())
                    }
                }
            }
        }
    }

    #[test]
    fn queues_of_many_are_compared_at_the_same_sizes() {
        for subject in Subject::all().iter().filter(|subject| subject.is_many()) {
            for size in [16, 64, 256] {
                // No figure would come from work that is known when compiling for one and not for another.
                assert_eq!(look(*subject, size).unwrap(), (true, size / 8), "{}", subject.name());
            }
        }
    }
}
