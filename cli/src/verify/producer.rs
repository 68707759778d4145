//! `podring verify producer`: numbered, checksummed messages of random length.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use podring::Error;
use serde_json::json;

use super::journal::ProducerJournal;
use super::message::{self, HEADER, Tag, scramble};
use super::stillness::Stillness;
use super::tally::Sent;
use crate::args::VerifyProducerArgs;
use crate::handle::Producer;
use crate::input::Halt;
use crate::open;
use crate::output::{Exit, Failure, Output, Summary};
use crate::patience::Patience;
use crate::signals;
use crate::transfer::{Transfer, per_second};

/// The longest payload, unless the user or the ring says otherwise.
const LONGEST: usize = 1024;
/// Sends between two looks at the clock, when nothing else makes us look.
const CLOCK_SENDS: u64 = 64;
/// The longest sleep of a paced producer: Ctrl-C is heard in between.
const NAP: Duration = Duration::from_millis(50);

pub(crate) fn run(dir: &Path, args: &VerifyProducerArgs, output: &Output) -> Result<Exit, Failure> {
    if args.min > args.max.unwrap_or(LONGEST) {
        let max = args.max.unwrap_or(LONGEST);
        return Err(Failure::usage(format!("--min {} is more than --max {max}", args.min)));
    }
    signals::watch()?;
    let mut transfer = Transfer::new();
    let mut run = 0;
    let outcome = send(dir, args, &mut transfer, &mut run);
    let summary = summary(args, &transfer, run);
    match outcome {
        Ok(()) | Err(Halt::Stopped | Halt::Gone) => {
            output.finish(summary)?;
            Ok(Exit::Ok)
        }
        Err(Halt::Failed(failure)) => {
            let nothing = transfer.messages == 0;
            Err(failure.with_summary(if nothing { summary.without_text() } else { summary }))
        }
    }
}

fn send(dir: &Path, args: &VerifyProducerArgs, transfer: &mut Transfer, run: &mut u64) -> Result<(), Halt> {
    // The seat first: whoever has it is the only one to write the producer's journal.
    let mut producer = open::producer(dir, &args.name, &args.ring)?;
    let largest = producer.largest_message();
    let max = args.max.unwrap_or_else(|| LONGEST.min(largest.saturating_sub(HEADER)).max(args.min));
    if max.checked_add(HEADER).is_none_or(|len| len > largest) {
        let message = format!(
            "payloads of {max} bytes and the header of {HEADER} are more than the largest message of ring '{}', \
             {largest} bytes; ask for less with --max and --min",
            args.name
        );
        return Err(Halt::Failed(Failure::usage(message)));
    }
    let journal = args.journal.as_deref().map(|dir| Journal::begin(dir, &producer, u64::from(args.batch)));
    let journal = journal.transpose().map_err(Halt::Failed)?;
    *run = journal.as_ref().map_or_else(random, Journal::run);
    let mut sender = Sender {
        end: args.duration.map(|duration| Instant::now() + duration),
        count: args.count.unwrap_or(u64::MAX),
        lengths: Lengths::new(args.min, max, args.seed.unwrap_or_else(random)),
        next: Tag { run: *run, seq: 0 },
        journal,
        stillness: Stillness::new(),
        transfer,
    };
    sender.transfer.begin();
    match args.rate {
        Some(rate) => sender.paced(&mut producer, u64::from(args.batch), rate)?,
        None => sender.unpaced(&mut producer, u64::from(args.batch))?,
    }
    if !args.keep_open {
        producer.close().map_err(|error| Halt::Failed(error.into()))?;
    }
    Ok(())
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What is written down of a producer, as the kind of ring has it.
enum Journal {
    Sole(ProducerJournal),
    Many(Sent),
}

impl Journal {
    fn begin(dir: &Path, producer: &Producer, in_flight: u64) -> Result<Self, Failure> {
        Ok(match producer {
            Producer::Spsc(_) => Self::Sole(ProducerJournal::begin(dir, in_flight)?),
            Producer::Mpmc(_) => Self::Many(Sent::begin(dir, random(), in_flight)?),
        })
    }

    fn run(&self) -> u64 {
        match self {
            Self::Sole(journal) => journal.run(),
            Self::Many(journal) => journal.run(),
        }
    }

    fn make_room(&mut self, end: u64) -> Result<(), Failure> {
        match self {
            Self::Sole(_) => Ok(()),
            Self::Many(journal) => journal.make_room(end),
        }
    }

    fn sent(&self, messages: u64) {
        match self {
            Self::Sole(journal) => journal.sent(messages),
            Self::Many(journal) => journal.sent(messages),
        }
    }
}

struct Sender<'a> {
    end: Option<Instant>,
    count: u64,
    lengths: Lengths,
    next: Tag,
    journal: Option<Journal>,
    stillness: Stillness,
    transfer: &'a mut Transfer,
}

