//! What venues differ in: answers for each stream, greetings, limits of requests, bans, lanes.

use super::mock::{BAD, MUTE, Rules};
use super::simulation::World;
use super::tests::{rules, world};
use super::{Action, Conn, Loss, Pool, Settings, TopicId, Window};

const FIRST: Conn = Conn { index: 0, life: 1 };

#[test]
fn one_bad_name_and_one_without_an_answer_take_nobody_down() {
    let mut world = World::new(Settings::default(), Rules { answers_each: true, ..rules() }, 1);
    world.want_many(0..100);
    world.want(500, &format!("{BAD}name"));
    world.want(501, &format!("{MUTE}name"));
    world.run_for(1_000);
    assert_eq!(world.count(|action| matches!(action, Action::Refused { id: TopicId(500), .. })), 1);
    assert_eq!(world.sent.len(), 1, "found without another message");
    world.run_for(60_000);
    assert_eq!(world.count(|action| matches!(action, Action::Refused { id: TopicId(501), .. })), 1);
    assert_eq!(world.count(|action| matches!(action, Action::Down { .. })), 0);
    world.check_all_live();
}

/// Each name in a request of its own, as some venues want it.
#[test]
fn names_without_an_answer_delay_nobody() {
    let settings = Settings { names_per_request: 1, ..Settings::default() };
    let mut world = World::new(settings, Rules { answers_each: true, ..rules() }, 1);
    world.want_many(0..3);
    world.run_for(5_000);
    world.want(501, &format!("{MUTE}name"));
    world.want(502, &format!("{MUTE}other"));
    world.run_for(3_000);
    let before = world.sent.len();
    world.want(9, "s9@trade");
    world.run_for(1_500);
    assert!(world.seen[&9].is_live, "asked for though two before it are unanswered");
    for id in 10..16 {
        world.want(id, &format!("s{id}@trade"));
        world.run_for(150);
    }
    assert_eq!(world.sent.len(), before + 7, "a later answer tells that the venue has passed those over");
    world.run_for(60_000);
    assert_eq!(world.count(|action| matches!(action, Action::Down { .. })), 0);
    world.check_all_live();
}

/// Whatever arrives at once after a delay must not be too much.
#[test]
fn a_venue_that_stops_answering_gets_few_requests() {
    let settings = Settings { names_per_request: 1, ..Settings::default() };
    for answers_each in [false, true] {
        let mut world = World::new(settings.clone(), Rules { answers_each, ..rules() }, 1);
        world.want_many(0..3);
        world.run_for(5_000);
        world.venue.stall(FIRST);
        let before = world.sent.len();
        for id in 10..60 {
            world.want(id, &format!("s{id}@trade"));
            world.run_for(180);
        }
        let sent = world.sent.len() - before;
        assert!(sent <= 10, "{sent} in nine seconds without an answer");
    }
}

#[test]
fn a_stream_that_the_venue_ends_is_refused() {
    let mut world = World::new(Settings::default(), Rules { answers_each: true, ..rules() }, 1);
    world.want_many(0..3);
    world.run_for(5_000);
    world.pool.of(FIRST).denied(FIRST, "s1@trade", "delisted", world.now);
    world.settle();
    let refused = Action::Refused { id: TopicId(1), msg: "delisted".to_owned() };
    assert_eq!(world.count(|action| *action == refused), 1);
}

#[test]
fn requests_wait_until_the_venue_is_ready() {
    let mut world = World::new(Settings::default(), Rules { is_greeted: true, latency_ms: 80, ..rules() }, 1);
    world.want_many(0..3);
    world.run_for(2_000);
    world.check_all_live();
    // One that never says so is given up.
    world.pool.of(FIRST).greeted(FIRST, "again".to_owned(), world.now);
    world.run_for(10_500);
    assert_eq!(world.count(|action| matches!(action, Action::Down { why: Loss::NoReply, .. })), 1);
    world.run_for(3_000);
    world.check_all_live();
}

