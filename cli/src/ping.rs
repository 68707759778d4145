//! `podring ping`: round trips over two rings, as `podring pong` answers them.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use podring::{Consumer, Error, Producer};
use serde_json::json;

use crate::args::PingArgs;
use crate::cpu;
use crate::open;
use crate::output::{Exit, Failure, Output, Summary};
use crate::patience::{Ended, Patience};
use crate::round_trip::{back, there};
use crate::signals;

/// Round trips, unless the user says how many or for how long.
const COUNT: u64 = 100_000;
/// The longest round trip the histogram tells from longer ones: an hour.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// How long the other side has for its last word.
const FAREWELL: Duration = Duration::from_secs(5);
/// Bytes at the front of each message that say which it is.
const TAG: usize = 8;

pub(crate) fn run(dir: &Path, args: &PingArgs, output: &Output) -> Result<Exit, Failure> {
    if args.size < TAG {
        return Err(Failure::usage(format!(
            "--size {} is too small: a message has at least {TAG} bytes",
            args.size
        )));
    }
    signals::watch()?;
    cpu::pin(args.cpu)?;
    let mut histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3)
        .map_err(|error| Failure::new(Exit::Failure, "Histogram", format!("no histogram: {error}")))?;
    let outcome = measure(dir, args, output, &mut histogram);
    let summary = summary(args, &histogram);
    match outcome {
        Ok(()) | Err(Halt::Ended(Ended::Stopped)) => {
            output.finish(summary)?;
            Ok(Exit::Ok)
        }
        Err(Halt::Ended(Ended::Failed(error))) => Err(Failure::from(error).with_summary(summary)),
        Err(Halt::WrongEcho(what)) => {
            Err(Failure::new(Exit::Damaged, "WrongEcho", what).with_summary(summary))
        }
    }
}

/// Why the measurement ended early.
enum Halt {
    Ended(Ended),
    WrongEcho(String),
}

impl From<Ended> for Halt {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

fn measure(dir: &Path, args: &PingArgs, output: &Output, histogram: &mut Histogram<u64>) -> Result<(), Halt> {
    let mut pair = Pair {
        to: open::spsc_producer(dir, &there(&args.name), &args.ring)?,
        from: open::spsc_consumer(dir, &back(&args.name), &args.ring)?,
        patience: Patience::new(args.timeout),
        message: vec![0; args.size],
        echo: Vec::new(),
        // Random, so that no echo of an earlier ping is taken for one of ours.
        tag: RandomState::new().build_hasher().finish(),
        sent: 0,
        answered: false,
    };
    pair.meet(args, output)?;
    for _ in 0..args.warmup {
        pair.round_trip()?;
    }
    let end = args.duration.map(|duration| Instant::now() + duration);
    let count = if end.is_some() { u64::MAX } else { args.count.unwrap_or(COUNT) };
    let mut before = Instant::now();
    for _ in 0..count {
        pair.round_trip()?;
        let after = Instant::now();
        histogram.saturating_record(u64::try_from((after - before).as_nanos()).unwrap_or(u64::MAX));
        if signals::stopped() {
            return Err(Ended::Stopped.into());
        }
        if end.is_some_and(|end| after >= end) {
            break;
        }
        before = Instant::now();
    }
    pair.part()
}

struct Pair {
    to: Producer,
    from: Consumer,
    patience: Patience,
    message: Vec<u8>,
    echo: Vec<u8>,
    tag: u64,
    sent: u64,
    /// Whether our own first message has come back, and with it the end of what was left from before.
    answered: bool,
}

impl Pair {
    fn meet(&mut self, args: &PingArgs, output: &Output) -> Result<(), Halt> {
        let Self { to, from, patience, .. } = self;
        if to.peers().map_err(Ended::Failed)?.is_empty() {
            output.note(&format!("waiting for `podring pong {}`", args.name));
        }
        patience.wait(|slice| to.wait_for_peer(slice))?;
        patience.wait(|slice| from.wait_for_peer(slice))?;
        Ok(())
    }

    fn round_trip(&mut self) -> Result<(), Halt> {
        self.tag = self.tag.wrapping_add(1);
        self.sent += 1;
        let Self { to, from, patience, message, echo, tag, sent, answered } = self;
        message[..TAG].copy_from_slice(&tag.to_le_bytes());
        patience.wait(|slice| to.send_timeout(message, slice))?;
        loop {
            patience.wait(|slice| from.recv_to_vec_timeout(echo, slice))?;
            if echo == message {
                *answered = true;
                return Ok(());
            }
            if *answered && !is_repeat(echo, *tag, *sent) {
                let what = format!(
                    "the echo on ring '{}' is not the message that was sent ({} bytes instead of {}, or other ones)",
                    from.name(),
                    echo.len(),
                    message.len()
                );
                return Err(Halt::WrongEcho(what));
            }
        }
    }

    /// Ends the stream, and waits for the other side to end its own: a next ping shall not find that end.
    fn part(&mut self) -> Result<(), Halt> {
        self.to.close().map_err(Ended::Failed)?;
        let Self { from, echo, .. } = self;
        loop {
            match Patience::new(Some(FAREWELL)).wait(|slice| from.recv_to_vec_timeout(echo, slice)) {
                Ok(()) => {}
                Err(Ended::Failed(Error::Closed { .. } | Error::Timeout { .. }) | Ended::Stopped) => {
                    return Ok(());
                }
                Err(ended) => return Err(ended.into()),
            }
        }
    }
}

/// Whether this is the echo of one of our earlier messages: a pong that was killed before it released the
/// message leaves it to its successor, which answers once more.
fn is_repeat(echo: &[u8], tag: u64, sent: u64) -> bool {
    let Some(echoed) = echo.first_chunk::<TAG>() else { return false };
    let behind = tag.wrapping_sub(u64::from_le_bytes(*echoed));
    (1..sent).contains(&behind)
}

fn summary(args: &PingArgs, histogram: &Histogram<u64>) -> Summary {
    let at = |percentile| histogram.value_at_percentile(percentile);
    let (p50, p90, p99) = (at(50.0), at(90.0), at(99.0));
    let (p99_9, p99_99, max) = (at(99.9), at(99.99), histogram.max());
    let text = format!(
        "round trip of {} bytes over {}: p50 {p50} ns, p90 {p90} ns, p99 {p99} ns, p99.9 {p99_9} ns, p99.99 {p99_99} \
         ns, max {max} ns, n {}",
        args.size,
        args.name,
        histogram.len()
    );
    let members = json!({
        "ring": args.name,
        "message_bytes": args.size,
        "n": histogram.len(),
        "min_ns": histogram.min(),
        "p50_ns": p50,
        "p90_ns": p90,
        "p99_ns": p99,
        "p99_9_ns": p99_9,
        "p99_99_ns": p99_99,
        "max_ns": max,
    });
    let summary = Summary::new("ping", text, members);
    if histogram.is_empty() { summary.without_text() } else { summary }
}
