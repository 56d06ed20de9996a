//! The recorded sessions of both profiles, replayed: the client's lines are sent, the venue's are what must come.

mod support;

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::client::{Client, Got};
use support::fixture::{self, Line};
use support::frame::{PING, PONG, message};
use support::http::upgrade;
use support::relay::Relay;
use support::venue::Venue;

/// A session under way.
struct Replay<'a> {
    relay: &'a Relay,
    /// Says the data of the fixture, where it has some.
    venue: Option<&'a Venue>,
    clients: BTreeMap<String, Client>,
    start: Instant,
    /// Whether the client keeps the fixture's times: where they are what it is about.
    is_timed: bool,
}

impl Replay<'_> {
    fn run(&mut self, lines: &[Line]) {
        for line in lines {
            if self.is_timed && line.is_clients() {
                // The limits under test are in messages per second.
                let due = self.start + Duration::from_millis(line.time_ms());
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            if line.is_clients() { self.say(line) } else { self.expect(line) }
        }
    }

    fn say(&mut self, line: &Line) {
        if let Some((path, status)) = line.connect() {
            let stream = TcpStream::connect(self.relay.public).expect("the relay accepts");
            let client = Client::ask(stream, &upgrade(path));
            assert_eq!(client.answer.status, status, "{path}");
            self.clients.insert(line.conn().to_owned(), client);
            return;
        }
        let client = self.clients.get_mut(line.conn()).expect("it is connected");
        if let Some(text) = line.text() {
            client.send(text);
        } else if let Some(payload) = line.ping() {
            client.send_bytes(&message(PING, payload.as_bytes()));
        } else if let Some(payload) = line.pong() {
            client.send_bytes(&message(PONG, payload.as_bytes()));
        }
    }

    fn expect(&mut self, line: &Line) {
        let client = self.clients.get_mut(line.conn()).expect("it is connected");
        if let Some(text) = line.text() {
            if is_data(text) {
                let Some(venue) = self.venue else { return };
                let (name, payload) = stream_of(text);
                venue.until_asked(&name);
                venue.send(&name, &payload);
                assert_eq!(client.text(), text);
            } else {
                assert_eq!(client.reply(), text);
            }
        } else if let Some(payload) = line.pong() {
            assert_eq!(client.next(), Got::Pong(payload.as_bytes().to_vec()));
        } else if let Some((code, reason)) = line.close() {
            assert_eq!(client.closed(), (Some(code), reason.to_owned()));
        }
    }
}

fn replay<'a>(relay: &'a Relay, venue: Option<&'a Venue>, is_timed: bool, lines: &[Line]) {
    Replay { relay, venue, clients: BTreeMap::new(), start: Instant::now(), is_timed }.run(lines);
}

fn is_data(text: &str) -> bool {
    !support::client::is_reply(text)
}

/// The stream a payload belongs to, and the payload itself.
fn stream_of(text: &str) -> (String, String) {
    let value: Value = serde_json::from_str(text).expect("JSON");
    if let Some(stream) = value["stream"].as_str() {
        let at = text.find(r#""data":"#).expect("data") + 7;
        return (stream.to_owned(), text[at..text.len() - 1].to_owned());
    }
    let symbol = value["s"].as_str().expect("a symbol").to_lowercase();
    let kind = match value["e"].as_str().expect("an event") {
        "24hrTicker" => "ticker".to_owned(),
        "kline" => format!("kline_{}", value["k"]["i"].as_str().expect("an interval")),
        // A candidate for each session; the diff stream has deletions, the partial one never.
        "depthUpdate" if text.contains(r#""0.00000000""#) => "depth@100ms".to_owned(),
        "depthUpdate" => "depth10@250ms".to_owned(),
        other => other.to_owned(),
    };
    (format!("{symbol}@{kind}"), text.to_owned())
}

/// Lines that have no client's side in our relay are left out by the caller, and named there.
fn without(lines: Vec<Line>, left_out: impl Fn(&Line) -> bool) -> Vec<Line> {
    lines.into_iter().filter(|line| !left_out(line)).collect()
}

/// Proves that the document's session comes out as recorded, with the data from a venue.
#[test]
fn bitzoom_session() {
    let venue = Venue::start();
    let relay = Relay::with(&["--upstream", &format!("stream={}", venue.url())]);
    replay(&relay, Some(&venue), false, &fixture::read("bitzoom/session.jsonl"));
}

/// Proves the three limits of the document as recorded.
#[test]
fn bitzoom_limits() {
    let relay = Relay::with(&["--limit-loopback"]);
    // The times between the connections' parts do not matter, those inside the burst are shorter here.
    replay(&relay, None, false, &fixture::read("bitzoom/limits.jsonl"));
}

/// Proves the errors as recorded from the live venue.
#[test]
fn binance_errors() {
    let relay = Relay::with(&["--profile", "binance"]);
    // The flat shape is what we accept, never what we send.
    let flat = |line: &Line| line.text().is_some_and(|text| text.starts_with(r#"{"code""#));
    replay(&relay, None, false, &without(fixture::read("binance/control_errors.jsonl"), flat));
}

/// Proves the raw session as recorded, the switch of the wrapper included.
#[test]
fn binance_raw_session() {
    let venue = Venue::start();
    let relay = Relay::with(&["--profile", "binance", "--upstream", &format!("stream={}", venue.url())]);
    // Our pings come by our clock.
    let pings = |line: &Line| !line.is_clients() && line.ping().is_some();
    replay(&relay, Some(&venue), false, &without(fixture::read("binance/spot_raw_session.jsonl"), pings));
}

/// Proves the combined session as recorded: names that are acknowledged and stay silent among them.
#[test]
fn binance_combined_session() {
    let venue = Venue::start();
    let relay = Relay::with(&["--profile", "binance", "--upstream", &format!("stream={}", venue.url())]);
    // The candle's subscription is not in the record, and the end of the record is another program's test.
    let left_out = |line: &Line| {
        line.close().is_some()
            || line.text().is_some_and(|text| text.contains("kline_1m") || text.contains("serverShutdown"))
    };
    replay(&relay, Some(&venue), false, &without(fixture::read("binance/spot_combined_session.jsonl"), left_out));
}

/// Proves that the sixth message within a second closes as recorded.
#[test]
fn binance_rate() {
    let relay = Relay::with(&["--profile", "binance", "--limit-loopback"]);
    replay(&relay, None, false, &fixture::read("binance/limit_rate_close.jsonl"));
}

/// Proves that the 1025th stream closes as recorded, the requests before it being within the rate.
#[test]
fn binance_streams() {
    let relay = Relay::with(&["--profile", "binance", "--limit-loopback"]);
    replay(&relay, None, true, &fixture::read("binance/limit_streams_close.jsonl"));
}
