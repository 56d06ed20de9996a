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
    /// Answers for each name, and not at all for those that begin with `MUTE`.
    pub answers_each: bool,
    /// Wants to be greeted before anything else.
    pub is_greeted: bool,
    /// Cuts a connection at this age.
    pub life_ms: Option<u64>,
    pub connects_per_window: usize,
    pub connect_window_ms: u64,
    pub requests_per_hour: Option<usize>,
    pub names_per_unsubscribe: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            messages_per_second: 10,
            streams_per_connection: 1_024,
            connections: 5,
            is_limit_unknown: false,
            closes_when_too_many: false,
            latency_ms: 0,
            answers_each: false,
            is_greeted: false,
            life_ms: None,
            connects_per_window: 300,
            connect_window_ms: 300_000,
            requests_per_hour: None,
            names_per_unsubscribe: 200,
        }
    }
}

/// What the venue sends.
#[derive(Debug, Clone)]
pub(super) enum Push {
    Ack(u64),
    Granted(String),
    Denied(String),
    Ready,
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
    /// Subscribed, and nothing comes until it is subscribed anew.
    deaf: BTreeSet<String>,
    requests: VecDeque<u64>,
    is_greeted: bool,
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
    /// Places of each lane.
    pub places: usize,
    /// These are being replaced: what they hold may be held elsewhere too.
    pub rotating: BTreeSet<Conn>,
    accepted: VecDeque<u64>,
    clients: BTreeMap<Conn, Client>,
}

/// What a venue wants to hear first, if it wants to be greeted.
pub(super) const GREETING: &str = "hello";
/// Names with this prefix refuse the whole list they are in.
pub(super) const BAD: &str = "bad-";
/// Names with this prefix are acknowledged and stay silent.
pub(super) const GHOST: &str = "ghost-";
/// Names with this prefix get no answer from a venue that answers each.
pub(super) const MUTE: &str = "mute-";

impl Venue {
    pub fn new(rules: Rules, seed: u64) -> Self {
        Self {
            rules,
            random: StdRng::seed_from_u64(seed),
            violations: Vec::new(),
            places: usize::MAX,
            rotating: BTreeSet::new(),
            accepted: VecDeque::new(),
            clients: BTreeMap::new(),
        }
    }

    pub fn accept(&mut self, conn: Conn) {
        self.clients.insert(conn, Client::default());
        let is_near = |other: &&Conn| other.index / self.places == conn.index / self.places;
        let count = self.clients.keys().filter(is_near).count();
        let spare = self.rotating.iter().filter(is_near).count().min(self.places - self.rules.connections);
        if count > self.rules.connections + spare {
            self.violations.push(format!("{count} connections in one lane"));
        }
    }

    /// Somebody dials, whatever comes of it.
    pub fn dialled(&mut self, now: u64) {
        self.accepted.push_back(now);
        while self.accepted.front().is_some_and(|&at| at + self.rules.connect_window_ms <= now) {
            self.accepted.pop_front();
        }
        if self.accepted.len() > self.rules.connects_per_window {
            self.violations.push(format!("{} connects in a window", self.accepted.len()));
        }
    }

