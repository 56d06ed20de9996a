//! Streams that go silent or lose their chain: asked for again alone, and many at once with a connection of their own.

use super::topic::{Health, Place};
use super::{Action, Conn, Manager, Rotation, TopicId};

/// The wait after the first renewal, doubled by each, and its bound.
const RENEW_WAIT_MS: u64 = 5_000;
const RENEW_WAIT_MS_MAX: u64 = 10 * 60_000;
/// The bound for broken chains: silence may be normal, and there it is certain that nothing comes.
const MEND_WAIT_MS_MAX: u64 = 30_000;
/// Without a renewal for so long the waits begin anew.
const RENEW_MEMORY_MS: u64 = 20 * 60_000;

/// So many silent streams, and at least half of those that ever brought data, mean that the connection is ill.
const SILENT_MIN: usize = 4;

impl Manager {
    /// The chain of this stream's book is broken on this connection.
    pub fn broken(&mut self, conn: Conn, stream: &str, now: u64) {
        let place = self.place_of(conn);
        let Some(link) = self.current(conn) else {
            return;
        };
        let members: Vec<_> = link.members.iter().copied().collect();
        let Some(id) = members.into_iter().find(|id| &*self.topics[id].name == stream) else {
            return;
        };
        let topic = self.topics.get_mut(&id).expect("a removed topic is on no connection");
        if topic.old == Some(place) {
            topic.is_old_broken = true;
            if !topic.place.is_granted() || topic.is_broken {
                self.lose(id, now);
                self.arm(id);
            }
            return;
        }
        // Once its end is sent, what comes next is a fresh start anyway.
        if matches!(topic.place, Place::Asked(_) | Place::Held(_) | Place::Parting(_)) {
            self.mend(id, now);
            self.watch(id, now);
            self.arm(id);
        }
    }

    /// Its chain is broken at its place: it is to be asked for again, and until then it is lost unless the connection
    /// that ends still brings it.
    pub(super) fn mend(&mut self, id: TopicId, now: u64) {
        let topic = self.topics.get_mut(&id).expect("a removed topic is on no connection");
        topic.is_broken = true;
        let earliest = topic.renewed_at + wait_ms(topic.renewals).min(MEND_WAIT_MS_MAX);
        topic.renew_at = if topic.renewals == 0 { now } else { earliest.max(now) };
        if topic.old.is_none() || topic.is_old_broken {
            self.lose(id, now);
        }
    }

    /// Deals with the silence of a topic, and with a renewal that is due.
    pub(super) fn watch(&mut self, id: TopicId, now: u64) {
        let topic = self.topics.get_mut(&id).expect("a removed topic is not watched");
        let index = if let Place::Held(index) = topic.place { Some(index).filter(|_| topic.wanted) } else { None };
        if let Some(index) = index.filter(|_| topic.renew_at <= now) {
            return self.renew(id, index, now);
        }
        if topic.health != Health::Live || topic.silent_at(&self.settings) > now {
            return;
        }
        if !topic.is_renewed_for_silence() {
            match index {
                Some(index) => self.renew(id, index, now),
                // It is being asked for, or let go.
                None => topic.note_renewal(now),
            }
            return;
        }
        topic.health = Health::Stale;
        topic.renew_at = now + wait_ms(topic.renewals);
        self.actions.push_back(Action::Stale(id));
        if let Some(index) = index {
            self.judge_silence(index, id, now);
        }
    }

    /// Ends it at the venue, only to ask for it again: what comes next is a fresh start.
    fn renew(&mut self, id: TopicId, index: usize, now: u64) {
        let topic = self.topics.get_mut(&id).expect("a removed topic is not watched");
        topic.note_renewal(now);
        if topic.health == Health::Stale {
            // And again, if this does not help either.
            topic.renew_at = now + wait_ms(topic.renewals);
        }
        topic.is_renewing = true;
        topic.place = Place::Parting(index);
        self.unproven.remove(&(topic.asked_at, id));
        let link = &mut self.links[index];
        if link.parting.is_empty() {
            link.parting_at = now + self.settings.gather_ms;
        }
        link.parting.push(id);
        self.actions.push_back(Action::Renewed(id));
    }

    /// Many silent streams of a kind that is busy elsewhere: the connection is to blame.
    fn judge_silence(&mut self, index: usize, id: TopicId, now: u64) {
        let link = &self.links[index];
        let quiet_ms = self.settings.topic_quiet_ms.unwrap_or(u64::MAX);
        let is_young = now < link.opened_at.saturating_add(quiet_ms.saturating_add(self.settings.stale_ms));
        if is_young || link.retirement.is_some() || link.replaces.is_some() {
            return;
        }
        let members = link.members.iter().map(|id| &self.topics[id]).filter(|topic| topic.proven && topic.wanted);
        let (mut proven, mut silent) = (0, 0);
        for topic in members {
            proven += 1;
            silent += usize::from(topic.health == Health::Stale || topic.is_renewed_for_silence());
        }
        if silent < SILENT_MIN || silent * 2 < proven {
            return;
        }
        let kind = kind_of(&self.topics[&id].name);
        let is_busy = self.topics.values().any(|topic| {
            topic.health == Health::Live
                && topic.heard_at.saturating_add(quiet_ms) > now
                && kind_of(&topic.name) == kind
        });
        if is_busy {
            self.retire(index, Rotation::Silence, u64::MAX);
        }
    }
}

impl super::topic::Topic {
    /// It is asked for: that is the renewal, if one was owed.
    pub(super) fn begin_anew(&mut self, now: u64) {
        self.is_renewing = false;
        if std::mem::take(&mut self.is_broken) || self.renew_at <= now {
            let is_stale = self.health == Health::Stale;
            self.renew_at = if is_stale { now + wait_ms(self.renewals) } else { u64::MAX };
        }
    }

    fn note_renewal(&mut self, now: u64) {
        if now > self.renewed_at + RENEW_MEMORY_MS {
            self.renewals = 0;
        }
        self.renewals += 1;
        self.renewed_at = now;
        self.renew_at = u64::MAX;
    }
}

/// How long after the last of so many renewals the next one may be.
fn wait_ms(renewals: u32) -> u64 {
    (RENEW_WAIT_MS << renewals.saturating_sub(1).min(16)).min(RENEW_WAIT_MS_MAX)
}

fn kind_of(name: &str) -> &str {
    name.rsplit_once('@').map_or(name, |(_, kind)| kind)
}
