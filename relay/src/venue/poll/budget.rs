//! What a source allows: weight per minute of the clock, and requests per month.

/// Of the weight a venue allows, this much is used: others on this address need some, and a ban costs minutes.
const WEIGHT_PERCENT: u32 = 80;
const MINUTE_MS: u64 = 60_000;
/// The longest month. Nobody tells on which day a plan's month begins, so no 31 days may hold more.
const MONTH_MS: u64 = 31 * 24 * 60 * MINUTE_MS;
/// Of a month's requests, this part may come at once, so that what is new needs not wait for its share.
const BURST_PART: u32 = 200;

/// Weight per minute. A venue counts the calendar's minutes, so that is what is counted here.
#[derive(Debug)]
pub struct Weight {
    max: u32,
    minute: u64,
    used: u32,
}

impl Weight {
    pub fn new(per_minute: u32) -> Weight {
        Weight { max: (u64::from(per_minute) * u64::from(WEIGHT_PERCENT) / 100) as u32, minute: 0, used: 0 }
    }

    /// How long a request has to wait: not at all, or until the next minute.
    pub fn wait_ms(&mut self, weight: u32, calendar_ms: u64) -> u64 {
        self.turn(calendar_ms);
        // One that is over the limit by itself goes first in its minute, or it would never go.
        let fits = self.used.saturating_add(weight) <= self.max || self.used == 0;
        if fits { 0 } else { MINUTE_MS - calendar_ms % MINUTE_MS }
    }

    pub fn take(&mut self, weight: u32, calendar_ms: u64) {
        self.turn(calendar_ms);
        self.used = self.used.saturating_add(weight);
    }

    /// The venue's own count, in which others on this address are. Requests under way may not be in it.
    pub fn told(&mut self, used: u32, under_way: u32, calendar_ms: u64) {
        self.turn(calendar_ms);
        self.used = self.used.max(used.saturating_add(under_way));
    }

    pub fn used(&self) -> u32 {
        self.used
    }

    fn turn(&mut self, calendar_ms: u64) {
        let minute = calendar_ms / MINUTE_MS;
        // A calendar that is set back begins a new minute as well.
        if self.minute != minute {
            self.minute = minute;
            self.used = 0;
        }
    }
}

/// Requests per month, spread evenly: running dry before its end would be worse than being slower all the time.
#[derive(Debug)]
pub struct Allowance {
    /// One request earns its place in this time.
    pace_ms: u64,
    burst_ms: u64,
    /// When all requests so far have earned theirs.
    paid_ms: u64,
}

impl Allowance {
    pub fn new(per_month: u32) -> Allowance {
        let burst = (per_month / BURST_PART).max(1);
        let pace_ms = MONTH_MS.div_ceil(u64::from(per_month.saturating_sub(burst).max(1)));
        Allowance { pace_ms, burst_ms: u64::from(burst - 1) * pace_ms, paid_ms: 0 }
    }

    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.paid_ms.saturating_sub(now_ms + self.burst_ms)
    }

    pub fn take(&mut self, now_ms: u64) {
        self.paid_ms = self.paid_ms.max(now_ms) + self.pace_ms;
    }

    pub fn pace_ms(&self) -> u64 {
        self.pace_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_the_clock_holds_four_fifths_of_the_weight() {
        let mut weight = Weight::new(100);
        let start = 7 * MINUTE_MS;
        for _ in 0..16 {
            assert_eq!(weight.wait_ms(5, start + 50_000), 0);
            weight.take(5, start + 50_000);
        }
        assert_eq!(weight.wait_ms(5, start + 50_000), 10_000);
        assert_eq!(weight.wait_ms(5, start + 60_000), 0, "the next minute is a new one");
    }

    #[test]
    fn what_the_venue_counted_counts() {
        let mut weight = Weight::new(6000);
        weight.take(2, 0);
        weight.told(4790, 2, 500);
        assert_eq!((weight.used(), weight.wait_ms(8, 1_000), weight.wait_ms(9, 1_000)), (4792, 0, 59_000));
        weight.told(4, 0, 2_000);
        assert_eq!(weight.used(), 4792, "an answer that was overtaken takes nothing back");
        assert_eq!(weight.wait_ms(9_999, MINUTE_MS), 0, "one above the limit goes first in its minute");
    }

    #[test]
    fn no_month_holds_more_than_the_plan() {
        for per_month in [1, 7, 100, 10_000] {
            let mut allowance = Allowance::new(per_month);
            let mut now_ms = 0;
            let mut count = 0;
            while now_ms < MONTH_MS {
                let wait_ms = allowance.wait_ms(now_ms);
                now_ms += wait_ms;
                if now_ms < MONTH_MS {
                    allowance.take(now_ms);
                    count += 1;
                }
            }
            assert!(count <= per_month && count >= per_month * 9 / 10, "{count} of {per_month}");
        }
    }
}
