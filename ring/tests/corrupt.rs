//! A hostile or broken peer: somebody scribbles over the segment of a ring in use. Whoever copies gets errors of
//! the documented kinds or odd messages, but no panic, no crash and no hang.
//!
//! The victims are processes of their own, so that a crash of one is seen as such.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::child::{arg, play, spawn};
use common::words::Words;
use common::{Random, SOON, Scratch, refused, ring_in, watchdog};
use podring::{Error, Result, Wait, inspect};

const SMALL: usize = 4096;
const CONTROL: usize = 4096;
const TAIL: usize = CONTROL;
const HEAD: usize = CONTROL + 128;
const SEATS: usize = 8192;
const DATA: usize = 24_576;
/// How long a victim works while it is scribbled over.
const WORK: Duration = Duration::from_millis(700);

#[test]
#[ignore = "the other processes of the tests in this file, which start them"]
fn child() {
    play(&[
        ("receive", receive),
        ("send", send),
        ("receive-typed", receive_typed),
        ("send-typed", send_typed),
        ("watch", watch),
    ]);
}

/// Counts what came of the calls; anything but the kinds that a scribbled segment may lead to is a failure.
struct Outcomes {
    counts: BTreeMap<&'static str, u64>,
    needed: Vec<String>,
    start: Instant,
}

impl Outcomes {
    /// The arguments are the directory, and which outcomes there must be for the test to mean something.
    fn new(args: &[String]) -> Self {
        let needed = args[1].split(' ').map(str::to_owned).collect();
        Self { counts: BTreeMap::new(), needed, start: Instant::now() }
    }

    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        let kind = match &result {
            Ok(_) => "Ok",
            Err(error @ (Error::Corrupt { .. } | Error::Timeout { .. } | Error::Closed { .. })) => {
                error.kind()
            }
            Err(error @ Error::BufferTooSmall { .. }) => error.kind(),
            Err(error) => panic!("not what a scribbled segment may lead to: {error}"),
        };
        *self.counts.entry(kind).or_default() += 1;
        result.ok()
    }

    /// Whether to go on: for a while, and until everything needed was seen.
    fn go_on(&self) -> bool {
        let seen = self.needed.iter().all(|kind| self.counts.contains_key(kind.as_str()));
        assert!(seen || self.start.elapsed() < SOON, "needed {:?}, got {:?}", self.needed, self.counts);
        !seen || self.start.elapsed() < WORK
    }
}

fn receive(args: &[String]) {
    let dir = Path::new(&args[0]);
    let short = Duration::from_micros(300);
    let mut outcomes = Outcomes::new(args);
    let mut out = Vec::new();
    while outcomes.go_on() {
        let rx = ring_in(dir, "ring").wait(Wait::Park).slice(Duration::from_millis(1)).consumer();
        let Some(mut rx) = outcomes.note(rx) else { continue };
        for _ in 0..50 {
            if outcomes.note(rx.recv_to_vec_timeout(&mut out, short)).is_some() {
                assert!(out.len() <= rx.largest_message());
            }
            if let Some(len) = outcomes.note(rx.recv_into_timeout(&mut [0; 600], short)) {
                assert!(len <= 600);
            }
            outcomes.note(rx.try_recv_to_vec(&mut out));
            outcomes.note(rx.peers());
            rx.stats();
        }
    }
}

fn send(args: &[String]) {
    let dir = Path::new(&args[0]);
    let short = Duration::from_micros(300);
    let mut outcomes = Outcomes::new(args);
    while outcomes.go_on() {
        let tx = ring_in(dir, "ring").wait(Wait::Park).slice(Duration::from_millis(1)).producer();
        let Some(mut tx) = outcomes.note(tx) else { continue };
        for len in 0..50 {
            outcomes.note(tx.send_timeout(&[7; 100], short));
            outcomes.note(tx.try_send(&[8; 2040]));
            if let Some(mut claim) = outcomes.note(tx.claim_timeout(len * 40, short)) {
                claim.fill(9);
                claim.commit();
            }
            let mut batch = tx.batch();
            outcomes.note(batch.try_send(&[1; 50]));
            outcomes.note(batch.send_timeout(&[2; 500], short));
            batch.publish();
            outcomes.note(tx.peers());
        }
    }
}

