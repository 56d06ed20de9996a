use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

/// The judge: what `serde_json` says of a text it only skips, its position and words included.
fn check(text: &str) {
    let expected = serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|error| error.to_string());
    let actual = validate(text.as_bytes()).map_err(|error| error.to_string());
    assert_eq!(actual, expected, "{text:?}");
}

#[test]
fn agrees_with_serde_json_on_the_corners_of_the_grammar() {
    let texts = [
        "",
        " ",
        "{",
        "[",
        "{}",
        "[]",
        " { } ",
        "[ ]\n",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "[1",
        "[1,",
        "[1,]",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{a:1}",
        "[}",
        "{]",
        "[1}",
        "{\"a\":1]",
        "[object Object]",
        "nul",
        "nulL",
        "null",
        "true",
        "false",
        "tru",
        "fals e",
        "\"\"",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12",
        "\"\\u12G4\"",
        "\"\\u1234\"",
        "\"\\\"\"",
        "\"a\nb\"",
        "\"\u{7f}é币\"",
        "0",
        "-",
        "-0",
        "01",
        "-01",
        "1.",
        "1.5",
        ".5",
        "+1",
        "1e",
        "1e+",
        "1e+5",
        "1E-07",
        "1.e5",
        "-a",
        "1 2",
        "1,",
        "{}{}",
        "{\n\"a\": [1,\n x]}",
        "\n\n}",
        "[[[]],{}]",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"e\"}",
        "é",
        "\u{feff}{}",
        "[1,\"a\"\n:",
        "{\"a\":\"b\\",
        "[-]",
        "[1e]",
        "[1.]",
    ];
    texts.into_iter().for_each(check);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_where_they_stand() {
    let error = validate(b"{\n\"a\xff\"}").unwrap_err();
    assert_eq!((error.line, error.column, error.kind), (2, 3, JsonErrorKind::NotUtf8));
}

#[test]
fn depth_has_a_limit_that_the_readers_share() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(validate(nested(128).as_bytes()), Ok(()));
    let error = validate(nested(129).as_bytes()).unwrap_err();
    assert_eq!((error.column, error.kind), (129, JsonErrorKind::TooDeep));

    let inside = |depth| format!("{{\"a\":{}}}", nested(depth));
    assert!(Object::open(&inside(127)).unwrap().next().is_ok());
    assert_eq!(Object::open(&inside(128)).unwrap().next().unwrap_err().kind, JsonErrorKind::TooDeep);
    assert_eq!(Array::open(&nested(129)).unwrap().next().unwrap_err().kind, JsonErrorKind::TooDeep);
}

#[test]
fn members_come_as_they_were_written() {
    let text = " {\"a\" : 1.50 , \"b\\u0062\":[ 1, 2 ],\"c\":\"x\\n\",\"d\":true}\n";
    let mut object = Object::open(text).unwrap();
    let mut members = Vec::new();
    while let Some(member) = object.next().unwrap() {
        members.push((member.key().into_owned(), member.value.kind, member.value.text));
        assert_eq!(&text[member.value.end - member.value.text.len()..member.value.end], member.value.text);
    }
    let expected = [
        ("a", ValueKind::Number, "1.50"),
        ("bb", ValueKind::Array, "[ 1, 2 ]"),
        ("c", ValueKind::String, "\"x\\n\""),
        ("d", ValueKind::Bool, "true"),
    ];
    assert_eq!(members, expected.map(|(key, kind, text)| (key.to_owned(), kind, text)));
    assert_eq!(object.end(), text.len() - 1);
    assert_eq!(object.next(), Ok(None), "the end stays the end");
}

#[test]
fn a_reader_sees_what_follows_the_value() {
    let mut object = Object::open("{} x").unwrap();
    assert_eq!(object.next().unwrap_err().to_string(), "trailing characters at line 1 column 4");
    assert!(Object::open("[]").is_none());
    assert!(Array::open(" {}").is_none());
}

#[test]
fn strings_lose_their_escapes() {
    let check = |raw: &str, expected: Option<&str>| assert_eq!(unescape(raw).as_deref(), expected, "{raw}");
    check("plain 币", Some("plain 币"));
    check(r#"\"\\\/\b\f\n\r\t"#, Some("\"\\/\u{8}\u{c}\n\r\t"));
    check(r"\u5e01x\u0041", Some("币xA"));
    check(r"\ud83d\uDE00", Some("😀"));
    check(r"\ud83d", None);
    check(r"\ud83dx", None);
    check(r"\ud83d\n", None);
    check(r"\ud83d\u0041", None);
    check(r"\ude00", None);
    assert!(matches!(unescape("plain"), Some(Cow::Borrowed(_))));
}

/// Texts that are nearly JSON: tokens in any order.
fn token_soup() -> impl Strategy<Value = String> {
    let tokens = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"\\u00e9\"",
        "\"",
        "\\",
        "1",
        "-",
        "0",
        ".5",
        "e9",
        "true",
        "null",
        "fals",
        " ",
        "\n",
        "{\"k\":",
        "[1,",
        "币",
        "\u{1}",
    ];
    proptest::collection::vec(proptest::sample::select(tokens.to_vec()), 0..24).prop_map(|tokens| tokens.concat())
}

/// A valid document with a few bytes changed.
fn mutated() -> impl Strategy<Value = String> {
    let document = include_str!("../../../testdata/binance/payloads_spot.json");
    let slice = (0..document.len(), 1..400_usize).prop_map(move |(start, len)| {
        let end = (start + len).min(document.len());
        document[start..end].to_owned()
    });
    let whole = Just(document.to_owned());
    (prop_oneof![slice, whole], proptest::collection::vec((any::<prop::sample::Index>(), 0..128_u8), 0..4)).prop_map(
        |(text, changes)| {
            let mut bytes = text.into_bytes();
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            String::from_utf8(bytes).expect("the document and the changes are ASCII")
        },
    )
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_token_soup(text in token_soup()) {
        check(&text);
    }

    #[test]
    fn agrees_with_serde_json_on_mutated_documents(text in mutated()) {
        check(&text);
    }

    #[test]
    fn agrees_with_serde_json_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        match std::str::from_utf8(&bytes) {
            Ok(text) => check(text),
            Err(error) => {
                let kind = validate(&bytes).unwrap_err().kind;
                prop_assert_eq!(kind, JsonErrorKind::NotUtf8, "{}", error);
            }
        }
    }

    /// The readers accept exactly what `validate` accepts, with the same complaint.
    #[test]
    fn readers_and_validate_agree(text in prop_oneof![token_soup(), mutated()]) {
        if let Some(mut object) = Object::open(&text) {
            let read = loop {
                match object.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            prop_assert_eq!(read, validate(text.as_bytes()));
        }
        if let Some(mut array) = Array::open(&text) {
            let read = loop {
                match array.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            prop_assert_eq!(read, validate(text.as_bytes()));
        }
    }

    #[test]
    fn written_strings_read_back(text in any::<String>()) {
        let mut out = Vec::new();
        write_string(&text, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.as_str());
        let raw = std::str::from_utf8(&out[1..out.len() - 1]).unwrap();
        prop_assert_eq!(unescape(raw).unwrap(), text);
    }
}
