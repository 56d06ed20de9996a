//! What a connection reports: its beginning, the venue's answers, its end.

use super::link::{Link, Phase, Request};
use super::topic::{Class, Place};
use super::{Action, Conn, Loss, Manager, Method, Reply, TopicId};

/// "Too many subscriptions" (protocols/binance.md section 2).
const CODE_TOO_MANY: i64 = 4;

impl Manager {
    pub fn connected(&mut self, conn: Conn, now: u64) {
        let rotate_at = self.rotation_time(now);
        let place = conn.index.wrapping_sub(self.base);
        let is_dialled = |link: &&mut Link| link.life == conn.life && link.phase == Phase::Dialing;
        let Some(link) = self.links.get_mut(place).filter(is_dialled) else {
            return;
        };
        link.open(&self.settings, now);
        link.rotate_at = rotate_at;
        if self.gate.connected() {
            self.actions.push_back(Action::Unblocked { conn });
        }
    }

    /// The connection ended, or could not be made.
    pub fn lost(&mut self, conn: Conn, why: Loss, now: u64) {
        if self.current(conn).is_some() {
            self.end(self.place_of(conn), why, now);
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
        let Some(request) = link.answered(request_id, now) else {
            return;
        };
        match (request.method, reply) {
            (Method::Subscribe, Reply::Ok) => self.subscribed(self.place_of(conn), request),
            (Method::Unsubscribe, Reply::Ok) => self.unsubscribed(request),
            (Method::Subscribe, Reply::Error { code: CODE_TOO_MANY, msg }) => self.too_many(conn, request, msg, now),
            (_, Reply::Error { msg, .. }) => self.refused(self.place_of(conn), request, msg),
        }
    }

    pub(super) fn bury_dead_links(&mut self, now: u64) {
        for index in 0..self.links.len() {
            let link = &self.links[index];
            if link.phase != Phase::Open || link.dead_at(&self.settings) > now {
                continue;
            }
            let is_silent = link.pinged_at.is_some_and(|at| at + self.settings.ping_reply_ms <= now);
            let is_unready = link.greeted_at.is_some_and(|at| at + self.settings.reply_ms <= now);
            if !is_silent && !is_unready && self.retry_unanswered(index, now) {
                continue;
            }
            self.end(index, if is_silent { Loss::Silent } else { Loss::NoReply }, now);
        }
    }

    fn subscribed(&mut self, index: usize, request: Request) {
        for id in request.topics {
            self.hold(id, index);
        }
        if self.links[index].is_capacity_learned {
            let held = self.held_count(index);
            let link = &mut self.links[index];
            link.capacity = link.capacity.max(held);
        }
    }

    /// The venue holds it.
    pub(super) fn hold(&mut self, id: TopicId, index: usize) {
        if let Some(topic) = self.topics.get_mut(&id) {
            debug_assert_eq!(topic.place, Place::Asked(index), "only what was asked for is acknowledged");
            topic.place = Place::Held(index);
            self.arm(id);
        }
    }

    fn unsubscribed(&mut self, request: Request) {
        for id in request.topics {
            self.left(id);
        }
    }

    /// The venue holds it no more.
    pub(super) fn left(&mut self, id: TopicId) {
        let Some(topic) = self.topics.get_mut(&id) else {
            return;
        };
        if topic.wanted {
            let class = if std::mem::take(&mut topic.is_renewing) { Class::Again } else { Class::New };
            self.requeue(id, class);
            return;
        }
        self.finish(id);
    }

    /// The venue's limit is lower than ours: what the connection holds now is what it can hold.
    fn too_many(&mut self, conn: Conn, request: Request, msg: &str, now: u64) {
        let index = self.place_of(conn);
        let held = self.held_count(index);
        if held == 0 && request.topics.len() == 1 {
            return self.refused(index, request, msg);
        }
        let streams = if held > 0 { held } else { request.topics.len() / 2 };
        let link = &mut self.links[index];
        link.capacity = link.capacity.min(streams);
        link.is_capacity_learned = true;
        self.actions.push_back(Action::Learned { conn, streams: link.capacity });
        for id in request.topics {
            self.take_elsewhere(id, now);
        }
        // What has a slot here by the old limit and was not sent yet goes elsewhere too.
        let members = self.links[index].members.iter().rev().copied();
        let unsent: Vec<_> = members.filter(|id| self.topics[id].place == Place::Ready(index)).collect();
        for id in unsent {
            if self.links[index].members.len() <= self.links[index].capacity {
                return;
            }
            self.take_elsewhere(id, now);
        }
    }

    /// It may not be held where it was to be: it stays where it was until that ends, or queues again.
    fn take_elsewhere(&mut self, id: TopicId, now: u64) {
        match self.topics.get(&id).and_then(|topic| topic.old) {
            Some(old) => self.take_back(id, old, now),
            None => self.again(id),
        }
    }

    /// One bad name refuses the whole list: halves find it in few messages.
    pub(super) fn refused(&mut self, index: usize, request: Request, msg: &str) {
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

    pub(super) fn refused_alone(&mut self, method: Method, id: TopicId, msg: &str) {
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
            Place::Parting(index) if topic.wanted && !topic.is_renewing => {
                topic.place = Place::Held(index);
                self.links[index].forget(id);
                self.arm(id);
            }
            _ => self.arm(id),
        }
    }

    fn held_count(&self, index: usize) -> usize {
        let is_held = |id: &&TopicId| {
            let place = self.topics[*id].place;
            matches!(place, Place::Held(_) | Place::Parting(_) | Place::Leaving(_))
        };
        self.links[index].members.iter().filter(is_held).count()
    }
}
