//! Whether the wished ring fits under the memory limit: beyond it, the kernel kills without an error.

use podring::inspect::{self, MemoryLimit};

use super::super::finding::Finding;
use super::roomy_mib;
use crate::human;

const CHECK: &str = "memory";
const UNLIMITED: u64 = 1 << 60;

pub(super) fn check(needed: u64) -> Finding {
    judge(inspect::memory_limit(), needed)
}

fn judge(limit: Option<MemoryLimit>, needed: u64) -> Finding {
    // Without a limit, version 1 of control groups shows the largest number of pages there is.
    let Some(memory) = limit.filter(|memory| memory.limit < UNLIMITED) else {
        return Finding::ok(CHECK, "no memory limit").fact("limit_bytes", None::<u64>);
    };
    let found = format!(
        "limit {}, {} in use; the wished ring needs {}, and whoever makes it is charged",
        human::bytes(memory.limit),
        human::bytes(memory.used),
        human::bytes(needed)
    );
    let finding = if needed <= memory.room() {
        Finding::ok(CHECK, found)
    } else {
        let mib = roomy_mib(needed.saturating_add(memory.used));
        Finding::fail(CHECK, found).remedy(format!("docker run --memory={mib}m ...")).remedy(format!(
            "Kubernetes: resources: {{limits: {{memory: {mib}Mi}}}}; compose: mem_limit: {mib}m"
        ))
    };
    finding.fact("limit_bytes", memory.limit).fact("used_bytes", memory.used).fact("needed_bytes", needed)
}

#[cfg(test)]
mod tests {
    use podring::inspect::MemoryLimit;

    use super::super::super::finding::Verdict;
    use super::judge;

    #[test]
    fn a_ring_beyond_the_limit_fails() {
        let limit = Some(MemoryLimit { limit: 32 << 20, used: 4 << 20 });
        assert_eq!(judge(limit, 28 << 20).verdict(), Verdict::Ok);
        let finding = judge(limit, (28 << 20) + 1);
        assert_eq!(finding.verdict(), Verdict::Fail);
        assert!(finding.remedies()[0].contains("--memory=64m"), "{finding:?}");
        assert_eq!(judge(None, u64::MAX).verdict(), Verdict::Ok);
        let unlimited = Some(MemoryLimit { limit: 9_223_372_036_854_771_712, used: 4 << 20 });
        assert_eq!(judge(unlimited, u64::MAX).verdict(), Verdict::Ok);
    }
}
