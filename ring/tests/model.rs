//! Random scripts of operations on a ring, compared step by step with a queue that is obviously right.
//!
//! A failure prints the seed; PODRING_TEST_SEED repeats it.

mod common;

use std::collections::VecDeque;

use common::{Random, Scratch, pattern, watchdog};
use podring::{Consumer, Error, Producer, Wait};

const CAPACITY: u64 = 4096;
const LARGEST: u64 = CAPACITY / 2 - 8;
const SCRIPTS: u64 = 3000;
const STEPS: u64 = 60;

/// A message the ring holds.
#[derive(Debug, Clone)]
struct Record {
    bytes: Vec<u8>,
    /// The position behind it.
    end: u64,
}

/// What the ring should be: the records between two positions. The arithmetic is that of docs/layout.md: a header
/// of 8 bytes, the payload, padding to 8; a record does not wrap.
#[derive(Debug, Default)]
struct Model {
    queue: VecDeque<Record>,
    tail: u64,
    head: u64,
    /// The position behind the last message that was handed out.
    handed: u64,
    /// The position up to which messages had been handed to an earlier consumer.
    handed_before: u64,
    closed: bool,
    sent: u64,
}

impl Model {
    /// Where a message of this length would end, if there is room for it after `tail`.
    fn room_after(&self, tail: u64, len: u64) -> Option<u64> {
        let span = 8 + len.next_multiple_of(8);
        let left = CAPACITY - tail % CAPACITY;
        let end = tail + span + if span > left { left } else { 0 };
        (end - self.head <= CAPACITY).then_some(end)
    }

    fn push(&mut self, bytes: Vec<u8>, end: u64) {
        self.queue.push_back(Record { bytes, end });
        self.tail = end;
    }

    /// The first message is released.
    fn pop(&mut self) {
        self.head = self.queue.pop_front().expect("the model holds it").end;
    }
}

/// One script: handles, and the model they are compared with.
struct Script<'a> {
    scratch: &'a Scratch,
    name: String,
    wait: Wait,
    tx: Option<Producer>,
    rx: Option<Consumer>,
    model: Model,
    random: Random,
}

