//! The layout of a segment: every offset and size, in one place (`docs/layout.md` is its description).
//!
//! ```text
//!      0  identity   4096   written once, before the ring has a name
//!   4096  control    4096   positions and wait words, each on a 128-byte line
//!   8192  seats     16384   64 entries of 256 bytes
//!  24576  data              capacity x stride bytes
//! ```

use std::mem::{align_of, offset_of, size_of};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::algo::cursors::{Cursors, Line};
use crate::algo::repair::Orphan;
use crate::spin::processor;
use crate::sync::{Fact32, Fact64};

#[cfg(not(all(target_endian = "little", target_pointer_width = "64")))]
compile_error!("the segment is little-endian and positions are 64-bit words: podring needs such a target");

/// The first eight bytes of a ring.
pub(crate) const MAGIC: [u8; 8] = *b"PODRING\0";
/// The layout this version writes, and the only one it opens.
pub(crate) const LAYOUT: u32 = 1;
/// Bytes of the identity that are in use; the checksum is the last eight.
pub(crate) const IDENTITY_BYTES: usize = 512;
/// Where the control lines begin.
pub(crate) const CONTROL_OFFSET: usize = 4096;
/// Where the seats begin.
pub(crate) const SEATS_OFFSET: usize = 8192;
/// How many there are.
pub(crate) const SEATS: usize = 64;
/// Where the data begins.
pub(crate) const DATA_OFFSET: usize = SEATS_OFFSET + SEATS * size_of::<Seat>();
/// File offset of the byte whose lock is seat 0: far beyond any data.
pub(crate) const LOCK_OFFSET: i64 = 1 << 40;

const _: () = {
    assert!(size_of::<Line<u64>>() == 128 && align_of::<Line<u64>>() == 128);
    assert!(offset_of!(Cursors, tail) == 0);
    assert!(offset_of!(Cursors, head) == 128);
    assert!(offset_of!(Cursors, items) == 256);
    assert!(offset_of!(Cursors, space) == 384);
    assert!(offset_of!(Cursors, stream) == 512);
    assert!(offset_of!(Cursors, openers) == 640);
    assert!(offset_of!(Cursors, returns) == 768);
    assert!(size_of::<Cursors>() == 896 && CONTROL_OFFSET + size_of::<Cursors>() <= SEATS_OFFSET);
    assert!(offset_of!(Seat, state) == 0);
    assert!(offset_of!(Seat, role) == 4);
    assert!(offset_of!(Seat, pid) == 8);
    assert!(offset_of!(Seat, processor) == 12);
    assert!(offset_of!(Seat, since_ns) == 16);
    assert!(offset_of!(Seat, program) == 24);
    assert!(offset_of!(Seat, host) == 56);
    assert!(offset_of!(Seat, counters) == 128);
    assert!(size_of::<Counters>() == 128);
    assert!(offset_of!(Counters, handed) == 80);
    assert!(offset_of!(Counters, dropped) == 88 && offset_of!(Counters, repairs) == 96);
    assert!(size_of::<Seat>() == 256 && align_of::<Seat>() == 128);
    assert!(DATA_OFFSET == 24576 && DATA_OFFSET % 4096 == 0);
};

/// What a ring holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages of any length, in a ring of bytes.
    Bytes,
    /// Elements of one fixed-size type, without headers.
    Typed,
    /// Messages of any length up to a largest one, in slots, for many producers and many consumers.
    Mpmc,
    /// Elements of one fixed-size type in slots, for many producers and many consumers.
    TypedMpmc,
}

impl Kind {
    fn code(self) -> u32 {
        match self {
            Self::Bytes => 1,
            Self::Typed => 2,
            Self::Mpmc => 3,
            Self::TypedMpmc => 4,
        }
    }

    /// Whether it holds elements of one type.
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Typed | Self::TypedMpmc)
    }

    /// Whether many producers and many consumers may take part.
    pub fn is_mpmc(self) -> bool {
        matches!(self, Self::Mpmc | Self::TypedMpmc)
    }

    /// How many may take part.
    pub(crate) fn seats(self) -> usize {
        if self.is_mpmc() { SEATS } else { 2 }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Typed => "typed",
            Self::Mpmc => "mpmc",
            Self::TypedMpmc => "typed-mpmc",
        })
    }
}

