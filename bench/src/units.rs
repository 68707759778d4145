//! Sizes, spans and figures as people write them.

use std::time::Duration;

/// A size in bytes: a number with K, M or G (powers of 1024), `KiB` and the like allowed.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: usize = number.parse().map_err(|_| format!("'{text}' is not a size such as 64, 4K or 1M"))?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(format!("'{text}': the unit '{unit}' is none of K, M, G")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("'{text}' is too large"))
}

/// A number, with K, M or G for powers of 1000.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "k" | "K" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(format!("'{text}' is not a number such as 1000, 100K or 5M")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("'{text}' is not a number such as 1000, 100K or 5M"))?;
    match number.checked_mul(factor) {
        Some(0) => Err("0 is too few".to_owned()),
        Some(count) => Ok(count),
        None => Err(format!("'{text}' is too large")),
    }
}

/// A span of time: `100ms`, `2s`, `1.5s`, `1m`.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a span such as 100ms, 2s or 1m");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * factor;
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err(wrong()),
    }
}

/// Two CPU numbers, `A,B`.
pub fn parse_cpus(text: &str) -> Result<(usize, usize), String> {
    let wrong = || format!("'{text}' is not a pair of CPU numbers such as 0,1");
    let (a, b) = text.split_once(',').ok_or_else(wrong)?;
    match (a.trim().parse(), b.trim().parse()) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        _ => Err(wrong()),
    }
}

/// Bytes in the largest unit that leaves a whole number.
pub fn bytes(count: usize) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if count >> shift != 0 && count.trailing_zeros() >= shift {
            return format!("{} {unit}", count >> shift);
        }
    }
    format!("{count} B")
}

/// A figure with three digits that count, and never in powers of ten.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 || v == 0.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// A time in the unit that people would say it in.
pub fn nanoseconds(ns: f64) -> String {
    match ns {
        ns if ns >= 1e9 => format!("{} s", figure(ns / 1e9)),
        ns if ns >= 1e6 => format!("{} ms", figure(ns / 1e6)),
        ns if ns >= 1e4 => format!("{} µs", figure(ns / 1e3)),
        ns => format!("{} ns", figure(ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("65536"), Ok(65536));
        assert_eq!(parse_bytes("64K"), Ok(65536));
        assert_eq!(parse_bytes("1MiB"), Ok(1 << 20));
        assert_eq!(parse_bytes("2g"), Ok(2 << 30));
        for wrong in ["", "K", "-1", "1.5M", "1 M", "7T", "99999999999G"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_and_spans_are_read() {
        assert_eq!(parse_count("100K"), Ok(100_000));
        assert_eq!(parse_count("7"), Ok(7));
        assert_eq!(parse_span("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_span("200ms"), Ok(Duration::from_millis(200)));
        for wrong in ["", "0", "x", "1.5", "-3", "5T"] {
            assert!(parse_count(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "5", "0s", "ms", "-1s", "1h"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cpus_are_read() {
        assert_eq!(parse_cpus("0,1"), Ok((0, 1)));
        assert_eq!(parse_cpus("3, 12"), Ok((3, 12)));
        for wrong in ["", "1", "1,", "a,b", "1,2,3"] {
            assert!(parse_cpus(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_in_whole_units() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(bytes(65536), "64 KiB");
        assert_eq!(bytes(65544), "65544 B");
        assert_eq!(bytes(3 << 20), "3 MiB");
    }

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(figure(0.0), "0.00");
        assert_eq!(figure(0.01234), "0.012");
        assert_eq!(figure(1.2345), "1.23");
        assert_eq!(figure(9.999), "10.0");
        assert_eq!(figure(12.345), "12.3");
        assert_eq!(figure(99.96), "100");
        assert_eq!(figure(1234567.8), "1234568");
        assert_eq!(figure(f64::NAN), "-");
    }

    #[test]
    fn times_have_units_of_their_own() {
        assert_eq!(
            [90.0, 1613.0, 17_058.0, 20_365_311.0, 1.5e9].map(nanoseconds),
            ["90.0 ns", "1613 ns", "17.1 µs", "20.4 ms", "1.50 s"]
        );
    }
}
