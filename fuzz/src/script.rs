//! A script of operations on both ends of a ring of bytes, each compared with what the model says.
//!
//! Operations take a byte, and lengths two more. Blocking ones have a time-out of nothing: with both ends in
//! one thread, nobody could help.

use std::mem::forget;
use std::time::Duration;

use podring::{Consumer, Error, Options, Producer, Result, Wait, inspect};

use crate::bytes::Bytes;
use crate::model::{Model, Stream};

const NAME: &str = "script";
const NOW: Duration = Duration::ZERO;
const OPERATIONS: usize = 400;

/// One input.
pub fn run(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let form = bytes.byte();
    let capacity = if form & 1 == 0 { 4096 } else { 8192 };
    let possible = capacity / 2 - 8;
    let largest = if form & 2 == 0 { possible } else { 300 };
    let wait = [Wait::Park, Wait::Spin][usize::from(form >> 2 & 1)];
    let _ = inspect::remove(crate::dir(), NAME, inspect::Remove::Force);
    options(wait).capacity(capacity).largest_message(largest).make().expect("a ring");
    let mut play =
        Play { tx: None, rx: None, model: Model::new(capacity, largest), wait, closed: false, number: 0 };
    play.attach_producer();
    play.attach_consumer();
    for _ in 0..OPERATIONS {
        if bytes.is_empty() {
            break;
        }
        play.operate(&mut bytes);
    }
    play.compare();
    play.drain_all();
}

fn options(wait: Wait) -> Options {
    podring::spsc(NAME).dir(crate::dir()).wait(wait).slice(Duration::from_millis(1))
}

struct Play {
    tx: Option<Producer>,
    rx: Option<Consumer>,
    model: Model,
    wait: Wait,
    /// Whether the producer at hand has closed.
    closed: bool,
    /// Of the last message made.
    number: u64,
}

impl Play {
    /// A message unlike any other.
    fn message(&mut self, bytes: &mut Bytes<'_>) -> Vec<u8> {
        self.number += 1;
        let choice = bytes.short();
        // Small ones more often, and those about as large as is allowed.
        let len = match choice & 3 {
            0 => choice >> 2 & 0x1f,
            1 | 2 => choice % (self.model.largest + 1),
            _ => (self.model.largest + 8).saturating_sub(choice >> 2 & 0xf),
        };
        (0..len as u64).map(|index| (self.number * 31 + index * 7) as u8).collect()
    }

    fn operate(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.byte() % 24 {
            0..=2 => {
                let message = self.message(bytes);
                let result = here(&mut self.tx).try_send(&message);
                self.sent(result, &message);
            }
            3 => {
                let message = self.message(bytes);
                let result = full(here(&mut self.tx).send_timeout(&message, NOW));
                self.sent(result, &message);
            }
            4..=6 => self.claim(bytes),
            7..=9 => self.batch(bytes),
            10..=12 => self.receive(bytes),
            13..=15 => self.copy(bytes),
            16..=18 => self.drain(bytes),
            19 => {
                here(&mut self.tx).close().expect("close");
                if !self.closed {
                    self.closed = true;
                    self.model.stream = Stream::Closed;
                }
            }
            20 => self.attach_producer(),
            21 => self.attach_consumer(),
            _ => self.compare(),
        }
    }

    /// What sending must have come to.
    #[track_caller]
    fn sent(&mut self, result: Result<bool>, message: &[u8]) {
        if refused(&self.model, self.closed, result.as_ref().err(), message.len()) {
            return;
        }
        let room = self.model.has_room(message.len());
        assert_eq!(result.expect("no error"), room, "{} bytes", message.len());
        if room {
            self.model.send(message);
        }
    }

    fn claim(&mut self, bytes: &mut Bytes<'_>) {
        let message = self.message(bytes);
        let (end, room) = (bytes.byte() % 4, self.model.has_room(message.len()));
        match here(&mut self.tx).try_claim(message.len()) {
            Ok(Some(mut claim)) => {
                assert!(room && claim.len() == message.len());
                claim.copy_from_slice(&message);
                match end {
                    0 => drop(claim),
                    1 => forget(claim),
                    _ => claim.commit(),
                }
                match end {
                    0 => self.model.abandoned += 1,
                    1 => {}
                    _ => self.model.send(&message),
                }
                assert!(!refused(&self.model, self.closed, None, message.len()));
            }
            Ok(None) => assert!(!room && !refused(&self.model, self.closed, None, message.len())),
            Err(error) => assert!(refused(&self.model, self.closed, Some(&error), message.len())),
        }
    }

