//! From a message to what it says, in each of the four dialects. Strict: whatever a client would not expect is an error.

use super::time::iso_ms;
use crate::market;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A trade, as somebody was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    pub pair: u32,
    pub seq: u64,
    /// The venue's time.
    pub time_ms: u64,
}

/// A price of a scheduled channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push {
    pub pair: u32,
    pub seq: u64,
    /// When it left, as it says.
    pub time_ms: u64,
    /// When the relay had the price, as it says.
    pub source_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    pub pair: u32,
    pub seq: u64,
    pub epoch_s: u64,
    pub subscription: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Price(Quote),
    Push(Push),
    Tick(Tick),
    /// The transport is open, the dialect is not yet.
    Opened,
    /// What was asked for is granted.
    Accepted,
    /// Wants an answer.
    Ping,
}

/// How an error starts that tells of a price which is none.
pub const NEVER_SAID: &str = "the venue never says";

type Members<'a> = BTreeMap<&'a str, &'a RawValue>;
type Read = Result<Message, String>;

/// `{"e":"trade",…}`.
pub fn stream(payload: &[u8]) -> Read {
    let event = object(payload)?;
    if text(&event, "e")? != "trade" {
        return Err("no trade".to_owned());
    }
    let price = text(&event, "p")?;
    let (pair, seq) = exact(price)?;
    let time_ms = integer(&event, "E")?;
    if text(&event, "s")? != format!("{}USDT", market::base(pair)) || integer(&event, "t")? != seq {
        return Err(format!("symbol or number do not fit the price {price}"));
    }
    if integer(&event, "T")? != time_ms {
        return Err("the two times of a trade differ".to_owned());
    }
    Ok(Message::Price(Quote { pair, seq, time_ms }))
}

/// A hub message; `channel` tells the client's own channel, `board` the scheduled one.
pub fn hub(payload: &[u8], channel: &str, board: &str) -> Read {
    let message = object(payload)?;
    match text(&message, "type")? {
        "subscribed" => {
            let names: Vec<&str> =
                serde_json::from_str(raw(&message, "channels")?).map_err(|error| error.to_string())?;
            if names.first() == Some(&channel) { Ok(Message::Accepted) } else { Err("not what was asked".to_owned()) }
        }
        "price_update" => {
            let name = text(&message, "connector_id")?;
            let price = raw(&message, "price")?;
            let (pair, seq) = exact(price)?;
            let time_ms = iso_ms(text(&message, "timestamp")?).ok_or("the timestamp is none")?;
            let base = market::base(pair);
            let data: Members<'_> = nested(&message, "data")?;
            let fits = text(&message, "instrument")? == format!("{base}/USDT")
                && text(&message, "exchange")? == "okx"
                && text(&data, "instId")? == format!("{base}-USDT")
                && text(&data, "last")? == price;
            if !fits {
                return Err(format!("instrument, exchange or data do not fit the price {price}"));
            }
            if name == board {
                let source_ms = iso_ms(text(&message, "source_timestamp")?).ok_or("the source's timestamp is none")?;
                return Ok(Message::Push(Push { pair, seq, time_ms, source_ms }));
            }
            if name != channel || text(&data, "ts")? != time_ms.to_string() {
                return Err("another channel, or another time in the data".to_owned());
            }
            Ok(Message::Price(Quote { pair, seq, time_ms }))
        }
        other => Err(format!("a message of type {other}")),
    }
}

