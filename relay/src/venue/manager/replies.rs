//! What a connection reports: its beginning, the venue's answers, its end.

use super::link::{Phase, Request};
use super::topic::{Class, Health, Place};
use super::{Action, Conn, Loss, Manager, Method, Reply, TopicId};

/// "Too many subscriptions" (protocols/binance.md section 2).
const CODE_TOO_MANY: i64 = 4;

impl Manager {
    pub fn connected(&mut self, conn: Conn, now: u64) {
        let Some(link) = self.links.get_mut(conn.index) else {
            return;
        };
        if link.life == conn.life && link.phase == Phase::Dialing {
            link.open(&self.settings, now);
        }
    }

    /// The connection ended, or could not be made.
    pub fn lost(&mut self, conn: Conn, why: Loss, now: u64) {
        if self.current(conn).is_some() {
            self.end(conn.index, why, now);
        }
    }

    /// Any frame came on this connection.
    pub fn heard(&mut self, conn: Conn, now: u64) {
        if let Some(link) = self.current(conn) {
            link.heard_at = now;
            link.pinged_at = None;
        }
    }

    /// The venue sent a ping.
    pub fn pinged(&mut self, conn: Conn, payload: &[u8], now: u64) {
        self.heard(conn, now);
        if let Some(link) = self.current(conn) {
            link.pong = Some(payload.to_vec());
        }
    }

    /// The venue answered. An error without an id belongs to the oldest request: answers come in order.
    pub fn acked(&mut self, conn: Conn, request_id: Option<u64>, reply: Reply<'_>, now: u64) {
        self.heard(conn, now);
        let Some(link) = self.current(conn) else {
            return;
        };
        let oldest = || link.requests.keys().next().copied();
        let Some(request_id) = request_id.or_else(oldest) else {
            return;
        };
        let Some(request) = link.requests.remove(&request_id) else {
            return;
        };
        match (request.method, reply) {
            (Method::Subscribe, Reply::Ok) => self.subscribed(conn.index, request),
            (Method::Unsubscribe, Reply::Ok) => self.unsubscribed(request),
            (Method::Subscribe, Reply::Error { code: CODE_TOO_MANY, msg }) => self.too_many(conn, request, msg),
            (_, Reply::Error { msg, .. }) => self.refused(conn.index, request, msg),
        }
    }

    pub(super) fn bury_dead_links(&mut self, now: u64) {
        for index in 0..self.links.len() {
            let link = &self.links[index];
            if link.phase != Phase::Open || link.dead_at(&self.settings) > now {
                continue;
            }
            let is_silent = link.pinged_at.is_some_and(|at| at + self.settings.ping_reply_ms <= now);
            self.end(index, if is_silent { Loss::Silent } else { Loss::NoReply }, now);
        }
    }

    fn subscribed(&mut self, index: usize, request: Request) {
        for id in request.topics {
            if let Some(topic) = self.topics.get_mut(&id) {
                debug_assert_eq!(topic.place, Place::Asked(index), "only what was asked for is acknowledged");
                topic.place = Place::Held(index);
                self.arm(id);
            }
        }
        if self.links[index].is_capacity_learned {
            let held = self.held_count(index);
            let link = &mut self.links[index];
            link.capacity = link.capacity.max(held);
        }
    }

    fn unsubscribed(&mut self, request: Request) {
        for id in request.topics {
            self.left(id);
        }
    }

    /// The venue holds it no more.
    fn left(&mut self, id: TopicId) {
        let Some(topic) = self.topics.get(&id) else {
            return;
        };
        if topic.wanted {
            self.requeue(id, Class::New);
            return;
        }
        self.finish(id);
    }

