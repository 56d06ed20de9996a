//! One connection of the upstream, over all its lives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Conn, Method, Rotation, Settings, TopicId};
use crate::venue::backoff::Backoff;
use crate::venue::governor::Governor;

/// Messages of each window that only PONGs may use: an unanswered ping costs the connection.
pub(super) const PONG_RESERVE: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing needs it.
    Idle,
    /// To be dialled, not before `not_before`.
    Waiting,
    Dialing,
    Open,
}

#[derive(Debug)]
pub(super) struct Request {
    pub method: Method,
    pub topics: Vec<TopicId>,
    pub sent_at: u64,
    /// Some of its streams are answered.
    pub is_partly_answered: bool,
}

/// A connection that is replaced while it works.
#[derive(Debug)]
pub(super) struct Retirement {
    pub why: Rotation,
    /// Its successor's place, as soon as there is one.
    pub successor: Option<usize>,
    /// Its streams are asked for there.
    pub is_handed_over: bool,
    /// When all of them were there and it may end; `u64::MAX` until then.
    pub end_at: u64,
    /// The venue ends it then.
    pub cut_at: u64,
}

pub(super) struct Link {
    /// Its number among all connections of the upstream.
    pub number: usize,
    pub life: u32,
    pub phase: Phase,
    pub not_before: u64,
    pub opened_at: u64,
    pub backoff: Backoff,
    /// It takes requests: it stands, and what had to be said before is said.
    pub is_ready: bool,
    /// Greeted then, and not ready yet.
    pub greeted_at: Option<u64>,
    /// When its age makes a successor necessary.
    pub rotate_at: u64,
    pub retirement: Option<Retirement>,
    /// Its successor waits for its last answers: it sends no more requests.
    pub is_held_back: bool,
    /// It is the successor of the connection at that place.
    pub replaces: Option<usize>,
    /// It was dialled at once after an announced shutdown. Once per outage: a venue that does nothing but announce its
    /// end must not use up the connects of the whole window.
    pub was_hurried: bool,

    /// Streams it may hold: as configured, until the venue says otherwise.
    pub capacity: usize,
    pub is_capacity_learned: bool,
    /// The topics that occupy its slots.
    pub members: BTreeSet<TopicId>,

    /// To subscribe at `fresh_at`, or as soon as they fill a request.
    pub fresh: Vec<TopicId>,
    pub fresh_at: u64,
    pub parting: Vec<TopicId>,
    pub parting_at: u64,
    /// Parts of a refused request, to be tried on their own.
    pub parts: VecDeque<(Method, Vec<TopicId>)>,
    /// Unanswered, by request id.
    pub requests: BTreeMap<u64, Request>,
    pub request_id: u64,
    /// The newest of them that the venue has answered, at least in part.
    pub answered_up_to: u64,

    pub messages: Governor,
    pub long: Option<Governor>,
    /// The venue answers for each stream of a request, so that some may stay without an answer.
    pub is_each_answered: bool,
    pub is_governed: bool,
    pub heard_at: u64,
    pub pinged_at: Option<u64>,
    /// The newest unanswered ping; older ones need no answer (RFC 6455 section 5.5.3).
    pub pong: Option<Vec<u8>>,
    /// Texts the venue waits for.
    pub answers: VecDeque<String>,
}

impl Link {
    pub fn new(settings: &Settings, number: usize, seed: u64) -> Self {
        Self {
            number,
            life: 0,
            phase: Phase::Idle,
            not_before: 0,
            opened_at: 0,
            backoff: Backoff::new(settings.backoff.clone(), seed),
            capacity: settings.streams_per_connection,
            is_ready: false,
            greeted_at: None,
            rotate_at: u64::MAX,
            retirement: None,
            is_held_back: false,
            replaces: None,
            was_hurried: false,
            is_capacity_learned: false,
            members: BTreeSet::new(),
            fresh: Vec::new(),
            fresh_at: u64::MAX,
            parting: Vec::new(),
            parting_at: u64::MAX,
            parts: VecDeque::new(),
            requests: BTreeMap::new(),
            request_id: 0,
            answered_up_to: 0,
            messages: Self::governor(settings),
            long: Self::long_governor(settings),
            is_each_answered: false,
            is_governed: false,
            heard_at: 0,
            pinged_at: None,
            pong: None,
            answers: VecDeque::new(),
        }
    }

