//! Reading several channels as one row of frames, in the order of their stamps.
//!
//! For whoever is no session: an answer over HTTP that goes on. It holds a position for each channel and no bytes. What it
//! is owed when it fell behind is what a session is owed: of state the newest, of candles the closed ones and the newest,
//! of events everything, or the word that it was too slow.

use std::collections::VecDeque;

use super::channel::Channel;
use super::kind::Kind;
use super::log::{Cursor, Log, Seq};
use super::stamps::Stamps;
use crate::limits::FOLLOWED_CLOSED_BYTES_MAX;
use crate::sync::Arc;
use crate::wire::notice::StreamState;

/// A reader's places.
#[derive(Default)]
pub struct Follower {
    places: Vec<Place>,
}

struct Place {
    channel: Arc<Channel>,
    position: Seq,
    /// The condition it was last told of.
    told: StreamState,
    /// It missed something before its position, and nobody can say how much.
    gap: bool,
}

/// From where on a channel is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// As somebody who subscribes.
    Nothing,
    /// From the first frame after this stamp.
    Stamp(u64),
    /// It had frames before, and nobody knows which.
    Unknown,
}

/// What a follower is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Frame {
        name: &'a str,
        stamp: u64,
        payload: &'a [u8],
    },
    /// These were skipped: a newer one replaces them.
    Skipped {
        name: &'a str,
        state: StreamState,
        from: Seq,
        to: Seq,
    },
    /// What is before `start` and after what it knows could not be found.
    Gap {
        name: &'a str,
        state: StreamState,
        start: Seq,
    },
    /// How the data stands from here on.
    Condition {
        name: &'a str,
        state: StreamState,
        position: Seq,
    },
}

/// How reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    CaughtUp,
    /// There is more to take.
    More,
    /// Somebody is in the middle of publishing: look again in a moment.
    Unsettled,
    /// Events of this channel are lost.
    TooSlow(Box<str>),
}

/// How often a publisher in the middle of an append is looked at again before the reader does something else.
const LOOKS: usize = 64;

/// One channel during one read.
struct Source {
    at: usize,
    closed: VecDeque<Closed>,
    /// None if the closed candles are not all here.
    rest: Option<Cursor>,
}

struct Closed {
    seq: Seq,
    stamp: u64,
    payload: Box<[u8]>,
}

/// The channel lost events that the reader is owed.
struct Lost;

impl Follower {
    /// Follows one more channel, whose news the reader is already told.
    pub fn add(&mut self, channel: Arc<Channel>, after: After) {
        let fresh = channel.log.subscribe_position();
        let (position, gap) = match after {
            After::Nothing => (fresh, false),
            After::Unknown => (fresh, true),
            // A channel made after that stamp was told has nothing from between the two.
            After::Stamp(stamp) => match channel.log.position_after(stamp) {
                Ok(position) => (position, channel.born >= stamp),
                Err(_) => (fresh, true),
            },
        };
        self.places.push(Place { channel, position, told: StreamState::Live, gap });
    }

    /// Gives what is new, in order, until `take` says that it has no room; what it did not take comes again. A reader
    /// that was `behind` gets what replaces the rest.
    pub fn read(&mut self, stamps: &Stamps, behind: bool, take: &mut impl FnMut(Item<'_>) -> bool) -> Step {
        if !self.tell(take) {
            return Step::More;
        }
        let heads: Vec<Seq> = self.places.iter().map(|place| place.channel.log.head()).collect();
        if self.places.iter().zip(&heads).all(|(place, head)| place.position >= *head) {
            return Step::CaughtUp;
        }
        let Some(last) = self.newest_stamp(&heads) else { return Step::More };
        stamps.tell(last);
        if !(0..LOOKS).any(|_| stamps.is_settled()) {
            return Step::Unsettled;
        }
        // Now everything stamped up to `last` can be read.
        let mut sources = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            match place.source(at, heads[at], behind) {
                Ok(source) => sources.extend(source),
                Err(Lost) => return Step::TooSlow(place.channel.name.clone()),
            }
        }
        while let Some(source) = next_source(&mut sources, last) {
            let place = &mut self.places[source.at];
            let taken = source.next(|seq, stamp, payload| place.give(seq, stamp, payload, take));
            if !taken {
                return Step::More;
            }
        }
        match self.places.iter().any(|place| place.position < place.channel.log.head()) {
            true => Step::More,
            false => Step::CaughtUp,
        }
    }

