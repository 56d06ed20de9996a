//! The faults that go on, and what they mean for a connection and for a message.

use super::{Corruption, Fault, Kind, Pick};
use crate::mock::market::random::Random;
use crate::mock::truth::SharedTruth;
use std::collections::BTreeSet;

pub struct Active {
    pub id: u64,
    pub fault: Fault,
    until_ms: Option<u64>,
    left: Option<u64>,
    affected: u64,
    /// Those chosen when it began; none means all, also those to come.
    chosen: Option<BTreeSet<u64>>,
    /// Streams that stay silent on a connection until they are asked for again.
    silenced: BTreeSet<(u64, String)>,
}

/// What is to be done at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Cut(Vec<u64>),
    Close(Vec<u64>, u16, String),
    /// The notice, then the end at that time.
    Shutdown(Vec<u64>, u64),
    BookReset,
}

/// How a connection is to be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handling {
    pub frozen: bool,
    pub stalled: bool,
    pub bytes_per_second: Option<u64>,
}

/// What is done with one message for some connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    Drop,
    Duplicate,
    Reorder,
    Corrupt(Corruption),
}

pub struct Faults {
    active: Vec<Active>,
    next_id: u64,
    random: Random,
    truth: SharedTruth,
}

impl Faults {
    pub fn new(seed: u64, truth: SharedTruth) -> Self {
        Self { active: Vec::new(), next_id: 1, random: Random::new(seed, "faults"), truth }
    }

    /// Begins a fault. `live` has the connections and their streams.
    pub fn begin(&mut self, fault: Fault, live: &[(u64, Vec<String>)], now_ms: u64) -> (u64, Option<Act>) {
        let id = self.next_id;
        self.next_id += 1;
        let holders: Vec<u64> = live
            .iter()
            .filter(|(_, streams)| fault.streams.is_empty() || streams.iter().any(|name| fault.matches_stream(name)))
            .map(|(id, _)| *id)
            .collect();
        let mut chosen = self.choose(&fault.connections, &holders);
        if matches!(fault.kind, Kind::HalfOpen | Kind::Slow { .. }) && !fault.streams.is_empty() {
            // Streams then say which connections.
            chosen = chosen.or_else(|| Some(holders.iter().copied().collect()));
        }
        let targets: Vec<u64> = chosen.clone().map_or_else(|| holders.clone(), |chosen| chosen.into_iter().collect());
        let mut silenced = BTreeSet::new();
        if fault.kind == Kind::SilentStream {
            let mut candidates: Vec<(u64, String)> = live
                .iter()
                .filter(|(id, _)| targets.contains(id))
                .flat_map(|(id, streams)| streams.iter().map(|name| (*id, name.clone())))
                .filter(|(_, name)| fault.matches_stream(name))
                .collect();
            if fault.streams.is_empty() && !candidates.is_empty() {
                let one = self.random.below(candidates.len() as u64) as usize;
                candidates = vec![candidates.swap_remove(one)];
            }
            silenced.extend(candidates);
        }
        let told: Option<Vec<u64>> = (chosen.is_some() || fault.is_momentary()).then(|| targets.clone());
        self.truth.borrow_mut().fault_began(id, now_ms, &fault.asked, told.as_deref());
        let act = match &fault.kind {
            Kind::Cut => Some(Act::Cut(targets)),
            Kind::Close { code, reason } => Some(Act::Close(targets, *code, reason.clone())),
            Kind::Restart => Some(Act::Close(targets, 1001, String::new())),
            Kind::Shutdown { after_ms } => Some(Act::Shutdown(targets, now_ms + after_ms)),
            Kind::Ban => Some(Act::Close(targets, 1008, "Too many requests".to_owned())),
            Kind::BookReset => Some(Act::BookReset),
            _ => None,
        };
        if fault.is_momentary() {
            self.truth.borrow_mut().fault_ended(id, now_ms, 0);
        } else {
            let until_ms = fault.for_ms.map(|for_ms| now_ms + for_ms);
            let left = fault.count;
            self.active.push(Active { id, fault, until_ms, left, affected: 0, chosen, silenced });
        }
        (id, act)
    }

