//! One topic: where it is, and how it is.

use std::sync::Arc;

use super::Settings;

/// Its turn in the queue: what was held before a loss goes first.
pub(super) type QueueKey = (Class, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Again,
    New,
}

/// All but `Queued` occupy a slot of the connection with that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Queued(QueueKey),
    /// Has a slot; SUBSCRIBE is not sent yet.
    Ready(usize),
    /// SUBSCRIBE is sent and unanswered.
    Asked(usize),
    Held(usize),
    /// UNSUBSCRIBE is due and not sent yet: wanting it again costs nothing.
    Parting(usize),
    /// UNSUBSCRIBE is sent and unanswered.
    Leaving(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// No data since it was first wanted.
    New,
    Live,
    Lost,
    Stale,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub name: Arc<str>,
    pub wanted: bool,
    /// Wanted for good, without a client.
    pub kept: bool,
    /// The caller was told that it is given up, and has not wanted it since.
    pub gave_up: bool,
    /// Its end is to be told: after it was given up only if the caller unwants it as well.
    pub is_owed: bool,
    /// Who has its number once it is gone.
    pub next: Option<Arc<str>>,
    /// Data came for it at some time: the name exists.
    pub proven: bool,
    pub place: Place,
    pub health: Health,
    pub linger_until: u64,
    pub asked_at: u64,
    pub heard_at: u64,
    pub lost_at: u64,
    /// The deadline it has in the manager's timers.
    pub due: u64,
}

impl Topic {
    pub fn new(name: Arc<str>, place: Place) -> Self {
        Self {
            name,
            wanted: true,
            kept: false,
            gave_up: false,
            is_owed: true,
            next: None,
            proven: false,
            place,
            health: Health::New,
            linger_until: u64::MAX,
            asked_at: 0,
            heard_at: 0,
            lost_at: 0,
            due: u64::MAX,
        }
    }

    /// When something has to be decided about it if nothing happens.
    pub fn deadline(&self, settings: &Settings) -> u64 {
        let is_asked = matches!(self.place, Place::Asked(_) | Place::Held(_));
        let mut due = if is_asked && !self.wanted { self.linger_until } else { u64::MAX };
        if is_asked && self.may_be_given_up() {
            due = due.min(self.asked_at + settings.silence_ms);
        }
        match self.health {
            Health::Lost => due.min(self.lost_at + settings.stale_ms),
            Health::Live => due.min(settings.topic_quiet_ms.map_or(u64::MAX, |quiet| self.heard_at + quiet)),
            Health::New | Health::Stale => due,
        }
    }

    pub fn may_be_given_up(&self) -> bool {
        self.wanted && !self.kept && !self.proven
    }
}
