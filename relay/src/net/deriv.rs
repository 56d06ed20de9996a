//! The Deriv dialect's requests, and what a client of it keeps.

use super::conn::Speaks;
use super::market::Answered;
use super::shard::Shard;
use crate::fanout::slab::Slot;
use crate::fanout::subscribe::From;
use crate::fanout::topics::Refused;
use crate::limits::{DERIV_HISTORIES_MAX, DERIV_QUESTIONS_MAX, DERIV_SPOTS_OF_PAIRS_MAX, LARGE_REPLIES_BYTES_MAX};
use crate::market::deriv::{history, symbols};
use crate::market::product::{Answer, Question};
use crate::market::topic::Topic;
use crate::wire::deriv::budget::{Budget, Cost, may_subscribe};
use crate::wire::deriv::id::{SubscriptionId, subscription_id};
use crate::wire::deriv::push::{self, PushKind};
use crate::wire::deriv::reject::Reject;
use crate::wire::deriv::reply;
use crate::wire::deriv::request::{self, Call, Echo, Forgotten, HistoryCall, Request};

/// What a connection keeps for its dialect.
pub struct Client {
    /// Whether its app_id is one of those that are served.
    welcome: bool,
    budget: Budget,
    subscriptions: Vec<Subscription>,
    pending: Vec<Pending>,
    next_token: u32,
    /// How far its subscriptions were when the sweep last looked: data is traffic as well.
    pub progress: u64,
}

struct Subscription {
    id: SubscriptionId,
    /// None: `website_status`, which has no news.
    topic: Option<Topic>,
}

/// A question to the market.
struct Pending {
    token: u32,
    echo: Echo,
    what: Waiting,
}

enum Waiting {
    /// `ticks` without `subscribe`.
    Tick {
        symbol: Box<str>,
        id: SubscriptionId,
    },
    History {
        call: HistoryCall,
        id: SubscriptionId,
    },
    /// `active_symbols: full`: the spots that are known so far, and how many are not.
    Spots {
        spots: Vec<(Box<str>, Option<Vec<u8>>)>,
        left: usize,
    },
}

impl Client {
    pub fn new(welcome: bool) -> Client {
        Client {
            welcome,
            budget: Budget::default(),
            subscriptions: Vec::new(),
            pending: Vec::new(),
            next_token: 0,
            progress: 0,
        }
    }

    /// Lets go of what an idle client needs no more.
    pub fn rest(&mut self, now_ms: u64) {
        self.budget.release(now_ms);
    }

    fn holds(&self, topic: &Topic) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.topic.as_ref() == Some(topic))
    }
}

impl Shard {
    fn deriv(&mut self, slot: Slot) -> Option<&mut Client> {
        match &mut self.fanout.session_mut(slot)?.conn.speaks {
            Speaks::Deriv(client) => Some(client),
            _ => None,
        }
    }

    pub(super) fn take_deriv(&mut self, slot: Slot, text: &str) {
        let now_ms = self.shared.clock.now_ms();
        let Some(client) = self.deriv(slot) else { return };
        match request::parse(text) {
            Err(refusal) => {
                let reject = match client.budget.take(Cost::Call, now_ms) {
                    true => refusal.reject,
                    false => Reject::rate_limit(refusal.msg_type),
                };
                self.refuse_deriv(slot, Some(&refusal.echo), refusal.msg_type, &reject);
            }
            Ok(Request { echo, call }) => {
                let method = call.method();
                if !client.welcome {
                    return self.refuse_deriv(slot, Some(&echo), method, &Reject::invalid_app_id());
                }
                if !client.budget.take(Cost::of(&call), now_ms) {
                    return self.refuse_deriv(slot, Some(&echo), method, &Reject::rate_limit(method));
                }
                self.call(slot, echo, call);
            }
        }
    }

    pub(super) fn refuse_deriv(&mut self, slot: Slot, echo: Option<&Echo>, method: &str, reject: &Reject) {
        self.shared.metrics.shards[self.id].counters.command_errors.one();
        let mut out = Vec::new();
        reply::error(echo, method, reject, &mut out);
        self.say(slot, &out);
    }

