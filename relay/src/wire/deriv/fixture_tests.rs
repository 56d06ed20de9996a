//! The recorded-style sessions of `testdata/`: what the client sends is read and answered as the venue does.

use std::collections::VecDeque;

use serde_json::Value;

use super::id::SubscriptionId;
use super::push::{self, OhlcView, PushKind, TickView};
use super::reject::Reject;
use super::reply;
use super::request::{self, Call, Echo, Request, Style};
use super::url;
use crate::limits::DERIV_IDLE;
use crate::wire::close::CloseReason;
use crate::wire::http::target::Target;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../testdata/deriv/", $name))
    };
}

fn lines(fixture: &str) -> impl Iterator<Item = Value> {
    fixture.lines().map(|line| serde_json::from_str(line).unwrap())
}

/// One connection, as far as answering takes. Numbers and ids are those of the fixture's own answers.
#[derive(Default)]
struct Session {
    live: Vec<(SubscriptionId, Vec<Box<str>>, Vec<u8>)>,
    calls: usize,
}

impl Session {
    /// `expected` only lends its samples: ids, times, prices.
    fn answer(&mut self, text: &str, expected: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        self.calls += 1;
        match request::parse(text) {
            Ok(Request { echo, call }) => self.call(&echo, &call, expected, &mut out),
            Err(refusal) => reply::error(Some(&refusal.echo), refusal.msg_type, &refusal.reject, &mut out),
        }
        out
    }

    fn call(&mut self, echo: &Echo, call: &Call, expected: &Value, out: &mut Vec<u8>) {
        match call {
            Call::Ping => reply::ping(echo, out),
            Call::Time => reply::time(echo, expected["time"].as_u64().unwrap(), out),
            Call::Ticks { symbols, .. } => match self.ticks(echo, symbols, expected) {
                Ok(message) => out.extend(message),
                Err(reject) => reply::error(Some(echo), call.method(), &reject, out),
            },
            Call::History(_) if expected.get("error").is_some() => {
                reply::error(Some(echo), call.method(), &Reject::rate_limit(call.method()), out);
            }
            Call::History(history) => {
                let (style, key) = match history.style {
                    Style::Ticks => (Style::Ticks, "history"),
                    Style::Candles => (Style::Candles, "candles"),
                };
                let id = history.subscribe.then(|| sample_id(expected));
                if let Some(id) = id {
                    self.live.push((id, vec![history.symbol.clone()], push::head(echo, PushKind::Ohlc, &id)));
                }
                let value = expected[key].to_string();
                let pip_size = expected["pip_size"].as_u64().unwrap();
                reply::history(echo, style, value.as_bytes(), pip_size.try_into().unwrap(), id.as_ref(), out);
            }
            Call::Forget(id) => {
                let before = self.live.len();
                self.live.retain(|(live, ..)| live != id.as_bytes());
                reply::forget(echo, self.live.len() < before, out);
            }
            Call::ForgetAll(_) => {
                reply::forget_all(echo, self.live.iter().map(|(id, ..)| id), out);
                self.live.clear();
            }
            Call::ActiveSymbols { .. } | Call::WebsiteStatus { .. } | Call::Account(_) => panic!("{call:?}"),
        }
    }

    fn ticks(&mut self, echo: &Echo, symbols: &[Box<str>], expected: &Value) -> Result<Vec<u8>, Reject> {
        if symbols == ["R_12312312".into()] {
            return Err(Reject::invalid_symbol(&symbols[0]));
        }
        if self.live.iter().any(|(_, live, _)| live == symbols) {
            return Err(Reject::already_subscribed(&symbols[0]));
        }
        let id = sample_id(expected);
        let head = push::head(echo, PushKind::Tick, &id);
        self.live.push((id, symbols.to_vec(), head));
        Ok(self.push(expected))
    }

    /// A push of the newest subscription, with the prices of the sample.
    fn push(&self, expected: &Value) -> Vec<u8> {
        let mut message = self.live.last().unwrap().2.clone();
        let number = |value: &Value| value.as_u64().unwrap();
        let pip_size = |value: &Value| u32::try_from(number(&value["pip_size"])).unwrap();
        if let Some(tick) = expected.get("tick") {
            let [ask, bid, quote] = ["ask", "bid", "quote"].map(|key| tick[key].to_string());
            let view = TickView {
                ask: &ask,
                bid: &bid,
                quote: &quote,
                epoch_s: number(&tick["epoch"]),
                pip_size: pip_size(tick),
                symbol: tick["symbol"].as_str().unwrap(),
            };
            push::tick_tail(&view, &mut message);
        } else {
            let ohlc = &expected["ohlc"];
            let text = |key: &str| ohlc[key].as_str().unwrap();
            let view = OhlcView {
                open: text("open"),
                high: text("high"),
                low: text("low"),
                close: text("close"),
                epoch_s: number(&ohlc["epoch"]),
                open_s: number(&ohlc["open_time"]),
                granularity_s: number(&ohlc["granularity"]).try_into().unwrap(),
                pip_size: pip_size(ohlc),
                symbol: text("symbol"),
            };
            push::ohlc_tail(&view, &mut message);
        }
        message
    }
}

fn sample_id(expected: &Value) -> SubscriptionId {
    expected["subscription"]["id"].as_str().unwrap().as_bytes().try_into().unwrap()
}

/// Every message of the venue is what we write, and nothing stays unanswered.
fn check(fixture: &str) -> usize {
    let mut session = Session::default();
    let mut asked: VecDeque<String> = VecDeque::new();
    for line in lines(fixture) {
        if let Some(path) = line["connect"].as_str() {
            assert_eq!(url::parse(&Target::parse(path).unwrap()).unwrap().app_id, 1089);
        }
        let Some(text) = line["text"].as_str() else {
            continue;
        };
        if line["from"] == "client" {
            asked.push_back(text.to_owned());
            continue;
        }
        let expected: Value = serde_json::from_str(text).unwrap();
        let actual = match asked.pop_front() {
            Some(text) => session.answer(&text, &expected),
            None => session.push(&expected),
        };
        let actual: Value = serde_json::from_slice(&actual).unwrap();
        assert_eq!(actual, expected);
    }
    assert!(asked.is_empty());
    session.calls
}

#[test]
fn sessions_are_answered_as_recorded() {
    assert_eq!(check(fixture!("session.jsonl")), 9);
    assert_eq!(check(fixture!("errors.jsonl")), 5);
    assert_eq!(check(fixture!("ticks_history.jsonl")), 2);
}

#[test]
fn the_idle_close_is_as_recorded() {
    let line = lines(fixture!("idle_close.jsonl")).last().unwrap();
    assert_eq!(line["t"], DERIV_IDLE.as_millis() as u64);
    assert_eq!(line["close"]["code"], CloseReason::Normal.code());
    assert_eq!(line["close"]["reason"], CloseReason::Normal.text());
}
