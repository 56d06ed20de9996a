//! Times as text: ISO 8601 in UTC, to the millisecond.

use std::io::Write;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Appends `"2025-12-08T16:30:45.123Z"`, quotes included.
pub fn write(time_ms: u64, out: &mut Vec<u8>) {
    let (year, month, day) = date(time_ms / DAY_MS);
    let ms = time_ms % DAY_MS;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    write!(out, "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z\"", ms % 1000)
        .expect("memory takes what is written to it");
}

/// Year, month and day of a day since 1970. Counted from a first of March, a leap day ends its year, and the months'
/// lengths repeat every five: 153 days.
fn date(day_of_epoch: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    const DAYS_FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = day_of_epoch + DAYS_FROM_MARCH_OF_YEAR_0;
    let era = days / DAYS_OF_400_YEARS;
    let day_of_era = days % DAYS_OF_400_YEARS;
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_8601() {
        let check = |time_ms, expected: &str| {
            let mut out = Vec::new();
            write(time_ms, &mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap(), format!("\"{expected}\""));
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_765_211_445_123, "2025-12-08T16:30:45.123Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(951_868_800_000, "2000-03-01T00:00:00.000Z");
        check(4_107_542_399_999, "2100-02-28T23:59:59.999Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(1_735_689_599_001, "2024-12-31T23:59:59.001Z");
        check(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
        let mut out = Vec::new();
        write(u64::MAX, &mut out);
        assert!(out.ends_with(b"Z\""), "no time panics");
    }

    /// Every day of 800 years follows the one before it, by the calendar's own rules.
    #[test]
    fn days_follow_each_other() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for day_of_epoch in 0..(2 * 146_097) {
            assert_eq!(date(day_of_epoch), (year, month, day));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 if is_leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day == days) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                (_, false) => (year, month, day + 1),
            };
        }
    }
}
