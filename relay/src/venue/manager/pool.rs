//! All lanes of one upstream: a manager for each, and one gate for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Action, Conn, Gate, Manager, Settings, TopicId};

pub struct Pool {
    lanes: Vec<Manager>,
    /// Places for connections of each lane; a connection's number tells its lane.
    places: usize,
    /// The lane of each number that was ever wanted. Numbers are dense and used again, which bounds it.
    homes: HashMap<TopicId, usize, foldhash::fast::FixedState>,
}

impl Pool {
    pub fn new(settings: &Settings, lanes: usize, seed: u64) -> Self {
        let gate = Gate::new(settings);
        let places = Manager::places(settings);
        let manager = |lane| Manager::with_gate(settings.clone(), gate.clone(), lane * places, seed);
        Self { lanes: (0..lanes.max(1)).map(manager).collect(), places, homes: HashMap::default() }
    }

    pub fn lane_of(&self, conn: Conn) -> usize {
        conn.index / self.places
    }

    /// The manager of that connection's lane.
    pub fn of(&mut self, conn: Conn) -> &mut Manager {
        let lane = self.lane_of(conn);
        &mut self.lanes[lane]
    }

    #[cfg(test)]
    pub(super) fn first(&mut self) -> &mut Manager {
        &mut self.lanes[0]
    }

    /// Streams that occupy a slot of the venue.
    pub fn slots_used(&self) -> usize {
        self.lanes.iter().map(Manager::slots_used).sum()
    }

    pub fn want(&mut self, id: TopicId, name: &Arc<str>, lane: usize, now: u64) {
        self.settle(id, lane, now);
        self.lanes[lane].want(id, name, now);
    }

    pub fn always(&mut self, id: TopicId, name: &Arc<str>, lane: usize, now: u64) {
        self.settle(id, lane, now);
        self.lanes[lane].always(id, name, now);
    }

    pub fn unwant(&mut self, id: TopicId, now: u64) {
        let lane = self.homes.get(&id).copied().unwrap_or(0);
        self.lanes[lane].unwant(id, now);
    }

    /// The number is of that lane from now on; what another one still holds under it ends quietly.
    fn settle(&mut self, id: TopicId, lane: usize, now: u64) {
        if let Some(before) = self.homes.insert(id, lane).filter(|&before| before != lane) {
            self.lanes[before].abandon(id, now);
        }
    }

    pub fn tick(&mut self, now: u64) {
        for lane in &mut self.lanes {
            lane.tick(now);
        }
    }

    pub fn poll(&mut self) -> Option<Action> {
        self.lanes.iter_mut().find_map(Manager::poll)
    }

    pub fn next_due(&self, now: u64) -> u64 {
        self.lanes.iter().map(|lane| lane.next_due(now)).min().unwrap_or(u64::MAX)
    }
}
