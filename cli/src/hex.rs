//! Bytes as hexadecimal digits, and back.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends two digits for each byte.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Replaces what is in `out` by the bytes that `text` spells. White space at the ends is ignored.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let text = text.trim_ascii();
    out.clear();
    out.reserve(text.len() / 2);
    if let Some(at) = text.iter().position(|byte| !byte.is_ascii_hexdigit()) {
        let found = char::from(text[at]).escape_default();
        return Err(format!("'{found}' at column {} is not a hexadecimal digit", at + 1));
    }
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("an odd number of hexadecimal digits ({})", text.len()));
    }
    out.extend(pairs.iter().map(|[high, low]| value(*high) << 4 | value(*low)));
    Ok(())
}

/// The value of a hexadecimal digit.
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let (mut text, mut back) = (Vec::new(), Vec::new());
        encode(&bytes, &mut text);
        decode(&text, &mut back).unwrap();
        assert_eq!(back, bytes);
        decode(&text.to_ascii_uppercase(), &mut back).unwrap();
        assert_eq!(back, bytes);
    }

    #[test]
    fn bad_digits_are_named() {
        let mut out = Vec::new();
        assert_eq!(decode(b"12x4", &mut out), Err("'x' at column 3 is not a hexadecimal digit".to_owned()));
        assert_eq!(decode(b"123", &mut out), Err("an odd number of hexadecimal digits (3)".to_owned()));
        assert!(decode(b"12 34", &mut out).is_err());
        assert_eq!(decode(b" 1234\r", &mut out), Ok(()));
        assert_eq!(out, [0x12, 0x34]);
        assert_eq!(decode(b"", &mut out), Ok(()));
        assert!(out.is_empty());
    }
}
