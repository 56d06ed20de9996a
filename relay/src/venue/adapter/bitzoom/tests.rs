//! Placing payloads without names, and the venue's documented samples and session.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../../testdata/bitzoom/", $path))
    };
}

fn heard(talk: &mut Talk, message: &str) -> Vec<String> {
    let mut heard = Vec::new();
    talk.decode(message.as_bytes(), 0, &mut |said| {
        heard.push(match said {
            Said::Data { stream, payload } => {
                assert!(
                    message.as_bytes().windows(payload.len()).any(|part| part == payload),
                    "payloads are untouched"
                );
                stream.to_owned()
            }
            other => format!("{other:?}"),
        });
    });
    heard
}

const NO_NAME: &str = "Invalid(NoStreamName)";

#[test]
fn only_what_the_page_lists_has_a_lane() {
    let adapter = Bitzoom::new("/ws");
    let check = |stream: &str, expected| assert_eq!(adapter.lane_of(stream), expected, "{stream}");
    for stream in [
        "btcusdt@ticker",
        "btcusdt@miniTicker",
        "!ticker@arr",
        "btcusdt@depth5",
        "btcusdt@depth20@250ms",
        "btcusdt@kline_1M",
        "btcusdt@trade",
        "btcusdt@aggTrade",
        "btcusdt@markPrice",
        "btcusdt@markPrice@1s",
    ] {
        check(stream, Some(0));
    }
    for stream in [
        "btcusdt@depth",
        "btcusdt@depth@100ms",
        "btcusdt@bookTicker",
        "!miniTicker@arr",
        "!markPrice@arr",
        "btcusdt@kline_1s",
        "btcusdt@depth5@1s",
        "btcusdt@book",
        "BTCUSDT@trade",
    ] {
        check(stream, None);
    }
    assert_eq!(adapter.lanes(), [Lane { name: "", path: "/ws".into() }]);
}

/// Every sample of the page finds its stream, wrapped or not.
#[test]
fn the_documented_payloads_find_their_streams() {
    let samples: Value = serde_json::from_str(fixture!("payloads.json")).unwrap();
    let samples = samples["streams"].as_object().unwrap();
    let mut talk = Talk::default();
    let names: Vec<&str> = samples.keys().map(String::as_str).collect();
    assert!(names.iter().all(|name| is_served(name)));
    talk.subscribe(&names, 1);
    for (stream, payload) in samples {
        assert_eq!(heard(&mut talk, &payload.to_string()), [stream.as_str()]);
        let wrapped = format!("{{\"stream\":\"{stream}\",\"data\":{payload}}}");
        assert_eq!(heard(&mut talk, &wrapped), [stream.as_str()]);
    }
    talk.unsubscribe(&names, 2);
    assert!(talk.asked.is_empty());
    for payload in samples.values() {
        assert_eq!(heard(&mut talk, &payload.to_string()), [NO_NAME], "nobody asked for it");
    }
}

