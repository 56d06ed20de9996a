//! Packets of Engine.IO 4, and of Socket.IO 5, which travels in its messages.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::limits::{ACK_DIGITS_MAX, ATTACHMENTS_MAX, NAME_BYTES_MAX};
use crate::wire::json::{Array, JsonError, Object, ValueKind};

/// The namespace of packets that name none, and the only one we have.
pub const ROOT: &str = "/";

/// Why a packet is none. The reference server closes without a word; these texts are for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("a payload is not UTF-8")]
    NotUtf8,
    #[error("an unknown Engine.IO packet type")]
    EngineType,
    #[error("a binary packet is not base64")]
    Base64,
    #[error("an unknown Socket.IO packet type")]
    PacketType,
    #[error("the number of attachments is none, or above {ATTACHMENTS_MAX}")]
    Attachments,
    #[error("a namespace above {NAME_BYTES_MAX} bytes")]
    Namespace,
    #[error("an acknowledgement id is no number, or above {ACK_DIGITS_MAX} digits")]
    AckId,
    #[error("the data is not what its packet type has")]
    Data,
    #[error("the data is not JSON: {0}")]
    Json(#[from] JsonError),
    #[error("an event with a reserved name")]
    Reserved,
}

/// One Engine.IO packet: a digit and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnginePacket<'a> {
    Open,
    Close,
    Ping(&'a str),
    Pong(&'a str),
    Message(&'a str),
    Upgrade,
    Noop,
    /// `b` and base64: how a text carries binary data.
    Binary(Vec<u8>),
}

impl<'a> EnginePacket<'a> {
    pub fn parse(text: &'a str) -> Result<Self, Broken> {
        let mut chars = text.chars();
        let kind = chars.next().ok_or(Broken::EngineType)?;
        let rest = chars.as_str();
        Ok(match kind {
            '0' => Self::Open,
            '1' => Self::Close,
            '2' => Self::Ping(rest),
            '3' => Self::Pong(rest),
            '4' => Self::Message(rest),
            '5' => Self::Upgrade,
            '6' => Self::Noop,
            'b' => Self::Binary(STANDARD.decode(rest).map_err(|_| Broken::Base64)?),
            _ => return Err(Broken::EngineType),
        })
    }
}

/// One Socket.IO packet: `<type>[<attachments>-][<namespace>,][<ack id>][<json>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub namespace: &'a str,
    /// Binary messages that follow and belong to it.
    pub attachments: u8,
    pub content: Content<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// With a JSON object, if any.
    Connect {
        auth: Option<&'a str>,
    },
    Disconnect,
    Event(Event<'a>),
    /// We ask for none, so nobody waits for it.
    Ack,
    ConnectError,
}

/// What a client emits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The id of the acknowledgement it waits for: its digits as sent, without leading zeros. Numbers above 2^53, which
    /// the reference server rounds, come back whole.
    pub ack: Option<&'a str>,
    /// A number's digits where the name is a number.
    pub name: Cow<'a, str>,
    /// The whole JSON array, the name in front.
    pub args: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

/// Names that mean something to the libraries on either side.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

impl<'a> Packet<'a> {
    /// Reads what an Engine.IO message carries.
    pub fn parse(message: &'a str) -> Result<Self, Broken> {
        let (kind, is_binary) = match message.as_bytes().first() {
            Some(b'0') => (Kind::Connect, false),
            Some(b'1') => (Kind::Disconnect, false),
            Some(b'2') => (Kind::Event, false),
            Some(b'3') => (Kind::Ack, false),
            Some(b'4') => (Kind::ConnectError, false),
            Some(b'5') => (Kind::Event, true),
            Some(b'6') => (Kind::Ack, true),
            _ => return Err(Broken::PacketType),
        };
        let rest = &message[1..];
        let (attachments, rest) = if is_binary { attachments(rest)? } else { (0, rest) };
        let (namespace, rest) = namespace(rest)?;
        let (ack, data) = ack(rest)?;
        Ok(Self { namespace, attachments, content: content(kind, ack, data)? })
    }
}

fn attachments(text: &str) -> Result<(u8, &str), Broken> {
    let (digits, rest) = text.split_once('-').ok_or(Broken::Attachments)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let count = digits.parse().ok().filter(|count| is_number && *count <= ATTACHMENTS_MAX);
    Ok((count.ok_or(Broken::Attachments)?, rest))
}

fn namespace(text: &str) -> Result<(&str, &str), Broken> {
    if !text.starts_with('/') {
        return Ok((ROOT, text));
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    if namespace.len() > NAME_BYTES_MAX {
        return Err(Broken::Namespace);
    }
    Ok((namespace, rest))
}

/// To the reference parser a blank is a digit, and a number made of blanks is zero.
fn ack(text: &str) -> Result<(Option<&str>, &str), Broken> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_whitespace();
    let len = text.bytes().position(|byte| !is_digit(byte)).unwrap_or(text.len());
    let (digits, data) = text.split_at(len);
    if digits.is_empty() {
        return Ok((None, data));
    }
    let digits = digits.trim_ascii().trim_start_matches('0');
    if digits.len() > ACK_DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Broken::AckId);
    }
    Ok((Some(if digits.is_empty() { "0" } else { digits }), data))
}

