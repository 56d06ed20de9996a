//! Deriv's API v3: ticks, forget, and the calls a client makes besides.

use super::{Message, Out, Refusal, Session, Source};
use crate::mock::market::number::{ONE, fixed};
use crate::mock::market::{Instrument, Market, Symbol};
use crate::mock::rules::{Limit, Window};
use serde_json::{Map, Value, json};

/// Symbols, their first prices in hundredths of a cent, and their digits.
pub const SYMBOLS: [&str; 8] = ["R_10", "R_25", "R_50", "R_75", "R_100", "1HZ100V", "frxEURUSD", "cryBTCUSD"];

const CALLS: Limit = Limit { count: 220, window_ms: 60_000 };
const PINGS: Limit = Limit { count: 10, window_ms: 1000 };
const SUBSCRIPTIONS_MAX: usize = 100;

pub fn instrument(name: &str) -> Instrument {
    let (ten_thousandths, digits) = match name {
        "R_10" => (63_412_330, 3),
        "R_25" => (28_431_200, 3),
        "R_50" => (1_558_590, 4),
        "R_75" => (4_412_345_600, 4),
        "R_100" => (15_585_900, 2),
        "1HZ100V" => (12_345_600, 2),
        "frxEURUSD" => (10_841, 5),
        "cryBTCUSD" => (421_505_000, 3),
        _ => (10_000_000, 2),
    };
    Instrument::new(name, ten_thousandths * (ONE / 10_000), digits)
}

struct Subscription {
    symbol: String,
    id: String,
    /// What every push repeats.
    head: String,
}

pub struct DerivSession {
    subscriptions: Vec<Subscription>,
    calls: Window,
    pings: Window,
    next_id: u64,
}

