//! Candle intervals and where their buckets begin and end, in UTC (protocols/normalization.md section 4).

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 1970-01-01 was a Thursday; weeks open on Mondays.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Buckets of one length, in ms, the first of which opens at `from`.
    Fixed {
        name: &'static str,
        length: i64,
        from: i64,
    },
    Month,
}

/// `open..end`, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub open: i64,
    pub end: i64,
}

pub const INTERVALS: [Interval; 15] = [
    fixed("1m", MINUTE_MS),
    fixed("3m", 3 * MINUTE_MS),
    fixed("5m", 5 * MINUTE_MS),
    fixed("15m", 15 * MINUTE_MS),
    fixed("30m", 30 * MINUTE_MS),
    fixed("1h", HOUR_MS),
    fixed("2h", 2 * HOUR_MS),
    fixed("4h", 4 * HOUR_MS),
    fixed("6h", 6 * HOUR_MS),
    fixed("8h", 8 * HOUR_MS),
    fixed("12h", 12 * HOUR_MS),
    fixed("1d", DAY_MS),
    fixed("3d", 3 * DAY_MS),
    Interval::Fixed { name: "1w", length: 7 * DAY_MS, from: FIRST_MONDAY_MS },
    Interval::Month,
];

/// Spot has it besides.
pub const SECOND: Interval = fixed("1s", 1_000);

const fn fixed(name: &'static str, length: i64) -> Interval {
    Interval::Fixed { name, length, from: 0 }
}

impl Interval {
    pub fn parse(name: &str) -> Option<Interval> {
        INTERVALS.into_iter().find(|interval| interval.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Interval::Fixed { name, .. } => name,
            Interval::Month => "1M",
        }
    }

    /// Whether buckets of this length fill each bucket of the other one.
    pub fn tiles(self, longer: Interval) -> bool {
        let Interval::Fixed { length, from: 0, .. } = self else { return false };
        match longer {
            Interval::Fixed { length: whole, from, .. } => whole > length && whole % length == 0 && from % length == 0,
            Interval::Month => DAY_MS % length == 0,
        }
    }

    pub fn bucket(self, at: i64) -> Bucket {
        match self {
            Interval::Fixed { length, from, .. } => {
                let open = (at - from).div_euclid(length) * length + from;
                Bucket { open, end: open + length }
            }
            Interval::Month => month(at),
        }
    }
}

fn month(at: i64) -> Bucket {
    let day = at.div_euclid(DAY_MS);
    // By the mean year, 146 097 days in 400 years, and one later so that only stepping back is left.
    let mut year = 1971 + (day * 400).div_euclid(146_097);
    while days_before_year(year) > day {
        year -= 1;
    }
    let leap = i64::from(is_leap(year));
    let mut open = days_before_year(year);
    for length in [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if open + length > day {
            return Bucket { open: open * DAY_MS, end: (open + length) * DAY_MS };
        }
        open += length;
    }
    Bucket { open: open * DAY_MS, end: (open + 31) * DAY_MS }
}

/// Days from 1970-01-01 to January 1st of `year`.
fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    let leaps = past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400);
    (year - 1970) * 365 + leaps - LEAPS_BEFORE_1970
}

const LEAPS_BEFORE_1970: i64 = 1969 / 4 - 1969 / 100 + 1969 / 400;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Every bucket of the normalisation fixture.
    #[test]
    fn fixture_boundaries() {
        let fixture: Value =
            serde_json::from_str(include_str!("../../testdata/normalization/kline_boundaries.json")).unwrap();
        for vector in fixture["vectors"].as_array().unwrap() {
            let at = vector["t"].as_i64().unwrap();
            for interval in INTERVALS.into_iter().chain([SECOND]) {
                let expected = &vector["buckets"][interval.name()];
                let bucket = interval.bucket(at);
                assert_eq!(bucket.open, expected["open"], "{} of {}", interval.name(), vector["case"]);
                assert_eq!(bucket.end - 1, expected["close"].as_i64().unwrap(), "{}", interval.name());
            }
        }
    }

    #[test]
    fn some_intervals_tile_others() {
        let check = |short: &str, long: &str, expected| {
            let interval = |name| Interval::parse(name).unwrap();
            assert_eq!(interval(short).tiles(interval(long)), expected, "{short} in {long}");
        };
        for long in INTERVALS.into_iter().skip(1) {
            assert!(INTERVALS[0].tiles(long) && SECOND.tiles(long), "{long:?}");
        }
        check("1m", "1m", false);
        check("1h", "1d", true);
        check("6h", "8h", false);
        check("1d", "1w", true);
        check("3d", "1w", false);
        check("3d", "1M", false);
        check("1w", "1M", false);
        check("1d", "1M", true);
    }

    /// Months tile time without gap, before 1970 and across centuries as well.
    #[test]
    fn months_tile() {
        let mut at = -500 * 366 * DAY_MS;
        let mut bucket = Interval::Month.bucket(at);
        while at < 500 * 366 * DAY_MS {
            assert!((28..=31).contains(&((bucket.end - bucket.open) / DAY_MS)));
            assert_eq!(Interval::Month.bucket(bucket.end - 1), bucket);
            let next = Interval::Month.bucket(bucket.end);
            assert_eq!(next.open, bucket.end);
            (at, bucket) = (bucket.end, next);
        }
    }
}
