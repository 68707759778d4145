//! A limit on this process's CPU time, for as long as something is measured under it: a control group of our own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Microseconds in which the limit holds: what container engines use.
const PERIOD: u64 = 100_000;

/// While it lives, this process and those it forks have so much CPU time in all.
#[derive(Debug)]
pub struct Quota {
    group: PathBuf,
    /// Where the process came from.
    former: PathBuf,
}

impl Quota {
    /// Makes a group for `cpus` and joins it. It needs the right to do so: root, and a cgroup tree that can be written.
    pub fn enter(cpus: f64) -> Result<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|e| Error::os("/proc/self/cgroup", e))?;
        let (root, path, unified) = hierarchy(&own)
            .ok_or_else(|| Error::Usage("no control groups for CPU time are mounted here".to_owned()))?;
        // Beside all others and not below our own: a group of version 2 with processes in it cannot have limits below.
        let group = root.join(format!("podring-bench-{}", std::process::id()));
        fs::create_dir(&group).map_err(|e| Error::os(format!("making {}", group.display()), e))?;
        let quota = Self { group, former: root.join(path.trim_start_matches('/')) };
        let limit = (cpus * PERIOD as f64) as u64;
        if unified {
            write(&quota.group.join("cpu.max"), &format!("{limit} {PERIOD}"))?;
        } else {
            write(&quota.group.join("cpu.cfs_period_us"), &PERIOD.to_string())?;
            write(&quota.group.join("cpu.cfs_quota_us"), &limit.to_string())?;
        }
        move_to(&quota.group)?;
        Ok(quota)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        if let Err(error) = move_to(&self.former) {
            eprintln!("podring-bench: still under a CPU limit: {error}");
        }
        // Empty now; if not, it is no more than a name that is left.
        let _ = fs::remove_dir(&self.group);
    }
}

fn move_to(group: &Path) -> Result<()> {
    write(&group.join("cgroup.procs"), &std::process::id().to_string())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).map_err(|e| Error::os(format!("writing {}", file.display()), e))
}

/// Where the groups that limit CPU time are mounted, the one of this process, and whether they are of version 2.
fn hierarchy(own: &str) -> Option<(PathBuf, &str, bool)> {
    let root = Path::new("/sys/fs/cgroup");
    let lines = || own.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let legacy = lines().find(|(controllers, _)| controllers.split(',').any(|name| name == "cpu"));
    match legacy {
        Some((controllers, path)) => Some((root.join(controllers), path, false)),
        None => lines()
            .find(|(controllers, _)| controllers.is_empty())
            .map(|(_, path)| (root.to_owned(), path, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_told_apart() {
        let found =
            |own| hierarchy(own).map(|(root, path, unified)| (root.display().to_string(), path, unified));
        assert_eq!(found("0::/a/b\n"), Some(("/sys/fs/cgroup".to_owned(), "/a/b", true)));
        assert_eq!(
            found("4:cpu,cpuacct:/x\n3:cpuset:/\n0::/\n"),
            Some(("/sys/fs/cgroup/cpu,cpuacct".to_owned(), "/x", false))
        );
        assert_eq!(found("3:cpuset:/\n"), None);
    }
}
