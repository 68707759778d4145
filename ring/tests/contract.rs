//! What every call on a ring of bytes does, in each of its forms.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{MOMENT, Random, SOON, Scratch, pattern, refused, watchdog};
use podring::{Consumer, Create, Producer, Role, Wait};

/// The smallest ring there is.
const SMALL: usize = 4096;
/// What it takes at most.
const LARGEST: usize = SMALL / 2 - 8;

fn pair(scratch: &Scratch) -> (Producer, Consumer) {
    let tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    let rx = scratch.ring("ring").consumer().expect("a consumer");
    (tx, rx)
}

/// Fills the ring with messages of `len` bytes. Returns how many.
fn fill(tx: &mut Producer, len: usize) -> u64 {
    let mut count = 0;
    while tx.try_send(&pattern(count, len)).expect("room or not") {
        count += 1;
        assert!(count < 10_000, "the ring is never full");
    }
    count
}

fn later() -> Instant {
    Instant::now() + SOON
}

#[test]
fn every_form_of_sending_arrives() {
    let scratch = Scratch::new("forms");
    let (mut tx, mut rx) = pair(&scratch);
    let forms: [fn(&mut Producer, &[u8]); 14] = [
        |tx, m| tx.send(m).expect("send"),
        |tx, m| assert!(tx.try_send(m).expect("try_send")),
        |tx, m| tx.send_timeout(m, SOON).expect("send_timeout"),
        |tx, m| tx.send_deadline(m, later()).expect("send_deadline"),
        |tx, m| {
            let mut claim = tx.claim(m.len()).expect("claim");
            claim.copy_from_slice(m);
            claim.commit();
        },
        |tx, m| {
            let mut claim = tx.try_claim(m.len()).expect("try_claim").expect("room");
            claim.copy_from_slice(m);
            assert_eq!(&*claim, m, "a claim reads back what was written");
            claim.commit();
        },
        |tx, m| {
            let mut claim = tx.claim_timeout(m.len(), SOON).expect("claim_timeout");
            claim.copy_from_slice(m);
            claim.commit();
        },
        |tx, m| {
            let mut claim = tx.claim_deadline(m.len(), later()).expect("claim_deadline");
            claim.copy_from_slice(m);
            claim.commit();
        },
        |tx, m| {
            let mut batch = tx.batch();
            batch.send(m).expect("batch send");
            batch.publish();
        },
        |tx, m| {
            let mut batch = tx.batch();
            assert!(batch.try_send(m).expect("batch try_send"));
            batch.publish();
        },
        |tx, m| {
            let mut batch = tx.batch();
            batch.send_timeout(m, SOON).expect("batch send_timeout");
            batch.publish();
        },
        |tx, m| {
            let mut batch = tx.batch();
            batch.send_deadline(m, later()).expect("batch send_deadline");
            batch.publish();
        },
        |tx, m| {
            let mut batch = tx.batch();
            let mut claim = batch.claim(m.len()).expect("batch claim");
            claim.copy_from_slice(m);
            claim.commit();
            batch.publish();
        },
        |tx, m| {
            let mut batch = tx.batch();
            let mut claim = batch.try_claim(m.len()).expect("batch try_claim").expect("room");
            claim.copy_from_slice(m);
            claim.commit();
            batch.publish();
        },
    ];
    for round in 0..40 {
        for (index, form) in forms.iter().enumerate() {
            let message = pattern(round * 100 + index as u64, (round as usize * 7 + index) % 300);
            form(&mut tx, &message);
            assert_eq!(&*rx.recv().expect("recv"), &message[..], "form {index}, round {round}");
        }
    }
    assert!(rx.try_recv().expect("try_recv").is_none(), "nothing more than was sent");
}

#[test]
fn every_form_of_receiving_gets_what_was_sent() {
    let scratch = Scratch::new("receive");
    let (mut tx, mut rx) = pair(&scratch);
    let forms: [fn(&mut Consumer) -> Vec<u8>; 16] = [
        |rx| rx.recv().expect("recv").to_vec(),
        |rx| rx.try_recv().expect("try_recv").expect("a message").to_vec(),
        |rx| rx.recv_timeout(SOON).expect("recv_timeout").to_vec(),
        |rx| rx.recv_deadline(later()).expect("recv_deadline").to_vec(),
        |rx| {
            let mut buffer = [0xAA; 400];
            let len = rx.recv_into(&mut buffer).expect("recv_into");
            assert!(buffer[len..].iter().all(|&byte| byte == 0xAA), "only the message's bytes are written");
            buffer[..len].to_vec()
        },
        |rx| {
            let mut buffer = [0; 400];
            let len = rx.try_recv_into(&mut buffer).expect("try_recv_into").expect("a message");
            buffer[..len].to_vec()
        },
        |rx| {
            let mut buffer = [0; 400];
            let len = rx.recv_into_timeout(&mut buffer, SOON).expect("recv_into_timeout");
            buffer[..len].to_vec()
        },
        |rx| {
            let mut buffer = [0; 400];
            let len = rx.recv_into_deadline(&mut buffer, later()).expect("recv_into_deadline");
            buffer[..len].to_vec()
        },
        |rx| {
            let mut out = vec![1; 500];
            rx.recv_to_vec(&mut out).expect("recv_to_vec");
            out
        },
        |rx| {
            let mut out = vec![1];
            assert!(rx.try_recv_to_vec(&mut out).expect("try_recv_to_vec"));
            out
        },
        |rx| {
            let mut out = Vec::new();
            rx.recv_to_vec_timeout(&mut out, SOON).expect("recv_to_vec_timeout");
            out
        },
        |rx| {
            let mut out = Vec::new();
            rx.recv_to_vec_deadline(&mut out, later()).expect("recv_to_vec_deadline");
            out
        },
        |rx| rx.drain().expect("drain").next().expect("next").expect("a message").to_vec(),
        |rx| {
            rx.try_drain()
                .expect("try_drain")
                .expect("some")
                .next()
                .expect("next")
                .expect("a message")
                .to_vec()
        },
        |rx| {
            rx.drain_timeout(SOON).expect("drain_timeout").next().expect("next").expect("a message").to_vec()
        },
        |rx| rx.drain_deadline(later()).expect("drain_deadline").next().expect("next").expect("one").to_vec(),
    ];
    for round in 0..40 {
        for (index, form) in forms.iter().enumerate() {
            let message = pattern(round * 100 + index as u64, (round as usize * 11 + index) % 380);
            tx.send(&message).expect("send");
            let got = form(&mut rx);
            assert_eq!(got, message, "form {index}, round {round}");
            assert!(rx.try_recv().expect("try_recv").is_none(), "form {index} left something");
        }
    }
}