impl Script<'_> {
    fn options(&self) -> podring::Options {
        self.scratch.ring(&self.name).capacity(4096).wait(self.wait)
    }

    fn producer(&mut self) -> &mut Producer {
        if self.tx.is_none() {
            self.model.closed = false;
            self.tx = Some(self.options().producer().expect("a producer"));
        }
        self.tx.as_mut().expect("just made")
    }

    fn consumer(&mut self) -> &mut Consumer {
        if self.rx.is_none() {
            self.model.handed_before = self.model.handed;
            self.rx = Some(self.options().consumer().expect("a consumer"));
        }
        self.rx.as_mut().expect("just made")
    }

    fn message(&mut self) -> Vec<u8> {
        let len = match self.random.below(8) {
            0 => self.random.below(LARGEST + 1),
            1 => LARGEST - self.random.below(9),
            2 => 0,
            3 => self.random.below(1000),
            _ => self.random.below(100),
        };
        self.model.sent += 1;
        pattern(self.model.sent, len as usize)
    }

    fn step(&mut self) {
        match self.random.below(13) {
            0..3 => self.send(),
            3 => self.claim(),
            4..6 => self.batch(),
            6..9 => self.receive(),
            9..11 => self.drain(),
            11 => self.copy(),
            _ => self.change_sides(),
        }
        self.check_outside();
    }

    fn send(&mut self) {
        let message = self.message();
        let expected = self.model.room_after(self.model.tail, message.len() as u64);
        let closed = self.tx.is_some() && self.model.closed;
        match self.producer().try_send(&message) {
            Ok(sent) => {
                assert_eq!(sent, expected.is_some(), "{} bytes", message.len());
                if let Some(end) = expected {
                    self.model.push(message, end);
                }
            }
            Err(error) => assert!(closed && matches!(error, Error::Closed { .. }), "{error}"),
        }
    }

    fn claim(&mut self) {
        let message = self.message();
        let expected = self.model.room_after(self.model.tail, message.len() as u64);
        let commit = !self.random.one_in(3);
        let closed = self.tx.is_some() && self.model.closed;
        self.producer();
        match self.tx.as_mut().expect("made above").try_claim(message.len()) {
            Ok(Some(mut claim)) => {
                assert_eq!(claim.len(), message.len());
                claim.copy_from_slice(&message);
                if commit {
                    claim.commit();
                    self.model.push(message, expected.expect("the model has no room"));
                }
            }
            Ok(None) => assert_eq!(expected, None, "{} bytes", message.len()),
            Err(error) => assert!(closed && matches!(error, Error::Closed { .. }), "{error}"),
        }
    }

    fn batch(&mut self) {
        if self.model.closed && self.tx.is_some() {
            return;
        }
        let messages: Vec<Vec<u8>> = (0..self.random.below(12)).map(|_| self.message()).collect();
        let choices: Vec<u64> = messages.iter().map(|_| self.random.below(4)).collect();
        let publish = !self.random.one_in(4);
        self.producer();
        let (mut tail, mut held) = (self.model.tail, Vec::new());
        let mut batch = self.tx.as_mut().expect("made above").batch();
        for (message, choice) in messages.into_iter().zip(choices) {
            let expected = self.model.room_after(tail, message.len() as u64);
            let taken = match choice {
                0 => match batch.try_claim(message.len()).expect("try_claim") {
                    Some(claim) => {
                        drop(claim); // comes to nothing
                        assert!(expected.is_some());
                        continue;
                    }
                    None => false,
                },
                1 => match batch.try_claim(message.len()).expect("try_claim") {
                    Some(mut claim) => {
                        claim.copy_from_slice(&message);
                        claim.commit();
                        true
                    }
                    None => false,
                },
                _ => batch.try_send(&message).expect("try_send"),
            };
            assert_eq!(taken, expected.is_some(), "{} bytes in a batch", message.len());
            if let Some(end) = expected {
                tail = end;
                held.push((message, end));
            }
            assert_eq!(batch.len(), held.len());
        }
        if publish {
            batch.publish();
            for (message, end) in held {
                self.model.push(message, end);
            }
        } else {
            drop(batch);
        }
    }

    fn receive(&mut self) {
        let forget = self.random.one_in(5);
        self.consumer();
        let model = &mut self.model;
        let got = self.rx.as_mut().expect("made above").try_recv();
        match (got, model.queue.front()) {
            (Ok(Some(message)), Some(first)) => {
                assert!(*message == first.bytes, "{} bytes instead of {}", message.len(), first.bytes.len());
                // Padding before a message counts with it.
                assert_eq!(message.redelivered(), model.handed_before >= first.end);
                model.handed = model.handed.max(first.end);
                if forget {
                    std::mem::forget(message);
                } else {
                    drop(message);
                    model.pop();
                }
            }
            (Ok(None), None) => {}
            (Err(Error::Closed { .. }), None) => assert!(model.closed),
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    fn copy(&mut self) {
        let room = self.random.below(LARGEST + 20) as usize;
        let into_vec = self.random.one_in(2);
        let mut buffer = vec![0xAA; room];
        self.consumer();
        let model = &mut self.model;
        let rx = self.rx.as_mut().expect("made above");
        let got = if into_vec {
            rx.try_recv_to_vec(&mut buffer).map(|some| some.then_some(()))
        } else {
            rx.try_recv_into(&mut buffer).map(|len| len.map(|len| buffer.truncate(len)))
        };
        match (got, model.queue.front()) {
            (Ok(Some(())), Some(first)) => {
                assert!(buffer == first.bytes);
                model.handed = model.handed.max(first.end);
                model.pop();
            }
            (Ok(None), None) => {}
            (Err(Error::BufferTooSmall { len, .. }), Some(first)) => {
                assert!(!into_vec && len == first.bytes.len() && len > room);
                assert!(buffer.iter().all(|&byte| byte == 0xAA));
            }
            (Err(Error::Closed { .. }), None) => assert!(model.closed),
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    fn drain(&mut self) {
        let most = self.random.below(20);
        self.consumer();
        let model = &mut self.model;
        let mut drain = match self.rx.as_mut().expect("made above").try_drain() {
            Ok(Some(drain)) => drain,
            Ok(None) => return assert!(model.queue.is_empty()),
            Err(error) => return assert!(model.closed && matches!(error, Error::Closed { .. }), "{error}"),
        };
        let mut looked_at = 0;
        for expected in model.queue.iter().take(most as usize) {
            let message = drain.next().expect("next").expect("the model has more");
            assert!(message == expected.bytes);
            assert_eq!(drain.redelivered(), model.handed_before >= expected.end);
            model.handed = model.handed.max(expected.end);
            looked_at += 1;
        }
        if looked_at == model.queue.len() {
            assert!(drain.next().expect("next").is_none(), "the model has no more");
        }
        drop(drain);
        (0..looked_at).for_each(|_| model.pop());
    }

    fn change_sides(&mut self) {
        match self.random.below(4) {
            0 => {
                self.tx = None;
            }
            1 => {
                self.rx = None;
            }
            2 => {
                self.producer().close().expect("close");
                self.model.closed = true;
            }
            _ => {
                self.tx = None;
                self.rx = None;
            }
        }
    }

    /// The ring as seen from outside.
    fn check_outside(&mut self) {
        if self.random.one_in(6) && (self.tx.is_some() || self.rx.is_some()) {
            let report = podring::inspect::report(self.scratch.dir(), &self.name).expect("a report");
            assert_eq!((report.written, report.read), (self.model.tail, self.model.head));
            assert_eq!(report.closed, self.model.closed);
        }
    }
}

#[test]
fn random_scripts_agree_with_a_queue() {
    let scratch = Scratch::new("model");
    let _watchdog = watchdog(common::SOON * 5, "random scripts");
    let mut seeds = Random::fresh();
    for number in 0..SCRIPTS {
        let name = format!("ring-{number}");
        let mut script = Script {
            scratch: &scratch,
            name: name.clone(),
            // Nothing here waits; but a ring in which somebody might is published to in another way.
            wait: if number % 16 == 0 { Wait::Park } else { Wait::Spin },
            tx: None,
            rx: None,
            model: Model::default(),
            random: Random::seeded(seeds.next()),
        };
        for _ in 0..STEPS {
            script.step();
        }
        // Whatever is left comes out, in order.
        script.consumer();
        let mut rx = script.rx.take().expect("made above");
        for expected in &script.model.queue {
            assert!(*rx.try_recv().expect("try_recv").expect("a message") == expected.bytes);
        }
        match rx.try_recv() {
            Ok(None) | Err(Error::Closed { .. }) => {}
            other => panic!("more than was sent: {other:?}"),
        }
        drop((rx, script));
        let _ = podring::inspect::remove(scratch.dir(), &name, podring::inspect::Remove::IfStale);
    }
    assert!(scratch.names().is_empty());
}

#[cfg(feature = "bytemuck")]
#[test]
fn random_scripts_agree_with_a_queue_of_elements() {
    use podring::{TypedConsumer, TypedProducer};
    let scratch = Scratch::new("model-typed");
    let _watchdog = watchdog(common::SOON * 5, "random scripts");
    let mut random = Random::fresh();
    let element = |number: u64| [common::mix(number), number, !number];
    for script in 0..400 {
        let name = format!("ring-{script}");
        let capacity = 1_u64 << random.below(8);
        let options = || scratch.ring(&name).wait(Wait::Spin).typed::<[u64; 3]>().elements(capacity as usize);
        let (mut tx, mut rx): (Option<TypedProducer<_>>, Option<TypedConsumer<_>>) = (None, None);
        let (mut sent, mut received) = (0, 0);
        for _ in 0..80 {
            if random.one_in(20) {
                tx = None;
            }
            if random.one_in(20) {
                rx = None;
            }
            let room = capacity - (sent - received);
            match random.below(4) {
                0 => {
                    let tx = tx.get_or_insert_with(|| options().producer().expect("a producer"));
                    let taken = tx.try_send(&element(sent)).expect("try_send");
                    assert_eq!(taken, room > 0);
                    sent += u64::from(taken);
                }
                1 => {
                    let tx = tx.get_or_insert_with(|| options().producer().expect("a producer"));
                    let run = random.below(room + 1);
                    let elements: Vec<_> = (sent..sent + run).map(element).collect();
                    tx.send_all(&elements).expect("send_all");
                    sent += run;
                }
                2 => {
                    let rx = rx.get_or_insert_with(|| options().consumer().expect("a consumer"));
                    let got = rx.try_recv().expect("try_recv");
                    assert_eq!(got, (sent > received).then(|| element(received)));
                    received += u64::from(got.is_some());
                }
                _ if sent > received => {
                    let rx = rx.get_or_insert_with(|| options().consumer().expect("a consumer"));
                    let mut into = vec![[0; 3]; 1 + random.below(100) as usize];
                    let count = rx.recv_many(&mut into).expect("recv_many");
                    assert!(count >= 1 && count as u64 <= sent - received);
                    for got in &into[..count] {
                        assert_eq!(*got, element(received));
                        received += 1;
                    }
                    assert!(into[count..].iter().all(|rest| *rest == [0; 3]));
                }
                _ => {}
            }
        }
        drop((tx, rx));
        let _ = podring::inspect::remove(scratch.dir(), &name, podring::inspect::Remove::IfStale);
    }
}
