//! Answers to commands.

use std::borrow::Cow;

use crate::wire::json;

/// A request's id, kept as it was written, so that it goes back with the same JSON type and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(Box<str>);

/// Characters of an id that is a string.
const ID_CHARS_MAX: usize = 36;

impl Id {
    /// An integer of 64 bits, a string of at most 36 characters, or null.
    pub fn read(value: &json::Value<'_>) -> Option<Self> {
        let is_valid = match value.kind {
            json::ValueKind::Null => true,
            json::ValueKind::Number => value.text.parse::<i64>().is_ok() || value.text.parse::<u64>().is_ok(),
            json::ValueKind::String => value.string().is_some_and(|text| text.chars().count() <= ID_CHARS_MAX),
            _ => false,
        };
        is_valid.then(|| Self(value.text.into()))
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Why a request is answered with an error. Without an id there was none that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub code: i32,
    pub msg: Cow<'static, str>,
    pub id: Option<Id>,
}

impl Reject {
    pub fn new(code: i32, msg: impl Into<Cow<'static, str>>, id: Option<Id>) -> Self {
        Self { code, msg: msg.into(), id }
    }

    /// What an answer to a binary frame says: commands are text.
    pub fn binary() -> Self {
        Self::new(3, "Invalid JSON: expected value at line 1 column 1", None)
    }

    pub fn too_many_subscriptions(id: Option<Id>) -> Self {
        Self::new(4, "Too many subscriptions", id)
    }

    pub fn invalid_stream(id: Option<Id>) -> Self {
        Self::new(2, "Invalid request: invalid stream", id)
    }

    /// The one error for all the names in a URL that are none, naming as many as fit.
    pub fn invalid_streams_in_url<S: AsRef<str>>(names: &[S]) -> Self {
        const NAMES_BYTES_MAX: usize = 1024;
        let mut msg = "Invalid request: invalid stream".to_owned();
        let bytes_max = msg.len() + NAMES_BYTES_MAX;
        for (index, name) in names.iter().map(AsRef::as_ref).enumerate() {
            msg.push_str(if index == 0 { " " } else { ", " });
            if msg.len() + name.len() > bytes_max {
                msg.push('…');
                break;
            }
            msg.push_str(name);
        }
        Self::new(2, msg, None)
    }

    /// Appends the error, nested as the live hosts send it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"error\":{\"code\":");
        out.extend_from_slice(self.code.to_string().as_bytes());
        out.extend_from_slice(b",\"msg\":");
        json::write_string(&self.msg, out);
        out.push(b'}');
        match &self.id {
            Some(id) => end(id, out),
            None => out.push(b'}'),
        }
    }
}

/// Appends the answer to a command that succeeded.
pub fn ok(id: &Id, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"result\":null");
    end(id, out);
}

/// Appends the answer to GET_PROPERTY.
pub fn property(value: bool, id: &Id, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"{\"result\":true" } else { b"{\"result\":false" });
    end(id, out);
}

/// Appends the answer to LIST_SUBSCRIPTIONS; names come in subscription order.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>, id: &Id, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"result\":[");
    for (index, name) in names.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::write_string(name, out);
    }
    out.push(b']');
    end(id, out);
}

fn end(id: &Id, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"id\":");
    out.extend_from_slice(id.text().as_bytes());
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }

    #[test]
    fn replies_repeat_the_id() {
        let id = |text: &str| Id(text.into());
        check(|out| ok(&id("1"), out), r#"{"result":null,"id":1}"#);
        check(|out| ok(&id("null"), out), r#"{"result":null,"id":null}"#);
        check(|out| property(true, &id("2"), out), r#"{"result":true,"id":2}"#);
        check(|out| property(false, &id("\"x\""), out), r#"{"result":false,"id":"x"}"#);
        check(|out| list([], &id("3"), out), r#"{"result":[],"id":3}"#);
        check(|out| list(["a@b", "币@c"], &id("-3"), out), r#"{"result":["a@b","币@c"],"id":-3}"#);
    }

    #[test]
    fn errors_are_nested() {
        let id = Some(Id("7".into()));
        check(
            |out| Reject::too_many_subscriptions(id.clone()).write(out),
            r#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":7}"#,
        );
        check(
            |out| Reject::new(2, "a \"quoted\" word", None).write(out),
            r#"{"error":{"code":2,"msg":"a \"quoted\" word"}}"#,
        );
        check(
            |out| Reject::invalid_streams_in_url(&["x@depth7", "y"]).write(out),
            r#"{"error":{"code":2,"msg":"Invalid request: invalid stream x@depth7, y"}}"#,
        );
        let many = Reject::invalid_streams_in_url(&vec!["x".repeat(100); 200]);
        assert!(many.msg.len() < 1100 && many.msg.ends_with('…'), "an answer has a bound");
    }
}
