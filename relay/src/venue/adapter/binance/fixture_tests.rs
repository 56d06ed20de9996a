//! The recorded-style sessions and samples of `testdata/binance`, through the adapters.

use serde_json::Value;

use super::super::{Adapter, Conversation, Said};
use super::{Binance, BinanceUsdm};

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../../testdata/binance/", $path))
    };
}

const NOW_MS: u64 = 7;

fn heard(talk: &mut dyn Conversation, message: &str) -> Vec<String> {
    let mut heard = Vec::new();
    talk.decode(message.as_bytes(), NOW_MS, &mut |said| {
        heard.push(match said {
            Said::Data { stream, payload } => {
                let payload: Value = serde_json::from_slice(payload).unwrap();
                format!("{stream} {}", payload["e"].as_str().unwrap_or("list"))
            }
            other => format!("{other:?}"),
        });
    });
    heard
}

/// Goes through one connection's part of a session: says what the client says, and returns what was heard.
fn replay(fixture: &str, conn: Option<&str>, talk: &mut dyn Conversation) -> Vec<String> {
    let mut all = Vec::new();
    for line in fixture.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(text) = line["text"].as_str().filter(|_| line["conn"].as_str() == conn) else { continue };
        if line["from"] == "venue" {
            all.extend(heard(talk, text));
            continue;
        }
        let Ok(request) = serde_json::from_str::<Value>(text) else { continue };
        let (Some(id), Some(names)) = (request["id"].as_u64(), request["params"].as_array()) else { continue };
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        match request["method"].as_str() {
            Some("SUBSCRIBE") => drop(talk.subscribe(&names, id)),
            Some("UNSUBSCRIBE") => drop(talk.unsubscribe(&names, id)),
            _ => {}
        }
    }
    all
}

#[test]
fn the_spot_session_is_understood() {
    let mut talk = Binance::new("/").converse(0);
    let expected = [
        "btcusdt@ticker 24hrTicker",
        "btcusdt@depth5@100ms depthUpdate",
        "btcusdt@bookTicker bookTicker",
        "Ack { id: Some(10) }",
        "Ack { id: Some(11) }",
        "btcusdt@kline_1m kline",
        "Shutdown",
    ];
    assert_eq!(replay(fixture!("spot_combined_session.jsonl"), None, &mut *talk), expected);
}

/// We connect where payloads are wrapped. One that is not has lost its name.
#[test]
fn an_unwrapped_payload_has_no_name() {
    let mut talk = Binance::new("/").converse(0);
    let all = replay(fixture!("spot_raw_session.jsonl"), None, &mut *talk);
    assert_eq!(all[1..3], ["Invalid(NoStreamName)", "Invalid(NoStreamName)"]);
    assert!(all.contains(&"btcusdt@trade trade".to_owned()));
}

#[test]
fn the_usdm_session_is_understood_on_either_path() {
    let adapter = BinanceUsdm::new("/");
    let market = [
        "Ack { id: Some(1) }",
        "btcusdt@aggTrade aggTrade",
        "btcusdt@markPrice@1s markPriceUpdate",
        "!ticker@arr list",
    ];
    assert_eq!(replay(fixture!("usdm_routed_session.jsonl"), Some("market"), &mut *adapter.converse(1)), market);
    let public = ["Ack { id: Some(1) }", "btcusdt@depth@100ms depthUpdate", "btcusdt@bookTicker bookTicker"];
    assert_eq!(replay(fixture!("usdm_routed_session.jsonl"), Some("public"), &mut *adapter.converse(0)), public);
}

/// The session asks for `@250ms` itself and is never answered; we ask for the name that has that speed.
#[test]
fn the_silent_speed_is_never_asked_for() {
    let mut talk = BinanceUsdm::new("/").converse(0);
    let line = talk.subscribe(&["btcusdt@depth@100ms", "btcusdt@depth5@250ms", "btcusdt@bookTicker"], 1);
    assert!(!line.contains("250ms") && line.contains("\"btcusdt@depth5\""), "{line}");
}

#[test]
fn errors_of_both_shapes_are_told_with_their_request() {
    for mut talk in [Binance::new("/").converse(0), BinanceUsdm::new("/").converse(0)] {
        let all = replay(fixture!("control_errors.jsonl"), None, &mut *talk);
        assert_eq!(all.len(), 10);
        assert!(all.iter().all(|said| said.starts_with("Error { id: ")), "{all:?}");
        assert_eq!(all[8], r#"Error { id: Some(18), code: 2, msg: "Invalid request: too many parameters" }"#);
    }
}

/// What the venue's samples name is asked for where it is served, and passes but for the two that lack keys.
#[test]
fn samples_pass_as_they_are() {
    let check = |samples: &str, adapter: &dyn Adapter, shaped: &[&str]| {
        let samples: Value = serde_json::from_str(samples).unwrap();
        for (stream, payload) in samples.as_object().unwrap() {
            let mut talk = adapter.converse(adapter.lane_of(stream).unwrap_or_else(|| panic!("{stream}")));
            talk.subscribe(&[stream], 1);
            let sent = payload.to_string();
            let mut count = 0;
            talk.decode(format!("{{\"stream\":\"{stream}\",\"data\":{sent}}}").as_bytes(), NOW_MS, &mut |said| {
                let Said::Data { stream: named, payload } = said else { panic!("{said:?}") };
                assert_eq!(named, stream);
                assert_eq!(payload != sent.as_bytes(), shaped.contains(&named), "{named}");
                count += 1;
            });
            assert_eq!(count, 1);
        }
    };
    check(fixture!("payloads_spot.json"), &Binance::new("/"), &["btcusdt@bookTicker", "btcusdt@depth5"]);
    check(fixture!("payloads_usdm.json"), &BinanceUsdm::new("/"), &[]);
}
