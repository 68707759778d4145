//! `podring verify consumer`: checks every byte and every sequence number.

use std::path::Path;

use podring::Error;
use serde_json::json;

use super::check::Check;
use super::extend;
use super::stillness::Stillness;
use crate::args::VerifyConsumerArgs;
use crate::handle::Message;
use crate::input::Halt;
use crate::open;
use crate::output::{Exit, Failure, Output, Summary};
use crate::patience::{Ended, Patience};
use crate::signals;
use crate::transfer::{Transfer, per_second};

/// Flaws that are described one by one; all are counted.
const DESCRIBED: u64 = 10;

pub(crate) fn run(dir: &Path, args: &VerifyConsumerArgs, output: &Output) -> Result<Exit, Failure> {
    signals::watch()?;
    let mut receiver = Receiver { transfer: Transfer::new(), check: Check::empty(), output, described: 0 };
    let outcome = receiver.receive(dir, args);
    let summary = receiver.summary(args);
    let verdict = receiver.check.exit();
    match outcome {
        Ok(()) | Err(Halt::Stopped | Halt::Gone) => {
            // Of two bad endings, damage is the worse one.
            let worst =
                |failure: Failure| if verdict == Exit::Ok { failure } else { failure.with_exit(verdict) };
            output.finish(summary).map_err(worst)?;
            Ok(verdict)
        }
        Err(Halt::Failed(failure)) => {
            let failure = if verdict == Exit::Ok { failure } else { failure.with_exit(verdict) };
            let nothing = receiver.transfer.messages == 0;
            Err(failure.with_summary(if nothing { summary.without_text() } else { summary }))
        }
    }
}

struct Receiver<'a> {
    transfer: Transfer,
    check: Check,
    output: &'a Output,
    described: u64,
}

impl Receiver<'_> {
    fn receive(&mut self, dir: &Path, args: &VerifyConsumerArgs) -> Result<(), Halt> {
        // The seat first: whoever has it is the only one to write the consumer's journal.
        let mut consumer = open::consumer(dir, &args.name, &args.ring)?;
        self.check = Check::open(&consumer, args.journal.as_deref()).map_err(Halt::Failed)?;
        let mut stillness = self.check.notes_waits().then(Stillness::new);
        let patience = Patience::new(args.timeout);
        while args.count.is_none_or(|count| self.transfer.messages < count) {
            if signals::stopped() {
                return Err(Halt::Stopped);
            }
            if let Some(stillness) = &mut stillness {
                stillness.begin();
            }
            let taken = patience.wait(|slice| {
                let outcome = consumer.recv_timeout(slice);
                if let Some(longest) = stillness.as_mut().and_then(|stillness| stillness.slice(&outcome)) {
                    self.check.waited(longest);
                }
                Ok(self.take(outcome?))
            });
            match taken {
                Ok(taken) => taken.map_err(Halt::Failed)?,
                Err(Ended::Failed(Error::Closed { .. })) => {
                    self.closed(args);
                    return Ok(());
                }
                Err(ended) => return Err(ended.into()),
            }
        }
        Ok(())
    }

    /// Checks a message, notes it in the journal, then releases it.
    fn take(&mut self, message: Message<'_>) -> Result<(), Failure> {
        self.transfer.begin();
        let seen = match self.check.take(&message) {
            Ok(seen) => seen,
            Err(failure) => {
                // Not noted, so not acknowledged either.
                message.put_back();
                return Err(failure);
            }
        };
        if seen.new {
            self.transfer.add(1, message.len() as u64);
        }
        if let Some(what) = seen.flaw {
            self.describe(&what);
        }
        drop(message);
        Ok(())
    }

    fn closed(&mut self, args: &VerifyConsumerArgs) {
        let short = args.count.map_or(0, |count| count.saturating_sub(self.transfer.messages));
        if short > 0 && self.check.ended_short(short) {
            self.describe("the stream ended early");
        }
    }

    fn describe(&mut self, what: &str) {
        self.described += 1;
        if self.described <= DESCRIBED {
            self.output.note(&format!("{what}; so far {}", self.check.text()));
        }
    }

    fn summary(&self, args: &VerifyConsumerArgs) -> Summary {
        let transfer = &self.transfer;
        let seconds = transfer.elapsed().as_secs_f64();
        let rate = per_second(transfer.messages as f64, seconds);
        let gigabytes = per_second(transfer.bytes as f64 / 1e9, seconds);
        let text = format!(
            "podring verify consumer {}: received {} messages, {} bytes in {seconds:.3} s, {rate:.0} msg/s, \
             {gigabytes:.2} GB/s; {} runs: {}",
            args.name,
            transfer.messages,
            transfer.bytes,
            self.check.runs(),
            self.check.text(),
        );
        let members = json!({
            "ring": args.name,
            "messages": transfer.messages,
            "bytes": transfer.bytes,
            "seconds": seconds,
            "messages_per_s": rate,
            "gigabytes_per_s": gigabytes,
            "runs": self.check.runs(),
        });
        Summary::new("verify consumer", text, extend(members, self.check.members()))
    }
}
