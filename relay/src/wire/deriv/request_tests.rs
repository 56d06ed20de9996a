//! What each schema takes and what it refuses, in the venue's words.

use proptest::prelude::*;

use super::reject::{Code, Reject};
use super::request::*;
use crate::limits::{DERIV_HISTORY_MAX, DERIV_REQUEST_BYTES_MAX};

fn check(text: &str, expected: Call) {
    assert_eq!(parse(text).map(|request| request.call), Ok(expected), "{text}");
}

fn refused(text: &str) -> (&'static str, Reject) {
    let refusal = parse(text).expect_err(text);
    (refusal.msg_type, refusal.reject)
}

/// The message, and what it says about each field.
fn check_invalid(text: &str, message: &str, details: &[(&str, &str)]) {
    let (_, reject) = refused(text);
    assert_eq!(reject.code, Code::InputValidationFailed, "{text}");
    assert_eq!(reject.message, format!("Input validation failed: {message}"), "{text}");
    let actual = reject.details.unwrap();
    let actual: Vec<_> = actual.iter().map(|(field, text)| (field.as_str(), text.as_str())).collect();
    assert_eq!(actual, details, "{text}");
}

fn boxed(symbols: &[&str]) -> Vec<Box<str>> {
    symbols.iter().map(|symbol| (*symbol).into()).collect()
}

fn history() -> HistoryCall {
    HistoryCall {
        symbol: "R_50".into(),
        end_s: None,
        start_s: None,
        count: None,
        style: Style::Ticks,
        granularity_s: None,
        adjust_start_time: false,
        subscribe: false,
    }
}

