//! Books, their streams, and the trades that hit them.

use super::*;
use std::collections::BTreeMap;

const MINUTE: u64 = 60_000;

type Side = BTreeMap<Decimal, Decimal>;

fn levels(json: &Value, key: &str) -> Vec<(Decimal, Decimal)> {
    let pair = |level: &Value| (decimal(&level[0]), decimal(&level[1]));
    json[key].as_array().unwrap().iter().map(pair).collect()
}

fn apply(side: &mut Side, changes: Vec<(Decimal, Decimal)>) {
    for (price, size) in changes {
        if size.units() == 0 {
            side.remove(&price);
        } else {
            side.insert(price, size);
        }
    }
}

/// Frames chain, are full, sorted and apart, have no empty level, and come only when something changed.
#[test]
fn partial_depth_is_a_book() {
    for (symbol, step) in [("btcusdt", 100), ("solusdt", 250), ("shibusdt", 500)] {
        for count in [5, 10, 20] {
            let name = format!("{symbol}@depth{count}@{step}ms");
            let frames = record(31, START, &[&name], MINUTE);
            assert!(frames.len() as u64 > MINUTE / step / 2, "{name}: {}", frames.len());
            let mut before: Option<Value> = None;
            for frame in frames.iter().map(Frame::json) {
                let (bids, asks) = (levels(&frame, "b"), levels(&frame, "a"));
                assert_eq!((bids.len(), asks.len()), (count, count));
                assert!(bids.is_sorted_by(|left, right| left.0 > right.0));
                assert!(asks.is_sorted_by(|left, right| left.0 < right.0));
                assert!(bids[0].0 < asks[0].0, "{frame}");
                assert!(bids.iter().chain(&asks).all(|level| level.1.units() > 0));
                match &before {
                    None => assert_eq!(frame["U"], frame["u"]),
                    Some(before) => {
                        assert_eq!(integer(&frame, "U"), integer(before, "u") + 1);
                        assert!(integer(&frame, "U") <= integer(&frame, "u"));
                        assert!((&before["b"], &before["a"]) != (&frame["b"], &frame["a"]), "{name}");
                    }
                }
                before = Some(frame);
            }
        }
    }
}

/// Whoever takes a snapshot at any moment, drops the changes it covers and applies those that follow (binance.md
/// section 7) holds the book: its top is that of every depth frame.
#[test]
fn diffs_rebuild_the_book() {
    for symbol in ["btcusdt", "uniusdt", "dogeusdt"] {
        for speed in ["", "@100ms", "@250ms", "@500ms"] {
            let diff = format!("{symbol}@depth{speed}");
            let partial = format!("{symbol}@depth20@100ms");
            let snapshot_at = START + 7_777;
            let mut sim = Sim::new(32, Fields::Document, START);
            let snapshot = sim.depth(symbol, snapshot_at).unwrap();
            let snapshot: Value = serde_json::from_slice(&snapshot).unwrap();
            let snapshot_id = integer(&snapshot, "lastUpdateId");
            assert!((0..500).contains(&(snapshot_at as i64 - snapshot_id)));
            let mut bids: Side = levels(&snapshot, "bids").into_iter().collect();
            let mut asks: Side = levels(&snapshot, "asks").into_iter().collect();
            let mut last = snapshot_id;
            let mut compared = 0;
            for frame in record(32, START, &[&diff, &partial], MINUTE) {
                let json = frame.json();
                let (first, id) = (integer(&json, "U"), integer(&json, "u"));
                if id <= snapshot_id {
                    continue;
                }
                if frame.name == diff {
                    assert_eq!(integer(&json, "pu") + 1, first);
                    assert_eq!(first, last + 1, "no change lies on both sides of a snapshot");
                    apply(&mut bids, levels(&json, "b"));
                    apply(&mut asks, levels(&json, "a"));
                    last = id;
                } else if last == id {
                    let own = |(price, size): (&Decimal, &Decimal)| (*price, *size);
                    let best_bids: Vec<_> = bids.iter().rev().map(own).take(20).collect();
                    let best_asks: Vec<_> = asks.iter().map(own).take(20).collect();
                    assert_eq!(best_bids, levels(&json, "b"), "{diff} at {id}");
                    assert_eq!(best_asks, levels(&json, "a"), "{diff} at {id}");
                    assert_eq!((bids.len(), asks.len()), (50, 50));
                    compared += 1;
                }
            }
            assert!(compared > 50, "{diff}: {compared}");
        }
    }
}

/// The best bid and ask are the same in every stream, and every trade happens at one of them, before and after.
#[test]
fn tops_agree_and_trades_hit_them() {
    for symbol in ["btcusdt", "aptusdt", "shibusdt", "trxusdt"] {
        let names = ["bookTicker", "depth5@100ms", "trade", "ticker"].map(|kind| format!("{symbol}@{kind}"));
        let frames = record(33, START, &names.each_ref().map(String::as_str), 2 * MINUTE);
        let mut top: Option<Value> = None;
        let mut moves = 0;
        for (index, frame) in frames.iter().enumerate() {
            let json = frame.json();
            if frame.name == names[0] {
                assert!(top.as_ref().is_none_or(|top| integer(top, "u") < integer(&json, "u")));
                moves += usize::from(top.as_ref().is_some_and(|top| top["b"] != json["b"]));
                top = Some(json);
                continue;
            }
            let Some(top) = &top else { continue };
            if frame.name == names[1] {
                // At one moment the trade's bookTicker comes with the trade, before the timers.
                assert_eq!(json["b"][0], serde_json::json!([top["b"], top["B"]]), "{index}");
                assert_eq!(json["a"][0], serde_json::json!([top["a"], top["A"]]), "{index}");
            } else if frame.name == names[2] {
                let side = if json["m"] == true { "b" } else { "a" };
                assert_eq!(json["p"], top[side], "a taker hits the other side's best price");
            } else {
                for key in ["b", "B", "a", "A"] {
                    assert_eq!(json[key], top[key]);
                }
            }
        }
        assert!(moves > 2, "{symbol}: the price moves");
    }
}

/// Mark and index stay near the market, and funding comes every eight hours.
#[test]
fn mark_prices() {
    let names = ["ethusdt@markPrice", "ethusdt@markPrice@1s", "ethusdt@bookTicker"];
    let frames = record(34, START, &names, MINUTE);
    assert_eq!((of(&frames, names[0]).len(), of(&frames, names[1]).len()), (21, 61));
    let bid = decimal(&of(&frames, names[2])[0].json()["b"]);
    for frame in of(&frames, names[1]) {
        let json = frame.json();
        assert_eq!(integer(&json, "T"), 1_765_238_400_000);
        for key in ["p", "i"] {
            let ratio = decimal(&json[key]).checked_div(bid, 2).unwrap();
            assert_eq!(ratio.to_string(), "1.00");
        }
        assert_eq!(decimal(&json["r"]).scale(), 8);
    }
}
