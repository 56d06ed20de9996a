//! What is due when: a function of time alone, so that a venue that was killed continues where it would be by now.
//!
//! Slots are numbered from the epoch on. Slot k is about topic k mod N and is that topic's event number k div N, whether
//! or not anybody was there to send it: a number that is missing was due while the venue was away.

use crate::clock::SECOND_NS;

#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub epoch_ns: u64,
    pub topics: u32,
    pub pace: Pace,
}

#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Evenly spaced, so many per second over all topics.
    Even { rate: f64 },
    /// So many at once, every so often.
    Bursts { size: u64, gap_ns: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub topic: u32,
    pub seq: u64,
    pub due_ns: u64,
}

impl Schedule {
    pub fn slot(&self, index: u64) -> Slot {
        let after_ns = match self.pace {
            Pace::Even { rate } => (index as f64 * (SECOND_NS as f64 / rate)) as u64,
            Pace::Bursts { size, gap_ns } => index / size * gap_ns,
        };
        let topics = u64::from(self.topics);
        Slot { topic: (index % topics) as u32, seq: index / topics, due_ns: self.epoch_ns + after_ns }
    }

    /// The first slot due at `now` or later.
    pub fn first_from(&self, now_ns: u64) -> u64 {
        let passed_ns = now_ns.saturating_sub(self.epoch_ns);
        let mut index = match self.pace {
            Pace::Even { rate } => (passed_ns as f64 / (SECOND_NS as f64 / rate)) as u64,
            Pace::Bursts { size, gap_ns } => passed_ns / gap_ns * size,
        };
        // Rounding may land one slot to either side.
        index = index.saturating_sub(1);
        while self.slot(index).due_ns < now_ns {
            index += 1;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots go round the topics, evenly, and a venue that starts late starts at the slot of its time.
    #[test]
    fn even() {
        let schedule = Schedule { epoch_ns: 1_000, topics: 3, pace: Pace::Even { rate: 1e6 } };
        assert_eq!(schedule.slot(0), Slot { topic: 0, seq: 0, due_ns: 1_000 });
        assert_eq!(schedule.slot(7), Slot { topic: 1, seq: 2, due_ns: 8_000 });
        for (now, first) in [(0, 0), (1_000, 0), (1_001, 1), (8_000, 7), (8_001, 8)] {
            assert_eq!(schedule.first_from(now), first, "at {now}");
        }
    }

    /// A burst is due at once, and a late start never begins inside one.
    #[test]
    fn bursts() {
        let schedule = Schedule { epoch_ns: 0, topics: 1, pace: Pace::Bursts { size: 100, gap_ns: 1_000 } };
        assert_eq!((schedule.slot(99).due_ns, schedule.slot(100).due_ns), (0, 1_000));
        for (now, first) in [(0, 0), (1, 100), (1_000, 100), (1_001, 200)] {
            assert_eq!(schedule.first_from(now), first, "at {now}");
        }
    }
}
