//! A market that a seed determines: trades with contiguous numbers, a book whose changes are numbered, and what adds up
//! from them. No clock: [`Market::step`] is ten milliseconds.
//!
//! Prices and quantities are whole numbers of 10^-8, so that sums are exact.

pub mod book;
pub mod candle;
pub mod number;
pub mod random;
mod symbol;

pub use book::{Book, Diff, RATES_MS};
pub use candle::Interval;
pub use symbol::{Instrument, Symbol, Taker};

use std::collections::HashMap;

pub const STEP_MS: u64 = 10;

pub struct Market {
    epoch_ms: u64,
    steps: u64,
    symbols: Vec<Symbol>,
    by_name: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    pub epoch_ms: u64,
    /// Of each symbol.
    pub trades_per_second: f64,
    /// Between changes of a book.
    pub book_every_ms: u64,
}

impl Market {
    pub fn new(instruments: &[Instrument], mut settings: Settings) -> Self {
        // All periods begin at whole steps, so that a second of the market is a second of the wall clock.
        settings.epoch_ms = settings.epoch_ms / 1000 * 1000;
        let symbols: Vec<Symbol> = instruments.iter().map(|instrument| Symbol::new(instrument, &settings)).collect();
        let epoch_ms = settings.epoch_ms;
        let by_name = symbols.iter().enumerate().map(|(index, symbol)| (symbol.name.clone(), index)).collect();
        Self { epoch_ms, steps: 0, symbols, by_name }
    }

    pub fn now_ms(&self) -> u64 {
        self.epoch_ms + self.steps * STEP_MS
    }

    /// Ten milliseconds go by.
    pub fn step(&mut self) {
        self.steps += 1;
        let now_ms = self.now_ms();
        for symbol in &mut self.symbols {
            symbol.step(now_ms);
        }
    }

    /// Whether a period of so many milliseconds ends with this step.
    pub fn is_due(&self, period_ms: u64) -> bool {
        self.now_ms().is_multiple_of(period_ms)
    }

    /// Every book's numbers begin anew, lower than before.
    pub fn reset_books(&mut self) {
        self.symbols.iter_mut().for_each(|symbol| symbol.book.reset());
    }

    /// A stream of this symbol's book is wanted at this rate.
    pub fn want_book(&mut self, symbol: usize, rate_ms: u64) {
        self.symbols[symbol].book.want(rate_ms);
    }

    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    pub fn symbol(&self, index: usize) -> &Symbol {
        &self.symbols[index]
    }

    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn market(seed: u64) -> Market {
        let instruments = [Instrument::pair("btcusdt"), Instrument::pair("s1usdt")];
        let settings = Settings { seed, epoch_ms: 1_765_211_445_123, trades_per_second: 20.0, book_every_ms: 50 };
        Market::new(&instruments, settings)
    }

    /// The same seed makes the same market, another one another.
    #[test]
    fn seeded() {
        let run = |seed| {
            let mut market = market(seed);
            (0..2000).for_each(|_| market.step());
            let symbol = market.symbol(0);
            (symbol.day.count, symbol.day.close, symbol.book.last_id(), market.now_ms())
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert_eq!(run(7).3, 1_765_211_465_000);
    }

    /// Trades are contiguous, aggregates cover them, and candles and the day are their sums.
    #[test]
    fn trades_add_up() {
        let mut market = market(1);
        let (mut next, mut next_aggregate) = (None, None);
        let (mut volume, mut quote, mut count) = (0u128, 0u128, 0);
        let (mut candle_count, mut candles) = (0, 0);
        for _ in 0..20_000 {
            market.step();
            let symbol = market.symbol(0);
            for taker in &symbol.takers {
                assert_eq!(next_aggregate.replace(taker.id + 1).unwrap_or(taker.id), taker.id);
                assert_eq!(taker.fills.iter().map(|fill| fill.quantity).sum::<u64>(), taker.quantity);
                for fill in &taker.fills {
                    assert_eq!(next.replace(fill.id + 1).unwrap_or(fill.id), fill.id);
                    volume += u128::from(fill.quantity);
                    quote += u128::from(fill.quantity) * u128::from(taker.price);
                    count += 1;
                }
            }
            if let Some(closed) = symbol.closed(Interval::Minutes(1)) {
                candle_count += closed.count;
                candles += 1;
                assert_eq!(closed.close_ms + 1 - closed.open_ms, 60_000);
            }
        }
        let symbol = market.symbol(0);
        assert!(count > 3000, "{count}");
        assert_eq!((symbol.day.volume, symbol.day.quote, symbol.day.count), (volume, quote / 100_000_000, count));
        assert!(candles >= 3, "{candles}");
        assert_eq!(candle_count + symbol.candle(Interval::Minutes(1)).count, count);
        let hour = symbol.candle(Interval::Minutes(60));
        assert!(hour.low <= hour.close && hour.close <= hour.high);
    }

    /// A book built from a snapshot and the diffs that follow is the venue's, at every rate; ids chain without a hole.
    #[test]
    fn book_chain() {
        for (rate_index, &rate) in RATES_MS.iter().enumerate() {
            let mut market = market(3);
            (0..33).for_each(|_| market.step());
            market.want_book(0, rate);
            (0..4).for_each(|_| market.step());
            let snapshot = market.symbol(0).book.clone();
            let mut bids: BTreeMap<u64, u64> = snapshot.bids().collect();
            let mut asks: BTreeMap<u64, u64> = snapshot.asks().collect();
            let mut last = snapshot.last_id();
            let mut diffs = 0;
            for _ in 0..3000 {
                market.step();
                let book = &market.symbol(0).book;
                let Some(diff) = book.diff(rate_index) else {
                    continue;
                };
                assert!(market.is_due(rate));
                assert!(diff.first <= last + 1 && last < diff.last, "{} {} {last}", diff.first, diff.last);
                assert!(diffs == 0 || (diff.first, diff.previous) == (last + 1, last));
                last = diff.last;
                diffs += 1;
                for (side, changes) in [(&mut bids, &diff.bids), (&mut asks, &diff.asks)] {
                    for &(price, quantity) in changes {
                        match quantity {
                            0 => side.remove(&price),
                            quantity => side.insert(price, quantity),
                        };
                    }
                }
                assert!(bids.iter().map(|(&price, &quantity)| (price, quantity)).eq({
                    let mut all: Vec<_> = book.bids().collect();
                    all.sort_unstable();
                    all
                }));
                assert!(asks.iter().map(|(&price, &quantity)| (price, quantity)).eq(book.asks()));
                assert!(bids.keys().next_back() < asks.keys().next(), "a book is never crossed");
            }
            assert!(diffs > 20, "{diffs}");
        }
    }
}
