//! What a user might take instead, and the least that such a thing has to do.
//!
//! Each is used as its documentation says is fast: in place where it can, in batches where it has them. Those
//! that can only be polled are polled; pipes, sockets and message queues block in the kernel.

#![allow(missing_debug_implementations, reason = "the peers' own types have none")]

pub mod bound_mpmc;
pub mod bound_spsc;
pub mod cloudtoid;
pub mod descriptors;
pub mod iceoryx2;
pub mod inside;
pub mod mqueue;
pub mod ringfire;
pub mod shaq;
pub mod shared_file;
pub mod shmem_ipc;

use crate::case::Case;
use crate::subjects::{Subject, Visitor, no_element};
use crate::{Error, Result};

/// Calls the visitor with the transport of a case.
pub(super) fn visit<V: Visitor>(case: &Case, visitor: V) -> Result<V::Out> {
    macro_rules! bytes {
        ($transport:ty) => {
            match case.size {
                8 => visitor.visit::<$transport, 1>(),
                16 => visitor.visit::<$transport, 2>(),
                64 => visitor.visit::<$transport, 8>(),
                256 => visitor.visit::<$transport, 32>(),
                _ => visitor.visit::<$transport, 0>(),
            }
        };
    }
    // Each size has code of its own, which takes its time to compile: few of them.
    macro_rules! elements {
        ($transport:ident) => {
            match case.size {
                8 => visitor.visit::<$transport<1>, 1>(),
                64 => visitor.visit::<$transport<8>, 8>(),
                1024 => visitor.visit::<$transport<128>, 128>(),
                size => return Err(no_element(size)),
            }
        };
    }
    macro_rules! inside {
        ($family:ty) => {
            match case.size {
                8 => visitor.visit::<Inside<$family, 1>, 1>(),
                64 => visitor.visit::<Inside<$family, 8>, 8>(),
                size => return Err(no_element(size)),
            }
        };
    }
    macro_rules! inside_many {
        ($family:ty) => {
            match case.size {
                8 => visitor.visit::<Inside<$family, 1>, 1>(),
                16 => visitor.visit::<Inside<$family, 2>, 2>(),
                64 => visitor.visit::<Inside<$family, 8>, 8>(),
                256 => visitor.visit::<Inside<$family, 32>, 32>(),
                size => return Err(no_element(size)),
            }
        };
    }
    use inside::Inside;
    use ringfire::Ringfire;
    use shaq::Shaq;
    use shmem_ipc::ShmemIpc;
    Ok(match case.subject {
        // System calls are all that counts there.
        Subject::Pipe => visitor.visit::<descriptors::Pipe, 0>(),
        Subject::UnixStream => visitor.visit::<descriptors::UnixStream, 0>(),
        Subject::UnixSeqpacket => visitor.visit::<descriptors::UnixSeqpacket, 0>(),
        Subject::Tcp => visitor.visit::<descriptors::Tcp, 0>(),
        Subject::Mqueue => visitor.visit::<mqueue::Mqueue, 0>(),
        Subject::Iceoryx2 => bytes!(iceoryx2::Iceoryx2),
        Subject::Cloudtoid => bytes!(cloudtoid::Cloudtoid),
        Subject::Ringfire => elements!(Ringfire),
        Subject::Shaq => elements!(Shaq),
        Subject::ShmemIpc => elements!(ShmemIpc),
        Subject::Rtrb => inside!(inside::Rtrb),
        Subject::Ringbuf => inside!(inside::Ringbuf),
        Subject::Gil => inside!(inside::Gil),
        Subject::GilMpmc => inside_many!(inside::GilMpmc),
        Subject::Omango => inside_many!(inside::Omango),
        Subject::ArrayQueue => inside_many!(inside::ArrayQueue),
        Subject::CrossbeamChannel => inside_many!(inside::CrossbeamChannel),
        Subject::BoundSpsc => bytes!(bound_spsc::BoundSpsc),
        Subject::BoundMpmc => bytes!(bound_mpmc::BoundMpmc),
        own => unreachable!("{own:?} is no peer"),
    })
}

/// An error of a peer.
fn failed(peer: &str, doing: &str, error: impl std::fmt::Debug) -> Error {
    Error::Partner(format!("{peer}: {doing}: {error:?}"))
}
