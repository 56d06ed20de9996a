//! A moment: a date and a time with the offset from UTC, as RFC 3339 writes it.

use toml::value::{Datetime, Offset};

use super::super::given::Value;
use super::super::problem::Reason;

/// Milliseconds since 1970. A date of TOML and a text of the same form are equal.
pub(super) fn read(value: &Value) -> Result<u64, Reason> {
    let text = match value {
        Value::Typed(text) | Value::Text(text) | Value::Other(text) => Some(text),
        _ => None,
    };
    text.and_then(|text| text.parse().ok()).and_then(|date| epoch_ms(&date)).ok_or_else(|| {
        Reason::must(
            r#"a time since 1970 with its offset, such as "2026-11-20T16:00:00Z" or "2026-11-20T17:00:00+01:00""#,
        )
    })
}

fn epoch_ms(date: &Datetime) -> Option<u64> {
    let (day, time, offset) = (date.date?, date.time?, date.offset?);
    let offset_minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let minutes = (days(i64::from(day.year), i64::from(day.month), i64::from(day.day)) * 24 + i64::from(time.hour))
        * 60
        + i64::from(time.minute)
        - offset_minutes;
    let ms = (minutes * 60 + i64::from(time.second.unwrap_or(0))) * 1000
        + i64::from(time.nanosecond.unwrap_or(0)) / 1_000_000;
    u64::try_from(ms).ok()
}

/// Since 1970. Counted from a first of March, a leap day ends its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - FROM_MARCH_OF_YEAR_0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments() {
        let check = |text: &str, expected| {
            assert_eq!(read(&Value::Text(text.to_owned())).ok(), expected, "{text:?}");
            assert_eq!(read(&Value::Other(text.to_owned())).ok(), expected, "{text:?}");
        };
        check("1970-01-01T00:00:00Z", Some(0));
        check("2025-12-08T16:30:45.123Z", Some(1_765_211_445_123));
        check("2025-12-08 17:30:45.123+01:00", Some(1_765_211_445_123));
        check("2000-02-29T00:00:00Z", Some(951_782_400_000));
        check("1969-12-31T23:59:59Z", None);
        check("2025-12-08T16:30:45", None);
        check("2025-12-08", None);
        check("2025-02-30T00:00:00Z", None);
        check("16:30:45", None);
        check("", None);
        check("yesterday", None);
    }

    #[test]
    fn it_agrees_with_what_is_written() {
        for day in (0..60_000).step_by(7) {
            let ms = day * 24 * 60 * 60 * 1000 + 1;
            let mut out = Vec::new();
            crate::wire::time::write(ms, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(read(&Value::Text(text.trim_matches('"').to_owned())).ok(), Some(ms), "{text}");
        }
    }
}