/// The recorded session: what the client says is what we say, and all the venue says is understood.
#[test]
fn the_recorded_session_is_ours() {
    let mut talk = Talk::default();
    let mut all = Vec::new();
    for line in fixture!("session.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(text) = line["text"].as_str() else { continue };
        if line["from"] == "venue" {
            all.extend(heard(&mut talk, text));
            continue;
        }
        let request: Value = serde_json::from_str(text).unwrap();
        let id = request["id"].as_u64().unwrap();
        let names: Vec<&str> =
            request["params"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
        match request["method"].as_str().unwrap() {
            "SUBSCRIBE" => assert_eq!(talk.subscribe(&names, id), text),
            "UNSUBSCRIBE" => assert_eq!(talk.unsubscribe(&names, id), text),
            _ => {}
        }
    }
    let expected = [
        "Ack { id: Some(1) }",
        "btcusdt@ticker",
        "btcusdt@trade",
        "btcusdt@kline_1h",
        "Ack { id: Some(1) }",
        "btcusdt@depth10@250ms",
        "Ack { id: Some(3) }",
        r#"Error { id: Some(4), code: 2, msg: "Invalid request: invalid stream" }"#,
        "Ack { id: Some(2) }",
    ];
    assert_eq!(all, expected);
}

#[test]
fn what_a_full_connection_is_told_is_understood() {
    let replies = fixture!("limits.jsonl").lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["from"] == "venue").then(|| line["text"].as_str().map(str::to_owned)).flatten()
    });
    let all: Vec<String> = replies.flat_map(|text| heard(&mut Talk::default(), &text)).collect();
    assert_eq!(all, ["Ack { id: Some(1) }", r#"Error { id: Some(2), code: 4, msg: "Too many subscriptions" }"#]);
}

fn book(count: usize) -> String {
    let rows = vec![r#"["1","2"]"#; count].join(",");
    format!(r#"{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[{rows}],"a":[["3","4"]]}}"#)
}

#[test]
fn levels_tell_books_apart_and_speeds_do_not() {
    let mut talk = Talk::default();
    talk.subscribe(&["btcusdt@depth5", "btcusdt@depth5@100ms", "btcusdt@depth20", "ethusdt@depth5"], 1);
    assert_eq!(heard(&mut talk, &book(5)), ["btcusdt@depth5", "btcusdt@depth5@100ms"]);
    assert_eq!(heard(&mut talk, &book(20)), ["btcusdt@depth20"]);
    // A book of seven levels is whole, and too long for the short ones.
    assert_eq!(heard(&mut talk, &book(7)), ["btcusdt@depth20"]);
    // One of three is whole for all.
    assert_eq!(heard(&mut talk, &book(3)), ["btcusdt@depth5", "btcusdt@depth5@100ms", "btcusdt@depth20"]);
    assert_eq!(heard(&mut talk, &book(21)), [NO_NAME]);
}

#[test]
fn candles_are_placed_by_interval() {
    let mut talk = Talk::default();
    talk.subscribe(&["btcusdt@kline_1m", "btcusdt@kline_1M"], 1);
    let candle = |interval: &str| format!(r#"{{"e":"kline","s":"BTCUSDT","k":{{"t":1,"i":"{interval}"}}}}"#);
    assert_eq!(heard(&mut talk, &candle("1m")), ["btcusdt@kline_1m"]);
    assert_eq!(heard(&mut talk, &candle("1M")), ["btcusdt@kline_1M"]);
    assert_eq!(heard(&mut talk, &candle("3m")), [NO_NAME]);
    assert_eq!(heard(&mut talk, r#"{"e":"kline","s":"BTCUSDT"}"#), [NO_NAME]);
}

#[test]
fn both_rates_of_the_mark_price_get_it() {
    let mut talk = Talk::default();
    talk.subscribe(&["btcusdt@markPrice", "btcusdt@markPrice@1s"], 1);
    let price = r#"{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"1"}"#;
    assert_eq!(heard(&mut talk, price), ["btcusdt@markPrice", "btcusdt@markPrice@1s"]);
}

#[test]
fn what_names_nothing_is_told() {
    let mut talk = Talk::default();
    talk.subscribe(&["btcusdt@ticker"], 1);
    for text in
        ["{}", "[]", "1", "null", r#"{"e":"24hrTicker"}"#, r#"{"s":"BTCUSDT"}"#, r#"[{"e":"24hrTicker","s":"A"}]"#]
    {
        assert_eq!(heard(&mut talk, text), [NO_NAME], "{text}");
    }
    talk.subscribe(&[ALL_TICKERS], 2);
    assert_eq!(heard(&mut talk, r#"[{"e":"24hrTicker","s":"A"}]"#), [ALL_TICKERS]);
    assert_eq!(heard(&mut talk, "[]"), [ALL_TICKERS]);
    assert_eq!(heard(&mut talk, r#"[{"e":"24hrMiniTicker","s":"A"}]"#), [NO_NAME]);
}

#[test]
fn asking_twice_changes_nothing() {
    let mut talk = Talk::default();
    talk.subscribe(&["btcusdt@trade", "btcusdt@trade"], 1);
    talk.subscribe(&["btcusdt@trade"], 2);
    assert_eq!(heard(&mut talk, r#"{"e":"trade","s":"BTCUSDT"}"#), ["btcusdt@trade"]);
}

proptest! {
    #[test]
    fn any_message_has_a_meaning(
        event in "(24hrTicker|kline|depthUpdate|trade|x)",
        value in "(1|null|\"BTCUSDT\"|\\[\\]|\\[1,2\\]|\\{\\}|\\{\"i\":\"1m\"\\})",
        key in "(s|k|b|a|e)",
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut talk = Talk::default();
        talk.subscribe(&["btcusdt@depth5", "btcusdt@kline_1m", "btcusdt@trade"], 1);
        for message in [format!("{{\"e\":\"{event}\",\"s\":\"BTCUSDT\",\"{key}\":{value}}}").into_bytes(), bytes] {
            let mut count = 0;
            talk.decode(&message, 0, &mut |_| count += 1);
            prop_assert!(count > 0);
        }
    }
}
