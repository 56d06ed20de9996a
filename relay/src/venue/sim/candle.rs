//! What a span of trades adds up to, exactly.

use super::model::Execution;

/// Open, high, low, close and sums of consecutive trades. Prices in ticks, sizes in lots, values in ticks times lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candle {
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
    pub base: i64,
    pub quote: i128,
    /// The part of `base` and `quote` whose buyer was the taker.
    pub taker_base: i64,
    pub taker_quote: i128,
    /// Meaningless while there are no trades.
    pub first_trade: i64,
    pub trades: i64,
}

/// One fill, as far as a candle cares.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    pub id: i64,
    pub price: i64,
    pub size: i64,
    pub taker_buys: bool,
}

impl Candle {
    /// A span without trades: all prices are the close before it.
    pub fn empty(close_before: i64) -> Candle {
        Candle { open: close_before, high: close_before, low: close_before, close: close_before, ..Candle::default() }
    }

    pub fn last_trade(&self) -> i64 {
        self.first_trade + self.trades - 1
    }

    pub fn push(&mut self, fill: Fill) {
        let quote = i128::from(fill.price) * i128::from(fill.size);
        let (taker_base, taker_quote) = if fill.taker_buys { (fill.size, quote) } else { (0, 0) };
        self.absorb(&Candle {
            open: fill.price,
            high: fill.price,
            low: fill.price,
            close: fill.price,
            base: fill.size,
            quote,
            taker_base,
            taker_quote,
            first_trade: fill.id,
            trades: 1,
        });
    }

    pub fn push_execution(&mut self, execution: &Execution) {
        execution.fills().for_each(|fill| self.push(fill));
    }

    /// Appends what came later.
    pub fn absorb(&mut self, later: &Candle) {
        if later.trades == 0 {
            return;
        }
        if self.trades == 0 {
            *self = *later;
            return;
        }
        debug_assert_eq!(self.last_trade() + 1, later.first_trade, "trades of neighbouring spans are consecutive");
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.base += later.base;
        self.quote += later.quote;
        self.taker_base += later.taker_base;
        self.taker_quote += later.taker_quote;
        self.trades += later.trades;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::decimal::{Decimal, write_scaled};
    use serde_json::Value;

    fn units(value: &Value, scale: u32) -> i64 {
        let decimal = Decimal::parse(value.as_str().unwrap()).unwrap();
        i64::try_from(decimal.at_scale(scale).unwrap().units()).unwrap()
    }

    fn text(units: i128, scale: u32) -> String {
        let mut out = Vec::new();
        write_scaled(&mut out, units, scale);
        String::from_utf8(out).unwrap()
    }

    /// The sums of the normalisation fixture come out digit by digit.
    #[test]
    fn fixture_adds_up() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../../testdata/normalization/kline_from_trades.json")).unwrap();
        let expected = &fixture["expect_closed_1m"];
        let (open, end) = (expected["t"].as_i64().unwrap(), expected["T"].as_i64().unwrap());
        let mut candle = Candle::empty(0);
        for trade in fixture["trades"].as_array().unwrap() {
            if !(open..=end).contains(&trade["T"].as_i64().unwrap()) {
                continue;
            }
            candle.push(Fill {
                id: trade["t"].as_i64().unwrap(),
                price: units(&trade["p"], 2),
                size: units(&trade["q"], 1),
                taker_buys: trade["taker"] == "buy",
            });
        }
        let prices = [("o", candle.open), ("h", candle.high), ("l", candle.low), ("c", candle.close)];
        for (key, value) in prices {
            assert_eq!(text(value.into(), 2), expected[key], "{key}");
        }
        assert_eq!(text(candle.base.into(), 1), expected["v"]);
        assert_eq!(text(candle.quote, 3), expected["q"]);
        assert_eq!(text(candle.taker_base.into(), 1), expected["V"]);
        assert_eq!(text(candle.taker_quote, 3), expected["Q"]);
        assert_eq!((candle.first_trade, candle.last_trade(), candle.trades), (501, 503, 3));
    }
}
