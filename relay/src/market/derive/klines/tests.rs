//! Klines of trades: what they add up to, when they close, and when they do not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::market::derive::said::{Bench, START_MS};
use crate::venue::decimal::Decimal;
use crate::venue::interval::Interval;

fn trade(id: u64, price: &str, quantity: &str, time_ms: u64, is_buyer_maker: bool) -> String {
    format!(
        r#"{{"e":"trade","E":{time_ms},"s":"X","t":{id},"p":"{price}","q":"{quantity}","T":{time_ms},"m":{is_buyer_maker},"M":true}}"#
    )
}

/// A trade of then that is said now.
fn late(id: u64, price: &str, time_ms: u64, now_ms: u64) -> String {
    trade(id, price, "1", time_ms, true).replacen(&format!(r#""E":{time_ms}"#), &format!(r#""E":{now_ms}"#), 1)
}

fn bench() -> Bench {
    Bench::new("x@trade", &["x@kline_1m"])
}

/// Says a trade at its own time.
fn say(bench: &mut Bench, id: u64, price: &str, time_ms: u64) -> Vec<String> {
    let said = bench.until(time_ms);
    bench.say("x@trade", &trade(id, price, "1", time_ms, false));
    said
}

/// The candles as JSON, and whose they are.
fn candles(lines: &[String]) -> Vec<(String, Value)> {
    let candle = |line: &String| {
        let (topic, frame) = line.split_once(' ').unwrap();
        let frame: Value = serde_json::from_str(frame).unwrap();
        (topic.to_owned(), frame["k"].clone())
    };
    lines.iter().map(candle).collect()
}

fn closed(lines: &[String]) -> Vec<Value> {
    candles(lines).into_iter().map(|(_, candle)| candle).filter(|candle| candle["x"] == true).collect()
}

#[test]
fn the_vector_adds_up() {
    let vector: Value =
        serde_json::from_str(include_str!("../../../../testdata/normalization/kline_from_trades.json")).unwrap();
    let mut bench = bench();
    let mut said = Vec::new();
    for row in vector["trades"].as_array().unwrap() {
        let time_ms = row["T"].as_u64().unwrap();
        said.extend(bench.until(time_ms));
        let (price, quantity) = (row["p"].as_str().unwrap(), row["q"].as_str().unwrap());
        bench.say("x@trade", &trade(row["t"].as_u64().unwrap(), price, quantity, time_ms, row["taker"] == "sell"));
    }
    said.extend(bench.said());
    let closed = closed(&said);
    assert_eq!(closed.len(), 1, "the one before was joined in its middle");
    for (key, value) in vector["expect_closed_1m"].as_object().unwrap() {
        assert_eq!(closed[0][key], *value, "{key}");
    }
    let last = said.last().unwrap();
    assert_eq!(
        last,
        r#"x@kline_1m {"e":"kline","E":1765211460000,"s":"X","k":{"t":1765211400000,"T":1765211459999,"s":"X","i":"1m","f":501,"L":503,"o":"101.00","c":"100.25","h":"101.00","l":"99.50","v":"3.5","n":3,"x":true,"q":"352.000","V":"1.5","Q":"150.000","B":"0"}}"#
    );
}

/// A second after the end by our clock, or at the first trade of a later bucket, whichever is first; once.
#[test]
fn a_bucket_closes_once() {
    let mut bench = bench();
    say(&mut bench, 1, "5", START_MS + 59_000);
    let end_ms = START_MS + 120_000;
    let open = say(&mut bench, 2, "6.0", START_MS + 61_000);
    assert_eq!(closed(&open), Vec::<Value>::new(), "its start was not witnessed");
    assert_eq!(closed(&bench.until(end_ms + 999)), Vec::<Value>::new());
    bench.say("x@trade", &late(3, "7", end_ms - 1, end_ms + 999));
    let said = closed(&bench.until(end_ms + 1_000));
    assert_eq!((said.len(), &said[0]["c"], &said[0]["n"]), (1, &"7".into(), &2.into()), "late, and still in time");
    bench.say("x@trade", &late(4, "9", end_ms - 1, end_ms + 1_000));
    assert_eq!((bench.said().len(), bench.product.take_skipped()), (0, 1), "too late is counted and left out");
    say(&mut bench, 5, "8", end_ms + 30_000);
    let said = closed(&say(&mut bench, 6, "8", end_ms + 60_000));
    assert_eq!(said, Vec::<Value>::new());
    let said = closed(&bench.said());
    assert_eq!((said.len(), &said[0]["n"]), (1, &1.into()), "at the first trade of the next one");
}

#[test]
fn buckets_without_trades_close_at_the_close_before() {
    let mut bench = bench();
    say(&mut bench, 1, "5.50", START_MS + 1);
    let said = bench.until(START_MS + 181_000);
    let said: Vec<String> = said.into_iter().filter(|line| line.contains(r#""x":true"#)).collect();
    let empty = |minute: u64| {
        let open_ms = START_MS + minute * 60_000;
        format!(
            r#"x@kline_1m {{"e":"kline","E":{},"s":"X","k":{{"t":{open_ms},"T":{},"s":"X","i":"1m","f":-1,"L":-1,"o":"5.50","c":"5.50","h":"5.50","l":"5.50","v":"0","n":0,"x":true,"q":"0.00","V":"0","Q":"0.00","B":"0"}}}}"#,
            open_ms + 61_000,
            open_ms + 59_999
        )
    };
    assert_eq!(said, [empty(1), empty(2)]);
    // Several at once, when a trade leaps over them.
    let mut bench = Bench::new("x@trade", &["x@kline_1s"]);
    bench.say("x@trade", &trade(1, "1", "1", START_MS, true));
    bench.say("x@trade", &trade(2, "1", "1", START_MS + 4_500, true));
    assert_eq!(closed(&bench.said()).len(), 3);
}

/// The venue's clock decides: one that is off, or a recording, closes nothing before its time.
#[test]
fn the_venues_clock_decides() {
    for off_ms in [-5_000, 5_000, 86_400_000_000_i64] {
        let at = |venue_ms: u64| venue_ms.checked_add_signed(off_ms).unwrap();
        let mut bench = bench();
        bench.now_ms = at(START_MS);
        bench.say("x@trade", &trade(1, "5", "1", START_MS + 59_000, true));
        bench.until(at(START_MS + 60_000));
        bench.say("x@trade", &trade(2, "6", "1", START_MS + 60_000, true));
        bench.until(at(START_MS + 119_999));
        bench.say("x@trade", &trade(3, "7", "1", START_MS + 119_999, true));
        assert_eq!(closed(&bench.until(at(START_MS + 120_999))), Vec::<Value>::new());
        let said = closed(&bench.until(at(START_MS + 121_000)));
        assert_eq!((said.len(), &said[0]["n"]), (1, &2.into()), "{off_ms}");
    }
}

/// Of what was missed nothing is said as if it were whole.
#[test]
fn a_bucket_with_a_hole_does_not_close() {
    for loss in [0, 1, 2, 3, 4] {
        let mut bench = bench();
        say(&mut bench, 1, "5", START_MS + 1);
        say(&mut bench, 2, "5", START_MS + 61_000);
        match loss {
            0 => bench.product.interrupt("x@trade"),
            1 => bench.lose("x@trade"),
            2 => assert!(bench.tell("x@trade", r#"{"e":"trade","t":3}"#, false).is_err()),
            3 => assert!(bench.tell("x@trade", &trade(3, "5", "1", START_MS * 1_000, true), false).is_err()),
            _ => assert!(bench.tell("x@trade", &late(3, "5", START_MS + 99_000, START_MS + 61_000), false).is_err()),
        }
        let mut said = say(&mut bench, 4, "6", START_MS + 130_000);
        said.extend(say(&mut bench, 5, "6", START_MS + 200_000));
        assert_eq!(closed(&said), Vec::<Value>::new());
        let said = closed(&bench.until(START_MS + 241_000));
        assert_eq!(said.len(), 1);
        assert_eq!(said[0]["t"], START_MS + 180_000, "the first that was heard from its start");
    }
}

/// While nobody knows whether there were trades, no bucket is said to have had none.
#[test]
fn silence_after_a_loss_is_no_bucket_without_trades() {
    let mut bench = bench();
    say(&mut bench, 1, "5", START_MS + 1);
    assert_eq!(closed(&bench.until(START_MS + 130_000)).len(), 1);
    bench.product.interrupt("x@trade");
    assert_eq!(closed(&bench.until(START_MS + 600_000)), Vec::<Value>::new());
}

/// An interval that comes later begins at its next bucket; the others go on.
#[test]
fn intervals_come_and_go() {
    let mut bench = bench();
    say(&mut bench, 1, "5", START_MS + 1);
    bench.until(START_MS + 30_000);
    bench.want("x@kline_5m");
    say(&mut bench, 2, "6", START_MS + 61_000);
    let said = candles(&bench.until(START_MS + 62_000));
    assert!(said.iter().any(|(topic, candle)| topic == "x@kline_5m" && candle["x"] == false), "{said:?}");
    bench.until(START_MS + 62_000);
    bench.want("x@kline_5m");
    assert_eq!(candles(&bench.until(START_MS + 62_000)).len(), 1, "who comes back gets the present");
    let said = bench.until(START_MS + 601_000);
    let of = |interval: &str| closed(&said).iter().filter(|candle| candle["i"] == interval).count();
    assert_eq!((of("5m"), of("1m")), (1, 9));
    bench.unwant("x@kline_1m");
    bench.unwant("x@kline_5m");
    assert_eq!((bench.sources(), bench.product.due_ms()), (String::new(), u64::MAX));
}

#[test]
fn weeks_and_months_end_where_the_calendar_says() {
    for (interval, open, next) in [
        ("1w", "2025-12-08", "2025-12-15"),
        ("1M", "2024-02-01", "2024-03-01"),
        ("1M", "2025-12-01", "2026-01-01"),
        ("3d", "2025-12-08", "2025-12-11"),
    ] {
        let [open_ms, next_ms] = [open, next].map(|day| day_ms(day) as u64);
        let mut bench = Bench::new("x@trade", &[&format!("x@kline_{interval}")]);
        bench.now_ms = open_ms - 5_000;
        say(&mut bench, 1, "1", open_ms - 1);
        say(&mut bench, 2, "2", open_ms);
        say(&mut bench, 3, "3", next_ms - 1);
        bench.said();
        let said = closed(&say(&mut bench, 4, "4", next_ms));
        assert_eq!(said.len(), 0);
        let said = closed(&bench.said());
        assert_eq!((&said[0]["t"], &said[0]["T"], &said[0]["n"]), (&open_ms.into(), &(next_ms - 1).into(), &2.into()));
    }
}

/// Days since the epoch, counted one by one.
fn day_ms(date: &str) -> i64 {
    let [year, month, day] = [0..4, 5..7, 8..10].map(|part| date[part].parse::<i64>().unwrap());
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = |year| [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i64 = (1970..year).map(|year| lengths(year).iter().sum::<i64>()).sum();
    let months: i64 = lengths(year).iter().take(month as usize - 1).sum();
    (years + months + day - 1) * 86_400_000
}

#[test]
fn aggregated_trades_count_all_of_theirs() {
    let mut bench = Bench::new("x@aggTrade", &["x@kline_1m"]);
    let text = format!(
        r#"{{"e":"aggTrade","E":{START_MS},"s":"X","a":7,"p":"2","q":"3","f":10,"l":14,"T":{START_MS},"m":true}}"#
    );
    bench.say("x@aggTrade", &text);
    let said = candles(&bench.until(START_MS + 250));
    assert_eq!((&said[0].1["f"], &said[0].1["L"], &said[0].1["n"]), (&10.into(), &14.into(), &5.into()));
}

/// A bare price, as a REST source or a Socket.IO venue has it.
fn price(price: &str, time_ms: u64) -> String {
    format!(r#"{{"e":"trade","E":{time_ms},"s":"X","p":"{price}","q":"0","T":{time_ms}}}"#)
}

#[test]
fn bare_prices_have_klines_without_volume() {
    let mut bench = bench();
    bench.say("x@trade", &price("5.50", START_MS + 1));
    for (at_ms, text) in [(60_000, "6.00"), (80_000, "4.25"), (100_000, "5.75")] {
        bench.until(START_MS + at_ms);
        bench.say("x@trade", &price(text, START_MS + at_ms));
    }
    let said = bench.until(START_MS + 121_000);
    let open_ms = START_MS + 60_000;
    let expected = format!(
        r#"x@kline_1m {{"e":"kline","E":{},"s":"X","k":{{"t":{open_ms},"T":{},"s":"X","i":"1m","f":-1,"L":-1,"o":"6.00","c":"5.75","h":"6.00","l":"4.25","v":"0","n":3,"x":true,"q":"0.00","V":"0","Q":"0.00","B":"0"}}}}"#,
        open_ms + 61_000,
        open_ms + 59_999
    );
    assert_eq!(said.iter().filter(|line| line.contains(r#""x":true"#)).collect::<Vec<_>>(), [&expected]);
}

/// Who took is not guessed, and what is there must be sound.
#[test]
fn a_trade_may_lack_its_id_and_its_maker() {
    let [whole, no_maker] = [r#","t":7,"m":false"#, r#","t":7"#].map(|more| {
        let mut bench = bench();
        let text = price("5", START_MS).replace(r#""q":"0""#, &format!(r#""q":"2"{more}"#));
        bench.say("x@trade", &text);
        candles(&bench.until(START_MS + 250)).remove(0).1
    });
    assert_eq!((&whole["V"], &whole["f"], &whole["n"]), (&"2".into(), &7.into(), &1.into()));
    assert_eq!((&no_maker["V"], &no_maker["f"], &no_maker["v"]), (&Value::Null, &7.into(), &"2".into()));
    for more in [r#","t":"x""#, r#","m":1"#, r#","f":1"#] {
        let text = price("5", START_MS).replace(r#""q":"0""#, &format!(r#""q":"0"{more}"#));
        assert!(bench().tell("x@trade", &text, false).is_err(), "{more}");
    }
}

/// Numbers that cannot be computed with leave a hole, and are counted.
#[test]
fn what_cannot_be_computed_is_left_out() {
    let mut bench = bench();
    let nines = "9".repeat(36);
    bench.say("x@trade", &trade(1, &nines, &nines, START_MS, true));
    assert_eq!((bench.product.take_skipped(), bench.until(START_MS + 300_000).len()), (1, 0));
}

/// Id, price in hundredths, quantity, and whether the buyer was the maker.
type Row<'a> = (u64, u32, &'a str, bool);

proptest! {
    /// Closed candles of any interval are what the list of trades adds up to, each once, in order, with no bucket left
    /// out after the first.
    #[test]
    fn as_a_list_would_be(
        trades in prop::collection::vec((0u64..40_000, 1u32..5_000, 0usize..3, any::<bool>()), 2..60),
        interval in prop::sample::select(vec!["1s", "1m", "3m", "5m"]),
    ) {
        let name = format!("x@kline_{interval}");
        let mut bench = Bench::new("x@trade", &[&name]);
        let interval = if interval == "1s" { crate::venue::interval::SECOND } else { Interval::parse(interval).unwrap() };
        let quantities = ["1", "0.50", "0.001"];
        let (mut at_ms, mut said, mut list) = (START_MS, Vec::new(), BTreeMap::<i64, Vec<(u64, u32, &str, bool)>>::new());
        for (id, (gap, price, quantity, is_maker)) in trades.into_iter().enumerate() {
            at_ms += gap;
            said.extend(bench.until(at_ms));
            let price_text = format!("{}.{:02}", price / 100, price % 100);
            bench.say("x@trade", &trade(id as u64, &price_text, quantities[quantity], at_ms, is_maker));
            said.extend(bench.said());
            list.entry(interval.bucket(at_ms as i64).open).or_default().push((id as u64, price, quantities[quantity], is_maker));
        }
        let last_open = interval.bucket(at_ms as i64).open;
        let first_open = *list.keys().next().unwrap();
        let mut expected = Vec::new();
        let mut open = interval.bucket(first_open).end;
        let mut close = list[&first_open].last().unwrap().1;
        while open < last_open {
            let rows = list.get(&open).cloned().unwrap_or_default();
            let sum = |pick: &dyn Fn(&Row<'_>) -> Option<Decimal>| {
                rows.iter().filter_map(pick).fold(Decimal::new(0, 0), |sum, one| sum.checked_add(one).unwrap())
            };
            let quantity = |row: &Row<'_>| Decimal::parse(row.2).unwrap();
            let quote = |row: &Row<'_>| Decimal::new(row.1.into(), 2).checked_mul(quantity(row)).unwrap();
            let prices: Vec<u32> = rows.iter().map(|row| row.1).collect();
            let first = prices.first().copied().unwrap_or(close);
            let (high, low) = (prices.iter().copied().max().unwrap_or(close), prices.iter().copied().min().unwrap_or(close));
            close = prices.last().copied().unwrap_or(close);
            expected.push((
                open,
                [first, high, low, close].map(|price| Decimal::new(price.into(), 2)),
                [
                    sum(&|row| Some(quantity(row))),
                    sum(&|row| Some(quote(row))),
                    sum(&|row| (!row.3).then(|| quantity(row))),
                    sum(&|row| (!row.3).then(|| quote(row))),
                ],
                [
                    rows.len() as i64,
                    rows.first().map_or(-1, |row| row.0 as i64),
                    rows.last().map_or(-1, |row| row.0 as i64),
                ],
            ));
            open = interval.bucket(open).end;
        }
        let number = |candle: &Value, key: &str| Decimal::parse(candle[key].as_str().unwrap()).unwrap();
        let found: Vec<_> = closed(&said).iter().map(|candle| (
            candle["t"].as_i64().unwrap(),
            ["o", "h", "l", "c"].map(|key| number(candle, key)),
            ["v", "q", "V", "Q"].map(|key| number(candle, key)),
            ["n", "f", "L"].map(|key| candle[key].as_i64().unwrap()),
        )).collect();
        // A bucket that ended but a moment ago may be open still.
        let done = expected.len() - usize::from(found.len() < expected.len());
        prop_assert_eq!(&found[..], &expected[..done]);
        let mut before = 0;
        for (_, candle) in candles(&said) {
            let open = candle["t"].as_i64().unwrap();
            prop_assert!(open >= before, "a closed bucket is not opened again");
            before = if candle["x"] == true { open + 1 } else { open };
        }
    }
}
