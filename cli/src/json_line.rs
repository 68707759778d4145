//! JSON lines: one value on one line.

use serde_json::value::RawValue;

/// Whether `text` is exactly one JSON value; if not, why. Nothing is built from it.
pub(crate) fn check(text: &[u8]) -> Result<(), String> {
    match serde_json::from_slice::<&RawValue>(text) {
        Ok(_) => Ok(()),
        Err(error) if error.is_eof() && text.trim_ascii().is_empty() => Err("it is empty".to_owned()),
        Err(error) if error.line() > 1 => Err(error.to_string()),
        // Of a single line, only the column says something.
        Err(error) => {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or(&text);
            Err(format!("{what} at column {}", error.column()))
        }
    }
}

/// Appends a JSON value as one line. Between tokens a newline means the same as a space, and within
/// strings JSON has none.
pub(crate) fn append(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::{append, check};

    #[test]
    fn one_value_is_valid() {
        for text in ["1", "null", "\"x\"", " {\"a\": [1, 2.5e3, true]} ", "[\n1\n]", "\"\\u00e9é\""] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in ["", " ", "{", "{a:1}", "1 2", "[1,]", "nul", "\"\x01\"", "01", "{\"a\":1}}"] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
        assert!(check(b"\"\xff\"").is_err());
        assert_eq!(check(b"[1,]"), Err("expected value at column 4".to_owned()));
    }

    #[test]
    fn a_value_becomes_one_line() {
        let mut out = Vec::new();
        append(b"{\n \"a\":\r\n 1}", &mut out);
        assert_eq!(out, b"{  \"a\":   1}\n");
    }
}
