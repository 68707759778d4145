//! What every call on a ring of plain old data does, in each of its forms.
#![cfg(feature = "bytemuck")]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use bytemuck::{Pod, Zeroable};
use common::{MOMENT, SOON, Scratch, refused, watchdog};
use podring::{TypedClaim, TypedConsumer, TypedProducer, Wait};

/// An element with fields of several sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Quote {
    price: f64,
    volume: u32,
    venue: [u8; 4],
}

// SAFETY: no padding (8 + 4 + 4, aligned to 8), and every bit pattern of its fields is valid.
unsafe impl Pod for Quote {}
// SAFETY: as above; zeros are a valid value.
unsafe impl Zeroable for Quote {}

fn quote(number: u32) -> Quote {
    Quote { price: f64::from(number) * 0.25, volume: number ^ 0xABCD, venue: number.to_be_bytes() }
}

fn pair(scratch: &Scratch, elements: usize) -> (TypedProducer<Quote>, TypedConsumer<Quote>) {
    let tx = scratch.ring("ring").typed::<Quote>().elements(elements).producer().expect("a producer");
    let rx = scratch.ring("ring").typed::<Quote>().consumer().expect("a consumer");
    (tx, rx)
}

#[test]
fn every_form_of_sending_and_receiving_carries_elements() {
    let scratch = Scratch::new("typed-forms");
    let (mut tx, mut rx) = pair(&scratch, 8);
    let later = || Instant::now() + SOON;
    for number in (0..400).step_by(4) {
        tx.send(&quote(number)).expect("send");
        assert!(tx.try_send(&quote(number + 1)).expect("try_send"));
        tx.send_timeout(&quote(number + 2), SOON).expect("send_timeout");
        tx.send_deadline(&quote(number + 3), later()).expect("send_deadline");
        assert_eq!(rx.recv().expect("recv"), quote(number));
        assert_eq!(rx.try_recv().expect("try_recv"), Some(quote(number + 1)));
        assert_eq!(rx.recv_timeout(SOON).expect("recv_timeout"), quote(number + 2));
        assert_eq!(rx.recv_deadline(later()).expect("recv_deadline"), quote(number + 3));
        assert_eq!(rx.try_recv().expect("try_recv"), None);
    }
    assert_eq!((tx.stats().messages, tx.stats().bytes), (400, 6400));
    assert_eq!((rx.stats().messages, rx.stats().bytes), (400, 6400));
}

#[test]
fn full_and_empty_are_false_none_or_a_timeout() {
    let scratch = Scratch::new("typed-full");
    let (mut tx, mut rx) = pair(&scratch, 4);
    let short = Duration::from_millis(3);
    let start = Instant::now();
    refused(rx.recv_timeout(short), "Timeout", &["ring 'ring'", "no message within", "attached and slow"]);
    refused(rx.recv_deadline(Instant::now() + short), "Timeout", &["no message within"]);
    assert!(start.elapsed() >= short * 2);
    for number in 0..4 {
        assert!(tx.try_send(&quote(number)).expect("try_send"));
    }
    assert!(!tx.try_send(&quote(9)).expect("try_send"));
    refused(tx.send_timeout(&quote(9), short), "Timeout", &["no space within"]);
    refused(tx.send_deadline(&quote(9), Instant::now() + short), "Timeout", &["no space within"]);
    for number in 0..4 {
        assert_eq!(rx.recv().expect("recv"), quote(number));
    }
    assert_eq!(rx.try_recv().expect("try_recv"), None);
}

#[test]
fn runs_longer_than_the_ring_go_through_in_order() {
    let scratch = Scratch::new("typed-runs");
    let _watchdog = watchdog(SOON, "a run longer than the ring");
    for wait in [Wait::Spin, Wait::Adaptive, Wait::Park] {
        let _ = podring::inspect::remove(scratch.dir(), "ring", podring::inspect::Remove::Force);
        let options = || scratch.ring("ring").wait(wait).slice(SOON * 4).typed::<Quote>().elements(64);
        let mut tx = options().producer().expect("a producer");
        let mut rx = options().consumer().expect("a consumer");
        let all: Vec<Quote> = (0..5000).map(quote).collect();
        let expected = all.clone();
        let sender = thread::spawn(move || {
            tx.send_all(&[]).expect("nothing is nothing");
            tx.send_all(&all).expect("send_all");
            tx.close().expect("close");
        });
        let mut got = Vec::new();
        let mut into = [quote(0); 50];
        loop {
            match rx.recv_many(&mut into) {
                Ok(count) => got.extend_from_slice(&into[..count]),
                Err(error) => {
                    assert_eq!(error.kind(), "Closed", "{error}");
                    break;
                }
            }
        }
        assert_eq!(got, expected);
        assert_eq!(rx.recv_many(&mut []).expect("nothing into nothing"), 0);
        sender.join().expect("no panic");
    }
}

