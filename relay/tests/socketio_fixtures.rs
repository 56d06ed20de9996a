//! The sessions that were recorded on the reference server, replayed against the relay. Ids, prices, times and the
//! number of rows are the relay's own; everything else must be as it was.

mod support;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use serde_json::{Value, json};

use support::PATIENCE;
use support::client::{Client, Got};
use support::engine::{Asked, ask, sid_of};
use support::frame;
use support::http;
use support::relay::Relay;

/// The samples' key is good and others are not.
const ACCOUNT: &str = r#"
[[account]]
name = "sample"
keys = ["sha256:e25f45c33ff8f1c649b40effb51fa5f9b8c27e3fa46e2d759a15b639950d01e2"]
"#;

/// A packet with what is a sample taken out of it.
fn shape(packet: &str) -> String {
    let Some(at) = packet.find(['[', '{']) else { return packet.to_owned() };
    let (kind, data) = packet.split_at(at);
    let mut data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {packet}"));
    blur(&mut data);
    format!("{kind}{data}")
}

fn blur(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // The samples' prices are the venue's own; here some are computed, and say so.
            members.remove("computed");
            for (key, member) in members {
                match key.as_str() {
                    "sid" | "price" | "timestamp" | "pingInterval" | "maxPayload" => *member = json!("…"),
                    _ => blur(member),
                }
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(blur);
            // Of rows the first stands for all, whichever it is.
            if let Some(Value::Object(row)) = items.first_mut()
                && let Some(name) = ["currency", "symbol"].into_iter().find(|name| row.contains_key(*name))
                && row.contains_key("price")
            {
                row.insert(name.to_owned(), json!("…"));
                items.truncate(1);
            }
        }
        _ => {}
    }
}

/// What has come on one connection, until the fixture has it: pushes and acknowledgements have no order of their own.
#[derive(Default)]
struct Came(VecDeque<String>);

impl Came {
    /// Waits for a packet of this shape; others are kept.
    #[track_caller]
    fn expect(&mut self, expected: &str, mut next: impl FnMut() -> Vec<String>) {
        let wanted = shape(expected);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.0.iter().position(|packet| shape(packet) == wanted) {
                self.0.remove(at);
                return;
            }
            self.0.extend(next());
            assert!(Instant::now() < deadline, "waited in vain for {expected}: {:?}", self.0);
        }
    }
}

fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/testdata/socketio/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    lines.filter(|line| line.get("note").is_none()).collect()
}

#[track_caller]
fn text(client: &mut Client, came: &mut Came, expected: &str) {
    came.expect(expected, || vec![client.text()]);
}

