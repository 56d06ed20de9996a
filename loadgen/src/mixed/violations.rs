//! What must not have happened: how often each, and the first ten in words.

use serde_json::{Value, json};
use std::collections::BTreeMap;

const NAMED_MAX: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Lost,
    Duplicated,
    Reordered,
    /// A price, a time or anything else is not what the venue said.
    Changed,
    /// Something of an instrument that was not asked for.
    Misrouted,
    /// A Deriv tick is not that of its second.
    Tick,
    /// A scheduled push left too early or too late.
    Schedule,
    /// A scheduled push had an old price.
    Stale,
    /// The dialects do not agree on an instrument.
    Unequal,
    /// A client could not connect, or was refused by its dialect.
    Refused,
    /// A client's connection did not last.
    Ended,
    /// A frame or a message that no client expects.
    Protocol,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Changed => "changed",
            Self::Misrouted => "misrouted",
            Self::Tick => "tick",
            Self::Schedule => "schedule",
            Self::Stale => "stale",
            Self::Unequal => "unequal",
            Self::Refused => "refused",
            Self::Ended => "ended",
            Self::Protocol => "protocol",
        }
    }
}

#[derive(Debug, Default)]
pub struct Violations {
    counts: BTreeMap<Kind, u64>,
    named: Vec<String>,
}

impl Violations {
    /// The words are only made for the first ones.
    pub fn note(&mut self, kind: Kind, words: impl FnOnce() -> String) {
        self.note_many(kind, 1, words);
    }

    pub fn note_many(&mut self, kind: Kind, count: u64, words: impl FnOnce() -> String) {
        *self.counts.entry(kind).or_default() += count;
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("{}: {}", kind.name(), words()));
        }
    }

    #[cfg(test)]
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub fn named(&self) -> &[String] {
        &self.named
    }

    pub fn counts(&self) -> Value {
        self.counts.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All are counted, ten are told.
    #[test]
    fn counted() {
        let mut violations = Violations::default();
        (0..12).for_each(|index| violations.note(Kind::Lost, || format!("number {index}")));
        violations.note_many(Kind::Stale, 5, || "old".to_owned());
        assert_eq!((violations.count(Kind::Lost), violations.named().len()), (12, 10));
        assert_eq!(violations.named()[9], "lost: number 9");
        assert_eq!(violations.counts(), json!({"lost": 12, "stale": 5}));
    }
}
