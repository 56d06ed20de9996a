use proptest::prelude::*;

use super::*;

fn check(stream: &str, payload: &str, expected: Option<Mark>) {
    let rule = Rule::of(stream, Numbers::Dense);
    assert_eq!(rule.read(payload.as_bytes()), expected, "{stream} {rule:?} {payload}");
}

fn span(from: u64, to: u64, is_counted: bool) -> Option<Mark> {
    Some(Mark::Span { from, to, is_counted, is_snapshot: false })
}

#[test]
fn names_have_their_rules() {
    let check = |stream, rule| assert_eq!(Rule::of(stream, Numbers::Dense), rule, "{stream}");
    check("btcusdt@trade", Rule::Follows("t"));
    check("btcusdt@aggTrade", Rule::Follows("a"));
    check("btcusdt@depth", Rule::Chain);
    check("btcusdt@depth@100ms", Rule::Chain);
    check("btcusdt@depth20@100ms", Rule::Newest(["lastUpdateId", "u"]));
    check("btcusdt@book", Rule::Book);
    check("btcusdt@bookTicker", Rule::Newest(["u", "u"]));
    check("btcusdt@ticker", Rule::Timed);
    check("btcusdt@ticker_1h", Rule::Timed);
    check("btcusdt@markPrice@1s", Rule::Timed);
    check("btcusdt@kline_1m", Rule::Candles);
    check("btcusdt_perpetual@continuousKline_1m", Rule::Candles);
    check("!ticker@arr", Rule::Rows);
    check("!markPrice@arr@1s", Rule::Rows);
    check("!bookTicker", Rule::Free);
    check("r_100@tick", Rule::Free);
    check("btcusdt@forceOrder", Rule::Free);
    check("nonsense", Rule::Free);
    assert_eq!(Rule::of("btcusdt@trade", Numbers::Sparse), Rule::Rises("t"));
    assert_eq!(Rule::of("btcusdt@aggTrade", Numbers::Sparse), Rule::Follows("a"));
}

