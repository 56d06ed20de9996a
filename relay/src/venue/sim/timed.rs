//! What speaks on a grid of its own, whatever the pairs' streams do: ticks, each at its second, and documents.

use super::coins::{Coins, Document};
use super::market::Sink;
use super::past::Past;
use super::symbol::SYMBOLS;
use super::ticks::{Tick, Ticks};
use crate::venue::decimal::{write_integer, write_scaled};

/// How often there is a new document.
pub const DOCUMENT_PERIOD_MS: i64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// The ticks of the symbol at this place in [`SYMBOLS`].
    Tick(usize),
    Document(Document),
}

impl Item {
    fn period_ms(self) -> i64 {
        match self {
            Item::Tick(symbol) => SYMBOLS[symbol].period_s * 1_000,
            Item::Document(_) => DOCUMENT_PERIOD_MS,
        }
    }
}

/// One wanted stream.
pub struct Timed {
    name: String,
    item: Item,
    began: bool,
    due: i64,
}

impl Timed {
    pub fn new(name: &str, item: Item) -> Timed {
        Timed { name: name.to_owned(), item, began: false, due: i64::MAX }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn due(&self) -> i64 {
        self.due
    }

    pub fn began(&self) -> bool {
        self.began
    }

    pub fn restart(&mut self) {
        self.began = false;
        self.due = i64::MAX;
    }

    /// Tells what was said last at `now`: at the beginning that may be a little old, later it is due just now.
    pub fn step(&mut self, past: &Past, coins: &mut Option<Coins>, now: i64, sink: &mut Sink<'_>) {
        let period = self.item.period_ms();
        let at = now.div_euclid(period) * period;
        sink.buffer.clear();
        match self.item {
            Item::Tick(symbol) => {
                let ticks = past.ticks(symbol);
                write_tick(sink.buffer, at, ticks, ticks.at(at / 1_000));
            }
            Item::Document(document) => coins.get_or_insert_with(|| Coins::new(past)).write(document, at, sink.buffer),
        }
        (sink.emit)(&self.name, sink.buffer, false);
        self.began = true;
        self.schedule(now);
    }

    /// Speaks next at the first of its moments after `now`, if it began.
    pub fn schedule(&mut self, now: i64) {
        if self.began {
            let period = self.item.period_ms();
            self.due = (now.div_euclid(period) + 1) * period;
        }
    }
}

fn write_tick(out: &mut Vec<u8>, at: i64, ticks: &Ticks, tick: Tick) {
    let digits = ticks.symbol.digits;
    out.extend_from_slice(b"{\"e\":\"tick\",\"E\":");
    write_integer(out, at);
    out.extend_from_slice(b",\"s\":\"");
    out.extend_from_slice(ticks.symbol.name.as_bytes());
    for (key, pips) in [("p", tick.quote), ("b", tick.bid), ("a", tick.ask)] {
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":\"");
        write_scaled(out, pips.into(), digits);
    }
    out.extend_from_slice(b"\",\"d\":");
    write_integer(out, digits.into());
    out.push(b'}');
}