/// A push of the subscription that `req_id` asked for.
pub fn deriv(payload: &[u8], req_id: usize) -> Read {
    let message = object(payload)?;
    if let Some(error) = message.get("error") {
        return Err(error.get().to_owned());
    }
    let tick: Members<'_> = nested(&message, "tick")?;
    let echo: Members<'_> = nested(&message, "echo_req")?;
    let subscription: Members<'_> = nested(&message, "subscription")?;
    let id = text(&subscription, "id")?;
    let quote = raw(&tick, "quote")?;
    let (pair, seq) = market::trade_of(quote).ok_or_else(|| format!("{NEVER_SAID} {quote}"))?;
    let symbol = format!("cry{}USD", market::base(pair));
    let own = req_id.to_string();
    let fits = text(&message, "msg_type")? == "tick"
        && raw(&message, "req_id")? == own
        && raw(&echo, "req_id")? == own
        && raw(&echo, "subscribe")? == "1"
        && text(&echo, "ticks")? == symbol
        && text(&tick, "symbol")? == symbol
        && text(&tick, "id")? == id;
    if !fits {
        return Err(format!("symbol, request or subscription do not fit the quote {quote}"));
    }
    for side in ["bid", "ask"] {
        // The venue tells no best bid and ask, so they are the price.
        if raw(&tick, side)? != quote {
            return Err(format!("the {side} is not the quote {quote}"));
        }
    }
    Ok(Message::Tick(Tick { pair, seq, epoch_s: integer(&tick, "epoch")?, subscription: id.to_owned() }))
}

/// A packet of Engine.IO.
pub fn socketio(payload: &[u8]) -> Read {
    match payload {
        b"2" => return Ok(Message::Ping),
        [b'0', open @ ..] => {
            let open = object(open)?;
            text(&open, "sid")?;
            return Ok(Message::Opened);
        }
        [b'4', b'0', connect @ ..] => {
            text(&object(connect)?, "sid")?;
            return Ok(Message::Accepted);
        }
        _ => {}
    }
    let event = payload.strip_prefix(b"42").ok_or("not a packet of this client")?;
    let [name, row]: [&RawValue; 2] = serde_json::from_slice(event).map_err(|error| error.to_string())?;
    if name.get() != "\"crypto\"" {
        return Err(format!("the event {name}"));
    }
    let row: Members<'_> = serde_json::from_str(row.get()).map_err(|error| error.to_string())?;
    let price = text(&row, "price")?;
    let (pair, seq) = exact(price)?;
    if text(&row, "base")? != "USD" || text(&row, "symbol")? != market::base(pair) || row.contains_key("computed") {
        return Err(format!("base or symbol do not fit the price {price}, or it is computed"));
    }
    Ok(Message::Price(Quote { pair, seq, time_ms: integer(&row, "timestamp")? }))
}

/// A price digit by digit as the venue said it.
fn exact(price: &str) -> Result<(u32, u64), String> {
    let trade = market::trade_of(price).filter(|&(pair, seq)| market::price(pair, seq) == price);
    trade.ok_or_else(|| format!("{NEVER_SAID} {price}"))
}

fn object(payload: &[u8]) -> Result<Members<'_>, String> {
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}

fn raw<'a>(members: &Members<'a>, key: &str) -> Result<&'a str, String> {
    members.get(key).map(|value| value.get()).ok_or_else(|| format!("no {key}"))
}

fn nested<'a>(members: &Members<'a>, key: &str) -> Result<Members<'a>, String> {
    serde_json::from_str(raw(members, key)?).map_err(|error| format!("{key}: {error}"))
}

/// A string without escapes, which nothing here needs.
fn text<'a>(members: &Members<'a>, key: &str) -> Result<&'a str, String> {
    serde_json::from_str(raw(members, key)?).map_err(|error| format!("{key}: {error}"))
}

