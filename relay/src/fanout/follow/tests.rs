//! A follower beside a model of what it is owed.

use proptest::prelude::*;

use super::*;
use crate::fanout::log::{Appender, Budget, log};
use crate::fanout::stamps::Publisher;
use crate::wire::dialect::Dialect;

struct World {
    stamps: Arc<Stamps>,
    publishers: Vec<Publisher>,
    channels: Vec<Arc<Channel>>,
    appenders: Vec<Appender>,
}

/// One channel of each kind, and one publisher each.
fn world() -> World {
    let kinds = [Kind::Event, Kind::State, Kind::Kline];
    let stamps = Arc::new(Stamps::new(kinds.len()));
    let budget = Arc::new(Budget::new(1 << 28));
    let (mut channels, mut appenders) = (Vec::new(), Vec::new());
    for (id, kind) in kinds.into_iter().enumerate() {
        let (appender, log) = log(kind, budget.clone());
        channels.push(Arc::new(Channel::new(id as u32, &format!("{kind:?}"), kind, Dialect::Stream, log, 1)));
        appenders.push(appender);
    }
    let publishers = (0..kinds.len()).map(|index| stamps.publisher(index)).collect();
    World { stamps, publishers, channels, appenders }
}

impl World {
    fn publish(&mut self, at: usize, text: &str) -> u64 {
        let stamp = self.publishers[at].begin(0);
        match text.starts_with('x') {
            true => self.appenders[at].append_closed(text.as_bytes(), stamp),
            false => self.appenders[at].append(text.as_bytes(), stamp),
        };
        self.publishers[at].end();
        stamp
    }

    fn follower(&self, after: After) -> Follower {
        let mut follower = Follower::default();
        self.channels.iter().for_each(|channel| follower.add(channel.clone(), after));
        follower
    }

    /// All that is there now, as text; a frame with its payload.
    fn read(&self, follower: &mut Follower, behind: bool, room: usize) -> (Vec<String>, Option<u64>, Step) {
        let (mut items, mut last) = (Vec::new(), None);
        let step = follower.read(&self.stamps, behind, &mut |item| {
            if items.len() == room {
                return false;
            }
            items.push(match item {
                Item::Frame { name, stamp, payload } => {
                    assert!(last < Some(stamp), "stamps rise");
                    last = Some(stamp);
                    format!("{name} {}", std::str::from_utf8(payload).expect("text"))
                }
                Item::Skipped { name, from, to, .. } => format!("{name} skipped {from}..={to}"),
                Item::Gap { name, start, .. } => format!("{name} gap before {start}"),
                Item::Condition { name, state, .. } => format!("{name} is {}", state.name()),
            });
            true
        });
        (items, last, step)
    }
}

#[test]
fn frames_come_in_the_order_of_their_stamps() {
    let mut world = world();
    world.publish(1, "old");
    let mut follower = world.follower(After::Nothing);
    // What was told to somebody puts the next stamps of all publishers in order.
    for (at, text) in [(0, "a"), (2, "b"), (1, "c"), (0, "d")] {
        let told = world.publish(at, text);
        world.stamps.tell(told);
    }
    let (items, _, step) = world.read(&mut follower, false, 99);
    assert_eq!(items, ["State old", "Event a", "Kline b", "State c", "Event d"]);
    assert_eq!(step, Step::CaughtUp);
    assert_eq!(world.read(&mut follower, false, 99).0, [""; 0]);
}

#[test]
fn what_does_not_fit_comes_again() {
    let mut world = world();
    let mut follower = world.follower(After::Nothing);
    for text in ["a", "b", "c"] {
        world.publish(0, text);
    }
    let (items, _, step) = world.read(&mut follower, false, 2);
    assert_eq!((items, step), (vec!["Event a".into(), "Event b".into()], Step::More));
    assert_eq!(world.read(&mut follower, false, 2).0, ["Event c"]);
}

#[test]
fn who_is_behind_gets_what_replaces_the_rest() {
    let mut world = world();
    let mut follower = world.follower(After::Nothing);
    for text in ["1", "2", "3"] {
        world.publish(1, text);
    }
    for text in ["1", "x2", "3", "4"] {
        world.publish(2, text);
    }
    let (mut items, ..) = world.read(&mut follower, true, 99);
    items.sort();
    let expected = ["Kline 4", "Kline skipped 0..=0", "Kline skipped 2..=2", "Kline x2"];
    assert_eq!(items[..4], expected);
    assert_eq!(items[4..], ["State 3", "State skipped 0..=1"]);
}

#[test]
fn state_that_was_trimmed_is_skipped_and_events_are_lost() {
    let mut world = world();
    let mut follower = world.follower(After::Nothing);
    let long = "y".repeat(2000);
    for _ in 0..500 {
        world.publish(1, &long);
    }
    world.publish(1, "newest");
    assert_eq!(world.read(&mut follower, false, 99).0, ["State skipped 0..=499", "State newest"]);
    let longer = "y".repeat(100_000);
    for _ in 0..1000 {
        world.publish(0, &longer);
    }
    assert_eq!(world.read(&mut follower, false, 99).2, Step::TooSlow("Event".into()));
}

