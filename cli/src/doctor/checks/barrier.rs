//! `membarrier`: used before every sleep, so that nobody has to fence when publishing. A second, registered
//! process stores and loads without a fence, this one stores, calls it, and loads: never may both miss the
//! other's store.
//!
//! A barrier that orders nothing would hardly show in so few rounds. What they do show is that the call is
//! allowed, that it returns while another process is busy, and what it costs.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;

use super::super::finding::Finding;
use super::super::ground::{Ground, PATIENCE};
use super::super::helper::{HEAVY, LAST, LIGHT, Part, ROUND, SEEN, store_then_load};
use super::super::place::Place;

const CHECK: &str = "membarrier";
const ROUNDS: u32 = 1000;
/// It takes some microseconds.
const BUDGET: Duration = Duration::from_millis(100);

pub(super) fn check(place: &Place) -> Finding {
    if let Err(error) = register() {
        return Finding::warn(
            CHECK,
            format!(
                "refused ({}): who publishes passes a fence with every message, here and in all processes that \
                     share a ring with this one; streams of small messages take up to twice as long",
                error.desc()
            ),
        )
        .remedy(
            "docker run --security-opt seccomp=PROFILE.json ...   # a profile that allows membarrier; \
                 Docker's own does",
        )
        .fact("errno", error as i32);
    }
    let ground = match Ground::make(place.writable_dir()) {
        Ok(ground) => ground,
        Err(error) => return Finding::warn(CHECK, format!("not tested: no memory to test in: {error}")),
    };
    match litmus(&ground) {
        Err(error) => Finding::warn(CHECK, format!("not tested: {error}")),
        Ok(Litmus { rounds, lost: 0, each }) => Finding::ok(
            CHECK,
            format!(
                "{rounds} calls beside a second process, no store missed, {} us each{}",
                each.as_micros(),
                ground.place()
            ),
        )
        .fact("rounds", rounds)
        .fact("call_ns", u64::try_from(each.as_nanos()).unwrap_or(u64::MAX)),
        Ok(Litmus { rounds, lost, .. }) => Finding::fail(
            CHECK,
            format!(
                "in {lost} of {rounds} rounds both processes missed the other's \
                                          store: this kernel's membarrier does not order"
            ),
        )
        .remedy("podring send NAME --wait spin   # and recv: who never sleeps does not need it"),
    }
}

/// Takes part in the barriers of others.
pub(in super::super) fn register() -> Result<(), Errno> {
    membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
}

fn membarrier(command: libc::c_int) -> Result<(), Errno> {
    // SAFETY: the call takes three integers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) };
    Errno::result(result).map(drop)
}

struct Litmus {
    rounds: u32,
    lost: u32,
    /// One call.
    each: Duration,
}

fn litmus(ground: &Ground) -> io::Result<Litmus> {
    let mut helper = ground.helper(Part::Light)?;
    let begun = Instant::now();
    let (mut rounds, mut lost, mut spent) = (0, 0, Duration::ZERO);
    while rounds < ROUNDS && begun.elapsed() < BUDGET {
        let round = rounds + 1;
        ground.word(ROUND).store(round, Ordering::Release);
        let mut refused = None;
        let seen = store_then_load(ground.word(HEAVY), ground.word(LIGHT), round, || {
            let start = Instant::now();
            refused = membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED).err();
            spent += start.elapsed();
        });
        if let Some(errno) = refused {
            return Err(errno.into());
        }
        let other = loop {
            let other = ground.word(SEEN).load(Ordering::Acquire);
            if other >> 1 == round {
                break other & 1 == 1;
            }
            if begun.elapsed() >= PATIENCE {
                return Err(io::Error::other("the second process stopped answering"));
            }
            thread::yield_now();
        };
        lost += u32::from(seen != round && !other);
        rounds = round;
    }
    ground.word(ROUND).store(LAST, Ordering::Release);
    helper.ended()?;
    Ok(Litmus { rounds, lost, each: spent / rounds.max(1) })
}
