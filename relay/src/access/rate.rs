//! How often somebody may ask, counted in minutes that begin with the first request.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::account::Counted;
use crate::limits::{LISTEN_CALLERS_MAX, LISTEN_REQUESTS_PER_MINUTE_MAX};

const MINUTE_MS: u64 = 60_000;

/// Requests of each account and address.
#[derive(Debug, Default)]
pub struct Rate {
    minutes: HashMap<Counted, Minute, RandomState>,
    swept_ms: u64,
}

#[derive(Debug)]
struct Minute {
    ends_ms: u64,
    count: u32,
}

/// Asked too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    pub retry_after_s: u64,
}

impl Rate {
    /// Counts a request.
    pub fn take(&mut self, who: Counted, now_ms: u64) -> Result<(), TooOften> {
        if let Some(minute) = self.minutes.get_mut(&who).filter(|minute| now_ms < minute.ends_ms) {
            if minute.count >= LISTEN_REQUESTS_PER_MINUTE_MAX {
                return Err(TooOften { retry_after_s: (minute.ends_ms - now_ms).div_ceil(1000) });
            }
            minute.count += 1;
            return Ok(());
        }
        self.sweep(now_ms);
        if self.minutes.len() >= LISTEN_CALLERS_MAX && !self.minutes.contains_key(&who) {
            return Err(TooOften { retry_after_s: MINUTE_MS / 1000 });
        }
        self.minutes.insert(who, Minute { ends_ms: now_ms + MINUTE_MS, count: 1 });
        Ok(())
    }

    /// Forgets the minutes that are over; once a second at most, for it looks at all of them.
    fn sweep(&mut self, now_ms: u64) {
        if now_ms >= self.swept_ms + 1000 {
            self.swept_ms = now_ms;
            self.minutes.retain(|_, minute| now_ms < minute.ends_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::wire::http::ip::IpKey;

    fn ip(number: u32) -> Counted {
        Counted::Ip(IpKey::from(IpAddr::from(number.to_be_bytes())))
    }

    #[test]
    fn a_minute_has_so_many_requests_for_each() {
        let mut rate = Rate::default();
        for at in 0..LISTEN_REQUESTS_PER_MINUTE_MAX {
            assert_eq!(rate.take(ip(1), u64::from(at)), Ok(()));
        }
        assert_eq!(rate.take(ip(1), 1000), Err(TooOften { retry_after_s: 59 }));
        assert_eq!(rate.take(ip(1), 59_999), Err(TooOften { retry_after_s: 1 }));
        assert_eq!(rate.take(ip(2), 1000), Ok(()));
        assert_eq!(rate.take(ip(1), 60_000), Ok(()));
    }

    /// However many ask, memory is bounded, those who are known go on, and room comes back.
    #[test]
    fn callers_are_bounded() {
        let mut rate = Rate::default();
        let most = u32::try_from(LISTEN_CALLERS_MAX).unwrap();
        for number in 0..most {
            assert_eq!(rate.take(ip(number), 0), Ok(()));
        }
        assert_eq!(rate.take(ip(most), 5000), Err(TooOften { retry_after_s: 60 }));
        assert_eq!(rate.take(ip(0), 5000), Ok(()));
        assert_eq!(rate.minutes.len(), LISTEN_CALLERS_MAX);
        assert_eq!(rate.take(ip(most), MINUTE_MS), Ok(()));
        assert_eq!(rate.minutes.len(), 1);
    }
}
