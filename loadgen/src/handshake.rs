//! The opening handshake, RFC 6455 section 4, on both sides. Heads arrive in pieces; callers keep what is incomplete.

use base64::Engine;
use sha1::{Digest, Sha1};

/// A longer head is an attack or a mistake.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// One key for every connection: it proves that the server computed the answer, which is all it is for.
pub const KEY: &str = "bG9hZGdlbiBmYW4tb3V0IQ==";

#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub target: String,
    /// The key of an upgrade; `None` for plain HTTP.
    pub key: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Status(u16),
    Malformed(&'static str),
}

/// What a server answers to `key` (4.2.2, item 5.4).
pub fn accept_for(key: &str) -> String {
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    base64::engine::general_purpose::STANDARD.encode(digest)
}

pub fn request(host: &str, target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

pub fn response(key: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_for(key)
    )
    .into_bytes()
}

/// A plain answer, after which the connection ends.
pub fn plain(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The request at the start of `bytes` and its length, `None` while incomplete.
pub fn parse_request(bytes: &[u8]) -> Result<Option<(Request, usize)>, &'static str> {
    let Some((head, length)) = head(bytes)? else {
        return Ok(None);
    };
    let (line, _) = head.split_once("\r\n").unwrap_or((head, ""));
    let mut words = line.split(' ');
    let (Some("GET"), Some(target), Some("HTTP/1.1")) = (words.next(), words.next(), words.next()) else {
        return Err("not a GET of HTTP/1.1");
    };
    let key = header(head, "sec-websocket-key").map(str::to_owned);
    Ok(Some((Request { target: target.to_owned(), key }, length)))
}

/// The length of a head that accepts the upgrade asked for with [`KEY`], `None` while incomplete.
pub fn check_response(bytes: &[u8], accept: &str) -> Result<Option<usize>, Refused> {
    let Some((head, length)) = head(bytes).map_err(Refused::Malformed)? else {
        return Ok(None);
    };
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    match status {
        None => Err(Refused::Malformed("no HTTP/1.1 status")),
        Some(101) if header(head, "sec-websocket-accept") == Some(accept) => Ok(Some(length)),
        Some(101) => Err(Refused::Malformed("the accept header is wrong")),
        Some(status) => Err(Refused::Status(status)),
    }
}

fn head(bytes: &[u8]) -> Result<Option<(&str, usize)>, &'static str> {
    match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(end) => {
            let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "a head is not UTF-8")?;
            Ok(Some((head, end + 4)))
        }
        None if bytes.len() > HEAD_BYTES_MAX => Err("a head is longer than 64 KiB"),
        None => Ok(None),
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 section 1.3.
    #[test]
    fn accept() {
        assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    /// Our own request is understood, cut anywhere it is incomplete, and its answer is accepted.
    #[test]
    fn both_sides_agree() {
        let bytes = request("127.0.0.1:9", "/ws/a@trade");
        for end in 0..bytes.len() {
            assert_eq!(parse_request(&bytes[..end]), Ok(None));
        }
        let (parsed, length) = parse_request(&bytes).unwrap().unwrap();
        assert_eq!((parsed.target.as_str(), length), ("/ws/a@trade", bytes.len()));
        let answer = response(&parsed.key.unwrap());
        assert_eq!(check_response(&answer, &accept_for(KEY)), Ok(Some(answer.len())));
    }

    /// Refusals and wrong answers are told apart.
    #[test]
    fn refusals() {
        assert_eq!(check_response(&plain("429 Too Many", "{}"), ""), Err(Refused::Status(429)));
        assert_eq!(
            check_response(&response("other"), &accept_for(KEY)),
            Err(Refused::Malformed("the accept header is wrong"))
        );
        assert_eq!(check_response(b"SSH-2.0\r\n\r\n", ""), Err(Refused::Malformed("no HTTP/1.1 status")));
    }
}
