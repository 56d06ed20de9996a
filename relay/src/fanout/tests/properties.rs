//! Any sequence of operations keeps the promises.

use proptest::prelude::*;

use super::world::{Place, UNLIMITED, World};
use crate::fanout::kind::Kind;
use crate::wire::notice::StreamState;

/// Numbers that name a client or a channel are taken modulo how many there are.
#[derive(Clone, Debug)]
enum Operation {
    Open { shard: usize, room: usize, combined: bool, notices: bool },
    Publish { channel: usize, count: usize, padding: usize, closes: bool },
    Condition { channel: usize, state: StreamState },
    EndEpoch { channel: usize },
    Unwatch { channel: usize },
    Advance { ms: u64 },
    Turn { shard: usize, budget: usize },
    Drain { client: usize, bytes: usize },
    Subscribe { client: usize, channel: usize },
    Unsubscribe { client: usize, channel: usize },
    Combined { client: usize, combined: bool },
    Tell { client: usize },
    Pong { client: usize },
    End { client: usize },
    Close { client: usize },
    Die { client: usize },
    Depart { client: usize },
    Arrive { client: usize, shard: usize },
}

use Operation::*;

const KINDS: [Kind; 6] = [Kind::State, Kind::Kline, Kind::Event, Kind::State, Kind::Kline, Kind::Event];

fn padding() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0..300usize, 4 => 4_000..20_000usize, 1 => 65_400..66_000usize, 1 => 260_000..300_000usize]
}

fn room() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(UNLIMITED), 1 => Just(0), 4 => 0..3_000usize, 1 => 0..200_000usize]
}

fn state() -> impl Strategy<Value = StreamState> {
    prop_oneof![Just(StreamState::Live), Just(StreamState::Recovering), Just(StreamState::Stale)]
}

fn operation() -> impl Strategy<Value = Operation> {
    let number = 0..12usize;
    let (client, channel, shard) = (number.clone(), 0..KINDS.len(), 0..2usize);
    prop_oneof![
        2 => (shard.clone(), room(), any::<bool>(), any::<bool>())
            .prop_map(|(shard, room, combined, notices)| Open { shard, room, combined, notices }),
        12 => (channel.clone(), 1..4usize, padding(), prop::bool::weighted(0.3))
            .prop_map(|(channel, count, padding, closes)| Publish { channel, count, padding, closes }),
        2 => (channel.clone(), 1..400usize, 0..300usize, prop::bool::weighted(0.3))
            .prop_map(|(channel, count, padding, closes)| Publish { channel, count, padding, closes }),
        1 => (channel.clone(), state()).prop_map(|(channel, state)| Condition { channel, state }),
        1 => channel.clone().prop_map(|channel| EndEpoch { channel }),
        1 => channel.clone().prop_map(|channel| Unwatch { channel }),
        1 => (0..15_000u64).prop_map(|ms| Advance { ms }),
        10 => (shard.clone(), prop_oneof![0..12usize, Just(1024)]).prop_map(|(shard, budget)| Turn { shard, budget }),
        8 => (client.clone(), room()).prop_map(|(client, bytes)| Drain { client, bytes }),
        8 => (client.clone(), channel.clone()).prop_map(|(client, channel)| Subscribe { client, channel }),
        3 => (client.clone(), channel).prop_map(|(client, channel)| Unsubscribe { client, channel }),
        2 => (client.clone(), any::<bool>()).prop_map(|(client, combined)| Combined { client, combined }),
        2 => client.clone().prop_map(|client| Tell { client }),
        2 => client.clone().prop_map(|client| Pong { client }),
        1 => client.clone().prop_map(|client| End { client }),
        1 => client.clone().prop_map(|client| Close { client }),
        1 => client.clone().prop_map(|client| Die { client }),
        2 => client.clone().prop_map(|client| Depart { client }),
        3 => (client, shard).prop_map(|(client, shard)| Arrive { client, shard }),
    ]
}

fn apply(world: &mut World, operation: &Operation) {
    let of = |client: usize| client % world.places.len();
    match *operation {
        Open { shard, room, combined, notices } => {
            world.open(shard, room, combined, notices);
        }
        Publish { channel, count, padding, closes } => world.publish_closing(channel, count, padding, closes),
        Condition { channel, state } => world.set_condition(channel, state),
        EndEpoch { channel } => world.feeds[channel].appender.end_epoch(),
        Unwatch { channel } => world.unwatch(channel),
        Advance { ms } => world.advance(ms),
        Turn { shard, budget } => {
            world.turn(shard, budget);
        }
        Drain { client, bytes } => world.drain(of(client), bytes),
        Subscribe { client, channel } => world.subscribe(of(client), channel),
        Unsubscribe { client, channel } => world.unsubscribe(of(client), channel),
        Combined { client, combined } => world.set_combined(of(client), combined),
        Tell { client } => world.tell(of(client)),
        Pong { client } => world.tell_pong(of(client)),
        End { client } => world.end(of(client)),
        Close { client } => world.close(of(client)),
        Die { client } => {
            let id = of(client);
            world.clients.list[id].dead = true;
        }
        Depart { client } => world.depart(of(client)),
        Arrive { client, shard } => world.arrive(of(client), shard),
    }
    world.check_sums();
}

/// At the end everybody arrives and takes all there is: nothing may be left, and the counts agree.
fn finish(world: &mut World) {
    for id in 0..world.places.len() {
        world.arrive(id, 0);
    }
    world.settle();
    for id in 0..world.places.len() {
        world.drain(id, UNLIMITED);
    }
    world.settle();
    for (id, place) in world.places.iter().enumerate() {
        let client = world.client(id);
        assert!(matches!(place, Place::Out) || client.partial.is_empty(), "client {id} has half a frame");
        assert!(matches!(place, Place::Out) || client.ended == client.closed, "client {id} waits for its CLOSE");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 4096, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn promises_hold(operations in prop::collection::vec(operation(), 1..160)) {
        let mut world = World::new(&KINDS);
        for (room, combined, notices) in [(UNLIMITED, false, false), (UNLIMITED, true, true), (500, false, true)] {
            world.open(0, room, combined, notices);
            world.open(1, room, combined, notices);
        }
        for operation in &operations {
            apply(&mut world, operation);
        }
        finish(&mut world);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}
