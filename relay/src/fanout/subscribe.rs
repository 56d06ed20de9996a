//! Subscriptions of sessions: begun, ended, listed, and moved from one shard to another.
//!
//! A subscription is two entries that point at each other: the session holds the channel, the channel lists the session
//! with its position.

use super::channel::Channel;
use super::core::{Carried, Fanout, Local, Portable, Subscriber};
use super::heads::{Heads, NO_HEAD};
use super::log::Seq;
use super::session::{BLOCKED, COMBINED, Held, QUEUED};
use super::slab::Slot;
use crate::sync::Arc;

/// From which frame on a subscription gets its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// As the kind of data has it.
    Kind,
    /// From the newest one that is there.
    Newest,
    At(Seq),
}

impl<C> Fanout<C> {
    /// The channel of that name, if this shard already has subscribers of it.
    pub fn find(&self, name: &str) -> Option<&Arc<Channel>> {
        let id = *self.names.get(name)?;
        self.local(id).map(|local| &local.channel)
    }

    /// Whether somebody here subscribes to that channel.
    pub fn knows(&self, id: u32) -> bool {
        self.local(id).is_some()
    }

    pub fn channels(&self) -> usize {
        self.names.len()
    }

    /// Subscribes. A held name stays as it is; false then.
    pub fn subscribe(&mut self, slot: Slot, channel: &Arc<Channel>) -> bool {
        self.subscribe_with(slot, channel, From::Kind, &[])
    }

    /// The same with the words that the client gets before each message.
    pub fn subscribe_with(&mut self, slot: Slot, channel: &Arc<Channel>, from: From, head: &[u8]) -> bool {
        if self.sessions.get(slot).is_none() {
            return false;
        }
        let entered = self.enter(channel);
        let position = match from {
            From::Kind => entered.unwrap_or_else(|| channel.log.subscribe_position()),
            From::Newest => channel.log.head().saturating_sub(1).max(channel.log.epoch_start()),
            From::At(position) => position.min(channel.log.head()),
        };
        self.attach(slot, channel.id, position, head)
    }

    /// The sessions that hold the channel of that name.
    pub fn holders(&self, name: &str) -> Vec<Slot> {
        let local = self.names.get(name).and_then(|&id| self.local(id));
        local.map_or_else(Vec::new, |local| local.subscribers.iter().map(|subscriber| subscriber.slot).collect())
    }

    pub fn holds(&self, slot: Slot, name: &str) -> bool {
        let Some(&id) = self.names.get(name) else { return false };
        self.sessions.get(slot).is_some_and(|session| session.held.iter().any(|held| held.channel == id))
    }

    /// Ends a subscription; a name not held is no error.
    pub fn unsubscribe(&mut self, slot: Slot, name: &str) -> bool {
        let Some(&id) = self.names.get(name) else { return false };
        let Some(session) = self.sessions.get_mut(slot) else { return false };
        let Some(at) = session.held.iter().position(|held| held.channel == id) else { return false };
        let held = session.held.remove(at);
        if session.held.is_empty() {
            session.held.shrink_to_fit();
        }
        let combined = session.is(COMBINED);
        self.detach(held, combined);
        true
    }

    /// The names in the order of subscription.
    pub fn list(&self, slot: Slot) -> Vec<&str> {
        let Some(session) = self.sessions.get(slot) else { return Vec::new() };
        let name = |held: &Held| self.local(held.channel).map(|local| &*local.channel.name);
        session.held.iter().filter_map(name).collect()
    }

