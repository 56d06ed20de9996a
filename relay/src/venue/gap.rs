//! What is known to be missing: the last gaps of all upstreams.

use std::collections::VecDeque;

/// One gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub topic: Box<str>,
    /// The upstream's number.
    pub upstream: usize,
    pub extent: Extent,
    /// The leg that did not bring it, where that is known.
    pub leg: Option<u8>,
    pub since_ms: u64,
    pub end: End,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The first and the last number. `is_counted`: each of them is a frame or a change that is missing.
    Numbers { from: u64, to: u64, is_counted: bool },
    /// Whatever came meanwhile: the frames have no numbers, or none came since.
    Unknown,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing came since.
    Open,
    /// Data goes on, and what is missing stays missing.
    Missed {
        until_ms: u64,
    },
    Healed {
        until_ms: u64,
        by: Healer,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Healer {
    /// Another leg brought it in time.
    OtherLeg,
    /// Another leg brought it, after newer frames had been published.
    Late,
    /// The book was asked for anew.
    Resync,
    /// The numbers go on where they ended: nothing was sent meanwhile.
    Nothing,
}

impl Healer {
    pub const fn name(self) -> &'static str {
        match self {
            Healer::OtherLeg => "other_leg",
            Healer::Late => "late",
            Healer::Resync => "resync",
            Healer::Nothing => "nothing_missed",
        }
    }
}

/// The last of them; the oldest goes first.
#[derive(Debug)]
pub struct Gaps {
    ring: VecDeque<Gap>,
    /// The number of the oldest that is kept.
    first: u64,
    gaps_max: usize,
}

impl Gaps {
    pub fn new(gaps_max: usize) -> Gaps {
        Gaps { ring: VecDeque::new(), first: 0, gaps_max }
    }

    /// Keeps one; the number is its name here.
    pub fn add(&mut self, gap: Gap) -> u64 {
        if self.ring.len() == self.gaps_max {
            self.ring.pop_front();
            self.first += 1;
        }
        self.ring.push_back(gap);
        self.first + self.ring.len() as u64 - 1
    }

    /// The gap of that number, unless it is forgotten.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Gap> {
        self.ring.get_mut(number.checked_sub(self.first)? as usize)
    }

    /// A book was asked for anew: what was missed before does not matter to it any more.
    pub fn resynced(&mut self, upstream: usize, topic: &str, now_ms: u64) {
        for gap in self.ring.iter_mut().filter(|gap| gap.upstream == upstream && &*gap.topic == topic) {
            if let End::Missed { .. } = gap.end {
                gap.end = End::Healed { until_ms: now_ms, by: Healer::Resync };
            }
        }
    }

    /// A number that was missed came after all; the gap is healed if it was all of it.
    pub fn came_late(&mut self, upstream: usize, topic: &str, number: u64, now_ms: u64) {
        let of_topic = |gap: &&mut Gap| gap.upstream == upstream && &*gap.topic == topic;
        for gap in self.ring.iter_mut().rev().filter(of_topic) {
            let Extent::Numbers { from, to, is_counted } = gap.extent else { continue };
            if !(from..=to).contains(&number) || !matches!(gap.end, End::Missed { .. }) {
                continue;
            }
            if from == to {
                gap.end = End::Healed { until_ms: now_ms, by: Healer::Late };
            } else if number == from {
                gap.extent = Extent::Numbers { from: from + 1, to, is_counted };
            } else if number == to {
                gap.extent = Extent::Numbers { from, to: to - 1, is_counted };
            }
            return;
        }
    }

    /// The newest first, with their numbers; those from `below` on are left out.
    pub fn newest(&self, below: u64) -> impl Iterator<Item = (u64, &Gap)> {
        let numbered = self.ring.iter().enumerate().rev().map(|(at, gap)| (self.first + at as u64, gap));
        numbered.skip_while(move |(number, _)| *number >= below)
    }

    pub fn len(&self) -> usize {
        self.ring.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(topic: &str, from: u64, to: u64) -> Gap {
        Gap {
            topic: topic.into(),
            upstream: 0,
            extent: Extent::Numbers { from, to, is_counted: true },
            leg: None,
            since_ms: 1,
            end: End::Missed { until_ms: 2 },
        }
    }

    /// The ring has a bound, and forgotten numbers name nothing.
    #[test]
    fn the_oldest_go_first() {
        let mut gaps = Gaps::new(3);
        let numbers: Vec<u64> = (0..5).map(|at| gaps.add(gap("x", at, at))).collect();
        assert_eq!((numbers, gaps.len()), (vec![0, 1, 2, 3, 4], 3));
        assert!(gaps.get_mut(1).is_none() && gaps.get_mut(5).is_none());
        assert_eq!(gaps.get_mut(2).unwrap().extent, gap("x", 2, 2).extent);
        let kept = |gaps: &Gaps, below| gaps.newest(below).map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!(kept(&gaps, u64::MAX), [4, 3, 2]);
        assert_eq!(kept(&gaps, 4), [3, 2]);
        assert_eq!(kept(&gaps, 0), [0; 0]);
    }

    #[test]
    fn what_comes_late_heals() {
        let mut gaps = Gaps::new(3);
        gaps.add(gap("x", 7, 9));
        gaps.add(gap("y", 7, 7));
        for number in [9, 7, 100] {
            gaps.came_late(0, "x", number, 5);
        }
        assert_eq!(gaps.get_mut(0), Some(&mut gap("x", 8, 8)));
        gaps.came_late(0, "x", 8, 5);
        assert_eq!(gaps.get_mut(0).unwrap().end, End::Healed { until_ms: 5, by: Healer::Late });
        gaps.resynced(0, "y", 6);
        gaps.resynced(0, "x", 6);
        assert_eq!(gaps.get_mut(1).unwrap().end, End::Healed { until_ms: 6, by: Healer::Resync });
        assert_eq!(gaps.get_mut(0).unwrap().end, End::Healed { until_ms: 5, by: Healer::Late });
    }
}
