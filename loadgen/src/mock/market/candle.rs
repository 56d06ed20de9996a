//! Candles of all intervals, from trades.

const DAY_MS: u64 = 86_400_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    Second,
    Minutes(u16),
    Days(u8),
    Week,
    Month,
}

/// In the order of their names on the venues.
pub const INTERVALS: [(&str, Interval); 16] = [
    ("1s", Interval::Second),
    ("1m", Interval::Minutes(1)),
    ("3m", Interval::Minutes(3)),
    ("5m", Interval::Minutes(5)),
    ("15m", Interval::Minutes(15)),
    ("30m", Interval::Minutes(30)),
    ("1h", Interval::Minutes(60)),
    ("2h", Interval::Minutes(120)),
    ("4h", Interval::Minutes(240)),
    ("6h", Interval::Minutes(360)),
    ("8h", Interval::Minutes(480)),
    ("12h", Interval::Minutes(720)),
    ("1d", Interval::Days(1)),
    ("3d", Interval::Days(3)),
    ("1w", Interval::Week),
    ("1M", Interval::Month),
];

impl Interval {
    pub fn parse(name: &str) -> Option<Self> {
        INTERVALS.iter().find(|known| known.0 == name).map(|known| known.1)
    }

    pub fn name(self) -> &'static str {
        INTERVALS[self.index()].0
    }

    pub fn index(self) -> usize {
        INTERVALS.iter().position(|known| known.1 == self).expect("every interval is in the table")
    }

    /// When the candle of `at_ms` opens, and when the next one does. UTC.
    pub fn bounds(self, at_ms: u64) -> (u64, u64) {
        let (length, offset) = match self {
            Self::Second => (1000, 0),
            Self::Minutes(minutes) => (u64::from(minutes) * 60_000, 0),
            Self::Days(days) => (u64::from(days) * DAY_MS, 0),
            // The epoch was a Thursday; weeks begin on Monday.
            Self::Week => (7 * DAY_MS, 4 * DAY_MS),
            Self::Month => return month(at_ms),
        };
        let open = (at_ms - offset) / length * length + offset;
        (open, open + length)
    }
}

fn month(at_ms: u64) -> (u64, u64) {
    let mut open = 0;
    let (mut year, mut month) = (1970u64, 0usize);
    loop {
        let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
        let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
        let next = open + days * DAY_MS;
        if at_ms < next {
            return (open, next);
        }
        open = next;
        month += 1;
        if month == 12 {
            (year, month) = (year + 1, 0);
        }
    }
}

#[derive(Clone, Debug)]
pub struct Candle {
    pub open_ms: u64,
    /// Inclusive.
    pub close_ms: u64,
    pub open: u64,
    pub high: u64,
    pub low: u64,
    pub close: u64,
    pub volume: u128,
    pub quote: u128,
    pub taker_volume: u128,
    pub taker_quote: u128,
    /// Of trades; none yet.
    pub ids: Option<(u64, u64)>,
    pub count: u64,
    /// When it was last changed.
    pub changed_ms: u64,
    quote_exact: u128,
    taker_quote_exact: u128,
}

pub struct Traded {
    pub id: u64,
    pub price: u64,
    pub quantity: u64,
    pub buyer_is_maker: bool,
    pub at_ms: u64,
}

impl Candle {
    pub fn empty(interval: Interval, at_ms: u64, price: u64) -> Self {
        let (open_ms, next_ms) = interval.bounds(at_ms);
        Self {
            open_ms,
            close_ms: next_ms - 1,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            quote: 0,
            taker_volume: 0,
            taker_quote: 0,
            ids: None,
            count: 0,
            changed_ms: at_ms,
            quote_exact: 0,
            taker_quote_exact: 0,
        }
    }

    pub fn add(&mut self, trade: &Traded) {
        if self.count == 0 {
            (self.open, self.high, self.low) = (trade.price, trade.price, trade.price);
        }
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume += u128::from(trade.quantity);
        self.quote_exact += u128::from(trade.quantity) * u128::from(trade.price);
        if !trade.buyer_is_maker {
            self.taker_volume += u128::from(trade.quantity);
            self.taker_quote_exact += u128::from(trade.quantity) * u128::from(trade.price);
        }
        self.quote = self.quote_exact / u128::from(super::number::ONE);
        self.taker_quote = self.taker_quote_exact / u128::from(super::number::ONE);
        self.ids = Some((self.ids.map_or(trade.id, |ids| ids.0), trade.id));
        self.count += 1;
        self.changed_ms = trade.at_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bounds are the calendar's.
    #[test]
    fn bounds() {
        // 2026-02-15 12:34:56 UTC, a Sunday.
        let at = 1_771_158_896_000;
        for (interval, open, next) in [
            ("1s", 1_771_158_896_000, 1_771_158_897_000),
            ("1h", 1_771_156_800_000, 1_771_160_400_000),
            ("1d", 1_771_113_600_000, 1_771_200_000_000),
            ("1w", 1_770_595_200_000, 1_771_200_000_000),
            ("1M", 1_769_904_000_000, 1_772_323_200_000),
        ] {
            let interval = Interval::parse(interval).unwrap();
            assert_eq!(interval.bounds(at), (open, next), "{}", interval.name());
        }
        assert_eq!(Interval::parse("7m"), None);
    }
}
