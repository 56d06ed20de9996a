//! From trades to at most one tick a second.
//!
//! A quote belongs to the second in which it arrived, by our clock. The tick of a second is the last trade's price with the
//! best bid and ask that were known at the end of that second. It is given out by the first quote of a later second, or
//! by `poll` once the second is over, whichever is first. A second without a trade has no tick.

use super::price::Price;

/// What one tick says.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    pub epoch_s: u64,
    pub quote: Price,
    pub bid: Price,
    pub ask: Price,
}

#[derive(Debug, Default)]
pub struct Sampler {
    top: Option<(Price, Price)>,
    /// The price of the running second.
    pending: Option<(u64, Price)>,
    /// The second of the last tick: a clock that is set back gives no second tick.
    given_s: Option<u64>,
}

impl Sampler {
    pub fn trade(&mut self, price: Price, now_ms: u64) -> Option<Quote> {
        let done = self.poll(now_ms);
        let next_s = self.given_s.map_or(0, |given_s| given_s + 1);
        let second = self.pending.map_or(next_s, |(second, _)| second).max(now_ms / 1000);
        self.pending = Some((second, price));
        done
    }

    pub fn top(&mut self, bid: Price, ask: Price, now_ms: u64) -> Option<Quote> {
        let done = self.poll(now_ms);
        self.top = Some((bid, ask));
        done
    }

    /// The best bid and ask are not known any more.
    pub fn lose(&mut self) {
        self.top = None;
    }

    pub fn due_ms(&self) -> u64 {
        self.pending.map_or(u64::MAX, |(second, _)| (second + 1).saturating_mul(1000))
    }

    pub fn poll(&mut self, now_ms: u64) -> Option<Quote> {
        if now_ms < self.due_ms() {
            return None;
        }
        let (epoch_s, quote) = self.pending.take()?;
        self.given_s = Some(epoch_s);
        // Before the first top there is but the price.
        let (bid, ask) = self.top.unwrap_or((quote, quote));
        Some(Quote { epoch_s, quote, bid, ask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        Price::parse(text, 2).unwrap()
    }

    fn check(quote: Option<Quote>, expected: Option<(u64, &str, &str, &str)>) {
        let actual = quote.map(|quote| (quote.epoch_s, quote.quote.text(), quote.bid.text(), quote.ask.text()));
        let own = |(epoch_s, quote, bid, ask): (u64, &str, &str, &str)| (epoch_s, quote.into(), bid.into(), ask.into());
        assert_eq!(actual, expected.map(own));
    }

    #[test]
    fn a_second_has_one_tick_with_its_last_price() {
        let mut sampler = Sampler::default();
        check(sampler.trade(price("1"), 10_100), None);
        check(sampler.top(price("1"), price("3"), 10_200), None);
        check(sampler.trade(price("2"), 10_999), None);
        // The quote that ends a second is not part of it.
        check(sampler.top(price("5"), price("6"), 11_000), Some((10, "2.00", "1.00", "3.00")));
        check(sampler.trade(price("4"), 11_001), None);
        check(sampler.trade(price("7"), 13_500), Some((11, "4.00", "5.00", "6.00")));
    }

    #[test]
    fn poll_ends_a_second() {
        let mut sampler = Sampler::default();
        assert_eq!(sampler.due_ms(), u64::MAX);
        check(sampler.poll(u64::MAX), None);
        sampler.trade(price("1"), 10_100);
        assert_eq!(sampler.due_ms(), 11_000);
        check(sampler.poll(10_999), None);
        check(sampler.poll(11_000), Some((10, "1.00", "1.00", "1.00")));
        // Quiet seconds have no tick, and tops alone make none.
        check(sampler.top(price("5"), price("6"), 12_000), None);
        assert_eq!(sampler.due_ms(), u64::MAX);
    }

    #[test]
    fn a_clock_set_back_repeats_no_second() {
        let mut sampler = Sampler::default();
        sampler.trade(price("1"), 10_100);
        check(sampler.poll(11_000), Some((10, "1.00", "1.00", "1.00")));
        check(sampler.trade(price("2"), 10_500), None);
        check(sampler.poll(12_000), Some((11, "2.00", "2.00", "2.00")));
    }
}
