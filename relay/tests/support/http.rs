//! Plain HTTP: a request as text, the answer as it came.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// What answers a request.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    }
}

/// The head of an upgrade as a plain client writes it.
pub fn upgrade(target: &str) -> String {
    upgrade_with(target, "")
}

/// The same with more header lines, each ending in CRLF.
pub fn upgrade_with(target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: relay.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// Sends a head and reads the answer to it.
pub fn ask(address: SocketAddr, head: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the relay accepts");
    stream.write_all(head.as_bytes()).expect("the request is taken");
    read_answer(&mut stream, &mut Vec::new())
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n\r\n"))
}

/// Posts a JSON text.
pub fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    let len = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: relay.test\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\
         Connection: close\r\n\r\n"
    );
    ask(address, &(head + body))
}

/// Reads one answer; what follows it stays in `buffer`.
pub fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Answer {
    try_answer(stream, buffer).expect("an answer before the end of the connection")
}

/// The same; `None` if the connection ends first.
pub fn try_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Answer> {
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    loop {
        if let Some((answer, len)) = parse(buffer) {
            buffer.drain(..len);
            return Some(answer);
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer in time"),
            Err(_) => return None,
        }
    }
}

/// A request of somebody who may leave instead; it has no body.
pub fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = buffer.drain(..end + 4).collect();
            return Some(String::from_utf8(head).expect("a head is text"));
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// A request with a method, without a body; `more` are header lines, each ending in CRLF.
pub fn request(address: SocketAddr, method: &str, path: &str, more: &str) -> Answer {
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: relay.test\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n");
    ask(address, &head)
}

fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let mut answer = Answer { status, head, body: String::new() };
    let len: usize = answer.header("content-length").map_or(0, |len| len.parse().expect("a length"));
    let body = bytes.get(end..end + len)?;
    answer.body = String::from_utf8(body.to_vec()).expect("a body is text");
    Some((answer, end + len))
}
