//! Times as messages have them.

/// `2025-12-08T16:30:45.123Z` in milliseconds since 1970; `None` if it is anything else.
pub fn iso_ms(text: &str) -> Option<u64> {
    const PATTERN: &[u8] = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let is_fit = |(byte, form): (&u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form };
    if text.len() != PATTERN.len() || !text.as_bytes().iter().zip(PATTERN).all(is_fit) {
        return None;
    }
    let part = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59
    {
        return None;
    }
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let days = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum::<u64>()
        + BEFORE[month as usize - 1]
        + u64::from(month > 2 && is_leap(year))
        + day
        - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + part(20, 23)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("2025-12-08T16:30:45.123Z", Some(1_765_211_445_123)),
            ("2024-02-29T00:00:00.001Z", Some(1_709_164_800_001)),
            ("2024-03-01T00:00:00.000Z", Some(1_709_251_200_000)),
            ("2025-12-08T16:30:45Z", None),
            ("2025-12-08 16:30:45.123Z", None),
            ("2025-13-08T16:30:45.123Z", None),
            ("", None),
            ("2025-12-08T16:30:45.12€", None),
        ] {
            assert_eq!(iso_ms(text), expected, "{text}");
        }
    }
}
