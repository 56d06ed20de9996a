//! Misbehaviour of one connection: what is sent, and what may come back.

use super::client::{Client, Said};
use crate::frame;
use anyhow::Result;
use std::net::SocketAddr;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);

/// What a relay may do.
#[derive(Clone, Copy)]
pub enum Expect {
    /// Answer with one of these error codes and keep the connection.
    Error(&'static [i64]),
    /// Close with one of these codes, then end the connection.
    Close(&'static [u16]),
    /// Either of the two.
    ErrorOrClose(&'static [i64], &'static [u16]),
    /// Answer with one of these HTTP statuses, or just end: the bytes are no request.
    HttpOrEnd(&'static [u16]),
}

pub struct Case {
    pub name: &'static str,
    pub expect: Expect,
    /// Whether the upgrade comes first.
    pub upgraded: bool,
    pub bytes: fn() -> Vec<u8>,
}

pub const CASES: &[Case] = &[
    Case {
        name: "malformed-json",
        expect: Expect::Error(&[3]),
        upgraded: true,
        bytes: || text("{\"method\":\"SUBSCRIBE\",\"params\":["),
    },
    Case { name: "not-json", expect: Expect::Error(&[3]), upgraded: true, bytes: || text("hello") },
    Case {
        name: "wrong-type-params",
        expect: Expect::Error(&[2, 3]),
        upgraded: true,
        bytes: || text(r#"{"method":"SUBSCRIBE","params":"s1usdt@trade","id":1}"#),
    },
    Case {
        name: "wrong-type-method",
        expect: Expect::Error(&[2, 3]),
        upgraded: true,
        bytes: || text(r#"{"method":5,"params":[],"id":1}"#),
    },
    Case {
        name: "wrong-type-name",
        expect: Expect::Error(&[2, 3]),
        upgraded: true,
        bytes: || text(r#"{"method":"SUBSCRIBE","params":[{"a":1},7],"id":1}"#),
    },
    Case {
        name: "unknown-method",
        expect: Expect::Error(&[2]),
        upgraded: true,
        bytes: || text(r#"{"method":"EXPLODE","params":[],"id":1}"#),
    },
    Case {
        name: "deep-nesting",
        expect: Expect::ErrorOrClose(&[2, 3], &[1008]),
        upgraded: true,
        bytes: || text(&"[".repeat(30_000)),
    },
    Case {
        name: "binary",
        expect: Expect::ErrorOrClose(&[2, 3], &[1003, 1008]),
        upgraded: true,
        bytes: || client_frame(frame::BINARY, &[0, 159, 146, 150]),
    },
    Case { name: "message-1mb", expect: Expect::Close(&[1009]), upgraded: true, bytes: || text(&"x".repeat(1 << 20)) },
    Case {
        name: "subscriptions-10000",
        expect: Expect::ErrorOrClose(&[2, 4], &[1008, 1009]),
        upgraded: true,
        bytes: subscriptions,
    },
    Case { name: "fragments-endless", expect: Expect::Close(&[1009, 1008]), upgraded: true, bytes: fragments },
    Case {
        name: "not-utf8",
        expect: Expect::Close(&[1007]),
        upgraded: true,
        bytes: || client_frame(frame::TEXT, &[b'"', 0xc3, 0x28, b'"']),
    },
    Case { name: "unmasked", expect: Expect::Close(&[1002]), upgraded: true, bytes: || vec![0x81, 2, b'h', b'i'] },
    Case {
        name: "huge-length",
        expect: Expect::Close(&[1009, 1002]),
        upgraded: true,
        bytes: || vec![0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4],
    },
    Case {
        name: "negative-length",
        expect: Expect::Close(&[1009, 1002]),
        upgraded: true,
        bytes: || vec![0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4],
    },
    Case {
        name: "reserved-bits",
        expect: Expect::Close(&[1002]),
        upgraded: true,
        bytes: || vec![0xf1, 0x80, 1, 2, 3, 4],
    },
    Case {
        name: "unknown-opcode",
        expect: Expect::Close(&[1002]),
        upgraded: true,
        bytes: || vec![0x83, 0x80, 1, 2, 3, 4],
    },
    Case {
        name: "long-ping",
        expect: Expect::Close(&[1002]),
        upgraded: true,
        bytes: || client_frame(frame::PING, &[0; 200]),
    },
    Case {
        name: "lone-continuation",
        expect: Expect::Close(&[1002]),
        upgraded: true,
        bytes: || client_frame(frame::CONTINUATION, b"x"),
    },
    Case {
        name: "close-code-999",
        expect: Expect::Close(&[1002]),
        upgraded: true,
        bytes: || client_frame(frame::CLOSE, &999u16.to_be_bytes()),
    },
    Case { name: "garbage", expect: Expect::Close(&[1002, 1009]), upgraded: true, bytes: || garbage(4096) },
    Case {
        name: "garbage-before-upgrade",
        expect: Expect::HttpOrEnd(&[400, 431]),
        upgraded: false,
        bytes: || garbage(4096),
    },
    Case {
        name: "head-64kb",
        expect: Expect::HttpOrEnd(&[400, 431]),
        upgraded: false,
        bytes: || {
            let filler = format!("X-Filler: {}\r\n", "y".repeat(1000)).repeat(64);
            format!("GET /ws HTTP/1.1\r\nHost: h\r\n{filler}").into_bytes()
        },
    },
    Case {
        name: "names-in-url-500",
        expect: Expect::HttpOrEnd(&[400, 414]),
        upgraded: false,
        bytes: || {
            let names: Vec<String> = (0..500).map(|i| format!("s{i}@trade")).collect();
            crate::handshake::request("h", &format!("/stream?streams={}", names.join("/")))
        },
    },
];

/// What came back, and whether it may.
pub fn run(case: &Case, address: SocketAddr) -> Result<(Vec<Said>, bool)> {
    let mut client = if case.upgraded { Client::upgrade(address, "/ws")? } else { Client::connect(address)? };
    client.send(&(case.bytes)());
    // A head that is never whole may wait for its deadline of 5 s.
    let patience = if case.upgraded { PATIENCE } else { Duration::from_secs(8) };
    let mut said = client.all(patience, 1);
    // After an error the connection must still work; after a CLOSE it must end.
    match said[0] {
        Said::Error(_) => {
            client.send_text(r#"{"method":"LIST_SUBSCRIPTIONS","id":77}"#);
            said.push(client.next(PATIENCE));
        }
        Said::Close(_) => said.push(client.next(PATIENCE)),
        _ => {}
    }
    let allowed = allows(case.expect, &said);
    Ok((said, allowed))
}

fn allows(expect: Expect, said: &[Said]) -> bool {
    let error = |codes: &[i64]| matches!(said, [Said::Error(code), Said::Result] if codes.contains(code));
    let close = |codes: &[u16]| matches!(said, [Said::Close(code), Said::End | Said::Reset] if codes.contains(code));
    match expect {
        Expect::Error(codes) => error(codes),
        Expect::Close(codes) => close(codes),
        Expect::ErrorOrClose(errors, closes) => error(errors) || close(closes),
        Expect::HttpOrEnd(statuses) => match said {
            [Said::Http(status)] => statuses.contains(status),
            [Said::End | Said::Reset] => true,
            _ => false,
        },
    }
}

impl std::fmt::Display for Expect {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(codes) => write!(out, "error {codes:?}, connection kept"),
            Self::Close(codes) => write!(out, "close {codes:?}"),
            Self::ErrorOrClose(errors, closes) => {
                write!(out, "error {errors:?} or close {closes:?}")
            }
            Self::HttpOrEnd(statuses) => write!(out, "http {statuses:?} or end"),
        }
    }
}

fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    frame::encode_client(&mut wire, opcode, payload);
    wire
}

fn text(text: &str) -> Vec<u8> {
    client_frame(frame::TEXT, text.as_bytes())
}

fn subscriptions() -> Vec<u8> {
    let names: Vec<String> = (0..10_000).map(|i| format!("\"s{i}@trade\"")).collect();
    text(&format!(r#"{{"method":"SUBSCRIBE","params":[{}],"id":1}}"#, names.join(",")))
}

/// A text message that never ends, 2 MB of it.
fn fragments() -> Vec<u8> {
    let mut wire = client_frame(frame::TEXT, &[b'x'; 1000]);
    wire[0] &= 0x7f;
    for _ in 0..2000 {
        let start = wire.len();
        frame::encode_client(&mut wire, frame::CONTINUATION, &[b'x'; 1000]);
        wire[start] &= 0x7f;
    }
    wire
}

/// Bytes that look like nothing; the first is no legal start of a frame or a request.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::once(0xff).chain(std::iter::repeat_with(&mut next)).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is allowed is allowed in full: an error alone is no proof that the connection was kept.
    #[test]
    fn judgement() {
        for (expect, said, allowed) in [
            (Expect::Error(&[3]), vec![Said::Error(3), Said::Result], true),
            (Expect::Error(&[3]), vec![Said::Error(2), Said::Result], false),
            (Expect::Error(&[3]), vec![Said::Error(3), Said::End], false),
            (Expect::Close(&[1002]), vec![Said::Close(1002), Said::End], true),
            (Expect::Close(&[1002]), vec![Said::Close(1002), Said::Silence], false),
            (Expect::Close(&[1002]), vec![Said::Reset], false),
            (Expect::ErrorOrClose(&[4], &[1009]), vec![Said::Close(1009), Said::Reset], true),
            (Expect::HttpOrEnd(&[400]), vec![Said::Http(400)], true),
            (Expect::HttpOrEnd(&[400]), vec![Said::Silence], false),
        ] {
            assert_eq!(allows(expect, &said), allowed, "{expect} {said:?}");
        }
    }
}
