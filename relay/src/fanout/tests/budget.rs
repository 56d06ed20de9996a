//! One write for each client and turn, and a budget that is shared fairly.

use super::world::{UNLIMITED, World};
use crate::fanout::kind::Kind;
use crate::limits::WRITE_PIECES_MAX;

/// Writes of each client during one turn.
fn writes_of_turn(world: &mut World, budget: usize) -> Vec<usize> {
    let before: Vec<usize> = world.clients.list.iter().map(|client| client.writes).collect();
    world.turn(0, budget);
    world.clients.list.iter().zip(before).map(|(client, before)| client.writes - before).collect()
}

/// However many channels and frames moved, nobody blocked is written to twice in a turn.
#[test]
fn one_write_per_client_and_turn() {
    for channels in [1, 2, 9, WRITE_PIECES_MAX] {
        let mut world = World::with(&vec![Kind::State; channels], 6, UNLIMITED);
        world.set_combined(3, true);
        for round in 1..5 {
            (0..channels).for_each(|channel| world.publish(channel, round, 20));
            assert_eq!(writes_of_turn(&mut world, 1 << 16), vec![1; 6], "{channels} channels");
        }
        assert_eq!(world.clients.first_written, world.clients.last_written);
        assert_eq!(world.clients.first_written, 10 * channels as u64);
    }
}

/// More channels than a gathered write takes: the rest follows, in order.
#[test]
fn more_pieces_than_a_write_takes() {
    let channels = WRITE_PIECES_MAX + 40;
    let mut world = World::with(&vec![Kind::Event; channels], 2, UNLIMITED);
    for _ in 0..3 {
        (0..channels).for_each(|channel| world.publish(channel, 2, 0));
        world.settle();
    }
    assert_eq!(world.client(0).delivered, 6 * channels as u64);
}

/// Any budget is kept, and any but none leads to the end.
#[test]
fn small_budgets_suffice() {
    for budget in 0..12 {
        let mut world = World::with(&[Kind::State, Kind::Event], 5, UNLIMITED);
        world.clients.list[0].room = 7;
        world.publish(0, 1, 0);
        world.settle();
        world.tell(0);
        world.tell_pong(0);
        world.publish(0, 2, 0);
        world.publish(1, 2, 0);
        world.tell(3);
        world.drain(0, UNLIMITED);
        let turns = (0..100).take_while(|_| world.turn(0, budget)).count();
        assert_eq!(turns < 100, budget > 0, "budget {budget}: {turns} turns");
    }
}

/// A channel with thousands of clients does not keep those of a small one waiting, nor do its newcomers.
#[test]
fn a_huge_channel_starves_nobody() {
    let mut world = World::new(&[Kind::State, Kind::Event]);
    for _ in 0..3000 {
        let id = world.open(0, UNLIMITED, false, false);
        world.subscribe(id, 0);
    }
    let small = world.open(0, UNLIMITED, false, false);
    // The newcomers are many turns' work, but they get half of each.
    world.settle();
    world.subscribe(small, 1);
    world.settle();
    for round in 0..8 {
        world.publish(0, 1, 0);
        if round == 4 {
            (0..3000).for_each(|id| world.tell(id));
        }
        world.publish(1, 1, 0);
        world.turn(0, 256);
        world.turn(0, 256);
        assert_eq!(world.client(small).delivered, round + 1, "a small channel waits two turns at most");
    }
    world.settle();
}

/// Of many busy channels none waits much longer than its turn in a round, and all get about the same.
#[test]
fn rotation_is_fair() {
    const CHANNELS: usize = 40;
    const CLIENTS: usize = 50;
    let mut world = World::new(&[Kind::State; CHANNELS]);
    for id in 0..CHANNELS * CLIENTS {
        world.open(0, UNLIMITED, false, false);
        world.subscribe(id, id % CHANNELS);
    }
    world.settle();
    let mut waits = [0; CHANNELS];
    let mut longest = 0;
    let written = |world: &World, channel: usize| -> usize {
        (0..CLIENTS).map(|at| world.client(at * CHANNELS + channel).writes).sum()
    };
    let begin: Vec<usize> = (0..CHANNELS).map(|channel| written(&world, channel)).collect();
    for _ in 0..200 {
        (0..CHANNELS).for_each(|channel| world.publish(channel, 1, 0));
        let before: Vec<usize> = (0..CHANNELS).map(|channel| written(&world, channel)).collect();
        world.turn(0, 320);
        for channel in 0..CHANNELS {
            waits[channel] = if written(&world, channel) > before[channel] { 0 } else { waits[channel] + 1 };
            longest = longest.max(waits[channel]);
        }
    }
    // 320 writes are shares of 32 for ten channels.
    assert!(longest <= CHANNELS, "a channel waited {longest} turns");
    let total: Vec<usize> = (0..CHANNELS).map(|channel| written(&world, channel) - begin[channel]).collect();
    let (least, most) = (total.iter().min().unwrap(), total.iter().max().unwrap());
    assert!(most - least <= most / 4, "{least} to {most} writes");
    world.settle();
}