/// Replays a fixture of WebSockets, each a session of its own.
fn replay(name: &str, config: &str) {
    let relay = Relay::configured(config, &["--shards", "2"]);
    let mut clients: BTreeMap<String, (Client, Came)> = BTreeMap::new();
    for line in lines(name) {
        let conn = line["conn"].as_str().unwrap_or_default();
        if let Some(path) = line["connect"].as_str() {
            clients.insert(conn.to_owned(), (relay.client(path), Came::default()));
            continue;
        }
        let (client, came) = clients.get_mut(conn).expect("it is connected");
        match (line["from"] == "client", line["text"].as_str()) {
            (true, Some(packet)) => client.send(packet),
            (false, Some(packet)) => text(client, came, packet),
            (is_clients, None) => {
                assert_eq!(line["close"]["code"], 1005, "{line}");
                if is_clients {
                    client.send_bytes(&frame::close(None, ""));
                }
                assert_eq!(client.closed(), (None, String::new()), "{conn}");
                clients.remove(conn);
            }
        }
    }
    // Who was not closed is still served.
    for (conn, (mut client, mut came)) in clients {
        let (ask, answer) = match conn.as_str() {
            "leave_namespace" | "a" | "b" => ("40{\"api-key\":\"your-api-key-here\"}", "40{\"sid\":\"\"}"),
            _ => (r#"427["x"]"#, r#"437[{"error":{"code":"UNKNOWN_EVENT","message":"unknown event"}}]"#),
        };
        client.send(ask);
        text(&mut client, &mut came, answer);
    }
}

#[test]
fn the_seeds_client_by_websocket() {
    replay("websocket_only", "[socketio]\nping_interval = \"1s\"");
}

#[test]
fn edge_cases() {
    replay("edge_cases", "[socketio]\nrequire_key = false");
}

#[test]
fn protocol_errors() {
    replay("protocol_errors", &format!("[socketio]\nrequire_key = false\n{ACCOUNT}"));
}

/// One side of the fixtures that have HTTP in them.
struct Web {
    relay: Relay,
    /// The sample's id stands for this one.
    sid: Option<String>,
    asked: BTreeMap<String, Asked>,
    came: Came,
}

const SAMPLE_SID: &str = "lv_VI97HAXpY6yYWAAAC";

impl Web {
    fn new(config: &str) -> Web {
        let relay = Relay::configured(config, &["--shards", "2"]);
        Web { relay, sid: None, asked: BTreeMap::new(), came: Came::default() }
    }

    fn path(&self, sample: &str) -> String {
        sample.replace(SAMPLE_SID, self.sid.as_deref().unwrap_or(SAMPLE_SID))
    }

    fn ask(&mut self, conn: &str, request: &Value) {
        let path = self.path(request["path"].as_str().expect("a path"));
        let lines: String = request["headers"]
            .as_object()
            .expect("headers")
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.as_str().expect("text")))
            .collect();
        let body = request["body"].as_str().unwrap_or_default();
        let asked = ask(self.relay.public, request["method"].as_str().expect("a method"), &path, &lines, body);
        self.asked.insert(conn.to_owned(), asked);
    }

    #[track_caller]
    fn expect(&mut self, conn: &str, expected: &Value) {
        let asked = self.asked.remove(conn).expect("it was asked");
        let answer = asked.answer();
        assert_eq!(expected["status"], answer.status, "{answer:?}");
        for (name, value) in expected["headers"].as_object().expect("headers") {
            assert_eq!(answer.header(name), value.as_str(), "{answer:?}");
        }
        let body = expected["body"].as_str().expect("a body");
        if answer.body.starts_with("0{") {
            self.sid = Some(sid_of(&answer.body));
        }
        let answer_packets = |body: &str| body.split('\u{1e}').map(str::to_owned).collect::<Vec<_>>();
        self.came.0.extend(answer_packets(&answer.body));
        // What takes longer here comes by further polls.
        let target = self.path(&format!("/currency/?EIO=4&transport=polling&sid={SAMPLE_SID}"));
        for packet in answer_packets(body) {
            let public = self.relay.public;
            self.came.expect(&packet, || answer_packets(&ask(public, "GET", &target, "", "").answer().body));
        }
    }
}

/// The reference client's way: polling, the probe, the waiting poll that is released, and then WebSocket.
#[test]
fn polling_and_upgrade() {
    // The pings of the real pace do not disturb.
    let mut web = Web::new("");
    let mut socket: Option<Client> = None;
    for line in lines("polling_upgrade") {
        let conn = line["conn"].as_str().unwrap_or_default();
        let is_clients = line["from"] == "client";
        if line["t"] == 80 {
            // By now the poll of the fixture waits; here it may have brought prices that moved meanwhile.
            let path = web.path(line["connect"].as_str().expect("a path"));
            socket = Some(web.relay.client(&path));
        } else if line["http"].is_object() {
            if is_clients {
                web.ask(conn, &line["http"]);
            } else if line["http"]["body"] == "6" {
                let answer = web.asked.remove("hang").expect("it was asked").answer();
                assert_eq!(answer.status, 200);
                assert!(answer.body == "6" || answer.body.starts_with("42"), "{answer:?}");
            } else {
                web.expect(conn, &line["http"]);
            }
        } else if line["t"].as_u64() < Some(25_000) {
            let client = socket.as_mut().expect("it is connected");
            let packet = line["text"].as_str().expect("a text");
            if is_clients {
                client.send(packet);
            } else {
                web.came.expect(packet, || vec![client.text()]);
            }
        }
    }
}

#[test]
fn errors_before_a_session() {
    let mut web = Web::new("");
    for line in lines("http_errors") {
        if let Some(path) = line["connect"].as_str() {
            let answer = http::ask(web.relay.public, &http::upgrade(path));
            assert_eq!(line["status"], answer.status);
            assert_eq!(line["body"], answer.body);
        } else if line["from"] == "client" {
            web.ask("", &line["http"]);
        } else {
            web.expect("", &line["http"]);
        }
    }
    assert_eq!(web.relay.count("relay_socketio_refused_total"), 8.0);
}

/// A WebSocket's end is what it was: nothing is kept open by a session that is over.
#[test]
fn a_socket_that_ends_takes_its_session_along() {
    let relay = Relay::start();
    let mut client = relay.client("/currency/?EIO=4&transport=websocket");
    let sid = sid_of(&client.text());
    client.send_bytes(&frame::close(Some(1000), ""));
    assert_eq!(client.next(), Got::Close(Some(1000), String::new()));
    client.finish();
    let target = format!("/currency/?EIO=4&transport=polling&sid={sid}");
    support::until("the session is gone", || {
        http::get(relay.public, &target).body == r#"{"code":1,"message":"Session ID unknown"}"#
    });
}
