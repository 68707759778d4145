//! Round trips of single messages over two rings, one each way.
//!
//! ```text
//!   this process   ── ping ──►   partner reads every word, adds a constant
//!   checks it      ◄── pong ──   and writes the answer
//! ```
//!
//! The time of a trip runs from before the message is claimed until every word of the answer was checked.

use std::hint::black_box;
use std::time::Duration;

use hdrhistogram::Histogram;
use podring::{PeerLoss, Wait};

use crate::clock::Clock;
use crate::content;
use crate::cpus::{Pair, Pinned};
use crate::crowding::Crowding;
use crate::fork::Partner;
use crate::scratch::{Ring, Scratch};
use crate::{Error, Result, with_words};

/// Which kind of ring carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rings {
    /// Byte rings: claimed and borrowed in place.
    Bytes,
    /// Typed rings: elements copied in and out.
    Typed,
}

/// One measurement of round trips.
#[derive(Debug, Clone, Copy)]
pub struct PingPong {
    /// Kind of both rings.
    pub rings: Rings,
    /// Message size in bytes: a multiple of 8; for typed rings one of [`content::SIZES`].
    pub size: usize,
    /// Timed round trips; a tenth more go before them untimed.
    pub trips: u64,
    /// Capacity of each ring in bytes.
    pub capacity: usize,
    /// How both sides wait.
    pub wait: Wait,
}

/// How long to wait for the partner to come.
const PATIENCE: Duration = Duration::from_secs(10);

impl PingPong {
    /// Runs it: the round trips in nanoseconds, and how [crowded](Crowding) it was.
    pub fn run(&self, scratch: &Scratch, cpus: Option<Pair>, clock: &Clock) -> Result<(Histogram<u64>, f64)> {
        let (ping, pong) = (scratch.ring("ping"), scratch.ring("pong"));
        let all = self.trips + self.warmup();
        let partner_cpu = cpus.map(|pair| pair.partners);
        let our_cpu = cpus.map(|pair| pair.ours);
        let mut partner = Partner::start(|| match self.rings {
            Rings::Bytes => with_words!(self.size, echo_bytes(self, &ping, &pong, partner_cpu)),
            Rings::Typed => with_words!(self.size, echo_typed(self, &ping, &pong, partner_cpu)),
        })?;
        let mut ticks = Vec::with_capacity(all as usize);
        let played = match self.rings {
            Rings::Bytes => {
                with_words!(
                    self.size,
                    play_bytes(self, &ping, &pong, our_cpu, &mut partner, clock, &mut ticks)
                )
            }
            Rings::Typed => {
                with_words!(
                    self.size,
                    play_typed(self, &ping, &pong, our_cpu, &mut partner, clock, &mut ticks)
                )
            }
        };
        let crowded = partner.conclude(played)?;
        let trips = ticks[self.warmup() as usize..].iter().map(|&ticks| clock.ns(ticks));
        Ok((histogram(trips), crowded))
    }

    fn warmup(&self) -> u64 {
        self.trips / 10
    }

    fn options(&self, ring: &Ring) -> podring::Options {
        ring.options().capacity(self.capacity).wait(self.wait).peer_loss(PeerLoss::Report)
    }

    fn typed<const WORDS: usize>(&self, ring: &Ring) -> podring::TypedOptions<[u64; WORDS]> {
        self.options(ring).typed().type_name("words").elements((self.capacity / self.size).max(2))
    }
}

fn play_bytes<const WORDS: usize>(
    plan: &PingPong,
    ping: &Ring,
    pong: &Ring,
    cpu: Option<usize>,
    partner: &mut Partner,
    clock: &Clock,
    ticks: &mut Vec<u64>,
) -> Result<f64> {
    let mut tx = plan.options(ping).producer()?;
    let mut rx = plan.options(pong).consumer()?;
    meet(partner, |patience| rx.wait_for_peer(patience))?;
    let _pinned = Pinned::to(cpu)?;
    let crowding = Crowding::begin(partner);
    // A length known when compiling would make this claim cheaper than a user's.
    let size = black_box(plan.size);
    for seq in 0..plan.trips + plan.warmup() {
        let start = clock.ticks();
        let mut claim = tx.claim(size)?;
        content::fill::<WORDS>(&mut claim, seq);
        claim.commit();
        let answer = rx.recv()?;
        let right = content::check_answer::<WORDS>(&answer, plan.size, seq);
        let end = clock.ticks();
        if !right {
            return Err(Error::Content(format!("answer {seq} of {} bytes", answer.len())));
        }
        drop(answer);
        ticks.push(end - start);
    }
    let crowded = crowding.end();
    tx.close()?;
    match rx.recv() {
        Err(podring::Error::Closed { .. }) => Ok(crowded),
        Err(error) => Err(error.into()),
        Ok(extra) => Err(Error::Content(format!("{} bytes more than were asked for", extra.len()))),
    }
}

