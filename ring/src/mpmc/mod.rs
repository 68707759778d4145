//! Rings with many producers and many consumers.
//!
//! Up to 64 participants share one ring in one total order; each message goes to one consumer. Made and opened with
//! [`podring::mpmc`](crate::mpmc()):
//!
//! ```
//! # fn main() -> podring::Result<()> {
//! # let name = format!("doc-mpmc-{}", std::process::id());
//! # let name = name.as_str();
//! // any number of containers                      // and any number of these
//! let mut tx = podring::mpmc(name).producer()?;    let mut rx = podring::mpmc(name).consumer()?;
//! tx.send(b"job 1")?;                              let job = rx.recv()?; // ours alone; released on drop
//! assert_eq!((&*job, job.id()), (&b"job 1"[..], 0));
//! # podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), name, podring::inspect::Remove::Force)
//! # }
//! ```
//!
//! # What is different from one producer and one consumer
//!
//! - Messages live in slots of one size, chosen when the ring is made with
//!   [`Options::largest_message`](crate::Options::largest_message) and [`slots`](crate::Options::slots).
//! - A message is published, and acknowledged, on its own: a [`Batch`] or a [`Drain`] saves wake-ups, and is not one
//!   store for many.
//! - Messages are claimed in order. Those of one producer are received in order by any one consumer; across consumers
//!   the order in which they are *worked on* is nobody's promise.
//! - A claim or a message that is open keeps its slot: others go on, until the ring comes round to it. Keep it short.
//! - Each consumer is told [`Error::Closed`](crate::Error::Closed) once, when the last producer has closed and the ring
//!   is empty.
//!
//! # When a participant is killed
//!
//! The kernel frees its seat. Whoever is blocked looks for such seats after each slice (100 ms by default), a newcomer
//! when it attaches, and takes the dead one's lock to put right what it left: a slot it was writing is passed over; the
//! message it was reading goes to another consumer, marked [`Message::redelivered`], or is dropped if the ring was made
//! so ([`ConsumerDeath`](crate::ConsumerDeath)). A participant that is alive but stopped is waited for: half a message
//! cannot be told from a whole one. [`Message::id`] is the same when a message is delivered again.

mod consumer;
pub(crate) mod dead;
mod guard;
mod producer;
mod reader;
#[cfg(feature = "bytemuck")]
mod typed;
mod writer;

pub use consumer::Consumer;
pub use guard::{Batch, Claim, Drain, Message};
pub use producer::Producer;
#[cfg(feature = "bytemuck")]
pub use typed::{Received, TypedConsumer, TypedProducer};
