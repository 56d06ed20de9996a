//! Candles, tickers and aggregated trades against the trades they are made of.

use super::*;
use crate::venue::interval::Interval;

const TEN_MINUTES: u64 = 600_000;

/// Trades added up the slow way, from what was emitted.
struct Sum {
    prices: Vec<Decimal>,
    base: Decimal,
    quote: Decimal,
    taker_base: Decimal,
    taker_quote: Decimal,
    ids: Vec<i64>,
}

fn add_up<'a>(trades: impl Iterator<Item = &'a Value>) -> Sum {
    let zero = Decimal::new(0, 0);
    let mut sum =
        Sum { prices: Vec::new(), base: zero, quote: zero, taker_base: zero, taker_quote: zero, ids: Vec::new() };
    for trade in trades {
        let (price, size) = (decimal(&trade["p"]), decimal(&trade["q"]));
        let quote = price.checked_mul(size).unwrap();
        sum.prices.push(price);
        sum.ids.push(integer(trade, "t"));
        sum.base = sum.base.checked_add(size).unwrap();
        sum.quote = sum.quote.checked_add(quote).unwrap();
        if trade["m"] == false {
            sum.taker_base = sum.taker_base.checked_add(size).unwrap();
            sum.taker_quote = sum.taker_quote.checked_add(quote).unwrap();
        }
    }
    sum
}

fn assert_is_sum(kline: &Value, sum: &Sum) {
    assert_eq!(decimal(&kline["o"]), sum.prices[0]);
    assert_eq!(decimal(&kline["c"]), *sum.prices.last().unwrap());
    assert_eq!(decimal(&kline["h"]), *sum.prices.iter().max().unwrap());
    assert_eq!(decimal(&kline["l"]), *sum.prices.iter().min().unwrap());
    let sums = [("v", sum.base), ("q", sum.quote), ("V", sum.taker_base), ("Q", sum.taker_quote)];
    for (key, value) in sums {
        assert_eq!(decimal(&kline[key]), value, "{key} of {kline}");
    }
    assert_eq!(integer(kline, "n"), sum.ids.len() as i64);
    assert_eq!((integer(kline, "f"), integer(kline, "L")), (sum.ids[0], *sum.ids.last().unwrap()));
}

fn jsons(frames: &[Frame], name: &str) -> Vec<Value> {
    of(frames, name).into_iter().map(Frame::json).collect()
}

/// Candles of buckets that opened after the start equal the emitted trades: the closed ones all, of the open ones some.
#[test]
fn klines_are_sums_of_emitted_trades() {
    for symbol in ["btcusdt", "shibusdt"] {
        let kinds = ["trade", "kline_1m", "kline_3m", "kline_5m"];
        let names = kinds.map(|kind| format!("{symbol}@{kind}"));
        let frames = record(21, START, &names.each_ref().map(String::as_str), TEN_MINUTES);
        let trades = jsons(&frames, &names[0]);
        for name in &names[1..] {
            let mut checked = 0;
            for (index, frame) in jsons(&frames, name).iter().enumerate() {
                let kline = &frame["k"];
                let (open, end) = (integer(kline, "t"), integer(kline, "T"));
                let is_sampled = kline["x"] == true || index % 16 == 0;
                if open < START as i64 || !is_sampled {
                    continue;
                }
                let until = end.min(integer(frame, "E"));
                let from = trades.partition_point(|trade| integer(trade, "T") < open);
                let to = trades.partition_point(|trade| integer(trade, "T") <= until);
                assert_is_sum(kline, &add_up(trades[from..to].iter()));
                checked += 1;
            }
            assert!(checked > 50, "{name}: {checked}");
        }
    }
}

