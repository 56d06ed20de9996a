//! Answers to commands. All but `pong` carry a timestamp: the documented client discards messages without one.

use std::borrow::Cow;

use crate::limits::{HUB_NAMES_MAX, NAME_BYTES_MAX};
use crate::wire::{json, time};

/// The answer to a ping, with no other key.
pub const PONG: &[u8] = b"{\"type\":\"pong\"}";

/// Appends the answer to `subscribe`: the names accepted, in the order of the request.
pub fn subscribed<S: AsRef<str>>(names: &[S], now_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"subscribed\"");
    channels(names, out);
    timestamp(now_ms, out);
}

/// Appends the answer to `unsubscribe`: the names removed; those that were not held are left out.
pub fn unsubscribed<S: AsRef<str>>(names: &[S], now_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"unsubscribed\"");
    channels(names, out);
    timestamp(now_ms, out);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidJson,
    UnknownType,
    InvalidRequest,
    UnknownChannel,
    /// The client's API key does not allow it.
    Forbidden,
    /// Not a client's fault: there is no room for the subscription now.
    Overloaded,
    RateLimited,
}

impl Code {
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::UnknownType => "unknown_type",
            Self::InvalidRequest => "invalid_request",
            Self::UnknownChannel => "unknown_channel",
            Self::Forbidden => "forbidden",
            Self::Overloaded => "overloaded",
            Self::RateLimited => "rate_limited",
        }
    }
}

/// Why a message is answered with an error. Errors close nothing, see [`super::errors`] for too many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub code: Code,
    pub message: Cow<'static, str>,
    /// What it is about, where the code says so; else empty and not sent.
    pub channels: Vec<String>,
}

impl Reject {
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), channels: Vec::new() }
    }

    pub fn invalid_json() -> Self {
        Self::new(Code::InvalidJson, "Invalid JSON")
    }

    /// The answer to a binary frame: commands are text.
    pub fn binary() -> Self {
        Self::new(Code::InvalidRequest, "Messages must be text")
    }

    pub(super) fn missing_type() -> Self {
        Self::new(Code::UnknownType, "Missing message type")
    }

    pub(super) fn unknown_type(word: &str) -> Self {
        Self::new(Code::UnknownType, format!("Unknown message type: {word}"))
    }

    pub(super) fn no_channels() -> Self {
        Self::new(Code::InvalidRequest, "channels must be a non-empty array of strings")
    }

    pub(super) fn too_many_channels() -> Self {
        Self::new(Code::InvalidRequest, format!("channels must have at most {HUB_NAMES_MAX} names"))
    }

    pub(super) fn overlong_channel() -> Self {
        Self::new(Code::InvalidRequest, format!("a channel's name must have at most {NAME_BYTES_MAX} bytes"))
    }

    /// The API key is for other dialects.
    pub fn wrong_dialect() -> Self {
        Self::new(Code::Forbidden, "This API key is not for the hub dialect")
    }

    /// The one error for all names of a request that the API key does not allow; sent as the one about unknown names is.
    pub fn not_allowed(names: Vec<String>) -> Self {
        let message = format!("This API key is not allowed to subscribe to: {}", names.join(", "));
        Self { channels: names, ..Self::new(Code::Forbidden, message) }
    }

    /// The one error for all names of a request that are no channel's; sent after the known ones were acknowledged.
    pub fn unknown_channels(names: Vec<String>) -> Self {
        /// The message is for people; `channels` has every name.
        const SHOWN_BYTES_MAX: usize = 1024;
        let mut message = String::from(if names.len() == 1 { "Unknown channel:" } else { "Unknown channels:" });
        for (index, name) in names.iter().enumerate() {
            message.push_str(if index == 0 { " " } else { ", " });
            if message.len() + name.len() > SHOWN_BYTES_MAX {
                message.push('…');
                break;
            }
            message.push_str(name);
        }
        Self { code: Code::UnknownChannel, message: message.into(), channels: names }
    }

    /// There is no room for these subscriptions now; the others of the request are held.
    pub fn no_room(names: Vec<String>) -> Self {
        Self { code: Code::Overloaded, message: "No room for the subscription now".into(), channels: names }
    }

    /// Appends the error.
    pub fn write(&self, now_ms: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"type\":\"error\",\"code\":\"");
        out.extend_from_slice(self.code.name().as_bytes());
        out.extend_from_slice(b"\",\"message\":");
        json::write_string(&self.message, out);
        if !self.channels.is_empty() {
            channels(&self.channels, out);
        }
        timestamp(now_ms, out);
    }
}

/// Appends the last member and the end of the object.
pub(super) fn timestamp(now_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"timestamp\":");
    time::write(now_ms, out);
    out.push(b'}');
}

fn channels<S: AsRef<str>>(names: &[S], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"channels\":[");
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::write_string(name.as_ref(), out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = r#""timestamp":"2025-12-08T16:30:45.123Z""#;

    fn check(write: impl FnOnce(u64, &mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(1_765_211_445_123, &mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }

    #[test]
    fn replies_list_their_channels() {
        let none: [&str; 0] = [];
        check(
            |now, out| subscribed(&["a", "b\"c"], now, out),
            &format!(r#"{{"type":"subscribed","channels":["a","b\"c"],{T}}}"#),
        );
        check(|now, out| unsubscribed(&none, now, out), &format!(r#"{{"type":"unsubscribed","channels":[],{T}}}"#));
    }

    #[test]
    fn unknown_names_are_named_together() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        check(
            |now, out| Reject::unknown_channels(names(&["foo", "bar"])).write(now, out),
            &format!(
                r#"{{"type":"error","code":"unknown_channel","message":"Unknown channels: foo, bar","channels":["foo","bar"],{T}}}"#
            ),
        );
        let many = Reject::unknown_channels(vec!["x".repeat(100); 64]);
        assert!(many.message.len() < 1100 && many.message.ends_with('…') && many.channels.len() == 64);
    }
}
