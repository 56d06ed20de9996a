//! `@depth5@100ms` and `@bookTicker` of a local book: one book and one beat per speed, however many streams and clients.
//!
//! While the book is unsure nothing is told. What is told first after that is told whether it changed or not.

use super::beat::Beat;
use super::book::LocalBook;
use super::message;
use super::partial::Partial;
use super::recipe::{Method, Recipe, Shape, parse};
use super::top::{At, Top};
use crate::market::event::Event;
use crate::market::product::{Answer, Out, Product, Question, Undecodable};
use crate::market::topic::Topic;

pub struct BookStreams {
    source: Box<str>,
    /// Where whole books come from, if the source has none itself.
    snapshots: Option<Box<str>>,
    /// In upper case, as payloads have it.
    symbol: String,
    book: LocalBook,
    partials: Vec<Partial>,
    top: Option<Top>,
    /// A beat for each speed somebody wants.
    beats: Vec<Beat>,
    /// The snapshot is among the sources, as the caller knows them.
    has_asked: bool,
    /// It was believed once and is not now.
    is_unsure: bool,
    /// The source is gone: until it speaks again no snapshot helps.
    is_silent: bool,
    skipped: u64,
}

impl BookStreams {
    pub fn new(recipe: &Recipe) -> BookStreams {
        let mut sources = recipe.sources.iter().cloned();
        BookStreams {
            source: sources.next().unwrap_or_default(),
            snapshots: sources.next().filter(|_| recipe.method == Method::BookOfDiffs),
            symbol: recipe.symbol.to_uppercase(),
            book: LocalBook::new(),
            partials: Vec::new(),
            top: None,
            beats: Vec::new(),
            has_asked: false,
            is_unsure: false,
            is_silent: false,
            skipped: 0,
        }
    }

    fn is_wanted(&self) -> bool {
        self.top.is_some() || !self.partials.is_empty()
    }

    fn wants_snapshot(&self) -> bool {
        self.snapshots.is_some() && self.is_wanted() && !self.is_silent && self.book.wants_snapshot()
    }

    /// After anything that may have changed the book.
    fn settle(&mut self, was_synced: bool, now_ms: u64, out: &mut Out<'_>) {
        self.skipped += self.book.take_skipped();
        match (was_synced, self.book.is_synced()) {
            (true, false) => {
                self.is_unsure = true;
                self.forget_told();
            }
            (false, true) => {
                self.is_unsure = false;
                // That it is live again is told before what it says.
                self.beats.iter_mut().for_each(Beat::hurry);
                if let Some(top) = &mut self.top {
                    top.is_owed = true;
                }
            }
            (true, true) => {
                self.beats.iter_mut().for_each(|beat| beat.wake(now_ms));
                self.tell_top(out);
            }
            (false, false) => {}
        }
    }

    fn forget_told(&mut self) {
        self.partials.iter_mut().for_each(Partial::forget);
        if let Some(top) = &mut self.top {
            top.forget();
        }
    }

    fn tell_top(&mut self, out: &mut Out<'_>) {
        let Some(top) = self.top.as_mut().filter(|_| self.book.is_sure(1)) else { return };
        let (bid, ask) = (self.book.bids.texts(1).next(), self.book.asks.texts(1).next());
        let LocalBook { id, time_ms, transaction_ms, .. } = self.book;
        top.tell(At { symbol: &self.symbol, id, time_ms, transaction_ms }, bid, ask, out);
    }
}

