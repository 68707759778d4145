//! /proc/self/mountinfo: what is mounted where, as this process sees it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The directory of the file system that is mounted.
    pub(super) root: PathBuf,
    /// Where.
    pub(super) point: PathBuf,
    /// Whether this mount alone is read-only.
    pub(super) read_only: bool,
    /// Whether it has the option `noexec`.
    pub(super) noexec: bool,
    /// Whether mounts propagate to it from another namespace.
    pub(super) has_master: bool,
    /// The file system's type.
    pub(super) fs_type: String,
    /// The device, or any word.
    pub(super) source: String,
    /// The options of the file system itself.
    pub(super) fs_options: Vec<String>,
}

impl Mount {
    /// The value of an option of the file system: `size` of `size=65536k`.
    pub(super) fn fs_option(&self, name: &str) -> Option<&str> {
        self.fs_options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Every line that can be read.
pub(super) fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|&byte| byte == b'\n').filter_map(line).collect()
}

/// The mount that a path is on. Of several at one place the last hides the others.
pub(super) fn of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/root rw,errors=continue`
fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let root = path(fields.nth(3)?);
    let point = path(fields.next()?);
    let options = text(fields.next()?);
    let has = |option: &str| options.split(',').any(|one| one == option);
    let (read_only, noexec) = (has("ro"), has("noexec"));
    let mut has_master = false;
    for tag in fields.by_ref() {
        match tag {
            b"-" => break,
            tag => has_master |= tag.starts_with(b"master:"),
        }
    }
    let fs_type = text(fields.next()?);
    let source = text(fields.next()?);
    let fs_options = text(fields.next().unwrap_or_default()).split(',').map(str::to_owned).collect();
    Some(Mount { root, point, read_only, noexec, has_master, fs_type, source, fs_options })
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(field)).into_owned()
}

fn path(field: &[u8]) -> PathBuf {
    OsString::from_vec(unescape(field)).into()
}

/// Blanks, tabs, newlines and backslashes are written as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal =
            after.get(..3).filter(|digits| byte == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        match octal {
            Some(digits) => {
                let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                plain.push(value as u8);
                rest = &after[3..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{of, parse};

    /// From a container of Docker 20.10 with a tmpfs volume, shortened.
    const CONTAINER: &[u8] = b"\
69 45 0:39 / / rw,nodev,noatime master:2 - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0,group_id=0,allow_other
71 69 0:42 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
85 71 0:46 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
86 69 254:0 /var/lib/docker/volumes/a\\040b/_data /data\\134x ro,relatime master:1 shared:7 - ext4 /dev/vda rw,discard
";

    #[test]
    fn every_field_is_read() {
        let mounts = parse(CONTAINER);
        assert_eq!(mounts.len(), 4);
        let shm = of(&mounts, Path::new("/dev/shm/ring")).expect("a mount");
        assert_eq!((shm.fs_type.as_str(), shm.source.as_str()), ("tmpfs", "shm"));
        assert_eq!((shm.fs_option("size"), shm.fs_option("mode")), (Some("65536k"), None));
        assert!(shm.noexec && !shm.read_only && !shm.has_master);
        let data = of(&mounts, Path::new("/data\\x")).expect("a mount");
        assert_eq!(data.root, Path::new("/var/lib/docker/volumes/a b/_data"));
        assert!(data.read_only && data.has_master && !data.noexec);
        // Only its own options count: the file system as a whole is read-write.
        assert_eq!(data.fs_options[0], "rw");
    }

    #[test]
    fn the_innermost_and_last_mount_counts() {
        let stacked =
            [CONTAINER, b"90 85 0:27 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24683656k\n"].concat();
        let mounts = parse(&stacked);
        assert_eq!(of(&mounts, Path::new("/dev/shm")).expect("a mount").source, "tmpfs");
        assert_eq!(of(&mounts, Path::new("/dev/shmx")).expect("a mount").point, Path::new("/dev"));
        assert_eq!(of(&mounts, Path::new("/rings")).expect("a mount").point, Path::new("/"));
        assert_eq!(of(&[], Path::new("/rings")), None);
    }

    #[test]
    fn lines_that_are_none_are_left_out() {
        assert_eq!(parse(b"\nnonsense\n1 2 3:4 / /x rw\n1 2 3:4 / /x rw -\n1 2 3:4 / /x rw - tmpfs\n"), []);
        let bare = parse(b"1 2 3:4 / /\\18 rw - tmpfs none");
        assert_eq!(bare[0].point, Path::new("/\\18"), "no three octal digits: as it stands");
    }
}
