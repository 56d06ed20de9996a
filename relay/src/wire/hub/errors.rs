//! When a client that only makes mistakes has made enough of them.

use std::collections::VecDeque;

use crate::limits::{HUB_ERRORS_MAX, HUB_ERRORS_MS};

/// The times of a client's last errors. Without any it owns no memory.
#[derive(Clone, Debug, Default)]
pub struct ErrorTimes(VecDeque<u64>);

impl ErrorTimes {
    /// Notes an error that was answered; true if the client is to be closed (1008) for the number of them.
    #[must_use]
    pub fn note(&mut self, now_ms: u64) -> bool {
        while self.0.front().is_some_and(|time_ms| now_ms.saturating_sub(*time_ms) >= HUB_ERRORS_MS) {
            self.0.pop_front();
        }
        if self.0.len() < HUB_ERRORS_MAX {
            self.0.push_back(now_ms);
        }
        self.0.len() == HUB_ERRORS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_errors_within_ten_seconds_are_too_many() {
        let mut errors = ErrorTimes::default();
        for index in 0..19 {
            assert!(!errors.note(index * 500), "error {index}");
        }
        assert!(errors.note(9_999), "the twentieth, while the first still counts");

        let mut errors = ErrorTimes::default();
        for index in 0..19 {
            assert!(!errors.note(index * 500));
        }
        assert!(!errors.note(10_000), "the first is ten seconds old and counts no more");
        assert!(errors.note(10_001));
    }

    #[test]
    fn a_slow_trickle_never_is() {
        let mut errors = ErrorTimes::default();
        for index in 0..10_000 {
            assert!(!errors.note(index * 527));
            assert!(errors.0.len() < HUB_ERRORS_MAX);
        }
        // A clock that was set back counts errors as new ones, and nothing grows.
        for _ in 0..100 {
            let _ = errors.note(0);
        }
        assert!(errors.0.len() <= HUB_ERRORS_MAX);
    }
}
