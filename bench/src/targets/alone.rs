//! Targets of one process: a receiver with nothing to receive, coming and going, many participants and many rings.

use std::hint::black_box;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::time::{ClockId, clock_gettime};
use podring::{Consumer, Wait};
use rustix::thread::futex::{self, Flags, Timespec};

use super::desk::Desk;
use super::line::{Limit, Line};
use crate::scratch::Scratch;
use crate::summary::median;
use crate::units::{bytes, figure, nanoseconds};
use crate::{Error, Result};

/// How long a receiver is idle.
const IDLE: Duration = Duration::from_secs(3);
/// What is printed as 0.0 %.
const NOTHING_PERCENT: f64 = 0.05;
/// Bytes of the smallest ring.
const SMALLEST: usize = 4096;

/// A receiver with nothing to receive: what it takes of a CPU while it waits, and what one look takes.
pub(super) fn idle(desk: &Desk) -> Result<Vec<Line>> {
    let scratch = Scratch::new(&desk.dir)?;
    let mut lines = Vec::new();
    for (name, wait) in [("adaptive", Wait::Adaptive), ("park", Wait::Park)] {
        let ring = scratch.ring("idle");
        let _tx = ring.options().producer()?;
        let mut rx = ring.options().wait(wait).consumer()?;
        let (share, measured) = waiting(|| expect_timeout(rx.recv_timeout(IDLE)))?;
        lines.push(idling(&format!("idle receiver, {name}"), share, measured));
    }
    let ring = scratch.ring("idle");
    let _tx = ring.many().producer()?;
    let mut rx = ring.many().consumer()?;
    let (share, measured) = waiting(|| expect_timeout(rx.recv_timeout(IDLE)))?;
    lines.push(idling("idle receiver of many, adaptive", share, measured));
    let (_, measured) = waiting(|| {
        sleep_in_slices();
        Ok(())
    })?;
    lines.push(Line::figure("nothing but a futex, as many wake-ups", measured));

    let limit = Limit::AtMost(2.0);
    let mut poll = |what: &str, look: &mut dyn FnMut() -> podring::Result<bool>| -> Result<()> {
        let ns = looks(look)?;
        lines.push(Line::judged(
            format!("look at an empty ring, {what}"),
            "≤ 2 ns",
            limit,
            ns,
            nanoseconds(ns),
        ));
        Ok(())
    };
    let ring = scratch.ring("poll");
    let _bytes_tx = ring.options().producer()?;
    let mut bytes_rx = ring.options().consumer()?;
    poll("of bytes", &mut || Ok(bytes_rx.try_recv()?.is_some()))?;
    let ring = scratch.ring("poll");
    let typed = || ring.options().typed::<[u64; 8]>().type_name("words");
    let _typed_tx = typed().producer()?;
    let mut typed_rx = typed().consumer()?;
    poll("typed", &mut || Ok(typed_rx.try_recv()?.is_some()))?;
    poll("of many", &mut || Ok(rx.try_recv()?.is_some()))?;
    Ok(lines)
}

fn expect_timeout<T>(received: podring::Result<T>) -> Result<()> {
    match received {
        Err(podring::Error::Timeout { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Error::Content("a message that nobody sent".to_owned())),
    }
}

fn idling(row: &str, share: f64, measured: String) -> Line {
    Line::judged(row, "0 % CPU", Limit::AtMost(NOTHING_PERCENT), share, measured)
}

/// What a receiver does that only sleeps in slices and looks at nothing.
fn sleep_in_slices() {
    let word = AtomicU32::new(0);
    let slice = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let start = Instant::now();
    while start.elapsed() < IDLE {
        // Nobody wakes it: every sleep ends with its slice.
        let _ = futex::wait(&word, Flags::empty(), 0, Some(&slice));
    }
}

/// The part of a CPU that this process takes while it waits, in per cent, and that in words.
fn waiting(wait: impl FnOnce() -> Result<()>) -> Result<(f64, String)> {
    let used = || clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_err(|e| Error::os("the CPU clock", e));
    let wakes = || {
        getrusage(UsageWho::RUSAGE_SELF)
            .map(|usage| usage.voluntary_context_switches())
            .map_err(|e| Error::os("getrusage", e))
    };
    let (start, before, slept) = (Instant::now(), Duration::from(used()?), wakes()?);
    wait()?;
    let share = (Duration::from(used()?) - before).as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
    let wakes = (wakes()? - slept) as f64 / start.elapsed().as_secs_f64();
    let measured = format!("{share:.3} % of a CPU, {wakes:.0} wake-ups a second");
    Ok((share, measured))
}

/// Nanoseconds of one look that finds nothing.
fn looks(look: &mut dyn FnMut() -> podring::Result<bool>) -> Result<f64> {
    const LOOKS: u32 = 100_000;
    let mut samples = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        for _ in 0..LOOKS {
            if black_box(look()?) {
                return Err(Error::Content("a message that nobody sent".to_owned()));
            }
        }
        samples.push(start.elapsed().as_nanos() as f64 / f64::from(LOOKS));
    }
    Ok(median(&mut samples))
}

