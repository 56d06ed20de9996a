//! OKX v5: public and business, one answer per argument, books with a chain of sequence numbers.

use super::{Message, Out, Refusal, Session, Source};
use crate::mock::market::number::short;
use crate::mock::market::{Diff, Interval, Market, STEP_MS, Symbol};
use crate::mock::rules::{Limit, Rules, Window};
use serde_json::{Value, json};

/// Of one request.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// How long a connection may stand without a subscription.
const UNUSED_MS: u64 = 30_000;
/// Levels of a side in a snapshot of `books`.
const SNAPSHOT_LEVELS: usize = 400;
/// How often a book is confirmed; on the venue only where nothing changed meanwhile.
const KEEPALIVE_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Public,
    Business,
}

pub struct OkxSession {
    lane: Lane,
    /// `channel:instId`, as streams are called here.
    names: Vec<String>,
    requests: Window,
    limit: Option<Limit>,
    opened_ms: Option<u64>,
    used: bool,
    connection: &'static str,
}

impl OkxSession {
    pub fn open(target: &str, rules: &Rules) -> Result<Self, Refusal> {
        let lane = match target.split('?').next() {
            Some("/ws/v5/public") => Lane::Public,
            Some("/ws/v5/business") => Lane::Business,
            _ => return Err(Refusal { status: 404, body: "{}".to_owned() }),
        };
        let (names, requests) = (Vec::new(), Window::default());
        Ok(Self { lane, names, requests, limit: rules.requests, opened_ms: None, used: false, connection: "a4d3ae55" })
    }

    fn error(&self, id: Option<&str>, code: &str, msg: &str) -> Out {
        let mut reply = json!({"event": "error", "code": code, "msg": msg, "connId": self.connection});
        if let Some(id) = id {
            reply["id"] = id.into();
        }
        Out::Say(reply.to_string())
    }

