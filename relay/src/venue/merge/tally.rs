//! What a merge counts, and the gaps it found, until the caller takes them.

use crate::venue::gap::{Extent, Healer};

/// Upper ends of the classes that lags are counted in, in milliseconds; above the last is one more.
pub const LAG_BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// Of all topics of an upstream.
#[derive(Debug, Default)]
pub struct Tally {
    pub duplicates: u64,
    /// Came after newer ones; dropped where that makes them worthless, else published.
    pub late_dropped: u64,
    pub late_published: u64,
    /// The numbers went back or stood still.
    pub disorder: u64,
    pub held: u64,
    /// Numbers that nobody brought.
    pub missing: u64,
    /// Gaps that showed in numbers and were not healed.
    pub gaps: u64,
    pub legs: Vec<LegTally>,
    pub notes: Vec<Note>,
}

/// How one leg fares against the others.
#[derive(Clone, Debug, Default)]
pub struct LegTally {
    /// Frames it brought first, while another leg was there.
    pub wins: u64,
    /// Frames it brought after another one had, by how much later, and the sum of that.
    pub lags: [u64; LAG_BOUNDS_MS.len() + 1],
    pub lag_ns: u64,
}

/// What is to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    Gap { extent: Extent, leg: u8, since_ns: u64, healed: Option<Healer> },
    CameLate { number: u64 },
    Resynced,
}

impl Tally {
    pub fn win(&mut self, leg: u8) {
        self.leg(leg).wins += 1;
    }

    pub fn lag(&mut self, leg: u8, lag_ns: u64) {
        let class = LAG_BOUNDS_MS.iter().position(|bound| lag_ns <= bound * 1_000_000).unwrap_or(LAG_BOUNDS_MS.len());
        let leg = self.leg(leg);
        leg.lags[class] += 1;
        leg.lag_ns += lag_ns;
    }

    pub fn gap(&mut self, extent: Extent, leg: u8, since_ns: u64, healed: Option<Healer>) {
        if healed.is_none() {
            self.gaps += 1;
            if let Extent::Numbers { from, to, is_counted: true } = extent {
                self.missing = self.missing.saturating_add((to - from).saturating_add(1));
            }
        }
        self.notes.push(Note::Gap { extent, leg, since_ns, healed });
    }

    fn leg(&mut self, leg: u8) -> &mut LegTally {
        let at = leg as usize;
        if self.legs.len() <= at {
            self.legs.resize(at + 1, LegTally::default());
        }
        &mut self.legs[at]
    }
}
