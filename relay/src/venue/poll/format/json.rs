//! Any endpoint that answers with prices in JSON, read by pointers.

use super::{Said, Unreadable, binance};
use crate::venue::poll::pointer::{self, Pointer};
use crate::venue::poll::time;
use crate::venue::price;
use crate::wire::json::Array;

/// Where the prices of an answer are. Inside an array, the pointers start at each of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    /// Path and query. `{symbol}` and `{SYMBOL}` stand for the stream's symbol in lower and upper case: then each
    /// symbol is a request of its own.
    pub path: Box<str>,
    /// The array of rows, or the one row: the whole answer unless it says otherwise.
    pub rows: Pointer,
    /// None where the answer does not name the symbol: then it is the one that was asked for.
    pub symbol: Option<Pointer>,
    pub price: Pointer,
    pub time: Option<Pointer>,
    /// The one symbol of a source that neither is asked for one nor names one.
    pub only: Option<Box<str>>,
}

const LOWER: &str = "{symbol}";
const UPPER: &str = "{SYMBOL}";

/// Whether a path and query are of one symbol, so that each one is a request of its own.
pub fn is_of_one(path: &str) -> bool {
    path.contains(LOWER) || path.contains(UPPER)
}

impl Json {
    /// A symbol in letters and digits only: sources write `BTC/USDT`, `BTC-USDT`, `btc_usdt`.
    pub(super) fn subject(&self, symbol: &str) -> Option<Box<str>> {
        let subject = normal(price::bare(symbol));
        let is_other = |only: &str| normal(only) != subject;
        (!subject.is_empty() && !self.only.as_deref().is_some_and(is_other)).then(|| subject.into())
    }

    pub(super) fn is_shared(&self) -> bool {
        !is_of_one(&self.path)
    }

    pub(super) fn batch_max(&self) -> usize {
        if self.is_shared() { usize::MAX } else { 1 }
    }

    pub(super) fn path(&self, subjects: &[Box<str>]) -> String {
        let Some(subject) = subjects.first() else { return self.path.to_string() };
        let [lower, upper] = [subject.to_lowercase(), subject.to_uppercase()].map(|symbol| binance::escape(&symbol));
        self.path.replace(LOWER, &lower).replace(UPPER, &upper)
    }

    pub(super) fn read<'a>(
        &self,
        body: &'a str,
        subjects: &[Box<str>],
        each: &mut dyn FnMut(&str, Said<'a>),
    ) -> Result<u64, Unreadable> {
        let rows = self.rows.find(body).ok_or(Unreadable)?;
        let Some(mut list) = Array::open(rows) else {
            return self.row(rows, subjects, each).map(|()| 0).ok_or(Unreadable);
        };
        let (mut count, mut skipped) = (0, 0);
        while let Some(row) = list.next().map_err(|_| Unreadable)? {
            count += 1;
            if self.row(row.text, subjects, each).is_none() {
                skipped += 1;
            }
        }
        // Rows of which none is one are another document.
        if count > 0 && count == skipped { Err(Unreadable) } else { Ok(skipped) }
    }

    fn row<'a>(&self, row: &'a str, subjects: &[Box<str>], each: &mut dyn FnMut(&str, Said<'a>)) -> Option<()> {
        let symbol = match &self.symbol {
            Some(symbol) => normal(&pointer::scalar(symbol.find(row)?)?),
            None => subjects.first()?.to_string(),
        };
        let value = self.price.find(row)?;
        let price = match value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => price::plain(text)?,
            None => price::plain(value)?,
        };
        let time_ms = match &self.time {
            Some(time) => Some(time::parse(&pointer::scalar(time.find(row)?)?)?),
            None => None,
        };
        each(&symbol, Said::Price { price, time_ms });
        Some(())
    }
}

fn normal(symbol: &str) -> String {
    symbol.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
