//! Lock-free ring buffers over POSIX shared memory, for programs in separate containers.
//!
//! A producer and a consumer in two containers (or two processes, or two threads) exchange messages through
//! one shared-memory segment: atomics while there is something to do, a futex sleep while there is not. The
//! only thing they share is the directory behind `/dev/shm`; no daemon, no host namespaces, no root.
//!
//! ```
//! # fn main() -> podring::Result<()> {
//! # let name = format!("doc-lib-{}", std::process::id());
//! # let name = name.as_str();
//! // container A                                  // container B
//! let mut tx = podring::spsc(name).producer()?;   let mut rx = podring::spsc(name).consumer()?;
//! tx.send(b"hello")?;                             let msg = rx.recv()?; // borrows; released on drop
//! assert_eq!(&*msg, b"hello");
//! # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), name, podring::inspect::Remove::Force)
//! # }
//! ```
//!
//! # What it promises
//!
//! - A message whose `send` returned is delivered, in order, whole. It is delivered again only if its
//!   receiver died before releasing it, and is then marked.
//! - Either side may be killed at any instruction: the other is not blocked by it, and a successor goes on.
//! - Whether a participant is alive is decided by the kernel, never by a process id or a time-out: a stopped
//!   or paused one is not taken for dead, and one that was killed is not taken for alive.
//! - What is wrong with a set-up is an [`Error`] that says what to do, not a `SIGBUS` later.
//!
//! # The story, in order
//!
//! `shm/header` says what a segment looks like, `shm/object` makes and opens it, `shm/seats` says who is
//! alive. `algo/` is what happens in it. [`Producer`] and [`Consumer`] are what users hold.

#![deny(unsafe_code)]

mod algo;
mod cgroup;
mod consumer;
mod copy;
mod directory;
mod error;
mod fork;
mod guard;
pub mod inspect;
pub mod mpmc;
mod offer;
mod options;
mod participant;
mod peer;
mod producer;
mod registration;
mod shape;
mod shm;
mod spin;
mod stats;
mod sync;
#[cfg(feature = "bytemuck")]
mod typed;
mod waiting;

pub use consumer::Consumer;
pub use directory::Directory;
pub use error::{Error, Result};
pub use guard::{Batch, Claim, Drain, Message};
pub use options::{ConsumerDeath, Create, Mpmc, Options, PeerLoss, Spsc, Wait};
pub use peer::{Peer, Role};
pub use producer::Producer;
pub use shm::object::DEFAULT_DIR;
pub use stats::Stats;
#[cfg(feature = "bytemuck")]
pub use typed::{TypedClaim, TypedConsumer, TypedDrain, TypedOptions, TypedProducer};

/// A ring with a single producer and a single consumer.
///
/// The name is 1 to 255 letters, digits, `.`, `_` or `-`; a leading slash, as `shm_open` has it, is accepted.
pub fn spsc(name: impl Into<String>) -> Options {
    Options::new(name.into())
}

/// A ring with up to 64 producers and consumers, each message going to one of them, in slots of a size.
///
/// The name is as for [`spsc`]. See [`mpmc`](mod@mpmc) for how it works.
pub fn mpmc(name: impl Into<String>) -> Options<Mpmc> {
    Options::new(name.into())
}
