//! Messages whose number says everything about them: where one byte is wrong, it shows.

use crate::common::{mix, pattern};

/// The number of a message of `len` bytes, at least eight.
pub(crate) const fn number(sequence: u64, len: usize) -> u64 {
    assert!(len >= 8 && len < 1 << 16);
    sequence << 16 | len as u64
}

pub(crate) const fn len_of(number: u64) -> usize {
    (number & 0xffff) as usize
}

pub(crate) fn bytes_of(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend(pattern(number, len_of(number) - 8));
    bytes
}

/// Which message this is, `None` if it is torn.
pub(crate) fn number_of(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    (len_of(number) == bytes.len() && bytes == bytes_of(number)).then_some(number)
}

/// What typed rings carry here.
pub(crate) type Element = [u64; 4];

pub(crate) fn element_of(number: u64) -> Element {
    [number, mix(number), mix(!number), !number]
}

pub(crate) fn number_of_element(element: &Element) -> Option<u64> {
    (*element == element_of(element[0])).then_some(element[0])
}
