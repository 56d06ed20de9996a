//! From a message of the stream dialect to an event: which one it is follows from the stream's name, the rest from keys.
//!
//! Numbers come out as the venue's own text, checked to be plain decimals (`-0.00100`), so that whoever takes an event
//! may write them as JSON numbers and as strings alike. What lacks a key, or has one of another type, is no event.

#[cfg(test)]
mod tests;

use super::event::{Book, Event, Ticker, Top, Trade};
use crate::wire::json::{self, Array, Object, Value, ValueKind, is_decimal};

/// The symbol part of the names under which a service's REST answers are published.
const DOCUMENTS: &str = "coingecko";

/// What the message of a stream says. `None` if it is malformed, or of a type no product is made of.
pub fn decode<'a>(stream: &'a str, payload: &'a [u8]) -> Option<Event<'a>> {
    let (symbol, kind) = stream.split_once('@')?;
    let text = json::utf8(payload).ok()?;
    if symbol == DOCUMENTS {
        json::validate(payload).ok()?;
        return Some(Event::Document(text.trim_ascii()));
    }
    let (kind, _speed) = kind.split_once('@').unwrap_or((kind, ""));
    match kind {
        "trade" => trade("trade", text),
        "aggTrade" => trade("aggTrade", text),
        "ticker" => ticker("24hrTicker", text),
        "miniTicker" => ticker("24hrMiniTicker", text),
        "bookTicker" => top(text),
        "depth5" | "depth10" | "depth20" => book(symbol, text),
        "tick" => tick(text),
        _ => None,
    }
}

fn trade<'a>(event: &str, text: &'a str) -> Option<Event<'a>> {
    let [name, time, trade_time, price, quantity] = read(text, ["e", "E", "T", "p", "q"])?;
    is_named(event, name)?;
    // The trade's own time; a feed may have only the message's.
    let time = trade_time.or(time);
    Some(Event::Trade(Trade { price: number(price)?, quantity: number(quantity)?, time_ms: integer(time)? }))
}

fn ticker<'a>(event: &str, text: &'a str) -> Option<Event<'a>> {
    const KEYS: [&str; 23] = [
        "e", "E", "s", "c", "o", "h", "l", "v", "q", "p", "P", "w", "x", "Q", "b", "B", "a", "A", "O", "C", "F", "L",
        "n",
    ];
    let [
        name,
        time,
        symbol,
        last,
        open,
        high,
        low,
        volume,
        quote_volume,
        change,
        change_percent,
        weighted_average,
        previous_close,
        last_quantity,
        bid,
        bid_quantity,
        ask,
        ask_quantity,
        open_time,
        close_time,
        first_trade,
        last_trade,
        trades,
    ] = read(text, KEYS)?;
    is_named(event, name)?;
    Some(Event::Ticker(Ticker {
        symbol: plain(symbol)?,
        time_ms: integer(time)?,
        last: number(last)?,
        open: number(open)?,
        high: number(high)?,
        low: number(low)?,
        volume: number(volume)?,
        quote_volume: number(quote_volume)?,
        change: maybe(change, number)?,
        change_percent: maybe(change_percent, number)?,
        weighted_average: maybe(weighted_average, number)?,
        previous_close: maybe(previous_close, number)?,
        last_quantity: maybe(last_quantity, number)?,
        bid: maybe(bid, number)?,
        bid_quantity: maybe(bid_quantity, number)?,
        ask: maybe(ask, number)?,
        ask_quantity: maybe(ask_quantity, number)?,
        open_time: maybe(open_time, integer_text)?,
        close_time: maybe(close_time, integer_text)?,
        first_trade: maybe(first_trade, integer_text)?,
        last_trade: maybe(last_trade, integer_text)?,
        trades: maybe(trades, integer_text)?,
    }))
}

/// Spot's has neither `e` nor a time.
fn top(text: &str) -> Option<Event<'_>> {
    let [name, time, bid, bid_quantity, ask, ask_quantity] = read(text, ["e", "E", "b", "B", "a", "A"])?;
    is_named("bookTicker", name)?;
    Some(Event::Top(Top {
        bid: number(bid)?,
        bid_quantity: number(bid_quantity)?,
        ask: number(ask)?,
        ask_quantity: number(ask_quantity)?,
        time_ms: time_or_zero(time)?,
    }))
}

