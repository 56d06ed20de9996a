//! Whose key it is, and what its bearer may.

use std::fmt;
use std::sync::Arc;

use subtle::ConditionallySelectable as _;

use super::key::{Digest, Key};
use super::pattern::Pattern;
use super::refusal::Why;
use crate::wire::dialect::Dialect;
use crate::wire::http::ip::IpKey;

/// From whom a key is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Required {
    #[default]
    Nobody,
    /// Everybody but this machine itself.
    Remote,
    Everybody,
}

/// One account of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    /// All are equally good, so that one can replace another while both work.
    pub keys: Vec<Digest>,
    /// `None`: every one.
    pub dialects: Option<Vec<Dialect>>,
    /// What may be subscribed to: stream names, and the topics of the other dialects. At least one.
    pub topics: Vec<Pattern>,
    pub connections: Cap,
    /// Of each connection.
    pub messages_per_second: Cap,
}

/// A limit of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cap {
    /// As for clients without a key.
    #[default]
    Usual,
    Unlimited,
    AtMost(u32),
}

/// Which account. An id is never given to another one while the process lives, so one that is kept too long opens
/// nothing of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Identity);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Identity {
    /// The place in the configuration.
    Configured(u32),
    /// Without accounts in the configuration every token is an account of its own.
    Token(Digest),
}

impl AccountId {
    /// The place in the configuration, for accounts that have one.
    pub fn place(&self) -> Option<u32> {
        match self.0 {
            Identity::Configured(index) => Some(index),
            Identity::Token(_) => None,
        }
    }
}

impl Account {
    pub fn allows_dialect(&self, dialect: Dialect) -> bool {
        self.dialects.as_ref().is_none_or(|dialects| dialects.contains(&dialect))
    }

    /// See [`Entitlement::allows_topic`].
    pub fn allows_topic(&self, name: &str) -> bool {
        self.topics.iter().any(|pattern| pattern.matches(name))
    }
}

/// Without blanks; equal only for equal ids.
impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Identity::Configured(index) => write!(f, "{index}"),
            Identity::Token(digest) => write!(f, "{digest}"),
        }
    }
}

/// The accounts of the configuration and who needs one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    required: Required,
    accounts: Vec<Arc<Account>>,
    /// Every key's digest and the account it belongs to.
    digests: Vec<(Digest, u32)>,
}

/// Somebody at the door.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    /// What it may turn out to speak: on `/ws` the first message tells.
    pub dialects: &'a [Dialect],
    pub key: Option<&'a Key<'a>>,
    /// From this machine itself.
    pub is_loopback: bool,
    /// The dialect's own document asks everybody for a key, whatever `required` says.
    pub needs_key: bool,
}

impl Accounts {
    pub fn new(required: Required, accounts: Vec<Account>) -> Self {
        let numbered = || (0..).zip(&accounts);
        let digests = numbered().flat_map(|(index, account)| account.keys.iter().map(move |key| (*key, index)));
        let digests = digests.collect();
        Self { required, accounts: accounts.into_iter().map(Arc::new).collect(), digests }
    }

    pub fn required(&self) -> Required {
        self.required
    }

    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        (0..).zip(&self.accounts).map(|(index, account)| (AccountId(Identity::Configured(index)), &**account))
    }

    /// The account at a place in the configuration.
    pub fn at(&self, place: u32) -> Option<&Account> {
        self.accounts.get(place as usize).map(|account| &**account)
    }

    /// The account a key belongs to. Every configured key is compared whole, so the time tells nothing about any.
    ///
    /// Without accounts in the configuration any key is its bearer's own account; with them it has to match.
    pub fn find(&self, key: &Key<'_>) -> Option<AccountId> {
        const NONE: u32 = u32::MAX;
        let digest = key.digest();
        if self.is_empty() {
            return Some(AccountId(Identity::Token(digest)));
        }
        let mut found = NONE;
        for (known, index) in &self.digests {
            found.conditional_assign(index, digest.ct_eq(known));
        }
        (found != NONE).then_some(AccountId(Identity::Configured(found)))
    }

    /// What a visitor may, or why it may not come in. A key that is brought has to be a good one even where none is
    /// needed: its owner thinks it is.
    pub fn admit(&self, visitor: Visitor<'_>) -> Result<Entitlement, Why> {
        let is_needed = visitor.needs_key
            || match self.required {
                Required::Nobody => false,
                Required::Remote => !visitor.is_loopback,
                Required::Everybody => true,
            };
        let id = match visitor.key {
            Some(key) => Some(self.find(key).ok_or(Why::WrongKey)?),
            None if is_needed => return Err(Why::NoKey),
            None => None,
        };
        let entitlement = id.map_or(Entitlement::default(), |id| self.entitlement(id));
        if !visitor.dialects.iter().any(|dialect| entitlement.allows_dialect(*dialect)) {
            return Err(Why::Dialect);
        }
        Ok(entitlement)
    }

    /// What an account may, for who is known already: by a listen key.
    pub fn entitlement(&self, id: AccountId) -> Entitlement {
        let account = match id.0 {
            Identity::Configured(index) => self.accounts.get(index as usize).cloned(),
            Identity::Token(_) => None,
        };
        Entitlement { id: Some(id), account }
    }
}

/// What one connection may. Without an account that is everything, within the limits for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlement {
    id: Option<AccountId>,
    account: Option<Arc<Account>>,
}

/// On whose account connections and requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    Account(AccountId),
    Ip(IpKey),
}

impl Entitlement {
    pub fn account(&self) -> Option<AccountId> {
        self.id
    }

    pub fn allows_dialect(&self, dialect: Dialect) -> bool {
        self.account.as_ref().is_none_or(|account| account.allows_dialect(dialect))
    }

    /// Whether a topic may be subscribed to, by the name its channel has: `btcusdt@trade`, `hub binance_prices`.
    /// User data is no such topic: see [`super::user`].
    pub fn allows_topic(&self, name: &str) -> bool {
        self.account.as_ref().is_none_or(|account| account.allows_topic(name))
    }

    /// A connection counts for its account where that has a limit of its own, else for its address. Tokens that anybody
    /// may make up never count for themselves: that would be no limit at all.
    pub fn connections(&self, ip: IpKey) -> (Counted, Cap) {
        match (self.id, &self.account) {
            (Some(id), Some(account)) if account.connections != Cap::Usual => {
                (Counted::Account(id), account.connections)
            }
            _ => (Counted::Ip(ip), Cap::Usual),
        }
    }

    /// Messages of one connection in any second.
    pub fn messages_per_second(&self) -> Cap {
        self.account.as_ref().map_or(Cap::Usual, |account| account.messages_per_second)
    }

    /// On whose account requests are counted.
    pub fn counted(&self, ip: IpKey) -> Counted {
        match (self.id, &self.account) {
            (Some(id), Some(_)) => Counted::Account(id),
            _ => Counted::Ip(ip),
        }
    }
}

impl Cap {
    /// The limit in force, where `usual` is that of everybody; `None` is no limit.
    pub fn over(self, usual: Option<u32>) -> Option<u32> {
        match self {
            Self::Usual => usual,
            Self::Unlimited => None,
            Self::AtMost(limit) => Some(limit),
        }
    }
}

#[cfg(test)]
mod tests;
