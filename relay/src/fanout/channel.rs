//! One topic in one dialect: its log, who wants it, and whether its data is live.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::kind::Kind;
use super::log::{Log, Seq};
use super::wake::{Flag, Interest};
use crate::wire::dialect::Dialect;
use crate::wire::notice::{Notice, StreamState};

/// What clients subscribe to; shared by the shards and by the feed that fills it.
pub struct Channel {
    pub id: u32,
    /// The canonical stream name, or a derived topic's, which has a blank in it.
    pub name: Box<str>,
    pub kind: Kind,
    pub dialect: Dialect,
    pub style: Style,
    pub log: Arc<Log>,
    /// What clients may have been told before it was made: frames stamped up to there were never here.
    pub born: u64,
    /// The shards that have subscribers.
    pub interest: Interest,
    /// One flag for each shard: it has been told that there is news here.
    news: Box<[Flag]>,
    condition: AtomicU8,
}

/// What a record of the log is to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A payload, which combined clients get in a wrapper.
    Payload,
    /// The same, and each subscription has a name of its own for the channel: its head.
    Named,
    /// A whole message, the same for everybody.
    Message,
    /// The end of messages; each subscription has the beginning.
    Tail,
    /// A row of a message that lists all rows that are new.
    Row { before: &'static [u8], after: &'static [u8] },
}

impl Channel {
    pub fn new(id: u32, name: &str, kind: Kind, dialect: Dialect, log: Arc<Log>, shards: usize) -> Channel {
        let news = (0..shards).map(|_| Flag::new()).collect();
        let style = Style::of(name, kind, dialect);
        let condition = AtomicU8::new(0);
        Channel {
            id,
            name: name.into(),
            kind,
            dialect,
            style,
            log,
            born: 0,
            interest: Interest::new(),
            news,
            condition,
        }
    }

    /// What the subscription with this head calls it.
    pub fn name_for<'a>(&'a self, head: &'a [u8]) -> &'a str {
        match self.style {
            Style::Named => std::str::from_utf8(head).unwrap_or_default(),
            Style::Payload | Style::Message | Style::Tail | Style::Row { .. } => &self.name,
        }
    }

    pub fn news(&self, shard: usize) -> &Flag {
        &self.news[shard]
    }

    pub fn condition(&self) -> StreamState {
        match self.condition.load(Relaxed) {
            0 => StreamState::Live,
            1 => StreamState::Recovering,
            _ => StreamState::Stale,
        }
    }

    /// What is to be said about it now: how it is, and what somebody missed.
    pub fn notice<'a>(&'a self, head: &'a [u8], time_ms: u64, skipped: u64, from: Seq, to: Seq) -> Notice<'a> {
        Notice { time_ms, channel: self.name_for(head), state: self.condition(), skipped, from, to }
    }

    /// Says how the data stands; true if that is a change, which the caller then posts as news.
    pub fn set_condition(&self, condition: StreamState) -> bool {
        self.condition.swap(condition as u8, Relaxed) != condition as u8
    }
}

impl Style {
    /// Whether combined clients get its frames in a wrapper.
    pub const fn wraps(self) -> bool {
        matches!(self, Style::Payload | Style::Named)
    }

    /// Whether one message may hold many records.
    pub const fn is_rows(self) -> bool {
        matches!(self, Style::Row { .. })
    }

    fn of(name: &str, kind: Kind, dialect: Dialect) -> Style {
        match (dialect, kind) {
            (Dialect::Deriv, _) => Style::Tail,
            (_, Kind::Rows) if name.starts_with("fiat ") => Style::Row { before: b"42[\"currency\",[", after: b"]]" },
            (_, Kind::Rows) => Style::Row { before: b"42[\"crypto\",[", after: b"]]" },
            (Dialect::Stream, _) if name.starts_with("user ") => Style::Named,
            (Dialect::Stream, _) if !name.contains(' ') => Style::Payload,
            _ => Style::Message,
        }
    }
}
