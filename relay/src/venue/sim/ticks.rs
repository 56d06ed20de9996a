//! Every tick of one symbol there ever was, and the candles they add up to, as functions of seed and time.

use std::sync::Arc;

use super::drift::Drift;
use super::model::{self, Model, PATTERN_BITS};
use super::noise;
use super::symbol::{Origin, SYMBOLS, Symbol, Walk};
use super::walk::{self, MINUTE_S, Pattern, WALK_BITS};

/// Keeps walks apart from the pairs, whose keys are their places in a table.
const WALKS_KEY: i64 = 1 << 32;

/// What one second says, in pips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub quote: i64,
    pub bid: i64,
    pub ask: i64,
}

/// Open, high, low and close, in pips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
}

pub struct Ticks {
    pub symbol: &'static Symbol,
    play: Play,
    patterns: Box<[Pattern]>,
}

enum Play {
    Walk { walk: Walk, drift: u64, order: u64 },
    Pair(Arc<Model>),
}

/// How one minute plays its pattern.
#[derive(Clone, Copy)]
struct Played<'a> {
    pattern: &'a Pattern,
    base: i64,
}

impl Ticks {
    /// `index` is the symbol's place in [`SYMBOLS`]; `model` gives the model of the pair at a place.
    pub fn new(seed: u64, index: usize, model: impl FnOnce(usize) -> Arc<Model>) -> Ticks {
        let symbol = &SYMBOLS[index];
        match symbol.origin {
            Origin::Walk(walk) => {
                let own = noise::at(noise::mix(seed), WALKS_KEY + index as i64);
                let patterns = walk::of_walk(noise::at(own, 1), &walk, symbol.period_s);
                Ticks {
                    symbol,
                    play: Play::Walk { walk, drift: noise::at(own, 2), order: noise::at(own, 3) },
                    patterns,
                }
            }
            Origin::Pair(pair) => {
                let model = model(pair);
                let patterns = walk::of_pair(&model);
                Ticks { symbol, play: Play::Pair(model), patterns }
            }
        }
    }

    /// The tick of a second, which is a multiple of the period.
    pub fn at(&self, second: i64) -> Tick {
        debug_assert_eq!(second % self.symbol.period_s, 0, "a tick falls on its period");
        let place = self.place(second);
        let played = Cursor::new(self).play(place.minute);
        let quote = self.price(played, place.index);
        let (bid, ask) = match &self.play {
            Play::Walk { walk, .. } => (quote - walk.half_spread, quote + walk.half_spread),
            Play::Pair(model) => {
                let spread = model.instrument.spread;
                let taker_buys = played.pattern.takers_buy >> place.index & 1 == 1;
                if taker_buys { (quote - spread, quote) } else { (quote, quote + spread) }
            }
        };
        Tick { quote, bid, ask }
    }

    /// What the ticks of `open..end` add up to; none if none falls into it. Whole minutes cost no look at their ticks.
    pub fn span(&self, open: i64, end: i64) -> Option<Span> {
        let period = self.symbol.period_s;
        let first = open + (-open).rem_euclid(period);
        let last = (end - 1) - (end - 1).rem_euclid(period);
        if first > last {
            return None;
        }
        let (from, to) = (self.place(first), self.place(last));
        let mut cursor = Cursor::new(self);
        let mut span: Option<Span> = None;
        for minute in from.minute..=to.minute {
            let played = cursor.play(minute);
            let begin = if minute == from.minute { from.index } else { 0 };
            let end = if minute == to.minute { to.index } else { MINUTE_S / period - 1 };
            let whole = begin == 0 && end == MINUTE_S / period - 1;
            let (high, low) = if whole {
                (self.round(played.base + played.pattern.high), self.round(played.base + played.pattern.low))
            } else {
                (begin..=end)
                    .map(|index| self.price(played, index))
                    .fold((i64::MIN, i64::MAX), |(high, low), price| (high.max(price), low.min(price)))
            };
            let close = self.price(played, end);
            let total = span.get_or_insert(Span { open: self.price(played, begin), high, low, close });
            *total = Span { open: total.open, high: total.high.max(high), low: total.low.min(low), close };
        }
        span
    }

    fn price(&self, played: Played<'_>, index: i64) -> i64 {
        self.round(played.base + played.pattern.tick(index))
    }

    /// Rounding down keeps the order of prices, so the highest of a minute stays the highest.
    fn round(&self, fine: i64) -> i64 {
        match self.play {
            Play::Walk { .. } => fine >> WALK_BITS,
            Play::Pair(_) => fine,
        }
    }

    /// Which minute plays a second's tick. A pair's full minute is the last tick of the one before: only trades of
    /// that one can have happened.
    fn place(&self, second: i64) -> Place {
        let second = match self.play {
            Play::Walk { .. } => second,
            Play::Pair(_) => second - 1,
        };
        Place { minute: second.div_euclid(MINUTE_S), index: second.rem_euclid(MINUTE_S) / self.symbol.period_s }
    }
}

struct Place {
    minute: i64,
    index: i64,
}

/// Walks over minutes; neighbours are cheap.
struct Cursor<'a> {
    ticks: &'a Ticks,
    drift: Drift,
    /// The minute after the last one played, the order of its run, and how far the run has led until then.
    next: i64,
    order: u64,
    led: i64,
}

impl<'a> Cursor<'a> {
    fn new(ticks: &'a Ticks) -> Cursor<'a> {
        let drift = match &ticks.play {
            Play::Walk { walk, drift, .. } => Drift::wild(*drift, walk.level, walk.volatility),
            Play::Pair(model) => model.drift(),
        };
        Cursor { ticks, drift, next: i64::MIN, order: 0, led: 0 }
    }

    fn play(&mut self, minute: i64) -> Played<'a> {
        let patterns = &self.ticks.patterns;
        match &self.ticks.play {
            Play::Pair(model) => {
                let played = model.minute(minute, &mut self.drift);
                Played { pattern: &patterns[played.pattern], base: played.anchor }
            }
            Play::Walk { order, .. } => {
                let begin = minute >> PATTERN_BITS << PATTERN_BITS;
                if self.next != minute || minute == begin {
                    self.order = model::order_of(*order, minute);
                    let before = (begin..minute).map(|before| patterns[model::pattern_of(self.order, before)].end);
                    self.led = before.sum();
                }
                let pattern = &patterns[model::pattern_of(self.order, minute)];
                let base = (self.drift.anchor(minute) << WALK_BITS) + self.led;
                self.led += pattern.end;
                self.next = minute + 1;
                Played { pattern, base }
            }
        }
    }
}
