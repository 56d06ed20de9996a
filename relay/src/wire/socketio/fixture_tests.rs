//! The sessions of `testdata/socketio`, measured on the reference server, against a server made of these parts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::{self, Asked, Class, Mode, UNKNOWN_EVENT, Wish};
use super::output::{Output, Outputs};
use super::session::{CLOSE, KeyRule, NOOP, Session, Timing};
use super::sid::Sid;
use super::url::{self, Refusal, Request, Transport};
use super::{payload, polling, reply};
use crate::limits::OUTBOX_BYTES_MAX;
use crate::wire::http::target::Target;
use crate::wire::ws::encode;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../testdata/socketio/", $name))
    };
}

/// The samples' ids and limit.
const SID: &str = "lv_VI97HAXpY6yYWAAAC";
const SOCKET_SID: &str = "oSO0OpakMV_3jnilAAAA";
const PAYLOAD_BYTES_MAX: usize = 1_000_000;

const FIAT: [(&str, &str); 2] = [("EUR", "0.92150"), ("GBP", "0.78890")];
const CRYPTO: [(&str, &str); 2] = [("BTC", "42150.50"), ("ETH", "2240.11")];
const PRICES_TIME_MS: u64 = 1765211445000;

struct Server {
    session: Session,
    timing: Timing,
    /// Packets for the client over its transport, as the fan-out writes them: in frames.
    frames: Vec<u8>,
    /// What the second socket gets.
    probe: Vec<String>,
    released: bool,
    closed: bool,
}

impl Server {
    fn open(transport: Transport, key_rule: KeyRule, now_ms: u64) -> Self {
        let timing = Timing::default();
        let session = Session::open(transport, key_rule, now_ms, &timing);
        let mut server = Self { session, timing, frames: vec![], probe: vec![], released: false, closed: false };
        server.send(reply::open(SID, transport, &timing, PAYLOAD_BYTES_MAX).as_bytes());
        server
    }

    fn send(&mut self, packet: &[u8]) {
        encode::frame(encode::Opcode::Text, packet, &mut self.frames);
    }

    /// A packet that came over the transport.
    fn take(&mut self, text: &str, now_ms: u64) {
        let timing = self.timing;
        let outputs = self.session.text(text, now_ms, &timing);
        self.apply(outputs);
    }

    fn pass(&mut self, now_ms: u64) {
        let timing = self.timing;
        let outputs = self.session.poll(now_ms, &timing);
        self.apply(outputs);
    }

    fn apply(&mut self, outputs: Outputs<'_>) {
        for output in outputs {
            match output {
                Output::Send(packet) => self.send(packet.as_bytes()),
                Output::Reply(packet) => self.probe.push(packet.to_owned()),
                Output::ReleasePoll => self.released = true,
                Output::Connect { api_key } => self.decide(api_key.as_deref()),
                Output::Event(event) => {
                    let mut out = Vec::new();
                    answer(&event, &mut out);
                    self.frames.extend_from_slice(&out);
                }
                Output::Close(_) => self.closed = true,
                Output::Upgraded | Output::Leave => {}
                Output::CloseProbe | Output::Binary { .. } => panic!("no fixture has it"),
            }
        }
    }

    fn decide(&mut self, api_key: Option<&str>) {
        let packet = if api_key == Some("bad") {
            self.session.refuse().map(str::to_owned)
        } else {
            self.session.accept(SOCKET_SID)
        };
        self.send(packet.unwrap().as_bytes());
    }

    /// The next packet, as one message of a WebSocket.
    fn next(&mut self) -> Option<String> {
        let mut out = Vec::new();
        let taken = polling::unframe(self.frames.chunks(7), 1, &mut out);
        self.frames.drain(..taken.bytes);
        (taken.packets > 0).then(|| String::from_utf8(out).unwrap())
    }

    /// The body of a poll's answer.
    fn body(&mut self) -> Option<String> {
        let mut out = Vec::new();
        let taken = polling::unframe([&self.frames[..]].into_iter(), OUTBOX_BYTES_MAX, &mut out);
        self.frames.drain(..taken.bytes);
        let released = std::mem::take(&mut self.released);
        if taken.packets == 0 && !released && !self.closed {
            return None;
        }
        self.session.poll_ended();
        let nothing = if self.closed { CLOSE } else { NOOP };
        Some(if out.is_empty() { nothing.to_owned() } else { String::from_utf8(out).unwrap() })
    }
}

/// Appends the frames that answer an event.
fn answer(event: &super::packet::Event<'_>, frames: &mut Vec<u8>) {
    let mut out = Vec::new();
    match (event::read(event), event.ack) {
        (Asked::Wish(wish), ack) => wish_granted(&wish, ack, &mut out),
        (Asked::Nothing, Some(ack)) => reply::ack_nothing(ack, &mut out),
        (Asked::Bad(problem), Some(ack)) => reply::ack_error(ack, problem, &mut out),
        (Asked::Bad(problem), None) => reply::error(&event.name, problem, &mut out),
        (Asked::Unknown, None) => return,
        (Asked::Nothing, None) | (Asked::Unknown, Some(_)) => unreachable!("{event:?} against {UNKNOWN_EVENT:?}"),
    }
    encode::frame(encode::Opcode::Text, &out, frames);
}

