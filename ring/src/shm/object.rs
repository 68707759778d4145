//! The file behind a ring: made complete before it has a name, opened with every check, removed.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, RenameFlags, renameat2};
use nix::libc;
use nix::unistd::{geteuid, linkat};

use super::header::{IDENTITY_BYTES, Identity, LAYOUT, Rejected};
use super::space;
use crate::directory::Directory;
use crate::{Error, Result};
use crate::{cgroup, fork};

/// Where rings live unless told otherwise: `shm_open` of any language finds them there.
pub const DEFAULT_DIR: &str = "/dev/shm";

/// The longest name, as the file system allows it.
const NAME_MAX: usize = 255;

/// A ring's name and where it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) ring: Arc<str>,
    pub(crate) dir: PathBuf,
}

impl Location {
    pub(crate) fn new(name: &str, dir: &Path) -> Result<Self> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        let invalid = |why| Err(Error::NameInvalid { name: name.to_owned(), why });
        if bare.is_empty() {
            return invalid("it is empty");
        }
        if bare.len() > NAME_MAX {
            return invalid("it is longer than 255 bytes");
        }
        if bare == "." || bare == ".." {
            return invalid("it is a directory");
        }
        if !bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return invalid("it has a character that is not allowed");
        }
        // The process may change its directory while the ring is open.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        Ok(Self { ring: bare.into(), dir })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(&*self.ring)
    }

    pub(crate) fn os(&self, doing: &'static str, source: impl Into<io::Error>) -> Error {
        Error::Os { ring: self.ring.clone(), doing, source: source.into() }
    }

    /// There is nothing of this name; what there is instead goes with it.
    pub(crate) fn not_found(&self, waited: Duration) -> Error {
        let seen = Directory::look(&self.dir).map(Box::new);
        Error::NotFound { ring: self.ring.clone(), dir: self.dir.clone(), seen, waited }
    }

    fn not_a_ring(&self, what: impl fmt::Display) -> Error {
        Error::NotARing { ring: self.ring.clone(), path: self.path(), what: what.to_string() }
    }

    /// The error of a refused open or create, with what can be found out about `path`.
    fn refused(&self, doing: &'static str, path: &Path, source: io::Error) -> Error {
        let ring = self.ring.clone();
        let path = path.to_owned();
        match Errno::from_raw(source.raw_os_error().unwrap_or(0)) {
            Errno::ENOENT | Errno::ENOTDIR if !self.dir.is_dir() => {
                Error::NoDirectory { ring, dir: self.dir.clone() }
            }
            Errno::EROFS => Error::ReadOnly { ring, path },
            Errno::EACCES | Errno::EPERM => {
                let there = path.symlink_metadata().ok();
                Error::Permission {
                    ring,
                    uid: geteuid().as_raw(),
                    owner: there.as_ref().map(MetadataExt::uid),
                    mode: there.as_ref().map(|meta| meta.mode() & 0o7777),
                    path,
                }
            }
            Errno::ELOOP => self.not_a_ring("it is a symbolic link"),
            Errno::EISDIR => self.not_a_ring("it is a directory"),
            Errno::ENXIO | Errno::ENODEV => self.not_a_ring("it is a socket, a pipe or a device"),
            _ => self.os(doing, source),
        }
    }
}

/// A file that will be a ring: open, allocated, and without its name.
#[derive(Debug)]
pub(crate) struct Unnamed {
    pub(crate) opened: Opened,
    pub(crate) passing: PassingName,
}

/// An open file that a forked child will not keep.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: ManuallyDrop<File>,
    registration: ManuallyDrop<fork::Registration>,
}

