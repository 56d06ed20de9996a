//! Every trade there ever was, as a function of seed and time.
//!
//! A minute plays one of 64 patterns around its anchor price: prices are the anchor plus what the pattern says, sizes
//! what the pattern says times the minute's scale. Both are linear, so the candle of a minute follows from sums kept
//! per pattern, without looking at a trade, and a day costs microseconds. Each run of 64 minutes plays every pattern
//! once, in its own order; all runs hence hold equally many trades, and ids follow from arithmetic as well.

use super::candle::{Candle, Fill};
use super::drift::Drift;
use super::instrument::{INSTRUMENTS, Instrument};
use super::noise::{self, Sequence};
use std::ops::Range;

pub const MINUTE_MS: i64 = 60_000;

pub const PATTERN_BITS: u32 = 6;
pub const PATTERNS: usize = 1 << PATTERN_BITS;

/// Fills of one execution.
const FILLS_MAX: usize = 4;

/// Keeps ids positive for a clock that starts at 0 and looks a month back.
const RUNS_BEFORE_ZERO: i64 = 1 << 10;

/// The pattern walks in these parts of a tick, so that coarse prices move as well.
const WALK_BITS: u32 = 8;

/// One taker order: its fills share time, price and side. The quote it hits is there before it.
#[derive(Clone, Debug)]
pub struct Execution {
    pub quote_at: i64,
    pub trade_at: i64,
    /// Best bid from `quote_at` on.
    pub bid: i64,
    pub price: i64,
    pub taker_buys: bool,
    pub first_trade: i64,
    /// Executions are numbered like trades are.
    pub number: i64,
    sizes: [i64; FILLS_MAX],
    fill_count: usize,
}

impl Execution {
    pub fn sizes(&self) -> &[i64] {
        &self.sizes[..self.fill_count]
    }

    pub fn fills(&self) -> impl Iterator<Item = Fill> + '_ {
        self.sizes().iter().zip(self.first_trade..).map(|(&size, id)| Fill {
            id,
            price: self.price,
            size,
            taker_buys: self.taker_buys,
        })
    }

    pub fn last_trade(&self) -> i64 {
        self.first_trade + self.fill_count as i64 - 1
    }
}

/// What a pattern adds up to, with prices relative to the anchor.
#[derive(Clone, Copy, Default)]
struct Pattern {
    sum: Candle,
    executions: i64,
}

/// How one minute plays its pattern.
pub struct Minute {
    pub pattern: usize,
    pub anchor: i64,
    scale: i64,
}

pub struct Model {
    pub instrument: &'static Instrument,
    keys: Keys,
    patterns: [Pattern; PATTERNS],
    trades_per_run: i64,
    executions_per_run: i64,
}

/// Independent sources of randomness of one instrument.
struct Keys {
    patterns: u64,
    drift: u64,
    order: u64,
    activity: u64,
    book: u64,
    funding: u64,
}

impl Model {
    /// `index` is the instrument's place in [`INSTRUMENTS`].
    pub fn new(seed: u64, index: usize) -> Model {
        let instrument = &INSTRUMENTS[index];
        let own = noise::at(noise::mix(seed), index as i64);
        let mut model = Model {
            instrument,
            keys: Keys {
                patterns: noise::at(own, 1),
                drift: noise::at(own, 2),
                order: noise::at(own, 3),
                activity: noise::at(own, 4),
                book: noise::at(own, 5),
                funding: noise::at(own, 6),
            },
            patterns: [Pattern::default(); PATTERNS],
            trades_per_run: 0,
            executions_per_run: 0,
        };
        let mut executions = Vec::new();
        for pattern in 0..PATTERNS {
            model.draw(pattern, &mut executions);
            let summary = &mut model.patterns[pattern];
            executions.iter().for_each(|execution| summary.sum.push_execution(execution));
            summary.executions = executions.len() as i64;
            model.trades_per_run += summary.sum.trades;
            model.executions_per_run += summary.executions;
        }
        model
    }

    /// The key of everything the book is made of.
    pub fn book_key(&self) -> u64 {
        self.keys.book
    }

    /// The funding rate of the eight hours numbered `period`, in 10^-8.
    pub fn funding_rate(&self, period: i64) -> i64 {
        i64::from(noise::below(noise::at(self.keys.funding, period), 20_001)) - 5_000
    }

    /// Where the price stands without the bustle, in ticks: a line from this minute's anchor to the next one's.
    pub fn index_price(&self, at: i64) -> i64 {
        let minute = at.div_euclid(MINUTE_MS);
        let mut drift = self.drift();
        let from = drift.anchor(minute);
        from + (drift.anchor(minute + 1) - from) * at.rem_euclid(MINUTE_MS) / MINUTE_MS
    }

