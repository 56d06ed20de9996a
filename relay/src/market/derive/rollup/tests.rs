//! Longer klines of shorter ones.

use proptest::prelude::*;
use serde_json::Value;

use crate::market::derive::said::{Bench, START_MS};

const MINUTE_MS: u64 = 60_000;

/// A minute of `count` trades that all had the same price.
fn minute(number: u64, price: u64, count: u64, is_closed: bool) -> String {
    let open_ms = START_MS + number * MINUTE_MS;
    let ids = if count == 0 { [-1, -1] } else { [number as i64 * 100, number as i64 * 100 + count as i64 - 1] };
    format!(
        r#"{{"e":"kline","E":1,"s":"X","k":{{"t":{open_ms},"T":{},"s":"X","i":"1m","f":{},"L":{},"o":"{price}.0","c":"{price}.0","h":"{price}.0","l":"{price}.0","v":"{count}.00","n":{count},"x":{is_closed},"q":"{}.000","V":"0.00","Q":"0.000","B":"0"}}}}"#,
        open_ms + MINUTE_MS - 1,
        ids[0],
        ids[1],
        price * count
    )
}

fn bench() -> Bench {
    Bench::new("x@kline_1m x@trade", &["x@kline_5m"])
}

fn candles(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line.split_once(' ').unwrap().1).unwrap()["k"].clone())
        .collect()
}

fn closed(lines: &[String]) -> Vec<Value> {
    candles(lines).into_iter().filter(|candle| candle["x"] == true).collect()
}

#[test]
fn five_minutes_make_one() {
    let mut bench = bench();
    for (number, price) in [(0, 5), (1, 9), (2, 2), (3, 7)] {
        bench.say("x@kline_1m", &minute(number, price, 1, false));
        bench.say("x@kline_1m", &minute(number, price, 2, true));
    }
    bench.say("x@kline_1m", &minute(4, 6, 1, false));
    assert_eq!(closed(&bench.said()), Vec::<Value>::new());
    bench.say("x@kline_1m", &minute(4, 6, 2, true));
    let expected = format!(
        r#"x@kline_5m {{"e":"kline","E":{START_MS},"s":"X","k":{{"t":{START_MS},"T":{},"s":"X","i":"5m","f":0,"L":401,"o":"5.0","c":"6.0","h":"9.0","l":"2.0","v":"10.00","n":10,"x":true,"q":"58.000","V":"0.00","Q":"0.000","B":"0"}}}}"#,
        START_MS + 5 * MINUTE_MS - 1
    );
    assert_eq!(bench.said(), [expected]);
    bench.say("x@kline_1m", &minute(4, 8, 3, true));
    assert_eq!((bench.said().len(), bench.product.take_skipped()), (0, 1), "what closed stays closed");
    bench.say("x@kline_1m", &minute(5, 8, 3, false));
    let next = candles(&bench.said());
    assert_eq!(
        (&next[0]["t"], &next[0]["o"], &next[0]["x"]),
        (&(START_MS + 5 * MINUTE_MS).into(), &"8.0".into(), &false.into())
    );
}

/// A minute without trades has no price of its own.
#[test]
fn empty_minutes_count_for_nothing() {
    let mut bench = bench();
    bench.say("x@kline_1m", &minute(0, 4, 0, true));
    for number in 1..5 {
        bench.say("x@kline_1m", &minute(number, 6, u64::from(number == 2), true));
    }
    let closed = closed(&bench.said());
    assert_eq!(
        (&closed[0]["o"], &closed[0]["l"], &closed[0]["f"], &closed[0]["L"]),
        (&"6.0".into(), &"6.0".into(), &200.into(), &200.into())
    );
    let mut bench = self::bench();
    (0..5).for_each(|number| bench.say("x@kline_1m", &minute(number, 4, 0, true)));
    let closed = self::closed(&bench.said());
    assert_eq!((&closed[0]["o"], &closed[0]["f"], &closed[0]["n"]), (&"4.0".into(), &(-1).into(), &0.into()));
}

