//! The Deriv dialect end to end: the recorded sessions, calls and their answers, subscriptions and their ends.

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use support::client::{Client, Got};
use support::deriv::{PATH, call, is_push, next_push, next_reply};
use support::fixture;
use support::frame::{BINARY, message};
use support::http;
use support::relay::Relay;
use support::shape::same;

#[track_caller]
fn expect_error(answer: &Value, msg_type: &str, code: &str, words: &str) {
    let got = (answer["msg_type"].as_str(), answer["error"]["code"].as_str(), answer["error"]["message"].as_str());
    assert_eq!(got, (Some(msg_type), Some(code), Some(words)), "{answer}");
}

/// Subscribes to ticks; the first of them and the subscription's id.
#[track_caller]
fn ticks(client: &mut Client, symbol: &str) -> (Value, String) {
    let request = json!({"ticks": symbol, "subscribe": 1});
    client.send(&request.to_string());
    let first = next_push(client, &request);
    let id = first["subscription"]["id"].as_str().expect("an id").to_owned();
    (first, id)
}

/// Replays a recorded session: ids and prices are samples, the rest is not.
fn replay(relay: &Relay, name: &str, before_last: impl FnOnce(&mut Client)) {
    let lines = fixture::read(name);
    let mut before_last = Some(before_last);
    let mut client = None;
    let mut asked = Value::Null;
    let mut id = String::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((path, status)) = line.connect() {
            let opened = relay.client(path);
            assert_eq!(opened.answer.status, status);
            client = Some(opened);
            continue;
        }
        let client = client.as_mut().expect("it is connected");
        let text: Value = serde_json::from_str(line.text().expect("a text")).expect("JSON");
        if line.is_clients() {
            if at + 2 == lines.len()
                && let Some(prepare) = before_last.take()
            {
                prepare(client);
            }
            asked = text;
            if asked.get("forget").is_some() {
                asked["forget"] = json!(id);
            }
            client.send(&asked.to_string());
            continue;
        }
        let mut recorded = text;
        let got = if is_push(&recorded) { next_push(client, &recorded["echo_req"]) } else { next_reply(client) };
        if got.get("subscription").is_some() {
            id = got["subscription"]["id"].as_str().expect("an id").to_owned();
        }
        if recorded["echo_req"].get("forget").is_some() {
            recorded["echo_req"]["forget"] = json!(id);
        }
        assert_eq!(got["echo_req"], recorded["echo_req"], "what was asked, {asked}, is repeated");
        same(&recorded, &got);
    }
}

#[test]
fn the_recorded_session() {
    replay(&Relay::start(), "deriv/session.jsonl", |_| {});
}

#[test]
fn the_recorded_history() {
    replay(&Relay::start(), "deriv/ticks_history.jsonl", |_| {});
}

