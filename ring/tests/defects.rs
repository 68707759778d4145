//! Defects found in other ring buffers while measuring them. Each has a test here that would show it, as far as a
//! ring with one producer and one consumer can have it. They check content, not counts, and the reader touches
//! every byte.

mod common;

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use common::child::{arg, play, spawn};
use common::words::Words;
use common::{MOMENT, Random, SOON, Scratch, pattern, read_stamp, refused, ring_in, stamped, watchdog};
use podring::Wait;

const SMALL: usize = 4096;

#[test]
#[ignore = "the other processes of the tests in this file, which start them"]
fn child() {
    play(&[("claim-and-hang", claim_and_hang), ("answer", answer), ("pinned", pinned)]);
}

/// Defect 1: a wrapped ring with no room; the claim "succeeds" without moving the tail, and old records are read
/// again.
#[test]
fn a_claim_on_a_wrapped_ring_without_room_fails_and_brings_nothing_back() {
    let scratch = Scratch::new("no-room");
    let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    let mut random = Random::fresh();
    let (mut sent, mut received) = (0_u64, 0_u64);
    for _ in 0..2000 {
        // Full, at ever other places, with ever other rests.
        loop {
            let message = stamped(1, sent);
            let Some(mut claim) = tx.try_claim(message.len()).expect("try_claim") else { break };
            claim.copy_from_slice(&message);
            claim.commit();
            sent += 1;
        }
        let next = stamped(1, sent).len();
        for _ in 0..3 {
            assert!(tx.try_claim(next).expect("try_claim").is_none(), "full stays full");
            assert!(!tx.try_send(&stamped(1, sent)).expect("try_send"));
            assert!(tx.batch().try_claim(2040).expect("try_claim").is_none());
        }
        let until = received + 1 + random.below(sent - received);
        while received < until {
            assert_eq!(read_stamp(&rx.recv().expect("recv")), (1, received), "an old record came again");
            received += 1;
        }
    }
    while let Some(message) = rx.try_recv().expect("try_recv") {
        assert_eq!(read_stamp(&message), (1, received));
        received += 1;
    }
    assert_eq!(received, sent);
}

/// Defect 2: a bulk read with its copy arguments reversed returns garbage, and nobody notices who checks counts.
#[test]
fn bulk_reads_return_the_content() {
    let scratch = Scratch::new("bulk");
    let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    let (mut sent, mut received) = (0, 0);
    for _ in 0..200 {
        let mut batch = tx.batch();
        while batch.try_send(&stamped(2, sent)).expect("try_send") {
            sent += 1;
        }
        batch.publish();
        let mut drain = rx.drain().expect("drain");
        while let Some(message) = drain.next().expect("next") {
            assert_eq!(read_stamp(message), (2, received));
            received += 1;
        }
    }
    assert_eq!(received, sent);
    typed_bulk(&scratch);
}

#[cfg(feature = "bytemuck")]
fn typed_bulk(scratch: &Scratch) {
    let mut tx = scratch.ring("typed").typed::<[u64; 5]>().elements(64).producer().expect("a producer");
    let mut rx = scratch.ring("typed").typed::<[u64; 5]>().consumer().expect("a consumer");
    let element = |number: u64| [0, 1, 2, 3, 4].map(|part| common::mix(number * 5 + part));
    let mut into = [[u64::MAX; 5]; 64];
    let mut random = Random::fresh();
    let (mut sent, mut received) = (0, 0);
    for _ in 0..2000 {
        let run = 1 + random.below(64 - (sent - received)).min(62);
        let run = run.min(64 - (sent - received));
        let elements: Vec<[u64; 5]> = (sent..sent + run).map(element).collect();
        tx.send_all(&elements).expect("send_all");
        sent += run;
        let wanted = 1 + random.below(64) as usize;
        let count = rx.recv_many(&mut into[..wanted]).expect("recv_many");
        assert!(count >= 1 && count <= wanted);
        for got in &into[..count] {
            assert_eq!(*got, element(received));
            received += 1;
        }
    }
}

#[cfg(not(feature = "bytemuck"))]
fn typed_bulk(_: &Scratch) {}

/// Sends on one processor, in all forms.
fn pinned(args: &[String]) {
    let [dir, wait, count] = args else { panic!("{args:?}") };
    common::pin();
    let wait = if wait == "spin" { Wait::Spin } else { Wait::Adaptive };
    let tx = ring_in(Path::new(dir), "ring").capacity(SMALL).wait(wait);
    let mut tx = tx.producer().expect("a producer");
    let mut number = 0;
    let count: u64 = count.parse().unwrap();
    while number < count {
        if number % 3 == 0 {
            let mut batch = tx.batch();
            for _ in 0..5.min(count - number) {
                batch.send(&stamped(3, number)).expect("send");
                number += 1;
            }
            batch.publish();
        } else {
            tx.send(&stamped(3, number)).expect("send");
            number += 1;
        }
    }
    tx.close().expect("close");
}

