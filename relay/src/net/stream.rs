//! The stream dialect's requests: what they change, and what is answered.

use std::sync::Arc;

use super::shard::Shard;
use crate::config::Profile;
use crate::fanout::channel::Channel;
use crate::fanout::slab::Slot;
use crate::fanout::topics::{Refused, Wanted};
use crate::limits::SUBSCRIPTIONS_HARD_MAX;
use crate::wire::close::CloseReason;
use crate::wire::dialect::Dialect;
use crate::wire::stream::command::{self, Command, Id, Reject};
use crate::wire::stream::name::Name;
use crate::wire::stream::reply;

/// Error code of everything there is no room for.
const NO_ROOM: i32 = 4;
const INVALID: i32 = 2;

/// Why a list of names was not subscribed; nothing of it was.
enum NotSubscribed {
    /// More than the connection may have.
    TooMany,
    Refused(Refused),
}

fn code_of(why: Refused) -> i32 {
    match why {
        Refused::NoUpstream | Refused::NotAllowed => INVALID,
        Refused::UpstreamFull | Refused::TooManyUnproven | Refused::TooManyTopics => NO_ROOM,
    }
}

impl Shard {
    pub(super) fn take_command(&mut self, slot: Slot, text: &str) {
        match command::parse(text, self.shared.config.profile) {
            Ok(request) => self.carry_out(slot, request.id, request.command),
            Err(reject) => {
                let too_many = reject.code == NO_ROOM;
                self.reject(slot, &reject);
                if too_many {
                    self.too_many_subscriptions(slot);
                }
            }
        }
    }

    pub(super) fn refuse_binary(&mut self, slot: Slot) {
        self.reject(slot, &Reject::binary());
    }

    /// The names of the URL. The good ones are subscribed; one error names the bad.
    pub(super) fn subscribe_from_url(&mut self, slot: Slot, names: &[Name], bad: &[String]) {
        let mut refused = Vec::new();
        for name in names {
            match self.subscribe(slot, std::slice::from_ref(name)) {
                Ok(()) => {}
                Err(NotSubscribed::Refused(why)) => refused.push((name.text(), code_of(why), why.to_string())),
                Err(NotSubscribed::TooMany) => {
                    refused.push((name.text(), NO_ROOM, "Too many subscriptions".to_owned()));
                }
            }
        }
        if !bad.is_empty() {
            self.reject(slot, &Reject::invalid_streams_in_url(bad));
        }
        if let Some((_, code, why)) = refused.first() {
            let names: Vec<&str> = refused.iter().map(|(name, ..)| *name).collect();
            let msg = format!("{why}: {}", names.join(", "));
            self.reject(slot, &Reject::new(*code, msg, None));
        }
    }

    fn carry_out(&mut self, slot: Slot, id: Id, command: Command) {
        let mut text = Vec::new();
        match command {
            Command::Subscribe(names) => match self.subscribe_told(slot, &names, &id) {
                Ok(()) => return,
                Err(NotSubscribed::TooMany) => {
                    self.shared.metrics.shards[self.id].counters.refused_subscriptions.one();
                    self.reject(slot, &Reject::too_many_subscriptions(Some(id)));
                    return self.too_many_subscriptions(slot);
                }
                Err(NotSubscribed::Refused(why)) => {
                    return self.reject(slot, &Reject::new(code_of(why), why.to_string(), Some(id)));
                }
            },
            Command::SubscribeUser { keys, names } => return self.subscribe_with_keys(slot, &keys, &names, id),
            Command::Unsubscribe(names) => {
                for name in &names {
                    self.fanout.unsubscribe(slot, name);
                    self.unsubscribe_user(slot, name);
                }
                self.release();
                reply::ok(&id, &mut text);
            }
            Command::List => reply::list(self.names_held(slot), &id, &mut text),
            Command::SetCombined(combined) => {
                self.fanout.set_combined(slot, combined);
                reply::ok(&id, &mut text);
            }
            Command::GetCombined => {
                let combined = self.fanout.session(slot).is_some_and(|session| session.is_combined());
                reply::property(combined, &id, &mut text);
            }
        }
        self.say(slot, &text);
    }

    /// Subscribes and acknowledges, in this order for the core; the client sees the acknowledgement first, because
    /// what is told goes before data.
    fn subscribe_told(&mut self, slot: Slot, names: &[Name], id: &Id) -> Result<(), NotSubscribed> {
        self.subscribe(slot, names)?;
        let mut text = Vec::new();
        reply::ok(id, &mut text);
        self.say(slot, &text);
        Ok(())
    }

