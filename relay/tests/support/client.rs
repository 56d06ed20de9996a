//! A client of the stream dialect that does what a test says, byte by byte.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};

use super::PATIENCE;
use super::frame::{self, BINARY, CLOSE, PING, PONG, TEXT};
use super::http::{self, Answer};

/// What comes from the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The relay ended its side of the connection.
    End,
    /// The connection is gone altogether.
    Reset,
}

pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    pub answer: Answer,
    /// Data frames that came while a reply was waited for.
    kept: VecDeque<String>,
}

impl Client {
    #[track_caller]
    pub fn open(address: SocketAddr, target: &str) -> Client {
        Client::upgrade(TcpStream::connect(address).expect("the relay accepts"), &http::upgrade(target))
    }

    /// Sends this head on the connection; it must lead to a WebSocket.
    #[track_caller]
    pub fn upgrade(stream: TcpStream, head: &str) -> Client {
        let client = Client::ask(stream, head);
        assert_eq!(client.answer.status, 101, "{:?}", client.answer);
        client
    }

    /// Sends this head; the answer may be any.
    pub fn ask(mut stream: TcpStream, head: &str) -> Client {
        stream.set_nodelay(true).expect("it can be set");
        stream.write_all(head.as_bytes()).expect("the request is taken");
        Client::answered(stream)
    }

    /// The request has been sent; reads the answer.
    #[track_caller]
    pub fn answered(stream: TcpStream) -> Client {
        Client::try_answered(stream).expect("an answer before the end of the connection")
    }

    /// The same; `None` if the connection ends without an answer.
    pub fn try_answered(mut stream: TcpStream) -> Option<Client> {
        let mut buffer = Vec::new();
        let answer = http::try_answer(&mut stream, &mut buffer)?;
        Some(Client { stream, buffer, answer, kept: VecDeque::new() })
    }

    pub fn send(&mut self, text: &str) {
        self.send_bytes(&frame::message(TEXT, text.as_bytes()));
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the relay reads");
    }

    /// The next frame.
    #[track_caller]
    pub fn next(&mut self) -> Got {
        self.next_within(PATIENCE).expect("a frame in time")
    }

    /// The next frame; `None` if none comes in that time.
    pub fn next_within(&mut self, time: Duration) -> Option<Got> {
        let deadline = Instant::now() + time;
        loop {
            if let Some((frame, len)) = frame::decode(&self.buffer) {
                self.buffer.drain(..len);
                assert!(frame.is_final, "the relay does not fragment");
                return Some(got(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.stream.set_read_timeout(Some(left)).expect("a time-out can be set");
            let mut chunk = [0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Some(Got::End),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return Some(Got::Reset),
            }
        }
    }

    /// The next text, pings aside; of those that were kept, the first.
    #[track_caller]
    pub fn text(&mut self) -> String {
        if let Some(text) = self.kept.pop_front() {
            return text;
        }
        loop {
            match self.next() {
                Got::Text(text) => return text,
                Got::Ping(payload) => self.send_bytes(&frame::message(PONG, &payload)),
                other => panic!("{other:?} instead of a text"),
            }
        }
    }

    #[track_caller]
    pub fn json(&mut self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The next reply to a request. Data before it is kept.
    #[track_caller]
    pub fn reply(&mut self) -> String {
        let mut kept = std::mem::take(&mut self.kept);
        loop {
            let text = self.text();
            if is_reply(&text) {
                self.kept.extend(kept);
                return text;
            }
            kept.push_back(text);
        }
    }

    /// Sends a request and reads its reply.
    #[track_caller]
    pub fn request(&mut self, text: &str) -> String {
        self.send(text);
        self.reply()
    }

    /// Subscribes and checks that it is acknowledged.
    #[track_caller]
    pub fn subscribe(&mut self, names: &[&str]) {
        let request = serde_json::json!({"method": "SUBSCRIBE", "params": names, "id": 1}).to_string();
        assert_eq!(self.request(&request), r#"{"result":null,"id":1}"#);
    }

    #[track_caller]
    pub fn unsubscribe(&mut self, names: &[&str]) {
        let request = serde_json::json!({"method": "UNSUBSCRIBE", "params": names, "id": 2}).to_string();
        assert_eq!(self.request(&request), r#"{"result":null,"id":2}"#);
    }

    /// The names held, as the relay lists them.
    #[track_caller]
    pub fn list(&mut self) -> Vec<String> {
        let reply = self.request(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#);
        let reply: Value = serde_json::from_str(&reply).expect("JSON");
        serde_json::from_value(reply["result"].clone()).expect("a list of names")
    }

    /// Waits for the CLOSE, data before it aside.
    #[track_caller]
    pub fn closed(&mut self) -> (Option<u16>, String) {
        loop {
            match self.next() {
                Got::Close(code, reason) => return (code, reason),
                Got::Text(_) | Got::Ping(_) | Got::Pong(_) => {}
                other => panic!("{other:?} instead of a CLOSE"),
            }
        }
    }

    /// Nothing follows but the end of the connection.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.next(), Got::End);
    }

    /// Leaves without any goodbye; the relay's kernel sees a reset.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("it can be set");
    }

    /// Ends its side, and no more.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it was open");
    }
}

/// A connection from this address of ours.
pub fn connect_from(source: IpAddr, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::new(source, 0).into()).expect("an address of ours");
    socket.connect(&address.into()).expect("the relay accepts");
    socket.into()
}

/// A connection that takes in little before it is full.
pub fn connect_narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("it can be set");
    socket.connect(&address.into()).expect("the relay accepts");
    socket.into()
}

/// An answer to a request, not data.
pub fn is_reply(text: &str) -> bool {
    text.starts_with(r#"{"result":"#) || text.starts_with(r#"{"error":"#)
}

fn got(frame: frame::Frame) -> Got {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the relay sends UTF-8");
    match frame.opcode {
        TEXT => Got::Text(text(frame.payload)),
        BINARY => Got::Binary(frame.payload),
        PING => Got::Ping(frame.payload),
        PONG => Got::Pong(frame.payload),
        CLOSE if frame.payload.is_empty() => Got::Close(None, String::new()),
        CLOSE => {
            let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            Got::Close(Some(code), text(frame.payload[2..].to_vec()))
        }
        other => panic!("opcode {other}"),
    }
}
