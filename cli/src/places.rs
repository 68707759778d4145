//! Where to look for rings: the directories given, and those mounted here that may hold some.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::output::{Exit, Failure};

/// A directory to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    /// Not named by the user: whatever is no ring there is nobody's business, and so is its being closed to us.
    pub(crate) found: bool,
}

/// The directory of a command that knows only one.
pub(crate) fn only(dirs: &[PathBuf]) -> Result<&Path, Failure> {
    match dirs {
        [dir] => Ok(dir),
        _ => Err(Failure::usage("this command takes one --dir: a ring is in one directory")),
    }
}

/// The directories given, and with `all` every other that may hold rings.
pub(crate) fn resolve(dirs: &[PathBuf], all: bool) -> Result<Vec<Place>, Failure> {
    let mut places: Vec<Place> = dirs.iter().map(|dir| Place { dir: dir.clone(), found: false }).collect();
    if all {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| {
            let message = format!("--all needs /proc/self/mountinfo: {error}; name directories with --dir");
            Failure::new(Exit::Failure, "Os", message)
        })?;
        places.extend(candidates(&mounts).into_iter().map(|dir| Place { dir, found: true }));
    }
    // One directory may be reached by several names: it counts once, under the first.
    let mut seen = HashSet::new();
    places.retain(|place| match fs::metadata(&place.dir) {
        Ok(meta) => (meta.is_dir() || !place.found) && seen.insert((meta.dev(), meta.ino())),
        Err(_) => !place.found,
    });
    Ok(places)
}

/// Mount points whose files may be memory that containers share: RAM, and directories of a local disk that were
/// mounted from elsewhere, as Docker's volumes are.
fn candidates(mountinfo: &str) -> Vec<PathBuf> {
    mountinfo.lines().filter_map(candidate).collect()
}

/// `36 35 98:0 /root /mount/point options tag... - type source options`
fn candidate(line: &str) -> Option<PathBuf> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, unescape(fields.next()?));
    let kind = file_system.split(' ').next()?;
    let may_hold_rings = match kind {
        "tmpfs" | "ramfs" => true,
        "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "f2fs" | "zfs" | "overlay" => root != "/",
        // Network file systems have no memory in common and may hang; the rest is the kernel's.
        _ => false,
    };
    let system = ["/proc", "/sys"].iter().any(|it| point.starts_with(it)) || point == Path::new("/");
    (may_hold_rings && !system).then_some(point)
}

/// Blanks and backslashes are written as three octal digits.
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\')
            .then(|| text.get(at + 1..at + 4))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => (out.push(byte), at += 4).1,
            None => (out.push(bytes[at]), at += 1).1,
        }
    }
    std::ffi::OsString::from_vec(out).into()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{candidates, only, resolve, unescape};

    /// As Docker's containers see it; the volume "jobs" is a directory on disk.
    const MOUNTS: &str = "\
521 419 0:52 / / rw,relatime master:192 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
522 521 0:56 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
523 521 0:57 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
525 521 0:59 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
526 525 0:60 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
527 523 0:41 / /dev/shm rw,relatime master:3 - tmpfs tmpfs rw,size=262144k
528 521 254:0 /var/lib/docker/volumes/jobs/_data /my\\040jobs rw,relatime master:1 - ext4 /dev/vda rw
529 521 254:0 / /disk rw,relatime - ext4 /dev/vda rw
530 521 0:70 / /cloud rw,relatime - nfs4 host:/ rw
531 521 254:0 /etc/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw
broken
";

    #[test]
    fn ram_and_volumes_may_hold_rings() {
        let expected = ["/dev", "/dev/shm", "/my jobs", "/etc/hosts"].map(PathBuf::from);
        assert_eq!(candidates(MOUNTS), expected);
    }

    #[test]
    fn octal_digits_stand_for_blanks() {
        assert_eq!(unescape("/a\\040b\\134c"), Path::new("/a b\\c"));
        assert_eq!(unescape("/a\\04"), Path::new("/a\\04"));
    }

    #[test]
    fn a_directory_counts_once() {
        let given = ["/dev/shm", "/dev/../dev/shm", "/nonexistent"].map(PathBuf::from);
        let dirs: Vec<_> = resolve(&given, false).unwrap().into_iter().map(|place| place.dir).collect();
        assert_eq!(dirs, [Path::new("/dev/shm"), Path::new("/nonexistent")]);
        let places = resolve(&given[..1], true).unwrap();
        assert!(places.iter().filter(|place| place.dir == Path::new("/dev/shm")).count() == 1);
        assert!(places.iter().all(|place| place.dir.is_dir()));
    }

    #[test]
    fn a_ring_is_in_one_directory() {
        assert!(only(&["/a".into()]).is_ok());
        assert!(only(&["/a".into(), "/b".into()]).is_err());
    }
}