#[test]
fn empty_ring_is_none_or_a_timeout_in_every_form() {
    let scratch = Scratch::new("empty");
    let (_tx, mut rx) = pair(&scratch);
    let mut buffer = [0; 8];
    let mut out = b"kept".to_vec();
    assert!(rx.try_recv().expect("try_recv").is_none());
    assert!(rx.try_recv_into(&mut buffer).expect("try_recv_into").is_none());
    assert!(!rx.try_recv_to_vec(&mut out).expect("try_recv_to_vec"));
    assert_eq!(out, b"kept", "an empty ring leaves the vector alone");
    assert!(rx.try_drain().expect("try_drain").is_none());

    let said = &["ring 'ring'", "no message within", "the other side is attached and slow"];
    let short = Duration::from_millis(3);
    let start = Instant::now();
    refused(rx.recv_timeout(short), "Timeout", said);
    refused(rx.recv_into_timeout(&mut buffer, short), "Timeout", said);
    refused(rx.recv_to_vec_timeout(&mut out, short), "Timeout", said);
    refused(rx.drain_timeout(short), "Timeout", said);
    assert!(start.elapsed() >= short * 4, "a time-out comes no earlier than asked: {:?}", start.elapsed());
    let start = Instant::now();
    refused(rx.recv_deadline(start + short), "Timeout", said);
    assert!(start.elapsed() >= short);
    refused(rx.recv_into_deadline(&mut buffer, Instant::now() + short), "Timeout", said);
    refused(rx.recv_to_vec_deadline(&mut out, Instant::now() + short), "Timeout", said);
    refused(rx.drain_deadline(Instant::now() + short), "Timeout", said);
}

#[test]
fn full_ring_is_false_none_or_a_timeout_in_every_form() {
    let scratch = Scratch::new("full");
    let (mut tx, mut rx) = pair(&scratch);
    let count = fill(&mut tx, 100);
    let short = Duration::from_millis(3);
    let message = [7; 100];
    let said = &["ring 'ring'", "no space within", "the other side is attached and slow"];
    assert!(!tx.try_send(&message).expect("try_send"));
    assert!(tx.try_claim(100).expect("try_claim").is_none());
    let start = Instant::now();
    refused(tx.send_timeout(&message, short), "Timeout", said);
    refused(tx.claim_timeout(100, short), "Timeout", said);
    assert!(start.elapsed() >= short * 2, "a time-out comes no earlier than asked: {:?}", start.elapsed());
    refused(tx.send_deadline(&message, Instant::now() + short), "Timeout", said);
    refused(tx.claim_deadline(100, Instant::now() + short), "Timeout", said);
    let mut batch = tx.batch();
    assert!(!batch.try_send(&message).expect("batch try_send"));
    assert!(batch.try_claim(100).expect("batch try_claim").is_none());
    refused(batch.send_timeout(&message, short), "Timeout", said);
    refused(batch.send_deadline(&message, Instant::now() + short), "Timeout", said);
    assert!(batch.is_empty());
    batch.publish();
    for number in 0..count {
        assert_eq!(&*rx.recv().expect("recv"), &pattern(number, 100)[..], "nothing of the refused was sent");
    }
    assert!(rx.try_recv().expect("try_recv").is_none());
}

#[test]
fn a_deadline_in_the_past_still_takes_what_is_there() {
    let scratch = Scratch::new("past");
    let (mut tx, mut rx) = pair(&scratch);
    let past = Instant::now();
    tx.send_deadline(b"a", past).expect("there is room");
    assert_eq!(&*rx.recv_deadline(past).expect("it is there"), b"a");
    refused(rx.recv_deadline(past), "Timeout", &["no message"]);
    refused(rx.recv_timeout(Duration::ZERO), "Timeout", &["no message"]);
    tx.send_timeout(b"b", Duration::ZERO).expect("there is room");
    assert_eq!(&*rx.recv_timeout(Duration::ZERO).expect("it is there"), b"b");
}

#[test]
fn a_time_out_or_slice_beyond_the_clock_means_for_ever() {
    let scratch = Scratch::new("forever");
    let _watchdog = watchdog(SOON, "receiving with the longest time-out");
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    let rx = scratch.ring("ring").slice(Duration::MAX).wait(Wait::Park);
    let mut rx = rx.consumer().expect("a consumer");
    let receiver = thread::spawn(move || rx.recv_timeout(Duration::MAX).map(|message| message.to_vec()));
    thread::sleep(MOMENT);
    tx.send(b"at last").expect("send");
    assert_eq!(receiver.join().expect("no panic").expect("recv_timeout"), b"at last");
}

#[test]
fn blocked_receiver_is_woken_by_a_message() {
    for wait in [Wait::Spin, Wait::Adaptive, Wait::Park] {
        let scratch = Scratch::new("blocked-rx");
        let _watchdog = watchdog(SOON, "a blocked receiver");
        let mut rx = scratch.ring("ring").wait(wait).consumer().expect("a consumer");
        let receiver = thread::spawn(move || rx.recv().map(|message| message.to_vec()));
        let mut tx = scratch.ring("ring").wait(wait).producer().expect("a producer");
        thread::sleep(MOMENT);
        tx.send(b"up").expect("send");
        assert_eq!(receiver.join().expect("no panic").expect("recv"), b"up");
    }
}

#[test]
fn blocked_sender_is_woken_by_a_release() {
    for wait in [Wait::Spin, Wait::Adaptive, Wait::Park] {
        let scratch = Scratch::new("blocked-tx");
        let _watchdog = watchdog(SOON, "a blocked sender");
        let mut tx = scratch.ring("ring").capacity(SMALL).wait(wait).producer().expect("a producer");
        let mut rx = scratch.ring("ring").wait(wait).consumer().expect("a consumer");
        let count = fill(&mut tx, 1000);
        let sender = thread::spawn(move || tx.send(&pattern(count, 1000)).map(|()| tx));
        thread::sleep(MOMENT);
        for number in 0..=count {
            assert_eq!(&*rx.recv().expect("recv"), &pattern(number, 1000)[..]);
        }
        sender.join().expect("no panic").expect("send");
    }
}

#[test]
fn messages_of_no_bytes_are_messages() {
    let scratch = Scratch::new("zero");
    let (mut tx, mut rx) = pair(&scratch);
    for _ in 0..3 {
        let count = fill(&mut tx, 0);
        assert_eq!(count, SMALL as u64 / 8, "an empty message takes its header only");
        for _ in 0..count {
            assert_eq!(rx.recv_into(&mut []).expect("recv_into an empty buffer"), 0);
        }
        assert!(rx.try_recv().expect("try_recv").is_none());
    }
    tx.claim(0).expect("claim").commit();
    let message = rx.recv().expect("recv");
    assert!(message.is_empty() && !message.redelivered());
}

