//! What a source answers, and which streams that makes.
//!
//! A *subject* is what one part of an answer is about: a symbol, a document, a book of some depth. Several streams may
//! be made of one (`btcusdt@ticker` and `btcusdt@miniTicker`), and one request may ask for several.

pub mod binance;
pub mod coingecko;
pub mod json;

use std::borrow::Cow;

use self::binance::Market;
use self::coingecko::Document;
use self::json::Json;
use crate::venue::price::{self, Shape};
use crate::wire::json as text;

/// A kind of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// `ticker/24hr`: `<symbol>@ticker` and `<symbol>@miniTicker`.
    Ticker(Market),
    /// `ticker/price`: `<symbol>@tick` and `<symbol>@trade`.
    Price(Market),
    /// `depth`: `<symbol>@depth5`, `@depth10`, `@depth20`, and `@snapshot` with so many levels.
    Book { market: Market, snapshot_levels: u32 },
    /// `coingecko@global`, `coingecko@top`, `coingecko@trending`, each as it came.
    Coingecko,
    /// Any JSON that has prices: `<symbol>@tick` and `<symbol>@trade`.
    Json(Json),
}

/// What an answer says of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// A row of `ticker/24hr`.
    Ticker(&'a str),
    Price {
        price: Cow<'a, str>,
        time_ms: Option<u64>,
    },
    /// The whole text.
    Whole(&'a str),
}

/// The answer as a whole is not what the source should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has another shape than its format")]
pub struct Unreadable;

/// A price that was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    price: Box<str>,
    time_ms: Option<u64>,
}

impl Format {
    /// The subject a stream is made of; none if this source does not have it.
    pub fn subject(&self, stream: &str) -> Option<Box<str>> {
        let (symbol, kind) = stream.split_once('@')?;
        if symbol.is_empty() {
            return None;
        }
        match self {
            Format::Ticker(_) => matches!(kind, "ticker" | "miniTicker").then(|| symbol.into()),
            Format::Price(_) => Shape::parse(kind).map(|_| price::bare(symbol).into()),
            Format::Book { snapshot_levels, .. } => binance::book(symbol, kind, *snapshot_levels),
            Format::Coingecko => (symbol == coingecko::SYMBOL).then(|| Document::parse(kind))?.map(|_| kind.into()),
            Format::Json(json) => Shape::parse(kind).and_then(|_| json.subject(symbol)),
        }
    }

    /// The path of the API that the others come after, if the url has none.
    pub fn default_path(&self) -> &'static str {
        match self {
            Format::Ticker(Market::Usdm) | Format::Price(Market::Usdm) | Format::Book { market: Market::Usdm, .. } => {
                "/fapi/v1"
            }
            Format::Ticker(_) | Format::Price(_) | Format::Book { .. } | Format::Coingecko => "/api/v3",
            Format::Json(_) => "",
        }
    }

    /// Subjects that one request may ask for.
    pub fn batch_max(&self) -> usize {
        match self {
            Format::Ticker(market) => market.tickers_max(),
            Format::Price(market) => market.prices_max(),
            Format::Book { .. } | Format::Coingecko => 1,
            Format::Json(json) => json.batch_max(),
        }
    }

    /// Whether every answer has all there is, whoever was asked for.
    pub fn is_shared(&self) -> bool {
        matches!(self, Format::Json(json) if json.is_shared())
    }

    /// Path and query of a request; `base` is what stands in the url.
    pub fn path(&self, base: &str, subjects: &[Box<str>]) -> String {
        match self {
            Format::Ticker(_) => binance::symbols_path(base, "ticker/24hr", subjects),
            Format::Price(_) => binance::symbols_path(base, "ticker/price", subjects),
            Format::Book { .. } => binance::book_path(base, subjects),
            Format::Coingecko => coingecko::path(base, subjects),
            Format::Json(json) => json.path(subjects),
        }
    }

    /// What a request costs of a venue's weight.
    pub fn weight(&self, subjects: &[Box<str>]) -> u32 {
        match self {
            Format::Ticker(market) => market.ticker_weight(subjects.len()),
            Format::Price(market) => market.price_weight(subjects.len()),
            Format::Book { market, .. } => subjects.iter().map(|book| market.book_weight(binance::levels(book))).sum(),
            Format::Coingecko | Format::Json(_) => 1,
        }
    }

    /// How often a subject is asked for, where most are every `interval_ms`.
    pub fn interval_ms(&self, subject: &str, interval_ms: u64) -> u64 {
        match self {
            Format::Coingecko => interval_ms * coingecko::rarity(subject),
            _ => interval_ms,
        }
    }

    /// Takes a text apart that is known to be JSON. Returns how many parts had to be left out.
    pub fn read<'a>(
        &self,
        body: &'a str,
        subjects: &[Box<str>],
        each: &mut dyn FnMut(&str, Said<'a>),
    ) -> Result<u64, Unreadable> {
        match self {
            Format::Ticker(_) => binance::rows(body, |symbol, row| {
                each(symbol, Said::Ticker(row));
                Some(())
            }),
            Format::Price(_) => binance::rows(body, |symbol, row| {
                each(symbol, Said::Price { price: binance::price(row)?, time_ms: None });
                Some(())
            }),
            Format::Book { .. } => {
                let [subject] = subjects else { return Err(Unreadable) };
                binance::check_book(body)?;
                each(subject, Said::Whole(body));
                Ok(0)
            }
            Format::Coingecko => {
                let [subject] = subjects else { return Err(Unreadable) };
                coingecko::check(subject, body)?;
                each(subject, Said::Whole(body));
                Ok(0)
            }
            Format::Json(json) => json.read(body, subjects, each),
        }
    }
}

/// The message of a stream; none if what was said lacks something. A trade that was said before is said no more:
/// `spoken` remembers.
pub fn write(
    stream: &str,
    said: &Said<'_>,
    calendar_ms: u64,
    spoken: &mut Option<Spoken>,
) -> Result<Option<Vec<u8>>, Unreadable> {
    let (symbol, kind) = stream.split_once('@').ok_or(Unreadable)?;
    let mut out = Vec::new();
    match said {
        Said::Whole(text) => out.extend_from_slice(text.trim_ascii().as_bytes()),
        Said::Ticker(row) => binance::write_ticker(row, kind == "miniTicker", &mut out).ok_or(Unreadable)?,
        Said::Price { price, time_ms } => {
            let shape = Shape::parse(kind).ok_or(Unreadable)?;
            let now = Spoken { price: (&**price).into(), time_ms: *time_ms };
            if shape == Shape::Trade && spoken.as_ref() == Some(&now) {
                return Ok(None);
            }
            *spoken = Some(now);
            shape.write(symbol, price, time_ms.unwrap_or(calendar_ms), &mut out);
        }
    }
    debug_assert!(text::validate(&out).is_ok(), "what is published is JSON");
    Ok(Some(out))
}