fn content<'a>(kind: Kind, ack: Option<&'a str>, data: &'a str) -> Result<Content<'a>, Broken> {
    Ok(match kind {
        Kind::Connect if data.is_empty() => Content::Connect { auth: None },
        Kind::Connect => {
            check_object(data)?;
            Content::Connect { auth: Some(data) }
        }
        Kind::Disconnect if data.is_empty() => Content::Disconnect,
        Kind::Disconnect => return Err(Broken::Data),
        Kind::Event => Content::Event(Event { ack, name: name(data)?, args: data }),
        Kind::Ack => {
            let mut array = Array::open(data).ok_or(Broken::Data)?;
            while array.next()?.is_some() {}
            Content::Ack
        }
        Kind::ConnectError => Content::ConnectError,
    })
}

fn check_object(data: &str) -> Result<(), Broken> {
    let mut object = Object::open(data).ok_or(Broken::Data)?;
    while object.next()?.is_some() {}
    Ok(())
}

/// The name of an event, once all of its arguments are known to be JSON.
fn name(data: &str) -> Result<Cow<'_, str>, Broken> {
    let mut array = Array::open(data).ok_or(Broken::Data)?;
    let first = array.next()?.ok_or(Broken::Data)?;
    while array.next()?.is_some() {}
    let name = match first.kind {
        ValueKind::Number => Cow::Borrowed(first.text),
        // Half a surrogate pair names no event of ours, whatever stands for it.
        ValueKind::String => first.string().unwrap_or(Cow::Borrowed(first.text)),
        _ => return Err(Broken::Data),
    };
    if RESERVED.contains(&&*name) { Err(Broken::Reserved) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event<'a>(ack: Option<&'a str>, name: &'a str, args: &'a str) -> Content<'a> {
        Content::Event(Event { ack, name: name.into(), args })
    }

    fn check(message: &str, namespace: &str, attachments: u8, content: Content<'_>) {
        assert_eq!(Packet::parse(message), Ok(Packet { namespace, attachments, content }), "{message}");
    }

    fn check_broken(message: &str, expected: Broken) {
        assert_eq!(Packet::parse(message), Err(expected), "{message}");
    }

    #[test]
    fn engine_packets_are_a_digit_and_the_rest() {
        let check = |text, expected| assert_eq!(EnginePacket::parse(text), expected, "{text}");
        check("0{}", Ok(EnginePacket::Open));
        check("1", Ok(EnginePacket::Close));
        check("2probe", Ok(EnginePacket::Ping("probe")));
        check("3", Ok(EnginePacket::Pong("")));
        check("42[\"é\"]", Ok(EnginePacket::Message("2[\"é\"]")));
        check("5", Ok(EnginePacket::Upgrade));
        check("6", Ok(EnginePacket::Noop));
        check("bAQID", Ok(EnginePacket::Binary(vec![1, 2, 3])));
        check("b", Ok(EnginePacket::Binary(vec![])));
        check("b!", Err(Broken::Base64));
        for text in ["", "7", "9", "é", "x4"] {
            check(text, Err(Broken::EngineType));
        }
    }

    #[test]
    fn packets_come_apart() {
        check("0", ROOT, 0, Content::Connect { auth: None });
        check("0/", ROOT, 0, Content::Connect { auth: None });
        check("0{\"api-key\":\"k\"}", ROOT, 0, Content::Connect { auth: Some("{\"api-key\":\"k\"}") });
        check("0/nope,", "/nope", 0, Content::Connect { auth: None });
        check("0/nope,{}", "/nope", 0, Content::Connect { auth: Some("{}") });
        check("1", ROOT, 0, Content::Disconnect);
        check("1/x,", "/x", 0, Content::Disconnect);
        check("2[\"a\",1]", ROOT, 0, event(None, "a", "[\"a\",1]"));
        check("2/,[\"a\"]", ROOT, 0, event(None, "a", "[\"a\"]"));
        check("2/x,12[\"a\"]", "/x", 0, event(Some("12"), "a", "[\"a\"]"));
        check("2[\"\\u0061\"]", ROOT, 0, event(None, "a", "[\"\\u0061\"]"));
        check("2[7]", ROOT, 0, event(None, "7", "[7]"));
        check("31[]", ROOT, 0, Content::Ack);
        check("4{\"message\":\"x\"}", ROOT, 0, Content::ConnectError);
    }

    /// Proves the reference parser's reading of ids, with all digits kept.
    #[test]
    fn ack_ids_are_echoed_as_sent() {
        let check_id = |text: &str, id| {
            let message = format!("2{text}[\"a\"]");
            check(&message, ROOT, 0, event(Some(id), "a", "[\"a\"]"));
        };
        check_id("0", "0");
        check_id("07", "7");
        check_id("000", "0");
        check_id(" ", "0");
        check_id(" \t12 ", "12");
        check_id("18446744073709551616", "18446744073709551616");
        check_id(&"9".repeat(ACK_DIGITS_MAX), &"9".repeat(ACK_DIGITS_MAX));
        check_broken(&format!("2{}[\"a\"]", "9".repeat(ACK_DIGITS_MAX + 1)), Broken::AckId);
        check_broken("21 2[\"a\"]", Broken::AckId);
    }

    #[test]
    fn attachments_are_counted_and_bounded() {
        let args = "[\"a\",{\"_placeholder\":true,\"num\":0}]";
        check(&format!("51-{args}"), ROOT, 1, event(None, "a", args));
        check(&format!("51-/x,3{args}"), "/x", 1, event(Some("3"), "a", args));
        check("50-[\"a\"]", ROOT, 0, event(None, "a", "[\"a\"]"));
        check("62-1[]", ROOT, 2, Content::Ack);
        check(&format!("5{ATTACHMENTS_MAX}-[\"a\"]"), ROOT, ATTACHMENTS_MAX, event(None, "a", "[\"a\"]"));
        for text in ["5[\"a\"]", "5-[\"a\"]", "5+1-[\"a\"]", "511-[\"a\"]", "5999-[\"a\"]", "51.5-[\"a\"]", "5"] {
            check_broken(text, Broken::Attachments);
        }
    }

    #[test]
    fn what_is_no_packet_is_named() {
        for text in ["", "7", "8", "é", "x", "["] {
            check_broken(text, Broken::PacketType);
        }
        for text in ["2", "21", "2[]", "2{}", "2[null]", "2[{}]", "2\"a\"", "0[]", "0null", "0\"x\"", "1{}", "3", "3{}"]
        {
            check_broken(text, Broken::Data);
        }
        for name in RESERVED {
            check_broken(&format!("2[\"{name}\"]"), Broken::Reserved);
        }
        for text in ["2[\"a\"", "2[\"a\",]", "2[\"a\"]x", "0{\"a\"}", "31[1"] {
            assert!(matches!(Packet::parse(text), Err(Broken::Json(_))), "{text}");
        }
        check_broken(&format!("0/{},", "x".repeat(NAME_BYTES_MAX)), Broken::Namespace);
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "[0-9b]?[0-9]{0,3}-?(/[a-z]{0,3},)?[0-9 ]{0,3}\\PC{0,20}") {
            if let Ok(EnginePacket::Message(message)) = EnginePacket::parse(&text) {
                let _ = Packet::parse(message);
            }
            let _ = Packet::parse(&text);
        }

        #[test]
        fn any_bytes_are_judged(text in any::<String>()) {
            let _ = EnginePacket::parse(&text);
            let _ = Packet::parse(&text);
        }
    }
}
