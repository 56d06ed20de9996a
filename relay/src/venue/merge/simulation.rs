//! Legs that lose, delay, double and die, under a virtual clock: what comes out, and what is told to be missing.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::tests::{A, B, MS, World, trade};
use super::*;

/// What one leg does to the frames of a second.
#[derive(Clone, Debug)]
struct Way {
    lost: BTreeSet<u64>,
    doubled: BTreeSet<u64>,
    /// By how many milliseconds each frame is late, in turn.
    delays: Vec<u64>,
}

fn way(frames: u64) -> impl Strategy<Value = Way> {
    let some = || proptest::collection::btree_set(2..=frames, 0..20);
    (some(), some(), proptest::collection::vec(0..40_u64, 1..8)).prop_map(|(lost, doubled, delays)| Way {
        lost,
        doubled,
        delays,
    })
}

/// Frames of one leg with the time they arrive; the first is never lost, so that both are known from the start.
fn arrivals(way: &Way, source: Source, frames: u64) -> Vec<(u64, Source, u64)> {
    let mut all = Vec::new();
    for number in (1..=frames).filter(|number| !way.lost.contains(number)) {
        let delay = if number == 1 { 0 } else { way.delays[number as usize % way.delays.len()] };
        let times = if way.doubled.contains(&number) { 2 } else { 1 };
        (0..times).for_each(|time| all.push((number * 10 + delay + time, source, number)));
    }
    all
}

proptest! {
    /// Whatever each leg loses, doubles and reorders within the time that is waited: everything that one of them had
    /// comes out in order and once, and the rest is told.
    #[test]
    fn two_legs_are_one_stream(a in way(60), b in way(60)) {
        let mut world = World::legs("x@trade");
        let mut all = arrivals(&a, A, 60);
        all.extend(arrivals(&b, B, 60));
        all.sort_by_key(|(at, _, number)| (*at, *number));
        for (at_ms, source, number) in all {
            world.poll(at_ms * MS);
            world.trade(source, number, at_ms);
        }
        world.poll(10_000 * MS);
        let expected: Vec<u64> =
            (1..=60).filter(|number| !a.lost.contains(number) || !b.lost.contains(number)).collect();
        let newest = *expected.last().unwrap();
        prop_assert_eq!(world.numbers(), expected.clone());
        let told: BTreeSet<u64> = world.missed().into_iter().flat_map(|(from, to)| from..=to).collect();
        let missing: BTreeSet<u64> = (1..=newest).filter(|number| !expected.contains(number)).collect();
        prop_assert_eq!(told, missing);
    }

    /// Any text from any number of sources that come and go is borne, and with one source nothing is kept back.
    #[test]
    fn anything_is_borne(
        stream in prop::sample::select(vec!["x@trade", "x@depth", "x@book", "x@depth5", "x@ticker", "x@kline_1m", "x@y"]),
        steps in proptest::collection::vec((0..4_u8, 0..3_u16, 0..30_u64, 0..30_u64, 0..40_u64), 0..200),
    ) {
        let mut world = World::of(stream);
        let mut now_ms = 1;
        let mut offered = 0;
        for (leg, conn, first, last, wait) in steps {
            now_ms += wait;
            let source = Source { leg: leg % 2, conn };
            match leg {
                3 => world.sources.up(source, now_ms * MS),
                2 => world.sources.down(source, first % 2 == 0),
                _ => {
                    offered += 1;
                    let text = format!(r#"{{"E":{last},"t":{first},"U":{first},"pu":{first},"u":{last},"k":{{"x":true,"t":1}}}}"#);
                    world.offer(source, &text, now_ms * MS);
                }
            }
            world.poll(now_ms * MS);
        }
        world.poll(u64::MAX);
        prop_assert!(world.merge.due_ns().is_none());
        let dropped = world.tally.duplicates + world.tally.late_dropped;
        // A snapshot makes what was held before it worthless; that is not counted one by one.
        if stream != "x@book" {
            prop_assert_eq!(world.out.len() as u64 + dropped, offered);
        }
    }
}

/// One leg or the other is killed every ten seconds and comes back a second later, for an hour: not a frame is lost.
#[test]
fn a_leg_killed_every_ten_seconds_costs_nothing() {
    let mut world = World::legs("x@trade");
    let (mut queue, mut down_until, mut last_due) = (Vec::new(), [0_u64; 2], [0_u64; 2]);
    let legs = [A, B];
    for at_ms in (10..3_600_000_u64).step_by(10) {
        let number = at_ms / 10;
        let turn = (at_ms / 10_000) as usize;
        if at_ms % 10_000 == 0 && turn > 0 {
            let victim = legs[turn % 2];
            world.sources.down(victim, false);
            queue.retain(|(_, source, _)| *source != victim);
            down_until[turn % 2] = at_ms + 1_000;
        }
        for (leg, source) in legs.into_iter().enumerate() {
            if down_until[leg] == at_ms && at_ms > 10_000 {
                world.sources.up(source, at_ms * MS);
            }
            if at_ms >= down_until[leg] {
                // Each leg is ahead for a while.
                let delay = if turn % 3 == leg { 25 } else { 3 };
                // A connection keeps its order, whatever becomes of its delay.
                last_due[leg] = last_due[leg].max(at_ms + delay);
                queue.push((last_due[leg], source, number));
            }
        }
        queue.sort_by_key(|(due, _, number)| (*due, *number));
        while let Some((due, source, number)) = queue.first().copied().filter(|(due, ..)| *due <= at_ms) {
            queue.remove(0);
            world.trade(source, number, due);
        }
        world.poll(at_ms * MS);
    }
    for (due, source, number) in queue {
        world.trade(source, number, due);
    }
    assert!(world.numbers().into_iter().eq(1..360_000), "every number once and in order");
    assert_eq!((world.missed(), world.tally.disorder), (vec![], 0));
    assert_eq!(trade(1), world.out[0]);
}
