//! Binance's REST answers (binance-spot-api-docs rest-api.md; USD-M has the same shapes at other weights).

use std::borrow::Cow;

use super::Unreadable;
use crate::venue::price;
use crate::wire::json::{self, Array, Object, Value, ValueKind, append};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    Spot,
    /// It knows no `symbols`: each symbol is a request.
    Usdm,
}

impl Market {
    /// The weight that an address may use in a minute.
    pub fn weight_per_minute(self) -> u32 {
        match self {
            Market::Spot => 6000,
            Market::Usdm => 2400,
        }
    }

    /// Twenty tickers cost what one costs, and twenty-one twenty times that.
    pub(super) fn tickers_max(self) -> usize {
        match self {
            Market::Spot => 20,
            Market::Usdm => 1,
        }
    }

    /// As many as fit into a URL without trouble.
    pub(super) fn prices_max(self) -> usize {
        match self {
            Market::Spot => 100,
            Market::Usdm => 1,
        }
    }

    pub(super) fn ticker_weight(self, count: usize) -> u32 {
        match (self, count) {
            (Market::Usdm, _) => 1,
            (Market::Spot, ..=20) => 2,
            (Market::Spot, 21..=100) => 40,
            (Market::Spot, _) => 80,
        }
    }

    pub(super) fn price_weight(self, count: usize) -> u32 {
        match (self, count) {
            (Market::Usdm, _) => 1,
            (Market::Spot, ..=1) => 2,
            (Market::Spot, _) => 4,
        }
    }

    pub(super) fn book_weight(self, levels: u32) -> u32 {
        match (self, levels) {
            (Market::Spot, ..=100) => 5,
            (Market::Spot, ..=500) => 25,
            (Market::Spot, ..=1000) => 50,
            (Market::Spot, _) => 250,
            (Market::Usdm, ..=50) => 2,
            (Market::Usdm, ..=100) => 5,
            (Market::Usdm, ..=500) => 10,
            (Market::Usdm, _) => 20,
        }
    }
}

/// The subject of a book: its symbol and how many levels of it are asked for, `btcusdt@20`.
pub(super) fn book(symbol: &str, kind: &str, snapshot_levels: u32) -> Option<Box<str>> {
    let levels = match kind {
        "depth5" => 5,
        "depth10" => 10,
        "depth20" => 20,
        "snapshot" => snapshot_levels,
        _ => return None,
    };
    Some(format!("{symbol}@{levels}").into())
}

fn book_parts(subject: &str) -> (&str, u32) {
    let (symbol, levels) = subject.rsplit_once('@').unwrap_or((subject, ""));
    (symbol, levels.parse().unwrap_or(u32::MAX))
}

pub(super) fn levels(subject: &str) -> u32 {
    book_parts(subject).1
}

pub(super) fn book_path(base: &str, subjects: &[Box<str>]) -> String {
    let (symbol, levels) = subjects.first().map_or(("", 0), |subject| book_parts(subject));
    format!("{base}/depth?symbol={}&limit={levels}", escape(&symbol.to_uppercase()))
}

/// `symbol=X`, or `symbols=["X","Y"]` as the documentation has it: escaped but for the commas.
pub(super) fn symbols_path(base: &str, endpoint: &str, subjects: &[Box<str>]) -> String {
    let symbols: Vec<String> = subjects.iter().map(|symbol| escape(&symbol.to_uppercase())).collect();
    match &*symbols {
        [symbol] => format!("{base}/{endpoint}?symbol={symbol}"),
        _ => format!("{base}/{endpoint}?symbols=%5B%22{}%22%5D", symbols.join("%22,%22")),
    }
}

/// For a query: everything but RFC 3986's unreserved letters is written as bytes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The rows of an object or an array, each with its symbol in lower case. Returns how many were left out.
pub(super) fn rows<'a>(body: &'a str, mut each: impl FnMut(&str, &'a str) -> Option<()>) -> Result<u64, Unreadable> {
    let mut skipped = 0;
    let mut take = |row: &'a str| {
        let symbol = members(row, ["symbol"]).and_then(|[symbol]| symbol?.string());
        if symbol.and_then(|symbol| each(&symbol.to_lowercase(), row)).is_none() {
            skipped += 1;
        }
    };
    let body = body.trim_ascii();
    if body.starts_with('{') {
        take(body);
        return if skipped == 0 { Ok(0) } else { Err(Unreadable) };
    }
    let mut list = Array::open(body).ok_or(Unreadable)?;
    while let Some(row) = list.next().map_err(|_| Unreadable)? {
        take(row.text);
    }
    Ok(skipped)
}

