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

impl Place {
    /// The venue has acknowledged it there.
    pub fn is_granted(self) -> bool {
        matches!(self, Self::Held(_) | Self::Parting(_) | Self::Leaving(_))
    }

    /// The connection it has a slot of.
    pub fn index(self) -> Option<usize> {
        match self {
            Self::Queued(_) => None,
            Self::Ready(index)
            | Self::Asked(index)
            | Self::Held(index)
            | Self::Parting(index)
            | Self::Leaving(index) => Some(index),
        }
    }
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
    /// Another connection that holds it too, and ends soon.
    pub old: Option<usize>,
    /// It is ended only to be asked for again.
    pub is_renewing: bool,
    /// How often it was asked for again, lately, and when the last time; the next time is not before `renew_at`.
    pub renewals: u32,
    pub renewed_at: u64,
    pub renew_at: u64,
    /// Its chain is broken where it has its place, or at the old one: nothing comes from there any more.
    pub is_broken: bool,
    pub is_old_broken: bool,
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
            old: None,
            is_renewing: false,
            renewals: 0,
            renewed_at: 0,
            renew_at: u64::MAX,
            is_broken: false,
            is_old_broken: false,
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
        if matches!(self.place, Place::Held(_)) && self.wanted {
            due = due.min(self.renew_at);
        }
        match self.health {
            Health::Lost => due.min(self.lost_at + settings.stale_ms),
            Health::Live => due.min(self.silent_at(settings)),
            Health::New | Health::Stale => due,
        }
    }

    /// When its silence has to be dealt with: at first by a renewal, and by being stale if that did not help.
    pub fn silent_at(&self, settings: &Settings) -> u64 {
        let Some(quiet_ms) = settings.topic_quiet_ms else { return u64::MAX };
        let patience_ms = if self.is_renewed_for_silence() { settings.stale_ms } else { 0 };
        self.heard_at + quiet_ms + patience_ms
    }

    pub fn is_renewed_for_silence(&self) -> bool {
        self.renewals > 0 && self.renewed_at > self.heard_at
    }

    pub fn may_be_given_up(&self) -> bool {
        self.wanted && !self.kept && !self.proven
    }
}
