//! The kinds of sources there are.

/// What is spoken at the other end, as `kind` in the configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Binance's spot market.
    Binance,
    /// Binance's USD-M futures.
    BinanceUsdm,
    Okx,
    Deriv,
    Bitzoom,
    /// A feed that speaks the stream dialect and has everything: another relay, for one.
    Stream,
    SocketIo,
    /// Polled over HTTP.
    Rest,
    /// The built-in venue.
    Sim,
    /// A recording.
    Replay,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Kind::Binance,
        Kind::BinanceUsdm,
        Kind::Okx,
        Kind::Deriv,
        Kind::Bitzoom,
        Kind::Stream,
        Kind::SocketIo,
        Kind::Rest,
        Kind::Sim,
        Kind::Replay,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Kind::Binance => "binance",
            Kind::BinanceUsdm => "binance-usdm",
            Kind::Okx => "okx",
            Kind::Deriv => "deriv",
            Kind::Bitzoom => "bitzoom",
            Kind::Stream => "stream",
            Kind::SocketIo => "socketio",
            Kind::Rest => "rest",
            Kind::Sim => "sim",
            Kind::Replay => "replay",
        }
    }
}