fn wish_granted(wish: &Wish, ack: Option<&str>, out: &mut Vec<u8>) {
    let rows = rows(wish);
    match (wish.mode, ack) {
        (Mode::Ack, Some(ack)) if wish.symbol.is_some() => reply::ack(ack, &rows, out),
        (Mode::Ack, Some(ack)) => reply::ack(ack, &[b"[", &*rows, b"]"].concat(), out),
        (Mode::Listen, None) => push(wish.class, wish.symbol.is_none(), &rows, out),
        (mode, ack) => panic!("{mode:?} with {ack:?}"),
    }
}

fn push(class: Class, is_list: bool, rows: &[u8], out: &mut Vec<u8>) {
    let (prefix, suffix) = if is_list {
        (reply::list_prefix(class), reply::LIST_SUFFIX)
    } else {
        (reply::one_prefix(class), reply::ONE_SUFFIX)
    };
    out.extend_from_slice(&[prefix, rows, suffix].concat());
}

fn rows(wish: &Wish) -> Vec<u8> {
    let table = match wish.class {
        Class::Fiat => FIAT,
        Class::Crypto => CRYPTO,
    };
    let wanted = table.iter().filter(|(name, _)| wish.symbol.as_deref().is_none_or(|symbol| symbol == *name));
    let rows: Vec<Vec<u8>> =
        wanted.map(|(name, price)| row(wish.class, &wish.base, name, price, PRICES_TIME_MS)).collect();
    rows.join(&b","[..])
}

fn row(class: Class, base: &str, name: &str, price: &str, time_ms: u64) -> Vec<u8> {
    let row = reply::Row { base, name, price, time_ms, is_computed: false };
    let mut out = Vec::new();
    reply::write_row(class, &row, &mut out);
    out
}

fn lines(fixture: &str) -> impl Iterator<Item = Value> {
    let lines = fixture.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("note").is_none())
}

fn request(path: &str, method: &str, is_upgrade: bool) -> Result<Request, Refusal> {
    let target = Target::parse(path).unwrap();
    assert!(url::is_path(&target.path(), "/currency/"), "{path}");
    url::parse(&target, method, is_upgrade)
}

/// Replays a fixture in which each connection is a session of its own; says how many of the server's lines came.
fn check_websockets(fixture: &str, key_rule: KeyRule) -> usize {
    let mut servers: BTreeMap<String, Server> = BTreeMap::new();
    let mut count = 0;
    for line in lines(fixture) {
        count += usize::from(line["from"] == "venue");
        let conn = line["conn"].as_str().unwrap_or_default().to_owned();
        let now_ms = line["t"].as_u64().unwrap();
        let is_clients = line["from"] == "client";
        if let Some(path) = line["connect"].as_str() {
            let open = Request::Open { transport: Transport::WebSocket, notices: false };
            assert_eq!(request(path, "GET", true), Ok(open));
            servers.insert(conn, Server::open(Transport::WebSocket, key_rule, now_ms));
            continue;
        }
        let server = servers.get_mut(&conn).unwrap();
        if !is_clients {
            server.pass(now_ms);
        }
        match (is_clients, line["text"].as_str()) {
            (true, Some(text)) => {
                server.take(text, now_ms);
            }
            (true, None) => {
                assert_eq!(line["close"]["code"], 1005);
                servers.remove(&conn);
            }
            (false, Some(text)) => {
                if server.frames.is_empty() {
                    market(server, text);
                }
                assert_eq!(server.next().as_deref(), Some(text), "{conn}");
            }
            (false, None) => {
                assert_eq!(line["close"]["code"], 1005);
                assert!(server.closed, "{conn} at {now_ms}");
                assert_eq!(server.next(), None, "{conn}: nothing comes before the close");
                servers.remove(&conn);
            }
        }
    }
    for (conn, mut server) in servers {
        assert_eq!(server.next(), None, "{conn}: the fixture has no such packet");
        assert!(!server.closed, "{conn} stays open");
    }
    count
}

/// A change of one price, which the samples have by the clock.
fn market(server: &mut Server, text: &str) {
    let message: Value = serde_json::from_str(&text[2..]).unwrap();
    let class = if message[0] == "currency" { Class::Fiat } else { Class::Crypto };
    let row_of = |value: &Value| {
        let text = |field: &str| value[field].as_str().unwrap();
        row(class, text("base"), text(class.field()), text("price"), value["timestamp"].as_u64().unwrap())
    };
    let mut out = Vec::new();
    match message[1].as_array() {
        Some(rows) => push(class, true, &rows.iter().map(row_of).collect::<Vec<_>>().join(&b","[..]), &mut out),
        None => push(class, false, &row_of(&message[1]), &mut out),
    }
    server.send(&out);
}

