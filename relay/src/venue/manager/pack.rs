//! Which connection holds which topic: as few connections as possible, none above its limit.

use super::link::{Link, Phase};
use super::topic::{Class, Place, QueueKey};
use super::{Action, Manager, TopicId};

impl Manager {
    /// Puts the topic into the queue; its place is the caller's to set.
    pub(super) fn enqueue(&mut self, id: TopicId, class: Class) -> QueueKey {
        self.queue_seq += 1;
        let key = (class, self.queue_seq);
        self.queue.insert(key, id);
        self.untold.push(id);
        key
    }

    /// Takes a topic off its connection and into the queue.
    pub(super) fn requeue(&mut self, id: TopicId, class: Class) {
        self.detach(id);
        let key = self.enqueue(id, class);
        if let Some(topic) = self.topics.get_mut(&id) {
            topic.place = Place::Queued(key);
        }
        self.arm(id);
    }

    pub(super) fn place_queued(&mut self, now: u64) {
        while let Some((&key, &id)) = self.queue.first_key_value() {
            let Some(index) = self.roomy_link() else {
                self.tell_no_room();
                self.make_room(now);
                return;
            };
            self.queue.remove(&key);
            self.place(id, key.0, index, now);
        }
        self.untold.clear();
    }

    fn place(&mut self, id: TopicId, class: Class, index: usize, now: u64) {
        let topic = self.topics.get_mut(&id).expect("a removed topic is not queued");
        topic.place = Place::Ready(index);
        let link = &mut self.links[index];
        link.members.insert(id);
        debug_assert!(link.members.len() <= link.capacity, "more streams than the connection may hold");
        // What was held before does not wait for company: it comes in bulk anyway.
        let at = if class == Class::Again { now } else { now + self.settings.gather_ms };
        link.fresh_at = if link.fresh.is_empty() { at } else { link.fresh_at.min(at) };
        link.fresh.push(id);
        if link.phase == Phase::Idle {
            link.phase = Phase::Waiting;
        }
    }

    /// An open connection first: it serves at once. Then one that is coming, and only then another one.
    fn roomy_link(&self) -> Option<usize> {
        let first = |wanted: fn(Phase) -> bool| {
            (0..self.links.len()).find(|&index| wanted(self.links[index].phase) && self.has_room(index))
        };
        let another = || first(|phase| phase == Phase::Idle).filter(|_| self.may_have_another());
        first(|phase| phase == Phase::Open).or_else(|| first(|phase| phase != Phase::Idle)).or_else(another)
    }

    /// A successor keeps room for what it is to take over; what is being replaced takes nothing new.
    fn has_room(&self, index: usize) -> bool {
        let link = &self.links[index];
        let to_come = link.replaces.map(|old| &self.links[old]).filter(|old| !old.is_handed_over());
        let to_come = to_come.map_or(0, |old| old.members.len());
        !link.is_winding_up() && link.members.len() + to_come < link.capacity
    }

    /// What is being replaced does not count: its successor does.
    fn may_have_another(&self) -> bool {
        let counts = |link: &&Link| link.phase != Phase::Idle && !link.is_winding_up();
        self.links.iter().filter(counts).count() < self.settings.connections
    }

    fn tell_no_room(&mut self) {
        for id in std::mem::take(&mut self.untold) {
            let is_queued = self.topics.get(&id).is_some_and(|topic| matches!(topic.place, Place::Queued(_)));
            if is_queued {
                self.actions.push_back(Action::NoRoom(id));
            }
        }
    }

    /// Ends as many as are needed of those that nobody wants or that never had data, the oldest first.
    fn make_room(&mut self, now: u64) {
        let leaving: usize = self.links.iter().map(|link| link.leaving_count()).sum();
        let mut needed = self.queue.len().saturating_sub(leaving);
        let is_held = |manager: &Self, id: &TopicId| matches!(manager.topics[id].place, Place::Held(_));

        let unwanted = self.lingering.iter().map(|&(_, id)| id).filter(|id| is_held(self, id));
        let unwanted: Vec<_> = unwanted.take(needed).collect();
        needed -= unwanted.len();
        for id in unwanted {
            self.part(id, now);
        }

        let old_enough = |asked_at: u64| asked_at + self.settings.unproven_ms <= now;
        let silent = self.unproven.iter().take_while(|&&(asked_at, _)| old_enough(asked_at)).map(|&(_, id)| id);
        let silent = silent.filter(|id| is_held(self, id) && self.topics[id].may_be_given_up());
        for id in silent.take(needed).collect::<Vec<_>>() {
            self.give_up(id, now);
        }
    }
}
