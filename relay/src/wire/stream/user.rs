//! A venue's user data stream as its client sees it: the answer with the listen key, and the messages.

use crate::limits::NAME_BYTES_MAX;
use crate::wire::json::{self, Object, Value, ValueKind};

/// What a message of the stream is to whoever passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// To be forwarded as it is.
    Event,
    /// The listen key ran out; the stream is silent from here on.
    KeyExpired,
    /// The venue is about to close the connection.
    Shutdown,
    /// JSON, and no event.
    Other,
    NotJson,
}

/// Looks at a message. Only what is one whole JSON object with an event's name is an event.
pub fn read(message: &[u8]) -> Message {
    let Ok(text) = json::utf8(message) else { return Message::NotJson };
    if json::validate(message).is_err() {
        return Message::NotJson;
    }
    let event = member(text, "e").and_then(|value| value.string());
    match event.as_deref() {
        None => Message::Other,
        Some("listenKeyExpired") => Message::KeyExpired,
        Some("serverShutdown") => Message::Shutdown,
        Some(_) => Message::Event,
    }
}

/// The key in the answer to POST: Bitzoom has it in an envelope, Binance bare. Only what can stand in a URL as it is.
pub fn listen_key(answer: &[u8]) -> Option<String> {
    let text = json::utf8(answer).ok()?.trim();
    json::validate(text.as_bytes()).ok()?;
    let bare = member(text, "listenKey");
    let key = match bare {
        Some(key) => key,
        None => {
            let data = member(text, "data").filter(|data| data.kind == ValueKind::Object)?;
            member(data.text, "listenKey")?
        }
    };
    let key = key.string()?;
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    (!key.is_empty() && key.len() <= NAME_BYTES_MAX && key.bytes().all(sound)).then(|| key.into_owned())
}

/// The member of an object, if the text is one that has it.
fn member<'a>(text: &'a str, key: &str) -> Option<Value<'a>> {
    let mut object = Object::open(text)?;
    let mut found = None;
    while let Ok(Some(member)) = object.next() {
        if member.key() == key {
            found = Some(member.value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let check = |text: &str, expected| assert_eq!(read(text.as_bytes()), expected, "{text}");
        check(r#"{"e":"ACCOUNT_UPDATE","E":1,"a":{}}"#, Message::Event);
        check(r#"{"E":1,"e":"ORDER_TRADE_UPDATE"}"#, Message::Event);
        check(r#"{"e":"listenKeyExpired","E":1,"listenKey":"k"}"#, Message::KeyExpired);
        check(r#"{"e":"serverShutdown","E":1}"#, Message::Shutdown);
        check(r#"{"a":{"e":"listenKeyExpired"}}"#, Message::Other);
        check(r#"{"result":null,"id":1}"#, Message::Other);
        check("[]", Message::Other);
        check(r#"{"e":"ACCOUNT_UPDATE"} x"#, Message::NotJson);
        check("", Message::NotJson);
        assert_eq!(read(b"\xff"), Message::NotJson);
    }

    #[test]
    fn both_venues_answers_have_a_key() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(listen_key(text.as_bytes()).as_deref(), expected, "{text}");
        };
        check(r#"{"code":0,"data":{"listenKey":"abc123"}}"#, Some("abc123"));
        check("{\"listenKey\":\"abc123\"}\n", Some("abc123"));
        check(r#"{"code":401,"msg":"Unauthorized"}"#, None);
        check(r#"{"listenKey":""}"#, None);
        check(r#"{"listenKey":"a/../b"}"#, None);
        check(r#"{"listenKey":7}"#, None);
        check(r#"{"data":["listenKey"]}"#, None);
        check("<html>", None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in r#"[\{\}\[\]":,eldistenKyatpx0-9 ]{0,40}"#) {
            let _ = (read(&bytes), listen_key(&bytes), read(text.as_bytes()), listen_key(text.as_bytes()));
        }
    }
}
