//! User data: the listen keys that are live, who reads with them ([`clients`]), and where the data comes from
//! ([`sources`]: the built-in venue, or an account's own stream elsewhere, [`feed`]).
//!
//! What one account's clients get is the log of one channel, and only that account's source writes into it. The way to
//! the channel is a [`UserTopic`], which only a live listen key opens: see [`crate::access::user`].

pub mod clients;
pub mod feed;
pub mod sources;

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::shared::{Mail, Shared};
use crate::access::account::{Entitlement, Visitor};
use crate::access::key::Key;
use crate::access::refusal::Why;
use crate::access::rest::{Answer, ListenApi, Request};
use crate::access::user::UserTopic;
use crate::access::user::listen::{Ended, Random};
use crate::wire::dialect::Dialect;

/// The listen keys of the process.
pub struct Users {
    api: Mutex<ListenApi>,
    /// The next end of a key may be sooner than it was.
    changed: Notify,
}

/// A user data stream that a client reads: what it may read, and by which key.
#[derive(Clone)]
pub struct Opened {
    pub topic: UserTopic,
    pub key: Box<str>,
}

impl Users {
    pub fn new(listen_key_lifetime: Duration) -> Users {
        let life_ms = listen_key_lifetime.as_millis() as u64;
        Users { api: Mutex::new(ListenApi::new(life_ms)), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, ListenApi> {
        self.api.lock().expect("a panic ends the process")
    }
}

impl Shared {
    /// What a listen key opens, if it is live.
    pub fn open_user(&self, key: &str) -> Option<Opened> {
        let topic = self.users.lock().keys.open(key, self.clock.calendar_ms())?;
        Some(Opened { topic, key: key.into() })
    }

    /// Whether the key that opened it lives still.
    pub fn is_user_live(&self, topic: &UserTopic) -> bool {
        self.users.lock().keys.is_live(topic, self.clock.calendar_ms())
    }

    pub fn listen_keys(&self) -> usize {
        self.users.lock().keys.count()
    }

    /// Answers a request about listen keys. `random` is needed for POST.
    pub fn answer_listen(&self, request: &Request<'_>, random: Random) -> Answer {
        let now_ms = self.clock.calendar_ms();
        let answer = self.users.lock().answer(&self.config.access.accounts, request, now_ms, || random);
        self.end_listen_keys();
        self.users.changed.notify_one();
        answer
    }

    /// Has the connections of keys that are over ended.
    pub fn end_listen_keys(&self) {
        // The shards are told under no lock; who opens a connection meanwhile finds the key gone.
        let ended: Vec<Ended> = self.users.lock().keys.ended(self.clock.calendar_ms());
        for ended in ended {
            for shard in 0..self.shards.len() {
                self.send(shard, Mail::EndUser(Box::new(ended.clone())));
            }
        }
    }

    /// What somebody may who brings a key in its dialect's own way. An empty text is none.
    pub fn admit_key(
        &self,
        text: Option<&str>,
        dialect: Dialect,
        is_loopback: bool,
        needs_key: bool,
    ) -> Result<Entitlement, Why> {
        let key = match text.filter(|text| !text.is_empty()) {
            Some(text) => Some(Key::parse(text).map_err(|_| Why::WrongKey)?),
            None => None,
        };
        let visitor = Visitor { dialects: &[dialect], key: key.as_ref(), is_loopback, needs_key };
        self.config.access.accounts.admit(visitor)
    }
}

/// Until the relay ends: keys run out in time.
pub async fn expire(shared: &Shared) {
    loop {
        let due_ms = shared.users.lock().keys.due_ms();
        let wait = due_ms.map(|due_ms| Duration::from_millis(due_ms.saturating_sub(shared.clock.calendar_ms())));
        // A clock that is set forward is noticed within a second.
        let wait = wait.map(|wait| wait.min(Duration::from_secs(1)));
        tokio::select! {
            () = shared.users.changed.notified() => {}
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => shared.end_listen_keys(),
        }
    }
}
