//! What a run adds up: one place for every count, so that the report cannot forget one.

use super::check::Expected;
use crate::event::Mark;
use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const LATENCY_NS_MAX: u64 = 600 * crate::clock::SECOND_NS;

/// Why a connection was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Stays, and must get everything.
    Steady,
    /// Leaves and is replaced; what it got must be in order and whole.
    Moving,
    /// Reads slowly.
    Slow,
    /// Never reads.
    Stuck,
}

/// Counts that differ by why the connection was there.
#[derive(Clone, Default)]
pub struct Group {
    pub opened: u64,
    pub failed: u64,
    pub frames: u64,
    pub skipped: u64,
    pub closes: BTreeMap<u16, u64>,
    /// Ends without CLOSE.
    pub resets: u64,
}

pub struct Tally {
    /// Events due from here on and until `end_ns` count.
    pub start_ns: u64,
    pub end_ns: u64,
    pub groups: [Group; 4],
    pub latency: Histogram<u64>,
    /// How late the venue sent, by event delivered.
    pub late: Histogram<u64>,
    /// From the accepted upgrade to the first event.
    pub first_event: Histogram<u64>,
    /// When the last steady connection got its first event.
    pub all_live_ns: u64,
    pub deliveries: u64,
    pub delivered_bytes: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub corrupted: u64,
    pub misrouted: u64,
    pub protocol_errors: BTreeMap<&'static str, u64>,
    pub refused: BTreeMap<String, u64>,
    /// Frames without an event: acknowledgements, notices.
    pub other_frames: u64,
    expected: Vec<Option<Expected>>,
    /// Which numbers anybody saw, by topic; only when an outage is allowed.
    seen: Option<Vec<Seen>>,
}

/// A set of numbers near each other.
#[derive(Default)]
struct Seen {
    base: u64,
    words: Vec<u64>,
}

impl Tally {
    pub fn new(topics: u32, outage_allowed: bool) -> Result<Self> {
        let histogram = || Histogram::new_with_max(LATENCY_NS_MAX, 3);
        Ok(Self {
            start_ns: u64::MAX,
            end_ns: u64::MAX,
            groups: Default::default(),
            latency: histogram()?,
            late: histogram()?,
            first_event: histogram()?,
            all_live_ns: 0,
            deliveries: 0,
            delivered_bytes: 0,
            duplicated: 0,
            reordered: 0,
            corrupted: 0,
            misrouted: 0,
            protocol_errors: BTreeMap::new(),
            refused: BTreeMap::new(),
            other_frames: 0,
            expected: vec![None; topics as usize],
            seen: outage_allowed.then(|| (0..topics).map(|_| Seen::default()).collect()),
        })
    }

    pub fn group(&mut self, role: Role) -> &mut Group {
        &mut self.groups[role as usize]
    }

    /// Counts an event of a steady connection.
    pub fn deliver(&mut self, mark: Mark, bytes: usize, now_ns: u64) {
        if let Some(seen) = &mut self.seen {
            seen[mark.topic as usize].add(mark.seq);
        }
        if mark.due_ns < self.start_ns || mark.due_ns > self.end_ns {
            return;
        }
        self.deliveries += 1;
        self.delivered_bytes += bytes as u64;
        self.latency.saturating_record(now_ns.saturating_sub(mark.due_ns));
        self.late.saturating_record(u64::from(mark.late_us) * 1000);
        let seq = mark.seq;
        let expected = self.expected[mark.topic as usize].get_or_insert(Expected { first: seq, last: seq });
        expected.first = expected.first.min(seq);
        expected.last = expected.last.max(seq);
    }

    pub fn expected(&self, topic: u32) -> Option<Expected> {
        self.expected[topic as usize]
    }

    /// How many numbers of the range nobody saw; 0 unless an outage is allowed.
    pub fn unseen(&self, topic: u32, from: u64, to: u64) -> u64 {
        let Some(seen) = &self.seen else { return 0 };
        (from..to).filter(|&seq| !seen[topic as usize].has(seq)).count() as u64
    }

    pub fn protocol_errors_total(&self) -> u64 {
        self.protocol_errors.values().sum()
    }
}

impl Seen {
    fn add(&mut self, seq: u64) {
        if self.words.is_empty() {
            // Some room for events that were overtaken by the first.
            self.base = seq.saturating_sub(1024) / 64 * 64;
        }
        let Some(offset) = seq.checked_sub(self.base) else {
            return;
        };
        let word = (offset / 64) as usize;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (offset % 64);
    }

    fn has(&self, seq: u64) -> bool {
        let Some(offset) = seq.checked_sub(self.base) else {
            return false;
        };
        self.words.get((offset / 64) as usize).is_some_and(|word| word >> (offset % 64) & 1 == 1)
    }
}

/// The figures of a histogram of nanoseconds, in microseconds.
pub fn quantiles_us(histogram: &Histogram<u64>) -> Value {
    let at = |quantile: f64| (histogram.value_at_quantile(quantile) as f64 / 1000.0 * 10.0).round() / 10.0;
    json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": at(1.0), "count": histogram.len()})
}

impl Group {
    pub fn to_json(&self) -> Value {
        json!({"opened": self.opened, "failed": self.failed, "frames": self.frames, "skipped": self.skipped,
               "closes": self.closes, "resets": self.resets})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(seq: u64, due_ns: u64) -> Mark {
        Mark { due_ns, topic: 0, seq, late_us: 0 }
    }

    /// Only what was due inside the window is counted and expected of everybody.
    #[test]
    fn window() {
        let mut tally = Tally::new(1, false).unwrap();
        tally.deliver(mark(1, 100), 10, 110);
        (tally.start_ns, tally.end_ns) = (200, 400);
        for (seq, due_ns) in [(2, 199), (3, 200), (5, 400), (6, 401)] {
            tally.deliver(mark(seq, due_ns), 10, due_ns + 7);
        }
        assert_eq!((tally.deliveries, tally.latency.max()), (2, 7));
        assert_eq!(tally.expected(0), Some(Expected { first: 3, last: 5 }));
        assert_eq!(tally.unseen(0, 0, 10), 0);
    }

    /// What nobody saw is told from what only one connection missed.
    #[test]
    fn outage() {
        let mut tally = Tally::new(1, true).unwrap();
        for seq in [5000, 5001, 5200, 4000] {
            tally.deliver(mark(seq, 1), 10, 2);
        }
        assert_eq!(tally.unseen(0, 5000, 5003), 1);
        assert_eq!(tally.unseen(0, 5190, 5210), 19);
        assert_eq!(tally.unseen(0, 4000, 4001), 0);
    }
}
