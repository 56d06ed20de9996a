//! When a client that only makes mistakes has made enough of them.

use crate::limits::{HUB_ERRORS_MAX, HUB_ERRORS_MS};
use crate::wire::rate::{Limit, Rate};

/// The one after these is one too many.
const LIMIT: Limit = Limit { most: HUB_ERRORS_MAX - 1, window_ms: HUB_ERRORS_MS };

/// The times of a client's last errors. Without any it owns no memory.
#[derive(Debug, Default)]
pub struct ErrorTimes(Rate);

impl ErrorTimes {
    /// Notes an error that was answered; true if the client is to be closed (1008) for the number of them.
    #[must_use]
    pub fn note(&mut self, now_ms: u64) -> bool {
        self.0.take(LIMIT, now_ms).is_err()
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
        }
    }
}
