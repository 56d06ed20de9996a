//! Time as it comes: any cadence, leaps forward and back.

use super::*;
use proptest::prelude::*;

fn some_names() -> Vec<String> {
    let mut names = names_of("btcusdt");
    names.extend(names_of("filusdt"));
    names.extend(["!ticker@arr".to_owned(), "!miniTicker@arr".to_owned()]);
    names
}

fn recorded(seed: u64, steps: &[u64], length_ms: u64) -> Vec<Frame> {
    let names = some_names();
    let (mut sim, mut frames) = begun(seed, START, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut now = START;
    for step in steps.iter().cycle() {
        now = (now + step).min(START + length_ms);
        frames.extend(poll(&mut sim, now));
        if now == START + length_ms {
            return frames;
        }
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// However often the venue is polled, it says the same in the same order.
    #[test]
    fn cadence_does_not_matter(seed: u64, steps in prop::collection::vec(1u64..3_000, 1..20)) {
        let frames = recorded(seed, &steps, 8_000);
        prop_assert_eq!(frames, recorded(seed, &[7_999], 8_000));
    }
}

/// Polled when it asks to be, the venue says the same as well, and never late.
#[test]
fn next_due_misses_nothing() {
    let names = some_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(record(41, START, &names, 5_000), recorded(41, &[10], 5_000));
    let (mut sim, _) = begun(41, START, &names);
    for _ in 0..500 {
        let due = sim.next_due();
        assert!(poll(&mut sim, due - 1).is_empty(), "nothing happens before it is due");
        for frame in poll(&mut sim, due) {
            let json = frame.json();
            let row = if json.is_array() { &json[0] } else { &json };
            assert_eq!(integer(row, "E") as u64, due);
        }
    }
}

/// Frames come in the order of their times.
#[test]
fn times_rise() {
    let mut before = 0;
    for frame in recorded(42, &[50], 10_000) {
        let json = frame.json();
        let at = integer(if json.is_array() { &json[0] } else { &json }, "E");
        assert!(before <= at);
        before = at;
    }
}

/// Seeds differ, and so do symbols.
#[test]
fn seeds_differ() {
    let trades = |seed, name: &str| record(seed, START, &[name], 5_000);
    assert_eq!(trades(1, "btcusdt@trade"), trades(1, "btcusdt@trade"));
    assert_ne!(trades(1, "btcusdt@trade"), trades(2, "btcusdt@trade"));
}

/// A leap forward is skipped and counted, not told frame by frame; what goes on goes on rightly.
#[test]
fn leaps_forward() {
    let names = [
        "adausdt@trade",
        "adausdt@kline_1m",
        "adausdt@kline_1h",
        "adausdt@depth@100ms",
        "adausdt@ticker",
        "!ticker@arr",
    ];
    let (mut sim, _) = begun(43, START, &names);
    let before = poll(&mut sim, START + 1_000);
    let slept = 7_200_000;
    let woken = poll(&mut sim, START + 1_000 + slept);
    assert_eq!(sim.skipped_ms(), slept);
    let closed: Vec<_> = woken.iter().map(|frame| (frame.name.as_str(), frame.closed)).collect();
    assert_eq!(closed, [(names[1], true), (names[2], true)], "each candle that ended gets its last word");

    let after = poll(&mut sim, START + slept + 3_000);
    let last_id = of(&before, names[3]).last().unwrap().integer("u");
    assert_eq!(of(&after, names[3])[0].integer("U"), last_id + 1, "the book goes on from what was told");
    for name in [names[1], names[2], names[4], names[5]] {
        let again = record(43, START + slept + 1_000, &[name], 2_000);
        assert_eq!(of(&after, name).last(), again.iter().collect::<Vec<_>>().last(), "{name} as if nothing had been");
    }
    assert!(poll(&mut sim, START + slept + 13_000).len() > 100, "ten seconds are lived through");
    assert_eq!(sim.skipped_ms(), slept);
}

/// A step back is waited for; a leap back starts anew.
#[test]
fn steps_back() {
    let names = ["adausdt@trade", "adausdt@depth5@100ms", "!ticker@arr"];
    let (mut sim, _) = begun(44, START, &names);
    let straight = record(44, START, &names, 5_000);
    let mut frames = poll(&mut sim, START + 3_000);
    for now in [START - 6_000, START, START + 2_999, START + 3_000] {
        assert!(poll(&mut sim, now).is_empty());
    }
    frames.extend(poll(&mut sim, START + 5_000));
    assert_eq!(frames, straight[2..], "as if time had stood still");
    assert_eq!(sim.set_back_ms(), 0);

    let again = poll(&mut sim, START - 20_000);
    assert_eq!(sim.set_back_ms(), 25_000);
    assert_eq!(again, begun(44, START - 20_000, &names).1);
}

/// Virtual clocks start at zero and real ones may be wrong: nothing panics, nothing is negative that should not be.
#[test]
fn odd_clocks() {
    for start in [0, 1, 59_999, 253_402_300_800_000, u64::MAX - 1] {
        let names = some_names();
        let frames = {
            let (mut sim, mut frames) = begun(45, start, &names.iter().map(String::as_str).collect::<Vec<_>>());
            frames.extend(poll(&mut sim, start.saturating_add(3_000)));
            frames
        };
        assert!(frames.len() >= names.len() - 12, "{start}");
        for frame in of(&frames, "btcusdt@trade") {
            assert!(frame.integer("t") > 0);
        }
    }
}

/// Streams come and go without a trace in the others.
#[test]
fn neighbours_do_not_matter() {
    let alone = record(46, START, &["ltcusdt@depth@250ms", "ltcusdt@kline_1m"], 20_000);
    let (mut sim, mut frames) = begun(46, START, &["ltcusdt@depth@250ms", "ltcusdt@kline_1m"]);
    for (second, name) in
        (1..=20).zip(["!ticker@arr", "ltcusdt@trade", "ltcusdt@bookTicker", "bchusdt@trade"].iter().cycle())
    {
        if second % 8 < 4 {
            assert!(sim.want(name));
        } else {
            sim.unwant(name);
        }
        frames.extend(poll(&mut sim, START + second * 1_000));
    }
    frames.retain(|frame| alone.iter().any(|known| known.name == frame.name));
    assert_eq!(frames, alone);
}
