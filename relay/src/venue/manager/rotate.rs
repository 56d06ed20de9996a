//! Replacing a connection while it works: the new one is made, takes over every stream, and only then the old one ends.
//!
//! From the hand-over on a stream has its place on the successor and its `old` one on the connection that ends. If the
//! successor dies, the old place is the place again; if the old one dies, what the successor holds already is not lost.

use rand::RngExt;

use super::link::{Phase, Retirement};
use super::topic::{Class, Health, Place};
use super::{Action, Conn, Loss, Manager, Rotation, TopicId};

/// A connection is replaced at this share of its life, in percent: early enough to take turns, each at its own time.
const LIFE_PERCENT: std::ops::Range<u64> = 95..99;

impl Manager {
    /// The venue said that it is about to end this connection.
    pub fn announced(&mut self, conn: Conn, now: u64) {
        let cut_at = now + self.settings.notice_ms;
        let Some(link) = self.current(conn).filter(|link| link.phase == Phase::Open) else {
            return;
        };
        if let Some(retirement) = &mut link.retirement {
            retirement.cut_at = retirement.cut_at.min(cut_at);
        } else if link.replaces.is_some() {
            // It was made only to take over, and is no good for that.
            self.lost(conn, Loss::Shutdown, now);
        } else {
            self.retire(self.place_of(conn), Rotation::Notice, cut_at);
        }
    }

    /// Before the venue cuts it.
    pub(super) fn rotation_time(&mut self, now: u64) -> u64 {
        let Some(life_ms) = self.settings.life_ms else { return u64::MAX };
        let from = life_ms / 100 * LIFE_PERCENT.start;
        let to = (life_ms / 100 * LIFE_PERCENT.end).max(from + 1);
        now + self.random.random_range(from..to)
    }

    pub(super) fn retire(&mut self, index: usize, why: Rotation, cut_at: u64) {
        let link = &mut self.links[index];
        debug_assert!(link.phase == Phase::Open && link.retirement.is_none(), "only what works is replaced, and once");
        link.retirement = Some(Retirement { why, successor: None, is_handed_over: false, end_at: u64::MAX, cut_at });
    }

    /// Takes every rotation a step further if it is time.
    pub(super) fn rotate(&mut self, now: u64) {
        for index in 0..self.links.len() {
            if self.links[index].rotation_due() <= now {
                self.retire(index, Rotation::Age, u64::MAX);
            }
            let Some(retirement) = &self.links[index].retirement else { continue };
            let (successor, is_handed_over) = (retirement.successor, retirement.is_handed_over);
            match successor {
                None => self.appoint(index),
                Some(successor) if !is_handed_over => self.hand_over_if_ready(index, successor, now),
                Some(_) => self.look_over(index, now),
            }
            let Some(retirement) = &self.links[index].retirement else { continue };
            if retirement.end_at <= now || (retirement.is_handed_over && retirement.cut_at <= now) {
                self.leave(index, now);
            } else if retirement.cut_at <= now {
                self.end(index, Loss::Shutdown, now);
            }
        }
    }

    /// A free place becomes the successor's; without one it waits for the end of another rotation.
    fn appoint(&mut self, index: usize) {
        let Some(place) = self.links.iter().position(|link| link.phase == Phase::Idle) else {
            return;
        };
        let capacity = self.links[index].capacity;
        let is_capacity_learned = self.links[index].is_capacity_learned;
        let successor = &mut self.links[place];
        successor.phase = Phase::Waiting;
        successor.replaces = Some(index);
        // What the old one holds is known to fit.
        successor.capacity = capacity;
        successor.is_capacity_learned = is_capacity_learned;
        let conn = self.links[index].conn();
        let Some(retirement) = &mut self.links[index].retirement else { return };
        retirement.successor = Some(place);
        self.actions.push_back(Action::Rotating { conn, why: retirement.why });
    }

    /// The old one's last requests have to be answered: until then nobody knows what it holds.
    fn hand_over_if_ready(&mut self, index: usize, successor: usize, now: u64) {
        let is_ready = self.links[successor].phase == Phase::Open && self.links[successor].is_ready;
        self.links[index].is_held_back = is_ready;
        if is_ready && self.links[index].requests.is_empty() {
            self.hand_over(index, successor, now);
        }
    }

    fn hand_over(&mut self, index: usize, successor: usize, now: u64) {
        let link = &mut self.links[index];
        link.fresh.clear();
        link.parting.clear();
        link.parts.clear();
        if let Some(retirement) = &mut link.retirement {
            retirement.is_handed_over = true;
        }
        let members: Vec<_> = link.members.iter().copied().collect();
        for id in members {
            let topic = self.topics.get_mut(&id).expect("a removed topic is on no connection");
            debug_assert!(topic.place.index() == Some(index), "what it holds has its place there");
            let is_full = self.links[successor].members.len() >= self.links[successor].capacity;
            match topic.place {
                // Its end was due: the connection's end is that too.
                Place::Parting(_) if !topic.wanted => {
                    self.finish(id);
                    continue;
                }
                // Until this one ends.
                Place::Held(_) | Place::Parting(_) if is_full => continue,
                _ if is_full => {
                    self.again(id);
                    continue;
                }
                Place::Held(_) | Place::Parting(_) => topic.old = Some(index),
                _ => {
                    self.links[index].members.remove(&id);
                }
            }
            // Asked for there, it has a fresh start; what it has here is as dead as before.
            topic.is_old_broken = topic.old.is_some() && (topic.is_broken || topic.is_renewing);
            topic.is_broken = false;
            topic.is_renewing = false;
            topic.place = Place::Ready(successor);
            self.links[successor].members.insert(id);
            self.links[successor].fresh.push(id);
            self.arm(id);
        }
        self.links[successor].fresh_at = now;
    }