/// Claims places and writes elements there from `next` on; returns the number after the last.
fn put(mut places: TypedClaim<'_, Quote>, next: u32) -> u32 {
    let numbers = next..next + places.len() as u32;
    numbers.clone().zip(places.iter_mut()).for_each(|(number, place)| *place = quote(number));
    places.commit();
    numbers.end
}

/// Checks that these are elements from `next` on; returns the number after the last.
fn take(elements: &[Quote], next: u32) -> u32 {
    let numbers = next..next + elements.len() as u32;
    assert_eq!(elements, numbers.clone().map(quote).collect::<Vec<_>>());
    numbers.end
}

#[test]
fn elements_are_written_and_read_in_place_in_every_form() {
    let scratch = Scratch::new("typed-in-place");
    let (mut tx, mut rx) = pair(&scratch, 8);
    let later = || Instant::now() + SOON;
    let (mut sent, mut received) = (0, 0);
    for most in (1..=9).cycle().take(400) {
        sent = put(tx.claim(most.min(5)).expect("claim"), sent);
        sent = put(tx.claim_timeout(1, SOON).expect("claim_timeout"), sent);
        sent = put(tx.claim_deadline(1, later()).expect("claim_deadline"), sent);
        sent = put(tx.try_claim(1).expect("try_claim").expect("room"), sent);
        received = take(&rx.drain(1).expect("drain"), received);
        received = take(&rx.drain_timeout(1, SOON).expect("drain_timeout"), received);
        received = take(&rx.try_drain(1).expect("try_drain").expect("four were sent"), received);
        while received < sent {
            received = take(&rx.drain_deadline(most, later()).expect("drain_deadline"), received);
        }
        assert!(rx.try_drain(1).expect("try_drain").is_none());
    }
    assert_eq!((tx.stats().messages, rx.stats().messages), (sent.into(), received.into()));
}

#[test]
fn what_is_in_place_lies_in_one_piece() {
    let scratch = Scratch::new("typed-pieces");
    let (mut tx, mut rx) = pair(&scratch, 8);
    assert_eq!(put(tx.claim(100).expect("claim"), 0), 8, "the whole ring");
    assert!(tx.try_claim(1).expect("try_claim").is_none(), "it is full");
    refused(tx.claim_timeout(1, MOMENT), "Timeout", &["no space within"]);
    assert_eq!(take(&rx.drain(5).expect("drain"), 0), 5);
    assert_eq!(put(tx.claim(100).expect("claim"), 8), 13, "what is free");
    assert_eq!(take(&rx.drain(100).expect("drain"), 5), 8, "up to the end of the area");
    assert_eq!(take(&rx.drain(100).expect("drain"), 8), 13, "and from its beginning");
    refused(rx.drain_timeout(1, MOMENT), "Timeout", &["no message within"]);
    assert_eq!(put(tx.claim(100).expect("claim"), 13), 16, "up to the end of the area");
}

#[test]
fn places_are_sent_by_committing_only() {
    let scratch = Scratch::new("typed-uncommitted");
    let (mut tx, mut rx) = pair(&scratch, 8);
    tx.claim(3).expect("claim").fill(quote(9));
    tx.claim(0).expect("nothing").commit();
    assert!(rx.try_drain(8).expect("try_drain").is_none());
    let mut places = tx.claim(5).expect("claim");
    places[..2].copy_from_slice(&[quote(0), quote(1)]);
    places.truncate(2);
    places.truncate(4);
    places.commit();
    assert_eq!(take(&rx.drain(8).expect("drain"), 0), 2);
    tx.close().expect("close");
    refused(tx.claim(1), "Closed", &["ring 'ring' is closed"]);
    refused(rx.drain(1), "Closed", &["ring 'ring' is closed"]);
}

