//! Whether the wished ring fits into the file system.

use super::super::finding::Finding;
use super::super::place::Place;
use super::roomy_mib;
use crate::human;

const CHECK: &str = "room";

pub(super) fn check(place: &Place, needed: u64) -> Option<Finding> {
    let facts = place.dir_facts.as_ref()?;
    let finding = if facts.total == 0 {
        Finding::ok(CHECK, format!("no limit; the wished ring needs {}", human::bytes(needed)))
    } else {
        let found = format!(
            "{} free of {}; the wished ring needs {}",
            human::bytes(facts.free),
            human::bytes(facts.total),
            human::bytes(needed)
        );
        if needed <= facts.free {
            Finding::ok(CHECK, found)
        } else {
            // Room for what the others have, too.
            let mib = roomy_mib(needed.saturating_add(facts.total - facts.free));
            Finding::fail(CHECK, found)
                .remedy(format!("docker run --shm-size={mib}m ...   # with --ipc=container:A, on A"))
                .remedy(format!(
                    "docker volume create --opt type=tmpfs --opt device=tmpfs --opt \
                                 o=size={mib}m,mode=1777 rings"
                ))
                .remedy(format!(
                    "Kubernetes: emptyDir: {{medium: Memory, sizeLimit: {mib}Mi}}; compose: \
                                 shm_size: {mib}m"
                ))
                .remedy("podring rm --stale   # rings nobody uses")
        }
    };
    Some(finding.fact("free_bytes", facts.free).fact("total_bytes", facts.total).fact("needed_bytes", needed))
}

#[cfg(test)]
mod tests {
    use super::roomy_mib;

    #[test]
    fn remedies_have_room() {
        assert_eq!(roomy_mib(0), 1);
        assert_eq!(roomy_mib((1 << 20) - 1), 1);
        assert_eq!(roomy_mib(1 << 20), 2);
        assert_eq!(roomy_mib(128 << 20), 256);
    }
}