#[test]
fn the_largest_message_fits_at_every_position() {
    let scratch = Scratch::new("largest");
    let (mut tx, mut rx) = pair(&scratch);
    assert_eq!((tx.largest_message(), rx.largest_message()), (LARGEST, LARGEST));
    for step in 0..600 {
        // A step of eight bytes between two large ones moves through all positions.
        tx.send(&[]).expect("send");
        assert!(rx.recv().expect("recv").is_empty());
        let message = pattern(step, LARGEST);
        assert!(tx.try_send(&message).expect("try_send"), "an empty ring takes it, step {step}");
        assert_eq!(&*rx.recv().expect("recv"), &message[..], "step {step}");
    }
}

#[test]
fn every_length_at_every_offset_survives_wrap_around_and_padding() {
    let scratch = Scratch::new("offsets");
    let _watchdog = watchdog(SOON * 2, "lengths at offsets");
    let (mut tx, mut rx) = pair(&scratch);
    let mut position = 0_usize;
    let mut out = Vec::new();
    for offset in (0..SMALL).step_by(8) {
        let room = SMALL - offset;
        // Around everything that could be special: words, the end of the area, the largest.
        let lengths = [0, 1, 7, 8, 9, 63, 64, 65, 1023, 1024, 1025, LARGEST - 1, LARGEST];
        let at_the_end = (room.saturating_sub(17)..=room).filter(|&len| len <= LARGEST);
        for len in lengths.into_iter().chain(at_the_end) {
            while position % SMALL != offset {
                tx.send(&[]).expect("send");
                rx.recv_to_vec(&mut out).expect("recv_to_vec");
                position += 8;
            }
            let message = pattern((offset * 4096 + len) as u64, len);
            assert!(tx.try_send(&message).expect("an empty ring takes it"), "{len} bytes at {offset}");
            if len % 2 == 0 {
                rx.recv_to_vec(&mut out).expect("recv_to_vec");
                assert_eq!(out, message, "{len} bytes at {offset}");
            } else {
                assert_eq!(&*rx.recv().expect("recv"), &message[..], "{len} bytes at {offset}");
            }
            assert!(tx.try_send(b"behind").expect("try_send"));
            assert_eq!(&*rx.recv().expect("recv"), b"behind", "after {len} bytes at {offset}");
            let mut advance = |len: usize| {
                let span = 8 + len.next_multiple_of(8);
                let room = SMALL - position % SMALL;
                position += if span > room { room + span } else { span };
            };
            advance(len);
            advance(6);
        }
    }
    let report = podring::inspect::report(scratch.dir(), "ring").expect("a report");
    assert_eq!(report.written, position as u64, "the layout is as documented: header, payload, padding to 8");
    assert_eq!(report.read, report.written);
}

#[test]
fn a_message_too_large_is_refused_and_nothing_is_sent() {
    let scratch = Scratch::new("too-large");
    let (mut tx, mut rx) = pair(&scratch);
    let huge = vec![1; LARGEST + 1];
    let said = &["ring 'ring'", "2041 bytes", "2040", "split it", "larger capacity"];
    refused(tx.send(&huge), "TooLarge", said);
    refused(tx.try_send(&huge), "TooLarge", said);
    refused(tx.send_timeout(&huge, SOON), "TooLarge", said);
    refused(tx.send_deadline(&huge, later()), "TooLarge", said);
    refused(tx.claim(huge.len()), "TooLarge", said);
    refused(tx.try_claim(huge.len()), "TooLarge", said);
    refused(tx.claim_timeout(huge.len(), SOON), "TooLarge", said);
    refused(tx.claim_deadline(usize::MAX, later()), "TooLarge", &["18446744073709551615"]);
    let mut batch = tx.batch();
    refused(batch.send(&huge), "TooLarge", said);
    refused(batch.try_send(&huge), "TooLarge", said);
    refused(batch.claim(huge.len()), "TooLarge", said);
    refused(batch.try_claim(huge.len()), "TooLarge", said);
    batch.publish();
    assert!(rx.try_recv().expect("try_recv").is_none());
    tx.send(b"fits").expect("the producer goes on");
    assert_eq!(&*rx.recv().expect("recv"), b"fits");
}

#[test]
fn a_smaller_largest_message_is_kept_and_must_agree() {
    let scratch = Scratch::new("largest-option");
    let mut tx = scratch.ring("ring").capacity(SMALL).largest_message(100).producer().expect("a producer");
    assert_eq!(tx.largest_message(), 100);
    tx.send(&[1; 100]).expect("send");
    refused(tx.send(&[1; 101]), "TooLarge", &["101 bytes", "100"]);
    let same = scratch.ring("ring").largest_message(100).consumer().expect("the same limit");
    drop(same);
    let other = scratch.ring("ring").largest_message(99).consumer();
    refused(other, "Mismatch", &["ring 'ring'", "largest message 100", "asked for was 99"]);
    let impossible = scratch.ring("other").capacity(SMALL).largest_message(LARGEST + 1).producer();
    refused(impossible, "OptionInvalid", &["ring 'other'", "largest message", "2041", "up to 2040 bytes"]);
    assert_eq!(scratch.names(), ["ring"]);
}

#[test]
fn a_large_limit_is_compared_with_the_ring_that_is_there() {
    let scratch = Scratch::new("largest-there");
    let large = 4 << 20;
    let tx = scratch.ring("ring").capacity(16 << 20).largest_message(large).producer().expect("a producer");
    let rx = scratch.ring("ring").largest_message(large).consumer().expect("the ring that is there takes it");
    assert_eq!((tx.largest_message(), rx.largest_message()), (large, large));
}

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    let scratch = Scratch::new("capacity");
    for (asked, made) in [(0, 4096), (1, 4096), (4096, 4096), (4097, 8192), (100_000, 131_072)] {
        let name = format!("ring-{asked}");
        let tx = scratch.ring(&name).capacity(asked).producer().expect("a producer");
        let rx = scratch.ring(&name).capacity(made).consumer().expect("the rounded capacity is the same");
        assert_eq!((tx.capacity(), rx.capacity()), (made, made), "asked for {asked}");
        assert_eq!(tx.largest_message(), made / 2 - 8);
        let bytes = scratch.path(&name).metadata().expect("the ring").len();
        assert_eq!(bytes, 24_576 + made as u64);
    }
    assert_eq!(scratch.ring("default").producer().expect("a producer").capacity(), 1 << 20);
    let other = scratch.ring("ring-0").capacity(8192).consumer();
    refused(other, "Mismatch", &["ring 'ring-0'", "capacity 4096", "asked for was 8192", "remove the ring"]);
    refused(scratch.ring("x").capacity(usize::MAX).producer(), "OptionInvalid", &["capacity", "512 GiB"]);
    refused(scratch.ring("x").capacity(1 << 40).producer(), "OptionInvalid", &["capacity", "512 GiB"]);
}