    /// Switches the wrapper, from the next frame on.
    pub fn set_combined(&mut self, slot: Slot, combined: bool) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if session.is(COMBINED) == combined {
            return;
        }
        session.marks ^= COMBINED;
        for held in session.held.clone() {
            if let Some(local) = self.local_mut(held.channel) {
                if combined { local.combined_count += 1 } else { local.combined_count -= 1 }
            }
        }
    }

    /// Takes a session out, whole, to put it into another shard.
    pub fn depart(&mut self, slot: Slot) -> Option<Portable<C>> {
        let held = self.sessions.get(slot)?.held.clone();
        let mut carried = Vec::with_capacity(held.len());
        for held in &held {
            if let Some(local) = self.local(held.channel) {
                let Subscriber { position, head, .. } = local.subscribers[held.index as usize];
                carried.push(Carried { channel: local.channel.clone(), position, head: local.head(head).into() });
            }
        }
        let before = self.stats.abandoned;
        self.drop_subscriptions(slot);
        self.stats.abandoned = before;
        let session = self.remove(slot)?;
        Some(Portable { session, held: carried })
    }

    /// Puts a session from another shard in. Its positions go on where they stood.
    pub fn arrive(&mut self, portable: Portable<C>) -> Slot {
        let Portable { mut session, held } = portable;
        session.held.clear();
        session.marks &= !(QUEUED | BLOCKED);
        let slot = self.sessions.insert(session);
        for Carried { channel, position, head } in held {
            self.enter(&channel);
            self.attach(slot, channel.id, position, &head);
        }
        self.enqueue(slot);
        slot
    }

    /// Makes the channel known here. Returns where its first subscriber stands, if that is this one.
    fn enter(&mut self, channel: &Arc<Channel>) -> Option<Seq> {
        let id = channel.id as usize;
        if self.locals.len() <= id {
            self.locals.resize_with(id + 1, || None);
        }
        if let Some(local) = &self.locals[id] {
            debug_assert!(Arc::ptr_eq(&local.channel, channel), "a number belongs to one channel at a time");
            return None;
        }
        channel.interest.add(self.shard as u32);
        channel.news(self.shard).take();
        // From here on every frame is told to us; what came before is read from the log.
        let position = channel.log.subscribe_position();
        let tail = loop {
            // The writer may trim between the two, where nobody watched; then there is a newer head.
            if let Ok(tail) = super::log::Log::cursor(&channel.log, channel.log.head()) {
                break tail;
            }
        };
        self.locals[id] = Some(Box::new(Local {
            tail,
            subscribers: Vec::new(),
            combined_count: 0,
            heads: Heads::default(),
            fresh: Vec::new(),
            batch: None,
            next: 0,
            left: 0,
            active: false,
            condition: channel.condition(),
            cut: None,
            channel: channel.clone(),
        }));
        self.names.insert(channel.name.clone(), channel.id);
        Some(position)
    }

    fn attach(&mut self, slot: Slot, id: u32, position: Seq, head: &[u8]) -> bool {
        let Some(session) = self.sessions.get_mut(slot) else { return false };
        if session.held.iter().any(|held| held.channel == id) {
            return false;
        }
        let local = self.locals[id as usize].as_deref_mut().expect("the channel has been entered");
        session.held.push(Held { channel: id, index: local.subscribers.len() as u32 });
        local.combined_count += u32::from(session.is(COMBINED));
        let head = if head.is_empty() { NO_HEAD } else { local.heads.add(head) };
        local.subscribers.push(Subscriber { slot, head, position });
        // The pass counts visits: one more place in its round is one more visit, or somebody is left out.
        if local.left > 0 {
            local.left = local.subscribers.len();
        }
        if local.channel.kind.is_keyed() {
            local.fresh.push(slot);
        }
        self.stats.subscribed += 1;
        // What it is owed from before the next batch is served to it alone.
        if position < local.channel.log.head() {
            self.enqueue(slot);
        }
        true
    }

    fn detach(&mut self, held: Held, combined: bool) {
        let Some(local) = self.locals[held.channel as usize].as_deref_mut() else { return };
        let removed = local.subscribers.swap_remove(held.index as usize);
        local.combined_count -= u32::from(combined);
        local.fresh.retain(|slot| *slot != removed.slot);
        if removed.head != NO_HEAD {
            local.heads.remove(removed.head);
        }
        self.stats.unsubscribed += 1;
        self.stats.abandoned += local.channel.log.head().saturating_sub(removed.position);
        // The pass visits by index: start it over, who is up to date costs nothing.
        local.next = if local.subscribers.is_empty() { 0 } else { local.next % local.subscribers.len() };
        if local.left > 0 {
            local.left = local.subscribers.len();
        }
        if let Some(moved) = local.subscribers.get(held.index as usize) {
            let old = local.subscribers.len() as u32;
            let session = self.sessions.get_mut(moved.slot).expect("a subscriber has a session");
            let back = session.held.iter_mut().find(|back| back.channel == held.channel);
            let back = back.expect("a subscriber's session holds the channel");
            debug_assert_eq!(back.index, old, "the last subscriber moved");
            back.index = held.index;
        }
        if local.subscribers.is_empty() {
            local.channel.interest.remove(self.shard as u32);
            let local = self.locals[held.channel as usize].take().expect("it was just there");
            if let Some(batch) = local.batch {
                super::turn::recycle(&mut self.spare, batch);
            }
            self.names.remove(&local.channel.name);
            self.active.retain(|&id| id != held.channel);
            self.released.push(held.channel);
        } else if local.subscribers.len() * 4 < local.subscribers.capacity() && local.subscribers.capacity() > 64 {
            local.subscribers.shrink_to(local.subscribers.len() * 2);
        }
    }

    pub(super) fn drop_subscriptions(&mut self, slot: Slot) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let combined = session.is(COMBINED);
        // One by one and through the session: a later one's index may move while an earlier one leaves.
        while let Some(held) = self.sessions.get_mut(slot).and_then(|session| session.held.pop()) {
            self.detach(held, combined);
        }
    }
}
