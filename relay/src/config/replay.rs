//! `kind = "replay"`: which part of a recording is played, how fast, and when it begins.

use toml::value::{Datetime, Offset};

use std::fmt;

use super::given::Value;
use super::near::nearest;
use super::problem::Reason;
use super::section::Section;
use super::upstream::{Source, file};
use super::value::{choice, parsed, switch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// So many times as fast as it was.
    Times(u32),
    /// As fast as it can be taken.
    Max,
}

/// When a recording begins to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the first stream that somebody wants: they miss nothing.
    OnDemand,
    AtOnce,
}

const SPEED_TIMES_MAX: u32 = 1000;

/// The keys that only a replay has.
pub(super) const KEYS: [&str; 6] = ["file", "speed", "from", "to", "start", "repeat"];

/// `None` without a file.
pub(super) fn read(section: &mut Section<'_>) -> Option<Source> {
    let recording = section.value("file", None, |value| file(value).map(Some));
    let speed = section.value("speed", Speed::Times(1), parsed(speed));
    let from_ms = section.value("from", None, |value| moment(value).map(Some));
    let to_ms = section.value("to", None, |value| moment(value).map(Some));
    if let (Some(from), Some(to)) = (from_ms, to_ms)
        && from >= to
    {
        section.conflict("to", &["from"], Reason::conflict("must be later than from"));
    }
    let begin =
        section.value("start", Begin::OnDemand, choice(&[("on demand", Begin::OnDemand), ("at once", Begin::AtOnce)]));
    let repeat = section.value("repeat", false, switch);
    Some(Source::Replay { file: recording?, speed, from_ms, to_ms, begin, repeat })
}

fn speed(text: &str) -> Result<Speed, Reason> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.strip_suffix('x').and_then(|times| times.parse().ok());
    let near = nearest(text, ["max"]).map_or(String::new(), |word| format!("; did you mean {word:?}?"));
    times
        .filter(|times| (1..=SPEED_TIMES_MAX).contains(times))
        .map(Speed::Times)
        .ok_or_else(|| Reason::must(format!(r#""1x", "10x" and so on up to "{SPEED_TIMES_MAX}x", or "max"{near}"#)))
}

/// Milliseconds since 1970. A date of TOML and a text of the same form are equal.
fn moment(value: &Value) -> Result<u64, Reason> {
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
    let hours = days(i64::from(day.year), i64::from(day.month), i64::from(day.day)) * 24 + i64::from(time.hour);
    let minutes = hours * 60 + i64::from(time.minute) - offset_minutes;
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

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Speed::Times(times) => write!(f, "{times}x"),
            Speed::Max => f.write_str("max"),
        }
    }
}
