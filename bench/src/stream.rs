//! Streams of messages one way, as fast as they go.
//!
//! ```text
//!   partner: writes every word   ── ring ──►   this process: reads and checks every word
//! ```
//!
//! The first messages are not timed: until the ring has been full or empty a few times, a run measures how
//! far one side was ahead when the other one came.

use std::hint::black_box;
use std::time::{Duration, Instant};

use podring::{PeerLoss, Wait};

use crate::content;
use crate::cpus::{Pair, Pinned};
use crate::crowding::Crowding;
use crate::fork::Partner;
use crate::pingpong::meet;
use crate::scratch::{Ring, Scratch};
use crate::{Error, Result, with_words};

/// How messages are written and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One at a time, copied in and out: `send`, `recv_into`.
    Copy,
    /// One at a time, in place: `claim` and `commit`, borrowed `recv`.
    InPlace,
    /// Many at a time, copied in and borrowed: `batch().send`, `drain`.
    BatchCopy,
    /// Many at a time, in place: `batch().claim`, `drain`.
    BatchInPlace,
    /// Elements of a typed ring, one at a time: `send`, `recv`.
    Typed,
    /// Elements of a typed ring, many at a time: `send_all`, `recv_many`.
    TypedBatch,
}

impl Style {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::Copy, Self::InPlace, Self::BatchCopy, Self::BatchInPlace, Self::Typed, Self::TypedBatch];

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::InPlace => "in-place",
            Self::BatchCopy => "batch-copy",
            Self::BatchInPlace => "batch-in-place",
            Self::Typed => "typed",
            Self::TypedBatch => "typed-batch",
        }
    }

    /// Whether this uses a typed ring, which exists only for the sizes in [`content::SIZES`].
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Typed | Self::TypedBatch)
    }

    /// Whether several messages are published or released together.
    pub fn is_batch(self) -> bool {
        matches!(self, Self::BatchCopy | Self::BatchInPlace | Self::TypedBatch)
    }
}

/// One measurement of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// How messages are written and read.
    pub style: Style,
    /// Message size in bytes: a multiple of 8.
    pub size: usize,
    /// Timed messages.
    pub messages: u64,
    /// Messages per batch, where batches are used.
    pub batch: usize,
    /// Capacity of the ring in bytes.
    pub capacity: usize,
    /// How both sides wait.
    pub wait: Wait,
}

/// What a stream reached.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Messages read in the time, at least those asked for.
    pub messages: u64,
    /// From the first timed message to the last.
    pub elapsed: Duration,
    /// How often the reader slept, in all.
    pub parks: u64,
    /// How [crowded](Crowding) it was.
    pub crowded: f64,
}

impl Outcome {
    /// Nanoseconds for each message.
    pub fn ns_per_message(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.messages as f64
    }
}

/// How long to wait for the partner to come.
const PATIENCE: Duration = Duration::from_secs(10);

impl Stream {
    /// Runs it.
    pub fn run(&self, scratch: &Scratch, cpus: Option<Pair>) -> Result<Outcome> {
        let ring = scratch.ring("stream");
        let (ours, partners) = (cpus.map(|pair| pair.ours), cpus.map(|pair| pair.partners));
        let mut partner = Partner::start(|| {
            if self.style.is_typed() {
                with_words!(self.size, write_typed(self, &ring, partners))
            } else {
                with_words!(self.size, write_bytes(self, &ring, partners))
            }
        })?;
        let outcome = if self.style.is_typed() {
            with_words!(self.size, read_typed(self, &ring, ours, &mut partner))
        } else {
            with_words!(self.size, read_bytes(self, &ring, ours, &mut partner))
        };
        partner.conclude(outcome)
    }

    /// Untimed messages: a tenth, and at least four times what the ring can hold if that is not more than asked for.
    fn warmup(&self) -> u64 {
        let laps = 4 * (self.capacity / self.size) as u64;
        (self.messages / 10).max(laps.min(self.messages))
    }

    fn total(&self) -> u64 {
        self.warmup() + self.messages
    }

    fn options(&self, ring: &Ring) -> podring::Options {
        ring.options().capacity(self.capacity).wait(self.wait).peer_loss(PeerLoss::Report)
    }

