//! User ids, and whether they mean the same on both sides.

use std::fs;

use nix::unistd::getegid;

use super::super::finding::Finding;
use super::super::place::Place;

const CHECK: &str = "users";
/// What the kernel shows for a user who has no number in this namespace.
const NOBODY: u32 = 65534;

pub(super) fn check(place: &Place) -> Finding {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let ranges = ranges(&map);
    let (uid, gid) = (place.uid, getegid());
    let owner = place.dir_facts.as_ref().map(|facts| facts.uid);
    let finding = if is_initial(&ranges) {
        Finding::ok(
            CHECK,
            format!("uid {uid}, gid {gid}, no user namespace: ids mean the same in every container"),
        )
    } else {
        let shown = ranges
            .iter()
            .map(|(inside, outside, count)| format!("{inside} is {outside} outside, {count} ids"));
        let shown = shown.collect::<Vec<_>>().join("; ");
        let found = format!("uid {uid}, gid {gid} in a user namespace ({shown})");
        if owner == Some(NOBODY)
            && ranges.iter().all(|(inside, _, count)| !(*inside..inside + count).contains(&NOBODY.into()))
        {
            let found = format!(
                "{found}; the directory's owner is outside of it, and so are the rings of the other side"
            );
            Finding::warn(CHECK, found)
                .remedy("podring create NAME --mode 0666   # and send, recv: open to every user")
                .remedy("docker run --userns=host ...   # both sides, or neither")
        } else {
            Finding::ok(CHECK, found)
        }
    };
    let map: Vec<_> = ranges.iter().map(|(inside, outside, count)| vec![*inside, *outside, *count]).collect();
    finding.fact("uid", uid.as_raw()).fact("gid", gid.as_raw()).fact("uid_map", map)
}

/// `0 100000 65536`, a line each: from, to, how many.
fn ranges(map: &str) -> Vec<(u64, u64, u64)> {
    map.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .collect()
}

/// Without /proc nothing is known of a namespace, and most have none.
fn is_initial(ranges: &[(u64, u64, u64)]) -> bool {
    ranges.is_empty() || ranges == [(0, 0, 4_294_967_295)]
}

#[cfg(test)]
mod tests {
    use super::{is_initial, ranges};

    #[test]
    fn maps_are_read() {
        assert!(is_initial(&ranges("         0          0 4294967295\n")));
        let remapped = ranges("         0     100000      65536\n         70000 200000 1\n");
        assert_eq!(remapped, [(0, 100_000, 65_536), (70_000, 200_000, 1)]);
        assert!(!is_initial(&remapped));
        assert!(is_initial(&ranges("")));
    }
}
