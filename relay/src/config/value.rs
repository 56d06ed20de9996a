//! From one given value to its type: text to durations, sizes, numbers, choices.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::given::Value;
use super::near::nearest;
use super::problem::Reason;

const HOUR_MS: u64 = 60 * 60 * 1000;
const DURATION_UNITS: [(&str, u64); 4] = [("h", HOUR_MS), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Any text.
pub(super) fn text(value: &Value) -> Result<String, Reason> {
    match value {
        Value::Typed(text) | Value::Text(text) => Ok(text.clone()),
        _ => Err(Reason::must("text in quotes")),
    }
}

/// Text that `parse` understands.
pub(super) fn parsed<T>(parse: impl Fn(&str) -> Result<T, Reason>) -> impl Fn(&Value) -> Result<T, Reason> {
    move |value| parse(&text(value)?)
}

/// `true` or `false`.
pub(super) fn switch(value: &Value) -> Result<bool, Reason> {
    match value {
        Value::Boolean(value) => Ok(*value),
        Value::Typed(text) if text == "true" => Ok(true),
        Value::Typed(text) if text == "false" => Ok(false),
        _ => Err(Reason::must("true or false")),
    }
}

/// A whole number within a range.
pub(super) fn count<T>(range: RangeInclusive<T>) -> impl Fn(&Value) -> Result<T, Reason>
where
    T: TryFrom<i128> + PartialOrd + Display,
{
    move |value| {
        let number = match value {
            Value::Integer(number) => Some(*number),
            Value::Typed(text) => text.parse().ok(),
            _ => None,
        };
        number
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| Reason::must(format!("a number from {} to {}", range.start(), range.end())))
    }
}

/// A number where 0 stands for "no limit".
pub(super) fn count_or_off(max: u32) -> impl Fn(&Value) -> Result<Option<u32>, Reason> {
    move |value| match count(0..=max)(value) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Reason::must(format!("a number from 1 to {max}, or 0 for no limit"))),
    }
}

/// A duration within a range.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Value) -> Result<Duration, Reason> {
    move |value| {
        let duration = read_duration(value)?;
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (from, to) = (show_duration(*range.start()), show_duration(*range.end()));
        Err(Reason::must(format!("a duration from {from} to {to}")))
    }
}

/// A duration where 0 stands for "off".
pub(super) fn duration_or_off(range: RangeInclusive<Duration>) -> impl Fn(&Value) -> Result<Option<Duration>, Reason> {
    move |value| {
        let duration = read_duration(value)?;
        if duration.is_zero() {
            return Ok(None);
        }
        if range.contains(&duration) {
            return Ok(Some(duration));
        }
        let (from, to) = (show_duration(*range.start()), show_duration(*range.end()));
        Err(Reason::must(format!("a duration from {from} to {to}, or \"0s\" for off")))
    }
}

fn read_duration(value: &Value) -> Result<Duration, Reason> {
    let examples = r#"a duration such as "250ms", "5s", "3m" or "1h""#;
    let unitless =
        |number: &dyn Display| Reason::must(format!(r#"{examples}; {number} has no unit, did you mean "{number}s"?"#));
    let text = match value {
        Value::Typed(text) | Value::Text(text) => text,
        Value::Integer(number) if *number >= 0 => return Err(unitless(number)),
        _ => return Err(Reason::must(examples)),
    };
    match with_unit(text, &DURATION_UNITS) {
        Some(Scaled::Unitless(0)) => Ok(Duration::ZERO),
        Some(Scaled::Unitless(number)) => Err(unitless(&number)),
        Some(Scaled::Total(ms)) => Ok(Duration::from_millis(ms)),
        None => Err(Reason::must(examples)),
    }
}

/// The shortest exact spelling.
pub(super) fn show_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    show_with_unit(ms, &DURATION_UNITS).unwrap_or_else(|| format!("{ms}ms"))
}

/// A number of bytes within a range.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Result<u64, Reason> {
    move |value| {
        let bytes = match value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Typed(text) | Value::Text(text) => with_unit(text, &SIZE_UNITS).map(Scaled::total),
            _ => None,
        };
        let examples = || Reason::must(r#"a size such as "64KiB", "16MiB" or "1GiB", or a number of bytes"#);
        let bytes = bytes.ok_or_else(examples)?;
        if range.contains(&bytes) {
            return Ok(bytes);
        }
        let (from, to) = (show_size(*range.start()), show_size(*range.end()));
        Err(Reason::must(format!("a size from {from} to {to}")))
    }
}

