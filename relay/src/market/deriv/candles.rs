//! Candles of any width, from minutes: every granularity is a multiple of one.

use std::collections::{HashMap, VecDeque};

use super::price::Price;
use super::ticks::{Grid, Tick};
use crate::limits::{DERIV_HISTORY_MAX, DERIV_PAST_CANDLES_MAX};

const MINUTE_S: u64 = 60;

#[derive(Clone, Copy, Debug)]
pub struct Candle {
    /// Where it starts.
    pub open_s: u64,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
}

impl Candle {
    fn new(open_s: u64, price: Price) -> Candle {
        Candle { open_s, open: price, high: price, low: price, close: price }
    }

    pub fn take(&mut self, price: Price) {
        self.join(&Candle::new(self.open_s, price));
    }

    fn join(&mut self, later: &Candle) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
    }
}

/// The newest `count` candles that hold a second of `start_s..=end_s`.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    pub start_s: u64,
    pub end_s: u64,
    pub count: usize,
}

impl Stretch {
    /// Where its first candle starts.
    pub fn first_open_s(&self, granularity_s: u32) -> u64 {
        let width_s = u64::from(granularity_s);
        let before_s = width_s.saturating_mul((self.count as u64).saturating_sub(1));
        (self.end_s - self.end_s % width_s).saturating_sub(before_s).max(self.start_s - self.start_s % width_s)
    }
}

/// What was heard of one symbol, by minute, and what its past says of the time before.
#[derive(Debug, Default)]
pub struct Candles {
    /// Oldest first; minutes without a tick are left out.
    minutes: VecDeque<Candle>,
    /// From here on every tick was heard.
    heard_from_s: u64,
    /// Candles before that, by granularity and start: they never change, and may be dear to compute.
    past: HashMap<(u32, u64), Candle>,
}

impl Candles {
    pub fn push(&mut self, tick: Tick) {
        let open_s = tick.epoch_s - tick.epoch_s % MINUTE_S;
        match self.minutes.back_mut() {
            Some(minute) if minute.open_s == open_s => return minute.take(tick.quote),
            Some(_) => {}
            None => self.heard_from_s = tick.epoch_s,
        }
        if self.minutes.len() == DERIV_HISTORY_MAX {
            self.minutes.pop_front();
            self.heard_from_s = self.minutes.front().map_or(open_s, |minute| minute.open_s);
        }
        self.minutes.push_back(Candle::new(open_s, tick.quote));
    }

    /// Ticks were missed, which the past knows: it tells of everything up to the next one we hear.
    pub fn restart(&mut self) {
        self.minutes.clear();
    }

    /// The candle that starts there: the past up to the first tick we heard, then what we heard. A candle with no past
    /// starts at the first tick heard; one without any tick is none.
    pub fn at(&mut self, open_s: u64, granularity_s: u32, grid: Option<&Grid<'_>>) -> Option<Candle> {
        let end_s = open_s + u64::from(granularity_s);
        let heard = self.heard(open_s, end_s);
        if open_s >= self.heard_from_s {
            return heard;
        }
        let Some(mut candle) = self.before(open_s, end_s.min(self.heard_from_s), granularity_s, grid) else {
            return heard;
        };
        if let Some(heard) = heard {
            candle.join(&heard);
        }
        Some(candle)
    }

    /// How many candles of a stretch are still to be computed.
    pub fn missing(&self, stretch: &Stretch, granularity_s: u32) -> usize {
        let (first_s, width_s) = (stretch.first_open_s(granularity_s), u64::from(granularity_s));
        let last_s = stretch.end_s.min(self.heard_from_s);
        let opens = (first_s..=last_s).step_by(granularity_s as usize);
        opens.filter(|open_s| open_s + width_s <= last_s && !self.past.contains_key(&(granularity_s, *open_s))).count()
    }

    /// Makes sure that so many more can be kept.
    pub fn make_room(&mut self, count: usize) {
        if self.past.len() + count > DERIV_PAST_CANDLES_MAX {
            self.past.clear();
        }
    }

