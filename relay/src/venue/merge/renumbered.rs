//! Numbers that are lower than before: of a venue that numbers anew, or that repeats itself.

use super::tests::{A, B, MS, World};
use super::*;

fn book(number: u64) -> String {
    format!(r#"{{"lastUpdateId":{number},"bids":[],"asks":[]}}"#)
}

fn both_come_back(world: &mut World, now_ms: u64) {
    for source in [A, B] {
        world.sources.down(source, false);
    }
    world.sources.up(A, now_ms * MS);
    world.sources.up(B, now_ms * MS + 1);
}

/// Both legs come back to a venue that numbers anew: its first frame counts.
#[test]
fn legs_come_back_to_lower_numbers() {
    let mut world = World::legs("x@trade");
    world.trades(A, 5_000..=5_300, |number| number - 5_000);
    world.trades(B, 5_000..=5_300, |number| number - 4_990);
    both_come_back(&mut world, 1_000);
    world.out.clear();
    for number in 1..=50 {
        assert_eq!(world.trade(A, number, 2_000 + number), Verdict::Publish, "{number}");
        assert_eq!(world.trade(B, number, 2_000 + number), Verdict::Duplicate, "{number}");
        assert!(!world.merge.is_behind());
    }
    assert_eq!((world.numbers(), world.missed()), ((1..=50).collect(), vec![]));
}

/// So it is for state, for times and for books.
#[test]
fn state_begins_anew_on_both_legs() {
    let ticker = |time: u64| format!(r#"{{"e":"24hrTicker","E":{time}}}"#);
    let snapshot = |u: u64| format!(r#"{{"e":"bookSnapshot","E":1,"s":"X","pu":-1,"u":{u},"b":[],"a":[]}}"#);
    let update = |u: u64| format!(r#"{{"e":"bookUpdate","E":1,"s":"X","pu":{},"u":{u},"b":[],"a":[]}}"#, u - 1);
    let depth = |u: u64| format!(r#"{{"e":"depthUpdate","U":{u},"u":{u}}}"#);
    let streams: [(&str, &dyn Fn(u64) -> String); 4] =
        [("x@depth5", &book), ("x@ticker", &ticker), ("x@depth", &depth), ("x@book", &update)];
    for (stream, text) in streams {
        let mut world = World::legs(stream);
        if stream == "x@book" {
            world.offer(A, &snapshot(899), 9 * MS);
        }
        for number in 900..910 {
            world.offer(A, &text(number), 10 * MS);
            world.offer(B, &text(number), 11 * MS);
        }
        both_come_back(&mut world, 1_000);
        if stream == "x@book" {
            assert_eq!(world.offer(B, &snapshot(9), 1_999 * MS), Verdict::Publish);
        }
        for number in 10..20 {
            assert_eq!(world.offer(B, &text(number), 2_000 * MS), Verdict::Publish, "{stream} {number}");
            assert_eq!(world.offer(A, &text(number), 2_001 * MS), Verdict::Duplicate, "{stream} {number}");
        }
        assert_eq!(world.missed(), [], "{stream}");
    }
}

/// A venue that says its last trades again to whoever comes back: none of them is published twice, and what was
/// missing among them is published after all.
#[test]
fn legs_come_back_to_repeated_numbers() {
    let mut world = World::legs("x@trade");
    for number in (1..=400).filter(|number| *number != 390) {
        world.trade(A, number, number);
        world.trade(B, number, number);
    }
    world.poll(1_000 * MS);
    let before: Vec<u64> = (1..390).chain(391..=400).collect();
    assert_eq!(world.numbers(), before);
    both_come_back(&mut world, 1_000);
    world.trades(A, 350..=400, |number| 2_000 + number);
    world.trades(A, 390..=400, |number| 3_000 + number);
    assert!(!world.merge.is_behind());
    world.trades(B, 350..=401, |number| 6_000 + number);
    world.trades(A, 401..=402, |number| 7_000 + number);
    assert_eq!(world.numbers(), before.into_iter().chain([390, 401, 402]).collect::<Vec<_>>());
}

/// The server that a connection is moved to counts anew. The old connection is left by us, so what it published may
/// come again; but not for ever.
#[test]
fn a_rotation_to_lower_numbers_is_not_silent_for_ever() {
    let new = Source { leg: 0, conn: 1 };
    let mut world = World::of("x@trade");
    world.sources.up(A, 1);
    world.trades(A, 5_000..=5_010, |number| number - 4_990);
    world.sources.up(new, 15 * MS);
    world.trade(A, 5_011, 30);
    world.sources.down(A, true);
    assert_eq!(world.trade(new, 1, 1_000), Verdict::Duplicate);
    assert!(world.merge.is_behind());
    assert_eq!(world.trade(new, 2, 2_999), Verdict::Duplicate);
    assert_eq!(world.trade(new, 3, 3_000), Verdict::Publish);
    assert!(!world.merge.is_behind());
    assert_eq!(world.trade(new, 4, 3_001), Verdict::Publish);
}

/// One number that is far too high, then the leg that said it dies.
#[test]
fn a_number_out_of_place_does_not_silence_the_other_leg() {
    let mut world = World::legs("x@depth5");
    for number in 1..=10 {
        world.offer(A, &book(number), number * MS);
        world.offer(B, &book(number), number * MS);
    }
    world.offer(A, &book(1_000_000), 20 * MS);
    world.sources.down(A, false);
    let verdicts: Vec<Verdict> = (11..=60).map(|number| world.offer(B, &book(number), number * 100 * MS)).collect();
    assert_eq!(verdicts.iter().position(|verdict| *verdict == Verdict::Publish), Some(20));
    assert!(verdicts[20..].iter().all(|verdict| *verdict == Verdict::Publish));
}

/// A leg that is far behind is not one that begins anew, however long that lasts: the other one publishes.
#[test]
fn a_leg_far_behind_stays_behind() {
    let mut world = World::legs("x@trade");
    for number in 1..=1_000 {
        world.trade(A, number, number * 10);
        if number > 400 {
            assert_eq!(world.trade(B, number - 400, number * 10 + 1), Verdict::Duplicate);
        }
    }
    assert_eq!(world.numbers(), (1..=1_000).collect::<Vec<_>>());
}
