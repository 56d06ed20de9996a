//! The newest ticks of one symbol, and those before them where its source knows them.

use std::collections::VecDeque;

use super::past::{Past, PastTick};
use super::price::Price;
use crate::limits::DERIV_HISTORY_MAX;

#[derive(Clone, Copy, Debug)]
pub struct Tick {
    pub epoch_s: u64,
    pub quote: Price,
}

/// One symbol's past. `None` stands where there is none.
#[derive(Clone, Copy)]
pub struct Grid<'a> {
    past: &'a dyn Past,
    symbol: &'a str,
    period_s: u64,
    pip_size: u32,
}

impl<'a> Grid<'a> {
    pub fn new(past: &'a dyn Past, symbol: &'a str, pip_size: u32) -> Option<Self> {
        let period_s = past.period_s(symbol);
        (period_s > 0).then_some(Self { past, symbol, period_s, pip_size })
    }

    /// The last second up to this one at which a tick may stand.
    pub fn floor(&self, epoch_s: u64) -> u64 {
        epoch_s - epoch_s % self.period_s
    }

    /// Whether there may be ticks between these two.
    pub fn is_gap(&self, before_s: u64, after_s: u64) -> bool {
        self.floor(after_s.saturating_sub(1)) > before_s
    }

    pub fn quote(&self, epoch_s: u64) -> Option<PastTick> {
        self.past.tick(self.symbol, epoch_s)
    }

    fn tick(&self, epoch_s: u64) -> Option<Tick> {
        let quote = Price::parse(&self.quote(epoch_s)?.quote, self.pip_size)?;
        Some(Tick { epoch_s, quote })
    }

    /// Open, high, low, close.
    pub fn candle(&self, open_s: u64, end_s: u64) -> Option<[Price; 4]> {
        let [open, high, low, close] = self.past.candle(self.symbol, open_s, end_s)?;
        let price = |text: String| Price::parse(&text, self.pip_size);
        Some([price(open)?, price(high)?, price(low)?, price(close)?])
    }
}

/// Oldest first, epochs rising.
#[derive(Debug, Default)]
pub struct Ticks {
    kept: VecDeque<Tick>,
}

impl Ticks {
    /// The caller has made sure that it is newer than all.
    pub fn push(&mut self, tick: Tick) {
        debug_assert!(self.kept.back().is_none_or(|newest| newest.epoch_s < tick.epoch_s), "epochs rise");
        if self.kept.len() == DERIV_HISTORY_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(tick);
    }

    /// Fills up from the past: who asks for the latest ticks again, or next, is then answered from memory.
    pub fn fill(&mut self, grid: &Grid<'_>) {
        while self.kept.len() < DERIV_HISTORY_MAX
            && let Some(before_s) = self.kept.front().and_then(|oldest| oldest.epoch_s.checked_sub(1))
            && let Some(tick) = grid.tick(grid.floor(before_s))
        {
            self.kept.push_front(tick);
        }
    }

    /// The newest `count` of `start_s..=end_s`, oldest first. The two sources are read backwards together; where both
    /// have a second, what we heard counts. Nothing newer than what we heard is told: it is still to be pushed.
    pub fn between(&self, start_s: u64, end_s: u64, count: usize, grid: Option<&Grid<'_>>) -> Vec<Tick> {
        let Some(newest) = self.kept.back() else {
            return Vec::new();
        };
        let end_s = end_s.min(newest.epoch_s);
        let after = self.kept.partition_point(|tick| tick.epoch_s <= end_s);
        let mut kept = self.kept.range(..after).rev().copied().peekable();
        let mut ticks: Vec<Tick> = Vec::new();
        // The second at which the past goes on.
        let mut past_s = grid.map(|grid| grid.floor(end_s));
        while ticks.len() < count {
            let kept_s = kept.peek().map(|tick| tick.epoch_s);
            let tick = match (grid, past_s) {
                (Some(grid), Some(epoch_s)) if kept_s.is_none_or(|kept_s| kept_s < epoch_s) => grid.tick(epoch_s),
                _ => kept.next(),
            };
            let Some(tick) = tick else {
                // No more of the one; the other may go on.
                past_s = kept_s.zip(grid).map(|(kept_s, grid)| grid.floor(kept_s));
                if past_s.is_none() && kept_s.is_none() {
                    break;
                }
                continue;
            };
            if tick.epoch_s < start_s {
                break;
            }
            ticks.push(tick);
            past_s = past_s.and(tick.epoch_s.checked_sub(1)).zip(grid).map(|(before_s, grid)| grid.floor(before_s));
        }
        ticks.reverse();
        ticks
    }
}
