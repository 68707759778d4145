//! A mapped segment: the only place where its bytes become references.
#![allow(unsafe_code)]

use std::fs::File;
use std::mem::ManuallyDrop;

use memmap2::{Advice, MmapOptions, MmapRaw};

use super::header::{CONTROL_OFFSET, DATA_OFFSET, IDENTITY_BYTES, Identity, Kind, SEATS, SEATS_OFFSET, Seat};
use super::object::{Access, Location, Opened};
use crate::algo::cursors::Cursors;
use crate::algo::mpmc::{Rows, Table};
use crate::algo::position;
use crate::algo::slots::Slots;
use crate::fork;
use crate::peer::Role;
use crate::stats::Stats;
use crate::sync::Fact64;
use crate::{Error, Result};

/// One participant's mapping of a segment, and the descriptor it was made from.
///
/// In a forked child there is neither: the kernel left the mapping out, the fork handler closed the
/// descriptor. So there, nothing is touched and nothing is given back.
#[derive(Debug)]
pub(crate) struct Region {
    map: ManuallyDrop<MmapRaw>,
    opened: ManuallyDrop<Opened>,
    base: *mut u8,
    generation: u32,
    identity: Identity,
    rows: Rows,
}

// SAFETY: the pointer is to a mapping that this value owns and that any thread may access; what is behind it
// is only accessed as atomics, or as data that the ring's protocol gives to one side at a time.
unsafe impl Send for Region {}
// SAFETY: as above; through a shared reference only atomics are reachable.
unsafe impl Sync for Region {}

impl Region {
    /// Maps an opened segment whose length is `identity.total_len()`, with every page present and writable, so that
    /// none is faulted in on anyone's fast path.
    pub(crate) fn map(at: &Location, opened: Opened, identity: Identity, access: Access) -> Result<Self> {
        let len = usize::try_from(identity.total_len()).map_err(|_| Error::OptionInvalid {
            ring: at.ring.clone(),
            option: "capacity",
            value: identity.capacity.to_string(),
            why: "it does not fit the address space".into(),
        })?;
        let mut options = MmapOptions::new();
        options.len(len);
        // A child forked before the advice would keep the mapping, and with it the file and its locks.
        let map = fork::not_meanwhile(|| {
            let map = match access {
                Access::Write => options.map_raw(&*opened.file),
                Access::Read => options.map_raw_read_only(&*opened.file),
            }
            .map_err(|error| at.os("mapping it", error))?;
            map.advise(Advice::DontFork).map_err(|error| at.os("keeping it from forked children", error))?;
            Ok(map)
        })?;
        let base = map.as_mut_ptr();
        if access == Access::Write && map.advise(Advice::PopulateWrite).is_err() {
            // Linux before 5.14.
            for page in (0..len).step_by(4096) {
                // SAFETY: inside the mapping, whose length is the file's; reading changes nothing.
                unsafe { base.wrapping_add(page).read_volatile() };
            }
        }
        let Identity { capacity, stride, .. } = identity;
        // SAFETY: decoding checked that the capacity is a power of two and that this many units of the
        // identity's stride end exactly at the mapping's end; the area is page-aligned.
        let slots = unsafe { Slots::new(base.wrapping_add(DATA_OFFSET), capacity) };
        Ok(Self {
            rows: Rows { slots, words: stride as usize / 8, capacity },
            map: ManuallyDrop::new(map),
            opened: ManuallyDrop::new(opened),
            base,
            generation: fork::generation(),
            identity,
        })
    }

    /// Writes the identity and, if there are slots, their words. Only for a segment that has no name yet; the rest of it
    /// is zero.
    pub(crate) fn initialise(&self) {
        let bytes = self.identity.encode();
        // SAFETY: the mapping is at least IDENTITY_BYTES long and, having no name, nobody else's.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base, IDENTITY_BYTES) };
        if self.identity.kind.is_mpmc() {
            (0..self.identity.capacity).for_each(|index| self.table().initialise(index));
        }
    }

    /// Whether this process is a forked child of the one that made this mapping.
    #[inline(always)]
    pub(crate) fn is_foreign(&self) -> bool {
        fork::generation() != self.generation
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn file(&self) -> &File {
        &self.opened.file
    }

    #[inline(always)]
    #[allow(clippy::cast_ptr_alignment)] // mappings are page-aligned, the offset is a page
    pub(crate) fn cursors(&self) -> &Cursors {
        // SAFETY: the control lines lie inside the mapping (its length was checked against the identity's, of
        // which they are a part), page-aligned plus 4096; any bytes are valid atomics.
        unsafe { &*self.base.wrapping_add(CONTROL_OFFSET).cast::<Cursors>() }
    }

    #[inline(always)]
    #[allow(clippy::cast_ptr_alignment)] // mappings are page-aligned, the offset is two pages
    pub(crate) fn seat(&self, index: usize) -> &Seat {
        debug_assert!(index < SEATS);
        // SAFETY: as for the control lines, and the remainder is below the number of seats.
        unsafe { &*self.base.wrapping_add(SEATS_OFFSET).cast::<Seat>().wrapping_add(index % SEATS) }
    }

    /// What a seat's holders have counted. Elements from one to one are counted by the positions alone.
    pub(crate) fn stats(&self, index: usize) -> Stats {
        let counted = Stats::of(&self.seat(index).counters);
        if self.identity.kind != Kind::Typed {
            return counted;
        }
        let Cursors { tail, head, .. } = self.cursors();
        let elements = position(if index == Role::Producer as usize { &tail.0 } else { &head.0 });
        Stats { messages: elements, bytes: elements.wrapping_mul(self.identity.stride), ..counted }
    }

    /// The slots of a ring that has many participants.
    #[inline(always)]
    pub(crate) fn table(&self) -> Table<'_> {
        Table { cursors: self.cursors(), rows: self.rows }
    }

    /// The length of the message in a slot of this region's table, in a ring of messages of any length.
    #[inline(always)]
    #[allow(clippy::cast_ptr_alignment)] // a slot begins at a multiple of its stride, which is one of eight
    pub(crate) fn slot_length(&self, table: &Table<'_>, ticket: u64) -> &Fact64 {
        debug_assert!(self.identity.kind == Kind::Mpmc);
        let slot = table.place(ticket);
        // SAFETY: a slot of this kind has at least 16 bytes (decoding checked the stride against the header), aligned
        // to eight; all-integer memory is a valid atomic.
        unsafe { &*slot.wrapping_add(8).cast::<Fact64>() }
    }

    /// The data area, for as long as this region lives.
    #[inline(always)]
    pub(crate) fn slots(&self) -> Slots {
        self.rows.slots
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if self.is_foreign() {
            return;
        }
        // SAFETY: dropped once, here, and not used afterwards.
        unsafe { ManuallyDrop::drop(&mut self.map) };
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.opened) };
    }
}
