//! How long after a death who is blocked behind the dead one goes on: measured from the call of kill(2) to the return of
//! the survivor's, and printed. Nothing depends on the figures but that they are bounded.
//!
//! RECOVERY_KILLS=30 cargo test -p podring --test recovery -- --nocapture

mod common;

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::child::{Child, arg, play, spawn};
use common::words::Words;
use common::{Random, SOON, Scratch, eventually, watchdog};
use podring::{Mpmc, Options, Wait, inspect};

const SLOTS: usize = 8;
/// The default slice, as far as a kill is put off: it may come at any moment of a sleep.
const SLICE_MS: u64 = 100;

fn kills() -> usize {
    let kills = std::env::var("RECOVERY_KILLS").ok();
    kills.map_or(4, |text| text.parse().expect("RECOVERY_KILLS is a number"))
}

fn ring(dir: &Path) -> Options<Mpmc> {
    podring::mpmc("ring").dir(dir).slots(SLOTS).largest_message(8)
}

/// Claims a slot and keeps it.
fn claims(args: &[String]) {
    let mut tx = ring(args[0].as_ref()).producer().expect("a seat");
    let _claim = tx.claim(8).expect("room");
    stand_still(args);
}

/// Takes a message and keeps it.
fn takes(args: &[String]) {
    let mut rx = ring(args[0].as_ref()).consumer().expect("a seat");
    let _message = rx.recv().expect("a message");
    stand_still(args);
}

/// Says that its part is done.
fn stand_still(args: &[String]) {
    Words::map(args[1].as_ref()).set(0, 1);
    loop {
        std::thread::park();
    }
}

fn holder(scratch: &Scratch, role: &str) -> Child {
    let path = scratch.beside("board");
    let board = Words::make(&path, 1);
    let mut child = spawn(role, &[arg(scratch.dir()), arg(&path)]);
    eventually("the child does its part", || {
        assert!(child.is_running());
        board.get(0) != 0
    });
    child
}

/// Kills it when all in these seats sleep, at a moment of their sleep that nobody has chosen. Returns when.
fn kill(scratch: &Scratch, child: Child, sleepers: &[u8], random: &mut Random) -> Instant {
    eventually("they sleep", || {
        let report = inspect::report(scratch.dir(), "ring").expect("a report");
        sleepers.iter().all(|&seat| report.seats[usize::from(seat)].stats.parks > 0)
    });
    std::thread::sleep(Duration::from_micros(random.below(SLICE_MS * 1000)));
    let moment = Instant::now();
    child.kill();
    moment
}

/// A producer is killed while it writes; a consumer waits for what comes behind. Returns how long the consumer waits on.
fn writer_dies(wait: Wait, random: &mut Random) -> Vec<Duration> {
    let scratch = Scratch::new("recovery-writer");
    ring(scratch.dir()).make().expect("made");
    let child = holder(&scratch, "claims");
    let mut tx = ring(scratch.dir()).producer().expect("a seat");
    tx.send(b"behind").expect("sent");
    let mut rx = ring(scratch.dir()).wait(wait).consumer().expect("a seat");
    let seat = rx.seat();
    std::thread::scope(|scope| {
        let survivor = scope.spawn(move || {
            assert_eq!(&*rx.recv().expect("a message"), b"behind");
            Instant::now()
        });
        let killed = kill(&scratch, child, &[seat], random);
        vec![survivor.join().expect("no panic") - killed]
    })
}

/// A consumer is killed while it reads; the ring is full, a producer waits for the slot and a consumer for anything.
/// Returns how long the consumer waits on for the message that comes again, and the producer for its slot.
fn reader_dies(wait: Wait, random: &mut Random) -> Vec<Duration> {
    let scratch = Scratch::new("recovery-reader");
    let mut tx = ring(scratch.dir()).wait(wait).producer().expect("a seat");
    tx.send(&[0]).expect("sent");
    let child = holder(&scratch, "takes");
    let mut rx = ring(scratch.dir()).wait(wait).consumer().expect("a seat");
    for number in 1..SLOTS as u8 {
        tx.send(&[number]).expect("sent");
        assert_eq!(rx.recv().expect("a message")[..], [number]);
    }
    let seats = [tx.seat(), rx.seat()];
    let (done, all) = mpsc::channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let message = rx.recv().expect("a message");
            let again = Instant::now();
            assert_eq!((message[0], message.redelivered()), (0, true));
            drop(message);
            // It keeps its seat until the other one is through, so that leaving wakes nobody.
            all.recv().expect("no panic");
            again
        });
        let writer = scope.spawn(move || {
            tx.send(b"more").expect("room");
            let through = Instant::now();
            done.send(()).expect("no panic");
            through
        });
        let killed = kill(&scratch, child, &seats, random);
        vec![reader.join().expect("no panic") - killed, writer.join().expect("no panic") - killed]
    })
}

/// Repeats it, and prints how long each of these took.
fn measure(names: &[&str], wait: Wait, one: impl Fn(Wait, &mut Random) -> Vec<Duration>) {
    let kills = kills();
    let _watchdog = watchdog(SOON + SOON * kills as u32, "recovery");
    let mut random = Random::fresh();
    let rounds: Vec<_> = (0..kills).map(|_| one(wait, &mut random)).collect();
    for (index, name) in names.iter().enumerate() {
        let mut times: Vec<_> = rounds.iter().map(|round| round[index]).collect();
        times.sort();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "recovery: {name}, {wait:?}: {kills} kills, median {:.1} ms, longest {:.1} ms",
            milliseconds(times[kills / 2]),
            milliseconds(times[kills - 1]),
        );
        assert!(times[kills - 1] < SOON);
    }
}

#[test]
fn who_is_blocked_behind_the_dead_goes_on_soon() {
    // One after the other: they are timed.
    for wait in [Wait::Park, Wait::Adaptive] {
        measure(&["a consumer behind a dead producer's slot"], wait, writer_dies);
        let names = ["the consumer that gets a dead one's message", "a producer before the dead one's slot"];
        measure(&names, wait, reader_dies);
    }
}

#[test]
#[ignore = "the other processes of this test, which starts them"]
fn child() {
    play(&[("claims", claims), ("takes", takes)]);
}
