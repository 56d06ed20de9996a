//! Is every event there, once, in order? Pure: numbers in, verdicts out.

/// Gaps remembered per connection and topic, so that a late event can be told from a second one.
const GAPS_MAX: usize = 64;

/// What one connection has seen of one topic.
#[derive(Clone, Debug)]
pub struct Cursor {
    pub topic: u32,
    /// The first number seen and the one after the last; equal before anything was seen.
    first: u64,
    next: u64,
    /// Numbers passed over, as half-open ranges in ascending order.
    gaps: Vec<(u64, u64)>,
    /// Numbers of gaps beyond the remembered ones.
    forgotten: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    InOrder,
    /// So many numbers were passed over; they may still come, reordered.
    Skipped(u64),
    /// It fills a gap: it came late.
    Reordered,
    Duplicate,
}

/// The numbers of a topic that everybody who was there from start to end must have seen; both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub first: u64,
    pub last: u64,
}

impl Cursor {
    pub fn new(topic: u32) -> Self {
        Self { topic, first: 0, next: 0, gaps: Vec::new(), forgotten: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.next == self.first
    }

    /// The number after the last one seen.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn see(&mut self, seq: u64) -> Seen {
        if self.is_empty() {
            (self.first, self.next) = (seq, seq + 1);
            return Seen::InOrder;
        }
        if seq == self.next {
            self.next += 1;
            return Seen::InOrder;
        }
        if seq > self.next {
            let missed = seq - self.next;
            if self.gaps.len() < GAPS_MAX {
                self.gaps.push((self.next, seq));
            } else {
                self.forgotten += missed;
            }
            self.next = seq + 1;
            return Seen::Skipped(missed);
        }
        // Before the first one: it was overtaken by the first.
        if seq < self.first || self.fill(seq) { Seen::Reordered } else { Seen::Duplicate }
    }

    fn fill(&mut self, seq: u64) -> bool {
        let Some(at) = self.gaps.iter().position(|&(from, to)| (from..to).contains(&seq)) else {
            return false;
        };
        let (from, to) = self.gaps.remove(at);
        for half in [(seq + 1, to), (from, seq)] {
            if half.0 < half.1 {
                self.gaps.insert(at, half);
            }
        }
        true
    }

    /// Numbers missing between the first and the last one seen, leaving out those `excused` counts in a range.
    pub fn missing_between(&self, excused: impl Fn(u64, u64) -> u64) -> u64 {
        self.gaps.iter().map(|&(from, to)| to - from - excused(from, to)).sum::<u64>() + self.forgotten
    }

    /// Expected numbers that lie before the first or after the last one seen.
    pub fn missing_outside(&self, expected: Expected) -> u64 {
        if self.is_empty() {
            return expected.last + 1 - expected.first;
        }
        self.first.saturating_sub(expected.first) + (expected.last + 1).saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seen: &[u64], expected: &str, missing: u64) {
        let mut cursor = Cursor::new(0);
        let verdicts: String = seen
            .iter()
            .map(|&seq| match cursor.see(seq) {
                Seen::InOrder => 'i',
                Seen::Skipped(_) => 's',
                Seen::Reordered => 'r',
                Seen::Duplicate => 'd',
            })
            .collect();
        assert_eq!((verdicts.as_str(), cursor.missing_between(|_, _| 0)), (expected, missing), "{seen:?}");
    }

    /// Every way a sequence can go wrong has its own name, and a late event is no loss.
    #[test]
    fn sequences() {
        check(&[5, 6, 7], "iii", 0);
        check(&[5, 7], "is", 1);
        check(&[5, 9], "is", 3);
        check(&[5, 5], "id", 0);
        check(&[5, 6, 5], "iid", 0);
        check(&[5, 7, 6, 8], "isri", 0);
        check(&[5, 9, 7, 7, 6, 8], "isrdrr", 0);
        check(&[5, 9, 7], "isr", 2);
        check(&[5, 4], "ir", 0);
    }

    /// The start and the end of the window count too, and what nobody got can be excused.
    #[test]
    fn window() {
        let expected = Expected { first: 10, last: 19 };
        let mut cursor = Cursor::new(0);
        assert_eq!(cursor.missing_outside(expected), 10);
        cursor.see(12);
        cursor.see(17);
        assert_eq!((cursor.missing_outside(expected), cursor.missing_between(|_, _| 0)), (4, 4));
        assert_eq!(cursor.missing_between(|from, to| to - from), 0);
    }

    /// A stream full of holes is counted in full although only some holes are remembered.
    #[test]
    fn many_gaps() {
        let mut cursor = Cursor::new(0);
        (0..1000).for_each(|i| {
            cursor.see(i * 2);
        });
        assert_eq!(cursor.missing_between(|_, _| 0), 999);
    }
}
