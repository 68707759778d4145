//! Who is alive: one open-file-description lock per seat, on the descriptor that is mapped.
//!
//! The kernel drops such a lock when the process is gone and its mapping with it, in whatever PID namespace
//! it lived; a stopped or paused process keeps it. So a free lock proves that the last holder can write
//! nothing more.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::header::{LOCK_OFFSET, SEATS};

fn range(kind: libc::c_int, first: usize, count: usize) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: LOCK_OFFSET + first as i64,
        l_len: count as i64,
        l_pid: 0,
    }
}

fn set(file: &File, kind: libc::c_int, first: usize, count: usize) -> io::Result<bool> {
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&range(kind, first, count))) {
            Ok(_) => return Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => return Ok(false),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Takes a seat's lock. False: somebody alive has it.
pub(crate) fn take(file: &File, seat: usize) -> io::Result<bool> {
    set(file, libc::F_WRLCK, seat, 1)
}

/// Takes every seat at once. False: somebody alive has one.
pub(crate) fn take_all(file: &File) -> io::Result<bool> {
    set(file, libc::F_WRLCK, 0, SEATS)
}

/// Gives a seat's lock back.
pub(crate) fn give_back(file: &File, seat: usize) {
    // Failing leaves it to the kernel, which drops the lock with the descriptor and the mapping.
    let _ = set(file, libc::F_UNLCK, seat, 1);
}

/// Gives all seats' locks back.
pub(crate) fn give_back_all(file: &File) {
    let _ = set(file, libc::F_UNLCK, 0, SEATS);
}

/// Whether somebody else alive holds the seat. Works on a descriptor opened for reading, too.
pub(crate) fn is_held(file: &File, seat: usize) -> io::Result<bool> {
    any_held(file, seat, 1)
}

/// Whether somebody else alive holds any of `count` seats in a row: one call, however many they are.
pub(crate) fn any_held(file: &File, first: usize, count: usize) -> io::Result<bool> {
    loop {
        // Asking for a read lock: only a write lock is in its way, which takes permission to write.
        let mut probe = range(libc::F_RDLCK, first, count);
        match fcntl(file, FcntlArg::F_OFD_GETLK(&mut probe)) {
            Ok(_) => return Ok(probe.l_type != libc::F_UNLCK as libc::c_short),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
