//! How a shard learns that channels have news, without a lock and with at most one wake-up per batch.
//!
//! Publisher: append, look up who is interested, [`Doorbell::post`] to each such shard; at the end of the upstream's
//! read [`Doorbell::ring`], and notify the shard if told to. Shard: consume the wake-up, [`Doorbell::answer`], then
//! [`Doorbell::pop`] until empty; for each channel [`Flag::take`] and only then load the log's head.
//!
//! Why no wake-up is lost: both flags are set and cleared by read-modify-writes, so of a set and a clear one sees the
//! other. If the publisher's swap comes second, it finds the flag clear and goes on to push or to notify. If it comes
//! first, the shard's swap reads what it wrote (or a later swap of the same chain), so what the publisher did before,
//! the append or the push, happened before the shard's next step and is seen by it. A clear by a plain store reads
//! nothing and breaks the second half. The models in `loom_models` show that, and the other orders that lose.

use crate::sync::{
    SegQueue,
    atomic::{AtomicBool, AtomicU64, Ordering::*, fence},
};

/// What `Interest` has room for: a bit for each shard, and two for those who read channels beside them.
pub const SHARDS_MAX: u32 = u64::BITS;

/// One per shard: the channels that have news for it, and whether it has been told to look.
pub struct Doorbell {
    channels: SegQueue<u32>,
    /// Set from a publisher's ring until the shard's answer: further rings need not notify.
    is_rung: AtomicBool,
}

/// One per channel and shard: whether the channel is in the shard's queue.
pub struct Flag(AtomicBool);

/// The shards that have subscribers of a channel.
pub struct Interest(AtomicU64);

impl Doorbell {
    pub fn new() -> Self {
        Self { channels: SegQueue::new(), is_rung: AtomicBool::new(false) }
    }

    /// Publisher, after the append: queues the channel unless it is queued already. Whether it did.
    pub fn post(&self, flag: &Flag, channel: u32) -> bool {
        let is_new = !flag.0.swap(true, AcqRel);
        if is_new {
            self.channels.push(channel);
        }
        is_new
    }

    /// Publisher, after its posts: true if it must notify the shard.
    pub fn ring(&self) -> bool {
        !self.is_rung.swap(true, AcqRel)
    }

    /// Shard, after it consumed the wake-up and before it pops.
    pub fn answer(&self) {
        // A swap, not a store: it must see the pushes of those whose rings it silences.
        self.is_rung.swap(false, AcqRel);
    }

    /// Shard: the next channel with news.
    pub fn pop(&self) -> Option<u32> {
        self.channels.pop()
    }
}

impl Default for Doorbell {
    fn default() -> Self {
        Self::new()
    }
}

impl Flag {
    pub fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Shard, before it loads the head of the channel's log. Whether the flag was set.
    pub fn take(&self) -> bool {
        // A swap, not a store: it must see the appends of those whose posts it silences.
        self.0.swap(false, AcqRel)
    }
}

impl Default for Flag {
    fn default() -> Self {
        Self::new()
    }
}

/// A subscriber writes its interest and reads the head; a publisher writes the head and reads the interest. With
/// acquire and release alone both may read the old value: the publisher posts to nobody, and the subscriber stands
/// before a frame that nobody tells it of. A sequentially consistent fence between the write and the read, on both
/// sides, forbids that: the later one sees the other's write.
impl Interest {
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Subscriber: read the log's head after this.
    pub fn add(&self, shard: u32) {
        self.0.fetch_or(bit(shard), AcqRel);
        fence(SeqCst);
    }

    /// The shard has no subscriber any more. A publisher that read the mask before may still post once.
    pub fn remove(&self, shard: u32) {
        self.0.fetch_and(!bit(shard), AcqRel);
    }

    /// Publisher, after the append: the shards to post to.
    pub fn mask(&self) -> u64 {
        fence(SeqCst);
        self.0.load(Acquire)
    }
}

impl Default for Interest {
    fn default() -> Self {
        Self::new()
    }
}

fn bit(shard: u32) -> u64 {
    debug_assert!(shard < SHARDS_MAX, "the config bounds the shards");
    1 << shard
}

#[cfg(all(test, loom))]
mod loom_models;
#[cfg(all(test, not(loom)))]
mod tests;