#[test]
fn nobody_reads_while_somebody_publishes() {
    let mut world = world();
    let mut follower = world.follower(After::Nothing);
    world.publish(0, "a");
    let mut other = world.stamps.publisher(1);
    other.begin(0);
    assert_eq!(world.read(&mut follower, false, 99).2, Step::Unsettled);
    other.end();
    assert_eq!(world.read(&mut follower, false, 99).0, ["Event a"]);
}

#[test]
fn conditions_and_gaps_are_told_before_frames() {
    let mut world = world();
    world.publish(0, "a");
    world.channels[0].set_condition(StreamState::Stale);
    let mut follower = world.follower(After::Unknown);
    let (items, ..) = world.read(&mut follower, false, 99);
    assert_eq!(items, ["Event gap before 1", "State gap before 0", "Kline gap before 0"], "told with the gap");
    world.channels[0].set_condition(StreamState::Live);
    world.publish(0, "b");
    assert_eq!(world.read(&mut follower, false, 99).0, ["Event is live", "Event b"]);
}

#[test]
fn a_channel_made_anew_has_a_gap() {
    let mut world = world();
    let told = world.publish(0, "a");
    world.stamps.tell(told);
    let (_appender, log) = log(Kind::Event, Arc::new(Budget::new(1 << 20)));
    let mut anew = Channel::new(7, "anew", Kind::Event, Dialect::Stream, log, 1);
    anew.born = world.stamps.told();
    let mut follower = Follower::default();
    follower.add(Arc::new(anew), After::Stamp(told));
    assert_eq!(world.read(&mut follower, false, 99).0, ["anew gap before 0"]);
}

/// Publishers at full speed, a reader that leaves and comes back all the time: nothing twice, nothing missing.
#[test]
fn coming_back_loses_nothing_while_all_publish() {
    const FRAMES: u64 = 20_000;
    let World { stamps, publishers, channels, appenders } = world();
    // Only what every reader is owed in full: events, each in the place of the three kinds.
    let budget = Arc::new(Budget::new(1 << 28));
    let (mut logs, mut threads) = (Vec::new(), Vec::new());
    drop((channels, appenders));
    for (id, mut publisher) in publishers.into_iter().enumerate() {
        let (mut appender, log) = log(Kind::Event, budget.clone());
        logs.push(Arc::new(Channel::new(id as u32, &format!("{id}"), Kind::Event, Dialect::Stream, log, 1)));
        threads.push(std::thread::spawn(move || {
            for n in 0..FRAMES {
                // All read at the same time, so that their stamps contend.
                let stamp = publisher.begin(n);
                appender.append(&n.to_le_bytes(), stamp);
                publisher.end();
            }
        }));
    }
    let mut had = vec![0; logs.len()];
    let (mut last, mut room) = (0, 1);
    while had.iter().sum::<u64>() < FRAMES * logs.len() as u64 {
        let mut follower = Follower::default();
        logs.iter().for_each(|channel| follower.add(channel.clone(), After::Stamp(last)));
        let mut taken = 0;
        follower.read(&stamps, false, &mut |item| match item {
            Item::Gap { .. } => true,
            Item::Frame { name, stamp, payload } if taken < room => {
                let id: usize = name.parse().unwrap();
                assert_eq!(u64::from_le_bytes(payload.try_into().unwrap()), had[id], "of {name}, after {last}");
                had[id] += 1;
                taken += 1;
                last = stamp;
                true
            }
            _ => false,
        });
        room = room % 97 + 1;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

proptest! {
    /// Whoever comes back with the last stamp it had gets the rest: nothing twice, nothing missing.
    #[test]
    fn coming_back_loses_nothing(
        steps in proptest::collection::vec((0usize..3, 0usize..6, any::<bool>()), 1..60),
    ) {
        let mut world = world();
        let mut follower = world.follower(After::Nothing);
        let mut expected = [Vec::new(), Vec::new(), Vec::new()];
        let mut had = [Vec::new(), Vec::new(), Vec::new()];
        let mut last = 0;
        for (number, (at, room, leaves)) in steps.into_iter().enumerate() {
            let text = format!("{number}");
            world.publish(at, &text);
            expected[at].push(format!("{:?} {text}", world.channels[at].kind));
            let (items, stamp, _) = world.read(&mut follower, false, room);
            last = stamp.unwrap_or(last);
            for item in items {
                let at = world.channels.iter().position(|channel| item.starts_with(&*channel.name)).unwrap();
                had[at].push(item);
            }
            if leaves && last > 0 {
                follower = world.follower(After::Stamp(last));
            }
        }
        let (items, ..) = world.read(&mut follower, false, usize::MAX);
        for item in items {
            let at = world.channels.iter().position(|channel| item.starts_with(&*channel.name)).unwrap();
            had[at].push(item);
        }
        prop_assert_eq!(had, expected);
    }
}
