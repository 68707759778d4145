//! The other process of the self-tests: this program once more, started by `podring doctor` with a page of
//! shared memory as its standard input.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};
use std::thread;
use std::time::Instant;

use clap::ValueEnum;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::thread::futex::{self, Flags, Timespec};

use super::checks::barrier;
use super::ground::{BEGUN, Ground, PATIENCE};

/// Where the sleeper sleeps.
pub(super) const SLEEP: usize = 1;
/// The sleeper says here that it woke.
pub(super) const WOKE: usize = 2;
/// The number of the round, set by the side that passes the barrier.
pub(super) const ROUND: usize = 3;
/// Stored by the side that passes the barrier.
pub(super) const HEAVY: usize = 4;
/// Stored by the side that does not.
pub(super) const LIGHT: usize = 5;
/// What the light side loaded from [`HEAVY`], in which round.
pub(super) const SEEN: usize = 6;
/// The last round.
pub(super) const LAST: u32 = u32::MAX;

/// What the other process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Sleeps on a word until it is woken.
    Sleeper,
    /// Holds a lock until it is killed.
    Holder,
    /// Stores and loads without a fence.
    Light,
}

/// How the sleeper ends.
pub(super) const WOKEN: i32 = 0;
/// It was not woken in time.
pub(super) const OVERSLEPT: i32 = 9;

/// Plays a part; the result is the exit status.
pub(crate) fn play(part: Part) -> io::Result<i32> {
    let ground = Ground::inherited()?;
    match part {
        Part::Sleeper => sleep(&ground),
        Part::Holder => hold(&ground),
        Part::Light => light(&ground),
    }
}

fn sleep(ground: &Ground) -> io::Result<i32> {
    let timeout = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    ground.word(BEGUN).store(1, Ordering::Release);
    loop {
        match futex::wait(ground.word(SLEEP), Flags::empty(), 0, Some(&timeout)) {
            Ok(()) => {
                ground.word(WOKE).store(1, Ordering::Release);
                return Ok(WOKEN);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::TIMEDOUT) => return Ok(OVERSLEPT),
            Err(error) => return Err(error.into()),
        }
    }
}

fn hold(ground: &Ground) -> io::Result<i32> {
    if !try_lock(ground)? {
        return Err(io::Error::other("somebody else holds the lock"));
    }
    ground.word(BEGUN).store(1, Ordering::Release);
    // Longer than the other side waits; it kills this process.
    thread::sleep(4 * PATIENCE);
    Ok(0)
}

/// Takes a write lock, as a seat has one. False: another open file has it.
pub(super) fn try_lock(ground: &Ground) -> io::Result<bool> {
    match fcntl(ground.file(), FcntlArg::F_OFD_SETLK(&range(libc::F_WRLCK))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether another open file has it.
pub(super) fn is_locked(ground: &Ground) -> io::Result<bool> {
    let mut probe = range(libc::F_RDLCK);
    fcntl(ground.file(), FcntlArg::F_OFD_GETLK(&mut probe))?;
    Ok(probe.l_type != libc::F_UNLCK as libc::c_short)
}

fn range(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    }
}

/// The light side of store-then-load: the compiler keeps the order, the processor need not, unless the other
/// side passes its barrier.
fn light(ground: &Ground) -> io::Result<i32> {
    barrier::register()?;
    ground.word(BEGUN).store(1, Ordering::Release);
    let deadline = Instant::now() + PATIENCE;
    let mut done = 0;
    while Instant::now() < deadline {
        let round = ground.word(ROUND).load(Ordering::Acquire);
        if round == LAST {
            return Ok(0);
        }
        if round == done {
            thread::yield_now();
            continue;
        }
        let seen = store_then_load(ground.word(LIGHT), ground.word(HEAVY), round, || {
            compiler_fence(Ordering::SeqCst)
        });
        // The lowest bit: whether the other side's store of this round was seen.
        ground.word(SEEN).store(round << 1 | u32::from(seen == round), Ordering::Release);
        done = round;
    }
    Ok(OVERSLEPT)
}

/// Stores to one word, passes a barrier, loads the other.
pub(super) fn store_then_load(
    store: &AtomicU32,
    load: &AtomicU32,
    value: u32,
    barrier: impl FnOnce(),
) -> u32 {
    store.store(value, Ordering::Relaxed);
    barrier();
    load.load(Ordering::Relaxed)
}
