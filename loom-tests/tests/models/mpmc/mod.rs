//! Many producers and many consumers. A thread may play several of them, one after the other: what it did as one is
//! then known to it as another, as behind a lock.

mod blocking;
mod closing;
mod death;
mod stream;

use std::rc::Rc;
use std::sync::Arc;

use podring_loom_tests::explore::Play;
use podring_loom_tests::ring::Wait;
use podring_loom_tests::slots::{Ring, Rx, Tx};

/// The seats: two for producers, which may be anybody's after them, and two for consumers.
const A: u8 = 0;
const B: u8 = 1;
const C: u8 = 2;
const D: u8 = 3;

type Shared = Rc<Ring>;

fn role(play: impl Fn(&Shared) + Send + Sync + 'static) -> Play<Shared> {
    Arc::new(play)
}

/// Sends so many messages in the name of a seat.
fn send(seat: u8, wait: Wait, messages: u64) -> Play<Shared> {
    role(move |ring| Tx::seated(ring, seat, wait).send_all(0..messages))
}

/// Receives so many messages in the name of a seat.
fn receive(seat: u8, wait: Wait, messages: u64) -> Play<Shared> {
    role(move |ring| Rx::seated(ring, seat, wait).recv_many(messages))
}
