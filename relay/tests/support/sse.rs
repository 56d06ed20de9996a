//! A reader of event streams, byte by byte: chunks, lines, events.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;
use super::http::{self, Answer};

/// What comes in an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Event(Event),
    Comment(String),
    Retry(u64),
    /// The answer is over, as it should end.
    End,
    /// The connection ended before the answer.
    Gone,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    /// `message` where none is given.
    pub kind: String,
    pub data: String,
}

pub struct Sse {
    pub stream: TcpStream,
    pub answer: Answer,
    raw: Vec<u8>,
    text: Vec<u8>,
    over: bool,
    /// The id of the newest event that had one.
    pub last_id: Option<String>,
}

impl Event {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Sse {
    #[track_caller]
    pub fn open(address: SocketAddr, target: &str, last_id: Option<&str>) -> Sse {
        Sse::on(TcpStream::connect(address).expect("the relay accepts"), target, last_id)
    }

    /// The same on this connection.
    #[track_caller]
    pub fn on(stream: TcpStream, target: &str, last_id: Option<&str>) -> Sse {
        let sse = Sse::ask(stream, target, last_id);
        assert_eq!(sse.answer.status, 200, "{:?}", sse.answer);
        assert_eq!(sse.answer.header("transfer-encoding"), Some("chunked"));
        sse
    }

    /// The answer may be any.
    pub fn ask(mut stream: TcpStream, target: &str, last_id: Option<&str>) -> Sse {
        let last = last_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!("GET {target} HTTP/1.1\r\nHost: relay.test\r\nAccept: text/event-stream\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).expect("the request is taken");
        let mut raw = Vec::new();
        let answer = http::read_answer(&mut stream, &mut raw);
        Sse { stream, answer, raw, text: Vec::new(), over: false, last_id: None }
    }

    /// What comes next.
    #[track_caller]
    pub fn next(&mut self) -> Got {
        loop {
            if let Some(got) = self.take_block() {
                return got;
            }
            if self.over {
                assert!(self.text.is_empty(), "half an event at the end");
                return Got::End;
            }
            if !self.take_chunk() && !self.receive() {
                return Got::Gone;
            }
        }
    }

    /// The next event, comments and times aside.
    #[track_caller]
    pub fn event(&mut self) -> Event {
        loop {
            match self.next() {
                Got::Event(event) => return event,
                Got::Comment(_) | Got::Retry(_) => {}
                other => panic!("{other:?} instead of an event"),
            }
        }
    }

    /// The data of the next event, which must be a message of this stream.
    #[track_caller]
    pub fn data_of(&mut self, stream: &str) -> Value {
        let event = self.event();
        assert_eq!(event.kind, "message");
        let mut value = event.json();
        assert_eq!(value["stream"], stream, "{event:?}");
        value["data"].take()
    }

    /// Reads on until there is a comment with this word.
    #[track_caller]
    pub fn comment(&mut self, word: &str) {
        loop {
            match self.next() {
                Got::Comment(text) if text.contains(word) => return,
                Got::End | Got::Gone => panic!("no comment with {word}"),
                _ => {}
            }
        }
    }

    /// Lines up to a blank one.
    fn take_block(&mut self) -> Option<Got> {
        let end = self.text.windows(2).position(|window| window == b"\n\n")?;
        let block = String::from_utf8(self.text.drain(..end + 2).collect()).expect("an event stream is UTF-8");
        let mut event = Event { kind: "message".into(), ..Event::default() };
        let mut data = Vec::new();
        let (mut comment, mut retry) = (None, None);
        for line in block.lines().filter(|line| !line.is_empty()) {
            match line.split_once(':').map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value))) {
                Some(("id", value)) => event.id = Some(value.to_owned()),
                Some(("event", value)) => value.clone_into(&mut event.kind),
                Some(("data", value)) => data.push(value.to_owned()),
                Some(("", value)) => comment = Some(value.to_owned()),
                Some(("retry", value)) => retry = Some(value.parse().expect("milliseconds")),
                _ => panic!("no field of an event stream: {line}"),
            }
        }
        if let Some(comment) = comment {
            return Some(Got::Comment(comment));
        }
        if let Some(retry) = retry {
            return Some(Got::Retry(retry));
        }
        event.data = data.join("\n");
        if event.id.is_some() {
            self.last_id.clone_from(&event.id);
        }
        Some(Got::Event(event))
    }

    /// One chunk of the body; false if it is not whole yet.
    fn take_chunk(&mut self) -> bool {
        let Some(line) = self.raw.windows(2).position(|window| window == b"\r\n") else { return false };
        let len = std::str::from_utf8(&self.raw[..line]).expect("a length");
        let len = usize::from_str_radix(len, 16).expect("a length in hexadecimal");
        let end = line + 2 + len;
        if self.raw.len() < end + 2 {
            return false;
        }
        self.over = len == 0;
        self.text.extend_from_slice(&self.raw[line + 2..end]);
        self.raw.drain(..end + 2);
        true
    }

    fn receive(&mut self) -> bool {
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.raw.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing comes"),
            Err(_) => false,
        }
    }
}
