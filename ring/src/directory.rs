//! What the directory of rings looks like to this process: two containers that see different ones never meet.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statfs;

use crate::error::Size;

/// What the directory of rings looks like to this process. For display: it is looked up when a ring was not
/// found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its file system: `tmpfs`, `ext4`, or the number of a less common one.
    pub file_system: String,
    /// Bytes the file system has in all; 0 where it has no limit.
    pub total: u64,
    /// Bytes of it that are free.
    pub free: u64,
    /// The directory's permission bits.
    pub mode: u32,
    /// The directory's owner.
    pub uid: u32,
    /// Entries in it, where it can be listed.
    pub entries: Option<usize>,
}

impl Directory {
    /// `None` if it cannot be looked at.
    pub(crate) fn look(dir: &Path) -> Option<Self> {
        let meta = dir.metadata().ok()?;
        let system = statfs::statfs(dir).ok()?;
        let unit = u64::try_from(system.block_size()).ok()?;
        Some(Self {
            file_system: name(system.filesystem_type()),
            total: system.blocks() * unit,
            free: system.blocks_available() * unit,
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            entries: dir.read_dir().ok().map(Iterator::count),
        })
    }
}

fn name(kind: statfs::FsType) -> String {
    let known = [
        (statfs::TMPFS_MAGIC, "tmpfs"),
        (statfs::EXT4_SUPER_MAGIC, "ext4"),
        (statfs::XFS_SUPER_MAGIC, "xfs"),
        (statfs::BTRFS_SUPER_MAGIC, "btrfs"),
        (statfs::OVERLAYFS_SUPER_MAGIC, "overlay"),
        (statfs::FUSE_SUPER_MAGIC, "fuse"),
        (statfs::NFS_SUPER_MAGIC, "nfs"),
    ];
    match known.iter().find(|(magic, _)| *magic == kind) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("file system {:#x}", kind.0),
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file_system)?;
        if self.total > 0 {
            write!(f, " of {}, {} free", Size(self.total), Size(self.free))?;
        }
        write!(f, ", mode {:04o} of uid {}", self.mode, self.uid)?;
        match self.entries {
            Some(0) => write!(f, ", empty"),
            Some(1) => write!(f, ", 1 file"),
            Some(count) => write!(f, ", {count} files"),
            None => write!(f, ", not to be listed by this user"),
        }
    }
}
