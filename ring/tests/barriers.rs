//! Sleeping with and without `membarrier(2)`: where a seccomp filter forbids it to one side or both, publishers fence. No
//! slice comes to the rescue: a lost wake-up is a hang, and the watchdog ends it. That the barriers order what they must
//! is for the models to show (`loom-tests/tests/models/signal.rs`): without them a wake-up is lost once in a million.
//! `BARRIER_ROUNDS` makes the attempt longer.
#![allow(unsafe_code)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::child::{arg, spawn, spawn_forbidding};
use common::{SOON, Scratch, ring_in, watchdog};
use nix::libc;
use podring::{Options, Wait};

/// Longer than the watchdog.
const SLICE: Duration = Duration::from_secs(3600);
/// The wait words of a ring (docs/layout.md) and the bit that says that publishers fence.
const WAIT_WORDS: [usize; 2] = [4096 + 256, 4096 + 384];
const FENCED: u32 = 2;
/// Whether a side may call `membarrier`.
const ALLOWED: &str = "allowed";
const FORBIDDEN: &str = "forbidden";

fn rounds() -> u64 {
    let rounds = std::env::var("BARRIER_ROUNDS").ok();
    rounds.map_or(5_000, |text| text.parse().expect("BARRIER_ROUNDS is a number"))
}

fn options(dir: &Path, name: &str) -> Options {
    ring_in(dir, name).wait(Wait::Park).slice(SLICE)
}

/// That `membarrier` is what it should be.
fn check_call(expected: &str) {
    // SAFETY: integers only.
    let done = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) };
    assert_eq!(done == 0, expected == ALLOWED);
}

/// Arguments: the directory, and whether it may call `membarrier`. Sends back what it gets.
fn echo(args: &[String]) {
    check_call(&args[1]);
    let dir = Path::new(&args[0]);
    let mut rx = options(dir, "there").consumer().expect("the ring");
    let mut tx = options(dir, "back").producer().expect("the ring");
    let mut message = Vec::new();
    for _ in 0..rounds() {
        rx.recv_to_vec(&mut message).expect("a message");
        tx.send(&message).expect("room");
    }
}

/// The same from the other end.
fn ask(args: &[String]) {
    check_call(&args[1]);
    let dir = Path::new(&args[0]);
    let mut tx = options(dir, "there").producer().expect("the ring");
    let mut rx = options(dir, "back").consumer().expect("the ring");
    // Nobody publishes before both sides have required what they need.
    tx.wait_for_peer(SOON).expect("the other side comes");
    rx.wait_for_peer(SOON).expect("the other side comes");
    let mut message = Vec::new();
    for round in 0..rounds() {
        tx.send(&round.to_le_bytes()).expect("room");
        rx.recv_to_vec(&mut message).expect("an answer");
        assert_eq!(message, round.to_le_bytes());
    }
    assert_eq!(rx.stats().slice_rescues, 0);
    assert!(rx.stats().parks > 0, "it slept");
}

#[test]
fn nobody_sleeps_beside_a_message() {
    // A sleep and a wake-up take tens of microseconds.
    let patience = 2 * SOON + Duration::from_millis(rounds());
    let _watchdog = watchdog(4 * patience, "sleeping without slices");
    for [asks, echoes] in
        [[ALLOWED, ALLOWED], [ALLOWED, FORBIDDEN], [FORBIDDEN, ALLOWED], [FORBIDDEN, FORBIDDEN]]
    {
        let scratch = Scratch::new("barriers");
        let start = |role, call| {
            let args = [arg(scratch.dir()), call];
            match call {
                ALLOWED => spawn(role, &args),
                _ => spawn_forbidding(libc::SYS_membarrier, role, &args),
            }
        };
        let sides = [start("ask", asks), start("echo", echoes)];
        assert!(sides.into_iter().all(|side| side.finish(patience)), "asks: {asks}, echoes: {echoes}");
        for name in ["there", "back"] {
            let bytes = std::fs::read(scratch.path(name)).expect("the ring's file");
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
            let fenced = WAIT_WORDS.map(|at| word(at) & FENCED != 0);
            let expected = [asks, echoes].contains(&FORBIDDEN);
            assert_eq!(fenced, [expected; 2], "{name}; asks: {asks}, echoes: {echoes}");
        }
    }
}

#[test]
#[ignore = "the other processes of these tests, which start them"]
fn child() {
    common::child::play(&[("ask", ask), ("echo", echo)]);
}
