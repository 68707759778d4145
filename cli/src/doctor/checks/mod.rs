//! The checks, one a file, in the order in which they are printed: first what the directory is, then whether
//! a ring can be made in it, then what the kernel does, last the machine.

mod access;
pub(super) mod barrier;
mod clock;
mod cpus;
mod disk;
mod futex;
mod hugepages;
mod locks;
mod memlock;
mod memory;
mod protected;
mod ring;
mod room;
mod sharing;
mod timens;
mod users;

use super::finding::Finding;
use super::place::Place;

/// What the user means to do.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    /// The ring to look at.
    pub(super) ring: Option<&'a str>,
    /// Bytes that the file of the wished ring has.
    pub(super) bytes: u64,
}

/// Everything.
pub(super) fn all(place: &Place, wish: &Wish<'_>) -> Vec<Finding> {
    let mut findings = setting(place);
    findings.push(users::check(place));
    findings.extend(disk::check(place));
    findings.extend(wish.ring.map(|name| ring::check(place, name)));
    findings.extend(room::check(place, wish.bytes));
    findings.push(memory::check(wish.bytes));
    findings.push(protected::check(place));
    findings.push(futex::check(place));
    findings.push(locks::check(place));
    findings.push(barrier::check(place));
    findings.push(cpus::check());
    findings.push(clock::check());
    findings.push(timens::check());
    findings.push(memlock::check(place, wish.bytes));
    findings.push(hugepages::check(place));
    findings
}

/// What decides whether two sides can meet at all.
pub(super) fn setting(place: &Place) -> Vec<Finding> {
    let mut findings = vec![sharing::check(place)];
    findings.extend(access::check(place));
    findings
}

/// The value for an option such as `--shm-size` that has room for `needed` bytes: MiB, rounded up to a power
/// of two, and never exactly full.
fn roomy_mib(needed: u64) -> u64 {
    (needed / (1 << 20) + 1).next_power_of_two()
}
