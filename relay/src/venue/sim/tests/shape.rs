//! Keys and their order, against the payloads of the documents.

use super::*;

const DOCUMENT: &str = include_str!("../../../../testdata/sim/payloads_document.json");
const FULL: &str = include_str!("../../../../testdata/sim/payloads_full.json");

/// Object keys in the order of the text.
fn keys(json: &str) -> Vec<&str> {
    let parts: Vec<&str> = json.split('"').collect();
    let is_key = |index: &usize| parts.get(index + 1).is_some_and(|rest| rest.trim_start().starts_with(':'));
    (1..parts.len()).step_by(2).filter(is_key).map(|index| parts[index]).collect()
}

/// The value of a key that appears once.
fn value<'a>(json: &'a str, key: &str) -> &'a str {
    let (_, rest) = json.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is in the fixture"));
    let mut depth = 0;
    let end = rest.find(|letter| {
        depth += i32::from("{[".contains(letter)) - i32::from("}]".contains(letter));
        depth == 0 && "}]".contains(letter)
    });
    &rest[..=end.unwrap()]
}

fn first(fields: Fields, name: &str) -> Frame {
    let mut sim = Sim::new(1, fields, START);
    assert!(sim.want(name));
    let mut frames = poll(&mut sim, START);
    frames.extend(poll(&mut sim, START + 1_000));
    of(&frames, name)[0].clone()
}

/// A frame has the keys of its sample, in that order. The array sample holds fewer rows, hence the cut.
fn check(fields: Fields, fixture: &str, name: &str) {
    let frame = first(fields, name);
    let expected = keys(value(fixture, name));
    let emitted = keys(&frame.text);
    let rows = if name.starts_with('!') { 20 } else { 1 };
    let row = emitted.len() / rows;
    assert_eq!(emitted[..row], expected[..row], "{name}: {}", frame.text);
    assert_eq!(expected.len() % row, 0, "{name} has all keys");
}

#[test]
fn document_keys() {
    for kind in ["ticker", "miniTicker", "depth10@100ms", "kline_1h", "trade", "aggTrade", "markPrice"] {
        check(Fields::Document, DOCUMENT, &format!("btcusdt@{kind}"));
    }
    check(Fields::Document, DOCUMENT, "!ticker@arr");
}

#[test]
fn full_keys() {
    for kind in ["ticker", "miniTicker", "kline_1m", "trade", "aggTrade"] {
        check(Fields::Full, FULL, &format!("btcusdt@{kind}"));
    }
    check(Fields::Full, FULL, "!miniTicker@arr");
    assert_eq!(keys(&first(Fields::Full, "btcusdt@markPrice@1s").text), ["e", "E", "s", "p", "i", "P", "r", "T"]);
}

/// What only Binance has is in the shape of its USD-M streams.
#[test]
fn extra_keys() {
    for fields in [Fields::Document, Fields::Full] {
        let book_ticker = first(fields, "btcusdt@bookTicker");
        assert_eq!(keys(&book_ticker.text), ["e", "u", "E", "T", "s", "b", "B", "a", "A"]);
        let diff = first(fields, "btcusdt@depth");
        assert_eq!(keys(&diff.text), ["e", "E", "T", "s", "U", "u", "pu", "b", "a"]);
    }
}

/// Digits are the instrument's: of prices, sizes and their products.
#[test]
fn digits() {
    let fraction = |value: &Value| decimal(value).scale();
    for instrument in &INSTRUMENTS {
        let (price, size) = (instrument.price_digits, instrument.size_digits);
        let ticker = first(Fields::Full, &format!("{}@ticker", instrument.name)).json();
        for key in ["p", "x", "c", "b", "a", "o", "h", "l"] {
            assert_eq!(fraction(&ticker[key]), price, "{key} of {ticker}");
        }
        for key in ["Q", "B", "A", "v"] {
            assert_eq!(fraction(&ticker[key]), size, "{key} of {ticker}");
        }
        assert_eq!((fraction(&ticker["q"]), fraction(&ticker["w"]), fraction(&ticker["P"])), (price + size, 8, 3));
        assert_eq!(ticker["s"], instrument.symbol);
    }
}

/// Every stream of every symbol has said something before its first second is over, states at once.
#[test]
fn first_second() {
    let names = all_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut sim, at_once) = begun(4, START, &names);
    let mut later = Vec::new();
    for now in (START..=START + 1_000).step_by(10) {
        later.extend(poll(&mut sim, now));
    }
    for name in names {
        let is_event = name.contains("rade") || (name.contains("@depth") && !is_partial(name));
        assert_eq!(of(&at_once, name).len(), usize::from(!is_event), "{name}");
        assert!(!is_event || !of(&later, name).is_empty(), "{name}");
    }
}

fn is_partial(name: &str) -> bool {
    ["depth5", "depth10", "depth20"].iter().any(|kind| name.contains(kind))
}

/// Unknown names are refused, and ended ones fall silent.
#[test]
fn want_and_unwant() {
    let (mut sim, _) = begun(4, START, &["btcusdt@trade", "btcusdt@depth5", "!ticker@arr"]);
    assert!(!sim.want("btcusdt@depth7") && !sim.knows("BTCUSDT@trade") && sim.knows("shibusdt@kline_1M"));
    assert_eq!(sim.symbols().count(), 20);
    sim.unwant("btcusdt@depth5");
    sim.unwant("nousdt@depth5");
    assert!(poll(&mut sim, START + 2_000).iter().all(|frame| frame.name != "btcusdt@depth5"));
    sim.unwant("!ticker@arr");
    sim.unwant("btcusdt@trade");
    assert_eq!(sim.next_due(), u64::MAX);
    assert!(poll(&mut sim, START + 4_000).is_empty());
    assert!(sim.want("btcusdt@depth5") && sim.want("btcusdt@depth5"));
    let frames = poll(&mut sim, START + 500_000);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].integer("U"), frames[0].integer("u"));
    assert_eq!(sim.skipped_ms(), 0, "nothing was lost while nothing was wanted");
}

/// The bytes of a seed never change, on any platform. With UPDATE_PINNED set the file is written instead.
#[test]
fn bytes_are_pinned() {
    let names = names_of("btcusdt");
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("shibusdt@ticker");
    let mut sim = Sim::new(1, Fields::Document, START);
    names.iter().for_each(|name| assert!(sim.want(name)));
    let mut frames = poll(&mut sim, START);
    frames.extend(poll(&mut sim, START + 500));
    let text: String = frames.iter().map(|frame| format!("{} {}\n", frame.name, frame.text)).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/sim/pinned.txt");
    if std::env::var_os("UPDATE_PINNED").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let pinned = std::fs::read_to_string(path).unwrap();
    for (line, expected) in text.lines().zip(pinned.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(text.len(), pinned.len());
}

proptest::proptest! {
    /// Any name is an answer, never a panic.
    #[test]
    fn any_name_is_judged(
        symbol in "(btcusdt|r_10|coingecko|!|\\PC*)",
        kind in "@?(depth|kline_|tick|top|\\PC*)(@|[0-9a-zM]{0,5})",
    ) {
        let mut sim = Sim::new(1, Fields::Document, START);
        let name = format!("{symbol}{kind}");
        proptest::prop_assert_eq!(sim.knows(&name), sim.want(&name));
    }
}
