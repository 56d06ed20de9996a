//! What a client asks for: `{"type":"subscribe","channels":["binance_prices"]}`.
//!
//! Where a message is wrong in several ways, the first of these is answered: JSON, type, channels.

use std::borrow::Cow;

use super::reply::Reject;
use crate::limits::{HUB_NAMES_MAX, NAME_BYTES_MAX};
use crate::wire::json::{self, Array, Object, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// At least one name, in the client's order, without doubles.
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    Ping,
}

/// Characters of an unknown type that are repeated in the answer.
const TYPE_CHARS_MAX: usize = 64;

/// Reads one text message.
pub fn parse(text: &str) -> Result<Command, Reject> {
    let (kind, channels) = fields(text)?;
    let Some(kind) = kind else {
        return Err(Reject::missing_type());
    };
    // What is no string is shown as it was written.
    let word = kind.string().unwrap_or(Cow::Borrowed(kind.text));
    match &*word {
        "subscribe" => names(channels).map(Command::Subscribe),
        "unsubscribe" => names(channels).map(Command::Unsubscribe),
        "ping" => Ok(Command::Ping),
        _ => Err(Reject::unknown_type(&shortened(&word))),
    }
}

/// The `type` and the `channels`; of several with one key the last counts.
fn fields(text: &str) -> Result<(Option<Value<'_>>, Option<Value<'_>>), Reject> {
    let not_json = |_| Reject::invalid_json();
    let (mut kind, mut channels) = (None, None);
    let Some(mut object) = Object::open(text) else {
        return json::validate(text.as_bytes()).map(|()| (None, None)).map_err(not_json);
    };
    while let Some(member) = object.next().map_err(not_json)? {
        match &*member.key() {
            "type" => kind = Some(member.value),
            "channels" => channels = Some(member.value),
            _ => {}
        }
    }
    Ok((kind, channels))
}

fn names(channels: Option<Value<'_>>) -> Result<Vec<String>, Reject> {
    let Some(mut array) = channels.and_then(|value| Array::open(value.text)) else {
        return Err(Reject::no_channels());
    };
    let mut names: Vec<String> = Vec::new();
    let mut count = 0;
    while let Ok(Some(value)) = array.next() {
        count += 1;
        if count > HUB_NAMES_MAX {
            return Err(Reject::too_many_channels());
        }
        let name = value.string().ok_or_else(Reject::no_channels)?;
        if name.len() > NAME_BYTES_MAX {
            return Err(Reject::overlong_channel());
        }
        if !names.iter().any(|known| *known == name) {
            names.push(name.into_owned());
        }
    }
    if names.is_empty() { Err(Reject::no_channels()) } else { Ok(names) }
}

fn shortened(word: &str) -> Cow<'_, str> {
    match word.char_indices().nth(TYPE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &word[..end]).into(),
        None => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Command) {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }

    fn check_refused(text: &str, code: &str, message: &str) {
        let reject = parse(text).expect_err(text);
        assert_eq!((reject.code.name(), &*reject.message), (code, message), "{text}");
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_command_is_read() {
        check(r#"{"type":"subscribe","channels":["b","a","b"]}"#, Command::Subscribe(names(&["b", "a"])));
        check(r#" { "channels" : ["\u0061"] , "type":"unsubscribe"} "#, Command::Unsubscribe(names(&["a"])));
        check(r#"{"type":"ping"}"#, Command::Ping);
        check(r#"{"type":"ping","channels":7,"extra":[{}]}"#, Command::Ping);
        check(r#"{"type":"dance","type":"ping"}"#, Command::Ping);
        let list: Vec<String> = (0..HUB_NAMES_MAX).map(|number| number.to_string()).collect();
        let text = format!(r#"{{"type":"subscribe","channels":["{}"]}}"#, list.join("\",\""));
        check(&text, Command::Subscribe(list));
    }

    #[test]
    fn wrong_commands_are_told_what_is_wrong() {
        for text in ["{oops", "", "{\"type\":\"ping\"", "{\"type\":\"ping\"}{}", "nul"] {
            check_refused(text, "invalid_json", "Invalid JSON");
        }
        for text in ["{}", "[]", "5", r#"{"Type":"ping"}"#] {
            check_refused(text, "unknown_type", "Missing message type");
        }
        check_refused(r#"{"type":"dance"}"#, "unknown_type", "Unknown message type: dance");
        check_refused(r#"{"type":null}"#, "unknown_type", "Unknown message type: null");
        check_refused(r#"{"type":["ping"]}"#, "unknown_type", "Unknown message type: [\"ping\"]");
        let long = format!(r#"{{"type":"{}"}}"#, "ä".repeat(1000));
        check_refused(&long, "unknown_type", &format!("Unknown message type: {}…", "ä".repeat(TYPE_CHARS_MAX)));

        for channels in
            ["", r#","channels":[]"#, r#","channels":"a""#, r#","channels":[1]"#, r#","channels":["\ud800"]"#]
        {
            for kind in ["subscribe", "unsubscribe"] {
                let text = format!(r#"{{"type":"{kind}"{channels}}}"#);
                check_refused(&text, "invalid_request", "channels must be a non-empty array of strings");
            }
        }
        let many = vec!["\"a\""; HUB_NAMES_MAX + 1].join(",");
        let text = format!(r#"{{"type":"subscribe","channels":[{many}]}}"#);
        check_refused(&text, "invalid_request", "channels must have at most 64 names");
        let text = format!(r#"{{"type":"subscribe","channels":["{}"]}}"#, "a".repeat(NAME_BYTES_MAX + 1));
        check_refused(&text, "invalid_request", "a channel's name must have at most 128 bytes");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            let _ = parse(&text);
        }

        /// Messages of the right shape with odd values: whatever is refused is answered with JSON.
        #[test]
        fn odd_messages_are_answered_in_json(
            kind in proptest::sample::select(vec!["\"subscribe\"", "\"unsubscribe\"", "\"d\\\"\\u0000\"", "1", "\"\\ud800\""]),
            channels in proptest::sample::select(vec!["[]", "[1]", "[\"a\",\"a\"]", "null", "{}", "[[]]", "[\"\\n\"]"]),
        ) {
            let mut out = Vec::new();
            if let Err(reject) = parse(&format!(r#"{{"type":{kind},"channels":{channels}}}"#)) {
                reject.write(0, &mut out);
                serde_json::from_slice::<serde_json::Value>(&out).unwrap();
            }
        }
    }
}
