//! What really happened: which numbers of each stream were sent, and which were kept back, and why.
//!
//! A message's [`Ticket`] is shared by the connections it goes to. When the last of them is done with it, the truth
//! knows whether any took it.

use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Remembered of each list; what is older is counted only.
const ENTRIES_MAX: usize = 10_000;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Handed to the kernel, for one connection at least.
    Sent,
    /// Somebody had subscribed, and a fault or the connection's end kept it back.
    Withheld,
    /// Nobody was subscribed at that moment.
    Unheard,
}

/// Messages that follow each other on their stream: places in the stream, and the venue's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    last_place: u64,
    from: u64,
    to: u64,
}

#[derive(Default)]
struct StreamTruth {
    /// By fate, then by the first place.
    runs: BTreeMap<Fate, BTreeMap<u64, Run>>,
    duplicated: u64,
    reordered: u64,
    corrupted: u64,
}

#[derive(Default)]
pub struct Truth {
    streams: BTreeMap<Rc<str>, StreamTruth>,
    violations: BTreeMap<&'static str, u64>,
    violation_list: VecDeque<Value>,
    faults: VecDeque<Value>,
    connections: VecDeque<Value>,
    counters: BTreeMap<&'static str, u64>,
}

pub type SharedTruth = Rc<RefCell<Truth>>;

/// One message on its way.
pub struct Ticket {
    stream: Rc<str>,
    place: u64,
    from: u64,
    to: u64,
    heard: Cell<bool>,
    sent: Cell<bool>,
    truth: SharedTruth,
}

impl Ticket {
    pub fn new(truth: &SharedTruth, stream: &Rc<str>, place: u64, (from, to): (u64, u64)) -> Rc<Self> {
        let (heard, sent) = (Cell::new(false), Cell::new(false));
        Rc::new(Self { stream: Rc::clone(stream), place, from, to, heard, sent, truth: Rc::clone(truth) })
    }

    /// Somebody is subscribed.
    pub fn hear(&self) {
        self.heard.set(true);
    }

    pub fn send(&self) {
        self.sent.set(true);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let fate = match (self.sent.get(), self.heard.get()) {
            (true, _) => Fate::Sent,
            (false, true) => Fate::Withheld,
            (false, false) => Fate::Unheard,
        };
        self.truth.borrow_mut().note(&self.stream, fate, self.place, (self.from, self.to));
    }
}

impl Truth {
    fn stream(&mut self, name: &Rc<str>) -> &mut StreamTruth {
        self.streams.entry(Rc::clone(name)).or_default()
    }

    /// Joins the message to the runs it touches.
    fn note(&mut self, name: &Rc<str>, fate: Fate, place: u64, (from, to): (u64, u64)) {
        let runs = self.stream(name).runs.entry(fate).or_default();
        let mut run = Run { last_place: place, from, to };
        if let Some(next) = place.checked_add(1).and_then(|next| runs.remove(&next)) {
            (run.last_place, run.to) = (next.last_place, next.to);
        }
        if let Some((_, before)) = runs.range_mut(..place).next_back()
            && before.last_place + 1 == place
        {
            (before.last_place, before.to) = (run.last_place, run.to);
            return;
        }
        runs.insert(place, run);
    }

    pub fn duplicated(&mut self, name: &Rc<str>) {
        self.stream(name).duplicated += 1;
    }

    pub fn reordered(&mut self, name: &Rc<str>) {
        self.stream(name).reordered += 1;
    }

    pub fn corrupted(&mut self, name: &Rc<str>) {
        self.stream(name).corrupted += 1;
    }

    /// A limit or a rule of the venue was broken.
    pub fn violation(&mut self, kind: &'static str, at_ms: u64, connection: Option<u64>, detail: &str) {
        *self.violations.entry(kind).or_default() += 1;
        push(
            &mut self.violation_list,
            json!({"kind": kind, "at_ms": at_ms, "connection": connection, "detail": detail}),
        );
    }