/// What never changes after creation. Read once, checked, and kept in private memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) kind: Kind,
    /// Units the ring holds, a power of two: bytes, elements in a typed ring, slots if there are many participants.
    pub(crate) capacity: u64,
    /// Bytes from one unit to the next: 1, the element's size, or that of a slot.
    pub(crate) stride: u64,
    /// The largest message in bytes.
    pub(crate) largest: u64,
    pub(crate) element: Element,
    /// Slots: what becomes of a message whose reader died.
    pub(crate) orphan: Orphan,
    pub(crate) created_ns: u64,
    pub(crate) creator_uid: u32,
    pub(crate) creator_pid: u32,
    pub(crate) creator_program: String,
    pub(crate) creator_host: String,
    /// Random, so that a re-created ring is known to be another one.
    pub(crate) id: [u8; 16],
}

/// The type of a typed ring's elements; empty in a ring of bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name as both sides state it.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its alignment in bytes.
    pub align: u64,
}

/// Why bytes are not an identity.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    NotARing(&'static str),
    Version(u32),
    Field { field: &'static str, value: u64, expected: u64 },
}

/// Bytes of a slot before a message of any length: the slot's word, the length (u32), and four that are zero.
pub(crate) const SLOT_HEADER: u64 = 16;
/// Bytes of a slot before an element, at least: the slot's word.
const SLOT_WORD: u64 = 8;

/// Bytes of a slot before its payload.
fn slot_header(kind: Kind, element: &Element) -> u64 {
    if kind == Kind::Mpmc { SLOT_HEADER } else { element_header(element.align) }
}

/// Bytes of a slot before its element.
pub(crate) const fn element_header(align: u64) -> u64 {
    if align > SLOT_WORD { align } else { SLOT_WORD }
}

/// Bytes from slot to slot: no more than a slot needs. Slots that each begin on a line of their own were not faster
/// anywhere (docs/performance.md), and take up to twice the memory.
pub(crate) fn slot_stride(kind: Kind, largest: u64, element: &Element) -> Option<u64> {
    let used = slot_header(kind, element).checked_add(largest.checked_next_multiple_of(8)?)?;
    used.checked_next_multiple_of(element.align.max(8))
}

const PROGRAM_BYTES: usize = 32;
const HOST_BYTES: usize = 64;
/// Bytes of an element type's name.
pub(crate) const NAME_BYTES: usize = 64;

impl Identity {
    /// Bytes of the whole segment.
    pub(crate) fn total_len(&self) -> u64 {
        DATA_OFFSET as u64 + self.capacity * self.stride
    }

    /// Bytes of the data area.
    pub(crate) fn data_len(&self) -> u64 {
        self.capacity * self.stride
    }

    pub(crate) fn created(&self) -> SystemTime {
        from_ns(self.created_ns)
    }

