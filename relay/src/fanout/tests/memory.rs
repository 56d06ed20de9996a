//! What blocked clients and the pool of batches may hold.

use bytes::Bytes;

use super::world::{Place, UNLIMITED, World};
use crate::fanout::kind::Kind;
use crate::limits::BATCH_BYTES_MAX;

fn rest(world: &World, id: usize) -> Bytes {
    let Place::At { shard, slot } = world.places[id] else { panic!("it is there") };
    world.fanouts[shard].session(slot).unwrap().owed.as_ref().expect("it is blocked").rest.clone()
}

/// Distinct allocations among the rests; those of one frame end at the same address.
fn allocations(world: &World, ids: std::ops::Range<usize>) -> usize {
    let mut ends: Vec<usize> = ids.map(|id| rest(world, id).as_ptr_range().end as usize).collect();
    ends.sort_unstable();
    ends.dedup();
    ends.len()
}

/// Clients cut in the same frame of a batch share what is left of it, one allocation for each form.
#[test]
fn clients_cut_in_a_batch_share_the_frame() {
    for channels in [1, 2] {
        let mut world = World::with(&vec![Kind::State; channels], 20, UNLIMITED);
        (10..20).for_each(|id| world.set_combined(id, true));
        (0..20).for_each(|id| world.clients.list[id].room = 100 + id);
        (0..channels).for_each(|channel| world.publish(channel, 1, 9000));
        world.turn(0, 64);
        assert_eq!(allocations(&world, 0..20), 2);
        assert!((0..20).all(|id| rest(&world, id).len() < 9100));
    }
}

/// So do clients that are served by themselves and cut in the same frame.
#[test]
fn clients_cut_alone_share_the_frame() {
    let mut world = World::with(&[Kind::State], 20, 0);
    world.publish(0, 3, 9000);
    world.turn(0, 64);
    (0..20).for_each(|id| world.drain(id, 50 + id));
    world.settle();
    assert_eq!(allocations(&world, 0..20), 1);
}

/// A blocked client pins one frame at most, however much it is behind, and nothing once it is up to date.
#[test]
fn a_blocked_client_pins_one_frame() {
    let mut world = World::with(&[Kind::State, Kind::Event], 4, 9_500);
    for _ in 0..50 {
        (0..2).for_each(|channel| world.publish(channel, 2, 4000));
        world.settle();
        (0..4).for_each(|id| world.drain(id, 100));
        assert!((0..4).all(|id| rest(&world, id).len() < 4100));
    }
    (0..4).for_each(|id| world.drain(id, UNLIMITED));
    world.settle();
    assert!((0..4).all(|slot| world.fanouts[0].session(slot).unwrap().owed.is_none()), "nothing is kept");
}

/// Batches are used again; large ones are not kept, nor more than a few, however a pass ends.
#[test]
fn batches_are_pooled() {
    let mut world = World::with(&[Kind::State; 3], 2, UNLIMITED);
    for _ in 0..10 {
        (0..3).for_each(|channel| world.publish(channel, 3, 1000));
        world.settle();
        assert_eq!(world.fanouts[0].spare.len(), 3);
    }
    world.publish(0, 1, 3 * BATCH_BYTES_MAX);
    world.settle();
    assert_eq!(world.fanouts[0].spare.len(), 2, "the large one is let go");
}

/// The same when the last subscriber leaves in the middle of a pass.
#[test]
fn the_pool_is_bounded_when_subscribers_leave() {
    let mut world = World::with(&[Kind::State; 100], 40, UNLIMITED);
    (0..100).for_each(|channel| world.publish(channel, 1, if channel == 99 { 3 * BATCH_BYTES_MAX } else { 0 }));
    world.turn(0, 8);
    assert_eq!(world.fanouts[0].locals.iter().flatten().filter(|local| local.batch.is_some()).count(), 100);
    (0..40).for_each(|id| world.close(id));
    assert!(world.fanouts[0].spare.len() <= 64, "{} batches", world.fanouts[0].spare.len());
    assert!(world.fanouts[0].spare.iter().all(|batch| !batch.is_large()), "a large batch is kept");
}
