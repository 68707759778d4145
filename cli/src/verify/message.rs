//! A message that can be checked without knowing anything but itself.
//!
//! ```text
//!  0  magic     u32   0x56_44_52_50
//!  4  length    u32   of the whole message
//!  8  run       u64   which incarnation of the producer
//! 16  seq       u64   from 0 in each run
//! 24  checksum  u64   of everything above and of the payload
//! 32  payload         pseudo-random, a function of run and seq
//! ```
//!
//! All little-endian. The payload is generated again and compared, so that a part of another message is
//! found as well as a flipped bit; the checksum covers what cannot be generated, the header.

use std::fmt;

/// Bytes before the payload.
pub(crate) const HEADER: usize = 32;
const MAGIC: u32 = u32::from_le_bytes(*b"PRDV");
const CHECKSUM_OFFSET: usize = 24;
/// An odd constant without a pattern: 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) run: u64,
    pub(crate) seq: u64,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Too short for a header, or another magic number.
    NotOurs,
    Length {
        stated: u32,
        found: usize,
    },
    Payload {
        /// The first byte that differs.
        offset: usize,
    },
    Checksum,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => write!(f, "it does not begin with the header of a verify message"),
            Self::Length { stated, found } => write!(f, "it has {found} bytes and its header says {stated}"),
            Self::Payload { offset } => write!(f, "its byte {offset} is not what was sent"),
            Self::Checksum => write!(f, "its checksum does not match"),
        }
    }
}