    /// Oldest first, each whole.
    pub fn between(&mut self, stretch: &Stretch, granularity_s: u32, grid: Option<&Grid<'_>>) -> Vec<Candle> {
        self.make_room(self.missing(stretch, granularity_s));
        let Stretch { start_s, end_s, count } = *stretch;
        let width_s = u64::from(granularity_s);
        let oldest_s = self.minutes.front().map_or(0, |minute| minute.open_s);
        let mut candles = Vec::new();
        let mut next_s = Some(end_s - end_s % width_s);
        while let Some(open_s) = next_s
            && candles.len() < count
            && open_s + width_s > start_s
        {
            match self.at(open_s, granularity_s, grid) {
                Some(candle) => candles.push(candle),
                // Before what we heard nothing is left.
                None if open_s <= oldest_s => break,
                None => {}
            }
            next_s = open_s.checked_sub(width_s);
        }
        candles.reverse();
        candles
    }

    fn heard(&self, open_s: u64, end_s: u64) -> Option<Candle> {
        let from = self.minutes.partition_point(|minute| minute.open_s < open_s);
        let to = self.minutes.partition_point(|minute| minute.open_s < end_s);
        let mut minutes = self.minutes.range(from..to);
        let mut candle = Candle { open_s, ..*minutes.next()? };
        minutes.for_each(|minute| candle.join(minute));
        Some(candle)
    }

    fn before(&mut self, open_s: u64, end_s: u64, granularity_s: u32, grid: Option<&Grid<'_>>) -> Option<Candle> {
        let key = (granularity_s, open_s);
        if let Some(candle) = self.past.get(&key) {
            return Some(*candle);
        }
        let [open, high, low, close] = grid?.candle(open_s, end_s)?;
        let candle = Candle { open_s, open, high, low, close };
        // The one that is cut where we began to listen is kept only whole.
        if end_s == open_s + u64::from(granularity_s) {
            self.make_room(1);
            self.past.insert(key, candle);
        }
        Some(candle)
    }
}

#[cfg(test)]
mod tests {
    use super::super::past::{Past, PastTick};
    use super::*;

    struct Flat;

    impl Past for Flat {
        fn tick(&self, _: &str, _: u64) -> Option<PastTick> {
            None
        }

        fn period_s(&self, _: &str) -> u64 {
            1
        }

        fn candle(&self, _: &str, _: u64, _: u64) -> Option<[String; 4]> {
            Some(["4", "5", "3", "4"].map(str::to_owned))
        }
    }

    /// What is kept of the past does not grow with what is asked of it.
    #[test]
    fn the_past_is_kept_within_a_bound() {
        let grid = Grid::new(&Flat, "R_100", 2);
        let quote = Price::parse("9", 2).unwrap();
        let mut candles = Candles::default();
        candles.push(Tick { epoch_s: 10_000_000, quote });
        let whole = DERIV_PAST_CANDLES_MAX / DERIV_HISTORY_MAX;
        for round in 1..=whole + 1 {
            let end_s = (round * DERIV_HISTORY_MAX) as u64 * MINUTE_S - 1;
            assert_eq!(
                candles.between(&Stretch { start_s: 0, end_s, count: DERIV_HISTORY_MAX }, 60, grid.as_ref()).len(),
                DERIV_HISTORY_MAX
            );
            assert_eq!(candles.past.len(), if round > whole { DERIV_HISTORY_MAX } else { round * DERIV_HISTORY_MAX });
        }
        // The one that was running when we began is not kept: it goes on.
        let kept = candles.past.len();
        let candle = candles.at(9_999_960, 60, grid.as_ref()).unwrap();
        assert_eq!(
            [candle.open, candle.high, candle.low, candle.close].map(Price::text),
            ["4.00", "9.00", "3.00", "9.00"]
        );
        assert_eq!(candles.past.len(), kept);
    }
}
