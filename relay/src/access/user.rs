//! User data: who may read it and who writes it.
//!
//! Data of one account reaching another is made impossible rather than avoided. What names an account's channel on the
//! reading side is a [`UserTopic`], and the only thing that makes one is [`listen::ListenKeys::open`], for a key that is
//! live, for the account it was given to. The channel's name has a blank in it, so no name a client types is ever it.

pub mod listen;

use super::account::AccountId;
use super::key::Digest;

/// The right to read one account's data, by one listen key. Nothing turns text into one:
///
/// ```compile_fail,E0451
/// # let (account, key): (relay::access::account::AccountId, relay::access::key::Digest) = todo!();
/// relay::access::user::UserTopic { account, key };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserTopic {
    account: AccountId,
    /// Of the listen key: when that ends, so does the connection it opened, and no other one.
    key: Digest,
}

impl UserTopic {
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The name of the channel in the table of topics.
    pub fn channel(&self) -> String {
        channel(self.account)
    }
}

/// The way to write into one account's channel, for what brings its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserSink(AccountId);

impl UserSink {
    pub fn of(account: AccountId) -> Self {
        Self(account)
    }

    pub fn account(&self) -> AccountId {
        self.0
    }

    pub fn channel(&self) -> String {
        channel(self.0)
    }
}

fn channel(account: AccountId) -> String {
    format!("user {account}")
}
