//! How often somebody may ask: in any stretch of a length, not in stretches that begin at some moment.

use std::collections::VecDeque;

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

    /// Whether nothing counts any more, so that it may be forgotten.
    pub fn is_over(&self, window_ms: u64, now_ms: u64) -> bool {
        self.0.back().is_none_or(|time_ms| now_ms.saturating_sub(*time_ms) >= window_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { most: 10, window_ms: 60_000 };

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
}