    fn choose(&mut self, pick: &Pick, holders: &[u64]) -> Option<BTreeSet<u64>> {
        let count = match pick {
            Pick::All => return None,
            Pick::Id(id) => return Some([*id].into()),
            Pick::One => 1,
            Pick::Percent(percent) => (holders.len() * *percent as usize).div_ceil(100),
        };
        let mut rest = holders.to_vec();
        let mut chosen = BTreeSet::new();
        while chosen.len() < count && !rest.is_empty() {
            let index = self.random.below(rest.len() as u64) as usize;
            chosen.insert(rest.swap_remove(index));
        }
        Some(chosen)
    }

    /// Ends a fault before its time; false if there is none of that number.
    pub fn end(&mut self, id: u64, now_ms: u64) -> bool {
        let before = self.active.len();
        self.finish(now_ms, |active| active.id == id);
        self.active.len() < before
    }

    pub fn end_all(&mut self, now_ms: u64) {
        self.finish(now_ms, |_| true);
    }

    /// Ends those whose time is over.
    pub fn tick(&mut self, now_ms: u64) {
        self.finish(now_ms, |active| {
            active.until_ms.is_some_and(|until| until <= now_ms)
                || active.left == Some(0)
                || (active.fault.kind == Kind::SilentStream && active.silenced.is_empty())
        });
    }

    fn finish(&mut self, now_ms: u64, over: impl Fn(&Active) -> bool) {
        let truth = &self.truth;
        self.active.retain(|active| {
            let over = over(active);
            if over {
                truth.borrow_mut().fault_ended(active.id, now_ms, active.affected);
            }
            !over
        });
    }

    pub fn active(&self) -> impl Iterator<Item = &Active> {
        self.active.iter()
    }

    pub fn is_active(&self, wanted: impl Fn(&Kind) -> bool) -> bool {
        self.active.iter().any(|active| wanted(&active.fault.kind))
    }

    /// What an upgrade or a REST call is answered: the status and Retry-After.
    pub fn http(&self, now_ms: u64) -> Option<(u16, Option<u64>)> {
        self.active.iter().find_map(|active| match active.fault.kind {
            Kind::Http { status, retry_after } => Some((status, retry_after)),
            Kind::Ban => Some((418, active.until_ms.map(|until| (until - now_ms).div_ceil(1000)))),
            _ => None,
        })
    }

    pub fn handling(&self, connection: u64) -> Handling {
        let mut handling = Handling::default();
        for active in self.active.iter().filter(|active| active.concerns(connection)) {
            match active.fault.kind {
                Kind::HalfOpen => handling.frozen = true,
                // A stall of some streams is seen message by message.
                Kind::Stall if active.fault.streams.is_empty() => handling.stalled = true,
                Kind::Slow { bytes_per_second } => handling.bytes_per_second = Some(bytes_per_second),
                _ => {}
            }
        }
        handling
    }

    /// Decides about one message of a stream, for all connections that wait for it: same fault, same message.
    pub fn mishaps(&mut self, stream: &str, connections: &[u64]) -> Vec<(u64, Mishap)> {
        let mut mishaps = Vec::new();
        for active in &mut self.active {
            let mishap = match active.fault.kind {
                Kind::DropFrames | Kind::SilentStream => Mishap::Drop,
                Kind::Stall if !active.fault.streams.is_empty() => Mishap::Drop,
                Kind::Duplicate => Mishap::Duplicate,
                Kind::Reorder => Mishap::Reorder,
                Kind::Corrupt(how) => Mishap::Corrupt(how),
                _ => continue,
            };
            if active.left == Some(0) || !active.fault.matches_stream(stream) {
                continue;
            }
            let silent = active.fault.kind == Kind::SilentStream;
            let hit: Vec<u64> = connections
                .iter()
                .copied()
                .filter(|&id| match silent {
                    true => active.silenced.contains(&(id, stream.to_owned())),
                    false => active.concerns(id),
                })
                .collect();
            if hit.is_empty() || self.random.below(100) >= active.fault.percent {
                continue;
            }
            active.affected += 1;
            active.left = active.left.map(|left| left - 1);
            mishaps.extend(hit.into_iter().map(|id| (id, mishap)));
        }
        mishaps
    }

