//! Keeps one upstream subscribed to what is wanted, within what the venue allows.
//!
//! A state machine without socket, clock or task. Inputs (`want`, `unwant`, `connected`, `lost`, `acked`, `data`, …)
//! say what happened; after a batch of them, and at `next_due`, the caller calls `tick` and carries out what `poll`
//! returns. A topic is queued, placed on a connection (`pack`), asked for in batches (`send`), proven by its data
//! (`demand`), and leaves by UNSUBSCRIBE after its linger. A slot counts as used from the placement until the venue has
//! acknowledged the end, so the venue's limits hold at every moment in between.

mod action;
mod demand;
mod each;
mod gate;
mod link;
mod pack;
mod pool;
mod replies;
mod rotate;
mod send;
mod settings;
mod topic;
mod watch;

#[cfg(test)]
mod mend_tests;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod rotation_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
#[cfg(test)]
mod venue_tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rand::SeedableRng;
use rand::rngs::StdRng;

pub use action::{Action, Conn, Loss, Method, Reply, Rotation, TopicId};
pub use gate::Gate;
pub use pool::Pool;
pub use settings::{Settings, Window};

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
    gate: Gate,
    /// The number of the first of its connections.
    base: usize,
    random: StdRng,
    actions: VecDeque<Action>,
}

impl Manager {
    /// Alone: with a gate of its own.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let gate = Gate::new(&settings);
        Self::with_gate(settings, gate, 0, seed)
    }

    /// One lane of several, whose connections have the numbers from `base` on.
    pub fn with_gate(settings: Settings, gate: Gate, base: usize, seed: u64) -> Self {
        let links = (0..Self::places(&settings))
            .map(|index| Link::new(&settings, base + index, seed.wrapping_add((base + index) as u64)));
        Self {
            links: links.collect(),
            gate,
            base,
            random: StdRng::seed_from_u64(seed),
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

    /// Places for connections: those that may be held, and the successors'.
    pub fn places(settings: &Settings) -> usize {
        (settings.connections + settings.spare_connections).max(1)
    }

    /// Decides what is due. Call it after inputs and at `next_due`, then drain `poll`.
    pub fn tick(&mut self, now: u64) {
        self.bury_dead_links(now);
        self.expire_topics(now);
        self.rotate(now);
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
        let connect_at = self.gate.free_at(now);
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
        let mut capacities: Vec<_> = self.links.iter().map(|link| link.capacity).collect();
        // A spare place is no room of its own: the smallest ones do not count.
        capacities.sort_unstable();
        capacities.iter().skip(self.settings.spare_connections).sum()
    }

    pub fn connections_open(&self) -> usize {
        self.links.iter().filter(|link| link.phase == Phase::Open).count()
    }

    /// The connection if it is the current life of its slot, whatever its phase.
    fn current(&mut self, conn: Conn) -> Option<&mut Link> {
        let link = self.links.get_mut(conn.index.wrapping_sub(self.base));
        link.filter(|link| link.life == conn.life && link.is_up())
    }

    /// Its place here.
    fn place_of(&self, conn: Conn) -> usize {
        conn.index - self.base
    }
}