/// Spot's (`lastUpdateId`) names neither its symbol nor a time: the symbol is then the one of the stream.
fn book<'a>(stream_symbol: &'a str, text: &'a str) -> Option<Event<'a>> {
    let keys = ["e", "E", "s", "u", "b", "a", "lastUpdateId", "bids", "asks"];
    let [name, time, symbol, update, bids, asks, spot_update, spot_bids, spot_asks] = read(text, keys)?;
    is_named("depthUpdate", name)?;
    Some(Event::Book(Book {
        symbol: maybe(symbol, plain)?.unwrap_or(stream_symbol),
        last_update: integer_text(update.or(spot_update))?,
        bids: levels(bids.or(spot_bids))?,
        asks: levels(asks.or(spot_asks))?,
        time_ms: time_or_zero(time)?,
    }))
}

fn tick(text: &str) -> Option<Event<'_>> {
    let [name, time, symbol, quote, bid, ask, digits] = read(text, ["e", "E", "s", "p", "b", "a", "d"])?;
    is_named("tick", name)?;
    Some(Event::Tick(super::event::Tick {
        symbol: plain(symbol)?,
        quote: number(quote)?,
        bid: number(bid)?,
        ask: number(ask)?,
        time_ms: integer(time)?,
        pip_size: integer_text(digits)?.parse().ok()?,
    }))
}

/// The values of these keys; the last one where a key comes twice, none where it is null. `None` if the text is no
/// object, or not whole.
pub(super) fn read<'a, const COUNT: usize>(text: &'a str, keys: [&str; COUNT]) -> Option<[Option<Value<'a>>; COUNT]> {
    let mut values = [None; COUNT];
    let mut object = Object::open(text)?;
    while let Some(member) = object.next().ok()? {
        let name = member.key();
        if let Some(index) = keys.iter().position(|key| *key == name) {
            values[index] = (member.value.kind != ValueKind::Null).then_some(member.value);
        }
    }
    Some(values)
}

/// A message that says it is another one came under the wrong name.
pub(super) fn is_named(event: &str, name: Option<Value<'_>>) -> Option<()> {
    match name {
        None => Some(()),
        Some(name) => (plain(Some(name))? == event).then_some(()),
    }
}

/// A key that may be absent, but not malformed.
fn maybe<'a>(value: Option<Value<'a>>, read: impl Fn(Option<Value<'a>>) -> Option<&'a str>) -> Option<Option<&'a str>> {
    match value {
        None => Some(None),
        some => read(some).map(Some),
    }
}

fn time_or_zero(time: Option<Value<'_>>) -> Option<u64> {
    if time.is_none() { Some(0) } else { integer(time) }
}

/// A decimal, quoted or not.
pub(super) fn number(value: Option<Value<'_>>) -> Option<&str> {
    let value = value?;
    let text = if value.kind == ValueKind::Number { value.text } else { plain(Some(value))? };
    is_decimal(text).then_some(text)
}

/// The text of a string without escapes, which can be borrowed.
pub(super) fn plain(value: Option<Value<'_>>) -> Option<&str> {
    let text = value.filter(|value| value.kind == ValueKind::String)?.text;
    let inner = &text[1..text.len() - 1];
    (!inner.contains('\\')).then_some(inner)
}

/// An integer's own text: ids may be longer than 64 bits some day.
pub(super) fn integer_text(value: Option<Value<'_>>) -> Option<&str> {
    let text = value.filter(|value| value.kind == ValueKind::Number)?.text;
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

fn integer(value: Option<Value<'_>>) -> Option<u64> {
    integer_text(value)?.parse().ok()
}

/// An array of levels, each of which starts with a price and a quantity.
pub(super) fn levels(value: Option<Value<'_>>) -> Option<&str> {
    let text = value?.text;
    let mut levels = Array::open(text)?;
    while let Some(level) = levels.next().ok()? {
        let mut fields = Array::open(level.text)?;
        number(fields.next().ok()?)?;
        number(fields.next().ok()?)?;
    }
    Some(text)
}