#[test]
fn answers_go_first_within_the_limit_and_a_flood_of_questions_ends_the_connection() {
    let mut world = world();
    world.want_many(0..3);
    world.run_for(5_000);
    let said = |world: &World| world.count(|action| matches!(action, Action::Say { .. }));
    for _ in 0..14 {
        world.pool.of(FIRST).answer(FIRST, "3", world.now);
    }
    world.settle();
    assert_eq!(said(&world), 10, "a second's messages");
    world.run_for(1_200);
    assert_eq!(said(&world), 14);
    for _ in 0..30 {
        world.pool.of(FIRST).answer(FIRST, "3", world.now);
    }
    world.settle();
    assert_eq!(world.count(|action| matches!(action, Action::Down { why: Loss::Broken(_), .. })), 1);
}

#[test]
fn a_request_that_is_too_long_is_halved() {
    let mut world = world();
    world.want_many(0..4);
    world.run_for(50);
    world.pool.tick(world.now + 50);
    let mut sizes = Vec::new();
    let now = world.now + 50;
    // As the driver does where two names are too long and one is not.
    while let Some(action) = world.pool.poll() {
        if let Action::Request { conn, names, id, .. } = action {
            sizes.push(names.len());
            if names.len() > 1 {
                world.pool.of(conn).too_long(conn, id);
            }
            world.pool.tick(now);
        }
    }
    assert_eq!(sizes, [4, 2, 2, 1, 1, 1, 1]);
}

#[test]
fn streams_end_one_at_a_time_where_the_venue_wants_it() {
    let settings = Settings { names_per_unsubscribe: 1, linger_ms: 0, ..Settings::default() };
    let mut world = World::new(settings, Rules { names_per_unsubscribe: 1, ..rules() }, 1);
    world.want_many(0..30);
    world.run_for(2_000);
    (1..30).for_each(|id| world.unwant(id));
    world.run_for(5_000);
    assert_eq!(world.sent.iter().filter(|(_, _, text)| text.contains("UNSUBSCRIBE")).count(), 29);
    world.check_all_live();
}

#[test]
fn the_limit_of_an_hour_is_spread_over_it() {
    let window = Window { count_max: 40, window_ms: 3_601_000 };
    let settings = Settings { requests_per_window: Some(window), linger_ms: 0, ..Settings::default() };
    let mut world = World::new(settings, Rules { requests_per_hour: Some(40), ..rules() }, 1);
    world.want(0, "kept@trade");
    for id in 1..3_000 {
        world.want(id, &format!("s{id}@trade"));
        world.run_for(3_000);
        world.unwant(id);
    }
    let times: Vec<_> = world.sent.iter().map(|&(at, ..)| at).collect();
    let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max().expect("requests");
    assert!(widest <= 3_601_000 / 20 + 3_000, "nothing waits longer than {widest} ms");
    assert!(times.len() > 60, "the limit is used: {} in two and a half hours", times.len());
}

#[test]
fn a_ban_stops_all_lanes_and_one_connection_tries_for_all() {
    let mut world = World::with_lanes(Settings::default(), rules(), 3, 1);
    world.banned_until = world.now + 400_000;
    world.want_many(0..9);
    world.run_for(395_000);
    // The three that were under way, and nothing since: the mock also watches the time.
    assert_eq!(world.dials(), 3);
    assert_eq!(world.count(|action| matches!(action, Action::Blocked { .. })), 1, "told once");
    world.banned_until = 0;
    world.run_for(10_000);
    assert_eq!(world.dials(), 6);
    assert_eq!(world.count(|action| matches!(action, Action::Unblocked { .. })), 1);
    world.check_all_live();
}

#[test]
fn connects_are_counted_over_all_lanes() {
    let settings = Settings { connects_per_window: 8, ..Settings::default() };
    let mut world = World::with_lanes(settings, Rules { connects_per_window: 8, ..rules() }, 4, 1);
    world.is_reachable = false;
    world.want_many(0..8);
    world.run_for(290_000);
    assert_eq!(world.dials(), 8);
}

