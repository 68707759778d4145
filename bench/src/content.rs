//! What the messages hold, so that both sides touch every word and a wrong one is noticed.
//!
//! Word `i` of message `seq` is `seq + i * STEP`. The reader adds up all words and compares the sum and the
//! first word with what they must be: a word of another message, or one not yet written, changes the sum.
//!
//! `WORDS` is the number of words where it is known when compiling (so that the work around the ring is as
//! small as it can be), or 0: then the length of the slice counts.

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
const ANSWER: u64 = 0x5851_F42D_4C95_7F2D;

/// Message sizes in bytes that have code of their own; every typed ring here has one of them.
pub const SIZES: [usize; 7] = [8, 16, 64, 256, 1024, 4096, 65536];

/// Calls a function that is generic over `WORDS` with the constant for a size in bytes, 0 for other sizes.
#[macro_export]
macro_rules! with_words {
    ($size:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $size {
            8 => $function::<1>($($argument),*),
            16 => $function::<2>($($argument),*),
            64 => $function::<8>($($argument),*),
            256 => $function::<32>($($argument),*),
            1024 => $function::<128>($($argument),*),
            4096 => $function::<512>($($argument),*),
            65536 => $function::<8192>($($argument),*),
            _ => $function::<0>($($argument),*),
        }
    };
}

/// Writes message `seq` over all of `bytes`.
#[inline(always)]
pub fn fill<const WORDS: usize>(bytes: &mut [u8], seq: u64) {
    let bytes = if WORDS == 0 { bytes } else { &mut bytes[..WORDS * 8] };
    let mut value = seq;
    for word in bytes.as_chunks_mut::<8>().0 {
        *word = value.to_le_bytes();
        value = value.wrapping_add(STEP);
    }
}

/// Whether `bytes` are message `seq`, of `size` bytes.
#[inline(always)]
pub fn check<const WORDS: usize>(bytes: &[u8], size: usize, seq: u64) -> bool {
    bytes.len() == size && first::<WORDS>(bytes) == Some(seq) && sum::<WORDS>(bytes) == expected(size, seq)
}

/// Ends a stream: no message has this number.
pub const END: u64 = u64::MAX;

/// Writes the message that ends a stream.
pub fn fill_end(bytes: &mut [u8]) {
    bytes.fill(0xff);
}

/// Whether `bytes` end the stream.
#[inline(always)]
pub fn is_end(bytes: &[u8]) -> bool {
    first::<0>(bytes) == Some(END)
}

/// The first word: the number of the message.
#[inline(always)]
pub fn number(bytes: &[u8]) -> Option<u64> {
    first::<0>(bytes)
}

/// Writes the answer to the message `from` over `to`: each word plus a constant.
#[inline(always)]
pub fn answer<const WORDS: usize>(from: &[u8], to: &mut [u8]) {
    let (from, to) = if WORDS == 0 { (from, to) } else { (&from[..WORDS * 8], &mut to[..WORDS * 8]) };
    for (from, to) in from.as_chunks::<8>().0.iter().zip(to.as_chunks_mut::<8>().0) {
        *to = u64::from_le_bytes(*from).wrapping_add(ANSWER).to_le_bytes();
    }
}

/// Whether `bytes` are the answer to message `seq`, of `size` bytes.
#[inline(always)]
pub fn check_answer<const WORDS: usize>(bytes: &[u8], size: usize, seq: u64) -> bool {
    let all = expected(size, seq).wrapping_add(((size / 8) as u64).wrapping_mul(ANSWER));
    bytes.len() == size
        && first::<WORDS>(bytes) == Some(seq.wrapping_add(ANSWER))
        && sum::<WORDS>(bytes) == all
}

#[inline(always)]
fn first<const WORDS: usize>(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|word| u64::from_le_bytes(*word))
}

#[inline(always)]
fn sum<const WORDS: usize>(bytes: &[u8]) -> u64 {
    let bytes = if WORDS == 0 { bytes } else { &bytes[..WORDS * 8] };
    bytes.as_chunks::<8>().0.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

#[inline(always)]
fn expected(size: usize, seq: u64) -> u64 {
    let words = (size / 8) as u64;
    let steps = words.wrapping_mul(words.wrapping_sub(1)) / 2;
    words.wrapping_mul(seq).wrapping_add(steps.wrapping_mul(STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts_only_itself<const WORDS: usize>(size: usize) {
        let seq = 0x1234_5678;
        let mut message = vec![0; size];
        fill::<WORDS>(&mut message, seq);
        assert!(check::<WORDS>(&message, size, seq));
        assert!(!check::<WORDS>(&message, size, seq + 1), "another sequence number");
        assert!(!check::<WORDS>(&message, size + 8, seq), "another size");
        for at in 0..size.min(1024) {
            let mut wrong = message.clone();
            wrong[at] ^= 1;
            assert!(!check::<WORDS>(&wrong, size, seq), "byte {at} changed");
        }
        let mut stale = vec![0; size];
        fill::<WORDS>(&mut stale, seq - 1);
        let last = size - 8;
        message[last..].copy_from_slice(&stale[last..]);
        assert!(!check::<WORDS>(&message, size, seq), "last word of an older message");
    }

    fn answers_only_itself<const WORDS: usize>(size: usize) {
        let mut message = vec![0; size];
        fill::<WORDS>(&mut message, 7);
        let mut reply = vec![0; size];
        answer::<WORDS>(&message, &mut reply);
        assert!(check_answer::<WORDS>(&reply, size, 7));
        assert!(!check_answer::<WORDS>(&reply, size, 8));
        assert!(!check_answer::<WORDS>(&message, size, 7), "the question sent back");
        reply[size - 1] ^= 0x80;
        assert!(!check_answer::<WORDS>(&reply, size, 7));
    }

    #[test]
    fn a_message_is_told_from_every_other() {
        for size in SIZES.into_iter().chain([24, 1000]) {
            with_words!(size, accepts_only_itself(size));
            accepts_only_itself::<0>(size);
            with_words!(size, answers_only_itself(size));
            answers_only_itself::<0>(size);
        }
    }
}