/// The record's last error is that of a budget which is spent; it leaves out how.
#[test]
fn the_recorded_errors() {
    replay(&Relay::start(), "deriv/errors.jsonl", |client| {
        for _ in 0..216 {
            client.send(r#"{"time":1}"#);
        }
        for _ in 0..216 {
            assert_eq!(next_reply(client)["msg_type"], "time");
        }
    });
}

/// Proves that a connection without a frame either way is closed as recorded, and not one with calls or pushes.
#[test]
fn the_recorded_end_of_an_idle_connection() {
    let relay = Relay::configured("[deriv]\nidle = \"3s\"\n", &[]);
    let lines = fixture::read("deriv/idle_close.jsonl");
    let (code, reason) = lines.iter().find_map(|line| line.close()).expect("a close");
    let mut listening = relay.client(PATH);
    ticks(&mut listening, "R_100");
    let mut idle = relay.client(PATH);
    assert_eq!(call(&mut idle, &json!({"ping": 1}))["ping"], "pong");
    let mut asking = relay.client(PATH);
    let asks = std::thread::spawn(move || {
        // As long as it takes the idle one to be closed, with pauses shorter than the limit.
        for _ in 0..8 {
            assert_eq!(call(&mut asking, &json!({"ping": 1}))["ping"], "pong");
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    });
    assert_eq!(idle.closed(), (Some(code), reason.to_owned()));
    // Two more pushes after that, none of them asked for.
    let request = json!({"ticks": "R_100", "subscribe": 1});
    (0..3).for_each(|_| drop(next_push(&mut listening, &request)));
    asks.join().expect("calls are traffic");
    assert_eq!(relay.count_where("relay_closes_total", "reason=\"idle\""), 1.0);
}

/// Proves who may connect: an integer `app_id` is needed, and with a list the calls of others are refused.
#[test]
fn the_app_id_decides() {
    let relay = Relay::configured("[deriv]\napp_ids = [1089]\n", &[]);
    for path in ["/websockets/v3", "/websockets/v3?app_id=", "/websockets/v3?app_id=abc", "/websockets/v3?app_id=1.5"] {
        assert_eq!(http::ask(relay.public, &http::upgrade(path)).status, 401, "{path}");
    }
    let mut client = relay.client("/websockets/v3/?l=EN&brand=deriv&app_id=1089");
    assert_eq!(call(&mut client, &json!({"ping": 1}))["ping"], "pong");
    let mut client = relay.client("/websockets/v3?app_id=2");
    for (request, method) in [
        (json!({"ping": 1}), "ping"),
        (json!({"ticks": "R_100", "subscribe": 1}), "ticks"),
        (json!({"time": 1}), "time"),
    ] {
        expect_error(&call(&mut client, &request), method, "InvalidAppID", "Your app_id is invalid.");
    }
    // Without a list any integer will do, and the answer is the document's, byte for byte.
    let relay = Relay::start();
    let mut client = relay.client("/websockets/v3?app_id=7");
    client.send(r#"{"ping":1}"#);
    assert_eq!(client.text(), r#"{"echo_req":{"ping":1},"msg_type":"ping","ping":"pong"}"#);
}

/// Proves that every push repeats the request, `req_id` and `passthrough`, under one id per subscription.
#[test]
fn pushes_repeat_what_was_asked() {
    let relay = Relay::with(&["--shards", "2"]);
    let request = json!({
        "ticks": ["R_100", "1HZ100V"], "subscribe": 1, "req_id": 12, "passthrough": {"a": [1.50, null], "b": "\"\u{e4}"}
    });
    let mut clients: Vec<Client> = (0..6).map(|_| relay.client(PATH)).collect();
    clients.iter_mut().for_each(|client| client.send(&request.to_string()));
    for client in &mut clients {
        let mut ids = std::collections::BTreeMap::new();
        let mut epochs = std::collections::BTreeMap::<String, u64>::new();
        for _ in 0..7 {
            let push = client.json();
            same(
                &json!({
                    "echo_req": push["echo_req"], "msg_type": "tick", "req_id": 12, "passthrough": push["passthrough"],
                    "subscription": {"id": "c84a793b-8a87-7999-ce10-9b22f7ceead3"},
                    "tick": {
                        "ask": 1.5, "bid": 1.5, "epoch": 1, "id": "c84a793b-8a87-7999-ce10-9b22f7ceead3", "pip_size": 2,
                        "quote": 1.5, "symbol": push["tick"]["symbol"]
                    }
                }),
                &push,
            );
            assert_eq!((&push["echo_req"], &push["passthrough"]), (&request, &request["passthrough"]));
            assert_eq!(push["tick"]["id"], push["subscription"]["id"]);
            let symbol = push["tick"]["symbol"].as_str().expect("a symbol").to_owned();
            let id = ids.entry(symbol.clone()).or_insert_with(|| push["tick"]["id"].clone());
            assert_eq!(*id, push["tick"]["id"], "the id stays");
            let epoch = push["tick"]["epoch"].as_u64().expect("seconds");
            let before = epochs.insert(symbol.clone(), epoch);
            let period = if symbol == "R_100" { 2 } else { 1 };
            assert!(before.is_none_or(|before| before + period == epoch), "{symbol}: {before:?}, {epoch}");
        }
        let ids: BTreeSet<String> = ids.values().map(Value::to_string).collect();
        assert_eq!(ids.len(), 2, "each symbol has its own");
    }
}

/// Proves that what is held is not held twice, whichever call asks, and that another kind of it may be held beside it.
#[test]
fn what_is_held_is_refused() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    ticks(&mut client, "R_50");
    let words = "You are already subscribed to R_50";
    let again = json!({"ticks": "R_50", "subscribe": 1, "req_id": 9});
    let answer = call(&mut client, &again);
    expect_error(&answer, "ticks", "AlreadySubscribed", words);
    assert_eq!(answer["req_id"], 9);
    expect_error(&call(&mut client, &json!({"ticks": "R_50"})), "ticks", "AlreadySubscribed", words);
    let history = json!({"ticks_history": "R_50", "end": "latest", "count": 2, "subscribe": 1});
    assert_eq!(call(&mut client, &history)["msg_type"], "history");
    expect_error(&call(&mut client, &history), "ticks_history", "AlreadySubscribed", words);
    for granularity in [60, 120] {
        let candles = json!({
            "ticks_history": "R_50", "end": "latest", "count": 2, "style": "candles", "granularity": granularity,
            "subscribe": 1
        });
        assert_eq!(call(&mut client, &candles)["msg_type"], "candles");
        expect_error(&call(&mut client, &candles), "ticks_history", "AlreadySubscribed", words);
    }
    // Two at once: the second is refused though the first has no answer yet.
    let request = json!({"ticks_history": "R_75", "end": "latest", "count": 2, "subscribe": 1});
    client.send(&request.to_string());
    client.send(&request.to_string());
    let answers = [next_reply(&mut client), next_reply(&mut client)];
    let codes: BTreeSet<&str> =
        answers.iter().map(|answer| answer["error"]["code"].as_str().unwrap_or("none")).collect();
    assert_eq!(codes, ["AlreadySubscribed", "none"].into());
}

/// Proves that a bad symbol of a list stops none of the good ones.
#[test]
fn one_bad_symbol_stops_nobody() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    let request = json!({"ticks": ["R_100", "NOPE", "frxEURUSD", "R_100"], "subscribe": 1});
    client.send(&request.to_string());
    let mut refused = Vec::new();
    let mut ticking = BTreeSet::new();
    while refused.len() < 2 || ticking.len() < 2 {
        let got = client.json();
        assert_eq!(got["echo_req"], request);
        match got["error"]["code"].as_str() {
            Some(code) => refused.push(code.to_owned()),
            None => drop(ticking.insert(got["tick"]["symbol"].as_str().expect("a symbol").to_owned())),
        }
    }
    assert_eq!(refused, ["InvalidSymbol", "AlreadySubscribed"]);
    assert_eq!(ticking.into_iter().collect::<Vec<_>>(), ["R_100", "frxEURUSD"]);
}

/// Proves that a tick can be had once, without a subscription and without its slot.
#[test]
fn one_tick_holds_nothing() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    for _ in 0..2 {
        let request = json!({"ticks": "cryBTCUSD", "req_id": 1});
        client.send(&request.to_string());
        let tick = client.json();
        assert_eq!(
            (tick["msg_type"].as_str(), &tick["echo_req"], &tick["req_id"]),
            (Some("tick"), &request, &json!(1))
        );
        assert!(tick.get("subscription").is_none() && tick["tick"]["quote"].is_number(), "{tick}");
    }
    let none = json!({"forget_all": "ticks"});
    assert_eq!(call(&mut client, &none)["forget_all"], json!([]));
    let words = "Symbol R_99 is invalid.";
    expect_error(&call(&mut client, &json!({"ticks": "R_99"})), "ticks", "InvalidSymbol", words);
}

/// Proves that `forget` and `forget_all` end exactly what they name, and that nothing comes of it after their answer.
#[test]
fn what_is_forgotten_is_silent() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    let (_, first) = ticks(&mut client, "1HZ100V");
    let (_, second) = ticks(&mut client, "R_100");
    let history = json!({"ticks_history": "1HZ100V", "end": "latest", "count": 1, "subscribe": 1});
    let third = call(&mut client, &history)["subscription"]["id"].clone();
    let candles = json!({"ticks_history": "1HZ100V", "end": "latest", "count": 1, "style": "candles", "subscribe": 1});
    let fourth = call(&mut client, &candles)["subscription"]["id"].clone();
    let status = call(&mut client, &json!({"website_status": 1, "subscribe": 1}))["subscription"]["id"].clone();
    let ids = BTreeSet::from(
        [&first, &second, third.as_str().expect("an id"), fourth.as_str().expect("an id")].map(String::from),
    );
    assert_eq!(ids.len(), 4);

    assert_eq!(call(&mut client, &json!({"forget": first}))["forget"], 1);
    assert_eq!(call(&mut client, &json!({"forget": first}))["forget"], 0);
    let (_, again) = ticks(&mut client, "1HZ100V");
    assert_eq!(call(&mut client, &json!({"forget": again}))["forget"], 1);
    // Another connection's ids are nothing here.
    let mut other = relay.client(PATH);
    assert_eq!(call(&mut other, &json!({"forget": second}))["forget"], 0);
    assert_eq!(call(&mut client, &json!({"forget_all": "candles"}))["forget_all"], json!([fourth]));
    assert_eq!(call(&mut client, &json!({"forget_all": ["proposal", "balance"]}))["forget_all"], json!([]));
    let both = call(&mut client, &json!({"forget_all": ["ticks", "website_status"]}))["forget_all"].clone();
    let both: BTreeSet<&str> = both.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let expected: BTreeSet<&str> = [&*second, third.as_str().expect("an id"), status.as_str().expect("an id")].into();
    assert_eq!(both, expected);
    // All is silent: another client sees two more seconds pass, and then the next message is the answer to a call.
    let (_, _) = ticks(&mut other, "1HZ100V");
    let request = json!({"ticks": "1HZ100V", "subscribe": 1});
    (0..3).for_each(|_| drop(next_push(&mut other, &request)));
    client.send(r#"{"time":1}"#);
    assert_eq!(client.json()["msg_type"], "time");

    let wrong = json!({"forget_all": "everything"});
    assert_eq!(call(&mut client, &wrong)["error"]["code"], "InputValidationFailed");
    let wrong = json!({"forget": "short"});
    assert_eq!(call(&mut client, &wrong)["error"]["code"], "InputValidationFailed");
}

/// Proves that 220 calls a minute are served, pings beside them, and that what is refused keeps the connection.
#[test]
fn calls_have_a_limit() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    for at in 0..220 {
        let request = if at % 2 == 0 { json!({"time": 1}) } else { json!({"active_symbols": "nonsense"}) };
        assert_ne!(call(&mut client, &request)["error"]["code"], "RateLimit", "call {at}");
    }
    let words = "You have reached the rate limit for time.";
    let answer = call(&mut client, &json!({"time": 1, "req_id": 3}));
    expect_error(&answer, "time", "RateLimit", words);
    assert_eq!(answer["req_id"], 3);
    assert_eq!(call(&mut client, &json!({"ping": 1}))["ping"], "pong");
    // More than ten pings in one second are refused too; that is a matter of how quickly they come.
    (0..200).for_each(|_| client.send(r#"{"ping":1}"#));
    let answers: Vec<Value> = (0..200).map(|_| next_reply(&mut client)).collect();
    let refused =
        answers.iter().find(|answer| answer.get("error").is_some()).expect("200 are more than a few seconds' worth");
    expect_error(refused, "ping", "RateLimit", "You have reached the rate limit for ping.");
    // Another connection has a budget of its own.
    assert!(call(&mut relay.client(PATH), &json!({"time": 1}))["time"].is_u64());
}

/// Proves that a hundred subscriptions may live at a time, and that the next waits until one is forgotten.
#[test]
fn subscriptions_have_a_limit() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    let symbols = call(&mut client, &json!({"active_symbols": "brief"}));
    let names: Vec<&str> =
        symbols["active_symbols"].as_array().expect("rows").iter().filter_map(|row| row["symbol"].as_str()).collect();
    let mut requests = Vec::new();
    for granularity in [0, 60, 120] {
        for name in &names {
            let mut request = json!({"ticks_history": name, "end": "latest", "count": 1, "subscribe": 1});
            if granularity > 0 {
                request["style"] = json!("candles");
                request["granularity"] = json!(granularity);
            }
            requests.push(request);
        }
    }
    let mut ids = Vec::new();
    for request in &requests[..100] {
        let answer = call(&mut client, request);
        ids.push(answer["subscription"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
    }
    let words = "You have reached the rate limit for ticks_history.";
    expect_error(&call(&mut client, &requests[100]), "ticks_history", "RateLimit", words);
    let one = json!({"ticks": "R_100", "subscribe": 1});
    expect_error(&call(&mut client, &one), "ticks", "RateLimit", "You have reached the rate limit for ticks.");
    assert_eq!(call(&mut client, &json!({"forget": ids[50]}))["forget"], 1);
    assert!(call(&mut client, &requests[100]).get("subscription").is_some());
}

/// Proves that the lists of symbols have the documented keys, and that every symbol in them can be had.
#[test]
fn symbols_are_listed() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/deriv/payloads.json");
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("it is there")).expect("JSON");
    let brief = call(&mut client, &json!({"active_symbols": "brief", "product_type": "basic"}));
    let full = call(&mut client, &json!({"active_symbols": "full"}));
    let rows = |answer: &Value| answer["active_symbols"].as_array().expect("rows").clone();
    assert_eq!(rows(&brief).len(), rows(&full).len());
    for recorded in fixture["active_symbols_brief"]["active_symbols"].as_array().expect("rows") {
        let row = |rows: &[Value]| rows.iter().find(|row| row["symbol"] == recorded["symbol"]).cloned();
        let short = row(&rows(&brief)).unwrap_or_else(|| panic!("no {}", recorded["symbol"]));
        same(recorded, &short);
        let full = row(&rows(&full)).expect("it is in both");
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
        let mut expected = keys(&short);
        let more = [
            "spot",
            "spot_time",
            "spot_age",
            "exchange_name",
            "delay_amount",
            "intraday_interval_minutes",
            "quoted_currency_symbol",
        ];
        expected.extend(more.map(str::to_owned));
        assert_eq!(keys(&full), expected);
        assert!(full["spot"].is_number(), "{full}");
    }
    for row in rows(&brief) {
        let request = json!({"ticks": row["symbol"]});
        client.send(&request.to_string());
        let tick = client.json();
        assert_eq!(tick["tick"]["symbol"], row["symbol"], "{tick}");
        let digits = tick["tick"]["pip_size"].as_i64().expect("digits") as i32;
        assert!((row["pip"].as_f64().expect("a number") * 10f64.powi(digits) - 1.0).abs() < 1e-9, "{row} {tick}");
    }
}

/// Proves that limits are told as they are, accounts are not served, and what is no request is answered.
#[test]
fn other_calls_are_answered() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    let status = call(&mut client, &json!({"website_status": 1}));
    assert_eq!(status["website_status"]["api_call_limits"]["max_requestes_general"]["minutely"], 220);
    assert!(status.get("subscription").is_none());
    for method in ["proposal", "authorize", "balance", "buy"] {
        let mut request = json!({});
        request[method] = json!(1);
        let answer = call(&mut client, &request);
        assert_eq!(
            (answer["msg_type"].as_str(), answer["error"]["code"].as_str()),
            (Some(method), Some("AuthorizationRequired"))
        );
    }
    let bad = json!({"error": {"code": "BadRequest", "message": "The application sent an invalid request."}, "msg_type": "error"});
    for text in ["{oops", "", "[]", "7", "\"ping\""] {
        client.send(text);
        assert_eq!(client.json(), bad, "{text}");
    }
    client.send_bytes(&message(BINARY, b"{\"ping\":1}"));
    assert_eq!(client.json(), bad);
    // The numbers of a schema are taken as text too.
    let request = json!({"ticks": "R_100", "subscribe": "1"});
    client.send(&request.to_string());
    assert!(client.json().get("subscription").is_some());
    let long = format!(r#"{{"ping":1,"passthrough":{{"x":"{}"}}}}"#, "x".repeat(5000));
    client.send(&long);
    assert_eq!(next_reply(&mut client)["error"]["code"], "BadRequest");
    client.send(&format!(r#"{{"ping":"{}"}}"#, "x".repeat(65_536)));
    let end = loop {
        if let Got::Close(code, _) = client.next() {
            break code;
        }
    };
    assert_eq!(end, Some(1009));
}
