//! Time namespaces: in one, the monotonic clock is shifted against other containers'.

use std::fs;

use super::super::finding::Finding;

const CHECK: &str = "timens";

pub(super) fn check() -> Finding {
    let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    judge(seconds(&offsets, "monotonic"))
}

fn judge(offset_s: Option<i64>) -> Finding {
    let finding = match offset_s {
        None => Finding::ok(CHECK, "no time namespaces in this kernel"),
        Some(0) => Finding::ok(CHECK, "the monotonic clock is the host's"),
        Some(offset) => Finding::warn(
            CHECK,
            format!(
                "the monotonic clock is shifted by {offset} s: times taken here and in another \
                     container must not be subtracted; rings do not depend on it"
            ),
        )
        .remedy(
            "start both containers without a time namespace of their own (runc: no \"time\" among \
                 linux.namespaces)",
        ),
    };
    finding.fact("monotonic_offset_s", offset_s)
}

/// `monotonic           0         0`
fn seconds(offsets: &str, clock: &str) -> Option<i64> {
    offsets.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        (fields.next()? == clock).then(|| fields.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Verdict;
    use super::{judge, seconds};

    #[test]
    fn a_shifted_clock_is_a_warning() {
        let offsets = "monotonic      -86400         0\nboottime           0         0\n";
        assert_eq!(seconds(offsets, "monotonic"), Some(-86400));
        assert_eq!(seconds(offsets, "boottime"), Some(0));
        assert_eq!(seconds("", "monotonic"), None);
        assert_eq!(judge(Some(-86400)).verdict(), Verdict::Warn);
        assert_eq!(judge(Some(0)).verdict(), Verdict::Ok);
        assert_eq!(judge(None).verdict(), Verdict::Ok);
    }
}
