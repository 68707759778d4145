//! Whether there is room, asked before the kernel is: on a full tmpfs the answer would be a SIGBUS at some
//! later store, over a memory limit the OOM killer.

use std::fs::File;
use std::io;

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