impl DerivSession {
    pub fn open(target: &str) -> Result<Self, Refusal> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != "/websockets/v3" {
            return Err(Refusal { status: 404, body: "{}".to_owned() });
        }
        let application = query.split('&').find_map(|pair| pair.strip_prefix("app_id="));
        if application.and_then(|id| id.parse::<u64>().ok()).is_none() {
            return Err(Refusal {
                status: 401,
                body: r#"{"error":{"code":"InvalidAppID","message":"app_id is missing"}}"#.to_owned(),
            });
        }
        Ok(Self { subscriptions: Vec::new(), calls: Window::default(), pings: Window::default(), next_id: 1 })
    }

    fn ticks(&mut self, request: &Map<String, Value>, market: &Market, out: &mut Vec<Out>) -> Result<(), Failure> {
        let symbols: Vec<&str> = match &request["ticks"] {
            Value::String(symbol) => vec![symbol],
            Value::Array(symbols) => symbols.iter().filter_map(Value::as_str).collect(),
            _ => return Err(failure("InputValidationFailed", "Input validation failed: ticks")),
        };
        let subscribes = match request.get("subscribe").map(|value| value.to_string()) {
            None => false,
            Some(value) if value == "1" || value == "\"1\"" => true,
            Some(_) => return Err(failure("InputValidationFailed", "Input validation failed: subscribe")),
        };
        for symbol in symbols {
            if let Err(failure) = self.tick_of(symbol, subscribes, request, market, out) {
                out.push(Out::Say(failure.reply(request, "ticks")));
            }
        }
        Ok(())
    }

    fn tick_of(
        &mut self,
        name: &str,
        subscribes: bool,
        request: &Map<String, Value>,
        market: &Market,
        out: &mut Vec<Out>,
    ) -> Result<(), Failure> {
        let symbol =
            market.index_of(name).ok_or_else(|| failure("InvalidSymbol", &format!("Symbol {name} is invalid.")))?;
        if self.subscriptions.iter().any(|known| known.symbol == name) {
            return Err(failure("AlreadySubscribed", &format!("You are already subscribed to {name}")));
        }
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            out.push(Out::Violation("streams", format!("more than {SUBSCRIPTIONS_MAX} subscriptions")));
            return Err(failure("RateLimit", "You have reached the rate limit for ticks."));
        }
        let tick = tick(market.symbol(symbol), market.now_ms());
        let mut head = format!(r#""echo_req":{},"#, Value::Object(request.clone()));
        for key in ["req_id", "passthrough"] {
            if let Some(value) = request.get(key) {
                head += &format!(r#""{key}":{value},"#);
            }
        }
        if !subscribes {
            out.push(Out::Say(format!(r#"{{{head}"msg_type":"tick","tick":{{{tick}}}}}"#)));
            return Ok(());
        }
        let number = self.next_id;
        self.next_id += 1;
        let id = format!("c84a793b-8a87-4999-8e10-{number:012x}");
        self.subscriptions.push(Subscription { symbol: name.to_owned(), id, head });
        out.push(Out::Say(self.push(name, &tick)));
        out.push(Out::Join(name.to_owned(), Some(Source::Tick(symbol))));
        Ok(())
    }

    fn push(&self, symbol: &str, tick: &str) -> String {
        let Some(Subscription { id, head, .. }) = self.subscriptions.iter().find(|known| known.symbol == symbol) else {
            return String::new();
        };
        format!(r#"{{{head}"msg_type":"tick","subscription":{{"id":"{id}"}},"tick":{{"id":"{id}",{tick}}}}}"#)
    }

    /// Ends those that `which` names; their ids.
    fn forget(&mut self, which: impl Fn(&Subscription) -> bool, out: &mut Vec<Out>) -> Vec<String> {
        let mut ids = Vec::new();
        self.subscriptions.retain(|subscription| {
            let ends = which(subscription);
            if ends {
                ids.push(subscription.id.clone());
                out.push(Out::Leave(subscription.symbol.clone()));
            }
            !ends
        });
        ids
    }

    fn call(
        &mut self,
        method: &str,
        request: &Map<String, Value>,
        now_ms: u64,
        market: &Market,
        out: &mut Vec<Out>,
    ) -> Result<(), Failure> {
        let result = match method {
            "ping" => {
                if !self.pings.note(PINGS, now_ms) {
                    out.push(Out::Violation("pings", "more than 10 in a second".to_owned()));
                    return Err(failure("RateLimit", "You have reached the rate limit for ping."));
                }
                json!("pong")
            }
            _ if !self.calls.note(CALLS, now_ms) => {
                out.push(Out::Violation("calls", format!("more than {} in a minute", CALLS.count)));
                return Err(failure("RateLimit", &format!("You have reached the rate limit for {method}.")));
            }
            "time" => json!(now_ms / 1000),
            "ticks" => return self.ticks(request, market, out),
            "forget" => {
                let id = request["forget"].as_str().unwrap_or_default().to_owned();
                json!(self.forget(|known| known.id == id, out).len())
            }
            "forget_all" => {
                let named = request["forget_all"].to_string();
                json!(self.forget(|_| named.contains("\"ticks\""), out))
            }
            "active_symbols" => market.symbols().iter().map(active).collect(),
            "website_status" => {
                json!({"api_call_limits": {"max_requestes_general": {"applies_to": "rest of calls", "hourly": 14400, "minutely": CALLS.count}}})
            }
            _ => return Err(failure("WrongResponse", "Sorry, an error occurred while processing your request.")),
        };
        let mut reply = envelope(request, method);
        reply.insert(method.to_owned(), result);
        out.push(Out::Say(Value::Object(reply).to_string()));
        Ok(())
    }
}

const METHODS: [&str; 9] =
    ["ping", "time", "ticks", "ticks_history", "forget", "forget_all", "active_symbols", "website_status", "proposal"];

impl Session for DerivSession {
    fn text(&mut self, text: &str, now_ms: u64, market: &Market, out: &mut Vec<Out>) {
        let Ok(Value::Object(request)) = serde_json::from_str(text) else {
            let reply = json!({"error": {"code": "BadRequest", "message": "The application sent an invalid request."}, "msg_type": "error"});
            return out.push(Out::Say(reply.to_string()));
        };
        let method = METHODS.into_iter().find(|method| request.contains_key(*method));
        let done = match method {
            Some(method) => self.call(method, &request, now_ms, market, out),
            None => Err(failure("UnrecognisedRequest", "Unrecognised request.")),
        };
        if let Err(failure) = done {
            out.push(Out::Say(failure.reply(&request, method.unwrap_or("error"))));
        }
    }

    fn wrap(&self, stream: &str, message: &Message) -> String {
        self.push(stream, &message.body)
    }
}

struct Failure {
    code: &'static str,
    message: String,
}

fn failure(code: &'static str, message: &str) -> Failure {
    Failure { code, message: message.to_owned() }
}

impl Failure {
    fn reply(&self, request: &Map<String, Value>, method: &str) -> String {
        let mut reply = envelope(request, method);
        reply.insert("error".to_owned(), json!({"code": self.code, "message": self.message}));
        Value::Object(reply).to_string()
    }
}

fn envelope(request: &Map<String, Value>, method: &str) -> Map<String, Value> {
    let mut reply = Map::new();
    reply.insert("echo_req".to_owned(), Value::Object(request.clone()));
    reply.insert("msg_type".to_owned(), method.into());
    for key in ["req_id", "passthrough"] {
        if let Some(value) = request.get(key) {
            reply.insert(key.to_owned(), value.clone());
        }
    }
    reply
}

fn active(symbol: &Symbol) -> Value {
    let pip = fixed(u128::from(ONE / 10u64.pow(symbol.digits as u32)), symbol.digits);
    let (market, name) = match symbol.name.get(..3) {
        Some("frx") => ("forex", "Forex"),
        Some("cry") => ("cryptocurrency", "Cryptocurrencies"),
        _ => ("synthetic_index", "Derived"),
    };
    // The pip keeps its digits: a number of JSON, not of this machine.
    let pip: Value = serde_json::from_str(&pip).unwrap_or_default();
    json!({"allow_forward_starting": 1, "display_name": symbol.name, "display_order": 1, "exchange_is_open": 1,
        "is_trading_suspended": 0, "market": market, "market_display_name": name, "pip": pip, "subgroup": "none",
        "subgroup_display_name": "None", "submarket": market, "submarket_display_name": name, "symbol": symbol.name,
        "symbol_type": if market == "forex" { "forex" } else { "stockindex" }})
}

/// The inside of a tick, without its id.
fn tick(symbol: &Symbol, now_ms: u64) -> String {
    let (bid, ask) = (symbol.book.best_bid().0, symbol.book.best_ask().0);
    let digits = symbol.digits;
    format!(
        r#""ask":{},"bid":{},"epoch":{},"pip_size":{digits},"quote":{},"symbol":"{}""#,
        fixed(ask.into(), digits),
        fixed(bid.into(), digits),
        now_ms / 1000,
        fixed(bid.midpoint(ask).into(), digits),
        symbol.name,
    )
}

pub fn encode(source: &Source, market: &Market) -> Vec<Message> {
    let Source::Tick(index) = *source else {
        return Vec::new();
    };
    let symbol = market.symbol(index);
    // The indices of the plain kind tick every two seconds, all others every second.
    let period_ms = if symbol.name.starts_with("R_") { 2000 } else { 1000 };
    if !market.is_due(period_ms) {
        return Vec::new();
    }
    let epoch = market.now_ms() / 1000;
    vec![Message { from: epoch, to: epoch, body: tick(symbol, market.now_ms()) }]
}