fn integer(members: &Members<'_>, key: &str) -> Result<u64, String> {
    serde_json::from_str(raw(members, key)?).map_err(|error| format!("{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixed::samples;
    use proptest::prelude::*;

    const QUOTE: Quote = Quote { pair: 1, seq: 77, time_ms: 1_765_211_445_123 };

    /// Each dialect's message of the same trade says the same.
    #[test]
    fn the_same_trade() {
        assert_eq!(stream(&samples::stream(QUOTE)), Ok(Message::Price(QUOTE)));
        assert_eq!(hub(&samples::hub(QUOTE), "trade-eth", "board"), Ok(Message::Price(QUOTE)));
        assert_eq!(socketio(&samples::socketio(QUOTE)), Ok(Message::Price(QUOTE)));
        let tick = Tick { pair: 1, seq: 77, epoch_s: 9, subscription: "abc".to_owned() };
        assert_eq!(deriv(&samples::deriv(1, 77, 9, 5), 5), Ok(Message::Tick(tick)));
        let push = Push { pair: 1, seq: 77, time_ms: QUOTE.time_ms, source_ms: QUOTE.time_ms - 40 };
        assert_eq!(hub(&samples::board(push), "trade-eth", "board"), Ok(Message::Push(push)));
    }

    /// What opens a dialogue is told from what refuses it.
    #[test]
    fn dialogues() {
        let subscribed = br#"{"type":"subscribed","channels":["trade-eth"],"timestamp":"2025-12-08T16:30:45.123Z"}"#;
        assert_eq!(hub(subscribed, "trade-eth", "board"), Ok(Message::Accepted));
        assert!(hub(subscribed, "trade-btc", "board").is_err());
        assert!(hub(br#"{"type":"error","code":"unknown_channel"}"#, "trade-eth", "board").is_err());
        assert_eq!(socketio(br#"0{"sid":"a","upgrades":[]}"#), Ok(Message::Opened));
        assert_eq!(socketio(br#"40{"sid":"a"}"#), Ok(Message::Accepted));
        assert_eq!(socketio(b"2"), Ok(Message::Ping));
        assert!(socketio(br#"44{"message":"Unauthorized"}"#).is_err());
        assert!(deriv(br#"{"error":{"code":"RateLimit"},"msg_type":"ticks"}"#, 5).unwrap_err().contains("RateLimit"));
    }

    /// A changed digit or letter that matters is noticed, and so is another client's answer.
    #[test]
    fn changes() {
        let price = market::price(QUOTE.pair, QUOTE.seq);
        let other = price.replacen("3344.", "3345.", 1);
        let change = |message: &[u8], from: &str, to: &str| {
            let text = String::from_utf8(message.to_vec()).unwrap();
            assert!(text.contains(from), "{from} in {text}");
            text.replace(from, to).into_bytes()
        };
        for (from, to) in [(price.as_str(), other.as_str()), ("ETH", "BTC"), ("77,", "78,"), ("\"T\":1", "\"T\":2")] {
            assert!(stream(&change(&samples::stream(QUOTE), from, to)).is_err(), "{from}");
        }
        for (from, to) in
            [(price.as_str(), other.as_str()), ("ETH/", "BTC/"), ("trade-eth", "trade-btc"), ("45.123", "45.124")]
        {
            assert!(hub(&change(&samples::hub(QUOTE), from, to), "trade-eth", "board").is_err(), "{from}");
        }
        for (from, to) in
            [(price.as_str(), other.as_str()), ("\"ETH\"", "\"BTC\""), ("USD", "EUR"), ("}]", ",\"computed\":true}]")]
        {
            assert!(socketio(&change(&samples::socketio(QUOTE), from, to)).is_err(), "{from}");
        }
        let tick = samples::deriv(1, 77, 9, 5);
        for (from, to) in [
            ("\"quote\":3344", "\"quote\":3345"),
            ("\"bid\":3344", "\"bid\":3343"),
            ("\"id\":\"abc\",", "\"id\":\"abd\","),
        ] {
            assert!(deriv(&change(&tick, from, to), 5).is_err(), "{from}");
        }
        assert!(deriv(&tick, 6).is_err(), "another client's");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC*") {
            for payload in [&bytes[..], text.as_bytes()] {
                let _ = (stream(payload), hub(payload, "a", "b"), deriv(payload, 1), socketio(payload));
            }
        }

        /// One changed byte makes no other trade of a message.
        #[test]
        fn a_changed_byte_is_no_other_trade(at in 0usize..400, byte in any::<u8>()) {
            for (message, read) in [
                (samples::stream(QUOTE), stream as fn(&[u8]) -> Read),
                (samples::socketio(QUOTE), socketio as fn(&[u8]) -> Read),
                (samples::hub(QUOTE), |payload: &[u8]| hub(payload, "trade-eth", "board")),
            ] {
                let mut message = message;
                let at = at % message.len();
                message[at] = byte;
                if let Ok(Message::Price(quote)) = read(&message) {
                    prop_assert_eq!((quote.pair, quote.seq), (QUOTE.pair, QUOTE.seq));
                }
            }
        }
    }
}