#[test]
fn elements_in_place_are_released_when_they_are_dropped() {
    let scratch = Scratch::new("typed-unreleased");
    let (mut tx, mut rx) = pair(&scratch, 4);
    put(tx.claim(4).expect("claim"), 0);
    assert_eq!(rx.drain(0).expect("nothing").len(), 0);
    let elements = rx.drain(3).expect("drain");
    assert!(!tx.try_send(&quote(4)).expect("try_send"), "they are still being read");
    drop(elements);
    assert!(tx.try_send(&quote(4)).expect("try_send"));
    std::mem::forget(rx.drain(2).expect("drain")); // as if killed while it held two
    drop(rx);
    let mut rx = scratch.ring("ring").typed::<Quote>().consumer().expect("its successor");
    let next = take(&rx.drain(8).expect("drain"), 3);
    assert_eq!(take(&rx.drain(8).expect("drain"), next), 5);
}

#[test]
fn a_closed_typed_ring_is_drained_and_then_closed() {
    let scratch = Scratch::new("typed-close");
    let (mut tx, mut rx) = pair(&scratch, 8);
    tx.send_all(&[quote(1), quote(2)]).expect("send_all");
    tx.close().expect("close");
    refused(tx.send(&quote(3)), "Closed", &["ring 'ring' is closed"]);
    refused(tx.try_send(&quote(3)), "Closed", &[]);
    refused(tx.send_all(&[quote(3)]), "Closed", &[]);
    assert_eq!(rx.recv().expect("recv"), quote(1));
    assert_eq!(rx.recv_many(&mut [quote(0); 4]).expect("recv_many"), 1);
    refused(rx.recv(), "Closed", &["ring 'ring' is closed"]);
    drop(tx);
    let mut tx = scratch.ring("ring").typed::<Quote>().producer().expect("another stream");
    tx.send(&quote(4)).expect("send");
    assert_eq!(rx.recv().expect("recv"), quote(4));
}

#[test]
fn successors_of_typed_sides_go_on() {
    let scratch = Scratch::new("typed-successors");
    for number in 0..100 {
        let mut tx = scratch.ring("ring").typed::<Quote>().elements(4).producer().expect("a producer");
        tx.send(&quote(number)).expect("send");
        drop(tx);
        if number % 2 == 1 {
            let mut rx = scratch.ring("ring").typed::<Quote>().consumer().expect("a consumer");
            assert_eq!(rx.recv().expect("recv"), quote(number - 1));
            assert_eq!(rx.recv().expect("recv"), quote(number));
        }
    }
}

#[test]
fn elements_are_rounded_up_and_the_default_is_4096() {
    let scratch = Scratch::new("typed-capacity");
    for (asked, made) in [(0, 1), (1, 1), (3, 4), (1000, 1024)] {
        let name = format!("ring-{asked}");
        let tx = scratch.ring(&name).typed::<Quote>().elements(asked).producer().expect("a producer");
        assert_eq!(tx.capacity(), made);
        let length = scratch.path(&name).metadata().expect("the file").len();
        assert_eq!(length, 24_576 + made as u64 * 16);
    }
    let tx = scratch.ring("default").typed::<Quote>().producer().expect("a producer");
    assert_eq!((tx.capacity(), tx.name()), (4096, "default"));
    let other = scratch.ring("ring-3").typed::<Quote>().elements(8).consumer();
    refused(other, "Mismatch", &["capacity 4", "asked for was 8"]);
    refused(scratch.ring("x").typed::<Quote>().elements(1 << 40).make(), "OptionInvalid", &["elements"]);
    refused(scratch.ring("x").typed::<Quote>().elements(usize::MAX).make(), "OptionInvalid", &["elements"]);
    refused(
        scratch.ring("x").typed::<[u8; 0]>().make(),
        "OptionInvalid",
        &["element type", "1 byte to 4 GiB"],
    );
}

#[test]
fn a_ring_of_one_element_works() {
    let scratch = Scratch::new("typed-one");
    let _watchdog = watchdog(SOON, "a ring of one");
    let (mut tx, mut rx) = pair(&scratch, 1);
    let sender = thread::spawn(move || (0..2000).for_each(|number| tx.send(&quote(number)).expect("send")));
    for number in 0..2000 {
        assert_eq!(rx.recv().expect("recv"), quote(number));
    }
    sender.join().expect("no panic");
}