/// Defect 3: the order of a producer's messages lost when it is preempted. Defect 5: two spinning participants on
/// one processor that stand still when one is preempted between claim and publish.
#[test]
fn two_that_share_one_processor_keep_order_and_get_on() {
    for (name, wait) in [("spin", Wait::Spin), ("adaptive", Wait::Adaptive)] {
        let scratch = Scratch::new("one-processor");
        let _watchdog = watchdog(SOON * 2, "two on one processor");
        let count = 4000;
        let sender = spawn("pinned", &[arg(scratch.dir()), name, &count.to_string()]);
        let rx = scratch.ring("ring").capacity(SMALL).wait(wait);
        // A thread of its own: the pinning must not stay with the harness's.
        thread::spawn(move || {
            common::pin();
            let mut rx = rx.consumer().expect("a consumer");
            for number in 0..count {
                assert_eq!(read_stamp(&rx.recv_timeout(SOON).expect("recv")), (3, number), "order");
            }
            refused(rx.recv(), "Closed", &[]);
        })
        .join()
        .expect("order and progress");
        assert!(sender.finish(SOON));
    }
}

/// Defect 4: plain loads in a polling loop that the compiler hoists: a hang in optimised builds.
#[test]
fn pollers_see_what_comes_later() {
    let scratch = Scratch::new("hoisted");
    let _watchdog = watchdog(SOON, "a poller that sees nothing");
    let mut tx = scratch.ring("ring").capacity(SMALL).wait(Wait::Spin).producer().expect("a producer");
    let mut rx = scratch.ring("ring").wait(Wait::Spin).consumer().expect("a consumer");
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(MOMENT);
            for number in 0..200 {
                // The polling sender waits for room, the polling receiver for messages.
                tx.send(&pattern(number, 1500)).expect("send");
            }
            tx.close().expect("close");
        });
        for number in 0..100 {
            assert_eq!(&*rx.recv().expect("recv"), &pattern(number, 1500)[..]);
        }
        thread::sleep(MOMENT);
        for number in 100..200 {
            let message = loop {
                // Polling by hand, too.
                let mut out = Vec::new();
                if rx.try_recv_to_vec(&mut out).expect("try_recv") {
                    break out;
                }
                std::hint::spin_loop();
            };
            assert_eq!(message, pattern(number, 1500));
        }
        let end = loop {
            match rx.try_recv() {
                Ok(None) => std::hint::spin_loop(),
                Ok(Some(message)) => panic!("more than was sent: {message:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(end.kind(), "Closed");
    });
}

/// Claims, begins to write, and hangs until killed.
fn claim_and_hang(args: &[String]) {
    let board = Words::map(Path::new(&args[1]));
    let mut tx = ring_in(Path::new(&args[0]), "ring").producer().expect("a producer");
    tx.send(&stamped(8, board.get(1))).expect("send");
    let mut claim = tx.claim(1500).expect("claim");
    claim[..700].fill(0xEE);
    board.set(0, board.get(0) + 1);
    loop {
        thread::park();
    }
}

/// Defect 8: a producer killed between reserving and publishing, or inside a lock in shared memory, stops everybody.
#[test]
fn a_producer_killed_between_claim_and_commit_stops_nobody() {
    let scratch = Scratch::new("wedged");
    let _watchdog = watchdog(SOON * 2, "a killed claimant");
    let board = Words::make(&scratch.beside("board"), 2);
    let mut rx = scratch.ring("ring").capacity(SMALL).consumer().expect("a consumer");
    for round in 1..=20 {
        board.set(1, round);
        let claimant = spawn("claim-and-hang", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
        common::eventually("it has claimed", || board.get(0) == round);
        // What it published before is there while it hangs, and the claim is not.
        assert_eq!(read_stamp(&rx.recv_timeout(SOON).expect("recv")), (8, round));
        assert!(rx.try_recv().expect("try_recv").is_none());
        claimant.kill();
        assert!(rx.try_recv().expect("try_recv").is_none());
        let mut tx = scratch.ring("ring").producer().expect("a successor, at once");
        for number in 0..20 {
            tx.send_timeout(&stamped(9, number), SOON).expect("send");
            assert_eq!(read_stamp(&rx.recv_timeout(SOON).expect("recv")), (9, number));
        }
    }
}

/// Defect 9: a byte ring that moves its end mark and its position in two steps: a reader in between takes old bytes for
/// new. And a reader that copies before it looks at the tail: stale data.
/// Defect 6: a reader that never loads the data: this one reads every byte.
#[test]
fn a_reader_at_the_wrap_never_takes_old_bytes_for_new() {
    let scratch = Scratch::new("watermark");
    let _watchdog = watchdog(SOON * 3, "readers at the wrap");
    let mut random = Random::fresh();
    for round in 0..12_u64 {
        let name = format!("ring-{round}");
        // Two that poll may have to share a processor with others, and then pass it on in whole time slices.
        let (wait, count) =
            [(Wait::Spin, 200), (Wait::Adaptive, 3000), (Wait::Park, 3000)][round as usize / 4];
        let options = || scratch.ring(&name).capacity(SMALL).wait(wait);
        let mut tx = options().producer().expect("a producer");
        let mut rx = options().consumer().expect("a consumer");
        let seed = random.next();
        // Sizes such that nearly every second message wraps, and old bytes are plausible messages.
        let size = move |number: u64| {
            let mut choice = Random::seeded(seed ^ number);
            match round % 3 {
                0 => 1000 + choice.below(1040) as usize,
                1 => choice.below(2041) as usize,
                _ => [8, 2040, 1016, 24][choice.below(4) as usize],
            }
        };
        let content = move |number: u64| {
            let mut bytes = pattern(seed ^ number, size(number));
            let stamp = number.to_le_bytes();
            let len = bytes.len().min(8);
            bytes[..len].copy_from_slice(&stamp[..len]);
            bytes
        };
        let gate = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                gate.wait();
                for number in 0..count {
                    tx.send(&content(number)).expect("send");
                }
            });
            gate.wait();
            let mut out = Vec::new();
            for number in 0..count {
                match number % 3 {
                    0 => {
                        rx.recv_to_vec(&mut out).expect("recv_to_vec");
                        assert!(out == content(number), "message {number} of round {round}, seed {seed}");
                    }
                    1 => {
                        let message = rx.recv().expect("recv");
                        assert!(
                            *message == content(number),
                            "message {number} of round {round}, seed {seed}"
                        );
                    }
                    _ => {
                        let mut drain = rx.drain().expect("drain");
                        let message = drain.next().expect("next").expect("a message");
                        assert!(message == content(number), "message {number} of round {round}, seed {seed}");
                    }
                }
            }
        });
    }
}

