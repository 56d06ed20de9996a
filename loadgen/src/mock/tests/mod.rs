//! The world without sockets: a client asks, time goes by, and what it was sent is looked at.

mod binance;
mod end_to_end;
mod others;

use super::fault::Fault;
use super::fault::scenario::Scenario;
use super::http::Reply;
use super::kind::Kind;
use super::line::Lines;
use super::market::{Market, Settings};
use super::world::{Plan, World};
use crate::frame::{self, Sender};
use serde_json::Value;
use std::net::SocketAddr;

const START_MS: u64 = 1_765_211_445_000;

struct Venue {
    world: World,
    now_ms: u64,
}

struct Client {
    id: u64,
    lines: Lines,
}

fn world(kind: Kind, symbols: &[&str], scenario: &str) -> World {
    let names: Vec<String> = symbols.iter().map(|name| (*name).to_owned()).collect();
    let settings =
        Settings { seed: 5, epoch_ms: START_MS, trades_per_second: 20.0, book_every_ms: kind.book_every_ms() };
    World::new(Plan {
        kind,
        rules: kind.rules(),
        market: Market::new(&kind.instruments(&names), settings),
        scenario: Scenario::parse(scenario).unwrap(),
        seed: 5,
        documents_every_ms: 10_000,
    })
}

/// What a relay needs is said: the flag only where it is enough.
#[test]
fn a_venue_says_how_it_is_reached() {
    let hint = |kind: Kind, ca_file: Option<&str>| {
        let text = super::hint(kind, "ws://a:1", "http://a:1", ca_file.map(std::path::Path::new));
        let (before, section) = text.split_at(text.find("[[upstream]]").unwrap());
        let mut file: toml::Table = toml::from_str(section).unwrap();
        let upstream = file.remove("upstream").unwrap()[0].as_table().unwrap().clone();
        assert_eq!(upstream["kind"].as_str(), Some(kind.name()));
        (before.contains("--upstream"), upstream)
    };
    let (is_flag, binance) = hint(Kind::Binance, None);
    assert!(is_flag && binance["rest_url"].as_str() == Some("http://a:1") && !binance.contains_key("ca_file"));
    let (is_flag, binance) = hint(Kind::Binance, Some("/x/ca.pem"));
    assert!(!is_flag && binance["ca_file"].as_str() == Some("/x/ca.pem"));
    let (is_flag, socketio) = hint(Kind::SocketIo, None);
    assert!(!is_flag && socketio.contains_key("api_key"));
    let (is_flag, rest) = hint(Kind::Rest, None);
    assert!(!is_flag && rest["format"].as_str() == Some("coingecko-global"));
    assert_eq!(rest["url"].as_str(), Some("ws://a:1/api/v3/global"));
    assert!(hint(Kind::Okx, None).0);
}

fn peer() -> SocketAddr {
    "127.0.0.1:5000".parse().unwrap()
}

impl Venue {
    fn new(kind: Kind, symbols: &[&str]) -> Self {
        Self { world: world(kind, symbols, ""), now_ms: START_MS }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now_ms += 10;
            self.world.tick(self.now_ms);
        }
    }

    fn connect(&mut self, target: &str) -> Result<Client, Reply> {
        self.world.open(peer(), target, self.now_ms).map(|(id, lines)| Client { id, lines })
    }

    fn open(&mut self, target: &str) -> Client {
        self.connect(target).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    fn say(&mut self, client: &Client, text: &str) {
        self.world.receive(client.id, frame::TEXT, text.as_bytes(), self.now_ms);
    }

    /// Says something and takes the answer to it.
    fn ask(&mut self, client: &mut Client, text: &str) -> String {
        client.take();
        self.say(client, text);
        client.texts().into_iter().next().unwrap_or_default()
    }

    fn fault(&mut self, asked: Value) {
        self.world.begin(Fault::parse(&asked).unwrap(), self.now_ms);
    }

    fn truth(&self) -> Value {
        self.world.tell()
    }

    fn violations(&self) -> Value {
        self.truth()["violations"].clone()
    }
}

impl Client {
    /// What waits to be written, as frames; it counts as sent.
    fn take(&mut self) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while let Ok(order) = self.lines.orders.try_recv() {
            if let Ok(Some(frame)) = frame::decode(&order.bytes, Sender::Server) {
                frames.push((frame.opcode, order.bytes[frame.payload].to_vec()));
            } else {
                frames.push((u8::MAX, order.bytes.clone()));
            }
            self.lines.state.written(order.bytes.len(), order.ticket.as_deref());
        }
        frames
    }

    fn texts(&mut self) -> Vec<String> {
        let frames = self.take().into_iter().filter(|frame| frame.0 == frame::TEXT);
        frames.map(|frame| String::from_utf8(frame.1).unwrap()).collect()
    }

    fn values(&mut self) -> Vec<Value> {
        self.texts().iter().map(|text| serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))).collect()
    }

    /// Texts before a CLOSE.
    fn values_until_close(&mut self) -> Vec<Value> {
        let frames = self.take();
        assert_eq!(frames.last().map(|frame| frame.0), Some(frame::CLOSE));
        let texts = frames.iter().filter(|frame| frame.0 == frame::TEXT);
        texts.map(|frame| serde_json::from_slice(&frame.1).unwrap()).collect()
    }

    /// The code and the reason of the CLOSE frame among what waits.
    fn closed(&mut self) -> Option<(u16, String)> {
        let close = self.take().into_iter().find(|frame| frame.0 == frame::CLOSE)?.1;
        Some((frame::close_code(&close), String::from_utf8_lossy(close.get(2..).unwrap_or_default()).into_owned()))
    }
}
