//! A venue on a virtual clock that enforces the limits of its page and remembers every time they were broken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Conn;

#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub messages_per_second: usize,
    pub streams_per_connection: usize,
    pub connections: usize,
    /// The relay is configured above `streams_per_connection`: exceeding it is how it finds out.
    pub is_limit_unknown: bool,
    /// Code 4 also costs the connection, as at Binance.
    pub closes_when_too_many: bool,
    pub latency_ms: u64,
}

/// What the venue sends.
#[derive(Debug, Clone)]
pub(super) enum Push {
    Ack(u64),
    Error {
        id: u64,
        code: i64,
        msg: &'static str,
    },
    /// One frame of each of these.
    Data(Vec<String>),
    Ping,
    Pong,
    Close,
}

#[derive(Default)]
struct Client {
    names: BTreeSet<String>,
    arrivals: VecDeque<u64>,
    last_arrival: u64,
    last_push: u64,
    /// Neither reads nor writes any more, without a close.
    is_stalled: bool,
}

pub(super) struct Venue {
    pub rules: Rules,
    pub random: StdRng,
    pub violations: Vec<String>,
    clients: BTreeMap<Conn, Client>,
}

/// Names with this prefix refuse the whole list they are in.
pub(super) const BAD: &str = "bad-";
/// Names with this prefix are acknowledged and stay silent.
pub(super) const GHOST: &str = "ghost-";

impl Venue {
    pub fn new(rules: Rules, seed: u64) -> Self {
        Self { rules, random: StdRng::seed_from_u64(seed), violations: Vec::new(), clients: BTreeMap::new() }
    }

    pub fn accept(&mut self, conn: Conn) {
        self.clients.insert(conn, Client::default());
        if self.clients.len() > self.rules.connections {
            self.violations.push(format!("{} connections", self.clients.len()));
        }
    }

    pub fn forget(&mut self, conn: Conn) {
        self.clients.remove(&conn);
    }

    pub fn conns(&self) -> Vec<Conn> {
        self.clients.keys().copied().collect()
    }

    pub fn stall(&mut self, conn: Conn) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.is_stalled = true;
        }
    }

    /// When something sent now gets to the venue; never before what was sent earlier.
    pub fn arrival(&mut self, conn: Conn, now: u64) -> u64 {
        let latency = self.random.random_range(0..=self.rules.latency_ms);
        let Some(client) = self.clients.get_mut(&conn) else {
            return now;
        };
        client.last_arrival = client.last_arrival.max(now + latency);
        client.last_arrival
    }

    /// The same in the other direction.
    pub fn departure(&mut self, conn: Conn, now: u64) -> u64 {
        let latency = self.random.random_range(0..=self.rules.latency_ms);
        let Some(client) = self.clients.get_mut(&conn) else {
            return now;
        };
        client.last_push = client.last_push.max(now + latency);
        client.last_push
    }

    /// A client message of any kind; a text is a request.
    pub fn receive(&mut self, conn: Conn, text: Option<&str>, now: u64) -> Vec<Push> {
        let limit = self.rules.messages_per_second;
        let Some(client) = self.clients.get_mut(&conn) else {
            return Vec::new();
        };
        client.arrivals.push_back(now);
        while client.arrivals.front().is_some_and(|&at| at + 1_000 < now) {
            client.arrivals.pop_front();
        }
        if client.arrivals.len() > limit {
            self.violations.push(format!("{} messages within a second at {now}", client.arrivals.len()));
        }
        if client.is_stalled {
            return Vec::new();
        }
        match text {
            Some(text) => self.request(conn, text),
            None => Vec::new(),
        }
    }

    fn request(&mut self, conn: Conn, text: &str) -> Vec<Push> {
        let request: serde_json::Value = serde_json::from_str(text).expect("a request is JSON");
        let id = request["id"].as_u64().expect("an id");
        let params = request["params"].as_array().expect("names").iter();
        let names: Vec<_> = params.map(|name| name.as_str().expect("a name").to_owned()).collect();
        if names.len() > 200 {
            self.violations.push(format!("{} names in one request", names.len()));
        }
        if names.iter().any(|name| name.starts_with(BAD)) {
            return vec![Push::Error { id, code: 2, msg: "Invalid request: invalid stream" }];
        }
        if request["method"] == "UNSUBSCRIBE" {
            let client = self.clients.get_mut(&conn).expect("it is connected");
            for name in &names {
                if !client.names.remove(name) {
                    self.violations.push(format!("{name} is unsubscribed and was not subscribed"));
                }
            }
            return vec![Push::Ack(id)];
        }
        let doubled = names.iter().filter(|&name| self.clients.values().any(|client| client.names.contains(name)));
        let doubled: Vec<_> = doubled.map(|name| format!("{name} is subscribed twice")).collect();
        self.violations.extend(doubled);
        let client = self.clients.get_mut(&conn).expect("it is connected");
        if client.names.len() + names.len() > self.rules.streams_per_connection {
            if !self.rules.is_limit_unknown {
                self.violations.push(format!("{} streams and {} more", client.names.len(), names.len()));
            }
            let error = Push::Error { id, code: 4, msg: "Too many subscriptions" };
            return if self.rules.closes_when_too_many { vec![error, Push::Close] } else { vec![error] };
        }
        client.names.extend(names);
        vec![Push::Ack(id)]
    }

    /// One piece of data for everything subscribed.
    pub fn publish(&self) -> Vec<(Conn, Vec<String>)> {
        let clients = self.clients.iter().filter(|(_, client)| !client.is_stalled);
        let names = |client: &Client| {
            let names = client.names.iter();
            names.filter(|name| !name.starts_with(GHOST)).cloned().collect()
        };
        clients.map(|(&conn, client)| (conn, names(client))).collect()
    }

    pub fn is_stalled(&self, conn: Conn) -> bool {
        self.clients.get(&conn).is_none_or(|client| client.is_stalled)
    }

    /// Every name that is subscribed, on every connection.
    pub fn held(&self) -> Vec<String> {
        let mut names: Vec<_> = self.clients.values().flat_map(|client| client.names.iter().cloned()).collect();
        names.sort();
        names
    }
}
