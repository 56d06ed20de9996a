//! What a span of trades adds up to, in exact decimals.

use super::message::{Kline, Trade};
use super::write::Writer;
use crate::venue::decimal::Decimal;
use crate::venue::interval::{Bucket, Interval};

/// What Binance says of a kline without trades.
const NO_IDS: (i64, i64) = (-1, -1);

#[derive(Clone, Copy, Debug)]
pub struct Bar {
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    base: Decimal,
    quote: Decimal,
    /// The part of `base` and `quote` whose buyer was the taker, where that is known.
    taker: Option<(Decimal, Decimal)>,
    /// The first trade and the last, where that is known.
    ids: Option<(i64, i64)>,
    trades: i64,
}

/// Some number has more digits than can be computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// A kline as it is told.
pub struct Told<'a> {
    pub symbol: &'a str,
    pub interval: Interval,
    pub bucket: Bucket,
    pub is_closed: bool,
    pub time_ms: i64,
}

impl Bar {
    pub fn of_trade(trade: &Trade) -> Result<Bar, Overflow> {
        let quote = trade.price.checked_mul(trade.quantity).ok_or(Overflow)?;
        let zero = |like: Decimal| Decimal::new(0, like.scale());
        let none = (zero(trade.quantity), zero(quote));
        let taker = match trade.is_buyer_maker {
            Some(true) => Some(none),
            Some(false) => Some((trade.quantity, quote)),
            // Of nothing, no part was taken.
            None => (trade.quantity == none.0).then_some(none),
        };
        let (first_id, last_id) = trade.ids.unwrap_or(NO_IDS);
        Ok(Bar {
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            base: trade.quantity,
            quote,
            taker,
            ids: Some((first_id, last_id)),
            trades: last_id.saturating_sub(first_id).saturating_add(1),
        })
    }

    pub fn of_kline(kline: &Kline<'_>) -> Bar {
        Bar {
            open: kline.open,
            high: kline.high,
            low: kline.low,
            close: kline.close,
            base: kline.base,
            quote: kline.quote,
            taker: kline.taker_base.zip(kline.taker_quote),
            ids: kline.first_id.zip(kline.last_id),
            trades: kline.trades,
        }
    }

    /// A span without trades after another one: all prices are the close before it.
    pub fn empty_after(before: &Bar) -> Bar {
        let zero = |like: Decimal| Decimal::new(0, like.scale());
        let close = before.close;
        Bar {
            open: close,
            high: close,
            low: close,
            close,
            base: zero(before.base),
            quote: zero(before.quote),
            taker: before.taker.map(|(base, quote)| (zero(base), zero(quote))),
            ids: before.ids.map(|_| NO_IDS),
            trades: 0,
        }
    }

    /// Appends what came later.
    pub fn absorb(&mut self, later: &Bar) -> Result<(), Overflow> {
        if later.trades == 0 {
            return Ok(());
        }
        if self.trades == 0 {
            *self = *later;
            return Ok(());
        }
        let add = |left: Decimal, right: Decimal| left.checked_add(right).ok_or(Overflow);
        let (base, quote) = (add(self.base, later.base)?, add(self.quote, later.quote)?);
        let taker = match (self.taker, later.taker) {
            (Some(left), Some(right)) => Some((add(left.0, right.0)?, add(left.1, right.1)?)),
            _ => None,
        };
        *self = Bar {
            open: self.open,
            high: if later.high > self.high { later.high } else { self.high },
            low: if later.low < self.low { later.low } else { self.low },
            close: later.close,
            base,
            quote,
            taker,
            ids: self.ids.zip(later.ids).map(|((first, _), (_, last))| (first, last)),
            trades: self.trades.saturating_add(later.trades),
        };
        Ok(())
    }

    /// What the venue does not say is left out.
    pub fn write<'a>(&self, writer: &'a mut Writer, told: &Told<'_>) -> &'a [u8] {
        writer.open("kline", told.time_ms).string("s", told.symbol).raw(",\"k\":{\"t\":");
        crate::venue::decimal::write_integer(&mut writer.text, told.bucket.open);
        writer.integer("T", told.bucket.end - 1).string("s", told.symbol).string("i", told.interval.name());
        if let Some((first, last)) = self.ids {
            writer.integer("f", first).integer("L", last);
        }
        writer.decimal("o", self.open).decimal("c", self.close).decimal("h", self.high).decimal("l", self.low);
        writer.decimal("v", self.base).integer("n", self.trades).flag("x", told.is_closed).decimal("q", self.quote);
        if let Some((base, quote)) = self.taker {
            writer.decimal("V", base).decimal("Q", quote).string("B", "0");
        }
        writer.raw("}").end()
    }
}