/// Joined in its first minute a bucket is whole; joined later, or with a minute missing, it does not close.
#[test]
fn what_was_not_witnessed_does_not_close() {
    let check = |numbers: &[(u64, bool)], expected: usize| {
        let mut bench = bench();
        for (number, is_closed) in numbers {
            bench.say("x@kline_1m", &minute(*number, 1, 1, *is_closed));
        }
        assert_eq!(closed(&bench.said()).len(), expected, "{numbers:?}");
    };
    check(&[(0, true), (1, true), (2, true), (3, true), (4, true)], 1);
    check(&[(1, true), (2, true), (3, true), (4, true)], 0);
    check(&[(0, true), (1, true), (3, true), (4, true)], 0);
    check(&[(0, true), (1, false), (2, true), (3, true), (4, true)], 0);
    check(&[(0, true), (1, true), (2, true), (3, true), (4, false), (5, true)], 0);
    check(&[(3, true), (4, true), (5, true), (6, true), (7, true), (8, true), (9, true)], 1);
    check(&[(0, true), (1, true), (1, true), (0, true), (2, true), (3, true), (4, true)], 1);
}

#[test]
fn months_are_made_of_days() {
    let february = 1_706_745_600_000;
    let day = |number: u64| {
        let open_ms = february + number * 86_400_000;
        minute(0, 3, 1, true).replace(&format!(r#""t":{START_MS}"#), &format!(r#""t":{open_ms}"#))
    };
    let mut bench = Bench::new("x@kline_1d", &["x@kline_1M"]);
    (0..29).for_each(|number| bench.say("x@kline_1d", &day(number)));
    let closed = closed(&bench.said());
    assert_eq!((closed.len(), &closed[0]["T"], &closed[0]["n"]), (1, &1_709_251_199_999_u64.into(), &29.into()));
    let other_zone = day(1).replace(&format!("{}", february + 86_400_000), &format!("{}", february + 57_600_000));
    assert!(bench.tell("x@kline_1d", &other_zone, false).is_err(), "days of another time zone are none");
}

/// The document's klines have fewer keys; what is made of them has none of those either.
#[test]
fn what_a_venue_does_not_say_is_left_out() {
    let mut bench = bench();
    let text = minute(0, 3, 1, false).replace(r#""f":0,"L":0,"#, "").replace(r#","V":"0.00","Q":"0.000","B":"0""#, "");
    bench.say("x@kline_1m", &text);
    let said = bench.said();
    assert!(
        said[0]
            .ends_with(r#""i":"5m","o":"3.0","c":"3.0","h":"3.0","l":"3.0","v":"1.00","n":1,"x":false,"q":"3.000"}}"#),
        "{said:?}"
    );
}

#[test]
fn who_comes_back_gets_the_present() {
    let mut bench = bench();
    bench.say("x@kline_1m", &minute(0, 3, 1, false));
    let said = bench.said();
    bench.want("x@kline_5m");
    assert_eq!(bench.until(START_MS), said);
    bench.lose("x@kline_1m");
    bench.want("x@kline_5m");
    assert_eq!(bench.until(START_MS), Vec::<String>::new());
}

proptest! {
    /// Minutes made of trades make the same five minutes as the trades themselves.
    #[test]
    fn as_the_trades_would(trades in prop::collection::vec((0u64..50_000, 1u32..90, 1u32..9, any::<bool>()), 2..80)) {
        let mut minutes = Bench::new("x@trade", &["x@kline_1m"]);
        let mut direct = Bench::new("x@trade", &["x@kline_5m"]);
        let mut rolled = bench();
        let (mut of_minutes, mut of_trades) = (Vec::new(), Vec::new());
        let mut at_ms = START_MS - 1;
        for (id, (gap, price, quantity, is_maker)) in trades.into_iter().enumerate() {
            at_ms += gap;
            of_minutes.extend(minutes.until(at_ms));
            of_trades.extend(direct.until(at_ms));
            let text = format!(r#"{{"e":"trade","E":{at_ms},"s":"X","t":{id},"p":"{price}.5","q":"0.{quantity}","T":{at_ms},"m":{is_maker}}}"#);
            minutes.say("x@trade", &text);
            direct.say("x@trade", &text);
            of_minutes.extend(minutes.said());
            of_trades.extend(direct.said());
        }
        at_ms += 400_000;
        of_minutes.extend(minutes.until(at_ms));
        of_trades.extend(direct.until(at_ms));
        for line in of_minutes {
            rolled.say("x@kline_1m", line.split_once(' ').unwrap().1);
        }
        prop_assert_eq!(closed(&rolled.said()), closed(&of_trades));
    }
}
