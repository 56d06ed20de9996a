use proptest::prelude::*;

use super::command::{Command, parse};
use super::name::{Name, Profile};
use crate::limits::SUBSCRIPTIONS_HARD_MAX;

/// What a request means in both profiles, ids aside.
fn check(text: &str, expected: Command) {
    for profile in [Profile::Bitzoom, Profile::Binance] {
        assert_eq!(parse(text, profile).map(|request| request.command), Ok(expected.clone()), "{text}");
    }
}

/// What a request is answered in both profiles.
fn check_refused(text: &str, expected: &str) {
    for profile in [Profile::Bitzoom, Profile::Binance] {
        let mut out = Vec::new();
        parse(text, profile).expect_err(text).write(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected, "{text}");
    }
}

fn names(texts: &[&str]) -> Vec<Name> {
    texts.iter().map(|text| Name::parse(text, Profile::Bitzoom).unwrap()).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn every_method_is_read() {
    check(
        r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","!ticker@arr"],"id":1}"#,
        Command::Subscribe(names(&["btcusdt@trade", "!ticker@arr"])),
    );
    check(
        r#"{"method": "UNSUBSCRIBE", "params": ["btcusdt@trade", "never seen"], "id": 2}"#,
        Command::Unsubscribe(texts(&["btcusdt@trade", "never seen"])),
    );
    check(r#"{"method":"UNSUBSCRIBE","params":[],"id":2}"#, Command::Unsubscribe(vec![]));
    check(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, Command::List);
    check(r#"{"method":"LIST_SUBSCRIPTIONS","params":[],"id":3}"#, Command::List);
    check(r#"{"method":"LIST_SUBSCRIPTIONS","params":null,"id":3}"#, Command::List);
    check(r#"{"method":"SET_PROPERTY","params":["combined",true],"id":4}"#, Command::SetCombined(true));
    check(r#"{"method":"GET_PROPERTY","params":["combined"],"id":5}"#, Command::GetCombined);
}

#[test]
fn requests_are_json_however_it_is_written() {
    check(" {\n\"id\" : 1 ,\t\"method\":\"LIST_SUBSCRIPTIONS\" } ", Command::List);
    check(r#"{"\u006dethod":"LIST\u005fSUBSCRIPTIONS","id":1,"extra":[{}]}"#, Command::List);
    check(r#"{"method":"FOO","id":true,"id":1,"method":"LIST_SUBSCRIPTIONS"}"#, Command::List);
    check(
        r#"{"method":"SUBSCRIBE","params":["\u5e01usdt\u0040trade"],"id":1}"#,
        Command::Subscribe(names(&["币usdt@trade"])),
    );
}

#[test]
fn profiles_differ_in_case() {
    let subscribe = r#"{"method":"SUBSCRIBE","params":["BTCUSDT@trade"],"id":1}"#;
    let unsubscribe = r#"{"method":"UNSUBSCRIBE","params":["BTCUSDT@trade"],"id":1}"#;
    let check = |profile, text: &str| {
        let Command::Subscribe(names) = parse(subscribe, profile).unwrap().command else { panic!() };
        assert_eq!(names[0].text(), text);
        let ended = parse(unsubscribe, profile).unwrap().command;
        assert_eq!(ended, Command::Unsubscribe(texts(&[text])), "what was subscribed can be ended");
    };
    check(Profile::Bitzoom, "btcusdt@trade");
    check(Profile::Binance, "BTCUSDT@trade");
}

#[test]
fn ids_are_kept_as_written() {
    let check = |id: &str, is_valid: bool| {
        let text = format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#);
        match parse(&text, Profile::Bitzoom) {
            Ok(request) => assert_eq!((request.id.text(), true), (id, is_valid)),
            Err(reject) => {
                assert_eq!((reject.id, false), (None, is_valid), "{id}");
                assert_eq!(reject.msg, "Invalid request: request ID must be an unsigned integer");
            }
        }
    };
    for id in ["0", "1", "-9", "4294967296", "9223372036854775807", "18446744073709551615", "null", "\"\"", "\"x y\""] {
        check(id, true);
    }
    check("\"3f2a9c0b7d1e4f6a8b9c0d1e2f3a4b5c\"", true);
    check("\"a06b35a0-6d8a-4a4b-9b6a-5c2b1c0a7f3e\"", true);
    check(&format!("\"{}\"", "币".repeat(36)), true);
    check("\"\\u0041\\n\"", true);
    check(&format!("\"{}\"", "x".repeat(37)), false);
    for id in ["1.5", "1e3", "18446744073709551616", "true", "{}", "[1]", "\"\\ud800\""] {
        check(id, false);
    }
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let id = r#"{"error":{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}}"#;
    for text in ["[]", "1", "\"x\"", "null", "{}", r#"{"method":"FOO"}"#, r#"{"method":"SUBSCRIBE","params":[]}"#] {
        check_refused(text, id);
    }
    check_refused(
        r#"{"method":7,"id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: method must be a string"},"id":1}"#,
    );
    check_refused(
        r#"{"method":"SUBSCRIBE","id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: missing field `params` at line 1 column 30"},"id":1}"#,
    );
    check_refused(
        r#"{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: params must be an array"},"id":1}"#,
    );
    check_refused(
        r#"{"method":"SUBSCRIBE","params":[],"id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: params must not be empty"},"id":1}"#,
    );
    check_refused(
        "{\n \"id\": 1}\n",
        r#"{"error":{"code":2,"msg":"Invalid request: missing field `method` at line 2 column 10"},"id":1}"#,
    );
}

#[test]
fn one_bad_name_refuses_the_list() {
    let invalid = r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#;
    check_refused(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","no"],"id":1}"#, invalid);
    check_refused(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade",7],"id":1}"#, invalid);
    check_refused(r#"{"method":"SUBSCRIBE","params":["\ud800@trade"],"id":1}"#, invalid);
    check_refused(r#"{"method":"UNSUBSCRIBE","params":[7],"id":1}"#, invalid);
}

#[test]
fn parameters_are_counted() {
    let too_many = r#"{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":1}"#;
    check_refused(r#"{"method":"LIST_SUBSCRIPTIONS","params":["x"],"id":1}"#, too_many);
    check_refused(r#"{"method":"LIST_SUBSCRIPTIONS","params":{},"id":1}"#, too_many);
    check_refused(r#"{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}"#, too_many);
    check_refused(r#"{"method":"GET_PROPERTY","params":["combined",true],"id":1}"#, too_many);
    let no_name = r#"{"error":{"code":2,"msg":"Invalid request: property name must be a string"},"id":1}"#;
    check_refused(r#"{"method":"GET_PROPERTY","id":1}"#, no_name);
    check_refused(r#"{"method":"SET_PROPERTY","params":[],"id":1}"#, no_name);
    let no_value = r#"{"error":{"code":1,"msg":"Invalid value type: expected Boolean"},"id":1}"#;
    check_refused(r#"{"method":"SET_PROPERTY","params":["combined"],"id":1}"#, no_value);
}

#[test]
fn a_list_of_names_has_a_bound() {
    let request = |method, count| {
        let names = vec!["\"btcusdt@trade\""; count].join(",");
        let text = format!(r#"{{"method":"{method}","params":[{names}],"id":7}}"#);
        parse(&text, Profile::Bitzoom)
    };
    let check = |method, code, msg: &str| {
        assert!(request(method, SUBSCRIPTIONS_HARD_MAX).is_ok());
        let reject = request(method, SUBSCRIPTIONS_HARD_MAX + 1).unwrap_err();
        assert_eq!((reject.code, &*reject.msg), (code, msg));
        assert_eq!(reject.id.unwrap().text(), "7");
    };
    check("SUBSCRIBE", 4, "Too many subscriptions");
    check("UNSUBSCRIBE", 2, "Invalid request: too many parameters");
}

#[test]
fn an_unknown_method_is_repeated_in_part() {
    let text = format!(r#"{{"method":"{}","id":1}}"#, "x".repeat(1000));
    let reject = parse(&text, Profile::Binance).unwrap_err();
    assert!(reject.msg.len() < 300 && reject.msg.ends_with("column 1012"), "{}", reject.msg);
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        let _ = parse(&text, Profile::Binance);
    }

    /// Requests of the right shape with odd values: whatever is refused is answered with JSON.
    #[test]
    fn odd_requests_are_answered_in_json(
        method in proptest::sample::select(vec!["\"SUBSCRIBE\"", "\"SET_PROPERTY\"", "\"F\\\"O\"", "1", "\"\\ud800\""]),
        params in proptest::sample::select(vec!["[]", "[1]", "[\"combined\"]", "[\"a@b\"]", "null", "{}", "[[]]"]),
        id in proptest::sample::select(vec!["1", "\"\\\"\"", "null", "1.5"]),
    ) {
        let text = format!(r#"{{"method":{method},"params":{params},"id":{id}}}"#);
        if let Err(reject) = parse(&text, Profile::Bitzoom) {
            let mut out = Vec::new();
            reject.write(&mut out);
            serde_json::from_slice::<serde::de::IgnoredAny>(&out).unwrap();
        }
    }
}

/// A text of the shape of a listen key stands for a user data stream; whether it is one, others know.
#[test]
fn listen_keys_in_a_list() {
    let key = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1";
    let parsed = |params: &str| {
        let text = format!(r#"{{"method":"SUBSCRIBE","params":[{params}],"id":1}}"#);
        parse(&text, Profile::Bitzoom).map(|request| request.command)
    };
    let both = Command::SubscribeUser { keys: vec![key.to_owned()], names: names(&["btcusdt@trade"]) };
    assert_eq!(parsed(&format!(r#""btcusdt@trade","{key}""#)), Ok(both));
    for bad in ["nothing", "user 0", "user 0@trade", &key[1..]] {
        let error = parsed(&format!(r#""{bad}","{key}""#)).unwrap_err();
        assert_eq!((error.code, &*error.msg), (2, "Invalid request: invalid stream"), "{bad}");
    }
}
