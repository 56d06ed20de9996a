//! `POST /ws/test`: a text for every connected client of the hub.

use super::reply::{Code, Reject, timestamp};
use crate::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::wire::json::{self, Object, Value};

/// A body may be as long as a client's message.
pub const BODY_BYTES_MAX: usize = CLIENT_MESSAGE_BYTES_MAX;

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestCallError {
    #[error("Invalid JSON")]
    InvalidJson,
    #[error("message must be a string")]
    NoMessage,
    #[error("body must have at most {BODY_BYTES_MAX} bytes")]
    TooBig,
    #[error("Too many requests")]
    TooMany,
}

impl TestCallError {
    /// The status of the HTTP answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidJson | Self::NoMessage => 400,
            Self::TooBig => 413,
            Self::TooMany => 429,
        }
    }

    /// Appends the body of the HTTP answer.
    pub fn write(self, now_ms: u64, out: &mut Vec<u8>) {
        let code = match self {
            Self::InvalidJson => Code::InvalidJson,
            Self::NoMessage | Self::TooBig => Code::InvalidRequest,
            Self::TooMany => Code::RateLimited,
        };
        Reject::new(code, self.to_string()).write(now_ms, out);
    }
}

/// Reads the text out of a request's body.
pub fn message(body: &[u8]) -> Result<String, TestCallError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(TestCallError::TooBig);
    }
    let text = json::utf8(body).map_err(|_| TestCallError::InvalidJson)?;
    let Some(mut object) = Object::open(text) else {
        let checked = json::validate(body).map_err(|_| TestCallError::InvalidJson);
        return checked.and(Err(TestCallError::NoMessage));
    };
    let mut message: Option<Value<'_>> = None;
    while let Some(member) = object.next().map_err(|_| TestCallError::InvalidJson)? {
        if member.key() == "message" {
            message = Some(member.value);
        }
    }
    let text = message.as_ref().and_then(Value::string);
    text.map(Into::into).ok_or(TestCallError::NoMessage)
}

/// Appends the answer to a call, which does not wait for anybody's delivery.
pub fn response(now_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"test_response\",\"message\":\"Broadcast to all connected clients\"");
    timestamp(now_ms, out);
}

/// Appends what every client gets.
pub fn broadcast(message: &str, now_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"test_message\",\"message\":");
    json::write_string(message, out);
    timestamp(now_ms, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_holds_a_message() {
        let check = |body: &[u8], expected| assert_eq!(message(body).as_deref(), expected);
        check(br#"{"message":"Hello"}"#, Ok("Hello"));
        check(br#"{"a":1,"message":1,"message":"\u00e4\n"}"#, Ok("ä\n"));
        check(br#"{"message":""}"#, Ok(""));
        check(b"{}", Err(&TestCallError::NoMessage));
        check(br#"{"message":null}"#, Err(&TestCallError::NoMessage));
        check(br#"{"message":"\ud800"}"#, Err(&TestCallError::NoMessage));
        check(b"[]", Err(&TestCallError::NoMessage));
        check(b"", Err(&TestCallError::InvalidJson));
        check(br#"{"message":"a""#, Err(&TestCallError::InvalidJson));
        check(b"{\"message\":\"\xff\"}", Err(&TestCallError::InvalidJson));
        check(&vec![b' '; BODY_BYTES_MAX + 1], Err(&TestCallError::TooBig));
    }

    #[test]
    fn refusals_have_a_status_and_a_body() {
        let check = |error: TestCallError, status, start: &str| {
            let mut out = Vec::new();
            error.write(0, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(error.status(), status);
            assert!(text.starts_with(start), "{text}");
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        };
        check(TestCallError::InvalidJson, 400, r#"{"type":"error","code":"invalid_json","message":"Invalid JSON","#);
        check(TestCallError::NoMessage, 400, r#"{"type":"error","code":"invalid_request","message":"message must"#);
        check(TestCallError::TooBig, 413, r#"{"type":"error","code":"invalid_request","message":"body must have"#);
        check(TestCallError::TooMany, 429, r#"{"type":"error","code":"rate_limited","message":"Too many requests","#);
    }

    proptest! {
        #[test]
        fn any_body_is_answered(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = message(&body);
        }

        #[test]
        fn any_message_goes_through(text in "\\PC*") {
            let mut out = Vec::new();
            broadcast(&text, 0, &mut out);
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(value["message"].as_str(), Some(&*text));
        }
    }
}
