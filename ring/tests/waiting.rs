//! Waiting between processes: every pair of policies, waits that begin late, words that lie.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::child::{arg, play, spawn};
use common::words::Words;
use common::{MOMENT, SOON, Scratch, read_stamp, refused, ring_in, stamped, watchdog};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use podring::Wait;

/// The smallest ring: it is full and empty all the time.
const SMALL: usize = 4096;
/// Offsets of the wait words, as docs/layout.md has them.
const ITEMS: usize = 4096 + 256;
const SPACE: usize = 4096 + 384;
/// Offset of the processor in the producer's seat.
const PRODUCERS_PROCESSOR: usize = 8192 + 12;

const POLICIES: [(&str, Wait); 3] =
    [("spin", Wait::Spin), ("adaptive", Wait::Adaptive), ("park", Wait::Park)];

#[test]
#[ignore = "the other processes of the tests in this file, which start them"]
fn child() {
    play(&[
        ("stream", stream),
        ("echo", echo),
        ("private-waiter", private_waiter),
        ("shared-waiter", shared_waiter),
    ]);
}

fn policy(name: &str) -> Wait {
    POLICIES.iter().find(|(known, _)| *known == name).expect("a policy").1
}

/// Sends so many messages and ends the stream. No slice ends before the test would fail.
fn stream(args: &[String]) {
    let [dir, wait, count] = args else { panic!("{args:?}") };
    let tx = ring_in(Path::new(dir), "ring").capacity(SMALL).wait(policy(wait)).slice(SOON * 4);
    let mut tx = tx.producer().expect("a producer");
    for number in 0..count.parse().unwrap() {
        tx.send(&stamped(1, number)).expect("send");
    }
    tx.close().expect("close");
}

#[test]
fn all_nine_pairs_of_policies_stream_between_two_processes() {
    for (theirs, _) in POLICIES {
        for (mine, wait) in POLICIES {
            let scratch = Scratch::new("pairs");
            let _watchdog = watchdog(SOON, "a pair of policies");
            let count = 3000;
            let sender = spawn("stream", &[arg(scratch.dir()), theirs, &count.to_string()]);
            let rx = scratch.ring("ring").capacity(SMALL).wait(wait).slice(SOON * 4);
            let mut rx = rx.consumer().expect("a consumer");
            for number in 0..count {
                let message = rx.recv().unwrap_or_else(|error| panic!("{theirs} to {mine}: {error}"));
                assert_eq!(read_stamp(&message), (1, number), "{theirs} to {mine}");
            }
            refused(rx.recv(), "Closed", &[]);
            assert!(sender.finish(SOON));
            let report = podring::inspect::report(scratch.dir(), "ring").expect("a report");
            for seat in report.seats {
                assert_eq!(seat.stats.messages, count);
                assert_eq!(seat.stats.slice_rescues, 0, "{theirs} to {mine}: a wake-up was lost");
            }
        }
    }
}

