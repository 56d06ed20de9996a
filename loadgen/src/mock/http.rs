//! HTTP/1.1 as far as a venue needs it: whole requests, whole replies, connections that stay.

use std::fmt::{Display, Write};
use tokio::io::{AsyncRead, AsyncReadExt};

const HEAD_BYTES_MAX: usize = 64 * 1024;
const BODY_BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1.as_str())
    }

    #[cfg(test)]
    pub fn get(target: &str) -> Self {
        Self { method: "GET".to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    #[cfg(test)]
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// The key of an upgrade to a WebSocket.
    pub fn websocket_key(&self) -> Option<&str> {
        self.header("upgrade").filter(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))?;
        self.header("sec-websocket-key")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn json(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_owned() }
    }

    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").expect("a String takes every write");
        }
        if self.status != 304 {
            write!(head, "content-length: {}\r\n", self.body.len()).expect("a String takes every write");
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        if self.status != 304 {
            bytes.extend_from_slice(self.body.as_bytes());
        }
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        451 => "Unavailable For Legal Reasons",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

/// The next request; `None` at the end of the connection or where it is no HTTP.
///
/// Bytes beyond it stay in `buffer`.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Request> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > HEAD_BYTES_MAX || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let mut request = parse_head(&buffer[..head])?;
    let length: usize = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    if length > BODY_BYTES_MAX {
        return None;
    }
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    request.body = buffer[head..head + length].to_vec();
    buffer.drain(..head + length);
    Some(request)
}

fn parse_head(head: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.trim_end().split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    // A proxy may ask with the whole address.
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    Some(Request { method: method.to_owned(), target: target.to_owned(), headers, body: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Option<Request>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut buffer = Vec::new();
        let request = runtime.block_on(read_request(&mut &bytes[..], &mut buffer));
        (request, buffer)
    }

    /// Bodies are read whole, and what follows is kept for the next request.
    #[test]
    fn requests() {
        let (request, rest) = read(b"POST /fault HTTP/1.1\r\nContent-Length: 2\r\nX: y\r\n\r\n{}GET");
        let request = request.unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/fault"));
        assert_eq!(
            (request.body.as_slice(), rest.as_slice(), request.header("x")),
            (&b"{}"[..], &b"GET"[..], Some("y"))
        );
        assert_eq!(request.websocket_key(), None);
        let (request, _) = read(b"GET http://h:1/x HTTP/1.1\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\n");
        let request = request.unwrap();
        assert_eq!((request.target.as_str(), request.websocket_key()), ("/x", Some("k")));
        for cut in ["", "GET / HTTP/1.1\r\n", "\x16\x03\x01\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"]
        {
            assert_eq!(read(cut.as_bytes()).0, None, "{cut:?}");
        }
    }
}