#[test]
fn a_batch_appears_at_once() {
    let scratch = Scratch::new("batch");
    let (mut tx, mut rx) = pair(&scratch);
    let mut batch = tx.batch();
    for number in 0..10 {
        assert_eq!(batch.len(), number);
        assert_eq!(batch.is_empty(), number == 0);
        batch.send(&pattern(number as u64, 40)).expect("send");
        assert!(rx.try_recv().expect("try_recv").is_none(), "not before it is published");
    }
    batch.publish();
    let mut drain = rx.drain().expect("drain");
    for number in 0..10 {
        assert_eq!(drain.next().expect("next").expect("a message"), &pattern(number, 40)[..]);
    }
    assert!(drain.next().expect("next").is_none());
    drop(drain);
    assert_eq!(tx.stats().messages, 10);
    assert_eq!(tx.stats().bytes, 400);
    assert_eq!(rx.stats().messages, 10);
}

#[test]
fn a_dropped_batch_sends_nothing() {
    let scratch = Scratch::new("batch-dropped");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"before").expect("send");
    let mut batch = tx.batch();
    while batch.try_send(&[3; 100]).expect("try_send") {}
    let held = batch.len() as u64;
    assert!(held > 30);
    drop(batch);
    assert_eq!(tx.stats().abandoned, held);
    tx.send(b"after").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"before");
    assert_eq!(&*rx.recv().expect("recv"), b"after");
    assert!(rx.try_recv().expect("try_recv").is_none());
    assert_eq!(tx.stats().messages, 2);
}

#[test]
fn a_batch_larger_than_the_ring_publishes_what_it_holds_and_goes_on() {
    let scratch = Scratch::new("batch-large");
    let _watchdog = watchdog(SOON, "a batch larger than the ring");
    let (mut tx, mut rx) = pair(&scratch);
    let count = 2000;
    let sender = thread::spawn(move || {
        let mut batch = tx.batch();
        for number in 0..count {
            let message = pattern(number, number as usize % 500);
            if number % 3 == 0 {
                let mut claim = batch.claim(message.len()).expect("claim");
                claim.copy_from_slice(&message);
                claim.commit();
            } else {
                batch.send(&message).expect("send");
            }
        }
        batch.publish();
        tx.stats()
    });
    for number in 0..count {
        assert_eq!(&*rx.recv().expect("recv"), &pattern(number, number as usize % 500)[..]);
    }
    let stats = sender.join().expect("no panic");
    assert_eq!((stats.messages, stats.abandoned), (count, 0));
}

#[test]
fn a_timed_out_batch_has_published_what_it_held() {
    let scratch = Scratch::new("batch-timeout");
    let (mut tx, mut rx) = pair(&scratch);
    let mut batch = tx.batch();
    let mut count = 0;
    while batch.try_send(&pattern(count, 200)).expect("try_send") {
        count += 1;
    }
    refused(batch.send_timeout(&[0; 200], Duration::from_millis(2)), "Timeout", &["no space"]);
    assert!(batch.is_empty(), "it was published, or the ring could never have room");
    drop(batch);
    for number in 0..count {
        assert_eq!(&*rx.recv().expect("recv"), &pattern(number, 200)[..]);
    }
    assert!(rx.try_recv().expect("try_recv").is_none());
}

#[test]
fn a_dropped_claim_leaves_no_trace() {
    let scratch = Scratch::new("claim-dropped");
    let (mut tx, mut rx) = pair(&scratch);
    for round in 0..500 {
        let mut claim = tx.claim(LARGEST).expect("claim");
        claim.fill(0xEE);
        drop(claim);
        assert!(rx.try_recv().expect("try_recv").is_none());
        let mut batch = tx.batch();
        batch.send(b"in the batch").expect("send");
        batch.claim(1000).expect("claim").fill(0xDD);
        batch.publish();
        assert_eq!(&*rx.recv().expect("recv"), b"in the batch", "round {round}");
        assert!(rx.try_recv().expect("try_recv").is_none());
    }
    assert_eq!(tx.stats().abandoned, 1000);
}

#[test]
fn space_is_free_when_the_message_is_dropped_and_not_before() {
    let scratch = Scratch::new("release");
    let (mut tx, mut rx) = pair(&scratch);
    fill(&mut tx, LARGEST);
    let message = rx.recv().expect("recv");
    assert!(!tx.try_send(&[0; LARGEST]).expect("try_send"), "the message is still borrowed");
    let kept = message.to_vec();
    assert_eq!(kept, pattern(0, LARGEST));
    drop(message);
    assert!(tx.try_send(&[0; LARGEST]).expect("try_send"), "now it is released");
}

#[test]
fn a_drain_releases_once_when_dropped_what_was_looked_at() {
    let scratch = Scratch::new("drain");
    let (mut tx, mut rx) = pair(&scratch);
    let count = fill(&mut tx, 120);
    let mut drain = rx.drain().expect("drain");
    for number in 0..count - 3 {
        assert_eq!(drain.next().expect("next").expect("a message"), &pattern(number, 120)[..]);
        assert!(
            !tx.try_send(&[0; 120]).expect("try_send"),
            "nothing is released before the drain is dropped"
        );
    }
    drop(drain);
    assert!(tx.try_send(&pattern(count, 120)).expect("try_send"));
    for number in count - 3..=count {
        assert_eq!(&*rx.recv().expect("the rest"), &pattern(number, 120)[..]);
    }
    tx.send(&pattern(0, 120)).expect("send");
    let mut drain = rx.drain().expect("drain");
    assert_eq!(drain.next().expect("next").expect("a message"), &pattern(0, 120)[..]);
    assert!(drain.next().expect("next").is_none());
    drop(drain);
    assert_eq!(rx.stats().messages, count + 2);
}

#[test]
fn a_drain_hands_out_all_that_was_there_when_it_began() {
    let scratch = Scratch::new("drain-all");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"one").expect("send");
    tx.send(b"two").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"one");
    tx.send(b"three").expect("send");
    let mut drain = rx.drain().expect("drain");
    assert_eq!(drain.next().expect("next"), Some(&b"two"[..]));
    assert_eq!(drain.next().expect("next"), Some(&b"three"[..]), "sent before the drain began");
    assert_eq!(drain.next().expect("next"), None);
}

#[test]
fn a_drain_ends_with_what_was_there_when_it_began() {
    let scratch = Scratch::new("drain-end");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"one").expect("send");
    let mut drain = rx.drain().expect("drain");
    tx.send(b"two").expect("send");
    assert_eq!(drain.next().expect("next").expect("a message"), b"one");
    assert!(drain.next().expect("next").is_none(), "a fast producer cannot keep a drain for ever");
    assert!(drain.next().expect("next").is_none());
    drop(drain);
    assert_eq!(&*rx.recv().expect("recv"), b"two");
}

#[test]
fn a_drain_that_is_not_read_receives_nothing() {
    let scratch = Scratch::new("drain-unread");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"still here").expect("send");
    drop(rx.drain().expect("drain"));
    assert_eq!(&*rx.recv().expect("recv"), b"still here");
    assert_eq!(rx.stats().messages, 1);
}

