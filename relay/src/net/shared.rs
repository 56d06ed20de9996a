//! What the threads of the process have in common. Nothing here is locked on the path of a frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crossbeam::queue::SegQueue;
use tokio::sync::Notify;

use super::admission::Admission;
use super::clock::Clock;
use super::conn::Conn;
use super::shard::Opening;
use crate::config::Config;
use crate::fanout::core::Portable;
use crate::fanout::topics::Topics;
use crate::fanout::wake::Doorbell;
use crate::metrics::Metrics;

pub struct Shared {
    pub config: Config,
    pub clock: Clock,
    pub topics: Topics,
    pub admission: Arc<Admission>,
    pub metrics: Metrics,
    pub shards: Vec<Post>,
    /// Set once, when the relay is told to stop.
    pub draining: AtomicBool,
}

/// How the rest of the process reaches one shard.
pub struct Post {
    pub doorbell: Doorbell,
    pub notify: Notify,
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
    /// Stop: tell the clients, drain, end.
    Drain,
}

impl Post {
    pub fn new() -> Post {
        Post {
            doorbell: Doorbell::new(),
            notify: Notify::new(),
            mail: SegQueue::new(),
            connections: AtomicUsize::new(0),
        }
    }

    pub fn send(&self, mail: Mail) {
        self.mail.push(mail);
        self.notify.notify_one();
    }
}

impl Default for Post {
    fn default() -> Post {
        Post::new()
    }
}

impl Shared {
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Tells every shard to stop; they do it once.
    pub fn drain(&self) {
        if !self.draining.swap(true, Relaxed) {
            for shard in &self.shards {
                shard.send(Mail::Drain);
            }
        }
    }
}