/// What an HTTP answer is due for.
enum Due {
    Packets,
    Posted,
    Error(Refusal),
}

/// Replays a fixture of HTTP requests, with at most one session and one second socket; the count is as above.
fn check_http(fixture: &str) -> usize {
    let sid = Sid::new(1, [9; 16]);
    let mut server = None;
    let mut due: BTreeMap<String, Due> = BTreeMap::new();
    let mut count = 0;
    for line in lines(fixture) {
        count += usize::from(line["from"] == "venue");
        let conn = line["conn"].as_str().unwrap_or_default().to_owned();
        let now_ms = line["t"].as_u64().unwrap();
        let is_clients = line["from"] == "client";
        let http = &line["http"];
        if let Some(path) = line["connect"].as_str() {
            let asked = request(&path.replace(SID, &sid.text()), "GET", true);
            if line["status"] == 101 {
                let server: &mut Server = server.as_mut().unwrap();
                assert_eq!(asked, Ok(Request::Upgrade(sid)));
                assert_eq!(server.session.admit(&asked.unwrap()), Ok(()));
                let timing = server.timing;
                let outputs = server.session.probe_opened(now_ms, &timing);
                server.apply(outputs);
            } else {
                let refusal = asked.unwrap_err();
                assert_eq!(line["status"], refusal.status());
                assert_eq!(line["body"], refusal.message());
            }
        } else if is_clients && http.is_object() {
            let method = http["method"].as_str().unwrap();
            let path = http["path"].as_str().unwrap().replace(SID, &sid.text());
            let body = http["body"].as_str().unwrap_or_default();
            due.insert(conn, ask(&mut server, request(&path, method, false), body, now_ms));
        } else if http.is_object() {
            check_answer(&mut server, due.remove(&conn).unwrap(), http);
        } else {
            check_second_socket(server.as_mut().unwrap(), &line, now_ms);
        }
    }
    assert!(due.is_empty());
    if let Some(mut server) = server {
        assert_eq!(server.next(), None, "the fixture has no such packet");
        assert!(server.probe.is_empty() && !server.released && !server.closed);
    }
    count
}

fn ask(server: &mut Option<Server>, asked: Result<Request, Refusal>, body: &str, now_ms: u64) -> Due {
    let asked = match asked {
        Err(refusal) => return Due::Error(refusal),
        Ok(asked) => asked,
    };
    if let Request::Open { transport, .. } = asked {
        *server = Some(Server::open(transport, KeyRule::Required, now_ms));
        return Due::Packets;
    }
    let server = server.as_mut().unwrap();
    assert_eq!(server.session.admit(&asked), Ok(()));
    if matches!(asked, Request::Poll(_)) {
        let outputs = server.session.poll_started();
        server.apply(outputs);
        return Due::Packets;
    }
    let outputs = server.session.post_started();
    server.apply(outputs);
    for packet in payload::split(body.as_bytes()).unwrap() {
        server.take(packet, now_ms);
    }
    server.session.post_ended();
    Due::Posted
}

fn check_answer(server: &mut Option<Server>, due: Due, http: &Value) {
    let (status, content_type, body) = match due {
        Due::Error(refusal) => (refusal.status(), Refusal::CONTENT_TYPE, refusal.body()),
        Due::Posted => (200, polling::POSTED_CONTENT_TYPE, polling::POSTED.to_owned()),
        Due::Packets => (200, polling::CONTENT_TYPE, server.as_mut().unwrap().body().expect("a packet is due")),
    };
    assert_eq!(http["status"], status);
    assert_eq!(http["headers"]["content-type"], content_type);
    assert_eq!(http["body"], body);
}

fn check_second_socket(server: &mut Server, line: &Value, now_ms: u64) {
    let text = line["text"].as_str().unwrap();
    if line["from"] != "client" {
        server.pass(now_ms);
        let packet = server.probe.pop().or_else(|| server.next());
        assert_eq!(packet.as_deref(), Some(text));
    } else if server.session.transport() == Transport::Polling {
        let outputs = server.session.probe(text);
        server.apply(outputs);
    } else {
        server.take(text, now_ms);
    }
}

#[test]
fn the_seeds_client_gets_what_was_recorded() {
    assert_eq!(check_websockets(fixture!("websocket_only.jsonl"), KeyRule::Required), 12);
}

#[test]
fn the_edge_cases_go_as_measured() {
    assert_eq!(check_websockets(fixture!("edge_cases.jsonl"), KeyRule::Optional), 42);
}

#[test]
fn refusals_go_as_measured() {
    assert_eq!(check_websockets(fixture!("protocol_errors.jsonl"), KeyRule::Optional), 9);
}

#[test]
fn polling_is_upgraded_as_measured() {
    assert_eq!(check_http(fixture!("polling_upgrade.jsonl")), 9);
}

#[test]
fn errors_before_a_session_are_the_reference_servers() {
    assert_eq!(check_http(fixture!("http_errors.jsonl")), 7);
}
