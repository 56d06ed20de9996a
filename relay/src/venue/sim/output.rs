//! One wanted stream: what it last said, and hence what it has to say.

use super::book::{Book, Top};
use super::candle::Candle;
use super::encode::{Encoder, Ids};
use super::instrument::Instrument;
use super::market::{Sink, Source};
use super::model::{Execution, MINUTE_MS};
use super::stream::{Kind, Summary};
use super::tape::Tape;
use crate::venue::interval::{Bucket, Interval};

pub struct Output {
    name: String,
    kind: Kind,
    /// None until it began.
    memory: Option<Memory>,
}

enum Memory {
    /// Trades speak for themselves.
    Nothing,
    Top(Top),
    /// First and last trade of the window.
    Window(i64, i64),
    Book {
        id: i64,
        book: Book,
    },
    Kline(Open),
}

/// A candle under way.
struct Open {
    bucket: Bucket,
    candle: Candle,
    changed: bool,
}

impl Output {
    pub fn new(name: &str, kind: Kind) -> Output {
        Output { name: name.to_owned(), kind, memory: None }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn began(&self) -> bool {
        self.memory.is_some()
    }

    pub fn restart(&mut self) {
        self.memory = None;
    }

    /// The first moment after `now` at which the stream looks for news.
    pub fn next_timer(&self, phase: i64, now: i64) -> i64 {
        match (self.kind.period_ms(), &self.memory) {
            (Some(period), Some(_)) => ((now - phase).div_euclid(period) + 1) * period + phase,
            _ => i64::MAX,
        }
    }

    /// When something on the tape concerns the stream next.
    pub fn next_event(&self, tape: &Tape) -> i64 {
        match (self.kind, &self.memory) {
            (_, None) => i64::MAX,
            (Kind::BookTicker, _) => tape.next_at(),
            (Kind::Trade | Kind::AggTrade | Kind::Kline(_), _) => tape.next_trade_at(),
            _ => i64::MAX,
        }
    }

    /// Begins, unless it has: a state with its current value, events with those to come.
    pub fn begin(&mut self, source: &mut Source, now: i64, sink: &mut Sink<'_>) {
        if self.began() {
            return;
        }
        match self.kind {
            Kind::Trade | Kind::AggTrade => self.memory = Some(Memory::Nothing),
            Kind::Diff { .. } => self.memory = Some(Memory::Book { id: now, book: source.book(now).clone() }),
            Kind::Kline(interval) => {
                self.memory = Some(Memory::Kline(open(source, interval, now)));
                self.fired(source, now, sink);
            }
            Kind::BookTicker | Kind::Ticker(_) | Kind::MarkPrice { .. } | Kind::Partial { .. } => {
                self.fired(source, now, sink);
            }
        }
    }

    pub fn quoted(&mut self, source: &Source, now: i64, sink: &mut Sink<'_>) {
        if self.kind == Kind::BookTicker && self.began() {
            self.book_ticker(source, now, sink);
        }
    }

    pub fn traded(&mut self, source: &Source, execution: &Execution, sink: &mut Sink<'_>) {
        if !self.began() {
            return;
        }
        match self.kind {
            Kind::Trade => {
                for fill in execution.fills() {
                    self.send(source, sink, |encoder| encoder.trade(execution.trade_at, fill));
                }
            }
            Kind::AggTrade => self.send(source, sink, |encoder| encoder.agg_trade(execution)),
            Kind::BookTicker => self.book_ticker(source, execution.trade_at, sink),
            Kind::Kline(interval) => self.extend(source, interval, execution, sink),
            Kind::Ticker(_) | Kind::MarkPrice { .. } | Kind::Partial { .. } | Kind::Diff { .. } => {}
        }
    }

    /// Says what is new, if anything is.
    pub fn fired(&mut self, source: &mut Source, now: i64, sink: &mut Sink<'_>) {
        match self.kind {
            Kind::Trade | Kind::AggTrade => {}
            Kind::BookTicker => self.book_ticker(source, now, sink),
            Kind::Ticker(summary) => self.ticker(source, summary, now, sink),
            Kind::MarkPrice { .. } => {
                self.memory = Some(Memory::Nothing);
                let price = source.mark_price(now);
                self.send(source, sink, |encoder| encoder.mark_price(now, &price));
            }
            Kind::Partial { levels, .. } => self.partial(source, levels, now, sink),
            Kind::Diff { .. } => self.diff(source, now, sink),
            Kind::Kline(interval) => self.kline(source, interval, now, sink),
        }
    }

    /// After a leap to `now`, before the source follows: a candle that ended on the way still gets its last word.
    pub fn close_ended(&mut self, source: &Source, now: i64, sink: &mut Sink<'_>) {
        let (Kind::Kline(interval), Some(Memory::Kline(open))) = (self.kind, &self.memory) else {
            return;
        };
        let Bucket { open, end } = open.bucket;
        if end <= now {
            let candle = source.model.candle(open / MINUTE_MS..end / MINUTE_MS);
            send(&self.name, source.model.instrument, sink, true, |encoder| {
                encoder.kline(now, interval, Bucket { open, end }, &candle, true);
            });
        }
    }

    /// After a leap, when the source has followed.
    pub fn resume(&mut self, source: &Source, now: i64) {
        if let (Kind::Kline(interval), Some(Memory::Kline(memory))) = (self.kind, &mut self.memory) {
            *memory = open(source, interval, now);
        }
    }

    fn book_ticker(&mut self, source: &Source, now: i64, sink: &mut Sink<'_>) {
        let top = source.top(now);
        if matches!(&self.memory, Some(Memory::Top(said)) if *said == top) {
            return;
        }
        self.memory = Some(Memory::Top(top));
        self.send(source, sink, |encoder| encoder.book_ticker(now, now, &top));
    }

    fn ticker(&mut self, source: &mut Source, summary: Summary, now: i64, sink: &mut Sink<'_>) {
        let window = source.window(now);
        let (first, last) = (window.candle.first_trade, window.candle.last_trade());
        if matches!(self.memory, Some(Memory::Window(f, l)) if (f, l) == (first, last)) {
            return;
        }
        self.memory = Some(Memory::Window(first, last));
        let (fill, top) = (source.tape.last(), source.top(now));
        self.send(source, sink, |encoder| match summary {
            Summary::Ticker => encoder.ticker(now, &window, fill, &top),
            Summary::MiniTicker => encoder.mini_ticker(now, &window),
        });
    }

    /// The time is the book's id: it rises with every change, and any two streams agree on it.
    fn partial(&mut self, source: &mut Source, levels: usize, now: i64, sink: &mut Sink<'_>) {
        let book = source.book(now);
        let first = match &mut self.memory {
            Some(Memory::Book { book: said, .. }) if said.same_top(book, levels) => return,
            Some(Memory::Book { id, book: said }) => {
                said.clone_from(book);
                std::mem::replace(id, now) + 1
            }
            memory => {
                *memory = Some(Memory::Book { id: now, book: book.clone() });
                now
            }
        };
        let instrument = source.model.instrument;
        let book = source.book(now);
        send(&self.name, instrument, sink, false, |encoder| {
            encoder.partial_depth(now, Ids { first, last: now }, &book.bids[..levels], &book.asks[..levels]);
        });
    }

    fn diff(&mut self, source: &mut Source, now: i64, sink: &mut Sink<'_>) {
        let Some(Memory::Book { id, book: said }) = &mut self.memory else {
            return;
        };
        let instrument = source.model.instrument;
        let book = source.book(now);
        if said == book {
            return;
        }
        let ids = Ids { first: *id + 1, last: now };
        send(&self.name, instrument, sink, false, |encoder| {
            encoder.diff_depth(now, ids, said.bids_changed(book), said.asks_changed(book));
        });
        *id = now;
        said.clone_from(book);
    }

    fn kline(&mut self, source: &Source, interval: Interval, now: i64, sink: &mut Sink<'_>) {
        let Some(Memory::Kline(open)) = &mut self.memory else {
            return;
        };
        if std::mem::take(&mut open.changed) {
            send(&self.name, source.model.instrument, sink, false, |encoder| {
                encoder.kline(now, interval, open.bucket, &open.candle, false);
            });
        }
    }

    /// A trade of a later bucket closes the one before. None is longer than a second away, see
    /// [`super::instrument::EXECUTIONS_PER_MINUTE_MIN`], so no other rule is needed and no bucket is empty.
    fn extend(&mut self, source: &Source, interval: Interval, execution: &Execution, sink: &mut Sink<'_>) {
        let Some(Memory::Kline(open)) = &mut self.memory else {
            return;
        };
        if execution.trade_at >= open.bucket.end {
            send(&self.name, source.model.instrument, sink, true, |encoder| {
                encoder.kline(execution.trade_at, interval, open.bucket, &open.candle, true);
            });
            open.candle = Candle::default();
            open.bucket = interval.bucket(execution.trade_at);
        }
        open.candle.push_execution(execution);
        open.changed = true;
    }

    fn send(&self, source: &Source, sink: &mut Sink<'_>, write: impl FnOnce(&mut Encoder<'_>)) {
        send(&self.name, source.model.instrument, sink, false, write);
    }
}

/// The candle under way at `now`, where the tape stands.
fn open(source: &Source, interval: Interval, now: i64) -> Open {
    let bucket = interval.bucket(now);
    let mut candle = source.model.candle(bucket.open / MINUTE_MS..source.tape.minute());
    candle.absorb(source.tape.so_far());
    if candle.trades == 0 {
        candle = Candle::empty(source.tape.last().price);
    }
    Open { bucket, candle, changed: true }
}

fn send(name: &str, instrument: &Instrument, sink: &mut Sink<'_>, closed: bool, write: impl FnOnce(&mut Encoder<'_>)) {
    sink.buffer.clear();
    write(&mut Encoder { out: sink.buffer, instrument, fields: sink.fields });
    (sink.emit)(name, sink.buffer, closed);
}