#[test]
fn a_forgotten_message_comes_again() {
    let scratch = Scratch::new("forget");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"first").expect("send");
    tx.send(b"second").expect("send");
    for _ in 0..3 {
        let message = rx.recv().expect("recv");
        assert_eq!(&*message, b"first");
        std::mem::forget(message);
    }
    assert_eq!(&*rx.recv().expect("recv"), b"first");
    assert_eq!(&*rx.recv().expect("recv"), b"second");
    assert_eq!(rx.stats().messages, 2);
}

#[test]
fn forgotten_guards_do_not_wedge_the_ring() {
    let scratch = Scratch::new("forgotten");
    let _watchdog = watchdog(SOON, "a ring with forgotten guards");
    let (mut tx, mut rx) = pair(&scratch);
    for round in 0..20 {
        std::mem::forget(tx.claim(500).expect("claim"));
        let mut batch = tx.batch();
        while batch.try_send(b"never published").expect("try_send") {}
        std::mem::forget(batch);
        let mut batch = tx.batch();
        batch.send_timeout(&pattern(round, 900), SOON).expect("a forgotten batch takes no room for ever");
        batch.publish();
        loop {
            // Whether what was forgotten arrives is not promised; that the rest does, and in order, is.
            let message = rx.recv_timeout(SOON).expect("recv");
            if message.len() == 900 {
                assert_eq!(&*message, &pattern(round, 900)[..]);
                break;
            }
            assert_eq!(&*message, b"never published");
        }
        fill(&mut tx, 100);
        let mut drain = rx.drain().expect("drain");
        while drain.next().expect("next").is_some() {}
        std::mem::forget(drain);
        // As any receiving call, this one looks for a message, and releases what was passed.
        refused(rx.recv_timeout(Duration::from_millis(1)), "Timeout", &["no message"]);
        tx.send_timeout(b"there is room", SOON).expect("a forgotten drain takes no room for ever");
        assert_eq!(&*rx.recv_timeout(SOON).expect("recv"), b"there is room");
    }
}

#[test]
fn a_buffer_too_small_leaves_the_message_in_the_ring() {
    let scratch = Scratch::new("too-small");
    let (mut tx, mut rx) = pair(&scratch);
    let message = pattern(1, 64);
    tx.send(&message).expect("send");
    let mut small = [9; 63];
    let said = &["ring 'ring'", "64 bytes", "the buffer 63", "stays in the ring"];
    refused(rx.recv_into(&mut small), "BufferTooSmall", said);
    refused(rx.try_recv_into(&mut small), "BufferTooSmall", said);
    refused(rx.recv_into_timeout(&mut small, SOON), "BufferTooSmall", said);
    refused(rx.recv_into_deadline(&mut small, later()), "BufferTooSmall", said);
    refused(rx.recv_into(&mut []), "BufferTooSmall", &["the buffer 0"]);
    assert_eq!(small, [9; 63], "the buffer is as it was");
    assert_eq!(rx.stats().messages, 0);
    let mut enough = [0; 64];
    assert_eq!(rx.recv_into(&mut enough).expect("recv_into"), 64);
    assert_eq!(&enough[..], &message[..]);
}

#[test]
fn a_closed_stream_is_drained_and_then_closed() {
    let scratch = Scratch::new("close");
    let _watchdog = watchdog(SOON, "a closed stream");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"last words").expect("send");
    tx.close().expect("close");
    tx.close().expect("closing twice is closing");
    let said = &["ring 'ring' is closed", "the stream has ended"];
    refused(tx.send(b"x"), "Closed", said);
    refused(tx.try_send(b"x"), "Closed", said);
    refused(tx.send_timeout(b"x", SOON), "Closed", said);
    refused(tx.send_deadline(b"x", later()), "Closed", said);
    refused(tx.claim(1), "Closed", said);
    refused(tx.try_claim(1), "Closed", said);
    refused(tx.claim_timeout(1, SOON), "Closed", said);
    refused(tx.claim_deadline(1, later()), "Closed", said);
    refused(tx.batch().send(b"x"), "Closed", said);
    refused(tx.batch().try_send(b"x"), "Closed", said);
    refused(tx.batch().claim(1), "Closed", said);
    refused(tx.batch().try_claim(1), "Closed", said);
    assert_eq!(&*rx.recv().expect("what was sent before"), b"last words");
    refused(rx.recv(), "Closed", said);
}

#[test]
fn every_form_of_receiving_is_told_of_the_end_once() {
    let scratch = Scratch::new("told-forms");
    let _watchdog = watchdog(SOON, "streams that end");
    let mut rx = scratch.ring("ring").capacity(SMALL).consumer().expect("a consumer");
    let forms: [fn(&mut Consumer) -> podring::Result<()>; 16] = [
        |rx| rx.recv().map(drop),
        |rx| rx.try_recv().map(drop),
        |rx| rx.recv_timeout(SOON).map(drop),
        |rx| rx.recv_deadline(later()).map(drop),
        |rx| rx.recv_into(&mut [0; 8]).map(drop),
        |rx| rx.try_recv_into(&mut [0; 8]).map(drop),
        |rx| rx.recv_into_timeout(&mut [0; 8], SOON).map(drop),
        |rx| rx.recv_into_deadline(&mut [0; 8], later()).map(drop),
        |rx| rx.recv_to_vec(&mut Vec::new()),
        |rx| rx.try_recv_to_vec(&mut Vec::new()).map(drop),
        |rx| rx.recv_to_vec_timeout(&mut Vec::new(), SOON),
        |rx| rx.recv_to_vec_deadline(&mut Vec::new(), later()),
        |rx| rx.drain().map(drop),
        |rx| rx.try_drain().map(drop),
        |rx| rx.drain_timeout(SOON).map(drop),
        |rx| rx.drain_deadline(later()).map(drop),
    ];
    for (index, form) in forms.iter().enumerate() {
        let mut tx = scratch.ring("ring").producer().expect("a producer");
        tx.send(&[index as u8]).expect("send");
        tx.close().expect("close");
        assert_eq!(&*rx.recv().expect("recv"), &[index as u8], "what was sent before the end, form {index}");
        refused(form(&mut rx), "Closed", &["ring 'ring' is closed", "the stream has ended"]);
        // Told: from here on this handle, too, waits for the next stream.
        assert!(rx.try_recv().expect("no second end").is_none(), "form {index}");
        refused(rx.recv_timeout(Duration::from_millis(1)), "Timeout", &["no message"]);
    }
}

#[test]
fn a_blocked_receiver_is_told_of_the_end() {
    for wait in [Wait::Spin, Wait::Adaptive, Wait::Park] {
        let scratch = Scratch::new("close-blocked");
        let _watchdog = watchdog(SOON, "a receiver blocked at the end");
        // A long slice: it must be the close that wakes it.
        let rx = scratch.ring("ring").wait(wait).slice(SOON * 2);
        let mut rx = rx.consumer().expect("a consumer");
        let mut tx = scratch.ring("ring").wait(wait).producer().expect("a producer");
        let receiver = thread::spawn(move || refused(rx.recv(), "Closed", &[]));
        thread::sleep(MOMENT);
        tx.close().expect("close");
        receiver.join().expect("no panic");
    }
}

