//! Whether there is room, asked before the kernel is: on a full tmpfs the answer would be a SIGBUS at some
//! later store, over a memory limit the OOM killer.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::fstatvfs;

/// Bytes allocated by one call: a call that a signal interrupts starts anew and gives back what it had, so
/// a large one would never end under a steady storm of signals.
const CHUNK: u64 = 1 << 20;

/// Bytes free to this user, and in all, of the file system a file is on.
pub(crate) fn file_system(file: &File) -> io::Result<(u64, u64)> {
    let stat = fstatvfs(file)?;
    let unit = stat.fragment_size();
    Ok((stat.blocks_available() * unit, stat.blocks() * unit))
}

/// Allocates every byte of a file, and its length with it.
pub(crate) fn reserve(file: &File, len: u64) -> io::Result<()> {
    let mut done = 0;
    while done < len {
        let step = CHUNK.min(len - done);
        match posix_fallocate(file, done as i64, step as i64) {
            Ok(()) => done += step,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// A memory limit: bytes allowed, and bytes in use that cannot be reclaimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

impl MemoryLimit {
    fn room(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// The tightest memory limit over this process, or `None` where there is none.
pub(crate) fn memory_limit() -> Option<MemoryLimit> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    tightest(Path::new("/sys/fs/cgroup"), &own)
}

/// As [`memory_limit`], for the control groups mounted at `root` and the lines of /proc/self/cgroup. In a
/// container the mount itself usually is the process's group, so `root` is looked at, too.
fn tightest(root: &Path, own: &str) -> Option<MemoryLimit> {
    let unified =
        Files { limit: "memory.max", used: "memory.current", cache: ["inactive_file", "active_file"] };
    let legacy = Files {
        limit: "memory.limit_in_bytes",
        used: "memory.usage_in_bytes",
        cache: ["total_inactive_file", "total_active_file"],
    };
    own.lines()
        .filter_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            if controllers.is_empty() {
                Some((root.to_owned(), path, &unified))
            } else if controllers.split(',').any(|controller| controller == "memory") {
                Some((root.join("memory"), path, &legacy))
            } else {
                None
            }
        })
        .flat_map(|(mount, path, files)| {
            let leaf: PathBuf = mount.join(path.trim_start_matches('/'));
            let groups: Vec<PathBuf> =
                leaf.ancestors().take_while(|group| group.starts_with(&mount)).map(Path::to_owned).collect();
            groups.into_iter().filter_map(|group| files.read(&group)).collect::<Vec<_>>()
        })
        .min_by_key(|found| found.room())
}

/// What a control group's files are called.
struct Files {
    limit: &'static str,
    used: &'static str,
    cache: [&'static str; 2],
}

impl Files {
    fn read(&self, group: &Path) -> Option<MemoryLimit> {
        let number = |name: &str| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
        let limit = number(self.limit)?; // "max" is no number: no limit
        let used = number(self.used)?;
        let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
        let cached: u64 = stat
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(name, _)| self.cache.contains(name))
            .filter_map(|(_, bytes)| bytes.trim().parse::<u64>().ok())
            .sum();
        Some(MemoryLimit { limit, used: used.saturating_sub(cached) })
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

    #[test]
    fn unified_limit_of_the_container_is_found_at_the_mount() {
        let dir = Dir::new("v2");
        dir.put("memory.max", "1000\n");
        dir.put("memory.current", "700\n");
        dir.put("memory.stat", "anon 100\ninactive_file 150\nactive_file 50\n");
        assert_eq!(tightest(&dir.0, "0::/\n"), Some(MemoryLimit { limit: 1000, used: 500 }));
    }

    #[test]
    fn tightest_of_nested_limits_counts() {
        let dir = Dir::new("nested");
        dir.put("a/memory.max", "1000");
        dir.put("a/memory.current", "900");
        dir.put("a/b/memory.max", "500");
        dir.put("a/b/memory.current", "10");
        assert_eq!(tightest(&dir.0, "0::/a/b\n"), Some(MemoryLimit { limit: 1000, used: 900 }));
    }

    #[test]
    fn no_limit_is_none() {
        let dir = Dir::new("max");
        dir.put("memory.max", "max\n");
        dir.put("memory.current", "700\n");
        assert_eq!(tightest(&dir.0, "0::/\n"), None);
    }

    #[test]
    fn legacy_limit_whose_path_is_not_mounted_is_found_at_the_mount() {
        let dir = Dir::new("v1");
        dir.put("memory/memory.limit_in_bytes", "33554432\n");
        dir.put("memory/memory.usage_in_bytes", "1000000\n");
        let own = "5:cpu,cpuacct:/docker/x\n4:memory:/docker/0123\n0::/\n";
        assert_eq!(tightest(&dir.0, own), Some(MemoryLimit { limit: 33_554_432, used: 1_000_000 }));
    }
}
