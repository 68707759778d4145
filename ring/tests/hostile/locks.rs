//! Squatting: somebody holds the locks of seats that it never uses. It cannot be prevented; it must be told, in
//! time, and end with the squatter.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use podring::{Error, PeerLoss, Role, inspect};

use crate::bounded::{ALLOWANCE, ENTRY};
use crate::common::child::{Child, arg, spawn};
use crate::common::{Random, SOON, Scratch, eventually, refused, watchdog};

const LOCKS: i64 = 1 << 40;
const SEATS: i64 = 64;

/// Arguments: the ring's file, how to lock, the first seat, how many, and the file that says that it is done.
pub(crate) fn squat(args: &[String]) {
    let number = |text: &String| text.parse().expect("a number");
    let reads = args[1] == "reader";
    let file = OpenOptions::new().read(true).write(!reads).open(&args[0]).expect("the ring");
    let lock = libc::flock {
        l_type: if reads { libc::F_RDLCK } else { libc::F_WRLCK } as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: LOCKS + number(&args[2]),
        l_len: number(&args[3]),
        l_pid: 0,
    };
    let how = if args[1] == "process" { FcntlArg::F_SETLK(&lock) } else { FcntlArg::F_OFD_SETLK(&lock) };
    fcntl(&file, how).expect("the locks are free");
    File::create(&args[4]).expect("a sign");
    loop {
        std::thread::sleep(SOON);
    }
}

fn squatter(scratch: &Scratch, how: &str, first: i64, count: i64) -> Child {
    let done = scratch.beside("squatting");
    let _ = std::fs::remove_file(&done);
    let (ring, first, count) = (scratch.path("ring"), first.to_string(), count.to_string());
    let mut child = spawn("squat", &[arg(&ring), how, &first, &count, arg(&done)]);
    eventually("the squatter to sit", || child.is_running() && done.exists());
    child
}

/// Calls, and checks that it was not kept longer than entering a ring may take.
fn in_time<T>(call: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = call();
    assert!(start.elapsed() < ENTRY + ALLOWANCE + SOON / 10, "{:?}", start.elapsed());
    result
}

fn all_seats_squatted(how: &str) {
    let _watchdog = watchdog(3 * SOON, "entering a squatted ring");
    let scratch = Scratch::new("squat");
    scratch.ring("ring").capacity(4096).make().expect("a ring");
    let squatter = squatter(&scratch, how, 0, SEATS);
    let said = &["ring 'ring' already has a", "the seat becomes free when that process ends"];
    for _ in 0..3 {
        let error = refused(in_time(|| scratch.ring("ring").producer()), "RoleTaken", said);
        assert!(matches!(error, Error::RoleTaken { role: Role::Producer, .. }));
        let error = refused(in_time(|| scratch.ring("ring").consumer()), "RoleTaken", said);
        assert!(matches!(error, Error::RoleTaken { role: Role::Consumer, .. }));
    }
    refused(inspect::remove(scratch.dir(), "ring", inspect::Remove::IfStale), "RoleTaken", &[]);
    inspect::report(scratch.dir(), "ring").expect("it can be looked at");
    // The seats are free when the squatter is gone, at once.
    squatter.kill();
    let mut tx = scratch.ring("ring").producer().expect("a free seat");
    let mut rx = scratch.ring("ring").consumer().expect("a free seat");
    tx.send(b"at last").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"at last");
}

#[test]
fn a_squatter_of_every_seat_is_told_in_time() {
    all_seats_squatted("description");
}

#[test]
fn locks_of_the_old_kind_squat_as_well() {
    all_seats_squatted("process");
}

#[test]
fn who_may_only_read_can_squat_too() {
    all_seats_squatted("reader");
}

#[test]
fn a_squatted_ring_is_removed_by_force_and_made_anew() {
    let scratch = Scratch::new("squat-force");
    scratch.ring("ring").capacity(4096).make().expect("a ring");
    let mut squatter = squatter(&scratch, "description", 0, SEATS);
    inspect::remove(scratch.dir(), "ring", inspect::Remove::Force).expect("what the documents advise");
    let mut tx = scratch.ring("ring").producer().expect("made anew");
    let mut rx = scratch.ring("ring").consumer().expect("the new one");
    tx.send(b"without them").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"without them");
    assert!(squatter.is_running());
}

#[test]
fn seats_that_nobody_needs_may_be_squatted() {
    let scratch = Scratch::new("squat-rest");
    scratch.ring("ring").capacity(4096).make().expect("a ring");
    let mut squatter = squatter(&scratch, "description", 2, SEATS - 2);
    let mut tx = scratch.ring("ring").producer().expect("a seat");
    let mut rx = scratch.ring("ring").consumer().expect("a seat");
    tx.send(b"x").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"x");
    refused(inspect::remove(scratch.dir(), "ring", inspect::Remove::IfStale), "RoleTaken", &[]);
    assert!(squatter.is_running());
}

#[test]
fn a_squatter_of_the_other_seat_looks_like_a_slow_peer() {
    let _watchdog = watchdog(2 * SOON, "waiting for a squatter");
    let scratch = Scratch::new("squat-other");
    let options = || scratch.ring("ring").slice(Duration::from_millis(5)).peer_loss(PeerLoss::Report);
    let mut tx = options().capacity(4096).producer().expect("a producer");
    let mut rx = options().consumer().expect("a consumer");
    tx.send(b"the last").expect("send");
    drop(tx);
    let squatter = squatter(&scratch, "description", 0, 1);
    assert_eq!(&*rx.recv().expect("what was sent before"), b"the last");
    let wait = Duration::from_millis(1 + Random::fresh().below(40));
    for _ in 0..5 {
        let error =
            refused(in_time(|| rx.recv_timeout(wait)), "Timeout", &["the other side is attached and slow"]);
        assert!(matches!(error, Error::Timeout { peer_attached: true, .. }));
    }
    squatter.kill();
    let error = refused(rx.recv_timeout(wait), "Timeout", &["the other side is not attached"]);
    assert!(matches!(error, Error::Timeout { peer_attached: false, .. }));
}

/// For whoever reads this file: the lock's place is a part of the layout.
#[test]
fn seats_are_locked_where_the_layout_says() {
    let scratch = Scratch::new("squat-place");
    let _tx = scratch.ring("ring").capacity(4096).producer().expect("a producer");
    assert!(is_locked(&scratch.path("ring"), 0) && !is_locked(&scratch.path("ring"), 1));
    let _rx = scratch.ring("ring").consumer().expect("a consumer");
    assert!(is_locked(&scratch.path("ring"), 1) && !is_locked(&scratch.path("ring"), 2));
}

fn is_locked(ring: &Path, seat: i64) -> bool {
    let file = File::open(ring).expect("the ring");
    let mut probe = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: LOCKS + seat,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut probe)).expect("a look");
    probe.l_type != libc::F_UNLCK as libc::c_short
}
