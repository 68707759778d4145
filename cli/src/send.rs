//! `podring send`: standard input becomes messages.

use std::path::Path;

use crate::args::{Format, SendArgs};
use crate::handle::Producer;
use crate::input::{self, Halt, Lines};
use crate::output::{Exit, Failure, Output};
use crate::patience::{Ended, Patience};
use crate::transfer::Transfer;
use crate::{hex, json_line, open, redirect, signals};

/// The largest chunk of a raw stream, unless the user or the ring says otherwise.
const CHUNK: usize = 64 << 10;

pub(crate) fn run(dir: &Path, args: &SendArgs, output: &Output) -> Result<Exit, Failure> {
    if args.chunk == Some(0) {
        return Err(Failure::usage("--chunk 0 would never send anything"));
    }
    signals::watch()?;
    let mut transfer = Transfer::new();
    let outcome = send(dir, args, &mut transfer);
    let summary = transfer.summary("send", &args.name, matches!(outcome, Err(Halt::Failed(_))));
    match outcome {
        Ok(()) | Err(Halt::Stopped | Halt::Gone) => {
            output.finish(summary)?;
            Ok(Exit::Ok)
        }
        Err(Halt::Failed(failure)) => Err(failure.with_summary(summary)),
    }
}

fn send(dir: &Path, args: &SendArgs, transfer: &mut Transfer) -> Result<(), Halt> {
    if let Some(path) = &args.input {
        redirect::input_from(path).map_err(Halt::Failed)?;
    }
    let mut producer = open::producer(dir, &args.name, &args.ring)?;
    if let Some(timeout) = args.wait_for_peer {
        Patience::new(Some(timeout)).wait(|slice| producer.wait_for_peer(slice))?;
    }
    input::widen(std::io::stdin());
    let mut sender = Sender {
        patience: Patience::new(args.timeout),
        left: args.count.unwrap_or(u64::MAX),
        producer: &mut producer,
        transfer,
    };
    match args.format {
        Format::Raw => sender.chunks(args.chunk)?,
        Format::Lines | Format::Hex | Format::Jsonl => sender.lines(args.format)?,
    }
    if !args.keep_open {
        producer.close().map_err(|error| Halt::Failed(error.into()))?;
    }
    Ok(())
}

struct Sender<'a> {
    producer: &'a mut Producer,
    patience: Patience,
    left: u64,
    transfer: &'a mut Transfer,
}

/// What became of a claim that standard input was read into.
enum Read {
    Sent,
    /// Somebody else reads the same input: this many bytes came, fewer than claimed.
    Short(usize),
    Halted(Halt),
}

impl Sender<'_> {
    fn chunks(&mut self, chunk: Option<usize>) -> Result<(), Halt> {
        let largest = self.producer.largest_message();
        let chunk = chunk.unwrap_or(CHUNK.min(largest));
        if chunk > largest {
            let message = format!(
                "--chunk {chunk} is more than the largest message of ring '{}', {largest} bytes",
                self.producer.name()
            );
            return Err(Halt::Failed(Failure::usage(message)));
        }
        let mut buffer = vec![0; chunk];
        while self.left > 0 {
            let expected = input::waiting().min(chunk);
            if expected > 0 {
                self.chunk_in_place(expected, &mut buffer)?;
                continue;
            }
            let bytes = input::read(&mut buffer)?;
            if bytes == 0 {
                break;
            }
            self.send(&buffer[..bytes])?;
        }
        Ok(())
    }

    /// Reads standard input straight into the ring.
    fn chunk_in_place(&mut self, expected: usize, buffer: &mut [u8]) -> Result<(), Halt> {
        self.transfer.begin();
        let producer = &mut *self.producer;
        let read = self.patience.wait(|slice| {
            let mut claim = producer.claim_timeout(expected, slice)?;
            Ok(match input::read(&mut claim) {
                Ok(bytes) if bytes == expected => {
                    claim.commit();
                    Read::Sent
                }
                Ok(bytes) => {
                    buffer[..bytes].copy_from_slice(&claim[..bytes]);
                    Read::Short(bytes)
                }
                Err(halt) => Read::Halted(halt),
            })
        })?;
        match read {
            Read::Sent => {
                self.sent(1, expected as u64);
                Ok(())
            }
            // The next read tells whether the input has ended.
            Read::Short(0) => Ok(()),
            Read::Short(bytes) => self.send(&buffer[..bytes]),
            Read::Halted(halt) => Err(halt),
        }
    }

    fn lines(&mut self, format: Format) -> Result<(), Halt> {
        let largest = self.producer.largest_message();
        // Two digits a byte, and white space around them.
        let longest = if format == Format::Hex { largest * 2 + 64 } else { largest };
        let mut lines = Lines::new(longest);
        let mut decoded = Vec::new();
        while self.left > 0 && !signals::stopped() {
            let full = self.batch(&mut lines, format, &mut decoded)?;
            if let Some(message) = full {
                self.send(&message)?;
            } else if self.left > 0 && !lines.read_more()? {
                return Ok(());
            }
        }
        if self.left > 0 { Err(Halt::Stopped) } else { Ok(()) }
    }

    /// Sends every line that has been read already, all of them visible at once. Returns one that found no
    /// space. A line that is not valid ends the command, after those before it were sent.
    fn batch(
        &mut self,
        lines: &mut Lines,
        format: Format,
        decoded: &mut Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Halt> {
        self.transfer.begin();
        let (mut messages, mut bytes) = (0, 0);
        let mut batch = self.producer.batch();
        let mut outcome = Ok(None);
        while messages < self.left {
            let number = lines.number() + 1;
            let Some(line) = lines.next_buffered() else { break };
            let message = match parse(line, format, decoded) {
                Ok(message) => message,
                Err(why) => {
                    let message = format!("line {number} of standard input was not sent: {why}");
                    outcome = Err(Halt::Failed(Failure::new(Exit::Failure, "Input", message)));
                    break;
                }
            };
            match batch.try_send(message) {
                Ok(true) => {
                    messages += 1;
                    bytes += message.len() as u64;
                }
                Ok(false) => {
                    outcome = Ok(Some(message.to_vec()));
                    break;
                }
                Err(error) => {
                    let failure = Failure::from(error);
                    let message =
                        format!("line {number} of standard input was not sent: {}", failure.message());
                    outcome = Err(Halt::Failed(failure.with_message(message)));
                    break;
                }
            }
        }
        batch.publish();
        self.sent(messages, bytes);
        outcome
    }

    fn send(&mut self, message: &[u8]) -> Result<(), Halt> {
        self.transfer.begin();
        let producer = &mut *self.producer;
        let sent: Result<(), Ended> = self.patience.wait(|slice| producer.send_timeout(message, slice));
        sent?;
        self.sent(1, message.len() as u64);
        Ok(())
    }

    fn sent(&mut self, messages: u64, bytes: u64) {
        self.left -= messages;
        self.transfer.add(messages, bytes);
    }
}

/// The message that a line stands for, or why it stands for none.
fn parse<'a>(line: &'a [u8], format: Format, decoded: &'a mut Vec<u8>) -> Result<&'a [u8], String> {
    match format {
        Format::Hex => match hex::decode(line, decoded) {
            Ok(()) => Ok(decoded),
            Err(why) => Err(format!("not hexadecimal: {why}")),
        },
        Format::Jsonl => match json_line::check(line) {
            Ok(()) => Ok(line),
            Err(why) => Err(format!("not valid JSON: {why}")),
        },
        Format::Raw | Format::Lines => Ok(line),
    }
}
