//! A limit on how often something may happen, over a strict rolling window.
//!
//! Venues that say "10 per second" close a connection on the eleventh message of *any* second, so a bucket that refills
//! while it is used is wrong by up to a factor of two. Here the times of the last ones are kept, and nothing else.

use std::collections::VecDeque;

#[derive(Debug, Clone)]
pub struct Governor {
    count_max: usize,
    window_ms: u64,
    /// When each of the last `count_max` happened, oldest first.
    taken: VecDeque<u64>,
}

impl Governor {
    pub fn new(count_max: usize, window_ms: u64) -> Self {
        Self { count_max: count_max.max(1), window_ms, taken: VecDeque::new() }
    }

    /// The earliest moment at which one more may happen while `reserve` others still could: now or later.
    ///
    /// A reserve that would leave nothing is ignored: a limit of one per second must not stop everything.
    pub fn free_at(&self, now: u64, reserve: usize) -> u64 {
        let usable = if reserve < self.count_max { self.count_max - reserve } else { self.count_max };
        match self.taken.len().checked_sub(usable) {
            // The one that has to leave the window, so that fewer than `usable` remain.
            Some(index) => (self.taken[index] + self.window_ms).max(now),
            None => now,
        }
    }

    pub fn allows(&self, now: u64, reserve: usize) -> bool {
        self.free_at(now, reserve) <= now
    }

    /// As `free_at`, with the second half of the window's room spread over the window: a wait is then never longer than
    /// two windows shared by the half.
    pub fn paced_at(&self, now: u64) -> u64 {
        let recent = self.taken.len() - self.taken.partition_point(|&at| at + self.window_ms <= now);
        let half = self.count_max / 2;
        let free_at = self.free_at(now, 0);
        match self.taken.back() {
            Some(&last) if recent >= half.max(1) => free_at.max(last + self.window_ms / (self.count_max - half) as u64),
            _ => free_at,
        }
    }

    /// One happens now. The caller has asked before.
    pub fn take(&mut self, now: u64) {
        debug_assert!(self.allows(now, 0), "more than the limit in one window");
        if self.taken.len() == self.count_max {
            self.taken.pop_front();
        }
        self.taken.push_back(now);
    }

    /// What was sent at `sent_at` is known to have been seen by now, and counts from now: a venue that is slow sees two
    /// messages closer together than we sent them.
    pub fn seen(&mut self, sent_at: u64, now: u64) {
        let Ok(at) = self.taken.binary_search(&sent_at) else { return };
        self.taken.remove(at);
        // Nothing else happened after now.
        self.taken.push_back(now.max(self.taken.back().copied().unwrap_or(now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_window_with_a_reserve() {
        // (limit, reserve, taken at, asked at, free at)
        let table: &[(usize, usize, &[u64], u64, u64)] = &[
            (3, 0, &[], 5, 5),
            (3, 0, &[0, 10], 20, 20),
            (3, 0, &[0, 10, 20], 20, 1_000),
            (3, 0, &[0, 10, 20], 1_000, 1_000),
            (3, 0, &[0, 10, 20, 1_000], 1_000, 1_010),
            (3, 1, &[0, 10], 20, 1_000),
            (3, 1, &[0, 10, 20], 20, 1_010),
            (3, 0, &[0, 10, 20], 5_000, 5_000),
            // A reserve as large as the limit is no reserve.
            (1, 1, &[], 0, 0),
            (1, 1, &[0], 1, 1_000),
        ];
        for &(limit, reserve, taken, now, expected) in table {
            let mut governor = Governor::new(limit, 1_000);
            for &at in taken {
                governor.take(at);
            }
            assert_eq!(governor.free_at(now, reserve), expected, "{limit} {reserve} {taken:?} {now}");
        }
    }

    #[test]
    fn the_second_half_is_spread_and_the_limit_holds() {
        let mut governor = Governor::new(480, 3_600_000);
        let (mut now, mut sent) = (0, Vec::new());
        while now < 4 * 3_600_000 {
            now = governor.paced_at(now);
            governor.take(now);
            sent.push(now);
        }
        assert_eq!(sent[239], 0, "the first half at once");
        assert_eq!((sent[240], sent[241]), (15_000, 30_000));
        let widest = sent.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert_eq!(widest, 15_000, "nothing waits for the rest of the hour");
        for (index, &first) in sent.iter().enumerate() {
            let within = sent[index..].iter().take_while(|&&at| at < first + 3_600_000).count();
            assert!(within <= 480, "{within} within an hour of {first}");
        }
    }

    /// Four that a slow venue saw half a second after we sent them leave no room for a fifth and sixth until a second
    /// after that.
    #[test]
    fn what_was_seen_late_counts_from_then() {
        let mut governor = Governor::new(5, 1_000);
        (0..4).for_each(|_| governor.take(0));
        for seen in [200, 400, 500, 500] {
            governor.seen(0, seen);
        }
        governor.seen(0, 900);
        assert_eq!(governor.free_at(1_000, 1), 1_200);
        assert_eq!(governor.free_at(1_200, 1), 1_200);
        governor.take(1_200);
        assert_eq!(governor.free_at(1_200, 1), 1_400);
    }

    #[test]
    fn no_window_ever_holds_more_than_the_limit() {
        let mut governor = Governor::new(10, 1_000);
        let mut sent = Vec::new();
        for now in (0..10_000).step_by(7) {
            while governor.allows(now, 1) {
                governor.take(now);
                sent.push(now);
            }
        }
        for (index, &first) in sent.iter().enumerate() {
            let within = sent[index..].iter().take_while(|&&at| at < first + 1_000).count();
            assert!(within <= 9, "{within} messages within a second of {first}");
        }
        assert!(sent.len() >= 85, "the limit is also used: {}", sent.len());
    }
}
