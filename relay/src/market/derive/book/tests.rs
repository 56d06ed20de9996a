//! The rules of the pages, on their vectors and in every order that can be thought of.

use proptest::prelude::*;
use serde_json::Value;

use super::super::message;
use super::*;

/// Levels as JSON of strings.
fn levels(side: &Side, count: usize) -> Value {
    side.texts(count).map(|(price, quantity)| Value::from(vec![price, quantity])).collect()
}

fn take(book: &mut LocalBook, event: &Value) {
    book.diff(&message::diff(&event.to_string()).unwrap(), 0);
}

fn show(book: &mut LocalBook, snapshot: &Value) {
    book.snapshot(&message::whole(&snapshot.to_string()).unwrap(), 0);
}

/// Each step with the snapshot before it, and with the snapshot after all of them.
fn check_steps(snapshot: &Value, steps: &[Value]) {
    let mut book = LocalBook::new();
    // Before it, something that the snapshot contains.
    let mut before = steps[0]["event"].clone();
    (before["U"], before["u"]) = (1.into(), 2.into());
    if !before["pu"].is_null() {
        before["pu"] = 0.into();
    }
    take(&mut book, &before);
    show(&mut book, snapshot);
    assert!(book.is_synced());
    for step in steps {
        let (id, bids) = (book.id, levels(&book.bids, 100));
        take(&mut book, &step["event"]);
        match step["action"].as_str().unwrap() {
            "drop" => assert_eq!((book.id, levels(&book.bids, 100)), (id, bids)),
            "apply" => assert_eq!(book.id, step["event"]["u"]),
            _ => assert!(!book.is_synced() && book.wants_snapshot(), "{step}"),
        }
        if let Some(expected) = step.get("depth5") {
            assert_eq!(book.id, step["book_id"], "{step}");
            assert_eq!(levels(&book.bids, 5), expected["bids"], "{step}");
            assert_eq!(levels(&book.asks, 5), expected["asks"], "{step}");
        }
    }
}

#[test]
fn the_vectors_of_spot() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../testdata/normalization/depth_vectors.json")).unwrap();
    let steps = vectors["steps"].as_array().unwrap();
    check_steps(&vectors["snapshot"], steps);
    // The same with all that is in order waiting for the snapshot.
    let mut book = LocalBook::new();
    let (gap, steps) = steps.split_last().unwrap();
    steps.iter().for_each(|step| take(&mut book, &step["event"]));
    assert!(!book.is_synced());
    show(&mut book, &vectors["snapshot"]);
    let last = steps.last().unwrap();
    assert_eq!((book.is_synced(), levels(&book.asks, 5)), (true, last["depth5"]["asks"].clone()));
    // After the gap only a newer snapshot helps.
    take(&mut book, &gap["event"]);
    show(&mut book, &vectors["snapshot"]);
    assert!(!book.is_synced(), "it is older than what waits");
    let mut newer = vectors["snapshot"].clone();
    newer["lastUpdateId"] = 1019.into();
    show(&mut book, &newer);
    assert_eq!((book.is_synced(), book.id), (true, 1021));
    assert_eq!(levels(&book.bids, 3), serde_json::json!([["100.00", "1.0"], ["99.95", "0.1"], ["99.90", "2.0"]]));
}

#[test]
fn the_vectors_of_futures() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../../testdata/normalization/depth_vectors_usdm.json")).unwrap();
    let case = |name: &str| vectors[name].as_array().unwrap().clone();
    check_steps(&vectors["snapshot"], &case("case_contains"));
    check_steps(&vectors["snapshot"], &case("case_joins_by_pu"));
    let mut book = LocalBook::new();
    take(&mut book, &case("case_no_overlap")[0]["event"]);
    show(&mut book, &vectors["snapshot"]);
    assert!(!book.is_synced() && book.wants_snapshot(), "another snapshot is needed");
    let mut newer = vectors["snapshot"].clone();
    newer["lastUpdateId"] = 5080.into();
    show(&mut book, &newer);
    assert_eq!((book.is_synced(), book.id), (true, 5090));
}

