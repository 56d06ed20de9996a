//! `validate` and the readers agree with serde_json on what JSON is.

use relay::wire::json::{self, Object};
use serde::de::IgnoredAny;

use super::input::{mutate, payloads, spell};

#[rustfmt::skip] // A list.
const TOKENS: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"\"", "null", "true", "false", "0", "-1", "1.5e9", "1e", "-", "01",
    " ", "\n", "\\", "\\u", "00e9", "\\ud83d", "\\ude00", "\\n", "{\"k\":", "[[[[", "]]]]",
    "{\"e\":{\"k\":{\"x\":true}}}", "nul", ".",
];

fn check(bytes: &[u8]) {
    let ours = json::validate(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return assert!(ours.is_err(), "JSON is UTF-8");
    };
    let theirs = serde_json::from_str::<IgnoredAny>(text);
    assert_eq!(ours.is_ok(), theirs.is_ok(), "ours {ours:?}, theirs {theirs:?}: {text:?}");
    let Some(mut object) = Object::open(text) else { return };
    loop {
        match object.next() {
            Ok(Some(member)) => {
                json::validate(member.value.text.as_bytes()).unwrap();
                assert!(text[..member.value.end].ends_with(member.value.text));
                let _ = (member.key(), member.value.string(), member.value.bool());
            }
            Ok(None) => return ours.unwrap(),
            Err(error) => return assert_eq!(Err(error), ours),
        }
    }
}

/// Tokens in any order.
#[test]
fn fuzz_json_tokens() {
    bolero::check!().with_max_len(300).for_each(|input: &[u8]| check(spell(input, TOKENS).as_bytes()));
}

/// Recorded payloads with some damage.
#[test]
fn fuzz_json_payloads() {
    let samples = payloads();
    bolero::check!().with_max_len(41).for_each(|input: &[u8]| check(&mutate(input, &samples)));
}
