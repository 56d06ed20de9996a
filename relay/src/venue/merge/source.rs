//! The connections of an upstream, as the merge needs to know them.

use super::NS_PER_MS;
use crate::limits::MERGE_DOUBLED_MS;

/// One connection of one leg. Its number may be another life's later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    pub leg: u8,
    pub conn: u16,
}

/// Which connections stand. One that nobody told about stands for ever: the built-in venue has none.
#[derive(Debug, Default)]
pub struct Sources {
    known: Vec<Line>,
    /// There is more than one leg.
    is_split: bool,
}

#[derive(Debug)]
struct Line {
    source: Source,
    since_ns: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Lost,
    /// By us: whatever was said on it until then is said on another one too.
    Left,
}

impl Sources {
    /// The connection stands.
    pub fn up(&mut self, source: Source, now_ns: u64) {
        self.is_split |= self.known.iter().any(|line| line.source.leg != source.leg);
        match self.known.iter_mut().find(|line| line.source == source) {
            Some(line) => (line.since_ns, line.state) = (now_ns, State::Up),
            None => self.known.push(Line { source, since_ns: now_ns, state: State::Up }),
        }
    }

    /// It is gone; `by_us` if we left it.
    pub fn down(&mut self, source: Source, by_us: bool) {
        if let Some(line) = self.known.iter_mut().find(|line| line.source == source) {
            line.state = if by_us { State::Left } else { State::Lost };
        }
    }

    /// When its present life began, which tells it from the ones before.
    pub fn since_ns(&self, source: Source) -> u64 {
        self.line(source).map_or(0, |line| line.since_ns)
    }

    /// Whether the life that began then goes on.
    pub fn is_up(&self, source: Source, since_ns: u64) -> bool {
        self.line(source).is_none_or(|line| line.state == State::Up && line.since_ns == since_ns)
    }

    /// Whether that life was broken off: what it would have brought may have come by no other.
    pub fn is_lost(&self, source: Source, since_ns: u64) -> bool {
        self.line(source).is_some_and(|line| line.state == State::Lost || line.since_ns != since_ns)
    }

    /// Whether another leg stands: it brings the same, or will.
    pub fn has_other_leg(&self, leg: u8) -> bool {
        self.is_split && self.known.iter().any(|line| line.source.leg != leg && line.state == State::Up)
    }

    /// Whether another connection of its leg stands, and one of the two is new: it may bring the same.
    pub fn is_doubled(&self, source: Source, now_ns: u64) -> bool {
        let is_recent = |line: &Line| now_ns.saturating_sub(line.since_ns) <= MERGE_DOUBLED_MS * NS_PER_MS;
        let mine = self.line(source).is_some_and(is_recent);
        let is_twin = |line: &&Line| line.source.leg == source.leg && line.source != source && line.state == State::Up;
        self.known.iter().filter(is_twin).any(|line| mine || is_recent(line))
    }

    fn line(&self, source: Source) -> Option<&Line> {
        self.known.iter().find(|line| line.source == source)
    }
}
