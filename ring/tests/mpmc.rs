//! Rings with many producers and many consumers: the contract, between the threads of one process and with children that
//! are killed.

#[path = "common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::child::{Play, arg, play, spawn};
use common::words::Words;
use common::{SOON, Scratch, eventually, read_stamp, refused, stamped, watchdog};
use nix::sys::signal::Signal;
use podring::{ConsumerDeath, Error, Mpmc, Options, PeerLoss, Wait, inspect};

/// A slice that is over soon: how late a death may be noticed.
const SLICE: Duration = Duration::from_millis(10);
/// The largest message of `stamped`.
const STAMPED: usize = 16 + 0x3ff;

fn ring(dir: &Path) -> Options<Mpmc> {
    podring::mpmc("ring").dir(dir).slots(8).largest_message(STAMPED).slice(SLICE)
}

#[test]
fn a_message_goes_to_one_consumer_with_its_id() {
    let scratch = Scratch::new("mpmc-one");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut first = ring(scratch.dir()).consumer().expect("a seat");
    let mut second = ring(scratch.dir()).consumer().expect("a seat");
    for number in 0..3u8 {
        tx.send(&[number]).expect("sent");
    }
    let held = first.recv().expect("a message");
    assert_eq!((&*held, held.id(), held.redelivered()), (&[0][..], 0, false));
    let other = second.recv().expect("the next message, while the first is open");
    assert_eq!((&*other, other.id()), (&[1][..], 1));
    drop((held, other));
    assert_eq!(first.recv().expect("a message")[..], [2]);
    assert!(second.try_recv().expect("a sound ring").is_none());
    assert_eq!((first.stats().messages, second.stats().messages, tx.stats().messages), (2, 1, 3));
}

#[test]
fn a_full_ring_takes_nothing_and_an_empty_one_gives_nothing() {
    let scratch = Scratch::new("mpmc-full");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    assert!(rx.try_recv().expect("a sound ring").is_none());
    refused(
        rx.recv_timeout(Duration::from_millis(1)).map(drop),
        "Timeout",
        &["no message", "attached and slow"],
    );
    for lap in 0..3 {
        for number in 0..8u8 {
            assert!(tx.try_send(&[lap, number]).expect("a sound ring"), "room for {number}");
        }
        assert!(!tx.try_send(b"more").expect("a sound ring"), "eight slots");
        assert!(tx.try_claim(1).expect("a sound ring").is_none());
        refused(tx.send_timeout(b"more", Duration::from_millis(1)), "Timeout", &["no space"]);
        let deadline = Instant::now() + Duration::from_millis(1);
        refused(tx.send_deadline(b"more", deadline), "Timeout", &["no space"]);
        for number in 0..8u8 {
            assert_eq!(rx.recv().expect("a message")[..], [lap, number]);
        }
    }
}

#[test]
fn every_length_arrives_whole() {
    let scratch = Scratch::new("mpmc-lengths");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let mut buffer = [0; STAMPED];
    let mut out = Vec::new();
    for len in (0..80).chain([STAMPED - 1, STAMPED]) {
        let message = common::pattern(len as u64, len);
        tx.send(&message).expect("sent");
        assert_eq!(rx.recv_into(&mut buffer).expect("a message"), len);
        assert_eq!(buffer[..len], message);
        let mut claim = tx.claim(len).expect("room");
        claim.copy_from_slice(&message);
        claim.commit();
        rx.recv_to_vec(&mut out).expect("a message");
        assert_eq!(out, message);
    }
    refused(tx.send(&[0; STAMPED + 1]), "TooLarge", &["1040 bytes", "1039", "largest message"]);
    refused(rx.recv_into(&mut buffer[1..]), "BufferTooSmall", &["1038", "1039"]);
}

#[test]
fn what_is_claimed_and_dropped_is_passed_over() {
    let scratch = Scratch::new("mpmc-dropped");
    let mut quitter = ring(scratch.dir()).producer().expect("a seat");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    for round in 0..20u8 {
        let claim = quitter.claim(4).expect("room");
        tx.send(&[round]).expect("sent");
        assert!(rx.try_recv().expect("a sound ring").is_none(), "the first is still being written");
        drop(claim);
        assert_eq!(rx.recv().expect("the message behind the dropped one")[..], [round]);
        assert!(rx.try_recv().expect("a sound ring").is_none());
    }
    assert_eq!(quitter.stats().abandoned, 20);
}

