//! Which channel of OKX's is a stream of ours, one to one.

use crate::venue::interval::Interval;

/// What a stream says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Trade,
    Ticker,
    Depth,
    Top,
    Book,
    MarkPrice,
    /// Asked for with a derivative's mark price, and told in its payloads; no stream of its own.
    Funding,
    Kline(&'static Bar),
}

/// A candle's length.
#[derive(Debug, PartialEq, Eq)]
pub struct Bar {
    /// As in stream names.
    pub interval: &'static str,
    channel: &'static str,
}

/// Candles open in UTC: the channels without `utc` have days that begin at 16:00. There is no bar of eight hours.
#[rustfmt::skip] // A table.
static BARS: [Bar; 15] = [
    bar("1s", "candle1s"), bar("1m", "candle1m"), bar("3m", "candle3m"), bar("5m", "candle5m"),
    bar("15m", "candle15m"), bar("30m", "candle30m"), bar("1h", "candle1H"), bar("2h", "candle2H"),
    bar("4h", "candle4H"), bar("6h", "candle6Hutc"), bar("12h", "candle12Hutc"), bar("1d", "candle1Dutc"),
    bar("3d", "candle3Dutc"), bar("1w", "candle1Wutc"), bar("1M", "candle1Mutc"),
];

const fn bar(interval: &'static str, channel: &'static str) -> Bar {
    Bar { interval, channel }
}

impl Kind {
    /// Of what follows the symbol's `@`.
    pub fn parse(text: &str) -> Option<Kind> {
        match text {
            "trade" => Some(Kind::Trade),
            "ticker" => Some(Kind::Ticker),
            "depth5@100ms" => Some(Kind::Depth),
            "bookTicker" => Some(Kind::Top),
            "book" => Some(Kind::Book),
            "markPrice@1s" => Some(Kind::MarkPrice),
            _ => {
                let interval = text.strip_prefix("kline_")?;
                BARS.iter().find(|bar| bar.interval == interval).map(Kind::Kline)
            }
        }
    }

    pub fn channel(self) -> &'static str {
        match self {
            Kind::Trade => "trades",
            Kind::Ticker => "tickers",
            Kind::Depth => "books5",
            Kind::Top => "bbo-tbt",
            Kind::Book => "books",
            Kind::MarkPrice => "mark-price",
            Kind::Funding => "funding-rate",
            Kind::Kline(bar) => bar.channel,
        }
    }

    pub fn is_business(self) -> bool {
        matches!(self, Kind::Kline(_))
    }
}

impl Bar {
    /// The last millisecond of the bar that opened then.
    pub fn close_ms(&self, open_ms: i64) -> Option<i64> {
        const SECOND_MS: i64 = 1000;
        let length = match Interval::parse(self.interval) {
            // A bar lies where the venue says, and we only know how long it is.
            Some(Interval::Fixed { length, .. }) => length,
            Some(month @ Interval::Month) => {
                // Beyond it lies no date that a venue means, and sums would overflow.
                const TIME_MS_MAX: i64 = 100_000_000_000_000;
                (0..TIME_MS_MAX).contains(&open_ms).then(|| month.bucket(open_ms).end - open_ms)?
            }
            None => SECOND_MS,
        };
        open_ms.checked_add(length - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candles_are_those_of_utc() {
        let check = |interval: &str, expected: Option<&str>| {
            let kind = Kind::parse(&format!("kline_{interval}"));
            assert_eq!(kind.map(Kind::channel), expected, "{interval}");
        };
        check("1s", Some("candle1s"));
        check("1m", Some("candle1m"));
        check("1M", Some("candle1Mutc"));
        check("4h", Some("candle4H"));
        check("6h", Some("candle6Hutc"));
        check("1w", Some("candle1Wutc"));
        for interval in ["8h", "1D", "2d", "1d@+08:00", ""] {
            check(interval, None);
        }
    }

    #[test]
    fn only_what_the_venue_has() {
        for text in ["aggTrade", "depth", "depth5", "depth20@100ms", "miniTicker", "markPrice", "books", "", "funding"]
        {
            assert_eq!(Kind::parse(text), None, "{text}");
        }
        let channels = ["trade", "ticker", "depth5@100ms", "bookTicker", "book", "markPrice@1s"]
            .map(|text| Kind::parse(text).unwrap().channel());
        assert_eq!(channels, ["trades", "tickers", "books5", "bbo-tbt", "books", "mark-price"]);
    }

    #[test]
    fn bars_end() {
        let check = |interval: &str, open, expected| {
            let Some(Kind::Kline(bar)) = Kind::parse(&format!("kline_{interval}")) else { panic!("{interval}") };
            assert_eq!(bar.close_ms(open), expected, "{interval}");
        };
        check("1s", 1_765_211_445_000, Some(1_765_211_445_999));
        check("1m", 1_765_211_400_000, Some(1_765_211_459_999));
        check("1w", 1_765_152_000_000, Some(1_765_756_799_999));
        // 2024-02-01 to 2024-02-29.
        check("1M", 1_706_745_600_000, Some(1_709_251_199_999));
        check("1M", i64::MAX, None);
        check("1d", i64::MAX, None);
    }
}