fn echo_bytes<const WORDS: usize>(
    plan: &PingPong,
    ping: &Ring,
    pong: &Ring,
    cpu: Option<usize>,
) -> Result<()> {
    let mut rx = plan.options(ping).consumer()?;
    let mut tx = plan.options(pong).producer()?;
    let _pinned = Pinned::to(cpu)?;
    rx.wait_for_peer(PATIENCE)?;
    let mut echo = || {
        loop {
            let message = rx.recv()?;
            let mut claim = tx.claim(message.len())?;
            content::answer::<WORDS>(&message, &mut claim);
            claim.commit();
        }
    };
    let end = echo();
    tx.close()?;
    at_close(end)
}

fn play_typed<const WORDS: usize>(
    plan: &PingPong,
    ping: &Ring,
    pong: &Ring,
    cpu: Option<usize>,
    partner: &mut Partner,
    clock: &Clock,
    ticks: &mut Vec<u64>,
) -> Result<f64> {
    let mut tx = plan.typed::<WORDS>(ping).producer()?;
    let mut rx = plan.typed::<WORDS>(pong).consumer()?;
    meet(partner, |patience| rx.wait_for_peer(patience))?;
    let _pinned = Pinned::to(cpu)?;
    let crowding = Crowding::begin(partner);
    let mut question = [0u64; WORDS];
    for seq in 0..plan.trips + plan.warmup() {
        let start = clock.ticks();
        content::fill::<WORDS>(bytemuck::cast_slice_mut(&mut question), seq);
        tx.send(&question)?;
        let answer = rx.recv()?;
        let right = content::check_answer::<WORDS>(bytemuck::cast_slice(&answer), plan.size, seq);
        let end = clock.ticks();
        if !right {
            return Err(Error::Content(format!("answer {seq} of {WORDS} words")));
        }
        ticks.push(end - start);
    }
    let crowded = crowding.end();
    tx.close()?;
    match rx.recv() {
        Err(podring::Error::Closed { .. }) => Ok(crowded),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Error::Content("one element more than was asked for".to_owned())),
    }
}

fn echo_typed<const WORDS: usize>(
    plan: &PingPong,
    ping: &Ring,
    pong: &Ring,
    cpu: Option<usize>,
) -> Result<()> {
    let mut rx = plan.typed::<WORDS>(ping).consumer()?;
    let mut tx = plan.typed::<WORDS>(pong).producer()?;
    let _pinned = Pinned::to(cpu)?;
    rx.wait_for_peer(PATIENCE)?;
    let mut answer = [0u64; WORDS];
    let mut echo = || {
        loop {
            let message = rx.recv()?;
            content::answer::<WORDS>(bytemuck::cast_slice(&message), bytemuck::cast_slice_mut(&mut answer));
            tx.send(&answer)?;
        }
    };
    let end = echo();
    tx.close()?;
    at_close(end)
}

/// Nanoseconds with three digits, up to the longest time a run may take.
fn histogram(trips: impl Iterator<Item = u64>) -> Histogram<u64> {
    const LONGEST: u64 = 3_600_000_000_000;
    // Not one that grows: such a one, asked to saturate, keeps its first bound of two microseconds.
    let mut histogram = Histogram::new_with_max(LONGEST, 3).expect("bounds that the crate allows");
    trips.for_each(|ns| histogram.saturating_record(ns));
    histogram
}

/// The other side has closed: that is the end that was meant.
fn at_close(end: podring::Result<()>) -> Result<()> {
    match end {
        Err(podring::Error::Closed { .. }) => Ok(()),
        other => other.map_err(Error::from),
    }
}

/// Waits for the peer in the ring, but not for a partner that has come, done all it had to do, and gone,
/// nor for one that has failed.
pub(crate) fn meet(
    partner: &mut Partner,
    mut wait_for_peer: impl FnMut(Duration) -> podring::Result<podring::Peer>,
) -> Result<()> {
    const SLICE: Duration = Duration::from_millis(100);
    for _ in 0..PATIENCE.as_millis() / SLICE.as_millis() {
        match wait_for_peer(SLICE) {
            Ok(_) => return Ok(()),
            Err(podring::Error::Timeout { .. }) if partner.still_runs()? => {}
            Err(podring::Error::Timeout { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Partner(format!("did not attach to the ring within {PATIENCE:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_trip_counts_in_full() {
        let histogram = histogram([300, 310, 50_000, 2_000_000_000].into_iter());
        assert_eq!(histogram.len(), 4);
        assert_eq!(histogram.value_at_quantile(0.5), 310);
        assert_eq!(histogram.max() / 10_000_000, 200);
    }
}
