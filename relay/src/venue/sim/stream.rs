//! Stream names: which there are, and how often each may speak (protocols/bitzoom.md section 3).

use super::book::TOP_REFRESH_MS;
use super::coins::Document;
use super::instrument;
use super::symbol;
use super::timed::Item;
use crate::venue::interval::Interval;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    One {
        instrument: usize,
        kind: Kind,
    },
    /// `!ticker@arr` and `!miniTicker@arr`.
    All(Summary),
    /// `<symbol>@tick` and `coingecko@<document>`.
    Timed(Item),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Trade,
    AggTrade,
    BookTicker,
    Ticker(Summary),
    MarkPrice { period_ms: i64 },
    Partial { levels: usize, period_ms: i64 },
    Diff { period_ms: i64 },
    Kline(Interval),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    Ticker,
    MiniTicker,
}

pub const TICKER_PERIOD_MS: i64 = 1_000;
const KLINE_PERIOD_MS: i64 = 250;
const DEPTH_PERIOD_MS: i64 = 250;

impl Stream {
    /// The symbol is expected in lower case; the rest is case-sensitive.
    pub fn parse(name: &str) -> Option<Stream> {
        match name {
            "!ticker@arr" => return Some(Stream::All(Summary::Ticker)),
            "!miniTicker@arr" => return Some(Stream::All(Summary::MiniTicker)),
            _ => {}
        }
        let (symbol, kind) = name.split_once('@')?;
        match (symbol, kind) {
            ("coingecko", _) => return Some(Stream::Timed(Item::Document(Document::parse(kind)?))),
            (_, "tick") => return Some(Stream::Timed(Item::Tick(symbol::find_lower(symbol)?))),
            _ => {}
        }
        Some(Stream::One { instrument: instrument::find(symbol)?, kind: Kind::parse(kind)? })
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Kind> {
        Some(match text {
            "trade" => Kind::Trade,
            "aggTrade" => Kind::AggTrade,
            "bookTicker" => Kind::BookTicker,
            "ticker" => Kind::Ticker(Summary::Ticker),
            "miniTicker" => Kind::Ticker(Summary::MiniTicker),
            "markPrice" => Kind::MarkPrice { period_ms: 3_000 },
            "markPrice@1s" => Kind::MarkPrice { period_ms: 1_000 },
            _ => match text.strip_prefix("kline_") {
                Some(interval) => Kind::Kline(Interval::parse(interval)?),
                None => Kind::depth(text.strip_prefix("depth")?)?,
            },
        })
    }

    fn depth(text: &str) -> Option<Kind> {
        let (levels, speed) = match text.split_once('@') {
            Some((levels, speed)) => (levels, Some(speed)),
            None => (text, None),
        };
        let period_ms = match speed {
            None => DEPTH_PERIOD_MS,
            Some("100ms") => 100,
            Some("250ms") => 250,
            Some("500ms") => 500,
            Some(_) => return None,
        };
        Some(match levels {
            "" => Kind::Diff { period_ms },
            "5" => Kind::Partial { levels: 5, period_ms },
            "10" => Kind::Partial { levels: 10, period_ms },
            "20" => Kind::Partial { levels: 20, period_ms },
            _ => return None,
        })
    }

    /// How often the stream looks for news; none for those that only trades wake.
    pub fn period_ms(self) -> Option<i64> {
        match self {
            Kind::Trade | Kind::AggTrade => None,
            Kind::BookTicker => Some(TOP_REFRESH_MS),
            Kind::Ticker(_) => Some(TICKER_PERIOD_MS),
            Kind::Kline(_) => Some(KLINE_PERIOD_MS),
            Kind::MarkPrice { period_ms } | Kind::Partial { period_ms, .. } | Kind::Diff { period_ms } => {
                Some(period_ms)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<Kind>) {
        let expected = expected.map(|kind| Stream::One { instrument: 0, kind });
        assert_eq!(Stream::parse(name), expected, "{name}");
    }

    /// Documented names are known, their neighbours are not.
    #[test]
    fn names() {
        check("btcusdt@trade", Some(Kind::Trade));
        check("btcusdt@depth", Some(Kind::Diff { period_ms: 250 }));
        check("btcusdt@depth@100ms", Some(Kind::Diff { period_ms: 100 }));
        check("btcusdt@depth20@500ms", Some(Kind::Partial { levels: 20, period_ms: 500 }));
        check("btcusdt@depth5", Some(Kind::Partial { levels: 5, period_ms: 250 }));
        check("btcusdt@kline_1M", Some(Kind::Kline(Interval::Month)));
        check("btcusdt@markPrice@1s", Some(Kind::MarkPrice { period_ms: 1_000 }));
        for unknown in [
            "",
            "@",
            "btcusdt",
            "btcusdt@",
            "BTCUSDT@trade",
            "btcusdt@Trade",
            "btcusdt@depth7",
            "btcusdt@depth05",
            "btcusdt@depth5@",
            "btcusdt@depth5@1000ms",
            "btcusdt@kline_2m",
            "btcusdt@kline_1s",
            "btcusdt@kline_",
            "btcusdt@markPrice@3s",
            "nousdt@trade",
            "!ticker",
            "!ticker@arr@1s",
            "btcusdt@trade@100ms",
            "btcusdt@tick",
            "R_100@tick",
            "r_100@trade",
            "r_100@tick@1s",
            "coingecko@bottom",
            "coingecko",
            "coingecko@tick",
        ] {
            check(unknown, None);
        }
        assert_eq!(Stream::parse("!miniTicker@arr"), Some(Stream::All(Summary::MiniTicker)));
        assert_eq!(Stream::parse("!ticker@arr"), Some(Stream::All(Summary::Ticker)));
        assert_eq!(Stream::parse("coingecko@top"), Some(Stream::Timed(Item::Document(Document::Top))));
        let tick = |symbol| symbol::find(symbol).map(|index| Stream::Timed(Item::Tick(index)));
        for (name, symbol) in [("r_100@tick", "R_100"), ("1hz100v@tick", "1HZ100V"), ("crybtcusd@tick", "cryBTCUSD")] {
            assert_eq!(Stream::parse(name), tick(symbol), "{name}");
        }
    }
}