    fn typed<const WORDS: usize>(&self, ring: &Ring) -> podring::TypedOptions<[u64; WORDS]> {
        self.options(ring).typed().type_name("words").elements((self.capacity / self.size).max(2))
    }

    /// Calls `step` until all messages are read: it is told the number of the next one and how many it may
    /// read, and says how many it did.
    #[inline(always)]
    fn time(&self, mut step: impl FnMut(u64, u64) -> Result<u64>) -> Result<Outcome> {
        let mut seen = 0;
        while seen < self.warmup() {
            seen += step(seen, self.warmup() - seen)?;
        }
        let start = Instant::now();
        while seen < self.total() {
            seen += step(seen, self.total() - seen)?;
        }
        Ok(Outcome { messages: self.messages, elapsed: start.elapsed(), parks: 0, crowded: 0.0 })
    }

    #[cold]
    fn wrong(&self, seq: u64, length: usize) -> Error {
        Error::Content(format!("message {seq} of {} bytes ({length} came)", self.size))
    }
}

fn write_bytes<const WORDS: usize>(plan: &Stream, ring: &Ring, cpu: Option<usize>) -> Result<()> {
    let mut tx = plan.options(ring).producer()?;
    let _pinned = Pinned::to(cpu)?;
    tx.wait_for_peer(PATIENCE)?;
    let total = plan.total();
    // A length known when compiling would make these calls cheaper than a user's.
    let size = black_box(plan.size);
    let mut write = || -> Result<()> {
        match plan.style {
            Style::Copy => {
                let mut message = vec![0; size];
                for seq in 0..total {
                    content::fill::<WORDS>(&mut message, seq);
                    tx.send(&message)?;
                }
            }
            Style::InPlace => {
                for seq in 0..total {
                    let mut claim = tx.claim(size)?;
                    content::fill::<WORDS>(&mut claim, seq);
                    claim.commit();
                }
            }
            Style::BatchCopy => {
                let mut message = vec![0; size];
                for first in (0..total).step_by(plan.batch) {
                    let mut batch = tx.batch();
                    for seq in first..total.min(first + plan.batch as u64) {
                        content::fill::<WORDS>(&mut message, seq);
                        batch.send(&message)?;
                    }
                    batch.publish();
                }
            }
            Style::BatchInPlace => {
                for first in (0..total).step_by(plan.batch) {
                    let mut batch = tx.batch();
                    for seq in first..total.min(first + plan.batch as u64) {
                        let mut claim = batch.claim(size)?;
                        content::fill::<WORDS>(&mut claim, seq);
                        claim.commit();
                    }
                    batch.publish();
                }
            }
            Style::Typed | Style::TypedBatch => unreachable!("typed styles have rings of their own"),
        }
        Ok(())
    };
    let written = write();
    // After a failure too: the reader must not wait for the rest.
    tx.close()?;
    written
}

