//! From OKX's rows to payloads of the stream dialect.
//!
//! Keys that the dialect documents are always there, as `null` where OKX does not say; Binance's further keys are there
//! where OKX does. Prices and sizes are OKX's own text, except that sizes of derivatives, which are counted in
//! contracts, are multiplied by what a contract is worth.

use super::super::field::{self, read};
use super::book::Change;
use super::instrument::Instrument;
use super::stream::Bar;
use crate::venue::decimal::{Decimal, write_integer};
use crate::wire::json::{Array, Value, append};

/// Percent changes have three digits, averages eight (protocols/normalization.md section 5).
const PERCENT_DIGITS: u32 = 3;
const AVERAGE_DIGITS: u32 = 8;
const HUNDRED: Decimal = Decimal::new(100, 0);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What became of a well-formed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Payload,
    /// There is nothing to tell yet: the instrument has never traded.
    Nothing,
}

/// What a derivative pays for being held, and when.
#[derive(Debug, PartialEq, Eq)]
pub struct Funding {
    rate: Box<str>,
    time_ms: i64,
}

/// Writes one payload; a method per kind of row. `None` if the row is malformed, and the text is then useless.
pub struct Encoder<'a> {
    pub out: &'a mut Vec<u8>,
    pub instrument: &'a Instrument,
}

