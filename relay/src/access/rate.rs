//! How often somebody may ask: in any stretch of a length, not in stretches that begin at some moment.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use foldhash::fast::RandomState;

/// So many requests in any `window_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub most: usize,
    pub window_ms: u64,
}

/// Asked too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    pub wait_ms: u64,
}

impl TooOften {
    /// As `Retry-After` has it: whole seconds, no less than one.
    pub fn retry_after_s(self) -> u64 {
        self.wait_ms.div_ceil(1000).max(1)
    }
}

/// The times of one asker's last requests. Without any it owns no memory.
#[derive(Debug, Default)]
pub struct Rate(VecDeque<u64>);

impl Rate {
    /// Counts a request. One that is refused is not counted: who goes on asking gets through as soon as may be.
    pub fn take(&mut self, limit: Limit, now_ms: u64) -> Result<(), TooOften> {
        while self.0.front().is_some_and(|time_ms| now_ms.saturating_sub(*time_ms) >= limit.window_ms) {
            self.0.pop_front();
        }
        if self.0.len() < limit.most {
            self.0.push_back(now_ms);
            return Ok(());
        }
        // A clock that was set back does not make anybody wait longer than a window.
        let passed_ms = self.0.front().map_or(0, |time_ms| now_ms.saturating_sub(*time_ms));
        Err(TooOften { wait_ms: limit.window_ms - passed_ms })
    }

    fn is_over(&self, window_ms: u64, now_ms: u64) -> bool {
        self.0.back().is_none_or(|time_ms| now_ms.saturating_sub(*time_ms) >= window_ms)
    }
}

/// The requests of many.
#[derive(Debug)]
pub struct Callers<K> {
    rates: HashMap<K, Rate, RandomState>,
    most: usize,
    swept_ms: u64,
}

impl<K: Eq + Hash> Callers<K> {
    /// Counts for at most so many at a time; others wait until somebody's requests are over.
    pub fn new(most: usize) -> Callers<K> {
        Callers { rates: HashMap::default(), most, swept_ms: 0 }
    }

    /// Counts a request.
    pub fn take(&mut self, who: K, limit: Limit, now_ms: u64) -> Result<(), TooOften> {
        if let Some(rate) = self.rates.get_mut(&who) {
            return rate.take(limit, now_ms);
        }
        self.sweep(limit.window_ms, now_ms);
        if self.rates.len() >= self.most {
            return Err(TooOften { wait_ms: limit.window_ms });
        }
        self.rates.entry(who).or_default().take(limit, now_ms)
    }

    /// Forgets those whose requests are over; once a second at most, for it looks at all of them.
    fn sweep(&mut self, window_ms: u64, now_ms: u64) {
        if now_ms >= self.swept_ms + 1000 {
            self.swept_ms = now_ms;
            self.rates.retain(|_, rate| !rate.is_over(window_ms, now_ms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { most: 10, window_ms: 60_000 };

    #[test]
    fn each_may_ask_so_often() {
        let mut callers = Callers::new(2);
        for at in 0..10 {
            assert_eq!(callers.take(1, LIMIT, at), Ok(()));
        }
        assert_eq!(callers.take(1, LIMIT, 1000).map_err(TooOften::retry_after_s), Err(59));
        assert_eq!(callers.take(1, LIMIT, 59_999).map_err(TooOften::retry_after_s), Err(1));
        assert_eq!(callers.take(2, LIMIT, 1000), Ok(()));
        assert_eq!(callers.take(1, LIMIT, 60_000), Ok(()));
        assert_eq!(callers.take(1, LIMIT, 60_000), Err(TooOften { wait_ms: 1 }), "the second of them counts still");
    }

    /// Ten in any second are fine, the eleventh is not, wherever the second begins.
    #[test]
    fn the_window_rolls() {
        let limit = Limit { most: 10, window_ms: 1000 };
        let mut rate = Rate::default();
        assert!((0..10).all(|at| rate.take(limit, at * 90).is_ok()));
        assert!(rate.take(limit, 999).is_err());
        assert!(rate.take(limit, 1000).is_ok());
        assert!(rate.take(limit, 1089).is_err());
        assert!(rate.take(limit, 1090).is_ok());
    }

    /// A clock that was set back counts what comes as new, and nothing grows.
    #[test]
    fn a_clock_set_back_is_borne() {
        let mut rate = Rate::default();
        assert!(rate.take(LIMIT, 1_000_000).is_ok());
        assert_eq!((0..100).filter(|_| rate.take(LIMIT, 0).is_ok()).count(), 9);
        assert_eq!(rate.take(LIMIT, 0), Err(TooOften { wait_ms: 60_000 }));
        assert!(rate.take(LIMIT, 1_060_000).is_ok());
    }

    /// However many ask, memory is bounded, those who are known go on, and room comes back.
    #[test]
    fn callers_are_bounded() {
        let mut callers = Callers::new(100);
        assert!((0..100).all(|who| callers.take(who, LIMIT, 0).is_ok()));
        assert_eq!(callers.take(100, LIMIT, 5000), Err(TooOften { wait_ms: 60_000 }));
        assert_eq!(callers.take(0, LIMIT, 5000), Ok(()));
        assert_eq!(callers.rates.len(), 100);
        assert_eq!(callers.take(100, LIMIT, 60_000), Ok(()));
        assert_eq!(callers.rates.len(), 2, "the two who asked since");
    }
}