    pub fn violations_total(&self) -> u64 {
        self.violations.values().sum()
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counters.entry(what).or_default() += 1;
    }

    pub fn fault_began(&mut self, id: u64, at_ms: u64, fault: &Value, connections: Option<&[u64]>) {
        push(
            &mut self.faults,
            json!({"id": id, "began_ms": at_ms, "ended_ms": null, "fault": fault, "connections": connections}),
        );
    }

    pub fn fault_ended(&mut self, id: u64, at_ms: u64, affected: u64) {
        if let Some(entry) = self.faults.iter_mut().rev().find(|entry| entry["id"] == id) {
            entry["ended_ms"] = at_ms.into();
            entry["messages"] = affected.into();
        }
    }

    pub fn connection_began(&mut self, id: u64, at_ms: u64, peer: &str, target: &str) {
        push(
            &mut self.connections,
            json!({"id": id, "began_ms": at_ms, "ended_ms": null, "peer": peer, "target": target}),
        );
    }

    pub fn connection_ended(&mut self, id: u64, at_ms: u64, why: &str, sent: u64) {
        if let Some(entry) = self.connections.iter_mut().rev().find(|entry| entry["id"] == id) {
            entry["ended_ms"] = at_ms.into();
            entry["why"] = why.into();
            entry["messages_sent"] = sent.into();
        }
    }

    pub fn to_json(&self) -> Value {
        let streams: serde_json::Map<String, Value> =
            self.streams.iter().map(|(name, truth)| (name.to_string(), truth.to_json())).collect();
        json!({
            "streams": streams,
            "violations_total": self.violations_total(),
            "violations": self.violations,
            "violation_list": self.violation_list,
            "faults": self.faults,
            "connections": self.connections,
            "counters": self.counters,
        })
    }
}

impl StreamTruth {
    fn to_json(&self) -> Value {
        let runs = |fate| -> Vec<Value> {
            let runs = self.runs.get(&fate).into_iter().flatten();
            runs.map(|(place, run)| json!({"from": run.from, "to": run.to, "messages": run.last_place - place + 1}))
                .collect()
        };
        json!({
            "sent": runs(Fate::Sent),
            "withheld": runs(Fate::Withheld),
            "unheard": runs(Fate::Unheard),
            "duplicated": self.duplicated,
            "reordered": self.reordered,
            "corrupted": self.corrupted,
        })
    }
}

fn push(list: &mut VecDeque<Value>, entry: Value) {
    if list.len() >= ENTRIES_MAX {
        list.pop_front();
    }
    list.push_back(entry);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages are told as ranges whatever order they end in, and one that any connection took was sent.
    #[test]
    fn ranges() {
        let truth = SharedTruth::default();
        let name: Rc<str> = "a@trade".into();
        let tickets: Vec<_> = (0..10).map(|n| Ticket::new(&truth, &name, n, (100 + 2 * n, 101 + 2 * n))).collect();
        for (n, ticket) in tickets.iter().enumerate() {
            if n < 8 {
                ticket.hear();
            }
            if !(3..5).contains(&n) && n < 8 {
                let other = Rc::clone(ticket);
                other.send();
            }
        }
        let mut tickets: Vec<_> = tickets.into_iter().map(Some).collect();
        for n in [9, 1, 0, 2, 4, 3, 7, 5, 6, 8] {
            tickets[n] = None;
        }
        let told = truth.borrow().to_json();
        let stream = &told["streams"]["a@trade"];
        assert_eq!(
            stream["sent"],
            json!([{"from": 100, "to": 105, "messages": 3}, {"from": 110, "to": 115, "messages": 3}])
        );
        assert_eq!(stream["withheld"], json!([{"from": 106, "to": 109, "messages": 2}]));
        assert_eq!(stream["unheard"], json!([{"from": 116, "to": 119, "messages": 2}]));
    }
}
