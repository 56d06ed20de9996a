//! API keys: who comes in, as whom, to what, and how often; the refusal is each dialect's own.

mod support;

use std::io::Write;
use std::net::{IpAddr, TcpStream};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use support::client::{Client, Got, connect_from};
use support::http::{Answer, ask, request, upgrade_with};
use support::relay::Relay;

/// An account whose key is its name.
fn account(name: &str, more: &str) -> String {
    let digest: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[account]]\nname = \"{name}\"\nkeys = [\"sha256:{digest}\"]\n{more}\n")
}

fn required(accounts: &str) -> Relay {
    Relay::configured(&format!("[access]\nrequired = true\n{accounts}"), &[])
}

fn key(name: &str) -> String {
    format!("X-API-Key: {name}\r\n")
}

fn answer(relay: &Relay, target: &str, more: &str) -> Answer {
    ask(relay.public, &upgrade_with(target, more))
}

#[track_caller]
fn client(relay: &Relay, target: &str, more: &str) -> Client {
    Client::upgrade(TcpStream::connect(relay.public).expect("it accepts"), &upgrade_with(target, more))
}

const DERIV: &str = "/websockets/v3?app_id=1";

/// Proves that without a good key every dialect refuses in its own words, and with one lets in, wherever it is carried.
#[test]
fn a_key_opens_every_door() {
    let relay = required(&account("alice", ""));
    let stream = r#"{"code":401,"msg":"Unauthorized"}"#;
    let wrong = key("mallory");
    for more in ["", wrong.as_str()] {
        for target in ["/ws", "/ws/btcusdt@trade", "/stream?streams=btcusdt@trade"] {
            let answer = answer(&relay, target, more);
            assert_eq!((answer.status, answer.body.as_str()), (401, stream), "{target}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert!(answer(&relay, DERIV, "").body.contains("AuthorizationRequired"));
    assert!(answer(&relay, DERIV, &key("mallory")).body.contains("InvalidToken"));
    let test = request(relay.public, "POST", "/ws/test", "");
    assert_eq!((test.status, test.body.contains(r#""type":"error","code":"unauthorized""#)), (401, true));
    assert_eq!(relay.count_where("relay_refused_total", "reason=\"key\""), 9.0);
    for more in [key("alice"), "Authorization: Bearer alice\r\n".to_owned(), "X-MBX-APIKEY: alice\r\n".to_owned()] {
        for target in ["/ws", "/ws/btcusdt@trade", DERIV] {
            client(&relay, target, &more);
        }
    }
    for target in ["/ws?api_key=alice", "/stream?streams=btcusdt@trade&token=alice", "/ws/btcusdt@trade?apikey=alice"] {
        client(&relay, target, "");
    }
    assert_eq!(support::http::get(relay.public, "/").status, 200);
    assert!(!relay.log().contains("alice"), "no key is logged");
}

/// Proves that an account's dialects are kept to: at the door, and on /ws when the first message tells.
#[test]
fn dialects_of_an_account() {
    let streams = account("streams", "dialects = [\"stream\"]");
    let relay = required(&(streams + &account("hubs", "dialects = [\"hub\"]")));
    let refused = answer(&relay, DERIV, &key("hubs"));
    assert_eq!((refused.status, refused.body.contains("PermissionDenied")), (403, true));
    let refused = answer(&relay, "/ws/btcusdt@trade", &key("hubs"));
    assert_eq!((refused.status, refused.body.contains("not for the stream dialect")), (403, true));
    let subscribe = r#"{"type":"subscribe","channels":["binance_prices"]}"#;
    let list = r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#;
    let mut hub = client(&relay, "/ws", &key("hubs"));
    hub.send(list);
    assert_eq!(hub.text(), r#"{"error":{"code":2,"msg":"This API key is not for the stream dialect"}}"#);
    hub.send(subscribe);
    assert_eq!(hub.json()["type"], "subscribed");
    let mut stream = client(&relay, "/ws", &key("streams"));
    stream.send(subscribe);
    let error = stream.json();
    assert_eq!((&error["type"], &error["code"]), (&Value::from("error"), &Value::from("forbidden")));
    assert_eq!(stream.request(list), r#"{"result":[],"id":1}"#);
}

/// Proves that an account gets the topics its patterns allow, and each dialect's own error for others.
#[test]
fn topics_of_an_account() {
    let relay = required(&account("alice", "topics = [\"btc*@*\", \"hub bitcoinprice\", \"ticks R_50\"]"));
    let mut stream = client(&relay, "/ws/btcusdt@trade/ethusdt@trade", &key("alice"));
    let not_allowed = "This API key is not allowed to subscribe to it";
    assert_eq!(stream.reply(), format!(r#"{{"error":{{"code":2,"msg":"{not_allowed}: ethusdt@trade"}}}}"#));
    assert_eq!(stream.list(), ["btcusdt@trade"]);
    let both = r#"{"method":"SUBSCRIBE","params":["btcusdt@ticker","ethusdt@trade"],"id":4}"#;
    assert_eq!(stream.request(both), format!(r#"{{"error":{{"code":2,"msg":"{not_allowed}"}},"id":4}}"#));
    assert_eq!(stream.list(), ["btcusdt@trade"]);

    let mut hub = client(&relay, "/ws", &key("alice"));
    hub.send(r#"{"type":"subscribe","channels":["binance_prices","bitcoinprice"]}"#);
    assert_eq!(hub.json()["channels"], serde_json::json!(["bitcoinprice"]));
    let error = loop {
        let json = hub.json();
        if json["type"] == "error" {
            break json;
        }
    };
    assert_eq!((&error["code"], &error["channels"]), (&"forbidden".into(), &serde_json::json!(["binance_prices"])));

    let mut deriv = client(&relay, DERIV, &key("alice"));
    for (call, allowed) in [
        (r#"{"ticks":"R_100"}"#, false),
        (r#"{"ticks":"R_100","subscribe":1}"#, false),
        (r#"{"ticks_history":"R_50","end":"latest","count":2}"#, false),
        (r#"{"ticks":"R_50","subscribe":1}"#, true),
    ] {
        deriv.send(call);
        let code = deriv.json()["error"]["code"].clone();
        assert_eq!(code, if allowed { Value::Null } else { "PermissionDenied".into() }, "{call}");
    }
    assert_eq!(relay.count_where("relay_subscriptions_refused_total", "not_allowed"), 6.0);
}

/// Proves that an account's limit of connections counts all dialects and addresses, and gives places back.
#[test]
fn connections_of_an_account() {
    let relay = Relay::configured(&(account("alice", "connections = 2") + &account("bob", "")), &["--limit-loopback"]);
    let from = |last: u8| connect_from(IpAddr::from([127, 0, 0, last]), relay.public);
    let first = Client::upgrade(from(1), &upgrade_with("/ws", &key("alice")));
    let _second = Client::upgrade(from(2), &upgrade_with(DERIV, &key("alice")));
    for (target, word) in [("/ws", r#"{"code":429"#), (DERIV, "RateLimit")] {
        let third = Client::ask(from(3), &upgrade_with(target, &key("alice"))).answer;
        assert_eq!((third.status, third.body.contains(word)), (429, true), "{}", third.body);
    }
    assert_eq!(relay.count_where("relay_account_connections", "alice"), 2.0);
    assert_eq!(relay.count_where("relay_refused_total", "connections_of_account"), 2.0);
    // Others are counted by address, of which alice has taken nothing.
    let others: Vec<Client> = (0..5).map(|_| Client::upgrade(from(1), &upgrade_with("/ws", &key("bob")))).collect();
    assert_eq!(Client::ask(from(1), &upgrade_with("/ws", "")).answer.status, 429);
    drop((first, others));
    support::until("the places are free again", || {
        Client::ask(from(1), &upgrade_with("/ws", &key("alice"))).answer.status == 101
    });
}

/// Proves that an account's own rate holds in every dialect, from this machine too, and "0" is no limit.
#[test]
fn messages_of_an_account() {
    let slow = account("slow", "messages_per_second = 2");
    let relay = Relay::configured(&(slow + &account("quick", "messages_per_second = 0")), &["--limit-loopback"]);
    for target in ["/ws", DERIV] {
        let mut client = client(&relay, target, &key("slow"));
        for _ in 0..3 {
            client.send(r#"{"ping":1}"#);
        }
        assert_eq!(client.closed(), (Some(1008), "Too many requests".to_owned()), "{target}");
    }
    let mut client = client(&relay, "/ws", &key("quick"));
    for _ in 0..50 {
        client.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#);
    }
    for _ in 0..50 {
        assert_eq!(client.next(), Got::Text(r#"{"result":[],"id":1}"#.to_owned()));
    }
}

/// Proves that "remote" asks everybody but this machine, and that a proxy's word decides who is that.
#[test]
fn remote_is_who_the_proxy_says() {
    let proxy = "[edge]\ntrusted_header = \"X-Real-IP\"\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let config = format!("[access]\nrequired = \"remote\"\n{proxy}\n{}", account("alice", ""));
    let relay = Relay::configured(&config, &[]);
    assert_eq!(answer(&relay, "/ws", "").status, 101);
    assert_eq!(answer(&relay, "/ws", "X-Real-IP: 192.0.2.1\r\n").status, 401);
    assert_eq!(answer(&relay, "/ws", "X-Real-IP: 127.0.0.1\r\n").status, 101);
    assert_eq!(answer(&relay, "/ws", &format!("X-Real-IP: 192.0.2.1\r\n{}", key("alice"))).status, 101);
    let proxy = "[edge]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let config = format!("[access]\nrequired = \"remote\"\n{proxy}\n{}", account("alice", ""));
    let relay = Relay::configured(&config, &[]);
    let status = |source: [u8; 4], head: String| {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        header.extend_from_slice(&source);
        header.extend_from_slice(&[192, 0, 2, 9, 0, 1, 0, 2]);
        let mut stream = TcpStream::connect(relay.public).expect("it accepts");
        stream.write_all(&header).expect("it is read");
        Client::ask(stream, &head).answer.status
    };
    assert_eq!(status([192, 0, 2, 1], upgrade_with("/ws", "")), 401);
    assert_eq!(status([127, 0, 0, 1], upgrade_with("/ws", "")), 101);
    assert_eq!(status([192, 0, 2, 1], upgrade_with("/ws", &key("alice"))), 101);
}

/// Proves that snapshots, event streams and lists are for those with a good key, by the topics it allows; and that lists
/// say nothing about whose user data is read.
#[test]
fn plain_http_is_no_way_around() {
    let relay = required(&account("alice", "topics = [\"btc*@*\"]"));
    let get = |path: &str, more: &str| request(relay.public, "GET", path, more);
    for path in ["/api/v1/snapshot/btcusdt@ticker", "/api/v1/topics", "/api/v1/gaps", "/sse?streams=btcusdt@ticker"] {
        assert_eq!(get(path, "").status, 401, "{path}");
        assert_eq!(get(path, &key("mallory")).status, 401, "{path}");
    }
    assert_eq!(get("/api/v1/snapshot/btcusdt@ticker", &key("alice")).status, 200);
    assert_eq!(get("/api/v1/snapshot/ethusdt@ticker", &key("alice")).status, 403);
    assert_eq!(get("/sse?streams=btcusdt@ticker/ethusdt@ticker", &key("alice")).status, 403);
    let made: Value =
        serde_json::from_str(&request(relay.public, "POST", "/api/v1/listenKey", &key("alice")).body).expect("JSON");
    let mut reader = client(&relay, &format!("/ws/{}", made["data"]["listenKey"].as_str().expect("a key")), "");
    assert_eq!(reader.list().len(), 1);
    let topics = get("/api/v1/topics", &key("alice"));
    assert!(topics.body.contains("btcusdt@ticker") && !topics.body.contains("user"), "{}", topics.body);
}

/// Proves that the key of a Socket.IO CONNECT is the account's: its topics and its connections count.
#[test]
fn socket_io_connects_as_an_account() {
    let relay = required(&account("alice", "topics = [\"crypto USD*\"]\nconnections = 1"));
    let open = || {
        let mut client = client(&relay, "/currency/?EIO=4&transport=websocket", "");
        assert!(client.text().starts_with("0{"));
        client
    };
    let unauthorized = r#"44{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#;
    let mut first = open();
    first.send(r#"40{"api-key":"mallory"}"#);
    assert_eq!(first.text(), unauthorized);
    first.send(r#"40{"api-key":"alice"}"#);
    assert!(first.text().starts_with("40{"));
    first.send(r#"420["fiat/onlyListen",{"base":"USD","currency":"EUR"}]"#);
    let refused = first.text();
    assert!(refused.starts_with("430[") && refused.contains("FORBIDDEN"), "{refused}");
    first.send(r#"421["crypto/onlyListen",{"base":"USD","symbol":"BTC"}]"#);
    assert!(first.text().starts_with("431["));
    let mut second = open();
    second.send(r#"40{"api-key":"alice"}"#);
    assert_eq!(second.text(), unauthorized);
    assert_eq!(relay.count_where("relay_account_connections", "alice"), 1.0);
    assert_eq!(relay.count_where("relay_refused_total", "connections_of_account"), 1.0);
    first.reset();
    support::until("the place is free again", || relay.count_where("relay_account_connections", "alice") == 0.0);
    second.send(r#"40{"api-key":"alice"}"#);
    assert!(second.text().starts_with("40{"));
}
