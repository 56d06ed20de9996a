//! Whether a request may become a WebSocket (RFC 6455 sections 4.2.1 and 4.2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The request may be answered 101. Subprotocols and extensions are never answered: no dialect names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
}

/// The request is answered with an error instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub text: &'static str,
    /// Headers the answer must have, names in lower case.
    pub headers: &'static [(&'static str, &'static str)],
}

/// Longer keys are no nonce; a real one has 24 characters.
const KEY_BYTES_MAX: usize = 64;

const VERSION: (&str, &str) = ("sec-websocket-version", "13");

const NOT_GET: Refusal = Refusal { status: 405, text: "Only GET opens a WebSocket", headers: &[("allow", "GET")] };
const OLD_HTTP: Refusal = refuse(400, "A WebSocket needs HTTP/1.1");
const NO_UPGRADE: Refusal =
    Refusal { status: 426, text: "This is a WebSocket endpoint", headers: &[("upgrade", "websocket"), VERSION] };
const NO_CONNECTION: Refusal = refuse(400, "Connection does not name upgrade");
const WRONG_VERSION: Refusal = Refusal { status: 426, text: "Sec-WebSocket-Version is not 13", headers: &[VERSION] };
const NO_KEY: Refusal = refuse(400, "Sec-WebSocket-Key is missing or empty");
const BAD_KEY: Refusal = refuse(400, "Sec-WebSocket-Key is not a key");

const fn refuse(status: u16, text: &'static str) -> Refusal {
    Refusal { status, text, headers: &[] }
}

/// Judges a request by its method, its HTTP version, as in `(1, 1)`, and its headers.
pub fn upgrade<'a>(
    method: &str,
    version: (u8, u8),
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Upgrade, Refusal> {
    let seen = Seen::read(headers);
    if method != "GET" {
        return Err(NOT_GET);
    }
    if version < (1, 1) {
        return Err(OLD_HTTP);
    }
    if !seen.upgrade {
        return Err(NO_UPGRADE);
    }
    if !seen.connection {
        return Err(NO_CONNECTION);
    }
    if !seen.version {
        return Err(WRONG_VERSION);
    }
    let accept = match seen.key {
        Key::Missing => return Err(NO_KEY),
        Key::Bad => return Err(BAD_KEY),
        Key::One(key) => accept_key(key),
    };
    Ok(Upgrade { accept })
}

/// The proof that the server read the key.
pub fn accept_key(key: &str) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

/// What the headers say, one pass over them.
#[derive(Default)]
struct Seen<'a> {
    upgrade: bool,
    connection: bool,
    version: bool,
    key: Key<'a>,
}

#[derive(Default)]
enum Key<'a> {
    #[default]
    Missing,
    One(&'a str),
    Bad,
}

impl<'a> Seen<'a> {
    fn read(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("upgrade") {
                seen.upgrade |= has_token(value, b"websocket");
            } else if name.eq_ignore_ascii_case("connection") {
                seen.connection |= has_token(value, b"upgrade");
            } else if name.eq_ignore_ascii_case("sec-websocket-version") {
                seen.version |= has_token(value, b"13");
            } else if name.eq_ignore_ascii_case("sec-websocket-key") {
                seen.key = match seen.key {
                    Key::Missing => Key::read(value),
                    Key::One(_) | Key::Bad => Key::Bad,
                };
            }
        }
        seen
    }
}

impl<'a> Key<'a> {
    /// Any short token will do: the documentation of one of our dialects shows a key that is no canonical base64.
    fn read(value: &'a [u8]) -> Self {
        let value = value.trim_ascii();
        if value.is_empty() {
            return Self::Missing;
        }
        let visible = value.iter().all(u8::is_ascii_graphic) && value.len() <= KEY_BYTES_MAX;
        std::str::from_utf8(value).ok().filter(|_| visible).map_or(Self::Bad, Self::One)
    }
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_answered() {
        let check = |key, expected: &str| assert_eq!(accept_key(key), expected);
        check("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 6455 section 1.3
        check("b6gjhT32u488lpuRwKaOWs==", "5ve17g5QZPLmIlvOfHgI1HwZ4iI="); // deriv-concept.md, not canonical
    }

    const GOOD: [(&str, &str); 4] = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    /// A good request with lines replaced by name (dropped where empty) and others added.
    fn judge(method: &str, version: (u8, u8), changes: &[(&str, &str)]) -> Result<Upgrade, Refusal> {
        let kept = GOOD.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let headers: Vec<_> = kept.chain(changes.iter().filter(|(_, value)| *value != "-")).collect();
        upgrade(method, version, headers.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    fn check(changes: &[(&str, &str)], expected: Option<Refusal>) {
        assert_eq!(judge("GET", (1, 1), changes).err(), expected, "{changes:?}");
    }

    #[test]
    fn real_clients_are_let_in() {
        check(&[], None);
        check(&[("upgrade", "WebSocket")], None);
        check(&[("Upgrade", "h2c, WebSocket")], None);
        check(&[("Connection", "keep-alive, Upgrade")], None);
        check(&[("Connection", "keep-alive"), ("connection", "UPGRADE")], None);
        check(&[("Sec-WebSocket-Extensions", "permessage-deflate"), ("Sec-WebSocket-Protocol", "x")], None);
        check(&[("Sec-WebSocket-Key", "b6gjhT32u488lpuRwKaOWs==")], None);
        check(&[("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ")], None);
        check(&[("Sec-WebSocket-Version", " 13 ")], None);
    }

    #[test]
    fn others_learn_why_not() {
        check(&[("Upgrade", "-")], Some(NO_UPGRADE));
        check(&[("Upgrade", "h2c")], Some(NO_UPGRADE));
        check(&[("Connection", "-")], Some(NO_CONNECTION));
        check(&[("Connection", "keep-alive")], Some(NO_CONNECTION));
        check(&[("Sec-WebSocket-Version", "-")], Some(WRONG_VERSION));
        check(&[("Sec-WebSocket-Version", "8")], Some(WRONG_VERSION));
        check(&[("Sec-WebSocket-Key", "-")], Some(NO_KEY));
        check(&[("Sec-WebSocket-Key", " ")], Some(NO_KEY));
        check(&[("Sec-WebSocket-Key", "a b")], Some(BAD_KEY));
        check(&[("Sec-WebSocket-Key", "schlüssel")], Some(BAD_KEY));
        check(&[("Sec-WebSocket-Key", "a"), ("sec-websocket-key", "b")], Some(BAD_KEY));
        check(&[("Sec-WebSocket-Key", &"a".repeat(65))], Some(BAD_KEY));
        assert_eq!(judge("POST", (1, 1), &[]), Err(NOT_GET));
        assert_eq!(judge("GET", (1, 0), &[]), Err(OLD_HTTP));
        assert_eq!(WRONG_VERSION.headers, [("sec-websocket-version", "13")]);
    }
}
