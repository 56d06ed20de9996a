//! What the threads of the process have in common. Nothing here is locked on the path of a frame.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use crossbeam::queue::SegQueue;
use tokio::sync::Notify;

use super::admission::Admission;
use super::clock::Clock;
use super::conn::Conn;
use super::http::hold::Holds;
use super::market::{Answered, Desk};
use super::shard::Opening;
use super::users::Users;
use crate::access::rate::Callers;
use crate::access::user::listen::Ended;
use crate::config::Config;
use crate::fanout::core::Portable;
use crate::fanout::topics::Topics;
use crate::fanout::wake::Doorbell;
use crate::metrics::Metrics;
use crate::venue::gap::Gaps;
use crate::wire::http::ip::IpKey;

pub struct Shared {
    pub config: Config,
    pub clock: Clock,
    pub topics: Topics,
    pub admission: Arc<Admission>,
    pub metrics: Metrics,
    /// What upstreams missed. Locked when something is missing and when somebody asks.
    pub gaps: Mutex<Gaps>,
    /// How each reader of channels is told of news: the shards in their order, the market, HTTP.
    pub bells: Vec<Bell>,
    pub shards: Vec<Post>,
    /// Channels that HTTP requests read.
    pub holds: Holds,
    pub desk: Desk,
    pub users: Users,
    /// Chance, so that nobody can tell what others are given.
    pub secret: u128,
    /// Ids of Socket.IO sessions given so far.
    pub sids: AtomicU64,
    /// The last calls of `POST /ws/test`, by address.
    pub test_calls: Mutex<Callers<IpKey>>,
    /// Set once, when the relay is told to stop.
    pub draining: AtomicBool,
}

/// How a reader of channels is told of news.
#[derive(Default)]
pub struct Bell {
    pub doorbell: Doorbell,
    pub notify: Notify,
}

/// How the rest of the process reaches one shard.
#[derive(Default)]
pub struct Post {
    pub mail: SegQueue<Mail>,
    /// Connections it has, for the balance.
    pub connections: AtomicUsize,
}

/// What a shard is sent.
pub enum Mail {
    /// A connection from another shard.
    Move(Box<Portable<Conn>>),
    /// A connection that has been upgraded.
    Open(Box<Opening>),
    /// What the market says to a question a client asked.
    Answer(Box<Answered>),
    /// What an HTTP request wants of a Socket.IO session.
    SocketIo(Box<super::socketio::Letter>),
    /// A listen key is over.
    EndUser(Box<Ended>),
    /// A frame for everybody who speaks hub.
    TellHub(Bytes),
    /// Stop: tell the clients, drain, end.
    Drain,
}

impl Shared {
    pub fn send(&self, shard: usize, mail: Mail) {
        self.shards[shard].mail.push(mail);
        self.bells[shard].notify.notify_one();
    }

    /// The market's place among the readers of channels.
    pub fn market_ear(&self) -> usize {
        self.shards.len()
    }

    /// The place of those who hold channels for an HTTP request.
    pub fn http_ear(&self) -> usize {
        self.shards.len() + 1
    }

    /// When that was, for what people are told.
    pub fn calendar_ms(&self, stamp_ns: u64) -> u64 {
        self.clock.calendar_ms().saturating_sub(self.clock.now_ns().saturating_sub(stamp_ns) / 1_000_000)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Tells every shard to stop; they do it once.
    pub fn drain(&self) {
        if !self.draining.swap(true, Relaxed) {
            for shard in 0..self.shards.len() {
                self.send(shard, Mail::Drain);
            }
            self.holds.wake_all();
        }
    }
}