#[test]
fn frames_say_where_they_stand() {
    check("x@trade", r#"{"e":"trade","E":5,"s":"X","t":12345,"p":"1"}"#, span(12345, 12345, true));
    check("x@aggTrade", r#"{"e":"aggTrade","E":5,"a":7,"f":1,"l":2}"#, span(7, 7, true));
    check("x@depth", r#"{"e":"depthUpdate","E":5,"s":"X","U":157,"u":160,"b":[],"a":[]}"#, span(157, 160, true));
    let futures = r#"{"e":"depthUpdate","E":5,"T":4,"s":"X","U":157,"u":160,"pu":149,"b":[["1","2"]],"a":[]}"#;
    check("x@depth@100ms", futures, span(150, 160, false));
    check("x@depth5", r#"{"lastUpdateId":160,"bids":[["1","2"]],"asks":[]}"#, Some(Mark::Number(160)));
    check("x@depth5", r#"{"e":"depthUpdate","U":1,"u":160,"b":[]}"#, Some(Mark::Number(160)));
    check("x@bookTicker", r#"{"u":400900217,"s":"X","b":"1"}"#, Some(Mark::Number(400900217)));
    check("x@ticker", r#"{"e":"24hrTicker","E":9,"s":"X"}"#, Some(Mark::Time(9)));
    check("!ticker@arr", r#" [ {"e":"24hrTicker","E":9,"s":"X"},{"E":10}]"#, Some(Mark::Time(9)));
    check("!ticker@arr", "[]", None);
    let open = r#"{"e":"kline","E":9,"s":"X","k":{"t":60,"x":false}}"#;
    check("x@kline_1m", open, Some(Mark::Candle { time: 9, closed: None }));
    let closed = open.replace("false", "true");
    check("x@kline_1m", &closed, Some(Mark::Candle { time: 9, closed: Some(60) }));
}

#[test]
fn books_have_their_chain() {
    let update = r#"{"e":"bookUpdate","E":1,"s":"X","pu":9,"u":12,"b":[],"a":[]}"#;
    check("x@book", update, span(10, 12, false));
    // A maintenance reset: the chain holds, the number is smaller.
    check("x@book", r#"{"e":"bookUpdate","E":1,"pu":12,"u":3,"b":[]}"#, span(13, 3, false));
    let snapshot = |pu: &str| format!(r#"{{"e":"bookSnapshot","E":1,"s":"X",{pu}"u":12,"b":[],"a":[]}}"#);
    let mark = |from| Some(Mark::Span { from, to: 12, is_counted: false, is_snapshot: true });
    check("x@book", &snapshot(r#""pu":-1,"#), mark(0));
    check("x@book", &snapshot(r#""pu":0,"#), mark(1));
    check("x@book", &snapshot(""), mark(0));
}

/// Keys after arrays, behind long strings and written with escapes are found as well.
#[test]
fn the_order_of_keys_does_not_matter() {
    let levels = vec![r#"["1.0","2.0"]"#; 200].join(",");
    check("x@depth5", &format!(r#"{{"bids":[{levels}],"lastUpdateId":160}}"#), Some(Mark::Number(160)));
    check("x@depth", &format!(r#"{{"b":[{levels}],"U":1,"u":2}}"#), span(1, 2, true));
    check("x@trade", &format!(r#"{{"x":"{}","t":7}}"#, "é".repeat(400)), span(7, 7, true));
    check("x@trade", r#"{"\u0074":7}"#, span(7, 7, true));
    // A number that the end of the first look cuts.
    for length in 490..520 {
        let text = format!(r#"{{"x":"{}","t":1234567890123}}"#, "x".repeat(length));
        check("x@trade", &text, span(1_234_567_890_123, 1_234_567_890_123, true));
    }
}

#[test]
fn what_says_nothing_has_no_place() {
    for payload in
        ["", "null", "[]", "{}", r#"{"t":"7"}"#, r#"{"t":1.5}"#, r#"{"t":-1}"#, r#"{"t":99999999999999999999}"#]
    {
        check("x@trade", payload, None);
    }
    check("x@depth", r#"{"U":5,"u":4}"#, None);
    check("x@depth", r#"{"U":5}"#, None);
    check("x@book", r#"{"pu":5}"#, None);
    check("x@forceOrder", r#"{"t":1,"E":2,"u":3}"#, None);
}

proptest! {
    /// The quick look says what the thorough one says, or nothing.
    #[test]
    fn the_quick_look_agrees(members in proptest::collection::vec(
        ("[tuUEp]|pu|\\\\u0074", r#"-?[1-9][0-9]{0,21}|0|1\.5|2e1|true|null|"[t:,}]{0,4}"|"\\\\"|"\\"t"|\[1\]|\{"t":1\}"#, "[ ]?"), 0..8),
    ) {
        let members: Vec<_> =
            members.iter().map(|(key, value, space)| format!("\"{key}\":{space}{value}{space}")).collect();
        let text = format!("{{{}}}", members.join(","));
        prop_assert!(json::validate(text.as_bytes()).is_ok(), "{text}");
        for enough in 1..3 {
            if let Some(found) = quick(text.as_bytes(), ["u", "U", "pu"], enough) {
                prop_assert_eq!(Some(found), thorough(text.as_bytes(), ["u", "U", "pu"], enough), "{}", text);
            }
            if let Some(found) = quick(text.as_bytes(), ["t"], 1) {
                prop_assert_eq!(Some(found), thorough(text.as_bytes(), ["t"], 1), "{}", text);
            }
        }
    }

    #[test]
    fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in "[\\[{\"tuUpuE:,0-9}]{0,40}") {
        for name in ["x@trade", "x@depth", "x@book", "x@depth5", "x@ticker", "!ticker@arr", "x@kline_1m"] {
            let rule = Rule::of(name, Numbers::Dense);
            let _ = rule.read(&bytes);
            let _ = rule.read(text.as_bytes());
        }
    }
}
