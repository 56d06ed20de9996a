//! Deriv's history and what follows on it, and clients that fall behind.

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use support::client::{Client, connect_narrow};
use support::deriv::{PATH, call, next_push, next_reply};
use support::http::upgrade;
use support::relay::Relay;
use support::venue::Venue;

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().expect("a list").iter().map(|number| number.as_u64().expect("seconds")).collect()
}

#[track_caller]
fn expect_steps(epochs: &[u64], step: u64) {
    assert!(epochs.windows(2).all(|pair| pair[0] + step == pair[1]), "every {step} s: {epochs:?}");
}

/// Proves that history joins the pushes without a gap and without a double, whenever one asks.
#[test]
fn history_goes_on_in_pushes() {
    let relay = Relay::with(&["--shards", "2"]);
    let mut waiting = Vec::new();
    for (symbol, step) in [("1HZ100V", 1), ("R_100", 2), ("cryBTCUSD", 1)] {
        for number in 0..10 {
            let mut client = relay.client(PATH);
            let request =
                json!({"ticks_history": symbol, "end": "latest", "count": 5, "subscribe": 1, "req_id": number});
            let answer = call(&mut client, &request);
            let times = numbers(&answer["history"]["times"]);
            assert_eq!((times.len(), answer["history"]["prices"].as_array().map(Vec::len)), (5, Some(5)), "{answer}");
            expect_steps(&times, step);
            waiting.push((client, request, times, step, answer["subscription"]["id"].clone()));
            // The answers are to fall everywhere between two ticks.
            std::thread::sleep(std::time::Duration::from_millis(37));
        }
    }
    for (mut client, request, mut times, step, id) in waiting {
        for _ in 0..3 {
            let push = next_push(&mut client, &request);
            assert_eq!(
                (&push["msg_type"], &push["subscription"]["id"], &push["tick"]["id"]),
                (&json!("tick"), &id, &id)
            );
            times.push(push["tick"]["epoch"].as_u64().expect("seconds"));
        }
        expect_steps(&times, step);
    }
}

/// Proves that candles of every granularity stand on its multiples, and that the open one goes on in pushes.
#[test]
fn candles_go_on_in_pushes() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    let granularities = [60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
    let mut open = Vec::new();
    for granularity in granularities {
        let request = json!({
            "ticks_history": "1HZ100V", "end": "latest", "count": 3, "style": "candles", "granularity": granularity,
            "subscribe": 1
        });
        let answer = call(&mut client, &request);
        let candles = answer["candles"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        let epochs: Vec<u64> = candles.iter().map(|candle| candle["epoch"].as_u64().expect("seconds")).collect();
        assert_eq!((epochs.len(), epochs[0] % granularity), (3, 0));
        expect_steps(&epochs, granularity);
        for candle in &candles {
            let [open, high, low, close] =
                ["open", "high", "low", "close"].map(|key| candle[key].as_f64().expect("a number"));
            assert!(low <= open.min(close) && high >= open.max(close), "{candle}");
        }
        open.push((request, candles[2].clone()));
    }
    for (request, last) in open {
        let push = next_push(&mut client, &request);
        let ohlc = &push["ohlc"];
        let granularity = request["granularity"].as_u64().expect("seconds");
        assert_eq!((&push["msg_type"], ohlc["granularity"].as_u64()), (&json!("ohlc"), Some(granularity)));
        let (open_s, epoch_s) =
            (ohlc["open_time"].as_u64().expect("seconds"), ohlc["epoch"].as_u64().expect("seconds"));
        assert_eq!(open_s, epoch_s - epoch_s % granularity);
        if json!(open_s) == last["epoch"] {
            let open: f64 = ohlc["open"].as_str().expect("text").parse().expect("a number");
            assert_eq!(Some(open), last["open"].as_f64(), "it is the candle of the answer");
        }
        let digits = ohlc["close"].as_str().and_then(|close| close.split_once('.')).expect("a decimal").1.len() as u64;
        assert_eq!(Some(digits), ohlc["pip_size"].as_u64());
    }
}

/// Proves the bounds of history: `count`, `start`, `end`, their defaults and their mistakes.
#[test]
fn history_has_bounds() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    let mut times = |more: Value| {
        let mut request = json!({"ticks_history": "R_100", "end": "latest"});
        request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let answer = call(&mut client, &request);
        assert_eq!(answer["msg_type"], "history", "{answer}");
        numbers(&answer["history"]["times"])
    };
    assert_eq!(times(json!({})).len(), 1000, "so many where nothing is said");
    assert_eq!(times(json!({"count": 1})).len(), 1);
    assert_eq!(times(json!({"count": 5000})).len(), 5000);
    assert_eq!(times(json!({"count": 9999})).len(), 5000, "more nobody gets");
    let newest = *times(json!({"count": 1})).last().expect("one");
    let end = newest - 1000;
    assert_eq!(times(json!({"end": end.to_string(), "count": 2})), [end - 2, end]);
    assert_eq!(times(json!({"end": (end + 1).to_string(), "count": 1})), [end]);
    assert_eq!(times(json!({"start": end - 5, "end": end.to_string()})), [end - 4, end - 2, end]);
    assert_eq!(times(json!({"start": end, "end": end.to_string(), "style": "ticks"})), [end]);
    assert_eq!(times(json!({"adjust_start_time": 1, "count": 2, "end": end.to_string(), "start": 1})), [end - 2, end]);
    for (more, code) in [
        (json!({"start": end, "end": (end - 1).to_string()}), "InvalidStartEnd"),
        (json!({"end": "tomorrow"}), "InputValidationFailed"),
        (json!({"end": "latest", "count": 0}), "InputValidationFailed"),
        (json!({"end": "latest", "style": "candles", "granularity": 61}), "InputValidationFailed"),
        (json!({"end": "latest", "style": "bars"}), "InputValidationFailed"),
        (json!({"count": 1}), "InputValidationFailed"),
        (json!({"ticks_history": "NOPE", "end": "latest"}), "InvalidSymbol"),
    ] {
        let mut request = json!({"ticks_history": "R_100"});
        request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let answer = call(&mut client, &request);
        assert_eq!(
            (&answer["msg_type"], &answer["error"]["code"]),
            (&json!("ticks_history"), &json!(code)),
            "{request}"
        );
    }
}

