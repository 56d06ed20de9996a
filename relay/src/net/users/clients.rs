//! Clients of user data streams, on their shard.

use super::Opened;
use crate::access::account::Account;
use crate::access::user::listen::{End, Ended};
use crate::config::Profile;
use crate::fanout::kind::Kind;
use crate::fanout::slab::Slot;
use crate::fanout::subscribe::From;
use crate::fanout::topics::{Refused, Wanted};
use crate::net::conn::Speaks;
use crate::net::shard::Shard;
use crate::wire::close::CloseReason;
use crate::wire::dialect::Dialect;
use crate::wire::dialect::Dialect as Spoken;
use crate::wire::stream::notice;

impl Shard {
    /// The account whose key the connection came with, if the configuration has it.
    pub(in crate::net) fn account(&self, slot: Slot) -> Option<&Account> {
        let place = self.fanout.session(slot)?.conn.ticket.account()?;
        self.shared.config.access.accounts.at(place)
    }

    pub(in crate::net) fn allows_topic(&self, slot: Slot, name: &str) -> bool {
        self.account(slot).is_none_or(|account| account.allows_topic(name))
    }

    pub(in crate::net) fn allows_dialect(&self, slot: Slot, dialect: Dialect) -> bool {
        self.account(slot).is_none_or(|account| account.allows_dialect(dialect))
    }

    /// Subscribes a connection that was opened by listen keys to what they open.
    pub(in crate::net) fn begin_user(&mut self, slot: Slot) {
        for opened in self.opened(slot).to_vec() {
            if let Err(why) = self.subscribe_user(slot, &opened) {
                tracing::warn!(%why, "a user data stream cannot be had");
                return self.close(slot, CloseReason::Overloaded);
            }
        }
        self.check_user(slot);
    }

    /// Whether a connection from elsewhere still may read what it reads: the mail about the end of its key may have gone
    /// by before it arrived.
    pub(in crate::net) fn check_user(&mut self, slot: Slot) {
        let is_over = |opened: &&Opened| !self.shared.is_user_live(&opened.topic);
        let over: Vec<Opened> = self.opened(slot).iter().filter(is_over).cloned().collect();
        for Opened { key, .. } in over {
            self.end_reading(slot, &key, End::Expired);
        }
    }

    /// Subscribes to one account's data; a key that is held already changes nothing.
    pub(in crate::net) fn subscribe_user(&mut self, slot: Slot, opened: &Opened) -> Result<(), Refused> {
        let name = opened.topic.channel();
        if self.fanout.holds(slot, &name) {
            return Ok(());
        }
        let (channel, from) = match self.fanout.find(&name) {
            Some(channel) => (channel.clone(), From::Kind),
            None => {
                let wanted =
                    Wanted { name: &name, kind: Kind::Event, dialect: Spoken::Stream, dead: false, client: None };
                let subscribed = self.shared.topics.subscribe_from(wanted, self.id);
                let (channel, at) = subscribed.inspect_err(|why| self.count_refused(*why))?;
                // The source may be quicker than we are: what it has said by now is ours as well.
                (channel, From::At(at))
            }
        };
        self.fanout.subscribe_with(slot, &channel, from, opened.key.as_bytes());
        Ok(())
    }

    /// The user data streams of these keys for a connection that asked by command. `None`: one of them is not live.
    pub(in crate::net) fn open_users(&self, keys: &[String]) -> Option<Vec<Opened>> {
        keys.iter().map(|key| self.shared.open_user(key)).collect()
    }

    /// From now on the connection counts as one that reads by these keys.
    pub(in crate::net) fn note_opened(&mut self, slot: Slot, more: Vec<Opened>) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        match &mut session.conn.speaks {
            Speaks::User(opened) => {
                for one in more {
                    if !opened.iter().any(|held| held.topic == one.topic) {
                        opened.push(one);
                    }
                }
            }
            speaks => *speaks = Speaks::User(Box::new(more)),
        }
    }

    /// Ends the subscription by this key, if there is one.
    pub(in crate::net) fn unsubscribe_user(&mut self, slot: Slot, key: &str) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        let Speaks::User(opened) = &mut session.conn.speaks else { return };
        let Some(at) = opened.iter().position(|opened| *opened.key == *key) else { return };
        let Opened { topic, .. } = opened.remove(at);
        self.fanout.unsubscribe(slot, &topic.channel());
    }

    /// What clients call the channels they hold: of user data the listen key.
    pub(in crate::net) fn names_held(&self, slot: Slot) -> Vec<&str> {
        let opened = self.opened(slot);
        let shown = |name| match opened.iter().find(|opened| opened.topic.channel() == name) {
            Some(opened) => &*opened.key,
            None => name,
        };
        self.fanout.list(slot).into_iter().map(shown).collect()
    }

    /// A listen key is over, and so is the reading by it.
    pub(in crate::net) fn end_user(&mut self, ended: &Ended) {
        for slot in self.fanout.holders(&ended.topic.channel()) {
            if !self.opened(slot).iter().any(|opened| opened.topic == ended.topic) {
                continue;
            }
            self.end_reading(slot, ended.key.text(), ended.why);
        }
    }

    /// Bitzoom closes the connection; at Binance it stays and is silent.
    fn end_reading(&mut self, slot: Slot, key: &str, why: End) {
        if why == End::Expired {
            let combined = self.fanout.session(slot).is_some_and(|session| session.is_combined());
            let mut text = Vec::new();
            notice::listen_key_expired(self.shared.clock.calendar_ms(), key, combined, &mut text);
            self.say(slot, &text);
        }
        match (self.shared.config.profile, why) {
            (Profile::Bitzoom, End::Expired) => self.close(slot, CloseReason::ListenKeyExpired),
            (Profile::Bitzoom, End::Closed) => self.close(slot, CloseReason::Normal),
            (Profile::Binance, _) => {
                self.unsubscribe_user(slot, key);
                self.release();
            }
        }
    }

    fn opened(&self, slot: Slot) -> &[Opened] {
        match self.fanout.session(slot).map(|session| &session.conn.speaks) {
            Some(Speaks::User(opened)) => opened,
            _ => &[],
        }
    }
}