/// Sends back what it receives.
fn echo(args: &[String]) {
    let [dir, wait] = args else { panic!("{args:?}") };
    let of = |name| ring_in(Path::new(dir), name).capacity(SMALL).wait(policy(wait)).slice(SOON * 4);
    let mut rx = of("there").consumer().expect("a consumer");
    let mut tx = of("back").producer().expect("a producer");
    loop {
        match rx.recv() {
            Ok(message) => tx.send(&message).expect("send"),
            Err(podring::Error::Closed { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn sleepers_and_pollers_answer_each_other_one_at_a_time() {
    for (theirs, mine, wait) in [
        ("park", "park", Wait::Park),
        ("park", "adaptive", Wait::Adaptive),
        ("adaptive", "park", Wait::Park),
        ("spin", "park", Wait::Park),
        ("park", "spin", Wait::Spin),
    ] {
        let scratch = Scratch::new("answers");
        let _watchdog = watchdog(SOON, "messages there and back");
        let other = spawn("echo", &[arg(scratch.dir()), theirs]);
        let of = |name| scratch.ring(name).capacity(SMALL).wait(wait).slice(SOON * 4);
        let mut tx = of("there").producer().expect("a producer");
        let mut rx = of("back").consumer().expect("a consumer");
        for number in 0..300 {
            tx.send(&stamped(2, number)).expect("send");
            assert_eq!(read_stamp(&rx.recv().expect("recv")), (2, number), "{theirs} and {mine}");
        }
        tx.close().expect("close");
        assert!(other.finish(SOON));
    }
}

#[test]
fn a_sleeper_that_joins_pollers_misses_nothing() {
    let scratch = Scratch::new("joins");
    let _watchdog = watchdog(SOON * 2, "a sleeper among pollers");
    let dir = scratch.dir().to_owned();
    let (rounds, count) = (60_u64, 200_u64);
    let gate = AtomicU32::new(0);
    thread::scope(|scope| {
        // The producer polls for ever and was there before anybody slept: it publishes without fences.
        scope.spawn(|| {
            for round in 0..rounds {
                let name = format!("ring-{round}");
                let options = || ring_in(&dir, &name).capacity(SMALL).wait(Wait::Spin);
                let mut tx = options().producer().expect("a producer");
                let first = options().consumer().expect("a polling consumer");
                drop(first);
                gate.store(round as u32 + 1, Ordering::Release);
                atomic_wait::wake_all(&gate);
                for number in 0..count {
                    tx.send(&stamped(round, number)).expect("send");
                    if number % 16 == 0 {
                        thread::yield_now(); // lets the other side run dry, and sleep
                    }
                }
            }
        });
        for round in 0..rounds {
            while gate.load(Ordering::Acquire) <= round as u32 {
                atomic_wait::wait(&gate, gate.load(Ordering::Acquire).min(round as u32));
            }
            let name = format!("ring-{round}");
            let rx = scratch.ring(&name).wait(Wait::Park).slice(SOON * 4);
            let mut rx = rx.consumer().expect("a sleeping consumer");
            for number in 0..count {
                assert_eq!(read_stamp(&rx.recv().expect("recv")), (round, number));
            }
            assert_eq!(rx.stats().slice_rescues, 0);
        }
    });
}

#[test]
fn a_wait_word_that_somebody_scribbles_on_delays_but_does_not_hang() {
    let scratch = Scratch::new("scribbled-word");
    let _watchdog = watchdog(SOON * 2, "scribbled wait words");
    let tx = scratch.ring("ring").capacity(SMALL).slice(Duration::from_millis(2));
    let mut tx = tx.producer().expect("a producer");
    let rx = scratch.ring("ring").wait(Wait::Park).slice(Duration::from_millis(2));
    let mut rx = rx.consumer().expect("a consumer");
    let segment = Words::map(&scratch.path("ring"));
    let done = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = common::Random::fresh();
            while done.load(Ordering::Relaxed) == 0 {
                segment.half_at(ITEMS).store(random.next() as u32, Ordering::Relaxed);
                segment.half_at(SPACE).store(random.next() as u32, Ordering::Relaxed);
                if random.one_in(64) {
                    thread::sleep(Duration::from_micros(200));
                }
            }
        });
        let count = 300;
        scope.spawn(move || {
            for number in 0..count {
                tx.send_timeout(&stamped(3, number), SOON).expect("send");
                if number % 8 == 0 {
                    thread::sleep(Duration::from_micros(100));
                }
            }
        });
        for number in 0..count {
            assert_eq!(read_stamp(&rx.recv_timeout(SOON).expect("recv")), (3, number));
        }
        done.store(1, Ordering::Relaxed);
    });
}

#[test]
fn waits_that_time_out_leave_nothing_behind() {
    let scratch = Scratch::new("left-behind");
    let _watchdog = watchdog(SOON, "waits that time out");
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    let mut rx = scratch.ring("ring").wait(Wait::Park).consumer().expect("a consumer");
    for _ in 0..20 {
        refused(rx.recv_timeout(Duration::from_micros(200)), "Timeout", &[]);
    }
    for number in 0..50 {
        tx.send(&stamped(4, number)).expect("send");
    }
    assert!(
        tx.stats().wakes <= 1,
        "the bit of one who gave up costs one needless wake: {}",
        tx.stats().wakes
    );
    for number in 0..50 {
        assert_eq!(read_stamp(&rx.recv().expect("recv")), (4, number));
    }
}

/// Whoever sleeps because the other side was last seen on its own processor goes by what the seat says; so a side that
/// only ever wakes, and never waits there, has to say where it is, too.
#[test]
fn whoever_wakes_somebody_says_from_where() {
    let mine = sched_getaffinity(Pid::from_raw(0)).expect("this thread's processors");
    let mut mine = (0..CpuSet::count()).filter(|&cpu| mine.is_set(cpu) == Ok(true));
    let (Some(first), Some(second)) = (mine.next(), mine.next()) else {
        println!("skipped: there is one processor");
        return;
    };
    let scratch = Scratch::new("from-where");
    let _watchdog = watchdog(SOON, "a producer that moves");
    run_on(first);
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    let words = Words::map(&scratch.path("ring"));
    let said = || words.half_at(PRODUCERS_PROCESSOR).load(Ordering::Relaxed) as usize;
    assert_eq!(said(), first + 1);
    let rx = scratch.ring("ring").wait(Wait::Park).slice(SOON * 4);
    let sleeper = thread::spawn(move || {
        let mut rx = rx.consumer().expect("a consumer");
        while rx.recv().is_ok() {}
    });
    run_on(second);
    while tx.stats().wakes == 0 {
        tx.send(&stamped(5, 0)).expect("send");
        thread::sleep(Duration::from_millis(1)); // lets the other side run dry, and sleep
    }
    assert_eq!(said(), second + 1);
    tx.close().expect("close");
    sleeper.join().expect("the sleeper");
}

/// Has the calling thread run on one processor only.
fn run_on(processor: usize) {
    let mut only = CpuSet::new();
    only.set(processor).expect("a processor");
    sched_setaffinity(Pid::from_raw(0), &only).expect("to be moved");
}

/// Waits with `atomic-wait` on a word of a shared file, says when it goes and whether it came back.
fn private_waiter(args: &[String]) {
    let board = Words::map(Path::new(&args[0]));
    board.set(1, 1);
    atomic_wait::wait(board.half_at(0), 0);
    board.set(2, 1);
}

/// The same with a ring's own way of waiting.
fn shared_waiter(args: &[String]) {
    let board = Words::map(Path::new(&args[1]));
    let rx = ring_in(Path::new(&args[0]), "ring").wait(Wait::Park).slice(SOON * 4);
    let mut rx = rx.consumer().expect("a consumer");
    board.set(1, 1);
    assert_eq!(&*rx.recv().expect("recv"), b"up");
    assert_eq!(rx.stats().slice_rescues, 0);
    board.set(2, 1);
}

/// Why the library does not wait with the crate `atomic-wait`: it always asks the kernel for waits that are
/// private to a process, so a wake-up from another process finds nobody, although the memory is shared. Within
/// one process it is fine, and these tests use it so.
#[test]
fn atomic_wait_is_private() {
    let scratch = Scratch::new("private");
    let board = Words::make(&scratch.beside("board"), 3);
    let mut waiter = spawn("private-waiter", &[arg(&scratch.beside("board"))]);
    common::eventually("it waits", || board.get(1) == 1 && sleeps(waiter.pid()));
    let asleep = Instant::now();
    // The word stays as it is, so that the waiter is not the one to notice: this is about the wake-up alone.
    while asleep.elapsed() < MOMENT * 5 {
        atomic_wait::wake_all(board.half_at(0));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(
        waiter.is_running() && board.get(2) == 0,
        "atomic-wait has learned to wake other processes: use it"
    );
    assert!(sleeps(waiter.pid()), "not even a spurious wake-up");
    // Somebody is asleep there: a wake-up that is not private finds it.
    let flags = rustix::thread::futex::Flags::empty();
    let found = rustix::thread::futex::wake(board.half_at(0), flags, 1).expect("a wake-up");
    assert_eq!(found, 0, "a shared wake-up does not find a private sleeper either");
    drop(waiter);

    board.set(1, 0);
    let waiter = spawn("shared-waiter", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
    common::eventually("it waits", || board.get(1) == 1 && sleeps(waiter.pid()));
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    tx.send(b"up").expect("send");
    assert!(waiter.finish(SOON));
    assert_eq!(board.get(2), 1);
}

/// Whether the thread that plays the role sleeps. The first thread is the test harness's, which always does.
fn sleeps(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.filter_map(|thread| thread.ok()).any(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state follows the name, which is in parentheses.
        let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
        thread.file_name() != *pid.to_string() && state == Some('S')
    })
}