fn diff(first: i64, last: i64, bids: &str, asks: &str) -> Value {
    let text = format!(r#"{{"e":"depthUpdate","E":1,"s":"X","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}"#);
    serde_json::from_str(&text).unwrap()
}

fn snapshot(id: i64, bids: &str, asks: &str) -> Value {
    serde_json::from_str(&format!(r#"{{"lastUpdateId":{id},"bids":[{bids}],"asks":[{asks}]}}"#)).unwrap()
}

const BID: &str = r#"["1","1"]"#;
const ASK: &str = r#"["2","1"]"#;

/// A snapshot that nothing was heard before may be old; said twice, or followed by a diff, it is not.
#[test]
fn a_lone_snapshot_must_be_confirmed() {
    let mut book = LocalBook::new();
    show(&mut book, &snapshot(5, BID, ASK));
    assert!(!book.is_synced());
    show(&mut book, &snapshot(5, BID, ASK));
    assert!(book.is_synced());
    let mut book = LocalBook::new();
    show(&mut book, &snapshot(5, BID, ASK));
    take(&mut book, &diff(6, 6, "", ""));
    assert_eq!((book.is_synced(), book.id), (true, 6));
    let mut book = LocalBook::new();
    show(&mut book, &snapshot(5, BID, ASK));
    take(&mut book, &diff(4, 5, "", ""));
    assert_eq!((book.is_synced(), book.id), (true, 5), "the venue says nothing newer");
    let mut book = LocalBook::new();
    show(&mut book, &snapshot(5, BID, ASK));
    take(&mut book, &diff(9, 9, "", ""));
    assert!(!book.is_synced(), "it was old");
    show(&mut book, &snapshot(8, BID, ASK));
    assert_eq!((book.is_synced(), book.id), (true, 9), "what came meanwhile is not lost");
}

#[test]
fn a_book_that_stays_crossed_is_given_up() {
    let mut book = LocalBook::new();
    take(&mut book, &diff(1, 1, "", ""));
    show(&mut book, &snapshot(1, BID, ASK));
    book.diff(&message::diff(&diff(2, 2, r#"["2.00","1"]"#, "").to_string()).unwrap(), 1_000);
    assert!(book.is_synced() && !book.is_sure(1), "nothing is told of it meanwhile");
    book.diff(&message::diff(&diff(3, 3, r#"["2.00","0"]"#, "").to_string()).unwrap(), 1_900);
    assert!(book.is_sure(1) && book.due_ms() == u64::MAX);
    book.diff(&message::diff(&diff(4, 4, r#"["3","1"]"#, "").to_string()).unwrap(), 3_000);
    book.diff(&message::diff(&diff(5, 5, "", "").to_string()).unwrap(), 3_500);
    assert_eq!(book.due_ms(), 4_000);
    book.poll(3_999);
    assert!(book.is_synced());
    book.poll(4_000);
    assert!(!book.is_synced() && book.wants_snapshot());
}

/// A side that lost too many of its known levels is taken anew, while what is known of it stays in use.
#[test]
fn a_side_that_thins_is_taken_anew() {
    let ladder = |prices: std::ops::Range<u32>, quantity: u32| {
        prices.map(|price| format!(r#"["{price}","{quantity}"]"#)).collect::<Vec<_>>().join(",")
    };
    let mut book = LocalBook::new();
    take(&mut book, &diff(1, 1, "", ""));
    show(&mut book, &snapshot(1, BID, &ladder(2..32, 1)));
    assert!(!book.wants_snapshot());
    take(&mut book, &diff(2, 2, "", &ladder(2..20, 0)));
    assert!(book.wants_snapshot() && book.is_sure(5) && !book.is_sure(20));
    take(&mut book, &diff(3, 3, "", r#"["19","5"]"#));
    show(&mut book, &snapshot(1, BID, &ladder(2..32, 1)));
    assert!(book.wants_snapshot() && book.id == 3, "it is from before the book thinned");
    show(&mut book, &snapshot(2, BID, &ladder(20..60, 1)));
    assert!(!book.wants_snapshot() && book.is_sure(20) && book.id == 3);
    assert_eq!(levels(&book.asks, 1), serde_json::json!([["19", "5"]]));
}

#[test]
fn what_waits_is_bounded() {
    let mut book = LocalBook::new();
    for id in 1..=(BOOK_WAITING_MAX as i64 + 5) {
        take(&mut book, &diff(id, id, BID, ""));
    }
    assert_eq!((book.waiting.len(), book.take_skipped()), (BOOK_WAITING_MAX, 5));
    show(&mut book, &snapshot(4, BID, ASK));
    assert!(!book.is_synced(), "what follows on it was forgotten");
    show(&mut book, &snapshot(5, BID, ASK));
    assert_eq!((book.is_synced(), book.waiting.len()), (true, 0));
    let large = vec![BID; BOOK_WAITING_BYTES_MAX / 2 / BID.len()].join(",");
    let mut book = LocalBook::new();
    for id in 1..9 {
        take(&mut book, &diff(id, id, &large, ""));
    }
    assert!(book.waiting_bytes <= BOOK_WAITING_BYTES_MAX && book.waiting.len() == 1, "{}", book.waiting.len());
}

/// OKX's: only the previous id counts, and a maintenance sets ids back.
#[test]
fn frames_bring_their_own_snapshots() {
    let mut book = LocalBook::new();
    let mut say = |text: &str| {
        book.frame(&message::frame(text).unwrap());
        (book.is_synced(), book.id)
    };
    let update = |previous: i64, last: i64| {
        format!(r#"{{"e":"bookUpdate","E":2,"s":"X","pu":{previous},"u":{last},"b":[["1.0","3"]],"a":[]}}"#)
    };
    assert!(!say(&update(1, 2)).0);
    let whole = format!(r#"{{"e":"bookSnapshot","E":1,"s":"X","pu":-1,"u":10,"b":[{BID}],"a":[{ASK}]}}"#);
    assert_eq!(say(&whole), (true, 10));
    assert_eq!(say(&update(10, 15)), (true, 15));
    assert_eq!(say(&update(15, 15)), (true, 15));
    assert_eq!(say(&update(15, 3)), (true, 3));
    assert_eq!(say(&update(3, 5)), (true, 5));
    assert!(!say(&update(4, 6)).0);
    assert!(!say(&update(6, 7)).0);
    assert_eq!(say(&whole), (true, 10));
    assert_eq!(levels(&book.bids, 9), serde_json::json!([["1", "1"]]));
}

/// What a venue says: the books after each id, and the diffs between them.
struct Venue {
    diffs: Vec<Value>,
    /// By the count of diffs.
    books: Vec<(i64, std::collections::BTreeMap<u32, u32>)>,
}

fn venue(changes: &[(i64, u32, u32)], futures: bool) -> Venue {
    let (mut id, mut book) = (100, std::collections::BTreeMap::new());
    let mut venue = Venue { diffs: Vec::new(), books: vec![(id, book.clone())] };
    for (ids, price, quantity) in changes {
        let mut event =
            diff(id + 1 + if futures { 3 } else { 0 }, id + 3 + ids, &format!(r#"["{price}","{quantity}"]"#), "");
        if futures {
            event["pu"] = id.into();
        }
        id += 3 + ids;
        match quantity {
            0 => drop(book.remove(price)),
            _ => drop(book.insert(*price, *quantity)),
        }
        venue.diffs.push(event);
        venue.books.push((id, book.clone()));
    }
    venue
}

proptest! {
    /// Diffs and snapshots come in any order, some get lost, some come twice: whenever the book is believed, it is the
    /// one the venue had at that id.
    #[test]
    fn what_is_believed_is_true(
        changes in prop::collection::vec((1i64..4, 0u32..12, 0u32..3), 1..60),
        steps in prop::collection::vec((0u32..12, 0usize..60), 1..150),
        futures: bool,
    ) {
        let venue = venue(&changes, futures);
        let mut book = LocalBook::new();
        let (mut next, mut synced_count) = (0_usize, 0);
        for (step, number) in steps {
            match step {
                // The latest snapshot, or one from some while ago.
                0 | 1 => {
                    let at = if step == 0 { next } else { next.saturating_sub(number % 4) };
                    let (id, levels) = &venue.books[at];
                    let levels: Vec<String> = levels.iter().map(|(price, quantity)| format!(r#"["{price}","{quantity}"]"#)).collect();
                    let whole = snapshot(*id, &levels.join(","), "");
                    book.snapshot(&message::whole(&whole.to_string()).unwrap(), 0);
                }
                2 if next > 0 => take(&mut book, &venue.diffs[next - 1]),
                3 => next = (next + 1).min(venue.diffs.len()),
                4 if number == 0 => book.lose(),
                _ if next < venue.diffs.len() => {
                    take(&mut book, &venue.diffs[next]);
                    next += 1;
                }
                _ => {}
            }
            if book.is_synced() {
                synced_count += 1;
                let (_, expected) = venue.books.iter().find(|(id, _)| *id == book.id).expect("it is an id of the venue");
                let expected: Vec<(String, String)> = expected.iter().rev().map(|(price, quantity)| (price.to_string(), quantity.to_string())).collect();
                let found: Vec<(String, String)> = book.bids.texts(99).map(|(price, quantity)| (price.into(), quantity.into())).collect();
                prop_assert_eq!(found, expected);
            }
        }
        // Not vacuous: in the end it is believed, if everything comes.
        let (id, _) = &venue.books[next];
        let levels: Vec<String> = venue.books[next].1.iter().map(|(price, quantity)| format!(r#"["{price}","{quantity}"]"#)).collect();
        for _ in 0..2 {
            book.snapshot(&message::whole(&snapshot(*id, &levels.join(","), "").to_string()).unwrap(), 0);
        }
        prop_assert!(book.is_synced(), "believed {synced_count} times before");
    }
}