/// Proves that years of daily candles come, while others are served.
#[test]
fn long_histories_come() {
    let relay = Relay::start();
    let (mut client, mut other) = (relay.client(PATH), relay.client(PATH));
    let request =
        json!({"ticks_history": "R_100", "end": "latest", "count": 200, "style": "candles", "granularity": 86400});
    client.send(&request.to_string());
    let tick = json!({"ticks": "R_50"});
    other.send(&tick.to_string());
    assert_eq!(other.json()["msg_type"], "tick");
    let answer = next_reply(&mut client);
    let epochs: Vec<u64> = answer["candles"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .iter()
        .filter_map(|candle| candle["epoch"].as_u64())
        .collect();
    assert_eq!(epochs.len(), 200);
    expect_steps(&epochs, 86_400);
}

/// Proves that a slow client gets every tick, late but in order, and the quick one beside it at once.
#[test]
fn ticks_are_never_skipped() {
    let venue = Venue::start();
    let url = venue.url();
    let relay =
        Relay::configured(&format!("[[upstream]]\nkind = \"stream\"\nurl = \"{url}\"\nsymbols = [\"R_100\"]\n"), &[]);
    let mut slow = Client::upgrade(connect_narrow(relay.public), &upgrade(PATH));
    let mut quick = relay.client(PATH);
    let request = json!({"ticks": "R_100", "subscribe": 1});
    // What a client had repeated to it fills its connection quickly.
    let long = json!({"ticks": "R_100", "subscribe": 1, "passthrough": {"pad": "x".repeat(1900)}});
    slow.send(&long.to_string());
    quick.send(&request.to_string());
    venue.until_asked("r_100@tick");
    let start: u64 = 1_765_000_000;
    let count = 1000;
    let mut got = BTreeSet::new();
    for epoch in start..start + count {
        let time_ms = epoch * 1000;
        venue.send(
            "r_100@tick",
            &format!(r#"{{"e":"tick","E":{time_ms},"s":"R_100","p":"1.50","b":"1.49","a":"1.51","d":2}}"#),
        );
        let push = next_push(&mut quick, &request);
        assert!(got.insert(push["tick"]["epoch"].as_u64().expect("seconds")));
        assert_eq!(push["tick"]["epoch"], epoch);
    }
    relay.until_count("relay_clients_blocked_total", "", 1.0);
    for epoch in start..start + count {
        assert_eq!(next_push(&mut slow, &long)["tick"]["epoch"], epoch);
    }
    assert_eq!(relay.count("relay_frames_skipped_total"), 0.0);
}

/// Proves that a loss of the source is told under the subscription that it is about.
#[test]
fn a_loss_is_told() {
    let mut venue = Venue::start();
    let url = venue.url();
    let relay = Relay::configured(
        &format!("stale_after = \"1s\"\n[[upstream]]\nkind = \"stream\"\nurl = \"{url}\"\nsymbols = [\"R_100\"]\n"),
        &[],
    );
    let mut client = relay.client("/websockets/v3?app_id=1&notices=1");
    let request = json!({"ticks": "R_100", "subscribe": 1, "req_id": 5});
    client.send(&request.to_string());
    venue.until_asked("r_100@tick");
    let tick = |epoch: u64| {
        format!(r#"{{"e":"tick","E":{},"s":"R_100","p":"1.50","b":"1.49","a":"1.51","d":2}}"#, epoch * 1000)
    };
    venue.send("r_100@tick", &tick(1_765_000_000));
    let first = client.json();
    assert_eq!(first["msg_type"], "tick");
    venue.vanish();
    for state in ["recovering", "stale"] {
        let notice = client.json();
        assert_eq!((&notice["msg_type"], &notice["req_id"]), (&json!("relay_notice"), &json!(5)), "{notice}");
        assert_eq!(notice["subscription"], first["subscription"]);
        assert_eq!(
            (&notice["relay_notice"]["symbol"], &notice["relay_notice"]["state"]),
            (&json!("R_100"), &json!(state))
        );
    }
    venue.listen();
    venue.until_asked("r_100@tick");
    venue.send("r_100@tick", &tick(1_765_000_002));
    assert_eq!(client.json()["relay_notice"]["state"], "live");
    assert_eq!(client.json()["tick"]["epoch"], 1_765_000_002);
}

/// Proves that who leaves before its history came leaves nothing behind: the topic it would have got ends.
#[test]
fn who_leaves_before_the_answer_holds_nothing() {
    let relay = Relay::start();
    for symbol in ["R_50", "R_75", "frxEURUSD"] {
        let mut client = relay.client(PATH);
        let request = json!({"ticks_history": symbol, "end": "latest", "count": 5000, "subscribe": 1});
        client.send(&request.to_string());
        drop(client);
    }
    let listed = || support::http::get(relay.public, "/api/v1/topics?prefix=ticks").body;
    // Each has been asked for once it is listed, or never was and never will be.
    support::until("their topics end", || !listed().contains("ticks_history"));
    // Nothing of them comes back with the answers.
    let mut client = relay.client(PATH);
    call(&mut client, &json!({"ping": 1}));
    assert!(!listed().contains("ticks_history"), "{}", listed());
}

/// Proves that a subscription that waits for its history ends with `forget_all` as those that have begun do.
#[test]
fn what_waits_for_its_history_can_be_forgotten() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    client.send(r#"{"ticks_history":"1HZ100V","end":"latest","count":5000,"subscribe":1}"#);
    client.send(r#"{"forget_all":"ticks"}"#);
    client.send(r#"{"time":1}"#);
    let mut answers: Vec<Value> = (0..3).map(|_| next_reply(&mut client)).collect();
    answers.sort_by_key(|answer| answer["msg_type"].to_string());
    let kinds: Vec<&Value> = answers.iter().map(|answer| &answer["msg_type"]).collect();
    assert_eq!(kinds, [&json!("forget_all"), &json!("history"), &json!("time")]);
    assert_eq!(answers[1].get("subscription"), None, "{}", answers[1]);
    // Another subscription of the same is none too many.
    let request = json!({"ticks_history": "1HZ100V", "end": "latest", "count": 1, "subscribe": 1});
    client.send(&request.to_string());
    assert!(next_reply(&mut client)["subscription"]["id"].is_string());
}

/// Proves that large answers are not piled up for a client that asks faster than it reads.
#[test]
fn large_answers_are_bounded() {
    let relay = Relay::start();
    let mut client = relay.client(PATH);
    // In one piece, so that they are all answered before the first answer is written.
    let calls: Vec<u8> = (0..200).flat_map(|_| support::frame::message(1, br#"{"active_symbols":"brief"}"#)).collect();
    client.send_bytes(&calls);
    let answers: Vec<Value> = (0..200).map(|_| next_reply(&mut client)).collect();
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == "RateLimit").count();
    assert!((50..200).contains(&refused), "{refused} of 200 are refused");
    assert_eq!(call(&mut client, &json!({"active_symbols": "brief"}))["msg_type"], "active_symbols");
}
