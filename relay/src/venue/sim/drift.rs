//! The slow price: one anchor per minute, computable for any minute without those before it.
//!
//! Waves of lengths from 4 minutes to 45 days, each a line between random corners, are added up. The amplitudes grow
//! with the length such that no minute moves the anchor by more than a trade or two would.

use super::noise;

/// Length as a power of two in minutes, and amplitude in millionths of the level.
type Waves = [(u32, i64); 8];

/// Those of a traded pair.
const PAIR_WAVES: Waves =
    [(2, 60), (4, 400), (6, 1_500), (8, 4_000), (10, 9_000), (12, 18_000), (14, 40_000), (16, 60_000)];

/// Those of a price whose year's moves amount to itself: about what a random walk does within each length from an hour
/// up. Within the hour it walks by itself ([`super::walk`]).
const WILD_WAVES: Waves =
    [(2, 0), (4, 0), (6, 9_000), (8, 20_000), (10, 40_000), (12, 80_000), (14, 140_000), (16, 200_000)];

/// How far [`WILD_WAVES`] reach together, in millionths.
pub const WILD_REACH: i64 = {
    let (mut reach, mut wave) = (0, 0);
    while wave < WILD_WAVES.len() {
        reach += WILD_WAVES[wave].1;
        wave += 1;
    }
    reach
};

/// A year's moves in thousandths of the price: what [`WILD_WAVES`] stand for, and the most there is.
pub const VOLATILITY_MAX: i64 = 1_000;

/// Corners lie in ±2^CORNER_BITS.
const CORNER_BITS: u32 = 20;

/// The anchors of one instrument. Remembers the corners it stands between, which makes neighbouring minutes cheap.
pub struct Drift {
    key: u64,
    level: i64,
    waves: Waves,
    spans: [Span; 8],
}

#[derive(Clone, Copy)]
struct Span {
    cell: i64,
    from: i64,
    to: i64,
}

impl Drift {
    /// That of a traded pair.
    pub fn new(key: u64, level: i64) -> Drift {
        Drift::along(key, level, PAIR_WAVES)
    }

    /// That of a price with this volatility, in thousandths.
    pub fn wild(key: u64, level: i64, volatility: i64) -> Drift {
        debug_assert!((0..=VOLATILITY_MAX).contains(&volatility), "the price stays above zero");
        let waves = WILD_WAVES.map(|(bits, amplitude)| (bits, amplitude * volatility / VOLATILITY_MAX));
        Drift::along(key, level, waves)
    }

    fn along(key: u64, level: i64, waves: Waves) -> Drift {
        Drift { key, level, waves, spans: [Span { cell: i64::MIN, from: 0, to: 0 }; 8] }
    }

    /// The anchor of a minute, in ticks.
    pub fn anchor(&mut self, minute: i64) -> i64 {
        let mut millionths = 0;
        for (span, (bits, amplitude)) in self.spans.iter_mut().zip(self.waves) {
            if amplitude == 0 {
                continue;
            }
            let cell = minute >> bits;
            if span.cell != cell {
                *span = Span { cell, from: corner(self.key, bits, cell), to: corner(self.key, bits, cell + 1) };
            }
            let into = minute & ((1 << bits) - 1);
            let height = ((span.from << bits) + (span.to - span.from) * into) >> bits;
            millionths += height * amplitude;
        }
        self.level + ((self.level * (millionths >> 8)) >> (CORNER_BITS - 8)) / 1_000_000
    }
}

fn corner(key: u64, bits: u32, cell: i64) -> i64 {
    let wave = noise::at(key, i64::from(bits));
    i64::from(noise::below(noise::at(wave, cell), 1 << (CORNER_BITS + 1))) - (1 << CORNER_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anchors stay within their waves' sum, and neighbours stay close.
    #[test]
    fn anchors_are_bounded_and_smooth() {
        let level = 10_000_000;
        let reach: i64 = PAIR_WAVES.iter().map(|(_, amplitude)| level / 1_000_000 * amplitude).sum();
        let mut drift = Drift::new(3, level);
        let mut before = drift.anchor(-1_000);
        for minute in -999..200_000 {
            let anchor = drift.anchor(minute);
            assert!((anchor - level).abs() <= reach);
            assert!((anchor - before).abs() <= level / 1_000, "minute {minute}: {before} to {anchor}");
            before = anchor;
        }
    }

    /// The wildest price moves by less than three of its ticks a minute beside its walk, and never near zero.
    #[test]
    fn wild_anchors_are_bounded_and_smooth() {
        let level = 1_000_000_000;
        let mut drift = Drift::wild(4, level, VOLATILITY_MAX);
        let mut before = drift.anchor(0);
        for minute in 1..300_000 {
            let anchor = drift.anchor(minute);
            assert!((anchor - level).abs() <= level / 1_000_000 * WILD_REACH);
            assert!((anchor - before).abs() <= level / 1_000_000 * 750, "minute {minute}: {before} to {anchor}");
            before = anchor;
        }
    }

    /// What is remembered changes nothing: any order gives the same anchors.
    #[test]
    fn order_does_not_matter() {
        let mut walked = Drift::new(9, 5_000);
        for minute in (0..5_000).rev() {
            assert_eq!(walked.anchor(minute), Drift::new(9, 5_000).anchor(minute));
        }
    }
}