    /// As the segment holds it.
    pub(crate) fn encode(&self) -> [u8; IDENTITY_BYTES] {
        let mut bytes = [0; IDENTITY_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(8, &LAYOUT.to_le_bytes());
        put(12, &self.kind.code().to_le_bytes());
        put(16, &self.total_len().to_le_bytes());
        put(24, &(DATA_OFFSET as u64).to_le_bytes());
        put(32, &self.capacity.to_le_bytes());
        put(40, &self.stride.to_le_bytes());
        put(48, &self.largest.to_le_bytes());
        put(56, &fnv1a(self.element.name.as_bytes()).to_le_bytes());
        put(64, &self.element.size.to_le_bytes());
        put(72, &self.element.align.to_le_bytes());
        put(80, &self.created_ns.to_le_bytes());
        put(88, &self.creator_uid.to_le_bytes());
        put(92, &self.creator_pid.to_le_bytes());
        put(96, &self.id);
        put(112, clip(&self.creator_program, PROGRAM_BYTES));
        put(144, clip(&self.creator_host, HOST_BYTES));
        put(208, clip(&self.element.name, NAME_BYTES));
        put(272, &u32::from(self.orphan == Orphan::Drop).to_le_bytes());
        let checksum = fnv1a(&bytes[..IDENTITY_BYTES - 8]);
        bytes[IDENTITY_BYTES - 8..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Checks every field of a private copy.
    pub(crate) fn decode(bytes: &[u8; IDENTITY_BYTES]) -> Result<Self, Rejected> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let text_at = |at: usize, len: usize| text(&bytes[at..at + len]);
        if bytes[..8] != MAGIC {
            return Err(Rejected::NotARing("it does not begin with podring's mark"));
        }
        if u32_at(8) != LAYOUT {
            return Err(Rejected::Version(u32_at(8)));
        }
        let reject = |field, value, expected| Err(Rejected::Field { field, value, expected });
        let checksum = fnv1a(&bytes[..IDENTITY_BYTES - 8]);
        if u64_at(IDENTITY_BYTES - 8) != checksum {
            return reject("identity checksum", u64_at(IDENTITY_BYTES - 8), checksum);
        }
        let kind = match u32_at(12) {
            1 => Kind::Bytes,
            2 => Kind::Typed,
            3 => Kind::Mpmc,
            4 => Kind::TypedMpmc,
            other => return reject("kind", other.into(), Kind::Bytes.code().into()),
        };
        let (total, data, capacity, stride) = (u64_at(16), u64_at(24), u64_at(32), u64_at(40));
        let element = Element { name: text_at(208, NAME_BYTES), size: u64_at(64), align: u64_at(72) };
        if data != DATA_OFFSET as u64 {
            return reject("data offset", data, DATA_OFFSET as u64);
        }
        let least = match kind {
            Kind::Bytes => MIN_CAPACITY,
            Kind::Typed => 1,
            Kind::Mpmc | Kind::TypedMpmc => MIN_SLOTS,
        };
        if !capacity.is_power_of_two() || capacity < least {
            return reject("capacity", capacity, least);
        }
        let align_fits = element.align.is_power_of_two() && element.align <= 4096;
        if kind.is_typed() && !align_fits {
            return reject("element alignment", element.align, 4096);
        }
        let largest = u64_at(48);
        let stride_expected = match kind {
            Kind::Bytes => 1,
            Kind::Typed => element.size,
            Kind::Mpmc | Kind::TypedMpmc => slot_stride(kind, largest, &element).unwrap_or(0),
        };
        if stride == 0 || stride != stride_expected {
            return reject("stride", stride, stride_expected);
        }
        if kind.is_typed() && stride % element.align != 0 {
            return reject("element alignment", element.align, stride);
        }
        let total_expected = capacity.checked_mul(stride).and_then(|data_len| data_len.checked_add(data));
        if total_expected != Some(total) || total > LOCK_OFFSET as u64 {
            return reject("total length", total, total_expected.unwrap_or(LOCK_OFFSET as u64));
        }
        let largest_possible = match kind {
            Kind::Bytes => crate::algo::record::largest(capacity),
            Kind::Mpmc => u64::from(u32::MAX),
            Kind::Typed | Kind::TypedMpmc => element.size,
        };
        if largest > largest_possible || largest > u64::from(u32::MAX) {
            return reject("largest message", largest, largest_possible);
        }
        if u64_at(56) != fnv1a(element.name.as_bytes()) {
            return reject("element type hash", u64_at(56), fnv1a(element.name.as_bytes()));
        }
        let orphan = match u32_at(272) {
            0 => Orphan::Return,
            1 => Orphan::Drop,
            other => return reject("what a consumer's death does", other.into(), 1),
        };
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[96..112]);
        Ok(Self {
            kind,
            capacity,
            stride,
            largest,
            element,
            orphan,
            created_ns: u64_at(80),
            creator_uid: u32_at(88),
            creator_pid: u32_at(92),
            creator_program: text_at(112, PROGRAM_BYTES),
            creator_host: text_at(144, HOST_BYTES),
            id,
        })
    }
}

/// The smallest ring of bytes.
pub(crate) const MIN_CAPACITY: u64 = 4096;
/// The fewest slots: a claim and the one before it are in different ones.
pub(crate) const MIN_SLOTS: u64 = 2;

/// Cuts a text to what its field holds, at a character's border.
pub(crate) fn clip(text: &str, bytes: usize) -> &[u8] {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    // Names come from other containers and go to terminals: nothing unprintable gets through.
    String::from_utf8_lossy(&bytes[..end])
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): guards against accident, not against malice.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The present, in nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

pub(crate) fn from_ns(ns: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(ns)
}

/// A participant's entry. Only the holder of the seat's lock writes it; anybody reads.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Seat {
    state: Fact32,
    role: Fact32,
    pid: Fact32,
    /// The processor its holder attached on, or last waited or woke somebody on, plus one; zero if that is not known.
    processor: Fact32,
    since_ns: Fact64,
    program: [Fact64; PROGRAM_BYTES / 8],
    host: [Fact64; HOST_BYTES / 8],
    pub(crate) counters: Counters,
}

