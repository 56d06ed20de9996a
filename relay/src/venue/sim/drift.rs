//! The slow price: one anchor per minute, computable for any minute without those before it.
//!
//! Waves of lengths from 4 minutes to 45 days, each a line between random corners, are added up. The amplitudes grow
//! with the length such that no minute moves the anchor by more than a trade or two would.

use super::noise;

/// Length as a power of two in minutes, and amplitude in millionths of the level.
const WAVES: [(u32, i64); 8] =
    [(2, 60), (4, 400), (6, 1_500), (8, 4_000), (10, 9_000), (12, 18_000), (14, 40_000), (16, 60_000)];

/// Corners lie in ±2^CORNER_BITS.
const CORNER_BITS: u32 = 20;

/// The anchors of one instrument. Remembers the corners it stands between, which makes neighbouring minutes cheap.
pub struct Drift {
    key: u64,
    level: i64,
    spans: [Span; WAVES.len()],
}

#[derive(Clone, Copy)]
struct Span {
    cell: i64,
    from: i64,
    to: i64,
}

impl Drift {
    pub fn new(key: u64, level: i64) -> Drift {
        Drift { key, level, spans: [Span { cell: i64::MIN, from: 0, to: 0 }; WAVES.len()] }
    }

    /// The anchor of a minute, in ticks.
    pub fn anchor(&mut self, minute: i64) -> i64 {
        let mut millionths = 0;
        for (span, (bits, amplitude)) in self.spans.iter_mut().zip(WAVES) {
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
        let reach: i64 = WAVES.iter().map(|(_, amplitude)| level / 1_000_000 * amplitude).sum();
        let mut drift = Drift::new(3, level);
        let mut before = drift.anchor(-1_000);
        for minute in -999..200_000 {
            let anchor = drift.anchor(minute);
            assert!((anchor - level).abs() <= reach);
            assert!((anchor - before).abs() <= level / 1_000, "minute {minute}: {before} to {anchor}");
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
