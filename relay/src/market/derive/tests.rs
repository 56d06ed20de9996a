//! Whatever a venue says, and whatever the clock does: no product ends, and all of them say JSON.

use proptest::prelude::*;

use super::said::{Bench, START_MS};

/// Of each product its native streams and what it makes.
const PRODUCTS: &[(&str, &[&str])] = &[
    ("x@depth@100ms x@snapshot", &["x@depth5@100ms", "x@depth20", "x@bookTicker"]),
    ("x@book", &["x@depth10@500ms", "x@bookTicker"]),
    ("x@depth20@100ms", &["x@depth5@250ms", "x@bookTicker"]),
    ("x@depth@100ms", &["x@depth", "x@depth@500ms"]),
    ("x@ticker", &["x@miniTicker"]),
    ("x@ticker y@ticker", &["!ticker@arr"]),
    ("x@trade", &["x@kline_1s", "x@kline_1m", "x@kline_1w", "x@kline_1M"]),
    ("x@kline_1m", &["x@kline_3m", "x@kline_1w", "x@kline_1M"]),
    ("x@markPrice@1s", &["x@markPrice"]),
];

/// Numbers at their ends, as well as some that are near each other.
fn integer() -> impl Strategy<Value = i64> {
    let ends = [0, 1, -1, i64::MAX, i64::MIN, START_MS as i64 * 1_000, 253_402_300_799_999];
    prop_oneof![prop::sample::select(ends.to_vec()), -3i64..40, START_MS as i64..START_MS as i64 + 200_000]
}

fn decimal() -> impl Strategy<Value = String> {
    prop_oneof!["-?[0-9]{1,3}(\\.[0-9]{0,3})?", "[0-9]{30,40}", Just("0".to_owned()), "\\PC{0,4}"]
}

fn levels() -> impl Strategy<Value = String> {
    let level = (decimal(), decimal()).prop_map(|(price, quantity)| format!(r#"["{price}","{quantity}"]"#));
    prop::collection::vec(level, 0..4).prop_map(|levels| format!("[{}]", levels.join(",")))
}

/// A message of some stream, with any numbers; or none at all.
fn message() -> impl Strategy<Value = String> {
    let kinds = ["trade", "aggTrade", "depthUpdate", "bookSnapshot", "bookUpdate", "24hrTicker", "markPriceUpdate"];
    let keys = ["E", "T", "U", "u", "pu", "t", "f", "l", "n", "lastUpdateId"];
    let integers = prop::collection::vec(integer(), keys.len()).prop_map(move |values| {
        keys.iter().zip(values).map(|(key, value)| format!(r#","{key}":{value}"#)).collect::<String>()
    });
    let texts = prop::collection::vec(decimal(), 7).prop_map(|values| {
        ["p", "q", "c", "o", "h", "v", "P"]
            .iter()
            .zip(values)
            .map(|(key, value)| format!(r#","{key}":"{value}""#))
            .collect::<String>()
    });
    let flat = (prop::sample::select(kinds.to_vec()), integers, texts, levels(), levels(), any::<bool>()).prop_map(
        |(kind, integers, texts, bids, asks, flag)| {
            format!(
                r#"{{"e":"{kind}","s":"X"{integers}{texts},"m":{flag},"l":"1","b":{bids},"a":{asks},"bids":{bids},"asks":{asks}}}"#
            )
        },
    );
    let kline = (integer(), prop::collection::vec(decimal(), 6), integer(), any::<bool>(), 0i64..6).prop_map(
        |(open, texts, count, is_closed, minute)| {
            let open = if minute < 5 { START_MS as i64 + minute * 60_000 } else { open };
            let [o, h, l, c, v, q] = &texts[..] else { unreachable!("six were asked for") };
            format!(
                r#"{{"e":"kline","E":1,"s":"X","k":{{"t":{open},"f":{count},"L":{count},"o":"{o}","h":"{h}","l":"{l}","c":"{c}","v":"{v}","q":"{q}","n":{count},"x":{is_closed}}}}}"#
            )
        },
    );
    prop_oneof![4 => flat, 2 => kline, 1 => "\\PC{0,30}"]
}

proptest! {
    #[test]
    fn no_message_is_too_strange(
        product in prop::sample::select(PRODUCTS.to_vec()),
        steps in prop::collection::vec((message(), 0u64..5_000, 0u8..20, any::<prop::sample::Index>()), 1..40),
    ) {
        let (native, topics) = product;
        let mut bench = Bench::new(native, topics);
        let natives: Vec<&str> = native.split(' ').collect();
        let mut said = Vec::new();
        for (message, pass_ms, step, index) in steps {
            let (source, topic) = (index.get(&natives), index.get(topics));
            match step {
                0 => bench.lose(source),
                1 => bench.product.interrupt(source),
                2 => bench.unwant(topic),
                3 => bench.want(topic),
                4 => bench.now_ms -= 100_000,
                5 => bench.now_ms += 100_000_000,
                _ => drop(bench.tell(source, &message, step == 6)),
            }
            let end_ms = bench.now_ms + pass_ms;
            said.extend(bench.until(end_ms));
        }
        for line in said {
            let (_, frame) = line.split_once(' ').unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(frame).is_ok(), "{line}");
        }
    }
}
