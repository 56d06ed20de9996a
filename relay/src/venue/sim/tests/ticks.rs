//! Ticks as they are streamed, as they were in the past, and the candles made of them.

use super::*;
use crate::limits::SIM_CANDLE_SECONDS_MAX;
use crate::venue::sim::past::{Past, Quote};
use crate::venue::sim::symbol::{Origin, SYMBOLS};
use proptest::prelude::*;

/// A second shortly before a full hour.
const NIGH: u64 = START / 1_000 - 1_845 + 3_570;

fn tick_names() -> Vec<String> {
    SYMBOLS.iter().map(|symbol| format!("{}@tick", symbol.name.to_ascii_lowercase())).collect()
}

fn quote(json: &Value) -> Quote {
    let text = |key: &str| json[key].as_str().unwrap().to_owned();
    Quote { quote: text("p"), bid: text("b"), ask: text("a") }
}

/// The candle of ticks taken one by one.
fn folded(past: &Past, symbol: &str, open_s: u64, end_s: u64) -> Option<[String; 4]> {
    let quotes: Vec<String> = (open_s..end_s).filter_map(|at| past.tick(symbol, at)).map(|tick| tick.quote).collect();
    let value = |text: &&String| Decimal::parse(text).unwrap();
    let extremes = [quotes.iter().max_by_key(value)?, quotes.iter().min_by_key(value)?];
    let [high, low] = extremes.map(String::clone);
    Some([quotes.first()?.clone(), high, low, quotes.last()?.clone()])
}

