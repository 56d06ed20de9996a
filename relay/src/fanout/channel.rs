//! One topic in one dialect: its log, who wants it, and whether its data is live.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::kind::Kind;
use super::log::Log;
use super::wake::{Flag, Interest};
use crate::wire::stream::notice::StreamState;

/// What clients subscribe to; shared by the shards and by the feed that fills it.
pub struct Channel {
    pub id: u32,
    /// The canonical stream name.
    pub name: Box<str>,
    pub kind: Kind,
    pub log: Arc<Log>,
    /// The shards that have subscribers.
    pub interest: Interest,
    /// One flag for each shard: it has been told that there is news here.
    news: Box<[Flag]>,
    condition: AtomicU8,
}

impl Channel {
    pub fn new(id: u32, name: &str, kind: Kind, log: Arc<Log>, shards: usize) -> Channel {
        let news = (0..shards).map(|_| Flag::new()).collect();
        Channel { id, name: name.into(), kind, log, interest: Interest::new(), news, condition: AtomicU8::new(0) }
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

    /// Says how the data stands; true if that is a change, which the caller then posts as news.
    pub fn set_condition(&self, condition: StreamState) -> bool {
        self.condition.swap(condition as u8, Relaxed) != condition as u8
    }
}
