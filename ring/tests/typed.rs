//! What every call on a ring of plain old data does, in each of its forms.
#![cfg(feature = "bytemuck")]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use bytemuck::{Pod, Zeroable};
use common::{MOMENT, SOON, Scratch, refused, watchdog};
use podring::{TypedConsumer, TypedProducer, Wait};

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
