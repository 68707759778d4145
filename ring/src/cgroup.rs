//! What the control groups over this process allow it: memory and processor time.

use std::fs;
use std::path::{Path, PathBuf};

/// A control group's memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes allowed.
    pub limit: u64,
    /// Bytes in use that cannot be reclaimed.
    pub used: u64,
}

impl MemoryLimit {
    /// Bytes left.
    pub fn room(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// The tightest memory limit over this process, or `None` where there is none.
pub fn memory_limit() -> Option<MemoryLimit> {
    tightest_memory(&Groups::of_this_process("memory"))
}

/// Processors' worth of time this process may use, or `None` where there is no quota.
pub fn processors() -> Option<f64> {
    tightest_quota(&Groups::of_this_process("cpu"))
}

fn tightest_memory(groups: &Groups) -> Option<MemoryLimit> {
    let of = |group: &Group| {
        let (limit, used, cache) = if group.unified {
            ("memory.max", "memory.current", ["inactive_file", "active_file"])
        } else {
            let cache = ["total_inactive_file", "total_active_file"];
            ("memory.limit_in_bytes", "memory.usage_in_bytes", cache)
        };
        let limit = group.number(limit)?; // "max" is no number: no limit
        let used = group.number(used)?;
        let stat = group.text("memory.stat").unwrap_or_default();
        let cached: u64 = stat
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(name, _)| cache.contains(name))
            .filter_map(|(_, bytes)| bytes.trim().parse::<u64>().ok())
            .sum();
        Some(MemoryLimit { limit, used: used.saturating_sub(cached) })
    };
    groups.0.iter().filter_map(of).min_by_key(|found| found.room())
}

fn tightest_quota(groups: &Groups) -> Option<f64> {
    let of = |group: &Group| {
        let (quota, period) = if group.unified {
            let text = group.text("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?)
        } else {
            // -1 is no number of this type: no quota
            (group.number("cpu.cfs_quota_us")?, group.number("cpu.cfs_period_us")?)
        };
        (period > 0).then(|| quota as f64 / period as f64)
    };
    groups.0.iter().filter_map(of).min_by(f64::total_cmp)
}

/// The control groups over a process, for one controller, innermost first.
#[derive(Debug)]
struct Groups(Vec<Group>);

#[derive(Debug)]
struct Group {
    path: PathBuf,
    /// Whether it is of version 2 of control groups.
    unified: bool,
}

impl Groups {
    fn of_this_process(controller: &str) -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::find(Path::new("/sys/fs/cgroup"), &own, controller)
    }

    /// From where control groups are mounted, and the lines of /proc/self/cgroup. Inside a container the
    /// mount itself usually is the process's group, so it is one of those looked at.
    fn find(root: &Path, own: &str, controller: &str) -> Self {
        let hierarchies = own.lines().filter_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            if controllers.is_empty() {
                Some((root.to_owned(), path, true))
            } else if controllers.split(',').any(|name| name == controller) {
                Some((root.join(controller), path, false))
            } else {
                None
            }
        });
        let groups = hierarchies.flat_map(|(mount, path, unified)| {
            let leaf = mount.join(path.trim_start_matches('/'));
            let up = leaf.ancestors().take_while(|group| group.starts_with(&mount));
            up.map(|path| Group { path: path.to_owned(), unified }).collect::<Vec<_>>()
        });
        Self(groups.collect())
    }
}

impl Group {
    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path.join(file)).ok()
    }

    fn number(&self, file: &str) -> Option<u64> {
        self.text(file)?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of the test's own, removed at the end.
    struct Dir(PathBuf);

    impl Dir {
        fn new(tag: &str) -> Self {
            let path = std::env::temp_dir().join(format!("podring-cgroup-{tag}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a temporary directory");
            Self(path)
        }

        fn put(&self, file: &str, text: &str) {
            let path = self.0.join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a group");
            fs::write(path, text).expect("a control file");
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn memory(dir: &Dir, own: &str) -> Option<MemoryLimit> {
        tightest_memory(&Groups::find(&dir.0, own, "memory"))
    }

    #[test]
    fn quotas_of_both_versions_are_found() {
        let dir = Dir::new("quota");
        dir.put("cpu.max", "50000 100000\n");
        dir.put("cpu/cpu.cfs_quota_us", "150000\n");
        dir.put("cpu/cpu.cfs_period_us", "100000\n");
        let quota = |own: &str| tightest_quota(&Groups::find(&dir.0, own, "cpu"));
        assert_eq!(quota("0::/\n"), Some(0.5));
        assert_eq!(quota("3:cpu:/docker/0123\n"), Some(1.5));
        dir.put("cpu.max", "max 100000\n");
        dir.put("cpu/cpu.cfs_quota_us", "-1\n");
        assert_eq!(quota("3:cpu:/docker/0123\n0::/\n"), None);
    }

    #[test]
    fn unified_limit_of_the_container_is_found_at_the_mount() {
        let dir = Dir::new("v2");
        dir.put("memory.max", "1000\n");
        dir.put("memory.current", "700\n");
        dir.put("memory.stat", "anon 100\ninactive_file 150\nactive_file 50\n");
        assert_eq!(memory(&dir, "0::/\n"), Some(MemoryLimit { limit: 1000, used: 500 }));
    }

    #[test]
    fn tightest_of_nested_limits_counts() {
        let dir = Dir::new("nested");
        dir.put("a/memory.max", "1000");
        dir.put("a/memory.current", "900");
        dir.put("a/b/memory.max", "500");
        dir.put("a/b/memory.current", "10");
        assert_eq!(memory(&dir, "0::/a/b\n"), Some(MemoryLimit { limit: 1000, used: 900 }));
    }

    #[test]
    fn no_limit_is_none() {
        let dir = Dir::new("max");
        dir.put("memory.max", "max\n");
        dir.put("memory.current", "700\n");
        assert_eq!(memory(&dir, "0::/\n"), None);
    }

    #[test]
    fn legacy_limit_whose_path_is_not_mounted_is_found_at_the_mount() {
        let dir = Dir::new("v1");
        dir.put("memory/memory.limit_in_bytes", "33554432\n");
        dir.put("memory/memory.usage_in_bytes", "1000000\n");
        let own = "5:cpu,cpuacct:/docker/x\n4:memory:/docker/0123\n0::/\n";
        assert_eq!(memory(&dir, own), Some(MemoryLimit { limit: 33_554_432, used: 1_000_000 }));
    }
}