    fn request(&mut self, text: &str, market: &Market, out: &mut Vec<Out>) {
        let invalid =
            |session: &Self, id: Option<&str>| session.error(id, "60012", &format!("Invalid request: {text}"));
        if text.len() > REQUEST_BYTES_MAX {
            out.push(Out::Violation("request-bytes", format!("{} bytes", text.len())));
            return out.push(self.error(None, "60012", "Invalid request: too long"));
        }
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return out.push(invalid(self, None));
        };
        let id = request["id"].as_str();
        if id.is_some_and(|id| id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return out.push(invalid(self, None));
        }
        let Some(operation) = request["op"].as_str() else {
            return out.push(invalid(self, id));
        };
        if !matches!(operation, "subscribe" | "unsubscribe") {
            return out.push(self.error(id, "60019", &format!("Invalid op: {operation}")));
        }
        let Some(arguments) = request["args"].as_array().filter(|arguments| !arguments.is_empty()) else {
            return out.push(invalid(self, id));
        };
        for argument in arguments {
            self.argument(operation, argument, id, market, out);
        }
    }

    fn argument(&mut self, operation: &str, argument: &Value, id: Option<&str>, market: &Market, out: &mut Vec<Out>) {
        let (Some(channel), Some(instrument)) = (argument["channel"].as_str(), argument["instId"].as_str()) else {
            return out.push(self.error(id, "60013", "Invalid args"));
        };
        if matches!(channel, "books-l2-tbt" | "books50-l2-tbt") {
            return out.push(self.error(id, "60011", "Please log in"));
        }
        let parsed = parse(channel, instrument, market);
        let Some((_, source)) = parsed.filter(|parsed| parsed.0 == self.lane) else {
            if parse(channel, instrument, market).is_some() {
                out.push(Out::Violation("wrong-lane", format!("{channel} {instrument}")));
            }
            let msg = format!(
                "Wrong URL or channel:{channel},instId:{instrument} doesn't exist. Please use the correct URL, channel and parameters referring to API document."
            );
            return out.push(self.error(id, "60018", &msg));
        };
        let name = format!("{channel}:{instrument}");
        let arg = format!(r#"{{"channel":"{channel}","instId":"{instrument}"}}"#);
        let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
        out.push(Out::Say(format!(r#"{{{id}"event":"{operation}","arg":{arg},"connId":"{}"}}"#, self.connection)));
        if operation == "unsubscribe" {
            self.names.retain(|known| *known != name);
            return out.push(Out::Leave(name));
        }
        self.used = true;
        if let Source::Diff(symbol, _) = source {
            out.push(Out::Say(snapshot(&arg, market.symbol(symbol), market.now_ms())));
        }
        if !self.names.contains(&name) {
            self.names.push(name.clone());
        }
        out.push(Out::Join(name, Some(source)));
    }
}

impl Session for OkxSession {
    fn text(&mut self, text: &str, now_ms: u64, market: &Market, out: &mut Vec<Out>) {
        if text == "ping" {
            return out.push(Out::Say("pong".to_owned()));
        }
        if let Some(limit) = self.limit
            && !self.requests.note(limit, now_ms)
        {
            out.push(Out::Violation("requests", format!("more than {} in {} ms", limit.count, limit.window_ms)));
            return out.push(self.error(None, "60014", "Requests too frequent"));
        }
        self.request(text, market, out);
    }

    fn wrap(&self, stream: &str, message: &Message) -> String {
        let (channel, instrument) = stream.split_once(':').unwrap_or((stream, ""));
        format!(r#"{{"arg":{{"channel":"{channel}","instId":"{instrument}"}},{}}}"#, message.body)
    }

    fn tick(&mut self, now_ms: u64, out: &mut Vec<Out>) {
        let opened_ms = *self.opened_ms.get_or_insert(now_ms);
        if !self.used && opened_ms + UNUSED_MS <= now_ms {
            out.push(Out::Violation("idle", "nothing was subscribed for too long".to_owned()));
            out.push(Out::Close(4004, "No data received in 30s"));
        }
    }

    fn notice(&self, _now_ms: u64) -> Option<String> {
        let msg = "The connection will soon be closed for a service upgrade. Please reconnect.";
        Some(json!({"event": "notice", "code": "64008", "msg": msg, "connId": self.connection}).to_string())
    }
}

/// `BTC-USDT`, also for those who write `btcusdt`.
pub fn instrument_id(name: &str) -> String {
    let name = name.to_uppercase();
    if name.contains('-') {
        return name;
    }
    let quote = ["USDT", "USDC", "USD", "BTC", "EUR"]
        .into_iter()
        .find(|quote| name.len() > quote.len() && name.ends_with(quote));
    match quote {
        Some(quote) => format!("{}-{quote}", &name[..name.len() - quote.len()]),
        None => name,
    }
}

/// Where a channel is, and what it says.
fn parse(channel: &str, instrument: &str, market: &Market) -> Option<(Lane, Source)> {
    let symbol = market.index_of(instrument)?;
    Some(match channel {
        "tickers" => (Lane::Public, Source::Ticker(symbol)),
        "trades" => (Lane::Public, Source::Aggregate(symbol)),
        "trades-all" => (Lane::Business, Source::Trade(symbol)),
        "books" => (Lane::Public, Source::Diff(symbol, 100)),
        "books5" => (Lane::Public, Source::Levels(symbol, 5, 100)),
        "bbo-tbt" => (Lane::Public, Source::BookTicker(symbol)),
        "mark-price" => (Lane::Public, Source::MarkPrice(symbol, 1000)),
        "funding-rate" => (Lane::Public, Source::FundingRate(symbol)),
        _ => (Lane::Business, Source::Kline(symbol, bar(channel.strip_prefix("candle")?)?)),
    })
}

/// Bars of UTC; those of UTC+8 (6H without a suffix, and longer) are refused here.
fn bar(name: &str) -> Option<Interval> {
    let name = match name {
        "1s" | "1m" | "3m" | "5m" | "15m" | "30m" => name.to_owned(),
        "1H" | "2H" | "4H" => name.to_lowercase(),
        "1Mutc" => "1M".to_owned(),
        _ => name.strip_suffix("utc").filter(|bar| ["6H", "12H", "1D", "3D", "1W"].contains(bar))?.to_lowercase(),
    };
    Interval::parse(&name)
}

pub fn encode(source: &Source, market: &Market) -> Vec<Message> {
    let now = market.now_ms();
    let one = |id: u64, body: String| vec![Message { from: id, to: id, body }];
    match *source {
        Source::Aggregate(symbol) => trades(market.symbol(symbol), now),
        Source::Trade(symbol) => all_trades(market.symbol(symbol), now),
        Source::Ticker(symbol) if market.is_due(100) => {
            let symbol = market.symbol(symbol);
            let moved = symbol.book.best_changed || symbol.day.changed_ms + 100 > now;
            if moved { one(now, ticker(symbol, now)) } else { Vec::new() }
        }
        Source::BookTicker(symbol) if market.symbol(symbol).book.best_changed => {
            let symbol = market.symbol(symbol);
            one(symbol.book.last_id(), top(symbol, 1, symbol.book.last_id(), now, false))
        }
        Source::Levels(symbol, count, _) => {
            let symbol = market.symbol(symbol);
            symbol.book.diff(0).map(|diff| one(diff.last, top(symbol, count, diff.last, now, true))).unwrap_or_default()
        }
        Source::Diff(symbol, _) => {
            let symbol = market.symbol(symbol);
            if now % KEEPALIVE_MS == STEP_MS {
                let id = symbol.book.said_id();
                let body = book("update", "[]", "[]", now, Some(id), id);
                return one(id, body);
            }
            symbol.book.diff(0).map(|diff| update(diff, now)).into_iter().collect()
        }
        Source::MarkPrice(symbol, rate_ms) if market.is_due(rate_ms) => {
            let symbol = market.symbol(symbol);
            let middle = symbol.book.best_bid().0.midpoint(symbol.book.best_ask().0);
            let row = json!({"instType": kind(symbol), "instId": symbol.upper, "markPx": short(middle.into()), "ts": now.to_string()});
            one(now, format!(r#""data":[{row}]"#))
        }
        Source::FundingRate(symbol) if market.is_due(KEEPALIVE_MS) => one(now, funding(market.symbol(symbol), now)),
        Source::Kline(symbol, interval) => candles(market, market.symbol(symbol), interval),
        _ => Vec::new(),
    }
}

fn kind(symbol: &Symbol) -> &'static str {
    if symbol.upper.ends_with("-SWAP") { "SWAP" } else { "SPOT" }
}

fn trades(symbol: &Symbol, now: u64) -> Vec<Message> {
    let message = |taker: &crate::mock::market::Taker| {
        let (first, last) = (taker.fills[0].id, taker.fills[taker.fills.len() - 1].id);
        let body = format!(
            r#""data":[{{"instId":"{}","tradeId":"{last}","px":"{}","sz":"{}","side":"{}","ts":"{now}","count":"{}","source":"0","seqId":{}}}]"#,
            symbol.upper,
            short(taker.price.into()),
            short(taker.quantity.into()),
            side(taker.buyer_is_maker),
            taker.fills.len(),
            symbol.book.last_id(),
        );
        Message { from: first, to: last, body }
    };
    symbol.takers.iter().map(message).collect()
}

fn all_trades(symbol: &Symbol, now: u64) -> Vec<Message> {
    let fills = symbol.takers.iter().flat_map(|taker| taker.fills.iter().map(move |fill| (taker, fill)));
    fills
        .map(|(taker, fill)| {
            let body = format!(
                r#""data":[{{"instId":"{}","tradeId":"{}","px":"{}","sz":"{}","side":"{}","source":"0","ts":"{now}"}}]"#,
                symbol.upper,
                fill.id,
                short(taker.price.into()),
                short(fill.quantity.into()),
                side(taker.buyer_is_maker),
            );
            Message { from: fill.id, to: fill.id, body }
        })
        .collect()
}

/// The taker's.
fn side(buyer_is_maker: bool) -> &'static str {
    if buyer_is_maker { "sell" } else { "buy" }
}

fn ticker(symbol: &Symbol, now: u64) -> String {
    let (day, (bid, ask)) = (&symbol.day, (symbol.book.best_bid(), symbol.book.best_ask()));
    let text = |value: u64| short(value.into());
    let row = json!({
        "instType": kind(symbol), "instId": symbol.upper,
        "last": text(day.close), "lastSz": text(day.last_quantity),
        "askPx": text(ask.0), "askSz": text(ask.1), "bidPx": text(bid.0), "bidSz": text(bid.1),
        "open24h": text(day.open), "high24h": text(day.high), "low24h": text(day.low),
        "sodUtc0": text(day.open), "sodUtc8": text(day.open),
        "volCcy24h": short(day.quote), "vol24h": short(day.volume), "ts": now.to_string(),
    });
    format!(r#""data":[{row}]"#)
}

fn funding(symbol: &Symbol, now: u64) -> String {
    let next = (now / 28_800_000 + 1) * 28_800_000;
    let row = json!({"instType": "SWAP", "instId": symbol.upper, "fundingRate": "0.0001", "fundingTime": next.to_string(),
        "nextFundingRate": "", "nextFundingTime": (next + 28_800_000).to_string(), "ts": now.to_string()});
    format!(r#""data":[{row}]"#)
}

fn levels(levels: impl Iterator<Item = (u64, u64)>) -> String {
    let rows: Vec<String> = levels
        .map(|(price, quantity)| {
            let orders = u8::from(quantity > 0);
            format!(r#"["{}","{}","0","{orders}"]"#, short(price.into()), short(quantity.into()))
        })
        .collect();
    format!("[{}]", rows.join(","))
}

fn top(symbol: &Symbol, count: usize, id: u64, now: u64, named: bool) -> String {
    let (bids, asks) = (levels(symbol.book.bids().take(count)), levels(symbol.book.asks().take(count)));
    let name = if named { format!(r#""instId":"{}","#, symbol.upper) } else { String::new() };
    format!(r#""data":[{{"asks":{asks},"bids":{bids},{name}"ts":"{now}","seqId":{id}}}]"#)
}

/// A whole message's inside; without a number before it, it is a snapshot.
fn book(action: &str, bids: &str, asks: &str, now: u64, previous: Option<u64>, last: u64) -> String {
    let previous = previous.map_or(-1, |id| id as i64);
    format!(
        r#""action":"{action}","data":[{{"asks":{asks},"bids":{bids},"ts":"{now}","checksum":0,"prevSeqId":{previous},"seqId":{last}}}]"#
    )
}

fn update(diff: &Diff, now: u64) -> Message {
    let (bids, asks) = (levels(diff.bids.iter().copied()), levels(diff.asks.iter().copied()));
    let body = book("update", &bids, &asks, now, Some(diff.previous), diff.last);
    Message { from: diff.last.min(diff.first), to: diff.last, body }
}

fn snapshot(arg: &str, symbol: &Symbol, now: u64) -> String {
    let (bids, asks) = (symbol.book.bids().take(SNAPSHOT_LEVELS), symbol.book.asks().take(SNAPSHOT_LEVELS));
    let inside = book("snapshot", &levels(bids), &levels(asks), now, None, symbol.book.said_id());
    format!(r#"{{"arg":{arg},{inside}}}"#)
}

fn candles(market: &Market, symbol: &Symbol, interval: Interval) -> Vec<Message> {
    let now = market.now_ms();
    let row = |candle: &crate::mock::market::candle::Candle, confirm: u8| {
        let prices = [candle.open, candle.high, candle.low, candle.close].map(|price| short(price.into()));
        let [open, high, low, close] = prices;
        let (volume, quote) = (short(candle.volume), short(candle.quote));
        let body = format!(
            r#""data":[["{}","{open}","{high}","{low}","{close}","{volume}","{quote}","{quote}","{confirm}"]]"#,
            candle.open_ms
        );
        Message { from: now, to: now, body }
    };
    let mut messages: Vec<Message> = symbol.closed(interval).map(|closed| row(closed, 1)).into_iter().collect();
    if market.is_due(1000) {
        messages.push(row(symbol.candle(interval), 0));
    }
    messages
}
