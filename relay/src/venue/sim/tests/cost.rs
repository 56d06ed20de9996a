//! What the venue costs. Ignored: figures mean something only in release on a quiet machine.

use super::*;
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
