//! Whether the kernel tells the living from the dead: a second process holds a lock as a seat has one, this one
//! sees it held, kills the process and sees it free.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::super::finding::Finding;
use super::super::ground::{Ground, LOOK_AGAIN, PATIENCE};
use super::super::helper::{Part, is_locked, try_lock};
use super::super::place::Place;

const CHECK: &str = "locks";

pub(super) fn check(place: &Place) -> Finding {
    let ground = match Ground::make(place.writable_dir()) {
        Ok(ground) => ground,
        Err(error) => return Finding::warn(CHECK, format!("not tested: no memory to test in: {error}")),
    };
    match hold_and_kill(&ground) {
        Ok(took) => Finding::ok(
            CHECK,
            format!(
                "a second process's lock was seen, and free {:.1} ms after it was killed{}",
                took.as_secs_f64() * 1e3,
                ground.place()
            ),
        )
        .fact("free_after_kill_ns", u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        Err(error) => Finding::fail(
            CHECK,
            format!(
                "open-file-description locks do not work here, so nobody can tell whether a \
                     participant lives: {error}{}",
                ground.place()
            ),
        )
        .remedy(
            "podring --dir /dev/shm ...   # or another directory on a local file system (tmpfs, ext4, \
                 xfs)",
        ),
    }
}

fn hold_and_kill(ground: &Ground) -> io::Result<Duration> {
    let mut helper = ground.helper(Part::Holder)?;
    if !is_locked(ground)? {
        return Err(io::Error::other("the lock of a living process was not seen"));
    }
    if try_lock(ground)? {
        return Err(io::Error::other("the lock of a living process was taken from it"));
    }
    let start = Instant::now();
    helper.kill()?;
    while !try_lock(ground)? {
        if start.elapsed() >= PATIENCE {
            return Err(io::Error::other("the lock of a killed process was not freed"));
        }
        thread::sleep(LOOK_AGAIN);
    }
    let took = start.elapsed();
    if is_locked(ground)? {
        return Err(io::Error::other("one's own lock was taken for another's"));
    }
    Ok(took)
}
