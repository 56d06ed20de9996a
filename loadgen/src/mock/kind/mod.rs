//! What the venues say: one dialect each, without sockets or clocks.
//!
//! A [`Session`] is one connection's side of the conversation. What it is pushed is encoded once per stream (`encode`)
//! and wrapped for each connection (`Session::wrap`).

pub mod binance_rest;
pub mod coins;
mod deriv;
mod okx;
pub mod payload;
mod socketio;
pub mod stream;

use crate::mock::market::{Instrument, Interval, Market};
use crate::mock::rules::{Idle, Limit, Rules};
use stream::{Flavor, StreamSession};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Binance,
    BinanceUsdm,
    Bitzoom,
    Stream,
    Okx,
    Rest,
    Deriv,
    SocketIo,
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
    FundingRate(usize),
    /// Deriv's.
    Tick(usize),
    /// Socket.IO's: of one currency, or of all (fiat or not).
    Rate(usize),
    Rates(bool),
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
            Self::Okx => "okx",
            Self::Rest => "rest",
            Self::Deriv => "deriv",
            Self::SocketIo => "socketio",
        }
    }

    /// What a relay is given behind the address.
    pub fn path(self) -> &'static str {
        match self {
            Self::Binance | Self::BinanceUsdm => "",
            Self::Bitzoom => "/ws",
            Self::Stream => "/stream",
            Self::Okx | Self::Rest | Self::Deriv | Self::SocketIo => "",
        }
    }

    /// What it trades unless told otherwise; none for the usual pairs.
    pub fn symbols(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Deriv => Some(&deriv::SYMBOLS),
            Self::SocketIo => Some(&socketio::SYMBOLS),
            _ => None,
        }
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
            Self::Okx => Rules {
                connects: Some(Limit { count: 3, window_ms: 1000 }),
                requests: Some(Limit { count: 480, window_ms: minutes(60) }),
                idle: Some(Idle { after_ms: 30_000, code: 4004, reason: "No data received in 30s" }),
                ..Rules::default()
            },
            Self::Deriv => {
                Rules { idle: Some(Idle { after_ms: minutes(3), code: 1000, reason: "" }), ..Rules::default() }
            }
            Self::Rest | Self::SocketIo => Rules::default(),
            Self::Stream => Rules { ping_every_ms: Some(minutes(3)), pong_within_ms: minutes(10), ..Rules::default() },
        }
    }

    pub fn instruments(self, names: &[String]) -> Vec<Instrument> {
        let instrument = |name: &String| match self {
            Self::Deriv => deriv::instrument(name),
            Self::SocketIo => socketio::instrument(name),
            Self::Okx => Instrument::pair(&okx::instrument_id(name)),
            _ => Instrument::pair(&name.to_lowercase()),
        };
        names.iter().map(instrument).collect()
    }

    /// How often books change. Where a snapshot must be the state of the last message, no oftener than messages go out.
    pub fn book_every_ms(self) -> u64 {
        if self == Self::Okx { 100 } else { 50 }
    }

    /// A connection to this target begins.
    pub fn open(self, target: &str, rules: &Rules) -> Result<Box<dyn Session>, Refusal> {
        let flavor = match self {
            Self::Binance => Flavor::Spot,
            Self::BinanceUsdm => Flavor::Usdm(stream::Lane::Public),
            Self::Bitzoom => Flavor::Bitzoom,
            Self::Stream => Flavor::Stream,
            Self::Okx => return Ok(Box::new(okx::OkxSession::open(target, rules)?)),
            Self::Deriv => return Ok(Box::new(deriv::DerivSession::open(target)?)),
            Self::SocketIo => return Ok(Box::new(socketio::SocketIoSession::open(target)?)),
            Self::Rest => return Err(Refusal { status: 404, body: "{}".to_owned() }),
        };
        Ok(Box::new(StreamSession::open(flavor, target, rules)?))
    }

    /// What a stream says with this step.
    pub fn encode(self, source: &Source, market: &Market) -> Vec<Message> {
        let style = match self {
            Self::Binance => payload::Style::Spot,
            Self::BinanceUsdm => payload::Style::Usdm,
            Self::Bitzoom | Self::Stream => payload::Style::Bitzoom,
            Self::Okx => return okx::encode(source, market),
            Self::Deriv => return deriv::encode(source, market),
            Self::SocketIo => return socketio::encode(source, market),
            Self::Rest => return Vec::new(),
        };
        payload::encode(style, source, market)
    }
}