#[test]
fn a_consumer_that_comes_late_gets_the_stream_and_its_end_once() {
    let scratch = Scratch::new("late");
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    tx.send(b"one").expect("send");
    tx.send(b"two").expect("send");
    tx.close().expect("close");
    drop(tx);
    let mut rx = scratch.ring("ring").consumer().expect("a late consumer");
    assert_eq!(&*rx.recv().expect("recv"), b"one");
    drop(rx);
    let mut rx = scratch.ring("ring").consumer().expect("its successor");
    assert_eq!(&*rx.recv().expect("recv"), b"two");
    refused(rx.recv(), "Closed", &[]);
    drop(rx);
    let mut next = scratch.ring("ring").consumer().expect("the consumer of the next stream");
    refused(next.recv_timeout(MOMENT), "Timeout", &["the other side is not attached", "started"]);
    let mut tx = scratch.ring("ring").producer().expect("a producer of the next stream");
    tx.send(b"three").expect("send");
    assert_eq!(&*next.recv().expect("recv"), b"three");
    tx.close().expect("close");
    refused(next.recv(), "Closed", &[]);
}

#[test]
fn a_producer_that_comes_opens_the_stream_again() {
    let scratch = Scratch::new("reopen");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"first stream").expect("send");
    tx.close().expect("close");
    assert!(podring::inspect::report(scratch.dir(), "ring").expect("a report").closed);
    drop(tx);
    let mut tx = scratch.ring("ring").producer().expect("another producer");
    assert!(!podring::inspect::report(scratch.dir(), "ring").expect("a report").closed);
    assert_eq!(&*rx.recv().expect("recv"), b"first stream");
    assert!(rx.try_recv().expect("open again").is_none());
    tx.send(b"second stream").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"second stream");
    tx.close().expect("close");
    refused(rx.recv(), "Closed", &[]);
    drop(tx);
    // The same handle goes on with a third stream.
    let mut tx = scratch.ring("ring").producer().expect("another producer");
    tx.send(b"third stream").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"third stream");
    tx.close().expect("close");
    refused(rx.recv(), "Closed", &[]);
}

#[test]
fn the_last_end_is_told_exactly_once_however_often_the_sides_change() {
    let scratch = Scratch::new("told-once");
    let _watchdog = watchdog(SOON * 2, "streams that end");
    let streams = 300_u64;
    for round in 0..3 {
        let dir = scratch.dir().to_owned();
        let sender = thread::spawn(move || {
            for number in 0..streams {
                let mut tx = common::ring_in(&dir, "ring").producer().expect("a producer");
                tx.send(&number.to_le_bytes()).expect("send");
                tx.close().expect("close");
            }
        });
        let (mut next, mut told) = (0, 0);
        while next < streams || told == 0 {
            let mut rx = scratch.ring("ring").consumer().expect("a consumer");
            for _ in 0..20 {
                match rx.try_recv() {
                    Ok(Some(message)) => {
                        assert_eq!(*message, next.to_le_bytes());
                        next += 1;
                    }
                    Ok(None) => {}
                    Err(error) => {
                        assert_eq!(error.kind(), "Closed");
                        told += u32::from(next == streams);
                    }
                }
            }
        }
        sender.join().expect("no panic");
        assert_eq!(told, 1, "round {round}");
        let mut rx = scratch.ring("ring").consumer().expect("a consumer");
        assert!(rx.try_recv().expect("no second end").is_none());
    }
}

#[test]
fn a_producer_that_leaves_without_closing_is_waited_for() {
    let scratch = Scratch::new("leave");
    let (mut tx, mut rx) = pair(&scratch);
    tx.send(b"a").expect("send");
    drop(tx);
    assert_eq!(&*rx.recv().expect("recv"), b"a");
    refused(rx.recv_timeout(MOMENT), "Timeout", &["the other side is not attached"]);
    assert!(rx.try_recv().expect("no end").is_none());
    let mut tx = scratch.ring("ring").producer().expect("its successor");
    tx.send(b"b").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"b");
}

#[test]
fn successors_of_either_side_go_on_where_the_last_one_ended() {
    let scratch = Scratch::new("successors");
    let (tx, rx) = pair(&scratch);
    drop((tx, rx));
    let mut random = Random::fresh();
    let (mut sent, mut received) = (0, 0);
    for _ in 0..300 {
        if random.one_in(2) {
            let mut tx = scratch.ring("ring").producer().expect("a producer");
            for _ in 0..random.below(20) {
                sent += u64::from(tx.try_send(&pattern(sent, sent as usize % 300)).expect("try_send"));
            }
        } else {
            let mut rx = scratch.ring("ring").consumer().expect("a consumer");
            for _ in 0..random.below(20) {
                let Some(message) = rx.try_recv().expect("try_recv") else { break };
                assert_eq!(&*message, &pattern(received, received as usize % 300)[..]);
                assert!(!message.redelivered(), "it had been left in the ring, not handed out");
                received += 1;
            }
        }
    }
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    while let Some(message) = rx.try_recv().expect("try_recv") {
        assert_eq!(&*message, &pattern(received, received as usize % 300)[..]);
        received += 1;
    }
    assert_eq!(received, sent);
}

#[test]
fn what_was_handed_out_and_not_released_is_marked_when_it_comes_again() {
    let scratch = Scratch::new("redelivered");
    let (mut tx, mut rx) = pair(&scratch);
    for number in 0..6 {
        tx.send(&pattern(number, 900 / (number as usize + 1))).expect("send");
    }
    drop(rx.recv().expect("recv")); // released
    let mut drain = rx.drain().expect("drain");
    drain.next().expect("next");
    drain.next().expect("next");
    std::mem::forget(drain); // as if killed while it held two
    drop(rx);
    let mut rx = scratch.ring("ring").consumer().expect("its successor");
    for number in 1..6 {
        let message = rx.recv().expect("recv");
        assert_eq!(&*message, &pattern(number, 900 / (number as usize + 1))[..]);
        assert_eq!(message.redelivered(), number < 3, "message {number}");
    }
    assert_eq!(rx.stats().redeliveries, 2);
}

#[test]
fn marks_survive_two_deaths_in_a_row() {
    let scratch = Scratch::new("two-deaths");
    let (mut tx, mut rx) = pair(&scratch);
    for number in 0..4 {
        tx.send(&pattern(number, 100)).expect("send");
    }
    let mut drain = rx.drain().expect("drain");
    (0..3).for_each(|number| assert_eq!(drain.next().expect("next"), Some(&pattern(number, 100)[..])));
    std::mem::forget(drain); // as if killed while it held three
    drop(rx);
    let mut rx = scratch.ring("ring").consumer().expect("its successor");
    std::mem::forget(rx.recv().expect("recv")); // as if killed while it held the first of them
    drop(rx);
    let mut rx = scratch.ring("ring").consumer().expect("the successor's successor");
    for number in 0..4 {
        let message = rx.recv().expect("recv");
        assert_eq!(message.redelivered(), number < 3, "message {number}");
    }
    assert_eq!(rx.stats().redeliveries, 4, "the first of them came again twice");
}

