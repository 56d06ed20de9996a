//! The Socket.IO dialect against the real process: polling, WebSocket, and the way from one to the other.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::Value;

use support::client::{Client, Got};
use support::engine::{
    CONNECT, EMITS, OPEN, Session, WEBSOCKET, ack, ask, event, get, joined, packet, packets, sid_of,
};
use support::http;
use support::relay::Relay;

/// Reads packets until the example has all it asked for; what came of each kind.
#[track_caller]
fn check_example(mut next: impl FnMut() -> String) {
    let mut acks: BTreeMap<String, Value> = BTreeMap::new();
    let mut pushes = BTreeSet::new();
    while acks.len() < 4 || pushes.len() < 4 {
        let packet = next();
        if let Some((id, argument)) = ack(&packet) {
            assert!(acks.insert(id, argument).is_none(), "each is acknowledged once");
        } else if let Some((name, data)) = event(&packet) {
            let is_first = pushes.insert((name.clone(), data.is_array()));
            let rows = data.as_array().map_or(std::slice::from_ref(&data), |rows| rows.as_slice());
            assert!(rows.len() > 1 || data.is_object() || !is_first, "the first list has all rows: {packet}");
            let field = if name == "currency" { "currency" } else { "symbol" };
            for row in rows {
                check_row(row, field);
            }
        } else {
            assert_eq!(packet, "6", "nothing else comes");
        }
    }
    let names: Vec<&str> = pushes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["crypto", "crypto", "currency", "currency"]);
    check_row(&acks["1"], "currency");
    check_row(&acks["3"], "symbol");
    assert!(acks["0"].as_array().expect("rows").len() > 1 && acks["2"].as_array().expect("rows").len() > 1);
}

#[track_caller]
fn check_row(row: &Value, field: &str) {
    assert_eq!(row["base"], "USD", "{row}");
    assert!(row[field].is_string() && row["price"].is_string() && row["timestamp"].is_u64(), "{row}");
}

/// Proves that the documented example gets what it asks for by polling alone, whichever shard a request lands on.
#[test]
fn the_example_by_polling() {
    let relay = Relay::with(&["--shards", "2"]);
    let mut session = Session::joined(relay.public);
    session.send(&EMITS.join("\u{1e}"));
    check_example(|| session.next());
    relay.until_count("relay_socketio_sessions", "polling", 1.0);
}

/// Proves the same for a client that speaks WebSocket from the start.
#[test]
fn the_example_by_websocket() {
    let relay = Relay::with(&["--shards", "2"]);
    let mut client = joined(relay.public);
    for emit in EMITS {
        client.send(emit);
    }
    check_example(|| packet(&mut client));
    relay.until_count("relay_socketio_sessions", "websocket", 1.0);
}

/// Moves a session onto a WebSocket while a poll waits; returns what that poll brought besides.
#[track_caller]
fn upgrade(session: &mut Session) -> (Client, Vec<String>) {
    let mut packets_before = session.rest();
    let mut probe = session.probe();
    probe.send("2probe");
    assert_eq!(probe.text(), "3probe");
    // The client stops polling, as the reference client does: its last poll is released.
    packets_before.extend(session.poll());
    probe.send("5");
    packets_before.retain(|packet| packet != "6");
    (probe, packets_before)
}