    /// When all of its streams are held by the successor, it ends a little later.
    fn look_over(&mut self, index: usize, now: u64) {
        let link = &self.links[index];
        let is_over = link.members.iter().all(|id| self.topics[id].place.is_granted());
        let overlap_ms = self.settings.overlap_ms;
        if let Some(retirement) = &mut self.links[index].retirement {
            retirement.end_at = if is_over { retirement.end_at.min(now + overlap_ms) } else { u64::MAX };
        }
    }

    /// Ends what was replaced. What the successor does not hold yet is lost for as long; what it had no room for has its
    /// place here until now, and queues again.
    fn leave(&mut self, index: usize, now: u64) {
        for id in std::mem::take(&mut self.links[index].members) {
            if self.topics[&id].place.index() == Some(index) {
                self.lose(id, now);
                self.again(id);
            } else {
                self.forget_old(id, now);
            }
        }
        self.actions.push_back(Action::Rotated { conn: self.links[index].conn() });
        self.close(index, now);
    }

    /// The connection that ends does not bring it any more.
    pub(super) fn forget_old(&mut self, id: TopicId, now: u64) {
        let topic = self.topics.get_mut(&id).expect("a removed topic is on no connection");
        topic.old = None;
        topic.is_old_broken = false;
        if !topic.place.is_granted() || topic.is_broken {
            self.lose(id, now);
            self.arm(id);
        }
    }

    /// The successor is gone, or may not hold it: the stream is still held where it was.
    pub(super) fn take_back(&mut self, id: TopicId, old: usize, now: u64) {
        let topic = self.topics.get_mut(&id).expect("a removed topic is on no connection");
        if !topic.wanted && matches!(topic.place, Place::Parting(_) | Place::Leaving(_)) {
            return self.finish(id);
        }
        let place = topic.place.index();
        topic.place = Place::Held(old);
        topic.old = None;
        topic.is_renewing = false;
        topic.is_broken = false;
        let is_broken = std::mem::take(&mut topic.is_old_broken);
        if let Some(place) = place {
            self.links[place].forget(id);
            self.links[place].members.remove(&id);
        }
        if is_broken {
            self.mend(id, now);
        }
        self.arm(id);
    }

    /// Data will be missing.
    pub(super) fn lose(&mut self, id: TopicId, now: u64) {
        let topic = self.topics.get_mut(&id).expect("a removed topic is on no connection");
        if topic.wanted && topic.health == Health::Live {
            topic.health = Health::Lost;
            topic.lost_at = now;
            self.actions.push_back(Action::Lost(id));
        }
    }

    /// Ends a connection's life: its topics are lost once each and queue again, before any new ones.
    pub(super) fn end(&mut self, index: usize, why: Loss, now: u64) {
        let link = &mut self.links[index];
        let conn = link.conn();
        let retirement = link.retirement.take();
        link.end_life(&self.settings, Phase::Waiting, now);
        let is_hurried = why == Loss::Shutdown && !link.was_hurried;
        link.was_hurried |= is_hurried;
        let mut retry_ms = if is_hurried { 0 } else { link.backoff.next_wait(now) };
        link.not_before = now + retry_ms;
        let replaced = link.replaces;
        let blocked_ms = self.gate.lost(conn, &why, now);
        retry_ms = retry_ms.max(self.gate.blocked_until(now).map_or(0, |until| until - now));
        self.actions.push_back(Action::Down { conn, why, retry_ms });
        if let Some(ms) = blocked_ms {
            self.actions.push_back(Action::Blocked { conn, ms });
        }

        if let Some(successor) = retirement.and_then(|retirement| retirement.successor) {
            self.links[successor].replaces = None;
            // That one is there in its stead: dialled again, it would be one too many.
            self.links[index].phase = Phase::Idle;
        }
        if let Some(old) = replaced {
            self.links[old].is_held_back = false;
            if let Some(retirement) = &mut self.links[old].retirement {
                retirement.is_handed_over = false;
                retirement.end_at = u64::MAX;
            }
        }
        let members: Vec<_> = self.links[index].members.iter().copied().collect();
        for id in members {
            match self.topics[&id].old {
                Some(old) if old == index => {
                    self.links[index].members.remove(&id);
                    self.forget_old(id, now);
                }
                Some(old) => self.take_back(id, old, now),
                None => {
                    self.lose(id, now);
                    self.again(id);
                }
            }
        }
    }

    /// Back into the queue if it is wanted; otherwise that was its end.
    pub(super) fn again(&mut self, id: TopicId) {
        let Some(topic) = self.topics.get(&id) else {
            return;
        };
        if topic.wanted {
            self.requeue(id, Class::Again);
            return;
        }
        self.finish(id);
    }
}
