//! Which dialect a client of `/ws` speaks, by its first text message.

use crate::wire::json::Object;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    Hub,
    Stream,
    /// It says nothing, or is no JSON object: the client stays undecided and gets the stream dialect's error.
    Undecided,
}

/// A `method` makes it stream, a `type` without one hub. A message with both is stream: that dialect ignores keys it does
/// not know, such as a request's stray `type`, while no hub command has a `method`.
pub fn first(text: &str) -> First {
    let Some(mut object) = Object::open(text) else {
        return First::Undecided;
    };
    let (mut has_type, mut has_method) = (false, false);
    // To the end, since only then the text is known to be whole.
    loop {
        match object.next() {
            Ok(Some(member)) => match &*member.key() {
                "type" => has_type = true,
                "method" => has_method = true,
                _ => {}
            },
            Ok(None) if has_method => return First::Stream,
            Ok(None) if has_type => return First::Hub,
            Ok(None) | Err(_) => return First::Undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_message_decides() {
        let check = |text: &str, expected| assert_eq!(first(text), expected, "{text}");
        check(r#"{"type":"ping"}"#, First::Hub);
        check(r#"{"type":"subscribe","channels":["bitcoinprice"]}"#, First::Hub);
        check(r#"{ "channels": [], "\u0074ype": 1 }"#, First::Hub);
        check(r#"{"method":"SUBSCRIBE","params":[],"id":1}"#, First::Stream);
        check(r#"{"type":"x","method":"SUBSCRIBE"}"#, First::Stream);
        check(r#"{"method":"SUBSCRIBE","type":"x"}"#, First::Stream);
        check(r#"{"a":{"type":1}}"#, First::Undecided);
        check("{}", First::Undecided);
        check(r#"{"type":"subscribe""#, First::Undecided);
        check(r#"{"type":"ping"} x"#, First::Undecided);
        check("[\"type\"]", First::Undecided);
        check("", First::Undecided);
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "\\PC*") {
            first(&text);
        }
    }
}
