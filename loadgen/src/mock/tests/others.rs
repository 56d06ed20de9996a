//! What the other kinds do differently.

use super::*;
use serde_json::json;

/// The sixth connection is refused, and the 201st stream is an error that takes nothing away.
#[test]
fn bitzoom() {
    let mut venue = Venue::new(Kind::Bitzoom, &["btcusdt"]);
    let mut clients: Vec<Client> = (0..5).map(|_| venue.open("/ws")).collect();
    assert_eq!(venue.connect("/ws").err().unwrap().status, 429);
    let names: Vec<String> = (0..200).map(|n| format!("s{n}usdt@trade")).collect();
    let request = json!({"method": "SUBSCRIBE", "params": names, "id": 1}).to_string();
    assert_eq!(venue.ask(&mut clients[0], &request), r#"{"result":null,"id":1}"#);
    let more = r#"{"method":"SUBSCRIBE","params":["x@trade"],"id":2}"#;
    assert_eq!(venue.ask(&mut clients[0], more), r#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":2}"#);
    let unknown = r#"{"method":"SUBSCRIBE","params":["btcusdt@nope"],"id":3}"#;
    assert!(venue.ask(&mut clients[1], unknown).contains("invalid stream"));
    let upper = r#"{"method":"SUBSCRIBE","params":["BTCUSDT@bookTicker"],"id":4}"#;
    venue.ask(&mut clients[1], upper);
    venue.run(1000);
    assert_eq!(clients[1].values()[0]["s"], "BTCUSDT");
    assert_eq!(venue.violations(), json!({"connections": 1, "streams": 1}));
}

/// One answer per argument; books chain from their snapshot through keepalives and a maintenance reset.
#[test]
fn okx_books() {
    let mut venue = Venue::new(Kind::Okx, &["btcusdt"]);
    let mut client = venue.open("/ws/v5/public");
    venue.run(250);
    let request = r#"{"id":"7","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"},{"channel":"nope","instId":"BTC-USDT"}]}"#;
    venue.say(&client, request);
    venue.run(61_000);
    venue.fault(json!({"kind": "book-reset"}));
    venue.run(1000);
    let values = client.values();
    assert_eq!((&values[0]["event"], &values[0]["id"]), (&json!("subscribe"), &json!("7")));
    assert_eq!((&values[1]["action"], &values[1]["data"][0]["prevSeqId"]), (&json!("snapshot"), &json!(-1)));
    assert_eq!((&values[2]["code"], &values[2]["id"]), (&json!("60018"), &json!("7")));
    let (mut last, mut keepalives, mut resets) = (values[1]["data"][0]["seqId"].as_i64().unwrap(), 0, 0);
    for update in &values[3..] {
        let book = &update["data"][0];
        assert_eq!(book["prevSeqId"].as_i64().unwrap(), last, "{update}");
        let next = book["seqId"].as_i64().unwrap();
        keepalives += usize::from(next == last && book["asks"] == json!([]));
        resets += usize::from(next < last);
        last = next;
    }
    assert_eq!((keepalives, resets), (1, 1));
    assert_eq!(venue.violations(), json!({}));
}

/// Text pings keep a connection; silence and unused connections end with 4004; requests have a budget of an hour.
#[test]
fn okx_limits() {
    let mut venue = Venue::new(Kind::Okx, &["btcusdt"]);
    let mut unused = venue.open("/ws/v5/business");
    let mut used = venue.open("/ws/v5/public");
    // Nothing is pushed here, so that only the pings keep it.
    let request = r#"{"op":"subscribe","args":[{"channel":"funding-rate","instId":"BTC-USDT"}]}"#;
    venue.say(&used, request);
    for _ in 0..2 {
        venue.run(20_000);
        assert_eq!(venue.ask(&mut used, "ping"), "pong");
    }
    assert_eq!(unused.closed(), Some((4004, "No data received in 30s".to_owned())));
    for _ in 0..479 {
        assert!(venue.ask(&mut used, request).contains("subscribe"));
    }
    assert!(venue.ask(&mut used, request).contains("60014"));
    assert_eq!(venue.violations(), json!({"idle": 1, "requests": 1}));
    venue.fault(json!({"kind": "shutdown", "after": "60s"}));
    assert_eq!(used.values()[0]["code"], "64008");
    (0..2).for_each(|_| assert!(venue.connect("/ws/v5/public").is_ok()));
    venue.connect("/ws/v5/public").ok();
    assert_eq!(venue.connect("/ws/v5/public").err().unwrap().status, 429, "three a second");
}

/// One answer per symbol, ids that repeat, errors beside good symbols, and forgetting.
#[test]
fn deriv() {
    let mut venue = Venue::new(Kind::Deriv, &["R_100", "frxEURUSD"]);
    assert_eq!(venue.connect("/websockets/v3").err().unwrap().status, 401);
    let mut client = venue.open("/websockets/v3?app_id=1089");
    assert_eq!(venue.ask(&mut client, r#"{"ping":1}"#), r#"{"echo_req":{"ping":1},"msg_type":"ping","ping":"pong"}"#);
    venue.say(&client, r#"{"ticks":["R_100","NOPE"],"subscribe":1,"req_id":3}"#);
    let first = client.values();
    let id = first[0]["subscription"]["id"].as_str().unwrap().to_owned();
    assert_eq!((&first[0]["tick"]["symbol"], &first[0]["req_id"]), (&json!("R_100"), &json!(3)));
    assert_eq!(first[1]["error"]["code"], "InvalidSymbol");
    assert!(venue.ask(&mut client, r#"{"ticks":"R_100","subscribe":1}"#).contains("AlreadySubscribed"));
    venue.run(4000);
    let pushes = client.values();
    assert_eq!(pushes.len(), 2);
    assert!(pushes.iter().all(|push| push["tick"]["id"] == id.as_str() && push["echo_req"]["req_id"] == 3));
    for forgotten in [1, 0] {
        let reply = venue.ask(&mut client, &json!({ "forget": id }).to_string());
        assert!(reply.contains(&format!("\"forget\":{forgotten}")), "{reply}");
    }
    assert!(venue.ask(&mut client, r#"{"nosuch":1}"#).contains("UnrecognisedRequest"));
    let limited = (0..230).filter(|_| venue.ask(&mut client, r#"{"time":1}"#).contains("RateLimit")).count();
    assert!((1..20).contains(&limited), "{limited}");
    venue.run(180_000);
    assert_eq!(client.closed(), Some((1000, String::new())));
}

/// The handshake of Engine.IO and Socket.IO, listening, acks, errors, and heartbeats that must be answered.
#[test]
fn socketio() {
    let mut venue = Venue::new(Kind::SocketIo, &["fiat:EUR", "crypto:BTC", "crypto:ETH"]);
    assert_eq!(venue.connect("/currency/?EIO=3&transport=websocket").err().unwrap().status, 400);
    let mut client = venue.open("/currency/?EIO=4&transport=websocket");
    assert!(client.texts()[0].starts_with(r#"0{"sid":"#));
    assert!(venue.ask(&mut client, "40{}").starts_with("44"));
    assert!(venue.ask(&mut client, r#"40{"api-key":"k"}"#).starts_with(r#"40{"sid":"#));
    let row = venue.ask(&mut client, r#"4217["crypto/onlyAck",{"base":"usd","symbol":"btc"}]"#);
    assert!(row.starts_with(r#"4317[{"base":"USD","symbol":"BTC","price":"#), "{row}");
    assert!(venue.ask(&mut client, r#"42["fiat/onlyListen",{"base":"USD"}]"#).starts_with(r#"42["error",{"#));
    venue.say(&client, r#"42["crypto/allListen",{"base":"USD"}]"#);
    venue.run(24_990);
    let pushes = client.texts();
    assert_eq!(pushes.len(), 25, "the first at once, then each second");
    assert!(pushes.iter().all(|push| push.starts_with(r#"42["crypto",[{"base":"USD","symbol":"BTC""#)));
    venue.run(20);
    assert!(client.texts().contains(&"2".to_owned()));
    venue.run(20_000);
    assert!(client.closed().is_some());
    assert_eq!(venue.violations(), json!({"pong-timeout": 1}));
    let mut early = venue.open("/currency/?EIO=4&transport=websocket");
    venue.say(&early, r#"42["crypto/allListen",{"base":"USD"}]"#);
    assert_eq!(early.closed(), Some((1005, String::new())), "an event before CONNECT");
}

/// Documents have a tag, are made anew in time, and have a budget of calls.
#[test]
fn coins() {
    let mut venue = Venue::new(Kind::Rest, &["btcusdt"]);
    assert_eq!(venue.connect("/ws").err().unwrap().status, 404);
    let get = |venue: &mut Venue, target: &str, tag: Option<&str>| {
        let mut request = super::super::http::Request::get(target);
        if let Some(tag) = tag {
            request.set_header("If-None-Match", tag);
        }
        venue.world.rest(&request, peer(), venue.now_ms)
    };
    let tag_of = |reply: &Reply| reply.headers.iter().find(|header| header.0 == "etag").unwrap().1.clone();
    for target in ["/api/v3/global", "/api/v3/coins/markets?vs_currency=usd", "/api/v3/search/trending", "/prices"] {
        let reply = get(&mut venue, target, None);
        assert!(serde_json::from_str::<Value>(&reply.body).is_ok(), "{reply:?}");
        let tag = tag_of(&reply);
        assert_eq!(get(&mut venue, target, Some(&tag)).status, 304);
        venue.run(10_000);
        assert_eq!(get(&mut venue, target, Some(&tag)).status, 200);
    }
    assert!(get(&mut venue, "/api/v3/ticker/price?symbol=BTCUSDT", None).body.contains("BTCUSDT"));
    let limited = (0..40).filter(|_| get(&mut venue, "/api/v3/global", None).status == 429).count();
    assert!(limited >= 10, "{limited}");
    venue.fault(json!({"kind": "http", "status": 451, "for": "1s"}));
    assert_eq!(get(&mut venue, "/prices", None).status, 451);
}

/// Whatever a client sends, the venue neither panics nor stops counting its time.
#[test]
fn anything() {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    let texts = prop_oneof![
        any::<String>(),
        r#"(40|41|42|43|3|2|ping|42[0-9]{1,3})?[\[{]"(op|method|ticks|forget|forget_all|crypto/allListen)"[:,]["\[{]?[a-zA-Z_@:,"{}\[\] 0-9]{0,20}["\]}]?[}\]]"#,
        Just(r#"40{"api-key":"k"}"#.to_owned()),
        Just(r#"{"op":"subscribe","args":[{"channel":"","instId":""},7]}"#.to_owned()),
        Just(r#"{"method":"SUBSCRIBE","params":["@","é@depth@","btcusdt@kline_"],"id":-1}"#.to_owned()),
        Just(r#"{"ticks":[null,"é"],"subscribe":"1","passthrough":[]}"#.to_owned()),
    ];
    let targets = [
        (Kind::Binance, "/stream?streams=%zz/é@depth5@"),
        (Kind::BinanceUsdm, "/market/ws"),
        (Kind::Bitzoom, "/ws/0"),
        (Kind::Stream, "/ws"),
        (Kind::Okx, "/ws/v5/public"),
        (Kind::Deriv, "/websockets/v3?app_id=1"),
        (Kind::SocketIo, "/currency?EIO=4&transport=websocket"),
    ];
    let messages = prop::collection::vec(texts, 1..5);
    let run = TestRunner::default().run(&(messages, any::<String>()), |(messages, target)| {
        for (kind, good) in targets {
            let mut venue = Venue::new(kind, &["btcusdt"]);
            let _ = venue.connect(&target);
            let client = venue.open(good);
            for message in &messages {
                venue.say(&client, message);
                venue.run(250);
            }
        }
        Ok(())
    });
    run.unwrap();
}