impl Drop for Opened {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // Between the two, the number may be another file's, or a child may keep the file open.
        fork::not_meanwhile(|| {
            // SAFETY: dropped once, here, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.registration) };
            // SAFETY: as above.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        });
    }
}

/// The name of an unfinished file where the file system has no unnamed ones; gone when dropped.
#[derive(Debug)]
pub(crate) struct PassingName(Option<PathBuf>);

impl Drop for PassingName {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Makes and allocates a file of `len` bytes in the location's directory.
pub(crate) fn prepare(at: &Location, len: u64, mode: u32) -> Result<Unnamed> {
    prepare_with(at, len, mode, |at| match open_unnamed(at) {
        // What file systems and kernels without unnamed files say.
        Err(error)
            if [libc::EOPNOTSUPP, libc::EISDIR, libc::EINVAL]
                .contains(&error.raw_os_error().unwrap_or(0)) =>
        {
            open_temporary(at)
        }
        other => other,
    })
}

fn prepare_with(
    at: &Location,
    len: u64,
    mode: u32,
    open: impl FnOnce(&Location) -> io::Result<Unnamed>,
) -> Result<Unnamed> {
    let unnamed = open(at).map_err(|error| at.refused("creating it", &at.dir, error))?;
    let file = &unnamed.opened.file;
    let (free, total) = space::file_system(file).map_err(|error| at.os("statfs", error))?;
    let no_space =
        |free| Error::NoSpace { ring: at.ring.clone(), dir: at.dir.clone(), needed: len, free, total };
    // Without a limit (tmpfs with size=0, ramfs) all figures are zero.
    if len > free && total > 0 {
        return Err(no_space(free));
    }
    if let Some(memory) = cgroup::memory_limit() {
        if len > memory.room() {
            return Err(Error::MemoryLimit {
                ring: at.ring.clone(),
                needed: len,
                limit: memory.limit,
                used: memory.used,
            });
        }
    }
    space::reserve(file, len).map_err(|error| match error.raw_os_error() {
        // Somebody else was faster.
        Some(libc::ENOSPC) => no_space(space::file_system(file).map_or(free, |(now, _)| now)),
        _ => at.os("reserving its memory", error),
    })?;
    // Not the mode given to open(2): the umask must not change what the user asked for.
    file.set_permissions(Permissions::from_mode(mode)).map_err(|error| at.os("setting its mode", error))?;
    Ok(unnamed)
}

fn open_unnamed(at: &Location) -> io::Result<Unnamed> {
    let opened = open_file(&at.dir, |options| options.write(true).mode(0o600).custom_flags(libc::O_TMPFILE))?;
    Ok(Unnamed { opened, passing: PassingName(None) })
}

fn open_temporary(at: &Location) -> io::Result<Unnamed> {
    let unique: String = random_id()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = at.dir.join(format!(".podring-{unique}"));
    let opened = open_file(&path, |options| options.write(true).create_new(true).mode(0o600))?;
    Ok(Unnamed { opened, passing: PassingName(Some(path)) })
}

/// Opens a file for reading and what `how` adds. The standard library closes it at exec.
fn open_file(path: &Path, how: impl Fn(&mut OpenOptions) -> &mut OpenOptions) -> io::Result<Opened> {
    let (file, registration) = fork::register(|| how(OpenOptions::new().read(true)).open(path))?;
    Ok(Opened { file: ManuallyDrop::new(file), registration: ManuallyDrop::new(registration) })
}

/// Gives a finished file its name, or fails with [`Error::Exists`] if that is taken.
pub(crate) fn publish(at: &Location, file: &File, passing: &mut PassingName) -> Result<()> {
    let path = at.path();
    let named = match &passing.0 {
        Some(temporary) => renameat2(AT_FDCWD, temporary, AT_FDCWD, &path, RenameFlags::RENAME_NOREPLACE),
        None => {
            let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
            match linkat(AT_FDCWD, &*unnamed, AT_FDCWD, &path, AtFlags::AT_SYMLINK_FOLLOW) {
                // No /proc here; the direct way wants a capability on older kernels.
                Err(Errno::ENOENT) => linkat(file, "", AT_FDCWD, &path, AtFlags::AT_EMPTY_PATH),
                other => other,
            }
        }
    };
    match named {
        Ok(()) => {
            passing.0 = None;
            Ok(())
        }
        Err(Errno::EEXIST) => Err(Error::Exists { ring: at.ring.clone(), path }),
        Err(errno) => Err(at.refused("giving it its name", &at.dir, errno.into())),
    }
}

/// What an existing ring is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To take part.
    Write,
    /// To watch.
    Read,
}

/// Opens an existing ring and checks everything its identity says. `None`: there is nothing of this name.
///
/// Never creates: with `O_CREAT`, `fs.protected_regular` refuses another user's file even to root.
pub(crate) fn open(at: &Location, access: Access) -> Result<Option<(Opened, Identity)>> {
    let path = at.path();
    // O_NONBLOCK: a pipe under the name must not make us wait for its other end.
    let opened = open_file(&path, |options| {
        options.write(access == Access::Write).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
    });
    let opened = match opened {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) && at.dir.is_dir() => return Ok(None),
        Err(error) => return Err(at.refused("opening it", &path, error)),
        Ok(opened) => opened,
    };
    check(at, opened).map(Some)
}

