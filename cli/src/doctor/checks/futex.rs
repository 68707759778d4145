//! Whether one process wakes another: a second process sleeps on a word of the directory's memory, this one
//! wakes it.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::futex::{self, Flags};

use super::super::finding::Finding;
use super::super::ground::{Ground, LOOK_AGAIN, PATIENCE};
use super::super::helper::{Part, SLEEP, WOKE, WOKEN};
use super::super::place::Place;

const CHECK: &str = "futex";

pub(super) fn check(place: &Place) -> Finding {
    let ground = match Ground::make(place.writable_dir()) {
        Ok(ground) => ground,
        Err(error) => return Finding::warn(CHECK, format!("not tested: no memory to test in: {error}")),
    };
    match wake(&ground) {
        Ok(took) => {
            Finding::ok(CHECK, format!("woke a second process in {} us{}", took.as_micros(), ground.place()))
                .fact("wake_ns", u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
        }
        Err(error) => {
            Finding::fail(CHECK, format!("a second process was not woken: {error}{}", ground.place()))
                .remedy(
                    "docker run --security-opt seccomp=PROFILE.json ...   # a profile that allows futex; \
                     Docker's own does",
                )
                .remedy("podring send NAME --wait spin   # and recv: polls, and needs no waking")
        }
    }
}

fn wake(ground: &Ground) -> io::Result<Duration> {
    let mut helper = ground.helper(Part::Sleeper)?;
    let deadline = Instant::now() + PATIENCE;
    let start = loop {
        let start = Instant::now();
        // Nobody is woken while it is still on its way to sleep.
        if futex::wake(ground.word(SLEEP), Flags::empty(), 1)? > 0 {
            break start;
        }
        if Instant::now() >= deadline {
            return Err(io::Error::other("FUTEX_WAKE found nobody asleep"));
        }
        thread::sleep(LOOK_AGAIN);
    };
    while ground.word(WOKE).load(Ordering::Acquire) == 0 {
        if Instant::now() >= deadline {
            return Err(io::Error::other("it did not return from FUTEX_WAIT"));
        }
        std::hint::spin_loop();
    }
    let took = start.elapsed();
    match helper.ended()? {
        Some(WOKEN) => Ok(took),
        other => Err(io::Error::other(format!("it ended with {other:?}"))),
    }
}
