//! Memory for the bounds: a file that both sides map, and the only pointer arithmetic in it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use memmap2::{MmapOptions, MmapRaw};

use crate::board::Line;
use crate::transport::Spec;
use crate::{Error, Result};

/// Two lines and slots of one stride behind them.
#[derive(Debug)]
pub struct SharedFile {
    memory: MmapRaw,
    path: PathBuf,
    made: bool,
    stride: usize,
    mask: u64,
}

impl SharedFile {
    /// Makes the file, or maps one that was made.
    pub fn open(spec: &Spec, stride: usize, make: bool) -> Result<Self> {
        let path = spec.path();
        let doing = || format!("mapping {}", path.display());
        let slots = spec.slots();
        let length = 2 * size_of::<Line>() + slots * stride;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(make)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::os(doing(), e))?;
        if make {
            file.set_len(length as u64).map_err(|e| Error::os(doing(), e))?;
        }
        let memory =
            MmapOptions::new().len(length).populate().map_raw(&file).map_err(|e| Error::os(doing(), e))?;
        Ok(Self { memory, path, made: make, stride, mask: slots as u64 - 1 })
    }

    /// How many slots.
    pub fn slots(&self) -> u64 {
        self.mask + 1
    }

    /// The two lines.
    pub fn lines(&self) -> &[Line; 2] {
        let lines = self.memory.as_mut_ptr().cast::<std::ffi::c_void>().cast::<[Line; 2]>();
        // SAFETY: the mapping is page-aligned, longer than this, zeroed when made, and lines are atomic.
        unsafe { &*lines }
    }

    /// The slot of a ticket. The protocol says who may touch it.
    #[inline(always)]
    pub fn slot(&self, ticket: u64) -> *mut u8 {
        let at = 2 * size_of::<Line>() + (ticket & self.mask) as usize * self.stride;
        // SAFETY: a slot's number is masked, so that its place is inside the mapping.
        unsafe { self.memory.as_mut_ptr().add(at) }
    }
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        if self.made {
            // The directory is removed at the end of the run anyway.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
