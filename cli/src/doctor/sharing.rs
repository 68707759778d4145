//! In which way the directory of rings is shared, or is not: decided from what the kernel tells from inside.

use std::fmt;
use std::path::Path;

use super::mountinfo::Mount;

/// The number of the first IPC namespace of a kernel, always the same.
const INITIAL_IPC: u64 = 0xEFFF_FFFF;
/// A tmpfs without `size=` has half of the memory, and a host's /dev/shm usually has that, too.
const HOST_SIZED_PERCENT: u64 = 45;

/// The way in which a directory is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Docker's own /dev/shm: private, or shareable and joined, which looks the same from inside.
    DockerShm,
    /// The host's own.
    Host,
    /// A RAM file system as large as a host's: the host's /dev/shm bound in, or a volume without `size=`.
    HostSized,
    /// A volume of RAM.
    TmpfsVolume,
    /// `--tmpfs` or `--mount type=tmpfs`: nobody else can have it.
    PrivateTmpfs,
    /// A volume that is a directory on disk.
    DiskVolume {
        /// The volume's name.
        name: String,
    },
    /// A directory on disk, bound in or simply there.
    DiskDirectory,
    /// A file system of another machine, or of a program.
    Remote,
    /// The container's own writable layer.
    ContainerLayer,
    /// There is no such directory.
    Absent,
}

impl Sharing {
    /// Whether every message is also a write to a disk.
    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self, Self::DiskVolume { .. } | Self::DiskDirectory)
    }
}

/// One word for each, for machines.
impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::DockerShm => "docker-shm",
            Self::Host => "host",
            Self::HostSized => "host-sized",
            Self::TmpfsVolume => "tmpfs-volume",
            Self::PrivateTmpfs => "private-tmpfs",
            Self::DiskVolume { .. } => "disk-volume",
            Self::DiskDirectory => "disk-directory",
            Self::Remote => "remote",
            Self::ContainerLayer => "container-layer",
            Self::Absent => "absent",
        })
    }
}

/// What it is decided from.
#[derive(Debug)]
pub(super) struct Signs<'a> {
    /// The mount that the directory is on.
    pub(super) mount: Option<&'a Mount>,
    /// Whether the root directory is a container's.
    pub(super) in_container: bool,
    /// Bytes of the directory's file system; 0: no limit.
    pub(super) total: u64,
    /// Bytes of memory the machine has.
    pub(super) memory: Option<u64>,
    /// The IPC namespace.
    pub(super) ipc: Option<u64>,
}

/// The way in which an existing directory is shared.
pub(super) fn decide(signs: &Signs<'_>) -> Sharing {
    let Some(mount) = signs.mount else { return Sharing::ContainerLayer };
    if mount.point == Path::new("/") && signs.in_container {
        return Sharing::ContainerLayer;
    }
    match mount.fs_type.as_str() {
        "tmpfs" | "ramfs" | "devtmpfs" => ram(mount, signs),
        fs_type if is_remote(fs_type) => Sharing::Remote,
        _ => match volume(&mount.root) {
            Some(name) => Sharing::DiskVolume { name },
            None => Sharing::DiskDirectory,
        },
    }
}

fn ram(mount: &Mount, signs: &Signs<'_>) -> Sharing {
    // Larger than 45 % of the memory, or without a limit.
    let host_sized = signs.total == 0
        || signs.memory.is_some_and(|memory| signs.total / HOST_SIZED_PERCENT >= memory / 100);
    if !signs.in_container {
        Sharing::Host
    } else if mount.source == "shm" {
        Sharing::DockerShm
    } else if mount.noexec && !mount.has_master {
        Sharing::PrivateTmpfs
    } else if host_sized && signs.ipc == Some(INITIAL_IPC) {
        Sharing::Host
    } else if host_sized {
        Sharing::HostSized
    } else {
        Sharing::TmpfsVolume
    }
}

/// The name in `/var/lib/docker/volumes/NAME/_data`, wherever the engine keeps its volumes.
fn volume(root: &Path) -> Option<String> {
    let mut parts = root.iter();
    parts.by_ref().find(|part| *part == "volumes")?;
    let name = parts.next()?.to_str()?;
    (parts.next()? == "_data").then(|| name.to_owned())
}

