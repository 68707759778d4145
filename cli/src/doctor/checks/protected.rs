//! `fs.protected_regular`: who creates-or-opens another user's file in a sticky directory is refused.

use std::fs;

use super::super::finding::Finding;
use super::super::place::Place;

const CHECK: &str = "protected";

pub(super) fn check(place: &Place) -> Finding {
    let value = fs::read_to_string("/proc/sys/fs/protected_regular")
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok());
    let sticky = place.dir_facts.as_ref().is_some_and(|facts| facts.mode & 0o1000 != 0);
    let found = match value {
        None => "fs.protected_regular cannot be read; podring does not depend on it".to_owned(),
        Some(0) => "fs.protected_regular is 0: no restriction".to_owned(),
        Some(value) if sticky => format!(
            "fs.protected_regular is {value}: shm_open with O_CREAT on another user's file is refused \
             here, even to \
             root; podring never does that, and other programs must open without O_CREAT, too"
        ),
        Some(value) => format!("fs.protected_regular is {value}, which concerns sticky directories only"),
    };
    Finding::ok(CHECK, found).fact("protected_regular", value)
}
