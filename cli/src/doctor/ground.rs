//! The ground of the self-tests: a page of shared memory in the directory of rings, and a second process that
//! maps it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use memmap2::MmapRaw;
use nix::fcntl::posix_fallocate;
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::helper::Part;

const LEN: u64 = 4096;
/// Words that both processes use lie on lines of their own.
const APART: usize = 128;
/// The helper says here that it has begun.
pub(super) const BEGUN: usize = 0;
/// No test takes longer, whatever happens to either process.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what only shows by looking.
pub(super) const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// A page of shared memory.
#[derive(Debug)]
pub(super) struct Ground {
    file: File,
    map: MmapRaw,
    in_dir: bool,
}

impl Ground {
    /// A new one, all zeros: in the directory if it can be written, else in memory of its own, which the same
    /// kernel serves.
    pub(super) fn make(dir: Option<&Path>) -> io::Result<Self> {
        match dir.map(|dir| unnamed_file(dir, LEN)) {
            Some(Ok(file)) => Self::over(file, true),
            _ => {
                let file = File::from(memfd_create(c"podring-doctor", MFdFlags::MFD_CLOEXEC)?);
                posix_fallocate(&file, 0, LEN as i64)?;
                Self::over(file, false)
            }
        }
    }

    /// The one that another process made and gave to this one as its standard input.
    pub(super) fn inherited() -> io::Result<Self> {
        // Opened anew: an open file of its own, as a participant has.
        Self::over(OpenOptions::new().read(true).write(true).open("/proc/self/fd/0")?, true)
    }

    fn over(file: File, in_dir: bool) -> io::Result<Self> {
        if file.metadata()?.len() < LEN {
            return Err(io::Error::other("the file is shorter than the page that is to be mapped"));
        }
        let map = MmapRaw::map_raw(&file)?;
        Ok(Self { file, map, in_dir })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn word(&self, index: usize) -> &AtomicU32 {
        assert!(index < LEN as usize / APART, "a word of the page");
        let place = self.map.as_mut_ptr().wrapping_add(index * APART);
        // SAFETY: within the mapping by the assertion, aligned, and only ever used as an atomic by both
        // processes; the mapping lives as long as the reference.
        unsafe { AtomicU32::from_ptr(place.cast()) }
    }

    /// Where the test was made, for the report.
    pub(super) fn place(&self) -> &'static str {
        if self.in_dir { "" } else { " (in memory of its own: the directory cannot be written)" }
    }

    /// Starts another process that plays a part on this ground.
    pub(super) fn helper(&self, part: Part) -> io::Result<Helper> {
        let name = part.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let child = Command::new("/proc/self/exe")
            .args(["doctor", "--helper", &name])
            .stdin(Stdio::from(self.file.try_clone()?))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut helper = Helper(child);
        let deadline = Instant::now() + PATIENCE;
        while self.word(BEGUN).load(Ordering::Acquire) == 0 {
            if let Some(status) = helper.0.try_wait()? {
                return Err(io::Error::other(format!("the second process ended at once: {status}")));
            }
            if Instant::now() >= deadline {
                return Err(io::Error::other(format!(
                    "the second process did not begin within {PATIENCE:?}"
                )));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(helper)
    }
}

/// The second process; it does not outlive this.
#[derive(Debug)]
pub(super) struct Helper(Child);

impl Helper {
    /// Ends it as `docker kill` would.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }

    /// The exit status of one that ends by itself, within a time.
    pub(super) fn ended(&mut self) -> io::Result<Option<i32>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.kill();
    }
}

/// A file of the directory that has no name (or not for long), and all its bytes.
pub(super) fn unnamed_file(dir: &Path, len: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let file = match options.clone().custom_flags(libc::O_TMPFILE).open(dir) {
        Ok(file) => file,
        // Not every file system has unnamed ones.
        Err(_) => {
            let path = dir.join(format!(".podring-doctor-{}-{}", std::process::id(), unique()));
            let file = options.create_new(true).open(&path)?;
            std::fs::remove_file(&path)?;
            file
        }
    };
    posix_fallocate(&file, 0, len as i64)?;
    Ok(file)
}

/// Both sides may be process 1.
pub(super) fn unique() -> String {
    use std::hash::{BuildHasher, RandomState};
    // The standard library's only source of randomness: its keys are the kernel's.
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
