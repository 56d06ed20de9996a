//! Broken chains: each is told as a loss, and asked for again whatever else happens to its stream meanwhile.

use super::simulation::World;
use super::tests::world;
use super::{Action, Conn, Loss, TopicId};

const FIRST: Conn = Conn { index: 0, life: 1 };
const SECOND: Conn = Conn { index: 1, life: 1 };
const NAME: &str = "s2@trade";

fn settled() -> World {
    let mut world = world();
    world.want_many(0..5);
    world.run_for(15_000);
    world
}

/// As an adapter has it: nothing comes any more until the stream is asked for again, and it says so once.
fn break_chain(world: &mut World, conn: Conn) {
    world.venue.silence(conn, NAME);
    world.pool.of(conn).broken(conn, NAME, world.now);
    world.settle();
}

/// So often that the next one has to wait for longest.
fn wear_out(world: &mut World) {
    for _ in 0..6 {
        break_chain(world, FIRST);
        world.run_for(31_500);
    }
}

fn renewals(world: &World) -> usize {
    world.count(|action| *action == Action::Renewed(TopicId(2)))
}

#[test]
fn a_broken_chain_is_lost_until_it_is_mended() {
    let mut world = settled();
    for breaks in 1..=8 {
        break_chain(&mut world, FIRST);
        assert_eq!(world.seen[&2].lost_count, breaks, "nothing comes, and that is told");
        world.run_for(31_500);
        assert_eq!(renewals(&world), breaks, "within half a minute, however often");
        world.check_all_live();
    }
    assert_eq!(world.count(|action| matches!(action, Action::Lost(_))), 8, "no other one");
}

#[test]
fn a_chain_that_has_to_wait_for_its_renewal_is_stale_meanwhile() {
    let mut world = settled();
    wear_out(&mut world);
    break_chain(&mut world, FIRST);
    world.run_for(1_500);
    let before = renewals(&world);
    break_chain(&mut world, FIRST);
    world.run_for(15_000);
    assert_eq!(renewals(&world), before, "it has to wait");
    assert_eq!(world.count(|action| *action == Action::Stale(TopicId(2))), 1);
    world.run_for(17_000);
    world.check_all_live();
}

#[test]
fn a_renewal_outlives_a_change_of_mind() {
    let mut world = settled();
    break_chain(&mut world, FIRST);
    world.unwant(2);
    world.run_for(10);
    world.want(2, NAME);
    world.run_for(5_000);
    assert_eq!(world.seen[&2].lost_count, 1);
    world.check_all_live();
    world.run_for(60_000);
    assert_eq!(world.sent.len(), 3, "ended and asked for once");
}

#[test]
fn a_chain_that_breaks_unwanted_is_renewed_once_it_is_wanted() {
    let mut world = settled();
    world.unwant(2);
    world.run_for(5_000);
    break_chain(&mut world, FIRST);
    world.run_for(5_000);
    assert_eq!((renewals(&world), world.seen[&2].lost_count), (0, 0), "nobody waits for it");
    world.want(2, NAME);
    world.run_for(5_000);
    assert_eq!((renewals(&world), world.seen[&2].lost_count), (1, 1));
    world.check_all_live();
}

#[test]
fn a_chain_that_breaks_before_its_grant_is_renewed_after_it() {
    let mut world =
        World::new(super::Settings::default(), super::mock::Rules { latency_ms: 0, ..Default::default() }, 1);
    world.want(2, NAME);
    world.pool.tick(world.now);
    let manager = world.pool.first();
    manager.connected(FIRST, 0);
    manager.tick(1_000_100);
    manager.data(TopicId(2), 1_000_110);
    manager.broken(FIRST, NAME, 1_000_120);
    manager.acked(FIRST, Some(1), super::Reply::Ok, 1_000_130);
    manager.tick(1_000_130);
    manager.tick(1_000_230);
    let actions: Vec<_> = std::iter::from_fn(|| manager.poll()).collect();
    assert!(actions.contains(&Action::Renewed(TopicId(2))), "{actions:?}");
}

#[test]
fn a_chain_that_broke_on_the_old_connection_is_renewed_if_the_successor_dies() {
    let mut world = settled();
    world.announce(FIRST);
    world.run_for(1_500);
    break_chain(&mut world, FIRST);
    world.run_for(500);
    assert_eq!((renewals(&world), world.seen[&2].lost_count), (0, 0), "the successor brings it");
    world.kill(SECOND, Loss::Broken("reset".into()));
    world.settle();
    assert_eq!((renewals(&world), world.seen[&2].lost_count), (1, 1));
    world.run_for(15_000);
    world.check_all_live();
    assert_eq!(world.count(|action| matches!(action, Action::Lost(_))), 1, "no other one");
}

#[test]
fn a_chain_that_breaks_on_a_successor_is_lost_when_the_old_connection_ends() {
    let mut world = settled();
    wear_out(&mut world);
    break_chain(&mut world, FIRST);
    world.run_for(500);
    let losses = world.seen[&2].lost_count;
    world.announce(FIRST);
    world.run_for(1_500);
    break_chain(&mut world, SECOND);
    world.run_for(500);
    assert_eq!(world.seen[&2].lost_count, losses, "the old one still brings it");
    world.run_for(5_000);
    assert_eq!(world.seen[&2].lost_count, losses + 1);
    world.run_for(30_000);
    world.check_all_live();
}