#[test]
fn either_side_may_start_first() {
    for consumer_first in [false, true] {
        let scratch = Scratch::new("first");
        let _watchdog = watchdog(SOON, "two sides that meet");
        let dir = scratch.dir().to_owned();
        let other_dir = dir.clone();
        let consume = move || {
            let mut rx = common::ring_in(&dir, "ring").consumer().expect("a consumer");
            rx.recv().expect("recv").to_vec()
        };
        let produce = move || {
            let mut tx = common::ring_in(&other_dir, "ring").producer().expect("a producer");
            tx.send(b"hello").expect("send");
        };
        let got = if consumer_first {
            let consumer = thread::spawn(consume);
            thread::sleep(MOMENT);
            produce();
            consumer.join().expect("no panic")
        } else {
            produce();
            consume()
        };
        assert_eq!(got, b"hello");
        assert_eq!(scratch.names(), ["ring"]);
    }
}

#[test]
fn both_sides_starting_at_once_meet_in_one_ring() {
    let scratch = Scratch::new("at-once");
    let _watchdog = watchdog(SOON * 3, "two sides that start at once");
    for round in 0..100 {
        let name = format!("ring-{round}");
        let gate = std::sync::Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                gate.wait();
                // A time-out of nothing: it is about rings that nobody makes.
                let tx = scratch.ring(&name).capacity(SMALL).open_timeout(Duration::ZERO).producer();
                tx.expect("a producer").send(b"met").expect("send");
            });
            gate.wait();
            let rx = scratch.ring(&name).capacity(SMALL).open_timeout(Duration::ZERO).consumer();
            let mut rx = rx.expect("a consumer");
            assert_eq!(&*rx.recv_timeout(SOON).expect("the other side is in the same ring"), b"met");
        });
    }
    assert_eq!(scratch.names().len(), 100, "no unfinished files");
}

#[test]
fn a_ring_that_must_exist_is_waited_for() {
    let scratch = Scratch::new("never");
    let said = &["ring 'ring' not found", "start the side that creates it", "mount the same volume"];
    let start = Instant::now();
    let missing = scratch.ring("ring").create(Create::Never).open_timeout(MOMENT).consumer();
    refused(missing, "NotFound", said);
    assert!(start.elapsed() >= MOMENT);
    assert!(scratch.names().is_empty());
    let dir = scratch.dir().to_owned();
    let opener = thread::spawn(move || {
        common::ring_in(&dir, "ring").create(Create::Never).open_timeout(SOON).consumer().map(drop)
    });
    thread::sleep(MOMENT);
    scratch.ring("ring").make().expect("the ring");
    opener.join().expect("no panic").expect("it appeared");
}

#[test]
fn a_ring_that_must_be_new_is_refused_if_it_exists() {
    let scratch = Scratch::new("new");
    let first = scratch.ring("ring").create(Create::New).producer().expect("a new ring");
    let said = &["ring 'ring' exists already", "open it instead", "podring rm ring"];
    refused(scratch.ring("ring").create(Create::New).consumer(), "Exists", said);
    refused(scratch.ring("ring").make(), "Exists", said);
    drop(first);
    refused(scratch.ring("ring").create(Create::New).producer(), "Exists", said);
}

#[test]
fn a_ring_made_without_a_seat_waits_for_both() {
    let scratch = Scratch::new("make");
    scratch.ring("ring").capacity(SMALL).make().expect("make");
    assert_eq!(scratch.names(), ["ring"]);
    let report = podring::inspect::report(scratch.dir(), "ring").expect("a report");
    assert!(report.seats.is_empty());
    assert_eq!(report.capacity, SMALL as u64);
    let mut rx = scratch.ring("ring").create(Create::Never).consumer().expect("a consumer");
    let mut tx = scratch.ring("ring").create(Create::Never).producer().expect("a producer");
    tx.send(b"x").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"x");
}

#[test]
fn peers_are_the_living_others() {
    let scratch = Scratch::new("peers");
    let _watchdog = watchdog(SOON, "waiting for peers");
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    assert!(tx.peers().expect("peers").is_empty());
    let said = &["ring 'ring'", "no peer within", "not attached", "has it been started", "same volume"];
    refused(tx.wait_for_peer(MOMENT), "Timeout", said);
    let before = std::time::SystemTime::now() - Duration::from_millis(1);
    let dir = scratch.dir().to_owned();
    let other = thread::spawn(move || {
        thread::sleep(MOMENT);
        common::ring_in(&dir, "ring").consumer().expect("a consumer")
    });
    let peer = tx.wait_for_peer(SOON).expect("a peer");
    let mut rx = other.join().expect("no panic");
    assert_eq!((peer.role, peer.seat), (Role::Consumer, 1));
    let peer = tx.peers().expect("peers").pop().expect("the consumer");
    assert_eq!((peer.role, peer.seat, peer.pid), (Role::Consumer, 1, std::process::id()));
    let program = std::env::current_exe().expect("a program");
    let program = program.file_name().expect("its name").to_string_lossy().into_owned();
    assert!(program.starts_with(&peer.program) && !peer.program.is_empty(), "{}", peer.program);
    let host = nix_host();
    assert!(host.starts_with(&peer.host) && !peer.host.is_empty(), "{} is {host}", peer.host);
    assert!(peer.since >= before && peer.since <= std::time::SystemTime::now());
    let mine = rx.wait_for_peer(Duration::ZERO).expect("the producer is there");
    assert_eq!((mine.role, mine.seat, mine.pid), (Role::Producer, 0, std::process::id()));
    assert!(mine.to_string().contains(&format!("producer '{}' on {} (pid ", mine.program, mine.host)));
    drop(rx);
    assert!(tx.peers().expect("peers").is_empty(), "it has left");
    refused(tx.wait_for_peer(Duration::ZERO), "Timeout", &["no peer"]);
}

#[test]
fn whoever_waits_for_a_peer_is_woken_when_it_comes() {
    let scratch = Scratch::new("peer-wakes");
    let _watchdog = watchdog(SOON, "waiting for a peer");
    // Slices that cannot be what ends the wait.
    let patient = |name| scratch.ring(name).slice(SOON * 4);
    let mut tx = patient("ring").producer().expect("a producer");
    let mut rx = patient("other").consumer().expect("a consumer");
    let waiting = thread::spawn(move || (tx.wait_for_peer(SOON * 4), rx.wait_for_peer(SOON * 4)));
    thread::sleep(MOMENT);
    let _rx = scratch.ring("ring").consumer().expect("a consumer");
    thread::sleep(MOMENT);
    let _tx = scratch.ring("other").producer().expect("a producer");
    let (consumer, producer) = waiting.join().expect("no panic");
    assert_eq!(consumer.expect("a peer").role, Role::Consumer);
    assert_eq!(producer.expect("a peer").role, Role::Producer);
}

