//! A venue's message, decoded once for all products that want it. Numbers are the venue's own text.

/// What one message says. The borrowed text lives as long as the message.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // One at a time, lent and never stored.
pub enum Event<'a> {
    Trade(Trade<'a>),
    Ticker(Ticker<'a>),
    Top(Top<'a>),
    Book(Book<'a>),
    Tick(Tick<'a>),
    /// A whole document, such as the body of a REST answer.
    Document(&'a str),
}

/// One trade (`@trade`, `@aggTrade`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade<'a> {
    pub price: &'a str,
    pub quantity: &'a str,
    pub time_ms: u64,
}

/// A rolling day (`@ticker`; `@miniTicker` leaves much of it empty).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ticker<'a> {
    /// In upper case, as the venue writes it.
    pub symbol: &'a str,
    pub time_ms: u64,
    pub last: &'a str,
    pub open: &'a str,
    pub high: &'a str,
    pub low: &'a str,
    pub volume: &'a str,
    pub quote_volume: &'a str,
    pub change: Option<&'a str>,
    pub change_percent: Option<&'a str>,
    pub weighted_average: Option<&'a str>,
    pub previous_close: Option<&'a str>,
    pub last_quantity: Option<&'a str>,
    pub bid: Option<&'a str>,
    pub bid_quantity: Option<&'a str>,
    pub ask: Option<&'a str>,
    pub ask_quantity: Option<&'a str>,
    /// Integers, as text.
    pub open_time: Option<&'a str>,
    pub close_time: Option<&'a str>,
    pub first_trade: Option<&'a str>,
    pub last_trade: Option<&'a str>,
    pub trades: Option<&'a str>,
}

/// The best bid and ask (`@bookTicker`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Top<'a> {
    pub bid: &'a str,
    pub bid_quantity: &'a str,
    pub ask: &'a str,
    pub ask_quantity: &'a str,
    /// Zero if the venue does not say.
    pub time_ms: u64,
}

/// The best levels (`@depth5`, `@depth10`, `@depth20`), whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Book<'a> {
    /// As the venue writes it; as the stream's name has it (in lower case) if the venue does not say.
    pub symbol: &'a str,
    /// An integer, as text.
    pub last_update: &'a str,
    /// JSON arrays of `["price","quantity"]`, best first.
    pub bids: &'a str,
    pub asks: &'a str,
    /// Zero if the venue does not say.
    pub time_ms: u64,
}

/// A quote of an index, a currency pair or a coin (`@tick`), at most one a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick<'a> {
    pub symbol: &'a str,
    pub quote: &'a str,
    pub bid: &'a str,
    pub ask: &'a str,
    pub time_ms: u64,
    /// Digits after the point.
    pub pip_size: u32,
}