fn is_remote(fs_type: &str) -> bool {
    let known = ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "lustre", "glusterfs"];
    known.contains(&fs_type) || fs_type.starts_with("fuse")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::mountinfo::{Mount, of, parse};
    use super::{INITIAL_IPC, Sharing, Signs, decide};

    const GIB: u64 = 1 << 30;
    const OWN_IPC: u64 = 4_026_532_221;

    /// The last line is the directory's; every one was seen in a container of Docker 20.10 or 26.1.
    fn seen(line: &str, total: u64, ipc: u64) -> Sharing {
        let text = format!(
            "69 45 0:39 / / rw,nodev,noatime master:2 - overlay overlay rw,lowerdir=/x\n\
             71 69 0:42 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n{line}\n"
        );
        let mounts = parse(text.as_bytes());
        let mount = of(&mounts, Path::new("/dev/shm"));
        decide(&Signs { mount, in_container: true, total, memory: Some(24 * GIB), ipc: Some(ipc) })
    }

    #[test]
    fn docker_own() {
        let line = "85 71 0:46 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k";
        assert_eq!(seen(line, 64 << 20, OWN_IPC), Sharing::DockerShm);
        // --shm-size as large as a host's changes nothing.
        assert_eq!(seen(line, 20 * GIB, OWN_IPC), Sharing::DockerShm);
    }

    #[test]
    fn tmpfs_volume() {
        let line = "85 71 0:41 / /dev/shm rw,relatime master:3 - tmpfs tmpfs rw,size=262144k";
        assert_eq!(seen(line, 256 << 20, OWN_IPC), Sharing::TmpfsVolume);
        // A volume at /dev/shm wins over --ipc=host.
        assert_eq!(seen(line, 256 << 20, INITIAL_IPC), Sharing::TmpfsVolume);
        let noexec = "85 71 0:41 / /dev/shm rw,noexec,relatime master:3 - tmpfs tmpfs rw,size=262144k";
        assert_eq!(seen(noexec, 256 << 20, OWN_IPC), Sharing::TmpfsVolume);
    }

    #[test]
    fn host() {
        let line = "85 71 0:27 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24683656k";
        assert_eq!(seen(line, 24 * GIB, INITIAL_IPC), Sharing::Host);
        // Bound in, or a volume without size=: the same from inside.
        assert_eq!(seen(line, 24 * GIB, OWN_IPC), Sharing::HostSized);
        assert_eq!(seen(line, 12 * GIB, OWN_IPC), Sharing::HostSized);
        assert_eq!(seen(line, 0, OWN_IPC), Sharing::HostSized);
        let mounts = parse(line.as_bytes());
        let signs = Signs { mount: mounts.first(), in_container: false, total: 0, memory: None, ipc: None };
        assert_eq!(decide(&signs), Sharing::Host);
    }

    #[test]
    fn private_tmpfs() {
        let line = "85 71 0:51 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw";
        assert_eq!(seen(line, 12 * GIB, OWN_IPC), Sharing::PrivateTmpfs);
        assert_eq!(seen(line, 12 * GIB, INITIAL_IPC), Sharing::PrivateTmpfs);
    }

    #[test]
    fn disk() {
        let line =
            |root| format!("85 71 254:0 {root} /dev/shm rw,relatime master:1 - ext4 /dev/vda rw,discard");
        let volume = Sharing::DiskVolume { name: "cnt_v".to_owned() };
        assert_eq!(seen(&line("/var/lib/docker/volumes/cnt_v/_data"), 258 * GIB, OWN_IPC), volume);
        assert_eq!(seen(&line("/volumes/cnt_v/_data"), 258 * GIB, OWN_IPC), volume);
        for root in ["/srv/rings", "/srv/volumes/rings", "/volumes"] {
            assert_eq!(seen(&line(root), 258 * GIB, OWN_IPC), Sharing::DiskDirectory, "{root}");
        }
        assert!(volume.is_on_disk() && Sharing::DiskDirectory.is_on_disk() && !Sharing::Host.is_on_disk());
    }

    #[test]
    fn container_layer_and_remote() {
        let mounts = parse(b"69 45 0:39 / / rw master:2 - fuse.fuse-overlayfs fuse-overlayfs rw\n");
        let at_root = |in_container| {
            let mount = of(&mounts, Path::new("/rings"));
            decide(&Signs { mount, in_container, total: GIB, memory: None, ipc: None })
        };
        assert_eq!(at_root(true), Sharing::ContainerLayer);
        assert_eq!(at_root(false), Sharing::Remote);
        let line = "85 71 0:70 /rings /dev/shm rw,relatime - nfs4 server:/export rw,vers=4.2";
        assert_eq!(seen(line, GIB, OWN_IPC), Sharing::Remote);
        let no_mounts = Signs { mount: None, in_container: true, total: GIB, memory: None, ipc: None };
        assert_eq!(decide(&no_mounts), Sharing::ContainerLayer);
    }

    #[test]
    fn options_are_those_of_the_mount() {
        let mount: Vec<Mount> =
            parse(b"85 71 0:41 / /dev/shm ro,relatime master:3 - tmpfs tmpfs rw,size=1k\n");
        assert!(mount[0].read_only);
    }
}
