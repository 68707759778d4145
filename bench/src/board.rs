//! A page that all sides of a run share: who is ready, when to go and when to stop, and what the others counted.
//!
//! It is a file in the directory of the run, so that a partner in another container can map it too.

use std::ffi::c_void;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};

use crate::{Error, Result};

/// How long one side waits for the others to come, or to answer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The most participants of a run.
pub const MOST: usize = 64;

/// A word on lines of its own: 256 bytes, since neighbours are fetched in pairs.
#[derive(Debug, Default)]
#[repr(C, align(256))]
pub struct Line(pub AtomicU64);

/// What is on the page.
#[derive(Debug)]
#[repr(C)]
pub struct Words {
    /// How many participants have opened their ends.
    ready: AtomicU32,
    /// 1 from the moment all are ready.
    go: AtomicU32,
    /// 1 when one has failed.
    failed: AtomicU32,
    /// 1 when writers shall end their stream. On a line that is only read until then.
    stop: Line,
    /// When message 0 of an open loop is due, in ticks.
    pub begin: Line,
    /// Questions and answers of the [clocks](crate::drive::oneway).
    pub clock: [Line; 2],
    /// The partner's time namespace.
    pub time_namespace: AtomicU64,
    /// Nanoseconds in which a participant could not run because something else had its CPU.
    pub waited_ns: AtomicU64,
    /// How often a reader that is not this process slept.
    pub parks: AtomicU64,
    /// What each participant counts.
    pub counts: [Line; MOST],
    /// What each participant adds up.
    pub sums: [Line; MOST],
    /// Lines for the [floor](crate::floor).
    pub lines: [Line; 8],
    /// Words to sleep on, for the same.
    pub doors: [Door; 2],
}

/// A futex word on lines of its own.
#[derive(Debug, Default)]
#[repr(C, align(256))]
pub struct Door(pub AtomicU32);

/// Bytes behind the words, for copies from one side to the other.
pub const BULK: usize = 1 << 20;

/// Length of the file.
const LENGTH: usize = size_of::<Words>() + BULK;

/// The page, mapped.
#[derive(Debug)]
pub struct Board {
    memory: MmapRaw,
    path: PathBuf,
    /// Whether the file is ours to remove.
    made: bool,
}

impl Board {
    /// Makes a page of zeros.
    pub fn make(path: PathBuf) -> Result<Self> {
        let doing = || format!("making {}", path.display());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::os(doing(), e))?;
        file.set_len(LENGTH as u64).map_err(|e| Error::os(doing(), e))?;
        let memory = MmapOptions::new().len(LENGTH).map_raw(&file);
        Ok(Self { memory: memory.map_err(|e| Error::os(doing(), e))?, path, made: true })
    }

    /// Maps the page that another process made.
    pub fn join(path: &Path) -> Result<Self> {
        let doing = || format!("opening {}", path.display());
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|e| Error::os(doing(), e))?;
        let length = file.metadata().map_err(|e| Error::os(doing(), e))?.len();
        if length != LENGTH as u64 {
            return Err(Error::Partner(format!(
                "{} has {length} bytes and not {}: both sides must be of one build",
                path.display(),
                LENGTH
            )));
        }
        let memory = MmapOptions::new().len(LENGTH).map_raw(&file);
        let memory = memory.map_err(|e| Error::os(doing(), e))?;
        Ok(Self { memory, path: path.to_owned(), made: false })
    }

    /// Where the page is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its words.
    pub fn words(&self) -> &Words {
        // By way of c_void: a mapping begins on a page, whatever the pointer's type says.
        let words = self.memory.as_mut_ptr().cast::<c_void>().cast::<Words>();
        // SAFETY: the mapping is page-aligned, longer than `Words`, zeroed when made (valid for atomics),
        // lives as long as `self`, and all that is in it is atomic.
        unsafe { &*words }
    }

    /// The bytes behind the words: whoever touches them agrees with the other side on who may.
    pub fn bulk(&self) -> *mut u8 {
        // SAFETY: the mapping is longer than the words.
        unsafe { self.memory.as_mut_ptr().add(size_of::<Words>()) }
    }

    /// One participant more is ready; returns when all are.
    pub fn arrive(&self) -> Result<()> {
        self.words().ready.fetch_add(1, Release);
        self.wait(|words| words.go.load(Acquire) == 1, "begin")
    }

    /// Waits until `count` participants are ready, but not for one that has failed.
    pub fn await_ready(&self, count: u32, mut still_runs: impl FnMut() -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.words().ready.load(Acquire) < count {
            still_runs()?;
            if Instant::now() > deadline {
                return Err(Error::Partner(format!("was not ready within {PATIENCE:?}")));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Lets all begin.
    pub fn go(&self) {
        self.words().go.store(1, Release);
    }

    /// Whether writers shall end.
    #[inline(always)]
    pub fn stopped(&self) -> bool {
        self.words().stop.0.load(Relaxed) != 0
    }

    /// Tells writers to end.
    pub fn stop(&self) {
        self.words().stop.0.store(1, Release);
    }

    /// Tells the others not to wait for this participant.
    pub fn fail(&self) {
        self.words().failed.store(1, Release);
        self.stop();
    }

    /// An error if one side has failed.
    pub fn check(&self) -> Result<()> {
        match self.words().failed.load(Acquire) {
            0 => Ok(()),
            _ => Err(Error::Abandoned),
        }
    }

    /// Waits until something is so, politely.
    pub fn wait(&self, is_so: impl Fn(&Words) -> bool, what: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self.words()) {
            self.check()?;
            if Instant::now() > deadline {
                return Err(Error::Partner(format!("did not {what} within {PATIENCE:?}")));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// A poll loop that notices the failure of another side.
    pub fn poll(&self) -> Poll<'_> {
        Poll { board: self, looks: 0 }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if self.made {
            // The directory is removed at the end of the run anyway.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// For transports that can only be polled: spins, and now and then looks whether there is anybody to wait for.
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    board: &'a Board,
    looks: u32,
}

impl Poll<'_> {
    /// Once more.
    #[inline(always)]
    pub fn again(&mut self) -> Result<()> {
        const LOOKS: u32 = 1 << 14;
        std::hint::spin_loop();
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(LOOKS) { self.long() } else { Ok(()) }
    }

    /// The other side does not run at present: let it, and do not wait for one that has failed.
    #[cold]
    #[inline(never)]
    fn long(&self) -> Result<()> {
        std::thread::yield_now();
        self.board.check()
    }
}
