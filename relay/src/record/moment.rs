//! Moments in UTC as text: for the names of files, lists and the configuration.

const SECOND_NS: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 86_400;
/// The last second of the year 9999: later ones have no text.
const SECONDS_MAX: u64 = 253_402_300_799;

/// `2026-11-20T16:53:01.250Z`, from nanoseconds since 1970; what is below a millisecond is not shown.
pub fn show(at_ns: u64) -> String {
    let (year, month, day, seconds) = civil(at_ns / SECOND_NS);
    let ms = at_ns % SECOND_NS / 1_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// `20261120T165301Z`: sorts as it passes, and fits into a file's name.
pub fn compact(at_ns: u64) -> String {
    let (year, month, day, seconds) = civil(at_ns / SECOND_NS);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads `2026-11-20T16:53:01Z`, with up to nine digits of a fraction. Other zones than UTC are not read.
pub fn parse(text: &str) -> Option<u64> {
    let bytes = text.strip_suffix(['Z', 'z'])?.as_bytes();
    let (whole, fraction) = bytes.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| whole[*at] != *byte) || !matches!(whole[10], b'T' | b't' | b' ') {
        return None;
    }
    let number = |from: usize, to: usize| digits(&whole[from..to]);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_before(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    let ns = match fraction {
        [] => 0,
        [b'.', digits_of @ ..] if (1..=9).contains(&digits_of.len()) => {
            digits(digits_of)? * 10_u64.pow(9 - digits_of.len() as u32)
        }
        _ => return None,
    };
    // The year 2554 is the last that fits.
    seconds.checked_mul(SECOND_NS)?.checked_add(ns)
}

fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0_u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// Year, month, day, and the second of the day. The calendar repeats every 400 years; they are counted from March, so
/// that a leap day comes last.
fn civil(seconds: u64) -> (u64, u64, u64, u64) {
    let seconds = seconds.min(SECONDS_MAX);
    let days = seconds / DAY_SECONDS + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day, seconds % DAY_SECONDS)
}

/// Days from 1970 to this one.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_of(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T12:00:00.000Z", 951_825_600),
            ("2024-12-31T23:59:59.000Z", 1_735_689_599),
            ("2026-11-20T16:53:01.000Z", 1_795_193_581),
        ] {
            assert_eq!(show(seconds * SECOND_NS), text);
            assert_eq!(parse(text), Some(seconds * SECOND_NS), "{text}");
        }
        assert_eq!(compact(1_795_193_581 * SECOND_NS), "20261120T165301Z");
        assert_eq!(parse("2026-11-20 16:53:01.5z"), Some(1_795_193_581_500_000_000));
    }

    #[test]
    fn what_is_no_moment() {
        for text in [
            "",
            "Z",
            "2026-11-20",
            "2026-11-20T16:53:01",
            "2026-11-20T16:53:01+01:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T16:53:01.Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
            "2026-11-20T16:53:0éZ",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(ms in 0..17_000_000_000_000_u64) {
            prop_assert_eq!(parse(&show(ms * 1_000_000)), Some(ms * 1_000_000));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", at_ns: u64) {
            let _ = parse(&text);
            show(at_ns);
        }
    }
}
