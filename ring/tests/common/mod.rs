//! What the tests share: a directory of their own, child processes that do not outlive them, memory to
//! exchange facts through, messages whose content can be checked, and a watchdog.
#![allow(dead_code)] // every test file compiles all of it and uses its part

pub(crate) mod child;
pub(crate) mod words;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use podring::{Error, Options, Result};

/// Long enough for anything that works, on a machine with other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Long enough to see that something does not happen.
pub(crate) const MOMENT: Duration = Duration::from_millis(30);

/// Every directory in use, for the watchdog, which cannot unwind.
static SCRATCHES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A directory of rings for one test, and one beside it for other things; gone at the end of the test, also
/// when it fails.
pub(crate) struct Scratch {
    root: PathBuf,
    dir: PathBuf,
}

impl Scratch {
    pub(crate) fn new(tag: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = PathBuf::from(format!("/dev/shm/podring-test-{tag}-{}-{count}", std::process::id()));
        let dir = root.join("rings");
        std::fs::create_dir_all(&dir).expect("a directory for the test");
        SCRATCHES.lock().expect("nobody panics here").push(root.clone());
        Self { root, dir }
    }

    /// Where the rings are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Options of a small ring in this directory.
    pub(crate) fn ring(&self, name: &str) -> Options {
        ring_in(&self.dir, name)
    }

    /// The file of a ring.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A file or directory beside the rings.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Everything in the directory of rings.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.dir).expect("the directory of the test");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
        if let Ok(mut all) = SCRATCHES.lock() {
            all.retain(|path| *path != self.root);
        }
    }
}

/// Options of a ring in a directory.
pub(crate) fn ring_in(dir: &Path, name: &str) -> Options {
    podring::spsc(name).dir(dir)
}

/// Ends the whole test process if the test takes longer than that: a hang must not be endless.
#[must_use = "the watchdog sleeps when this is dropped"]
pub(crate) struct Watchdog(Arc<(Mutex<bool>, Condvar)>);

pub(crate) fn watchdog(limit: Duration, what: &'static str) -> Watchdog {
    let state = Arc::new((Mutex::new(false), Condvar::new()));
    let seen = state.clone();
    std::thread::spawn(move || {
        let (done, changed) = &*seen;
        let guard = done.lock().expect("nobody panics here");
        let (done, _) = changed.wait_timeout_while(guard, limit, |done| !*done).expect("nobody panics here");
        if !*done {
            eprintln!("WATCHDOG: {what} still runs after {limit:?}");
            if let Ok(all) = SCRATCHES.lock() {
                all.iter().for_each(|path| drop(std::fs::remove_dir_all(path)));
            }
            std::process::abort();
        }
    });
    Watchdog(state)
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let (done, changed) = &*self.0;
        if let Ok(mut done) = done.lock() {
            *done = true;
        }
        changed.notify_all();
    }
}

/// Checks that a call failed, as which variant, and that its text says all of `texts`.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T>, kind: &str, texts: &[&str]) -> Error {
    let error = match result {
        Ok(_) => panic!("it succeeded, expected {kind}"),
        Err(error) => error,
    };
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for part in texts {
        assert!(text.contains(part), "the text does not say {part:?}: {text}");
    }
    error
}

/// Random numbers that a seed repeats (SplitMix64; Steele, Lea, Flood 2014).
pub(crate) struct Random(u64);

impl Random {
    /// A new seed for every run, printed, so that a failure can be repeated: PODRING_TEST_SEED=... cargo test.
    pub(crate) fn fresh() -> Self {
        let seed = match std::env::var("PODRING_TEST_SEED") {
            Ok(text) => text.parse().expect("PODRING_TEST_SEED is a number"),
            Err(_) => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                now.map_or(1, |now| now.as_nanos() as u64) ^ u64::from(std::process::id()) << 32
            }
        };
        eprintln!("PODRING_TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Bytes that depend on `key` and on where they are.
pub(crate) fn pattern(key: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    for index in 0..len.div_ceil(8) as u64 {
        bytes.extend_from_slice(&mix(key ^ index << 40).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A message that says which one it is: the sender's incarnation, its number, and a length and content that
/// follow from the two.
pub(crate) fn stamped(incarnation: u64, number: u64) -> Vec<u8> {
    let key = mix(incarnation << 48 ^ number);
    // Mostly small, sometimes a good part of the smallest ring.
    let extra = if key % 16 == 0 { key >> 8 & 0x3ff } else { key >> 8 & 0x3f };
    let mut bytes = Vec::with_capacity(16 + extra as usize);
    bytes.extend(incarnation.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes.extend(pattern(key, extra as usize));
    bytes
}

/// Which message this is; panics if a byte of it is wrong. Looks at every byte.
#[track_caller]
pub(crate) fn read_stamp(bytes: &[u8]) -> (u64, u64) {
    assert!(bytes.len() >= 16, "a message of {} bytes", bytes.len());
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let (incarnation, number) = (word(0), word(8));
    assert!(bytes == stamped(incarnation, number), "message {incarnation}/{number} is damaged: {bytes:?}");
    (incarnation, number)
}

/// Repeats `ready` until it is true, at most for `SOON`.
#[track_caller]
pub(crate) fn eventually(what: &str, mut ready: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !ready() {
        assert!(start.elapsed() < SOON, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Lets this thread run on the first of its processors only.
pub(crate) fn pin() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("an affinity");
    let first = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap_or(false)).expect("a processor");
    let mut one = CpuSet::new();
    one.set(first).expect("a processor");
    sched_setaffinity(Pid::from_raw(0), &one).expect("one processor");
}
