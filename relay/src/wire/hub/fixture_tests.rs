//! The recorded-style sessions of `testdata/hub/`, through the parsers and back.

use serde_json::Value;

use super::command::{self, Command};
use super::first::{First, first};
use super::price::PriceUpdate;
use super::reply::{self, Reject};
use super::test_call;

const SESSION: &str = include_str!("../../../testdata/hub/session.jsonl");
const PRICE_UPDATES: &str = include_str!("../../../testdata/hub/price_updates.jsonl");
const REST_TEST: &str = include_str!("../../../testdata/hub/rest_test.jsonl");

/// The time of all fixtures.
const NOW_MS: u64 = 1_765_211_445_123;

#[rustfmt::skip] // A list.
const CHANNELS: [&str; 8] = [
    "binance_prices", "binance_orderbook", "binance_24hr", "coingecko_global", "coingecko_top", "coingecko_trending",
    "bitcoinprice", "ethprice",
];

fn lines(fixture: &str) -> impl Iterator<Item = Value> {
    fixture.lines().map(|line| serde_json::from_str(line).unwrap())
}

/// As much of a session as answering commands takes.
#[derive(Default)]
struct Session {
    names: Vec<String>,
}

impl Session {
    fn answer(&mut self, text: &str) -> Vec<String> {
        let mut answers = Vec::new();
        let mut say = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            answers.push(String::from_utf8(out).unwrap());
        };
        match command::parse(text) {
            Ok(Command::Subscribe(names)) => {
                let (known, unknown): (Vec<_>, Vec<_>) =
                    names.into_iter().partition(|name| CHANNELS.contains(&name.as_str()));
                if !known.is_empty() {
                    say(&|out| reply::subscribed(&known, NOW_MS, out));
                    self.names.extend(known);
                }
                if !unknown.is_empty() {
                    let reject = Reject::unknown_channels(unknown);
                    say(&|out| reject.write(NOW_MS, out));
                }
            }
            Ok(Command::Unsubscribe(names)) => {
                let (removed, kept) = self.names.drain(..).partition(|name| names.contains(name));
                self.names = kept;
                let removed: Vec<String> = removed;
                say(&|out| reply::unsubscribed(&removed, NOW_MS, out));
            }
            Ok(Command::Ping) => say(&|out| out.extend_from_slice(reply::PONG)),
            Err(reject) => say(&|out| reject.write(NOW_MS, out)),
        }
        answers
    }
}

#[test]
fn a_session_is_answered_with_the_recorded_bytes() {
    let mut session = Session::default();
    let mut answers = Vec::new().into_iter();
    let mut is_first = true;
    for line in lines(SESSION) {
        let Some(text) = line["text"].as_str() else { continue };
        if line["from"] == "client" {
            assert_eq!(answers.next(), None, "the fixture has all answers");
            assert!(!is_first || first(text) == First::Hub);
            is_first = false;
            answers = session.answer(text).into_iter();
        } else if !text.contains("price_update") {
            assert_eq!(answers.next().as_deref(), Some(text));
        }
    }
    assert_eq!(answers.next(), None);
    assert_eq!(session.names, ["binance_orderbook"]);
}

/// What stands between two marks of a text.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap().1;
    rest.split_once(end).unwrap().0
}

#[test]
fn price_updates_are_written_with_the_recorded_bytes() {
    let mut count = 0;
    for text in PRICE_UPDATES.lines() {
        let data = text.split_once("\"data\":").unwrap().1;
        let update = PriceUpdate {
            connector_id: between(text, "\"connector_id\":\"", "\""),
            exchange: between(text, "\"exchange\":\"", "\""),
            instrument: between(text, "\"instrument\":\"", "\""),
            price: between(text, "\"price\":", ","),
            time_ms: NOW_MS,
            source_time_ms: None,
            data: &data.as_bytes()[..data.len() - 1],
        };
        let mut out = Vec::new();
        update.write(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), text);
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn a_test_call_is_answered_with_the_recorded_bytes() {
    let mut expected = Vec::new().into_iter();
    for line in lines(REST_TEST) {
        if let Some(body) = line["http"]["body"].as_str() {
            if line["from"] == "client" {
                let (mut answer, mut push) = (Vec::new(), Vec::new());
                let status = match test_call::message(body.as_bytes()) {
                    Ok(message) => {
                        test_call::response(NOW_MS, &mut answer);
                        test_call::broadcast(&message, NOW_MS, &mut push);
                        200
                    }
                    Err(error) => {
                        error.write(NOW_MS, &mut answer);
                        error.status()
                    }
                };
                let texts = [(status, answer), (0, push)].into_iter().filter(|(_, text)| !text.is_empty());
                expected = texts.collect::<Vec<_>>().into_iter();
            } else {
                let (status, answer) = expected.next().unwrap();
                assert_eq!((u64::from(status), &*answer), (line["http"]["status"].as_u64().unwrap(), body.as_bytes()));
            }
        } else if let Some(text) = line["text"].as_str() {
            assert_eq!(expected.next().unwrap().1, text.as_bytes());
        }
    }
    assert_eq!(expected.next(), None);
}