impl Product for BookStreams {
    fn sources(&self) -> Vec<Box<str>> {
        if !self.is_wanted() {
            return Vec::new();
        }
        let snapshots = self.snapshots.iter().filter(|_| self.wants_snapshot());
        std::iter::once(&self.source).chain(snapshots).cloned().collect()
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        let Topic::Stream { name } = topic else { return };
        match parse(name) {
            Some((_, Shape::Partial { levels, speed_ms })) => {
                self.partials.retain(|partial| partial.topic != *topic);
                self.partials.push(Partial::new(topic.clone(), levels, speed_ms));
                if self.beats.iter().all(|beat| beat.period_ms() != speed_ms) {
                    self.beats.push(Beat::new(speed_ms));
                }
                self.beats.iter_mut().filter(|beat| beat.period_ms() == speed_ms).for_each(Beat::hurry);
            }
            Some((_, Shape::Top)) => self.top = Some(Top::new(topic.clone())),
            _ => debug_assert!(false, "{name} is not of a book"),
        }
        self.has_asked = self.wants_snapshot();
    }

    fn unwant(&mut self, topic: &Topic) {
        self.partials.retain(|partial| partial.topic != *topic);
        self.beats.retain(|beat| self.partials.iter().any(|partial| partial.speed_ms == beat.period_ms()));
        self.top.take_if(|top| top.topic == *topic);
        if !self.is_wanted() {
            // Nobody tells it what changes from here on.
            self.book = LocalBook::new();
            self.is_unsure = false;
            self.is_silent = false;
        }
        self.has_asked = self.wants_snapshot();
    }

    fn take(&mut self, _source: &str, _event: &Event<'_>, _now_ms: u64, _out: &mut Out<'_>) {}

    fn reads_messages(&self) -> bool {
        true
    }

    fn take_message(
        &mut self,
        source: &str,
        text: &str,
        _is_kept: bool,
        now_ms: u64,
        out: &mut Out<'_>,
    ) -> Result<(), Undecodable> {
        let was_synced = self.book.is_synced();
        if self.snapshots.as_deref() == Some(source) {
            self.book.snapshot(&message::whole(text).ok_or(Undecodable)?, now_ms);
        } else if self.snapshots.is_some() {
            self.is_silent = false;
            self.book.diff(&message::diff(text).ok_or(Undecodable)?, now_ms);
        } else {
            self.book.frame(&message::frame(text).ok_or(Undecodable)?);
        }
        self.settle(was_synced, now_ms, out);
        Ok(())
    }

    /// Its last word may be from long ago; the snapshot alone says nothing either.
    fn lose(&mut self, source: &str) {
        if *self.source != *source {
            return;
        }
        self.is_silent = true;
        self.is_unsure |= self.book.is_synced();
        self.book.lose();
        self.forget_told();
    }

    fn is_sure(&self) -> bool {
        !self.is_unsure
    }

    fn due_ms(&self) -> u64 {
        if self.has_asked != self.wants_snapshot() || self.top.as_ref().is_some_and(|top| top.is_owed) {
            return 0;
        }
        self.beats.iter().map(Beat::due_ms).chain([self.book.due_ms()]).min().unwrap_or(u64::MAX)
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        let was_synced = self.book.is_synced();
        // Of a venue's own frames a crossed book may be what it means, as in an auction.
        if self.snapshots.is_some() {
            self.book.poll(now_ms);
        }
        if was_synced && !self.book.is_synced() {
            self.settle(was_synced, now_ms, out);
        }
        self.has_asked = self.wants_snapshot();
        if let Some(top) = &mut self.top
            && std::mem::take(&mut top.is_owed)
        {
            self.tell_top(out);
        }
        for beat in &mut self.beats {
            if !beat.is_due(now_ms) {
                continue;
            }
            let partials = self.partials.iter_mut().filter(|partial| partial.speed_ms == beat.period_ms());
            for partial in partials.filter(|partial| self.book.is_sure(partial.levels)) {
                let (bids, asks) = (self.book.bids.texts(partial.levels), self.book.asks.texts(partial.levels));
                partial.tell((&self.symbol, self.book.id, now_ms as i64), bids, asks, out);
            }
        }
    }

    /// Nobody asks a stream anything.
    fn answer(&mut self, _question: &Question, _now_ms: u64) -> Option<Answer> {
        Some(Answer::Unknown)
    }

    fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }
}

#[cfg(test)]
mod tests;
