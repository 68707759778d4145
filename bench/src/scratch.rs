//! A directory for the rings of one program run, which is removed however the program ends.

use std::cell::Cell;
use std::fs::DirBuilder;
use std::io::{PipeWriter, Read, pipe};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, setsid};

use crate::{Error, Result};

/// A fresh directory, with a small process that removes it when this one has ended, even by SIGKILL.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    next: Cell<u64>,
    janitor: Pid,
    lifeline: Option<PipeWriter>,
}

impl Scratch {
    /// Makes a directory of a name of its own in `base`, readable by this user only.
    ///
    /// Call it while the program has one thread: it forks.
    pub fn new(base: &Path) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let dir = base.join(format!("podring-bench-{}-{now:x}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|e| Error::os(format!("making the directory {}", dir.display()), e))?;
        match hire(&dir) {
            Ok((janitor, lifeline)) => {
                Ok(Self { dir, next: Cell::new(0), janitor, lifeline: Some(lifeline) })
            }
            Err(error) => {
                // The error that matters is the first one.
                let _ = std::fs::remove_dir(&dir);
                Err(error)
            }
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A name that was not used before.
    pub fn name(&self, what: &str) -> String {
        let number = self.next.replace(self.next.get() + 1);
        format!("{what}-{number}")
    }

    /// A ring's name that was not used before; its file is removed when the guard is dropped.
    pub fn ring(&self, what: &str) -> Ring {
        let name = self.name(what);
        Ring { path: self.dir.join(&name), name, dir: self.dir.clone() }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The janitor does the same; what one finds gone, the other removed.
        let _ = std::fs::remove_dir_all(&self.dir);
        self.lifeline = None;
        let _ = waitpid(self.janitor, None);
    }
}

/// The name and place of one ring; its file goes when this is dropped.
#[derive(Debug)]
pub struct Ring {
    name: String,
    dir: PathBuf,
    path: PathBuf,
}

impl Ring {
    /// Options for this ring.
    pub fn options(&self) -> podring::Options {
        podring::spsc(self.name.as_str()).dir(&self.dir)
    }

    /// The same for a ring with many participants.
    pub fn many(&self) -> podring::Options<podring::Mpmc> {
        podring::mpmc(self.name.as_str()).dir(&self.dir)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Not there if it was never created; anything else is the directory's removal to report.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Forks the process that waits for the end of all processes of this run, which hold the pipe's other end.
fn hire(dir: &Path) -> Result<(Pid, PipeWriter)> {
    let (mut reader, writer) = pipe().map_err(|e| Error::os("pipe", e))?;
    // SAFETY: the program has one thread (see `Scratch::new`), so the child may allocate and lock.
    match unsafe { fork() }.map_err(|e| Error::os("fork", e))? {
        ForkResult::Parent { child } => Ok((child, writer)),
        ForkResult::Child => {
            drop(writer);
            // Ctrl-C goes to the foreground group: the janitor must outlive it.
            let _ = setsid();
            let _ = reader.read_to_end(&mut Vec::new());
            let _ = std::fs::remove_dir_all(dir);
            // SAFETY: ends the process at once; the parent's buffers and guards are the parent's.
            unsafe { libc::_exit(0) }
        }
    }
}