    fn call(&mut self, slot: Slot, echo: Echo, call: Call) {
        let mut out = Vec::new();
        match call {
            Call::Ping => reply::ping(&echo, &mut out),
            Call::Time => reply::time(&echo, self.shared.clock.calendar_ms() / 1000, &mut out),
            Call::ActiveSymbols { .. } if self.owes_much(slot) => {
                const METHOD: &str = "active_symbols";
                return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::rate_limit(METHOD));
            }
            Call::ActiveSymbols { full: false } => reply::active_symbols(&echo, &self.brief_symbols(), &mut out),
            Call::ActiveSymbols { full: true } => return self.ask_spots(slot, echo),
            Call::Ticks { symbols, subscribe } => {
                for symbol in &symbols {
                    self.ticks(slot, &echo, symbol, subscribe);
                }
                return;
            }
            Call::History(call) => return self.history(slot, echo, call),
            Call::Forget(id) => {
                let forgotten = self.forget(slot, |subscription| subscription.id.as_slice() == id.as_bytes());
                reply::forget(&echo, !forgotten.is_empty(), &mut out);
            }
            Call::ForgetAll(kinds) => {
                // Those that are to begin with an answer do not begin.
                for pending in self.deriv(slot).into_iter().flat_map(|client| &mut client.pending) {
                    if let Waiting::History { call, .. } = &mut pending.what
                        && is_of(kinds, Some(&topic_of(call)))
                    {
                        call.subscribe = false;
                    }
                }
                let forgotten = self.forget(slot, |subscription| is_of(kinds, subscription.topic.as_ref()));
                reply::forget_all(&echo, &forgotten, &mut out);
            }
            Call::WebsiteStatus { subscribe } => {
                let id = subscription_id(self.shared.secret, &echo.text, "website_status");
                let Some(client) = self.deriv(slot) else { return };
                let held = client.subscriptions.iter().any(|subscription| subscription.topic.is_none());
                if subscribe && !held && may_subscribe(client.subscriptions.len()) {
                    client.subscriptions.push(Subscription { id, topic: None });
                }
                reply::website_status(&echo, subscribe.then_some(&id), &mut out);
            }
            Call::Account(method) => {
                return self.refuse_deriv(slot, Some(&echo), method, &Reject::authorization_required());
            }
        }
        self.say(slot, &out);
    }

    /// One symbol of a call. The first tick is the answer, and a bad symbol does not stop the good ones.
    fn ticks(&mut self, slot: Slot, echo: &Echo, symbol: &str, subscribe: bool) {
        const METHOD: &str = "ticks";
        let topic = Topic::Ticks { symbol: symbol.into(), history: false };
        if !self.shared.desk.catalog.knows(&topic) {
            return self.refuse_deriv(slot, Some(echo), METHOD, &Reject::invalid_symbol(symbol));
        }
        if !self.allows_topic(slot, &topic.to_string()) {
            self.count_refused(Refused::NotAllowed);
            return self.refuse_deriv(slot, Some(echo), METHOD, &Reject::permission_denied(symbol));
        }
        let id = subscription_id(self.shared.secret, &echo.text, symbol);
        let Some(client) = self.deriv(slot) else { return };
        if client.holds(&topic) {
            return self.refuse_deriv(slot, Some(echo), METHOD, &Reject::already_subscribed(symbol));
        }
        if !subscribe {
            let what = Waiting::Tick { symbol: symbol.into(), id };
            return self.wait_for(slot, echo, METHOD, Question::Tick { symbol: symbol.into() }, what);
        }
        if !may_subscribe(client.subscriptions.len()) {
            return self.refuse_deriv(slot, Some(echo), METHOD, &Reject::rate_limit(METHOD));
        }
        let head = push::head(echo, PushKind::Tick, &id);
        match self.subscribe_topic(slot, &topic, From::Newest, &head) {
            Ok(_) => self.note_subscription(slot, id, topic),
            Err(_) => self.refuse_deriv(slot, Some(echo), METHOD, &Reject::wrong_response()),
        }
    }

    fn history(&mut self, slot: Slot, echo: Echo, call: HistoryCall) {
        const METHOD: &str = "ticks_history";
        let topic = topic_of(&call);
        if !self.shared.desk.catalog.knows(&topic) {
            return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::invalid_symbol(&call.symbol));
        }
        if !self.allows_topic(slot, &topic.to_string()) {
            self.count_refused(Refused::NotAllowed);
            return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::permission_denied(&call.symbol));
        }
        if self.owes_much(slot) {
            return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::rate_limit(METHOD));
        }
        let Some(client) = self.deriv(slot) else { return };
        let histories = client.pending.iter().filter(|pending| matches!(pending.what, Waiting::History { .. })).count();
        if histories >= DERIV_HISTORIES_MAX || client.pending.len() >= DERIV_QUESTIONS_MAX {
            return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::rate_limit(METHOD));
        }
        let mut hold = None;
        if call.subscribe {
            let waits = |pending: &Pending| matches!(&pending.what, Waiting::History { call, .. } if call.subscribe && topic_of(call) == topic);
            if client.holds(&topic) || client.pending.iter().any(waits) {
                return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::already_subscribed(&call.symbol));
            }
            if !may_subscribe(client.subscriptions.len()) {
                return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::rate_limit(METHOD));
            }
            // The market goes on from the moment it answers: it must know before that somebody listens.
            match self.hold_topic(&topic) {
                Ok(id) => hold = Some(id),
                Err(_) => return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::wrong_response()),
            }
        }
        let id = subscription_id(self.shared.secret, &echo.text, &call.symbol);
        let question = Question::History(history(&call, self.shared.clock.calendar_ms() / 1000));
        if let Some(token) = self.pend(slot, &echo, METHOD, Waiting::History { call, id }) {
            self.ask(slot, question, token, hold);
        }
    }

    fn ask_spots(&mut self, slot: Slot, echo: Echo) {
        const METHOD: &str = "active_symbols";
        let Some(client) = self.deriv(slot) else { return };
        if client.pending.iter().any(|pending| matches!(pending.what, Waiting::Spots { .. })) {
            return self.refuse_deriv(slot, Some(&echo), METHOD, &Reject::rate_limit(METHOD));
        }
        let catalog = self.shared.desk.catalog.clone();
        // The others are listed without a spot.
        let (native, pairs): (Vec<_>, Vec<_>) = catalog.symbols().iter().partition(|symbol| symbol.is_native());
        let asked = native.into_iter().chain(pairs.into_iter().take(DERIV_SPOTS_OF_PAIRS_MAX));
        let names = asked.map(|symbol| symbol.name.clone());
        // A spot is a price: those that the account may not have are not told.
        let topic = |name: &str| Topic::Ticks { symbol: name.into(), history: false }.to_string();
        let names: Vec<Box<str>> = names.filter(|name| self.allows_topic(slot, &topic(name))).collect();
        if names.is_empty() {
            let mut out = Vec::new();
            reply::active_symbols(&echo, &self.full_symbols(&[]), &mut out);
            return self.say(slot, &out);
        }
        let spots = names.iter().map(|name| (name.clone(), None)).collect();
        let Some(token) = self.pend(slot, &echo, "active_symbols", Waiting::Spots { spots, left: names.len() }) else {
            return;
        };
        for symbol in names {
            self.ask(slot, Question::Spot { symbol }, token, None);
        }
    }

    /// Whether large answers are waiting for it already.
    fn owes_much(&self, slot: Slot) -> bool {
        self.fanout.session(slot).is_some_and(|session| session.lane_len() > LARGE_REPLIES_BYTES_MAX)
    }

    /// Notes that an answer is waited for, unless the client waits for too many.
    fn pend(&mut self, slot: Slot, echo: &Echo, method: &str, what: Waiting) -> Option<u32> {
        let client = self.deriv(slot)?;
        if client.pending.len() >= DERIV_QUESTIONS_MAX {
            self.refuse_deriv(slot, Some(echo), method, &Reject::rate_limit(method));
            return None;
        }
        let token = client.next_token;
        client.next_token = token.wrapping_add(1);
        client.pending.push(Pending { token, echo: echo.clone(), what });
        Some(token)
    }

    fn wait_for(&mut self, slot: Slot, echo: &Echo, method: &str, question: Question, what: Waiting) {
        if let Some(token) = self.pend(slot, echo, method, what) {
            self.ask(slot, question, token, None);
        }
    }

    /// What the market says.
    pub(super) fn answer_deriv(&mut self, slot: Slot, answered: Answered) {
        let Answered { token, answer, after, about, .. } = answered;
        let Some(client) = self.deriv(slot) else { return };
        let Some(at) = client.pending.iter().position(|pending| pending.token == token) else { return };
        if let Waiting::Spots { spots, left } = &mut client.pending[at].what {
            if let (Some(Answer::Json { body, .. }), Question::Spot { symbol }) = (answer, about)
                && let Some((_, spot)) = spots.iter_mut().find(|(name, _)| *name == symbol)
            {
                *spot = Some(body);
            }
            *left -= 1;
            if *left > 0 {
                return;
            }
            let Pending { echo, what, .. } = client.pending.swap_remove(at);
            let Waiting::Spots { spots, .. } = what else { return };
            let rows = self.full_symbols(&spots);
            let mut out = Vec::new();
            reply::active_symbols(&echo, &rows, &mut out);
            return self.say(slot, &out);
        }
        let Pending { echo, what, .. } = client.pending.swap_remove(at);
        match what {
            Waiting::Tick { symbol, id } => match answer {
                Some(Answer::Json { body, .. }) => {
                    let mut out = push::one_shot_head(&echo, &id);
                    out.extend_from_slice(&body);
                    self.say(slot, &out);
                }
                other => self.refuse_deriv(slot, Some(&echo), "ticks", &no_answer(other.as_ref(), &symbol)),
            },
            Waiting::History { call, id } => match answer {
                Some(Answer::Json { body, pip_size }) => {
                    let subscribed = call.subscribe.then_some(&id);
                    let mut out = Vec::new();
                    reply::history(&echo, call.style, &body, pip_size, subscribed, &mut out);
                    self.say(slot, &out);
                    if call.subscribe {
                        self.go_on(slot, &echo, &call, id, after.map_or(From::Kind, From::At));
                    }
                }
                other => {
                    self.refuse_deriv(slot, Some(&echo), "ticks_history", &no_answer(other.as_ref(), &call.symbol));
                }
            },
            Waiting::Spots { .. } => {}
        }
    }

    /// The pushes after an answer about the past.
    fn go_on(&mut self, slot: Slot, echo: &Echo, call: &HistoryCall, id: SubscriptionId, from: From) {
        let topic = topic_of(call);
        let kind = if call.candle_s().is_some() { PushKind::Ohlc } else { PushKind::Tick };
        match self.subscribe_topic(slot, &topic, from, &push::head(echo, kind, &id)) {
            Ok(_) => self.note_subscription(slot, id, topic),
            Err(_) => self.refuse_deriv(slot, Some(echo), "ticks_history", &Reject::wrong_response()),
        }
    }

    fn note_subscription(&mut self, slot: Slot, id: SubscriptionId, topic: Topic) {
        if let Some(client) = self.deriv(slot) {
            // Most have one for ever: no room for more until there are more.
            if client.subscriptions.is_empty() {
                client.subscriptions.reserve_exact(1);
            }
            client.subscriptions.push(Subscription { id, topic: Some(topic) });
        }
    }

    /// Ends those that match; their ids.
    fn forget(&mut self, slot: Slot, which: impl Fn(&Subscription) -> bool) -> Vec<SubscriptionId> {
        let Some(client) = self.deriv(slot) else { return Vec::new() };
        let ended: Vec<Subscription> = client.subscriptions.extract_if(.., |one| which(one)).collect();
        client.subscriptions.shrink_to_fit();
        for topic in ended.iter().filter_map(|subscription| subscription.topic.as_ref()) {
            self.unsubscribe_topic(slot, topic);
        }
        ended.into_iter().map(|subscription| subscription.id).collect()
    }

    fn brief_symbols(&self) -> Vec<u8> {
        self.symbols(|row, _, out| row.write_brief(out))
    }

    fn full_symbols(&self, spots: &[(Box<str>, Option<Vec<u8>>)]) -> Vec<u8> {
        self.symbols(|row, name, out| {
            let spot = spots.iter().find(|(known, _)| **known == *name).and_then(|(_, spot)| spot.as_deref());
            row.write_full(spot, out);
        })
    }

    fn symbols(&self, write: impl Fn(&symbols::Row, &str, &mut Vec<u8>)) -> Vec<u8> {
        let mut rows = Vec::new();
        for symbol in self.shared.desk.catalog.symbols() {
            let Some(row) = symbols::row(&symbol.name, symbol.pip_size) else { continue };
            if !rows.is_empty() {
                rows.push(b',');
            }
            write(&row, &symbol.name, &mut rows);
        }
        rows
    }
}

fn topic_of(call: &HistoryCall) -> Topic {
    let symbol = call.symbol.clone();
    match call.candle_s() {
        None => Topic::Ticks { symbol, history: true },
        Some(granularity_s) => Topic::Candles { symbol, granularity_s },
    }
}

fn is_of(kinds: Forgotten, topic: Option<&Topic>) -> bool {
    match topic {
        Some(Topic::Ticks { .. }) => kinds.ticks,
        Some(Topic::Candles { .. }) => kinds.candles,
        Some(_) => false,
        None => kinds.website_status,
    }
}

/// Why there is none.
fn no_answer(answer: Option<&Answer>, symbol: &str) -> Reject {
    match answer {
        Some(Answer::Unknown) => Reject::invalid_symbol(symbol),
        Some(Answer::Closed) => Reject::market_closed(),
        Some(Answer::Json { .. }) | None => Reject::wrong_response(),
    }
}