/// Fills `out`, which has room for at least the header, with a message.
pub(crate) fn write(out: &mut [u8], tag: Tag) {
    let (header, payload) = out.split_at_mut(HEADER);
    let len = (HEADER + payload.len()) as u32;
    header[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    header[4..8].copy_from_slice(&len.to_le_bytes());
    header[8..16].copy_from_slice(&tag.run.to_le_bytes());
    header[16..24].copy_from_slice(&tag.seq.to_le_bytes());
    let (mut words, mut sum) = (Words::new(tag), Sum::new(tag, len));
    let (whole, rest) = payload.as_chunks_mut::<8>();
    for place in whole {
        let word = words.next();
        *place = word.to_le_bytes();
        sum.add(word);
    }
    if !rest.is_empty() {
        let word = words.next() & low_bytes(rest.len());
        rest.copy_from_slice(&word.to_le_bytes()[..rest.len()]);
        sum.add(word);
    }
    header[CHECKSUM_OFFSET..HEADER].copy_from_slice(&sum.finish().to_le_bytes());
}

/// Checks every byte of a message and says which one it is.
pub(crate) fn read(message: &[u8]) -> Result<Tag, Flaw> {
    let Some((header, payload)) = message.split_first_chunk::<HEADER>() else { return Err(Flaw::NotOurs) };
    if word32(header, 0) != MAGIC {
        return Err(Flaw::NotOurs);
    }
    let stated = word32(header, 4);
    if stated as usize != message.len() {
        return Err(Flaw::Length { stated, found: message.len() });
    }
    let tag = Tag { run: word64(header, 8), seq: word64(header, 16) };
    let (mut words, mut sum, mut difference) = (Words::new(tag), Sum::new(tag, stated), 0);
    let (whole, rest) = payload.as_chunks::<8>();
    for place in whole {
        let word = u64::from_le_bytes(*place);
        difference |= word ^ words.next();
        sum.add(word);
    }
    if !rest.is_empty() {
        let mut padded = [0; 8];
        padded[..rest.len()].copy_from_slice(rest);
        let word = u64::from_le_bytes(padded);
        difference |= word ^ (words.next() & low_bytes(rest.len()));
        sum.add(word);
    }
    if sum.finish() != word64(header, CHECKSUM_OFFSET) {
        // A header that is wrong makes all of the payload differ: then the checksum is the better word.
        return Err(if difference == 0 { Flaw::Checksum } else { first_difference(payload, tag) });
    }
    if difference != 0 { Err(first_difference(payload, tag)) } else { Ok(tag) }
}

#[cold]
fn first_difference(payload: &[u8], tag: Tag) -> Flaw {
    let mut words = Words::new(tag);
    let expected = payload.chunks(8).flat_map(|_| words.next().to_le_bytes()).collect::<Vec<u8>>();
    match payload.iter().zip(&expected).position(|(found, expected)| found != expected) {
        // All of it being something else means that run or seq was changed, not the payload.
        Some(0)
            if payload.iter().zip(&expected).skip(1).take(7).any(|(found, expected)| found != expected) =>
        {
            Flaw::Checksum
        }
        Some(at) => Flaw::Payload { offset: HEADER + at },
        None => Flaw::Checksum,
    }
}

fn word32(header: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

fn word64(header: &[u8; HEADER], at: usize) -> u64 {
    u64::from(word32(header, at)) | u64::from(word32(header, at + 4)) << 32
}

/// The `bytes` lowest bytes of a word.
fn low_bytes(bytes: usize) -> u64 {
    (1 << (bytes * 8)) - 1
}

/// The payload, word by word. Each word is a function of its place, so that the loop has no chain to wait for.
struct Words {
    base: u64,
}

impl Words {
    fn new(tag: Tag) -> Self {
        Self { base: scramble(tag.run ^ scramble(tag.seq)) }
    }

    fn next(&mut self) -> u64 {
        self.base = self.base.wrapping_add(GOLDEN);
        let word = self.base ^ self.base >> 31;
        word.wrapping_mul(GOLDEN)
    }
}

/// A checksum in two lanes, of all words in their order.
struct Sum {
    lanes: [u64; 2],
}

impl Sum {
    fn new(tag: Tag, len: u32) -> Self {
        Self { lanes: [scramble(tag.run ^ u64::from(len)), scramble(tag.seq ^ u64::from(MAGIC))] }
    }

    fn add(&mut self, word: u64) {
        let [first, second] = self.lanes;
        self.lanes = [second, (first ^ word).rotate_left(29).wrapping_mul(GOLDEN)];
    }

    fn finish(self) -> u64 {
        scramble(self.lanes[0] ^ self.lanes[1].rotate_left(32))
    }
}

/// Spreads every bit over all (the finaliser of splitmix64).
pub(crate) fn scramble(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_add(GOLDEN).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::{Flaw, HEADER, Tag, read, write};

    fn message(len: usize, run: u64, seq: u64) -> Vec<u8> {
        let mut bytes = vec![0xaa; HEADER + len];
        write(&mut bytes, Tag { run, seq });
        bytes
    }

    #[test]
    fn every_length_comes_back() {
        for len in 0..70 {
            let tag = Tag { run: 3, seq: len as u64 };
            assert_eq!(read(&message(len, tag.run, tag.seq)), Ok(tag), "{len}");
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for len in [0, 1, 7, 8, 21] {
            let good = message(len, 5, 77);
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&bad).is_err(), "length {len}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_cut_or_grown_message_is_found() {
        let good = message(40, 1, 1);
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "{len}");
        }
        let mut grown = good.clone();
        grown.push(0);
        assert_eq!(read(&grown), Err(Flaw::Length { stated: 72, found: 73 }));
    }

    #[test]
    fn a_piece_of_another_message_is_found() {
        let (good, other) = (message(64, 1, 1), message(64, 1, 2));
        let mut torn = good;
        torn[64..].copy_from_slice(&other[64..]);
        assert_eq!(read(&torn), Err(Flaw::Payload { offset: 64 }));
    }

    #[test]
    fn swapped_words_are_found() {
        let mut bytes = message(64, 9, 9);
        for at in 0..8 {
            bytes.swap(HEADER + at, HEADER + 16 + at);
        }
        assert!(read(&bytes).is_err());
    }

    #[test]
    fn the_flaw_says_where() {
        let mut bytes = message(64, 1, 1);
        bytes[HEADER + 20] ^= 1;
        assert_eq!(read(&bytes), Err(Flaw::Payload { offset: HEADER + 20 }));
        let mut bytes = message(64, 1, 1);
        bytes[16] ^= 1;
        assert_eq!(read(&bytes), Err(Flaw::Checksum));
        let mut bytes = message(64, 1, 1);
        bytes[24] ^= 1;
        assert_eq!(read(&bytes), Err(Flaw::Checksum));
        assert_eq!(read(b"something else entirely, of some length"), Err(Flaw::NotOurs));
        assert_eq!(read(b""), Err(Flaw::NotOurs));
    }

    #[test]
    fn two_messages_have_different_payloads() {
        assert_ne!(message(64, 1, 1)[HEADER..], message(64, 1, 2)[HEADER..]);
        assert_ne!(message(64, 1, 1)[HEADER..], message(64, 2, 1)[HEADER..]);
    }
}
