//! `podring recv`: messages go to standard output.

use std::mem;
use std::path::Path;
use std::time::Duration;

use podring::{Drain, Error};

use crate::args::{Format, RecvArgs};
use crate::handle::{Consumer, Message};
use crate::input::Halt;
use crate::output::{Exit, Failure, Output};
use crate::patience::{Ended, Patience};
use crate::sink::{Sink, reader_is_gone};
use crate::transfer::Transfer;
use crate::{hex, json_line, open, redirect, signals};

pub(crate) fn run(dir: &Path, args: &RecvArgs, output: &Output) -> Result<Exit, Failure> {
    signals::watch()?;
    let mut transfer = Transfer::new();
    let outcome = recv(dir, args, &mut transfer);
    let summary = transfer.summary("recv", &args.name, matches!(outcome, Err(Halt::Failed(_))));
    match outcome {
        Ok(()) | Err(Halt::Stopped | Halt::Gone) => {
            output.finish(summary)?;
            Ok(Exit::Ok)
        }
        Err(Halt::Failed(failure)) => Err(failure.with_summary(summary)),
    }
}

fn recv(dir: &Path, args: &RecvArgs, transfer: &mut Transfer) -> Result<(), Halt> {
    if let Some(path) = &args.output {
        redirect::output_to(path).map_err(Halt::Failed)?;
    }
    let mut consumer = open::consumer(dir, &args.name, &args.ring)?;
    let patience = Patience::new(args.timeout);
    let mut sink = Sink::new();
    while args.count.is_none_or(|count| transfer.messages < count) {
        if signals::stopped() {
            return Err(Halt::Stopped);
        }
        let left = args.count.map_or(u64::MAX, |count| count - transfer.messages);
        let written =
            patience.wait(|slice| match next(&mut consumer, args.format, slice, left, transfer, &mut sink) {
                Err(Error::Timeout { .. }) if reader_is_gone() => Ok(Err(Halt::Gone)),
                outcome => outcome,
            });
        match written {
            Ok(written) => written?,
            Err(Ended::Failed(Error::Closed { .. })) => return Ok(()),
            Err(ended) => return Err(ended.into()),
        }
    }
    Ok(())
}

/// Waits for messages and writes them.
fn next(
    consumer: &mut Consumer,
    format: Format,
    slice: Duration,
    limit: u64,
    transfer: &mut Transfer,
    sink: &mut Sink,
) -> podring::Result<Result<(), Halt>> {
    Ok(match consumer {
        // A message that is refused must stay in the ring, and those before it must not: one by one.
        Consumer::Spsc(consumer) if format != Format::Jsonl => {
            // A producer that waits for space shall not wait for all of the ring to be written.
            let share = (consumer.capacity() / 4).min(1 << 20);
            write_all(consumer.drain_timeout(slice)?, format, limit, share, transfer, sink)
        }
        // Of many consumers, each has one message at a time.
        _ => write_one(consumer.recv_timeout(slice)?, format, transfer, sink),
    })
}

/// Writes a message and releases it once it is written.
fn write_one(
    message: Message<'_>,
    format: Format,
    transfer: &mut Transfer,
    sink: &mut Sink,
) -> Result<(), Halt> {
    transfer.begin();
    let written = match format {
        Format::Jsonl => put_json(&message, transfer.messages + 1, sink),
        Format::Raw | Format::Lines | Format::Hex => put(&message, format, sink),
    };
    let written = written.and_then(|()| sink.flush());
    if let Err(halt) = written {
        message.put_back(); // not acknowledged: the next consumer gets it again
        return Err(halt);
    }
    transfer.add(1, message.len() as u64);
    Ok(())
}

fn put_json(message: &[u8], number: u64, sink: &mut Sink) -> Result<(), Halt> {
    json_line::check(message).map_err(|why| {
        let text = format!(
            "message {number} is not valid JSON: {why}; it stays in the ring, receive it with --format raw or hex"
        );
        Halt::Failed(Failure::new(Exit::Failure, "Input", text))
    })?;
    json_line::append(message, sink.tail());
    Ok(())
}

/// Writes up to `limit` messages, or about `share` bytes, and releases them once they are written.
fn write_all(
    mut drain: Drain<'_>,
    format: Format,
    limit: u64,
    share: usize,
    transfer: &mut Transfer,
    sink: &mut Sink,
) -> Result<(), Halt> {
    transfer.begin();
    let (mut messages, mut bytes) = (0, 0);
    let written = loop {
        if messages == limit || bytes >= share {
            break Ok(());
        }
        match drain.next() {
            Ok(Some(message)) => {
                if let Err(halt) = put(message, format, sink) {
                    break Err(halt);
                }
                messages += 1;
                bytes += message.len();
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(Halt::Failed(error.into())),
        }
    };
    if let Err(halt) = written.and_then(|()| sink.flush()) {
        // Not everything was written, so nothing of this drain is acknowledged: the next consumer gets it again.
        mem::forget(drain);
        return Err(halt);
    }
    drop(drain);
    transfer.add(messages, bytes as u64);
    Ok(())
}

fn put(message: &[u8], format: Format, sink: &mut Sink) -> Result<(), Halt> {
    match format {
        Format::Hex => {
            let out = sink.tail();
            hex::encode(message, out);
            out.push(b'\n');
            sink.settle()
        }
        Format::Lines | Format::Jsonl => {
            sink.put(message)?;
            sink.put(b"\n")
        }
        Format::Raw => sink.put(message),
    }
}
