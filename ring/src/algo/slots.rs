//! From an index to a place: the only pointer arithmetic in the algorithms.
#![allow(unsafe_code)]

use crate::sync::AtomicU64;

/// The data area: a power of two of units that indices wrap around in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots {
    base: *mut u8,
    mask: u64,
}

impl Slots {
    /// The area of `units` units at `base`.
    ///
    /// # Safety
    ///
    /// `units` is a power of two, and `base` points to `units` times the stride given to [`Slots::at`]
    /// bytes that stay mapped as long as this value is used, aligned for what is kept there.
    pub(crate) unsafe fn new(base: *mut u8, units: u64) -> Self {
        debug_assert!(units.is_power_of_two());
        Self { base, mask: units.wrapping_sub(1) }
    }

    /// Where the unit at `position` lives, units being `stride` bytes apart.
    #[inline(always)]
    pub(crate) fn at(&self, position: u64, stride: usize) -> *mut u8 {
        let index = (position & self.mask) as usize;
        // The mask keeps the index inside the area that `new` was promised.
        self.base.wrapping_add(index * stride)
    }

    /// The eight-byte word at byte `position`, which must be a multiple of eight (any other is rounded down).
    #[inline(always)]
    #[allow(clippy::cast_ptr_alignment)] // `new` was promised it, and the position is rounded
    pub(crate) fn word(&self, position: u64) -> &AtomicU64 {
        let place = self.at(position & !7, 1).cast::<AtomicU64>();
        // SAFETY: inside the area and aligned (`new`: base is aligned, the position was rounded to eight);
        // all-integer memory is a valid atomic, and headers are only ever accessed as atomics.
        unsafe { &*place }
    }

    /// The word at the beginning of the slot at `position`, slots being `words` words of eight bytes apart.
    #[inline(always)]
    #[allow(clippy::cast_ptr_alignment)] // `new` was promised it, and whole words keep it
    pub(crate) fn state(&self, position: u64, words: usize) -> &AtomicU64 {
        let place = self.at(position, words * 8).cast::<AtomicU64>();
        // SAFETY: inside the area and aligned (`new`: base is aligned, and slots are whole words); all-integer memory is
        // a valid atomic, and this word is only ever accessed as one.
        unsafe { &*place }
    }
}
