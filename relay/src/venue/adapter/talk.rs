//! The stream dialect as venues speak it: what Binance, Bitzoom and feeds of their kind have in common.

use std::borrow::Cow;

use super::{Invalid, Said};
use crate::wire::json::JsonErrorKind;
use crate::wire::stream::upstream::{self, Upstream};

pub use crate::wire::stream::upstream::{subscribe_line, unsubscribe_line};

/// What a message brings that is for the adapter to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    Data {
        stream: Cow<'a, str>,
        payload: &'a str,
    },
    /// JSON, complete, and no answer to anything: perhaps data that does not name its stream.
    Unnamed(&'a str),
}

/// Reads one message. What means the same on every venue of this dialect is said; the rest is returned.
pub fn hear<'a>(message: &'a [u8], said: &mut dyn FnMut(Said<'_>)) -> Option<Heard<'a>> {
    let own_id = |id: Option<&str>| id.and_then(|id| id.trim_matches('"').parse().ok());
    match upstream::decode(message) {
        Ok(Upstream::Data { stream, data }) => {
            return Some(Heard::Data { stream, payload: checked(data) });
        }
        Ok(Upstream::Other) => return Some(Heard::Unnamed(checked(message))),
        Ok(Upstream::Ack { id, .. }) => said(Said::Ack { id: own_id(id) }),
        Ok(Upstream::Error { id, code, msg }) => said(Said::Error { id: own_id(id), code, msg: &msg }),
        Ok(Upstream::Shutdown) => said(Said::Shutdown),
        Err(error) => {
            let is_text = error.kind != JsonErrorKind::NotUtf8;
            said(Said::Invalid(if is_text { Invalid::NotJson } else { Invalid::NotUtf8 }));
        }
    }
    None
}

/// A request whose answer is an acknowledgement and which changes nothing.
pub fn idle_line(id: u64) -> String {
    format!("{{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":{id}}}")
}

fn checked(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("what was decoded is valid UTF-8")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(message: &[u8], expected: Result<Said<'_>, Heard<'_>>) {
        let mut count = 0;
        let heard = hear(message, &mut |said| {
            assert_eq!(Ok(&said), expected.as_ref(), "{}", message.escape_ascii());
            count += 1;
        });
        assert_eq!(count + usize::from(heard.is_some()), 1, "one meaning for each message");
        if let Some(heard) = heard {
            assert_eq!(Err(heard), expected);
        }
    }

    #[test]
    fn every_message_has_one_meaning() {
        let data = Heard::Data { stream: "a@trade".into(), payload: r#"{"p":"1.50"}"# };
        check(br#"{"stream":"a@trade","data":{"p":"1.50"}}"#, Err(data));
        check(br#"{"e":"trade"}"#, Err(Heard::Unnamed(r#"{"e":"trade"}"#)));
        check(b"[]", Err(Heard::Unnamed("[]")));
        check(br#"{"result":null,"id":7}"#, Ok(Said::Ack { id: Some(7) }));
        check(br#"{"result":null,"id":"7"}"#, Ok(Said::Ack { id: Some(7) }));
        check(br#"{"result":["a@trade"],"id":7}"#, Ok(Said::Ack { id: Some(7) }));
        check(br#"{"result":null,"id":null}"#, Ok(Said::Ack { id: None }));
        let error = |id| Said::Error { id, code: 4, msg: "Too many subscriptions" };
        check(br#"{"error":{"code":4,"msg":"Too many subscriptions"},"id":2}"#, Ok(error(Some(2))));
        check(br#"{"code":4,"msg":"Too many subscriptions"}"#, Ok(error(None)));
        check(br#"{"e":"serverShutdown","E":1}"#, Ok(Said::Shutdown));
        check(br#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#, Ok(Said::Shutdown));
        check(b"pong", Ok(Said::Invalid(Invalid::NotJson)));
        check(b"{\"a\":\"\xff\"}", Ok(Said::Invalid(Invalid::NotUtf8)));
    }

    #[test]
    fn an_idle_request_is_answered_and_changes_nothing() {
        assert_eq!(idle_line(7), r#"{"method":"LIST_SUBSCRIPTIONS","id":7}"#);
    }

    proptest! {
        #[test]
        fn any_bytes_have_one_meaning(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut count = 0;
            let heard = hear(&bytes, &mut |_| count += 1);
            prop_assert_eq!(count + usize::from(heard.is_some()), 1);
        }
    }
}