    /// A stream that falls silent.
    pub fn silence(&mut self, conn: Conn, name: &str) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.deaf.insert(name.to_owned());
        }
    }

    pub fn names(&self, conn: Conn) -> Vec<String> {
        self.clients.get(&conn).map_or(Vec::new(), |client| client.names.iter().cloned().collect())
    }

    pub fn forget(&mut self, conn: Conn) {
        self.rotating.remove(&conn);
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
            Some(GREETING) => {
                client.is_greeted = true;
                vec![Push::Ready]
            }
            Some(text) if !text.starts_with('{') => Vec::new(),
            Some(text) => self.request(conn, text, now),
            None => Vec::new(),
        }
    }

    fn request(&mut self, conn: Conn, text: &str, now: u64) -> Vec<Push> {
        self.check_request(conn, now);
        let request: serde_json::Value = serde_json::from_str(text).expect("a request is JSON");
        let id = request["id"].as_u64().expect("an id");
        let params = request["params"].as_array().expect("names").iter();
        let names: Vec<_> = params.map(|name| name.as_str().expect("a name").to_owned()).collect();
        if names.len() > 200 {
            self.violations.push(format!("{} names in one request", names.len()));
        }
        if self.rules.answers_each {
            return self.request_each(conn, request["method"] == "UNSUBSCRIBE", names);
        }
        if names.iter().any(|name| name.starts_with(BAD)) {
            return vec![Push::Error { id, code: 2, msg: "Invalid request: invalid stream" }];
        }
        if request["method"] == "UNSUBSCRIBE" {
            self.unsubscribe(conn, &names);
            return vec![Push::Ack(id)];
        }
        self.check_doubled(&names);
        let client = self.clients.get_mut(&conn).expect("it is connected");
        if client.names.len() + names.len() > self.rules.streams_per_connection {
            if !self.rules.is_limit_unknown {
                self.violations.push(format!("{} streams and {} more", client.names.len(), names.len()));
            }
            let error = Push::Error { id, code: 4, msg: "Too many subscriptions" };
            return if self.rules.closes_when_too_many { vec![error, Push::Close] } else { vec![error] };
        }
        for name in &names {
            client.deaf.remove(name);
        }
        client.names.extend(names);
        vec![Push::Ack(id)]
    }

    fn check_request(&mut self, conn: Conn, now: u64) {
        let client = self.clients.get_mut(&conn).expect("it is connected");
        if self.rules.is_greeted && !client.is_greeted {
            self.violations.push("a request before the greeting".to_owned());
        }
        client.requests.push_back(now);
        while client.requests.front().is_some_and(|&at| at + 3_600_000 < now) {
            client.requests.pop_front();
        }
        if self.rules.requests_per_hour.is_some_and(|max| client.requests.len() > max) {
            self.violations.push(format!("{} requests in an hour", client.requests.len()));
        }
    }

    fn request_each(&mut self, conn: Conn, is_end: bool, names: Vec<String>) -> Vec<Push> {
        if is_end {
            self.unsubscribe(conn, &names);
            return names.into_iter().map(Push::Granted).collect();
        }
        self.check_doubled(&names);
        let client = self.clients.get_mut(&conn).expect("it is connected");
        let mut pushes = Vec::new();
        for name in names {
            if name.starts_with(BAD) {
                pushes.push(Push::Denied(name));
            } else if !name.starts_with(MUTE) {
                client.names.insert(name.clone());
                client.deaf.remove(&name);
                pushes.push(Push::Granted(name));
            }
        }
        if client.names.len() > self.rules.streams_per_connection {
            self.violations.push(format!("{} streams", client.names.len()));
        }
        pushes
    }

    fn unsubscribe(&mut self, conn: Conn, names: &[String]) {
        if names.len() > self.rules.names_per_unsubscribe {
            self.violations.push(format!("{} names in one unsubscribe", names.len()));
        }
        let client = self.clients.get_mut(&conn).expect("it is connected");
        for name in names {
            if !client.names.remove(name) {
                self.violations.push(format!("{name} is unsubscribed and was not subscribed"));
            }
        }
    }

    /// Once is enough, but while a connection is replaced.
    fn check_doubled(&mut self, names: &[String]) {
        let staying = || self.clients.iter().filter(|(conn, _)| !self.rotating.contains(conn));
        let doubled = names.iter().filter(|&name| staying().any(|(_, client)| client.names.contains(name)));
        let doubled: Vec<_> = doubled.map(|name| format!("{name} is subscribed twice")).collect();
        self.violations.extend(doubled);
    }

    /// One piece of data for everything subscribed.
    pub fn publish(&self) -> Vec<(Conn, Vec<String>)> {
        let clients = self.clients.iter().filter(|(_, client)| !client.is_stalled);
        let names = |client: &Client| {
            let names = client.names.iter();
            names.filter(|&name| !name.starts_with(GHOST) && !client.deaf.contains(name)).cloned().collect()
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
