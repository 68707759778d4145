//! A living peer that sleeps while the other side is stepped through and killed.

use std::path::Path;
use std::time::{Duration, Instant};

use podring::{Error, PeerLoss, Result};

use crate::board::{Board, Got};
use crate::common::{SOON, eventually};
use crate::handles::{RING, Sender, options};
use crate::message::{Element, bytes_of, element_of, number, number_of, number_of_element};
use crate::model::Kind;
use crate::trace::{Forked, forked};
use crate::window::Window;

/// After this message a parked consumer leaves.
pub(crate) const STOP: u64 = number(9999, 52);
/// What a parked producer sends.
pub(crate) const PARKED: u64 = number(2000, 52);

const SHORT: Duration = Duration::from_millis(4);
/// Longer than anybody waits here: only a wake-up ends it.
const LONG: Duration = Duration::from_secs(600);

/// Who sleeps, and what must end the sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A consumer whose slices are short.
    Consumer,
    /// A consumer that only a successor can wake, if the dead one has not.
    DeepConsumer,
    /// A consumer that wants to be told of deaths.
    ReportingConsumer,
    /// A producer, the ring being full, whose slices are short.
    Producer,
    /// A producer that only a successor can wake.
    DeepProducer,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer sleeps",
            Self::DeepConsumer => "consumer sleeps deeply",
            Self::ReportingConsumer => "consumer sleeps, reports",
            Self::Producer => "producer sleeps",
            Self::DeepProducer => "producer sleeps deeply",
        }
    }

    pub(crate) fn is_consumer(self) -> bool {
        matches!(self, Self::Consumer | Self::DeepConsumer | Self::ReportingConsumer)
    }

    /// Whether its own slice ends its sleep soon.
    pub(crate) fn looks_around(self) -> bool {
        !matches!(self, Self::DeepConsumer | Self::DeepProducer)
    }

    fn slice(self) -> Duration {
        if self.looks_around() { SHORT } else { LONG }
    }

    /// Starts the peer. Returns when it sleeps.
    pub(crate) fn park(self, dir: &Path, board: &Board, kind: Kind) -> Forked {
        let child = forked(|| {
            if self.is_consumer() { self.consume(dir, board, kind) } else { self.produce(dir, board, kind) }
        });
        let window = Window::open(&dir.join(RING)).expect("the ring's file");
        eventually("the peer sleeps", || self.is_asleep(&child, &window));
        child
    }

    /// Whether it has announced itself and sleeps in the kernel.
    pub(crate) fn is_asleep(self, child: &Forked, window: &Window) -> bool {
        window.somebody_waits(self.is_consumer()) && sleeps(child)
    }

    fn consume(self, dir: &Path, board: &Board, kind: Kind) {
        let loss = if self == Self::ReportingConsumer { PeerLoss::Report } else { PeerLoss::Wait };
        let options = options(dir).slice(self.slice()).peer_loss(loss);
        match kind {
            Kind::Bytes => {
                let mut rx = options.consumer().expect("a consumer");
                let mut next = || {
                    let message = rx.recv_timeout(LONG)?;
                    Ok(Got { number: number_of(&message), marked: message.redelivered() })
                };
                while receives(board, next()) {}
                board.note_rescues(rx.stats().slice_rescues);
            }
            Kind::Typed => {
                let mut rx = options.typed::<Element>().consumer().expect("a consumer");
                let mut next = || {
                    let element = rx.recv_timeout(LONG)?;
                    Ok(Got { number: number_of_element(&element), marked: false })
                };
                while receives(board, next()) {}
                board.note_rescues(rx.stats().slice_rescues);
            }
        }
    }

    fn produce(self, dir: &Path, board: &Board, kind: Kind) {
        let options = options(dir).slice(self.slice());
        let (sent, rescues) = match kind {
            Kind::Bytes => {
                let mut tx = options.producer().expect("a producer");
                (tx.send_timeout(&bytes_of(PARKED), LONG), tx.stats().slice_rescues)
            }
            Kind::Typed => {
                let mut tx = options.typed::<Element>().producer().expect("a producer");
                (tx.send_timeout(&element_of(PARKED), LONG), tx.stats().slice_rescues)
            }
        };
        board.note_rescues(rescues);
        board.expect(sent.is_ok());
        board.log(Got { number: Some(PARKED), marked: false });
    }
}

/// Notes what a parked consumer meets with. False: it is to leave.
fn receives(board: &Board, next: Result<Got>) -> bool {
    match next {
        Ok(got) => {
            board.log(got);
            got.number != Some(STOP)
        }
        Err(Error::Closed { .. }) => {
            board.note_end();
            true
        }
        Err(Error::PeerDied { .. }) => {
            board.note_death();
            true
        }
        Err(error) => {
            eprintln!("a parked consumer: {error}");
            board.expect(false);
            false
        }
    }
}

/// Whether a process sleeps in the kernel.
fn sleeps(child: &Forked) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

/// Waits for something a living peer does; false if it does not do it in time.
pub(crate) fn comes(mut ready: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !ready() {
        if start.elapsed() > SOON {
            return false;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    true
}

/// A successor of a dead producer sends a few messages and the one that ends a parked consumer.
pub(crate) fn send_on(tx: &mut Sender) -> Result<Vec<u64>> {
    let numbers = [number(3000, 52), number(3001, 200), STOP];
    for number in numbers {
        if !tx.try_send(number)? {
            break;
        }
    }
    Ok(numbers.to_vec())
}