/// Opens a ring to watch it, by a link that leads to its file.
pub(crate) fn open_through(at: &Location, link: &Path) -> Result<(Opened, Identity)> {
    let opened = open_file(link, |options| options.custom_flags(libc::O_NONBLOCK));
    check(at, opened.map_err(|error| at.refused("opening it", link, error))?)
}

fn check(at: &Location, opened: Opened) -> Result<(Opened, Identity)> {
    let meta = opened.file.metadata().map_err(|error| at.os("stat", error))?;
    let identity = identify(at, &opened.file, &meta)?;
    Ok((opened, identity))
}

fn identify(at: &Location, file: &File, meta: &Metadata) -> Result<Identity> {
    let kind = meta.file_type();
    if kind.is_dir() {
        return Err(at.not_a_ring("it is a directory"));
    }
    if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || !kind.is_file() {
        return Err(at.not_a_ring("it is a pipe or a device"));
    }
    if meta.len() < IDENTITY_BYTES as u64 {
        return Err(at.not_a_ring(format_args!("its {} bytes are too few", meta.len())));
    }
    // One copy into private memory; the segment's own bytes are never looked at again.
    let mut bytes = [0; IDENTITY_BYTES];
    file.read_exact_at(&mut bytes, 0).map_err(|error| at.os("reading its identity", error))?;
    let identity = Identity::decode(&bytes).map_err(|rejected| match rejected {
        Rejected::NotARing(why) => at.not_a_ring(why),
        Rejected::Version(found) => Error::Version { ring: at.ring.clone(), found, expected: LAYOUT },
        Rejected::Field { field, value, expected } => {
            Error::Corrupt { ring: at.ring.clone(), field, value, expected }
        }
    })?;
    let truncated = |found| Error::Truncated { ring: at.ring.clone(), found, expected: identity.total_len() };
    if meta.len() != identity.total_len() {
        return Err(truncated(meta.len()));
    }
    // A hole would be filled by whoever touches it first, and may end in a SIGBUS.
    if meta.blocks() * 512 < meta.len() {
        return Err(truncated(meta.blocks() * 512));
    }
    Ok(identity)
}

/// Whether the file still is what its name leads to.
pub(crate) fn is_current(file: &File, path: &Path) -> io::Result<bool> {
    let mine = file.metadata()?;
    if mine.nlink() == 0 {
        return Ok(false);
    }
    match path.symlink_metadata() {
        Ok(there) => Ok(there.ino() == mine.ino() && there.dev() == mine.dev()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the name. False: there was none.
pub(crate) fn unlink(at: &Location) -> Result<bool> {
    let path = at.path();
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) && at.dir.is_dir() => Ok(false),
        Err(error) => Err(at.refused("removing it", &path, error)),
    }
}

/// Random bytes from the kernel.
pub(crate) fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(tag: &str) -> Self {
            let path = Path::new(DEFAULT_DIR).join(format!("podring-object-{tag}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a directory");
            Self(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn without_unnamed_files_a_passing_name_serves() {
        let dir = Dir::new("passing");
        let at = Location::new("ring", &dir.0).expect("a good name");
        let made = || prepare_with(&at, 8192, 0o640, open_temporary).expect("room");
        let mut first = made();
        let names = || std::fs::read_dir(&dir.0).expect("the directory").count();
        assert_eq!(names(), 1, "the passing name");
        publish(&at, &first.opened.file, &mut first.passing).expect("the name is free");
        assert_eq!(at.path().metadata().expect("the ring").mode() & 0o7777, 0o640);
        let mut second = made();
        let taken = publish(&at, &second.opened.file, &mut second.passing);
        assert!(matches!(taken, Err(Error::Exists { .. })), "{taken:?}");
        drop((first, second));
        assert_eq!(names(), 1, "only the ring is left");
    }

    #[test]
    fn names_are_letters_digits_and_a_few_marks() {
        let ok = |name: &str| Location::new(name, Path::new("/dev/shm")).is_ok();
        assert!(ok("orders") && ok("/orders") && ok("a.b_c-1") && ok(&"x".repeat(255)));
        for bad in ["", "/", ".", "..", "a/b", "//a", "a b", "\u{e4}", "a\0", &"x".repeat(256)] {
            let error = Location::new(bad, Path::new("/dev/shm")).expect_err(bad);
            assert!(matches!(error, Error::NameInvalid { .. }), "{bad:?}: {error}");
        }
    }
}
