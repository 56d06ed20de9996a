//! Keeps the streams of a REST source fresh, within what the source allows.
//!
//! A state machine without socket, clock or task, as the manager of WebSocket venues is. `want` and `unwant` say what
//! is needed, `answer` and `fail` what became of a request; after them, and at `next_due`, the caller calls `tick` and
//! carries out what `poll` returns. Requests go out when a subject is due ([`subject`]), as many in one as the source
//! takes ([`format`]), and wait for the source's limits ([`budget`]). What was published goes on being served while a
//! source is in trouble, until it is stale.
//!
//! A venue that does not know one of many symbols refuses the request as a whole. It is then cut in halves until the
//! one is found, which is refused alone; and what has never been answered does not travel with what has.

pub mod format;
pub mod pointer;

mod answer;
mod budget;
mod cache;
mod settings;
mod subject;
pub mod time;
mod work;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;

use std::collections::{BTreeMap, VecDeque};

pub use answer::{Answer, Outcome};
pub use settings::Settings;

use self::budget::{Allowance, Weight};
use self::cache::Cache;
use self::subject::Subject;
use crate::limits::POLL_REFUSED_MAX;
use crate::venue::backoff::{Backoff, Shape};

/// A moment on both clocks: one that never goes back, for what is due, and the calendar's, for what is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub ms: u64,
    pub calendar_ms: u64,
}

/// What the caller has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Fetch(Request),
    Publish {
        stream: Box<str>,
        payload: Vec<u8>,
    },
    /// The source does not have it. It is wanted no more, until it is wanted again.
    Refused {
        stream: Box<str>,
        msg: String,
    },
    /// Nothing new for too long. Data ends it.
    Stale {
        stream: Box<str>,
    },
    /// Unwanted for its linger, and forgotten.
    Released {
        stream: Box<str>,
    },
    /// Worth a line in the log.
    Changed(Change),
}

/// A GET. What it is answered with goes to `answer`, under the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: u64,
    /// With the query.
    pub path: String,
    /// Besides those every request has.
    pub headers: Vec<(&'static str, Box<str>)>,
    /// The symbols or documents it asks for.
    pub subjects: Vec<Box<str>>,
}

/// How the source as a whole stands, each told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Up,
    /// No answer, or one of no use: it is tried again.
    Failing {
        why: String,
    },
    /// The source wants us to be silent for so long.
    Limited {
        status: u16,
        wait_ms: u64,
    },
    /// The weight of this minute is used up.
    Weighted {
        used: u32,
        wait_ms: u64,
    },
    /// The month's requests do not suffice for the configured interval.
    Stretched {
        interval_ms: u64,
    },
}

pub struct Poller {
    settings: Settings,
    /// What comes before the paths of the API.
    base: Box<str>,
    subjects: BTreeMap<Box<str>, Subject>,
    /// Parts of requests that were refused as a whole.
    again: VecDeque<Vec<Box<str>>>,
    flights: BTreeMap<u64, Flight>,
    next_id: u64,
    cache: Cache,
    weight: Option<Weight>,
    allowance: Option<Allowance>,
    /// No request before.
    closed_until_ms: u64,
    /// A limit of ours holds the next request until then.
    held_until_ms: u64,
    failures: Backoff,
    refusals: Backoff,
    condition: Condition,
    /// The interval last told.
    stretched_ms: u64,
    /// Subjects the source does not have, until they may be asked for again.
    unknown: BTreeMap<Box<str>, u64>,
    skipped: u64,
    effects: VecDeque<Effect>,
}

/// A request under way.
struct Flight {
    subjects: Vec<Box<str>>,
    path: String,
    weight: u32,
    sent_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Unknown,
    Up,
    Failing,
    Limited,
    Weighted,
}

/// Between attempts of a source that does not answer. It is no feed that is missed by the second.
const FAILING: Shape =
    Shape { first_ms: 1_000, young_cap_ms: 10_000, young_ms: 60_000, cap_ms: 60_000, jitter_percent: 25 };
/// Of one that says "too often" and not for how long. No jitter: it must not be shorter.
const REFUSING: Shape =
    Shape { first_ms: 60_000, young_cap_ms: 60_000, young_ms: 0, cap_ms: 30 * 60_000, jitter_percent: 0 };
/// An unknown symbol is not asked for again before.
const UNKNOWN_MS: u64 = 60_000;

impl Poller {
    pub fn new(settings: Settings) -> Poller {
        let path = settings.path.trim_end_matches('/');
        Poller {
            base: if path.is_empty() { settings.format.default_path().into() } else { path.into() },
            subjects: BTreeMap::new(),
            again: VecDeque::new(),
            flights: BTreeMap::new(),
            next_id: 1,
            cache: Cache::default(),
            weight: settings.weight_per_minute.map(Weight::new),
            allowance: settings.requests_per_month.map(Allowance::new),
            closed_until_ms: 0,
            held_until_ms: 0,
            failures: Backoff::new(FAILING, settings.seed),
            refusals: Backoff::new(REFUSING, settings.seed),
            condition: Condition::Unknown,
            stretched_ms: settings.interval_ms,
            unknown: BTreeMap::new(),
            skipped: 0,
            effects: VecDeque::new(),
            settings,
        }
    }

    /// Whether this source can have such a stream.
    pub fn has(&self, stream: &str) -> bool {
        self.settings.format.subject(stream).is_some()
    }

    /// Somebody wants it: it is asked for at once. False if the source cannot have it, or said so just now.
    pub fn want(&mut self, stream: &str, now: Now) -> bool {
        let Some(name) = self.settings.format.subject(stream) else { return false };
        if self.unknown.get(&name).is_some_and(|until_ms| now.ms < *until_ms) {
            return false;
        }
        let gather_ms = if self.settings.format.batch_max() > 1 { self.settings.gather_ms } else { 0 };
        let subject = self.subjects.entry(name).or_insert_with(|| Subject::new(now.ms));
        if subject.want(stream, now.ms) {
            subject.due_ms = now.ms + gather_ms;
        }
        true
    }

    /// Nobody wants it any more. It is remembered for its linger, and not asked for.
    pub fn unwant(&mut self, stream: &str, now: Now) {
        let Some(name) = self.settings.format.subject(stream) else { return };
        if let Some(subject) = self.subjects.get_mut(&name) {
            subject.unwant(stream, now.ms);
        }
    }

    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Parts of answers that had to be left out, since this was asked last.
    pub fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// Ends what is wanted of a subject.
    fn refuse(&mut self, name: &str, msg: &str, now: Now) {
        let Some(subject) = self.subjects.remove(name) else { return };
        if self.unknown.len() >= POLL_REFUSED_MAX {
            self.unknown.retain(|_, until_ms| now.ms < *until_ms);
        }
        if self.unknown.len() < POLL_REFUSED_MAX {
            self.unknown.insert(name.into(), now.ms + UNKNOWN_MS);
        }
        for stream in subject.streams {
            self.effects.push_back(match stream.unwanted_ms {
                None => Effect::Refused { stream: stream.name, msg: msg.to_owned() },
                Some(_) => Effect::Released { stream: stream.name },
            });
        }
    }

    /// Notes how the source stands, and tells it if that is new.
    fn change(&mut self, condition: Condition, change: impl FnOnce() -> Change) {
        if self.condition != condition {
            self.condition = condition;
            self.effects.push_back(Effect::Changed(change()));
        }
    }
}
