//! A hundred coins as an aggregator sees them: those of the traded pairs at their last prices, and the long tail.
//!
//! The state at a moment is a function of it. Coins of pairs are looked up in the pair; the others have prices of their
//! own, a new one every five minutes, each coin at its own time. What is remembered only saves work.

mod document;
mod table;

pub use document::Document;

use std::sync::Arc;

use super::day::{DAY_MS, Day};
use super::drift::{Drift, VOLATILITY_MAX};
use super::model::{MINUTE_MS, Model};
use super::noise;
use super::past::Past;
use super::tape::Tape;
use crate::venue::decimal::divide_half_even;
use table::{COINS, Coin, Origin};

/// Keeps coins apart from pairs and walks.
const COINS_KEY: i64 = 1 << 33;

/// How often a coin without a pair gets a new price, and how many such prices make a day.
const UPDATE_MS: i64 = 5 * MINUTE_MS;
const UPDATES_PER_DAY: i64 = DAY_MS / UPDATE_MS;

/// Coins beyond the table, as a share of its market value, in thousandths.
const BEYOND_TABLE: i128 = 70;

pub struct Coins {
    key: u64,
    sources: Vec<Source>,
    /// The moment `rows` are about.
    at: i64,
    rows: Vec<Row>,
}

enum Source {
    Pair {
        model: Arc<Model>,
        day: Day,
    },
    /// The row of the last update.
    Own {
        key: u64,
        row: Option<Row>,
    },
}

/// One coin at a moment. Prices are counted in 10^-digits, values in whole dollars.
#[derive(Clone, Copy)]
struct Row {
    coin: &'static Coin,
    /// Place in the table.
    index: usize,
    digits: u32,
    price: i64,
    high: i64,
    low: i64,
    /// A day before.
    open: i64,
    volume: i128,
    updated: i64,
}

impl Row {
    fn market_cap(&self) -> i128 {
        self.value(self.price, self.coin.supply)
    }

    fn market_cap_before(&self) -> i128 {
        self.value(self.open, self.coin.supply)
    }

    /// So many coins at a price, in whole dollars.
    fn value(&self, price: i64, count: i64) -> i128 {
        divide_half_even(i128::from(price) * i128::from(count), 10i128.pow(self.digits))
    }
}

impl Coins {
    pub fn new(past: &Past) -> Coins {
        let key = noise::at(noise::mix(past.seed()), COINS_KEY);
        let sources = COINS.iter().enumerate().map(|(index, coin)| match coin.origin {
            Origin::Pair(pair) => Source::Pair { model: past.model(pair), day: Day::new() },
            Origin::Own { .. } => Source::Own { key: noise::at(key, index as i64), row: None },
        });
        Coins { key, sources: sources.collect(), at: i64::MIN, rows: Vec::new() }
    }

    /// All coins at a moment, the most valuable first.
    fn rows(&mut self, at: i64) -> &[Row] {
        if self.at != at {
            self.at = at;
            self.rows.clear();
            for (index, source) in self.sources.iter_mut().enumerate() {
                self.rows.push(source.row(index, at));
            }
            self.rows.sort_by_key(|row| (-row.market_cap(), row.index));
        }
        &self.rows
    }
}

impl Source {
    fn row(&mut self, index: usize, at: i64) -> Row {
        let coin = &COINS[index];
        match self {
            Source::Pair { model, day } => {
                let tape = Tape::new(model, at);
                let candle = day.window(model, &tape, at).candle;
                let digits = model.instrument.price_digits;
                let scale = 10i128.pow(digits + model.instrument.size_digits);
                Row {
                    coin,
                    index,
                    digits,
                    price: candle.close,
                    high: candle.high,
                    low: candle.low,
                    open: candle.open,
                    volume: divide_half_even(candle.quote, scale),
                    updated: at,
                }
            }
            Source::Own { key, row } => {
                // At moments of the documents' grid, each coin at its own.
                let phase = i64::from(noise::below(noise::at(*key, 0), (UPDATE_MS / 10_000) as u32)) * 10_000;
                let updated = (at - phase).div_euclid(UPDATE_MS) * UPDATE_MS + phase;
                match row {
                    Some(row) if row.updated == updated => *row,
                    _ => *row.insert(own_row(*key, index, updated)),
                }
            }
        }
    }
}

fn own_row(key: u64, index: usize, updated: i64) -> Row {
    let coin = &COINS[index];
    let Origin::Own { level, digits, volatility } = coin.origin else {
        unreachable!("coins of pairs have no price of their own");
    };
    let mut drift = Drift::wild(noise::at(key, 1), level, volatility);
    let jitter = (level * volatility / (500 * VOLATILITY_MAX)) as u32;
    let mut price_at = |update: i64| {
        let at = updated - (UPDATES_PER_DAY - update) * UPDATE_MS;
        let bits = noise::at(noise::at(key, 2), at);
        drift.anchor(at.div_euclid(MINUTE_MS)) + i64::from(noise::below(bits, 2 * jitter + 1)) - i64::from(jitter)
    };
    let open = price_at(0);
    let (mut price, mut high, mut low) = (open, open, open);
    for update in 1..=UPDATES_PER_DAY {
        price = price_at(update);
        high = high.max(price);
        low = low.min(price);
    }
    let mut row = Row { coin, index, digits, price, high, low, open, volume: 0, updated };
    // Some percent of all coins change hands in a day, in millionths.
    let turnover = Drift::wild(noise::at(key, 3), 60_000, VOLATILITY_MAX).anchor(updated.div_euclid(MINUTE_MS));
    row.volume = row.market_cap() * i128::from(turnover) / 1_000_000;
    row
}
