//! What a client of the stream dialect may ask, and what it gets: every example of the document, and their edges.

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::PATIENCE;
use support::client::{Client, is_reply};
use support::relay::Relay;

/// A stream of each type in the document, and its payload's keys in the document's order.
const DOCUMENTED: [(&str, &str); 9] = [
    ("btcusdt@ticker", "e E s p P w c Q o h l v q O C F L n"),
    ("btcusdt@miniTicker", "e E s c o h l v q"),
    ("btcusdt@depth10@100ms", "e E s U u b a"),
    ("btcusdt@depth5", "e E s U u b a"),
    ("btcusdt@kline_1h", "e E s k"),
    ("btcusdt@trade", "e E s t p q T m"),
    ("btcusdt@aggTrade", "e E s a p q f l T m"),
    ("btcusdt@markPrice", "e E s p i r T"),
    ("btcusdt@markPrice@1s", "e E s p i r T"),
];

/// The keys of an object in the order of the text.
fn keys(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).expect("JSON");
    let mut keys: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
    // A key of ours may also be one further inside, but never before its own place.
    keys.sort_by_key(|key| text.find(&format!("\"{key}\":")));
    keys
}

fn check_error(client: &mut Client, request: &str, expected: &str) {
    assert_eq!(client.request(request), expected, "{request}");
}

/// Proves that a relay without any flag greets, and has data for a client, within the first second.
#[test]
fn data_in_the_first_second() {
    // The machine may be busy with something else: one quick start of several is enough.
    let quickest = (0..5).map(|_| {
        let start = Instant::now();
        let relay = Relay::start();
        assert!(relay.greeting.starts_with(&format!("relay {} listens on ", env!("CARGO_PKG_VERSION"))));
        assert!(relay.greeting.contains(&format!("ws://{}/ws/btcusdt@trade", relay.public)));
        let mut client = relay.client("/ws/btcusdt@trade");
        assert_eq!(client.json()["e"], "trade");
        start.elapsed()
    });
    let first = quickest.into_iter().find(|time| *time < Duration::from_secs(1));
    assert!(first.is_some(), "no start within a second");
}

