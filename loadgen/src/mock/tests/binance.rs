//! Binance's rules, and what faults do to what is sent.

use super::*;
use serde_json::json;

fn spot() -> Venue {
    Venue::new(Kind::Binance, &["btcusdt", "ethusdt"])
}

fn numbers(values: &[Value], key: &str) -> Vec<u64> {
    values.iter().filter_map(|value| value["data"][key].as_u64()).collect()
}

/// Requests are answered word for word as the live hosts do; dead names are acknowledged and listed.
#[test]
fn requests() {
    let mut venue = spot();
    let mut client = venue.open("/ws");
    let mut check = |text: &str, expected: &str| {
        venue.now_ms += 1000;
        assert_eq!(venue.ask(&mut client, text), expected, "{text}");
    };
    check(r#"{"method":"SUBSCRIBE","params":["BTCUSDT@trade","nopeusdt@trade"],"id":1}"#, r#"{"result":null,"id":1}"#);
    check(r#"{"method":"LIST_SUBSCRIPTIONS","id":"x"}"#, r#"{"result":["BTCUSDT@trade","nopeusdt@trade"],"id":"x"}"#);
    check(r#"{"method":"UNSUBSCRIBE","params":["never@trade"],"id":null}"#, r#"{"result":null,"id":null}"#);
    check(
        r#"{"method":"SUBSCRIBE","params":["not a stream"],"id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#,
    );
    check(
        r#"{"params":["btcusdt@trade"],"id":2}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: missing field `method` at line 1 column 35"},"id":2}"#,
    );
    check(
        r#"{"method":"FOO","params":[],"id":3}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: unknown variant `FOO`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 15"},"id":3}"#,
    );
    check(
        r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}}"#,
    );
    check(
        r#"{"method":"SET_PROPERTY","params":["combined","yes"],"id":4}"#,
        r#"{"error":{"code":1,"msg":"Invalid value type: expected Boolean"},"id":4}"#,
    );
    check(
        r#"{"method":"GET_PROPERTY","params":["color"],"id":5}"#,
        r#"{"error":{"code":0,"msg":"Unknown property"},"id":5}"#,
    );
    check(r#"{"method":"GET_PROPERTY","params":["combined"],"id":6}"#, r#"{"result":false,"id":6}"#);
    assert_eq!(venue.truth()["counters"]["silent_subscriptions"], 2);
    assert_eq!(venue.violations(), json!({}));
}

/// The sixth message within a rolling second closes and is counted, whatever it is; repeated, it bans.
#[test]
fn message_rate() {
    let mut venue = spot();
    let offend = |venue: &mut Venue| {
        let mut client = venue.open("/ws");
        for opcode in [frame::PING, frame::PONG, frame::TEXT, frame::PONG, frame::PING] {
            venue.world.receive(client.id, opcode, b"{}", venue.now_ms);
            venue.run(190);
        }
        assert_eq!(client.closed(), None);
        venue.world.receive(client.id, frame::PONG, b"", venue.now_ms);
        assert_eq!(client.closed(), Some((1008, "Too many requests".to_owned())));
    };
    (0..3).for_each(|_| offend(&mut venue));
    assert_eq!(venue.violations(), json!({"message-rate": 3}));
    let refused = venue.connect("/ws").err().unwrap();
    assert_eq!((refused.status, refused.headers.iter().any(|header| header.0 == "retry-after")), (418, true));
    venue.run(121_000);
    assert!(venue.connect("/ws").is_ok());
    assert_eq!(venue.violations(), json!({"connect-while-banned": 1, "message-rate": 3}));
}

/// The 1025th stream loses all of them.
#[test]
fn streams() {
    let mut venue = spot();
    let mut client = venue.open("/ws");
    let names = |range: std::ops::Range<u32>| -> Vec<String> { range.map(|n| format!("s{n}usdt@trade")).collect() };
    let request = |names: Vec<String>| json!({"method": "SUBSCRIBE", "params": names, "id": 1}).to_string();
    assert_eq!(venue.ask(&mut client, &request(names(0..1024))), r#"{"result":null,"id":1}"#);
    assert_eq!(venue.ask(&mut client, &request(names(5..9))), r#"{"result":null,"id":1}"#, "held already");
    venue.say(&client, &request(names(1024..1025)));
    let frames = client.take();
    assert!(frames[0].1.starts_with(br#"{"error":{"code":4,"#), "{frames:?}");
    assert_eq!(frames[1].1, [&1008u16.to_be_bytes()[..], b"Invalid request"].concat());
    assert_eq!(venue.violations(), json!({"streams": 1}));
}

/// Pings come every 20 s; without the same payload back within a minute the connection ends. Lives end after a day.
#[test]
fn heartbeat() {
    let mut venue = spot();
    let (mut silent, mut lively) = (venue.open("/ws"), venue.open("/ws"));
    let mut pings = 0;
    for _ in 0..80 {
        venue.run(1000);
        for (opcode, payload) in lively.take() {
            assert_eq!(opcode, frame::PING);
            pings += 1;
            venue.world.receive(lively.id, frame::PONG, &payload, venue.now_ms);
        }
        venue.world.receive(silent.id, frame::PONG, b"", venue.now_ms);
    }
    assert_eq!(pings, 4);
    assert_eq!(silent.closed(), Some((1008, "Pong timeout".to_owned())));
    assert_eq!(venue.violations(), json!({"pong-timeout": 1}));
    assert_eq!(venue.truth()["connections_now"], 1);
}

/// Three hundred attempts in five minutes, and no more.
#[test]
fn connects() {
    let mut venue = spot();
    (0..300).for_each(|_| assert!(venue.connect("/ws").is_ok()));
    assert_eq!(venue.connect("/ws").err().unwrap().status, 429);
    assert_eq!(venue.violations(), json!({"connects": 1}));
}

/// Both wrappers, both time units, and the notice in each form.
#[test]
fn wrappers() {
    let mut venue = spot();
    let mut raw = venue.open("/ws/btcusdt@trade");
    let mut wrapped = venue.open("/stream?streams=btcusdt@trade&timeUnit=MICROSECOND");
    venue.run(2000);
    let (raw_texts, wrapped_values) = (raw.values(), wrapped.values());
    assert_eq!(raw_texts[0]["t"], wrapped_values[0]["data"]["t"]);
    assert_eq!(raw_texts[0]["T"].as_u64().unwrap() * 1000, wrapped_values[0]["data"]["T"].as_u64().unwrap());
    assert_eq!(wrapped_values[0]["stream"], "btcusdt@trade");
    venue.fault(json!({"kind": "shutdown", "after": "1s"}));
    assert_eq!(raw.values()[0]["e"], "serverShutdown");
    assert_eq!(wrapped.values()[0]["stream"], "!serverShutdown");
    venue.run(1000);
    assert_eq!(raw.closed(), Some((1001, String::new())));
}

/// Withheld numbers are exactly those that did not come, over drops, stalls, half-open connections and cuts.
#[test]
fn truth_is_exact() {
    let mut venue = spot();
    let mut client = venue.open("/stream?streams=btcusdt@trade/ethusdt@trade");
    let mut got = Vec::new();
    let mut collect =
        |client: &mut Client| got.extend(client.values().into_iter().filter(|v| v["stream"] == "btcusdt@trade"));
    venue.run(1000);
    venue.fault(json!({"kind": "drop-frames", "streams": ["btc*"], "count": 3}));
    venue.run(1000);
    venue.fault(json!({"kind": "stall", "for": "500ms"}));
    venue.run(1000);
    collect(&mut client);
    venue.fault(json!({"kind": "half-open", "for": "500ms", "connections": 1}));
    venue.say(&client, "{}");
    venue.run(1000);
    venue.fault(json!({"kind": "silent-stream", "streams": ["btcusdt@trade"]}));
    venue.run(1000);
    venue.say(&client, r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":1}"#);
    venue.say(&client, r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":2}"#);
    venue.run(1000);
    collect(&mut client);
    let got = numbers(&got, "t");
    assert!(got.windows(2).all(|pair| pair[0] < pair[1]));
    drop(client);
    let truth = venue.truth();
    let told = |fate: &str| -> Vec<u64> {
        let runs = truth["streams"]["btcusdt@trade"][fate].as_array().unwrap().clone();
        runs.iter().flat_map(|run| run["from"].as_u64().unwrap()..=run["to"].as_u64().unwrap()).collect()
    };
    assert_eq!(told("sent"), got);
    let withheld = told("withheld");
    assert!(withheld.len() > 25, "{withheld:?}");
    let mut all = [told("sent"), withheld].concat();
    all.sort_unstable();
    assert_eq!(all, (all[0]..=all[all.len() - 1]).collect::<Vec<_>>(), "every number is accounted for once");
    assert!(truth["faults"].as_array().unwrap().iter().all(|fault| fault["ended_ms"].is_u64()), "{}", truth["faults"]);
}

/// Duplicates, changed order and corruption reach the client, and are counted.
#[test]
fn mishaps() {
    let mut venue = spot();
    let mut client = venue.open("/stream?streams=btcusdt@trade");
    for kind in ["duplicate", "reorder"] {
        venue.fault(json!({ "kind": kind }));
        venue.run(2000);
        let numbers = numbers(&client.values(), "t");
        let steps: Vec<i64> =
            numbers.windows(2).map(|pair| pair[1] as i64 - pair[0] as i64).filter(|step| *step != 1).collect();
        match kind {
            "duplicate" => assert_eq!(steps, [0]),
            // The first two are 2, 1, and then 3 follows.
            _ => assert_eq!(steps, [-1, 2]),
        }
    }
    for how in ["garbage", "utf8", "truncated", "protocol"] {
        venue.fault(json!({"kind": "corrupt", "how": how}));
    }
    venue.run(3000);
    let bad = client.take().into_iter().filter(|frame| serde_json::from_slice::<Value>(&frame.1).is_err()).count();
    assert_eq!(bad, 1, "of several faults the first takes the message");
    let stream = &venue.truth()["streams"]["btcusdt@trade"];
    assert_eq!((&stream["duplicated"], &stream["reordered"], &stream["corrupted"]), (&json!(1), &json!(1), &json!(1)));
}

/// After a frame that ends the connection of whoever keeps to the protocol, nothing counts as sent.
#[test]
fn broken() {
    let mut venue = spot();
    let mut client = venue.open("/ws/btcusdt@trade");
    venue.run(2000);
    venue.fault(json!({"kind": "corrupt", "how": "utf8"}));
    venue.run(2000);
    assert!(client.take().len() > 50);
    let stream = &venue.truth()["streams"]["btcusdt@trade"];
    assert_eq!((stream["sent"].as_array().unwrap().len(), stream["withheld"].as_array().unwrap().len()), (1, 1));
    assert_eq!(stream["sent"][0]["to"].as_u64().unwrap() + 1, stream["withheld"][0]["from"]);
    assert!(stream["withheld"][0]["messages"].as_u64().unwrap() > 20);
}

/// A restart closes everybody and the numbers go on; what nobody heard is told.
#[test]
fn restart() {
    let mut venue = Venue {
        world: world(Kind::Binance, &["btcusdt"], "[[fault]]\nat = \"2s\"\nkind = \"restart\""),
        now_ms: START_MS,
    };
    let mut client = venue.open("/stream?streams=btcusdt@trade");
    venue.run(3000);
    let before = numbers(&client.values_until_close(), "t");
    let mut client = venue.open("/stream?streams=btcusdt@trade");
    venue.run(1000);
    let after = numbers(&client.values(), "t");
    let truth = venue.truth();
    let unheard = &truth["streams"]["btcusdt@trade"]["unheard"][0];
    assert_eq!(unheard["from"], before[before.len() - 1] + 1);
    assert_eq!(unheard["to"], after[0] - 1);
}

/// Weights are counted by the clock minute; beyond them come 429, and a ban for those who go on.
#[test]
fn rest() {
    let mut venue = spot();
    let mut get = |target: &str| {
        let request = super::super::http::Request::get(target);
        venue.world.rest(&request, peer(), venue.now_ms)
    };
    let weight = |reply: &Reply| {
        reply.headers.iter().find(|header| header.0 == "x-mbx-used-weight-1m").map(|header| header.1.clone())
    };
    let depth = get("/api/v3/depth?symbol=BTCUSDT&limit=1000");
    assert_eq!((depth.status, weight(&depth).as_deref()), (200, Some("50")));
    let book: Value = serde_json::from_str(&depth.body).unwrap();
    assert_eq!(book["bids"].as_array().unwrap().len(), 400);
    let prices = get("/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D");
    assert!(prices.body.starts_with(r#"[{"price":"#) && weight(&prices).as_deref() == Some("54"), "{prices:?}");
    assert_eq!(get("/api/v3/ticker/price?symbol=NOPE").body, r#"{"code":-1121,"msg":"Invalid symbol."}"#);
    let statuses: Vec<u16> = (0..90).map(|_| get("/api/v3/ticker/24hr").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), (6000 - 56) / 80);
    assert_eq!((statuses[75], statuses[89]), (429, 418));
    assert_eq!(venue.violations()["rest-weight"], 11);
}

/// Futures: what belongs on the other path is acknowledged, silent and counted; only `pu` chains.
#[test]
fn usdm() {
    let mut venue = Venue::new(Kind::BinanceUsdm, &["btcusdt"]);
    let mut public = venue.open("/public/stream?streams=btcusdt@depth@100ms/btcusdt@markPrice@1s");
    let mut market = venue.open("/market/stream?streams=btcusdt@markPrice@1s");
    venue.run(3000);
    let diffs = public.values();
    assert!(diffs.len() > 20 && diffs.iter().all(|diff| diff["stream"] == "btcusdt@depth@100ms"));
    for pair in diffs.windows(2) {
        assert_eq!(pair[0]["data"]["u"], pair[1]["data"]["pu"]);
        assert_ne!(pair[0]["data"]["u"].as_u64().unwrap() + 1, pair[1]["data"]["U"].as_u64().unwrap());
    }
    assert_eq!(market.values().len(), 3);
    assert_eq!(venue.violations(), json!({"wrong-lane": 1}));
}
