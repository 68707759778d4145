//! Somebody keeps changing what is under the name: removes it, makes it again, puts other things there.

use std::collections::BTreeMap;
use std::fs::{create_dir, remove_dir, remove_file, rename, write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use podring::{Create, Error, Result, inspect};

use crate::bounded::{ALLOWANCE, ENTRY};
use crate::common::child::{arg, spawn};
use crate::common::{Random, SOON, Scratch, ring_in, watchdog};

/// Attempts to enter, at least.
const ATTEMPTS: u64 = 400;
/// How the attempts must have ended, each at least once.
const OUTCOMES: [&str; 5] = ["Ok", "NotARing", "Truncated", "Mismatch", "RoleTaken"];

/// What the hostile process makes, before it takes the name: a file that is cut while it has it would end the
/// victims by SIGBUS, which is another test.
const MAKING: &str = "making";

/// Arguments: the directory, the seed.
pub(crate) fn play(args: &[String]) {
    let dir = Path::new(&args[0]);
    let mut random = Random::seeded(args[1].parse().expect("a seed"));
    let (making, path) = (dir.join(MAKING), dir.join("ring"));
    let ring = || ring_in(dir, MAKING).capacity(4096).create(Create::New);
    loop {
        let mut seat = (None, None);
        match random.below(12) {
            0 | 1 => ring().make().expect("a ring"),
            2 => ring().capacity(8192).make().expect("a ring"),
            3 => other_kind(dir),
            4 => seat.0 = Some(ring().producer().expect("a producer")),
            5 => seat.1 = Some(ring().consumer().expect("a consumer")),
            6 => write(&making, vec![random.next() as u8; random.below(40_000) as usize]).expect("a file"),
            7 => {
                ring().make().expect("a ring");
                let file = std::fs::OpenOptions::new().write(true).open(&making).expect("the ring");
                file.set_len(random.below(28_672)).expect("a shorter ring");
            }
            8 => symlink("elsewhere", &making).expect("a link"),
            9 => create_dir(&making).expect("a directory"),
            10 => nix::unistd::mkfifo(&making, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe"),
            _ => {}
        }
        // The victims make rings as well, and may be faster than what cannot replace a file.
        let _ = remove_file(&path).or_else(|_| remove_dir(&path));
        let _ = rename(&making, &path);
        let _ = remove_file(&making).or_else(|_| remove_dir(&making));
        // The seats of a ring are held long enough to be waited for in vain, now and then.
        let held = seat.0.is_some() || seat.1.is_some();
        let long = if held && random.one_in(4) { 400_000 } else { 3000 };
        std::thread::sleep(Duration::from_micros(random.below(long)));
        drop(seat);
    }
}

#[cfg(feature = "bytemuck")]
fn other_kind(dir: &Path) {
    ring_in(dir, MAKING).typed::<u64>().elements(512).make().expect("a typed ring");
}

#[cfg(not(feature = "bytemuck"))]
fn other_kind(dir: &Path) {
    ring_in(dir, MAKING).capacity(16_384).make().expect("a ring");
}

#[test]
fn a_name_that_keeps_changing_is_an_error_in_time() {
    let _watchdog = watchdog(12 * SOON, "entering a ring that keeps changing");
    let scratch = Scratch::new("names");
    ring_in(scratch.dir(), "elsewhere").capacity(4096).make().expect("what the link leads to");
    let mut random = Random::fresh();
    let mut hostile = spawn("rename", &[arg(scratch.dir()), &random.next().to_string()]);
    let mut outcomes: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut note = |kind| *outcomes.entry(kind).or_default() += 1;
    let mut attempts = 0;
    let mut missing = OUTCOMES.to_vec();
    while attempts < ATTEMPTS || !missing.is_empty() {
        assert!(hostile.is_running());
        // An error takes no time: without a pause, most attempts would meet the same obstacle.
        std::thread::sleep(Duration::from_micros(random.below(1500)));
        let create = if random.one_in(2) { Create::IfMissing } else { Create::Never };
        let options =
            scratch.ring("ring").capacity(4096).create(create).open_timeout(Duration::from_millis(5));
        let start = Instant::now();
        let result = if random.one_in(2) { produce(options) } else { consume(options) };
        // Entering, and two short waits inside; the machine may be busy with other tests.
        assert!(start.elapsed() < ENTRY + ALLOWANCE + SOON / 10, "{:?}: {result:?}", start.elapsed());
        let kind = kind(&result);
        missing.retain(|wanted| *wanted != kind);
        note(kind);
        attempts += 1;
    }
    hostile.kill();
    let elsewhere = inspect::report(scratch.dir(), "elsewhere").expect("the link's target");
    assert!(elsewhere.seats.is_empty(), "nobody went through the link");
    println!("hostile: {attempts} attempts to enter under a changing name: {outcomes:?}");
}

fn produce(options: podring::Options) -> Result<()> {
    let mut tx = options.slice(Duration::from_millis(1)).producer()?;
    match tx.send_timeout(&[1; 2000], Duration::from_millis(1)) {
        Err(Error::Timeout { .. } | Error::Replaced { .. }) => Ok(()),
        other => other,
    }
}

fn consume(options: podring::Options) -> Result<()> {
    let mut rx = options.slice(Duration::from_millis(1)).consumer()?;
    match rx.recv_to_vec_timeout(&mut Vec::new(), Duration::from_millis(1)) {
        Err(Error::Timeout { .. } | Error::Replaced { .. }) => Ok(()),
        other => other,
    }
}

#[track_caller]
fn kind(result: &Result<()>) -> &'static str {
    match result {
        Ok(()) => "Ok",
        Err(
            error @ (Error::NotARing { .. }
            | Error::Truncated { .. }
            | Error::Mismatch { .. }
            | Error::NotFound { .. }
            | Error::RoleTaken { .. }),
        ) => error.kind(),
        Err(other) => panic!("not what a changing name may lead to: {other:?}"),
    }
}