/// What a seat's holder counts, over all its holders: it only grows.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Counters {
    pub(crate) messages: Fact64,
    pub(crate) bytes: Fact64,
    pub(crate) parks: Fact64,
    pub(crate) wakes: Fact64,
    pub(crate) stalls: Fact64,
    pub(crate) slice_rescues: Fact64,
    pub(crate) redeliveries: Fact64,
    pub(crate) abandoned: Fact64,
    pub(crate) attaches: Fact64,
    /// When the holder attached, left, or last went to sleep: nanoseconds since 1970.
    pub(crate) active_ns: Fact64,
    /// A consumer's position behind the last message it was handed.
    pub(crate) handed: Fact64,
    /// Slots: messages that nobody got because their reader died.
    pub(crate) dropped: Fact64,
    /// Slots: how often what a dead holder left was put right.
    pub(crate) repairs: Fact64,
}

/// What a seat says of its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatState {
    /// Nobody has ever sat here.
    Never,
    /// Taken; if the lock is free, the holder died.
    Attached,
    /// The last holder left in good order.
    Left,
    /// The last holder died, and what it left has been put right.
    Repaired,
}

/// What a participant says of itself.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) pid: u32,
    pub(crate) program: String,
    pub(crate) host: String,
}

impl Facts {
    /// Of this process.
    pub(crate) fn mine() -> Self {
        let program = std::env::current_exe()
            .ok()
            .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
            .or_else(|| std::fs::read_to_string("/proc/self/comm").ok())
            .unwrap_or_default();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { pid: std::process::id(), program: program.trim_end().to_owned(), host }
    }
}

impl Seat {
    /// A new holder describes itself.
    pub(crate) fn occupy(&self, role: crate::Role, facts: &Facts) {
        self.role.set(role as u32);
        self.pid.set(facts.pid);
        self.note_processor();
        self.since_ns.set(now_ns());
        put_text(&self.program, &facts.program);
        put_text(&self.host, &facts.host);
        self.counters.attaches.add(1);
        self.counters.active_ns.set(now_ns());
        self.state.set(1);
    }

    /// A new holder has the lock and has yet to describe itself.
    pub(crate) fn vacate(&self) {
        self.state.set(0);
    }

    /// The holder leaves in good order.
    pub(crate) fn leave(&self) {
        self.counters.active_ns.set(now_ns());
        self.state.set(2);
    }

    /// What a dead holder left has been put right.
    pub(crate) fn repaired(&self) {
        self.state.set(3);
    }

    /// What its holder does, or did.
    pub(crate) fn role(&self) -> crate::Role {
        if self.role.get() == crate::Role::Producer as u32 {
            crate::Role::Producer
        } else {
            crate::Role::Consumer
        }
    }

    pub(crate) fn state(&self) -> SeatState {
        match self.state.get() {
            1 => SeatState::Attached,
            2 => SeatState::Left,
            3 => SeatState::Repaired,
            _ => SeatState::Never,
        }
    }

    /// Its holder has woken somebody. It says from where, too: a participant that never waits would be taken to be where
    /// it attached for ever, and whoever attached there would sleep instead of polling.
    #[cold]
    #[inline(never)]
    pub(crate) fn has_woken(&self) {
        self.counters.wakes.add(1);
        self.note_processor();
    }

    /// Where the holder runs now. Stored only if it has changed: the other side reads it at every wait.
    pub(crate) fn note_processor(&self) {
        let now = processor().map_or(0, |cpu| cpu + 1);
        if self.processor.get() != now {
            self.processor.set(now);
        }
    }

    /// The processor its holder was last seen on.
    pub(crate) fn processor(&self) -> Option<u32> {
        self.processor.get().checked_sub(1)
    }

    /// Who says to sit here.
    pub(crate) fn peer(&self, index: usize) -> crate::Peer {
        crate::Peer {
            role: self.role(),
            seat: index as u8,
            pid: self.pid.get(),
            program: get_text(&self.program),
            host: get_text(&self.host),
            since: from_ns(self.since_ns.get()),
        }
    }
}

fn put_text(words: &[Fact64], text: &str) {
    let clipped = clip(text, words.len() * 8);
    for (index, word) in words.iter().enumerate() {
        let mut bytes = [0; 8];
        let rest = clipped.get(index * 8..).unwrap_or_default();
        let len = rest.len().min(8);
        bytes[..len].copy_from_slice(&rest[..len]);
        word.set(u64::from_le_bytes(bytes));
    }
}

fn get_text(words: &[Fact64]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.get().to_le_bytes()).collect();
    text(&bytes)
}
