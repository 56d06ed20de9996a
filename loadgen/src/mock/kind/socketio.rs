//! Engine.IO v4 and Socket.IO v5 over WebSocket, with the events `fiat/…` and `crypto/…`.

use super::{Message, Out, Refusal, Session, Source};
use crate::mock::market::number::{ONE, fixed};
use crate::mock::market::{Instrument, Market, Symbol};
use serde_json::{Value, json};

/// `kind:code`; prices are in US dollars for crypto, and of a dollar for fiat.
pub const SYMBOLS: [&str; 9] = [
    "fiat:EUR",
    "fiat:GBP",
    "fiat:JPY",
    "fiat:CHF",
    "crypto:BTC",
    "crypto:ETH",
    "crypto:BNB",
    "crypto:SOL",
    "crypto:XRP",
];

const PING_EVERY_MS: u64 = 25_000;
const PONG_WITHIN_MS: u64 = 20_000;
const CONNECT_WITHIN_MS: u64 = 45_000;

pub fn instrument(name: &str) -> Instrument {
    let (cents, digits) = match name {
        "fiat:EUR" => (92, 5),
        "fiat:GBP" => (79, 5),
        "fiat:JPY" => (15_612, 3),
        "fiat:CHF" => (88, 5),
        "crypto:BTC" => (4_215_050, 2),
        "crypto:ETH" => (224_011, 2),
        "crypto:BNB" => (61_230, 2),
        "crypto:SOL" => (18_244, 2),
        _ => (215, 4),
    };
    Instrument::new(name, cents * (ONE / 100), digits)
}

pub struct SocketIoSession {
    joined: bool,
    opened_ms: Option<u64>,
    pinged_ms: u64,
    waits_for_pong: bool,
}

