//! The other side of the dialect: what a venue sends us, and what we ask of it.

use std::borrow::Cow;

use crate::wire::json::{self, JsonError, Object, Value, ValueKind};

/// One message of a venue. Slices are the venue's own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream<'a> {
    Data {
        stream: Cow<'a, str>,
        data: &'a [u8],
    },
    /// Both as they were written: `id` repeats ours, `result` is `null` or a list.
    Ack {
        id: Option<&'a str>,
        result: &'a str,
    },
    Error {
        id: Option<&'a str>,
        code: i64,
        msg: Cow<'a, str>,
    },
    /// The venue is about to stop: connect anew.
    Shutdown,
    Other,
}

/// Reads one message, which is validated as a whole, so that its parts can be passed on.
pub fn decode(payload: &[u8]) -> Result<Upstream<'_>, JsonError> {
    let text = json::utf8(payload)?;
    let Some(mut object) = Object::open(text) else {
        json::validate(payload)?;
        return Ok(Upstream::Other);
    };
    let mut fields = Fields::default();
    while let Some(member) = object.next()? {
        let field = match &*member.key() {
            "stream" => &mut fields.stream,
            "data" => &mut fields.data,
            "result" => &mut fields.result,
            "error" => &mut fields.error,
            "code" => &mut fields.code,
            "msg" => &mut fields.msg,
            "id" => &mut fields.id,
            "e" => &mut fields.event,
            _ => continue,
        };
        *field = Some(member.value);
    }
    Ok(fields.meaning())
}

/// Whether this is the last frame of a candle: `data.k.x`. Costs another look at the text, so ask for candles only.
pub fn is_closed_kline(data: &[u8]) -> bool {
    // Nearly all frames are of open candles and hold no `true` at all.
    if memchr::memmem::find(data, b"true").is_none() {
        return false;
    }
    let text = json::utf8(data).ok();
    let candle = text.and_then(|text| member(text, "k"));
    candle.and_then(|candle| member(candle.text, "x")).and_then(|closed| closed.bool()).unwrap_or(false)
}

/// `{"method":"SUBSCRIBE","params":[…],"id":…}`
pub fn subscribe_line(names: &[&str], id: u64) -> String {
    line("SUBSCRIBE", names, id)
}

/// `{"method":"UNSUBSCRIBE","params":[…],"id":…}`
pub fn unsubscribe_line(names: &[&str], id: u64) -> String {
    line("UNSUBSCRIBE", names, id)
}

const SHUTDOWN_STREAM: &str = "!serverShutdown";
const SHUTDOWN_EVENT: &str = "serverShutdown";

/// The members that tell what a message is; of several with one key the last counts.
#[derive(Default)]
struct Fields<'a> {
    stream: Option<Value<'a>>,
    data: Option<Value<'a>>,
    result: Option<Value<'a>>,
    error: Option<Value<'a>>,
    code: Option<Value<'a>>,
    msg: Option<Value<'a>>,
    id: Option<Value<'a>>,
    event: Option<Value<'a>>,
}

impl<'a> Fields<'a> {
    fn meaning(self) -> Upstream<'a> {
        if let (Some(stream), Some(data)) = (self.stream.and_then(|stream| stream.string()), self.data) {
            if stream == SHUTDOWN_STREAM {
                return Upstream::Shutdown;
            }
            return Upstream::Data { stream, data: data.text.as_bytes() };
        }
        let id = self.id.filter(|id| id.kind != ValueKind::Null).map(|id| id.text);
        if let Some(error) = self.error {
            return nested_error(id, error.text);
        }
        if let (Some(code), Some(msg)) = (self.code, self.msg) {
            return flat_error(id, code, msg);
        }
        if let Some(result) = self.result {
            return Upstream::Ack { id, result: result.text };
        }
        match self.event.and_then(|event| event.string()) {
            Some(event) if event == SHUTDOWN_EVENT => Upstream::Shutdown,
            _ => Upstream::Other,
        }
    }
}

fn nested_error<'a>(id: Option<&'a str>, error: &'a str) -> Upstream<'a> {
    match (member(error, "code"), member(error, "msg")) {
        (Some(code), Some(msg)) => flat_error(id, code, msg),
        _ => Upstream::Other,
    }
}

fn flat_error<'a>(id: Option<&'a str>, code: Value<'a>, msg: Value<'a>) -> Upstream<'a> {
    match (code.text.parse(), msg.string()) {
        (Ok(code), Some(msg)) => Upstream::Error { id, code, msg },
        _ => Upstream::Other,
    }
}

/// The member of an object that is known to be JSON.
fn member<'a>(text: &'a str, key: &str) -> Option<Value<'a>> {
    let mut object = Object::open(text)?;
    while let Ok(Some(member)) = object.next() {
        if member.key() == key {
            return Some(member.value);
        }
    }
    None
}