    pub fn conn(&self) -> Conn {
        Conn { index: self.number, life: self.life }
    }

    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Dialing | Phase::Open)
    }

    /// When its age makes a successor necessary, if none is under way.
    pub fn rotation_due(&self) -> u64 {
        let is_free = self.phase == Phase::Open && self.retirement.is_none() && self.replaces.is_none();
        if is_free { self.rotate_at } else { u64::MAX }
    }

    pub fn is_handed_over(&self) -> bool {
        self.retirement.as_ref().is_some_and(|retirement| retirement.is_handed_over)
    }

    /// Its successor is at work: it gets nothing new, and sends no more requests.
    pub fn is_winding_up(&self) -> bool {
        self.retirement.as_ref().is_some_and(|retirement| retirement.successor.is_some())
    }

    /// Slots that are about to become free.
    pub fn leaving_count(&self) -> usize {
        let unsubscribing = |method: Method| method == Method::Unsubscribe;
        let parts = self.parts.iter().filter(|part| unsubscribing(part.0)).map(|part| part.1.len());
        let asked = self.requests.values().filter(|asked| unsubscribing(asked.method)).map(|asked| asked.topics.len());
        self.parting.len() + parts.sum::<usize>() + asked.sum::<usize>()
    }

    pub fn open(&mut self, settings: &Settings, now: u64) {
        self.phase = Phase::Open;
        self.opened_at = now;
        self.heard_at = now;
        self.request_id = 0;
        self.answered_up_to = 0;
        self.is_ready = true;
        self.messages = Self::governor(settings);
        self.long = Self::long_governor(settings);
    }

    /// Ends this life. What it had to send and to wait for is void.
    pub fn end_life(&mut self, settings: &Settings, phase: Phase, now: u64) {
        if self.phase == Phase::Open && now - self.opened_at >= settings.healthy_ms {
            self.backoff.healthy();
            self.was_hurried = false;
        }
        self.phase = phase;
        self.fresh.clear();
        self.parting.clear();
        self.parts.clear();
        self.requests.clear();
        self.is_governed = false;
        self.is_ready = false;
        self.greeted_at = None;
        self.rotate_at = u64::MAX;
        self.retirement = None;
        self.is_held_back = false;
        self.pinged_at = None;
        self.pong = None;
        self.answers.clear();
    }

    /// Takes the topic out of what is still to be sent.
    pub fn forget(&mut self, id: TopicId) {
        self.fresh.retain(|&other| other != id);
        self.parting.retain(|&other| other != id);
        for (_, topics) in &mut self.parts {
            topics.retain(|&other| other != id);
        }
        self.parts.retain(|(_, topics)| !topics.is_empty());
    }

    /// When the oldest request, or else the ping, proves the connection dead.
    pub fn dead_at(&self, settings: &Settings) -> u64 {
        let reply = self.requests.values().next().map_or(u64::MAX, |asked| asked.sent_at + settings.reply_ms);
        let pong = self.pinged_at.map_or(u64::MAX, |at| at + settings.ping_reply_ms);
        let greeting = self.greeted_at.map_or(u64::MAX, |at| at + settings.reply_ms);
        reply.min(pong).min(greeting)
    }

    pub fn ping_at(&self, settings: &Settings) -> u64 {
        if self.pinged_at.is_some() { u64::MAX } else { self.heard_at + settings.quiet_ms }
    }

    pub fn subscribe_at(&self, settings: &Settings, now: u64) -> u64 {
        if self.fresh.is_empty() {
            return u64::MAX;
        }
        if self.fresh.len() >= settings.names_per_request { now } else { self.fresh_at }
    }

    pub fn unsubscribe_at(&self, settings: &Settings, now: u64) -> u64 {
        if self.parting.is_empty() {
            return u64::MAX;
        }
        if self.parting.len() >= settings.names_per_unsubscribe { now } else { self.parting_at }
    }

    /// The request's answer is complete, and the venue has seen it by then.
    pub fn answered(&mut self, request_id: u64, now: u64) -> Option<Request> {
        let request = self.requests.remove(&request_id)?;
        if !request.is_partly_answered {
            self.messages.seen(request.sent_at, now);
        }
        self.answered_up(request_id, now);
        Some(request)
    }

    /// Answers come in order: what was sent before and is unanswered was passed over, and seen by now.
    pub fn answered_up(&mut self, request_id: u64, now: u64) {
        if request_id <= self.answered_up_to {
            return;
        }
        for request in self.requests.range(self.answered_up_to + 1..request_id).map(|(_, request)| request) {
            if !request.is_partly_answered {
                self.messages.seen(request.sent_at, now);
            }
        }
        self.answered_up_to = request_id;
    }

    /// When the next request may go as far as unanswered ones are concerned: a venue that has not answered within the
    /// window may see it too close to what it has not seen yet. Where a stream may stay without an answer one goes out
    /// per window, as its answer would tell; but no more than the venue may see at once.
    fn keeps_up_at(&self, settings: &Settings, now: u64) -> u64 {
        let unseen = || {
            let requests = self.requests.range(self.answered_up_to + 1..).map(|(_, request)| request);
            requests.filter(|request| !request.is_partly_answered)
        };
        let is_behind = unseen().any(|request| request.sent_at + settings.message_window_ms <= now);
        match unseen().next_back() {
            Some(newest) if is_behind => {
                let may_probe = self.is_each_answered && unseen().count() * 2 < settings.messages_per_second;
                if may_probe { newest.sent_at + settings.message_window_ms } else { u64::MAX }
            }
            _ => now,
        }
    }

    /// When it has a message to send, the limit aside. PONGs are apart.
    pub fn message_at(&self, settings: &Settings, now: u64) -> u64 {
        self.request_at(settings, now).min(self.ping_at(settings))
    }

    /// When it has a request to send and the long window has room for it; the short one aside.
    pub fn request_at(&self, settings: &Settings, now: u64) -> u64 {
        let keeps_up_at = self.keeps_up_at(settings, now);
        if !self.is_ready || self.is_held_back || keeps_up_at == u64::MAX {
            return u64::MAX;
        }
        let due = match self.parts.is_empty() {
            false => now,
            true => self.subscribe_at(settings, now).min(self.unsubscribe_at(settings, now)),
        };
        if due == u64::MAX { due } else { due.max(self.long_free_at(now)).max(keeps_up_at) }
    }

    /// The long window's room. What comes late in it is spread, so that it is never used up.
    pub fn long_free_at(&self, now: u64) -> u64 {
        self.long.as_ref().map_or(now, |long| long.paced_at(now))
    }

    pub fn next_due(&self, settings: &Settings, connect_at: u64, now: u64) -> u64 {
        match self.phase {
            Phase::Idle | Phase::Dialing => u64::MAX,
            Phase::Waiting => self.not_before.max(connect_at),
            Phase::Open => {
                let message_at = match self.message_at(settings, now) {
                    u64::MAX => u64::MAX,
                    // Once at its own time, so that the wait is told.
                    at if !self.is_governed => at,
                    at => at.max(self.messages.free_at(now, PONG_RESERVE)),
                };
                let is_owing = self.pong.is_some() || !self.answers.is_empty();
                let pong_at = if is_owing { self.messages.free_at(now, 0) } else { u64::MAX };
                let retire_at = self.retirement.as_ref().map_or(u64::MAX, |one| one.end_at.min(one.cut_at));
                self.dead_at(settings).min(message_at).min(pong_at).min(self.rotation_due()).min(retire_at)
            }
        }
    }

    fn governor(settings: &Settings) -> Governor {
        Governor::new(settings.messages_per_second, settings.message_window_ms)
    }

    fn long_governor(settings: &Settings) -> Option<Governor> {
        settings.requests_per_window.map(|window| Governor::new(window.count_max, window.window_ms))
    }
}
