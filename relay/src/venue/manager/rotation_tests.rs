//! Replacing connections: by age, by announcement, by silence; and what happens when that goes wrong half-way.

use super::mock::Rules;
use super::simulation::World;
use super::tests::{rules, world};
use super::{Action, Conn, Loss, Rotation, Settings, TopicId};

const FIRST: Conn = Conn { index: 0, life: 1 };
const SECOND: Conn = Conn { index: 1, life: 1 };

fn losses(world: &World) -> usize {
    world.count(|action| matches!(action, Action::Lost(_)))
}

/// Three full connections in each of two lanes live for three hours at a venue that cuts each after one.
#[test]
fn nothing_is_missed_when_connections_grow_old() {
    let hour = 3_600_000;
    let rules = Rules { streams_per_connection: 10, connections: 3, life_ms: Some(hour), latency_ms: 40, ..rules() };
    let settings = Settings { streams_per_connection: 10, connections: 3, life_ms: Some(hour), ..Settings::default() };
    let mut world = World::with_lanes(settings, rules, 2, 7);
    world.want_many(0..60);
    world.run_for(5_000);
    for _ in 0..3 * 3_600 {
        world.run_for(1_000);
        for (id, &heard_at) in &world.heard {
            assert!(world.now - heard_at <= 1_100, "{id} missed what was said at {}", heard_at + 1_000);
        }
    }
    let rotations = world.count(|action| matches!(action, Action::Rotated { .. }));
    assert!((18..=24).contains(&rotations), "{rotations} of 6 connections in three hours");
    assert_eq!(losses(&world), 0);
    assert_eq!(world.count(|action| matches!(action, Action::Down { .. })), 0, "none was cut");
}

#[test]
fn an_announced_end_is_overlapped() {
    let mut world = world();
    world.want_many(0..250);
    world.run_for(15_000);
    let at = world.now;
    world.announce(FIRST);
    world.run_for(10_000);
    let told = |wanted: &Action| world.actions.iter().find(|(_, action)| action == wanted).map(|&(at, _)| at);
    assert_eq!(told(&Action::Rotating { conn: FIRST, why: Rotation::Notice }), Some(at));
    assert_eq!(told(&Action::Dial { conn: SECOND }), Some(at));
    assert_eq!(told(&Action::Close { conn: FIRST }), Some(at + 5_000), "5 s after the second one holds all");
    assert_eq!(told(&Action::Rotated { conn: FIRST }), Some(at + 5_000));
    assert_eq!(losses(&world), 0);
    world.run_for(60_000);
    world.check_all_live();
    assert_eq!(world.dials(), 2);
}

#[test]
fn without_a_successor_the_old_one_serves_until_it_is_cut() {
    let mut world = world();
    world.want_many(0..3);
    world.run_for(15_000);
    world.is_reachable = false;
    world.announce(FIRST);
    world.run_for(59_000);
    assert!(world.dials() > 10, "it is tried again and again");
    assert_eq!(losses(&world), 0);
    world.run_for(2_000);
    assert_eq!(losses(&world), 3);
    world.is_reachable = true;
    world.run_for(35_000);
    world.check_all_live();
}

#[test]
fn a_successor_that_dies_costs_nothing() {
    let mut world = world();
    world.want_many(0..250);
    world.run_for(15_000);
    world.announce(FIRST);
    world.run_for(1_000);
    assert_eq!(world.venue.held().len(), 500, "both hold everything");
    world.kill(SECOND, Loss::Broken("reset".into()));
    world.unwant(3);
    world.want(900, "late@trade");
    world.run_for(20_000);
    assert_eq!(losses(&world), 0);
    assert!(world.actions.iter().any(|(_, action)| *action == Action::Rotated { conn: FIRST }));
    world.run_for(60_000);
    world.check_all_live();
}

#[test]
fn an_old_one_that_dies_early_costs_only_what_the_successor_does_not_hold() {
    let mut world = world();
    // Of 5 requests one has to wait for the limit.
    world.pool.first().settings.messages_per_second = 5;
    world.want_many(0..900);
    world.run_for(15_000);
    world.announce(FIRST);
    world.run_for(500);
    world.kill(FIRST, Loss::Broken("reset".into()));
    world.run_for(0);
    assert_eq!(losses(&world), 100);
    world.run_for(10_000);
    world.check_all_live();
    assert_eq!(world.dials(), 2, "the successor is the connection now");
}

#[test]
fn demand_goes_on_while_a_connection_is_replaced() {
    let rules = Rules { streams_per_connection: 100, connections: 1, latency_ms: 80, ..rules() };
    let settings = Settings { streams_per_connection: 100, connections: 1, linger_ms: 0, ..Settings::default() };
    let mut world = World::new(settings, rules, 3);
    world.want_many(0..90);
    world.run_for(15_000);
    world.announce(FIRST);
    for id in 0..60 {
        world.unwant(id);
        world.want_many(100 + id..101 + id);
        world.run_for(120);
    }
    world.run_for(120_000);
    assert_eq!(losses(&world), 0);
    assert_eq!(world.count(|action| matches!(action, Action::NoRoom(_))), 0, "there is room on the successor");
    world.check_all_live();
}

/// A venue that refuses the connection too many would take the blame for a ban, and the streams with it.
#[test]
fn without_a_spare_a_full_lane_is_never_exceeded() {
    let rules = Rules { streams_per_connection: 10, connections: 2, ..rules() };
    let settings = Settings { streams_per_connection: 10, connections: 2, spare_connections: 0, ..Settings::default() };
    let mut world = World::new(settings, rules, 1);
    world.want_many(0..20);
    world.run_for(15_000);
    world.announce(FIRST);
    for _ in 0..70 {
        world.run_for(1_000);
        assert!(world.venue.conns().len() <= 2);
    }
    assert_eq!(losses(&world), 10);
    world.check_all_live();
    (5..20).for_each(|id| world.unwant(id));
    world.run_for(40_000);
    let conn = world.venue.conns()[0];
    world.announce(conn);
    world.run_for(70_000);
    assert_eq!(losses(&world), 10, "with a place to spare there is no gap");
    world.check_all_live();
}

