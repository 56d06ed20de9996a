//! The payloads of the pages, and what is none.

use proptest::prelude::*;

use super::*;
use crate::market::event::Tick;

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../testdata/", $path))
    };
}

/// What a stream of a fixture says, compared by the caller.
fn check(fixture: &str, stream: &str, compare: impl FnOnce(Event<'_>)) {
    let document: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let streams = document.get("streams").unwrap_or(&document);
    let payload = streams[stream].to_string();
    compare(decode(stream, payload.as_bytes()).unwrap_or_else(|| panic!("{stream}: {payload}")));
}

fn check_text(stream: &str, payload: &str, expected: Option<Event<'_>>) {
    assert_eq!(decode(stream, payload.as_bytes()), expected, "{stream}: {payload}");
}

#[test]
fn trades_of_either_venue() {
    let expected = Trade { price: "50000.00", quantity: "0.100", time_ms: 1672515782100 };
    check(fixture!("bitzoom/payloads.json"), "btcusdt@trade", |event| assert_eq!(event, Event::Trade(expected)));
    let expected = Trade { price: "50000.00", quantity: "0.300", time_ms: 1672515782100 };
    check(fixture!("bitzoom/payloads.json"), "btcusdt@aggTrade", |event| assert_eq!(event, Event::Trade(expected)));
    let expected = Trade { price: "42150.50000000", quantity: "0.00215000", time_ms: 1765211445000 };
    check(fixture!("binance/payloads_spot.json"), "btcusdt@trade", |event| assert_eq!(event, Event::Trade(expected)));
    let expected = Trade { price: "42150.50", quantity: "0.121", time_ms: 1765211444995 };
    check(fixture!("binance/payloads_usdm.json"), "btcusdt@aggTrade", |event| {
        assert_eq!(event, Event::Trade(expected));
    });
}

#[test]
fn tickers_say_as_much_as_their_venue_does() {
    let mini = Ticker {
        symbol: "BTCUSDT",
        time_ms: 1672515782136,
        last: "50000.00",
        open: "49500.00",
        high: "51000.00",
        low: "49000.00",
        volume: "10000.000",
        quote_volume: "495000000.00",
        ..Ticker::default()
    };
    let whole = Ticker {
        change: Some("500.00"),
        change_percent: Some("1.02"),
        weighted_average: Some("49500.00"),
        last_quantity: Some("0.500"),
        open_time: Some("1672429382136"),
        close_time: Some("1672515782136"),
        first_trade: Some("100"),
        last_trade: Some("200"),
        trades: Some("101"),
        ..mini
    };
    check(fixture!("bitzoom/payloads.json"), "btcusdt@miniTicker", |event| assert_eq!(event, Event::Ticker(mini)));
    check(fixture!("bitzoom/payloads.json"), "btcusdt@ticker", |event| assert_eq!(event, Event::Ticker(whole)));
    check(fixture!("binance/payloads_spot.json"), "btcusdt@ticker", |event| {
        let Event::Ticker(ticker) = event else { panic!("{event:?}") };
        assert_eq!((ticker.previous_close, ticker.bid), (Some("41142.94000000"), Some("42150.49000000")));
        assert_eq!((ticker.ask, ticker.ask_quantity), (Some("42150.50000000"), Some("0.54020000")));
    });
}

#[test]
fn tops_with_and_without_a_time() {
    let spot = Top {
        bid: "42150.49000000",
        bid_quantity: "1.20310000",
        ask: "42150.50000000",
        ask_quantity: "0.54020000",
        time_ms: 0,
    };
    check(fixture!("binance/payloads_spot.json"), "btcusdt@bookTicker", |event| assert_eq!(event, Event::Top(spot)));
    let usdm =
        Top { bid: "42150.40", bid_quantity: "2.110", ask: "42150.50", ask_quantity: "0.540", time_ms: 1765211445000 };
    check(fixture!("binance/payloads_usdm.json"), "btcusdt@bookTicker", |event| assert_eq!(event, Event::Top(usdm)));
}

#[test]
fn books_in_both_shapes() {
    let bitzoom = Book {
        symbol: "BTCUSDT",
        last_update: "160",
        bids: r#"[["49990.00","1.500"],["49980.00","2.300"]]"#,
        asks: r#"[["50000.00","0.800"],["50010.00","1.200"]]"#,
        time_ms: 1672515782136,
    };
    check(fixture!("bitzoom/payloads.json"), "btcusdt@depth10@100ms", |event| assert_eq!(event, Event::Book(bitzoom)));
    check(fixture!("binance/payloads_spot.json"), "btcusdt@depth5", |event| {
        let Event::Book(book) = event else { panic!("{event:?}") };
        assert_eq!((book.symbol, book.last_update, book.time_ms), ("btcusdt", "160", 0));
        assert!(book.bids.starts_with(r#"[["42150.49000000","1.20310000"],"#), "{}", book.bids);
        assert!(book.asks.starts_with(r#"[["42150.50000000","0.54020000"],"#), "{}", book.asks);
    });
    let empty = Book { symbol: "x", last_update: "1", bids: "[]", asks: "[]", time_ms: 0 };
    check_text("x@depth5", r#"{"lastUpdateId":1,"bids":[],"asks":[]}"#, Some(Event::Book(empty)));
}

#[test]
fn ticks_and_documents() {
    let payload = r#"{"e":"tick","E":1765211445000,"s":"R_100","p":"1558.59","b":"1558.47","a":"1558.71","d":2}"#;
    let tick =
        Tick { symbol: "R_100", quote: "1558.59", bid: "1558.47", ask: "1558.71", time_ms: 1765211445000, pip_size: 2 };
    check_text("r_100@tick", payload, Some(Event::Tick(tick)));
    check_text("coingecko@global", " {\"data\":{}}\n", Some(Event::Document("{\"data\":{}}")));
    check_text("coingecko@top", "[1,2", None);
}

/// Numbers keep their text and may come without quotes; keys may come in any order, and strange ones are no matter.
#[test]
fn form_is_free_and_text_is_kept() {
    let trade = Trade { price: "0.00001850", quantity: "12", time_ms: 7 };
    check_text("shibusdt@trade", r#" { "q" : 12 , "x":[{}], "p":"0.00001850","E":7 } "#, Some(Event::Trade(trade)));
    check_text("a@trade", r#"{"p":"9","p":"0.00001850","q":"12","E":1,"T":7}"#, Some(Event::Trade(trade)));
    check_text("a@trade", r#"{"e":null,"p":"0.00001850","q":"12","E":7,"T":null}"#, Some(Event::Trade(trade)));
}

#[test]
fn what_is_malformed_is_no_event() {
    for price in ["", "-", "1e5", "1.", ".5", "007", "NaN", "1,\\\"x\\\":2", "+1", " 1", "٣", "\\u0031"] {
        check_text("a@trade", &format!(r#"{{"p":"{price}","q":"1","T":1}}"#), None);
    }
    for payload in [
        "",
        "[]",
        "null",
        "{",
        "{}",
        r#"{"p":"1","q":"1","T":1"#,
        r#"{"p":"1","q":"1","T":1} x"#,
        r#"{"p":"1","q":"1","T":-1}"#,
        r#"{"p":"1","q":"1","T":"1"}"#,
        r#"{"p":"1","q":"1","T":1.5}"#,
        r#"{"p":"1","q":"1"}"#,
        r#"{"p":"1","T":1}"#,
        r#"{"p":1e5,"q":"1","T":1}"#,
        r#"{"p":["1"],"q":"1","T":1}"#,
        r#"{"e":"aggTrade","p":"1","q":"1","T":1}"#,
        r#"{"e":7,"p":"1","q":"1","T":1}"#,
    ] {
        check_text("a@trade", payload, None);
    }
    for levels in ["null", "1", "{}", "[1]", "[[]]", r#"[["1"]]"#, r#"[["1","x"]]"#, r#"[["1","2"],3]"#] {
        check_text("a@depth5", &format!(r#"{{"lastUpdateId":1,"bids":{levels},"asks":[]}}"#), None);
    }
    check_text("a@ticker", r#"{"E":1,"s":"A","c":"1","o":"1","h":"1","l":"1","v":"1","q":"1","x":"?"}"#, None);
    check_text("r_10@tick", r#"{"E":1,"s":"R_10","p":"1","b":"1","a":"1","d":-1}"#, None);
    assert_eq!(decode("a@trade", b"{\"p\":\"1\",\"q\":\"1\",\"T\":1,\"x\":\"\xff\"}"), None);
}

/// Only what products are made of is decoded; a window of an hour is not the day, a diff not a book.
#[test]
fn other_streams_are_no_events() {
    let trade = r#"{"p":"1","q":"1","T":1}"#;
    for stream in ["", "a", "a@", "a@kline_1m", "a@depth", "a@depth@100ms", "a@ticker_1h", "!ticker@arr", "a@markPrice"]
    {
        check_text(stream, trade, None);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged(
        symbol in "[a-z]{0,3}|coingecko",
        kind in prop::sample::select(vec![
            "trade", "aggTrade", "ticker", "miniTicker", "bookTicker", "depth5", "depth20@100ms", "tick", "global",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        text in "[\\{\\}\\[\\]\":,0-9.epqTEsbaud ]{0,60}",
    ) {
        let stream = format!("{symbol}@{kind}");
        let _ = decode(&stream, &bytes);
        let _ = decode(&stream, text.as_bytes());
    }

    /// A number comes out as it went in, and is one that JSON takes as it is.
    #[test]
    fn numbers_keep_their_digits(price in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?", noise in "[-0-9.eE+]{0,8}") {
        let payload = format!(r#"{{"p":"{price}","q":"{price}","T":1}}"#);
        let trade = Trade { price: &price, quantity: &price, time_ms: 1 };
        prop_assert_eq!(decode("a@trade", payload.as_bytes()), Some(Event::Trade(trade)));
        let payload = format!(r#"{{"p":"{noise}","q":"1","T":1}}"#);
        if decode("a@trade", payload.as_bytes()).is_some() {
            prop_assert!(serde_json::from_str::<serde_json::Number>(&noise).is_ok(), "{}", noise);
        }
    }
}
