//! What a directory on disk costs, measured on the spot: whenever the disk is written, the pages of a ring
//! become read-only for a moment, and the next store to each of them waits for the kernel.

use std::io;
use std::time::{Duration, Instant};

use memmap2::MmapRaw;

use super::super::explain::ONE_VOLUME;
use super::super::finding::Finding;
use super::super::ground;
use super::super::place::Place;
use crate::human;

const CHECK: &str = "disk";
const PAGE: usize = 4096;
const PAGES: usize = 256;
/// More rounds are measured until this is over: disks differ by orders of magnitude.
const BUDGET: Duration = Duration::from_millis(200);
const ROUNDS: u32 = 5;

/// `None` where the directory is not on a disk, or cannot be written.
pub(super) fn check(place: &Place) -> Option<Finding> {
    let facts = place.dir_facts.as_ref()?;
    if !place.sharing.is_on_disk() || !facts.writable || place.is_read_only() {
        return None;
    }
    Some(match measure(place) {
        Err(error) => Finding::warn(CHECK, format!("its cost cannot be measured: {error}")),
        Ok(cost) => Finding::warn(
            CHECK,
            format!(
                "each write-back to the disk ({} in {:.1} ms here) makes the next store to every page \
                 take {:.1} us \
                 instead of {:.2} us: seldom on a quiet disk, all the time while anybody calls sync",
                human::bytes((PAGES * PAGE) as u64),
                cost.write_back.as_secs_f64() * 1e3,
                cost.refault.as_secs_f64() * 1e6,
                cost.store.as_secs_f64() * 1e6,
            ),
        )
        .remedy(ONE_VOLUME)
        .fact("write_back_ns", nanos(cost.write_back))
        .fact("store_after_write_back_ns", nanos(cost.refault))
        .fact("store_ns", nanos(cost.store))
        .fact("measured_bytes", PAGES * PAGE),
    })
}

struct Cost {
    /// Writing all pages to the disk.
    write_back: Duration,
    /// One store to a page that was written back.
    refault: Duration,
    /// One store to a page that was not.
    store: Duration,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn measure(place: &Place) -> io::Result<Cost> {
    let file = ground::unnamed_file(&place.dir, (PAGES * PAGE) as u64)?;
    let map = MmapRaw::map_raw(&file)?;
    let touch_all = |value: u8| {
        let start = Instant::now();
        for page in 0..PAGES {
            let place = map.as_mut_ptr().wrapping_add(page * PAGE);
            // SAFETY: within the mapping, which has all these pages; nobody else has this unnamed file.
            unsafe { place.write_volatile(value) };
        }
        start.elapsed() / PAGES as u32
    };
    touch_all(0);
    let (mut write_back, mut refault, mut store) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS && (rounds == 0 || begun.elapsed() < BUDGET) {
        let start = Instant::now();
        file.sync_data()?;
        write_back += start.elapsed();
        refault += touch_all(1);
        store += touch_all(2);
        rounds += 1;
    }
    Ok(Cost { write_back: write_back / rounds, refault: refault / rounds, store: store / rounds })
}
