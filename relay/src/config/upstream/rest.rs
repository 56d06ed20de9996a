//! `kind = "rest"`: an endpoint, how often it is asked, and what it may cost.

use std::path::PathBuf;
use std::time::Duration;

use super::super::given::Value;
use super::super::problem::Reason;
use super::super::section::Section;
use super::super::url::Url;
use super::super::value::{choice, count, count_or_off, duration, parsed, show_duration, text};
use super::source::{Format, Pointers, Rest, Secret};
use crate::limits::REST_HEADERS_MAX;
use crate::venue::adapter::kind::Kind;
use crate::venue::adapter::limits::Limits;
use crate::venue::poll::format::json;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The format without what it is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    BinancePrice,
    Binance24hr,
    BinanceDepth,
    CoinGeckoGlobal,
    CoinGeckoMarkets,
    CoinGeckoTrending,
    Json,
}

const SHAPES: [(&str, Shape); 7] = [
    ("binance-price", Shape::BinancePrice),
    ("binance-24hr", Shape::Binance24hr),
    ("binance-depth", Shape::BinanceDepth),
    ("coingecko-global", Shape::CoinGeckoGlobal),
    ("coingecko-markets", Shape::CoinGeckoMarkets),
    ("coingecko-trending", Shape::CoinGeckoTrending),
    ("json", Shape::Json),
];

const POINTERS: [&str; 4] = ["pointer_rows", "pointer_symbol", "pointer_price", "pointer_time"];

impl Shape {
    fn is_binance(self) -> bool {
        matches!(self, Shape::BinancePrice | Shape::Binance24hr | Shape::BinanceDepth)
    }

    fn is_coingecko(self) -> bool {
        matches!(self, Shape::CoinGeckoGlobal | Shape::CoinGeckoMarkets | Shape::CoinGeckoTrending)
    }

    fn url(self) -> Option<&'static str> {
        match self {
            Shape::BinancePrice => Some("https://api.binance.com/api/v3/ticker/price"),
            Shape::Binance24hr => Some("https://api.binance.com/api/v3/ticker/24hr"),
            Shape::BinanceDepth => Some("https://api.binance.com/api/v3/depth"),
            Shape::CoinGeckoGlobal => Some("https://api.coingecko.com/api/v3/global"),
            Shape::CoinGeckoMarkets => Some("https://api.coingecko.com/api/v3/coins/markets"),
            Shape::CoinGeckoTrending => Some("https://api.coingecko.com/api/v3/search/trending"),
            Shape::Json => None,
        }
    }

    /// CoinGecko keeps its answers for so long anyway, and a free key lasts a month at this rate.
    fn interval(self) -> Duration {
        match self {
            Shape::CoinGeckoGlobal | Shape::CoinGeckoMarkets => 570 * SECOND,
            Shape::CoinGeckoTrending => 3600 * SECOND,
            _ => 10 * SECOND,
        }
    }

    /// Of one round, on Binance.
    fn weight(self, symbols: usize) -> usize {
        match (self, symbols) {
            (Shape::BinancePrice, 1) => 2,
            (Shape::BinancePrice, _) => 4,
            (Shape::Binance24hr, 1..=20) => 2,
            (Shape::Binance24hr, 21..=100) => 40,
            (Shape::Binance24hr, _) => 80,
            // Up to 100 levels, one request for each symbol.
            (Shape::BinanceDepth, symbols) => 5 * symbols,
            _ => 0,
        }
    }

    /// Of one round; some ask for each symbol by itself.
    fn requests(self, symbols: usize, is_of_one: bool) -> usize {
        if self == Shape::BinanceDepth || is_of_one { symbols.max(1) } else { 1 }
    }
}