    /// What is to be said before any frame. False if there is no room.
    fn tell(&mut self, take: &mut impl FnMut(Item<'_>) -> bool) -> bool {
        for place in &mut self.places {
            let (name, state) = (&*place.channel.name, place.channel.condition());
            if place.gap {
                if !take(Item::Gap { name, state, start: place.position }) {
                    return false;
                }
                (place.gap, place.told) = (false, state);
            }
            if place.told != state {
                if !take(Item::Condition { name, state, position: place.position }) {
                    return false;
                }
                place.told = state;
            }
        }
        true
    }

    /// The latest stamp below these heads; none if the writers are quicker than this.
    fn newest_stamp(&self, heads: &[Seq]) -> Option<u64> {
        let ready = self.places.iter().zip(heads).filter(|(place, head)| place.position < **head);
        ready.filter_map(|(place, head)| place.channel.log.cursor(head - 1).ok()?.next_stamp()).max()
    }
}

impl Place {
    /// Where this channel is read now; `head` is where the newest frame ended that is surely not above the last stamp.
    fn source(&self, at: usize, head: Seq, behind: bool) -> Result<Option<Source>, Lost> {
        let log = &*self.channel.log;
        if self.position >= head {
            return Ok(Log::cursor(log, self.position).ok().map(|rest| Source::new(at, rest)));
        }
        match Log::cursor(log, self.position) {
            Ok(rest) if !behind || self.channel.kind == Kind::Event => return Ok(Some(Source::new(at, rest))),
            Err(_) if self.channel.kind == Kind::Event => return Err(Lost),
            _ => {}
        }
        // Trimmed at once, it is looked for again at the next read.
        let Ok(newest) = Log::cursor(log, head - 1) else { return Ok(None) };
        let mut source = Source::new(at, newest);
        if self.channel.kind == Kind::Kline {
            let mut bytes = 0;
            let closed = log.closed_records_since(self.position, &mut |record| {
                if record.seq < head - 1 && bytes < FOLLOWED_CLOSED_BYTES_MAX {
                    bytes += record.payload.len();
                    let payload = record.payload.into();
                    source.closed.push_back(Closed { seq: record.seq, stamp: record.stamp_ns, payload });
                }
            });
            if closed.is_err() {
                return Err(Lost);
            }
            if bytes >= FOLLOWED_CLOSED_BYTES_MAX {
                source.rest = None;
            }
        }
        Ok(Some(source))
    }

    /// Gives one frame, and before it the word of what it replaces.
    fn give(&mut self, seq: Seq, stamp: u64, payload: &[u8], take: &mut impl FnMut(Item<'_>) -> bool) -> bool {
        let name = &*self.channel.name;
        if self.position < seq {
            let (from, to) = (self.position, seq - 1);
            if !take(Item::Skipped { name, state: self.told, from, to }) {
                return false;
            }
            self.position = seq;
        }
        if !take(Item::Frame { name, stamp, payload }) {
            return false;
        }
        self.position = seq + 1;
        true
    }
}

impl Source {
    fn new(at: usize, rest: Cursor) -> Source {
        Source { at, closed: VecDeque::new(), rest: Some(rest) }
    }

    fn next_stamp(&mut self) -> Option<u64> {
        match self.closed.front() {
            Some(closed) => Some(closed.stamp),
            None => self.rest.as_mut()?.next_stamp(),
        }
    }

    fn next(&mut self, give: impl FnOnce(Seq, u64, &[u8]) -> bool) -> bool {
        if let Some(closed) = self.closed.pop_front() {
            return give(closed.seq, closed.stamp, &closed.payload);
        }
        match self.rest.as_mut().and_then(Cursor::next) {
            Some(record) => give(record.seq, record.stamp_ns, record.payload),
            None => false,
        }
    }
}

/// The one whose frame comes next, if that is not after `last`.
fn next_source(sources: &mut [Source], last: u64) -> Option<&mut Source> {
    let stamped = sources.iter_mut().enumerate().filter_map(|(at, source)| Some((source.next_stamp()?, at)));
    let (_, at) = stamped.filter(|(stamp, _)| *stamp <= last).min()?;
    Some(&mut sources[at])
}

#[cfg(all(test, not(loom)))]
mod tests;
