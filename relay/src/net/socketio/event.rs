//! What a client wishes: prices once, by an acknowledgement, or from now on, by events.

use crate::fanout::slab::Slot;
use crate::fanout::subscribe::From;
use crate::fanout::topics::Refused;
use crate::limits::{SOCKETIO_QUESTIONS_MAX, SUBSCRIPTIONS_HARD_MAX};
use crate::market::product::{Answer, Question};
use crate::market::topic::Topic;
use crate::net::market::Answered;
use crate::net::shard::Shard;
use crate::wire::socketio::event::{self, Asked, Mode, Problem, Wish};
use crate::wire::socketio::packet::Event;
use crate::wire::socketio::reply::{self, ErrorCode};

/// An acknowledgement that waits for the market.
pub struct Pending {
    token: u32,
    /// Its digits, as the client wrote them.
    ack: Box<str>,
}

const fn problem(code: ErrorCode, message: &'static str) -> Problem {
    Problem { code, message }
}

const UNKNOWN: Problem = problem(ErrorCode::NotFound, "no such currency or symbol");
const CLOSED: Problem = problem(ErrorCode::Unavailable, "it has no price now");
const NO_DATA: Problem = problem(ErrorCode::Unavailable, "there is no data yet, please try again");
const FORBIDDEN: Problem = problem(ErrorCode::Forbidden, "your api-key does not allow this");
const NO_ROOM: Problem = problem(ErrorCode::Unavailable, "there is no room for this now, please try again");
const TOO_MANY: Problem = problem(ErrorCode::TooManySubscriptions, "too many subscriptions");
const TOO_MANY_OPEN: Problem = problem(ErrorCode::RateLimited, "too many questions at once");
const BINARY: Problem = problem(ErrorCode::BadRequest, "no event here has binary data");

impl Shard {
    pub(super) fn take_event(&mut self, slot: Slot, event: &Event<'_>) {
        match (event::read(event), event.ack) {
            (Asked::Wish(wish), ack) => {
                if let Err(problem) = self.grant(slot, wish, ack) {
                    self.refuse_event(slot, &event.name, ack, problem);
                }
            }
            (Asked::Bad(problem), ack) => self.refuse_event(slot, &event.name, ack, problem),
            (Asked::Nothing, Some(ack)) => {
                let mut out = Vec::new();
                reply::ack_nothing(ack, &mut out);
                self.say(slot, &out);
            }
            (Asked::Unknown, _) | (Asked::Nothing, None) => {
                self.shared.metrics.shards[self.id].counters.socketio_unknown_events.one();
            }
        }
    }

    fn grant(&mut self, slot: Slot, wish: Wish, ack: Option<&str>) -> Result<(), Problem> {
        let Wish { class, mode, base, symbol } = wish;
        let topic = Topic::Rates { class, base: base.clone(), symbol: symbol.clone() };
        if !self.shared.desk.catalog.knows(&topic) {
            return Err(UNKNOWN);
        }
        if !self.allows_topic(slot, &topic.to_string()) {
            self.count_refused(Refused::NotAllowed);
            return Err(FORBIDDEN);
        }
        match (mode, ack) {
            (Mode::Listen, ack) => self.listen_to(slot, &topic, ack),
            (Mode::Ack, Some(ack)) => self.ask_rates(slot, Question::Rates { class, base, symbol }, ack),
            // Who asks without waiting for the answer has been refused when it was read.
            (Mode::Ack, None) => Ok(()),
        }
    }

    /// Subscribes. A topic that is held stays as it is, and is acknowledged all the same.
    fn listen_to(&mut self, slot: Slot, topic: &Topic, ack: Option<&str>) -> Result<(), Problem> {
        let Some(session) = self.fanout.session(slot) else { return Ok(()) };
        let most = match session.conn.ticket.is_exempt() {
            true => SUBSCRIPTIONS_HARD_MAX,
            false => self.shared.config.limits.subscriptions_per_connection,
        };
        if session.subscriptions() >= most && !self.fanout.holds(slot, &topic.to_string()) {
            self.shared.metrics.shards[self.id].counters.refused_subscriptions.one();
            return Err(TOO_MANY);
        }
        self.subscribe_topic(slot, topic, From::Kind, &[]).map_err(|why| match why {
            Refused::NoUpstream => NO_DATA,
            Refused::NotAllowed => FORBIDDEN,
            Refused::UpstreamFull | Refused::TooManyUnproven | Refused::TooManyTopics => NO_ROOM,
        })?;
        if let Some(ack) = ack {
            let mut out = Vec::new();
            reply::ack_ok(ack, &mut out);
            self.say(slot, &out);
        }
        Ok(())
    }

    fn ask_rates(&mut self, slot: Slot, question: Question, ack: &str) -> Result<(), Problem> {
        let Some(session) = self.fanout.session(slot) else { return Ok(()) };
        // Who left and came back may still have questions under way, which count as well.
        let asked = usize::from(session.conn.asked);
        let Some(client) = self.client(slot) else { return Ok(()) };
        if asked >= SOCKETIO_QUESTIONS_MAX {
            return Err(TOO_MANY_OPEN);
        }
        let token = client.next_token;
        client.next_token = token.wrapping_add(1);
        client.pending.push(Pending { token, ack: ack.into() });
        self.ask(slot, question, token, None);
        Ok(())
    }

    /// What the market says to a question of a client.
    pub(in crate::net) fn answer_socketio(&mut self, slot: Slot, answered: Answered) {
        let Some(client) = self.client(slot) else { return };
        // A client that left the namespace meanwhile waits for nothing.
        let Some(at) = client.pending.iter().position(|pending| pending.token == answered.token) else { return };
        let Pending { ack, .. } = client.pending.swap_remove(at);
        if client.pending.is_empty() {
            client.pending = Vec::new();
        }
        let mut out = Vec::new();
        match answered.answer {
            Some(Answer::Json { body, .. }) => {
                reply::ack(&ack, &body, &mut out);
                return self.say(slot, &out);
            }
            Some(Answer::Unknown) => reply::ack_error(&ack, UNKNOWN, &mut out),
            Some(Answer::Closed) => reply::ack_error(&ack, CLOSED, &mut out),
            None => reply::ack_error(&ack, NO_DATA, &mut out),
        }
        self.shared.metrics.shards[self.id].counters.command_errors.one();
        self.say(slot, &out);
    }

    /// All attachments of an event came, and no event of ours has any.
    pub(super) fn refuse_binary_event(&mut self, slot: Slot, ack: Option<&str>) {
        self.shared.metrics.shards[self.id].counters.socketio_unknown_events.one();
        if ack.is_some() {
            self.refuse_event(slot, "", ack, BINARY);
        }
    }

    fn refuse_event(&mut self, slot: Slot, name: &str, ack: Option<&str>, problem: Problem) {
        self.shared.metrics.shards[self.id].counters.command_errors.one();
        let mut out = Vec::new();
        match ack {
            Some(ack) => reply::ack_error(ack, problem, &mut out),
            None => reply::error(name, problem, &mut out),
        }
        self.say(slot, &out);
    }
}