impl Sender<'_> {
    fn unpaced(&mut self, producer: &mut Producer, batch: u64) -> Result<(), Halt> {
        let mut look_at = 0;
        while self.next.seq < self.count {
            if signals::stopped() {
                return Err(Halt::Stopped);
            }
            if self.next.seq >= look_at {
                look_at = self.next.seq + CLOCK_SENDS;
                if self.ended() {
                    break;
                }
            }
            if !self.batch(producer, batch)? {
                break;
            }
        }
        Ok(())
    }

    fn paced(&mut self, producer: &mut Producer, batch: u64, rate: f64) -> Result<(), Halt> {
        let start = Instant::now();
        while self.next.seq < self.count && !self.ended() {
            if signals::stopped() {
                return Err(Halt::Stopped);
            }
            // Where the schedule is behind, it catches up.
            let due = Duration::try_from_secs_f64(self.next.seq as f64 / rate).unwrap_or(Duration::MAX);
            let early = due.saturating_sub(start.elapsed());
            if !early.is_zero() {
                let left = self.end.map_or(NAP, |end| end.saturating_duration_since(Instant::now()));
                std::thread::sleep(early.min(NAP).min(left));
                continue;
            }
            if !self.batch(producer, batch)? {
                break;
            }
        }
        Ok(())
    }

    fn ended(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Sends up to `limit` messages, visible at once. `false`: the time was over before there was space.
    fn batch(&mut self, producer: &mut Producer, limit: u64) -> Result<bool, Halt> {
        let limit = limit.min(self.count - self.next.seq);
        if let Some(journal) = &mut self.journal {
            // One more than the batch, should the first find no space.
            journal.make_room(self.next.seq + limit + 1).map_err(Halt::Failed)?;
        }
        let (mut held, mut bytes, mut full) = (0, 0, false);
        let mut batch = producer.batch();
        while held < limit && !full {
            let len = HEADER + self.lengths.peek();
            let claimed = batch.try_claim(len).map_err(|error| Halt::Failed(error.into()))?;
            match claimed {
                Some(mut claim) => {
                    message::write(&mut claim, Tag { seq: self.next.seq + held, ..self.next });
                    claim.commit();
                    self.lengths.advance();
                    held += 1;
                    bytes += len as u64;
                }
                None => full = true,
            }
        }
        batch.publish();
        self.sent(held, bytes);
        if full { self.one(producer) } else { Ok(true) }
    }

    /// Sends a message when there is space for it.
    fn one(&mut self, producer: &mut Producer) -> Result<bool, Halt> {
        let (len, tag) = (HEADER + self.lengths.peek(), self.next);
        let patience = Patience { timeout: None, until: self.end };
        self.stillness.begin();
        let sent = patience.wait(|slice| {
            let claim = producer.claim_timeout(len, slice);
            if let (Some(longest), Some(Journal::Many(journal))) =
                (self.stillness.slice(&claim), &self.journal)
            {
                journal.waited(longest);
            }
            let mut claim = claim?;
            message::write(&mut claim, tag);
            claim.commit();
            Ok::<(), Error>(())
        });
        match sent.map_err(Halt::from) {
            Ok(()) => {}
            // Not the user but the clock: the end that was planned.
            Err(Halt::Stopped) if !signals::stopped() => return Ok(false),
            Err(halt) => return Err(halt),
        }
        self.lengths.advance();
        self.sent(1, len as u64);
        Ok(true)
    }

    fn sent(&mut self, messages: u64, bytes: u64) {
        self.next.seq += messages;
        self.transfer.add(messages, bytes);
        if let Some(journal) = &self.journal {
            journal.sent(self.next.seq);
        }
    }
}

/// Payload lengths, evenly distributed from min to max.
struct Lengths {
    min: u64,
    span: u64,
    state: u64,
}

impl Lengths {
    fn new(min: usize, max: usize, seed: u64) -> Self {
        Self { min: min as u64, span: (max - min) as u64 + 1, state: seed }
    }

    /// The next length; the same until [`Lengths::advance`].
    fn peek(&self) -> usize {
        let random = u128::from(scramble(self.state));
        // The upper half of the product: even, and without a division.
        (self.min + ((random * u128::from(self.span)) >> 64) as u64) as usize
    }

    fn advance(&mut self) {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}

fn summary(args: &VerifyProducerArgs, transfer: &Transfer, run: u64) -> Summary {
    let seconds = transfer.elapsed().as_secs_f64();
    let rate = per_second(transfer.messages as f64, seconds);
    let gigabytes = per_second(transfer.bytes as f64 / 1e9, seconds);
    let text = format!(
        "podring verify producer {}: sent {} messages, {} bytes in {seconds:.3} s, {rate:.0} msg/s, {gigabytes:.2} GB/s",
        args.name, transfer.messages, transfer.bytes
    );
    let members = json!({
        "ring": args.name,
        "run": run,
        "messages": transfer.messages,
        "bytes": transfer.bytes,
        "seconds": seconds,
        "messages_per_s": rate,
        "gigabytes_per_s": gigabytes,
    });
    Summary::new("verify producer", text, members)
}

#[cfg(test)]
mod tests {
    use super::Lengths;

    #[test]
    fn lengths_reach_both_ends_and_no_further() {
        let mut lengths = Lengths::new(3, 6, 1);
        let mut seen = [0; 10];
        for _ in 0..1000 {
            seen[lengths.peek()] += 1;
            lengths.advance();
        }
        assert!(seen[3..=6].iter().all(|count| *count > 150), "{seen:?}");
        assert_eq!(seen[3..=6].iter().sum::<i32>(), 1000);
    }

    #[test]
    fn a_seed_repeats_its_lengths() {
        let take = |seed| {
            let mut lengths = Lengths::new(0, 1024, seed);
            (0..50)
                .map(|_| {
                    lengths.advance();
                    lengths.peek()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }
}
