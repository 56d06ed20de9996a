//! Keeps one upstream subscribed to what is wanted, within what the venue allows.
//!
//! A state machine without socket, clock or task. Inputs (`want`, `unwant`, `connected`, `lost`, `acked`, `data`, …)
//! say what happened; after a batch of them, and at `next_due`, the caller calls `tick` and carries out what `poll`
//! returns. A topic is queued, placed on a connection (`pack`), asked for in batches (`send`), proven by its data
//! (`demand`), and leaves by UNSUBSCRIBE after its linger. A slot counts as used from the placement until the venue has
//! acknowledged the end, so the venue's limits hold at every moment in between.

mod action;
mod demand;
mod link;
mod pack;
mod replies;
mod send;
mod settings;
mod topic;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

pub use action::{Action, Conn, Loss, Method, Reply, TopicId};
pub use settings::Settings;

use crate::venue::governor::Governor;
use link::{Link, Phase};
use topic::{QueueKey, Topic};

pub struct Manager {
    settings: Settings,
    topics: HashMap<TopicId, Topic, foldhash::fast::FixedState>,
    links: Vec<Link>,
    /// Wanted and not on any connection, in the order in which they get room.
    queue: BTreeMap<QueueKey, TopicId>,
    queue_seq: u64,
    /// Queued since the last time there was no room for all: they have not been told yet.
    untold: Vec<TopicId>,
    /// The next deadline of each topic that has one.
    timers: BTreeSet<(u64, TopicId)>,
    /// Asked for and without data so far, by the time they were asked for.
    unproven: BTreeSet<(u64, TopicId)>,
    /// On a connection and unwanted, by the end of their linger.
    lingering: BTreeSet<(u64, TopicId)>,
    unproven_count: usize,
    connects: Governor,
    actions: VecDeque<Action>,
}

impl Manager {
    pub fn new(settings: Settings, seed: u64) -> Self {
        let links = (0..settings.connections).map(|index| Link::new(&settings, seed.wrapping_add(index as u64)));
        Self {
            links: links.collect(),
            connects: Governor::new(settings.connects_per_window, settings.connect_window_ms),
            settings,
            topics: HashMap::default(),
            queue: BTreeMap::new(),
            queue_seq: 0,
            untold: Vec::new(),
            timers: BTreeSet::new(),
            unproven: BTreeSet::new(),
            lingering: BTreeSet::new(),
            unproven_count: 0,
            actions: VecDeque::new(),
        }
    }

    /// Decides what is due. Call it after inputs and at `next_due`, then drain `poll`.
    pub fn tick(&mut self, now: u64) {
        self.expire_topics(now);
        self.bury_dead_links(now);
        self.place_queued(now);
        for index in 0..self.links.len() {
            self.close_if_empty(index, now);
            self.dial_if_due(index, now);
            self.send_due(index, now);
        }
    }

    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// When `tick` has something to do next; `u64::MAX` when only an input can change anything.
    pub fn next_due(&self, now: u64) -> u64 {
        let topics = self.timers.first().map_or(u64::MAX, |&(due, _)| due);
        let connect_at = self.connects.free_at(now, 0);
        let links = self.links.iter().map(|link| link.next_due(&self.settings, connect_at, now)).min();
        topics.min(links.unwrap_or(u64::MAX))
    }

    /// Names without any data so far, queued ones included: what admission limits.
    pub fn unproven_count(&self) -> usize {
        self.unproven_count
    }

    /// Streams that occupy a slot of the venue.
    pub fn slots_used(&self) -> usize {
        self.links.iter().map(|link| link.members.len()).sum()
    }

    /// Streams that could be held at once, as far as is known.
    pub fn slots_max(&self) -> usize {
        self.links.iter().map(|link| link.capacity).sum()
    }

    pub fn connections_open(&self) -> usize {
        self.links.iter().filter(|link| link.phase == Phase::Open).count()
    }

    /// The connection if it is the current life of its slot, whatever its phase.
    fn current(&mut self, conn: Conn) -> Option<&mut Link> {
        self.links.get_mut(conn.index).filter(|link| link.life == conn.life && link.is_up())
    }
}
