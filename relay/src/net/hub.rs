//! The hub dialect's requests, and how an undecided client becomes one of it.

use bytes::Bytes;

use super::conn::Speaks;
use super::shard::Shard;
use crate::fanout::slab::Slot;
use crate::fanout::subscribe::From;
use crate::fanout::topics::Refused;
use crate::market::topic::Topic;
use crate::wire::close::CloseReason;
use crate::wire::dialect::Dialect;
use crate::wire::hub::command::{self, Command};
use crate::wire::hub::first::{First, first};
use crate::wire::hub::reply::{self, Reject};

impl Shard {
    /// The first messages of a client at `/ws`, until one says what it speaks. Until then it is a stream client.
    pub(super) fn take_first(&mut self, slot: Slot, text: &str) {
        match first(text) {
            First::Hub if !self.allows_dialect(slot, Dialect::Hub) => {
                self.refuse_hub(slot, &Reject::wrong_dialect());
            }
            First::Stream | First::Undecided if !self.allows_dialect(slot, Dialect::Stream) => {
                self.refuse_command(slot, "This API key is not for the stream dialect");
            }
            First::Hub => {
                let Some(session) = self.fanout.session_mut(slot) else { return };
                session.conn.ticket.leave_place();
                session.conn.rate = None;
                session.conn.speaks = Speaks::Hub(None);
                self.take_hub(slot, text);
            }
            First::Stream => {
                let Some(session) = self.fanout.session_mut(slot) else { return };
                session.conn.speaks = Speaks::Stream;
                self.take_command(slot, text);
            }
            First::Undecided => self.take_command(slot, text),
        }
    }

    pub(super) fn take_hub(&mut self, slot: Slot, text: &str) {
        let mut answer = Vec::new();
        match command::parse(text) {
            Ok(Command::Ping) => answer.extend_from_slice(reply::PONG),
            Ok(Command::Subscribe(names)) => return self.subscribe_hub(slot, names),
            Ok(Command::Unsubscribe(names)) => {
                let topic = |name: &String| Topic::Hub { channel: name.as_str().into() };
                let held: Vec<&String> =
                    names.iter().filter(|name| self.unsubscribe_topic(slot, &topic(name))).collect();
                reply::unsubscribed(&held, self.fanout_time_ms(), &mut answer);
            }
            Err(reject) => return self.refuse_hub(slot, &reject),
        }
        self.say(slot, &answer);
    }

    /// The names that there are, then one error with the others.
    fn subscribe_hub(&mut self, slot: Slot, names: Vec<String>) {
        let desk = &self.shared.desk;
        let topic = |name: &str| Topic::Hub { channel: name.into() };
        let (known, unknown): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| desk.catalog.knows(&topic(name)));
        let (mut full, mut forbidden, mut good) = (Vec::new(), Vec::new(), Vec::new());
        for name in known {
            match self.subscribe_topic(slot, &topic(&name), From::Kind, &[]) {
                Ok(_) => good.push(name),
                Err(Refused::NotAllowed) => forbidden.push(name),
                Err(_) => full.push(name),
            }
        }
        if !good.is_empty() {
            let mut answer = Vec::new();
            reply::subscribed(&good, self.fanout_time_ms(), &mut answer);
            self.say(slot, &answer);
        }
        if !unknown.is_empty() {
            self.refuse_hub(slot, &Reject::unknown_channels(unknown));
        }
        if !forbidden.is_empty() {
            self.refuse_hub(slot, &Reject::not_allowed(forbidden));
        }
        if !full.is_empty() {
            self.refuse_hub(slot, &Reject::no_room(full));
        }
    }

    pub(super) fn refuse_hub(&mut self, slot: Slot, reject: &Reject) {
        self.shared.metrics.shards[self.id].counters.command_errors.one();
        let mut answer = Vec::new();
        reject.write(self.fanout_time_ms(), &mut answer);
        self.say(slot, &answer);
        let now_ms = self.shared.clock.now_ms();
        let Some(session) = self.fanout.session_mut(slot) else { return };
        if let Speaks::Hub(errors) = &mut session.conn.speaks
            && errors.get_or_insert_default().note(now_ms)
        {
            self.close(slot, CloseReason::TooManyErrors);
        }
    }

    /// A text for everybody who speaks hub, whatever they subscribe to.
    pub(super) fn tell_hub(&mut self, frame: &Bytes) {
        for slot in 0..self.fanout.places() {
            let Some(session) = self.fanout.session(slot) else { continue };
            // Who does not take its answers gets no more of them.
            if matches!(session.conn.speaks, Speaks::Hub(_)) && !session.lane_is_full() {
                self.fanout.tell(slot, frame);
            }
        }
    }

    fn fanout_time_ms(&self) -> u64 {
        self.shared.clock.calendar_ms()
    }
}