    /// The candle of whole minutes. An empty range has no trades.
    pub fn candle(&self, minutes: Range<i64>) -> Candle {
        let mut drift = self.drift();
        let mut first_trade = self.first_ids(minutes.start).0;
        let mut total = Candle::default();
        for minute in minutes {
            let played = self.minute(minute, &mut drift);
            let candle = self.patterns[played.pattern].played(&played, first_trade);
            first_trade += candle.trades;
            total.absorb(&candle);
        }
        total
    }

    /// The executions of a minute, in order; replaces what `out` held.
    pub fn executions(&self, minute: i64, out: &mut Vec<Execution>) {
        let played = self.minute(minute, &mut self.drift());
        let (first_trade, first_execution) = self.first_ids(minute);
        self.draw(played.pattern, out);
        for execution in out {
            execution.quote_at += minute * MINUTE_MS;
            execution.trade_at += minute * MINUTE_MS;
            execution.bid += played.anchor;
            execution.price += played.anchor;
            execution.first_trade += first_trade;
            execution.number += first_execution;
            execution.sizes.iter_mut().for_each(|size| *size *= played.scale);
        }
    }

    /// To be kept while neighbouring minutes are looked at.
    pub fn drift(&self) -> Drift {
        Drift::new(self.keys.drift, self.instrument.level)
    }

    pub fn minute(&self, minute: i64, drift: &mut Drift) -> Minute {
        let hourly = noise::below(noise::at(!self.keys.activity, minute >> PATTERN_BITS), 16);
        let own = noise::below(noise::at(self.keys.activity, minute), 9);
        Minute { pattern: self.pattern_of(minute), anchor: drift.anchor(minute), scale: i64::from(8 + hourly + own) }
    }

    fn pattern_of(&self, minute: i64) -> usize {
        pattern_of(order_of(self.keys.order, minute), minute)
    }

    /// Numbers of the first trade and the first execution of a minute.
    fn first_ids(&self, minute: i64) -> (i64, i64) {
        let run = minute >> PATTERN_BITS;
        let runs = run + RUNS_BEFORE_ZERO;
        let mut ids = (runs * self.trades_per_run, runs * self.executions_per_run);
        for before in run << PATTERN_BITS..minute {
            let pattern = &self.patterns[self.pattern_of(before)];
            ids.0 += pattern.sum.trades;
            ids.1 += pattern.executions;
        }
        ids
    }

    /// The executions of a pattern around anchor 0, at scale 1, numbered from 0.
    pub fn draw(&self, pattern: usize, out: &mut Vec<Execution>) {
        out.clear();
        let instrument = self.instrument;
        let mut random = Sequence::new(noise::at(self.keys.patterns, pattern as i64));
        let calmest = instrument.executions_per_minute;
        let count = i64::from(calmest + random.below(calmest / 2 + 1));
        // About 20 millionths of the price per execution.
        let stride = ((instrument.level << WALK_BITS) * 35 / 1_000_000).max(8) as u32;
        let mut walk = 0;
        let mut first_trade = 0;
        for number in 0..count {
            let slot = number * MINUTE_MS / count;
            let half = ((number + 1) * MINUTE_MS / count - slot) / 2;
            walk += random.around(stride);
            let taker_buys = random.below(2) == 0;
            let mut sizes = [0; FILLS_MAX];
            let fill_count = [1, 1, 1, 1, 2, 2, 3, FILLS_MAX][random.below(8) as usize];
            for size in &mut sizes[..fill_count] {
                *size = fill_size(instrument, &mut random);
            }
            out.push(Execution {
                quote_at: slot + i64::from(random.below(half as u32)),
                trade_at: slot + half + i64::from(random.below(half as u32)),
                bid: walk,
                price: 0,
                taker_buys,
                first_trade,
                number,
                sizes,
                fill_count,
            });
            first_trade += fill_count as i64;
        }
        // The walk returns to where it began, so that a minute ends where the next one begins.
        let end = walk;
        for execution in out {
            execution.bid = (execution.bid - end * (execution.number + 1) / count) >> WALK_BITS;
            execution.price = execution.bid + if execution.taker_buys { instrument.spread } else { 0 };
        }
    }
}

/// The order in which the run of 64 minutes around `minute` plays its patterns.
pub fn order_of(key: u64, minute: i64) -> u64 {
    noise::at(key, minute >> PATTERN_BITS)
}

