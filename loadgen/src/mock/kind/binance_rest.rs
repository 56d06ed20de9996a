//! Binance's REST: books, tickers and prices, with the weight of every call.

use super::payload::{self, Style};
use super::stream::percent_decoded;
use crate::mock::http::Reply;
use crate::mock::market::number::{fixed, signed};
use crate::mock::market::{Market, Symbol};
use crate::mock::truth::SharedTruth;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;

const MINUTE_MS: u64 = 60_000;
/// Calls beyond the limit within one minute that are still answered 429; then the address is banned.
const WARNINGS: u64 = 10;
/// Remembered; beyond that, those that are not banned are forgotten.
const ADDRESSES_MAX: usize = 10_000;
const BAN_MS: u64 = 2 * MINUTE_MS;

#[derive(Default)]
struct Used {
    minute: u64,
    weight: u64,
    refused: u64,
    banned_until_ms: u64,
}

pub struct BinanceRest {
    style: Style,
    weight_max: u64,
    used: HashMap<IpAddr, Used>,
    truth: SharedTruth,
}

impl BinanceRest {
    pub fn new(style: Style, truth: SharedTruth) -> Self {
        let weight_max = if style == Style::Usdm { 2400 } else { 6000 };
        Self { style, weight_max, used: HashMap::new(), truth }
    }