/// Of every interval each bucket closes once, within a second of its end, as the last frame of that bucket, and
/// buckets follow one another. The year turns meanwhile, so all but the weekly candles end.
#[test]
fn buckets_close_once() {
    let new_year = 1_767_225_600_000;
    let names: Vec<String> = INTERVALS.map(|interval| format!("ethusdt@kline_{}", interval.name())).to_vec();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let frames = record(22, new_year - 90_000, &names, 240_000);
    for (name, interval) in names.iter().zip(INTERVALS) {
        let frames = of(&frames, name);
        let mut expected = interval.bucket((new_year - 90_000) as i64);
        let mut closes = 0;
        for frame in frames {
            let json = frame.json();
            let (at, kline) = (integer(&json, "E"), &json["k"]);
            assert_eq!((integer(kline, "t"), integer(kline, "T")), (expected.open, expected.end - 1), "{name}");
            assert_eq!(kline["x"] == true, frame.closed);
            assert_eq!(kline["i"], interval.name());
            if frame.closed {
                assert!((expected.end..=expected.end + 1_000).contains(&at), "{name} closes in time");
                expected = interval.bucket(expected.end);
                closes += 1;
            }
        }
        let due = (interval.bucket(new_year as i64 + 149_000).open - expected.open).max(0);
        assert_eq!(due, 0, "{name} has closed what ended");
        let ends_now = interval.bucket(new_year as i64).open == new_year as i64;
        assert_eq!(closes > 0, ends_now, "{name}");
    }
}

/// A candle that opened before the start is that of one who watched from its opening.
#[test]
fn late_watchers_see_the_same_candle() {
    let open = START - START % 3_600_000;
    let early = record(23, open - 1_000, &["bnbusdt@kline_1h"], 3_700_000);
    let late = record(23, open + 3_500_000, &["bnbusdt@kline_1h"], 199_000);
    let close = |frames: &[Frame]| {
        let closed: Vec<Frame> = frames.iter().filter(|frame| frame.closed).cloned().collect();
        closed.last().unwrap().clone()
    };
    assert_eq!(close(&early), close(&late));
    assert_eq!(late.last(), early.last());
}

/// Ids of trades and aggregates leave no gap, across minutes and runs of patterns, and a restart goes on where it was.
#[test]
fn ids_are_consecutive() {
    let names = ["dotusdt@trade", "dotusdt@aggTrade"];
    let run = 64 * 60_000;
    let start = START - START % run + run - 60_000;
    let mut frames = record(24, start, &names, 120_000);
    frames.extend(record(24, start + 120_000, &names, 30_000));
    let ids: Vec<i64> = of(&frames, names[0]).iter().map(|frame| frame.integer("t")).collect();
    assert!(ids.len() > 300 && ids.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    let ids: Vec<i64> = of(&frames, names[1]).iter().map(|frame| frame.integer("a")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]));
}

/// An aggregate is exactly the trades of one time, price and side, and no two neighbours could have been one.
#[test]
fn aggregates_are_sums_of_trades() {
    let names = ["xrpusdt@trade", "xrpusdt@aggTrade"];
    let frames = record(25, START, &names, 120_000);
    let (trades, aggregates) = (jsons(&frames, names[0]), jsons(&frames, names[1]));
    let mut rest = &trades[..];
    let key = |json: &Value| (json["T"].clone(), json["p"].clone(), json["m"].clone());
    for aggregate in &aggregates {
        let count = (integer(aggregate, "l") - integer(aggregate, "f") + 1) as usize;
        let (own, later) = rest.split_at(count);
        rest = later;
        let sum = add_up(own.iter());
        assert_eq!((sum.ids[0], sum.base), (integer(aggregate, "f"), decimal(&aggregate["q"])));
        assert!(own.iter().all(|trade| key(trade) == key(aggregate)));
        assert!(later.first().is_none_or(|trade| key(trade) != key(aggregate)));
    }
    assert!(rest.is_empty() && aggregates.len() < trades.len());
}

/// At least two trades a second, of every symbol.
#[test]
fn trades_are_frequent() {
    for instrument in &INSTRUMENTS {
        let name = format!("{}@trade", instrument.name);
        assert!(record(26, START, &[&name], 10_000).len() >= 20, "{name}");
    }
}