fn read_bytes<const WORDS: usize>(
    plan: &Stream,
    ring: &Ring,
    cpu: Option<usize>,
    partner: &mut Partner,
) -> Result<Outcome> {
    let mut rx = plan.options(ring).consumer()?;
    meet(partner, |patience| rx.wait_for_peer(patience))?;
    let _pinned = Pinned::to(cpu)?;
    let crowding = Crowding::begin(partner);
    let size = black_box(plan.size);
    let mut outcome = match plan.style {
        Style::Copy => {
            let mut message = vec![0; size];
            plan.time(|seq, _| {
                let length = rx.recv_into(&mut message)?;
                match content::check::<WORDS>(&message[..length], size, seq) {
                    true => Ok(1),
                    false => Err(plan.wrong(seq, length)),
                }
            })
        }
        Style::InPlace => plan.time(|seq, _| {
            let message = rx.recv()?;
            match content::check::<WORDS>(&message, size, seq) {
                true => Ok(1),
                false => Err(plan.wrong(seq, message.len())),
            }
        }),
        Style::BatchCopy | Style::BatchInPlace => plan.time(|first, most| {
            let mut seq = first;
            let mut drain = rx.drain()?;
            while seq - first < most {
                let Some(message) = drain.next()? else { break };
                if !content::check::<WORDS>(message, size, seq) {
                    return Err(plan.wrong(seq, message.len()));
                }
                seq += 1;
            }
            Ok(seq - first)
        }),
        Style::Typed | Style::TypedBatch => unreachable!("typed styles have rings of their own"),
    }?;
    outcome.crowded = crowding.end();
    match rx.recv() {
        Err(podring::Error::Closed { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(extra) => return Err(Error::Content(format!("{} bytes more than were sent", extra.len()))),
    }
    outcome.parks = rx.stats().parks;
    Ok(outcome)
}

fn write_typed<const WORDS: usize>(plan: &Stream, ring: &Ring, cpu: Option<usize>) -> Result<()> {
    let mut tx = plan.typed::<WORDS>(ring).producer()?;
    let _pinned = Pinned::to(cpu)?;
    tx.wait_for_peer(PATIENCE)?;
    let total = plan.total();
    let mut write = || -> Result<()> {
        if plan.style == Style::Typed {
            let mut element = [0u64; WORDS];
            for seq in 0..total {
                content::fill::<WORDS>(bytemuck::cast_slice_mut(&mut element), seq);
                tx.send(&element)?;
            }
        } else {
            let mut block = vec![[0u64; WORDS]; plan.batch];
            for first in (0..total).step_by(plan.batch) {
                let count = plan.batch.min((total - first) as usize);
                for (seq, element) in (first..).zip(&mut block[..count]) {
                    content::fill::<WORDS>(bytemuck::cast_slice_mut(element), seq);
                }
                tx.send_all(&block[..count])?;
            }
        }
        Ok(())
    };
    let written = write();
    tx.close()?;
    written
}

fn read_typed<const WORDS: usize>(
    plan: &Stream,
    ring: &Ring,
    cpu: Option<usize>,
    partner: &mut Partner,
) -> Result<Outcome> {
    let mut rx = plan.typed::<WORDS>(ring).consumer()?;
    meet(partner, |patience| rx.wait_for_peer(patience))?;
    let _pinned = Pinned::to(cpu)?;
    let crowding = Crowding::begin(partner);
    let mut outcome = if plan.style == Style::Typed {
        plan.time(|seq, _| {
            let element = rx.recv()?;
            match content::check::<WORDS>(bytemuck::cast_slice(&element), plan.size, seq) {
                true => Ok(1),
                false => Err(plan.wrong(seq, plan.size)),
            }
        })
    } else {
        let mut block = vec![[0u64; WORDS]; plan.batch];
        plan.time(|first, most| {
            let most = plan.batch.min(most as usize);
            let count = rx.recv_many(&mut block[..most])?;
            for (seq, element) in (first..).zip(&block[..count]) {
                if !content::check::<WORDS>(bytemuck::cast_slice(element), plan.size, seq) {
                    return Err(plan.wrong(seq, plan.size));
                }
            }
            Ok(count as u64)
        })
    }?;
    outcome.crowded = crowding.end();
    match rx.recv() {
        Err(podring::Error::Closed { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Error::Content("one element more than was sent".to_owned())),
    }
    outcome.parks = rx.stats().parks;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(messages: u64, capacity: usize) -> Stream {
        Stream { style: Style::Copy, size: 64, messages, batch: 32, capacity, wait: Wait::Adaptive }
    }

    #[test]
    fn the_warm_up_goes_round_the_ring() {
        assert_eq!(stream(1_000_000, 4096).warmup(), 100_000, "a tenth");
        assert_eq!(stream(1_000_000, 1 << 23).warmup(), 524_288, "four laps");
        assert_eq!(stream(100, 1 << 20).warmup(), 100, "never more than is timed");
    }

    #[test]
    fn every_message_is_counted_once() {
        let plan = stream(1000, 4096);
        let mut read = Vec::new();
        let outcome = plan
            .time(|seq, most| {
                let count = most.min(100);
                read.extend(seq..seq + count);
                Ok(count)
            })
            .unwrap();
        assert_eq!(outcome.messages, 1000);
        assert_eq!(plan.total(), 1256);
        assert!(read.into_iter().eq(0..1256));
    }
}