#[test]
fn what_is_forgotten_is_given_up_by_the_next_call() {
    let scratch = Scratch::new("mpmc-forgotten");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    std::mem::forget(tx.claim(4).expect("room"));
    tx.send(b"one").expect("sent");
    std::mem::forget(rx.recv().expect("a message"));
    tx.send(b"two").expect("sent");
    assert_eq!(&*rx.recv().expect("a message"), b"two");
    std::mem::forget(tx.claim(4).expect("room"));
    drop(tx);
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    tx.send(b"three").expect("sent");
    assert_eq!(&*rx.recv().expect("behind what went with its producer"), b"three");
}

#[test]
fn batches_and_drains_carry_every_message() {
    let scratch = Scratch::new("mpmc-batch");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let _watchdog = watchdog(SOON, "batches");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut batch = tx.batch();
            for number in 0..1000u64 {
                batch.send(&number.to_le_bytes()).expect("sent");
            }
            batch.publish();
            tx.close().expect("closed");
        });
        let mut next = 0u64;
        loop {
            let mut drain = match rx.drain() {
                Ok(drain) => drain,
                Err(Error::Closed { .. }) => break,
                Err(error) => panic!("{error}"),
            };
            loop {
                match drain.next() {
                    Ok(Some(message)) => {
                        assert_eq!(message, next.to_le_bytes());
                        next += 1;
                    }
                    Ok(None) => break,
                    Err(Error::Closed { .. }) => {
                        assert_eq!(next, 1000, "nothing is left when the end is told");
                        return;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert_eq!(next, 1000);
    });
}

#[test]
fn a_drain_that_is_not_read_gives_its_message_back() {
    let scratch = Scratch::new("mpmc-put-back");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    tx.send(b"one").expect("sent");
    tx.send(b"two").expect("sent");
    drop(rx.drain().expect("a message"));
    let mut other = ring(scratch.dir()).consumer().expect("a seat");
    let again = other.recv().expect("a message");
    assert_eq!((&*again, again.id(), again.redelivered()), (&b"one"[..], 0, true));
    assert_eq!(&*rx.recv().expect("a message"), b"two");
}

#[test]
fn each_consumer_is_told_once_when_the_last_producer_closes() {
    let scratch = Scratch::new("mpmc-close");
    let mut first = ring(scratch.dir()).producer().expect("a seat");
    let mut second = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let mut other = ring(scratch.dir()).consumer().expect("a seat");
    first.send(b"one").expect("sent");
    first.close().expect("closed");
    refused(first.send(b"more"), "Closed", &[]);
    assert_eq!(&*rx.recv().expect("a message"), b"one");
    assert!(rx.try_recv().expect("the second may send").is_none());
    second.send(b"two").expect("sent");
    second.close().expect("closed");
    assert_eq!(&*rx.recv().expect("what is left"), b"two");
    refused(rx.recv().map(drop), "Closed", &["ended"]);
    refused(other.recv().map(drop), "Closed", &["ended"]);
    assert!(rx.try_recv().expect("told once").is_none());
    assert!(other.try_recv().expect("told once").is_none());
    let mut late = ring(scratch.dir()).consumer().expect("a seat");
    assert!(late.try_recv().expect("an end others were told of is over").is_none());
    let mut third = ring(scratch.dir()).producer().expect("a seat");
    third.send(b"three").expect("a new stream");
    assert_eq!(&*late.recv().expect("a message"), b"three");
    third.close().expect("closed");
    for consumer in [&mut rx, &mut other, &mut late] {
        refused(consumer.recv().map(drop), "Closed", &[]);
    }
}

#[test]
fn a_producer_that_goes_without_closing_ends_nothing() {
    let scratch = Scratch::new("mpmc-leave");
    let mut closes = ring(scratch.dir()).producer().expect("a seat");
    let goes = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    closes.close().expect("closed");
    drop(goes);
    assert!(rx.try_recv().expect("nobody marked the end").is_none());
    let mut successor = ring(scratch.dir()).producer().expect("a seat");
    successor.close().expect("closed");
    refused(rx.recv().map(drop), "Closed", &[]);
}

#[test]
fn sixty_four_may_take_part_and_no_more() {
    let scratch = Scratch::new("mpmc-seats");
    let mut all: Vec<_> = (0..64).map(|_| ring(scratch.dir()).producer().expect("a seat")).collect();
    refused(ring(scratch.dir()).consumer().map(drop), "SeatsTaken", &["64 seats", "podring info"]);
    assert_eq!(
        all.iter().map(podring::mpmc::Producer::seat).collect::<Vec<_>>(),
        (0..64).collect::<Vec<u8>>()
    );
    assert_eq!(all[0].peers().expect("a sound ring").len(), 63);
    drop(all.remove(40));
    let rx = ring(scratch.dir()).consumer().expect("the seat that became free");
    assert_eq!(rx.seat(), 40);
    let report = inspect::report(scratch.dir(), "ring").expect("a ring");
    assert_eq!(report.seats.iter().filter(|seat| seat.live).count(), 64);
    assert_eq!(report.kind, inspect::Kind::Mpmc);
}

#[test]
fn a_ring_is_what_it_was_made_as() {
    let scratch = Scratch::new("mpmc-mismatch");
    ring(scratch.dir()).make().expect("made");
    let dir = scratch.dir();
    refused(podring::spsc("ring").dir(dir).producer().map(drop), "Mismatch", &["kind", "mpmc", "bytes"]);
    refused(ring(dir).slots(16).producer().map(drop), "Mismatch", &["capacity", "8", "16"]);
    refused(ring(dir).largest_message(8).producer().map(drop), "Mismatch", &["largest message"]);
    let drops = ring(dir).on_consumer_death(ConsumerDeath::Drop);
    refused(drops.producer().map(drop), "Mismatch", &["delivery", "no redelivery"]);
    podring::spsc("other").dir(dir).make().expect("made");
    refused(podring::mpmc("other").dir(dir).consumer().map(drop), "Mismatch", &["kind"]);
    refused(
        podring::mpmc("big").dir(dir).largest_message(usize::MAX).make(),
        "OptionInvalid",
        &["largest message"],
    );
    refused(podring::mpmc("big").dir(dir).slots(usize::MAX).make(), "OptionInvalid", &["slots"]);
    podring::mpmc("least").dir(dir).slots(0).largest_message(0).make().expect("two slots of nothing");
    let mut tx = podring::mpmc("least").dir(dir).producer().expect("a seat");
    assert_eq!((tx.slots(), tx.largest_message()), (2, 0));
    assert!(tx.try_send(b"").expect("a sound ring") && tx.try_send(b"").expect("a sound ring"));
    assert!(!tx.try_send(b"").expect("a sound ring"));
}

#[cfg(feature = "bytemuck")]
#[test]
fn elements_go_through_a_typed_ring() {
    let scratch = Scratch::new("mpmc-typed");
    let options = || podring::mpmc("typed").dir(scratch.dir()).typed::<[u32; 3]>().elements(4);
    let mut tx = options().producer().expect("a seat");
    let mut rx = options().consumer().expect("a seat");
    for lap in 0..5 {
        assert!(tx.try_send(&[lap, 1, 2]).expect("a sound ring"));
        tx.send_all(&[[lap, 3, 4], [lap, 5, 6]]).expect("sent");
        let received = rx.recv_with_id().expect("an element");
        assert_eq!(
            (received.element, received.id, received.redelivered),
            ([lap, 1, 2], u64::from(lap) * 3, false)
        );
        let mut many = [[0; 3]; 4];
        assert_eq!(rx.recv_many(&mut many).expect("elements"), 2);
        assert_eq!(many[..2], [[lap, 3, 4], [lap, 5, 6]]);
        assert!(rx.try_recv().expect("a sound ring").is_none());
    }
    let other = podring::mpmc("typed").dir(scratch.dir()).typed::<[u32; 4]>();
    refused(other.producer().map(drop), "Mismatch", &["element type"]);
    tx.close().expect("closed");
    refused(rx.recv(), "Closed", &[]);
}

/// Producers and consumers at once: every message once, whole, and in order for each pair.
fn many(tag: &str, producers: u64, consumers: usize, slots: usize, wait: Wait) {
    const EACH: u64 = 3000;
    let scratch = Scratch::new(tag);
    let _watchdog = watchdog(4 * SOON, "many threads");
    let options = || ring(scratch.dir()).slots(slots).wait(wait);
    options().make().expect("made");
    let seen = Mutex::new(BTreeMap::<(u64, u64), u64>::new());
    let ids = AtomicU64::new(0);
    // All are there before the first of them can end the stream.
    let together = std::sync::Barrier::new(producers as usize + consumers);
    std::thread::scope(|scope| {
        for producer in 0..producers {
            let (options, together) = (&options, &together);
            scope.spawn(move || {
                let mut tx = options().producer().expect("a seat");
                together.wait();
                (0..EACH).for_each(|number| tx.send(&stamped(producer, number)).expect("sent"));
                tx.close().expect("closed");
            });
        }
        for _ in 0..consumers {
            scope.spawn(|| {
                let mut rx = options().consumer().expect("a seat");
                together.wait();
                let mut last = BTreeMap::new();
                let mut mine = Vec::new();
                loop {
                    match rx.recv() {
                        Ok(message) => {
                            let (producer, number) = read_stamp(&message);
                            let before = last.insert(producer, number);
                            assert!(before.is_none_or(|before| before < number), "in order");
                            assert!(!message.redelivered());
                            ids.fetch_add(message.id(), Ordering::Relaxed);
                            mine.push((producer, number));
                        }
                        Err(Error::Closed { .. }) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                let mut seen = seen.lock().expect("nobody panics here");
                mine.into_iter().for_each(|message| *seen.entry(message).or_default() += 1);
            });
        }
    });
    let seen = seen.into_inner().expect("nobody panics here");
    assert_eq!(seen.len() as u64, producers * EACH);
    assert!(seen.values().all(|&count| count == 1));
    let all = producers * EACH;
    assert_eq!(ids.into_inner(), all * (all - 1) / 2, "ids are the order's numbers");
}

#[test]
fn three_and_three_that_sleep() {
    many("mpmc-park", 3, 3, 8, Wait::Park);
}

#[test]
fn three_and_three_that_adapt() {
    many("mpmc-adapt", 3, 3, 64, Wait::Adaptive);
}

#[test]
fn two_and_two_that_poll_in_two_slots() {
    many("mpmc-spin", 2, 2, 2, Wait::Spin);
}

#[test]
fn one_and_four() {
    many("mpmc-one-four", 1, 4, 4, Wait::Adaptive);
}

#[test]
fn four_and_one() {
    many("mpmc-four-one", 4, 1, 4, Wait::Park);
}

/// When an operation began and ended, and on which message.
struct Done {
    id: u64,
    began: Instant,
    ended: Instant,
}

/// What one queue that is asked one thing after the other could have answered: whatever ended before something else began
/// comes before it in the order of ids. (Sends and receives that find no room or nothing are no part of it: "nothing to be
/// had now" is also the answer while the next message is being written.)
fn in_one_order(mut history: Vec<Done>, what: &str) {
    history.sort_by_key(|done| done.id);
    assert!(history.windows(2).all(|pair| pair[0].id < pair[1].id), "each id once, {what}");
    let mut earliest_end = None;
    for done in history.iter().rev() {
        if let Some((id, end)) = earliest_end {
            assert!(done.began <= end, "{what} {id} had ended before {} began", done.id);
        }
        if earliest_end.is_none_or(|(_, end)| done.ended < end) {
            earliest_end = Some((done.id, done.ended));
        }
    }
}

/// The history of many threads is one of a first-in, first-out queue (a direct witness: the ids are its order; Herlihy
/// and Wing 1990).
#[test]
fn histories_are_those_of_one_queue() {
    const EACH: usize = 4000;
    let scratch = Scratch::new("mpmc-linear");
    let _watchdog = watchdog(4 * SOON, "a history");
    ring(scratch.dir()).make().expect("made");
    let (sends, receives) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for producer in 0..3u64 {
            let (sends, dir) = (&sends, scratch.dir());
            scope.spawn(move || {
                let mut tx = ring(dir).producer().expect("a seat");
                let mut mine = Vec::new();
                for number in 0..EACH as u64 {
                    let began = Instant::now();
                    let mut claim = tx.claim(16).expect("room");
                    claim[..8].copy_from_slice(&producer.to_le_bytes());
                    claim[8..].copy_from_slice(&number.to_le_bytes());
                    let id = claim.id();
                    claim.commit();
                    mine.push(Done { id, began, ended: Instant::now() });
                }
                sends.lock().expect("nobody panics here").extend(mine);
            });
        }
        for _ in 0..3 {
            let (receives, dir) = (&receives, scratch.dir());
            scope.spawn(move || {
                let mut rx = ring(dir).consumer().expect("a seat");
                let mut mine = Vec::new();
                for _ in 0..EACH {
                    let began = Instant::now();
                    let id = rx.recv().expect("a message").id();
                    mine.push(Done { id, began, ended: Instant::now() });
                }
                receives.lock().expect("nobody panics here").extend(mine);
            });
        }
    });
    let mut sends = sends.into_inner().expect("nobody panics here");
    let mut receives = receives.into_inner().expect("nobody panics here");
    sends.sort_by_key(|done| done.id);
    receives.sort_by_key(|done| done.id);
    assert_eq!((sends.len(), receives.len()), (3 * EACH, 3 * EACH));
    for (send, receive) in sends.iter().zip(&receives) {
        assert_eq!(send.id, receive.id);
        assert!(send.began <= receive.ended, "message {} was received before it was sent", send.id);
    }
    in_one_order(sends, "send");
    in_one_order(receives, "receive");
}

#[test]
fn the_judge_of_histories_refuses_a_wrong_one() {
    let start = Instant::now();
    let done = |id, began, ended| Done {
        id,
        began: start + Duration::from_millis(began),
        ended: start + Duration::from_millis(ended),
    };
    in_one_order(vec![done(1, 0, 9), done(0, 5, 9), done(2, 9, 10)], "right");
    let wrong = std::panic::catch_unwind(|| in_one_order(vec![done(1, 0, 3), done(0, 5, 9)], "wrong"));
    assert!(wrong.is_err());
}

#[test]
fn a_forked_child_does_nothing_to_the_ring() {
    let scratch = Scratch::new("mpmc-fork");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    tx.send(b"one").expect("sent");
    let message = rx.recv().expect("a message");
    let claim = tx.claim(3).expect("room");
    // SAFETY: the child only drops what it has and ends.
    match unsafe { nix::unistd::fork() }.expect("a child") {
        nix::unistd::ForkResult::Child => {
            drop(message);
            drop(claim);
            let refused = matches!(tx.try_send(b"x"), Err(Error::Forked { .. }))
                && matches!(rx.try_recv(), Err(Error::Forked { .. }));
            drop((tx, rx));
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { nix::libc::_exit(i32::from(!refused)) }
        }
        nix::unistd::ForkResult::Parent { child } => {
            let status = nix::sys::wait::waitpid(child, None).expect("a child of ours");
            assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
    assert_eq!(&*message, b"one");
    drop(message);
    drop(claim);
    tx.send(b"two").expect("sent");
    assert_eq!(&*rx.recv().expect("a message"), b"two");
}

// What follows has children that are killed.

const ROLES: [(&str, Play); 4] =
    [("claims", claims), ("takes", takes), ("sends", sends), ("receives", receives)];

#[test]
#[ignore = "a role, played for other tests"]
fn child() {
    play(&ROLES);
}

/// Claims a slot and keeps it.
fn claims(args: &[String]) {
    let [dir, board] = args else { panic!("a directory and a board") };
    let board = Words::map(board.as_ref());
    let mut tx = ring(dir.as_ref()).producer().expect("a seat");
    let _claim = tx.claim(8).expect("room");
    board.set(0, 1);
    loop {
        std::thread::park();
    }
}

/// Takes a message and keeps it.
fn takes(args: &[String]) {
    let [dir, board] = args else { panic!("a directory and a board") };
    let board = Words::map(board.as_ref());
    let mut rx = ring(dir.as_ref()).consumer().expect("a seat");
    let message = rx.recv().expect("a message");
    board.set(0, 1 + message.id());
    loop {
        std::thread::park();
    }
}

/// A child that has done its part, and stands still.
fn holder(scratch: &Scratch, role: &str) -> common::child::Child {
    let path = scratch.beside("board");
    let board = Words::make(&path, 8);
    let mut child = spawn(role, &[arg(scratch.dir()), arg(&path)]);
    eventually("the child does its part", || {
        assert!(child.is_running());
        board.get(0) != 0
    });
    child
}

#[test]
fn who_is_blocked_on_a_dead_writers_slot_goes_on() {
    let scratch = Scratch::new("mpmc-dead-writer");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let child = holder(&scratch, "claims");
    tx.send(b"behind").expect("sent");
    assert!(rx.try_recv().expect("a sound ring").is_none(), "a living writer is waited for");
    child.signal(Signal::SIGSTOP);
    refused(rx.recv_timeout(5 * SLICE).map(drop), "Timeout", &["no message"]);
    assert_eq!(rx.repair().expect("a sound ring"), 0, "a stopped one is not dead");
    child.kill();
    assert_eq!(&*rx.recv_timeout(SOON).expect("the message behind the dead one's"), b"behind");
    let dead: u64 =
        inspect::report(scratch.dir(), "ring").expect("a ring").seats.iter().map(|s| s.stats.repairs).sum();
    assert_eq!(dead, 1);
}

#[test]
fn who_is_blocked_on_a_dead_readers_slot_goes_on() {
    let scratch = Scratch::new("mpmc-dead-reader");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    tx.send(b"held").expect("sent");
    let child = holder(&scratch, "takes");
    for number in 0..7u8 {
        tx.send(&[number]).expect("sent");
        assert_eq!(rx.recv().expect("a message")[..], [number]);
    }
    refused(tx.send_timeout(b"more", 5 * SLICE), "Timeout", &["no space"]);
    child.kill();
    let _watchdog = watchdog(SOON, "the blocked producer");
    std::thread::scope(|scope| {
        scope.spawn(|| tx.send(b"more").expect("room, when the message was read by somebody else"));
        let again = rx.recv().expect("what the dead one had been handed");
        assert_eq!((&*again, again.id(), again.redelivered()), (&b"held"[..], 0, true));
        drop(again);
        assert_eq!(&*rx.recv().expect("a message"), b"more");
    });
    assert_eq!(rx.stats().redeliveries, 1);
}

#[test]
fn who_only_tries_learns_of_a_death_too() {
    let scratch = Scratch::new("mpmc-dead-try");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let child = holder(&scratch, "claims");
    tx.send(b"behind").expect("sent");
    child.kill();
    let start = Instant::now();
    while rx.try_recv().expect("a sound ring").is_none() {
        assert!(start.elapsed() < SOON, "nobody looked for the dead");
    }
}

#[test]
fn a_newcomer_takes_a_dead_ones_seat_and_puts_it_right() {
    let scratch = Scratch::new("mpmc-newcomer");
    ring(scratch.dir()).make().expect("made");
    let child = holder(&scratch, "claims");
    child.kill();
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    assert_eq!(tx.seat(), 0, "the dead one's");
    tx.send(b"one").expect("sent");
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let message = rx.try_recv().expect("a sound ring").expect("passing over the dead one's slot");
    assert_eq!((&*message, message.id()), (&b"one"[..], 1));
}

#[test]
fn a_ring_made_so_drops_what_a_dead_consumer_held() {
    let scratch = Scratch::new("mpmc-drop");
    let mut tx = ring(scratch.dir()).on_consumer_death(ConsumerDeath::Drop).producer().expect("a seat");
    tx.send(b"held").expect("sent");
    tx.send(b"next").expect("sent");
    holder(&scratch, "takes").kill();
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let message = rx.recv().expect("a message");
    assert_eq!((&*message, message.redelivered()), (&b"next"[..], false));
    drop(message);
    assert!(rx.try_recv().expect("a sound ring").is_none());
    let dropped: u64 =
        inspect::report(scratch.dir(), "ring").expect("a ring").seats.iter().map(|s| s.stats.dropped).sum();
    assert_eq!(dropped, 1);
}

#[test]
fn a_death_is_told_where_it_was_asked_for() {
    let scratch = Scratch::new("mpmc-told");
    let mut rx = ring(scratch.dir()).peer_loss(PeerLoss::Report).consumer().expect("a seat");
    holder(&scratch, "claims").kill();
    refused(rx.recv().map(drop), "PeerDied", &["producer", "died without closing"]);
}

/// Sends until it is killed; the board says which message's send has returned last.
fn sends(args: &[String]) {
    let [dir, board, incarnation] = args else { panic!("a directory, a board and an incarnation") };
    let board = Words::map(board.as_ref());
    let incarnation: u64 = incarnation.parse().expect("a number");
    let mut tx = ring(dir.as_ref()).producer().expect("a seat");
    for number in 0.. {
        tx.send(&stamped(incarnation, number)).expect("sent");
        board.set(incarnation as usize, number + 1);
    }
}

/// Receives until it is killed; the file says what, each before it is released.
fn receives(args: &[String]) {
    let [dir, log] = args else { panic!("a directory and a log") };
    let log = Words::map(log.as_ref());
    let mut rx = ring(dir.as_ref()).consumer().expect("a seat");
    for index in 0.. {
        let message = rx.recv().expect("a message");
        let (incarnation, number) = read_stamp(&message);
        log.set(index, 1 << 63 | u64::from(message.redelivered()) << 62 | incarnation << 40 | number);
    }
}

/// Two producers and two consumers, one of which is killed and replaced again and again: what was sent arrives, and
/// arrives twice only if it is marked.
#[test]
fn nothing_is_lost_while_anybody_is_killed() {
    const KILLS: usize = 60;
    const LOG: usize = 400_000;
    let scratch = Scratch::new("mpmc-kills");
    ring(scratch.dir()).make().expect("made");
    let board_path = scratch.beside("board");
    let board = Words::make(&board_path, 4 * KILLS);
    let mut random = common::Random::fresh();
    let mut incarnation = 0u64;
    let mut logs: Vec<Words> = Vec::new();
    let mut start = |producer: bool, logs: &mut Vec<Words>| {
        if producer {
            let child = spawn("sends", &[arg(scratch.dir()), arg(&board_path), &incarnation.to_string()]);
            incarnation += 1;
            child
        } else {
            let path = scratch.beside(&format!("log-{}", logs.len()));
            logs.push(Words::make(&path, LOG));
            spawn("receives", &[arg(scratch.dir()), arg(&path)])
        }
    };
    let mut team: Vec<_> =
        [true, true, false, false].map(|producer| (producer, Some(start(producer, &mut logs)))).into();
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(5 + random.below(20)));
        let (producer, child) = &mut team[random.below(4) as usize];
        child.take().expect("a child").kill();
        *child = Some(start(*producer, &mut logs));
    }
    // Producers first, so that the rest can be counted.
    for (producer, child) in &mut team {
        if *producer {
            child.take().expect("a child").kill();
        }
    }
    let mut rx = ring(scratch.dir()).consumer().expect("a seat");
    let mut rest = Vec::new();
    drop(team);
    rx.repair().expect("a sound ring");
    while let Some(message) = rx.try_recv().expect("a sound ring") {
        rest.push((read_stamp(&message), message.redelivered()));
    }
    let mut seen: BTreeMap<(u64, u64), Vec<bool>> = BTreeMap::new();
    for log in &logs {
        for index in 0..LOG {
            let word = log.get(index);
            if word == 0 {
                break;
            }
            let message = (word >> 40 & 0x3f_ffff, word & 0xff_ffff_ffff);
            seen.entry(message).or_default().push(word >> 62 & 1 == 1);
        }
    }
    rest.into_iter().for_each(|(message, marked)| seen.entry(message).or_default().push(marked));
    let mut sent = 0;
    for producer in 0..incarnation {
        let returned = board.get(producer as usize);
        sent += returned;
        let lost: Vec<_> = (0..returned).filter(|&number| !seen.contains_key(&(producer, number))).collect();
        assert!(lost.is_empty(), "of producer {producer}, lost: {lost:?}");
    }
    for (message, marks) in &seen {
        let unmarked = marks.iter().filter(|&&marked| !marked).count();
        assert!(unmarked <= 1, "{message:?} came {} times, {unmarked} of them unmarked", marks.len());
    }
    assert!(sent > 100, "only {sent} messages were sent");
    eprintln!("{KILLS} kills, {sent} messages whose send had returned, {} received, 0 lost", seen.len());
}