/// Keys in their order, one tick per period exactly on its second, and the past says the same.
#[test]
fn live_equals_past() {
    let names = tick_names();
    let (mut sim, at_once) = begun(51, START + 345, &names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(at_once.len(), names.len(), "the newest tick comes at once");
    let past = Past::new(51);
    let mut later = Vec::new();
    while sim.next_due() <= START + 130_000 {
        let due = sim.next_due();
        later.extend(poll(&mut sim, due));
    }
    for (name, symbol) in names.iter().zip(&SYMBOLS) {
        let period = past.period_s(symbol.name).unwrap();
        assert_eq!(past.pip_size(symbol.name), Some(symbol.digits));
        let mut expected = START / 1_000 / period * period;
        for frame in of(&at_once, name).into_iter().chain(of(&later, name)) {
            assert!(frame.text.starts_with("{\"e\":\"tick\",\"E\":") && !frame.closed);
            let json = frame.json();
            assert_eq!(integer(&json, "E") as u64, expected * 1_000, "{name}");
            assert_eq!((json["s"].as_str(), integer(&json, "d")), (Some(symbol.name), symbol.digits.into()));
            assert_eq!(Some(quote(&json)), past.tick(symbol.name, expected), "{name}");
            for key in ["p", "b", "a"] {
                assert_eq!(decimal(&json[key]).scale(), symbol.digits);
            }
            assert!(decimal(&json["b"]) <= decimal(&json["p"]) && decimal(&json["p"]) <= decimal(&json["a"]));
            expected += period;
        }
        assert_eq!(expected, (START + 130_000) / 1_000 / period * period + period, "{name} to the end");
    }
}

/// The payload, byte for byte.
#[test]
fn payload() {
    let (_, frames) = begun(1, START, &["r_100@tick"]);
    let quote = Past::new(1).tick("R_100", START / 1_000 - 1).unwrap();
    let Quote { quote, bid, ask } = quote;
    let expected = format!(
        "{{\"e\":\"tick\",\"E\":{},\"s\":\"R_100\",\"p\":\"{quote}\",\"b\":\"{bid}\",\"a\":\"{ask}\",\"d\":2}}",
        START - 1_000
    );
    assert_eq!(frames[0].text, expected);
    let none = || Past::new(1).tick("R_100", START / 1_000);
    assert_eq!((none(), START / 1_000 % 2), (None, 1), "odd seconds have no tick of every other second");
}

/// A coin's tick is the last trade of its pair at that second, between the best prices which that trade met.
#[test]
fn coins_tick_as_their_pairs_trade() {
    for (symbol, pair) in SYMBOLS.iter().filter_map(|symbol| match symbol.origin {
        Origin::Pair(pair) => Some((symbol, &INSTRUMENTS[pair])),
        Origin::Walk(_) => None,
    }) {
        let names = [format!("{}@tick", symbol.name.to_ascii_lowercase()), format!("{}@trade", pair.name)];
        let mut last = None;
        let mut checked = 0;
        for frame in record(52, (NIGH + 20) * 1_000, &names.each_ref().map(String::as_str), 15_000) {
            let json = frame.json();
            if frame.name == names[1] {
                last = Some(json);
            } else if let Some(last) = &last {
                assert_eq!(json["p"], last["p"], "{frame:?}");
                let taken = if last["m"] == true { "b" } else { "a" };
                assert_eq!(json[taken], last["p"]);
                checked += 1;
            }
        }
        assert_eq!(checked, 15, "{}", symbol.name);
    }
}

/// Any candle is what its ticks add up to: parts of a minute, minutes, hours, across runs of patterns, from the epoch.
#[test]
fn candles_are_folded_ticks() {
    let past = Past::new(53);
    for symbol in ["R_100", "R_75", "1HZ100V", "frxEURUSD", "cryBTCUSD", "crySHIBUSD"] {
        for (open, length) in [
            (NIGH, 1),
            (NIGH, 2),
            (NIGH + 1, 1),
            (NIGH + 7, 55),
            (NIGH + 30, 60),
            (NIGH - 10, 300),
            (0, 130),
            (1, 3_600),
        ] {
            let expected = folded(&past, symbol, open, open + length);
            assert_eq!(past.candle(symbol, open, open + length), expected, "{symbol} {open} {length}");
        }
    }
    let day = NIGH / 86_400 * 86_400;
    for symbol in ["R_50", "cryETHUSD"] {
        assert_eq!(past.candle(symbol, day, day + 86_400), folded(&past, symbol, day, day + 86_400), "{symbol}");
    }
}

/// Long candles are what short ones add up to.
#[test]
fn candles_add_up() {
    let past = Past::new(54);
    let day = NIGH / 86_400 * 86_400;
    for symbol in past.symbols() {
        let whole = past.candle(symbol, day, day + 86_400).unwrap();
        let parts: Vec<_> = (0..24)
            .map(|hour| day + hour * 3_600)
            .map(|open| past.candle(symbol, open, open + 3_600).unwrap())
            .collect();
        let value = |text: &String| Decimal::parse(text).unwrap();
        assert_eq!((&whole[0], &whole[3]), (&parts[0][0], &parts[23][3]), "{symbol}");
        assert_eq!(Some(value(&whole[1])), parts.iter().map(|part| value(&part[1])).max(), "{symbol}");
        assert_eq!(Some(value(&whole[2])), parts.iter().map(|part| value(&part[2])).min(), "{symbol}");
    }
}

/// What nobody can know is not made up.
#[test]
fn unknown_is_none() {
    let past = Past::new(1);
    for symbol in ["", "r_100", "R_1000", "cryBTCUSDT", "frxusdjpy"] {
        assert_eq!((past.period_s(symbol), past.pip_size(symbol)), (None, None));
        assert_eq!((past.tick(symbol, NIGH), past.candle(symbol, NIGH, NIGH + 60)), (None, None));
    }
    assert_eq!(past.candle("R_10", NIGH, NIGH), None);
    assert_eq!(past.candle("R_10", NIGH + 60, NIGH), None);
    assert_eq!(past.candle("R_10", NIGH / 2 * 2 + 1, NIGH / 2 * 2 + 2), None, "no tick in between");
    assert_eq!(past.candle("R_10", 0, SIM_CANDLE_SECONDS_MAX + 1), None);
    assert!(past.candle("R_10", 0, SIM_CANDLE_SECONDS_MAX).is_some());
    assert_eq!((past.tick("R_10", u64::MAX - 1), past.candle("R_10", u64::MAX - 60, u64::MAX)), (None, None));
    assert_eq!(past.symbols().filter(|symbol| symbol.starts_with("frx")).count(), 20);
}

/// An hour of R_100 spans more than one of R_75, and so on down to the currencies; no price comes near zero, and none
/// jumps by more than a few of its own steps.
#[test]
fn volatility_is_as_named() {
    let past = Past::new(55);
    let spans = ["R_100", "R_75", "R_50", "R_25", "R_10", "frxUSDHKD"].map(|symbol| {
        let mut total = 0;
        for hour in (400_000..480_000).step_by(80) {
            let [open, high, low, _] = past.candle(symbol, hour * 3_600, hour * 3_600 + 3_600).unwrap();
            let [open, high, low] = [open, high, low].map(|text| Decimal::parse(&text).unwrap().units());
            total += (high - low) * 1_000_000 / open;
        }
        total / 1_000
    });
    assert!(spans.is_sorted_by(|wild, calm| wild > calm), "{spans:?}");
    assert!((10_000..30_000).contains(&spans[0]), "{spans:?}: a percent or three in an hour");
    for symbol in SYMBOLS.iter().filter(|symbol| symbol.period_s == 2) {
        let Origin::Walk(walk) = symbol.origin else { continue };
        let largest = i128::from(walk.level) * 2 * i128::from(walk.volatility) / 1_000_000;
        let units = |at| Decimal::parse(&past.tick(symbol.name, at).unwrap().quote).unwrap().units();
        for at in (NIGH..NIGH + 9_000).filter(|at| at % 2 == 0) {
            assert!((units(at) - units(at + 2)).abs() <= largest, "{} at {at}", symbol.name);
        }
    }
}

/// Most ticks move the price: a symbol that stands still looks broken.
#[test]
fn prices_move() {
    let past = Past::new(56);
    for symbol in SYMBOLS.iter().filter(|symbol| matches!(symbol.origin, Origin::Walk(_))) {
        let ticks: Vec<_> = (NIGH..NIGH + 600).filter_map(|at| past.tick(symbol.name, at)).collect();
        let moves = ticks.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(moves * 3 > ticks.len() * 2, "{}: {moves} of {}", symbol.name, ticks.len());
    }
}

/// However often the venue is polled it says the same in the same order, between the pairs' streams as well.
#[test]
fn cadence_does_not_matter() {
    let mut names = tick_names();
    names.extend(["coingecko@top", "coingecko@trending", "btcusdt@trade", "!ticker@arr"].map(str::to_owned));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let asked = record(58, START + 1, &names, 21_000);
    for step in [777, 9_999] {
        let (mut sim, mut frames) = begun(58, START + 1, &names);
        for now in (START + 1..START + 21_001).step_by(step).chain([START + 21_001]) {
            frames.extend(poll(&mut sim, now));
        }
        assert_eq!(frames, asked, "every {step} ms");
    }
}

/// A leap is skipped, the next tick comes at its second; after a leap back the newest is told anew.
#[test]
fn leaps() {
    let names = ["r_25@tick", "coingecko@global"];
    let (mut sim, _) = begun(57, START, &names);
    assert!(poll(&mut sim, START + 60_000).is_empty());
    assert_eq!(sim.skipped_ms(), 60_000);
    let next = poll(&mut sim, START + 61_000);
    assert_eq!((next.len(), next[0].integer("E") as u64), (1, START + 61_000));
    assert_eq!(poll(&mut sim, START), begun(57, START, &names).1);
    sim.unwant(names[0]);
    sim.unwant(names[1]);
    assert_eq!(sim.next_due(), u64::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any seed, symbol and stretch: the candle is the fold of its ticks.
    #[test]
    fn any_candle_is_folded_ticks(
        seed in 0u64..4,
        index in 0..SYMBOLS.len(),
        open in 0u64..4_000_000_000,
        length in 0u64..900,
    ) {
        let (past, symbol) = (Past::new(seed), SYMBOLS[index].name);
        prop_assert_eq!(past.candle(symbol, open, open + length), folded(&past, symbol, open, open + length));
    }

    /// Any question has an answer, never a panic.
    #[test]
    fn any_question_is_answered(symbol in "(R_100|cryBTCUSD|\\PC{0,8})", open: u64, end: u64) {
        let past = Past::new(1);
        let _ = (past.tick(&symbol, open), past.candle(&symbol, open, end));
        let _ = past.candle(&symbol, open, open.saturating_add(end % 100_000));
    }
}
