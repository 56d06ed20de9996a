//! The times of other people's documents.

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Milliseconds since 1970 of a number or an ISO 8601 time.
///
/// A number's unit follows from its size: until the year 5138 seconds have at most 11 digits, and since 1973
/// milliseconds have 12 or more, and so on.
pub fn parse(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return iso(text);
    }
    let number: u64 = whole.parse().ok()?;
    match whole.len() {
        ..=11 => Some(number * 1000 + thousandths(fraction)),
        12..=14 => Some(number),
        15..=17 => Some(number / 1000),
        _ => Some(number / 1_000_000),
    }
}

/// The first three digits of a fraction: never rounded up.
fn thousandths(fraction: &str) -> u64 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// `2026-05-18T12:49:21.599Z`, or with an offset such as `+02:00`. One without either is none: whose noon is it?
fn iso(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, offset_minutes) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0),
        None => {
            let (time, offset) = time.split_at(time.rfind(['+', '-'])?);
            let [hours, minutes] = numbers(&offset[1..], ':', [2, 2])?;
            let minutes = hours * 60 + minutes;
            (time, if offset.starts_with('-') { -minutes } else { minutes })
        }
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_real = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !is_real || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = ((hour * 60 + minute - offset_minutes) * 60) + second;
    let ms = days(year, month, day) * DAY_MS + seconds * 1000 + thousandths(fraction) as i64;
    u64::try_from(ms).ok()
}

fn numbers<const COUNT: usize>(text: &str, separator: char, lengths: [usize; COUNT]) -> Option<[i64; COUNT]> {
    let mut numbers = [0; COUNT];
    let mut parts = text.split(separator);
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970. Counted from a first of March, a leap day ends its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_FROM_MARCH_OF_YEAR_0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::time;

    #[test]
    fn times_in_any_unit() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(parse(text), expected, "{text}");
        check("1765211445", Some(1_765_211_445_000));
        check("1765211445.1239", Some(1_765_211_445_123));
        check("1765211445.5", Some(1_765_211_445_500));
        check("1765211445123", Some(1_765_211_445_123));
        check("1765211445123999", Some(1_765_211_445_123));
        check("1765211445123999999", Some(1_765_211_445_123));
        check("2025-12-08T16:30:45.123Z", Some(1_765_211_445_123));
        check("2025-12-08T18:30:45+02:00", Some(1_765_211_445_000));
        check("2025-12-08 16:30:45.1-00:00", Some(1_765_211_445_100));
        check("2000-02-29T00:00:00Z", Some(951_782_400_000));
        for text in ["", "soon", "-5", "2025-12-08", "2025-12-08T16:30:45", "2025-13-08T16:30:45Z", "1e9", "1.2.3"] {
            check(text, None);
        }
    }

    proptest! {
        /// What we write ourselves reads as it was.
        #[test]
        fn our_own_times_come_back(time_ms in 0u64..253_402_300_800_000) {
            let mut out = Vec::new();
            time::write(time_ms, &mut out);
            let text = std::str::from_utf8(&out).unwrap().trim_matches('"');
            prop_assert_eq!(parse(text), Some(time_ms), "{}", text);
        }

        #[test]
        fn any_text_is_judged(text in "[0-9TZ:.+é -]{0,30}") {
            let _ = parse(&text);
        }
    }
}