#[test]
fn all_connections_announced_at_once_take_turns() {
    let rules = Rules { streams_per_connection: 10, connections: 3, ..rules() };
    let settings = Settings { streams_per_connection: 10, connections: 3, ..Settings::default() };
    let mut world = World::new(settings, rules, 1);
    world.want_many(0..30);
    world.run_for(15_000);
    for index in 0..3 {
        world.announce(Conn { index, life: 1 });
    }
    world.run_for(60_000);
    assert_eq!(losses(&world), 0);
    assert_eq!(world.count(|action| matches!(action, Action::Rotated { .. })), 3);
    world.check_all_live();
}

fn watched() -> World {
    let settings = Settings { topic_quiet_ms: Some(20_000), ..Settings::default() };
    World::new(settings, rules(), 1)
}

#[test]
fn a_silent_stream_is_asked_for_again_alone_before_it_is_stale() {
    let mut world = watched();
    world.want_many(0..10);
    world.run_for(15_000);
    world.venue.silence(FIRST, "s4@trade");
    world.run_for(25_000);
    assert_eq!(world.count(|action| *action == Action::Renewed(TopicId(4))), 1);
    let asked: Vec<_> = world.sent.iter().skip(1).map(|(_, _, text)| text.as_str()).collect();
    let expected = [
        r#"{"method":"UNSUBSCRIBE","params":["s4@trade"],"id":2}"#,
        r#"{"method":"SUBSCRIBE","params":["s4@trade"],"id":3}"#,
    ];
    assert_eq!(asked, expected);
    assert_eq!(world.count(|action| matches!(action, Action::Stale(_) | Action::Lost(_))), 0);
    world.run_for(60_000);
    world.check_all_live();
    assert_eq!(world.sent.len(), 3, "data came: no more of that");
}

#[test]
fn a_renewal_in_vain_is_followed_by_stale_and_by_rarer_renewals() {
    let mut world = watched();
    world.want_many(0..2);
    world.run_for(15_000);
    let renewals = |world: &World| world.count(|action| *action == Action::Renewed(TopicId(0)));
    for seconds in 1..=600 {
        world.venue.silence(FIRST, "s0@trade");
        world.run_for(1_000);
        let is_stale = world.count(|action| *action == Action::Stale(TopicId(0))) == 1;
        assert_eq!(is_stale, seconds > 29, "stale 10 s after the renewal did not help, at {seconds}");
    }
    assert!((5..=9).contains(&renewals(&world)), "{} in ten minutes", renewals(&world));
    world.run_for(700_000);
    assert!(world.seen[&0].is_live, "it came back in the end");
}

#[test]
fn a_connection_whose_streams_fall_silent_is_replaced_if_others_of_the_kind_are_not() {
    let rules = Rules { streams_per_connection: 8, ..rules() };
    let settings = Settings { topic_quiet_ms: Some(20_000), streams_per_connection: 8, ..Settings::default() };
    for has_others in [true, false] {
        let mut world = World::new(settings.clone(), rules.clone(), 1);
        world.want_many(0..if has_others { 12 } else { 8 });
        world.run_for(40_000);
        for _ in 0..40 {
            for name in world.venue.names(FIRST) {
                world.venue.silence(FIRST, &name);
            }
            world.run_for(1_000);
        }
        let replaced = world.count(|action| matches!(action, Action::Rotating { conn: FIRST, why: Rotation::Silence }));
        assert_eq!(replaced, usize::from(has_others));
        if has_others {
            world.run_for(20_000);
            world.check_all_live();
        }
    }
}

#[test]
fn a_broken_chain_is_mended_alone_and_not_at_any_price() {
    let mut world = world();
    world.want_many(0..5);
    world.run_for(15_000);
    for _ in 0..60 {
        world.pool.of(FIRST).broken(FIRST, "s2@trade", world.now);
        world.pool.of(FIRST).broken(FIRST, "unknown@trade", world.now);
        world.run_for(1_000);
    }
    let renewals = world.count(|action| *action == Action::Renewed(TopicId(2)));
    assert!((4..=6).contains(&renewals), "{renewals} in a minute of nothing but breaks");
    assert_eq!(world.count(|action| matches!(action, Action::Renewed(_))), renewals, "no other one");
    world.run_for(100_000);
    world.check_all_live();
}

#[test]
fn what_a_successor_may_not_hold_stays_where_it_was_until_that_ends() {
    for closes_when_too_many in [false, true] {
        let mut world = world();
        world.want_many(0..250);
        world.run_for(15_000);
        // 200 and 50 are asked for, and the 50 are too many.
        let limit = Rules { streams_per_connection: 220, is_limit_unknown: true, closes_when_too_many, ..rules() };
        world.venue.rules = limit;
        world.announce(FIRST);
        world.run_for(4_000);
        let learned = world.count(|action| matches!(action, Action::Learned { .. }));
        assert!((1..=2).contains(&learned), "{learned}");
        assert_eq!(losses(&world), 0, "the old one still brings them");
        assert!(world.heard.values().all(|at| world.now - at <= 1_100));
        world.run_for(20_000);
        assert!(losses(&world) <= 50, "at most those: {}", losses(&world));
        world.check_all_live();
    }
}
