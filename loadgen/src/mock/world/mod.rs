//! The venue as a whole, without sockets: who is connected, what goes out, what goes wrong.
//!
//! Time comes in; frames leave through each connection's [`Line`]. One thread, so nothing is locked.

mod gate;
mod publish;

use super::fault::scenario::Scenario;
use super::fault::{Act, Fault, Faults, Handling, Kind as FaultKind};
use super::http::{Reply, Request};
use super::kind::binance_rest::BinanceRest;
use super::kind::coins::Coins;
use super::kind::payload::Style;
use super::kind::{Kind, Out, Session};
use super::line::Line;
use super::market::random::Random;
use super::market::{Market, STEP_MS};
use super::rules::{Rules, Window};
use super::truth::{SharedTruth, Ticket};
use crate::frame;
use gate::{Address, refusal};
use publish::Stream;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

struct Connection {
    peer: IpAddr,
    session: Box<dyn Session>,
    line: Line,
    opened_ms: u64,
    messages: Window,
    last_message_ms: u64,
    last_ping_ms: u64,
    /// Pings without a pong: when, and what must come back.
    unanswered: Vec<(u64, Vec<u8>)>,
    /// Messages that go out after the next one of their stream.
    held: HashMap<usize, (Vec<u8>, Rc<Ticket>)>,
    handling: Handling,
    /// Closed at that time.
    ends_ms: Option<u64>,
}

pub struct World {
    kind: Kind,
    rules: Rules,
    market: Market,
    truth: SharedTruth,
    pub faults: Faults,
    scenario: Scenario,
    scenario_random: Random,
    started_ms: u64,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    streams: Vec<Stream>,
    by_name: HashMap<Rc<str>, usize>,
    addresses: HashMap<IpAddr, Address>,
    rest: BinanceRest,
    /// Only a REST venue has its documents.
    coins: Option<Coins>,
}