pub(super) fn price(row: &str) -> Option<Cow<'_, str>> {
    let [value] = members(row, ["price"])?;
    let value = value?;
    match value.kind {
        ValueKind::Number => price::plain(value.text),
        ValueKind::String => price::plain(&value.text[1..value.text.len() - 1]),
        _ => None,
    }
}

/// A book has its chain's number and both sides.
pub(super) fn check_book(body: &str) -> Result<(), Unreadable> {
    let [update, bids, asks] = members(body, ["lastUpdateId", "bids", "asks"]).ok_or(Unreadable)?;
    let is = |value: Option<Value<'_>>, kind| value.is_some_and(|value| value.kind == kind);
    let has_all = is(update, ValueKind::Number) && is(bids, ValueKind::Array) && is(asks, ValueKind::Array);
    if has_all { Ok(()) } else { Err(Unreadable) }
}

/// The keys of the REST answer, and those of the stream in the order in which it has them.
const TICKER: [(&str, &str); 20] = [
    ("priceChange", "p"),
    ("priceChangePercent", "P"),
    ("weightedAvgPrice", "w"),
    ("prevClosePrice", "x"),
    ("lastPrice", "c"),
    ("lastQty", "Q"),
    ("bidPrice", "b"),
    ("bidQty", "B"),
    ("askPrice", "a"),
    ("askQty", "A"),
    ("openPrice", "o"),
    ("highPrice", "h"),
    ("lowPrice", "l"),
    ("volume", "v"),
    ("quoteVolume", "q"),
    ("openTime", "O"),
    ("closeTime", "C"),
    ("firstId", "F"),
    ("lastId", "L"),
    ("count", "n"),
];

const MINI: [(&str, &str); 6] = [
    ("lastPrice", "c"),
    ("openPrice", "o"),
    ("highPrice", "h"),
    ("lowPrice", "l"),
    ("volume", "v"),
    ("quoteVolume", "q"),
];

/// Appends a row in the shape of the stream `@ticker` or `@miniTicker`: other names, the same texts. Its time is the
/// end of the day it is about, which is when the venue made it.
pub(super) fn write_ticker(row: &str, is_mini: bool, out: &mut Vec<u8>) -> Option<()> {
    let [symbol, time] = members(row, ["symbol", "closeTime"])?;
    let time = time.filter(|time| time.kind == ValueKind::Number)?.text;
    let name = if is_mini { "24hrMiniTicker" } else { "24hrTicker" };
    append(out, format_args!("{{\"e\":\"{name}\",\"E\":{time},\"s\":"));
    json::write_string(&symbol?.string()?, out);
    let is_written = if is_mini { copy(row, &MINI, out) } else { copy(row, &TICKER, out) };
    out.push(b'}');
    is_written
}

/// False if one that every ticker has is missing.
fn copy<const COUNT: usize>(row: &str, names: &[(&str, &str); COUNT], out: &mut Vec<u8>) -> Option<()> {
    let values = members(row, names.map(|(key, _)| key))?;
    for ((_, name), value) in names.iter().zip(values) {
        let is_needed = MINI.iter().any(|(_, needed)| needed == name);
        match value.filter(|value| matches!(value.kind, ValueKind::String | ValueKind::Number)) {
            Some(value) => append(out, format_args!(",\"{name}\":{}", value.text)),
            None if is_needed => return None,
            None => {}
        }
    }
    Some(())
}

/// The values of these keys; the last one where a key comes twice. `None` if it is no object.
fn members<'a, const COUNT: usize>(text: &'a str, keys: [&str; COUNT]) -> Option<[Option<Value<'a>>; COUNT]> {
    let mut values = [None; COUNT];
    let mut object = Object::open(text)?;
    while let Some(member) = object.next().ok()? {
        let name = member.key();
        if let Some(index) = keys.iter().position(|key| *key == name) {
            values[index] = Some(member.value);
        }
    }
    Some(values)
}
