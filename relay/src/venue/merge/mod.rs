//! One stream out of several sources: the legs of an upstream, and an old connection beside the new one.
//!
//! The first arrival by the venue's own sequence wins. What another source brought already is dropped; a hole that
//! another source may fill is waited for, but not for long. A stream with one source passes as it is: venues whose
//! numbers mean nothing exist, so there nothing is dropped and nothing held, only counted.

mod recent;
mod source;
mod tally;
mod turn;

#[cfg(test)]
mod renumbered;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::source::{Source, Sources};
pub use self::tally::{LAG_BOUNDS_MS, LegTally, Note, Tally};

use self::recent::{Entry, Recent};
use self::turn::{Company, Feeder, Turn};
use super::gap::{Extent, Healer};
use super::sequence::{Mark, Rule};
use crate::limits::{MERGE_HELD_BYTES_MAX, MERGE_HELD_FRAMES_MAX, MERGE_HOLD_MS};

const NS_PER_MS: u64 = 1_000_000;

/// Holes that nobody fills, after which numbers are taken to rise only, if hardly anything follows in between.
const DOUBT_MAX: u8 = 128;
const DOUBT_PER_HOLE: u8 = 8;

/// What comes in.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub source: Source,
    pub payload: &'a [u8],
    pub read_ns: u64,
}

/// What is to be done with it. Then ask [`Merge::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Publish,
    /// Another source has brought it.
    Duplicate,
    /// It is out of date: newer state has been published.
    Late,
    /// Kept until what is missing before it has come.
    Held,
}

/// A frame that was held.
#[derive(Debug, PartialEq, Eq)]
pub struct Released {
    pub payload: Vec<u8>,
    pub read_ns: u64,
}

/// The state of one stream.
#[derive(Debug)]
pub struct Merge {
    rule: Rule,
    /// The highest number or time published.
    last: Option<u64>,
    last_ns: u64,
    /// Who brought that, and in which life.
    last_by: Option<(Source, u64)>,
    feeders: Vec<Feeder>,
    recent: Recent,
    /// They are remembered only because another connection of the leg might bring them.
    is_for_twin: bool,
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    hole: Option<Hole>,
    /// Somebody else may fill the hole.
    is_patient: bool,
    /// The beginning of the last candle that was closed.
    closed: Option<u64>,
    doubt: u8,
}

#[derive(Debug)]
struct Held {
    to: u64,
    is_counted: bool,
    payload: Vec<u8>,
    turn: Turn,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    from: u64,
    to: u64,
    is_counted: bool,
    leg: u8,
    since_ns: u64,
}

impl Merge {
    pub fn new(rule: Rule) -> Merge {
        Merge {
            rule,
            last: None,
            last_ns: 0,
            last_by: None,
            feeders: Vec::new(),
            recent: Recent::new(rule == Rule::Free),
            is_for_twin: false,
            held: BTreeMap::new(),
            held_bytes: 0,
            hole: None,
            is_patient: false,
            closed: None,
            doubt: 0,
        }
    }

    pub fn rule(&self) -> Rule {
        self.rule
    }

    pub fn offer(&mut self, frame: Frame<'_>, sources: &Sources, tally: &mut Tally) -> Verdict {
        let mark = self.rule.read(frame.payload);
        let turn = self.turn(frame, mark, sources);
        match mark {
            None => self.unmarked(turn, tally),
            Some(Mark::Time(time)) => self.timed(turn, time, None, tally),
            Some(Mark::Candle { time, closed }) => self.timed(turn, time, closed, tally),
            Some(Mark::Number(number)) => match self.last {
                Some(last) if number <= last => self.behind(turn, number, number, tally),
                _ => self.publish(turn, number, number, number, tally),
            },
            Some(Mark::Span { from, to, is_snapshot: true, .. }) => self.snapshot(turn, from, to, tally),
            Some(Mark::Span { from, to, is_counted, .. }) => {
                self.span(turn, from, to, is_counted, frame.payload, tally)
            }
        }
    }

    /// Frames are dropped for their numbers alone, and nothing was published since.
    pub fn is_behind(&self) -> bool {
        self.feeders.iter().any(|feeder| feeder.behind_ns.is_some())
    }

    /// When `poll` has something, unless an offer changes that before.
    pub fn due_ns(&self) -> Option<u64> {
        let (_, held) = self.held.first_key_value()?;
        let wait = if self.is_patient { MERGE_HOLD_MS * NS_PER_MS } else { 0 };
        Some(held.turn.now_ns + wait)
    }