pub(super) fn show_size(bytes: u64) -> String {
    show_with_unit(bytes, &SIZE_UNITS).unwrap_or_else(|| format!("{bytes} bytes"))
}

/// The address and port of a listener.
pub(super) fn address(value: &Value) -> Result<SocketAddr, Reason> {
    let expected = || Reason::must(r#"an address and a port, such as "127.0.0.1:8000" or "[::]:8000""#);
    text(value).ok().and_then(|text| text.parse().ok()).ok_or_else(expected)
}

/// What `parse` reads, or `off`.
pub(super) fn or_off<T>(parse: impl Fn(&Value) -> Result<T, Reason>) -> impl Fn(&Value) -> Result<Option<T>, Reason> {
    move |value| match (value, parse(value)) {
        (Value::Typed(text) | Value::Text(text), _) if text == "off" => Ok(None),
        (_, Ok(value)) => Ok(Some(value)),
        (_, Err(Reason::Must(expected))) => Err(Reason::must(format!("{expected}, or \"off\""))),
        (_, Err(reason)) => Err(reason),
    }
}

/// One of a closed set of words.
pub(super) fn choice<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&Value) -> Result<T, Reason> {
    move |value| {
        let text = text(value).unwrap_or_default();
        if let Some((_, choice)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*choice);
        }
        Err(Reason::NotOneOf {
            allowed: quoted(words.iter().map(|(word, _)| *word)),
            near: nearest(&text, words.iter().map(|(word, _)| *word)).map(|word| format!("{word:?}")),
        })
    }
}

pub(super) fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

enum Scaled {
    Unitless(u64),
    Total(u64),
}

impl Scaled {
    fn total(self) -> u64 {
        match self {
            Scaled::Unitless(number) | Scaled::Total(number) => number,
        }
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<Scaled> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    if unit.is_empty() {
        return Some(Scaled::Unitless(number));
    }
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.checked_mul(*factor).map(Scaled::Total)
}

fn show_with_unit(number: u64, units: &[(&str, u64)]) -> Option<String> {
    let (name, factor) = units.iter().find(|(_, factor)| number != 0 && number.is_multiple_of(*factor))?;
    Some(format!("{}{name}", number / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn durations_need_a_unit() {
        let check = |text: &str, expected: Option<u64>| {
            let read = duration(Duration::ZERO..=DAY)(&Value::Text(text.to_owned()));
            assert_eq!(read.ok(), expected.map(Duration::from_millis), "{text:?}");
        };
        check("250ms", Some(250));
        check("5s", Some(5_000));
        check("3m", Some(180_000));
        check("1h", Some(3_600_000));
        check("1 h", Some(3_600_000));
        check("0", Some(0));
        check("24h", Some(86_400_000));
        check("25h", None);
        check("5", None);
        check("s", None);
        check("-5s", None);
        check("1.5s", None);
        check("5S", None);
        check("5 days", None);
        check("99999999999999999999s", None);
        check("18446744073709551615h", None);
        check("", None);
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0s", "1ms", "1500ms", "90s", "10m", "1h", "24h"] {
            let read = duration(Duration::ZERO..=DAY)(&Value::Text(text.to_owned()));
            assert_eq!(show_duration(read.unwrap()), text);
        }
    }

    #[test]
    fn sizes_are_binary_or_bytes() {
        let check = |value: Value, expected: Option<u64>| {
            assert_eq!(size(0..=1 << 40)(&value).ok(), expected, "{value:?}");
        };
        let text = |text: &str| Value::Text(text.to_owned());
        check(text("64KiB"), Some(64 << 10));
        check(text("16 MiB"), Some(16 << 20));
        check(text("1GiB"), Some(1 << 30));
        check(text("512"), Some(512));
        check(Value::Integer(4096), Some(4096));
        check(Value::Integer(-1), None);
        check(text("1GB"), None);
        check(text("2TiB"), None);
        check(Value::Boolean(true), None);
        assert_eq!(show_size(1 << 30), "1GiB");
        assert_eq!(show_size(1000), "1000 bytes");
    }
}
