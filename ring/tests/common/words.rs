//! A file mapped as atomic words: a board for facts that must survive a kill, or a second view of a segment.

use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

pub(crate) struct Words(MmapRaw);

impl Words {
    /// A new file of so many words, all zero.
    pub(crate) fn make(path: &Path, count: usize) -> Self {
        std::fs::write(path, vec![0; count * 8]).expect("a file for the words");
        Self::map(path)
    }

    /// An existing file.
    pub(crate) fn map(path: &Path) -> Self {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("a file of words");
        Self(MmapOptions::new().map_raw(&file).expect("its mapping"))
    }

    /// The word at a byte offset, a multiple of eight.
    pub(crate) fn at(&self, offset: usize) -> &AtomicU64 {
        assert!(offset % 8 == 0 && offset + 8 <= self.0.len());
        // SAFETY: inside the mapping, which lives as long as `self`, and aligned (mappings are to pages);
        // other processes access it as atomics, or expect to be disturbed.
        #[allow(clippy::cast_ptr_alignment)]
        unsafe {
            &*self.0.as_mut_ptr().wrapping_add(offset).cast::<AtomicU64>()
        }
    }

    /// The half word at a byte offset, a multiple of four.
    pub(crate) fn half_at(&self, offset: usize) -> &AtomicU32 {
        assert!(offset % 4 == 0 && offset + 4 <= self.0.len());
        // SAFETY: as in `at`.
        #[allow(clippy::cast_ptr_alignment)]
        unsafe {
            &*self.0.as_mut_ptr().wrapping_add(offset).cast::<AtomicU32>()
        }
    }

    /// Word number `index`.
    pub(crate) fn get(&self, index: usize) -> u64 {
        self.at(index * 8).load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, index: usize, value: u64) {
        self.at(index * 8).store(value, Ordering::SeqCst);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
