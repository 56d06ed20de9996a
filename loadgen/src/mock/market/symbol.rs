//! One instrument: its takers, its book, its candles and its day.

use super::Settings;
use super::book::Book;
use super::candle::{Candle, INTERVALS, Interval, Traded};
use super::number::ONE;
use super::random::Random;

/// What a symbol is called, where its price begins and how fine it is.
#[derive(Clone, Debug)]
pub struct Instrument {
    pub name: String,
    pub price: u64,
    pub tick: u64,
}

/// Where prices begin; others get one from their name.
const PRICES: [(&str, u64); 6] =
    [("btc", 4_215_050), ("eth", 224_011), ("bnb", 61_230), ("sol", 18_244), ("xrp", 215), ("doge", 38)];

impl Instrument {
    /// A pair such as `btcusdt`, by its first letters.
    pub fn pair(name: &str) -> Self {
        let known = PRICES.iter().find(|known| name.to_lowercase().starts_with(known.0)).map(|known| known.1);
        let cents = known.unwrap_or_else(|| 100 + Random::new(0, name).below(100_000));
        let price = cents * (ONE / 100);
        Self { name: name.to_owned(), price, tick: if cents < 1000 { 10_000 } else { 1_000_000 } }
    }

    pub fn new(name: &str, price: u64, digits: u32) -> Self {
        Self { name: name.to_owned(), price, tick: ONE / 10u64.pow(digits) }
    }
}

pub struct Fill {
    pub id: u64,
    pub quantity: u64,
}

/// One order that took, in one to three fills of one price: an aggregate trade.
pub struct Taker {
    pub id: u64,
    pub price: u64,
    pub quantity: u64,
    pub buyer_is_maker: bool,
    pub fills: Vec<Fill>,
}

/// Since the market began; a real venue's window moves, which nobody can tell in a day.
pub struct Day {
    pub open_ms: u64,
    pub open: u64,
    pub high: u64,
    pub low: u64,
    pub close: u64,
    pub last_quantity: u64,
    pub volume: u128,
    pub quote: u128,
    pub first_id: u64,
    pub last_id: u64,
    pub count: u64,
    pub changed_ms: u64,
    quote_exact: u128,
}

pub struct Symbol {
    pub name: String,
    /// As payloads have it.
    pub upper: String,
    /// Behind the point of a price.
    pub digits: usize,
    /// What was taken with this step.
    pub takers: Vec<Taker>,
    pub book: Book,
    pub day: Day,
    candles: Vec<Candle>,
    /// Those that ended with this step.
    closed: Vec<Option<Candle>>,
    random: Random,
    takers_per_step: f64,
    next_taker: u64,
    next_fill: u64,
}

impl Symbol {
    pub fn new(instrument: &Instrument, settings: &Settings) -> Self {
        let Settings { epoch_ms, trades_per_second, book_every_ms, .. } = *settings;
        let mut random = Random::new(settings.seed, &instrument.name);
        let first_id = 1_000_000 + random.below(1 << 30);
        let book_id = 1_000_000 + random.below(1 << 33);
        let price = instrument.price / instrument.tick * instrument.tick;
        let digits = 8 - instrument.tick.ilog10() as usize;
        Self {
            name: instrument.name.clone(),
            upper: instrument.name.to_uppercase(),
            digits,
            takers: Vec::new(),
            book: Book::new(&mut random, price, instrument.tick, book_id, book_every_ms),
            day: Day {
                open_ms: epoch_ms,
                open: price,
                high: price,
                low: price,
                close: price,
                last_quantity: 0,
                volume: 0,
                quote: 0,
                first_id,
                last_id: first_id - 1,
                count: 0,
                changed_ms: epoch_ms,
                quote_exact: 0,
            },
            candles: INTERVALS.iter().map(|known| Candle::empty(known.1, epoch_ms, price)).collect(),
            closed: vec![None; INTERVALS.len()],
            next_taker: first_id / 2,
            next_fill: first_id,
            random,
            // Two fills a taker, on average.
            takers_per_step: trades_per_second / 2.0 * super::STEP_MS as f64 / 1000.0,
        }
    }

    pub fn candle(&self, interval: Interval) -> &Candle {
        &self.candles[interval.index()]
    }

    /// The candle that ended with this step.
    pub fn closed(&self, interval: Interval) -> Option<&Candle> {
        self.closed[interval.index()].as_ref()
    }

    pub fn step(&mut self, now_ms: u64) {
        for (index, (_, interval)) in INTERVALS.into_iter().enumerate() {
            let candle = &mut self.candles[index];
            self.closed[index] = (now_ms > candle.close_ms).then(|| {
                let next = Candle::empty(interval, now_ms, candle.close);
                std::mem::replace(candle, next)
            });
        }
        self.book.step(&mut self.random, now_ms);
        self.takers.clear();
        let mut expected = self.takers_per_step;
        while expected > 0.0 && self.random.chance(expected.min(1.0)) {
            self.take(now_ms);
            expected -= 1.0;
        }
    }

    fn take(&mut self, now_ms: u64) {
        let buyer_is_maker = self.random.below(2) == 0;
        let price = if buyer_is_maker { self.book.best_bid().0 } else { self.book.best_ask().0 };
        let mut fills = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let fill = Fill { id: self.next_fill, quantity: (1 + self.random.below(2000)) * 100_000 };
            self.next_fill += 1;
            let traded = Traded { id: fill.id, price, quantity: fill.quantity, buyer_is_maker, at_ms: now_ms };
            self.candles.iter_mut().for_each(|candle| candle.add(&traded));
            self.day.add(&traded);
            fills.push(fill);
        }
        let quantity = fills.iter().map(|fill| fill.quantity).sum();
        self.takers.push(Taker { id: self.next_taker, price, quantity, buyer_is_maker, fills });
        self.next_taker += 1;
    }
}

impl Day {
    fn add(&mut self, trade: &Traded) {
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.last_quantity = trade.quantity;
        self.volume += u128::from(trade.quantity);
        self.quote_exact += u128::from(trade.quantity) * u128::from(trade.price);
        self.quote = self.quote_exact / u128::from(ONE);
        self.last_id = trade.id;
        self.count += 1;
        self.changed_ms = trade.at_ms;
    }

    pub fn change(&self) -> i128 {
        i128::from(self.close) - i128::from(self.open)
    }

    /// Percent, in 10^-8 like everything.
    pub fn change_percent(&self) -> i128 {
        self.change() * 100 * i128::from(ONE) / i128::from(self.open.max(1))
    }

    pub fn weighted_average(&self) -> u128 {
        self.quote_exact.checked_div(self.volume).unwrap_or(u128::from(self.close))
    }
}
