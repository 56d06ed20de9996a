//! The upstream side: reads a venue through its adapter, and keeps it subscribed.
//!
//! `run` drives the pure `venue::manager` on the runtime of a shard: it carries out what the manager decides and tells
//! it what happened. Per connection one task owns the read half (`reader`; `read_frame` is not cancel-safe and is never
//! selected over) and one the write half (`writer`). Everything is on one thread: what they share is a `RefCell`, never
//! borrowed over an await.

pub mod client;
mod connection;
mod dial;
mod driver;
mod inlet;
mod message;
mod proxy;
mod reader;
pub mod request;
mod retry;
mod shared;
pub mod single;
mod target;
pub mod tls;
mod writer;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod talk_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use dial::{DialError, Trust};
pub use driver::run;
pub use proxy::ProxyError;
pub use target::{Target, TargetError};

use crate::venue::adapter::Adapter;
use crate::venue::manager::{self, Conn};

/// One upstream.
#[derive(Clone)]
pub struct Settings {
    /// Where it is; the paths are the adapter's lanes'.
    pub target: Target,
    pub adapter: Arc<dyn Adapter + Send + Sync>,
    /// Needed for `wss`; read once at the start, shared by all (`tls::config`).
    pub tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
    pub manager: manager::Settings,
    /// Held without a client, under the caller's ids.
    pub always: Vec<(u32, Arc<str>)>,
    /// For the jitter of reconnects.
    pub seed: u64,
}

/// What the caller wants held. An id belongs to one name until its topic has ended.
#[derive(Debug, Clone)]
pub enum Demand {
    Want { id: u32, name: Arc<str> },
    Unwant { id: u32 },
}

/// Where the frames go. Called on the thread of `run`, never reentrantly.
pub trait Sink {
    /// One data frame: `stream` and `data` as the adapter has them, `read_ns` when the socket read that completed it
    /// returned. Two connections bring the same stream while one replaces the other: `conn` tells them apart.
    /// The topic's id if it is held.
    fn frame(&mut self, conn: Conn, stream: &str, data: &[u8], read_ns: u64) -> Option<u32>;
    /// The end of one read: wake the shards.
    fn flush(&mut self);
    fn event(&mut self, event: FeedEvent);
    /// A whole message as it came, before it is understood.
    fn received(&mut self, _conn: usize, _text: &[u8], _read_ns: u64) {}
    /// Streams were asked for, in the request of this number.
    fn asked(&mut self, _conn: usize, _id: u64, _names: &[&str]) {}
    /// Streams were ended.
    fn ended(&mut self, _conn: usize, _id: u64, _names: &[&str]) {}
    /// Monotonic: limits and deadlines are counted on it too, so it must not be the wall's.
    fn now_ns(&self) -> u64;
    /// Milliseconds since 1970, for payloads that do not say their time.
    fn calendar_ms(&self) -> u64;
}

/// What happened besides frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    Connected {
        conn: usize,
        /// Of the adapter's.
        lane: usize,
    },
    Lost {
        conn: usize,
        why: manager::Loss,
    },
    /// Ended by us, nothing is wanted on it any more. It may not have come up yet.
    Closed {
        conn: usize,
    },
    Backoff {
        conn: usize,
        ms: u64,
    },
    /// A message had to wait for the venue's limit.
    Governed {
        conn: usize,
    },
    /// The venue refuses us: no connection is tried for so long.
    Blocked {
        ms: u64,
    },
    /// It takes us again.
    Unblocked,
    /// Another connection is made to take over this one's streams.
    Rotating {
        conn: usize,
        why: manager::Rotation,
    },
    /// It has, and this one ends.
    Rotated {
        conn: usize,
    },
    /// The venue takes fewer streams per connection than configured.
    Learned {
        conn: usize,
        streams: usize,
    },
    Dropped {
        reason: DropReason,
    },
    /// The venue answered a request by an error. What that means for its streams is told for each.
    Denied {
        conn: usize,
        code: i64,
        msg: String,
    },
    /// Asked for again, alone: its chain was broken, or it went silent.
    Renewed(u32),
    TopicLive(u32),
    TopicLost(u32),
    TopicStale(u32),
    /// Nothing holds it upstream any more; the id is free.
    Released(u32),
    /// Never had data; the id is free unless it is wanted again.
    GaveUp(u32),
    /// The venue does not take the name; the id is free.
    Refused {
        id: u32,
        msg: String,
    },
    /// All slots are taken; it stays queued.
    NoRoom(u32),
}

/// Why a message was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    NotUtf8,
    NotJson,
    TooBig,
    Binary,
    /// Data of a stream that nobody holds here: usually one that just ended.
    UnknownTopic,
    /// A payload without the wrapper that names its stream: the venue ignores `/stream`.
    NoStreamName,
    /// Of a known kind, with a field missing or of another type.
    Malformed,
}
