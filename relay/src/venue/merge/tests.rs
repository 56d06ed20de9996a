use super::super::sequence::Numbers;
use super::*;
use crate::limits::{MERGE_RECENT_BURST_FRAMES, MERGE_RECENT_FRAMES};
use crate::venue::gap::Healer;

pub(super) const MS: u64 = NS_PER_MS;

/// A merge with its connections and counts, and what it published.
pub(super) struct World {
    pub merge: Merge,
    pub sources: Sources,
    pub tally: Tally,
    pub out: Vec<String>,
}

pub(super) const A: Source = Source { leg: 0, conn: 0 };
pub(super) const B: Source = Source { leg: 1, conn: 0 };

impl World {
    pub fn of(stream: &str) -> World {
        World {
            merge: Merge::new(Rule::of(stream, Numbers::Dense)),
            sources: Sources::default(),
            tally: Tally::default(),
            out: Vec::new(),
        }
    }

    /// With two legs that stand.
    pub fn legs(stream: &str) -> World {
        let mut world = World::of(stream);
        world.sources.up(A, 1);
        world.sources.up(B, 2);
        world
    }

    pub fn offer(&mut self, source: Source, payload: &str, now_ns: u64) -> Verdict {
        let frame = Frame { source, payload: payload.as_bytes(), read_ns: now_ns };
        let verdict = self.merge.offer(frame, &self.sources, &mut self.tally);
        if verdict == Verdict::Publish {
            self.out.push(payload.to_owned());
        }
        self.poll(now_ns);
        verdict
    }

    pub fn poll(&mut self, now_ns: u64) {
        while let Some(released) = self.merge.poll(now_ns, &mut self.tally) {
            self.out.push(String::from_utf8(released.payload).unwrap());
        }
    }

    pub fn trade(&mut self, source: Source, number: u64, now_ms: u64) -> Verdict {
        self.offer(source, &trade(number), now_ms * MS)
    }

    pub fn trades(&mut self, source: Source, numbers: std::ops::RangeInclusive<u64>, at_ms: fn(u64) -> u64) {
        numbers.for_each(|number| _ = self.trade(source, number, at_ms(number)));
    }

    /// The numbers of the trades that came out.
    pub fn numbers(&self) -> Vec<u64> {
        self.out.iter().map(|text| text[5..text.len() - 1].parse().unwrap()).collect()
    }

    /// Gaps that stay, by their numbers.
    pub fn missed(&self) -> Vec<(u64, u64)> {
        self.gaps(|healed| healed.is_none())
    }

    pub fn gaps(&self, wanted: impl Fn(Option<Healer>) -> bool) -> Vec<(u64, u64)> {
        let gap = |note: &Note| match *note {
            Note::Gap { extent: Extent::Numbers { from, to, .. }, healed, .. } if wanted(healed) => Some((from, to)),
            _ => None,
        };
        self.tally.notes.iter().filter_map(gap).collect()
    }
}

