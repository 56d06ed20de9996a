//! A local book: when it may be believed, and what it takes to believe it again.
//!
//! Diffs are kept until a snapshot comes that they follow on, as the venues prescribe (protocols/binance.md section 7).
//! Spot's ids leave no gap; those of futures skip, and only the previous id (`pu`) chains. A chain that breaks ends the
//! book: it says nothing more until a newer snapshot fits.

use std::collections::VecDeque;

use super::levels::{LEVELS_SURE_MIN, Side, Which};
use super::message::{Diff, Frame, Whole};
use crate::limits::{BOOK_CROSSED_MS_MAX, BOOK_WAITING_BYTES_MAX, BOOK_WAITING_MAX};

pub struct LocalBook {
    pub bids: Side,
    pub asks: Side,
    /// The id of its state.
    pub id: i64,
    /// The times of what was heard last: a snapshot of REST's says none.
    pub time_ms: i64,
    pub transaction_ms: i64,
    state: State,
    /// Diffs since a snapshot was called for. Each follows on the one before.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Since when the best bid is not below the best ask.
    crossed_ms: Option<u64>,
    /// Diffs forgotten because too many waited.
    skipped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is nothing to believe.
    Lost,
    /// A snapshot that nothing has confirmed yet: it may be from before the first diff.
    Held,
    /// `is_first`: the next diff is the first on its snapshot, for which the rule is another one.
    Synced { is_first: bool },
}

/// What a diff is to the state of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Follows,
    Old,
    Gap,
}

/// A diff that waits for its snapshot.
struct Waiting {
    ids: Ids,
    bids: Box<str>,
    asks: Box<str>,
}

#[derive(Clone, Copy, Debug)]
struct Ids {
    first: i64,
    last: i64,
    previous: Option<i64>,
}

impl Ids {
    fn of(diff: &Diff<'_>) -> Ids {
        Ids { first: diff.first_id, last: diff.last_id, previous: diff.previous_id }
    }

    /// Of the first diff on a snapshot.
    fn begins_at(self, snapshot_id: i64) -> Step {
        match self.previous {
            Some(_) if self.last < snapshot_id => Step::Old,
            Some(previous) if self.first <= snapshot_id || previous == snapshot_id => Step::Follows,
            Some(_) => Step::Gap,
            None => self.follows_spot(snapshot_id),
        }
    }

    /// Of any later one.
    fn follows(self, id: i64) -> Step {
        match self.previous {
            Some(previous) if previous == id => Step::Follows,
            Some(_) if self.last <= id => Step::Old,
            Some(_) => Step::Gap,
            None => self.follows_spot(id),
        }
    }

    fn follows_spot(self, id: i64) -> Step {
        if self.last <= id {
            Step::Old
        } else if self.first <= id.saturating_add(1) {
            Step::Follows
        } else {
            Step::Gap
        }
    }
}

impl LocalBook {
    pub fn new() -> LocalBook {
        LocalBook {
            bids: Side::new(Which::Bids),
            asks: Side::new(Which::Asks),
            id: 0,
            time_ms: 0,
            transaction_ms: 0,
            state: State::Lost,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            crossed_ms: None,
            skipped: 0,
        }
    }

    /// Whether it is the venue's book, as far as anybody can tell.
    pub fn is_synced(&self) -> bool {
        matches!(self.state, State::Synced { .. })
    }

    /// Whether its best `count` levels may be told.
    pub fn is_sure(&self, count: usize) -> bool {
        self.is_synced() && self.crossed_ms.is_none() && self.bids.is_sure(count) && self.asks.is_sure(count)
    }

    /// Of a book made of diffs: a snapshot would help.
    pub fn wants_snapshot(&self) -> bool {
        !self.is_synced() || !self.bids.is_sure(LEVELS_SURE_MIN) || !self.asks.is_sure(LEVELS_SURE_MIN)
    }

    /// When a crossed book is given up; `u64::MAX` if it is not crossed.
    pub fn due_ms(&self) -> u64 {
        self.crossed_ms.map_or(u64::MAX, |since_ms| since_ms.saturating_add(BOOK_CROSSED_MS_MAX))
    }

    /// Gives up a book that was crossed for too long.
    pub fn poll(&mut self, now_ms: u64) {
        if self.due_ms() <= now_ms {
            self.lose();
        }
    }

    /// Believes nothing any more.
    pub fn lose(&mut self) {
        self.state = State::Lost;
        self.crossed_ms = None;
        self.forget_waiting();
    }

