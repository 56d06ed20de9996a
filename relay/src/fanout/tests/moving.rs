//! Sessions that move from one shard to another.

use super::world::{UNLIMITED, World};
use crate::fanout::kind::Kind;

/// Moved at any moment, with half a frame under way or not, a session loses nothing and gets nothing twice.
#[test]
fn a_moved_session_goes_on() {
    for room in [UNLIMITED, 0, 1, 700] {
        let mut world = World::with(&[Kind::Event, Kind::Event, Kind::Kline], 4, UNLIMITED);
        for round in 0..90 {
            let id = round % 4;
            world.clients.list[id].room = room;
            (0..3).for_each(|channel| world.publish_closing(channel, 1, 50, true));
            world.turn(0, [3, 64][round % 2]);
            world.depart(id);
            (0..2).for_each(|channel| world.publish(channel, 1, 50));
            world.turn(1, 64);
            world.arrive(id, (round / 4 + 1) % 2);
            (0..2).for_each(|channel| world.publish(channel, 1, 50));
            world.drain(id, 300);
            world.turn(1, 64);
        }
        (0..4).for_each(|id| world.drain(id, UNLIMITED));
        world.settle();
        for id in 0..4 {
            let events = 2 * 90 * 3;
            assert!(world.client(id).delivered >= events + 90, "all events and all closed candles");
        }
    }
}

/// What a session remembers of its old shard's turn means nothing in the new one, where the same number may come.
#[test]
fn the_numbers_of_turns_are_not_shared() {
    for back in 0..5 {
        let mut world = World::new(&[Kind::Event, Kind::Event, Kind::Event]);
        for shard in [0, 0, 1, 1] {
            let id = world.open(shard, UNLIMITED, false, false);
            (0..3).for_each(|channel| world.subscribe(id, channel));
        }
        for _ in 0..20 {
            world.turn(0, 64);
        }
        (0..3).for_each(|channel| world.publish(channel, 1, 0));
        world.turn(0, 64);
        while world.fanouts[1].turn + back < world.fanouts[0].turn {
            world.turn(1, 64);
        }
        world.depart(1);
        world.arrive(1, 1);
        for _ in 0..6 {
            (0..3).for_each(|channel| world.publish(channel, 1, 0));
            world.turn(1, 64);
        }
        world.settle();
        for id in 0..4 {
            assert_eq!(world.client(id).delivered, 21);
        }
    }
}

/// Notices, replies and the wrapper move along.
#[test]
fn what_it_is_owed_moves_along() {
    let mut world = World::new(&[Kind::State]);
    let id = world.open(0, 5, true, true);
    world.subscribe(id, 0);
    world.publish(0, 1, 0);
    world.turn(0, 64);
    world.tell(id);
    world.tell_pong(id);
    world.publish(0, 9, 0);
    world.depart(id);
    world.publish(0, 9, 0);
    world.arrive(id, 1);
    world.drain(id, UNLIMITED);
    world.settle();
    let client = world.client(id);
    assert_eq!((client.delivered, client.skipped, client.is_owed()), (1, 18, false));
    assert_eq!(world.fanouts[0].channels() + world.fanouts[1].channels(), 1, "the old shard let the channel go");
}

/// A session that finds its old place again, still on the list there, is named once when it lost events.
#[test]
fn the_place_of_a_departed_session_is_used_again() {
    let mut world = World::new(&[Kind::Event]);
    let id = world.open(0, UNLIMITED, false, false);
    world.subscribe(id, 0);
    world.publish(0, 2, 0);
    world.depart(id);
    world.unwatch(0);
    world.arrive(id, 0);
    world.turn(0, 64);
    assert!(world.client(id).ended, "nobody watched the log meanwhile, and it kept its newest frame only");
    world.settle();
}
