//! What the venue's packets say (socket.io-protocol 5, in engine.io-protocol 4). The parser of `wire` is the other side's.

use std::borrow::Cow;

use crate::venue::adapter::Invalid;
use crate::wire::json::{self, Array, Object};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    Open,
    /// The transport, or our namespace, is closed.
    Close,
    /// To be answered with the same text.
    Ping(&'a str),
    Connected,
    Refused(Cow<'a, str>),
    Event {
        name: Cow<'a, str>,
        argument: Option<&'a str>,
    },
    Ack {
        id: u64,
        argument: Option<&'a str>,
    },
    /// Of no meaning here: a pong, a namespace we did not join, binary data, an acknowledgement of another's id.
    Other,
}

impl<'a> Packet<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Packet<'a>, Invalid> {
        let text = json::utf8(message).map_err(|_| Invalid::NotUtf8)?;
        let mut chars = text.chars();
        let kind = chars.next().ok_or(Invalid::Malformed)?;
        let rest = chars.as_str();
        match kind {
            '0' => object(rest).map(|_| Packet::Open),
            '1' => Ok(Packet::Close),
            '2' => Ok(Packet::Ping(rest)),
            '3' | '5' | '6' | 'b' => Ok(Packet::Other),
            '4' => socket(rest),
            _ => Err(Invalid::Malformed),
        }
    }
}

fn socket(text: &str) -> Result<Packet<'_>, Invalid> {
    let mut chars = text.chars();
    let kind = chars.next().ok_or(Invalid::Malformed)?;
    let mut rest = chars.as_str();
    if rest.starts_with('/') {
        let (namespace, data) = rest.split_once(',').unwrap_or((rest, ""));
        if namespace != "/" {
            return Ok(Packet::Other);
        }
        rest = data;
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, data) = rest.split_at(digits);
    match kind {
        '0' if data.is_empty() => Ok(Packet::Connected),
        '0' => object(data).map(|_| Packet::Connected),
        '1' => Ok(Packet::Close),
        '2' => {
            let mut list = array(data)?;
            let name = list.next().ok().flatten().and_then(|name| name.string());
            let name = name.ok_or(Invalid::Malformed)?;
            Ok(Packet::Event { name, argument: list.next().ok().flatten().map(|value| value.text) })
        }
        '3' => {
            let argument = array(data)?.next().ok().flatten().map(|value| value.text);
            // Ids above our own are nobody's.
            Ok(id.parse().map_or(Packet::Other, |id| Packet::Ack { id, argument }))
        }
        '4' => {
            let message = member(object(data)?, "message");
            Ok(Packet::Refused(message.unwrap_or(Cow::Borrowed("refused without a reason"))))
        }
        // Prices are text; what comes with attachments is none of them.
        '5' | '6' => Ok(Packet::Other),
        _ => Err(Invalid::Malformed),
    }
}

/// An array that is JSON to its end.
fn array(text: &str) -> Result<Array<'_>, Invalid> {
    json::validate(text.as_bytes()).map_err(|_| Invalid::NotJson)?;
    Array::open(text).ok_or(Invalid::Malformed)
}

fn object(text: &str) -> Result<&str, Invalid> {
    json::validate(text.as_bytes()).map_err(|_| Invalid::NotJson)?;
    Object::open(text).map(|_| text).ok_or(Invalid::Malformed)
}

/// A string of an object that is known to be JSON.
pub fn member<'a>(object: &'a str, key: &str) -> Option<Cow<'a, str>> {
    let mut object = Object::open(object)?;
    let mut found = None;
    while let Some(member) = object.next().ok()? {
        if member.key() == key {
            found = member.value.string();
        }
    }
    found
}