    /// A frame whose time has come: what was missing before it is there, or is given up.
    pub fn poll(&mut self, now_ns: u64, tally: &mut Tally) -> Option<Released> {
        loop {
            let (&from, first) = self.held.first_key_value()?;
            let next = self.last.map_or(0, |last| last.saturating_add(1));
            if from > next {
                let is_over = self.held.len() > MERGE_HELD_FRAMES_MAX || self.held_bytes > MERGE_HELD_BYTES_MAX;
                if !is_over && self.due_ns().is_some_and(|due| now_ns < due) {
                    return None;
                }
                let extent = Extent::Numbers { from: next, to: from - 1, is_counted: first.is_counted };
                let (leg, since_ns) = self.hole.map_or((first.turn.source.leg, self.last_ns), |h| (h.leg, h.since_ns));
                self.hole = None;
                self.last = Some(from - 1);
                self.missed(extent, leg, since_ns, tally);
                continue;
            }
            if let Some(Hole { from, to, is_counted, leg, since_ns }) = self.hole.take() {
                tally.gap(Extent::Numbers { from, to, is_counted }, leg, since_ns, Some(Healer::OtherLeg));
            }
            let (from, held) = self.held.pop_first()?;
            self.held_bytes -= held.payload.len();
            let Held { to, payload, turn, .. } = held;
            let is_known = from <= to && to < next;
            if !is_known {
                self.publish(turn, from, to, to, tally);
            }
            if let Some((&behind, held)) = self.held.first_key_value()
                && let Some(last) = self.last
                && behind > last.saturating_add(1)
            {
                self.hole = Some(Hole {
                    from: last.saturating_add(1),
                    to: behind - 1,
                    is_counted: held.is_counted,
                    leg: held.turn.source.leg,
                    since_ns: held.turn.now_ns,
                });
            }
            if is_known {
                tally.duplicates += 1;
                continue;
            }
            return Some(Released { payload, read_ns: turn.now_ns });
        }
    }

    /// Without a mark only the bytes can be compared.
    fn unmarked(&mut self, turn: Turn, tally: &mut Tally) -> Verdict {
        if self.is_same_bytes(turn, tally) {
            return Verdict::Duplicate;
        }
        let last = self.last;
        let verdict = self.publish(turn, 1, 0, 0, tally);
        self.last = last;
        verdict
    }

    fn timed(&mut self, turn: Turn, time: u64, closed: Option<u64>, tally: &mut Tally) -> Verdict {
        let last = self.last.unwrap_or(0);
        if self.is_same_bytes(turn, tally) {
            return Verdict::Duplicate;
        }
        if closed.is_some() {
            if turn.company != Company::Alone && closed <= self.closed {
                tally.duplicates += 1;
                return Verdict::Duplicate;
            }
            self.closed = closed;
        }
        if time >= last || turn.is_restart || turn.begins_anew {
            return self.publish(turn, time, time, time, tally);
        }
        if turn.company == Company::Alone && !turn.overlaps {
            tally.disorder += 1;
            return self.publish(turn, time, time, time, tally);
        }
        if closed.is_some() || self.rule.keeps_late() {
            tally.late_published += 1;
            return self.publish(turn, time, time, last, tally);
        }
        self.late(turn, tally)
    }

    /// Its numbers are not above the last that was published.
    fn behind(&mut self, turn: Turn, from: u64, to: u64, tally: &mut Tally) -> Verdict {
        let last = self.last.unwrap_or(0);
        let is_alone = turn.company == Company::Alone;
        let entry = self.recent.covering(from, to);
        let is_unknown = entry.is_none();
        if let Some(entry) = entry
            && entry.by & turn.bit == 0
        {
            entry.by |= turn.bit;
            tally.lag(turn.source.leg, turn.now_ns.saturating_sub(entry.at_ns));
            tally.duplicates += 1;
            return Verdict::Duplicate;
        }
        // Events that are only late are not a sign that the numbers begin anew.
        let is_known = !is_unknown || self.rule.keeps_late() && self.recent.reaches(to);
        let begins_anew = turn.begins_anew && !is_known;
        let is_restart = turn.is_restart || begins_anew;
        if is_unknown && !turn.is_backward && !is_restart {
            let is_within = !self.recent.is_empty() && to > self.recent.floor;
            if is_within && self.rule.keeps_late() {
                tally.late_published += 1;
                tally.notes.push(Note::CameLate { number: to });
                return self.publish(turn, from, to, last, tally);
            }
            if is_within {
                return self.late(turn, tally);
            }
            if turn.overlaps || !is_alone {
                self.note_behind(turn);
                tally.duplicates += 1;
                return Verdict::Duplicate;
            }
        }
        // A hole of one leg's own that it fills itself: its frames came in another order.
        if is_unknown && !is_alone && !is_restart && to > self.recent.floor && !self.recent.has_bytes(turn.hash) {
            if !self.rule.keeps_late() {
                return self.late(turn, tally);
            }
            tally.late_published += 1;
            tally.notes.push(Note::CameLate { number: to });
            return self.publish(turn, from, to, last, tally);
        }
        // The source repeats itself, or begins anew; its numbers say nothing then, so the bytes decide.
        let is_repeated = turn.company == Company::Legs && !is_restart && self.recent.has_bytes(turn.hash);
        if self.is_same_bytes(turn, tally) {
            return Verdict::Duplicate;
        }
        if is_repeated {
            tally.duplicates += 1;
            return Verdict::Duplicate;
        }
        if begins_anew {
            self.recent.clear(0);
        }
        tally.disorder += 1;
        self.publish(turn, from, to, if is_alone || is_restart { to } else { last }, tally)
    }