    pub fn answer(&mut self, target: &str, peer: IpAddr, now_ms: u64, market: &Market) -> Reply {
        if self.used.len() >= ADDRESSES_MAX {
            self.used.retain(|_, used| now_ms < used.banned_until_ms);
        }
        let used = self.used.entry(peer).or_default();
        if now_ms < used.banned_until_ms {
            self.truth.borrow_mut().violation("rest-while-banned", now_ms, None, target);
            let until = used.banned_until_ms;
            return limited(
                418,
                (until - now_ms).div_ceil(1000),
                &format!("Way too much request weight used; IP banned until {until}."),
            );
        }
        if used.minute != now_ms / MINUTE_MS {
            (used.minute, used.weight, used.refused) = (now_ms / MINUTE_MS, 0, 0);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let base = if self.style == Style::Usdm { "/fapi/v1/" } else { "/api/v3/" };
        let Some(endpoint) = path.strip_prefix(base) else {
            return Reply::json(404, r#"{"code":-5000,"msg":"Path, Method is invalid"}"#);
        };
        let query = Query::parse(query);
        let weight = self.weight(endpoint, &query);
        let used = self.used.entry(peer).or_default();
        used.weight += weight;
        let total = used.weight;
        if total > self.weight_max {
            used.refused += 1;
            self.truth.borrow_mut().violation("rest-weight", now_ms, None, &format!("{total} by {target}"));
            if used.refused > WARNINGS {
                used.banned_until_ms = now_ms + BAN_MS;
            }
            let rest_s = (MINUTE_MS - now_ms % MINUTE_MS).div_ceil(1000);
            let message = format!(
                "Too much request weight used; current limit is {} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
                self.weight_max
            );
            return limited(429, rest_s, &message).with("x-mbx-used-weight-1m", total);
        }
        let reply = match self.body(endpoint, &query, market, now_ms) {
            Ok(body) => Reply::json(200, &body),
            Err((code, message)) => Reply::json(400, &json!({"code": code, "msg": message}).to_string()),
        };
        reply.with("x-mbx-used-weight-1m", total)
    }

    fn weight(&self, endpoint: &str, query: &Query) -> u64 {
        let named = query.symbols.as_ref().map_or(usize::from(query.symbol.is_some()), Vec::len);
        let limit = query.limit.unwrap_or(if self.style == Style::Usdm { 500 } else { 100 });
        match (endpoint, self.style) {
            ("depth", Style::Usdm) => match limit {
                0..=50 => 2,
                51..=100 => 5,
                101..=500 => 10,
                _ => 20,
            },
            ("depth", _) => match limit {
                0..=100 => 5,
                101..=500 => 25,
                501..=1000 => 50,
                _ => 250,
            },
            ("ticker/24hr", Style::Usdm) => {
                if named > 0 {
                    1
                } else {
                    40
                }
            }
            ("ticker/24hr", _) => match named {
                0 => 80,
                1..=20 => 2,
                21..=100 => 40,
                _ => 80,
            },
            ("premiumIndex", _) => {
                if named > 0 {
                    1
                } else {
                    10
                }
            }
            ("ticker/price" | "ticker/bookTicker", _) => {
                if query.symbol.is_some() {
                    2
                } else {
                    4
                }
            }
            _ => 1,
        }
    }

    fn body(&self, endpoint: &str, query: &Query, market: &Market, now: u64) -> Result<String, (i64, &'static str)> {
        match endpoint {
            "ping" => return Ok("{}".to_owned()),
            "time" => return Ok(json!({ "serverTime": now }).to_string()),
            "depth" => return self.depth(query, market, now),
            _ => {}
        }
        let row: fn(Style, &Symbol, u64) -> Value = match endpoint {
            "ticker/price" => price,
            "ticker/24hr" => day,
            "ticker/bookTicker" => best,
            "premiumIndex" if self.style == Style::Usdm => premium,
            _ => return Err((-1000, "An unknown error occurred while processing the request.")),
        };
        let find = |name: &String| market.index_of(&name.to_lowercase()).filter(|_| *name == name.to_uppercase());
        match (&query.symbol, &query.symbols) {
            (Some(_), Some(_)) => Err((-1128, "Combination of optional parameters invalid.")),
            (Some(name), None) => {
                let symbol = find(name).ok_or((-1121, "Invalid symbol."))?;
                Ok(row(self.style, market.symbol(symbol), now).to_string())
            }
            (None, Some(names)) => {
                let rows: Option<Vec<Value>> =
                    names.iter().map(|name| Some(row(self.style, market.symbol(find(name)?), now))).collect();
                Ok(Value::Array(rows.ok_or((-1121, "Invalid symbol."))?).to_string())
            }
            (None, None) => {
                let rows = market.symbols().iter().map(|symbol| row(self.style, symbol, now)).collect();
                Ok(Value::Array(rows).to_string())
            }
        }
    }

    fn depth(&self, query: &Query, market: &Market, now: u64) -> Result<String, (i64, &'static str)> {
        let usdm = self.style == Style::Usdm;
        let limit = query.limit.unwrap_or(if usdm { 500 } else { 100 });
        if usdm && ![5, 10, 20, 50, 100, 500, 1000].contains(&limit) {
            return Err((-4021, "Depth limit is not valid."));
        }
        let name = query
            .symbol
            .as_ref()
            .ok_or((-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."))?;
        let symbol = market.index_of(&name.to_lowercase()).ok_or((-1121, "Invalid symbol."))?;
        let symbol = market.symbol(symbol);
        let id = self.style.book_id(symbol.book.last_id());
        let count = limit.min(5000);
        let bids = payload::levels(self.style, symbol, &payload::best(symbol.book.bids(), count));
        let asks = payload::levels(self.style, symbol, &payload::best(symbol.book.asks(), count));
        let times = if usdm { format!(r#","E":{now},"T":{now}"#) } else { String::new() };
        Ok(format!(r#"{{"lastUpdateId":{id}{times},"bids":{bids},"asks":{asks}}}"#))
    }
}

fn limited(status: u16, retry_after_s: u64, message: &str) -> Reply {
    Reply::json(status, &json!({"code": -1003, "msg": message}).to_string()).with("retry-after", retry_after_s)
}

fn digits(style: Style, symbol: &Symbol) -> usize {
    if style == Style::Usdm { symbol.digits } else { 8 }
}

fn price(style: Style, symbol: &Symbol, now: u64) -> Value {
    let price = fixed(symbol.day.close.into(), digits(style, symbol));
    match style {
        Style::Usdm => json!({"symbol": symbol.upper, "price": price, "time": now}),
        _ => json!({"symbol": symbol.upper, "price": price}),
    }
}

fn best(style: Style, symbol: &Symbol, _now: u64) -> Value {
    let (bid, ask) = (symbol.book.best_bid(), symbol.book.best_ask());
    let text = |value: u64| fixed(value.into(), digits(style, symbol));
    json!({"symbol": symbol.upper, "bidPrice": text(bid.0), "bidQty": text(bid.1), "askPrice": text(ask.0), "askQty": text(ask.1)})
}

fn day(style: Style, symbol: &Symbol, now: u64) -> Value {
    let (day, (bid, ask)) = (&symbol.day, (symbol.book.best_bid(), symbol.book.best_ask()));
    let text = |value: u64| fixed(value.into(), digits(style, symbol));
    let wide = |value: u128| fixed(value, digits(style, symbol));
    let mut row = json!({
        "symbol": symbol.upper,
        "priceChange": signed(day.change(), digits(style, symbol)),
        "priceChangePercent": signed(day.change_percent(), 3),
        "weightedAvgPrice": wide(day.weighted_average()),
        "lastPrice": text(day.close),
        "lastQty": text(day.last_quantity),
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "volume": wide(day.volume),
        "quoteVolume": wide(day.quote),
        "openTime": day.open_ms,
        "closeTime": now,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.count,
    });
    if style != Style::Usdm {
        row["prevClosePrice"] = text(day.open).into();
        row["bidPrice"] = text(bid.0).into();
        row["bidQty"] = text(bid.1).into();
        row["askPrice"] = text(ask.0).into();
        row["askQty"] = text(ask.1).into();
    }
    row
}

fn premium(_style: Style, symbol: &Symbol, now: u64) -> Value {
    let middle = symbol.book.best_bid().0.midpoint(symbol.book.best_ask().0);
    let mark = fixed(middle.into(), 8);
    json!({"symbol": symbol.upper, "markPrice": mark, "indexPrice": mark, "estimatedSettlePrice": mark,
        "lastFundingRate": "0.00010000", "interestRate": "0.00010000", "nextFundingTime": (now / 28_800_000 + 1) * 28_800_000, "time": now})
}

#[derive(Default)]
struct Query {
    symbol: Option<String>,
    symbols: Option<Vec<String>>,
    limit: Option<usize>,
}

impl Query {
    fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for (key, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = percent_decoded(value);
            match key {
                "symbol" => query.symbol = Some(value),
                // Not a list is a list of nothing known: an invalid symbol, as the venue says.
                "symbols" => query.symbols = Some(serde_json::from_str(&value).unwrap_or_else(|_| vec![value])),
                "limit" => query.limit = value.parse().ok(),
                _ => {}
            }
        }
        query
    }
}