pub(super) fn read(section: &mut Section<'_>, ca_file: Option<PathBuf>, symbols: &[String]) -> Option<Rest> {
    section.missing("format", r#"what the endpoint says, such as "binance-price" or "json""#);
    let shape = section.value("format", None, |value| choice(&SHAPES)(value).map(Some));
    let default = shape.and_then(Shape::url).and_then(|text| Url::parse_http(text).ok());
    let url = section.value("url", default, |value| parsed(Url::parse_http)(value).map(Some));
    let usual = shape.map_or(10 * SECOND, Shape::interval);
    let interval = section.value("interval", usual, duration(SECOND..=DAY));
    let header = section.value("header", Vec::new(), header);
    let [pointer_rows, pointer_symbol, pointer_price, pointer_time] =
        POINTERS.map(|key| section.value(key, None, |value| parsed(pointer)(value).map(Some)));
    let allowed = Limits::of(Kind::Rest).weight_per_minute.unwrap_or(u32::MAX);
    // A fifth is left for others at our address.
    let weight_per_minute = section.value("weight_per_minute", allowed / 5 * 4, count(1..=allowed));
    let free_key = shape.filter(|shape| shape.is_coingecko()).map(|_| 10_000);
    let requests_per_month = section.value("requests_per_month", free_key, count_or_off(1_000_000_000));

    let shape = shape?;
    if ca_file.is_some() && url.as_ref().is_some_and(|url| !url.tls()) {
        section.conflict("ca_file", &["url"], Reason::conflict("ca_file is only for an https:// url"));
    }
    if !shape.is_binance() && section.has("weight_per_minute") {
        let text = "weight_per_minute is only for the binance formats";
        section.conflict("weight_per_minute", &["format"], Reason::conflict(text));
    }
    if shape == Shape::BinanceDepth && symbols.is_empty() {
        section.missing("symbols", r#"format "binance-depth" asks for one at a time"#);
    }
    let rounds = |per: Duration| per.as_millis().div_ceil(interval.as_millis().max(1)) as usize;
    let weight = shape.weight(symbols.len()).saturating_mul(rounds(60 * SECOND));
    if weight > weight_per_minute as usize {
        let text = format!(
            "{} costs a weight of {weight} in a minute, weight_per_minute is {weight_per_minute}",
            show_duration(interval)
        );
        section.conflict("interval", &["weight_per_minute", "symbols"], Reason::conflict(text));
    }
    let is_of_one = shape == Shape::Json && url.as_ref().is_some_and(|url| json::is_of_one(url.path()));
    let requests = shape.requests(symbols.len(), is_of_one).saturating_mul(rounds(MONTH));
    if let Some(budget) = requests_per_month.filter(|budget| requests > *budget as usize) {
        let text =
            format!("{} makes {requests} requests in 30 days, requests_per_month is {budget}", show_duration(interval));
        section.conflict("interval", &["requests_per_month"], Reason::conflict(text));
    }
    let format = match shape {
        Shape::BinancePrice => Format::BinancePrice,
        Shape::Binance24hr => Format::Binance24hr,
        Shape::BinanceDepth => Format::BinanceDepth,
        Shape::CoinGeckoGlobal => Format::CoinGeckoGlobal,
        Shape::CoinGeckoMarkets => Format::CoinGeckoMarkets,
        Shape::CoinGeckoTrending => Format::CoinGeckoTrending,
        Shape::Json => {
            section.missing("url", r#"format "json" needs one"#);
            section.missing("pointer_price", r#"format "json" needs it, such as "/data/price""#);
            if !section.has("pointer_symbol") && !is_of_one && symbols.len() != 1 {
                let text = "without it the document is about one symbol: the one of symbols, or {symbol} in the url";
                section.missing("pointer_symbol", text);
            }
            let rows = pointer_rows.unwrap_or_default();
            Format::Json(Pointers { rows, symbol: pointer_symbol, price: pointer_price?, time: pointer_time })
        }
    };
    if shape != Shape::Json {
        for key in POINTERS.into_iter().filter(|key| section.has(key)).collect::<Vec<_>>() {
            section.conflict(key, &["format"], Reason::conflict(format!("{key} is only for format \"json\"")));
        }
    }
    let symbols = symbols.iter().map(|symbol| if shape.is_binance() { symbol.to_uppercase() } else { symbol.clone() });
    let weight_per_minute = shape.is_binance().then_some(weight_per_minute);
    let symbols = symbols.collect();
    Some(Rest { url: url?, ca_file, format, interval, symbols, header, weight_per_minute, requests_per_month })
}

/// A table of names and texts.
fn header(value: &Value) -> Result<Vec<(String, Secret)>, Reason> {
    let expected = || Reason::must(r#"a table of headers, such as { "x-cg-demo-api-key" = "…" }"#);
    let Value::Table(entries) = value else { return Err(expected()) };
    if entries.len() > REST_HEADERS_MAX {
        return Err(Reason::must(format!("at most {REST_HEADERS_MAX} headers")));
    }
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let ours = ["host", "connection", "content-length", "transfer-encoding", "upgrade"];
    let mut headers = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = entry.key.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(token) {
            return Err(Reason::must(format!("headers; {name:?} is not the name of one")));
        }
        if ours.contains(&name.as_str()) {
            return Err(Reason::must(format!("headers of your own; {name} is set by the relay")));
        }
        // Not shown: it may be a key.
        let text = text(&entry.value).ok().filter(|text| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let text = text.ok_or_else(|| Reason::must(format!("headers; {name} needs a text of printable ASCII")))?;
        headers.push((name, Secret::new(text)));
    }
    Ok(headers)
}

/// RFC 6901: empty, or parts that each begin with a slash, `~0` and `~1` for `~` and `/`.
fn pointer(text: &str) -> Result<String, Reason> {
    let sound = |part: &str| part.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    match text {
        "" => Ok(String::new()),
        text if text.starts_with('/') && text.split('/').all(sound) => Ok(text.to_owned()),
        _ => Err(Reason::must(r#"a JSON pointer (RFC 6901), such as "/data/price""#)),
    }
}
