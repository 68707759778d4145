//! A segment as bytes and words: where they lie is `docs/layout.md`.

use std::fs::File;
use std::path::Path;

use memmap2::{MmapOptions, MmapRaw};

/// Where payloads begin.
pub(crate) const DATA: usize = 24576;
const TAIL: usize = 4096;
const HEAD: usize = 4224;
const SPACE: usize = 4480;
const ITEMS: usize = 4352;
const WAITING: u64 = 1;
const FENCED: u64 = 2;
const SETTLED: u64 = 4;
const STREAM: usize = 4608;
const SEATS: usize = 8192;
const SEAT: usize = 256;
const MESSAGES: usize = 128;
const HANDED: usize = 208;

/// A mapping of a segment.
pub(crate) struct Window(MmapRaw);

/// The words that decide, as they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) tail: u64,
    pub(crate) head: u64,
    pub(crate) stream: u64,
    pub(crate) handed: u64,
    /// Messages counted by each seat.
    pub(crate) counted: [u64; 2],
    /// What each seat says of its holder.
    pub(crate) seats: [u64; 2],
}

impl Window {
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        Ok(Self(MmapOptions::new().map_raw(&file)?))
    }

    /// All of it. Nobody may change it meanwhile: they stand still, or are gone.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping lives as long as `self`, and the caller sees to it that nobody writes.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.0.len()) }
    }

    /// Makes it what `bytes` say; nobody may be attached.
    pub(crate) fn reset(&self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.0.len());
        // SAFETY: as long as the mapping, which nobody else looks at now.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_mut_ptr(), bytes.len()) };
    }

    fn word(&self, at: usize) -> u64 {
        assert!(at % 8 == 0 && at + 8 <= self.0.len());
        #[allow(clippy::cast_ptr_alignment)] // mappings are to pages, and `at` is a multiple of eight
        let word = self.0.as_ptr().wrapping_add(at).cast::<u64>();
        // SAFETY: inside the mapping and aligned. Volatile: a parked peer may write it.
        unsafe { word.read_volatile() }
    }

    pub(crate) fn glance(&self) -> Glance {
        let seat = |index: usize, field: usize| self.word(SEATS + index * SEAT + field);
        Glance {
            tail: self.word(TAIL),
            head: self.word(HEAD),
            stream: self.word(STREAM) & 0xffff_ffff,
            handed: seat(1, HANDED),
            counted: [seat(0, MESSAGES), seat(1, MESSAGES)],
            seats: [seat(0, 0) & 0xffff_ffff, seat(1, 0) & 0xffff_ffff],
        }
    }

    /// Whether a wait word says that everybody knows what it does not say.
    pub(crate) fn is_settled_too_soon(&self) -> bool {
        [ITEMS, SPACE].into_iter().any(|word| self.word(word) & (FENCED | SETTLED) == SETTLED)
    }

    /// Whether somebody has announced to wait for messages, or for space.
    pub(crate) fn somebody_waits(&self, for_messages: bool) -> bool {
        self.word(if for_messages { ITEMS } else { SPACE }) & WAITING != 0
    }
}