    fn batch(&mut self, bytes: &mut Bytes<'_>) {
        let (count, end) = (bytes.byte() % 12, bytes.byte() % 4);
        let messages: Vec<Vec<u8>> = (0..count).map(|_| self.message(bytes)).collect();
        let how = bytes.byte();
        let mut batch = here(&mut self.tx).batch();
        for (index, message) in messages.iter().enumerate() {
            let room = self.model.has_room(message.len());
            // A blocking one publishes what the batch holds when the ring is full.
            let blocks = how >> (index % 8) & 1 == 1;
            let result =
                if blocks { full(batch.send_timeout(message, NOW)) } else { batch.try_send(message) };
            if refused(&self.model, self.closed, result.as_ref().err(), message.len()) {
                continue;
            }
            assert_eq!(result.expect("no error"), room);
            if room {
                self.model.hold(message);
            } else if blocks {
                self.model.publish();
            }
            assert_eq!((batch.len(), batch.is_empty()), (self.model.held(), self.model.held() == 0));
        }
        if end == 0 {
            drop(batch);
            self.model.abandon();
        } else {
            batch.publish();
            self.model.publish();
        }
    }

    fn receive(&mut self, bytes: &mut Bytes<'_>) {
        let how = bytes.byte();
        let expected = self.model.next().map(|entry| entry.bytes.clone());
        let mark = self.model.is_redelivery();
        let result = if how & 1 == 0 {
            here(&mut self.rx).try_recv()
        } else {
            empty(here(&mut self.rx).recv_timeout(NOW))
        };
        match result {
            Ok(Some(message)) => {
                assert_eq!(Some(&*message), expected.as_deref());
                assert_eq!(message.redelivered(), mark);
                self.model.hand_out();
                if how & 6 == 6 {
                    // It stays the next one.
                    forget(message);
                } else {
                    drop(message);
                    self.model.pass();
                    self.model.release();
                }
            }
            Ok(None) => found_nothing(&mut self.model, expected.is_none(), how & 1 == 1),
            Err(error) => ended(&mut self.model, expected.is_none(), &error),
        }
    }

    fn copy(&mut self, bytes: &mut Bytes<'_>) {
        let (how, room) = (bytes.byte(), bytes.short() % (self.model.largest + 1));
        let expected = self.model.next().map(|entry| entry.bytes.clone());
        let mut out = vec![0xEE; 8];
        let mut buffer = vec![0xEE; room];
        let result = match how & 3 {
            0 => here(&mut self.rx).try_recv_to_vec(&mut out).map(|got| got.then_some(())),
            1 => empty(here(&mut self.rx).recv_to_vec_timeout(&mut out, NOW)),
            2 => here(&mut self.rx)
                .try_recv_into(&mut buffer)
                .map(|got| got.map(|len| out = buffer[..len].to_vec())),
            _ => empty(
                here(&mut self.rx)
                    .recv_into_timeout(&mut buffer, NOW)
                    .map(|len| out = buffer[..len].to_vec()),
            ),
        };
        match result {
            Ok(Some(())) => {
                assert_eq!(Some(out), expected);
                self.model.hand_out();
                self.model.pass();
                self.model.release();
            }
            Ok(None) => found_nothing(&mut self.model, expected.is_none(), how & 1 == 1),
            Err(Error::BufferTooSmall { len, buffer, .. }) => {
                assert!(how & 2 == 2 && buffer == room && len > room);
                assert_eq!(expected.map(|bytes| bytes.len()), Some(len));
            }
            Err(error) => ended(&mut self.model, expected.is_none(), &error),
        }
    }

