//! Time runs: feeds publish at their rates, clients read at theirs, some come, go and move.
//!
//! A failure prints the seed; `SEED=n cargo test` repeats it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::world::{UNLIMITED, World};
use crate::fanout::kind::Kind;

const KINDS: [Kind; 5] = [Kind::State, Kind::Event, Kind::Kline, Kind::State, Kind::Event];

/// How a client reads.
#[derive(Clone, Copy)]
enum Pace {
    Unlimited,
    BytesPerTick(usize),
    Never,
}

fn run(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new(&KINDS);
    let mut paces = Vec::new();
    let loads: Vec<f64> = KINDS.iter().map(|_| rng.random_range(0.05..2.0)).collect();
    for tick in 0..400 {
        world.advance(5);
        if tick < 20 || rng.random_bool(0.02) {
            let pace = match rng.random_range(0..4) {
                0 | 1 => Pace::Unlimited,
                2 => Pace::BytesPerTick(rng.random_range(1..800)),
                _ => Pace::Never,
            };
            let room = if matches!(pace, Pace::Unlimited) { UNLIMITED } else { rng.random_range(0..5000) };
            let id = world.open(rng.random_range(0..2), room, rng.random_bool(0.3), rng.random_bool(0.3));
            paces.push(pace);
            for channel in 0..KINDS.len() {
                if rng.random_bool(0.5) {
                    world.subscribe(id, channel);
                }
            }
        }
        for (channel, load) in loads.iter().enumerate() {
            if rng.random_bool((load / 2.0).min(1.0)) {
                let count = if rng.random_bool(0.01) { 500 } else { rng.random_range(1..5) };
                let padding = if rng.random_bool(0.01) { 70_000 } else { rng.random_range(0..400) };
                let padding = if count == 500 { padding % 400 } else { padding };
                world.publish_closing(channel, count, padding, rng.random_bool(0.2));
            }
        }
        for (id, &pace) in paces.iter().enumerate() {
            if let Pace::BytesPerTick(bytes) = pace {
                world.drain(id, bytes);
            }
        }
        let id = rng.random_range(0..paces.len());
        match rng.random_range(0..20) {
            0 => world.subscribe(id, rng.random_range(0..KINDS.len())),
            1 => world.unsubscribe(id, rng.random_range(0..KINDS.len())),
            2 => world.set_combined(id, rng.random_bool(0.5)),
            3 => world.tell_pong(id),
            4 | 5 => world.depart(id),
            6 if rng.random_bool(0.3) => world.close(id),
            _ => {}
        }
        if rng.random_bool(0.3) {
            (0..paces.len()).for_each(|id| world.arrive(id, rng.random_range(0..2)));
        }
        let budget = rng.random_range(4..60);
        world.turn(0, budget);
        world.turn(1, budget);
    }
    (0..paces.len()).for_each(|id| world.arrive(id, 0));
    world.settle();
    for (id, &pace) in paces.iter().enumerate() {
        if matches!(pace, Pace::Unlimited) {
            let client = world.client(id);
            assert!(client.subs.iter().all(|sub| sub.next == world.head(sub.channel)), "client {id} keeps up");
        }
        world.drain(id, UNLIMITED);
    }
    world.settle();
}

/// Whatever the seed, every client gets what it was promised.
#[test]
fn clients_get_what_they_were_promised() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in seed.map_or(0..20, |seed| seed..seed + 1) {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("failed with SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
