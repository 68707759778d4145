//! Looking at rings without taking part, and removing them.

mod common;

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use common::{SOON, Scratch, refused};
use podring::inspect::{self, Kind, Remove, State};
use podring::{DEFAULT_DIR, Role};

const SMALL: usize = 4096;

#[test]
fn a_report_says_what_the_ring_is_and_who_takes_part() {
    let scratch = Scratch::new("report");
    let before = SystemTime::now() - Duration::from_millis(1);
    let mut tx = scratch.ring("ring").capacity(SMALL).mode(0o640).producer().expect("a producer");
    tx.send(&[0; 100]).expect("send");
    tx.send(&[0; 50]).expect("send");
    let report = inspect::report(scratch.dir(), "/ring").expect("a report");
    let now = SystemTime::now();
    assert_eq!((report.name.as_str(), report.state), ("ring", State::Live));
    assert_eq!(report.path, scratch.path("ring"));
    assert_eq!((report.kind, report.layout), (Kind::Bytes, inspect::LAYOUT_VERSION));
    assert_eq!((report.capacity, report.largest_message), (4096, 2040));
    assert!(report.element.is_none());
    assert_eq!((report.written, report.read, report.used), (112 + 64, 0, 112 + 64));
    assert!(!report.closed);
    assert!(report.created >= before && report.created <= now);
    assert!(report.last_activity >= report.created && report.last_activity <= now);
    let file = scratch.path("ring").metadata().expect("the file");
    assert_eq!(
        (report.bytes, report.mode, report.uid, report.gid),
        (file.len(), 0o640, file.uid(), file.gid())
    );
    assert_eq!(report.creator_uid, file.uid());
    let peer = scratch.ring("ring").consumer().expect("a consumer").peers().expect("peers").remove(0);
    assert_eq!(report.creator, format!("{}@{}", peer.program, peer.host));
    let seat = &report.seats[0];
    assert_eq!((report.seats.len(), seat.index, seat.role), (1, 0, Role::Producer));
    assert!(seat.live && !seat.left && seat.pid == std::process::id());
    assert_eq!(seat.stats, tx.stats());
    tx.close().expect("close");
    drop(tx);
    let report = inspect::report(scratch.dir(), "ring").expect("a report");
    assert_eq!((report.state, report.closed, report.seats.len()), (State::Stale, true, 2));
    assert!(report.seats.iter().all(|seat| !seat.live && seat.left));
}

#[test]
fn a_list_shows_every_regular_file_by_name() {
    let scratch = Scratch::new("list");
    let _tx = scratch.ring("b-live").capacity(SMALL).producer().expect("a producer");
    scratch.ring("a-stale").capacity(SMALL).make().expect("a ring");
    std::fs::write(scratch.path("c foreign"), b"text").expect("a file");
    std::fs::create_dir(scratch.path("directory")).expect("a directory");
    let list = inspect::list(scratch.dir()).expect("the list");
    let shown: Vec<_> =
        list.iter().map(|entry| (entry.name.as_str(), entry.state, entry.report.is_some())).collect();
    let expected = [
        ("a-stale", State::Stale, true),
        ("b-live", State::Live, true),
        ("c foreign", State::Foreign, false),
    ];
    assert_eq!(shown, expected);
    let states: Vec<String> = list.iter().map(|entry| entry.state.to_string()).collect();
    assert_eq!(states, ["stale", "live", "foreign"]);
    assert!(inspect::list(&scratch.beside("nowhere")).is_err());
    assert_eq!(DEFAULT_DIR, "/dev/shm");
}

#[test]
fn watching_changes_nothing() {
    let scratch = Scratch::new("watching");
    let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    tx.send(b"x").expect("send");
    let before = std::fs::read(scratch.path("ring")).expect("the segment");
    for _ in 0..20 {
        inspect::report(scratch.dir(), "ring").expect("a report");
        inspect::list(scratch.dir()).expect("the list");
        refused(
            inspect::remove(scratch.dir(), "ring", Remove::IfStale),
            "RoleTaken",
            &["already has a producer"],
        );
    }
    assert!(std::fs::read(scratch.path("ring")).expect("the segment") == before);
}

#[test]
fn only_a_stale_ring_is_removed_unless_forced() {
    let scratch = Scratch::new("remove");
    let remove = |how| inspect::remove(scratch.dir(), "ring", how);
    refused(remove(Remove::IfStale), "NotFound", &["ring 'ring' not found"]);
    refused(remove(Remove::Force), "NotFound", &["ring 'ring' not found"]);
    let mut tx = scratch.ring("ring").producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    let pid = std::process::id().to_string();
    refused(remove(Remove::IfStale), "RoleTaken", &["ring 'ring' already has a producer", &pid]);
    drop(tx);
    refused(remove(Remove::IfStale), "RoleTaken", &["ring 'ring' already has a consumer", &pid]);
    tx = scratch.ring("ring").producer().expect("a refused removal leaves no lock behind");
    remove(Remove::Force).expect("forced");
    assert!(scratch.names().is_empty());
    tx.send(b"inside").expect("those inside keep the memory");
    assert_eq!(&*rx.recv_timeout(SOON).expect("recv"), b"inside");
    drop((tx, rx));
    scratch.ring("ring").make().expect("the name is free");
    remove(Remove::IfStale).expect("nobody is there");
    assert!(scratch.names().is_empty());
}

#[test]
fn a_ring_is_never_removed_under_somebody_who_just_came() {
    let scratch = Scratch::new("races");
    let _watchdog = common::watchdog(SOON * 2, "removing while attaching");
    let dir = scratch.dir().to_owned();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = inspect::remove(&dir, "ring", Remove::IfStale);
            }
        });
        for number in 0..300_u32 {
            let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
            let mut rx = scratch.ring("ring").capacity(SMALL).consumer().expect("a consumer");
            tx.send(&number.to_le_bytes()).expect("send");
            // Both are in the same ring: it was not removed once the first was seated.
            assert_eq!(*rx.recv_timeout(SOON).expect("recv"), number.to_le_bytes());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn the_bytes_of_a_ring_are_known_before_it_is_made() {
    let scratch = Scratch::new("file-bytes");
    for capacity in [1, 4096, 4097, 1 << 20] {
        let name = format!("ring-{capacity}");
        scratch.ring(&name).capacity(capacity).make().expect("a ring");
        let made = inspect::report(scratch.dir(), &name).expect("a report").bytes;
        assert_eq!(inspect::file_bytes(capacity as u64), Some(made));
    }
    assert_eq!(inspect::file_bytes(1 << 40), None);
    assert_eq!(inspect::file_bytes(u64::MAX), None);
}

#[test]
fn a_ring_that_has_lost_its_name_is_seen_through_a_descriptor() {
    let scratch = Scratch::new("nameless");
    let mut tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    tx.send(b"hello").expect("send");
    let file = std::fs::File::open(scratch.path("ring")).expect("the file");
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let link = std::path::Path::new(&link);
    inspect::remove(scratch.dir(), "ring", Remove::Force).expect("the ring is there");
    let report = inspect::report_through(link, scratch.dir(), "ring").expect("a report");
    assert_eq!((report.state, report.used, report.seats[0].live), (State::Live, 16, true));
    drop(tx);
    let report = inspect::report_through(link, scratch.dir(), "ring").expect("a report");
    assert_eq!(report.state, State::Stale);
    std::fs::write(scratch.path("text"), b"text").expect("a file");
    let refused = inspect::report_through(&scratch.path("text"), scratch.dir(), "text");
    assert!(matches!(refused, Err(podring::Error::NotARing { .. })), "{refused:?}");
}
