//! Transparent huge pages for shared memory: fewer misses in a large ring.

use std::fs;

use super::super::finding::Finding;
use super::super::place::Place;

const CHECK: &str = "hugepages";

pub(super) fn check(place: &Place) -> Finding {
    let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled").unwrap_or_default();
    let mount = place.mount.as_ref().filter(|mount| mount.fs_type == "tmpfs");
    judge(selected(&enabled), mount.and_then(|mount| mount.fs_option("huge")))
}

/// The kernel's own choice concerns memory without a mount that programs see; a tmpfs has an option, unless the
/// kernel overrules it.
fn judge(kernel: Option<&str>, mount: Option<&str>) -> Finding {
    let finding = match (kernel, mount) {
        (None, _) => Finding::ok(CHECK, "this kernel has none for shared memory"),
        (Some("deny"), _) => Finding::ok(
            CHECK,
            "the kernel denies them for shared memory (shmem_enabled \
               is deny)",
        ),
        (Some("force"), _) => Finding::ok(
            CHECK,
            "the kernel forces them for shared memory (shmem_enabled \
               is force)",
        ),
        (_, Some(option)) => Finding::ok(
            CHECK,
            format!(
                "this file system has huge={option}; small rings \
                                                         take whole huge pages with always"
            ),
        ),
        (Some(_), None) => Finding::ok(CHECK, "not used here; they help rings of many MiB").remedy(
            "docker volume create --opt type=tmpfs --opt device=tmpfs --opt \
                     o=size=256m,mode=1777,huge=within_size rings",
        ),
    };
    finding.fact("shmem_enabled", kernel).fact("mount_huge", mount)
}

/// `always within_size advise [never] deny force`
fn selected(choices: &str) -> Option<&str> {
    choices.split_whitespace().find_map(|choice| choice.strip_prefix('[')?.strip_suffix(']'))
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Verdict;
    use super::{judge, selected};

    #[test]
    fn the_choice_is_in_brackets() {
        assert_eq!(selected("always within_size advise [never] deny force\n"), Some("never"));
        assert_eq!(selected(""), None);
        for kernel in [None, Some("never"), Some("deny"), Some("force")] {
            assert_eq!(judge(kernel, None).verdict(), Verdict::Ok);
            assert_eq!(judge(kernel, Some("always")).verdict(), Verdict::Ok);
        }
    }
}