/// Sends and receives elements singly and in runs, around a small ring, and compares every byte.
fn round_trips<T: Pod + PartialEq + std::fmt::Debug>(scratch: &Scratch) {
    let name = format!("ring-{}-{}", size_of::<T>(), align_of::<T>());
    let options = || scratch.ring(&name).wait(Wait::Spin).typed::<T>();
    let mut tx = options().elements(8).producer().expect("a producer");
    let mut rx = options().consumer().expect("a consumer");
    let element =
        |number: u64| -> T { bytemuck::pod_read_unaligned(&common::pattern(number, size_of::<T>())) };
    for round in 0..40 {
        tx.send(&element(round)).expect("send");
        assert_eq!(rx.recv().expect("recv"), element(round));
        let run: Vec<T> = (0..round % 9).map(|number| element(round * 100 + number)).collect();
        tx.send_all(&run).expect("send_all");
        let mut into = vec![T::zeroed(); run.len()];
        let mut count = 0;
        while count < run.len() {
            // Over the end of the area in two pieces, or not.
            count += rx.recv_many(&mut into[count..]).expect("recv_many");
        }
        assert_eq!(into, run);
    }
}

#[test]
fn elements_of_every_size_and_alignment_are_copied_whole() {
    let scratch = Scratch::new("typed-sizes");
    round_trips::<u8>(&scratch);
    round_trips::<[u8; 3]>(&scratch);
    round_trips::<[u8; 31]>(&scratch);
    round_trips::<[u16; 5]>(&scratch);
    round_trips::<[u32; 7]>(&scratch);
    round_trips::<u64>(&scratch);
    round_trips::<[u64; 9]>(&scratch);
    round_trips::<u128>(&scratch);
    round_trips::<[u8; 1024]>(&scratch);
    round_trips::<[u16; 2048]>(&scratch);
    round_trips::<[u64; 512]>(&scratch);
}

#[test]
fn both_sides_must_name_the_same_type() {
    let scratch = Scratch::new("typed-names");
    let _tx = scratch.ring("ring").typed::<Quote>().producer().expect("a producer");
    let element = podring::inspect::report(scratch.dir(), "ring").expect("a report").element.expect("typed");
    assert_eq!((element.name.as_str(), element.size, element.align), ("Quote", 16, 8));
    let said =
        &["element type Quote (16 bytes, aligned to 8)", "asked for was Other (16 bytes, aligned to 8)"];
    refused(scratch.ring("ring").typed::<Quote>().type_name("Other").consumer(), "Mismatch", said);
    let said = &["asked for was Quote (8 bytes, aligned to 8)"];
    refused(scratch.ring("ring").typed::<u64>().type_name("Quote").consumer(), "Mismatch", said);
    refused(
        scratch.ring("ring").typed::<[u32; 4]>().type_name("Quote").consumer(),
        "Mismatch",
        &["aligned to 4"],
    );
    // Another type of the same name and shape is taken at its word.
    scratch.ring("ring").typed::<[u64; 2]>().type_name("Quote").consumer().expect("the same shape");
}

#[test]
fn type_names_that_cannot_be_kept_are_refused_by_the_first_side() {
    let scratch = Scratch::new("typed-odd-names");
    for name in ["a\nb", "a\0b", "\u{1b}[2J", &"n".repeat(65)] {
        let made = scratch.ring("ring").typed::<u64>().type_name(name).make();
        refused(made, "OptionInvalid", &["ring 'ring'"]);
        assert!(scratch.names().is_empty());
    }
    for name in ["", "a::b<c>", "\u{dc}bung", &"n".repeat(64)] {
        let _tx = scratch.ring("ring").typed::<u64>().type_name(name).producer().expect("a producer");
        scratch.ring("ring").typed::<u64>().type_name(name).consumer().expect("both sides agree");
        podring::inspect::remove(scratch.dir(), "ring", podring::inspect::Remove::Force).expect("remove");
    }
}

#[test]
fn typed_peers_see_each_other() {
    let scratch = Scratch::new("typed-peers");
    let (mut tx, mut rx) = pair(&scratch, 8);
    assert_eq!(tx.wait_for_peer(SOON).expect("a peer").role, podring::Role::Consumer);
    assert_eq!(rx.wait_for_peer(SOON).expect("a peer").role, podring::Role::Producer);
    assert_eq!((tx.peers().expect("peers").len(), rx.peers().expect("peers").len()), (1, 1));
    refused(scratch.ring("ring").typed::<Quote>().producer(), "RoleTaken", &["already has a producer"]);
    drop(tx);
    assert!(rx.peers().expect("peers").is_empty());
    refused(rx.wait_for_peer(MOMENT), "Timeout", &["no peer"]);
    refused(rx.recv_timeout(MOMENT), "Timeout", &["not attached"]);
}
