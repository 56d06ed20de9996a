//! One instrument at work: its tape, its book, and the streams somebody wants of it.

use super::Fields;
use super::book::{Book, Shape, TOP_REFRESH_MS, Top};
use super::day::{Day, Window};
use super::encode::{Encoder, MarkPrice};
use super::model::{MINUTE_MS, Model};
use super::output::Output;
use super::stream::Kind;
use super::tape::{Event, Tape};
use std::sync::Arc;

/// Instruments speak one after the other, so that a period's frames do not all fall due at once.
const PHASE_MS: i64 = 5;

/// A common multiple of the periods of diff depth.
const DIFF_PERIODS_MS: i64 = 500;

const FUNDING_PERIOD_MS: i64 = 8 * 60 * MINUTE_MS;

/// Where frames go.
pub struct Sink<'a> {
    pub emit: &'a mut dyn FnMut(&str, &[u8], bool),
    pub buffer: &'a mut Vec<u8>,
    pub fields: Fields,
}

/// What the streams of an instrument are made of.
pub struct Source {
    pub model: Arc<Model>,
    pub tape: Tape,
    phase: i64,
    day: Day,
    book: Book,
    book_at: i64,
}

pub struct Market {
    pub source: Source,
    outputs: Vec<Output>,
    timer_at: i64,
    due: i64,
}

impl Source {
    /// The book at `now`, where the tape stands.
    pub fn book(&mut self, now: i64) -> &Book {
        if self.book_at != now {
            let mut book = std::mem::take(&mut self.book);
            self.shape().fill(self.tape.quote(), now, &mut book);
            self.book = book;
            self.book_at = now;
        }
        &self.book
    }

    pub fn top(&self, now: i64) -> Top {
        self.shape().top(self.tape.quote(), now)
    }

    fn shape(&self) -> Shape<'_> {
        Shape { instrument: self.model.instrument, key: self.model.book_key(), phase: self.phase }
    }

    pub fn window(&mut self, now: i64) -> Window {
        self.day.window(&self.model, &self.tape, now)
    }

    /// The mark price leans from the index towards the book's middle.
    pub fn mark_price(&self, now: i64) -> MarkPrice {
        let index = self.model.index_price(now);
        let middle = self.tape.quote().bid + self.model.instrument.spread / 2;
        let period = now.div_euclid(FUNDING_PERIOD_MS);
        MarkPrice {
            mark: index + (middle - index) / 4,
            index,
            rate: self.model.funding_rate(period),
            funding_at: (period + 1) * FUNDING_PERIOD_MS,
        }
    }

    /// Lets pass what nobody listens to.
    pub fn catch_up(&mut self, now: i64) {
        while self.tape.next_at() <= now {
            self.tape.advance(&self.model);
        }
    }
}

impl Market {
    /// `index` is the instrument's place in the table.
    pub fn new(model: Arc<Model>, index: usize, now: i64) -> Market {
        let tape = Tape::new(&model, now);
        Market {
            source: Source {
                model,
                tape,
                phase: (index as i64 * PHASE_MS) % TOP_REFRESH_MS,
                day: Day::new(),
                book: Book::default(),
                book_at: i64::MIN,
            },
            outputs: Vec::new(),
            timer_at: i64::MAX,
            due: i64::MAX,
        }
    }

    /// When [`Market::step`] has something to do.
    pub fn due(&self) -> i64 {
        self.due
    }

    pub fn is_idle(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Whether a stream began, so that a leap of the clock loses something.
    pub fn is_running(&self) -> bool {
        self.outputs.iter().any(Output::began)
    }

    /// Begins a stream; it speaks from the next [`Market::begin`] on.
    pub fn want(&mut self, name: &str, kind: Kind) {
        if !self.outputs.iter().any(|output| output.name() == name) {
            self.outputs.push(Output::new(name, kind));
        }
    }

    pub fn unwant(&mut self, name: &str, now: i64) {
        self.outputs.retain(|output| output.name() != name);
        self.schedule(now);
    }

    /// The book at the last moment before `now` at which diffs of all speeds end, as REST would answer it.
    pub fn snapshot(&self, now: i64) -> Vec<u8> {
        let Source { model, phase, .. } = &self.source;
        let at = (now - phase).div_euclid(DIFF_PERIODS_MS) * DIFF_PERIODS_MS + phase;
        let mut book = Book::default();
        self.source.shape().fill(Tape::new(model, at).quote(), at, &mut book);
        let mut out = Vec::new();
        let fields = Fields::Document;
        Encoder { out: &mut out, instrument: model.instrument, fields }.snapshot(at, &book);
        out
    }

    /// Stands at `now` without having been anywhere between.
    pub fn place(&mut self, now: i64) {
        self.source.tape = Tape::new(&self.source.model, now);
        self.source.book_at = i64::MIN;
        self.schedule(now);
    }

    /// Places the market at `now` after a leap forward. Candles that ended meanwhile are closed, nothing else is told.
    pub fn leap(&mut self, now: i64, sink: &mut Sink<'_>) {
        for output in &mut self.outputs {
            output.close_ended(&self.source, now, sink);
        }
        self.place(now);
        for output in &mut self.outputs {
            output.resume(&self.source, now);
        }
    }

    /// Makes every stream begin anew: after a leap back its chain cannot go on.
    pub fn restart(&mut self, now: i64) {
        self.place(now);
        self.outputs.iter_mut().for_each(Output::restart);
    }

    /// Begins the streams that were wanted since the last call, each with its current value.
    pub fn begin(&mut self, now: i64, sink: &mut Sink<'_>) {
        self.source.catch_up(now);
        for output in &mut self.outputs {
            output.begin(&mut self.source, now, sink);
        }
        self.schedule(now);
    }

    /// Does what is due at `now`; nothing may be due before.
    pub fn step(&mut self, now: i64, sink: &mut Sink<'_>) {
        while self.source.tape.next_at() <= now {
            let at = self.source.tape.next_at();
            match self.source.tape.advance(&self.source.model) {
                Event::MinuteTurned => {}
                Event::Quoted => self.outputs.iter_mut().for_each(|output| output.quoted(&self.source, at, sink)),
                Event::Traded(execution) => {
                    self.outputs.iter_mut().for_each(|output| output.traded(&self.source, &execution, sink));
                }
            }
        }
        if self.timer_at <= now {
            debug_assert_eq!(self.timer_at, now, "steps are taken one by one");
            for output in &mut self.outputs {
                if output.next_timer(self.source.phase, now - 1) == now {
                    output.fired(&mut self.source, now, sink);
                }
            }
        }
        self.schedule(now);
    }

    fn schedule(&mut self, now: i64) {
        let timers = self.outputs.iter().map(|output| output.next_timer(self.source.phase, now));
        self.timer_at = timers.min().unwrap_or(i64::MAX);
        let events = self.outputs.iter().map(|output| output.next_event(&self.source.tape));
        self.due = self.timer_at.min(events.min().unwrap_or(i64::MAX));
    }
}