/// Answers every message, going to sleep for each.
fn answer(args: &[String]) {
    let of = |name| {
        let ring = ring_in(Path::new(&args[0]), name).capacity(SMALL);
        ring.wait(Wait::Park).slice(Duration::from_secs(60))
    };
    let mut rx = of("there").consumer().expect("a consumer");
    let mut tx = of("back").producer().expect("a producer");
    let mut random = Random::seeded(11);
    loop {
        let message = match rx.recv() {
            Ok(message) => read_stamp(&message),
            Err(podring::Error::Closed { .. }) => break,
            Err(error) => panic!("{error}"),
        };
        (0..random.below(300)).for_each(|_| std::hint::spin_loop());
        tx.send(&stamped(message.0, message.1)).expect("send");
    }
    assert_eq!((rx.stats().slice_rescues, tx.stats().slice_rescues), (0, 0));
}

/// Defect 10: a parked receiver that checks, marks itself parked, and waits without checking again: a lost wake-up. The
/// slices here are so long that one lost wake-up is a hang.
#[test]
fn no_wake_up_is_lost_between_looking_and_sleeping() {
    let scratch = Scratch::new("lost-wake");
    let _watchdog = watchdog(Duration::from_secs(50), "a lost wake-up");
    let other = spawn("answer", &[arg(scratch.dir())]);
    let of = |name| scratch.ring(name).capacity(SMALL).wait(Wait::Park).slice(Duration::from_secs(60));
    let mut tx = of("there").producer().expect("a producer");
    let mut rx = of("back").consumer().expect("a consumer");
    let mut random = Random::fresh();
    for number in 0..8000 {
        tx.send(&stamped(10, number)).expect("send");
        // The answer comes while this side is on its way to sleep, at ever other moments.
        (0..random.below(300)).for_each(|_| std::hint::spin_loop());
        assert_eq!(read_stamp(&rx.recv().expect("recv")), (10, number));
    }
    tx.close().expect("close");
    assert_eq!(rx.stats().slice_rescues, 0);
    assert!(other.finish(SOON));
}

/// Defect 10, for the other direction: a parked sender whose ring is freed while it goes to sleep.
#[test]
fn no_wake_up_of_a_sender_is_lost_either() {
    let scratch = Scratch::new("lost-wake-tx");
    let _watchdog = watchdog(Duration::from_secs(50), "a lost wake-up");
    let of = || scratch.ring("ring").capacity(SMALL).wait(Wait::Park).slice(Duration::from_secs(60));
    let mut tx = of().producer().expect("a producer");
    let mut rx = of().consumer().expect("a consumer");
    let count = 20_000;
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..count {
                // Two of these fill the ring.
                tx.send(&pattern(number, 1990)).expect("send");
            }
            assert_eq!(tx.stats().slice_rescues, 0);
        });
        let mut random = Random::fresh();
        for number in 0..count {
            let message = rx.recv().expect("recv");
            assert!(*message == pattern(number, 1990), "message {number}");
            if random.one_in(2) {
                (0..random.below(400)).for_each(|_| std::hint::spin_loop());
            }
        }
        assert_eq!(rx.stats().slice_rescues, 0);
    });
}
