//! Event streams: what comes, what comes again, and how they end.

mod support;

use std::net::TcpStream;

use rustix::process::Signal;
use serde_json::Value;

use support::client::{Client, connect_narrow};
use support::http::get;
use support::relay::Relay;
use support::sse::{Got, Sse};
use support::venue::Venue;

const BOTH: &str = "/sse?streams=btcusdt@trade,btcusdt@ticker";

fn relay_of(venue: &Venue, more: &str) -> Relay {
    Relay::configured(&format!("{more}\n[[upstream]]\nkind = \"stream\"\nurl = \"{}\"", venue.url()), &[])
}

fn numbered(n: u64) -> String {
    format!(r#"{{"n":{n}}}"#)
}

fn padded(n: u64, more: &str, len: usize) -> String {
    format!(r#"{{"n":{n}{more},"pad":"{}"}}"#, "x".repeat(len))
}

fn named_number(value: &Value) -> (String, u64) {
    (value["stream"].as_str().expect("a name").to_owned(), value["data"]["n"].as_u64().expect("a number"))
}

/// Proves that frames come as messages in the wrapper, in order, each with an id; and what the answer looks like.
#[test]
fn frames_come_as_messages() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    let mut sse = Sse::open(relay.public, "/sse?streams=BTCUSDT@trade/btcusdt%40ticker&notices=1", None);
    assert_eq!(sse.answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(sse.answer.header("cache-control"), Some("no-store"));
    assert_eq!(sse.answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(sse.answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(sse.next(), Got::Retry(1000));
    for name in ["btcusdt@trade", "btcusdt@ticker"] {
        venue.until_asked(name);
    }
    let mut ids = Vec::new();
    for n in 0..20 {
        let name = ["btcusdt@trade", "btcusdt@ticker"][n as usize % 2];
        venue.send(name, &numbered(n));
        let Got::Event(event) = sse.next() else { panic!("no event") };
        assert_eq!(event.data, format!(r#"{{"stream":"{name}","data":{{"n":{n}}}}}"#));
        ids.push(event.id.expect("an id"));
    }
    let (epoch, _) = ids[0].split_once('-').expect("epoch and stamp");
    let stamp = |id: &String| -> u64 { id.strip_prefix(epoch).expect("one epoch")[1..].parse().expect("a stamp") };
    assert!(ids.windows(2).all(|pair| stamp(&pair[0]) < stamp(&pair[1])), "{ids:?}");
    assert_eq!(relay.count("relay_http_frames_delivered_total"), 20.0);
    let list: Value = serde_json::from_str(&get(relay.public, "/api/v1/topics").body).expect("JSON");
    assert!(list["topics"].as_array().expect("rows").iter().all(|row| row["http"] == true));
}

/// Proves that a message with line breaks between its tokens is one event, and the last state comes at once.
#[test]
fn a_frame_is_one_event() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    let mut client = relay.client("/ws/btcusdt@ticker");
    venue.until_asked("btcusdt@ticker");
    venue.send("btcusdt@ticker", "{\"a\":1,\r\n\"b\":\n[2]}");
    client.text();
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@ticker", None);
    assert_eq!(sse.data_of("btcusdt@ticker"), serde_json::json!({"a": 1, "b": [2]}));
}

/// Proves that whoever comes back with the last id it had gets what came meanwhile: nothing twice, nothing missing, over
/// several streams, wherever it was cut.
#[test]
fn coming_back_loses_nothing() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    // Somebody else reads on, so that it can be known when the relay has a frame.
    let mut witness = relay.client("/stream?streams=btcusdt@trade/btcusdt@ticker/ethusdt@trade");
    let target = "/sse?streams=btcusdt@trade/btcusdt@ticker/ethusdt@trade";
    let names = ["btcusdt@trade", "btcusdt@ticker", "ethusdt@trade"];
    names.iter().for_each(|name| venue.until_asked(name));
    let (mut sent, mut had) = (Vec::new(), Vec::new());
    let mut last_id = None;
    let mut n = 0;
    for round in 0..12 {
        let mut sse = Some(Sse::open(relay.public, target, last_id.as_deref()));
        if round == 0 {
            // Its place is there once the head is.
            assert_eq!(sse.as_mut().expect("it is open").next(), Got::Retry(1000));
        }
        // Some while it is there, some while it is away.
        let (present, absent) = (5 + round % 3, round % 5);
        for at in 0..present + absent {
            let name = names[(n * 7 + round) as usize % 3];
            venue.send(name, &numbered(n));
            witness.text();
            sent.push((name.to_owned(), n));
            n += 1;
            if at + 1 == present {
                let mut sse = sse.take().expect("it leaves once");
                // It reads on up to some frame, not always the last; what else was on its way is lost with it.
                let until = sent.len() - (round as usize % 2);
                while had.len() < until {
                    had.push(named_number(&sse.event().json()));
                }
                last_id = sse.last_id;
            }
        }
    }
    let mut sse = Sse::open(relay.public, &format!("{target}&last_event_id={}", last_id.expect("an id")), None);
    while had.len() < sent.len() {
        had.push(named_number(&sse.event().json()));
    }
    for name in names {
        let of = |list: &[(String, u64)]| -> Vec<u64> {
            list.iter().filter(|(other, _)| other == name).map(|(_, n)| *n).collect()
        };
        assert_eq!(of(&had), of(&sent), "{name}");
    }
}

/// Proves that an id of another run, of the future, none of ours, or one the log does not reach is told, and data begins afresh.
#[test]
fn what_cannot_be_resumed_is_told() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    let mut client = relay.client("/stream?streams=btcusdt@trade/btcusdt@ticker");
    ["btcusdt@trade", "btcusdt@ticker"].iter().for_each(|name| venue.until_asked(name));
    let mut first = Sse::open(relay.public, BOTH, None);
    assert_eq!(first.next(), Got::Retry(1000));
    venue.send("btcusdt@ticker", &numbered(0));
    client.text();
    let id = first.event().id.expect("an id");
    let check = |id: &str, word: &str| {
        let mut sse = Sse::open(relay.public, &format!("{BOTH}&notices=1"), Some(id));
        assert_eq!(sse.next(), Got::Retry(1000));
        let Got::Comment(text) = sse.next() else { panic!("no comment") };
        assert!(text.contains(word), "{text}");
        for name in ["btcusdt@trade", "btcusdt@ticker"] {
            // That comment is the only one.
            let Got::Event(notice) = sse.next() else { panic!("no notice") };
            let notice = notice.json();
            assert_eq!(notice["stream"], name);
            let notice = &notice["data"];
            assert_eq!((&notice["e"], &notice["skipped"]), (&"relayNotice".into(), &Value::Null));
        }
        // The newest state; of events only what comes.
        assert_eq!(sse.data_of("btcusdt@ticker")["n"], 0);
    };
    check("0123456789abcdef-17", "started anew");
    check("17", "none of this relay");
    let (epoch, stamp) = id.split_once('-').expect("epoch and stamp");
    let next = stamp.parse::<u64>().expect("a stamp") + 1;
    check(&format!("{epoch}-{next}"), "not given that id");
    check(&format!("{epoch}-{}", u64::MAX), "not given that id");
    // More than the log of a state keeps.
    for n in 1..400 {
        venue.send("btcusdt@ticker", &padded(n, "", 1000));
        client.text();
    }
    let mut sse = Sse::open(relay.public, &format!("{BOTH}&notices=1"), Some(&id));
    sse.comment("btcusdt@ticker begins afresh");
    let notice = sse.data_of("btcusdt@ticker");
    assert_eq!((&notice["skipped"], &notice["from"], &notice["to"]), (&Value::Null, &Value::Null, &398.into()));
    assert_eq!(sse.data_of("btcusdt@ticker")["n"], 399);
    venue.send("btcusdt@trade", &numbered(1));
    assert_eq!(sse.data_of("btcusdt@trade")["n"], 1, "the other stream goes on without a word");
}

/// Proves that a stream nobody else wants stays held a while, so that who comes back finds its log.
#[test]
fn a_stream_is_there_for_who_comes_back() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@trade", None);
    venue.until_asked("btcusdt@trade");
    venue.send("btcusdt@trade", &numbered(0));
    let id = sse.event().id.expect("an id");
    drop(sse);
    support::until("it has left", || relay.count("relay_http_streams") == 0.0);
    for n in 1..20 {
        venue.send("btcusdt@trade", &numbered(n));
    }
    relay.until_count("relay_upstream_frames_total", "", 20.0);
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@trade", Some(&id));
    for n in 1..20 {
        assert_eq!(sse.data_of("btcusdt@trade")["n"], n);
    }
    assert_eq!(venue.times_asked("btcusdt@trade"), 1);
}

/// More than the kernel holds for a client that does not read.
const FLOOD_BYTES: u64 = 4 * 1024 * 1024;

struct Flood {
    venue: Venue,
    relay: Relay,
    quick: Client,
    slow: Sse,
}

/// A quick client beside an event stream that is not read.
fn flood(name: &str) -> Flood {
    let venue = Venue::start();
    let relay = relay_of(&venue, "");
    let quick = relay.client(&format!("/ws/{name}"));
    venue.until_asked(name);
    let slow = Sse::on(connect_narrow(relay.public), &format!("/sse?streams={name}&notices=1"), None);
    Flood { venue, relay, quick, slow }
}

impl Flood {
    fn send(&mut self, name: &str, frames: std::ops::Range<u64>, payload: impl Fn(u64) -> String) {
        for n in frames {
            self.venue.send(name, &payload(n));
            assert_eq!(self.quick.text(), payload(n), "the quick client misses nothing");
        }
    }
}

/// Proves that of state a slow reader gets the newest, is told what it was spared, and the sums are right.
#[test]
fn state_is_skipped_and_told() {
    let mut flood = flood("btcusdt@ticker");
    let frames = FLOOD_BYTES / 1000;
    flood.send("btcusdt@ticker", 0..frames, |n| padded(n, "", 1000));
    let (mut next, mut told) = (0, 0);
    while next < frames {
        let value = flood.slow.data_of("btcusdt@ticker");
        if value["e"] == "relayNotice" {
            let field = |name: &str| value[name].as_u64().expect("a number");
            assert_eq!((field("from"), field("to") - field("from") + 1), (next, field("skipped")));
            told += field("skipped");
            next += field("skipped");
            continue;
        }
        assert_eq!(value["n"], next, "what is missing has been told before");
        next += 1;
    }
    assert!(told > 0, "it was too slow for some");
    assert_eq!(flood.relay.count("relay_http_frames_skipped_total"), told as f64);
    assert_eq!(flood.relay.count("relay_http_frames_delivered_total"), (frames - told) as f64);
    flood.send("btcusdt@ticker", frames..frames + 1, numbered);
    assert_eq!(flood.slow.data_of("btcusdt@ticker")["n"], frames);
}

/// Proves that closed candles reach a slow reader all.
#[test]
fn closed_candles_are_kept() {
    let mut flood = flood("btcusdt@kline_1m");
    let frames = FLOOD_BYTES / 1000;
    let is_closed = |n: u64| n % 100 == 99;
    let payload = |n: u64| padded(n, &format!(r#","e":"kline","k":{{"x":{}}}"#, is_closed(n)), 1000);
    flood.send("btcusdt@kline_1m", 0..frames, payload);
    let (mut last, mut closed, mut open) = (None, Vec::new(), 0);
    while last != Some(frames - 1) {
        let value = flood.slow.data_of("btcusdt@kline_1m");
        let Some(n) = value["n"].as_u64() else { continue };
        assert!(last < Some(n), "in order and none twice: {last:?}, {n}");
        last = Some(n);
        if is_closed(n) { closed.push(n) } else { open += 1 }
    }
    assert_eq!(closed, (0..frames).filter(|&n| is_closed(n)).collect::<Vec<_>>());
    assert!(open < frames - closed.len() as u64, "it was too slow for some");
}

/// Proves that who lost events is told so and the answer ends, having given a part without a hole; and may come back.
#[test]
fn lost_events_end_the_stream() {
    let mut flood = flood("btcusdt@trade");
    // Above what the log keeps of a channel (16 MiB), also in frames (256).
    flood.send("btcusdt@trade", 0..420, |n| padded(n, "", 64 * 1024));
    let mut next = 0;
    let error = loop {
        let event = flood.slow.event();
        if event.kind == "error" {
            break event.json();
        }
        assert_eq!(event.json()["data"]["n"], next);
        next += 1;
    };
    let expected = serde_json::json!({"code": 1013, "msg": "Too slow, please reconnect", "stream": "btcusdt@trade"});
    assert_eq!(error, expected);
    assert_eq!(flood.slow.next(), Got::End);
    assert!(next < 420, "it was too slow");
    assert_eq!(flood.relay.count_where("relay_http_streams_ended_total", "reason=\"too_slow\""), 1.0);
    let id = flood.slow.last_id.clone().expect("an id");
    let mut again = Sse::open(flood.relay.public, "/sse?streams=btcusdt@trade", Some(&id));
    again.comment("begins afresh");
    flood.send("btcusdt@trade", 420..421, numbered);
    assert_eq!(again.data_of("btcusdt@trade")["n"], 420);
}

/// Proves that readers which do not read cost what hyper holds for each (16 KiB) and one piece, and not what they miss.
#[test]
fn slow_readers_are_cheap() {
    let mut flood = flood("btcusdt@ticker");
    let address = flood.relay.public;
    let open = |_| Sse::on(connect_narrow(address), "/sse?streams=btcusdt@ticker", None);
    // What the first ones cost once is not counted.
    let mut slow: Vec<Sse> = (0..100).map(open).collect();
    flood.send("btcusdt@ticker", 0..2000, |n| padded(n, "", 1000));
    let before = flood.relay.count("relay_memory_resident_bytes");
    slow.extend((0..400).map(open));
    flood.send("btcusdt@ticker", 2000..4000, |n| padded(n, "", 1000));
    let each = (flood.relay.count("relay_memory_resident_bytes") - before) / 400.0;
    println!("{each} bytes for each reader that does not read");
    assert!(each < 24.0 * 1024.0, "{each} bytes for each");
    drop(slow);
    support::until("they have left", || flood.relay.count("relay_http_streams") == 1.0);
}

/// Proves that a reader which takes nothing for too long is let go of, whatever is still to be written to it.
#[test]
fn who_takes_nothing_is_cut() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "[limits]\nwrite_timeout = \"1s\"");
    let mut slow = Sse::on(connect_narrow(relay.public), "/sse?streams=btcusdt@trade", None);
    venue.until_asked("btcusdt@trade");
    for n in 0..FLOOD_BYTES / 65_536 {
        venue.send("btcusdt@trade", &padded(n, "", 65_536));
    }
    relay.until_count("relay_http_streams_ended_total", "reason=\"stalled\"", 1.0);
    support::until("its place is free", || relay.count("relay_http_streams") == 0.0);
    while slow.next() != Got::Gone {}
}

/// Proves that an outage is told to who asked, before and after.
#[test]
fn conditions_are_told() {
    let mut venue = Venue::start();
    let relay = relay_of(&venue, "");
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@trade&notices=1", None);
    venue.until_asked("btcusdt@trade");
    venue.send("btcusdt@trade", &numbered(0));
    assert_eq!(sse.data_of("btcusdt@trade")["n"], 0);
    venue.vanish();
    let notice = sse.data_of("btcusdt@trade");
    assert_eq!((&notice["e"], &notice["state"]), (&"relayNotice".into(), &"recovering".into()));
    venue.listen();
    venue.until_asked("btcusdt@trade");
    venue.send("btcusdt@trade", &numbered(1));
    assert_eq!(sse.data_of("btcusdt@trade")["state"], "live");
    assert_eq!(sse.data_of("btcusdt@trade")["n"], 1);
}

/// Proves that what cannot be had is said before the stream begins.
#[test]
fn bad_names_are_named() {
    let relay = Relay::start();
    let check = |target: &str, status: u16, words: &[&str]| {
        let answer = get(relay.public, target);
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        let error: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(error["code"], status);
        words.iter().for_each(|word| assert!(error["msg"].as_str().expect("text").contains(word), "{error}"));
    };
    check("/sse", 400, &["streams"]);
    check("/sse?streams=btcusdt@trade/x/y@depth7", 400, &["x, y@depth7"]);
    check("/sse?streams=btcusdt@trade/nosuchusdt@trade", 400, &["nosuchusdt@trade"]);
    let many: Vec<String> = (0..201).map(|at| format!("s{at}usdt@trade")).collect();
    check(&format!("/sse?streams={}", many.join(",")), 400, &["201", "200"]);
    support::until("nothing of it is held", || relay.count("relay_topics_watched") == 0.0);
}

/// Proves that there are so many event streams and no more, and a place is free when one has left.
#[test]
fn event_streams_are_capped() {
    let relay = Relay::configured("shards = 1\n[limits]\nhttp_streams = 2", &[]);
    let open = || Sse::ask(TcpStream::connect(relay.public).expect("it accepts"), "/sse?streams=btcusdt@ticker", None);
    let streams = [open(), open()];
    streams.iter().for_each(|sse| assert_eq!(sse.answer.status, 200));
    let refused = open().answer;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.body.starts_with(r#"{"code":503,"msg":""#), "{refused:?}");
    // Others are served meanwhile.
    assert_eq!(get(relay.public, "/api/v1/topics").status, 200);
    relay.client("/ws/btcusdt@ticker").text();
    drop(streams);
    support::until("there is room again", || open().answer.status == 200);
}

/// Proves that an event stream takes one of its address's connections, as a WebSocket does.
#[test]
fn event_streams_take_places() {
    let relay = Relay::configured("[limits]\nexempt_loopback = false\nconnections_per_ip = 1", &[]);
    let open = || Sse::ask(TcpStream::connect(relay.public).expect("it accepts"), "/sse?streams=btcusdt@ticker", None);
    let first = open();
    assert_eq!((first.answer.status, open().answer.status), (200, 429));
    drop(first);
    support::until("its place is free", || open().answer.status == 200);
}

/// Proves that silence is broken by comments, so that proxies keep the answer open.
#[test]
fn silence_has_pings() {
    let venue = Venue::start();
    let relay = relay_of(&venue, "[limits]\nping_interval = \"1s\"");
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@trade", None);
    sse.comment("ping");
    sse.comment("ping");
}

/// Proves that a connection's lifetime, where one is set, ends event streams as well.
#[test]
fn a_lifetime_ends_event_streams() {
    let relay = Relay::configured("[limits]\nlifetime = \"1s\"", &[]);
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@kline_1M", None);
    sse.comment("lifetime");
    assert_eq!((sse.next(), sse.next()), (Got::Retry(1000), Got::End));
}

/// Proves that a stop ends event streams with a word, in good order, and does not wait for them.
#[test]
fn a_stop_ends_event_streams() {
    let mut relay = Relay::with(&["--drain", "1s"]);
    let mut sse = Sse::open(relay.public, "/sse?streams=btcusdt@kline_1M", None);
    assert_eq!(sse.event().kind, "message");
    relay.signal(Signal::TERM);
    sse.comment("the relay stops");
    let Got::Retry(ms) = sse.next() else { panic!("no time to come back") };
    assert!((1000..=2000).contains(&ms), "{ms}");
    assert_eq!(sse.next(), Got::End);
    assert_eq!(relay.ended().code(), Some(0));
}
