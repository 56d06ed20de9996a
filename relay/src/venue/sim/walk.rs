//! The ticks of a minute, drawn once per symbol and played again and again, as [`super::model`] does with trades.
//!
//! A pattern says where each tick stands beside the minute's base. A walk's patterns end elsewhere than they began, and
//! the next minute goes on from there; each run of 64 minutes plays every pattern once, and all of them together lead
//! back to where the run began. So an hour looks like a random walk, what is slower is the [`super::drift`]'s, and the
//! base of any minute follows from the ends of at most 63 patterns.

use super::drift::{VOLATILITY_MAX, WILD_REACH};
use super::model::{Execution, Model, PATTERNS};
use super::noise::Sequence;
use super::symbol::Walk;

pub const MINUTE_S: i64 = 60;

/// A walk moves in these parts of a pip, so that coarse prices move as well.
pub const WALK_BITS: u32 = 8;

/// How far a pattern may stray from where it began at the largest volatility, in millionths of the level.
const PATTERN_REACH: i64 = 6_000;

// Drawing the patterns back to a closed run may double their reach, and half of them may lead one way.
const _: () = assert!(WILD_REACH + 2 * PATTERN_REACH * (PATTERNS as i64 / 2 + 1) < 1_000_000, "no price reaches zero");

/// Where the ticks of one minute stand, relative to its base.
#[derive(Clone, Copy)]
pub struct Pattern {
    ticks: [i64; MINUTE_S as usize],
    pub high: i64,
    pub low: i64,
    /// How far the next minute's base lies from this one's.
    pub end: i64,
    /// A bit for each tick of a pair: whether the buyer was the taker.
    pub takers_buy: u64,
}

impl Pattern {
    fn new(ticks: &[i64], end: i64) -> Pattern {
        let mut pattern = Pattern { ticks: [0; MINUTE_S as usize], high: i64::MIN, low: i64::MAX, end, takers_buy: 0 };
        pattern.ticks[..ticks.len()].copy_from_slice(ticks);
        for &tick in ticks {
            pattern.high = pattern.high.max(tick);
            pattern.low = pattern.low.min(tick);
        }
        pattern
    }

    pub fn tick(&self, index: i64) -> i64 {
        self.ticks[index as usize]
    }
}

/// The patterns of a walk, in parts of a pip.
pub fn of_walk(key: u64, walk: &Walk, period_s: i64) -> Box<[Pattern]> {
    let per_minute = (MINUTE_S / period_s) as usize;
    let fine =
        |millionths: i64| ((walk.level << WALK_BITS) * millionths / 1_000_000) * walk.volatility / VOLATILITY_MAX;
    // A year's moves over the root of its seconds, spread evenly: what steps of one or two seconds reach.
    let stride = fine(if period_s == 1 { 308 } else { 436 }).max(1);
    let reach = fine(PATTERN_REACH).max(stride);
    let mut random = Sequence::new(key);
    let drawn: Vec<Vec<i64>> = (0..PATTERNS)
        .map(|_| {
            let mut position: i64 = 0;
            (0..=per_minute)
                .map(|_| {
                    let before = position;
                    let step = random.around(stride as u32);
                    position += if (before + step).abs() > reach { -step } else { step };
                    before
                })
                .collect()
        })
        .collect();
    // The last position of each is where the next minute begins.
    let stray: i64 = drawn.iter().filter_map(|positions| positions.last()).sum();
    let mut corrected = 0;
    (1..)
        .zip(drawn)
        .map(|(number, mut positions)| {
            let correction = stray * number / PATTERNS as i64 - corrected;
            corrected += correction;
            for (place, position) in (0..).zip(&mut positions) {
                *position -= correction * place / per_minute as i64;
            }
            Pattern::new(&positions[..per_minute], positions[per_minute])
        })
        .collect()
}

/// The patterns of a pair, in its ticks: the last trade at each second after the minute's beginning.
pub fn of_pair(model: &Model) -> Box<[Pattern]> {
    let mut executions: Vec<Execution> = Vec::new();
    (0..PATTERNS)
        .map(|pattern| {
            model.draw(pattern, &mut executions);
            let at_second = |second: i64| {
                let later = executions.partition_point(|execution| execution.trade_at <= second * 1_000);
                &executions[later - 1]
            };
            let mut ticks = [0; MINUTE_S as usize];
            let mut takers_buy = 0;
            for (index, tick) in ticks.iter_mut().enumerate() {
                let execution = at_second(index as i64 + 1);
                *tick = execution.price;
                takers_buy |= u64::from(execution.taker_buys) << index;
            }
            Pattern { takers_buy, ..Pattern::new(&ticks, 0) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::sim::symbol::{Origin, SYMBOLS};

    /// All patterns of a run lead back to where it began, each stays within its reach, and every tick counts.
    #[test]
    fn runs_are_closed() {
        for symbol in &SYMBOLS {
            let Origin::Walk(walk) = symbol.origin else { continue };
            let patterns = of_walk(5, &walk, symbol.period_s);
            assert_eq!(patterns.len(), PATTERNS);
            assert_eq!(patterns.iter().map(|pattern| pattern.end).sum::<i64>(), 0, "{}", symbol.name);
            let reach = (walk.level << WALK_BITS) * 2 * PATTERN_REACH / 1_000_000;
            for pattern in &patterns {
                assert!(pattern.high <= reach && pattern.low >= -reach && pattern.end.abs() <= reach);
                let ticks = &pattern.ticks[..(MINUTE_S / symbol.period_s) as usize];
                assert_eq!(ticks.iter().max(), Some(&pattern.high));
                assert_eq!(ticks.iter().min(), Some(&pattern.low));
            }
        }
    }
}