fn nix_host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name").trim().to_owned()
}

#[test]
fn a_peer_that_is_shown_has_introduced_itself() {
    let scratch = Scratch::new("introduced");
    let _watchdog = watchdog(SOON * 2, "a creator that is looked at");
    for round in 0..200 {
        let name = format!("ring-{round}");
        let dir = scratch.dir().to_owned();
        let maker_name = name.clone();
        let maker = thread::spawn(move || {
            common::ring_in(&dir, &maker_name).capacity(SMALL).producer().expect("a producer")
        });
        let rx = scratch.ring(&name).capacity(SMALL).create(Create::Never);
        let rx = rx.open_timeout(SOON).consumer().expect("a consumer");
        // The maker sat down before the ring had a name.
        let peers = rx.peers().expect("peers");
        assert_eq!(peers.len(), 1, "round {round}");
        assert_eq!(peers[0].pid, std::process::id(), "round {round}: {:?}", peers[0]);
        maker.join().expect("no panic");
    }
}

#[test]
fn each_role_is_taken_once() {
    let scratch = Scratch::new("roles");
    let (tx, rx) = pair(&scratch);
    let pid = std::process::id().to_string();
    let second = scratch.ring("ring").producer();
    let said = &["ring 'ring' already has a producer", "contract", &pid, "the seat becomes free"];
    let error = refused(second, "RoleTaken", said);
    let podring::Error::RoleTaken { role, holder, .. } = error else { unreachable!("checked") };
    assert_eq!((role, holder.role, holder.pid), (Role::Producer, Role::Producer, std::process::id()));
    refused(scratch.ring("ring").consumer(), "RoleTaken", &["already has a consumer"]);
    drop((tx, rx));
    scratch.ring("ring").producer().expect("free again");
    scratch.ring("ring").consumer().expect("free again");
}

#[test]
fn a_seat_that_is_just_given_up_is_waited_for() {
    let scratch = Scratch::new("just-left");
    let (tx, _rx) = pair(&scratch);
    let leaver = thread::spawn(move || {
        thread::sleep(MOMENT);
        drop(tx);
    });
    scratch.ring("ring").producer().expect("the seat becomes free within the time a dying process takes");
    leaver.join().expect("no panic");
}

#[test]
fn statistics_count_what_happened() {
    let scratch = Scratch::new("stats");
    let (mut tx, mut rx) = pair(&scratch);
    assert_eq!(tx.stats().attaches, 1);
    for _ in 0..5 {
        tx.send(&[0; 10]).expect("send");
    }
    drop(tx.claim(10));
    drop(rx.recv().expect("recv"));
    rx.recv_to_vec(&mut Vec::new()).expect("recv_to_vec");
    let mut drain = rx.drain().expect("drain");
    drain.next().expect("next");
    drop(drain);
    let (sent, got) = (tx.stats(), rx.stats());
    assert_eq!((sent.messages, sent.bytes, sent.abandoned), (5, 50, 1));
    assert_eq!((got.messages, got.bytes, got.redeliveries), (3, 30, 0));
    drop(rx.recv().expect("recv"));
    drop(rx.recv().expect("recv"));
    refused(rx.recv_timeout(Duration::from_millis(1)), "Timeout", &[]);
    assert_eq!(rx.stats().stalls, 1);
    assert!(rx.stats().parks >= 1, "it slept");
    drop(tx);
    let mut tx = scratch.ring("ring").producer().expect("its successor");
    tx.send(&[0; 10]).expect("send");
    let sent = tx.stats();
    assert_eq!(
        (sent.attaches, sent.messages, sent.bytes),
        (2, 6, 60),
        "counted over all holders of the seat"
    );
    let report = podring::inspect::report(scratch.dir(), "ring").expect("a report");
    assert_eq!(report.seats[0].stats, sent, "everybody can see them");
}

#[test]
fn a_waker_counts_its_wakes() {
    let scratch = Scratch::new("wakes");
    let _watchdog = watchdog(SOON, "a sleeper");
    let mut rx = scratch.ring("ring").wait(Wait::Park).slice(SOON * 2).consumer().expect("a consumer");
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    let receiver =
        thread::spawn(move || rx.recv().map(|message| message.to_vec()).map(|got| (got, rx.stats())));
    common::eventually("the receiver sleeps", || {
        podring::inspect::report(scratch.dir(), "ring").expect("a report").seats[1].stats.parks > 0
    });
    thread::sleep(MOMENT);
    tx.send(b"up").expect("send");
    let (got, stats) = receiver.join().expect("no panic").expect("recv");
    assert_eq!(got, b"up");
    assert_eq!(stats.slice_rescues, 0, "it was woken, not rescued");
    assert_eq!(tx.stats().wakes, 1);
}

#[test]
fn handles_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let scratch = Scratch::new("threads");
    let (tx, rx) = pair(&scratch);
    is_send(&tx);
    is_send(&rx);
    let (mut tx, mut rx) = (tx, rx);
    for round in 0..20 {
        tx = thread::spawn(move || {
            tx.send(&pattern(round, 300)).expect("send");
            tx
        })
        .join()
        .expect("no panic");
        rx = thread::spawn(move || {
            assert_eq!(&*rx.recv().expect("recv"), &pattern(round, 300)[..]);
            rx
        })
        .join()
        .expect("no panic");
    }
}

#[test]
fn a_leading_slash_names_the_same_ring() {
    let scratch = Scratch::new("slash");
    let mut tx = scratch.ring("/ring").producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    tx.send(b"same").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"same");
    assert_eq!((tx.name(), rx.name()), ("ring", "ring"));
    assert_eq!(scratch.names(), ["ring"]);
}

#[test]
fn rings_do_not_mix() {
    let scratch = Scratch::new("apart");
    let mut first = scratch.ring("first").producer().expect("a producer");
    let mut second = scratch.ring("second").producer().expect("a producer");
    first.send(b"1").expect("send");
    second.send(b"2").expect("send");
    assert_eq!(&*scratch.ring("second").consumer().expect("a consumer").recv().expect("recv"), b"2");
    assert_eq!(&*scratch.ring("first").consumer().expect("a consumer").recv().expect("recv"), b"1");
}

#[test]
fn options_that_cannot_work_are_refused() {
    let scratch = Scratch::new("options");
    for mode in [0o000, 0o400, 0o200, 0o066, 0o1600, 0o100_600] {
        let error =
            refused(scratch.ring("ring").mode(mode).producer(), "OptionInvalid", &["mode", "ring 'ring'"]);
        assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
    }
    assert!(scratch.names().is_empty());
}