/// The ticker moves with the trades, and its numbers fit one another.
#[test]
fn tickers_follow_trades() {
    let names = ["linkusdt@trade", "linkusdt@ticker", "linkusdt@miniTicker", "!ticker@arr"];
    let frames = record(27, START, &names, 90_000);
    let trades = jsons(&frames, names[0]);
    let tickers = jsons(&frames, names[1]);
    assert!(tickers.len() >= 90);
    for (ticker, mini) in tickers.iter().zip(jsons(&frames, names[2])) {
        for key in ["E", "s", "c", "o", "h", "l", "v", "q"] {
            assert_eq!(ticker[key], mini[key]);
        }
        let at = integer(ticker, "E");
        if let Some(last) = trades.iter().rfind(|trade| integer(trade, "T") <= at) {
            assert_eq!((&ticker["c"], &ticker["Q"], &ticker["L"]), (&last["p"], &last["q"], &last["t"]));
        }
        assert_eq!(integer(ticker, "C"), at);
        assert_eq!(integer(ticker, "C") - integer(ticker, "O"), 86_400_000);
        assert_eq!(integer(ticker, "L") - integer(ticker, "F") + 1, integer(ticker, "n"));
        let [open, high, low, close] = ["o", "h", "l", "c"].map(|key| decimal(&ticker[key]));
        assert!(low <= open.min(close) && high >= open.max(close));
        assert_eq!(decimal(&ticker["p"]).checked_add(open).unwrap(), close);
        let percent = decimal(&ticker["p"]).checked_mul(Decimal::new(100, 0)).unwrap().checked_div(open, 3).unwrap();
        assert_eq!(ticker["P"], percent.to_string());
        let average = decimal(&ticker["q"]).checked_div(decimal(&ticker["v"]), 8).unwrap();
        assert_eq!(ticker["w"], average.to_string());
        assert!(low <= average && average <= high);
    }
    let rows: Vec<usize> = jsons(&frames, names[3]).iter().map(|board| board.as_array().unwrap().len()).collect();
    assert!(rows.len() >= 90);
    assert_eq!(rows[0], 20, "the first frame has everybody");
    assert!(rows[2..].iter().all(|&count| count == 20), "everybody trades within a second");
}

/// The ticker's window at its edge: volume lost and won between two frames is that of the trades that left and came.
#[test]
fn window_slides_by_trades() {
    let day = 86_400_000;
    let old = record(28, START - day - 2_000, &["btcusdt@trade"], 70_000);
    let new = record(28, START - 2_000, &["btcusdt@trade", "btcusdt@ticker"], 70_000);
    let (old, new, tickers) =
        (jsons(&old, "btcusdt@trade"), jsons(&new, "btcusdt@trade"), jsons(&new, "btcusdt@ticker"));
    for pair in tickers.windows(2) {
        let [from, to] = [&pair[0], &pair[1]].map(|ticker| integer(ticker, "E"));
        let left = add_up(old.iter().filter(|trade| (from..to).contains(&(integer(trade, "T") + day as i64))));
        let came = add_up(new.iter().filter(|trade| (from + 1..=to).contains(&integer(trade, "T"))));
        let before = decimal(&pair[0]["q"]).checked_add(came.quote).unwrap();
        assert_eq!(decimal(&pair[1]["q"]).checked_add(left.quote).unwrap(), before);
        assert_eq!(integer(&pair[1], "n"), integer(&pair[0], "n") + came.ids.len() as i64 - left.ids.len() as i64);
    }
}

/// Months are sums of minutes as well: a candle of the long intervals grows by exactly the trades that come.
#[test]
fn long_candles_grow_by_trades() {
    let names = ["btcusdt@trade", "btcusdt@kline_1M", "btcusdt@kline_1w", "btcusdt@kline_3d"];
    let frames = record(29, START, &names, 30_000);
    let trades = jsons(&frames, names[0]);
    for name in &names[1..] {
        for pair in jsons(&frames, name).windows(2) {
            let [from, to] = [&pair[0], &pair[1]].map(|frame| integer(frame, "E"));
            let came = add_up(trades.iter().filter(|trade| (from + 1..=to).contains(&integer(trade, "T"))));
            assert_eq!(
                decimal(&pair[0]["k"]["v"]).checked_add(came.base).unwrap(),
                decimal(&pair[1]["k"]["v"]),
                "{name}"
            );
        }
    }
    assert_eq!(Interval::parse("1M").unwrap().bucket(START as i64).open, 1_764_547_200_000);
}