#[cfg(feature = "bytemuck")]
fn receive_typed(args: &[String]) {
    let short = Duration::from_micros(300);
    let mut outcomes = Outcomes::new(args);
    while outcomes.go_on() {
        let rx = ring_in(Path::new(&args[0]), "ring").wait(Wait::Park).slice(Duration::from_millis(1));
        let Some(mut rx) = outcomes.note(rx.typed::<[u64; 3]>().consumer()) else { continue };
        for _ in 0..50 {
            outcomes.note(rx.try_recv());
            outcomes.note(rx.recv_timeout(short));
            outcomes.note(rx.recv_deadline(Instant::now() + short));
        }
    }
}

#[cfg(feature = "bytemuck")]
fn send_typed(args: &[String]) {
    let short = Duration::from_micros(300);
    let mut outcomes = Outcomes::new(args);
    while outcomes.go_on() {
        let tx = ring_in(Path::new(&args[0]), "ring").wait(Wait::Park).slice(Duration::from_millis(1));
        let Some(mut tx) = outcomes.note(tx.typed::<[u64; 3]>().producer()) else { continue };
        for number in 0..50 {
            outcomes.note(tx.try_send(&[number; 3]));
            outcomes.note(tx.send_timeout(&[number; 3], short));
            if outcomes.note(tx.try_send(&[number; 3])) == Some(true) {
                // There was room: a run of one does not block.
                outcomes.note(tx.send_deadline(&[0; 3], Instant::now() + short));
            }
        }
    }
}

#[cfg(not(feature = "bytemuck"))]
fn receive_typed(_: &[String]) {}
#[cfg(not(feature = "bytemuck"))]
fn send_typed(_: &[String]) {}

