//! What the venue costs. Ignored: figures mean something only in release on a quiet machine.

use super::*;
use crate::venue::sim::account::{Account, ROUND_MS};
use crate::venue::sim::past::Past;
use std::time::Instant;

#[test]
#[ignore = "a measurement: cargo test --release -p relay --lib sim::tests::cost -- --ignored --nocapture"]
fn everything_wanted() {
    let names = all_names();
    for step in [10, 50] {
        let mut sim = Sim::new(1, Fields::Full, START);
        let started = Instant::now();
        assert!(names.iter().all(|name| sim.want(name)));
        let wanted = started.elapsed();
        let mut bytes = 0;
        sim.poll(START, &mut |_, payload, _| bytes += payload.len());
        let begun = started.elapsed();
        let mut frames = 0;
        let mut micros = Vec::new();
        let running = Instant::now();
        let polls = 180_000 / step;
        for poll in 1..=polls {
            let each = Instant::now();
            sim.poll(START + poll * step, &mut |_, payload, _| {
                frames += 1;
                bytes += payload.len();
            });
            micros.push(each.elapsed().as_micros());
        }
        let mean = running.elapsed().as_micros() / u128::from(polls);
        micros.sort_unstable();

        let p99 = micros[micros.len() * 99 / 100];
        println!(
            "every {step} ms: {} streams wanted in {wanted:?}, begun in {begun:?}; then {mean} us a poll on average, p99 {p99} us, \
             {} frames and {} kB a second",
            names.len(),
            frames / 180,
            bytes / 180_000
        );
    }
}

/// What history costs: 5000 ticks below 50 ms, a thousand days below 200 ms, a document, and an account's beginning.
#[test]
#[ignore = "a measurement: cargo test --release -p relay --lib sim::tests::cost -- --ignored --nocapture"]
fn history() {
    let past = Past::new(1);
    let now = START / 1_000 / 86_400 * 86_400;
    for symbol in ["R_100", "frxEURUSD", "cryBTCUSD"] {
        let first = Instant::now();
        assert!(past.tick(symbol, now).is_some());
        let drawn = first.elapsed();
        let started = Instant::now();
        let period = past.period_s(symbol).unwrap();
        assert!((0..5_000).all(|back| past.tick(symbol, now - back * period).is_some()));
        let ticks = started.elapsed();
        let started = Instant::now();
        assert!((1..=1_000).all(|back| past.candle(symbol, now - back * 86_400, now - (back - 1) * 86_400).is_some()));
        println!("{symbol}: drawn in {drawn:?}, 5000 ticks in {ticks:?}, 1000 days in {:?}", started.elapsed());
        for width in [60, 3_600, 14_400, 86_400] {
            let started = Instant::now();
            let candles =
                (1..=5_000).filter(|back| past.candle(symbol, now - back * width, now - (back - 1) * width).is_some());
            println!("{symbol}: {} candles of {width} s in {:?}", candles.count(), started.elapsed());
        }
    }
    let mut sim = Sim::new(1, Fields::Document, START);
    assert!(sim.want("coingecko@top"));
    for at in [START, START + 10_000, START + 20_000, START + 60_000] {
        let started = Instant::now();
        let mut bytes = 0;
        sim.poll(at, &mut |_, payload, _| bytes += payload.len());
        println!("coingecko@top: {bytes} bytes in {:?}", started.elapsed());
    }
    let started = Instant::now();
    let account = Account::at(&past, "alice", ROUND_MS, START);
    println!("an account due at {} begins in {:?}", account.next_due(), started.elapsed());
}
