//! Payloads as the document writes them, or with Binance's further keys (protocols/bitzoom.md section 3, binance.md 5).

use super::Fields;
use super::book::{Book, Level, Top};
use super::candle::{Candle, Fill};
use super::day::Window;
use super::instrument::Instrument;
use super::model::Execution;
use crate::venue::decimal::{divide_half_even, write_integer, write_scaled};
use crate::venue::interval::{Bucket, Interval};

const PERCENT_DIGITS: u32 = 3;
const AVERAGE_DIGITS: u32 = 8;
pub const RATE_DIGITS: u32 = 8;

/// Writes one payload; a method per kind of frame.
pub struct Encoder<'a> {
    pub out: &'a mut Vec<u8>,
    pub instrument: &'a Instrument,
    pub fields: Fields,
}

pub struct MarkPrice {
    pub mark: i64,
    pub index: i64,
    /// In 10^-8.
    pub rate: i64,
    pub funding_at: i64,
}

/// The range of book ids a depth frame covers.
#[derive(Clone, Copy)]
pub struct Ids {
    pub first: i64,
    pub last: i64,
}

impl Encoder<'_> {
    pub fn trade(&mut self, at: i64, fill: Fill) {
        self.head("trade", at);
        self.integer("t", fill.id);
        self.price("p", fill.price);
        self.size("q", fill.size);
        self.integer("T", at);
        self.flag("m", !fill.taker_buys);
        self.maker_flag();
        self.end();
    }

    pub fn agg_trade(&mut self, execution: &Execution) {
        self.head("aggTrade", execution.trade_at);
        self.integer("a", execution.number);
        self.price("p", execution.price);
        self.size("q", execution.sizes().iter().sum());
        self.integer("f", execution.first_trade);
        self.integer("l", execution.last_trade());
        self.integer("T", execution.trade_at);
        self.flag("m", !execution.taker_buys);
        self.maker_flag();
        self.end();
    }

    pub fn ticker(&mut self, at: i64, window: &Window, last: Fill, top: &Top) {
        let full = self.fields == Fields::Full;
        let candle = &window.candle;
        let change = candle.close - candle.open;
        self.head("24hrTicker", at);
        self.price("p", change);
        let percent = i128::from(change) * 100 * 10i128.pow(PERCENT_DIGITS);
        self.decimal("P", divide_half_even(percent, candle.open.into()), PERCENT_DIGITS);
        let raise = 10i128.pow(AVERAGE_DIGITS - self.instrument.price_digits);
        self.decimal("w", divide_half_even(candle.quote * raise, candle.base.into()), AVERAGE_DIGITS);
        if full {
            self.price("x", window.close_before);
        }
        self.price("c", candle.close);
        self.size("Q", last.size);
        if full {
            self.top(top);
        }
        self.price("o", candle.open);
        self.price("h", candle.high);
        self.price("l", candle.low);
        self.size("v", candle.base);
        self.quote("q", candle.quote);
        self.integer("O", window.open_at);
        self.integer("C", at);
        self.integer("F", candle.first_trade);
        self.integer("L", candle.last_trade());
        self.integer("n", candle.trades);
        self.end();
    }

    pub fn mini_ticker(&mut self, at: i64, window: &Window) {
        let candle = &window.candle;
        self.head("24hrMiniTicker", at);
        self.price("c", candle.close);
        self.price("o", candle.open);
        self.price("h", candle.high);
        self.price("l", candle.low);
        self.size("v", candle.base);
        self.quote("q", candle.quote);
        self.end();
    }

    pub fn mark_price(&mut self, at: i64, price: &MarkPrice) {
        self.head("markPriceUpdate", at);
        self.price("p", price.mark);
        self.price("i", price.index);
        if self.fields == Fields::Full {
            self.price("P", price.index);
        }
        self.decimal("r", price.rate.into(), RATE_DIGITS);
        self.integer("T", price.funding_at);
        self.end();
    }

    pub fn book_ticker(&mut self, at: i64, id: i64, top: &Top) {
        self.raw("{\"e\":\"bookTicker\"");
        self.integer("u", id);
        self.integer("E", at);
        self.integer("T", at);
        self.text("s", self.instrument.symbol);
        self.top(top);
        self.end();
    }

    pub fn partial_depth(&mut self, at: i64, ids: Ids, bids: &[Level], asks: &[Level]) {
        self.head("depthUpdate", at);
        self.integer("U", ids.first);
        self.integer("u", ids.last);
        self.levels("b", bids.iter().copied());
        self.levels("a", asks.iter().copied());
        self.end();
    }

    /// As REST answers a request for the book.
    pub fn snapshot(&mut self, id: i64, book: &Book) {
        self.raw("{\"lastUpdateId\":");
        write_integer(self.out, id);
        self.levels("bids", book.bids.iter().copied());
        self.levels("asks", book.asks.iter().copied());
        self.end();
    }

    /// In the shape of USD-M. Ids chain both ways: `pu` is the previous `u`, and `U` one more.
    pub fn diff_depth(
        &mut self,
        at: i64,
        ids: Ids,
        bids: impl Iterator<Item = Level>,
        asks: impl Iterator<Item = Level>,
    ) {
        self.raw("{\"e\":\"depthUpdate\"");
        self.integer("E", at);
        self.integer("T", at);
        self.text("s", self.instrument.symbol);
        self.integer("U", ids.first);
        self.integer("u", ids.last);
        self.integer("pu", ids.first - 1);
        self.levels("b", bids);
        self.levels("a", asks);
        self.end();
    }

    pub fn kline(&mut self, at: i64, interval: Interval, bucket: Bucket, candle: &Candle, closed: bool) {
        let full = self.fields == Fields::Full;
        self.head("kline", at);
        self.raw(",\"k\":{\"t\":");
        write_integer(self.out, bucket.open);
        self.integer("T", bucket.end - 1);
        self.text("s", self.instrument.symbol);
        self.text("i", interval.name());
        if full {
            let none = candle.trades == 0;
            self.integer("f", if none { -1 } else { candle.first_trade });
            self.integer("L", if none { -1 } else { candle.last_trade() });
        }
        self.price("o", candle.open);
        self.price("c", candle.close);
        self.price("h", candle.high);
        self.price("l", candle.low);
        self.size("v", candle.base);
        self.integer("n", candle.trades);
        self.flag("x", closed);
        self.quote("q", candle.quote);
        if full {
            self.size("V", candle.taker_base);
            self.quote("Q", candle.taker_quote);
            self.text("B", "0");
        }
        self.raw("}}");
    }

    fn head(&mut self, event: &str, at: i64) {
        self.raw("{\"e\":\"");
        self.raw(event);
        self.raw("\"");
        self.integer("E", at);
        self.text("s", self.instrument.symbol);
    }

    fn end(&mut self) {
        self.raw("}");
    }

    /// Spot's `M`: always true, and to be ignored.
    fn maker_flag(&mut self) {
        if self.fields == Fields::Full {
            self.flag("M", true);
        }
    }

    fn top(&mut self, top: &Top) {
        self.price("b", top.bid.price);
        self.size("B", top.bid.size);
        self.price("a", top.ask.price);
        self.size("A", top.ask.size);
    }

    fn levels(&mut self, key: &str, levels: impl Iterator<Item = Level>) {
        self.key(key);
        self.raw("[");
        let mut opening = "[\"";
        for level in levels {
            self.raw(opening);
            write_scaled(self.out, level.price.into(), self.instrument.price_digits);
            self.raw("\",\"");
            write_scaled(self.out, level.size.into(), self.instrument.size_digits);
            self.raw("\"]");
            opening = ",[\"";
        }
        self.raw("]");
    }

    fn price(&mut self, key: &str, ticks: i64) {
        self.decimal(key, ticks.into(), self.instrument.price_digits);
    }

    fn size(&mut self, key: &str, lots: i64) {
        self.decimal(key, lots.into(), self.instrument.size_digits);
    }

    fn quote(&mut self, key: &str, value: i128) {
        self.decimal(key, value, self.instrument.price_digits + self.instrument.size_digits);
    }

    fn decimal(&mut self, key: &str, units: i128, scale: u32) {
        self.key(key);
        self.raw("\"");
        write_scaled(self.out, units, scale);
        self.raw("\"");
    }

    fn integer(&mut self, key: &str, value: i64) {
        self.key(key);
        write_integer(self.out, value);
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.raw(if value { "true" } else { "false" });
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.raw("\"");
        self.raw(value);
        self.raw("\"");
    }

    fn key(&mut self, key: &str) {
        self.raw(",\"");
        self.raw(key);
        self.raw("\":");
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}
