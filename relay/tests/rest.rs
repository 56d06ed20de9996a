//! Snapshots, the list of topics, and what pages of other origins may ask.

mod support;

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use support::client::connect_from;
use support::http::{self, Answer, ask, get};
use support::relay::Relay;
use support::sse::Sse;
use support::venue::Venue;

const TICKER: &str = "btcusdt@ticker";
const SNAPSHOT: &str = "/api/v1/snapshot/btcusdt@ticker";

fn relay_of(venue: &Venue, more: &str) -> Relay {
    Relay::configured(&format!("{more}\n[[upstream]]\nkind = \"stream\"\nurl = \"{}\"", venue.url()), &[])
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[track_caller]
fn check_error(answer: &Answer, status: u16, word: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let error = json(answer);
    assert_eq!(error["code"], status);
    assert!(error["msg"].as_str().expect("a message").contains(word), "{error}");
}

fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    ask(address, &format!("{method} {path} HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n{headers}\r\n"))
}

/// The head of an answer, whatever length it gives its body.
fn head_of(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the relay accepts");
    let text = format!("{method} {path} HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).expect("it is taken");
    std::io::read_to_string(stream).expect("text")
}

/// Proves that a snapshot is the newest frame with its place, its time and how the stream stands, and is never cached.
#[test]
fn a_snapshot_is_the_newest_frame() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    let mut client = relay.client("/ws/btcusdt@ticker");
    venue.until_asked(TICKER);
    for n in 0..3 {
        venue.send(TICKER, &format!(r#"{{"n":{n},"p":"0.10000000000000000001"}}"#));
        client.text();
    }
    for path in [SNAPSHOT, "/api/v1/snapshot/BTCUSDT%40ticker/"] {
        let answer = get(relay.public, path);
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
        assert!(answer.body.ends_with("\"data\":{\"n\":2,\"p\":\"0.10000000000000000001\"}}\n"), "{}", answer.body);
        let value = json(&answer);
        assert_eq!((&value["stream"], &value["seq"], &value["state"]), (&TICKER.into(), &2.into(), &"live".into()));
        assert!(value["time"].as_u64().expect("a time") > 1_600_000_000_000);
    }
    let head = head_of(relay.public, "HEAD", SNAPSHOT);
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

/// Proves that a stream nobody holds is asked for, and its first frame answers; the same for events.
#[test]
fn a_cold_stream_is_waited_for() {
    for name in [TICKER, "btcusdt@trade"] {
        let venue = Venue::start();
        let relay = relay_of(&venue, "");
        let address = relay.public;
        let path = format!("/api/v1/snapshot/{name}");
        // On a slow machine it may have to ask twice.
        let ask = move || std::iter::repeat_with(|| get(address, &path)).find(|answer| answer.status != 504);
        let asking = std::thread::spawn(ask);
        venue.until_asked(name);
        venue.send(name, r#"{"first":1}"#);
        let answer = asking.join().expect("it asks").expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(json(&answer)["data"]["first"], 1);
        // Who polls finds it there: it stays held for a while, and goes on.
        venue.send(name, r#"{"first":2}"#);
        support::until("the next frame is there", || {
            json(&get(address, &format!("/api/v1/snapshot/{name}")))["seq"] == 1
        });
        assert_eq!(venue.times_asked(name), 1);
    }
}

/// Proves that silence is answered by 504, and the name that had no data is let go.
#[test]
fn silence_is_answered() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    check_error(&get(relay.public, SNAPSHOT), 504, "btcusdt@ticker");
    support::until("nobody holds it", || {
        let row = &json(&get(relay.public, "/api/v1/topics"))["topics"][0];
        row["http"] != true
    });
    assert_eq!(relay.count("relay_http_timeouts_total"), 1.0);
}

/// Proves that what is wrong with a request is said in JSON.
#[test]
fn errors_are_json() {
    let relay = Relay::start();
    for bad in ["nonsense", "btcusdt@depth7", "a@trade/b@trade", "", "a%20b@trade"] {
        check_error(&get(relay.public, &format!("/api/v1/snapshot/{bad}")), 400, "Invalid stream");
    }
    check_error(&get(relay.public, "/api/v1/snapshot/nosuchusdt@ticker"), 404, "nosuchusdt@ticker");
    check_error(&get(relay.public, "/api/v1/nothing"), 404, "/api/v1/snapshot");
    check_error(&get(relay.public, "/api/v1/topics?limit=0"), 400, "limit");
    check_error(&get(relay.public, "/api/v1/topics?after=x"), 400, "after");
    for path in [SNAPSHOT, "/api/v1/topics", "/api/v1/gaps", "/sse?streams=btcusdt@ticker"] {
        let answer = request(relay.public, "POST", path, "Content-Length: 0\r\n");
        check_error(&answer, 405, "GET");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    let strict = Relay::configured("[[upstream]]\nkind = \"sim\"\nstreams = [\"btcusdt@*\"]", &[]);
    check_error(&get(strict.public, "/api/v1/snapshot/ethusdt@ticker"), 404, "No upstream");
}

/// Proves that no room is no fault of the stream: 503 when the upstream is full, 429 for who invents names.
#[test]
fn no_room_is_told() {
    let venue = Venue::start();
    let config = format!(
        "[limits]\nexempt_loopback = false\nunproven_names_per_ip = 1\nunproven_percent = 100\n[[upstream]]\nkind = \"stream\"\n\
         url = \"{}\"\nconnections = 1\nstreams_per_connection = 2",
        venue.url()
    );
    let relay = Relay::configured(&config, &[]);
    let _client = relay.client("/ws/a@trade");
    venue.until_asked("a@trade");
    let answer = get(relay.public, "/api/v1/snapshot/b@trade");
    check_error(&answer, 429, "b@trade");
    assert!(answer.header("retry-after").is_some());
    let other = connect_from("127.0.0.2".parse().expect("an address"), relay.public);
    let _other = support::client::Client::upgrade(other, &http::upgrade("/ws/c@trade"));
    venue.until_asked("c@trade");
    check_error(&get(relay.public, "/api/v1/snapshot/d@trade"), 503, "d@trade");
}

/// Proves that waiting has a cap of its own, which what can be answered at once does not need; and that who waits takes
/// one of its address's connections.
#[test]
fn waiting_is_capped() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "shards = 1\n[limits]\nhttp_streams = 1");
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@ticker", None);
    venue.until_asked(TICKER);
    let refused = get(relay.public, "/api/v1/snapshot/btcusdt@trade");
    check_error(&refused, 503, "http_streams");
    assert_eq!(refused.header("retry-after"), Some("1"));
    venue.send(TICKER, r#"{"n":1}"#);
    sse.event();
    assert_eq!(get(relay.public, SNAPSHOT).status, 200);

    let relay = relay_of(&venue, "[limits]\nexempt_loopback = false\nconnections_per_ip = 1");
    let _place = relay.client("/ws");
    check_error(&get(relay.public, SNAPSHOT), 429, "address");
}

/// Proves that topics are listed with all that is known of them, whole or by the page.
#[test]
fn topics_are_listed() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    let names: Vec<String> = (0..25).map(|at| format!("s{at}usdt@trade")).collect();
    let mut client = relay.client("/ws");
    client.subscribe(&names.iter().map(String::as_str).collect::<Vec<_>>());
    venue.until_asked("s7usdt@trade");
    venue.send("s7usdt@trade", r#"{"n":1}"#);
    client.text();
    let list = json(&get(relay.public, "/api/v1/topics"));
    assert_eq!((list["topics"].as_array().expect("rows").len(), &list["next"]), (25, &Value::Null));
    let mut row = list["topics"][7].clone();
    assert!(row["time"].as_u64().expect("a time") > 1_600_000_000_000);
    row["time"] = Value::Null;
    let mut expected = serde_json::json!({
        "name": "s7usdt@trade", "dialect": "stream", "kind": "event", "upstream": row["upstream"], "shards": 1,
        "market": false, "http": false, "state": "live", "seq": 1, "time": null, "proven": true
    });
    assert_eq!(row, expected);
    expected["name"] = "s8usdt@trade".into();
    (expected["seq"], expected["proven"]) = (0.into(), false.into());
    assert_eq!(list["topics"][8], expected);
    // By the page: each once.
    let (mut after, mut seen) = (Value::from(0), Vec::new());
    while !after.is_null() {
        let page = json(&get(relay.public, &format!("/api/v1/topics?limit=7&after={after}")));
        let rows = page["topics"].as_array().expect("rows");
        assert!(rows.len() <= 7);
        seen.extend(rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()));
        after = page["next"].clone();
    }
    assert_eq!(seen, names);
    let some = json(&get(relay.public, "/api/v1/topics?prefix=s1"));
    assert_eq!(some["topics"].as_array().expect("rows").len(), 11);
    assert!(!head_of(relay.public, "HEAD", "/api/v1/topics").contains("topics"));
}

/// Proves that pages of any origin may ask where there is no list, and hear so in refusals too.
#[test]
fn pages_may_ask() {
    let relay = Relay::start();
    let origin = "Origin: https://a.example\r\n";
    for path in ["/api/v1/topics", "/api/v1/gaps", "/api/v1/snapshot/x", "/sse", "/api/v1/nothing"] {
        let answer = request(relay.public, "GET", path, origin);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    assert_eq!(request(relay.public, "GET", "/", origin).header("access-control-allow-origin"), None);
    let asked =
        format!("{origin}Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: authorization, x-a\r\n");
    for path in ["/api/v1/listenKey", "/sse", "/ws/test", "/api/v1/topics"] {
        let answer = request(relay.public, "OPTIONS", path, &asked);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")), "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST, PUT, DELETE, OPTIONS"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("authorization, x-a"));
    }
}

/// Proves that with a list only its pages are answered, each by its own name.
#[test]
fn pages_off_the_list_are_refused() {
    let relay = Relay::configured("[edge]\norigins = [\"https://a.example\"]", &[]);
    let good = request(relay.public, "GET", "/api/v1/topics", "Origin: https://a.example\r\n");
    assert_eq!((good.status, good.header("access-control-allow-origin")), (200, Some("https://a.example")));
    assert_eq!(good.header("vary"), Some("Origin"));
    for method in ["GET", "OPTIONS"] {
        let bad = request(relay.public, method, "/api/v1/topics", "Origin: https://b.example\r\n");
        check_error(&bad, 403, "edge.origins");
        assert_eq!(bad.header("access-control-allow-origin"), None);
    }
    assert_eq!(get(relay.public, "/api/v1/topics").status, 200, "who sends no Origin is no page");
}
