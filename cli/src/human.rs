//! Sizes, times and names as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `1.5M`, in powers of 1024.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [(1 << 40, 'T'), (1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        None => bytes.to_string(),
        Some((unit, letter)) if bytes.is_multiple_of(unit) => format!("{}{letter}", bytes / unit),
        Some((unit, letter)) => format!("{:.1}{letter}", bytes as f64 / unit as f64),
    }
}

/// `12.3M`, in powers of 1000; small numbers whole.
pub(crate) fn count(number: f64) -> String {
    let units = [(1e12, 'T'), (1e9, 'G'), (1e6, 'M'), (1e3, 'k')];
    // 999,960 would be shown as 1000.0k.
    match units.into_iter().find(|(unit, _)| number >= unit * 0.999_95) {
        Some((unit, letter)) if number >= 1e4 => format!("{:.1}{letter}", number / unit),
        _ => format!("{number:.0}"),
    }
}

/// Permission bits as `ls -l` could show them in octal.
pub(crate) fn mode(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

/// How long ago: `3s`, `5m`, `2h`, `8d`; `-` for a time that is not known.
pub(crate) fn age(time: SystemTime, now: SystemTime) -> String {
    if time <= UNIX_EPOCH {
        return "-".to_owned();
    }
    let seconds = now.duration_since(time).unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// `2026-11-23 12:39:05 UTC`; `-` for a time that is not known.
pub(crate) fn utc(time: SystemTime) -> String {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(since) if !since.is_zero() => since.as_secs(),
        _ => return "-".to_owned(),
    };
    let (days, second) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Nanoseconds since 1970, or null for a time that is not known.
pub(crate) fn unix_ns(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(UNIX_EPOCH).ok().filter(|since| !since.is_zero())?;
    u64::try_from(since.as_nanos()).ok()
}

/// The Gregorian date of a day counted from 1970-01-01. Years begin in March, so that the leap day is the
/// last of its year and months have a regular pattern.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// A name of a file or program that anybody may have chosen: nothing in it reaches a terminal as a command.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() || letter == '\u{fffd}' { '?' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{age, bytes, count, date, harmless, utc};

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0");
        assert_eq!(bytes(1023), "1023");
        assert_eq!(bytes(65536), "64K");
        assert_eq!(bytes(1_536 << 10), "1.5M");
        assert_eq!(bytes(1 << 30), "1G");
    }

    #[test]
    fn counts() {
        let shown = |number| count(number);
        assert_eq!(shown(0.0), "0");
        assert_eq!(shown(0.6), "1");
        assert_eq!(shown(9999.0), "9999");
        assert_eq!(shown(10_000.0), "10.0k");
        assert_eq!(shown(999_960.0), "1.0M");
        assert_eq!(shown(5_432_100.0), "5.4M");
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(20_453), (2025, 12, 31));
        let time = UNIX_EPOCH + Duration::from_secs(1_795_433_945);
        assert_eq!(utc(time), "2026-11-23 11:39:05 UTC");
        assert_eq!(utc(UNIX_EPOCH), "-");
    }

    #[test]
    fn ages() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000_000);
        let before = |seconds| age(now - Duration::from_secs(seconds), now);
        assert_eq!(before(3), "3s");
        assert_eq!(before(300), "5m");
        assert_eq!(before(10_000), "2h");
        assert_eq!(before(900_000), "10d");
        assert_eq!(age(now + Duration::from_secs(5), now), "0s");
        assert_eq!(age(UNIX_EPOCH, now), "-");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\n"), "a?[2Jb?");
    }
}
