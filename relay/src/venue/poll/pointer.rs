//! JSON pointers (RFC 6901): which value of an answer is meant.

use std::borrow::Cow;

use crate::wire::json::{Array, Object, unescape};

/// A parsed pointer. The empty one means the whole text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    #[error("a JSON pointer is empty or begins with \"/\", such as \"/data/0/price\"")]
    NoSlash,
    #[error("in a JSON pointer \"~\" is written \"~0\", and \"/\" in a key \"~1\"")]
    Escape,
    #[error("a JSON pointer of more than {TOKENS_MAX} steps")]
    TooLong,
}

/// Deeper texts are refused by our reader anyway.
const TOKENS_MAX: usize = 64;

impl Pointer {
    pub fn parse(text: &str) -> Result<Pointer, PointerError> {
        if text.is_empty() {
            return Ok(Pointer::default());
        }
        let rest = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let tokens: Vec<Box<str>> = rest.split('/').map(token).collect::<Result<_, _>>()?;
        if tokens.len() > TOKENS_MAX { Err(PointerError::TooLong) } else { Ok(Pointer { tokens }) }
    }

    /// The text of the value in a text that is known to be JSON; of several members with one key the last.
    pub fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.tokens.iter().try_fold(text.trim_ascii(), |text, token| step(text, token))
    }
}

/// What a JSON string or number says.
pub fn scalar(text: &str) -> Option<Cow<'_, str>> {
    match text.as_bytes().first()? {
        b'"' => unescape(&text[1..text.len() - 1]),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

fn token(raw: &str) -> Result<Box<str>, PointerError> {
    let mut rest = raw;
    while let Some((_, escape)) = rest.split_once('~') {
        rest = escape.strip_prefix(['0', '1']).ok_or(PointerError::Escape)?;
    }
    // In this order: `~01` is `~1`, and no slash.
    Ok(raw.replace("~1", "/").replace("~0", "~").into())
}

fn step<'a>(text: &'a str, token: &str) -> Option<&'a str> {
    if let Some(mut object) = Object::open(text) {
        let mut found = None;
        while let Some(member) = object.next().ok()? {
            if member.key() == *token {
                found = Some(member.value.text);
            }
        }
        return found;
    }
    let mut array = Array::open(text)?;
    let is_index = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    let index: usize = token.parse().ok().filter(|_| is_index)?;
    for _ in 0..index {
        array.next().ok()??;
    }
    Some(array.next().ok()??.text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of RFC 6901 section 5.
    #[test]
    fn the_examples_of_the_rfc() {
        let text = r#" {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8} "#;
        let check = |pointer: &str, expected: Option<&str>| {
            assert_eq!(Pointer::parse(pointer).unwrap().find(text), expected, "{pointer}");
        };
        check("", Some(text.trim()));
        check("/foo", Some(r#"["bar", "baz"]"#));
        check("/foo/0", Some(r#""bar""#));
        check("/foo/1", Some(r#""baz""#));
        for (pointer, value) in [
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            check(pointer, Some(value));
        }
        for pointer in ["/foo/2", "/foo/-", "/foo/00", "/foo/+1", "/foo/0/0", "/nothing", "/a~1b/0"] {
            check(pointer, None);
        }
    }

    #[test]
    fn other_texts_are_no_pointers() {
        assert_eq!(Pointer::parse("price"), Err(PointerError::NoSlash));
        assert_eq!(Pointer::parse("/a~"), Err(PointerError::Escape));
        assert_eq!(Pointer::parse("/a~2"), Err(PointerError::Escape));
        assert_eq!(Pointer::parse(&"/a".repeat(TOKENS_MAX + 1)), Err(PointerError::TooLong));
        assert_eq!(Pointer::parse("/~01").unwrap().tokens, [Box::from("~1")]);
    }

    proptest! {
        #[test]
        fn anything_is_searched(pointer in "(/[a-c0-2~]{0,2}){0,4}", text in "[\\{\\}\\[\\]\":,0-9a-c ]{0,40}") {
            if let Ok(pointer) = Pointer::parse(&pointer) {
                let found = pointer.find(&text);
                if crate::wire::json::validate(text.as_bytes()).is_ok() {
                    found.map(scalar);
                }
            }
        }
    }
}
