//! The hub dialect end to end: which messages are understood, what is answered, and what is refused.

mod support;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, TcpStream};

use serde_json::{Value, json};

use support::client::{Client, Got, connect_from};
use support::fixture;
use support::frame::{BINARY, PING, message};
use support::http::{self, upgrade};
use support::relay::Relay;
use support::shape::{is_time, same, time_ms};
use support::venue::Venue;

/// Every documented channel.
const CHANNELS: [&str; 8] = [
    "binance_prices",
    "binance_orderbook",
    "binance_24hr",
    "coingecko_global",
    "coingecko_top",
    "coingecko_trending",
    "bitcoinprice",
    "ethprice",
];

/// A client that has said that it speaks hub.
fn hub(relay: &Relay) -> Client {
    let mut client = relay.client("/ws");
    ping(&mut client);
    client
}

#[track_caller]
fn ping(client: &mut Client) {
    client.send(r#"{"type":"ping"}"#);
    assert_eq!(client.text(), r#"{"type":"pong"}"#);
}

fn subscribe(client: &mut Client, names: &[&str]) {
    client.send(&json!({"type": "subscribe", "channels": names}).to_string());
}

fn unsubscribe(client: &mut Client, names: &[&str]) {
    client.send(&json!({"type": "unsubscribe", "channels": names}).to_string());
}

/// The next message that is no price.
#[track_caller]
fn reply(client: &mut Client) -> Value {
    loop {
        let value = client.json();
        if value["type"] != "price_update" {
            return value;
        }
    }
}

#[track_caller]
fn expect_list(client: &mut Client, kind: &str, names: &[&str]) {
    let value = reply(client);
    same(&json!({"type": kind, "channels": names, "timestamp": "2025-12-08T16:30:45.123Z"}), &value);
}

#[track_caller]
fn expect_error(client: &mut Client, code: &str, text: &str) -> Value {
    let value = reply(client);
    let words = (value["type"].as_str(), value["code"].as_str(), value["message"].as_str());
    assert_eq!(words, (Some("error"), Some(code), Some(text)), "{value}");
    assert!(is_time(value["timestamp"].as_str().expect("a time")), "{value}");
    value
}

/// Proves that the recorded session comes out as recorded, its prices from a venue.
#[test]
fn the_recorded_session() {
    let venue = Venue::start();
    let url = venue.url();
    let relay = Relay::configured(
        &format!(
            "[hub]\ninterval = \"1h\"\nsymbols = [\"BTC/USDT\"]\n[[upstream]]\nkind = \"stream\"\nurl = \"{url}\"\n"
        ),
        &[],
    );
    let ticker = r#"{"e":"24hrTicker","E":1765211445123,"s":"BTCUSDT","p":"500.00","P":"2.45","w":"49500.00","c":"42150.50","Q":"0.500","o":"49500.00","h":"51000.00","l":"49000.00","v":"10000.000","q":"495000000.00","O":1672429382136,"C":1672515782136,"F":100,"L":200,"n":101}"#;
    let book = r#"{"lastUpdateId":160,"bids":[["42150.49","1.2031"],["42150.48","0.1"]],"asks":[["42150.50","0.5402"],["42150.51","0.2"]]}"#;
    let mut client = None;
    for line in fixture::read("hub/session.jsonl") {
        if let Some((path, status)) = line.connect() {
            let opened = relay.client(path);
            assert_eq!(opened.answer.status, status);
            client = Some(opened);
            continue;
        }
        let client: &mut Client = client.as_mut().expect("it is connected");
        let text = line.text().expect("a text");
        if line.is_clients() {
            client.send(text);
            continue;
        }
        let recorded: Value = serde_json::from_str(text).expect("JSON");
        for (channel, stream, payload) in
            [("binance_prices", "btcusdt@ticker", ticker), ("binance_orderbook", "btcusdt@depth20", book)]
        {
            if recorded["connector_id"] == channel {
                venue.until_asked(stream);
                venue.send(stream, payload);
            }
        }
        let got_text = client.text();
        let mut got: Value = serde_json::from_str(&got_text).expect("JSON");
        if recorded["type"] == "price_update" {
            // Digits are the venue's own, and so is the data; the page's messages lack the time of the source.
            let source_time = got.as_object_mut().expect("an object").remove("source_timestamp");
            assert!(is_time(source_time.expect("scheduled").as_str().expect("a time")));
            let price =
                |text: &str| text.split(r#""price":"#).nth(1).expect("a price").split(',').next().map(str::to_owned);
            assert_eq!(price(&got_text), price(text));
            assert_eq!(got["data"], recorded["data"]);
        }
        same(&recorded, &got);
    }
}

/// Proves that `POST /ws/test` answers and reaches clients as recorded.
#[test]
fn the_recorded_test_call() {
    let relay = Relay::start();
    let mut client = None;
    let mut answer = None;
    for line in fixture::read("hub/rest_test.jsonl") {
        if line.connect().is_some() {
            // The record leaves out how it became a hub client: who has said nothing gets no broadcast.
            client = Some(hub(&relay));
        } else if let Some((_, path, body)) = line.call() {
            answer = Some(http::post(relay.public, path, body));
        } else if let Some((status, body)) = line.response() {
            let answer = answer.take().expect("it was asked");
            assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")));
            let recorded: Value = serde_json::from_str(body).expect("JSON");
            same(&recorded, &serde_json::from_str(&answer.body).expect("JSON"));
        } else if let Some(text) = line.text() {
            let recorded: Value = serde_json::from_str(text).expect("JSON");
            same(&recorded, &client.as_mut().expect("it is connected").json());
        }
    }
}

/// Proves that every channel's message has the recorded keys and types, and that all that comes but `pong` has a type
/// and a time of the last ten minutes.
#[test]
fn every_channel_speaks_as_recorded() {
    let relay = Relay::start();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/hub/price_updates.jsonl");
    let fixture = std::fs::read_to_string(path).expect("it is there");
    let recorded: Vec<Value> = fixture.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut client = hub(&relay);
    subscribe(&mut client, &CHANNELS);
    expect_list(&mut client, "subscribed", &CHANNELS);
    let mut left: BTreeSet<&str> = CHANNELS.into();
    while !left.is_empty() {
        let text = client.text();
        let got: Value = serde_json::from_str(&text).expect("JSON");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
        let age_ms = now as u64 - time_ms(got["timestamp"].as_str().expect("a time")).min(now as u64);
        assert!(got["type"] == "price_update" && age_ms < 600_000, "{got}");
        assert!(got["price"].is_number(), "{got}");
        let channel = got["connector_id"].as_str().expect("a channel").to_owned();
        if !left.remove(&*channel) {
            continue;
        }
        let sample = recorded.iter().find(|sample| sample["connector_id"] == *channel);
        let Some(sample) = sample else {
            assert_eq!((&*channel, &got["exchange"]), ("binance_24hr", &json!("binance")));
            assert_eq!(
                got["data"]["lastPrice"].as_str().map(|last| text.contains(&format!("\"price\":{last},"))),
                Some(true)
            );
            continue;
        };
        assert_eq!(got["exchange"], sample["exchange"]);
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
        let scheduled = !channel.ends_with("price");
        let mut expected = keys(sample);
        expected.extend(scheduled.then(|| "source_timestamp".to_owned()));
        assert_eq!(keys(&got), expected);
        // CoinGecko's and OKX's rows have more keys at the venue than the page shows.
        assert!(keys(&got["data"]).is_superset(&keys(&sample["data"])), "{got}");
    }
}

/// Proves that the first message decides what a client of `/ws` speaks, and that it stays so.
#[test]
fn the_first_message_decides() {
    let relay = Relay::start();
    let mut client = hub(&relay);
    client.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#);
    expect_error(&mut client, "unknown_type", "Missing message type");

    let mut client = relay.client("/ws");
    assert_eq!(client.request(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#), r#"{"result":[],"id":1}"#);
    let refused = client.request(r#"{"type":"ping"}"#);
    assert!(refused.starts_with(r#"{"error":"#), "{refused}");

    // What decides nothing is answered as the stream dialect does, and the next message may still decide.
    let mut client = relay.client("/ws");
    for nothing in ["{}", "[]", "{oops"] {
        let refused = client.request(nothing);
        assert!(refused.starts_with(r#"{"error":{"code":"#), "{refused}");
    }
    client.send_bytes(&message(BINARY, b"{\"type\":\"ping\"}"));
    assert!(client.reply().starts_with(r#"{"error":"#), "a binary frame decides nothing");
    ping(&mut client);
    // Also behind a slash.
    let mut client = relay.client("/ws/");
    ping(&mut client);
    // A name in the URL has decided.
    let mut client = relay.client("/ws/btcusdt@kline_1M");
    let refused = client.request(r#"{"type":"ping"}"#);
    assert!(refused.starts_with(r#"{"error":"#), "{refused}");
}

/// Proves that an undecided client is a stream client to the limits until it says hub.
#[test]
fn the_undecided_count_as_stream() {
    let relay = Relay::with(&["--limit-loopback", "--shards", "1"]);
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
    let open = || Client::ask(connect_from(from, relay.public), &upgrade("/ws"));
    let mut clients: Vec<Client> = (0..5).map(|_| open()).collect();
    assert!(clients.iter().all(|client| client.answer.status == 101));
    assert_eq!(open().answer.status, 429);
    for client in &mut clients {
        ping(client);
    }
    clients.extend((0..5).map(|_| open()));
    assert!(clients.iter().all(|client| client.answer.status == 101), "those who speak hub have left their places");
    assert_eq!(open().answer.status, 429);
    // Who speaks hub may say more than ten messages in a second; who has not decided may not.
    let mut asked = 0;
    for _ in 0..30 {
        ping(&mut clients[0]);
        asked += 1;
    }
    assert_eq!(asked, 30);
    (0..11).for_each(|_| clients[9].send("{}"));
    assert_eq!(clients[9].closed().0, Some(1008));
}

/// Proves that subscribing adds, may be repeated, keeps the order, and tells unknown names once.
#[test]
fn subscriptions_add_up() {
    let relay = Relay::start();
    let mut client = hub(&relay);
    subscribe(&mut client, &["binance_prices"]);
    expect_list(&mut client, "subscribed", &["binance_prices"]);
    subscribe(&mut client, &["bitcoinprice", "binance_prices", "bitcoinprice"]);
    expect_list(&mut client, "subscribed", &["bitcoinprice", "binance_prices"]);
    // Nothing is let go by naming others: of both of them more comes.
    let mut left: BTreeSet<&str> = ["binance_prices", "bitcoinprice"].into();
    while !left.is_empty() {
        let got = client.json();
        left.remove(got["connector_id"].as_str().expect("a price"));
    }
    subscribe(&mut client, &["nope", "ethprice", "neither"]);
    expect_list(&mut client, "subscribed", &["ethprice"]);
    let error = expect_error(&mut client, "unknown_channel", "Unknown channels: nope, neither");
    assert_eq!(error["channels"], json!(["nope", "neither"]));
    subscribe(&mut client, &["nope"]);
    let error = expect_error(&mut client, "unknown_channel", "Unknown channel: nope");
    assert_eq!(error["channels"], json!(["nope"]));
    unsubscribe(&mut client, &["coingecko_top", "ethprice", "nope", "binance_prices"]);
    expect_list(&mut client, "unsubscribed", &["ethprice", "binance_prices"]);
    unsubscribe(&mut client, &["ethprice"]);
    expect_list(&mut client, "unsubscribed", &[]);
    // After the acknowledgement nothing of what ended comes; bitcoinprice goes on.
    for _ in 0..10 {
        assert_eq!(client.json()["connector_id"], "bitcoinprice");
    }
}

/// Proves each refusal's code and words; none of them closes.
#[test]
fn mistakes_are_told() {
    let relay = Relay::start();
    let mut client = hub(&relay);
    let empty = "channels must be a non-empty array of strings";
    let many: Vec<String> = (0..65).map(|number| format!("c{number}")).collect();
    let long = "x".repeat(129);
    for (text, code, words) in [
        (json!({"type": "dance"}).to_string(), "unknown_type", "Unknown message type: dance"),
        (json!({"channels": ["bitcoinprice"]}).to_string(), "unknown_type", "Missing message type"),
        ("{oops".to_owned(), "invalid_json", "Invalid JSON"),
        (json!({"type": "subscribe"}).to_string(), "invalid_request", empty),
        (json!({"type": "subscribe", "channels": []}).to_string(), "invalid_request", empty),
        (json!({"type": "subscribe", "channels": "bitcoinprice"}).to_string(), "invalid_request", empty),
        (json!({"type": "unsubscribe", "channels": [1]}).to_string(), "invalid_request", empty),
        (
            json!({"type": "subscribe", "channels": many}).to_string(),
            "invalid_request",
            "channels must have at most 64 names",
        ),
        (
            json!({"type": "subscribe", "channels": [long]}).to_string(),
            "invalid_request",
            "a channel's name must have at most 128 bytes",
        ),
    ] {
        client.send(&text);
        expect_error(&mut client, code, words);
    }
    client.send_bytes(&message(BINARY, b"{}"));
    expect_error(&mut client, "invalid_request", "Messages must be text");
    // 64 names are not too many.
    subscribe(&mut client, &many[..64].iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(reply(&mut client)["code"], "unknown_channel");
    ping(&mut client);
    client.send_bytes(&message(PING, b"still there"));
    assert_eq!(client.next(), Got::Pong(b"still there".to_vec()));
    // A message above 64 KiB ends it.
    client.send(&format!(r#"{{"type":"{}"}}"#, "x".repeat(65_536)));
    assert_eq!(client.closed().0, Some(1009));
}

/// Proves that the twentieth error within ten seconds is answered and closes, for this client alone.
#[test]
fn too_many_errors_close() {
    let relay = Relay::start();
    let (mut client, mut other) = (hub(&relay), hub(&relay));
    for error in 0..20 {
        client.send(if error % 2 == 0 { "nonsense" } else { r#"{"type":"dance"}"# });
    }
    for _ in 0..20 {
        assert_eq!(client.json()["type"], "error");
    }
    assert_eq!(client.closed().0, Some(1008));
    ping(&mut other);
    relay.until_count("relay_closes_total", "code=\"1008\"", 1.0);
}

/// Proves that a test call reaches everybody who speaks hub on every shard, and nobody else.
#[test]
fn a_test_call_reaches_all_of_the_hub() {
    let relay = Relay::with(&["--shards", "2"]);
    let mut clients: Vec<Client> = (0..24).map(|_| hub(&relay)).collect();
    for client in clients.iter_mut().step_by(3) {
        subscribe(client, &["coingecko_global"]);
        expect_list(client, "subscribed", &["coingecko_global"]);
    }
    let mut undecided = relay.client("/ws");
    let mut stream = relay.client("/ws");
    assert_eq!(stream.list(), Vec::<String>::new());
    let answer = http::post(relay.public, "/ws/test", r#"{"message":"Hello \"all\" \u00e4"}"#);
    assert_eq!(answer.status, 200);
    for client in &mut clients {
        let got = reply(client);
        same(
            &json!({"type": "test_message", "message": "Hello \"all\" ä", "timestamp": "2025-12-08T16:30:45.123Z"}),
            &got,
        );
    }
    assert_eq!(stream.list(), Vec::<String>::new(), "nothing came before the answer");
    ping(&mut undecided);
}

/// Proves how a test call is refused: wrong bodies, large ones, too many, and where it is switched off.
#[test]
fn test_calls_are_refused() {
    let relay = Relay::configured("[hub]\ntest_per_second = 0\n", &[]);
    let check = |body: &str, status: u16, code: &str, words: &str| {
        let answer = http::post(relay.public, "/ws/test", body);
        let value: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(answer.status, status, "{value}");
        same(
            &json!({"type": "error", "code": code, "message": words, "timestamp": "2025-12-08T16:30:45.123Z"}),
            &value,
        );
    };
    check("{}", 400, "invalid_request", "message must be a string");
    check(r#"{"message":7}"#, 400, "invalid_request", "message must be a string");
    check("", 400, "invalid_json", "Invalid JSON");
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(65_536));
    check(&long, 413, "invalid_request", "body must have at most 65536 bytes");
    assert_eq!(http::get(relay.public, "/ws/test").status, 426, "what is not posted there may be an upgrade");

    let relay = Relay::start();
    // Eleven in a row take less than a second on any machine, or they would be tried again.
    let refused = (0..100)
        .map(|_| http::post(relay.public, "/ws/test", r#"{"message":"x"}"#))
        .find(|answer| answer.status == 429);
    let refused = refused.expect("more than ten in a second are too many");
    let value: Value = serde_json::from_str(&refused.body).expect("JSON");
    assert_eq!((value["code"].as_str(), value["message"].as_str()), (Some("rate_limited"), Some("Too many requests")));

    let relay = Relay::configured("[hub]\ntest = false\n", &[]);
    let answer = http::post(relay.public, "/ws/test", r#"{"message":"x"}"#);
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("hub.test"), "it says what to switch on: {}", answer.body);
}

/// Proves that pages of other origins may make a test call, and with a list only those on it.
#[test]
fn pages_make_test_calls() {
    let ask = |relay: &Relay, method: &str, origin: &str| {
        let body = if method == "POST" { r#"{"message":"x"}"# } else { "" };
        let len = body.len();
        let head = format!(
            "{method} /ws/test HTTP/1.1\r\nHost: relay.test\r\nOrigin: {origin}\r\nContent-Length: {len}\r\n\
             Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n{body}"
        );
        http::ask(relay.public, &head)
    };
    let relay = Relay::configured("[edge]\norigins = [\"https://a.test\"]\n", &[]);
    let answer = ask(&relay, "OPTIONS", "https://a.test");
    assert_eq!(answer.status, 204);
    assert!(answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    let answer = ask(&relay, "POST", "https://a.test");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://a.test")));
    assert_eq!(answer.header("vary"), Some("Origin"));
    for method in ["OPTIONS", "POST"] {
        let answer = ask(&relay, method, "https://b.test");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
    }
    // An escape in the path changes nothing.
    let body = r#"{"message":"x"}"#;
    let head = format!(
        "POST /ws/%74est HTTP/1.1\r\nHost: relay.test\r\nOrigin: https://b.test\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(http::ask(relay.public, &head).status, 403);
    assert_eq!(ask(&Relay::start(), "POST", "https://b.test").status, 200);
}

/// Proves that `/ws` without an upgrade is answered 426.
#[test]
fn without_an_upgrade_it_is_told() {
    let relay = Relay::start();
    assert_eq!(http::get(relay.public, "/ws").status, 426);
    drop(TcpStream::connect(relay.public).expect("the relay accepts"));
}
