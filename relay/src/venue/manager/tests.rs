//! Demand, packing and giving up: one rule each, against the mock venue.

use super::mock::{GHOST, Rules};
use super::simulation::World;
use super::{Action, Settings, TopicId};

pub(super) fn rules() -> Rules {
    Rules::default()
}

pub(super) fn world() -> World {
    World::new(Settings::default(), rules(), 1)
}

impl World {
    pub(super) fn want_many(&mut self, ids: std::ops::Range<u32>) {
        for id in ids {
            self.want(id, &format!("s{id}@trade"));
        }
    }

    pub(super) fn count(&self, wanted: impl Fn(&Action) -> bool) -> usize {
        self.actions.iter().filter(|(_, action)| wanted(action)).count()
    }

    pub(super) fn dials(&self) -> usize {
        self.count(|action| matches!(action, Action::Dial { .. }))
    }
}

#[test]
fn nothing_is_dialled_without_demand() {
    let mut world = world();
    world.run_for(60_000);
    assert!(world.actions.is_empty());
    assert_eq!(world.pool.first().next_due(world.now), u64::MAX);
}

#[test]
fn a_cold_start_of_a_thousand_names_takes_five_messages_at_once() {
    let mut world = world();
    world.want_many(0..1_000);
    world.run_for(100);
    assert_eq!(world.dials(), 1);
    assert_eq!(world.sent.len(), 5);
    assert_eq!(world.sent[0].0, world.sent[4].0, "all at the same moment");
    assert!(world.sent[0].2.starts_with(r#"{"method":"SUBSCRIBE","params":["s0@trade","s1@trade","#));
    assert!(world.sent[4].2.ends_with(r#""s999@trade"],"id":5}"#));
    world.run_for(1_000);
    world.check_all_live();
}

#[test]
fn demand_is_gathered_and_dialled_meanwhile() {
    let mut world = world();
    let start = world.now;
    world.want(1, "a@trade");
    world.run_for(50);
    assert_eq!(world.dials(), 1);
    world.want(2, "b@trade");
    world.run_for(200);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].0, start + 100);
    assert_eq!(world.sent[0].2, r#"{"method":"SUBSCRIBE","params":["a@trade","b@trade"],"id":1}"#);
}

#[test]
fn a_second_connection_only_when_the_first_is_full() {
    let mut world = world();
    world.want_many(0..1_024);
    world.run_for(5_000);
    assert_eq!(world.dials(), 1);
    world.want_many(1_024..1_025);
    world.run_for(5_000);
    assert_eq!(world.dials(), 2);
    world.check_all_live();
}

#[test]
fn wanting_again_within_the_linger_costs_no_message() {
    let mut world = world();
    world.want(1, "a@trade");
    world.run_for(5_000);
    for _ in 0..5 {
        world.unwant(1);
        world.run_for(29_000);
        world.want(1, "a@trade");
        world.run_for(1_000);
    }
    assert_eq!(world.sent.len(), 1);
    world.unwant(1);
    world.run_for(31_000);
    assert_eq!(world.sent[1].2, r#"{"method":"UNSUBSCRIBE","params":["a@trade"],"id":2}"#);
    assert_eq!(world.count(|action| matches!(action, Action::Released(TopicId(1)))), 1);
    assert_eq!(world.pool.first().connections_open(), 0, "nothing needs the connection any more");
}

#[test]
fn what_is_kept_survives_everything_but_the_end() {
    let mut world = world();
    world.want(1, &format!("{GHOST}1"));
    world.pool.first().always(TopicId(1), &format!("{GHOST}1").into(), world.now);
    world.unwant(1);
    world.run_for(300_000);
    assert_eq!(world.venue.held(), [format!("{GHOST}1")]);
}

#[test]
fn data_that_comes_after_the_name_was_given_up_is_not_told() {
    let mut world = world();
    world.want(1, &format!("{GHOST}1"));
    world.run_for(60_150);
    assert_eq!(world.count(|action| matches!(action, Action::GaveUp(_))), 1);
    world.pool.first().data(TopicId(1), world.now);
    world.run_for(1_000);
    assert_eq!(world.count(|action| matches!(action, Action::Live(_))), 0);
    assert_eq!(world.pool.first().slots_used(), 0);
}

#[test]
fn a_silent_name_is_given_up_after_a_minute_or_sooner_when_its_slot_is_needed() {
    let rules = Rules { streams_per_connection: 2, connections: 1, ..rules() };
    let settings = Settings { streams_per_connection: 2, connections: 1, unproven_ms: 20_000, ..Settings::default() };
    let mut world = World::new(settings, rules, 1);
    world.want(1, &format!("{GHOST}1"));
    world.run_for(2_000);
    world.want(2, &format!("{GHOST}2"));
    world.run_for(30_000);
    assert_eq!(world.pool.first().unproven_count(), 2);
    world.want(3, "real@trade");
    world.run_for(5_000);
    assert_eq!(world.count(|action| matches!(action, Action::NoRoom(TopicId(3)))), 1);
    assert_eq!(world.count(|action| matches!(action, Action::GaveUp(TopicId(1)))), 1, "the oldest");
    assert!(world.seen[&3].is_live);
    assert!(world.seen[&2].is_wanted);
    world.run_for(30_000);
    assert_eq!(world.count(|action| matches!(action, Action::GaveUp(TopicId(2)))), 1);
    assert_eq!(world.pool.first().unproven_count(), 0);
    world.check_all_live();
}

#[test]
fn what_was_given_up_is_released_when_the_venue_has_ended_it() {
    let mut world = world();
    let released = |world: &World| world.count(|action| matches!(action, Action::Released(TopicId(1))));
    world.want(1, &format!("{GHOST}1"));
    while world.count(|action| matches!(action, Action::GaveUp(_))) == 0 {
        world.run_for(10);
    }
    // Its UNSUBSCRIBE is due and not sent.
    world.unwant(1);
    world.settle();
    assert_eq!((released(&world), world.sent.len()), (0, 1));
    world.run_for(1_000);
    assert_eq!((released(&world), world.sent.len()), (1, 2));
    world.unwant(1);
    world.settle();
    assert_eq!(released(&world), 2, "nothing is held: answered at once");
    world.want(1, "a@trade");
    world.run_for(5_000);
    world.check_all_live();
}

#[test]
fn a_number_that_goes_to_another_name_mixes_nothing() {
    let mut world = world();
    world.want(1, &format!("{GHOST}1"));
    world.run_for(5_000);
    world.want(1, "a@trade");
    world.run_for(5_000);
    assert_eq!(world.venue.held(), ["a@trade"]);
    assert_eq!(world.count(|action| matches!(action, Action::Released(_))), 0);
    world.check_all_live();
    // Not wanted any more before the old one is gone, it is never asked for.
    world.want(1, "b@trade");
    world.unwant(1);
    world.run_for(5_000);
    assert!(world.venue.held().is_empty());
    assert_eq!(world.count(|action| matches!(action, Action::Released(TopicId(1)))), 1);
}
