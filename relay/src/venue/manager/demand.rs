//! What is wanted, what came, and what follows when nothing comes.

use std::sync::Arc;

use super::topic::{Class, Health, Place, Topic};
use super::{Action, Manager, TopicId};

impl Manager {
    /// Somebody wants this stream. Within its linger that costs no message.
    pub fn want(&mut self, id: TopicId, name: &Arc<str>, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            let key = self.enqueue(id, Class::New);
            self.topics.insert(id, Topic::new(Arc::clone(name), Place::Queued(key)));
            self.unproven_count += 1;
            return;
        };
        if topic.name != *name {
            return self.replace(id, name, now);
        }
        topic.next = None;
        topic.is_owed = true;
        topic.wanted = true;
        let had_given_up = std::mem::take(&mut topic.gave_up);
        self.lingering.remove(&(topic.linger_until, id));
        topic.linger_until = u64::MAX;
        match topic.place {
            Place::Parting(index) if !topic.is_renewing => {
                topic.place = Place::Held(index);
                self.links[index].forget(id);
                self.age_from(id, now);
            }
            // The venue is already ending it: it has to be asked for again, and something will be missing.
            Place::Leaving(_) if topic.health == Health::Live && !topic.is_renewing => {
                topic.health = Health::Lost;
                topic.lost_at = now;
                self.actions.push_back(Action::Lost(id));
            }
            // Its silence counts from now, or it would be given up at once.
            Place::Asked(_) if had_given_up => self.age_from(id, now),
            _ => {}
        }
        let topic = &self.topics[&id];
        if topic.is_broken && (topic.old.is_none() || topic.is_old_broken) {
            self.lose(id, now);
        }
        self.arm(id);
    }

    /// The number has gone to another name, which waits until the venue has ended the old one.
    fn replace(&mut self, id: TopicId, name: &Arc<str>, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        topic.next = Some(Arc::clone(name));
        topic.wanted = false;
        topic.is_renewing = false;
        topic.kept = false;
        match topic.place {
            Place::Queued(_) | Place::Ready(_) => self.remove(id),
            _ => self.part(id, now),
        }
    }

    /// The number has gone to a name of another lane. Its end here is not told.
    pub fn abandon(&mut self, id: TopicId, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        topic.next = None;
        topic.is_owed = false;
        topic.is_renewing = false;
        topic.wanted = false;
        topic.kept = false;
        // As what was given up: data that still comes is not told.
        topic.gave_up = true;
        match topic.place {
            Place::Queued(_) | Place::Ready(_) => self.remove(id),
            _ => self.part(id, now),
        }
    }

    /// As `want`, for good: `unwant` does not end it and silence does not give it up.
    pub fn always(&mut self, id: TopicId, name: &Arc<str>, now: u64) {
        self.want(id, name, now);
        if let Some(topic) = self.topics.get_mut(&id).filter(|topic| topic.name == *name) {
            topic.kept = true;
        }
        self.arm(id);
    }

    /// Nobody wants this stream any more. What was not asked for yet is dropped, the rest lingers.
    /// Each ends with `Released`, also what is not held (any more).
    pub fn unwant(&mut self, id: TopicId, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            self.actions.push_back(Action::Released(id));
            return;
        };
        if topic.kept {
            return;
        }
        topic.next = None;
        topic.is_owed = true;
        if !topic.wanted {
            return;
        }
        topic.wanted = false;
        if std::mem::take(&mut topic.is_renewing) {
            // Owed as soon as it is wanted again.
            topic.renew_at = now;
        }
        match topic.place {
            Place::Queued(_) | Place::Ready(_) => {
                self.finish(id);
            }
            Place::Asked(_) | Place::Held(_) => {
                topic.linger_until = now + self.settings.linger_ms;
                self.lingering.insert((topic.linger_until, id));
                self.arm(id);
            }
            Place::Parting(_) | Place::Leaving(_) => {}
        }
    }

    /// Data of this topic came: the only proof that a name exists and its stream lives.
    pub fn data(&mut self, id: TopicId, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        topic.heard_at = now;
        // Too late: the caller was told of its end.
        if topic.gave_up || topic.next.is_some() {
            return;
        }
        if topic.health == Health::Live && topic.proven {
            return;
        }
        if topic.old.is_none() && !matches!(topic.place, Place::Asked(_) | Place::Held(_) | Place::Parting(_)) {
            return;
        }
        topic.health = Health::Live;
        // While two connections bring it, the broken one still has to be mended.
        if topic.old.is_none() {
            topic.is_broken = false;
        }
        if !topic.is_broken {
            topic.renew_at = u64::MAX;
        }
        if !topic.proven {
            topic.proven = true;
            self.unproven_count -= 1;
            self.unproven.remove(&(topic.asked_at, id));
        }
        self.actions.push_back(Action::Live(id));
        self.arm(id);
    }

    pub(super) fn expire_topics(&mut self, now: u64) {
        while let Some(&(due, id)) = self.timers.first() {
            if due > now {
                return;
            }
            self.timers.pop_first();
            let topic = self.topics.get_mut(&id).expect("a removed topic has no timer");
            topic.due = u64::MAX;
            self.expire(id, now);
            self.arm(id);
        }
    }

    fn expire(&mut self, id: TopicId, now: u64) {
        let settings = &self.settings;
        let topic = self.topics.get_mut(&id).expect("a removed topic has no timer");
        if topic.health == Health::Lost && topic.lost_at + settings.stale_ms <= now {
            topic.health = Health::Stale;
            self.actions.push_back(Action::Stale(id));
        }
        self.watch(id, now);
        let settings = &self.settings;
        let topic = &self.topics[&id];
        if topic.may_be_given_up() && topic.asked_at + settings.silence_ms <= now {
            self.give_up(id, now);
        } else if !topic.wanted && topic.linger_until <= now {
            self.part(id, now);
        }
    }

    /// Ends what was never proven. The slot becomes free when the venue has acknowledged that.
    pub(super) fn give_up(&mut self, id: TopicId, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        if !matches!(topic.place, Place::Asked(_) | Place::Held(_)) {
            return;
        }
        topic.wanted = false;
        topic.is_renewing = false;
        topic.gave_up = true;
        topic.is_owed = false;
        self.actions.push_back(Action::GaveUp(id));
        self.part(id, now);
    }

    /// Unsubscribes what is not wanted. While its SUBSCRIBE is unanswered that has to wait.
    pub(super) fn part(&mut self, id: TopicId, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        self.lingering.remove(&(topic.linger_until, id));
        match topic.place {
            Place::Held(index) => {
                topic.place = Place::Parting(index);
                self.unproven.remove(&(topic.asked_at, id));
                let link = &mut self.links[index];
                if link.parting.is_empty() {
                    link.parting_at = now + self.settings.gather_ms;
                }
                link.parting.push(id);
            }
            Place::Asked(_) => {
                topic.linger_until = now + self.settings.gather_ms.max(1);
                self.lingering.insert((topic.linger_until, id));
            }
            _ => {}
        }
        self.arm(id);
    }

    /// It is asked for now, or has its time again: silence counts from here.
    pub(super) fn age_from(&mut self, id: TopicId, now: u64) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        self.unproven.remove(&(topic.asked_at, id));
        topic.asked_at = now;
        if !topic.proven {
            self.unproven.insert((now, id));
        }
    }

    /// Sets the topic's timer to its next deadline.
    pub(super) fn arm(&mut self, id: TopicId) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        let due = topic.deadline(&self.settings);
        if due == topic.due {
            return;
        }
        self.timers.remove(&(topic.due, id));
        topic.due = due;
        if due != u64::MAX {
            self.timers.insert((due, id));
        }
    }

    /// The end of what is not wanted any more.
    pub(super) fn finish(&mut self, id: TopicId) {
        if self.topics.get(&id).is_some_and(|topic| topic.is_owed && topic.next.is_none()) {
            self.actions.push_back(Action::Released(id));
        }
        self.remove(id);
    }

    /// Forgets the topic and frees what it held here; telling the caller is left to who calls.
    pub(super) fn remove(&mut self, id: TopicId) {
        self.detach(id);
        let Some(topic) = self.topics.remove(&id) else {
            return;
        };
        if let Place::Queued(key) = topic.place {
            self.queue.remove(&key);
        }
        self.timers.remove(&(topic.due, id));
        self.lingering.remove(&(topic.linger_until, id));
        if !topic.proven {
            self.unproven_count -= 1;
        }
        if let Some(name) = topic.next {
            let key = self.enqueue(id, Class::New);
            self.topics.insert(id, Topic::new(name, Place::Queued(key)));
            self.unproven_count += 1;
        }
    }

    /// Takes the topic off its connection.
    pub(super) fn detach(&mut self, id: TopicId) {
        let Some(topic) = self.topics.get(&id) else {
            return;
        };
        self.unproven.remove(&(topic.asked_at, id));
        for index in [topic.place.index(), topic.old].into_iter().flatten() {
            self.links[index].forget(id);
            self.links[index].members.remove(&id);
        }
        if let Some(topic) = self.topics.get_mut(&id) {
            topic.old = None;
            topic.is_old_broken = false;
        }
    }
}
