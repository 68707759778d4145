//! The directory of rings as this process sees it: looked up once, judged by the checks.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, access, geteuid};

use super::mountinfo::{self, Mount};
use super::sharing::{self, Sharing, Signs};

/// The number of the first PID namespace of a kernel, always the same.
const INITIAL_PID: u64 = 0xEFFF_FFFC;

/// The directory of rings, and what this process is to it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) sharing: Sharing,
    /// The mount it is on.
    pub(super) mount: Option<Mount>,
    /// `None`: it is not there, or not to be looked at.
    pub(super) dir_facts: Option<DirFacts>,
    pub(super) in_container: bool,
    pub(super) uid: Uid,
    /// The IPC namespace.
    pub(super) ipc: Option<u64>,
    /// Bytes of swap space of the machine.
    pub(super) swap: Option<u64>,
}

/// What is to be said of a directory that is there.
#[derive(Debug)]
pub(super) struct DirFacts {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Tells file systems apart that have the same device number one after the other.
    pub(super) fsid: u64,
    /// Bytes of the file system; 0: no limit.
    pub(super) total: u64,
    /// Bytes of it that this user may take.
    pub(super) free: u64,
    /// Whether this process may make files in it.
    pub(super) writable: bool,
}

impl Place {
    pub(super) fn look(dir: &Path) -> Self {
        // Mounts are listed by their real path.
        let dir =
            fs::canonicalize(dir).or_else(|_| std::path::absolute(dir)).unwrap_or_else(|_| dir.to_owned());
        let mounts = mountinfo::parse(&fs::read("/proc/self/mountinfo").unwrap_or_default());
        let mount = mountinfo::of(&mounts, &dir).cloned();
        let in_container = in_container(&mounts);
        let ipc = namespace("ipc");
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = meminfo_bytes(&meminfo, "MemTotal");
        let dir_facts = DirFacts::look(&dir);
        let sharing = match &dir_facts {
            None => Sharing::Absent,
            Some(facts) => {
                let (mount, total) = (mount.as_ref(), facts.total);
                sharing::decide(&Signs { mount, in_container, total, memory, ipc })
            }
        };
        let swap = meminfo_bytes(&meminfo, "SwapTotal");
        Self { dir, sharing, mount, dir_facts, in_container, uid: geteuid(), ipc, swap }
    }

    /// The directory, if this process may make files in it.
    pub(super) fn writable_dir(&self) -> Option<&Path> {
        let writable = self.dir_facts.as_ref().is_some_and(|facts| facts.writable) && !self.is_read_only();
        writable.then_some(&self.dir)
    }

    /// Whether the mount refuses every write.
    pub(super) fn is_read_only(&self) -> bool {
        self.mount.as_ref().is_some_and(|mount| mount.read_only)
    }
}

impl DirFacts {
    fn look(dir: &Path) -> Option<Self> {
        let meta = dir.metadata().ok().filter(fs::Metadata::is_dir)?;
        let system = statvfs(dir).ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            fsid: system.filesystem_id(),
            total: system.blocks() * system.fragment_size(),
            free: system.blocks_available() * system.fragment_size(),
            writable: access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_ok(),
        })
    }
}

/// Whether the root directory is a container's. Only words and the meaning of "/" depend on it.
fn in_container(mounts: &[Mount]) -> bool {
    let layered = mountinfo::of(mounts, Path::new("/")).is_some_and(|root| root.fs_type.contains("overlay"));
    // Docker and Podman leave these, also in an image made from scratch; so has a machine made from an image.
    let marked = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
    layered || (marked && namespace("pid") != Some(INITIAL_PID))
}

/// The number of one of this process's namespaces.
pub(super) fn namespace(kind: &str) -> Option<u64> {
    let link = fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    namespace_number(link.to_str()?)
}

/// `ipc:[4026531839]`
fn namespace_number(link: &str) -> Option<u64> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

/// `MemTotal:       24683656 kB`
fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{meminfo_bytes, namespace_number};

    #[test]
    fn numbers_of_proc() {
        assert_eq!(namespace_number("ipc:[4026531839]"), Some(0xEFFF_FFFF));
        assert_eq!(namespace_number("ipc:4026531839"), None);
        let meminfo =
            "MemTotal:       24683656 kB\nMemFree:        20000000 kB\nSwapTotal:             0 kB\n";
        assert_eq!(meminfo_bytes(meminfo, "MemTotal"), Some(24_683_656 << 10));
        assert_eq!(meminfo_bytes(meminfo, "SwapTotal"), Some(0));
        assert_eq!(meminfo_bytes(meminfo, "Swap"), None);
    }
}
