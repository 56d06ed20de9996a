//! Between a venue and its clients: what is asked for and when, what is passed on, and what a loss costs.

mod support;

use serde_json::Value;

use support::client::Client;
use support::frame::{BINARY, CONTINUATION, PING, TEXT, unmasked};
use support::relay::Relay;
use support::venue::Venue;

fn before(venue: &Venue) -> Relay {
    Relay::with(&["--upstream", &format!("stream={}", venue.url())])
}

/// With more keys in the upstream's section, and others above it.
fn configured(venue: &Venue, top: &str, upstream: &str) -> Relay {
    let url = venue.url();
    Relay::configured(&format!("{top}\n[[upstream]]\nkind = \"stream\"\nurl = \"{url}\"\n{upstream}\n"), &[])
}

/// The number in a test's own payload.
fn number(text: &str) -> u64 {
    let value: Value = serde_json::from_str(text).expect("JSON");
    value["n"].as_u64().expect("a number")
}

/// Proves that a stream is asked for once, however many clients want it, and that all of them get the same frames.
#[test]
fn a_stream_is_held_once() {
    let venue = Venue::start();
    let relay = before(&venue);
    let mut raw: Vec<Client> = (0..10).map(|_| relay.client("/ws/btcusdt@trade")).collect();
    let mut combined: Vec<Client> = (0..10).map(|_| relay.client("/stream?streams=btcusdt@trade")).collect();
    venue.until_asked("btcusdt@trade");
    // All subscriptions are in place once each has been listed.
    for client in raw.iter_mut().chain(&mut combined) {
        assert_eq!(client.list(), ["btcusdt@trade"]);
    }
    for n in 0..100 {
        venue.send("btcusdt@trade", &format!(r#"{{"n":{n}}}"#));
    }
    for n in 0..100 {
        for client in &mut raw {
            assert_eq!(client.text(), format!(r#"{{"n":{n}}}"#));
        }
        for client in &mut combined {
            assert_eq!(client.text(), format!(r#"{{"stream":"btcusdt@trade","data":{{"n":{n}}}}}"#));
        }
    }
    assert_eq!(venue.times_asked("btcusdt@trade"), 1);
    assert_eq!(venue.accepted(), 1);
}

/// Proves that a payload reaches raw and combined clients byte for byte, whatever its spaces, keys, escapes and numbers.
#[test]
fn payloads_are_passed_on_byte_for_byte() {
    let venue = Venue::start();
    let relay = before(&venue);
    let name = "btcusdt@trade";
    let mut raw = relay.client("/ws/btcusdt@trade");
    let mut combined = relay.client("/stream?streams=btcusdt@trade");
    assert_eq!((raw.list().len(), combined.list().len()), (1, 1));
    venue.until_asked(name);
    for payload in [
        r#"{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,"p":"50000.00","q":"0.100","T":1672515782100,"m":true}"#,
        "{ \"e\" :\t\"trade\" ,\r\n \"p\":\"1.10\" , \"z\":[ ] }",
        r#"{"z":1,"a":2,"z":3,"unknown":{"deep":[[[{"x":null}]]]}}"#,
        r#"{"n":1e-7,"m":-0.0,"o":1E+400,"p":123456789012345678901234567890,"q":0.1000000000000000000000001}"#,
        r#"{"s":"币安USDT","t":"\u00e9\"\\\/\b\f\n\r\t\ud83d\ude00😀","u":"<>&'"}"#,
        r#"{"stream":"other@trade","data":{"stream":"x","data":1},"result":null,"id":1,"e":"serverShutdown"}"#,
        r#"[{"s":"A"},{"s":"B"}]"#,
        r#""text""#,
        "17",
        "null",
        "{}",
    ] {
        venue.send(name, payload);
        assert_eq!(raw.text(), payload);
        assert_eq!(combined.text(), format!(r#"{{"stream":"btcusdt@trade","data":{payload}}}"#));
    }
    // The wrapper's own form is the venue's affair.
    for text in [
        r#"{"data":{"n":1},"stream":"btcusdt@trade"}"#,
        "  {\n \"stream\" : \"btcusdt@trade\" , \"more\" : [1] , \"data\" : {\"n\":1} } ",
        r#"{"stream":"btcusdt\u0040trade","data":{"n":1}}"#,
        r#"{"stream":"BTCUSDT@trade","data":{"n":1}}"#,
    ] {
        venue.send_text(name, text);
        assert_eq!(raw.text(), r#"{"n":1}"#, "{text}");
        assert_eq!(combined.text(), r#"{"stream":"btcusdt@trade","data":{"n":1}}"#);
    }
    // Fragments, with a control frame between them, are one message.
    let text = br#"{"stream":"btcusdt@trade","data":{"n":"caf\u00e9 \xc3\xa9"}}"#;
    let text = String::from_utf8_lossy(text).replace(r"\xc3\xa9", "é");
    let (one, two) = text.as_bytes().split_at(text.len() - 4);
    venue.send_bytes(
        name,
        &[unmasked(TEXT, one), unmasked(0x80 | PING, b"p"), unmasked(0x80 | CONTINUATION, two)].concat(),
    );
    assert_eq!(raw.text(), r#"{"n":"caf\u00e9 é"}"#);
    support::until("the ping is answered", || venue.pongs() == [b"p"]);
    // Long ones, around each of the length forms.
    for len in [100, 125, 126, 127, 65_535, 65_536, 900_000] {
        let payload = format!(r#""{}""#, "x".repeat(len - 2));
        venue.send(name, &payload);
        assert_eq!(raw.text().len(), len);
        combined_text_ends_with(&mut combined, &payload);
    }
}

fn combined_text_ends_with(client: &mut Client, payload: &str) {
    loop {
        let text = client.text();
        if text.len() >= payload.len() + 30 {
            assert!(text.strip_suffix('}').is_some_and(|text| text.ends_with(payload)));
            return;
        }
    }
}

/// Proves that what a venue sends wrongly is dropped and counted, and costs nothing but itself.
#[test]
fn a_venues_mistakes_cost_only_themselves() {
    let venue = Venue::start();
    let relay = before(&venue);
    let name = "btcusdt@trade";
    let mut client = relay.client("/ws/btcusdt@trade");
    venue.until_asked(name);
    venue.send(name, r#"{"n":0}"#);
    assert_eq!(number(&client.text()), 0);
    let text = |bytes: &[u8]| unmasked(0x80 | TEXT, bytes);
    let huge = format!(r#"{{"stream":"{name}","data":"{}"}}"#, "x".repeat(1024 * 1024));
    let mistakes: [(&str, Vec<u8>); 8] = [
        ("not_json", text(b"nonsense")),
        ("not_json", text(br#"{"stream":"btcusdt@trade","data":{"n":1}"#)),
        ("not_json", text(br#"{"stream":"btcusdt@trade","data":{"n":01}}"#)),
        ("not_json", text(b"")),
        ("not_utf8", text(b"{\"stream\":\"btcusdt@trade\",\"data\":\"\xff\"}")),
        ("too_big", text(huge.as_bytes())),
        ("binary", unmasked(0x80 | BINARY, b"{}")),
        ("not_subscribed", text(br#"{"stream":"other@trade","data":{"n":1}}"#)),
    ];
    let count = |relay: &Relay, reason: &str| {
        relay.count_where("relay_upstream_dropped_total", &format!("reason=\"{reason}\""))
    };
    for (at, (reason, bytes)) in mistakes.iter().enumerate() {
        let (dropped, lost) = (count(&relay, reason), relay.count("relay_upstream_losses_total"));
        venue.send_bytes(name, bytes);
        support::until(&format!("it is counted: {reason}"), || {
            count(&relay, reason) > dropped || relay.count("relay_upstream_losses_total") > lost
        });
        support::until("the stream is held (again)", || venue.holds(name));
        venue.send(name, &format!(r#"{{"n":{}}}"#, at + 1));
        assert_eq!(number(&client.text()), at as u64 + 1, "{reason}");
    }
    assert_eq!(relay.count("relay_upstream_losses_total"), 0.0, "none of these is a reason to hang up");
    // Each reason is one line, and what ended meanwhile is none.
    let log = relay.log();
    for reason in ["NotJson", "NotUtf8", "TooBig", "Binary"] {
        let lines = log.lines().filter(|line| line.contains("drop") && line.contains(reason));
        assert_eq!(lines.filter(|line| line.contains("WARN")).count(), 1, "{reason}: {log}");
    }
    assert_eq!(log.matches("dropping messages").count(), 4, "{log}");
}

/// Proves that frames which break RFC 6455 end the connection to the venue, which is made anew and counted.
#[test]
fn a_broken_venue_is_dialled_anew() {
    let venue = Venue::start();
    let relay = before(&venue);
    let name = "btcusdt@trade";
    let mut client = relay.client("/ws/btcusdt@trade");
    for (at, bytes) in
        [unmasked(0xf0 | TEXT, b"x"), unmasked(0x83, b"x"), unmasked(0x88, b"\x03\xe8")].iter().enumerate()
    {
        venue.until_asked(name);
        venue.send(name, &format!(r#"{{"n":{at}}}"#));
        assert_eq!(number(&client.text()), at as u64);
        venue.send_bytes(name, bytes);
        support::until("there is another connection", || venue.accepted() == at + 2);
    }
    venue.until_asked(name);
    venue.send(name, r#"{"n":9}"#);
    assert_eq!(number(&client.text()), 9);
}

/// Proves that a lost venue costs clients nothing but the data: they stay, and after its return the stream goes on.
#[test]
fn clients_outlive_their_venue() {
    let mut venue = Venue::start();
    let relay = before(&venue);
    let (state, event) = ("btcusdt@ticker", "btcusdt@trade");
    let mut client = relay.client("/ws/btcusdt@ticker/btcusdt@trade");
    let mut told = relay.client("/ws/btcusdt@ticker?notices=1");
    assert_eq!((client.list().len(), told.list().len()), (2, 1));
    venue.until_asked(event);
    venue.until_asked(state);
    venue.send(state, r#"{"n":1}"#);
    assert_eq!((number(&client.text()), number(&told.text())), (1, 1));
    venue.send(event, r#"{"n":2}"#);
    assert_eq!(number(&client.text()), 2);
    venue.vanish();
    relay.until_count("relay_upstream_losses_total", "", 1.0);
    relay.until_count("relay_upstream_gaps_total", "", 2.0);
    let notice = told.json();
    assert_eq!(
        (&notice["e"], &notice["stream"], &notice["state"]),
        (&"relayNotice".into(), &state.into(), &"recovering".into())
    );
    // Meanwhile the clients are answered.
    assert_eq!(client.list(), [state, event]);
    assert_eq!(support::http::get(relay.admin, "/readyz").status, 503);
    venue.listen();
    venue.until_asked(state);
    venue.until_asked(event);
    // The same state again is no news; an event is one always.
    venue.send(state, r#"{"n":1}"#);
    venue.send(event, r#"{"n":2}"#);
    venue.send(state, r#"{"n":3}"#);
    let mut texts = [client.text(), client.text()];
    texts.sort();
    assert_eq!(texts, [r#"{"n":2}"#, r#"{"n":3}"#]);
    let notice = told.json();
    assert_eq!((&notice["e"], &notice["state"]), (&"relayNotice".into(), &"live".into()));
    assert_eq!(number(&told.text()), 3);
    assert_eq!(relay.count("relay_upstream_gaps_total"), 2.0);
    assert!(relay.count_where("relay_upstream_dropped_total", "reason=\"repeated\"") >= 1.0);
    assert_eq!(support::http::get(relay.admin, "/readyz").status, 200);
    let log = relay.log();
    assert_eq!(log.matches("connection lost").count(), 1, "{log}");
    assert!(!log.contains("connection closed"), "{log}");
}

/// Proves that a relay whose venue is not there yet serves its clients as soon as it is.
#[test]
fn a_late_venue_is_found() {
    let mut venue = Venue::start();
    venue.vanish();
    let relay = before(&venue);
    let mut client = relay.client("/ws/btcusdt@trade");
    assert_eq!(client.list(), ["btcusdt@trade"]);
    relay.until_count("relay_upstream_losses_total", "", 3.0);
    venue.listen();
    venue.until_asked("btcusdt@trade");
    venue.send("btcusdt@trade", r#"{"n":1}"#);
    assert_eq!(number(&client.text()), 1);
    // The whole outage is one line of the log.
    let log = relay.log();
    assert_eq!(log.matches("connection lost").count(), 1, "{log}");
    assert!(!log.contains("connection closed"), "{log}");
}

/// Proves that losing the venue again and again loses no client and leaves each stream asked for once per life.
#[test]
fn a_venue_that_comes_and_goes_is_borne() {
    let venue = Venue::start();
    let relay = before(&venue);
    let name = "btcusdt@trade";
    let mut client = relay.client("/ws/btcusdt@trade");
    for n in 0..5 {
        venue.until_asked(name);
        venue.send(name, &format!(r#"{{"n":{n}}}"#));
        assert_eq!(number(&client.text()), n);
        venue.drop_connections();
        relay.until_count("relay_upstream_losses_total", "", n as f64 + 1.0);
    }
    venue.until_asked(name);
    assert_eq!(venue.times_asked(name), venue.accepted());
}

/// Proves that a value which is stale is given to nobody new, and that who holds the stream is told.
#[test]
fn a_stale_value_is_not_given_out() {
    let mut venue = Venue::start();
    let relay = configured(&venue, "stale_after = \"1s\"", "");
    let name = "btcusdt@ticker";
    let mut old = relay.client("/ws/btcusdt@ticker?notices=1");
    venue.until_asked(name);
    venue.send(name, r#"{"n":1}"#);
    assert_eq!(number(&old.text()), 1);
    let mut early = relay.client("/ws/btcusdt@ticker");
    assert_eq!(number(&early.text()), 1);
    venue.vanish();
    assert_eq!(old.json()["state"], "recovering");
    assert_eq!(old.json()["state"], "stale");
    let mut late = relay.client("/ws/btcusdt@ticker");
    assert_eq!(late.list(), [name]);
    venue.listen();
    venue.until_asked(name);
    venue.send(name, r#"{"n":2}"#);
    assert_eq!(number(&late.text()), 2);
    assert_eq!(number(&early.text()), 2);
}

/// Proves that a stream is kept for its linger and not asked for again, and let go after it.
#[test]
fn a_stream_lingers() {
    let venue = Venue::start();
    let relay = configured(&venue, "", "linger = \"60s\"");
    let name = "btcusdt@ticker";
    let mut client = relay.client("/ws/btcusdt@ticker");
    venue.until_asked(name);
    venue.send(name, r#"{"n":1}"#);
    assert_eq!(number(&client.text()), 1);
    client.unsubscribe(&[name]);
    venue.send(name, r#"{"n":2}"#);
    relay.until_count("relay_upstream_frames_total", "", 2.0);
    client.send(r#"{"method":"SUBSCRIBE","params":["btcusdt@ticker"],"id":1}"#);
    assert_eq!(client.text(), r#"{"result":null,"id":1}"#);
    assert_eq!(number(&client.text()), 2, "the last value at once");
    drop(client);
    let mut another = relay.client("/ws/btcusdt@ticker");
    assert_eq!(number(&another.text()), 2);
    assert_eq!(venue.times_asked(name), 1);
    assert_eq!(venue.requests().len(), 1);
}

/// Proves that without linger a stream is let go at once, and that who comes later waits for a live frame.
#[test]
fn a_released_stream_starts_anew() {
    let venue = Venue::start();
    let relay = configured(&venue, "", "linger = \"0s\"");
    let name = "btcusdt@ticker";
    for round in 1..=3 {
        let mut client = relay.client("/ws/btcusdt@ticker");
        venue.until_asked(name);
        assert_eq!(client.list(), [name]);
        venue.send(name, &format!(r#"{{"n":{round}}}"#));
        assert_eq!(number(&client.text()), round);
        if round % 2 == 0 {
            drop(client)
        } else {
            client.unsubscribe(&[name])
        }
        venue.until_let_go(name);
        support::until("the relay has forgotten it", || relay.count("relay_topics") == 0.0);
    }
    assert_eq!(venue.times_asked(name), 3);
}

/// Proves that leaving and coming back in every moment of the release always ends with the stream held.
#[test]
fn coming_back_in_any_moment_works() {
    let venue = Venue::start();
    let relay = configured(&venue, "", "linger = \"0s\"");
    let name = "btcusdt@trade";
    let mut client = relay.client("/ws");
    for n in 0..40 {
        client.subscribe(&[name]);
        client.unsubscribe(&[name]);
        if n % 4 == 0 {
            // Different moments of the release, none of them decisive.
            std::thread::sleep(std::time::Duration::from_millis(n * 10));
        }
        client.subscribe(&[name]);
        venue.until_asked(name);
        // The venue may still be about to hear of the end it was told before: only data proves the state.
        support::until("data comes", || {
            if venue.holds(name) {
                venue.send(name, &format!(r#"{{"n":{n}}}"#));
            }
            client.next_within(std::time::Duration::from_millis(50)).is_some()
        });
        client.unsubscribe(&[name]);
        client = relay.client("/ws");
    }
}

/// Proves that streams go to the first upstream whose patterns match, and to no other.
#[test]
fn names_decide_the_upstream() {
    let (trades, rest) = (Venue::start(), Venue::start());
    let config = format!(
        "[[upstream]]\nkind = \"stream\"\nname = \"trades\"\nurl = \"{}\"\nstreams = [\"*@trade\", \"eth*\"]\n\
         [[upstream]]\nkind = \"stream\"\nname = \"rest\"\nurl = \"{}\"\nstreams = [\"btc*\", \"*@trade\"]",
        trades.url(),
        rest.url()
    );
    let relay = Relay::configured(&config, &[]);
    let mut client = relay.client("/stream?streams=btcusdt@trade/btcusdt@ticker/ethusdt@ticker");
    for (venue, name) in [(&trades, "btcusdt@trade"), (&trades, "ethusdt@ticker"), (&rest, "btcusdt@ticker")] {
        venue.until_asked(name);
        venue.send(name, r#"{"n":1}"#);
        assert_eq!(client.json()["stream"], name);
    }
    assert!(!trades.holds("btcusdt@ticker") && !rest.holds("btcusdt@trade"));
    let reply = client.request(r#"{"method":"SUBSCRIBE","params":["xrpusdt@ticker"],"id":4}"#);
    assert!(reply.starts_with(r#"{"error":{"code":2,"#), "{reply}");
    // Data of a stream from the wrong venue is not passed on.
    trades.send_text("btcusdt@trade", r#"{"stream":"btcusdt@ticker","data":{"n":7}}"#);
    trades.send("btcusdt@trade", r#"{"n":8}"#);
    assert_eq!(number(&client.json()["data"].to_string()), 8);
}

/// Proves that `always` holds a stream without a client, so that the first one has its last value at once.
#[test]
fn always_holds_a_stream_without_a_client() {
    let venue = Venue::start();
    let relay = configured(&venue, "", "linger = \"0s\"\nalways = [\"btcusdt@ticker\"]");
    let name = "btcusdt@ticker";
    venue.until_asked(name);
    venue.send(name, r#"{"n":1}"#);
    relay.until_count("relay_upstream_frames_total", "", 1.0);
    for _ in 0..3 {
        let mut client = relay.client("/ws/btcusdt@ticker");
        assert_eq!(number(&client.text()), 1);
    }
    assert_eq!(venue.times_asked(name), 1);
}

/// Proves that many streams are asked for in few requests, on as few connections as the limits allow.
#[test]
fn requests_and_connections_are_spared() {
    let venue = Venue::start();
    let relay = configured(&venue, "", "streams_per_connection = 60\nconnections = 3");
    let mut client = relay.client("/ws");
    let names: Vec<String> = (0..150).map(|at| format!("s{at}usdt@trade")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // A quarter of the slots is all that unproven names may have: prove each lot before the next.
    for lot in names.chunks(40) {
        client.subscribe(lot);
        for name in lot {
            venue.until_asked(name);
            venue.send(name, r#"{"n":1}"#);
        }
        for _ in lot {
            client.text();
        }
    }
    assert_eq!(venue.names().len(), 150);
    assert_eq!(venue.connections(), 3);
    assert!(venue.requests().len() <= 12, "{}", venue.requests().len());
    assert_eq!(client.list(), names);
}

/// Proves that a stream the venue refuses is silent for its subscribers and disturbs nobody else.
#[test]
fn a_refused_stream_disturbs_nobody() {
    let venue = Venue::start();
    let relay = before(&venue);
    venue.refuse("badusdt@trade");
    let mut client = relay.client("/ws/badusdt@trade/btcusdt@trade");
    venue.until_asked("btcusdt@trade");
    venue.send("btcusdt@trade", r#"{"n":1}"#);
    assert_eq!(number(&client.text()), 1);
    relay.until_count("relay_upstream_refused_total", "", 1.0);
    assert_eq!(client.list(), ["badusdt@trade", "btcusdt@trade"]);
    // Whoever comes asks for it anew; that it is refused is told once.
    client.unsubscribe(&["badusdt@trade"]);
    client.subscribe(&["badusdt@trade"]);
    relay.until_count("relay_upstream_refused_total", "", 2.0);
    let log = relay.log();
    assert_eq!(log.matches("the venue refuses a stream").count(), 1, "{log}");
    assert_eq!(log.matches("the venue refused a request").count(), 1, "{log}");
}

/// Proves that a client of each shard gets every frame once and in order, also when it is moved to the other shard.
#[test]
fn a_moved_client_misses_nothing() {
    let venue = Venue::start();
    let url = format!("stream={}", venue.url());
    let relay = Relay::with(&["--shards", "2", "--upstream", &url]);
    let name = "btcusdt@trade";
    let mut clients: [Vec<Client>; 2] = [Vec::new(), Vec::new()];
    let on_second = || relay.count_where("relay_upgrades_total", "shard=\"1\"");
    while clients.iter().any(|clients| clients.len() < 60) {
        let before = on_second();
        let mut client = relay.client("/ws/btcusdt@trade");
        assert_eq!(client.list(), [name]);
        clients[usize::from(on_second() > before)].push(client);
    }
    venue.until_asked(name);
    let mut n = 0;
    let mut send = || {
        venue.send(name, &format!(r#"{{"n":{n}}}"#));
        n += 1;
    };
    send();
    for client in clients.iter_mut().flatten() {
        assert_eq!(number(&client.text()), 0);
    }
    // Without its clients the first shard is owed some of the second one's.
    clients[0].clear();
    support::until("clients are moved", || {
        send();
        relay.count("relay_connections_moved_total") >= 1.0
    });
    for _ in 0..100 {
        send();
    }
    for client in &mut clients[1] {
        for expected in 1..n {
            assert_eq!(number(&client.text()), expected);
        }
        assert_eq!(client.list(), [name]);
    }
}

/// Proves that a venue's word that it is about to stop makes the relay dial anew, and clients go on.
#[test]
fn a_venue_that_announces_its_end_is_left() {
    let venue = Venue::start();
    let relay = before(&venue);
    let name = "btcusdt@trade";
    let mut client = relay.client("/ws/btcusdt@trade");
    for (at, text) in
        [r#"{"e":"serverShutdown","E":1}"#, r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#]
            .iter()
            .enumerate()
    {
        venue.until_asked(name);
        venue.send_text(name, text);
        support::until("there is another connection", || venue.accepted() == at + 2 && venue.connections() == 1);
        venue.until_asked(name);
        venue.send(name, &format!(r#"{{"n":{at}}}"#));
        assert_eq!(number(&client.text()), at as u64);
    }
}

/// Proves that with `flush_interval` everybody gets every event, in order, in fewer writes.
#[test]
fn a_flush_interval_loses_nothing() {
    let venue = Venue::start();
    let relay = Relay::with(&["--flush-interval", "100ms", "--upstream", &format!("stream={}", venue.url())]);
    let mut client = relay.client("/ws/btcusdt@trade");
    assert_eq!(client.list(), ["btcusdt@trade"]);
    venue.until_asked("btcusdt@trade");
    for n in 0..1000 {
        venue.send("btcusdt@trade", &format!(r#"{{"n":{n}}}"#));
    }
    for n in 0..1000 {
        assert_eq!(number(&client.text()), n);
    }
    assert_eq!(client.list(), ["btcusdt@trade"]);
    support::until("the writes are counted", || relay.count("relay_frames_delivered_total") == 1000.0);
    assert!(relay.count("relay_writes_total") < 500.0);
}

/// Proves that a client which subscribes in the midst of a busy stream gets it without a hole from its first frame on.
#[test]
fn joining_a_busy_stream_leaves_no_hole() {
    let venue = Venue::start();
    let relay = before(&venue);
    let name = "btcusdt@trade";
    let mut first = relay.client("/ws/btcusdt@trade");
    venue.until_asked(name);
    let mut clients = Vec::new();
    for n in 0..400 {
        venue.send(name, &format!(r#"{{"n":{n}}}"#));
        if n % 10 == 5 {
            clients.push(relay.client(if n % 20 == 5 { "/ws/btcusdt@trade" } else { "/stream?streams=btcusdt@trade" }));
        }
    }
    for client in &mut clients {
        assert_eq!(client.list(), [name]);
    }
    venue.send(name, r#"{"n":400}"#);
    for n in 0..=400 {
        assert_eq!(number(&first.text()), n);
    }
    for client in &mut clients {
        let mut next = None;
        while next != Some(401) {
            let value = client.json();
            let n = value["n"].as_u64().or(value["data"]["n"].as_u64()).expect("a number");
            assert!(next.is_none_or(|next| next == n), "{n} after {next:?}");
            next = Some(n + 1);
        }
    }
}

/// Proves that above `topics_max` a name is refused by code 4, and that room can be had again.
#[test]
fn the_number_of_topics_is_bounded() {
    let relay = Relay::configured("topics_max = 3\n[[upstream]]\nkind = \"sim\"", &[]);
    let mut client = relay.client("/ws");
    client.subscribe(&["btcusdt@trade", "ethusdt@trade", "solusdt@trade"]);
    let reply = client.request(r#"{"method":"SUBSCRIBE","params":["xrpusdt@trade"],"id":4}"#);
    assert!(reply.starts_with(r#"{"error":{"code":4,"msg":""#), "{reply}");
    client.unsubscribe(&["ethusdt@trade"]);
    support::until("there is room", || {
        client.request(r#"{"method":"SUBSCRIBE","params":["xrpusdt@trade"],"id":4}"#) == r#"{"result":null,"id":4}"#
    });
    assert_eq!(client.list(), ["btcusdt@trade", "solusdt@trade", "xrpusdt@trade"]);
}

/// Proves that a stream whose only subscriber is moved to the other shard is still held, and let go when he leaves.
#[test]
fn a_moved_client_keeps_its_streams() {
    let venue = Venue::start();
    let url = venue.url();
    let config = format!("shards = 2\n[[upstream]]\nkind = \"stream\"\nurl = \"{url}\"\nlinger = \"0s\"");
    let relay = Relay::configured(&config, &[]);
    let mut clients: [Vec<(String, Client)>; 2] = [Vec::new(), Vec::new()];
    let on_second = || relay.count_where("relay_upgrades_total", "shard=\"1\"");
    while clients.iter().any(|clients| clients.len() < 60) {
        let before = on_second();
        let name = format!("s{}usdt@trade", clients[0].len() + clients[1].len());
        let mut client = relay.client(&format!("/ws/{name}"));
        assert_eq!(client.list(), [name.as_str()]);
        clients[usize::from(on_second() > before)].push((name, client));
    }
    for (name, _) in clients.iter().flatten() {
        venue.until_asked(name);
    }
    clients[0].clear();
    relay.until_count("relay_connections_moved_total", "", 1.0);
    for n in 0..2 {
        for (name, client) in &mut clients[1] {
            venue.send(name, &format!(r#"{{"n":{n}}}"#));
            assert_eq!(number(&client.text()), n, "{name}");
        }
        // What had been let go before is let go at the venue by now as well.
        let mut fence = relay.client("/ws/fence@trade");
        venue.until_asked("fence@trade");
        fence.unsubscribe(&["fence@trade"]);
        venue.until_let_go("fence@trade");
    }
    assert_eq!(venue.names().len(), clients[1].len());
    clients[1].clear();
    support::until("everything is let go", || venue.names().is_empty());
}

/// Proves that during a stop the venue's data goes on to those who have not been closed yet.
#[test]
fn data_goes_on_during_a_stop() {
    let venue = Venue::start();
    let url = format!("stream={}", venue.url());
    let mut relay = Relay::with(&["--drain", "60s", "--upstream", &url]);
    let mut client = relay.client("/ws/btcusdt@trade");
    venue.until_asked("btcusdt@trade");
    relay.signal(rustix::process::Signal::TERM);
    while !client.text().contains("serverShutdown") {}
    for n in 0..10 {
        venue.send("btcusdt@trade", &format!(r#"{{"n":{n}}}"#));
        assert_eq!(number(&client.text()), n);
    }
    drop(client);
    assert_eq!(relay.ended().code(), Some(0));
    support::until("the venue has been left", || venue.connections() == 0);
}

/// Proves that a name which was given up and released leaves nothing to the names that come after it.
#[test]
fn a_given_up_name_leaves_no_trace() {
    let venue = Venue::start();
    let relay = configured(&venue, "[limits]\nunproven_silence = \"1s\"", "linger = \"0s\"");
    let (silent, other) = ("silent@trade", "other@trade");
    let mut client = relay.client("/ws/silent@trade");
    venue.until_asked(silent);
    relay.until_count("relay_upstream_given_up_total", "", 1.0);
    client.unsubscribe(&[silent]);
    let mut late = relay.client("/ws/other@trade");
    venue.until_asked(other);
    venue.until_let_go(silent);
    let unknown = || relay.count_where("relay_upstream_dropped_total", "reason=\"not_subscribed\"");
    relay.until_count("relay_upstream_streams", "", 1.0);
    let before = unknown();
    venue.send_text(other, r#"{"stream":"silent@trade","data":{"n":1}}"#);
    venue.send(other, r#"{"n":2}"#);
    assert_eq!(number(&late.text()), 2);
    support::until("it is counted", || unknown() == before + 1.0);
    // Wanted anew, it has its own data and no other.
    client.subscribe(&[silent]);
    venue.until_asked(silent);
    venue.send(silent, r#"{"n":3}"#);
    venue.send(other, r#"{"n":4}"#);
    assert_eq!((number(&client.text()), number(&late.text())), (3, 4));
}
