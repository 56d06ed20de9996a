//! What goes out on each connection, and when.

use std::sync::Arc;

use super::link::{PONG_RESERVE, Phase, Request};
use super::topic::Place;
use super::{Action, Manager, Method, TopicId};

impl Manager {
    pub(super) fn close_if_empty(&mut self, index: usize, now: u64) {
        let link = &mut self.links[index];
        if !link.members.is_empty() || link.phase == Phase::Idle || link.replaces.is_some() {
            return;
        }
        self.close(index, now);
    }

    /// Ends a connection that nothing needs any more.
    pub(super) fn close(&mut self, index: usize, now: u64) {
        let link = &mut self.links[index];
        if link.is_up() {
            self.gate.let_go(link.conn());
            self.actions.push_back(Action::Close { conn: link.conn() });
        }
        let successor = link.retirement.as_ref().and_then(|retirement| retirement.successor);
        link.end_life(&self.settings, Phase::Idle, now);
        if let Some(successor) = successor {
            self.links[successor].replaces = None;
        }
    }

    pub(super) fn dial_if_due(&mut self, index: usize, now: u64) {
        let link = &mut self.links[index];
        if link.phase != Phase::Waiting || link.not_before > now || self.gate.free_at(now) > now {
            return;
        }
        link.phase = Phase::Dialing;
        link.life += 1;
        self.gate.dialled(link.conn(), now);
        self.actions.push_back(Action::Dial { conn: link.conn() });
    }

    /// Sends what is due and allowed: what keeps the connection first, what frees slots before what takes them.
    pub(super) fn send_due(&mut self, index: usize, now: u64) {
        if self.links[index].phase != Phase::Open {
            return;
        }
        self.send_pong(index, now);
        while self.links[index].message_at(&self.settings, now) <= now {
            let link = &mut self.links[index];
            if !link.messages.allows(now, PONG_RESERVE) {
                if !link.is_governed {
                    link.is_governed = true;
                    self.actions.push_back(Action::Governed { conn: link.conn() });
                }
                return;
            }
            self.send_next(index, now);
        }
        self.links[index].is_governed = false;
    }

    fn send_pong(&mut self, index: usize, now: u64) {
        let link = &mut self.links[index];
        if !link.messages.allows(now, 0) {
            return;
        }
        if let Some(payload) = link.pong.take() {
            link.messages.take(now);
            self.actions.push_back(Action::Pong { conn: link.conn(), payload });
        }
        while !link.answers.is_empty() && link.messages.allows(now, 0) {
            let Some(text) = link.answers.pop_front() else { return };
            link.messages.take(now);
            self.actions.push_back(Action::Say { conn: link.conn(), text });
        }
    }

    fn send_next(&mut self, index: usize, now: u64) {
        let settings = &self.settings;
        let link = &mut self.links[index];
        if link.ping_at(settings) <= now {
            link.messages.take(now);
            link.pinged_at = Some(now);
            self.actions.push_back(Action::Ping { conn: link.conn() });
            return;
        }
        let (method, topics) = if let Some(part) = link.parts.pop_front() {
            part
        } else if link.unsubscribe_at(settings, now) <= now {
            let count = link.parting.len().min(settings.names_per_unsubscribe.max(1));
            (Method::Unsubscribe, link.parting.drain(..count).collect())
        } else {
            let count = link.fresh.len().min(settings.names_per_request);
            (Method::Subscribe, link.fresh.drain(..count).collect())
        };
        self.request(index, method, topics, now);
    }

    fn request(&mut self, index: usize, method: Method, topics: Vec<TopicId>, now: u64) {
        for &id in &topics {
            let topic = self.topics.get_mut(&id).expect("a removed topic is not sent");
            match method {
                Method::Subscribe => {
                    debug_assert_eq!(topic.place, Place::Ready(index), "only what has a slot is subscribed");
                    topic.place = Place::Asked(index);
                    topic.begin_anew(now);
                    self.age_from(id, now);
                }
                Method::Unsubscribe => {
                    debug_assert_eq!(topic.place, Place::Parting(index), "only what nobody wants is unsubscribed");
                    topic.place = Place::Leaving(index);
                }
            }
            self.arm(id);
        }
        let link = &mut self.links[index];
        link.messages.take(now);
        if let Some(long) = &mut link.long {
            long.take(now);
        }
        link.request_id += 1;
        let names = topics.iter().map(|id| Arc::clone(&self.topics[id].name)).collect();
        self.actions.push_back(Action::Request { conn: link.conn(), method, names, id: link.request_id });
        link.requests.insert(link.request_id, Request { method, topics, sent_at: now, is_partly_answered: false });
    }
}