    /// The venue's limit is lower than ours: what the connection holds now is what it can hold.
    fn too_many(&mut self, conn: Conn, request: Request, msg: &str) {
        let held = self.held_count(conn.index);
        if held == 0 && request.topics.len() == 1 {
            return self.refused(conn.index, request, msg);
        }
        let streams = if held > 0 { held } else { request.topics.len() / 2 };
        let link = &mut self.links[conn.index];
        link.capacity = link.capacity.min(streams);
        link.is_capacity_learned = true;
        self.actions.push_back(Action::Learned { conn, streams: link.capacity });
        for id in request.topics {
            self.again(id);
        }
        // What has a slot here by the old limit and was not sent yet goes elsewhere too.
        let members = self.links[conn.index].members.iter().rev().copied();
        let unsent: Vec<_> = members.filter(|id| self.topics[id].place == Place::Ready(conn.index)).collect();
        for id in unsent {
            if self.links[conn.index].members.len() <= self.links[conn.index].capacity {
                return;
            }
            self.again(id);
        }
    }

    /// One bad name refuses the whole list: halves find it in few messages.
    fn refused(&mut self, index: usize, request: Request, msg: &str) {
        let Request { method, topics, .. } = request;
        if let [id] = topics[..] {
            return self.refused_alone(method, id, msg);
        }
        let place = match method {
            Method::Subscribe => Place::Ready(index),
            Method::Unsubscribe => Place::Parting(index),
        };
        for id in &topics {
            let topic = self.topics.get_mut(id);
            topic.expect("a removed topic was not asked for").place = place;
        }
        let (first, second) = topics.split_at(topics.len() / 2);
        for half in [first, second] {
            self.links[index].parts.push_back((method, half.to_vec()));
        }
        for id in topics {
            self.settle(id);
        }
    }

    fn refused_alone(&mut self, method: Method, id: TopicId, msg: &str) {
        if method == Method::Unsubscribe {
            return self.left(id);
        }
        let topic = &self.topics[&id];
        if topic.wanted {
            self.actions.push_back(Action::Refused { id, msg: msg.to_owned() });
            self.remove(id);
        } else {
            self.finish(id);
        }
    }

    /// Demand may have changed while the request was under way: what it asked for is then not asked for again.
    fn settle(&mut self, id: TopicId) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        match topic.place {
            Place::Ready(_) if !topic.wanted => self.again(id),
            Place::Parting(index) if topic.wanted => {
                topic.place = Place::Held(index);
                self.links[index].forget(id);
                self.arm(id);
            }
            _ => self.arm(id),
        }
    }

    /// Back into the queue if it is wanted; otherwise that was its end.
    fn again(&mut self, id: TopicId) {
        let Some(topic) = self.topics.get(&id) else {
            return;
        };
        if topic.wanted {
            self.requeue(id, Class::Again);
            return;
        }
        self.finish(id);
    }

    fn held_count(&self, index: usize) -> usize {
        let is_held = |id: &&TopicId| {
            let place = self.topics[*id].place;
            matches!(place, Place::Held(_) | Place::Parting(_) | Place::Leaving(_))
        };
        self.links[index].members.iter().filter(is_held).count()
    }

    /// Ends a connection's life: its topics are lost once each and queue again, before any new ones.
    fn end(&mut self, index: usize, why: Loss, now: u64) {
        let link = &mut self.links[index];
        let conn = link.conn(index);
        link.end_life(&self.settings, Phase::Waiting, now);
        let is_hurried = why == Loss::Shutdown && !link.was_hurried;
        link.was_hurried |= is_hurried;
        let retry_ms = if is_hurried { 0 } else { link.backoff.next_wait(now) };
        link.not_before = now + retry_ms;
        self.actions.push_back(Action::Down { conn, why, retry_ms });
        let members: Vec<_> = link.members.iter().copied().collect();
        for id in members {
            let topic = self.topics.get_mut(&id).expect("a removed topic is on no connection");
            if topic.wanted && topic.health == Health::Live {
                topic.health = Health::Lost;
                topic.lost_at = now;
                self.actions.push_back(Action::Lost(id));
            }
            self.again(id);
        }
    }
}