pub(super) fn trade(number: u64) -> String {
    format!(r#"{{"t":{number}}}"#)
}

/// Whatever one source says passes: repeated, lower, missing numbers, and none at all.
#[test]
fn one_source_passes_as_it_is() {
    let mut world = World::of("x@trade");
    world.sources.up(A, 1);
    let sent = [1, 1, 1, 2, 3, 7, 5, 6, 7, 7, 100, 1, 2];
    for (at, number) in sent.into_iter().enumerate() {
        assert_eq!(world.trade(A, number, 10 + at as u64), Verdict::Publish);
    }
    assert_eq!(world.numbers(), sent);
    assert_eq!(world.missed(), [(4, 6), (8, 99)]);
    assert_eq!((world.tally.disorder, world.tally.missing, world.tally.gaps), (5, 95, 2));
    assert_eq!((world.tally.duplicates, world.tally.held), (0, 0));
    for stream in ["x@forceOrder", "x@ticker", "x@depth", "x@depth5", "x@kline_1m", "!ticker@arr", "x@book"] {
        let mut world = World::of(stream);
        let texts = [r#"{"E":5,"U":9,"u":9}"#, r#"{"E":4,"U":2,"u":3}"#, r#"{"E":4,"U":2,"u":3}"#, "{}", "[1]"];
        texts.iter().for_each(|text| assert_eq!(world.offer(A, text, 10), Verdict::Publish, "{stream} {text}"));
    }
}

/// After a loss the numbers tell what is missing; numbers that begin anew pass.
#[test]
fn a_new_life_goes_on() {
    let mut world = World::of("x@trade");
    world.sources.up(A, 1);
    world.trade(A, 10, 5);
    world.sources.down(A, false);
    world.sources.up(A, 20 * MS);
    world.trade(A, 15, 30);
    assert_eq!(world.missed(), [(11, 14)]);
    world.sources.down(A, false);
    world.sources.up(A, 40 * MS);
    (1..5).for_each(|number| assert_eq!(world.trade(A, number, 50), Verdict::Publish));
    // It moved to a connection that stood before, and repeats: nothing says that these are the same trades.
    let other = Source { leg: 0, conn: 1 };
    world.sources.up(other, 45 * MS);
    world.sources.down(A, false);
    assert_eq!(world.trade(other, 4, 60), Verdict::Publish);
    assert_eq!(world.tally.duplicates, 0);
}

#[test]
fn the_first_wins() {
    let mut world = World::legs("x@trade");
    for number in 1..=4 {
        let (first, second) = if number % 2 == 1 { (A, B) } else { (B, A) };
        assert_eq!(world.trade(first, number, number * 10), Verdict::Publish);
        assert_eq!(world.trade(second, number, number * 10 + 3), Verdict::Duplicate);
    }
    assert_eq!(world.numbers(), [1, 2, 3, 4]);
    let legs = &world.tally.legs;
    assert_eq!((legs[0].wins, legs[1].wins, world.tally.duplicates), (2, 2, 4));
    assert_eq!((legs[0].lags[2], legs[0].lag_ns), (2, 6 * MS));
}

/// What one leg lost is waited for, and comes in its place.
#[test]
fn a_hole_is_filled_by_the_other_leg() {
    let mut world = World::legs("x@trade");
    world.trade(A, 1, 0);
    world.trade(B, 1, 1);
    assert_eq!(world.trade(A, 3, 2), Verdict::Held);
    assert_eq!(world.trade(A, 4, 3), Verdict::Held);
    assert_eq!(world.merge.due_ns(), Some(102 * MS));
    assert_eq!(world.trade(B, 2, 50), Verdict::Publish);
    assert_eq!(world.numbers(), [1, 2, 3, 4]);
    assert_eq!((world.trade(B, 3, 51), world.trade(B, 4, 52)), (Verdict::Duplicate, Verdict::Duplicate));
    assert_eq!(world.gaps(|healed| healed == Some(Healer::OtherLeg)), [(2, 2)]);
    assert_eq!((world.missed(), world.tally.missing, world.merge.due_ns()), (vec![], 0, None));
}

/// The other leg stands and has said nothing yet: what it may bring is waited for from the first frame on.
#[test]
fn a_hole_at_the_beginning_is_filled() {
    let mut world = World::legs("x@trade");
    world.trade(A, 1, 0);
    assert_eq!(world.trade(A, 3, 1), Verdict::Held);
    world.trade(B, 1, 2);
    world.trade(B, 2, 3);
    assert_eq!((world.numbers(), world.missed()), (vec![1, 2, 3], vec![]));
}

/// What both have lost is given up after a while, and told.
#[test]
fn a_hole_of_both_is_told() {
    let mut world = World::legs("x@trade");
    world.trade(A, 1, 0);
    world.trade(B, 1, 1);
    assert_eq!(world.trade(A, 3, 2), Verdict::Held);
    assert_eq!(world.trade(B, 3, 3), Verdict::Duplicate);
    world.poll(101 * MS);
    assert_eq!(world.numbers(), [1]);
    world.poll(102 * MS);
    assert_eq!((world.numbers(), world.missed()), (vec![1, 3], vec![(2, 2)]));
    // An event that comes after all is still an event.
    assert_eq!(world.trade(B, 2, 110), Verdict::Publish);
    assert_eq!(world.trade(A, 2, 111), Verdict::Duplicate);
    assert!(world.tally.notes.contains(&Note::CameLate { number: 2 }));
}

/// Nobody else can fill it: nothing is waited for.
#[test]
fn a_leg_that_is_left_alone_does_not_wait() {
    let mut world = World::legs("x@trade");
    world.trade(A, 1, 0);
    world.trade(B, 1, 1);
    assert_eq!(world.trade(A, 3, 2), Verdict::Held);
    world.sources.down(B, false);
    world.trade(A, 4, 3);
    assert_eq!((world.numbers(), world.missed()), (vec![1, 3, 4], vec![(2, 2)]));
    assert_eq!(world.trade(A, 6, 4), Verdict::Publish);
    assert_eq!(world.missed(), [(2, 2), (5, 5)]);
}

/// The leg that is behind when the other dies brings what was published, then goes on.
#[test]
fn a_leg_dies_ahead_of_the_other() {
    let mut world = World::legs("x@trade");
    world.trades(A, 1..=5, |number| number);
    world.trades(B, 1..=3, |number| 10 + number);
    world.sources.down(A, false);
    world.trades(B, 4..=7, |number| 20 + number);
    assert_eq!(world.numbers(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((world.missed(), world.tally.disorder), (vec![], 0));
    // It comes back in the middle.
    world.sources.up(A, 30 * MS);
    world.trade(B, 8, 31);
    assert_eq!(world.trade(A, 8, 32), Verdict::Duplicate);
    assert_eq!(world.trade(A, 9, 33), Verdict::Publish);
}

/// A silent leg takes over: what the other published just before its end is the first it brings.
#[test]
fn a_leg_without_a_frame_so_far_takes_over() {
    let mut world = World::legs("x@trade");
    world.trade(A, 1, 1);
    world.sources.down(A, false);
    assert_eq!(world.trade(B, 1, 2), Verdict::Duplicate);
    assert_eq!(world.trade(B, 2, 3), Verdict::Publish);
}

/// The old connection and the new one bring the same for a while.
#[test]
fn a_rotation_costs_no_frame_and_doubles_none() {
    let new = Source { leg: 0, conn: 1 };
    let mut world = World::of("x@trade");
    world.sources.up(A, 1);
    world.trades(A, 1..=3, |number| number);
    world.sources.up(new, 4 * MS);
    world.trade(A, 4, 5);
    world.trade(new, 4, 6);
    world.trade(new, 5, 7);
    world.trade(A, 5, 8);
    world.trade(A, 6, 9);
    world.sources.down(A, true);
    world.trade(new, 6, 10);
    world.trade(new, 7, 11);
    assert_eq!(world.numbers(), [1, 2, 3, 4, 5, 6, 7]);
    // Left before the new one had said anything.
    let third = Source { leg: 0, conn: 2 };
    world.sources.up(third, 12 * MS);
    world.trade(new, 8, 13);
    world.sources.down(new, true);
    assert_eq!(world.trade(third, 8, 14), Verdict::Duplicate);
    assert_eq!(world.trade(third, 9, 15), Verdict::Publish);
}

/// Streams without numbers are told by their bytes; the first frame that both connections bring is known too.
#[test]
fn a_rotation_doubles_no_frame_without_a_number() {
    let new = Source { leg: 0, conn: 1 };
    let text = |stream: &str, number: u64| match stream {
        "x@forceOrder" => format!("{{}} {number}"),
        "!ticker@arr" => format!(r#"[{{"E":{number}}}]"#),
        _ => format!(r#"{{"E":{number},"k":{{"t":1,"x":false}}}}"#),
    };
    for stream in ["x@forceOrder", "x@ticker", "!ticker@arr", "x@kline_1m"] {
        let mut world = World::of(stream);
        world.sources.up(A, 1);
        world.offer(A, &text(stream, 1), 40_000 * MS);
        assert!(world.merge.recent.is_empty(), "{stream}: nobody else may bring it");
        world.sources.up(new, 50_000 * MS);
        for number in 2..5 {
            let now_ns = (50_000 + number) * MS;
            assert_eq!(world.offer(A, &text(stream, number), now_ns), Verdict::Publish, "{stream} {number}");
            assert_eq!(world.offer(new, &text(stream, number), now_ns + 1), Verdict::Duplicate, "{stream} {number}");
        }
        world.sources.down(A, true);
        // What the venue says twice comes twice.
        assert_eq!(world.offer(new, &text(stream, 4), 51_000 * MS), Verdict::Publish, "{stream}");
    }
}

/// What one leg brings in a burst is known when the other brings it, however long the burst was.
#[test]
fn a_burst_without_numbers_comes_once() {
    let mut world = World::legs("x@forceOrder");
    let burst = 20 * MERGE_RECENT_FRAMES as u64;
    for number in 0..burst {
        assert_eq!(world.offer(A, &number.to_string(), 5_000 * MS), Verdict::Publish);
    }
    for number in 0..burst {
        assert_eq!(world.offer(B, &number.to_string(), 5_100 * MS), Verdict::Duplicate, "{number}");
    }
    world.offer(A, "x", 60_000 * MS);
    assert_eq!(world.merge.recent.len(), MERGE_RECENT_FRAMES, "a burst is not remembered for long");
    for number in 0..2 * MERGE_RECENT_BURST_FRAMES {
        world.offer(A, &format!("y{number}"), 61_000 * MS);
    }
    assert_eq!(world.merge.recent.len(), MERGE_RECENT_BURST_FRAMES);
}

/// A connection that came up for other streams costs memory for a while only.
#[test]
fn a_twin_that_brings_nothing_is_forgotten() {
    let mut world = World::of("x@ticker");
    world.sources.up(A, 1);
    world.sources.up(Source { leg: 0, conn: 1 }, 50_000 * MS);
    for (seconds, is_remembered) in [(50, true), (60, true), (79, true), (81, false), (82, false)] {
        world.offer(A, &format!(r#"{{"E":{seconds}}}"#), seconds * 1_000 * MS);
        assert_eq!(!world.merge.recent.is_empty(), is_remembered, "{seconds}");
    }
}

/// With one source too, numbers that have holes are found out: else each trade would be a gap.
#[test]
fn sparse_numbers_of_one_source_are_found_out() {
    let mut world = World::of("x@trade");
    world.sources.up(A, 1);
    (0..100).for_each(|at| assert_eq!(world.trade(A, at * 3, 10 + at), Verdict::Publish));
    assert_eq!((world.missed().len(), world.merge.rule()), (16, Rule::Rises("t")));
}

#[test]
fn numbers_that_begin_anew_pass_on_both_legs() {
    let mut world = World::legs("x@trade");
    let offer = |world: &mut World, source, number: u64, at: u64| {
        world.offer(source, &format!(r#"{{"t":{number},"p":{at}}}"#), at * MS)
    };
    for number in 1000..1010 {
        offer(&mut world, A, number, number);
        offer(&mut world, B, number, number);
    }
    for number in 1..100 {
        assert_eq!(offer(&mut world, A, number, 2000 + number), Verdict::Publish, "{number}");
        assert_eq!(offer(&mut world, B, number, 2000 + number), Verdict::Duplicate, "{number}");
    }
}

/// A venue whose numbers have holes is found out, and its frames are not delayed for ever.
#[test]
fn sparse_numbers_are_found_out() {
    let mut world = World::legs("x@trade");
    let mut held = 0;
    for at in 0..100 {
        let now = at * 200;
        held = if world.trade(A, at * 3, now) == Verdict::Held { held + 1 } else { held };
        world.trade(B, at * 3, now + 1);
        world.poll((now + 150) * MS);
    }
    assert_eq!(world.numbers(), (0..100).map(|at| at * 3).collect::<Vec<_>>());
    assert_eq!((held, world.merge.rule()), (16, Rule::Rises("t")));
    // Now it holds nothing, and still nothing comes twice or is lost.
    world.trade(A, 400, 30_000);
    assert_eq!(world.trade(B, 390, 30_001), Verdict::Publish);
    assert_eq!(world.trade(B, 400, 30_001), Verdict::Duplicate);
    assert_eq!(world.trade(A, 390, 30_002), Verdict::Duplicate);
}

#[test]
fn state_goes_forward_only() {
    let book = |number: u64| format!(r#"{{"lastUpdateId":{number},"bids":[],"asks":[]}}"#);
    let mut world = World::legs("x@depth5");
    world.offer(A, &book(5), MS);
    world.offer(B, &book(5), 2 * MS);
    world.offer(A, &book(9), 3 * MS);
    assert_eq!(world.offer(B, &book(7), 4 * MS), Verdict::Late);
    assert_eq!(world.offer(B, &book(9), 5 * MS), Verdict::Duplicate);
    let ticker = |time: u64, price: u64| format!(r#"{{"e":"24hrTicker","E":{time},"c":{price}}}"#);
    let mut world = World::legs("x@ticker");
    world.offer(A, &ticker(5, 1), MS);
    assert_eq!(world.offer(B, &ticker(4, 7), 2 * MS), Verdict::Late);
    world.offer(A, &ticker(6, 1), 3 * MS);
    assert_eq!(world.offer(B, &ticker(6, 1), 4 * MS), Verdict::Duplicate);
    assert_eq!(world.offer(B, &ticker(6, 2), 5 * MS), Verdict::Publish);
    assert_eq!(world.offer(A, &ticker(6, 2), 6 * MS), Verdict::Duplicate);
}

#[test]
fn a_candle_closes_once() {
    let candle = |time: u64, closed: bool| format!(r#"{{"e":"kline","E":{time},"k":{{"t":60,"x":{closed}}}}}"#);
    let mut world = World::legs("x@kline_1m");
    world.offer(A, &candle(100, false), MS);
    world.offer(B, &candle(100, false), 2 * MS);
    world.offer(A, &candle(120, true), 3 * MS);
    // Each of the venue's servers has its own time.
    assert_eq!(world.offer(B, &candle(121, true), 4 * MS), Verdict::Duplicate);
}

/// Without numbers the bytes tell, and what the venue says twice comes twice.
#[test]
fn streams_without_numbers_are_told_by_their_bytes() {
    let mut world = World::legs("x@forceOrder");
    let texts = ["{}", "{\"q\":1}", "{}", "{}"];
    world.offer(B, "0", 0);
    world.offer(A, "0", 0);
    for (at, text) in texts.into_iter().enumerate() {
        assert_eq!(world.offer(A, text, at as u64), Verdict::Publish);
    }
    for (at, text) in texts.into_iter().enumerate() {
        assert_eq!(world.offer(B, text, 10 + at as u64), Verdict::Duplicate);
    }
    assert_eq!(world.offer(B, "{}", 20), Verdict::Publish);
}

#[test]
fn books_chain_and_begin_anew() {
    let update = |pu: u64, u: u64| format!(r#"{{"e":"bookUpdate","E":1,"s":"X","pu":{pu},"u":{u},"b":[],"a":[]}}"#);
    let snapshot = |u: u64| format!(r#"{{"e":"bookSnapshot","E":1,"s":"X","pu":-1,"u":{u},"b":[],"a":[]}}"#);
    let mut world = World::of("x@book");
    world.offer(A, &snapshot(10), 1);
    world.offer(A, &update(10, 17), 2);
    world.offer(A, &update(17, 17), 3);
    // The venue's numbers begin anew, and the chain holds.
    world.offer(A, &update(17, 3), 4);
    world.offer(A, &update(3, 5), 5);
    assert_eq!((world.missed(), world.tally.disorder), (vec![], 0));
    world.offer(A, &update(9, 12), 6);
    world.offer(A, &snapshot(20), 7);
    assert_eq!((world.missed(), world.tally.missing), (vec![(6, 9)], 0));
    assert_eq!((world.out.len(), world.tally.notes.last()), (7, Some(&Note::Resynced)));
    // One leg begins anew while the other's chain holds.
    let mut world = World::legs("x@book");
    world.offer(A, &snapshot(10), 1);
    world.offer(B, &snapshot(10), 2);
    world.offer(A, &update(10, 20), 3);
    assert_eq!(world.offer(B, &snapshot(15), 4), Verdict::Duplicate);
    assert_eq!(world.offer(B, &update(15, 20), 5), Verdict::Duplicate);
    assert_eq!(world.offer(B, &update(20, 25), 6), Verdict::Publish);
    assert_eq!(world.missed(), []);
}

/// What waits has a bound.
#[test]
fn holding_has_a_bound() {
    let mut world = World::legs("x@trade");
    world.trade(A, 1, 0);
    world.trade(B, 1, 0);
    (3..3 + MERGE_HELD_FRAMES_MAX as u64).for_each(|number| assert_eq!(world.trade(A, number, 1), Verdict::Held));
    assert_eq!(world.out.len(), 1);
    world.trade(A, 3 + MERGE_HELD_FRAMES_MAX as u64, 1);
    assert_eq!((world.out.len(), world.missed()), (MERGE_HELD_FRAMES_MAX + 2, vec![(2, 2)]));
}
