//! What a venue sends: parts that are passed on are its own bytes, and JSON.

use relay::wire::json;
use relay::wire::stream::upstream::{self, Upstream};
use serde::de::IgnoredAny;

use super::input::{mutate, payloads, spell};

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "{", "}", "[", "]", ",", ":", " ", "\"stream\":", "\"data\":", "\"result\":", "\"error\":", "\"code\":",
    "\"msg\":", "\"id\":", "\"e\":", "\"k\":", "\"x\":", "\"btcusdt@trade\"", "\"!serverShutdown\"",
    "\"serverShutdown\"", "\"str\\u0065am\":", "null", "1", "-1121", "true", "{}", "{\"stream\":\"a@b\",\"data\":",
    "{\"k\":{\"x\":true}}", "\"\\ud800\"", "{\"error\":{\"code\":2,\"msg\":\"m\"}", "[\"a@b\"]", "\"",
];

fn check(bytes: &[u8]) {
    let decoded = upstream::decode(bytes);
    // serde_json does not look at the bytes of strings it ignores.
    let is_json = std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    assert_eq!(decoded.is_ok(), is_json, "{decoded:?}");
    let part = match decoded {
        Ok(Upstream::Data { data, .. }) => data,
        Ok(Upstream::Ack { result, .. }) => result.as_bytes(),
        Ok(Upstream::Error { .. } | Upstream::Shutdown | Upstream::Other) | Err(_) => return,
    };
    assert!(bytes.as_ptr_range().contains(&part.as_ptr()), "the venue's own bytes");
    json::validate(part).unwrap();
    serde_json::from_slice::<IgnoredAny>(part).unwrap();
    upstream::is_closed_kline(part);
}

/// Recorded payloads with some damage.
#[test]
fn fuzz_upstream_payloads() {
    let samples = payloads();
    bolero::check!().with_max_len(41).for_each(|input: &[u8]| {
        let bytes = mutate(input, &samples);
        check(&bytes);
        upstream::is_closed_kline(&bytes);
    });
}

/// Words of the protocol in any order.
#[test]
fn fuzz_upstream_words() {
    bolero::check!().with_max_len(60).for_each(|input: &[u8]| check(spell(input, WORDS).as_bytes()));
}

/// The lines we send are commands, whatever the names are.
#[test]
fn fuzz_subscribe_line() {
    bolero::check!().with_max_len(40).for_each(|input: &[u8]| {
        let name = spell(input, WORDS);
        let line = upstream::subscribe_line(&[name.as_str(), "btcusdt@trade"], 7);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["params"][0], name.as_str());
        assert_eq!(line["id"], 7);
    });
}
