//! Listen keys: an account gets one for a while, extends it, and opens its user data stream with it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use foldhash::fast::RandomState;

use super::UserTopic;
use crate::access::account::AccountId;
use crate::access::key::{Digest, Key};
use crate::limits::{LISTEN_KEYS_MAX, LISTEN_KEYS_PER_IP_MAX};
use crate::wire::http::ip::IpKey;
use crate::wire::stream::name::is_listen_key;

/// How long a key lives after it was asked for or extended, unless the configuration says otherwise.
pub const LIFE_MS: u64 = 60 * 60 * 1000;

/// What a new key is made of: two bytes for each of its 64 characters, so that all characters are as likely as can be.
pub type Random = [u8; 128];

/// The text of a key. Whoever has it can read the account's data, so `{:?}` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ListenKey(Box<str>);

impl ListenKey {
    fn new(random: Random) -> Self {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let (pairs, _) = random.as_chunks::<2>();
        let letter = |pair: &[u8; 2]| char::from(LETTERS[usize::from(u16::from_le_bytes(*pair)) % LETTERS.len()]);
        Self(pairs.iter().map(letter).collect())
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ListenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ListenKey(not shown)")
    }
}

/// Whose share of the table a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Accounts of the configuration have room always: there are only so many.
    Configured,
    /// An account made up by a token counts for the address it came from.
    Address(IpKey),
    /// The same, from an address without limits.
    Exempt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    #[error("too many listen keys of this address, limit {LISTEN_KEYS_PER_IP_MAX}")]
    AddressFull,
    #[error("too many listen keys, limit {LISTEN_KEYS_MAX}")]
    Full,
    /// Two keys were the same, which chance does not bring about: nobody must get the key of another.
    #[error("the source of random numbers repeats itself")]
    NotRandom,
}

/// A key that is over. Connections that hold an equal topic end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub topic: UserTopic,
    pub key: ListenKey,
    pub why: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its owner is told.
    Expired,
    /// Its owner wanted it so, and is told nothing.
    Closed,
}

/// The live keys.
#[derive(Debug)]
pub struct ListenKeys {
    life_ms: u64,
    live: HashMap<AccountId, Live, RandomState>,
    /// By digest, so that the time of a lookup says nothing about the keys there are.
    by_key: HashMap<Digest, AccountId, RandomState>,
    due: BTreeSet<(u64, AccountId)>,
    /// Keys of made-up accounts, and of each address.
    shared: usize,
    by_ip: HashMap<IpKey, usize, RandomState>,
    ended: Vec<Ended>,
}

#[derive(Debug)]
struct Live {
    key: ListenKey,
    digest: Digest,
    expires_ms: u64,
    share: Share,
}

impl Default for ListenKeys {
    fn default() -> Self {
        Self::new(LIFE_MS)
    }
}

impl ListenKeys {
    /// None yet. Each will live so long.
    pub fn new(life_ms: u64) -> Self {
        Self {
            life_ms,
            live: HashMap::default(),
            by_key: HashMap::default(),
            due: BTreeSet::new(),
            shared: 0,
            by_ip: HashMap::default(),
            ended: Vec::new(),
        }
    }

    /// The account's key, extended; a new one if it has none.
    pub fn create(
        &mut self,
        account: AccountId,
        share: Share,
        now_ms: u64,
        random: impl FnOnce() -> Random,
    ) -> Result<&ListenKey, CreateError> {
        self.expire(now_ms);
        if !self.live.contains_key(&account) {
            self.insert(account, share, now_ms, ListenKey::new(random()))?;
        }
        Ok(self.extend(account, now_ms).expect("it is there or was inserted just now"))
    }

    fn insert(&mut self, account: AccountId, share: Share, now_ms: u64, key: ListenKey) -> Result<(), CreateError> {
        if share != Share::Configured && self.shared >= LISTEN_KEYS_MAX {
            return Err(CreateError::Full);
        }
        if let Share::Address(ip) = share
            && self.by_ip.get(&ip).is_some_and(|count| *count >= LISTEN_KEYS_PER_IP_MAX)
        {
            return Err(CreateError::AddressFull);
        }
        let digest = digest(key.text());
        if self.by_key.contains_key(&digest) {
            return Err(CreateError::NotRandom);
        }
        self.shared += usize::from(share != Share::Configured);
        if let Share::Address(ip) = share {
            *self.by_ip.entry(ip).or_default() += 1;
        }
        let expires_ms = now_ms + self.life_ms;
        self.by_key.insert(digest, account);
        self.due.insert((expires_ms, account));
        self.live.insert(account, Live { key, digest, expires_ms, share });
        Ok(())
    }

    /// Gives the account's key another of its lives; `None` if it has no live one.
    pub fn extend(&mut self, account: AccountId, now_ms: u64) -> Option<&ListenKey> {
        self.expire(now_ms);
        let live = self.live.get_mut(&account)?;
        self.due.remove(&(live.expires_ms, account));
        // A clock that was set back shortens no life.
        live.expires_ms = live.expires_ms.max(now_ms + self.life_ms);
        self.due.insert((live.expires_ms, account));
        Some(&live.key)
    }

    /// Ends the account's key; false if it has no live one.
    pub fn close(&mut self, account: AccountId, now_ms: u64) -> bool {
        self.expire(now_ms);
        self.end(account, End::Closed)
    }

    /// Whether this is the text of the account's own live key.
    pub fn is_own(&mut self, account: AccountId, text: &str, now_ms: u64) -> bool {
        self.open(text, now_ms).is_some_and(|topic| topic.account == account)
    }

    /// What a client with this key may read. This is the only way to a [`UserTopic`].
    pub fn open(&mut self, text: &str, now_ms: u64) -> Option<UserTopic> {
        self.expire(now_ms);
        if !is_listen_key(text) {
            return None;
        }
        let key = digest(text);
        let account = *self.by_key.get(&key)?;
        Some(UserTopic { account, key })
    }

    /// Whether the key behind a topic lives still.
    pub fn is_live(&mut self, topic: &UserTopic, now_ms: u64) -> bool {
        self.expire(now_ms);
        self.by_key.get(&topic.key) == Some(&topic.account)
    }

    /// The keys that ended since this was asked last.
    pub fn ended(&mut self, now_ms: u64) -> Vec<Ended> {
        self.expire(now_ms);
        std::mem::take(&mut self.ended)
    }

    /// When the next key runs out unless it is extended.
    pub fn due_ms(&self) -> Option<u64> {
        self.due.first().map(|(expires_ms, _)| *expires_ms)
    }

    pub fn count(&self) -> usize {
        self.live.len()
    }

    fn expire(&mut self, now_ms: u64) {
        while let Some((expires_ms, account)) = self.due.first().copied()
            && expires_ms <= now_ms
        {
            self.end(account, End::Expired);
        }
    }

    fn end(&mut self, account: AccountId, why: End) -> bool {
        let Some(Live { key, digest, expires_ms, share }) = self.live.remove(&account) else { return false };
        self.by_key.remove(&digest);
        self.due.remove(&(expires_ms, account));
        self.shared -= usize::from(share != Share::Configured);
        if let Share::Address(ip) = share
            && let Some(count) = self.by_ip.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                self.by_ip.remove(&ip);
            }
        }
        self.ended.push(Ended { topic: UserTopic { account, key: digest }, key, why });
        true
    }
}

fn digest(text: &str) -> Digest {
    Key::parse(text).expect("a listen key is 64 visible characters").digest()
}

#[cfg(test)]
mod tests;