/// What Binance allows: 5 messages in a rolling second, PONGs among them, 200 names in one, 1 024 streams.
fn binance() -> (Settings, Rules) {
    let settings = Settings { messages_per_second: 5, ..Settings::default() };
    (settings, Rules { messages_per_second: 5, latency_ms: 50, ..rules() })
}

/// Two connections, one with 6 requests and one with 5. Four go at once, one message being kept for a PONG; the rest
/// 1.1 s later. With 100 ms of gathering that is 1.2 s, and the handshake's 50 ms at most.
#[test]
fn two_thousand_streams_are_asked_for_within_one_and_a_quarter_seconds() {
    let (settings, rules) = binance();
    let mut world = World::new(settings, rules, 1);
    let start = world.now;
    world.want_many(0..2_000);
    world.run_for(5_000);
    let asked = world.sent.iter().map(|(_, _, text)| text.matches("@trade").count()).sum::<usize>();
    let last = world.sent.last().expect("requests").0 - start;
    assert_eq!((world.dials(), world.sent.len(), asked), (2, 11, 2_000));
    assert!(last <= 1_250, "all are asked for after {last} ms");
    world.check_all_live();
}

/// Everything is away for ten minutes. The waits are 30 s by then, and all 2 000 streams of each of two lanes are
/// live 40 s after the venue is back; the mock watches every limit.
#[test]
fn coming_back_from_an_outage_of_everything_breaks_no_limit() {
    let (settings, rules) = binance();
    let mut world = World::with_lanes(settings, rules, 2, 1);
    world.want_many(0..4_000);
    world.run_for(20_000);
    world.check_all_live();
    world.is_reachable = false;
    for conn in world.venue.conns() {
        world.kill(conn, Loss::Broken("reset".into()));
    }
    world.run_for(600_000);
    world.is_reachable = true;
    world.run_for(41_000);
    world.check_all_live();
}

#[test]
fn a_number_that_goes_to_a_name_of_another_lane_mixes_nothing() {
    let settings = Settings { linger_ms: 0, ..Settings::default() };
    let mut pool = Pool::new(&settings, 2, 1);
    let id = TopicId(1);
    let second = Conn { index: 6, life: 1 };
    let requests = |pool: &mut Pool, now| {
        pool.tick(now);
        let mut found = Vec::new();
        while let Some(action) = pool.poll() {
            if let Action::Request { conn, names, id, method } = &action {
                found.push(format!("{} {method:?} {names:?}", conn.index));
                pool.of(*conn).acked(*conn, Some(*id), super::Reply::Ok, now);
            } else if matches!(action, Action::Released(_) | Action::Live(_)) {
                found.push(format!("{action:?}"));
            }
        }
        found
    };
    pool.want(id, &"a@trade".into(), 0, 0);
    requests(&mut pool, 0);
    pool.of(FIRST).connected(FIRST, 0);
    assert_eq!(requests(&mut pool, 100), [r#"0 Subscribe ["a@trade"]"#]);
    pool.want(id, &"b@kline_1m".into(), 1, 200);
    requests(&mut pool, 200);
    pool.of(second).connected(second, 200);
    assert_eq!(requests(&mut pool, 300), [r#"0 Unsubscribe ["a@trade"]"#, r#"6 Subscribe ["b@kline_1m"]"#]);
    pool.of(FIRST).data(id, 350);
    assert!(requests(&mut pool, 350).is_empty(), "the old name's data says nothing about the new one");
    pool.unwant(id, 400);
    let found = [requests(&mut pool, 400), requests(&mut pool, 600), requests(&mut pool, 700)].concat();
    assert_eq!(found, [r#"6 Unsubscribe ["b@kline_1m"]"#, "Released(TopicId(1))"]);
}
