//! The venue as its users see it: names in, payloads out.

mod books;
mod clock;
mod cost;
mod documents;
mod shape;
mod sums;
mod ticks;

use super::instrument::INSTRUMENTS;
use super::{Fields, Sim};
use crate::venue::decimal::Decimal;
use crate::venue::interval::INTERVALS;
use serde_json::Value;

/// 2025-12-08T16:30:45Z, a Monday.
const START: u64 = 1_765_211_445_000;

/// What one emit brought.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    name: String,
    text: String,
    closed: bool,
}

impl Frame {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn integer(&self, key: &str) -> i64 {
        integer(&self.json(), key)
    }
}

fn integer(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("{key} of {value} is an integer"))
}

fn decimal(value: &Value) -> Decimal {
    Decimal::parse(value.as_str().unwrap()).unwrap()
}

fn poll(sim: &mut Sim, now: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    sim.poll(now, &mut |name, payload, closed| {
        let text = String::from_utf8(payload.to_vec()).unwrap();
        frames.push(Frame { name: name.to_owned(), text, closed });
    });
    frames
}

/// A venue whose streams have begun at `start`, and the frames they began with.
fn begun(seed: u64, start: u64, names: &[&str]) -> (Sim, Vec<Frame>) {
    let mut sim = Sim::new(seed, Fields::Full, start);
    for name in names {
        assert!(sim.want(name), "{name} is known");
    }
    let frames = poll(&mut sim, start);
    (sim, frames)
}

/// Everything the streams say from their beginning through `length_ms`, polled as the venue asks to be.
fn record(seed: u64, start: u64, names: &[&str], length_ms: u64) -> Vec<Frame> {
    let (mut sim, mut frames) = begun(seed, start, names);
    let end = start + length_ms;
    while sim.next_due() <= end {
        let due = sim.next_due();
        frames.extend(poll(&mut sim, due));
    }
    frames.extend(poll(&mut sim, end));
    frames
}

fn of<'a>(frames: &'a [Frame], name: &str) -> Vec<&'a Frame> {
    frames.iter().filter(|frame| frame.name == name).collect()
}

/// Every stream of one symbol.
fn names_of(symbol: &str) -> Vec<String> {
    let mut kinds: Vec<String> =
        ["trade", "aggTrade", "bookTicker", "ticker", "miniTicker", "markPrice", "markPrice@1s"]
            .map(str::to_owned)
            .to_vec();
    for levels in ["", "5", "10", "20"] {
        for speed in ["", "@100ms", "@250ms", "@500ms"] {
            kinds.push(format!("depth{levels}{speed}"));
        }
    }
    kinds.extend(INTERVALS.map(|interval| format!("kline_{}", interval.name())));
    kinds.into_iter().map(|kind| format!("{symbol}@{kind}")).collect()
}

fn all_names() -> Vec<String> {
    let mut names = vec!["!ticker@arr".to_owned(), "!miniTicker@arr".to_owned()];
    names.extend(INSTRUMENTS.iter().flat_map(|instrument| names_of(instrument.name)));
    names
}
