//! What derived streams are made of: messages of the stream dialect, with all that a made one must say again.

use crate::market::decode::{integer_text, is_named, levels, number, plain, read};
use crate::venue::decimal::Decimal;
use crate::wire::json::{Array, Value};

const TIME_MS_END: i64 = 253_402_300_800_000;

/// A venue's clocks may differ by so much. What was traded later than it was told would close all buckets before it.
const FORESIGHT_MS_MAX: i64 = 1_000;

/// `@trade`, or an `@aggTrade` of several.
#[derive(Clone, Copy, Debug)]
pub struct Trade {
    /// When the venue said it.
    pub said_ms: i64,
    pub time_ms: i64,
    pub price: Decimal,
    pub quantity: Decimal,
    /// The first trade and the last. None of a bare price: prices that are polled or listed have no trades.
    pub ids: Option<(i64, i64)>,
    pub is_buyer_maker: Option<bool>,
}

/// `@depth…`, or an update of `@book`.
#[derive(Clone, Copy, Debug)]
pub struct Diff<'a> {
    pub time_ms: i64,
    pub transaction_ms: Option<i64>,
    pub symbol: &'a str,
    pub first_id: i64,
    pub last_id: i64,
    /// The last id before it, where ids skip.
    pub previous_id: Option<i64>,
    pub bids: &'a str,
    pub asks: &'a str,
}

/// A whole book: `@snapshot`, `@depth5`, or the first of `@book`.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a> {
    pub time_ms: Option<i64>,
    pub last_id: i64,
    pub bids: &'a str,
    pub asks: &'a str,
}

/// A message of `@book`.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    Whole(Whole<'a>),
    Update(Diff<'a>),
}

/// `@ticker` or `@miniTicker`, as far as the latter goes. The numbers are text.
#[derive(Clone, Copy, Debug)]
pub struct Ticker<'a> {
    pub time: &'a str,
    pub symbol: &'a str,
    pub last: &'a str,
    pub open: &'a str,
    pub high: &'a str,
    pub low: &'a str,
    pub volume: &'a str,
    pub quote_volume: &'a str,
}

/// The candle of a `@kline_…`.
#[derive(Clone, Copy, Debug)]
pub struct Kline<'a> {
    pub symbol: &'a str,
    pub open_ms: i64,
    pub first_id: Option<i64>,
    pub last_id: Option<i64>,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    pub base: Decimal,
    pub quote: Decimal,
    pub trades: i64,
    pub is_closed: bool,
    pub taker_base: Option<Decimal>,
    pub taker_quote: Option<Decimal>,
}

pub fn trade(text: &str) -> Option<Trade> {
    let keys = ["e", "E", "T", "p", "q", "t", "f", "l", "m"];
    let [name, time, trade_time, price, quantity, id, first, last, maker] = read(text, keys)?;
    if is_named("trade", name).is_none() {
        is_named("aggTrade", name)?;
    }
    let (said_ms, time_ms) = (self::time(time.or(trade_time))?, self::time(trade_time.or(time))?);
    if time_ms > said_ms + FORESIGHT_MS_MAX {
        return None;
    }
    Some(Trade {
        said_ms,
        time_ms,
        price: decimal(price)?,
        quantity: decimal(quantity)?,
        ids: match (id.or(first), id.or(last)) {
            (None, None) => None,
            (first, last) => Some((integer(first)?, integer(last)?)),
        },
        is_buyer_maker: maker.map(|value| value.bool().ok_or(())).transpose().ok()?,
    })
}

pub fn diff(text: &str) -> Option<Diff<'_>> {
    let [name, time, transaction, symbol, first, last, previous, bids, asks] =
        read(text, ["e", "E", "T", "s", "U", "u", "pu", "b", "a"])?;
    is_named("depthUpdate", name)?;
    Some(Diff {
        time_ms: integer(time)?,
        transaction_ms: transaction.map(|value| integer(Some(value)).ok_or(())).transpose().ok()?,
        symbol: plain(symbol)?,
        first_id: integer(first)?,
        last_id: integer(last)?,
        previous_id: previous.map(|value| integer(Some(value)).ok_or(())).transpose().ok()?,
        bids: levels(bids)?,
        asks: levels(asks)?,
    })
}

