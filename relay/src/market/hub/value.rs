//! One instrument's newest price and data, out of an event. What would not be JSON is refused.

use crate::market::event::{Book, Ticker};
use crate::venue::decimal::Decimal;
use crate::wire::hub::price::is_number;
use crate::wire::json::{Array, write_string};

/// What a message says of an instrument. Its memory is used again for the next one.
#[derive(Debug, Default)]
pub struct Value {
    /// A JSON number.
    pub price: String,
    /// A JSON object.
    pub data: Vec<u8>,
}

/// The event lacks what every message of the channel needs, or it is none we could pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

impl Value {
    /// `binance_prices`.
    pub fn prices(&mut self, symbol: &str, ticker: &Ticker<'_>) -> Result<(), Unfit> {
        check_number(ticker.last)?;
        self.set_price(ticker.last);
        let mut members = Members::open(&mut self.data);
        members.text("symbol", symbol);
        members.text("price", ticker.last);
        members.optional("priceChangePercent", ticker.change_percent);
        members.close();
        Ok(())
    }

    /// `binance_24hr`: the keys of the REST object in its order, without those the event does not have.
    pub fn day(&mut self, symbol: &str, ticker: &Ticker<'_>) -> Result<(), Unfit> {
        check_number(ticker.last)?;
        let integers = [
            ("openTime", ticker.open_time),
            ("closeTime", ticker.close_time),
            ("firstId", ticker.first_trade),
            ("lastId", ticker.last_trade),
            ("count", ticker.trades),
        ];
        integers.iter().try_for_each(|(_, value)| value.map_or(Ok(()), check_number))?;

        self.set_price(ticker.last);
        let mut members = Members::open(&mut self.data);
        members.text("symbol", symbol);
        members.optional("priceChange", ticker.change);
        members.optional("priceChangePercent", ticker.change_percent);
        members.optional("weightedAvgPrice", ticker.weighted_average);
        members.optional("prevClosePrice", ticker.previous_close);
        members.text("lastPrice", ticker.last);
        members.optional("lastQty", ticker.last_quantity);
        members.optional("bidPrice", ticker.bid);
        members.optional("bidQty", ticker.bid_quantity);
        members.optional("askPrice", ticker.ask);
        members.optional("askQty", ticker.ask_quantity);
        for (key, value) in [
            ("openPrice", ticker.open),
            ("highPrice", ticker.high),
            ("lowPrice", ticker.low),
            ("volume", ticker.volume),
            ("quoteVolume", ticker.quote_volume),
        ] {
            members.optional(key, Some(value).filter(|value| !value.is_empty()));
        }
        for (key, value) in integers {
            if let Some(value) = value {
                members.raw(key, value);
            }
        }
        members.close();
        Ok(())
    }

    /// `binance_orderbook`. A book with an empty side has no middle, so it is unfit.
    pub fn book(&mut self, symbol: &str, book: &Book<'_>) -> Result<(), Unfit> {
        check_number(book.last_update)?;
        let middle = middle(best(book.bids)?, best(book.asks)?).ok_or(Unfit)?;
        self.set_price(&middle.to_string());
        let mut members = Members::open(&mut self.data);
        members.text("symbol", symbol);
        members.raw("lastUpdateId", book.last_update);
        members.raw("bids", book.bids);
        members.raw("asks", book.asks);
        members.close();
        Ok(())
    }

    /// A number and an object that stand in a validated document.
    pub fn set(&mut self, price: &str, data: &str) {
        self.set_price(price);
        self.data.clear();
        self.data.extend_from_slice(data.as_bytes());
    }

    pub(super) fn set_price(&mut self, price: &str) {
        self.price.clear();
        self.price.push_str(price);
    }
}

pub(super) fn check_number(text: &str) -> Result<(), Unfit> {
    if is_number(text) { Ok(()) } else { Err(Unfit) }
}

/// The price of the first level, once all of them are known to be JSON.
fn best(levels: &str) -> Result<Decimal, Unfit> {
    let mut levels = Array::open(levels).ok_or(Unfit)?;
    let best = levels.next().ok().flatten().ok_or(Unfit)?;
    while levels.next().map_err(|_| Unfit)?.is_some() {}
    let mut level = Array::open(best.text).ok_or(Unfit)?;
    let price = level.next().ok().flatten().and_then(|price| price.string()).ok_or(Unfit)?;
    Decimal::parse(&price).ok_or(Unfit)
}

/// Half the sum, exactly, with one more digit only where it takes one.
fn middle(bid: Decimal, ask: Decimal) -> Option<Decimal> {
    let sum = bid.checked_add(ask)?;
    let half = sum.checked_mul(Decimal::new(5, 1))?;
    Some(half.at_scale(sum.scale()).unwrap_or(half))
}

/// The members of an object that is being written.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Members<'a> {
    /// What was in `out` is overwritten.
    pub fn open(out: &'a mut Vec<u8>) -> Members<'a> {
        out.clear();
        Members { out }
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_string(value, self.out);
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A value that is JSON already.
    fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.extend_from_slice(value.as_bytes());
    }

    fn key(&mut self, key: &str) {
        self.out.push(if self.out.is_empty() { b'{' } else { b',' });
        write_string(key, self.out);
        self.out.push(b':');
    }

    /// There is at least one member.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_middle(bid: &str, ask: &str, expected: &str) {
        let decimal = |text| Decimal::parse(text).unwrap();
        assert_eq!(middle(decimal(bid), decimal(ask)).unwrap().to_string(), expected);
    }

    #[test]
    fn the_middle_is_exact() {
        check_middle("42150.49", "42150.50", "42150.495");
        check_middle("42150.50", "42150.52", "42150.51");
        check_middle("42150.49000000", "42150.50000000", "42150.49500000");
        check_middle("1", "2", "1.5");
        check_middle("0.00000001", "0.00000002", "0.000000015");
        check_middle("12345678901234567.123456789012345678", "12345678901234567.123456789012345679", {
            "12345678901234567.1234567890123456785"
        });
    }

    #[test]
    fn a_book_with_an_empty_or_broken_side_is_unfit() {
        let level = r#"[["1.5","2"]]"#;
        let check = |bids, asks, last_update, expected| {
            let book = Book { symbol: "X", last_update, bids, asks, time_ms: 0 };
            assert_eq!(Value::default().book("X", &book), expected, "{bids} {asks} {last_update}");
        };
        check(level, level, "1", Ok(()));
        for wrong in ["[]", "", "{}", "[[]]", "[1]", r#"[["x","1"]]"#, r#"[["1","1"],"#, r#"[["1","1"]"#, "[[1,2]]"] {
            check(wrong, level, "1", Err(Unfit));
            check(level, wrong, "1", Err(Unfit));
        }
        check(level, level, "", Err(Unfit));
        check(level, level, "1}", Err(Unfit));
    }
}