    fn drain(&mut self, bytes: &mut Bytes<'_>) {
        let (most, how) = (bytes.byte() % 40, bytes.byte());
        let nothing = self.model.next().is_none();
        let result = if how & 1 == 0 {
            here(&mut self.rx).try_drain()
        } else {
            empty(here(&mut self.rx).drain_timeout(NOW))
        };
        match result {
            Ok(Some(mut drain)) => {
                let mut looked = false;
                for _ in 0..most {
                    let mark = self.model.is_redelivery();
                    let expected = self.model.next().map(|entry| &entry.bytes[..]);
                    let got = drain.next().expect("no error");
                    assert_eq!(got, expected);
                    if got.is_none() {
                        break;
                    }
                    assert_eq!(drain.redelivered(), mark);
                    self.model.hand_out();
                    self.model.pass();
                    looked = true;
                }
                if how & 6 == 6 {
                    forget(drain);
                } else {
                    drop(drain);
                    if looked {
                        self.model.release();
                    }
                }
            }
            Ok(None) => found_nothing(&mut self.model, nothing, how & 1 == 1),
            Err(error) => ended(&mut self.model, nothing, &error),
        }
    }

    fn attach_producer(&mut self) {
        // The seat is free only when the handle is gone.
        self.tx = None;
        self.tx = Some(options(self.wait).producer().expect("a free seat"));
        self.closed = false;
        self.model.attach_producer();
    }

    fn attach_consumer(&mut self) {
        self.rx = None;
        self.rx = Some(options(self.wait).consumer().expect("a free seat"));
        self.model.attach_consumer();
    }

    /// What can be seen from outside is what the model says.
    fn compare(&mut self) {
        let report = inspect::report(crate::dir(), NAME).expect("a report");
        assert_eq!((report.written, report.read), (self.model.tail, self.model.head));
        assert_eq!(report.used, self.model.tail - self.model.head);
        assert_eq!(report.closed, self.model.stream != Stream::Open);
        assert!(report.seats.iter().all(|seat| seat.live) && report.seats.len() == 2);
        let stats = here(&mut self.tx).stats();
        let expected = (self.model.sent, self.model.sent_bytes, self.model.abandoned);
        assert_eq!((stats.messages, stats.bytes, stats.abandoned), expected);
        assert_eq!(here(&mut self.tx).peers().expect("peers").len(), 1);
    }

    /// At the end, everything that was sent and not released is there, in order.
    fn drain_all(&mut self) {
        self.attach_consumer();
        while let Some(expected) = self.model.next().map(|entry| entry.bytes.clone()) {
            let message = here(&mut self.rx).try_recv().expect("no error").expect("a message");
            assert_eq!(&*message, &expected[..]);
            drop(message);
            self.model.hand_out();
            self.model.pass();
            self.model.release();
        }
        match here(&mut self.rx).try_recv() {
            Ok(None) => assert_ne!(self.model.stream, Stream::Closed),
            Err(Error::Closed { .. }) => assert_eq!(self.model.stream, Stream::Closed),
            other => panic!("{other:?}"),
        }
    }
}

/// A handle, which is only gone while another takes its place.
fn here<T>(handle: &mut Option<T>) -> &mut T {
    handle.as_mut().expect("attached")
}

/// Whether a call had to be refused, as it then was.
#[track_caller]
fn refused(model: &Model, closed: bool, error: Option<&Error>, len: usize) -> bool {
    let refused = match error {
        Some(Error::Closed { .. }) => Some("Closed"),
        Some(Error::TooLarge { .. }) => Some("TooLarge"),
        Some(other) => panic!("{other:?}"),
        None => None,
    };
    let too_large = (len > model.largest).then_some("TooLarge");
    let expected = if closed { Some("Closed") } else { too_large };
    assert_eq!(refused, expected, "{len} bytes");
    refused.is_some()
}

/// The ring was said to be empty.
#[track_caller]
fn found_nothing(model: &mut Model, nothing: bool, waited: bool) {
    assert!(nothing && model.stream != Stream::Closed);
    if waited {
        // Who waits gives back what a forgotten drain has kept.
        model.release();
    }
}

/// The stream was said to have ended.
#[track_caller]
fn ended(model: &mut Model, nothing: bool, error: &Error) {
    assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    assert!(nothing && model.ends(), "an end that is none, or was told before");
}

/// Full is no error here.
fn full(result: Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(Error::Timeout { what: "space", .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Nor is empty.
fn empty<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Timeout { what: "message", .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
