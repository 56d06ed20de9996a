//! The stream dialect's requests, as Binance and Bitzoom answer them.

use super::{Message, Out, Refusal, Session, Source};
use crate::mock::market::{Interval, Market};
use crate::mock::rules::Rules;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Spot,
    Usdm(Lane),
    Bitzoom,
    /// Bitzoom without its limits.
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Public,
    Market,
}

pub struct StreamSession {
    flavor: Flavor,
    combined: bool,
    microseconds: bool,
    names: Vec<String>,
    names_max: usize,
    /// Of the URL, subscribed once the connection stands.
    wanted: Vec<String>,
}

const METHODS: &str = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`";

impl StreamSession {
    pub fn open(flavor: Flavor, target: &str, rules: &Rules) -> Result<Self, Refusal> {
        let not_found = || Refusal { status: 404, body: "{}".to_owned() };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (flavor, path) = match flavor {
            // Without a route it is as /public.
            Flavor::Usdm(_) => match path.strip_prefix("/market") {
                Some(rest) => (Flavor::Usdm(Lane::Market), rest),
                None => (Flavor::Usdm(Lane::Public), path.strip_prefix("/public").unwrap_or(path)),
            },
            other => (other, path),
        };
        let parameter = |name: &str| {
            query.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name).map(|pair| pair.1)
        };
        let (names, combined) = match path.strip_prefix("/ws") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => (rest.to_owned(), false),
            _ if path == "/stream" => (parameter("streams").unwrap_or("").to_owned(), true),
            _ => return Err(not_found()),
        };
        let microseconds = match parameter("timeUnit") {
            Some("MICROSECOND" | "microsecond") if flavor == Flavor::Spot => true,
            Some("MILLISECOND" | "millisecond") | None => false,
            Some(_) => {
                let body = r#"{"code":-1194,"msg":"Invalid value for time unit; expected either MICROSECOND or MILLISECOND."}"#;
                return Err(Refusal { status: 400, body: body.to_owned() });
            }
        };
        let wanted = names.split('/').map(percent_decoded).filter(|name| !name.is_empty()).collect();
        let names_max = rules.streams_per_connection.unwrap_or(usize::MAX);
        Ok(Self { flavor, combined, microseconds, names: Vec::new(), names_max, wanted })
    }

    /// Adds names all together or not at all; false if there would be too many.
    fn subscribe(&mut self, names: &[String], market: &Market, out: &mut Vec<Out>) -> bool {
        let mut new: Vec<String> = Vec::new();
        for name in names {
            let name = self.canonical(name);
            if !self.names.contains(&name) && !new.contains(&name) {
                new.push(name);
            }
        }
        if self.names.len() + new.len() > self.names_max {
            let detail = format!("{} streams, the limit is {}", self.names.len() + new.len(), self.names_max);
            out.push(Out::Violation("streams", detail));
            return false;
        }
        for name in new {
            let source = parse(self.flavor, &name, market);
            if source.is_none()
                && let Flavor::Usdm(lane) = self.flavor
                && parse(Flavor::Usdm(lane.other()), &name, market).is_some()
            {
                out.push(Out::Violation("wrong-lane", name.clone()));
            }
            out.push(Out::Join(name.clone(), source));
            self.names.push(name);
        }
        true
    }

    /// Bitzoom takes symbols in any case; on Binance an upper-case name is another, dead one.
    fn canonical(&self, name: &str) -> String {
        match (self.flavor, name.split_once('@')) {
            (Flavor::Bitzoom | Flavor::Stream, Some((symbol, rest))) if !symbol.starts_with('!') => {
                format!("{}@{rest}", symbol.to_lowercase())
            }
            _ => name.to_owned(),
        }
    }

    fn is_acceptable(&self, name: &str) -> bool {
        let shaped = !name.is_empty() && !name.contains(char::is_whitespace) && name.contains('@');
        match self.flavor {
            Flavor::Bitzoom => shaped && is_known_type(name),
            _ => shaped,
        }
    }

    fn request(&mut self, request: &Value, text: &str, market: &Market, out: &mut Vec<Out>) -> Value {
        let id = request.get("id").cloned();
        let error = |code: i64, msg: &str| match &id {
            Some(id) if is_id(id) => json!({"error": {"code": code, "msg": msg}, "id": id}),
            _ => json!({"error": {"code": code, "msg": msg}}),
        };
        let Some(method) = request.get("method").and_then(Value::as_str) else {
            let message = format!("Invalid request: missing field `method` at line 1 column {}", text.len());
            return error(2, &message);
        };
        if !id.as_ref().is_some_and(is_id) {
            return error(2, "Invalid request: request ID must be an unsigned integer");
        }
        let granted = |result: Value| json!({"result": result, "id": id});
        let params = request.get("params").and_then(Value::as_array).cloned().unwrap_or_default();
        match method {
            "SUBSCRIBE" | "UNSUBSCRIBE" => {
                let names: Option<Vec<String>> = params
                    .iter()
                    .map(|name| name.as_str().filter(|name| self.is_acceptable(name)).map(str::to_owned))
                    .collect();
                let Some(names) = names.filter(|names| !names.is_empty()) else {
                    return error(2, "Invalid request: invalid stream");
                };
                if method == "UNSUBSCRIBE" {
                    for name in names {
                        let name = self.canonical(&name);
                        self.names.retain(|known| *known != name);
                        out.push(Out::Leave(name));
                    }
                    return granted(Value::Null);
                }
                if self.subscribe(&names, market, out) {
                    return granted(Value::Null);
                }
                error(4, "Too many subscriptions")
            }
            "LIST_SUBSCRIPTIONS" if params.is_empty() => granted(json!(self.names)),
            "SET_PROPERTY" | "GET_PROPERTY" => match (params.first().map(Value::as_str), method, params.len()) {
                (Some(Some("combined")), "GET_PROPERTY", 1) => granted(json!(self.combined)),
                (Some(Some("combined")), "SET_PROPERTY", 2) => match params[1].as_bool() {
                    Some(combined) => {
                        self.combined = combined;
                        granted(Value::Null)
                    }
                    None => error(1, "Invalid value type: expected Boolean"),
                },
                (Some(Some("combined")), _, _) => error(2, "Invalid request: too many parameters"),
                (Some(Some(_)), _, _) => error(0, "Unknown property"),
                _ => error(2, "Invalid request: property name must be a string"),
            },
            "LIST_SUBSCRIPTIONS" => error(2, "Invalid request: too many parameters"),
            other => {
                let column = text.find(&format!("\"{other}\"")).map_or(text.len(), |at| at + other.len() + 2);
                let message = format!(
                    "Invalid request: unknown variant `{other}`, expected one of {METHODS} at line 1 column {column}"
                );
                error(2, &message)
            }
        }
    }
}

impl Session for StreamSession {
    fn opened(&mut self, market: &Market, out: &mut Vec<Out>) {
        let wanted = std::mem::take(&mut self.wanted);
        if !self.subscribe(&wanted, market, out) {
            out.push(Out::Close(1008, "Invalid request"));
        }
    }

    fn text(&mut self, text: &str, _now_ms: u64, market: &Market, out: &mut Vec<Out>) {
        let reply = match serde_json::from_str::<Value>(text) {
            Ok(request) => self.request(&request, text, market, out),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let message = format!("Invalid JSON: expected value at line {line} column {column}");
                json!({"error": {"code": 3, "msg": message}})
            }
        };
        let too_many = reply["error"]["code"] == 4;
        // Serde sorts keys; the venue writes the result first.
        let text = match (reply.get("result"), reply.get("id")) {
            (Some(result), Some(id)) => format!(r#"{{"result":{result},"id":{id}}}"#),
            _ => reply.to_string(),
        };
        out.push(Out::Say(text));
        if too_many && matches!(self.flavor, Flavor::Spot | Flavor::Usdm(_)) {
            out.push(Out::Close(1008, "Invalid request"));
        }
    }

    fn wrap(&self, stream: &str, message: &Message) -> String {
        let text = match self.combined {
            true => format!(r#"{{"stream":{},"data":{}}}"#, json!(stream), message.body),
            false => message.body.clone(),
        };
        if self.microseconds { microseconds(&text) } else { text }
    }

    fn notice(&self, now_ms: u64) -> Option<String> {
        let event = format!(r#"{{"e":"serverShutdown","E":{now_ms}}}"#);
        Some(match self.combined {
            true => format!(r#"{{"stream":"!serverShutdown","data":{event}}}"#),
            false => event,
        })
    }
}

impl Lane {
    fn other(self) -> Self {
        match self {
            Self::Public => Self::Market,
            Self::Market => Self::Public,
        }
    }
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::Number(number) => number.is_i64(),
        Value::String(text) => text.chars().count() <= 36,
        _ => false,
    }
}

/// Of a name's part behind the symbol, whoever has it.
fn is_known_type(name: &str) -> bool {
    let rest = name.split_once('@').map_or("", |(_, rest)| rest);
    matches!(name, "!ticker@arr" | "!miniTicker@arr")
        || (!name.starts_with('!') && suffix(Flavor::Stream, 0, rest).is_some())
}

/// What a name means here; `None` is acknowledged and stays silent.
pub fn parse(flavor: Flavor, name: &str, market: &Market) -> Option<Source> {
    let source = match name {
        "!miniTicker@arr" => Source::MiniTickers,
        "!ticker@arr" if flavor != Flavor::Spot => Source::Tickers,
        "!markPrice@arr@1s" if flavor != Flavor::Spot => Source::MarkPrices(1000),
        "!markPrice@arr" if flavor != Flavor::Spot => Source::MarkPrices(3000),
        _ => {
            let (symbol, rest) = name.split_once('@')?;
            suffix(flavor, market.index_of(symbol)?, rest)?
        }
    };
    let lane = match source {
        Source::Trade(_) | Source::BookTicker(_) | Source::Diff(..) | Source::Levels(..) => Lane::Public,
        _ => Lane::Market,
    };
    match flavor {
        Flavor::Usdm(ours) if ours != lane => None,
        _ => Some(source),
    }
}

fn suffix(flavor: Flavor, symbol: usize, rest: &str) -> Option<Source> {
    let usdm = matches!(flavor, Flavor::Usdm(_));
    let has_mark = flavor != Flavor::Spot;
    Some(match rest {
        "trade" => Source::Trade(symbol),
        "aggTrade" => Source::Aggregate(symbol),
        "miniTicker" => Source::MiniTicker(symbol),
        "ticker" => Source::Ticker(symbol),
        "bookTicker" => Source::BookTicker(symbol),
        "avgPrice" if flavor == Flavor::Spot => Source::AveragePrice(symbol),
        "markPrice" if has_mark => Source::MarkPrice(symbol, 3000),
        "markPrice@1s" if has_mark => Source::MarkPrice(symbol, 1000),
        _ => {
            if let Some(interval) = rest.strip_prefix("kline_") {
                let interval = Interval::parse(interval)?;
                return (interval != Interval::Second || flavor == Flavor::Spot)
                    .then_some(Source::Kline(symbol, interval));
            }
            let depth = rest.strip_prefix("depth")?;
            let (levels, rate) = match depth.split_once('@') {
                Some((levels, rate)) => (levels, Some(rate)),
                None => (depth, None),
            };
            let rate_ms = match (rate, flavor) {
                (None, Flavor::Spot) => 1000,
                (None, _) => 250,
                (Some("100ms"), _) => 100,
                (Some("1000ms"), Flavor::Spot) => 1000,
                (Some("500ms"), _) if flavor != Flavor::Spot => 500,
                // On futures 250ms is acknowledged and delivers nothing: the bare name means it.
                (Some("250ms"), _) if flavor != Flavor::Spot && !usdm => 250,
                _ => return None,
            };
            match levels {
                "" => Source::Diff(symbol, rate_ms),
                "5" => Source::Levels(symbol, 5, rate_ms),
                "10" => Source::Levels(symbol, 10, rate_ms),
                "20" => Source::Levels(symbol, 20, rate_ms),
                _ => return None,
            }
        }
    })
}

/// Times have 13 digits in milliseconds; nothing else of a payload does.
fn microseconds(text: &str) -> String {
    let mut longer = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(at) = rest.find("\":") {
        let start = at + 2;
        let digits = rest[start..].bytes().take_while(u8::is_ascii_digit).count();
        longer.push_str(&rest[..start + digits]);
        if digits == 13 {
            longer.push_str("000");
        }
        rest = &rest[start + digits..];
    }
    longer + rest
}

/// `%5B` and the like; what is not hexadecimal stays.
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
