//! Who falls behind and comes back, by the kind of data; and who keeps up and misses nothing.

use super::world::{UNLIMITED, World};
use crate::fanout::kind::Kind;
use crate::limits::SERVE_BYTES_MAX;

/// However much comes between two turns, who keeps up gets every frame, also when it was told something meanwhile.
#[test]
fn who_keeps_up_gets_everything() {
    for kind in [Kind::State, Kind::Kline, Kind::Event] {
        let mut world = World::with(&[kind], 3, UNLIMITED);
        world.publish(0, 1, 0);
        world.settle();
        world.tell(1);
        world.publish(0, 3000, 300);
        world.settle();
        for id in 0..3 {
            assert_eq!(world.client(id).delivered, 3001, "client {id} of a {kind:?} channel");
        }
    }
}

/// The same in the middle of a pass, which may have gone by who is told something.
#[test]
fn who_is_told_in_the_middle_of_a_pass_keeps_up() {
    for kind in [Kind::State, Kind::Event] {
        for told in 0..9 {
            let mut world = World::with(&[kind], 9, UNLIMITED);
            world.publish(0, 1, 0);
            assert!(world.turn(0, 3));
            world.advance(20_000);
            world.tell(told);
            // More than any log must keep.
            (0..6).for_each(|_| world.publish(0, 100, 300));
            while world.turn(0, 3) {}
            assert!((0..9).all(|id| world.client(id).delivered == 601), "client {told} of a {kind:?} channel");
        }
    }
}

/// Who subscribes while a turn's budget has run out does not take the place of somebody who still waits.
#[test]
fn a_newcomer_in_the_middle_of_a_pass() {
    for newcomers in 1..6 {
        for budget in [4, 7, 9] {
            let mut world = World::with(&[Kind::Event], 10, UNLIMITED);
            world.publish(0, 1, 0);
            assert!(world.turn(0, budget - 3));
            world.publish(0, 1, 0);
            assert!(world.turn(0, budget));
            for _ in 0..newcomers {
                let id = world.open(0, UNLIMITED, false, false);
                world.subscribe(id, 0);
            }
            world.settle();
        }
    }
}

/// A blocked client of states gets the newest, and what it was spared is counted.
#[test]
fn states_resume_at_the_newest() {
    let mut world = World::with(&[Kind::State], 2, UNLIMITED);
    world.clients.list[0].room = 30;
    for _ in 0..1000 {
        world.publish(0, 1, 20);
        world.settle();
    }
    world.drain(0, UNLIMITED);
    world.settle();
    assert_eq!((world.client(0).delivered, world.client(0).skipped), (2, 998));
    assert_eq!((world.client(1).delivered, world.client(1).skipped), (1000, 0));
    assert_eq!(world.fanouts[0].stats.skipped, 998);
    world.publish(0, 5, 20);
    world.settle();
    assert_eq!(world.client(0).delivered, 7, "once it is up to date nothing is skipped");
}

/// Closed candles arrive although open ones have pushed the log around.
#[test]
fn closed_candles_arrive() {
    let mut world = World::with(&[Kind::Kline], 1, 0);
    let mut closed = 0;
    for at in 0..4000 {
        world.publish_closing(0, 1, 200, at % 40 == 0);
        closed += u64::from(at % 40 == 0);
        world.turn(0, 64);
    }
    assert!(world.clients.channels[0].log.oldest() > 3000, "the log has moved on");
    world.drain(0, UNLIMITED);
    world.settle();
    assert_eq!(world.client(0).delivered, closed + 1, "and the newest");
}

/// A client of events gets all that the log still has; when that is not all, it is named, once.
#[test]
fn events_are_complete_or_the_client_is_too_slow() {
    for (frames, is_lost) in [(250, false), (2500, true)] {
        let mut world = World::with(&[Kind::Event], 1, 0);
        world.publish(0, 1, 200);
        world.settle();
        for _ in 0..frames {
            world.publish(0, 1, 400);
            world.advance(100);
        }
        let slot = 0;
        assert_eq!(world.fanouts[0].has_lost_events(slot), is_lost);
        assert!(!world.client(0).ended, "it is told when it can be, or when the owner looks");
        world.drain(0, UNLIMITED);
        world.settle();
        assert_eq!(world.client(0).ended, is_lost);
        assert_eq!(world.client(0).delivered, if is_lost { 0 } else { 251 });
    }
}

/// Who lost events gets its CLOSE and nothing before it, whatever else is new.
#[test]
fn who_is_too_slow_gets_nothing_more() {
    let mut world = World::with(&[Kind::State, Kind::Event], 1, UNLIMITED);
    world.clients.list[0].room = 0;
    world.publish(1, 1, 300);
    world.settle();
    world.drain(0, UNLIMITED);
    world.publish(1, 600, 300);
    world.advance(20_000);
    world.publish(0, 3, 0);
    world.settle();
    assert_eq!((world.client(0).delivered, world.client(0).closed), (0, true));
}

/// A client that can be written again in time for a batch is not too slow for what the batch still has.
#[test]
fn events_of_the_coming_batch_are_not_lost() {
    let mut world = World::with(&[Kind::Event], 1, UNLIMITED);
    world.clients.list[0].room = 0;
    world.tell(0);
    world.settle();
    world.drain(0, UNLIMITED);
    world.publish(0, 600, 300);
    world.advance(20_000);
    assert!(world.clients.channels[0].log.oldest() > 0);
    world.settle();
    assert_eq!(world.client(0).delivered, 600);
}

/// Whoever asked for notices is told before the next frame what is missing; whatever the cuts.
#[test]
fn notices_name_what_is_missing() {
    for step in [1, 3, 50, 1000] {
        for combined in [false, true] {
            let mut world = World::new(&[Kind::State, Kind::Kline]);
            world.open(0, 10, combined, true);
            (0..2).for_each(|channel| world.subscribe(0, channel));
            for round in 0..60 {
                world.publish_closing(0, 2, 20, false);
                world.publish_closing(1, 3, 20, round % 7 == 0);
                world.drain(0, step);
                world.settle();
            }
            world.drain(0, UNLIMITED);
            world.settle();
            let client = world.client(0);
            assert_eq!(client.delivered + client.skipped, 60 * 5);
        }
    }
}

/// Who was behind and got everything keeps up again, also if that just filled a helping.
#[test]
fn a_full_helping_may_be_the_last() {
    let mut world = World::with(&[Kind::Event, Kind::State], 1, UNLIMITED);
    world.clients.list[0].room = 0;
    world.publish(0, 1, SERVE_BYTES_MAX);
    world.settle();
    world.drain(0, UNLIMITED);
    world.turn(0, 64);
    assert_eq!(world.client(0).delivered, 1);
    world.publish(1, 5, 0);
    world.settle();
    assert_eq!(world.client(0).delivered, 6);
}

/// The wrapper comes and goes with the next frame, in the middle of a backlog as well.
#[test]
fn the_wrapper_switches_live() {
    let mut world = World::with(&[Kind::Event, Kind::Event], 3, UNLIMITED);
    world.clients.list[0].room = 100;
    for at in 0..300 {
        world.publish(at % 2, 3, at);
        world.set_combined(0, at % 3 == 0);
        world.set_combined(1, at % 5 == 0);
        world.drain(0, 150);
        world.turn(0, 2);
        world.set_combined(2, at % 7 == 0);
        world.turn(0, 64);
    }
    world.drain(0, UNLIMITED);
    world.settle();
    for id in 0..3 {
        assert_eq!(world.client(id).delivered, 900);
    }
}