    /// A list with listen keys in it. One that is not live is no stream.
    fn subscribe_with_keys(&mut self, slot: Slot, keys: &[String], names: &[Name], id: Id) {
        let Some(opened) = self.open_users(keys) else {
            return self.reject(slot, &Reject::invalid_stream(Some(id)));
        };
        // User data first, so that it is counted when there is a look at how many more there may be.
        let fresh: Vec<String> = opened.iter().map(|opened| opened.topic.channel()).collect();
        let fresh: Vec<String> = fresh.into_iter().filter(|name| !self.fanout.holds(slot, name)).collect();
        let mut users = opened.iter();
        let result = users.try_for_each(|opened| self.subscribe_user(slot, opened)).map_err(NotSubscribed::Refused);
        let result = result.and_then(|()| self.subscribe(slot, names));
        if result.is_err() {
            for name in &fresh {
                self.fanout.unsubscribe(slot, name);
            }
            self.release();
        }
        match result {
            Ok(()) => {
                self.note_opened(slot, opened);
                let mut text = Vec::new();
                reply::ok(&id, &mut text);
                self.say(slot, &text);
                self.check_user(slot);
            }
            Err(NotSubscribed::TooMany) => {
                self.shared.metrics.shards[self.id].counters.refused_subscriptions.one();
                self.reject(slot, &Reject::too_many_subscriptions(Some(id)));
                self.too_many_subscriptions(slot);
            }
            Err(NotSubscribed::Refused(why)) => {
                self.reject(slot, &Reject::new(code_of(why), why.to_string(), Some(id)));
            }
        }
    }

    /// All of the names or none.
    fn subscribe(&mut self, slot: Slot, names: &[Name]) -> Result<(), NotSubscribed> {
        let Some(session) = self.fanout.session(slot) else { return Ok(()) };
        let exempt = session.conn.ticket.is_exempt();
        let most = match self.shared.config.limits.subscriptions_per_connection {
            _ if exempt => SUBSCRIPTIONS_HARD_MAX,
            limit => limit,
        };
        let client = if exempt { None } else { Some(session.conn.ticket.ip()) };
        let held = session.subscriptions();
        let mut fresh: Vec<&Name> = Vec::new();
        for name in names {
            if !self.fanout.holds(slot, name.text()) && !fresh.iter().any(|other| other.text() == name.text()) {
                fresh.push(name);
            }
        }
        if held + fresh.len() > most {
            return Err(NotSubscribed::TooMany);
        }
        if fresh.iter().any(|name| !self.allows_topic(slot, name.text())) {
            self.count_refused(Refused::NotAllowed);
            return Err(NotSubscribed::Refused(Refused::NotAllowed));
        }
        let mut channels: Vec<Arc<Channel>> = Vec::with_capacity(fresh.len());
        for name in fresh {
            if let Some(channel) = self.fanout.find(name.text()) {
                channels.push(channel.clone());
                continue;
            }
            let (kind, dead) = (name.kind(), name.is_dead());
            let wanted = Wanted { name: name.text(), kind, dialect: Dialect::Stream, dead, client };
            match self.shared.topics.subscribe(wanted, self.id) {
                Ok(channel) => channels.push(channel),
                Err(why) => {
                    self.count_refused(why);
                    // What was taken for this request alone is given back.
                    for channel in channels {
                        if self.fanout.find(&channel.name).is_none() {
                            self.shared.topics.release(channel.id, self.id);
                        }
                    }
                    return Err(NotSubscribed::Refused(why));
                }
            }
        }
        for channel in channels {
            self.fanout.subscribe(slot, &channel);
        }
        Ok(())
    }

    /// The binance profile ends a connection that wants too much; bitzoom keeps it.
    fn too_many_subscriptions(&mut self, slot: Slot) {
        if self.shared.config.profile == Profile::Binance {
            self.close(slot, CloseReason::TooManySubscriptions);
        }
    }

    pub(super) fn count_refused(&self, why: Refused) {
        self.shared.metrics.shards[self.id].counters.refused(why);
    }

    /// What is wrong has nothing to do with what was asked.
    pub(super) fn refuse_command(&mut self, slot: Slot, msg: &'static str) {
        self.reject(slot, &Reject::new(INVALID, msg, None));
    }

    fn reject(&mut self, slot: Slot, reject: &Reject) {
        self.shared.metrics.shards[self.id].counters.command_errors.one();
        let mut text = Vec::new();
        reject.write(&mut text);
        self.say(slot, &text);
    }
}
