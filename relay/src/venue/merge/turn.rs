//! What is known of a frame before it is looked at: whose it is, and who else brings the stream.

use std::hash::BuildHasher as _;

use super::recent::Bit;
use super::{Frame, Merge, NS_PER_MS, Source, Sources};
use crate::limits::{MERGE_BACKWARD_MAX, MERGE_OVERLAP_MS, MERGE_SOURCES_MAX, MERGE_STUCK_MS};
use crate::venue::sequence::{Mark, Rule};

/// A source that has brought the stream.
#[derive(Debug)]
pub(super) struct Feeder {
    pub(super) source: Source,
    pub(super) since_ns: u64,
    pub(super) heard_ns: u64,
    /// The highest it has brought.
    pub(super) max: Option<u64>,
    /// Frames in a row that went back.
    pub(super) backward: u8,
    /// Since when its frames are dropped for their numbers alone, if nothing was published since.
    pub(super) behind_ns: Option<u64>,
}

/// Who else brings the stream now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Alone,
    /// Another connection of the same leg.
    Rotation,
    Legs,
}

/// What is known of a frame before it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) source: Source,
    pub(super) since_ns: u64,
    pub(super) bit: Bit,
    pub(super) company: Company,
    /// Another source may bring it again.
    pub(super) is_remembered: bool,
    /// Of the bytes, where they are compared.
    pub(super) hash: u64,
    pub(super) now_ns: u64,
    /// Its source has brought this number or a higher one.
    pub(super) is_backward: bool,
    /// It has done so for long: its numbers begin anew.
    pub(super) is_restart: bool,
    /// It is lower than what was published, and nobody who is there has brought that, or it has been so for too long:
    /// unless the frame is known, the venue's numbers begin anew.
    pub(super) begins_anew: bool,
    /// Another source published the newest frame, and this one was there already.
    pub(super) overlaps: bool,
}

impl Merge {
    pub(super) fn turn(&mut self, frame: Frame<'_>, mark: Option<Mark>, sources: &Sources) -> Turn {
        let Frame { source, payload, read_ns: now_ns } = frame;
        let since_ns = sources.since_ns(source);
        let at = self.feeder(source, since_ns, sources);
        let company = self.company(at, now_ns, sources);
        if company == Company::Alone {
            if now_ns.saturating_sub(self.recent.newest_ns()) > MERGE_OVERLAP_MS * NS_PER_MS && !self.recent.is_empty()
            {
                self.recent.clear(0);
            }
            self.is_patient = false;
        } else if self.recent.is_empty() {
            self.recent.floor = self.last.unwrap_or(0);
        }
        // Where no number tells, the first frame that another connection brings again must be known by its bytes.
        let is_doubled = matches!(self.rule, Rule::Free | Rule::Rows | Rule::Timed | Rule::Candles)
            && sources.is_doubled(source, now_ns);
        let is_remembered = company != Company::Alone || is_doubled;
        if self.is_for_twin && !is_remembered {
            self.recent.clear(0);
        }
        self.is_for_twin = company == Company::Alone && is_doubled && (self.is_for_twin || self.recent.is_empty());
        let is_compared = is_remembered || !self.recent.is_empty();
        let hash = if is_compared { foldhash::fast::FixedState::default().hash_one(payload) } else { 0 };
        let overlaps = self.last_by.is_some_and(|(other, life)| {
            let is_other = (other, life) != (source, since_ns);
            let is_lost = other.leg == source.leg && sources.is_lost(other, life);
            is_other && !is_lost && since_ns <= self.last_ns
        });
        let is_time = matches!(mark, Some(Mark::Time(_) | Mark::Candle { .. }));
        let begins_anew = mark.is_some_and(|mark| self.begins_anew(at, mark.place(), now_ns, sources));
        let feeder = &mut self.feeders[at];
        feeder.heard_ns = now_ns;
        let (mut is_backward, mut is_restart) = (false, false);
        if let Some(place) = mark.map(Mark::place) {
            is_backward = feeder.max.is_some_and(|max| place < max || (place == max && !is_time));
            feeder.backward = if is_backward { feeder.backward.saturating_add(1) } else { 0 };
            is_restart = feeder.backward > MERGE_BACKWARD_MAX;
            if is_restart {
                feeder.backward = 0;
            }
            if !is_backward || is_restart || company == Company::Alone {
                feeder.max = Some(place);
            }
        }
        Turn {
            source,
            since_ns,
            bit: 1 << at,
            company,
            is_remembered,
            hash,
            now_ns,
            is_backward,
            is_restart,
            begins_anew,
            overlaps,
        }
    }

    fn begins_anew(&self, at: usize, place: u64, now_ns: u64, sources: &Sources) -> bool {
        let Some(last) = self.last.filter(|last| place < *last) else { return false };
        let is_stuck = |since_ns: u64| now_ns.saturating_sub(since_ns) >= MERGE_STUCK_MS * NS_PER_MS;
        let knows =
            |other: &Feeder| other.max.is_some_and(|max| max >= last) && sources.is_up(other.source, other.since_ns);
        let feeder = &self.feeders[at];
        let is_new = feeder.since_ns > self.last_ns && !self.feeders.iter().any(knows);
        is_new || feeder.behind_ns.is_some_and(is_stuck)
    }

    /// A frame is dropped, though nobody is known to have brought it.
    pub(super) fn note_behind(&mut self, turn: Turn) {
        self.feeders[turn.bit.trailing_zeros() as usize].behind_ns.get_or_insert(turn.now_ns);
    }

    /// The place of a source; a new life of it starts with nothing.
    fn feeder(&mut self, source: Source, since_ns: u64, sources: &Sources) -> usize {
        if let Some(at) = self.feeders.iter().position(|feeder| feeder.source == source) {
            if self.feeders[at].since_ns != since_ns {
                self.feeders[at] = Feeder::new(source, since_ns);
                self.recent.forget_source(1 << at);
            }
            return at;
        }
        let is_gone = |feeder: &Feeder| !sources.is_up(feeder.source, feeder.since_ns);
        let mut at = self.feeders.len();
        if at < MERGE_SOURCES_MAX {
            self.feeders.push(Feeder::new(source, since_ns));
        } else {
            at = self.feeders.iter().position(is_gone).unwrap_or(at - 1);
            self.feeders[at] = Feeder::new(source, since_ns);
            self.recent.forget_source(1 << at);
        }
        at
    }

    fn company(&self, at: usize, now_ns: u64, sources: &Sources) -> Company {
        let mine = self.feeders[at].source;
        if sources.has_other_leg(mine.leg) {
            return Company::Legs;
        }
        // Another connection may be up for other streams only.
        let brings_it = |other: &Feeder| {
            other.source != mine
                && sources.is_up(other.source, other.since_ns)
                && now_ns.saturating_sub(other.heard_ns) <= MERGE_OVERLAP_MS * NS_PER_MS
        };
        if self.feeders.len() > 1 && self.feeders.iter().any(brings_it) { Company::Rotation } else { Company::Alone }
    }
}

impl Feeder {
    fn new(source: Source, since_ns: u64) -> Feeder {
        Feeder { source, since_ns, heard_ns: 0, max: None, backward: 0, behind_ns: None }
    }
}
