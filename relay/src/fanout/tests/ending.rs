//! Replies, half-written frames and ends: what comes before what.

use super::world::{Place, UNLIMITED, World};
use crate::fanout::kind::Kind;
use crate::limits::LANE_BYTES_MAX;
use crate::wire::notice::StreamState;

/// Wherever a frame was cut, its rest comes first, in the form it was begun in, whatever happened since.
#[test]
fn a_half_written_frame_is_finished_first() {
    for combined in [false, true] {
        for cut in 0..60 {
            let mut world = World::with(&[Kind::State, Kind::Event], 1, UNLIMITED);
            world.set_combined(0, combined);
            world.clients.list[0].room = cut;
            world.publish(0, 1, 40);
            world.settle();
            assert!(world.client(0).full);
            world.set_combined(0, !combined);
            world.unsubscribe(0, 0);
            world.publish(0, 1, 0);
            world.publish(1, 1, 0);
            world.tell_pong(0);
            world.settle();
            // Byte by byte: the clients check the order, and that nothing follows the end of a subscription.
            for _ in 0..400 {
                world.drain(0, 1);
                world.settle();
            }
            assert_eq!(world.client(0).delivered, u64::from(cut > 0) + 1);
            assert!(!world.client(0).full && !world.client(0).is_owed());
        }
    }
}

/// After a CLOSE comes nothing: no answer to an older ping, no reply, no data, no second CLOSE.
#[test]
fn nothing_follows_a_close() {
    for room in [0, 1, UNLIMITED] {
        let mut world = World::with(&[Kind::State], 1, UNLIMITED);
        world.clients.list[0].room = room;
        world.publish(0, 1, 40);
        world.settle();
        world.tell(0);
        world.tell_pong(0);
        world.end(0);
        world.tell(0);
        world.tell_pong(0);
        world.end(0);
        world.publish(0, 1, 40);
        world.drain(0, UNLIMITED);
        world.settle();
        let Place::At { shard, slot } = world.places[0] else { panic!("it is still there") };
        assert!(world.client(0).closed && world.fanouts[shard].is_told(slot), "room {room}");
    }
}

/// A client that is blocked gets the answer to its newest ping only; one that reads gets every answer.
#[test]
fn pings_are_answered() {
    let mut world = World::with(&[Kind::State], 1, UNLIMITED);
    for _ in 0..3 {
        world.tell_pong(0);
    }
    let before = world.client(0).writes;
    world.settle();
    assert_eq!((world.client(0).pong_got, world.client(0).writes - before), (3, 1));
    world.clients.list[0].room = 0;
    for _ in 0..1000 {
        world.tell_pong(0);
        world.settle();
    }
    let Place::At { shard, slot } = world.places[0] else { panic!("it is still there") };
    let owed = world.fanouts[shard].session(slot).unwrap().owed.as_ref().unwrap();
    assert!(owed.lane_len() < 100, "{} bytes of answers", owed.lane_len());
    world.drain(0, UNLIMITED);
    world.settle();
    assert_eq!(world.client(0).pong_got, 1003);
}

/// No answer overtakes the answer to an older ping, also when the client can just be written again.
#[test]
fn answers_to_pings_stay_in_order() {
    let mut world = World::with(&[Kind::State], 1, UNLIMITED);
    world.clients.list[0].room = 0;
    world.tell(0);
    world.settle();
    world.tell_pong(0);
    world.drain(0, UNLIMITED);
    world.tell_pong(0);
    world.settle();
    assert_eq!(world.client(0).pong_got, 2);
}

/// News about the data of a client that takes nothing do not pile up beyond the lane's bound.
#[test]
fn news_of_the_condition_are_bounded() {
    let mut world = World::new(&[Kind::State]);
    world.open(0, UNLIMITED, false, true);
    world.subscribe(0, 0);
    world.settle();
    world.set_condition(0, StreamState::Stale);
    world.settle();
    assert!(world.client(0).told.is_empty(), "who keeps up is told");
    world.clients.list[0].room = 0;
    for at in 0..2000 {
        let state = if at % 2 == 0 { StreamState::Recovering } else { StreamState::Stale };
        world.set_condition(0, state);
    }
    let Place::At { shard, slot } = world.places[0] else { panic!("it is still there") };
    let owed = world.fanouts[shard].session(slot).unwrap().owed.as_ref().unwrap();
    assert!(owed.lane_len() < LANE_BYTES_MAX + 200, "{} bytes of news", owed.lane_len());
    world.drain(0, UNLIMITED);
    world.settle();
}

/// A dead connection is named once, and its neighbours get everything.
#[test]
fn the_dead_are_named_once() {
    for channels in [1, 3] {
        let mut world = World::with(&vec![Kind::Event; channels], 5, UNLIMITED);
        world.clients.list[2].dead = true;
        (0..channels).for_each(|channel| world.publish(channel, 2, 10));
        world.settle();
        assert!(matches!(world.places[2], Place::Out));
        for id in [0, 1, 3, 4] {
            assert_eq!(world.client(id).delivered, 2 * channels as u64);
        }
    }
}
