//! The bytes of a fresh ring. They are a contract with other builds and other languages (`docs/layout.md`):
//! a test that fails here asks for a new layout version, not for new numbers.

mod common;

use std::sync::atomic::Ordering;

use common::words::Words;
use common::{SOON, Scratch, refused};
use podring::{Wait, inspect};

const SMALL: usize = 4096;
const CONTROL: usize = 4096;
const SEATS: usize = 8192;
const SEAT: usize = 256;
const DATA: usize = 24_576;

fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// An identity written by hand, with the fields that differ from run to run taken from `found`.
fn golden(
    found: &[u8],
    kind: u32,
    capacity: u64,
    stride: u64,
    largest: u64,
    element: (&str, u64, u64),
) -> Vec<u8> {
    let (name, size, align) = element;
    let mut bytes = vec![0; 512];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, b"PODRING\0");
    put(8, &1_u32.to_le_bytes());
    put(12, &kind.to_le_bytes());
    put(16, &(24_576 + capacity * stride).to_le_bytes());
    put(24, &24_576_u64.to_le_bytes());
    put(32, &capacity.to_le_bytes());
    put(40, &stride.to_le_bytes());
    put(48, &largest.to_le_bytes());
    put(56, &checksum(name.as_bytes()).to_le_bytes());
    put(64, &size.to_le_bytes());
    put(72, &align.to_le_bytes());
    put(80, &found[80..88]); // when it was made
    put(88, &nix::unistd::geteuid().as_raw().to_le_bytes());
    put(92, &std::process::id().to_le_bytes());
    put(96, &found[96..112]); // its random id
    let program = std::env::current_exe().expect("a program");
    let program = program.file_name().expect("its name").to_string_lossy().into_owned();
    put(112, &program.as_bytes()[..program.len().min(32)]);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
    let host = host.trim();
    put(144, &host.as_bytes()[..host.len().min(64)]);
    put(208, name.as_bytes());
    let sum = checksum(&bytes[..504]);
    bytes[504..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn a_fresh_ring_of_bytes_is_these_bytes() {
    let scratch = Scratch::new("golden");
    let before = now_ns();
    scratch.ring("ring").capacity(SMALL).wait(Wait::Spin).make().expect("make");
    let bytes = std::fs::read(scratch.path("ring")).expect("the segment");
    assert_eq!(bytes.len(), DATA + SMALL);
    assert_eq!(&bytes[..512], &golden(&bytes, 1, 4096, 1, 2040, ("", 0, 0))[..]);
    let made = u64::from_le_bytes(bytes[80..88].try_into().expect("eight bytes"));
    assert!((before..=now_ns()).contains(&made), "nanoseconds since 1970");
    assert!(bytes[96..112] != [0; 16], "a random id");
    assert!(bytes[512..].iter().all(|&byte| byte == 0), "all the rest is zero");
    // The empty string's FNV-1a: the hash is the documented one.
    assert_eq!(bytes[56..64], 0xcbf2_9ce4_8422_2325_u64.to_le_bytes());
}

#[test]
fn however_a_ring_is_waited_on_nobody_fences_in_a_new_one() {
    let scratch = Scratch::new("waited-on");
    for wait in [Wait::Spin, Wait::Adaptive, Wait::Park] {
        let _ = inspect::remove(scratch.dir(), "ring", inspect::Remove::Force);
        scratch.ring("ring").capacity(SMALL).wait(wait).make().expect("make");
        let bytes = std::fs::read(scratch.path("ring")).expect("the segment");
        assert!(bytes[512..].iter().all(|&byte| byte == 0), "all but the identity is zero");
    }
}

#[test]
fn two_rings_differ_in_their_ids() {
    let scratch = Scratch::new("ids");
    scratch.ring("a").make().expect("make");
    scratch.ring("b").make().expect("make");
    let id = |name: &str| inspect::report(scratch.dir(), name).expect("a report").id;
    assert_ne!(id("a"), id("b"));
}

#[cfg(feature = "bytemuck")]
#[test]
fn a_fresh_typed_ring_is_these_bytes() {
    let scratch = Scratch::new("golden-typed");
    let spin = || scratch.ring("ring").wait(Wait::Spin);
    spin().typed::<[u32; 6]>().elements(100).type_name("Quote").make().expect("make");
    let bytes = std::fs::read(scratch.path("ring")).expect("the segment");
    assert_eq!(bytes.len(), DATA + 128 * 24);
    assert_eq!(&bytes[..512], &golden(&bytes, 2, 128, 24, 24, ("Quote", 24, 4))[..]);
    assert!(bytes[512..].iter().all(|&byte| byte == 0));
    // Elements lie at their stride, without headers; positions count elements.
    let mut tx = scratch.ring("ring").typed::<[u32; 6]>().type_name("Quote").producer().expect("a producer");
    tx.send_all(&[[1; 6], [2; 6]]).expect("send");
    let segment = Words::map(&scratch.path("ring"));
    assert_eq!(segment.at(CONTROL).load(Ordering::Acquire), 2);
    assert_eq!(segment.half_at(DATA + 20).load(Ordering::Relaxed), 1);
    assert_eq!(segment.half_at(DATA + 24).load(Ordering::Relaxed), 2);
}

#[test]
fn positions_records_and_padding_are_where_the_layout_says() {
    let scratch = Scratch::new("records");
    let mut tx = scratch.ring("ring").capacity(SMALL).wait(Wait::Spin).producer().expect("a producer");
    let mut rx = scratch.ring("ring").wait(Wait::Spin).consumer().expect("a consumer");
    let segment = Words::map(&scratch.path("ring"));
    let word = |at: usize| segment.at(at).load(Ordering::Acquire);
    let (tail, head) = (|| word(CONTROL), || word(CONTROL + 128));
    assert_eq!((tail(), head()), (0, 0));
    tx.send(b"hello, world!").expect("send"); // 13 bytes: 8 + 16
    assert_eq!((tail(), head()), (24, 0));
    assert_eq!(word(DATA), 1 << 32 | 13, "a message's header: kind 1, its length");
    assert_eq!(word(DATA + 8), u64::from_le_bytes(*b"hello, w"));
    drop(rx.recv().expect("recv"));
    assert_eq!((tail(), head()), (24, 24));
    tx.send(&[1; 2040]).expect("send");
    drop(rx.recv().expect("recv"));
    assert_eq!((tail(), head()), (24 + 2048, 24 + 2048));
    // 2024 bytes are left before the end: this one goes to the beginning, behind padding.
    tx.send(&[2; 2032]).expect("send");
    assert_eq!(tail(), 4096 + 2040);
    assert_eq!(word(DATA + 2072), 2 << 32 | 2016, "padding's header: kind 2, the bytes behind it");
    assert_eq!(word(DATA), 1 << 32 | 2032);
    assert_eq!(head(), 2072, "padding is released with the message it makes room for");
    drop(rx.recv().expect("recv"));
    assert_eq!(head(), 4096 + 2040, "positions grow without end");
    // In a ring where everybody polls, nobody allows waiting.
    assert_eq!(segment.half_at(CONTROL + 256).load(Ordering::Relaxed) & 3, 0, "where consumers wait");
    assert_eq!(segment.half_at(CONTROL + 384).load(Ordering::Relaxed) & 3, 0, "where producers wait");
    tx.close().expect("close");
    assert_eq!(
        segment.half_at(CONTROL + 512).load(Ordering::Relaxed) & 3,
        1,
        "the end of the stream is marked"
    );
    refused(rx.recv_timeout(SOON), "Closed", &[]);
    assert_eq!(segment.half_at(CONTROL + 512).load(Ordering::Relaxed) & 3, 2, "a consumer was told");
}

#[test]
fn seats_say_who_where_the_layout_says() {
    let scratch = Scratch::new("seats");
    let before = now_ns();
    let tx = scratch.ring("ring").capacity(SMALL).producer().expect("a producer");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    let segment = Words::map(&scratch.path("ring"));
    let half = |at: usize| segment.half_at(at).load(Ordering::Relaxed);
    let word = |at: usize| segment.at(at).load(Ordering::Relaxed);
    for (index, role) in [(0, 0), (1, 1)] {
        let seat = SEATS + index * SEAT;
        assert_eq!(half(seat), 1, "taken");
        assert_eq!(half(seat + 4), role);
        assert_eq!(half(seat + 8), std::process::id());
        assert!((before..=now_ns()).contains(&word(seat + 16)), "since when");
        let program: Vec<u8> = (0..4).flat_map(|at| word(seat + 24 + at * 8).to_le_bytes()).collect();
        let name = std::env::current_exe().expect("a program");
        let name = name.file_name().expect("its name").to_string_lossy().into_owned();
        assert!(program.starts_with(&name.as_bytes()[..name.len().min(32)]));
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
        let host = host.trim().as_bytes()[..8.min(host.trim().len())].to_vec();
        assert!(word(seat + 56).to_le_bytes().starts_with(&host));
        assert_eq!(word(seat + 128 + 64), 1, "times taken");
    }
    let mut tx = tx;
    tx.send(&[0; 100]).expect("send");
    let message = rx.recv().expect("recv");
    assert_eq!((word(SEATS + 128), word(SEATS + 136)), (1, 100), "the producer's messages and bytes");
    assert_eq!(word(SEATS + SEAT + 128 + 80), 112, "behind the last message handed out");
    drop(message);
    assert_eq!((word(SEATS + SEAT + 128), word(SEATS + SEAT + 136)), (1, 100), "the consumer's");
    drop(tx);
    assert_eq!(half(SEATS), 2, "left in good order");
    assert_eq!(half(SEATS + SEAT), 1);
    assert!((2..64).all(|index| half(SEATS + index * SEAT) == 0), "the others were never taken");
}

#[test]
fn a_living_seat_is_a_locked_byte_beyond_the_data() {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    let scratch = Scratch::new("locks");
    let tx = scratch.ring("ring").producer().expect("a producer");
    let file =
        std::fs::OpenOptions::new().read(true).write(true).open(scratch.path("ring")).expect("the file");
    let locked = |seat: i64| {
        let mut probe = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: (1 << 40) + seat,
            l_len: 1,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut probe)).expect("a look at the lock");
        probe.l_type != libc::F_UNLCK as libc::c_short
    };
    assert!(locked(0) && !locked(1));
    let rx = scratch.ring("ring").consumer().expect("a consumer");
    assert!(locked(0) && locked(1));
    drop(tx);
    assert!(!locked(0) && locked(1));
    drop(rx);
    assert!((0..64).all(|seat| !locked(seat)));
}

fn now_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_nanos() as u64
}
