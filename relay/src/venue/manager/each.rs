//! Venues that answer for each stream, want to be greeted, or ask questions of their own.

use super::link::{Phase, Request};
use super::topic::Place;
use super::{Action, Conn, Loss, Manager, Method, TopicId};
use crate::limits::UPSTREAM_ANSWERS_MAX;

impl Manager {
    /// This was said at the connection's begin: requests wait until the venue is `ready`.
    pub fn greeted(&mut self, conn: Conn, text: String, now: u64) {
        let Some(link) = self.current(conn).filter(|link| link.phase == Phase::Open) else {
            return;
        };
        link.is_ready = false;
        link.greeted_at = Some(now);
        link.messages.take(now);
        self.actions.push_back(Action::Say { conn, text });
    }

    pub fn ready(&mut self, conn: Conn) {
        if let Some(link) = self.current(conn).filter(|link| link.phase == Phase::Open) {
            link.is_ready = true;
            link.greeted_at = None;
        }
    }

    /// The venue waits for this text. Before any request, and within the limit.
    pub fn answer(&mut self, conn: Conn, text: &str, now: u64) {
        let Some(link) = self.current(conn) else {
            return;
        };
        link.answers.push_back(text.to_owned());
        if link.answers.len() > UPSTREAM_ANSWERS_MAX {
            let why = "asks for more answers than its limit of messages lets through";
            self.lost(conn, Loss::Broken(why.to_owned()), now);
        }
    }

    /// One stream of a request is granted.
    pub fn granted(&mut self, conn: Conn, stream: &str, now: u64) {
        self.heard(conn, now);
        if let Some((method, id)) = self.take_asked(conn, stream) {
            match method {
                Method::Subscribe => self.hold(id, self.place_of(conn)),
                Method::Unsubscribe => self.left(id),
            }
        }
    }

    /// One stream is refused, or ended by the venue; the others of its request are not concerned.
    pub fn denied(&mut self, conn: Conn, stream: &str, msg: &str, now: u64) {
        self.heard(conn, now);
        if let Some((method, id)) = self.take_asked(conn, stream) {
            return self.refused_alone(method, id, msg);
        }
        let place = self.place_of(conn);
        let Some(link) = self.current(conn) else {
            return;
        };
        let members: Vec<_> = link.members.iter().copied().collect();
        let held = |id: &TopicId| &*self.topics[id].name == stream && self.topics[id].place == Place::Held(place);
        if let Some(id) = members.into_iter().find(held) {
            self.refused_alone(Method::Subscribe, id, msg);
        }
    }

    /// A request is too long to be sent: its halves are.
    pub fn too_long(&mut self, conn: Conn, request_id: u64) {
        let place = self.place_of(conn);
        if let Some(request) = self.current(conn).and_then(|link| link.requests.remove(&request_id)) {
            self.refused(place, request, "the request is longer than the venue allows");
        }
    }

    /// Takes a stream out of the oldest request that has it.
    fn take_asked(&mut self, conn: Conn, stream: &str) -> Option<(Method, TopicId)> {
        let place = conn.index.wrapping_sub(self.base);
        let link = self.links.get_mut(place).filter(|link| link.life == conn.life && link.is_up())?;
        let topics = &self.topics;
        let mut seen = None;
        let (request_id, method, id, is_last) = link.requests.iter_mut().find_map(|(&request_id, request)| {
            let at = request.topics.iter().position(|id| topics.get(id).is_some_and(|topic| &*topic.name == stream))?;
            let id = request.topics.remove(at);
            let is_first = !std::mem::replace(&mut request.is_partly_answered, true);
            seen = is_first.then_some(request.sent_at);
            Some((request_id, request.method, id, request.topics.is_empty()))
        })?;
        link.is_each_answered = true;
        if let Some(sent_at) = seen {
            link.messages.seen(sent_at, link.heard_at);
        }
        link.answered_up(request_id, link.heard_at);
        if is_last {
            link.requests.remove(&request_id);
        }
        Some((method, id))
    }

    /// Requests that stay unanswered on a connection that lives: where each stream is answered, the missing ones are
    /// asked for alone, and refused if that does not help. False if the connection has to be given up.
    pub(super) fn retry_unanswered(&mut self, index: usize, now: u64) -> bool {
        let reply_ms = self.settings.reply_ms;
        let link = &mut self.links[index];
        let is_late = |request: &&Request| request.sent_at + reply_ms <= now;
        let lives = |request: &Request| link.is_each_answered && link.heard_at > request.sent_at;
        if !link.requests.values().filter(is_late).all(lives) {
            return false;
        }
        let late: Vec<_> = link.requests.iter().filter(|(_, request)| is_late(request)).map(|(&id, _)| id).collect();
        for id in late {
            if let Some(request) = self.links[index].requests.remove(&id) {
                self.refused(index, request, "the venue does not answer for this stream");
            }
        }
        true
    }
}