impl Encoder<'_> {
    /// Of several fills that OKX tells as one (`count`), the id is that of the last.
    pub fn trade(&mut self, row: &str) -> Option<Written> {
        let [id, price, size, side, time] = read(row, ["tradeId", "px", "sz", "side", "ts"])?;
        let time = field::integer(time)?;
        // The side is the taker's.
        let is_buyer_maker = match field::plain(side)? {
            "buy" => false,
            "sell" => true,
            _ => return None,
        };
        self.head("trade", time);
        self.integer("t", field::integer(id)?);
        self.text("p", field::decimal(price)?);
        self.size("q", field::decimal(size)?)?;
        self.integer("T", time);
        self.key("m");
        self.raw(if is_buyer_maker { "true}" } else { "false}" });
        Some(Written::Payload)
    }

    pub fn ticker(&mut self, row: &str) -> Option<Written> {
        const KEYS: [&str; 12] = [
            "last",
            "lastSz",
            "askPx",
            "askSz",
            "bidPx",
            "bidSz",
            "open24h",
            "high24h",
            "low24h",
            "volCcy24h",
            "vol24h",
            "ts",
        ];
        let [last, last_size, ask, ask_size, bid, bid_size, open, high, low, turnover, volume, time] = read(row, KEYS)?;
        let time = field::integer(time)?;
        let [last, open, high, low] = [last, open, high, low].map(field::decimal_or_none);
        let (Some(last), Some(open), Some(high), Some(low)) = (last?, open?, high?, low?) else {
            return Some(Written::Nothing);
        };
        let [ask, ask_size, bid, bid_size] = [ask, ask_size, bid, bid_size].map(field::decimal_or_none);
        // Spot has its volume in the base and in the quote; derivatives in contracts and in the base.
        let (volume, turnover) = match self.instrument.contract_value {
            None => (field::decimal_or_none(volume)?, field::decimal_or_none(turnover)?),
            Some(_) => (field::decimal_or_none(turnover)?, None),
        };
        let (last_number, open_number) = (Decimal::parse(last)?, Decimal::parse(open)?);
        let change = last_number.checked_add(Decimal::new(-open_number.units(), open_number.scale()))?;
        let percent = change.checked_mul(HUNDRED).and_then(|change| change.checked_div(open_number, PERCENT_DIGITS));
        self.head("24hrTicker", time);
        self.computed("p", Some(change));
        self.computed("P", percent);
        self.computed("w", average(turnover, volume));
        self.text("c", last);
        self.size_or_null("Q", field::decimal_or_none(last_size)?)?;
        for (price_key, size_key, price, size) in [("b", "B", bid?, bid_size?), ("a", "A", ask?, ask_size?)] {
            if let (Some(price), Some(size)) = (price, size) {
                self.text(price_key, price);
                self.size(size_key, size)?;
            }
        }
        self.text("o", open);
        self.text("h", high);
        self.text("l", low);
        self.text_or_null("v", volume);
        self.text_or_null("q", turnover);
        self.integer("O", time.checked_sub(DAY_MS)?);
        self.integer("C", time);
        self.raw(",\"F\":null,\"L\":null,\"n\":null}");
        Some(Written::Payload)
    }

    pub fn depth(&mut self, row: &str) -> Option<Written> {
        let [asks, bids, time, id] = read(row, ["asks", "bids", "ts", "seqId"])?;
        let id = field::integer(id)?;
        self.head("depthUpdate", field::integer(time)?);
        self.integer("U", id);
        self.integer("u", id);
        self.levels("b", bids?.text)?;
        self.levels("a", asks?.text)?;
        self.raw("}");
        Some(Written::Payload)
    }

    /// A side on which nobody stands has the price and the size zero, as Binance's.
    pub fn top(&mut self, row: &str) -> Option<Written> {
        let [asks, bids, time, id] = read(row, ["asks", "bids", "ts", "seqId"])?;
        let time = field::integer(time)?;
        self.raw("{\"e\":\"bookTicker\"");
        self.integer("u", field::integer(id)?);
        self.integer("E", time);
        self.integer("T", time);
        self.text("s", &self.instrument.symbol);
        for (price_key, size_key, side) in [("b", "B", bids), ("a", "A", asks)] {
            let mut levels = Array::open(side?.text)?;
            let (price, size) = levels.next().ok()?.map_or(Some(("0", "0")), |level| price_and_size(level.text))?;
            self.text(price_key, price);
            self.size(size_key, size)?;
        }
        self.raw("}");
        Some(Written::Payload)
    }

    pub fn book(&mut self, change: &Change<'_>, time_ms: i64) -> Option<Written> {
        self.head(if change.is_snapshot { "bookSnapshot" } else { "bookUpdate" }, time_ms);
        self.integer("pu", change.previous);
        self.integer("u", change.id);
        self.levels("b", change.bids)?;
        self.levels("a", change.asks)?;
        self.raw("}");
        Some(Written::Payload)
    }

    /// A candle says when it opened, not when it was told.
    pub fn kline(&mut self, row: &str, bar: &Bar, now_ms: i64) -> Option<Written> {
        let mut fields = Array::open(row)?;
        let mut next = || fields.next().ok().flatten();
        let open_ms = field::integer(next())?;
        let [open, high, low, close] = [next(), next(), next(), next()].map(field::decimal);
        let [volume, in_currency, turnover] = [next(), next(), next()].map(field::decimal_or_none);
        let is_closed = match field::plain(next())? {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        // The rest of the row counts as well: it is whole only if we come to its end.
        while fields.next().ok()?.is_some() {}
        let volume = if self.instrument.contract_value.is_none() { volume? } else { in_currency? };
        self.head("kline", now_ms);
        self.raw(",\"k\":{\"t\":");
        write_integer(self.out, open_ms);
        self.integer("T", bar.close_ms(open_ms)?);
        self.text("s", &self.instrument.symbol);
        self.text("i", bar.interval);
        self.text("o", open?);
        self.text("c", close?);
        self.text("h", high?);
        self.text("l", low?);
        self.text_or_null("v", volume);
        self.raw(",\"n\":null");
        self.key("x");
        self.raw(if is_closed { "true" } else { "false" });
        self.text_or_null("q", turnover?);
        self.raw("}}");
        Some(Written::Payload)
    }

    pub fn mark_price(&mut self, row: &str, funding: Option<&Funding>) -> Option<Written> {
        let [price, time] = read(row, ["markPx", "ts"])?;
        self.head("markPriceUpdate", field::integer(time)?);
        self.text("p", field::decimal(price)?);
        self.raw(",\"i\":null");
        self.text_or_null("r", funding.map(|funding| &*funding.rate));
        match funding {
            Some(funding) => self.integer("T", funding.time_ms),
            None => self.raw(",\"T\":null"),
        }
        self.raw("}");
        Some(Written::Payload)
    }

    fn head(&mut self, event: &str, time_ms: i64) {
        self.raw("{\"e\":\"");
        self.raw(event);
        self.raw("\"");
        self.integer("E", time_ms);
        self.text("s", &self.instrument.symbol);
    }

    fn levels(&mut self, key: &str, side: &str) -> Option<()> {
        self.key(key);
        self.raw("[");
        let mut opening = "[\"";
        let mut levels = Array::open(side)?;
        while let Some(level) = levels.next().ok()? {
            let (price, size) = price_and_size(level.text)?;
            self.raw(opening);
            self.raw(price);
            self.raw("\",\"");
            self.quantity(size)?;
            self.raw("\"]");
            opening = ",[\"";
        }
        self.raw("]");
        Some(())
    }

    fn size(&mut self, key: &str, text: &str) -> Option<()> {
        self.key(key);
        self.raw("\"");
        self.quantity(text)?;
        self.raw("\"");
        Some(())
    }

    fn size_or_null(&mut self, key: &str, text: Option<&str>) -> Option<()> {
        match text {
            Some(text) => self.size(key, text),
            None => {
                self.text_or_null(key, None);
                Some(())
            }
        }
    }

    /// A size in the base currency. `None` if it is longer than we compute with.
    fn quantity(&mut self, text: &str) -> Option<()> {
        match self.instrument.contract_value {
            None => self.raw(text),
            Some(value) => Decimal::parse(text)?.checked_mul(value)?.write(self.out),
        }
        Some(())
    }

    fn computed(&mut self, key: &str, number: Option<Decimal>) {
        self.key(key);
        match number {
            Some(number) => append(self.out, format_args!("\"{number}\"")),
            None => self.raw("null"),
        }
    }

    fn text_or_null(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => {
                self.key(key);
                self.raw("null");
            }
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.raw("\"");
        self.raw(text);
        self.raw("\"");
    }

    fn integer(&mut self, key: &str, value: i64) {
        self.key(key);
        write_integer(self.out, value);
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

impl Funding {
    pub fn read(row: &str) -> Option<Funding> {
        let [rate, time] = read(row, ["fundingRate", "fundingTime"])?;
        Some(Funding { rate: field::decimal(rate)?.into(), time_ms: field::integer(time)? })
    }
}

/// A level's third field is dead, the fourth counts orders.
fn price_and_size(level: &str) -> Option<(&str, &str)> {
    let mut fields = Array::open(level)?;
    let mut next = || -> Option<Option<Value<'_>>> { fields.next().ok() };
    Some((field::decimal(next()?)?, field::decimal(next()?)?))
}

/// What was paid on average; none where nothing was traded or only one of the volumes is told.
fn average(turnover: Option<&str>, volume: Option<&str>) -> Option<Decimal> {
    Decimal::parse(turnover?)?.checked_div(Decimal::parse(volume?)?, AVERAGE_DIGITS)
}
