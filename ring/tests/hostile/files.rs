//! What happens to the file of a ring in use: it is cut, punched, or was somebody else's from the start.

use std::fs::{File, OpenOptions, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::signal::Signal;
use podring::{Error, inspect};

use crate::common::child::{arg, spawn};
use crate::common::{SOON, Scratch, eventually, refused, ring_in, watchdog};

const DATA: u64 = 24_576;
const CAPACITY: u64 = 65_536;
const WHOLE: u64 = DATA + CAPACITY;

/// Arguments: the directory, and the file that says that the ring is in use. Sends and receives by turns until
/// something happens to it.
pub(crate) fn trust(args: &[String]) {
    let dir = Path::new(&args[0]);
    let mut tx = ring_in(dir, "ring").producer().expect("a producer");
    let mut rx = ring_in(dir, "ring").consumer().expect("a consumer");
    let mut out = Vec::new();
    let mut count = 0_u64;
    loop {
        let sent = tx.try_send(&[7; 3000]).expect("send");
        assert!(rx.try_recv_to_vec(&mut out).expect("recv") && sent && out == [7; 3000]);
        count += 1;
        if count == 100 {
            File::create(&args[1]).expect("a sign");
        }
    }
}

fn file(scratch: &Scratch) -> File {
    OpenOptions::new().read(true).write(true).open(scratch.path("ring")).expect("the ring")
}

#[test]
fn cutting_the_file_of_a_ring_in_use_ends_its_users_by_sigbus_and_by_nothing_else() {
    let _watchdog = watchdog(6 * SOON, "users of a ring that was cut");
    for cut in [0, 100, 512, 4096, 8192, DATA, DATA + 4096] {
        let scratch = Scratch::new("cut-live");
        scratch.ring("ring").capacity(CAPACITY as usize).make().expect("a ring");
        let file = file(&scratch);
        let in_use = scratch.beside("in-use");
        let mut user = spawn("trust", &[arg(scratch.dir()), arg(&in_use)]);
        eventually("the ring to be in use", || user.is_running() && in_use.exists());
        file.set_len(cut).expect("another length");
        let (status, said) = user.end(SOON);
        assert_eq!(status.signal(), Some(Signal::SIGBUS as i32), "cut to {cut}: {status}: {said}");
        assert!(!said.contains("panicked"), "cut to {cut}: {said}");
        // Who comes later is told, and can mend it.
        let kind = if cut < 512 { "NotARing" } else { "Truncated" };
        refused(inspect::report(scratch.dir(), "ring"), kind, &[]);
        let error = refused(scratch.ring("ring").producer(), kind, &[]);
        if let Error::Truncated { found, expected, .. } = error {
            assert_eq!((found, expected), (cut, WHOLE));
        }
        inspect::remove(scratch.dir(), "ring", inspect::Remove::Force).expect("the remedy");
        let mut tx = scratch.ring("ring").producer().expect("made anew");
        assert!(tx.try_send(b"x").expect("send"));
    }
}

#[test]
fn a_hole_in_a_ring_in_use_is_an_error_or_nothing() {
    let scratch = Scratch::new("punch-live");
    let mut tx = scratch.ring("ring").capacity(CAPACITY as usize).producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    for (from, len) in [(0, 4096), (4096, 4096), (8192, 16_384), (DATA, CAPACITY)] {
        for _ in 0..3 {
            tx.try_send(&[1; 500]).expect("room");
        }
        assert_eq!(&*rx.recv().expect("recv"), &[1; 500]);
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(file(&scratch), flags, from as i64, len as i64).expect("a hole");
        refused(scratch.ring("ring").make(), "Exists", &[]);
        // What was there is gone; what follows is an error, or it is as if nothing had happened.
        let mut outcomes = Vec::new();
        for _ in 0..300 {
            outcomes.push(tx.try_send(&[2; 500]).map(|_| ()));
            outcomes.push(rx.try_recv().map(|_| ()));
        }
        let allowed = |outcome: &podring::Result<()>| matches!(outcome, Ok(()) | Err(Error::Corrupt { .. }));
        assert!(outcomes.iter().all(allowed), "hole at {from}: {outcomes:?}");
        drop((tx, rx));
        inspect::remove(scratch.dir(), "ring", inspect::Remove::Force).expect("the remedy");
        tx = scratch.ring("ring").capacity(CAPACITY as usize).producer().expect("made anew");
        rx = scratch.ring("ring").consumer().expect("a consumer");
    }
}

/// Arguments: the directory. As another user, takes a name before its owner comes.
pub(crate) fn other_user(args: &[String]) {
    let dir = Path::new(&args[0]);
    nix::unistd::setgid(nix::unistd::Gid::from_raw(65_534)).expect("another group");
    nix::unistd::setuid(nix::unistd::Uid::from_raw(65_534)).expect("another user");
    ring_in(dir, "ring").capacity(4096).mode(0o666).make().expect("the directory is everybody's");
    std::os::unix::fs::symlink("ring", dir.join("link")).expect("a link");
    std::fs::create_dir(dir.join("directory")).expect("a directory");
    // Not what root would take part in, were it asked whose it is.
    let mut tx = ring_in(dir, "ring").producer().expect("a producer");
    tx.send_timeout(b"from nobody", Duration::ZERO).expect("room");
}

#[test]
fn a_name_taken_by_another_user_is_refused_to_who_asks_for_the_owner() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can be two users");
        return;
    }
    let scratch = Scratch::new("squat-name");
    set_permissions(scratch.dir(), Permissions::from_mode(0o1777)).expect("as /dev/shm is");
    assert!(spawn("other-user", &[arg(scratch.dir())]).finish(SOON));
    let said = &["ring 'ring' belongs to uid 65534, expected uid 0", "yours to trust"];
    let error = refused(scratch.ring("ring").owner(0).consumer(), "WrongOwner", said);
    assert!(matches!(error, Error::WrongOwner { found: 65_534, expected: 0, .. }));
    refused(scratch.ring("ring").owner(0).producer(), "WrongOwner", said);
    refused(scratch.ring("link").owner(0).consumer(), "NotARing", &["symbolic link"]);
    refused(scratch.ring("directory").owner(0).consumer(), "NotARing", &["directory"]);
    // Who does not ask takes it: the documents say so.
    let mut rx = scratch.ring("ring").consumer().expect("nobody asked whose it is");
    assert_eq!(&*rx.recv().expect("recv"), b"from nobody");
    let report = inspect::report(scratch.dir(), "ring").expect("a look");
    assert_eq!((report.uid, report.creator_uid), (65_534, 65_534));
}
