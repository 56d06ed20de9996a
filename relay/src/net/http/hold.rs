//! Channels held for HTTP requests: one table for the process, one ear among the readers of channels.
//!
//! The first request that wants a name subscribes to it, the last one releases it, a little later: who polls, or comes
//! back to a stream of events, finds the channel as it was. One task takes the news of all of them from the bell and
//! wakes the requests that wait.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::fanout::channel::Channel;
use crate::fanout::topics::{Refused, Wanted};
use crate::limits::HTTP_HOLDS_LINGERING_MAX;
use crate::net::shared::Shared;
use crate::wire::dialect::Dialect;
use crate::wire::http::ip::IpKey;
use crate::wire::stream::name::Name;

/// How long a channel stays held after the last request for it.
const LINGER_MS: u64 = 30_000;

pub struct Holds {
    /// Names this run of the relay in the ids of events.
    pub epoch: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    held: HashMap<u32, Held, foldhash::fast::RandomState>,
    /// How many of them nobody listens to.
    lingering: usize,
}

struct Held {
    channel: Arc<Channel>,
    listeners: Vec<Arc<Notify>>,
    left_ms: u64,
}

/// A request that reads channels; it lets go of them when it is dropped.
pub(in crate::net) struct Listener {
    shared: Arc<Shared>,
    news: Arc<Notify>,
    channels: Vec<Arc<Channel>>,
}

impl Holds {
    pub fn new() -> Holds {
        // The hasher's keys are the system's randomness.
        Holds { epoch: RandomState::new().hash_one(std::process::id()), inner: Mutex::default() }
    }

    /// Has every request look around: the relay stops.
    pub fn wake_all(&self) {
        self.lock().held.values().flat_map(|held| &held.listeners).for_each(|listener| listener.notify_one());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("a panic ends the process")
    }
}

impl Default for Holds {
    fn default() -> Holds {
        Holds::new()
    }
}

impl Listener {
    pub fn new(shared: Arc<Shared>) -> Listener {
        Listener { shared, news: Arc::default(), channels: Vec::new() }
    }

    /// Holds a channel. From here on its news wakes the listener: look at the log after this.
    pub fn hold(&mut self, name: &Name, client: Option<IpKey>) -> Result<Arc<Channel>, Refused> {
        if name.is_dead() {
            return Err(Refused::NoUpstream);
        }
        let (topics, ear) = (&self.shared.topics, self.shared.http_ear());
        let mut inner = self.shared.holds.lock();
        let wanted = Wanted { name: name.text(), kind: name.kind(), dialect: Dialect::Stream, dead: false, client };
        // Also if it is held: one that was given up is asked for anew.
        let channel = topics.subscribe(wanted, ear)?;
        let Inner { held, lingering } = &mut *inner;
        if !held.contains_key(&channel.id) && !topics.has_upstream(channel.id) {
            topics.release(channel.id, ear);
            return Err(Refused::NoUpstream);
        }
        let held = held.entry(channel.id).or_insert_with(|| {
            *lingering += 1;
            Held { channel: channel.clone(), listeners: Vec::new(), left_ms: 0 }
        });
        debug_assert!(Arc::ptr_eq(&held.channel, &channel), "a held channel is not forgotten");
        if held.listeners.is_empty() {
            *lingering -= 1;
            channel.interest.add(ear as u32);
            channel.news(ear).take();
        }
        held.listeners.push(self.news.clone());
        self.channels.push(channel.clone());
        Ok(channel)
    }

    /// Until there may be news of a channel, since the last time.
    pub async fn news(&self) {
        self.news.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut inner = self.shared.holds.lock();
        for channel in &self.channels {
            inner.leave(&self.shared, channel.id, &self.news);
        }
    }
}

impl Inner {
    fn leave(&mut self, shared: &Shared, id: u32, listener: &Arc<Notify>) {
        let Some(held) = self.held.get_mut(&id) else { return };
        if let Some(at) = held.listeners.iter().position(|other| Arc::ptr_eq(other, listener)) {
            held.listeners.swap_remove(at);
        }
        if !held.listeners.is_empty() {
            return;
        }
        held.channel.interest.remove(shared.http_ear() as u32);
        held.left_ms = shared.clock.now_ms();
        // A name that never had data is not worth a slot.
        if held.channel.log.head() == 0 || self.lingering >= HTTP_HOLDS_LINGERING_MAX {
            self.held.remove(&id);
            shared.topics.release(id, shared.http_ear());
        } else {
            self.lingering += 1;
        }
    }

    /// Lets go of what nobody came back to.
    fn sweep(&mut self, shared: &Shared) {
        let now_ms = shared.clock.now_ms();
        let over = |held: &mut Held| held.listeners.is_empty() && now_ms.saturating_sub(held.left_ms) >= LINGER_MS;
        for (id, _) in self.held.extract_if(|_, held| over(held)) {
            self.lingering -= 1;
            shared.topics.release(id, shared.http_ear());
        }
    }
}

/// Wakes the requests whose channels have news, until the relay ends.
pub async fn run(shared: Arc<Shared>) {
    let ear = shared.http_ear();
    let bell = &shared.bells[ear];
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = bell.notify.notified() => {}
            _ = second.tick() => shared.holds.lock().sweep(&shared),
        }
        // The flags first, then what they stand for: what is posted after this rings again.
        bell.doorbell.answer();
        while let Some(id) = bell.doorbell.pop() {
            let inner = shared.holds.lock();
            let Some(held) = inner.held.get(&id) else { continue };
            held.channel.news(ear).take();
            held.listeners.iter().for_each(|listener| listener.notify_one());
        }
    }
}
