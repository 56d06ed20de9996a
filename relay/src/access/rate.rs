//! How often each of many may ask.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

use crate::wire::rate::{Limit, Rate, TooOften};

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
