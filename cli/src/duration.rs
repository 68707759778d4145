//! Durations as people type them: `100ms`, `5s`, `1.5m`. A bare number counts seconds.

use std::time::Duration;

/// Parses a duration.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let refusal = || "expected a duration such as 100ms, 5s, 1.5m or 1h".to_owned();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(refusal()),
    };
    let number: f64 = number.parse().map_err(|_| refusal())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "the duration is too long".to_owned())
}

/// Parses the time from one look to the next.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse(text)?;
    if (Duration::from_millis(10)..=Duration::from_secs(24 * 3600)).contains(&interval) {
        Ok(interval)
    } else {
        Err("expected at least 10ms and at most 24h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse, parse_interval};

    #[test]
    fn units_and_fractions() {
        assert_eq!(parse("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("2"), Ok(Duration::from_secs(2)));
        assert_eq!(parse("0"), Ok(Duration::ZERO));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(parse("250us"), Ok(Duration::from_micros(250)));
    }

    #[test]
    fn intervals_are_neither_nothing_nor_endless() {
        assert_eq!(parse_interval("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "1ns", "25h", "x"] {
            assert!(parse_interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "s", "-1s", "1x", "1.2.3s", "1 s", "."] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("999999999999999999999999d").is_err());
    }
}