    /// A stream was asked for again, or its connection is gone: it speaks again.
    pub fn heal(&mut self, connection: u64, stream: Option<&str>) {
        for active in &mut self.active {
            active.silenced.retain(|(id, name)| *id != connection || stream.is_some_and(|stream| stream != name));
        }
    }
}

impl Active {
    pub fn is_half_open_for_all(&self) -> bool {
        self.fault.kind == Kind::HalfOpen && self.chosen.is_none()
    }

    fn concerns(&self, connection: u64) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.contains(&connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn begin(faults: &mut Faults, asked: serde_json::Value) -> Option<Act> {
        let live = [(1, vec!["a@trade".to_owned()]), (2, vec!["a@trade".to_owned(), "b@trade".to_owned()])];
        faults.begin(Fault::parse(&asked).unwrap(), &live, 1000).1
    }

    /// A gap is a gap for everybody, ends after its count, and concerns only its streams.
    #[test]
    fn counted() {
        let mut faults = Faults::new(1, SharedTruth::default());
        begin(&mut faults, json!({"kind": "drop-frames", "count": 2, "streams": ["a@*"]}));
        assert_eq!(faults.mishaps("b@trade", &[2]), []);
        for _ in 0..2 {
            assert_eq!(faults.mishaps("a@trade", &[1, 2]), [(1, Mishap::Drop), (2, Mishap::Drop)]);
        }
        assert_eq!(faults.mishaps("a@trade", &[1, 2]), []);
        faults.tick(1000);
        assert_eq!(faults.active().count(), 0);
    }

    /// A silent stream speaks again when it is asked for again, and not before.
    #[test]
    fn silence() {
        let mut faults = Faults::new(1, SharedTruth::default());
        begin(&mut faults, json!({"kind": "silent-stream", "streams": ["b@trade"]}));
        assert_eq!(faults.mishaps("b@trade", &[2]), [(2, Mishap::Drop)]);
        assert_eq!(faults.mishaps("a@trade", &[1, 2]), []);
        faults.heal(2, Some("a@trade"));
        faults.tick(5000);
        assert_eq!(faults.mishaps("b@trade", &[2]), [(2, Mishap::Drop)]);
        faults.heal(2, Some("b@trade"));
        assert_eq!(faults.mishaps("b@trade", &[2]), []);
    }

    /// What lasts ends in time, and is told while it lasts.
    #[test]
    fn lasting() {
        let mut faults = Faults::new(1, SharedTruth::default());
        begin(&mut faults, json!({"kind": "half-open", "for": "5s", "connections": 2}));
        assert_eq!((faults.handling(1).frozen, faults.handling(2).frozen), (false, true));
        assert_eq!(
            begin(&mut faults, json!({"kind": "ban", "for": "120s"})),
            Some(Act::Close(vec![1, 2], 1008, "Too many requests".to_owned()))
        );
        assert_eq!(faults.http(1000), Some((418, Some(120))));
        faults.tick(6000);
        assert!(!faults.handling(2).frozen);
        assert_eq!(faults.http(7000), Some((418, Some(114))));
        assert_eq!(
            begin(&mut faults, json!({"kind": "cut", "connections": "50%"})).map(|act| match act {
                Act::Cut(ids) => ids.len(),
                _ => 0,
            }),
            Some(1)
        );
    }
}