/// Names come from clients: a quote in one must not become syntax.
fn line(method: &str, names: &[&str], id: u64) -> String {
    let mut out = Vec::new();
    json::append(&mut out, format_args!("{{\"method\":\"{method}\",\"params\":["));
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::write_string(name, &mut out);
    }
    json::append(&mut out, format_args!("],\"id\":{id}}}"));
    String::from_utf8(out).expect("it is made of text")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Upstream<'_>) {
        assert_eq!(decode(text.as_bytes()), Ok(expected), "{text}");
    }

    #[test]
    fn data_is_a_slice_of_the_message() {
        let data =
            |stream: &'static str, data: &'static str| Upstream::Data { stream: stream.into(), data: data.as_bytes() };
        check(r#"{"stream":"a@trade","data":{"p":"1.50"}}"#, data("a@trade", r#"{"p":"1.50"}"#));
        check(r#"{ "data" : [ 1, 2 ] , "x" : 0, "stream" : "!ticker@arr" }"#, data("!ticker@arr", "[ 1, 2 ]"));
        check(r#"{"stream":"\u5e01@trade","data":null}"#, data("币@trade", "null"));
        check(r#"{"stream":"a@x","data":{"error":1,"result":2}}"#, data("a@x", r#"{"error":1,"result":2}"#));
    }

    #[test]
    fn answers_are_told_apart() {
        check(r#"{"result":null,"id":1}"#, Upstream::Ack { id: Some("1"), result: "null" });
        check(r#"{"id":"x","result":["a@b"]}"#, Upstream::Ack { id: Some("\"x\""), result: "[\"a@b\"]" });
        check(r#"{"result":null,"id":null}"#, Upstream::Ack { id: None, result: "null" });
        let error = |id, code, msg: &'static str| Upstream::Error { id, code, msg: msg.into() };
        check(r#"{"error":{"code":2,"msg":"no"},"id":3}"#, error(Some("3"), 2, "no"));
        check(r#"{"code":-1125,"msg":"n\u006f","id":18}"#, error(Some("18"), -1125, "no"));
        check(r#"{"error":{"msg":"no","code":3}}"#, error(None, 3, "no"));
    }

    #[test]
    fn a_stopping_venue_says_so_in_two_forms() {
        check(r#"{"e":"serverShutdown","E":1}"#, Upstream::Shutdown);
        check(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#, Upstream::Shutdown);
    }

    #[test]
    fn the_rest_is_left_to_the_caller() {
        for text in
            ["1", "[]", "{}", r#"{"e":"trade"}"#, r#"{"error":"x"}"#, r#"{"stream":1,"data":2}"#, r#"{"stream":"x"}"#]
        {
            check(text, Upstream::Other);
        }
        for text in ["", "{", r#"{"stream":"a@trade","data":{"p":1.}}"#, r#"{"stream":"a","data":1} x"#] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
        assert!(decode(b"{\"stream\":\"a\",\"data\":\"\xff\"}").is_err());
    }

    #[test]
    fn closed_candles_are_told_apart() {
        let check = |data: &str, expected| assert_eq!(is_closed_kline(data.as_bytes()), expected, "{data}");
        check(r#"{"e":"kline","k":{"t":1,"x":true,"q":"1"}}"#, true);
        check(r#"{ "k" : { "x" : true } }"#, true);
        check(r#"{"e":"kline","k":{"t":1,"x":false}}"#, false);
        check(r#"{"x":true,"k":{"y":{"x":true}}}"#, false);
        check("[]", false);
        check("", false);
    }

    #[test]
    fn lines_are_those_of_a_client() {
        let line = subscribe_line(&["a@trade", "币@depth"], 7);
        assert_eq!(line, r#"{"method":"SUBSCRIBE","params":["a@trade","币@depth"],"id":7}"#);
        let line = unsubscribe_line(&["a\"],\\\n"], u64::MAX);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["params"], serde_json::json!(["a\"],\\\n"]));
        assert!(line.ends_with(r#","id":18446744073709551615}"#) && !line.contains(' '), "{line}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
            is_closed_kline(&bytes);
        }

        /// Whatever the data, it comes out as it went in.
        #[test]
        fn data_passes_untouched(number in "-?[1-9][0-9]{0,30}\\.[0-9]{1,20}", text in any::<String>()) {
            let mut data = format!(" [{number} , ").into_bytes();
            json::write_string(&text, &mut data);
            data.extend_from_slice(b"]");
            let mut message = Vec::new();
            crate::wire::stream::wrap::prefix(&text, &mut message);
            message.extend_from_slice(&data);
            message.extend_from_slice(crate::wire::stream::wrap::SUFFIX);
            let expected = match &*text {
                SHUTDOWN_STREAM => Upstream::Shutdown,
                _ => Upstream::Data { stream: text.as_str().into(), data: &data[1..] },
            };
            prop_assert_eq!(decode(&message), Ok(expected));
        }
    }
}
