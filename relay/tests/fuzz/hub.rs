//! Whatever a hub client writes is understood or answered by an error that is JSON and carries a timestamp.

use relay::wire::hub::command::{self, Command};
use relay::wire::hub::reply;
use relay::wire::hub::test_call;

use super::input::{as_json, mutate, spell};

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"", " ", "null", "true", "0", "\"type\":", "\"channels\":", "\"message\":",
    "\"subscribe\"", "\"unsubscribe\"", "\"ping\"", "\"bitcoinprice\"", "\"binance_prices\"", "\"\\ud800\"", "\"\\u0041\"",
    "{\"type\":\"subscribe\",\"channels\":[", "]}", "\"\\u0000\\\"\"", "{\"message\":",
];

fn check(text: &str) {
    let mut answer = Vec::new();
    match command::parse(text) {
        Ok(Command::Subscribe(names)) => {
            assert!(!names.is_empty() && names.len() <= 64);
            reply::subscribed(&names, 0, &mut answer);
        }
        Ok(Command::Unsubscribe(names)) => reply::unsubscribed(&names, 0, &mut answer),
        Ok(Command::Ping) => return,
        Err(reject) => reject.write(0, &mut answer),
    }
    assert!(as_json(&answer)["timestamp"].is_string());

    let mut answer = Vec::new();
    match test_call::message(text.as_bytes()) {
        Ok(message) => test_call::broadcast(&message, 0, &mut answer),
        Err(error) => error.write(0, &mut answer),
    }
    assert!(as_json(&answer)["timestamp"].is_string());
}

/// Words of the protocol in any order.
#[test]
fn fuzz_hub_words() {
    bolero::check!().with_max_len(60).for_each(|input: &[u8]| check(&spell(input, WORDS)));
}

/// Real messages with some damage.
#[test]
fn fuzz_hub_damage() {
    let samples = [
        r#"{"type":"subscribe","channels":["binance_prices","binance_orderbook","nope"]}"#,
        r#"{"channels":["bitcoinprice"],"type":"unsubscribe"}"#,
        r#"{"type":"ping"}"#,
        r#"{"message":"Hello, \u00e4 WebSocket!"}"#,
    ];
    let samples = samples.map(|sample| sample.as_bytes().to_vec());
    bolero::check!().with_max_len(33).for_each(|input: &[u8]| {
        if let Ok(text) = String::from_utf8(mutate(input, &samples)) {
            check(&text);
        }
    });
}