impl SocketIoSession {
    pub fn open(target: &str) -> Result<Self, Refusal> {
        let refuse = |code: u8, message: &str| {
            Err(Refusal { status: 400, body: json!({"code": code, "message": message}).to_string() })
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !matches!(path, "/currency/" | "/currency") {
            return Err(Refusal { status: 404, body: "{}".to_owned() });
        }
        let has = |pair: &str| query.split('&').any(|known| known == pair);
        if !has("transport=websocket") {
            return refuse(0, "Transport unknown");
        }
        if !has("EIO=4") {
            return refuse(5, "Unsupported protocol version");
        }
        if query.split('&').any(|pair| pair.starts_with("sid=")) {
            return refuse(1, "Session ID unknown");
        }
        Ok(Self { joined: false, opened_ms: None, pinged_ms: 0, waits_for_pong: false })
    }

    fn event(&mut self, packet: &str, market: &Market, out: &mut Vec<Out>) {
        let digits = packet.bytes().take_while(u8::is_ascii_digit).count();
        let (ack, json_text) = packet.split_at(digits);
        let arguments: Vec<Value> = serde_json::from_str(json_text).unwrap_or_default();
        let Some(name) = arguments.first().and_then(Value::as_str).filter(|_| self.joined) else {
            return out.push(Out::Close(1005, ""));
        };
        let fields = arguments.get(1).cloned().unwrap_or_default();
        let answer = listen(name, &fields, market);
        match (answer, ack) {
            (Err((code, message)), "") => {
                let body = json!({"event": name, "code": code, "message": message});
                out.push(Out::Say(format!(r#"42["error",{body}]"#)));
            }
            (Err((code, message)), ack) => {
                out.push(Out::Say(format!("43{ack}[{}]", json!({"error": {"code": code, "message": message}}))));
            }
            (Ok(asked), ack) => {
                let row = match asked.source {
                    Source::Rate(symbol) => rate(market.symbol(symbol), market.now_ms()),
                    _ => rates(asked.fiat, market),
                };
                if !ack.is_empty() {
                    out.push(Out::Say(format!("43{ack}[{row}]")));
                }
                if asked.listens {
                    out.push(Out::Say(format!("42[\"{}\",{row}]", event_name(asked.fiat))));
                    out.push(Out::Join(asked.stream, Some(asked.source)));
                }
            }
        }
    }
}

impl Session for SocketIoSession {
    fn opened(&mut self, _market: &Market, out: &mut Vec<Out>) {
        let open = format!(
            r#"0{{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":{PING_EVERY_MS},"pingTimeout":{PONG_WITHIN_MS},"maxPayload":1000000}}"#
        );
        out.push(Out::Say(open));
    }

    fn text(&mut self, text: &str, now_ms: u64, market: &Market, out: &mut Vec<Out>) {
        self.opened_ms.get_or_insert(now_ms);
        if let Some(auth) = text.strip_prefix("40") {
            if self.joined {
                return out.push(Out::Close(1005, ""));
            }
            let auth: Value = serde_json::from_str(auth).unwrap_or_default();
            if auth["api-key"].as_str().is_none_or(str::is_empty) {
                let refused = r#"44{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#;
                return out.push(Out::Say(refused.to_owned()));
            }
            self.joined = true;
            return out.push(Out::Say(r#"40{"sid":"oSO0OpakMV_3jnilAAAA"}"#.to_owned()));
        }
        match text {
            "3" => self.waits_for_pong = false,
            "1" | "41" => {}
            _ => match text.strip_prefix("42") {
                Some(packet) => self.event(packet, market, out),
                None => out.push(Out::Close(1005, "")),
            },
        }
    }

    fn wrap(&self, stream: &str, message: &Message) -> String {
        format!("42[\"{}\",{}]", event_name(stream.starts_with("fiat")), message.body)
    }

    fn tick(&mut self, now_ms: u64, out: &mut Vec<Out>) {
        let opened_ms = *self.opened_ms.get_or_insert(now_ms);
        self.pinged_ms = self.pinged_ms.max(opened_ms);
        if self.waits_for_pong && self.pinged_ms + PONG_WITHIN_MS <= now_ms {
            out.push(Out::Violation("pong-timeout", "a 2 was not answered".to_owned()));
            return out.push(Out::Close(1005, ""));
        }
        if !self.joined && opened_ms + CONNECT_WITHIN_MS <= now_ms {
            out.push(Out::Violation("idle", "no CONNECT in time".to_owned()));
            return out.push(Out::Close(1005, ""));
        }
        if self.pinged_ms + PING_EVERY_MS <= now_ms {
            (self.pinged_ms, self.waits_for_pong) = (now_ms, true);
            out.push(Out::Say("2".to_owned()));
        }
    }

    fn notice(&self, _now_ms: u64) -> Option<String> {
        Some("41".to_owned())
    }
}

struct Asked {
    stream: String,
    source: Source,
    fiat: bool,
    listens: bool,
}

fn event_name(fiat: bool) -> &'static str {
    if fiat { "currency" } else { "crypto" }
}

fn listen(event: &str, fields: &Value, market: &Market) -> Result<Asked, (&'static str, String)> {
    let bad = |message: &str| ("BAD_REQUEST", message.to_owned());
    let (fiat, what) = match event.split_once('/') {
        Some(("fiat", what)) => (true, what),
        Some(("crypto", what)) => (false, what),
        _ => return Err(bad("unknown event")),
    };
    let (all, listens) = match what {
        "allListen" => (true, true),
        "allAck" => (true, false),
        "onlyListen" => (false, true),
        "onlyAck" => (false, false),
        _ => return Err(bad("unknown event")),
    };
    let field = |key: &str| match &fields[key] {
        Value::String(text) if !text.is_empty() => Ok(text.to_uppercase()),
        _ => Err(bad(&format!("{key} is required"))),
    };
    let base = field("base")?;
    if base != "USD" {
        return Err(("NOT_FOUND", format!("no prices in {base}")));
    }
    let kind = if fiat { "fiat" } else { "crypto" };
    if all {
        return Ok(Asked { stream: format!("{kind}/all USD"), source: Source::Rates(fiat), fiat, listens });
    }
    let code = field(if fiat { "currency" } else { "symbol" })?;
    let symbol = market.index_of(&format!("{kind}:{code}")).ok_or_else(|| ("NOT_FOUND", format!("no {code}")))?;
    Ok(Asked { stream: format!("{kind}/only USD {code}"), source: Source::Rate(symbol), fiat, listens })
}

fn rate(symbol: &Symbol, now: u64) -> String {
    let (kind, code) = symbol.name.split_once(':').unwrap_or(("crypto", &symbol.name));
    let key = if kind == "fiat" { "currency" } else { "symbol" };
    let middle = symbol.book.best_bid().0.midpoint(symbol.book.best_ask().0);
    let price = fixed(middle.into(), symbol.digits);
    format!(r#"{{"base":"USD","{key}":"{code}","price":"{price}","timestamp":{now}}}"#)
}

fn rates(fiat: bool, market: &Market) -> String {
    let kind = if fiat { "fiat:" } else { "crypto:" };
    let symbols = market.symbols().iter().filter(|symbol| symbol.name.starts_with(kind));
    let rows: Vec<String> = symbols.map(|symbol| rate(symbol, market.now_ms())).collect();
    format!("[{}]", rows.join(","))
}

/// Once a second.
pub fn encode(source: &Source, market: &Market) -> Vec<Message> {
    let now = market.now_ms();
    if !market.is_due(1000) {
        return Vec::new();
    }
    let body = match *source {
        Source::Rate(symbol) => rate(market.symbol(symbol), now),
        Source::Rates(fiat) => rates(fiat, market),
        _ => return Vec::new(),
    };
    vec![Message { from: now, to: now, body }]
}
