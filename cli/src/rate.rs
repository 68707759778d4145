//! Rates as people type them: `1000`, `50k/s`, `2M/s`. Units are powers of 1000.

/// Parses a rate in messages per second.
pub(crate) fn parse(text: &str) -> Result<f64, String> {
    let refusal = || "expected messages per second, such as 1000, 50k/s or 2M/s".to_owned();
    let text = text.strip_suffix("/s").unwrap_or(text);
    let (number, unit) = match text.bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1e3),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1e6),
        _ => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number * unit),
        _ => Err(refusal()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_powers_of_1000() {
        assert_eq!(parse("1000"), Ok(1000.0));
        assert_eq!(parse("50k/s"), Ok(50_000.0));
        assert_eq!(parse("1.5M/s"), Ok(1_500_000.0));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "0", "-5", "k", "inf", "nan", "5/m"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