/// Spot's (`lastUpdateId`, `bids`, `asks`) or futures' (`u`, `b`, `a`).
pub fn whole(text: &str) -> Option<Whole<'_>> {
    let keys = ["E", "u", "b", "a", "lastUpdateId", "bids", "asks"];
    let [time, update, bids, asks, spot_update, spot_bids, spot_asks] = read(text, keys)?;
    Some(Whole {
        time_ms: time.map(|value| integer(Some(value)).ok_or(())).transpose().ok()?,
        last_id: integer(update.or(spot_update))?,
        bids: levels(bids.or(spot_bids))?,
        asks: levels(asks.or(spot_asks))?,
    })
}

pub fn frame(text: &str) -> Option<Frame<'_>> {
    let [name, time, symbol, last, previous, bids, asks] = read(text, ["e", "E", "s", "u", "pu", "b", "a"])?;
    match plain(name)? {
        "bookSnapshot" => whole(text).map(Frame::Whole),
        "bookUpdate" => {
            let previous_id = integer(previous)?;
            Some(Frame::Update(Diff {
                time_ms: integer(time)?,
                transaction_ms: None,
                symbol: plain(symbol)?,
                first_id: previous_id,
                last_id: integer(last)?,
                previous_id: Some(previous_id),
                bids: levels(bids)?,
                asks: levels(asks)?,
            }))
        }
        _ => None,
    }
}

pub fn ticker(text: &str) -> Option<Ticker<'_>> {
    let keys = ["e", "E", "s", "c", "o", "h", "l", "v", "q"];
    let [name, time, symbol, last, open, high, low, volume, quote_volume] = read(text, keys)?;
    if is_named("24hrTicker", name).is_none() {
        is_named("24hrMiniTicker", name)?;
    }
    Some(Ticker {
        time: integer_text(time)?,
        symbol: plain(symbol)?,
        last: number(last)?,
        open: number(open)?,
        high: number(high)?,
        low: number(low)?,
        volume: number(volume)?,
        quote_volume: number(quote_volume)?,
    })
}

/// The venue's time of a price that is passed on as it is.
pub fn mark_time(text: &str) -> Option<i64> {
    let [name, time] = read(text, ["e", "E"])?;
    is_named("markPriceUpdate", name)?;
    integer(time)
}

pub fn kline(text: &str) -> Option<Kline<'_>> {
    let [name, symbol, candle] = read(text, ["e", "s", "k"])?;
    is_named("kline", name)?;
    let keys = ["t", "f", "L", "o", "h", "l", "c", "v", "q", "n", "x", "V", "Q"];
    let [start, first, last, open, high, low, close, base, quote, trades, closed, taker_base, taker_quote] =
        read(candle?.text, keys)?;
    Some(Kline {
        symbol: plain(symbol)?,
        open_ms: time(start)?,
        first_id: integer(first),
        last_id: integer(last),
        open: decimal(open)?,
        high: decimal(high)?,
        low: decimal(low)?,
        close: decimal(close)?,
        base: decimal(base)?,
        quote: decimal(quote)?,
        trades: integer(trades)?,
        is_closed: closed?.bool()?,
        taker_base: decimal(taker_base),
        taker_quote: decimal(taker_quote),
    })
}

/// The price and the quantity of each level of an array that was checked when it was decoded.
pub fn each_level<'a>(levels: &'a str, mut take: impl FnMut(&'a str, &'a str)) {
    let Some(mut levels) = Array::open(levels) else { return };
    while let Ok(Some(level)) = levels.next() {
        let Some(mut fields) = Array::open(level.text) else { return };
        let mut field = || number(fields.next().ok()?);
        if let (Some(price), Some(quantity)) = (field(), field()) {
            take(price, quantity);
        }
    }
}

fn decimal(value: Option<Value<'_>>) -> Option<Decimal> {
    Decimal::parse(number(value)?)
}

/// Milliseconds, of any year that has four digits. Microseconds are none.
fn time(value: Option<Value<'_>>) -> Option<i64> {
    integer(value).filter(|time_ms| (0..TIME_MS_END).contains(time_ms))
}

fn integer(value: Option<Value<'_>>) -> Option<i64> {
    integer_text(value)?.parse().ok()
}
