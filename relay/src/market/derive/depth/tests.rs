//! Streams of a book: when they are told, and when not.

use proptest::prelude::*;

use crate::market::derive::said::{Bench, START_MS};

fn diff(first: i64, last: i64, bids: &str, asks: &str) -> String {
    format!(r#"{{"e":"depthUpdate","E":{last},"s":"X","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}"#)
}

fn snapshot(id: i64, bids: &str, asks: &str) -> String {
    format!(r#"{{"lastUpdateId":{id},"bids":[{bids}],"asks":[{asks}]}}"#)
}

fn partial(topic: &str, time_ms: u64, ids: (i64, i64), bids: &str, asks: &str) -> String {
    format!(
        r#"{topic} {{"e":"depthUpdate","E":{time_ms},"s":"X","U":{},"u":{},"b":[{bids}],"a":[{asks}]}}"#,
        ids.0, ids.1
    )
}

const NATIVE: &str = "x@depth@100ms x@snapshot";
const DIFFS: &str = "x@depth@100ms";

/// Synchronised at id 10, with all said that was to be said.
fn synced(topics: &[&str]) -> Bench {
    let mut bench = Bench::new(NATIVE, topics);
    bench.say(DIFFS, &diff(9, 10, "", ""));
    bench.say("x@snapshot", &snapshot(10, r#"["9.0","1"],["8","1"]"#, r#"["10","1"],["11","2"]"#));
    bench.until(START_MS + 1);
    bench
}

#[test]
fn a_snapshot_is_asked_for_only_while_it_helps() {
    let mut bench = Bench::new(NATIVE, &["x@depth5@100ms"]);
    assert_eq!(bench.sources(), NATIVE);
    bench.say(DIFFS, &diff(9, 10, "", ""));
    assert_eq!(bench.until(START_MS + 5_000), Vec::<String>::new());
    bench.say("x@snapshot", &snapshot(10, r#"["9","1"]"#, ""));
    assert_eq!(bench.product.due_ms(), 0, "the sources are to be looked at");
    let frame = partial("x@depth5@100ms", START_MS + 5_000, (10, 10), r#"["9","1"]"#, "");
    assert_eq!(bench.until(START_MS + 5_000), [frame]);
    assert_eq!(bench.sources(), DIFFS);
    bench.say(DIFFS, &diff(15, 16, "", ""));
    assert_eq!((bench.product.due_ms(), bench.sources()), (0, NATIVE.to_owned()));
    bench.unwant("x@depth5@100ms");
    assert_eq!(bench.sources(), "");
}

#[test]
fn each_stream_is_told_at_its_speed_if_its_part_changed() {
    let mut bench = synced(&["x@depth5@100ms", "x@depth5@500ms", "x@bookTicker"]);
    // Far from the best five, nothing that any of them tells.
    bench.say(DIFFS, &diff(11, 11, r#"["1","0"]"#, ""));
    assert_eq!(bench.until(START_MS + 600), Vec::<String>::new());
    bench.say(DIFFS, &diff(12, 12, r#"["8","3"]"#, ""));
    assert_eq!(bench.said(), Vec::<String>::new(), "the top is the same");
    bench.say(DIFFS, &diff(13, 13, r#"["9.00","5"]"#, ""));
    let top = r#"x@bookTicker {"e":"bookTicker","u":13,"E":13,"T":13,"s":"X","b":"9.00","B":"5","a":"10","A":"1"}"#;
    assert_eq!(bench.said(), [top]);
    let (bids, asks) = (r#"["9.00","5"],["8","3"]"#, r#"["10","1"],["11","2"]"#);
    let quick = partial("x@depth5@100ms", START_MS + 700, (11, 13), bids, asks);
    assert_eq!(bench.until(START_MS + 700), [quick]);
    let slow = partial("x@depth5@500ms", START_MS + 1_000, (11, 13), bids, asks);
    assert_eq!(bench.until(START_MS + 99_000), [slow]);
    // There and back again between two beats is no change.
    bench.say(DIFFS, &diff(14, 14, r#"["8","4"]"#, ""));
    bench.say(DIFFS, &diff(15, 15, r#"["8","3"]"#, ""));
    assert_eq!(bench.until(START_MS + 199_000), Vec::<String>::new());
}

/// During a resynchronisation nothing is told; what comes first after it is whole, also if it is as before.
#[test]
fn a_gap_silences_until_a_snapshot_fits() {
    let mut bench = synced(&["x@depth5@100ms", "x@bookTicker"]);
    assert!(bench.product.is_sure());
    bench.say(DIFFS, &diff(21, 22, r#"["8","0"]"#, ""));
    assert!(!bench.product.is_sure());
    bench.say(DIFFS, &diff(23, 23, r#"["9","7"]"#, ""));
    assert_eq!(bench.until(START_MS + 5_000), Vec::<String>::new());
    bench.say("x@snapshot", &snapshot(19, "", ""));
    assert_eq!(bench.until(START_MS + 5_100), Vec::<String>::new(), "too old");
    bench.say("x@snapshot", &snapshot(22, r#"["9.0","1"]"#, r#"["10","1"],["11","2"]"#));
    assert!(bench.product.is_sure());
    assert_eq!(bench.said(), Vec::<String>::new(), "that it is sure again is told first");
    assert_eq!(
        bench.until(START_MS + 5_100),
        [
            r#"x@bookTicker {"e":"bookTicker","u":23,"E":23,"T":23,"s":"X","b":"9","B":"7","a":"10","A":"1"}"#
                .to_owned(),
            partial("x@depth5@100ms", START_MS + 5_100, (11, 23), r#"["9","7"]"#, r#"["10","1"],["11","2"]"#)
        ]
    );
    bench.lose(DIFFS);
    assert!(!bench.product.is_sure() && bench.sources() == DIFFS, "without diffs no snapshot helps");
    bench.say(DIFFS, &diff(31, 31, "", ""));
    assert_eq!(bench.sources(), NATIVE);
}

#[test]
fn a_crossed_book_is_not_told_and_then_resynchronises() {
    let mut bench = synced(&["x@depth5@100ms", "x@bookTicker"]);
    bench.say(DIFFS, &diff(11, 11, r#"["10","1"]"#, ""));
    assert_eq!(bench.until(START_MS + 900), Vec::<String>::new());
    assert!(bench.product.is_sure());
    assert_eq!(bench.until(START_MS + 1_001), Vec::<String>::new());
    assert!(!bench.product.is_sure() && bench.sources() == NATIVE);
}

#[test]
fn who_comes_later_gets_the_present_as_the_first_of_a_chain() {
    let mut bench = synced(&["x@depth5@100ms", "x@bookTicker"]);
    bench.say(DIFFS, &diff(11, 12, r#"["9","2"]"#, ""));
    bench.until(START_MS + 5_000);
    bench.want("x@depth5@100ms");
    bench.want("x@bookTicker");
    let said = bench.until(START_MS + 5_000);
    assert_eq!(said.len(), 2);
    assert!(said[1].contains(r#""U":12,"u":12,"#), "{said:?}");
}

#[test]
fn a_venue_with_frames_of_its_own_needs_no_snapshots() {
    let mut bench = Bench::new("x@book", &["x@depth5@100ms"]);
    assert_eq!(bench.sources(), "x@book");
    bench.say("x@book", r#"{"e":"bookSnapshot","E":1,"s":"X","pu":-1,"u":5,"b":[["9","1"]],"a":[["9","1"]]}"#);
    // An auction: crossed for long, and still the venue's book.
    let frame = partial("x@depth5@100ms", START_MS, (5, 5), r#"["9","1"]"#, r#"["9","1"]"#);
    assert_eq!(bench.until(START_MS + 60_000), [frame]);
    assert!(bench.tell("x@book", r#"{"e":"bookUpdate","u":6}"#, false).is_err());
}

proptest! {
    /// At each beat the best five of the book as a list would have it, if they are other ones than before.
    #[test]
    fn as_a_list_would_be(changes in prop::collection::vec((1u64..300, 0u32..20, 0u32..3), 1..80)) {
        let mut bench = Bench::new(NATIVE, &["x@depth5@250ms"]);
        bench.say(DIFFS, &diff(1, 1, "", ""));
        bench.say("x@snapshot", &snapshot(1, "", ""));
        bench.until(START_MS);
        let (mut at_ms, mut id, mut book, mut told, mut expected) =
            (START_MS, 1, std::collections::BTreeMap::new(), String::new(), Vec::new());
        let five = |book: &std::collections::BTreeMap<u32, u32>| {
            let levels = book.iter().rev().take(5).map(|(price, quantity)| format!(r#"["{price}","{quantity}"]"#));
            levels.collect::<Vec<_>>().join(",")
        };
        let mut said = Vec::new();
        for (gap, price, quantity) in changes {
            let next_ms = at_ms + gap;
            if next_ms / 250 > at_ms / 250 && five(&book) != told {
                told = five(&book);
                expected.push(((at_ms / 250 + 1) * 250, told.clone()));
            }
            at_ms = next_ms;
            said.extend(bench.until(at_ms));
            id += 1;
            bench.say(DIFFS, &diff(id, id, &format!(r#"["{price}","{quantity}"]"#), ""));
            match quantity {
                0 => drop(book.remove(&price)),
                _ => drop(book.insert(price, quantity)),
            }
        }
        said.extend(bench.until(at_ms + 1_000));
        if five(&book) != told {
            expected.push(((at_ms / 250 + 1) * 250, five(&book)));
        }
        let said: Vec<(u64, String)> = said.iter().map(|line| {
            let frame: serde_json::Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
            let levels: Vec<String> = frame["b"].as_array().unwrap().iter().map(ToString::to_string).collect();
            (frame["E"].as_u64().unwrap(), levels.join(","))
        }).collect();
        prop_assert_eq!(said, expected);
    }
}
