//! Whether this user may make rings in the directory.

use super::super::explain::ONE_VOLUME;
use super::super::finding::Finding;
use super::super::place::Place;
use crate::human;

const CHECK: &str = "access";
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

pub(super) fn check(place: &Place) -> Option<Finding> {
    let facts = place.dir_facts.as_ref()?;
    let dir = place.dir.display();
    let (uid, mode) = (place.uid, human::mode(facts.mode));
    let finding = if place.is_read_only() {
        Finding::fail(
            CHECK,
            format!(
                "{dir} is mounted read-only: rings can be watched (podring ls, info), but nobody can \
                     take part"
            ),
        )
        .remedy("docker run -v VOLUME:/dev/shm ...   # without ':ro'")
        .remedy("Kubernetes: volumeMounts without readOnly: true")
    } else if !facts.writable {
        let found = format!(
            "uid {uid} may not make rings in {dir} (mode {mode} of uid {}); taking part in one that is \
             there works if its own mode allows",
            facts.uid
        );
        Finding::fail(CHECK, found)
            .remedy(ONE_VOLUME)
            .remedy(format!("docker run --user {}:{} ...   # the directory's owner", facts.uid, facts.gid))
            .remedy("Kubernetes: securityContext: {runAsUser: 1000, fsGroup: 1000}")
    } else if facts.mode & OTHERS_WRITE != 0 && facts.mode & STICKY == 0 {
        Finding::warn(CHECK, format!("{dir} has mode {mode}: every user may remove the others' rings"))
            .remedy("docker volume create ... --opt o=size=256m,mode=1777   # the 1: only one's own")
    } else {
        Finding::ok(CHECK, format!("uid {uid} may make rings (mode {mode} of uid {})", facts.uid))
    };
    Some(
        finding
            .fact("uid", uid.as_raw())
            .fact("dir_mode", mode)
            .fact("dir_uid", facts.uid)
            .fact("dir_gid", facts.gid)
            .fact("writable", facts.writable && !place.is_read_only()),
    )
}
