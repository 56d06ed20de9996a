//! Derived streams in the market: what they ask for together, and what is known of their sources.

use super::*;
use crate::market::derive::recipe::{Offers, recipe};

/// A venue of trades, diffs and snapshots of any symbol.
fn market() -> Market {
    let has = |name: &str| ["@trade", "@depth@100ms", "@snapshot"].iter().any(|kind| name.ends_with(kind));
    let recipes = move |name: &str| recipe(name, Offers { has: &has, symbols: &[] });
    let catalog = Catalog::new(Given::default(), Box::new(|_| None)).unwrap();
    Market::new(Arc::new(catalog.with_recipes(Box::new(recipes))))
}

const DIFF: &[u8] = br#"{"e":"depthUpdate","E":5,"s":"X","U":9,"u":10,"b":[],"a":[]}"#;
const GAP: &[u8] = br#"{"e":"depthUpdate","E":5,"s":"X","U":19,"u":20,"b":[],"a":[]}"#;
const SNAPSHOT: &[u8] = br#"{"lastUpdateId":10,"bids":[["1","1"]],"asks":[["2","1"]]}"#;

/// The topics that got something.
fn told(run: impl FnOnce(&mut Out<'_>)) -> Vec<String> {
    let mut told = Vec::new();
    run(&mut |topic: &Topic, _: Key, _: &[u8]| told.push(topic.to_string()));
    told
}

fn names(topics: &[Topic]) -> Vec<String> {
    topics.iter().map(ToString::to_string).collect()
}

#[test]
fn a_book_is_kept_once() {
    let mut market = market();
    for name in ["x@depth5@100ms", "x@bookTicker", "x@depth20"] {
        market.want(&topic(name), START_MS).unwrap();
    }
    assert_eq!(
        (market.product_count(), changes(&mut market)),
        (1, vec!["+x@depth@100ms".into(), "+x@snapshot".into()])
    );
    assert_eq!(told(|out| market.source("x@depth@100ms", DIFF, START_MS, out)), [""; 0]);
    assert_eq!(told(|out| market.source("x@snapshot", SNAPSHOT, START_MS, out)), [""; 0]);
    let said = told(|out| market.poll(START_MS, out));
    assert_eq!(said, ["x@bookTicker", "x@depth5@100ms", "x@depth20"]);
    assert_eq!(changes(&mut market), ["-x@snapshot"]);
    // A stream that the venue has is none of the market's, and what cannot be made is unknown.
    for name in ["x@trade", "x@ticker", "!ticker@arr"] {
        assert_eq!(market.want(&topic(name), START_MS), Err(Refusal::Unknown(name.into())));
    }
}

#[test]
fn who_cannot_be_believed_says_so() {
    let mut market = market();
    let depth = topic("x@depth5@100ms");
    market.want(&depth, START_MS).unwrap();
    market.source("x@depth@100ms", DIFF, START_MS, &mut |_, _, _| {});
    assert!(market.is_sure(&depth), "it has said nothing yet");
    market.source("x@snapshot", SNAPSHOT, START_MS, &mut |_, _, _| {});
    assert_eq!(names(&market.take_swayed()), [""; 0]);
    market.source("x@depth@100ms", GAP, START_MS, &mut |_, _, _| {});
    assert_eq!((names(&market.take_swayed()), market.is_sure(&depth)), (vec![depth.to_string()], false));
    let newer = String::from_utf8_lossy(SNAPSHOT).replace(":10", ":30");
    market.source("x@snapshot", newer.as_bytes(), START_MS, &mut |_, _, _| {});
    assert_eq!((names(&market.take_swayed()), market.is_sure(&depth)), (vec![depth.to_string()], true));
    market.source_lost("x@depth@100ms");
    assert_eq!((names(&market.take_swayed()), market.is_sure(&depth)), (vec![depth.to_string()], false));
}

/// A short loss, after which the source is as alive as before, leaves a hole in what is added up.
#[test]
fn an_interruption_leaves_a_hole() {
    for is_interrupted in [false, true] {
        let mut market = market();
        market.want(&topic("x@kline_1m"), START_MS).unwrap();
        let trade = |minute: u64| {
            let time_ms = START_MS / 60_000 * 60_000 + minute * 60_000;
            format!(r#"{{"e":"trade","E":{time_ms},"s":"X","t":1,"p":"1","q":"1","T":{time_ms},"m":true}}"#)
        };
        let mut said = Vec::new();
        for minute in 1..4 {
            if is_interrupted && minute == 3 {
                market.source_interrupted("x@trade");
            }
            said = told(|out| market.source("x@trade", trade(minute).as_bytes(), START_MS, out));
        }
        assert_eq!(said, if is_interrupted { vec![] } else { vec!["x@kline_1m"] });
    }
}

/// What cannot be read is counted, whoever reads it.
#[test]
fn what_cannot_be_read_is_counted() {
    let mut market = market();
    market.want(&topic("x@kline_1m"), START_MS).unwrap();
    for payload in [&b"{}"[..], b"\xff", TRADE] {
        market.source("x@trade", payload, START_MS, &mut |_, _, _| {});
    }
    let counters = market.counters();
    assert_eq!((counters.undecodable_total, counters.decoded_total), (2, 1));
}