/// Proves the same for the reference client's way: polling first, the emits in between, then WebSocket.
#[test]
fn the_example_across_the_upgrade() {
    let relay = Relay::with(&["--shards", "2"]);
    for early in [0, 3, 8] {
        let mut session = Session::joined(relay.public);
        if early > 0 {
            session.send(&EMITS[..early].join("\u{1e}"));
        }
        let (mut client, before) = upgrade(&mut session);
        for emit in &EMITS[early..] {
            client.send(emit);
        }
        let mut before = before.into_iter();
        check_example(|| before.next().unwrap_or_else(|| packet(&mut client)));
        // Its answer comes by WebSocket, so the session has moved.
        client.send(r#"429["x"]"#);
        while ack(&packet(&mut client)).is_none_or(|(id, _)| id != "9") {}
        let answer = get(relay.public, &session.target());
        assert_eq!(answer.body, r#"{"code":3,"message":"Bad request"}"#, "it is not polled any more");
    }
    assert_eq!(relay.count("relay_socketio_upgrades_total"), 3.0);
}

/// Proves that an upgrade loses nothing and repeats nothing: the session gets what a steady client gets.
#[test]
fn an_upgrade_loses_nothing_and_repeats_nothing() {
    let relay = Relay::with(&["--shards", "2"]);
    let listen = r#"42["crypto/onlyListen",{"base":"USD","symbol":"BTC"}]"#;
    let mut steady = joined(relay.public);
    steady.send(listen);
    let first = packet(&mut steady);
    let mut session = Session::joined(relay.public);
    session.send(listen);
    let mut got = vec![session.next(), session.next(), session.next()];
    let (mut client, before) = upgrade(&mut session);
    got.extend(before);
    while got.len() < 8 {
        got.push(packet(&mut client));
    }
    let mut expected = vec![first];
    while expected.last() != got.last() {
        expected.push(packet(&mut steady));
    }
    assert!(expected.ends_with(&got), "{got:#?} is not the end of {expected:#?}");
}

/// Proves that packets which no poll fetched go first over the WebSocket, and that early packets behind `5` count.
#[test]
fn what_was_not_fetched_comes_first() {
    let relay = Relay::start();
    let session = Session::open(relay.public);
    session.send(CONNECT);
    let mut probe = session.probe();
    // All at once: the answers come in the order of the questions.
    let sent = ["2probe", "5", r#"427["x"]"#];
    let bytes: Vec<u8> =
        sent.iter().flat_map(|text| support::frame::message(support::frame::TEXT, text.as_bytes())).collect();
    probe.send_bytes(&bytes);
    assert_eq!(probe.text(), "3probe");
    assert!(probe.text().starts_with(r#"40{"sid":"#));
    assert!(probe.text().starts_with(r#"437[{"error":{"code":"UNKNOWN_EVENT""#));
}

/// Proves that a probe that says something else is closed, and that its session goes on and may try again.
#[test]
fn a_failed_probe_harms_nobody() {
    let relay = Relay::with(&["--shards", "2"]);
    let mut session = Session::joined(relay.public);
    for wrong in ["2", "40", "x"] {
        let mut probe = session.probe();
        probe.send("2probe");
        assert_eq!(probe.text(), "3probe");
        probe.send(wrong);
        assert_eq!(probe.closed(), (None, String::new()));
    }
    // The polls that were answered at once while it probed are over.
    session.send(r#"420["fiat/onlyAck",{"base":"USD","currency":"EUR"}]"#);
    assert!(ack(&session.next()).is_some());
    // One that leaves without a word is as good.
    session.probe().reset();
    let retry = || Client::ask(tcp(relay.public), &http::upgrade(&format!("{WEBSOCKET}&sid={}", session.sid)));
    support::until("another probe is taken", || {
        let mut probe = retry();
        probe.answer.status == 101 && {
            probe.send("2probe");
            probe.next() == Got::Text("3probe".into())
        }
    });
}

fn tcp(address: SocketAddr) -> std::net::TcpStream {
    std::net::TcpStream::connect(address).expect("the relay accepts")
}

/// Proves that two polls at a time end the session: the second is refused, the first is told.
#[test]
fn two_polls_at_a_time_end_the_session() {
    let relay = Relay::with(&["--shards", "2"]);
    let session = Session::joined(relay.public);
    let (one, other) = (session.begin_poll(), session.begin_poll());
    let mut answers = [one.answer(), other.answer()].map(|answer| (answer.status, answer.body));
    answers.sort();
    assert_eq!(answers[0], (200, "1".to_owned()));
    assert_eq!(answers[1], (400, r#"{"code":3,"message":"Bad request"}"#.to_owned()));
    check_unknown(&session);
}

#[track_caller]
fn check_unknown(session: &Session) {
    let answer = get(session.address, &session.target());
    assert_eq!((answer.status, &*answer.body), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
}

/// Proves the same for two posts.
#[test]
fn two_posts_at_a_time_end_the_session() {
    let relay = Relay::with(&["--shards", "2"]);
    let session = Session::joined(relay.public);
    let mut half = ask(relay.public, "POST", &session.target(), "Expect: 100-continue\r\n", "");
    drop(half.0.shutdown(std::net::Shutdown::Both));
    half = {
        let mut stream = tcp(relay.public);
        let head = format!("POST {} HTTP/1.1\r\nHost: relay.test\r\nContent-Length: 2\r\n\r\n4", session.target());
        stream.write_all(head.as_bytes()).expect("the head is taken");
        support::engine::Asked(stream)
    };
    // Until the first one's head has been read, posts are fine.
    support::until("the second post is refused", || session.post("3").status == 400);
    check_unknown(&session);
    drop(half);
}

/// Proves that a post above the limit is refused by its size, and that the session stays.
#[test]
fn a_post_above_the_limit_is_refused() {
    let relay = Relay::start();
    let mut session = Session::joined(relay.public);
    let limit = 64 * 1024;
    let open = get(relay.public, OPEN).body;
    assert!(open.contains(&format!(r#""maxPayload":{limit}"#)), "{open}");
    let long = |len: usize| format!(r#"429["x","{}"]"#, "x".repeat(len - 11));
    assert_eq!(long(limit).len(), limit);
    session.send(&long(limit));
    assert!(ack(&session.next()).is_some());
    assert_eq!(session.post(&long(limit + 1)).status, 413);
    session.send(r#"428["x"]"#);
    assert_eq!(ack(&session.next()).expect("an answer").0, "8");
}

/// Proves that browsers may read every answer, refusals too, and that the list of origins holds.
#[test]
fn pages_may_read_the_answers() {
    let relay = Relay::start();
    let origin = "Origin: https://page.example\r\n";
    let session = Session::joined(relay.public);
    let unknown = "/currency/?EIO=4&transport=polling&sid=nope";
    session.send(r#"421["x"]"#);
    let answers = [
        ask(relay.public, "GET", OPEN, origin, "").answer(),
        ask(relay.public, "GET", unknown, origin, "").answer(),
        ask(relay.public, "POST", &session.target(), origin, "3").answer(),
        ask(relay.public, "POST", &session.target(), origin, &"x".repeat(100_000)).answer(),
        ask(relay.public, "GET", &session.target(), origin, "").answer(),
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 400, 200, 413, 200]);
    for answer in answers {
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://page.example"), "{answer:?}");
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    let lines = format!("{origin}Access-Control-Request-Headers: x-a\r\n");
    let preflight = ask(relay.public, "OPTIONS", OPEN, &lines, "").answer();
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-headers"), Some("x-a"));

    let relay = Relay::configured("[edge]\norigins = [\"https://mine.example\"]", &[]);
    let refused = ask(relay.public, "GET", OPEN, origin, "").answer();
    assert_eq!((refused.status, &*refused.body), (403, r#"{"code":4,"message":"Forbidden"}"#));
    assert_eq!(ask(relay.public, "GET", OPEN, "Origin: https://mine.example\r\n", "").answer().status, 200);
    assert_eq!(get(relay.public, OPEN).status, 200);
}

/// Proves that a client which leaves its poll loses nothing of what comes after.
#[test]
fn a_poll_that_is_left_takes_nothing_along() {
    let relay = Relay::with(&["--shards", "2"]);
    let mut session = Session::joined(relay.public);
    support::until("nobody but the session is there", || relay.count("relay_connections") == 1.0);
    let poll = session.begin_poll();
    support::until("the poll waits", || relay.count("relay_connections") == 2.0);
    drop(poll);
    support::until("it is noticed", || relay.count("relay_connections") == 1.0);
    session.send(r#"421["x"]"#);
    assert_eq!(ack(&session.next()).expect("an answer").0, "1");
}

/// Proves that a polling client that does not come for its packets is bounded, and gets the newest of each price.
#[test]
fn a_slow_poller_is_bounded_and_conflated() {
    let relay = Relay::start();
    let mut session = Session::joined(relay.public);
    let bases = ["USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD"];
    let listens: Vec<String> = bases
        .iter()
        .flat_map(|base| ["fiat", "crypto"].map(|class| format!(r#"42["{class}/allListen",{{"base":"{base}"}}]"#)))
        .collect();
    session.send(&listens.join("\u{1e}"));
    relay.until_count("relay_clients_blocked_total", "", 1.0);
    let full = session.begin_poll().answer();
    assert!(full.body.len() <= 64 * 1024, "{} bytes", full.body.len());
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut lists = 0;
    let mut look = |packet: &str| {
        let Some((name, data)) = event(packet) else { return };
        let mut seen = BTreeSet::new();
        for row in data.as_array().expect("a list") {
            let field = if name == "currency" { "currency" } else { "symbol" };
            let key = format!("{name} {} {}", row["base"], row[field]);
            assert!(seen.insert(key.clone()), "a list has one row of each: {packet}");
            let time = row["timestamp"].as_u64().expect("a time");
            assert!(newest.insert(key, time).is_none_or(|before| before <= time), "time goes on: {packet}");
        }
        lists += 1;
    };
    packets(full).iter().for_each(|packet| look(packet));
    for _ in 0..30 {
        look(&session.next());
    }
    assert!(lists > 30);
}

/// Proves that polls do not wait for others' and that their number is bounded.
#[test]
fn answers_that_wait_are_bounded() {
    let relay = Relay::configured("[limits]\nhttp_streams = 1", &["--shards", "1"]);
    let (one, other) = (Session::joined(relay.public), Session::joined(relay.public));
    support::until("nobody but the sessions is there", || relay.count("relay_connections") == 2.0);
    let waiting = one.begin_poll();
    support::until("one is too many", || {
        let answer = other.post(r#"421["x"]"#);
        answer.status == 200 && other.begin_poll().answer().status == 503
    });
    assert_eq!(relay.count_where("relay_refused_total", "http_streams"), 1.0);
    one.send(r#"421["x"]"#);
    assert!(ack(&packets(waiting.answer())[0]).is_some());
    assert!(ack(&other.poll()[0]).is_some(), "what was not fetched is still there");
}

/// Proves that a session that is polled counts as a connection between its requests.
#[test]
fn polled_sessions_count_as_connections() {
    let relay = Relay::with(&["--connections-max", "2"]);
    let _session = Session::open(relay.public);
    let answer = ask(relay.public, "GET", OPEN, "Origin: null\r\n", "").answer();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("access-control-allow-origin"), Some("null"));
}

/// Proves that a drain ends a poll that waits, and a WebSocket, so that both clients reconnect at once.
#[test]
fn a_drain_sends_clients_elsewhere() {
    let mut relay = Relay::with(&["--drain", "0s", "--shards", "2"]);
    let session = Session::joined(relay.public);
    let mut client = joined(relay.public);
    support::until("the requests are over", || relay.count("relay_connections") == 2.0);
    let poll = session.begin_poll();
    support::until("the poll waits", || relay.count("relay_connections") == 3.0);
    relay.signal(Signal::TERM);
    assert_eq!(packets(poll.answer()), ["1"]);
    assert_eq!(client.closed().0, Some(1012));
    client.finish();
    assert!(relay.ended().success());
}

/// Proves that who does not answer pings is given up, by either transport, and who does is not.
#[test]
fn unanswered_pings_end_a_session() {
    let relay = Relay::configured("[socketio]\nping_interval = \"1s\"\nping_timeout = \"3s\"", &[]);
    let mut silent = joined(relay.public);
    let polled = Session::joined(relay.public);
    assert_eq!(polled.poll(), ["2"]);
    assert_eq!(silent.closed(), (None, String::new()));
    support::until("the polled one is gone", || get(relay.public, &polled.target()).status == 400);
    assert!(relay.count_where("relay_closes_total", "pong_timeout") >= 2.0);

    let relay = Relay::configured("[socketio]\nping_interval = \"1s\"", &[]);
    let (polled, mut client) = (Session::joined(relay.public), joined(relay.public));
    for _ in 0..3 {
        assert_eq!(polled.poll(), ["2"]);
        polled.send("3");
        assert_eq!(client.text(), "2");
        client.send("3");
    }
}

/// Proves that a client without a good key is told so, and may try again on the same connection.
#[test]
fn a_key_is_asked_for() {
    let relay = Relay::start();
    let unauthorized = r#"44{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#;
    let mut client = relay.client(WEBSOCKET);
    sid_of(&client.text());
    for connect in ["40", "40{}", r#"40{"api-key":""}"#] {
        client.send(connect);
        assert_eq!(client.text(), unauthorized);
    }
    client.send(CONNECT);
    assert!(client.text().starts_with("40{"));
}

/// Proves that wishes for what there is not are refused, whoever waits for an answer or not.
#[test]
fn unknown_names_are_refused() {
    let relay = Relay::start();
    let mut client = joined(relay.public);
    client.send(r#"42["fiat/onlyListen",{"base":"USD","currency":"XXX"}]"#);
    let (name, data) = event(&client.text()).expect("an event");
    assert_eq!((&*name, &data["event"], &data["code"]), ("error", &"fiat/onlyListen".into(), &"NOT_FOUND".into()));
    client.send(r#"425["crypto/allAck",{"base":"NOPE"}]"#);
    let (id, argument) = ack(&client.text()).expect("an acknowledgement");
    assert_eq!((&*id, &argument["error"]["code"]), ("5", &"NOT_FOUND".into()));
    // A subscription is acknowledged where that is waited for; a second one changes nothing.
    for id in ["6", "7"] {
        client.send(&format!(r#"42{id}["crypto/onlyListen",{{"base":"usd","symbol":"btc"}}]"#));
    }
    let acks: Vec<_> = std::iter::repeat_with(|| client.text()).filter_map(|text| ack(&text)).take(2).collect();
    assert_eq!(acks, [("6".into(), serde_json::json!({"ok": true})), ("7".into(), serde_json::json!({"ok": true}))]);
    client.send(r#"42["nobody knows this"]"#);
    relay.until_count("relay_socketio_unknown_events_total", "", 1.0);
}

/// Proves that leaving the namespace ends the subscriptions, and that one may come back.
#[test]
fn who_leaves_may_come_back() {
    let relay = Relay::start();
    let mut client = joined(relay.public);
    client.send(r#"42["crypto/onlyListen",{"base":"USD","symbol":"BTC"}]"#);
    assert!(event(&client.text()).is_some());
    client.send("41");
    client.send(CONNECT);
    while !client.text().starts_with("40{") {}
    client.send(r#"421["x"]"#);
    assert!(ack(&client.text()).is_some(), "the subscription is over");
}

/// Proves that more than a hundred packets in a second end a session.
#[test]
fn packets_are_limited() {
    let relay = Relay::with(&["--limit-loopback"]);
    let mut client = joined(relay.public);
    let many = support::frame::message(support::frame::TEXT, b"3").repeat(150);
    client.send_bytes(&many);
    assert_eq!(client.closed().0, Some(1008));
    let session = Session::joined(relay.public);
    assert_eq!(session.post(&["3"; 150].join("\u{1e}")).status, 200);
    check_unknown(&session);
    assert_eq!(relay.count_where("relay_closes_total", "rate_limited"), 2.0);
}
