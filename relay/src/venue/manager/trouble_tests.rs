//! Refusals, limits and losses: one rule each, against the mock venue.

use super::mock::{BAD, Rules};
use super::simulation::World;
use super::tests::{rules, world};
use super::{Action, Conn, Loss, Manager, Reply, Settings, TopicId};

#[test]
fn one_bad_name_is_found_by_halving_and_the_others_live() {
    let mut world = world();
    world.want_many(0..199);
    world.want(500, &format!("{BAD}name"));
    world.run_for(10_000);
    assert_eq!(world.count(|action| matches!(action, Action::Refused { id: TopicId(500), .. })), 1);
    assert!(world.sent.len() <= 17, "{} messages for one of 200", world.sent.len());
    world.check_all_live();
}

#[test]
fn a_lower_limit_than_configured_is_learned() {
    for closes_when_too_many in [false, true] {
        let rules = Rules { streams_per_connection: 200, is_limit_unknown: true, closes_when_too_many, ..rules() };
        let mut world = World::new(Settings::default(), rules, 1);
        world.want_many(0..200);
        world.run_for(5_000);
        world.want_many(200..500);
        world.run_for(60_000);
        assert!(world.count(|action| matches!(action, Action::Learned { .. })) >= 1);
        world.check_all_live();
    }
}

#[test]
fn an_error_without_an_id_is_the_oldest_requests() {
    let mut world = world();
    world.want(1, "a@trade");
    world.pool.first().tick(world.now);
    let conn = Conn { index: 0, life: 1 };
    world.pool.first().connected(conn, world.now);
    world.pool.first().tick(world.now + 100);
    world.pool.first().acked(conn, None, Reply::Error { code: 2, msg: "no" }, world.now + 150);
    let mut actions = std::iter::from_fn(|| world.pool.first().poll());
    assert!(actions.any(|action| action == Action::Refused { id: TopicId(1), msg: "no".into() }));
}

#[test]
fn a_loss_is_told_once_and_what_was_given_up_meanwhile_is_not_resubscribed() {
    let mut world = world();
    world.want_many(0..3);
    world.run_for(15_000);
    world.is_reachable = false;
    world.kill(Conn { index: 0, life: 1 }, Loss::Broken("reset".into()));
    world.run_for(5_000);
    world.unwant(2);
    world.run_for(5_000);
    assert!(world.dials() > 5, "about one attempt a second");
    world.is_reachable = true;
    world.run_for(3_000);
    assert_eq!(world.venue.held(), ["s0@trade", "s1@trade"]);
    assert_eq!((world.seen[&0].lost_count, world.seen[&0].live_count), (1, 2));
    assert!(world.count(|action| matches!(action, Action::Stale(_))) >= 1, "away for longer than the stale limit");
    world.check_all_live();
}

#[test]
fn an_announced_shutdown_is_followed_by_a_dial_at_once() {
    let mut world = world();
    world.want_many(0..3);
    world.run_for(15_000);
    let at = world.now;
    world.kill(Conn { index: 0, life: 1 }, Loss::Shutdown);
    world.run_for(0);
    assert!(world.actions.contains(&(at, Action::Dial { conn: Conn { index: 0, life: 2 } })));
}

#[test]
fn a_venue_that_only_announces_its_shutdown_is_backed_off_from() {
    let mut world = world();
    world.want_many(0..1);
    world.run_for(200);
    for life in 1..=100 {
        world.kill(Conn { index: 0, life }, Loss::Shutdown);
        world.run_for(200);
    }
    // 20 s at a wait of up to a second: about two dozen, where a hurry each time would make it a hundred.
    assert!(world.dials() <= 40, "{} dials", world.dials());
}

#[test]
fn a_stalled_connection_is_pinged_and_then_replaced() {
    let mut world = world();
    world.want_many(0..3);
    world.run_for(15_000);
    world.venue.stall(Conn { index: 0, life: 1 });
    world.run_for(75_000);
    assert_eq!(world.count(|action| matches!(action, Action::Ping { .. })), 1);
    assert_eq!(world.count(|action| matches!(action, Action::Down { why: Loss::Silent, .. })), 1);
    world.run_for(2_000);
    world.check_all_live();
}

#[test]
fn a_quiet_connection_that_answers_its_pings_lives() {
    let mut manager = Manager::new(Settings::default(), 1);
    manager.always(TopicId(1), &"quiet@trade".into(), 0);
    manager.tick(0);
    let conn = Conn { index: 0, life: 1 };
    manager.connected(conn, 0);
    let mut pings = 0;
    let mut now = 0;
    while now < 600_000 {
        manager.tick(now);
        while let Some(action) = manager.poll() {
            match action {
                Action::Request { .. } => manager.acked(conn, Some(1), Reply::Ok, now),
                Action::Ping { .. } => {
                    pings += 1;
                    manager.heard(conn, now + 9_999);
                }
                Action::Dial { .. } => assert_eq!(now, 0),
                other => panic!("{other:?}"),
            }
        }
        now = manager.next_due(now);
    }
    assert_eq!(pings, 8, "one after each minute without a frame, which its answer ends");
}

#[test]
fn an_unanswered_request_costs_the_connection_after_ten_seconds() {
    let mut world = world();
    world.want_many(0..3);
    world.run_for(15_000);
    world.venue.stall(Conn { index: 0, life: 1 });
    world.want(9, "late@trade");
    world.run_for(10_500);
    assert_eq!(world.count(|action| matches!(action, Action::Down { why: Loss::NoReply, .. })), 1);
    world.run_for(2_000);
    world.check_all_live();
}

#[test]
fn pings_are_answered_while_requests_wait_for_the_limit() {
    let mut world = world();
    world.want(0, "first@trade");
    world.run_for(5_000);
    let conn = Conn { index: 0, life: 1 };
    for id in 1..=9 {
        world.want(id, &format!("n{id}@trade"));
        world.run_for(100);
    }
    // Nine messages within the second: the tenth is the PONG's.
    world.want(10, "n10@trade");
    world.run_for(100);
    assert_eq!(world.count(|action| matches!(action, Action::Governed { .. })), 1);
    world.pool.first().pinged(conn, b"older", world.now);
    world.pool.first().pinged(conn, b"payload", world.now);
    world.settle();
    let pong = Action::Pong { conn, payload: b"payload".to_vec() };
    assert_eq!(world.count(|action| *action == pong), 1);
    world.run_for(2_000);
    world.check_all_live();
}

#[test]
fn connects_are_limited_per_window_too() {
    let settings = Settings { connects_per_window: 8, ..Settings::default() };
    let mut world = World::new(settings, rules(), 1);
    world.is_reachable = false;
    world.want(1, "a@trade");
    world.run_for(299_000);
    assert_eq!(world.dials(), 8);
}

#[test]
fn a_day_of_life_ends_without_a_longer_wait() {
    let mut world = world();
    world.want(1, "a@trade");
    world.run_for(5_000);
    for life in 1..4 {
        world.run_for(86_400);
        world.kill(Conn { index: 0, life }, Loss::Closed { code: 1001, reason: String::new() });
        world.run_for(3_000);
    }
    let waits = world.actions.iter().filter_map(|(_, action)| match action {
        Action::Down { retry_ms, .. } => Some(*retry_ms),
        _ => None,
    });
    for wait in waits {
        assert!(wait <= 125, "the first wait again, not {wait}");
    }
}