/// Coming and going.
pub(super) fn attach(desk: &Desk) -> Result<Vec<Line>> {
    let scratch = Scratch::new(&desk.dir)?;
    let mut lines = Vec::new();
    let ring = scratch.ring("attach");
    let _tx = ring.options().producer()?;
    let mut one = |row: &str, (middle, longest): (f64, f64)| {
        let measured = format!("{}, the longest {}", nanoseconds(middle), nanoseconds(longest));
        lines.push(Line::judged(row, "< 1 ms", Limit::AtMost(1e6), middle, measured));
    };
    one("attach and detach", times(500, || Ok(ring.options().consumer()?))?);
    let ring = scratch.ring("attach");
    let _tx = ring.many().producer()?;
    one("attach and detach, of many", times(500, || Ok(ring.many().consumer()?))?);
    for capacity in [1 << 20, 64 << 20] {
        let (middle, longest) = times(9, || {
            let ring = scratch.ring("create");
            Ok((ring.options().capacity(capacity).producer()?, ring))
        })?;
        let row = format!("a new ring of {}: make, attach, detach, remove", bytes(capacity));
        let measured = format!("{}, the longest {}", nanoseconds(middle), nanoseconds(longest));
        lines.push(Line::figure(row, measured));
    }
    Ok(lines)
}

/// The median and the longest time of doing something so often, and of dropping what it gave.
fn times<T>(count: usize, mut what: impl FnMut() -> Result<T>) -> Result<(f64, f64)> {
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        drop(what()?);
        samples.push(start.elapsed().as_nanos() as f64);
    }
    let longest = samples.iter().copied().fold(0.0, f64::max);
    Ok((median(&mut samples), longest))
}

/// What others cost that do nothing.
pub(super) fn scale(desk: &Desk) -> Result<Vec<Line>> {
    let scratch = Scratch::new(&desk.dir)?;
    let mut lines = Vec::new();
    for participants in [2, 8, 64] {
        lines.push(participants_of(&scratch, participants)?);
    }
    for count in [1, 100, 10_000] {
        lines.push(rings(&scratch, count)?);
    }
    Ok(lines)
}

/// A ring of many with so many participants, of which two do something; and what it takes the last one to come.
fn participants_of(scratch: &Scratch, participants: usize) -> Result<Line> {
    const MESSAGES: u32 = 100_000;
    let ring = scratch.ring("seats");
    let mut tx = ring.many().producer()?;
    let mut rx = ring.many().consumer()?;
    let idle = |_| Ok(ring.many().consumer()?);
    let mut others = (2..participants).map(idle).collect::<Result<Vec<_>>>()?;
    let (all, _) = times(20, || {
        for _ in 0..MESSAGES {
            tx.send(black_box(b"message."))?;
            black_box(rx.recv()?.len());
        }
        Ok(())
    })?;
    others.pop();
    let (coming, _) = times(100, || Ok(ring.many().consumer()?))?;
    let measured = format!(
        "a message sent and received in one thread {}, attach and detach {}",
        nanoseconds(all / f64::from(MESSAGES)),
        nanoseconds(coming)
    );
    Ok(Line::figure(format!("{participants} participants of one ring"), measured))
}

/// So many of the smallest rings, with a receiver in each: what there is of each, and a look at all in turn.
fn rings(scratch: &Scratch, count: usize) -> Result<Line> {
    let many = if count == 1 { "ring" } else { "rings" };
    let row = format!("{count} {many} of {}, a receiver in each", bytes(SMALLEST));
    raise_descriptors();
    let rings: Vec<_> = (0..count).map(|_| scratch.ring("ring")).collect();
    let before = resident()?;
    let start = Instant::now();
    let mut receivers: Vec<Consumer> = Vec::with_capacity(count);
    for ring in &rings {
        match ring.options().capacity(SMALLEST).consumer() {
            Ok(rx) => receivers.push(rx),
            Err(error) => {
                let why = format!("after {} rings: {error}", receivers.len());
                return Ok(Line::skipped(row, "a figure", &why));
            }
        }
    }
    let coming = start.elapsed().as_nanos() as f64 / count as f64;
    let memory = (resident()? - before) / count as f64;
    // So many looks that reading the clock is nothing beside them.
    let rounds = 20_000_usize.div_ceil(count);
    let (all, _) = times(9, || {
        for _ in 0..rounds {
            for rx in &mut receivers {
                if black_box(rx.try_recv()?.is_some()) {
                    return Err(Error::Content("a message that nobody sent".to_owned()));
                }
            }
        }
        Ok(())
    })?;
    let file = podring::inspect::file_bytes(SMALLEST as u64).unwrap_or_default();
    let start = Instant::now();
    drop(receivers);
    let going = start.elapsed().as_nanos() as f64 / count as f64;
    let measured = format!(
        "each: made and attached in {}, detached in {}, looked at in {}, file of {}, resident {} KiB",
        nanoseconds(coming),
        nanoseconds(going),
        nanoseconds(all / (rounds * count) as f64),
        bytes(file as usize),
        figure(memory / 1024.0)
    );
    Ok(Line::figure(row, measured))
}

/// As many open files as are allowed: each end has one.
fn raise_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If it cannot be raised, the ring that does not open says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Bytes of memory this process has.
fn resident() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").map_err(|e| Error::os("/proc/self/statm", e))?;
    let pages: f64 = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(f64::NAN);
    Ok(pages * 4096.0)
}
