//! What one client and one address may cost, with loopback not exempt.

mod support;

use std::net::TcpStream;
use std::time::Duration;

use support::client::{Client, Got, connect_from};
use support::frame::{PING, PONG, TEXT, close, message};
use support::http::{self, ask, upgrade};
use support::relay::Relay;
use support::venue::Venue;

const LIST: &str = r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#;

fn limited(args: &[&str]) -> Relay {
    Relay::with(&[&["--limit-loopback"], args].concat())
}

fn subscribe_line(names: &[String], id: u32) -> String {
    serde_json::json!({"method": "SUBSCRIBE", "params": names, "id": id}).to_string()
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|at| format!("s{at}usdt@trade")).collect()
}

/// Proves that an address has five places, the sixth is refused by 429, and a place is free as soon as one has left.
#[test]
fn an_address_has_five_places() {
    let relay = limited(&[]);
    let mut clients: Vec<Client> = (0..5).map(|_| relay.client("/ws/btcusdt@trade")).collect();
    let refused = ask(relay.public, &upgrade("/ws"));
    assert_eq!(refused.status, 429);
    assert!(refused.body.starts_with(r#"{"code":429,"#), "{refused:?}");
    // The refused connection itself and plain requests take no place.
    assert_eq!(http::get(relay.public, "/").status, 200);
    // Another address has its own five.
    let elsewhere =
        Client::upgrade(connect_from("127.0.0.2".parse().expect("an address"), relay.public), &upgrade("/ws"));
    for way in 0..3 {
        let mut client = clients.pop().expect("one is left");
        match way {
            0 => {
                client.send_bytes(&close(Some(1000), ""));
                assert_eq!(client.closed().0, Some(1000));
                client.expect_end();
                drop(client);
            }
            1 => drop(client),
            _ => client.reset(),
        }
        support::until("the place is free again", || {
            let answer = Client::ask(TcpStream::connect(relay.public).expect("it accepts"), &upgrade("/ws"));
            let is_in = answer.answer.status == 101;
            if is_in {
                clients.push(answer);
            }
            is_in
        });
        assert_eq!(ask(relay.public, &upgrade("/ws")).status, 429);
    }
    assert!(relay.count_where("relay_refused_total", "reason=\"connections_per_ip\"") >= 4.0);
    drop(elsewhere);
}

/// Proves that whoever has the relay's CLOSE finds his place free, without waiting for anything.
#[test]
fn a_close_has_freed_its_place() {
    let relay = limited(&[]);
    let clients: Vec<Client> = (0..4).map(|_| relay.client("/ws")).collect();
    for _ in 0..50 {
        let mut client = relay.client("/ws");
        client.send_bytes(&close(Some(1000), ""));
        assert_eq!(client.closed().0, Some(1000));
    }
    assert_eq!(clients.len(), 4);
}

/// Proves that the bitzoom profile takes 200 subscriptions, refuses what goes beyond as a whole, and keeps the connection.
#[test]
fn bitzoom_keeps_who_wants_too_much() {
    let relay = limited(&[]);
    let mut client = relay.client("/ws");
    assert_eq!(client.request(&subscribe_line(&names(0..199), 1)), r#"{"result":null,"id":1}"#);
    let error = r#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":2}"#;
    assert_eq!(client.request(&subscribe_line(&names(198..201), 2)), error);
    assert_eq!(client.list().len(), 199);
    // A held name is none more.
    assert_eq!(client.request(&subscribe_line(&names(197..200), 3)), r#"{"result":null,"id":3}"#);
    assert_eq!(client.request(&subscribe_line(&names(200..201), 2)), error);
    assert_eq!(client.list().len(), 200);
    client.unsubscribe(&["s0usdt@trade"]);
    client.subscribe(&["btcusdt@trade"]);
    assert_eq!(client.json()["e"], "trade");
}

/// Proves that the binance profile answers the 1025th subscription by code 4 and then 1008.
#[test]
fn binance_closes_who_wants_too_much() {
    let relay = limited(&["--profile", "binance"]);
    let mut client = relay.client("/ws");
    assert_eq!(client.request(&subscribe_line(&names(0..1024), 1)), r#"{"result":null,"id":1}"#);
    client.send(&subscribe_line(&names(1024..1025), 7));
    assert_eq!(client.reply(), r#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":7}"#);
    assert_eq!(client.closed(), (Some(1008), "Invalid request".to_owned()));
    client.expect_end();
}

/// Proves that the message above the rate closes 1008, whatever kind of message it is, and those before are answered.
#[test]
fn too_many_messages_in_a_second_close_the_connection() {
    let check = |args: &[&str], allowed: usize| {
        let relay = limited(args);
        let list = message(TEXT, LIST.as_bytes());
        let (ping, pong) = (message(PING, b"p"), message(PONG, b""));
        for kinds in [[&list, &list, &list], [&ping, &ping, &ping], [&list, &ping, &pong], [&pong, &pong, &pong]] {
            let mut client = relay.client("/ws");
            let frames: Vec<u8> = (0..allowed).flat_map(|at| kinds[at % 3].clone()).collect();
            // One write: the messages are in one second on any machine.
            client.send_bytes(&[frames, kinds[0].clone()].concat());
            let expected = (0..allowed).filter(|at| *kinds[at % 3] != pong).count();
            for _ in 0..expected {
                assert!(matches!(client.next(), Got::Text(_) | Got::Pong(_)));
            }
            let reason = (Some(1008), "Too many requests".to_owned());
            assert_eq!(client.next(), Got::Close(reason.0, reason.1));
            client.expect_end();
        }
        support::until("they are counted", || {
            relay.count_where("relay_closes_total", "reason=\"rate_limited\"") == 4.0
        });
    };
    check(&[], 10);
    check(&["--profile", "binance"], 5);
}

/// Proves that the allowed rate is allowed, second after second, and that nothing of a quiet second is saved up.
#[test]
fn the_allowed_rate_is_allowed() {
    let relay = limited(&[]);
    let mut client = relay.client("/ws");
    for second in 0..3 {
        for _ in 0..10 {
            assert_eq!(client.request(LIST), r#"{"result":[],"id":1}"#, "second {second}");
        }
        // The limit is one of time: a second has to pass.
        std::thread::sleep(Duration::from_millis(1010));
    }
    // Two quiet seconds more are no reason for twenty.
    std::thread::sleep(Duration::from_millis(2000));
    client.send_bytes(&message(TEXT, LIST.as_bytes()).repeat(11));
    assert_eq!(client.closed().0, Some(1008));
}

/// Proves that clients on loopback are exempt by default, from all of these limits.
#[test]
fn loopback_is_exempt_by_default() {
    let relay = Relay::start();
    let mut clients: Vec<Client> = (0..20).map(|_| relay.client("/ws")).collect();
    let client = &mut clients[0];
    client.send_bytes(&message(TEXT, LIST.as_bytes()).repeat(100));
    for _ in 0..100 {
        assert_eq!(client.text(), r#"{"result":[],"id":1}"#);
    }
    assert_eq!(client.request(&subscribe_line(&names(0..300), 1)), r#"{"result":null,"id":1}"#);
}

/// Proves that a client which answers no ping is closed 1008, and one that does is not.
#[test]
fn who_answers_no_ping_is_closed() {
    let relay = Relay::configured("[limits]\nping_interval = \"1s\"\npong_timeout = \"2s\"", &[]);
    let mut deaf = relay.client("/ws");
    let mut well = relay.client("/ws");
    let mut pings = 0;
    let closed = loop {
        match deaf.next() {
            Got::Ping(payload) => {
                let time: u64 = String::from_utf8(payload).expect("text").parse().expect("a time in ms");
                assert!(time > 1_600_000_000_000);
                // An unasked PONG of another payload does not keep alive, but ours keeps no book of payloads: send none.
                pings += 1;
            }
            Got::Close(code, reason) => break (code, reason),
            other => panic!("{other:?}"),
        }
        while let Some(Got::Ping(payload)) = well.next_within(Duration::from_millis(1)) {
            well.send_bytes(&message(PONG, &payload));
        }
    };
    assert_eq!(closed, (Some(1008), "Pong timeout".to_owned()));
    assert!(pings >= 2);
    assert_eq!(well.request(LIST), r#"{"result":[],"id":1}"#);
}

/// Proves that a connection's lifetime, where one is set, ends it by 1001.
#[test]
fn a_lifetime_ends_by_1001() {
    let relay = Relay::configured("[limits]\nlifetime = \"1s\"", &[]);
    let mut client = relay.client("/ws/btcusdt@trade");
    assert_eq!(client.closed().0, Some(1001));
    client.expect_end();
}

/// Proves that names somebody invents through all of his connections stop at his own bound, and others have room.
#[test]
fn invented_names_take_nobodys_slots() {
    let venue = Venue::start();
    let config = format!(
        "[limits]\nexempt_loopback = false\n[[upstream]]\nkind = \"stream\"\nurl = \"{}\"\nconnections = 1\nstreams_per_connection = 400",
        venue.url()
    );
    let relay = Relay::configured(&config, &[]);
    let mut refused = 0;
    let mut clients: Vec<Client> = (0..5).map(|_| relay.client("/ws")).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        for part in 0..4 {
            let from = at * 100 + part * 10;
            let reply = client.request(&subscribe_line(&names(from..from + 10), 1));
            if reply != r#"{"result":null,"id":1}"# {
                assert!(reply.starts_with(r#"{"error":{"code":4,"msg":""#), "{reply}");
                assert!(!reply.contains("Too many subscriptions"), "it has an error of its own: {reply}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 15, "fifty names are one address's share");
    let mut other =
        Client::upgrade(connect_from("127.0.0.2".parse().expect("an address"), relay.public), &upgrade("/ws"));
    other.subscribe(&["btcusdt@trade"]);
    venue.until_asked("btcusdt@trade");
    venue.send("btcusdt@trade", r#"{"e":"trade","s":"BTCUSDT"}"#);
    assert_eq!(other.text(), r#"{"e":"trade","s":"BTCUSDT"}"#);
    assert!(venue.names().len() <= 51, "{}", venue.names().len());
    assert!(relay.count_where("relay_subscriptions_refused_total", "reason=\"too_many_unproven\"") >= 15.0);
}

/// Proves that a full upstream is told by code 4 with a message of its own, and that room can be had again.
#[test]
fn a_full_upstream_is_told() {
    let venue = Venue::start();
    let config = format!(
        "[limits]\nunproven_percent = 100\n[[upstream]]\nkind = \"stream\"\nurl = \"{}\"\nconnections = 1\nstreams_per_connection = 2\nlinger = \"0s\"",
        venue.url()
    );
    let relay = Relay::configured(&config, &[]);
    let mut client = relay.client("/ws");
    client.subscribe(&["a@trade", "b@trade"]);
    let reply = client.request(r#"{"method":"SUBSCRIBE","params":["c@trade"],"id":9}"#);
    assert!(reply.starts_with(r#"{"error":{"code":4,"msg":""#) && reply.ends_with(r#","id":9}"#), "{reply}");
    assert!(!reply.contains("Too many subscriptions"), "{reply}");
    assert_eq!(client.list(), ["a@trade", "b@trade"]);
    venue.until_asked("a@trade");
    client.unsubscribe(&["a@trade"]);
    support::until("the slot is free", || {
        client.request(r#"{"method":"SUBSCRIBE","params":["c@trade"],"id":9}"#) == r#"{"result":null,"id":9}"#
    });
    venue.until_asked("c@trade");
    assert_eq!(client.list(), ["b@trade", "c@trade"]);
    // In a URL it is one error, and the connection is there.
    let mut late = relay.client("/ws/b@trade/d@trade");
    let reply = late.reply();
    assert!(reply.starts_with(r#"{"error":{"code":4,"#) && reply.contains("d@trade"), "{reply}");
    assert_eq!(late.list(), ["b@trade"]);
}

/// Proves that even the smallest upstream that can be configured carries a stream.
#[test]
fn a_tiny_upstream_carries_what_it_can() {
    let venue = Venue::start();
    let config = format!(
        "[[upstream]]\nkind = \"stream\"\nurl = \"{}\"\nconnections = 1\nstreams_per_connection = 1",
        venue.url()
    );
    let relay = Relay::configured(&config, &[]);
    let mut client = relay.client("/ws");
    client.subscribe(&["a@trade"]);
    venue.until_asked("a@trade");
}