/// Proves that each documented stream is acknowledged, has data at once, and has the documented keys in their order.
#[test]
fn documented_streams_have_their_payloads() {
    let relay = Relay::start();
    for (name, expected) in DOCUMENTED {
        let mut client = relay.client("/ws");
        client.send(&format!(r#"{{"method":"SUBSCRIBE","params":["{name}"],"id":1}}"#));
        assert_eq!(client.text(), r#"{"result":null,"id":1}"#, "{name}");
        let text = client.text();
        assert_eq!(keys(&text).join(" "), expected, "{name}: {text}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["s"], "BTCUSDT", "{name}");
    }
    let mut client = relay.client("/ws");
    client.subscribe(&["!ticker@arr"]);
    let rows = client.json();
    assert_eq!(rows[0]["e"], "24hrTicker", "{rows}");
    let mut client = relay.client("/ws/btcusdt@kline_1h");
    let text = client.text();
    let candle = keys(&text[text.find("\"k\":").expect("a candle") + 4..text.len() - 1]);
    assert_eq!(candle.join(" "), "t T s i o c h l v n x q");
}

/// Proves that the document's Python client works as it stands: bare /ws, spaced JSON, one id for all.
#[test]
fn the_documents_python_client_works() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    client.send(r#"{"method": "SUBSCRIBE", "params": ["btcusdt@ticker", "btcusdt@trade", "btcusdt@kline_1m"], "id": 1}"#);
    assert_eq!(client.text(), r#"{"result":null,"id":1}"#);
    let mut seen = BTreeMap::new();
    while seen.len() < 3 {
        let data = client.json();
        let event = data["e"].as_str().expect("an event").to_owned();
        match event.as_str() {
            "24hrTicker" => assert!(data["c"].is_string() && data["P"].is_string()),
            "trade" => assert!(data["p"].is_string() && data["q"].is_string()),
            "kline" => assert_eq!(data["k"]["i"], "1m"),
            other => panic!("{other} was not asked for"),
        }
        *seen.entry(event).or_insert(0) += 1;
    }
    let list = client.request(r#"{"method": "LIST_SUBSCRIPTIONS", "id": 1}"#);
    assert_eq!(list, r#"{"result":["btcusdt@ticker","btcusdt@trade","btcusdt@kline_1m"],"id":1}"#);
    assert_eq!(client.request(r#"{"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}"#), r#"{"result":null,"id":1}"#);
    assert_eq!(client.list(), ["btcusdt@ticker", "btcusdt@kline_1m"]);
}

/// Proves that the document's JavaScript requests work, one after the other on one connection.
#[test]
fn the_documents_javascript_client_works() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    let check = |client: &mut Client, request, expected| assert_eq!(client.request(request), expected);
    check(&mut client, r#"{"method":"SUBSCRIBE","params":["btcusdt@ticker","ethusdt@ticker"],"id":1}"#, r#"{"result":null,"id":1}"#);
    check(&mut client, r#"{"method":"UNSUBSCRIBE","params":["btcusdt@ticker"],"id":2}"#, r#"{"result":null,"id":2}"#);
    check(&mut client, r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, r#"{"result":["ethusdt@ticker"],"id":3}"#);
    check(&mut client, r#"{"method":"SUBSCRIBE","params":["btcusdt@depth10@100ms"],"id":1}"#, r#"{"result":null,"id":1}"#);
    check(&mut client, r#"{"method":"SUBSCRIBE","params":["btcusdt@kline_1h"],"id":1}"#, r#"{"result":null,"id":1}"#);
    let deadline = Instant::now() + PATIENCE;
    let mut missing = vec!["24hrTicker", "depthUpdate", "kline"];
    while !missing.is_empty() {
        assert!(Instant::now() < deadline, "no {missing:?}");
        let event = client.json()["e"].as_str().expect("an event").to_owned();
        missing.retain(|wanted| *wanted != event);
    }
}

/// Proves that an id comes back with its JSON type and text, whatever it is.
#[test]
fn ids_come_back_as_they_were() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    for id in [
        "0",
        "1",
        "-9",
        "4294967297",
        "9223372036854775807",
        "null",
        r#""""#,
        r#""1""#,
        r#""3f2a9c0b7d1e4f6a8b9c0d1e2f3a4b5c""#,
        r#""550e8400-e29b-41d4-a716-446655440000""#,
        r#""币""#,
    ] {
        for (method, result) in [
            (r#""method":"SUBSCRIBE","params":["ethusdt@kline_1w"]"#, "null"),
            (r#""method":"LIST_SUBSCRIPTIONS""#, r#"["ethusdt@kline_1w"]"#),
            (r#""method":"GET_PROPERTY","params":["combined"]"#, "false"),
            (r#""method":"UNSUBSCRIBE","params":["ethusdt@kline_1w"]"#, "null"),
        ] {
            let reply = client.request(&format!(r#"{{{method},"id":{id}}}"#));
            assert_eq!(reply, format!(r#"{{"result":{result},"id":{id}}}"#));
        }
        let reply = client.request(&format!(r#"{{"id":{id},"method":"SUBSCRIBE","params":["x@nothing"]}}"#));
        assert_eq!(reply, format!(r#"{{"error":{{"code":2,"msg":"Invalid request: invalid stream"}},"id":{id}}}"#));
    }
}

/// Proves that the wrapper follows SET_PROPERTY at once and in both directions, for every stream.
#[test]
fn the_wrapper_is_switched_live() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    client.subscribe(&["btcusdt@trade", "btcusdt@depth5@100ms"]);
    for combined in [true, false, true] {
        let request = format!(r#"{{"method":"SET_PROPERTY","params":["combined",{combined}],"id":5}}"#);
        client.send(&request);
        // What was sent before the switch may still come; after the reply everything has the new form.
        let mut text = client.text();
        while !is_reply(&text) {
            text = client.text();
        }
        assert_eq!(text, r#"{"result":null,"id":5}"#);
        for _ in 0..20 {
            let text = client.text();
            assert_eq!(text.starts_with(r#"{"stream":"btcusdt@"#), combined, "{text}");
        }
        let property = client.request(r#"{"method":"GET_PROPERTY","params":["combined"],"id":6}"#);
        assert_eq!(property, format!(r#"{{"result":{combined},"id":6}}"#));
        // The kept frames came before the reply and after the switch.
    }
    let mut combined = relay.client("/stream?streams=btcusdt@trade");
    let first = combined.json();
    assert_eq!((&first["stream"], &first["data"]["e"]), (&"btcusdt@trade".into(), &"trade".into()));
    let mut bare = relay.client("/stream");
    bare.subscribe(&["btcusdt@ticker"]);
    assert!(bare.text().starts_with(r#"{"stream":"btcusdt@ticker","data":{"e":"24hrTicker""#));
}

/// Proves that names are listed in the order of subscription, and that a held name keeps its place and its frames.
#[test]
fn lists_keep_the_order_and_doubles_change_nothing() {
    let relay = Relay::start();
    let mut client = relay.client("/ws/ethusdt@trade");
    let names = ["btcusdt@kline_1M", "btcusdt@ticker", "BTCUSDT@trade", "btcusdt@ticker", "btcusdt@kline_1m"];
    client.subscribe(&names);
    let expected = ["ethusdt@trade", "btcusdt@kline_1M", "btcusdt@ticker", "btcusdt@trade", "btcusdt@kline_1m"];
    assert_eq!(client.list(), expected);
    client.subscribe(&["btcusdt@trade", "ethusdt@trade"]);
    assert_eq!(client.list(), expected);
    client.unsubscribe(&["btcusdt@ticker", "never@trade", "nonsense"]);
    client.subscribe(&["btcusdt@ticker"]);
    assert_eq!(client.list()[1..], ["btcusdt@kline_1M", "btcusdt@trade", "btcusdt@kline_1m", "btcusdt@ticker"]);
    // Nothing comes twice: the trades of one symbol have ascending numbers.
    let mut last = BTreeMap::new();
    let mut trades = 0;
    while trades < 12 {
        let data = client.json();
        if data["e"] == "trade" {
            let (symbol, number) = (data["s"].as_str().expect("a symbol").to_owned(), data["t"].as_u64());
            let before = last.insert(symbol, number);
            assert!(before.is_none_or(|before| before < number), "{data}");
            trades += 1;
        }
    }
}

/// Proves that a subscriber of a state stream gets the last value at once, behind the acknowledgement.
#[test]
fn the_last_value_comes_at_once_behind_the_acknowledgement() {
    let relay = Relay::start();
    let mut first = relay.client("/ws/btcusdt@markPrice");
    let mut last = first.text();
    for _ in 0..5 {
        let mut client = relay.client("/ws");
        client.send(r#"{"method":"SUBSCRIBE","params":["btcusdt@markPrice"],"id":1}"#);
        assert_eq!(client.text(), r#"{"result":null,"id":1}"#);
        let value = client.text();
        // A new value every three seconds: the client has the same one, or the one after it.
        while last != value {
            last = first.text();
        }
    }
}

/// Proves that no frame of a stream follows the acknowledgement of its end.
#[test]
fn nothing_follows_the_end_of_a_subscription() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    for _ in 0..10 {
        client.subscribe(&["btcusdt@depth20@100ms", "btcusdt@trade"]);
        while client.json()["e"] != "depthUpdate" {}
        client.send(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@depth20@100ms"],"id":2}"#);
        while !is_reply(&client.text()) {}
        for _ in 0..2 {
            assert_eq!(client.json()["e"], "trade");
        }
        client.unsubscribe(&["btcusdt@trade"]);
        // What came before the acknowledgement is not looked at.
        client = relay.client("/ws");
    }
}

/// Proves the table of errors, each in the nested form and with the id where there is one.
#[test]
fn mistakes_are_answered_by_the_table() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    let mut check = |request: &str, code: i32, msg: &str, id: Option<&str>| {
        let id = id.map_or(String::new(), |id| format!(r#","id":{id}"#));
        let msg = Value::from(msg);
        check_error(&mut client, request, &format!(r#"{{"error":{{"code":{code},"msg":{msg}}}{id}}}"#));
    };
    let variants = "expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`";
    check(r#"{"method":"SET_PROPERTY","params":["color",true],"id":1}"#, 0, "Unknown property", Some("1"));
    check(r#"{"method":"GET_PROPERTY","params":["color"],"id":1}"#, 0, "Unknown property", Some("1"));
    check(r#"{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}"#, 1, "Invalid value type: expected Boolean", Some("1"));
    check(r#"{"method":"SET_PROPERTY","params":["combined"],"id":1}"#, 1, "Invalid value type: expected Boolean", Some("1"));
    let property = "Invalid request: property name must be a string";
    check(r#"{"method":"GET_PROPERTY","params":[7],"id":1}"#, 2, property, Some("1"));
    check(r#"{"method":"GET_PROPERTY","id":1}"#, 2, property, Some("1"));
    let id = "Invalid request: request ID must be an unsigned integer";
    check(r#"{"method":"LIST_SUBSCRIPTIONS"}"#, 2, id, None);
    check(r#"{"method":"LIST_SUBSCRIPTIONS","id":1.5}"#, 2, id, None);
    check(r#"{"method":"LIST_SUBSCRIPTIONS","id":{}}"#, 2, id, None);
    check("[]", 2, id, None);
    check("7", 2, id, None);
    check(r#"{"method":"FOO","params":[],"id":3}"#, 2, &format!("Invalid request: unknown variant `FOO`, {variants} at line 1 column 15"), Some("3"));
    check(r#"{"method":"LIST_SUBSCRIPTIONS","params":["x"],"id":1}"#, 2, "Invalid request: too many parameters", Some("1"));
    check(r#"{"params":["btcusdt@trade"],"id":2}"#, 2, "Invalid request: missing field `method` at line 1 column 36", Some("2"));
    let invalid = "Invalid request: invalid stream";
    for name in ["not a stream", "btcusdt@depth7", "btcusdt@trdae", "btcusdt", "", "btcusdt@kline_7m", "btcusdt@depth@1ms"] {
        check(&format!(r#"{{"method":"SUBSCRIBE","params":["{name}"],"id":4}}"#), 2, invalid, Some("4"));
    }
    check(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade",5],"id":4}"#, 2, invalid, Some("4"));
    check("[object Object]", 3, "Invalid JSON: expected value at line 1 column 2", None);
    drop(check);
    // One bad name rejects the whole list.
    let reply = client.request(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","x@y"],"id":4}"#);
    assert!(reply.contains(invalid), "{reply}");
    assert_eq!(client.list(), [""; 0]);
    let reply = client.request("");
    assert!(reply.starts_with(r#"{"error":{"code":3,"msg":"Invalid JSON: "#), "{reply}");
    client.send_bytes(&support::frame::message(support::frame::BINARY, br#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#));
    let reply = client.reply();
    assert!(reply.starts_with(r#"{"error":{"code":"#), "{reply}");
    // After all of it the connection still works.
    client.subscribe(&["btcusdt@trade"]);
    assert_eq!(client.json()["e"], "trade");
}

/// Proves that under the binance profile what looks like a name is acknowledged, listed as written, and silent.
#[test]
fn the_binance_profile_acknowledges_what_stays_silent() {
    let relay = Relay::with(&["--profile", "binance"]);
    let mut client = relay.client("/stream?streams=btcusdt@ticker");
    client.subscribe(&["BTCUSDT@trade", "nosuch@trade", "btcusdt@trdae"]);
    assert_eq!(client.list(), ["btcusdt@ticker", "BTCUSDT@trade", "nosuch@trade", "btcusdt@trdae"]);
    let reply = client.request(r#"{"method":"SUBSCRIBE","params":["not a stream"],"id":1}"#);
    assert_eq!(reply, r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#);
    for _ in 0..3 {
        assert_eq!(client.json()["stream"], "btcusdt@ticker");
    }
}

/// Proves that a bad name in the URL costs one error and not the good ones.
#[test]
fn bad_names_in_the_url_leave_the_good_ones() {
    let relay = Relay::start();
    let error = r#"{"error":{"code":2,"msg":"Invalid request: invalid stream btcusdt@depth7, nonsense"}}"#;
    let mut raw = relay.client("/ws/btcusdt@trade/btcusdt@depth7/nonsense");
    assert_eq!(raw.reply(), error);
    assert_eq!(raw.json()["e"], "trade");
    assert_eq!(raw.list(), ["btcusdt@trade"]);
    let mut combined = relay.client("/stream?streams=btcusdt@depth7/btcusdt@trade/nonsense");
    assert_eq!(combined.reply(), error);
    assert_eq!(combined.json()["stream"], "btcusdt@trade");
}

/// Proves that several names in a URL are all subscribed, raw ones unwrapped and in order.
#[test]
fn names_in_the_url_are_subscribed() {
    let relay = Relay::start();
    let mut client = relay.client("/ws/btcusdt@ticker/ethusdt@ticker/btcusdt@trade");
    assert_eq!(client.list(), ["btcusdt@ticker", "ethusdt@ticker", "btcusdt@trade"]);
    assert!(client.json()["e"].is_string());
    for target in [
        "/ws/btcusdt%40ticker%2Fethusdt%40ticker",
        "/ws/BTCUSDT@ticker/ethusdt@ticker/",
        "/stream?streams=btcusdt%40ticker%2fethusdt%40ticker",
        "/stream?streams=btcusdt@ticker/ethusdt@ticker&timeUnit=millisecond",
    ] {
        let mut client = relay.client(target);
        assert_eq!(client.list(), ["btcusdt@ticker", "ethusdt@ticker"], "{target}");
        assert_eq!(client.json().get("stream").is_some(), target.starts_with("/stream"), "{target}");
    }
    let mut client = relay.client("/ws/%E5%B8%81usdt@trade");
    assert_eq!(client.list(), ["币usdt@trade"]);
}

/// Proves that an unknown symbol is accepted and silent by default, and refused with `strict`.
#[test]
fn unknown_symbols_are_silent_or_refused() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    client.subscribe(&["nosuchusdt@trade", "btcusdt@trade"]);
    assert_eq!(client.list(), ["nosuchusdt@trade", "btcusdt@trade"]);
    assert_eq!(client.json()["s"], "BTCUSDT");
    let strict = Relay::configured("strict = true", &[]);
    let mut client = strict.client("/ws");
    let reply = client.request(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","nosuchusdt@trade"],"id":1}"#);
    assert!(reply.starts_with(r#"{"error":{"code":2,"#) && reply.ends_with(r#","id":1}"#), "{reply}");
    assert_eq!(client.list(), [""; 0]);
}

/// Proves that clients on both shards see the same frames of one stream, in one order and without a hole.
#[test]
fn both_shards_have_all_frames() {
    let relay = Relay::with(&["--shards", "2"]);
    let mut clients = Vec::new();
    while ["0", "1"].iter().any(|shard| relay.count_where("relay_upgrades_total", &format!("shard=\"{shard}\"")) < 2.0) {
        clients.push(relay.client("/ws/btcusdt@trade"));
    }
    let sequences: Vec<Vec<String>> =
        clients.iter_mut().map(|client| (0..20).map(|_| client.text()).collect()).collect();
    // Everybody joined somewhere: from the latest beginning on all are the same.
    let number = |text: &String| serde_json::from_str::<Value>(text).expect("JSON")["t"].as_u64();
    let from = sequences.iter().map(|frames| number(&frames[0])).max().flatten();
    let to = sequences.iter().map(|frames| number(&frames[19])).min().flatten();
    let common = |frames: &Vec<String>| -> Vec<String> {
        frames.iter().filter(|text| number(text) >= from && number(text) <= to).cloned().collect()
    };
    let expected = common(&sequences[0]);
    assert!(expected.len() > 3, "they overlap");
    for frames in &sequences {
        assert_eq!(common(frames), expected);
    }
}