    /// A whole book: the chain goes on from it.
    fn snapshot(&mut self, turn: Turn, from: u64, to: u64, tally: &mut Tally) -> Verdict {
        let Some(last) = self.last else { return self.publish(turn, from, to, to, tally) };
        let is_restart = turn.is_restart || turn.begins_anew;
        if turn.company != Company::Alone && to <= last && self.hole.is_none() && !is_restart {
            if to < last {
                self.note_behind(turn);
            }
            tally.duplicates += 1;
            return Verdict::Duplicate;
        }
        if to >= last {
            // What is behind it would be applied twice.
            self.held.retain(|_, held| held.to > to);
            self.held_bytes = self.held.values().map(|held| held.payload.len()).sum();
        }
        self.hole = None;
        tally.notes.push(Note::Resynced);
        self.publish(turn, from.min(last.saturating_add(1)), to, to, tally)
    }

    fn span(&mut self, turn: Turn, from: u64, to: u64, is_counted: bool, payload: &[u8], tally: &mut Tally) -> Verdict {
        let Some(last) = self.last else { return self.publish(turn, from, to, to, tally) };
        let next = last.saturating_add(1);
        if to < from {
            // Nothing new, or a number that begins anew while the chain holds.
            if self.is_same_bytes(turn, tally) {
                return Verdict::Duplicate;
            }
            if from <= next {
                if turn.company != Company::Alone && from < next && !turn.begins_anew {
                    self.note_behind(turn);
                    tally.duplicates += 1;
                    return Verdict::Duplicate;
                }
                tally.disorder += u64::from(from < next);
                if to.saturating_add(1) < from {
                    self.recent.clear(0);
                }
                return self.publish(turn, from, to, to, tally);
            }
        } else if to <= last {
            return self.behind(turn, from, to, tally);
        }
        if from <= next {
            self.doubt = self.doubt.saturating_sub(1);
            return self.publish(turn, from, to, to, tally);
        }
        let is_alone = turn.company == Company::Alone;
        if is_alone && self.held.is_empty() {
            let extent = Extent::Numbers { from: next, to: from - 1, is_counted };
            self.missed(extent, turn.source.leg, self.last_ns, tally);
            return self.publish(turn, from, to, to, tally);
        }
        self.is_patient = !is_alone;
        if self.held.contains_key(&from) {
            tally.duplicates += 1;
            return Verdict::Duplicate;
        }
        let since_ns = self.last_ns;
        let leg = turn.source.leg;
        let hole = self.hole.get_or_insert(Hole { from: next, to: from - 1, is_counted, leg, since_ns });
        hole.to = hole.to.min(from - 1);
        tally.held += 1;
        self.held_bytes += payload.len();
        self.held.insert(from, Held { to, is_counted, payload: payload.to_vec(), turn });
        Verdict::Held
    }

    /// Nobody filled a hole.
    fn missed(&mut self, extent: Extent, leg: u8, since_ns: u64, tally: &mut Tally) {
        tally.gap(extent, leg, since_ns, None);
        let Rule::Follows(key) = self.rule else { return };
        self.doubt = self.doubt.saturating_add(DOUBT_PER_HOLE);
        if self.doubt >= DOUBT_MAX {
            // Such numbers do not follow each other, and waiting for them would delay every frame.
            self.rule = Rule::Rises(key);
            self.is_patient = false;
        }
    }

    /// Whether another source has brought these bytes, and this one not yet.
    fn is_same_bytes(&mut self, turn: Turn, tally: &mut Tally) -> bool {
        let Some(entry) = self.recent.same_bytes(turn.hash, turn.bit) else { return false };
        entry.by |= turn.bit;
        tally.lag(turn.source.leg, turn.now_ns.saturating_sub(entry.at_ns));
        tally.duplicates += 1;
        true
    }

    /// State that is older than what was published.
    fn late(&mut self, turn: Turn, tally: &mut Tally) -> Verdict {
        self.note_behind(turn);
        tally.late_dropped += 1;
        Verdict::Late
    }

    fn publish(&mut self, turn: Turn, from: u64, to: u64, last: u64, tally: &mut Tally) -> Verdict {
        if turn.company != Company::Alone {
            tally.win(turn.source.leg);
        }
        if turn.is_remembered || !self.recent.is_empty() {
            let Turn { hash, now_ns, bit, .. } = turn;
            self.recent.push(Entry { from, to, hash, at_ns: now_ns, by: bit });
        }
        if to == last {
            // Not one that came late: the stream goes on.
            self.feeders.iter_mut().for_each(|feeder| feeder.behind_ns = None);
        }
        self.last = Some(last);
        self.last_ns = turn.now_ns;
        self.last_by = Some((turn.source, turn.since_ns));
        Verdict::Publish
    }
}