/// What a venue is made of.
pub struct Plan {
    pub kind: Kind,
    pub rules: Rules,
    pub market: Market,
    pub scenario: Scenario,
    pub seed: u64,
    /// How often CoinGecko's documents are made anew.
    pub documents_every_ms: u64,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let truth = SharedTruth::default();
        let Plan { kind, rules, market, scenario, seed, documents_every_ms } = plan;
        let seed = scenario.seed.unwrap_or(seed);
        let style = if kind == Kind::BinanceUsdm { Style::Usdm } else { Style::Spot };
        Self {
            kind,
            rules,
            started_ms: market.now_ms(),
            market,
            faults: Faults::new(seed, truth.clone()),
            scenario,
            scenario_random: Random::new(seed, "scenario"),
            connections: BTreeMap::new(),
            next_connection: 1,
            streams: Vec::new(),
            by_name: HashMap::new(),
            addresses: HashMap::new(),
            rest: BinanceRest::new(style, truth.clone()),
            coins: (kind == Kind::Rest).then(|| Coins::new(documents_every_ms, truth.clone())),
            truth,
        }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// One frame of a client.
    pub fn receive(&mut self, id: u64, opcode: u8, payload: &[u8], now_ms: u64) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.last_message_ms = now_ms;
        if opcode == frame::CLOSE {
            let code = frame::close_code(payload);
            connection.line.say_frame(frame::CLOSE, payload);
            return self.end(id, &format!("closed by the client with {code}"), now_ms);
        }
        if let Some(limit) = self.rules.messages
            && !connection.messages.note(limit, now_ms)
        {
            let detail = format!("more than {} in {} ms", limit.count, limit.window_ms);
            self.truth.borrow_mut().violation("message-rate", now_ms, Some(id), &detail);
            self.addresses.entry(connection.peer).or_default().offend(now_ms);
            return self.close(id, 1008, "Too many requests", now_ms);
        }
        match opcode {
            frame::PING => connection.line.say_frame(frame::PONG, payload),
            frame::PONG => {
                if connection.unanswered.iter().any(|ping| ping.1 == payload) {
                    connection.unanswered.clear();
                }
            }
            frame::TEXT => match std::str::from_utf8(payload) {
                Ok(text) => {
                    let mut out = Vec::new();
                    connection.session.text(text, now_ms, &self.market, &mut out);
                    self.carry_out(id, out, now_ms);
                }
                Err(_) => self.close(id, 1007, "", now_ms),
            },
            _ => self.close(id, 1003, "", now_ms),
        }
    }

    /// The socket is gone.
    pub fn gone(&mut self, id: u64, why: &str, now_ms: u64) {
        self.end(id, why, now_ms);
    }

    fn carry_out(&mut self, id: u64, out: Vec<Out>, now_ms: u64) {
        for out in out {
            match out {
                Out::Say(text) => self.say(id, &text, now_ms),
                Out::Join(name, source) => self.join(id, &name, source),
                Out::Leave(name) => self.leave(id, &name),
                Out::Violation(kind, detail) => {
                    self.truth.borrow_mut().violation(kind, now_ms, Some(id), &detail);
                }
                Out::Close(code, reason) => self.close(id, code, reason, now_ms),
            }
        }
    }

    fn say(&mut self, id: u64, text: &str, now_ms: u64) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.handling.frozen
        {
            connection.last_message_ms = now_ms;
            connection.line.say_frame(frame::TEXT, text.as_bytes());
        }
    }

    fn close(&mut self, id: u64, code: u16, reason: &str, now_ms: u64) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.handling.frozen
        {
            connection.line.say_frame(frame::CLOSE, &close_payload(code, reason));
        }
        self.end(id, &format!("closed with {code} {reason}"), now_ms);
    }

    fn end(&mut self, id: u64, why: &str, now_ms: u64) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        for stream in &mut self.streams {
            stream.subscribers.retain(|subscriber| *subscriber != id);
        }
        self.faults.heal(id, None);
        self.truth.borrow_mut().connection_ended(id, now_ms, why, connection.line.sent());
        connection.line.finish();
    }

    /// Brings the venue to this time.
    pub fn tick(&mut self, now_ms: u64) {
        for fault in self.scenario.due(now_ms.saturating_sub(self.started_ms), &mut self.scenario_random) {
            self.begin(fault, now_ms);
        }
        self.faults.tick(now_ms);
        while self.market.now_ms() + STEP_MS <= now_ms {
            self.market.step();
            self.send_due(now_ms);
        }
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.tend(id, now_ms));
    }

    /// Pings, time-outs and the end of lives.
    fn tend(&mut self, id: u64, now_ms: u64) {
        let rules = self.rules;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.handling = self.faults.handling(id);
        connection.line.handle(connection.handling);
        if connection.line.is_overfull() {
            self.truth.borrow_mut().count("slow_readers");
            self.act(Act::Cut(vec![id]), now_ms);
            return;
        }
        if connection.handling.frozen {
            return;
        }
        if connection.ends_ms.is_some_and(|end| end <= now_ms) {
            return self.close(id, 1001, "", now_ms);
        }
        if rules.life_ms.is_some_and(|life| connection.opened_ms + life <= now_ms) {
            return self.close(id, 1001, "", now_ms);
        }
        if let Some(idle) = rules.idle
            && connection.last_message_ms + idle.after_ms <= now_ms
        {
            self.truth.borrow_mut().violation("idle", now_ms, Some(id), "nothing was said for too long");
            return self.close(id, idle.code, idle.reason, now_ms);
        }
        if connection.unanswered.first().is_some_and(|ping| ping.0 + rules.pong_within_ms <= now_ms) {
            self.truth.borrow_mut().violation("pong-timeout", now_ms, Some(id), "a ping was not answered");
            return self.close(id, 1008, "Pong timeout", now_ms);
        }
        if rules.ping_every_ms.is_some_and(|every| connection.last_ping_ms + every <= now_ms) {
            let payload = now_ms.to_string().into_bytes();
            connection.line.say_frame(frame::PING, &payload);
            connection.last_ping_ms = now_ms;
            connection.unanswered.push((now_ms, payload));
        }
        let mut out = Vec::new();
        connection.session.tick(now_ms, &mut out);
        self.carry_out(id, out, now_ms);
    }

    /// Begins a fault; its number.
    pub fn begin(&mut self, fault: Fault, now_ms: u64) -> u64 {
        let live: Vec<(u64, Vec<String>)> = self.connections.keys().map(|&id| (id, self.streams_of(id))).collect();
        let (number, act) = self.faults.begin(fault, &live, now_ms);
        if let Some(act) = act {
            self.act(act, now_ms);
        }
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.tend(id, now_ms));
        number
    }

    fn streams_of(&self, id: u64) -> Vec<String> {
        let held = self.streams.iter().filter(|stream| stream.subscribers.contains(&id));
        held.map(|stream| stream.name.to_string()).collect()
    }

    fn act(&mut self, act: Act, now_ms: u64) {
        match act {
            Act::Cut(ids) => {
                for id in ids {
                    if let Some(connection) = self.connections.get(&id) {
                        connection.line.cut();
                    }
                    self.end(id, "cut", now_ms);
                }
            }
            Act::Close(ids, code, reason) => ids.into_iter().for_each(|id| self.close(id, code, &reason, now_ms)),
            Act::Shutdown(ids, ends_ms) => {
                for id in ids {
                    let Some(connection) = self.connections.get_mut(&id) else {
                        continue;
                    };
                    connection.ends_ms = Some(ends_ms);
                    if let Some(notice) = connection.session.notice(now_ms) {
                        self.say(id, &notice, now_ms);
                    }
                }
            }
            Act::BookReset => self.market.reset_books(),
        }
    }

    /// A plain HTTP call.
    pub fn rest(&mut self, request: &Request, peer: SocketAddr, now_ms: u64) -> Reply {
        if let Some((status, retry_after)) = self.faults.http(now_ms) {
            return refusal(status, retry_after);
        }
        self.truth.borrow_mut().count("rest_calls");
        if let Some(coins) = &mut self.coins
            && let Some(reply) = coins.answer(request, peer.ip(), now_ms, &self.market)
        {
            return reply;
        }
        self.rest.answer(&request.target, peer.ip(), now_ms, &self.market)
    }

    /// Whether the listener takes connections.
    pub fn refuses(&self) -> bool {
        self.faults.is_active(|kind| *kind == FaultKind::Refuse)
    }

    /// Whether nothing at all is answered.
    pub fn is_deaf(&self) -> bool {
        self.faults.active().any(|active| active.is_half_open_for_all())
    }

    /// Every connection ends, and every fault.
    pub fn stop(&mut self, now_ms: u64) {
        self.faults.end_all(now_ms);
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.close(id, 1001, "", now_ms));
    }

    pub fn tell(&self) -> Value {
        let mut told = self.truth.borrow().to_json();
        told["now_ms"] = self.market.now_ms().into();
        told["connections_now"] = self.connections.len().into();
        told
    }
}

/// 1005 is never sent: it stands for a CLOSE without a code.
fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    match code {
        1005 => Vec::new(),
        code => [&code.to_be_bytes(), reason.as_bytes()].concat(),
    }
}