#[test]
fn each_call_is_read() {
    let symbols = |symbols, subscribe| Call::Ticks { symbols: boxed(symbols), subscribe };
    check(r#"{"ping":1}"#, Call::Ping);
    check(r#" { "time" : "1" } "#, Call::Time);
    check(r#"{"active_symbols":"brief","product_type":"basic"}"#, Call::ActiveSymbols { full: false });
    check(r#"{"active_symbols":"full","landing_company":"svg"}"#, Call::ActiveSymbols { full: true });
    check(r#"{"ticks":"R_50"}"#, symbols(&["R_50"], false));
    check(r#"{"subscribe":"1","ticks":["R_50","1HZ100V","R_50"]}"#, symbols(&["R_50", "1HZ100V", "R_50"], true));
    let id = "c84a793b-8a87-7999-ce10-9b22f7ceead3";
    check(&format!(r#"{{"forget":"{id}"}}"#), Call::Forget(id.into()));
    let ticks = Forgotten { ticks: true, ..Forgotten::default() };
    check(r#"{"forget_all":"ticks"}"#, Call::ForgetAll(ticks));
    check(r#"{"forget_all":["candles","ticks","proposal"]}"#, Call::ForgetAll(Forgotten { candles: true, ..ticks }));
    check(r#"{"forget_all":"balance"}"#, Call::ForgetAll(Forgotten::default()));
    check(r#"{"website_status":1,"subscribe":1}"#, Call::WebsiteStatus { subscribe: true });
    check(r#"{"proposal":1,"symbol":"R_50","amount":1}"#, Call::Account("proposal"));
    check(r#"{"authorize":"a1-abc"}"#, Call::Account("authorize"));
    // A parameter of the one is a method of its own.
    check(r#"{"balance":1,"sell":"x"}"#, Call::Account("balance"));
}

#[test]
fn history_is_read() {
    check(r#"{"ticks_history":"R_50","end":"latest"}"#, Call::History(history()));
    let text = r#"{"ticks_history":"R_50","end":"1765211445","start":"1","count":"3","style":"candles","granularity":"300","adjust_start_time":1,"subscribe":1}"#;
    let call = HistoryCall {
        end_s: Some(1765211445),
        start_s: Some(1),
        count: Some(3),
        style: Style::Candles,
        granularity_s: Some(300),
        adjust_start_time: true,
        subscribe: true,
        ..history()
    };
    check(text, Call::History(call));
    let count = |count| HistoryCall { end_s: Some(7), count: Some(count), ..history() };
    check(r#"{"ticks_history":"R_50","end":7,"count":5000}"#, Call::History(count(5000)));
    for capped in ["5001", "9223372036854775807", "\"10000\""] {
        let text = format!(r#"{{"ticks_history":"R_50","end":7,"count":{capped}}}"#);
        check(&text, Call::History(count(DERIV_HISTORY_MAX)));
    }
}

#[test]
fn history_has_defaults() {
    let call = history();
    assert_eq!((call.count(), call.candle_s(), call.first_s(100_000)), (1000, None, Some(13_600)));
    let counted = HistoryCall { count: Some(10), end_s: Some(90_000), ..history() };
    assert_eq!((counted.count(), counted.first_s(100_000)), (10, None));
    let candles = HistoryCall { style: Style::Candles, ..counted.clone() };
    assert_eq!((candles.candle_s(), candles.first_s(100_000)), (Some(60), Some(3_600)));
    let wide = HistoryCall { granularity_s: Some(86_400), ..candles };
    assert_eq!((wide.candle_s(), wide.first_s(100_000)), (Some(86_400), None));
    let started = HistoryCall { start_s: Some(5), ..history() };
    assert_eq!(started.first_s(100_000), Some(5));
    assert_eq!(HistoryCall { granularity_s: Some(60), ..started }.candle_s(), None, "only candles have it");
}

#[test]
fn what_is_repeated_is_compact_and_otherwise_as_sent() {
    let text = "{ \"ticks\" : [ \"R_50\" ],\n\"passthrough\":{ \"a b\\\" \" : [1.50, 2e1] } ,\t\"req_id\": 012 }";
    assert_eq!(refused(text).1, Reject::bad_request());
    let echo = parse(&text.replace("012", "12")).unwrap().echo;
    assert_eq!(&*echo.text, r#"{"ticks":["R_50"],"passthrough":{"a b\" ":[1.50,2e1]},"req_id":12}"#);
    assert_eq!(echo.req_id.as_deref(), Some("12"));
    assert_eq!(echo.passthrough.as_deref(), Some(r#"{"a b\" ":[1.50,2e1]}"#));
}

#[test]
fn what_is_no_object_is_a_bad_request() {
    for text in ["", "x", "[]", "[{\"ping\":1}]", "1", "null", "{\"ping\":1", "{\"ping\":1}}", "{'ping':1}"] {
        let refusal = parse(text).unwrap_err();
        assert_eq!((refusal.msg_type, refusal.reject), ("error", Reject::bad_request()), "{text:?}");
        assert_eq!(refusal.echo, Echo::default());
    }
}

#[test]
fn unknown_methods_are_unrecognised() {
    for text in ["{}", r#"{"req_id":5}"#, r#"{"nosuch":1}"#, r#"{"subscribe":1,"Ping":1}"#] {
        assert_eq!(refused(text), ("error", Reject::unrecognised()), "{text}");
    }
}

#[test]
fn fields_are_named_with_what_is_wrong() {
    check_invalid(r#"{"ticks":"R_50","subscribe":2}"#, "subscribe", &[("subscribe", "Not in enum list: 1.")]);
    check_invalid(r#"{"ping":true}"#, "ping", &[("ping", "Not in enum list: 1.")]);
    check_invalid(r#"{"ticks":"R/50"}"#, "ticks", &[("ticks", r"String does not match ^\w{2,30}$.")]);
    check_invalid(r#"{"ticks":["R_50",5]}"#, "ticks", &[("ticks", "Expected string - got number.")]);
    check_invalid(r#"{"ticks":[]}"#, "ticks", &[("ticks", "Not enough items: 0/1.")]);
    check_invalid(r#"{"ping":1,"req_id":"x"}"#, "req_id", &[("req_id", "Expected integer - got string.")]);
    check_invalid(r#"{"ping":1,"req_id":1.5}"#, "req_id", &[("req_id", "Expected integer - got number.")]);
    check_invalid(r#"{"ping":1,"passthrough":[]}"#, "passthrough", &[("passthrough", "Expected object - got array.")]);
    check_invalid(
        r#"{"active_symbols":"all"}"#,
        "active_symbols",
        &[("active_symbols", "Not in enum list: brief, full.")],
    );
    check_invalid(r#"{"forget":"short"}"#, "forget", &[("forget", r"String does not match ^[\w-]{32,128}$.")]);
    let (_, reject) = refused(r#"{"forget_all":["ticks","all"]}"#);
    assert!(reject.details.unwrap()[0].1.starts_with("Not in enum list: balance, candles, "));
}

#[test]
fn a_history_is_checked() {
    let check = |more: &str, field: &str, problem: &str| {
        let end = if more.contains("\"end\"") { "" } else { r#","end":"latest""# };
        check_invalid(&format!(r#"{{"ticks_history":"R_50"{end}{more}}}"#), field, &[(field, problem)]);
    };
    check_invalid(r#"{"ticks_history":"R_50"}"#, "end", &[("end", "Missing property.")]);
    check(r#","end":"now""#, "end", "String does not match ^(latest|[0-9]{1,10})$.");
    check(r#","end":10000000000"#, "end", "String does not match ^(latest|[0-9]{1,10})$.");
    check(r#","start":-1"#, "start", "-1 < minimum(0)");
    check(r#","start":10000000000"#, "start", "10000000000 > maximum(9999999999)");
    check(r#","count":0"#, "count", "0 < minimum(1)");
    check(r#","count":null"#, "count", "Expected integer - got null.");
    check(r#","style":"bars""#, "style", "Not in enum list: candles, ticks.");
    let listed = "Not in enum list: 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400.";
    check(r#","granularity":61"#, "granularity", listed);
    let (msg_type, reject) = refused(r#"{"ticks_history":"R_50","start":5,"end":4}"#);
    assert_eq!((msg_type, reject.code), ("ticks_history", Code::InvalidStartEnd));
    assert_eq!(reject.message, "Start time 5 must be before end time 4");
    assert!(parse(r#"{"ticks_history":"R_50","start":5,"end":5}"#).is_ok());
}

#[test]
fn strangers_are_not_allowed() {
    check_invalid(r#"{"ping":1,"b":1,"a":2,"b":3}"#, "Properties not allowed: a, b.", &[]);
    check_invalid(r#"{"ping":1,"time":1}"#, "Properties not allowed: time.", &[]);
    check_invalid(
        r#"{"ticks":"?","x":1,"subscribe":0}"#,
        "subscribe, ticks, Properties not allowed: x.",
        &[("subscribe", "Not in enum list: 1."), ("ticks", r"String does not match ^\w{2,30}$.")],
    );
}

/// What every push would have to repeat has a bound; the answer is still known by its id.
#[test]
fn a_request_has_a_bound() {
    let text = |count| format!(r#"{{"ping":1,"req_id":7,"passthrough":{{"a":"{}"}}}}"#, "x".repeat(count));
    let bytes = text(0).len();
    assert!(parse(&text(DERIV_REQUEST_BYTES_MAX - bytes)).is_ok());
    let refusal = parse(&text(DERIV_REQUEST_BYTES_MAX - bytes + 1)).unwrap_err();
    assert_eq!((refusal.msg_type, refusal.reject.code), ("ping", Code::BadRequest));
    assert_eq!(refusal.reject.message, "The request has 4097 bytes, limit 4096.");
    assert_eq!(refusal.echo, Echo { req_id: Some("7".into()), ..Echo::default() });
    let symbols = |count| format!(r#"{{"ticks":["{}"],"subscribe":1}}"#, vec!["x".repeat(30); count].join("\",\""));
    assert!(parse(&symbols(100)).is_ok());
    check_invalid(&symbols(101), "ticks", &[("ticks", "Too many items: 101/100.")]);
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        let _ = parse(&text);
    }

    /// Whatever is refused is answered with JSON that has the request in it, and so is whatever is accepted.
    #[test]
    fn odd_requests_are_answered_in_json(
        method in proptest::sample::select(vec!["ping", "ticks", "ticks_history", "forget", "forget_all", "buy", "\\ud800"]),
        value in proptest::sample::select(vec!["1", "\"R_50\"", "[\"a\"]", "{\"\\\"\":[ ]}", "null", "\"\\u0000\"", "-1e9"]),
        key in proptest::sample::select(vec!["end", "req_id", "passthrough", "x\\n\\\"", "subscribe"]),
        other in proptest::sample::select(vec!["1", "\"latest\"", "{}", "[ 1, 2 ]", "\"\\\\\""]),
    ) {
        let text = format!(r#"{{ "{method}" : {value}, "{key}":{other} }}"#);
        let mut out = Vec::new();
        let echo = match parse(&text) {
            Ok(request) => {
                super::reply::ping(&request.echo, &mut out);
                request.echo
            }
            Err(refusal) => {
                super::reply::error(Some(&refusal.echo), refusal.msg_type, &refusal.reject, &mut out);
                refusal.echo
            }
        };
        serde_json::from_slice::<serde::de::IgnoredAny>(&out).unwrap();
        prop_assert!(out.windows(echo.text.len()).any(|part| part == echo.text.as_bytes()));
    }
}
