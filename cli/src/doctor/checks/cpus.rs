//! Processors: polling needs one for each side.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use podring::inspect;

use super::super::finding::Finding;

const CHECK: &str = "cpus";

pub(super) fn check() -> Finding {
    judge(affinity(), inspect::processors())
}

fn judge(allowed: usize, quota: Option<f64>) -> Finding {
    let processors = if allowed == 1 { "1 CPU".to_owned() } else { format!("{allowed} CPUs") };
    let finding = match quota {
        _ if allowed < 2 => Finding::warn(
            CHECK,
            format!(
                "{processors}: both sides take turns on it; the waits that sleep (adaptive, park) \
                     suit it, --wait spin only burns it"
            ),
        )
        .remedy("docker run --cpuset-cpus=0,1 ..."),
        Some(quota) if quota < 2.0 => Finding::warn(
            CHECK,
            format!(
                "{processors}, with a quota of {quota:.2}: --wait spin uses it up and is throttled for up to \
                 100 ms; --wait adaptive polls only while that finds something"
            ),
        )
        .remedy("docker run --cpus=2 ...   # or without --cpus")
        .remedy("Kubernetes: resources: {limits: {cpu: \"2\"}}, or no CPU limit"),
        Some(quota) => Finding::ok(CHECK, format!("{processors}, with a quota of {quota:.2}")),
        None => Finding::ok(CHECK, format!("{processors}, no quota")),
    };
    finding.fact("cpus", allowed).fact("quota_cpus", quota)
}

/// Processors this process may run on.
fn affinity() -> usize {
    let allowed = |set: CpuSet| (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).count();
    // A machine with more processors than the set holds certainly has enough.
    sched_getaffinity(Pid::from_raw(0)).map_or(CpuSet::count(), allowed)
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Verdict;
    use super::judge;

    #[test]
    fn polling_wants_two_processors() {
        assert_eq!(judge(2, None).verdict(), Verdict::Ok);
        assert_eq!(judge(8, Some(2.0)).verdict(), Verdict::Ok);
        assert_eq!(judge(8, Some(1.5)).verdict(), Verdict::Warn);
        assert_eq!(judge(1, None).verdict(), Verdict::Warn);
        assert_eq!(judge(1, Some(4.0)).verdict(), Verdict::Warn);
    }
}
