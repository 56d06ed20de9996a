//! What a client makes of the bytes it gets; shares no code with the encoder.

use serde_json::Value;

/// A message of a client in these tests.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// A published frame: of which channel, which one, and all of its payload.
    Data {
        channel: usize,
        seq: u64,
        payload: &'a [u8],
    },
    Notice {
        channel: String,
        state: String,
        skipped: u64,
        from: u64,
        to: u64,
    },
    /// What it was told, by number.
    Reply(u64),
    Pong(u64),
    Close,
}

/// The payload that is published as frame `seq` of a channel; `padding` makes it longer.
pub(super) fn payload(channel: usize, seq: u64, closed: bool, padding: usize) -> Vec<u8> {
    format!(r#"{{"c":{channel},"n":{seq},"x":{closed},"p":"{}"}}"#, "p".repeat(padding)).into_bytes()
}

/// The reply with a number, as a frame.
pub(super) fn reply(id: u64) -> Vec<u8> {
    let text = format!(r#"{{"id":{id},"result":null}}"#);
    [&[0x81, text.len() as u8], text.as_bytes()].concat()
}

/// A PONG with a number, as a frame.
pub(super) fn pong(id: u64) -> Vec<u8> {
    [&[0x8A, 8][..], &id.to_be_bytes()].concat()
}

/// A CLOSE frame.
pub(super) const CLOSE: &[u8] = &[0x88, 2, 0x03, 0xF5];

/// The first frame's header and payload lengths, if the whole frame is there.
pub(super) fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let second = *bytes.get(1)?;
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (header, len) = match second {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())),
        short => (2, u64::from(short)),
    };
    let len = usize::try_from(len).unwrap();
    (bytes.len() >= header + len).then_some((header, len))
}

/// Takes a message apart. The name is that of the wrapper, if there is one.
pub(super) fn message(first: u8, payload: &[u8]) -> (Option<&str>, Message<'_>) {
    match first {
        0x88 => return (None, Message::Close),
        0x8A => return (None, Message::Pong(u64::from_be_bytes(payload.try_into().unwrap()))),
        0x81 => {}
        other => panic!("a frame begins with {other:#x}: the stream is out of step"),
    }
    let (stream, body) = unwrap(payload);
    if let Some(rest) = body.strip_prefix(b"{\"c\":") {
        let (channel, rest) = number(rest);
        let (seq, _) = number(rest.strip_prefix(b",\"n\":").expect("a payload of ours"));
        return (stream, Message::Data { channel: channel as usize, seq, payload: body });
    }
    if let Some(rest) = body.strip_prefix(b"{\"id\":") {
        return (stream, Message::Reply(number(rest).0));
    }
    let value: Value = serde_json::from_slice(body).expect("a notice is JSON");
    assert_eq!(value["e"], "relayNotice", "an unknown message: {value}");
    let count = |key: &str| value[key].as_u64().unwrap();
    let text = |key: &str| value[key].as_str().unwrap().to_owned();
    let (skipped, from, to) = (count("skipped"), count("from"), count("to"));
    (stream, Message::Notice { channel: text("stream"), state: text("state"), skipped, from, to })
}

/// Takes the wrapper off: `{"stream":"name","data":` and `}`.
fn unwrap(payload: &[u8]) -> (Option<&str>, &[u8]) {
    let Some(rest) = payload.strip_prefix(b"{\"stream\":\"") else { return (None, payload) };
    let end = rest.iter().position(|&byte| byte == b'"').expect("the name ends");
    let body = rest[end..].strip_prefix(b"\",\"data\":").expect("the data follows the name");
    let body = body.strip_suffix(b"}").expect("the wrapper ends");
    (Some(std::str::from_utf8(&rest[..end]).unwrap()), body)
}

fn number(bytes: &[u8]) -> (u64, &[u8]) {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = std::str::from_utf8(&bytes[..len]).unwrap();
    (digits.parse().expect("a number"), &bytes[len..])
}
