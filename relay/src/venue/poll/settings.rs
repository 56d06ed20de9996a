//! What is polled, how often, and what its owner allows.

use super::format::Format;
use super::format::binance::Market;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub format: Format,
    /// The path of the configured url. Empty or `/`: the format's usual one.
    pub path: Box<str>,
    /// Between two looks at the same thing.
    pub interval_ms: u64,
    /// How long a stream is remembered after the last client.
    pub linger_ms: u64,
    /// Without an answer for so long a stream is stale.
    pub stale_ms: u64,
    /// How long new wishes are collected, where one request can ask for several.
    pub gather_ms: u64,
    /// Of a venue's address; four fifths of it are used.
    pub weight_per_minute: Option<u32>,
    /// Of a plan. The interval is stretched so that it suffices.
    pub requests_per_month: Option<u32>,
    pub in_flight_max: usize,
    /// For the jitter of attempts.
    pub seed: u64,
}

/// CoinGecko's caches are about that old, and its small plan has 10 000 calls a month.
const COINGECKO_INTERVAL_MS: u64 = 570_000;
const USUAL_INTERVAL_MS: u64 = 10_000;
const SNAPSHOT_INTERVAL_MS: u64 = 5_000;
/// Enough for twenty levels to stay known while a book is edited, at a fifth of the weight of all levels.
const SNAPSHOT_LEVELS: u32 = 1000;
/// A time above it never comes; that one may be added to a moment.
const TIME_MS_MAX: u64 = 1 << 50;
/// A source is stale when it missed so many looks.
const STALE_INTERVALS: u64 = 3;

impl Settings {
    pub fn new(format: Format) -> Settings {
        let (interval_ms, weight_per_minute) = match &format {
            Format::Ticker(market) | Format::Price(market) | Format::Book { market, .. } => {
                (USUAL_INTERVAL_MS, Some(market.weight_per_minute()))
            }
            Format::Coingecko => (COINGECKO_INTERVAL_MS, None),
            Format::Json(_) => (USUAL_INTERVAL_MS, None),
        };
        Settings {
            format,
            path: "".into(),
            interval_ms,
            linger_ms: 30_000,
            stale_ms: STALE_INTERVALS * interval_ms,
            gather_ms: 50,
            weight_per_minute,
            requests_per_month: None,
            in_flight_max: 2,
            seed: 1,
        }
    }

    /// Another interval, and what follows from it.
    pub fn every(mut self, interval_ms: u64) -> Settings {
        self.interval_ms = interval_ms;
        self.stale_ms = STALE_INTERVALS * interval_ms;
        self
    }

    /// The books that a venue's updates start from (`btcusdt@snapshot`), beside its feed.
    pub fn snapshots(market: Market) -> Settings {
        Settings::new(Format::Book { market, snapshot_levels: SNAPSHOT_LEVELS }).every(SNAPSHOT_INTERVAL_MS)
    }

    /// A time of the subject: longer for what is asked for less often, and for all while a plan does not suffice.
    pub(super) fn stretched(&self, subject: &str, time_ms: u64, permille: u64) -> u64 {
        let stretched = u128::from(self.format.interval_ms(subject, time_ms)) * u128::from(permille) / 1000;
        u64::try_from(stretched).unwrap_or(u64::MAX).min(TIME_MS_MAX)
    }

    /// A stretched interval is no outage.
    pub(super) fn stale_ms(&self, subject: &str, permille: u64) -> u64 {
        self.stretched(subject, self.stale_ms, permille)
    }
}
