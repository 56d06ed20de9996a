//! What a hub channel is, as data: the documented eight, and those of a configuration.

use std::num::NonZeroU64;

use crate::market::pair::Pair;

/// What a channel says in `price` and `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// The last price and the day's change.
    Prices,
    /// The twenty best levels of either side; the price is the middle of the best two.
    Orderbook,
    /// Binance's 24 hours object.
    Day,
    /// OKX's ticker object.
    OkxTicker,
    /// The `data` of CoinGecko's `/global`.
    CoinGlobal,
    /// The rows of its `/coins/markets`.
    CoinTop,
    /// The coins of its `/search/trending`.
    CoinTrending,
}

impl DataKind {
    /// The stream of the documents it is made of; `None` where it is made of instruments' streams.
    pub fn document(self) -> Option<&'static str> {
        match self {
            Self::Prices | Self::Orderbook | Self::Day | Self::OkxTicker => None,
            Self::CoinGlobal => Some("coingecko@global"),
            Self::CoinTop => Some("coingecko@top"),
            Self::CoinTrending => Some("coingecko@trending"),
        }
    }

    /// The streams of an instrument it is made of.
    pub fn streams(self) -> &'static [&'static str] {
        match self {
            Self::Prices | Self::Day => &["ticker"],
            Self::Orderbook => &["depth20"],
            Self::OkxTicker => &["ticker", "bookTicker", "trade"],
            Self::CoinGlobal | Self::CoinTop | Self::CoinTrending => &[],
        }
    }

    /// Whose data it is, unless somebody says otherwise.
    pub fn exchange(self) -> &'static str {
        match self {
            Self::Prices | Self::Orderbook | Self::Day => "binance",
            Self::OkxTicker => "okx",
            Self::CoinGlobal | Self::CoinTop | Self::CoinTrending => "coingecko",
        }
    }

    /// The age from which a value is not pushed any more. CoinGecko's plans allow a look every few minutes only.
    pub fn stale_ms(self) -> u64 {
        match self.document() {
            None => 60_000,
            Some(_) => 2 * 60 * 60 * 1000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Every instrument once in this many ms, changed or not.
    Every(NonZeroU64),
    /// Each value when it comes.
    Realtime,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSpec {
    pub name: Box<str>,
    pub exchange: Box<str>,
    pub data: DataKind,
    /// None where the data are documents.
    pub instruments: Vec<Pair>,
    pub schedule: Schedule,
    pub stale_ms: u64,
}

impl ChannelSpec {
    /// A channel with what follows from its data.
    pub fn new(name: &str, data: DataKind, instruments: &[Pair], schedule: Schedule) -> ChannelSpec {
        ChannelSpec {
            name: name.into(),
            exchange: data.exchange().into(),
            data,
            instruments: if data.document().is_none() { instruments.to_vec() } else { Vec::new() },
            schedule,
            stale_ms: data.stale_ms(),
        }
    }

    /// The names of the streams it is made of, instrument by instrument.
    pub fn sources(&self) -> Vec<Box<str>> {
        match self.data.document() {
            Some(document) => vec![document.into()],
            None => {
                let kinds = self.data.streams();
                self.instruments.iter().flat_map(|pair| kinds.iter().map(|kind| pair.stream(kind))).collect()
            }
        }
    }
}

/// The pairs of the `binance_*` channels where nothing tells which there are.
pub fn usual_pairs() -> Vec<Pair> {
    vec![pair("BTC"), pair("ETH")]
}

/// The eight documented channels. `instruments` are those of the `binance_*` ones.
pub fn documented(interval_ms: NonZeroU64, instruments: &[Pair]) -> Vec<ChannelSpec> {
    use DataKind::{CoinGlobal, CoinTop, CoinTrending, Day, OkxTicker, Orderbook, Prices};
    let scheduled = |name, data| ChannelSpec::new(name, data, instruments, Schedule::Every(interval_ms));
    let realtime = |name, base| ChannelSpec::new(name, OkxTicker, &[pair(base)], Schedule::Realtime);
    vec![
        scheduled("binance_prices", Prices),
        scheduled("binance_orderbook", Orderbook),
        scheduled("binance_24hr", Day),
        scheduled("coingecko_global", CoinGlobal),
        scheduled("coingecko_top", CoinTop),
        scheduled("coingecko_trending", CoinTrending),
        realtime("bitcoinprice", "BTC"),
        realtime("ethprice", "ETH"),
    ]
}

fn pair(base: &str) -> Pair {
    Pair::new(base, "USDT").expect("the usual bases are letters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_channels_are_the_documented_ones() {
        let interval_ms = NonZeroU64::new(10_000).unwrap();
        let specs = documented(interval_ms, &usual_pairs());
        let rows: Vec<_> = specs
            .iter()
            .map(|spec| (&*spec.name, &*spec.exchange, spec.schedule == Schedule::Realtime, spec.stale_ms))
            .collect();
        let expected = [
            ("binance_prices", "binance", false, 60_000),
            ("binance_orderbook", "binance", false, 60_000),
            ("binance_24hr", "binance", false, 60_000),
            ("coingecko_global", "coingecko", false, 7_200_000),
            ("coingecko_top", "coingecko", false, 7_200_000),
            ("coingecko_trending", "coingecko", false, 7_200_000),
            ("bitcoinprice", "okx", true, 60_000),
            ("ethprice", "okx", true, 60_000),
        ];
        assert_eq!(rows, expected);
        let sources = |index: usize| specs[index].sources().iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(sources(0), ["btcusdt@ticker", "ethusdt@ticker"]);
        assert_eq!(sources(1), ["btcusdt@depth20", "ethusdt@depth20"]);
        assert_eq!(sources(3), ["coingecko@global"]);
        assert_eq!(sources(7), ["ethusdt@ticker", "ethusdt@bookTicker", "ethusdt@trade"]);
    }
}
