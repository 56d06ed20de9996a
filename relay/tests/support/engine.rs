//! A client of the Socket.IO dialect that does what a test says, packet by packet.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::client::{Client, Got};
use super::http::{self, Answer};

pub const OPEN: &str = "/currency/?EIO=4&transport=polling&t=x";
pub const WEBSOCKET: &str = "/currency/?EIO=4&transport=websocket";
pub const CONNECT: &str = r#"40{"api-key":"your-api-key-here"}"#;

/// The emits of the documented example, in its order.
pub const EMITS: [&str; 8] = [
    r#"42["fiat/allListen",{"base":"USD"}]"#,
    r#"420["fiat/allAck",{"base":"USD"}]"#,
    r#"42["fiat/onlyListen",{"base":"USD","currency":"EUR"}]"#,
    r#"421["fiat/onlyAck",{"base":"USD","currency":"EUR"}]"#,
    r#"42["crypto/allListen",{"base":"USD"}]"#,
    r#"422["crypto/allAck",{"base":"USD"}]"#,
    r#"42["crypto/onlyListen",{"base":"USD","symbol":"BTC"}]"#,
    r#"423["crypto/onlyAck",{"base":"USD","symbol":"BTC"}]"#,
];

/// A session that is polled. Each request has a connection of its own, as Node's are, so they land on any shard.
pub struct Session {
    pub address: SocketAddr,
    pub sid: String,
    /// Packets that have come and were not asked for yet.
    packets: std::collections::VecDeque<String>,
}

/// A request that has been sent.
pub struct Asked(pub TcpStream);

impl Asked {
    #[track_caller]
    pub fn answer(mut self) -> Answer {
        http::read_answer(&mut self.0, &mut Vec::new())
    }
}

/// Sends a request whose head has these lines, each ending in CRLF.
pub fn ask(address: SocketAddr, method: &str, target: &str, lines: &str, body: &str) -> Asked {
    let mut stream = TcpStream::connect(address).expect("the relay accepts");
    let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n{length}{lines}\r\n");
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("the request is taken");
    Asked(stream)
}

pub fn get(address: SocketAddr, target: &str) -> Answer {
    ask(address, "GET", target, "", "").answer()
}

/// The id in an open packet.
pub fn sid_of(open: &str) -> String {
    let open: Value = serde_json::from_str(open.strip_prefix('0').expect("an open packet")).expect("JSON");
    open["sid"].as_str().expect("an id").to_owned()
}

impl Session {
    #[track_caller]
    pub fn open(address: SocketAddr) -> Session {
        let answer = get(address, OPEN);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains(r#""upgrades":["websocket"]"#), "{answer:?}");
        Session { address, sid: sid_of(&answer.body), packets: Default::default() }
    }

    /// One that is let in.
    #[track_caller]
    pub fn joined(address: SocketAddr) -> Session {
        let mut session = Session::open(address);
        session.send(CONNECT);
        let packet = session.next();
        assert!(packet.starts_with(r#"40{"sid":""#), "{packet}");
        session
    }

    pub fn target(&self) -> String {
        format!("/currency/?EIO=4&transport=polling&t=x&sid={}", self.sid)
    }

    pub fn begin_poll(&self) -> Asked {
        ask(self.address, "GET", &self.target(), "", "")
    }

    pub fn post(&self, body: &str) -> Answer {
        ask(self.address, "POST", &self.target(), "Content-Type: text/plain;charset=UTF-8\r\n", body).answer()
    }

    #[track_caller]
    pub fn send(&self, body: &str) {
        let answer = self.post(body);
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/html"));
    }

    /// One poll's packets.
    #[track_caller]
    pub fn poll(&self) -> Vec<String> {
        packets(self.begin_poll().answer())
    }

    /// The next packet, pings aside, which are answered.
    #[track_caller]
    pub fn next(&mut self) -> String {
        loop {
            match self.packets.pop_front() {
                Some(packet) if packet == "2" => self.send("3"),
                Some(packet) => return packet,
                None => self.packets = self.poll().into(),
            }
        }
    }

    /// What has come and was not asked for.
    pub fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.packets).into()
    }

    pub fn probe(&self) -> Client {
        Client::open(self.address, &format!("{WEBSOCKET}&sid={}", self.sid))
    }
}

/// The packets of a poll's answer.
#[track_caller]
pub fn packets(answer: Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.body.split('\u{1e}').map(str::to_owned).collect()
}

/// A client by WebSocket alone, let in.
#[track_caller]
pub fn joined(address: SocketAddr) -> Client {
    let mut client = Client::open(address, WEBSOCKET);
    let open = client.text();
    assert!(open.contains(r#""upgrades":[]"#), "{open}");
    client.send(CONNECT);
    let packet = client.text();
    assert!(packet.starts_with(r#"40{"sid":""#), "{packet}");
    client
}

/// The next packet of a WebSocket, pings aside, which are answered.
#[track_caller]
pub fn packet(client: &mut Client) -> String {
    loop {
        match client.next() {
            Got::Text(text) if text == "2" => client.send("3"),
            Got::Text(text) => return text,
            other => panic!("{other:?} instead of a packet"),
        }
    }
}

/// An acknowledgement's id and argument.
pub fn ack(packet: &str) -> Option<(String, Value)> {
    let rest = packet.strip_prefix("43")?;
    let at = rest.find('[')?;
    let args: Vec<Value> = serde_json::from_str(&rest[at..]).expect("JSON");
    assert_eq!(args.len(), 1, "one argument: {packet}");
    Some((rest[..at].to_owned(), args.into_iter().next()?))
}

/// An event's name and argument.
pub fn event(packet: &str) -> Option<(String, Value)> {
    let (name, data) = serde_json::from_str(packet.strip_prefix("42")?).expect("a name and one argument");
    Some((name, data))
}
