//! Records of the byte ring: an eight-byte header, the payload, padding to eight.
//!
//! A record never wraps: where one does not fit before the end of the area, a padding record fills the
//! rest and both are published by the same store, so no crash leaves one without the other.

use super::slots::Slots;
use crate::sync::Ordering::Relaxed;

/// Bytes of a record's header, and what every position is a multiple of.
pub(crate) const HEADER: u64 = 8;

const MESSAGE: u64 = 1 << 32;
const PADDING: u64 = 2 << 32;

/// Bytes that a message of `len` bytes takes up, header and padding included.
#[inline(always)]
pub(crate) const fn span(len: u64) -> u64 {
    HEADER + ((len + (HEADER - 1)) & !(HEADER - 1))
}

/// The largest message a ring of `capacity` bytes can always take, whatever its position: padding plus
/// record must fit an empty ring, so a record may take half of it.
pub(crate) const fn largest(capacity: u64) -> u64 {
    capacity / 2 - HEADER
}

/// Bytes to skip so that `need` bytes from `position` do not wrap.
#[inline(always)]
pub(crate) const fn skip(position: u64, need: u64, capacity: u64) -> u64 {
    let room = capacity - (position & (capacity - 1));
    if need > room { room } else { 0 }
}

/// Writes the header of a message of `len` bytes. Not yet visible: the publishing store makes it so.
#[inline(always)]
pub(crate) fn write_message(slots: &Slots, position: u64, len: u64) {
    slots.word(position).store(MESSAGE | len, Relaxed);
}

/// Writes a padding record of `bytes` bytes, header included.
#[inline(always)]
pub(crate) fn write_padding(slots: &Slots, position: u64, bytes: u64) {
    slots.word(position).store(PADDING | (bytes - HEADER), Relaxed);
}

/// What a reader finds at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A message of this many bytes.
    Message(u64),
    /// Padding: skip this many bytes, header included.
    Padding(u64),
    /// A header no producer writes, as read.
    Bad(u64),
}

/// Reads the header at `position`, of which `available` bytes from there on are published.
///
/// The word is read once and checked before use: what it says never leads outside the published bytes,
/// past the end of the area, or beyond `largest`.
#[inline(always)]
pub(crate) fn read(slots: &Slots, position: u64, available: u64, capacity: u64, largest: u64) -> Found {
    let header = slots.word(position).load(Relaxed);
    let len = header & 0xffff_ffff;
    let room = capacity - (position & (capacity - 1));
    let fits = span(len) <= available && span(len) <= room;
    match header >> 32 {
        1 if fits && len <= largest => Found::Message(len),
        2 if fits && HEADER + len == room => Found::Padding(room),
        _ => Found::Bad(header),
    }
}