    pub fn diff(&mut self, diff: &Diff<'_>, now_ms: u64) {
        if self.wants_snapshot() {
            self.wait(diff);
        }
        self.hear(diff.time_ms, diff.transaction_ms);
        let ids = Ids::of(diff);
        let step = match self.state {
            State::Lost => return,
            State::Held | State::Synced { is_first: true } => ids.begins_at(self.id),
            State::Synced { is_first: false } => ids.follows(self.id),
        };
        match step {
            // The venue speaks, and the snapshot is not older than what it says.
            Step::Old if self.state == State::Held => {
                self.state = State::Synced { is_first: true };
                self.settle(now_ms);
            }
            Step::Old => {}
            Step::Follows => {
                self.apply(ids.last, diff.bids, diff.asks);
                self.state = State::Synced { is_first: false };
                self.settle(now_ms);
            }
            Step::Gap => {
                self.lose();
                self.wait(diff);
            }
        }
    }

    /// A book as REST has it.
    pub fn snapshot(&mut self, whole: &Whole<'_>, now_ms: u64) {
        if !self.wants_snapshot() {
            return;
        }
        let steps = self.waiting.iter().map(|waiting| waiting.ids.begins_at(whole.last_id));
        let old = steps.take_while(|step| *step == Step::Old).count();
        let is_newest = old == self.waiting.len();
        if !is_newest && self.waiting[old].ids.begins_at(whole.last_id) == Step::Gap {
            // Older than what waits.
            return;
        }
        if self.is_synced() && is_newest && whole.last_id < self.id {
            return;
        }
        // Nothing waits that it could be compared with: the venue must say it twice, or a diff must fit it.
        let is_confirmed = self.state != State::Lost || !self.waiting.is_empty();
        self.fill(whole, false);
        if self.time_ms == 0 {
            self.hear(i64::try_from(now_ms).unwrap_or(0), None);
        }
        let waiting: Vec<Waiting> = self.waiting.drain(..).skip(old).collect();
        self.waiting_bytes = 0;
        for diff in waiting {
            self.apply(diff.ids.last, &diff.bids, &diff.asks);
        }
        self.state = match is_confirmed {
            true => State::Synced { is_first: is_newest },
            false => State::Held,
        };
        self.settle(now_ms);
    }

    /// A message of a stream that brings its own snapshots; only the previous id chains, and ids may be set back.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        match frame {
            Frame::Whole(whole) => {
                self.fill(whole, true);
                self.state = State::Synced { is_first: false };
            }
            Frame::Update(diff) if !self.is_synced() => {
                debug_assert!(diff.previous_id.is_some(), "it is read with one")
            }
            Frame::Update(diff) if diff.previous_id == Some(self.id) => {
                self.hear(diff.time_ms, diff.transaction_ms);
                self.apply(diff.last_id, diff.bids, diff.asks);
            }
            Frame::Update(_) => self.lose(),
        }
    }

    pub fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    fn fill(&mut self, whole: &Whole<'_>, is_window: bool) {
        self.bids.fill(whole.bids, is_window);
        self.asks.fill(whole.asks, is_window);
        self.id = whole.last_id;
        if let Some(time_ms) = whole.time_ms {
            self.hear(time_ms, None);
        }
        self.crossed_ms = None;
    }

    fn apply(&mut self, id: i64, bids: &str, asks: &str) {
        self.bids.change(bids);
        self.asks.change(asks);
        self.id = id;
    }

    /// One that comes twice is no news.
    fn hear(&mut self, time_ms: i64, transaction_ms: Option<i64>) {
        if time_ms >= self.time_ms {
            self.time_ms = time_ms;
            self.transaction_ms = transaction_ms.unwrap_or(time_ms);
        }
    }

    /// After a change: looks whether it is crossed, and lets go of what nobody waits for.
    fn settle(&mut self, now_ms: u64) {
        let is_crossed = matches!((self.bids.best(), self.asks.best()), (Some(bid), Some(ask)) if bid >= ask);
        self.crossed_ms = is_crossed.then(|| self.crossed_ms.unwrap_or(now_ms));
        if !self.wants_snapshot() {
            self.forget_waiting();
        }
    }

    fn wait(&mut self, diff: &Diff<'_>) {
        let ids = Ids::of(diff);
        match self.waiting.back().map(|before| ids.follows(before.ids.last)) {
            Some(Step::Old) => return,
            Some(Step::Gap) => self.forget_waiting(),
            Some(Step::Follows) | None => {}
        }
        self.waiting_bytes += diff.bids.len() + diff.asks.len();
        self.waiting.push_back(Waiting { ids, bids: diff.bids.into(), asks: diff.asks.into() });
        // What goes first is what the next snapshot needs least.
        while self.waiting.len() > BOOK_WAITING_MAX || self.waiting_bytes > BOOK_WAITING_BYTES_MAX {
            let Some(oldest) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= oldest.bids.len() + oldest.asks.len();
            self.skipped += 1;
        }
    }

    fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }
}

#[cfg(test)]
mod tests;
