//! How many calls a connection may make. It is told the time.

use super::request::Call;
use crate::limits::{DERIV_CALLS_PER_HOUR, DERIV_CALLS_PER_MINUTE, DERIV_PINGS_PER_SECOND, DERIV_SUBSCRIPTIONS_MAX};
use crate::wire::rate::{Limit, Rate};

// The limit of an hour needs no count: an hour has 60 minutes, each held to its own limit.
const _: () = assert!(60 * DERIV_CALLS_PER_MINUTE <= DERIV_CALLS_PER_HOUR);

/// What a request takes from the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Beside the budget, with a limit of its own: the document's own code pings every 12 seconds.
    Ping,
    /// Everything else, what is answered with an error included.
    Call,
}

impl Cost {
    pub fn of(call: &Call) -> Cost {
        if *call == Call::Ping { Cost::Ping } else { Cost::Call }
    }
}

/// One connection's. Nothing is kept for a connection that never asked.
#[derive(Debug, Default)]
pub struct Budget(Option<Box<Windows>>);

#[derive(Debug, Default)]
struct Windows {
    calls: Rate,
    pings: Rate,
}

const CALLS: Limit = Limit { most: DERIV_CALLS_PER_MINUTE as usize, window_ms: 60_000 };
const PINGS: Limit = Limit { most: DERIV_PINGS_PER_SECOND as usize, window_ms: 1000 };

impl Budget {
    /// Takes a request from the budget; false if there is none left. What is refused is not counted, so that a client
    /// that goes on asking gets through as soon as its window allows.
    pub fn take(&mut self, cost: Cost, now_ms: u64) -> bool {
        let windows = self.0.get_or_insert_default();
        match cost {
            Cost::Ping => windows.pings.take(PINGS, now_ms).is_ok(),
            Cost::Call => windows.calls.take(CALLS, now_ms).is_ok(),
        }
    }

    /// Gives the memory back once nothing counts any more; for whoever sweeps over idle connections.
    pub fn release(&mut self, now_ms: u64) {
        let is_over = |windows: &Windows| {
            windows.calls.is_over(CALLS.window_ms, now_ms) && windows.pings.is_over(PINGS.window_ms, now_ms)
        };
        self.0.take_if(|windows| is_over(windows));
    }
}

/// Whether a connection with so many live subscriptions may have one more.
pub fn may_subscribe(live: usize) -> bool {
    live < DERIV_SUBSCRIPTIONS_MAX
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minute_has_220_calls() {
        let mut budget = Budget::default();
        assert!((0..220).all(|_| budget.take(Cost::Call, 1_000)));
        assert!(!budget.take(Cost::Call, 1_000) && !budget.take(Cost::Call, 60_999));
        assert!(budget.take(Cost::Ping, 1_000), "ping is beside it");
        assert!(budget.take(Cost::Call, 61_000));
    }

    #[test]
    fn a_second_has_10_pings() {
        let mut budget = Budget::default();
        assert!((0..10).all(|_| budget.take(Cost::Ping, 5_050)));
        assert!(!budget.take(Cost::Ping, 5_900));
        assert!(budget.take(Cost::Call, 5_900), "calls are beside it");
        assert!(budget.take(Cost::Ping, 6_050));
    }

    /// Who keeps to the rate is never refused, and an hour of it stays within the hour's limit.
    #[test]
    fn the_allowed_rate_is_allowed() {
        let mut budget = Budget::default();
        let calls = (0..3_600_000).step_by(273).filter(|now_ms| budget.take(Cost::Call, *now_ms)).count();
        assert_eq!(calls, 3_600_000_usize.div_ceil(273));
        assert!((0..60_000).step_by(100).all(|now_ms| budget.take(Cost::Ping, now_ms)));
        // And who asks all the time gets what an hour has at most.
        let mut budget = Budget::default();
        let calls = (0..3_600_000).step_by(50).filter(|now_ms| budget.take(Cost::Call, *now_ms)).count();
        assert!(calls <= DERIV_CALLS_PER_HOUR as usize, "{calls}");
    }

    #[test]
    fn subscriptions_have_a_limit() {
        assert!(may_subscribe(0) && may_subscribe(99) && !may_subscribe(100));
    }

    #[test]
    fn an_idle_connection_costs_nothing() {
        let mut budget = Budget::default();
        budget.take(Cost::Call, 1_000);
        budget.release(30_000);
        assert!(budget.0.is_some(), "the call still counts");
        budget.release(61_000);
        assert!(budget.0.is_none());
    }

    /// A clock set back neither refills the budget nor breaks it.
    #[test]
    fn time_runs_forward() {
        let mut budget = Budget::default();
        assert!((0..220).all(|index| budget.take(Cost::Call, 100_000 - index * 300)));
        assert!(!budget.take(Cost::Call, 0));
        assert!(budget.take(Cost::Call, 160_000));
    }

    proptest! {
        /// Against a plain list of times: allowed exactly while a minute has room.
        #[test]
        fn the_window_rolls(gaps in proptest::collection::vec(0u64..1_500, 1..800)) {
            let mut budget = Budget::default();
            let mut taken: VecDeque<u64> = VecDeque::new();
            let mut now_ms = 7_777;
            for gap in gaps {
                now_ms += gap;
                let within = taken.iter().filter(|at| now_ms - **at < 60_000).count() as u32;
                let allowed = budget.take(Cost::Call, now_ms);
                prop_assert_eq!(allowed, within < DERIV_CALLS_PER_MINUTE);
                if allowed {
                    taken.push_back(now_ms);
                }
            }
        }
    }
}
