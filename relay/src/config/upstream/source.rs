//! Where an upstream's data comes from, one variant for each kind: plain data, made into adapters elsewhere.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::super::url::Url;
use crate::venue::adapter::kind::Kind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The path of the URL is a prefix: the adapter adds `/stream`. `rest_url` is where `/depth` is below.
    Binance {
        server: Server,
        rest_url: Url,
    },
    /// The same; the adapter adds `/public/stream` and `/market/stream`.
    BinanceUsdm {
        server: Server,
        rest_url: Url,
    },
    /// The path of the URL is a prefix: the adapter adds `/ws/v5/public` and `/ws/v5/business`.
    Okx {
        server: Server,
        /// In OKX's spelling, `BTC-USDT`. Empty: not known.
        instruments: Vec<String>,
    },
    /// The path of the URL is the API's; the adapter adds the `app_id`.
    Deriv {
        server: Server,
        app_id: u64,
        /// In Deriv's spelling, `frxEURUSD`. Empty: not known.
        symbols: Vec<String>,
    },
    /// The path of the URL is where one connects.
    Bitzoom {
        server: Server,
    },
    /// The path of the URL is where one connects.
    Stream {
        server: Server,
    },
    /// `path` is Socket.IO's own, with a slash at both ends; the URL's is not used.
    SocketIo {
        server: Server,
        path: String,
        api_key: ApiKey,
    },
    Rest(Box<Rest>),
    /// The built-in venue. `full` adds Binance's fields to the documented ones.
    Sim {
        seed: u64,
        full: bool,
    },
    /// What `relay record` wrote, a file or all of a directory.
    Replay {
        file: PathBuf,
        speed: Speed,
        from_ms: Option<u64>,
        to_ms: Option<u64>,
        begin: Begin,
        /// From the beginning again, for ever.
        repeat: bool,
    },
}

/// Where a WebSocket venue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub url: Url,
    /// More places that carry the same streams.
    pub legs: Vec<Url>,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKey {
    Text(Secret),
    /// Its one line is the key.
    File(PathBuf),
}

/// What no log and no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// An endpoint that is asked again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The endpoint in full; the poller adds what the format and the symbols need.
    pub url: Url,
    pub ca_file: Option<PathBuf>,
    pub format: Format,
    pub interval: Duration,
    /// Upper case for Binance's formats, else as they were written. Empty: all that the endpoint has.
    pub symbols: Vec<String>,
    /// Sent with each request.
    pub header: Vec<(String, Secret)>,
    /// Of the venue's budget per minute, what we may use: by our own count, or by the venue's if that is higher.
    pub weight_per_minute: Option<u32>,
    pub requests_per_month: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    BinancePrice,
    Binance24hr,
    BinanceDepth,
    CoinGeckoGlobal,
    CoinGeckoMarkets,
    CoinGeckoTrending,
    Json(Pointers),
}

/// Where things stand in a JSON document (RFC 6901). Where the rows are a list, within each item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointers {
    /// Where the list of prices stands, or the one price. Empty: the document is it.
    pub rows: String,
    /// None: the document is about the one symbol of the configuration, or the one in the URL.
    pub symbol: Option<String>,
    pub price: String,
    /// None: the time it was read.
    pub time: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// So many times as fast as it was.
    Times(u32),
    /// As fast as it can be taken.
    Max,
}

/// When a recording begins to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the first stream that somebody wants: they miss nothing.
    OnDemand,
    AtOnce,
}

impl Source {
    pub fn kind(&self) -> Kind {
        match self {
            Source::Binance { .. } => Kind::Binance,
            Source::BinanceUsdm { .. } => Kind::BinanceUsdm,
            Source::Okx { .. } => Kind::Okx,
            Source::Deriv { .. } => Kind::Deriv,
            Source::Bitzoom { .. } => Kind::Bitzoom,
            Source::Stream { .. } => Kind::Stream,
            Source::SocketIo { .. } => Kind::SocketIo,
            Source::Rest(_) => Kind::Rest,
            Source::Sim { .. } => Kind::Sim,
            Source::Replay { .. } => Kind::Replay,
        }
    }

    /// Of the kinds that are connected to by WebSocket.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Source::Binance { server, .. }
            | Source::BinanceUsdm { server, .. }
            | Source::Okx { server, .. }
            | Source::Deriv { server, .. }
            | Source::Bitzoom { server }
            | Source::Stream { server }
            | Source::SocketIo { server, .. } => Some(server),
            Source::Rest(_) | Source::Sim { .. } | Source::Replay { .. } => None,
        }
    }
}

impl Format {
    pub const fn name(&self) -> &'static str {
        match self {
            Format::BinancePrice => "binance-price",
            Format::Binance24hr => "binance-24hr",
            Format::BinanceDepth => "binance-depth",
            Format::CoinGeckoGlobal => "coingecko-global",
            Format::CoinGeckoMarkets => "coingecko-markets",
            Format::CoinGeckoTrending => "coingecko-trending",
            Format::Json(_) => "json",
        }
    }
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Speed::Times(times) => write!(f, "{times}x"),
            Speed::Max => f.write_str("max"),
        }
    }
}
