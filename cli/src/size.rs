//! Sizes as people type them: `4096`, `64K`, `1M`, `1GiB`. Units are powers of 1024.

/// Parses a size in bytes.
pub(crate) fn parse(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "ki" | "kib" => 10,
        "m" | "mi" | "mib" => 20,
        "g" | "gi" | "gib" => 30,
        "t" | "ti" | "tib" => 40,
        _ => return Err("expected a size such as 4096, 64K, 1M or 1G (units of 1024)".to_owned()),
    };
    let number: usize = number
        .parse()
        .map_err(|_| "expected a size such as 4096, 64K, 1M or 1G (units of 1024)".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "the size does not fit in memory addresses".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_powers_of_1024() {
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("64K"), Ok(65536));
        assert_eq!(parse("1m"), Ok(1 << 20));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "K", "-1", "1.5M", "12Q", "1 M", "99999999999999999999", "99999999999T"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
