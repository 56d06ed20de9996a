//! What the venues say: one dialect each, without sockets or clocks.
//!
//! A [`Session`] is one connection's side of the conversation. What it is pushed is encoded once per stream (`encode`)
//! and wrapped for each connection (`Session::wrap`).

pub mod binance_rest;
pub mod payload;
pub mod stream;

use crate::mock::market::{Instrument, Interval, Market};
use crate::mock::rules::{Limit, Rules};
use stream::{Flavor, StreamSession};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Binance,
    BinanceUsdm,
    Bitzoom,
    Stream,
}

/// What a stream is about; symbols by their index in the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Trade(usize),
    Aggregate(usize),
    Kline(usize, Interval),
    MiniTicker(usize),
    Ticker(usize),
    BookTicker(usize),
    /// What changed, at this rate.
    Diff(usize, u64),
    /// The best levels, at this rate.
    Levels(usize, usize, u64),
    MarkPrice(usize, u64),
    AveragePrice(usize),
    MiniTickers,
    Tickers,
    MarkPrices(u64),
}

/// One message of a stream, before it is wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The venue's numbers in it.
    pub from: u64,
    pub to: u64,
    pub body: String,
}

/// What a session wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    Say(String),
    /// Subscribed; without a source it stays silent for ever, as on the real venue.
    Join(String, Option<Source>),
    Leave(String),
    Violation(&'static str, String),
    Close(u16, &'static str),
}

pub trait Session {
    /// The connection stands.
    fn opened(&mut self, _market: &Market, _out: &mut Vec<Out>) {}

    fn text(&mut self, text: &str, now_ms: u64, market: &Market, out: &mut Vec<Out>);

    /// A message as this connection gets it.
    fn wrap(&self, stream: &str, message: &Message) -> String;

    /// Every step: heartbeats of the dialect's own.
    fn tick(&mut self, _now_ms: u64, _out: &mut Vec<Out>) {}

    /// How the venue says that it will end the connection.
    fn notice(&self, _now_ms: u64) -> Option<String> {
        None
    }
}

/// An upgrade that is not granted.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub body: String,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::BinanceUsdm => "binance-usdm",
            Self::Bitzoom => "bitzoom",
            Self::Stream => "stream",
        }
    }

    /// What a relay is given behind the address.
    pub fn path(self) -> &'static str {
        match self {
            Self::Binance | Self::BinanceUsdm => "",
            Self::Bitzoom => "/ws",
            Self::Stream => "/stream",
        }
    }

    /// What it trades unless told otherwise; none for the usual pairs.
    pub fn symbols(self) -> Option<&'static [&'static str]> {
        None
    }

    pub fn rules(self) -> Rules {
        let per_second = |count| Some(Limit { count, window_ms: 1000 });
        let minutes = |count: u64| count * 60_000;
        let binance = Rules {
            messages: per_second(5),
            connects: Some(Limit { count: 300, window_ms: minutes(5) }),
            streams_per_connection: Some(1024),
            ping_every_ms: Some(20_000),
            pong_within_ms: minutes(1),
            life_ms: Some(minutes(24 * 60)),
            ..Rules::default()
        };
        match self {
            Self::Binance => binance,
            Self::BinanceUsdm => Rules {
                messages: per_second(10),
                ping_every_ms: Some(minutes(3)),
                pong_within_ms: minutes(10),
                ..binance
            },
            Self::Bitzoom => Rules {
                messages: per_second(10),
                connections: Some(5),
                streams_per_connection: Some(200),
                ping_every_ms: Some(minutes(3)),
                pong_within_ms: minutes(10),
                life_ms: Some(minutes(24 * 60)),
                ..Rules::default()
            },
            Self::Stream => Rules { ping_every_ms: Some(minutes(3)), pong_within_ms: minutes(10), ..Rules::default() },
        }
    }

    pub fn instruments(self, names: &[String]) -> Vec<Instrument> {
        names.iter().map(|name| Instrument::pair(name)).collect()
    }

    /// How often books change. Where a snapshot must be the state of the last message, no oftener than messages go out.
    pub fn book_every_ms(self) -> u64 {
        50
    }

    /// A connection to this target begins.
    pub fn open(self, target: &str, rules: &Rules) -> Result<Box<dyn Session>, Refusal> {
        let flavor = match self {
            Self::Binance => Flavor::Spot,
            Self::BinanceUsdm => Flavor::Usdm(stream::Lane::Public),
            Self::Bitzoom => Flavor::Bitzoom,
            Self::Stream => Flavor::Stream,
        };
        Ok(Box::new(StreamSession::open(flavor, target, rules)?))
    }

    /// What a stream says with this step.
    pub fn encode(self, source: &Source, market: &Market) -> Vec<Message> {
        let style = match self {
            Self::Binance => payload::Style::Spot,
            Self::BinanceUsdm => payload::Style::Usdm,
            Self::Bitzoom | Self::Stream => payload::Style::Bitzoom,
        };
        payload::encode(style, source, market)
    }
}