/// The pattern of a minute. An odd stride through all of them visits each once.
pub fn pattern_of(order: u64, minute: i64) -> usize {
    let (stride, offset) = ((order | 1) as usize, (order >> 32) as usize);
    (stride.wrapping_mul(minute as usize & (PATTERNS - 1)).wrapping_add(offset)) & (PATTERNS - 1)
}

/// The product of two even draws: mostly small, sometimes large, on average the instrument's size once scaled.
fn fill_size(instrument: &Instrument, random: &mut Sequence) -> i64 {
    let skewed = i64::from(1 + random.below(1_000)) * i64::from(1 + random.below(1_000));
    1 + instrument.size * skewed / (250_000 * 20)
}

impl Pattern {
    /// Every price is the anchor plus the pattern's, every size the pattern's times the scale; so are the sums.
    fn played(&self, minute: &Minute, first_trade: i64) -> Candle {
        let anchor = i128::from(minute.anchor);
        let scale = i128::from(minute.scale);
        Candle {
            open: self.sum.open + minute.anchor,
            high: self.sum.high + minute.anchor,
            low: self.sum.low + minute.anchor,
            close: self.sum.close + minute.anchor,
            base: self.sum.base * minute.scale,
            quote: (self.sum.quote + anchor * i128::from(self.sum.base)) * scale,
            taker_base: self.sum.taker_base * minute.scale,
            taker_quote: (self.sum.taker_quote + anchor * i128::from(self.sum.taker_base)) * scale,
            first_trade,
            trades: self.sum.trades,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added_up(model: &Model, minutes: Range<i64>) -> Candle {
        let mut candle = Candle::default();
        let mut executions = Vec::new();
        for minute in minutes {
            model.executions(minute, &mut executions);
            executions.iter().for_each(|execution| candle.push_execution(execution));
        }
        candle
    }

    /// The arithmetic candle of any span is the sum of its trades: minutes, an hour, a day, before 1970 and now.
    #[test]
    fn candles_are_sums_of_trades() {
        for index in [0, 4, 19] {
            let model = Model::new(1, index);
            for minutes in [29_420_190..29_420_191, 29_420_160..29_420_220, -70..70, 27_874_080..27_875_520] {
                assert_eq!(model.candle(minutes.clone()), added_up(&model, minutes.clone()), "{index} {minutes:?}");
            }
        }
    }

    /// Times rise, half a second never passes without an execution, quotes come first, and ids leave no gap.
    #[test]
    fn executions_are_in_order() {
        for index in 0..INSTRUMENTS.len() {
            let model = Model::new(2, index);
            let mut executions = Vec::new();
            let mut before: Option<Execution> = None;
            for minute in 27_874_000..27_874_140 {
                model.executions(minute, &mut executions);
                assert!(executions[0].trade_at < minute * MINUTE_MS + 500);
                for execution in &executions {
                    assert!(execution.quote_at < execution.trade_at);
                    assert_eq!(execution.trade_at.div_euclid(MINUTE_MS), minute);
                    assert!(execution.bid > 0 && execution.sizes().iter().all(|&size| size > 0));
                    if let Some(before) = before.replace(execution.clone()) {
                        assert!(before.trade_at < execution.quote_at);
                        assert!(execution.trade_at - before.trade_at < 1_000);
                        assert_eq!(before.last_trade() + 1, execution.first_trade);
                        assert_eq!(before.number + 1, execution.number);
                    }
                }
            }
        }
    }

    /// No second passes with fewer than two executions, of whichever pair and in whichever pattern.
    #[test]
    fn every_second_trades_twice() {
        for (index, instrument) in INSTRUMENTS.iter().enumerate() {
            let model = Model::new(4, index);
            let (mut times, mut executions) = (Vec::new(), Vec::new());
            for minute in 27_874_000..27_874_000 + 2 * PATTERNS as i64 {
                model.executions(minute, &mut executions);
                times.extend(executions.iter().map(|execution| execution.trade_at));
            }
            assert!(times.windows(3).all(|three| three[2] - three[0] <= 1_000), "{}", instrument.name);
        }
    }

    /// Prices look like prices: a minute spans less than a percent, a day less than a fifth.
    #[test]
    fn prices_are_plausible() {
        for index in 0..INSTRUMENTS.len() {
            let model = Model::new(3, index);
            let day = model.candle(27_874_080..27_875_520);
            assert!(day.high - day.low < day.open / 5 && day.high > day.low);
            let minute = model.candle(27_874_080..27_874_081);
            assert!(minute.high - minute.low <= (minute.open / 100).max(3));
        }
    }
}