/// Looks at the ring without taking part.
fn watch(args: &[String]) {
    let (dir, start) = (Path::new(&args[0]), Instant::now());
    while start.elapsed() < WORK {
        let report = inspect::report(dir, "ring").expect("the identity is untouched");
        assert!(report.used <= report.capacity);
        for seat in &report.seats {
            let text = format!("{} {}", seat.program, seat.host);
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        assert_eq!(inspect::list(dir).expect("the list").len(), 1);
    }
}

/// Scribbles over the words that `places` picks while victims work, and waits for them to end well. With each
/// victim's role go the outcomes it must see.
fn scribble(scratch: &Scratch, roles: &[(&str, &str)], mut places: impl FnMut(&mut Random) -> (usize, u64)) {
    let _watchdog = watchdog(SOON * 2, "victims of scribbling");
    let segment = Words::map(&scratch.path("ring"));
    let mut random = Random::fresh();
    let mut victims: Vec<_> =
        roles.iter().map(|(role, needed)| spawn(role, &[arg(scratch.dir()), needed])).collect();
    while victims.iter_mut().any(|victim| victim.is_running()) {
        for _ in 0..1 + random.below(40) {
            let (at, value) = places(&mut random);
            segment.at((at % segment.len()) & !7).store(value, Ordering::Relaxed);
        }
        if random.one_in(3) {
            // Lets the victims find something that is right.
            std::thread::sleep(Duration::from_micros(random.below(1500)));
        }
    }
}

/// A value that could hurt: near what is there, or anything.
fn value(random: &mut Random, near: u64) -> u64 {
    match random.below(6) {
        0 => random.next(),
        1 => random.below(1 << 13),
        2 => near.wrapping_add(random.below(64) * 8),
        3 => near.wrapping_sub(random.below(64)),
        4 => [0, 1, u64::MAX, 1 << 63, 1 << 32, 1 << 32 | 2040, 2 << 32 | 4088][random.below(7) as usize],
        _ => random.below(4096) & !7,
    }
}

#[test]
fn scribbled_positions_are_errors() {
    let scratch = Scratch::new("positions");
    scratch.ring("ring").capacity(SMALL).make().expect("a ring");
    let segment = Words::map(&scratch.path("ring"));
    scribble(&scratch, &[("receive", "Ok Corrupt"), ("send", "Ok Corrupt"), ("watch", "")], |random| {
        let at = [TAIL, HEAD][random.below(2) as usize];
        (at, value(random, segment.at(TAIL).load(Ordering::Relaxed)))
    });
}

#[test]
fn scribbled_headers_and_lengths_are_errors() {
    let scratch = Scratch::new("headers");
    scratch.ring("ring").capacity(SMALL).make().expect("a ring");
    scribble(&scratch, &[("receive", "Ok Corrupt"), ("send", "Ok")], |random| {
        let at = DATA + random.below(SMALL as u64) as usize;
        let kind = random.below(4) << 32;
        let len = if random.one_in(3) { random.below(1 << 32) } else { random.below(4200) };
        (at, kind | len)
    });
}

#[test]
fn scribbling_over_everything_but_the_identity_is_survived() {
    let scratch = Scratch::new("everything");
    scratch.ring("ring").capacity(SMALL).make().expect("a ring");
    scribble(&scratch, &[("receive", "Ok Corrupt"), ("send", "Ok Corrupt"), ("watch", "")], |random| {
        let at = match random.below(4) {
            0 => CONTROL + random.below(640) as usize,
            1 => SEATS + random.below(512) as usize,
            2 => SEATS + random.below((DATA - SEATS) as u64) as usize,
            _ => DATA + random.below(SMALL as u64) as usize,
        };
        (at, value(random, 0))
    });
}

#[cfg(feature = "bytemuck")]
#[test]
fn scribbling_over_a_typed_ring_is_survived() {
    let scratch = Scratch::new("typed");
    scratch.ring("ring").typed::<[u64; 3]>().elements(64).make().expect("a ring");
    scribble(
        &scratch,
        &[("receive-typed", "Ok Corrupt"), ("send-typed", "Ok Corrupt"), ("watch", "")],
        |random| {
            let at = if random.one_in(2) {
                [TAIL, HEAD][random.below(2) as usize]
            } else {
                CONTROL + random.below((DATA - CONTROL + 64 * 24) as u64) as usize
            };
            (at, value(random, 64))
        },
    );
}

#[test]
fn an_identity_scribbled_over_later_changes_nothing_for_those_inside() {
    let scratch = Scratch::new("identity");
    let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    let segment = Words::map(&scratch.path("ring"));
    (0..CONTROL).step_by(8).for_each(|at| segment.at(at).store(u64::MAX, Ordering::Relaxed));
    for round in 0..2000_usize {
        let message = common::pattern(round as u64, round % 2041);
        tx.send(&message).expect("sizes and masks are private copies");
        assert_eq!(&*rx.recv().expect("recv"), &message[..]);
    }
    refused(scratch.ring("ring").producer(), "NotARing", &["podring's mark"]);
}

#[test]
fn positions_that_are_no_record_border_are_refused_when_attaching() {
    for (tail, head) in [(3, 3), (24, 3), (4099, 3), (25, 8), (4096, 1), (7, 0)] {
        let scratch = Scratch::new("odd");
        let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
        for _ in 0..4 {
            tx.send(&[5; 100]).expect("send");
        }
        drop(tx);
        let segment = Words::map(&scratch.path("ring"));
        segment.at(TAIL).store(tail, Ordering::Relaxed);
        segment.at(HEAD).store(head, Ordering::Relaxed);
        if head % 8 != 0 {
            let said = &["ring 'ring' is corrupt: head holds", "defective or hostile"];
            refused(scratch.ring("ring").consumer(), "Corrupt", said);
        }
        if tail % 8 != 0 {
            let said = &["ring 'ring' is corrupt: tail holds", "defective or hostile"];
            refused(scratch.ring("ring").producer(), "Corrupt", said);
        }
    }
}

#[test]
fn positions_further_apart_than_the_ring_are_refused() {
    let scratch = Scratch::new("apart");
    scratch.ring("ring").capacity(SMALL).make().expect("a ring");
    let segment = Words::map(&scratch.path("ring"));
    for (tail, head) in [(4104, 0), (0, 8), (0, 1 << 63), (!7, 0), (1 << 40, 1 << 39)] {
        segment.at(TAIL).store(tail, Ordering::Relaxed);
        segment.at(HEAD).store(head, Ordering::Relaxed);
        refused(scratch.ring("ring").producer(), "Corrupt", &["ring 'ring' is corrupt: tail", "holds 0x"]);
        refused(scratch.ring("ring").consumer(), "Corrupt", &["ring 'ring' is corrupt: tail", "holds 0x"]);
    }
    // Positions about to overflow are in order.
    let near = u64::MAX - 4095;
    segment.at(TAIL).store(near, Ordering::Relaxed);
    segment.at(HEAD).store(near, Ordering::Relaxed);
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    for round in 0..100 {
        tx.send(&common::pattern(round, 700)).expect("send");
        assert_eq!(&*rx.recv().expect("recv"), &common::pattern(round, 700)[..], "across the overflow");
    }
    assert!(segment.at(TAIL).load(Ordering::Relaxed) < near, "it did overflow");
}

#[test]
fn a_live_consumer_names_the_word_that_is_wrong() {
    let scratch = Scratch::new("names");
    let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    let segment = Words::map(&scratch.path("ring"));
    tx.send(&[1; 16]).expect("send");
    for header in
        [0, 16, 3 << 32 | 16, 1 << 32 | 17, 1 << 32 | 0xffff_ffff, 2 << 32 | 16, 2 << 32 | 8, 1 << 32 | 2041]
    {
        segment.at(DATA).store(header, Ordering::Relaxed);
        let value = format!("record header holds {header:#x}");
        refused(rx.try_recv(), "Corrupt", &["ring 'ring' is corrupt", &value, "podring rm --force ring"]);
        refused(rx.recv(), "Corrupt", &[&value]);
        refused(rx.recv_into(&mut [0; 64]), "Corrupt", &[&value]);
        assert_eq!(rx.stats().messages, 0, "nothing is released");
    }
    segment.at(DATA).store(1 << 32 | 16, Ordering::Relaxed);
    assert_eq!(&*rx.recv().expect("it is right again"), &[1; 16]);
    segment.at(TAIL).store(1 << 50, Ordering::Relaxed);
    refused(rx.recv(), "Corrupt", &["ring 'ring' is corrupt: tail holds 0x4000000000000"]);
    // The producer never reads its own position back; it reads the other's.
    segment.at(HEAD).store(1 << 50, Ordering::Relaxed);
    let error = loop {
        match tx.try_send(&[2; 500]) {
            Ok(sent) => assert!(sent, "the head is looked at before the ring is called full"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Corrupt { field: "head", value, .. } if value == 1 << 50), "{error}");
}

/// The word of slot number `index` of the ring of slots below.
#[cfg(feature = "bytemuck")]
fn slot(index: usize) -> usize {
    const STRIDE: usize = 16; // the slot's word and an element
    DATA + index * STRIDE
}

#[cfg(feature = "bytemuck")]
#[test]
fn a_run_of_elements_ends_before_a_corrupt_slot_and_frees_what_it_received() {
    let _watchdog = watchdog(SOON, "a producer that is owed a wake-up");
    let scratch = Scratch::new("run");
    // No slice comes to the rescue.
    let options = || podring::mpmc("ring").dir(scratch.dir()).wait(Wait::Park).slice(SOON * 100);
    let mut tx = options().typed::<u64>().elements(8).producer().expect("a producer");
    let mut rx = options().typed::<u64>().consumer().expect("a consumer");
    let segment = Words::map(&scratch.path("ring"));
    let mut run = [0; 8];
    tx.send_all(&[0, 1, 2, 3, 4, 5, 6, 7]).expect("room");
    let right = segment.at(slot(5)).swap(u64::MAX, Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| tx.send(&8).expect("a slot was freed"));
        common::eventually("the producer sleeps", || {
            inspect::report(scratch.dir(), "ring").expect("a report").seats[0].stats.parks > 0
        });
        let count = rx.recv_many(&mut run);
        assert_eq!((count.expect("what is sound"), &run[..5]), (5, &[0, 1, 2, 3, 4][..]));
    });
    assert_eq!(rx.stats().messages, 5);
    for _ in 0..2 {
        refused(rx.recv_many(&mut run), "Corrupt", &["slot holds 0xffffffffffffffff"]);
    }
    segment.at(slot(5)).store(right, Ordering::Relaxed);
    assert_eq!(rx.recv_many(&mut run).expect("it is right again"), 4);
    assert_eq!(run[..4], [5, 6, 7, 8]);
}

#[cfg(feature = "bytemuck")]
#[test]
fn a_run_of_elements_ends_before_a_corrupt_position() {
    let scratch = Scratch::new("run-of-two");
    let mut tx = scratch.ring("ring").typed::<u64>().elements(8).producer().expect("a producer");
    let mut rx = scratch.ring("ring").typed::<u64>().consumer().expect("a consumer");
    let segment = Words::map(&scratch.path("ring"));
    tx.send_all(&[1, 2, 3]).expect("room");
    assert_eq!(rx.recv().expect("it looks, and knows of all three"), 1);
    segment.at(TAIL).store(1 << 50, Ordering::Relaxed);
    let mut run = [0; 8];
    assert_eq!(rx.recv_many(&mut run).expect("what is known"), 2);
    assert_eq!(run[..2], [2, 3]);
    refused(rx.recv_many(&mut run), "Corrupt", &["tail holds 0x4000000000000"]);
}
