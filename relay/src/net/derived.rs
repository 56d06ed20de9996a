//! Subscriptions to derived topics, for the dialects that have them.

use std::sync::Arc;

use super::conn::{Speaks, slot_of};
use super::market::{Answered, Asker};
use super::shard::Shard;
use crate::fanout::channel::Channel;
use crate::fanout::slab::Slot;
use crate::fanout::subscribe::From;
use crate::fanout::topics::{Refused, Wanted};
use crate::market::product::Question;
use crate::market::topic::Topic;
use crate::wire::dialect::Dialect;
use crate::wire::ws::encode::{self, Opcode};

impl Shard {
    /// Subscribes, if the connection's account may; false if it is held already. `head` goes before each message, where the dialect has that.
    pub(super) fn subscribe_topic(
        &mut self,
        slot: Slot,
        topic: &Topic,
        from: From,
        head: &[u8],
    ) -> Result<bool, Refused> {
        let name = topic.to_string();
        if self.fanout.holds(slot, &name) {
            return Ok(false);
        }
        if !self.allows_topic(slot, &name) {
            self.count_refused(Refused::NotAllowed);
            return Err(Refused::NotAllowed);
        }
        let channel = match self.fanout.find(&name) {
            Some(channel) => channel.clone(),
            None => self.find_topic(topic, &name)?,
        };
        Ok(self.fanout.subscribe_with(slot, &channel, from, head))
    }

    /// Has the market make a topic's messages, for a subscription that is about to begin. Each hold is to be dropped.
    pub(super) fn hold_topic(&mut self, topic: &Topic) -> Result<u32, Refused> {
        let name = topic.to_string();
        let id = match self.fanout.find(&name) {
            Some(channel) => channel.id,
            None => self.find_topic(topic, &name)?.id,
        };
        *self.holds.entry(id).or_default() += 1;
        Ok(id)
    }

    /// The subscription has begun, or will not.
    pub(super) fn drop_hold(&mut self, id: u32) {
        let Some(count) = self.holds.get_mut(&id) else { return };
        *count -= 1;
        if *count == 0 {
            self.holds.remove(&id);
            if !self.fanout.knows(id) {
                self.shared.topics.release(id, self.id);
            }
        }
    }

    fn find_topic(&mut self, topic: &Topic, name: &str) -> Result<Arc<Channel>, Refused> {
        let dialect = match topic {
            Topic::Hub { .. } => Dialect::Hub,
            Topic::Ticks { .. } | Topic::Candles { .. } => Dialect::Deriv,
            Topic::Rates { .. } => Dialect::SocketIo,
            Topic::Stream { .. } => Dialect::Stream,
        };
        let wanted = Wanted { name, kind: topic.kind(), dialect, dead: false, client: None };
        let channel = self.shared.topics.subscribe(wanted, self.id);
        channel.inspect_err(|why| self.count_refused(*why))
    }

    /// Ends a subscription; false if there was none.
    pub(super) fn unsubscribe_topic(&mut self, slot: Slot, topic: &Topic) -> bool {
        let held = self.fanout.unsubscribe(slot, &topic.to_string());
        self.release();
        held
    }

    /// Asks the market for a client; the answer comes by mail with the token.
    pub(super) fn ask(&mut self, slot: Slot, question: Question, token: u32, hold: Option<u32>) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        session.conn.asked = session.conn.asked.saturating_add(1);
        let from = Asker::Client { shard: self.id, key: session.conn.key, token, hold };
        self.shared.desk.ask(question, from);
    }

    /// What the market says to a question of a client, who may have left meanwhile.
    pub(super) fn take_answer(&mut self, answered: Answered) {
        let hold = answered.hold;
        self.answer_client(answered);
        if let Some(hold) = hold {
            self.drop_hold(hold);
        }
    }

    fn answer_client(&mut self, answered: Answered) {
        let (slot, generation) = slot_of(answered.key);
        let Some(session) = self.fanout.tenant_mut(slot, generation) else { return };
        session.conn.asked = session.conn.asked.saturating_sub(1);
        match session.conn.speaks {
            Speaks::Deriv(_) => self.answer_deriv(slot, answered),
            Speaks::SocketIo(_) => self.answer_socketio(slot, answered),
            Speaks::Stream
            | Speaks::Undecided
            | Speaks::User(_)
            | Speaks::Echo
            | Speaks::Hub(_)
            | Speaks::SocketIoProbe(_) => {}
        }
        self.end_if_too_much(slot);
    }

    pub(super) fn say(&mut self, slot: Slot, text: &[u8]) {
        let mut frame = Vec::with_capacity(text.len() + encode::HEADER_BYTES_MAX);
        encode::frame(Opcode::Text, text, &mut frame);
        self.fanout.tell(slot, &frame);
    }
}
