//! A Deriv symbol: its ticks, its candles, and its past.
//!
//! It listens while it lives, so that somebody who comes back within the linger finds it warm. Where its source knows its own
//! past, it has a tick from the start, and history reaches back before it.

mod candles;
mod past;
mod price;
mod sampler;
mod ticks;

pub mod symbols;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::candles::{Candle, Candles, Stretch};
pub use self::past::{Past, PastTick};
use self::price::Price;
use self::sampler::{Quote, Sampler};
use self::ticks::{Grid, Tick, Ticks};
use super::event::Event;
use super::product::{Answer, History, Out, Product, Question};
use super::topic::Topic;
use crate::limits::{DERIV_HISTORY_MAX, DERIV_WORK_SECONDS};
use crate::venue::decimal::DECIMAL_DIGITS_MAX;
use crate::wire::deriv::push::{OhlcView, TickView, ohlc_tail, tick_tail};
use crate::wire::deriv::request::{GRANULARITIES_S, HistoryCall};
use crate::wire::json::append;

/// Where a symbol's ticks come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A stream of ticks, at most one a second (`r_50@tick`).
    Native { stream: Box<str> },
    /// A pair that trades: its trades' price, and bid and ask of its top.
    Pair { trades: Box<str>, tops: Box<str> },
}

/// What a source said that became no tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// An event with a price that is none.
    pub malformed: u64,
    /// A second we have had already.
    pub repeated: u64,
}

pub struct DerivSymbol {
    symbol: Box<str>,
    source: Source,
    past: Option<Arc<dyn Past + Send + Sync>>,
    /// Fractional digits.
    pip_size: u32,
    newest: Option<Quote>,
    ticks: Ticks,
    candles: Candles,
    sampler: Sampler,
    wanted: Wanted,
    /// Whether subscribers to `ticks` are still to be told the newest tick, so that nobody waits for the next.
    announce: bool,
    /// A source is gone or silent since the newest tick: that one is no answer about the present any more.
    is_lost: bool,
    ignored: Ignored,
    ignored_told: u64,
    /// A stretch of the past that is computed piece by piece.
    work: Option<Work>,
    /// The question whose stretch was computed last.
    worked: Option<History>,
}

/// Long candles of the past take long to add up, and the task that does it has others to serve: so they are made a few
/// at a time, and the answer waits until they are there.
struct Work {
    asked: History,
    next_s: Option<u64>,
}

#[derive(Default)]
struct Wanted {
    ticks: bool,
    history: bool,
    /// By granularity, each with its open candle.
    candles: Vec<(u32, Option<Candle>)>,
}

/// What `ticks_history` asks the product.
pub fn history(call: &HistoryCall, now_s: u64) -> History {
    History {
        symbol: call.symbol.clone(),
        end_s: call.end_s,
        start_s: call.first_s(now_s),
        count: call.count(),
        granularity_s: call.candle_s(),
    }
}

impl DerivSymbol {
    pub fn new(symbol: &str, source: Source, past: Option<Arc<dyn Past + Send + Sync>>, pip_size: u32) -> Self {
        Self {
            symbol: symbol.into(),
            source,
            past,
            pip_size,
            newest: None,
            ticks: Ticks::default(),
            candles: Candles::default(),
            sampler: Sampler::default(),
            wanted: Wanted::default(),
            announce: false,
            is_lost: false,
            ignored: Ignored::default(),
            ignored_told: 0,
            work: None,
            worked: None,
        }
    }

    pub fn ignored(&self) -> Ignored {
        self.ignored
    }

    /// Begins with the tick of this moment where the past knows it: the live one of the same second is then the repeat.
    fn begin(&mut self, now_ms: u64) {
        if self.newest.is_some() {
            return;
        }
        let grid = self.past.as_deref().and_then(|past| Grid::new(past, &self.symbol, self.pip_size));
        let tick = grid.and_then(|grid| {
            let epoch_s = grid.floor(now_ms / 1000);
            Some((epoch_s, grid.quote(epoch_s)?))
        });
        if let Some((epoch_s, PastTick { quote, bid, ask })) = tick
            && let Some(quote) = self.quote(epoch_s, &quote, &bid, &ask)
        {
            self.keep(quote);
        }
    }

    fn quote(&self, epoch_s: u64, quote: &str, bid: &str, ask: &str) -> Option<Quote> {
        let [quote, bid, ask] = [quote, bid, ask].map(|text| self.price(text));
        Some(Quote { epoch_s, quote: quote?, bid: bid?, ask: ask? })
    }

    fn price(&self, text: &str) -> Option<Price> {
        Price::parse(text, self.pip_size)
    }

    /// The tick that an event completes, if any; `None` if a price in it is none.
    fn read(&mut self, source: &str, event: &Event<'_>, now_ms: u64) -> Option<Option<Quote>> {
        match (&self.source, event) {
            (Source::Native { stream }, Event::Tick(tick)) if **stream == *source => {
                // The venue says itself how fine its prices are.
                self.pip_size = self.pip_size.max(tick.pip_size.min(DECIMAL_DIGITS_MAX as u32));
                self.quote(tick.time_ms / 1000, tick.quote, tick.bid, tick.ask).map(Some)
            }
            (Source::Pair { trades, .. }, Event::Trade(trade)) if **trades == *source => {
                let price = self.price(trade.price)?;
                // Where nothing is known, a finer price than any before shows how fine they are: none is rounded.
                self.pip_size = self.pip_size.max(price.digits());
                Some(self.sampler.trade(price, now_ms))
            }
            (Source::Pair { tops, .. }, Event::Top(top)) if **tops == *source => {
                let (bid, ask) = self.price(top.bid).zip(self.price(top.ask))?;
                Some(self.sampler.top(bid, ask, now_ms))
            }
            _ => Some(None),
        }
    }

    fn keep(&mut self, quote: Quote) {
        let grid = self.past.as_deref().and_then(|past| Grid::new(past, &self.symbol, self.pip_size));
        if let (Some(grid), Some(newest)) = (grid, &self.newest)
            && grid.is_gap(newest.epoch_s, quote.epoch_s)
        {
            self.candles.restart();
            self.wanted.candles.iter_mut().for_each(|(_, candle)| *candle = None);
        }
        let tick = Tick { epoch_s: quote.epoch_s, quote: quote.quote };
        self.newest = Some(quote);
        self.ticks.push(tick);
        self.candles.push(tick);
    }

    /// A tick's second is its identity: none is told twice.
    fn tell(&mut self, quote: Quote, out: &mut Out<'_>) {
        if self.newest.is_some_and(|newest| quote.epoch_s <= newest.epoch_s) {
            self.ignored.repeated += 1;
            return;
        }
        self.keep(quote);
        self.is_lost = false;
        if self.wanted.ticks {
            self.tell_tick(&quote, false, out);
        }
        if self.wanted.history {
            self.tell_tick(&quote, true, out);
        }
        self.tell_candles(&quote, out);
        self.announce = false;
    }

    fn tell_tick(&self, quote: &Quote, history: bool, out: &mut Out<'_>) {
        let mut body = Vec::new();
        self.write_tick(quote, &mut body);
        out(&Topic::Ticks { symbol: self.symbol.clone(), history }, 0, &body);
    }

    fn write_tick(&self, quote: &Quote, body: &mut Vec<u8>) {
        let view = TickView {
            ask: &quote.ask.text(),
            bid: &quote.bid.text(),
            quote: &quote.quote.text(),
            epoch_s: quote.epoch_s,
            pip_size: self.pip_size,
            symbol: &self.symbol,
        };
        tick_tail(&view, body);
    }

    fn tell_candles(&mut self, quote: &Quote, out: &mut Out<'_>) {
        let grid = self.past.as_deref().and_then(|past| Grid::new(past, &self.symbol, self.pip_size));
        for (granularity_s, candle) in &mut self.wanted.candles {
            let open_s = quote.epoch_s - quote.epoch_s % u64::from(*granularity_s);
            if let Some(candle) = candle.as_mut().filter(|candle| candle.open_s == open_s) {
                candle.take(quote.quote);
            } else {
                // A new one, or the first we are asked for: what is known of it includes this tick.
                *candle = self.candles.at(open_s, *granularity_s, grid.as_ref());
            }
            let Some(candle) = candle else {
                continue;
            };
            let [open, high, low, close] =
                [candle.open, candle.high, candle.low, candle.close].map(|price| price.fixed(self.pip_size));
            let view = OhlcView {
                open: &open,
                high: &high,
                low: &low,
                close: &close,
                epoch_s: quote.epoch_s,
                open_s,
                granularity_s: *granularity_s,
                pip_size: self.pip_size,
                symbol: &self.symbol,
            };
            let mut body = Vec::new();
            ohlc_tail(&view, &mut body);
            out(&Topic::Candles { symbol: self.symbol.clone(), granularity_s: *granularity_s }, 0, &body);
        }
    }

    /// Whether the answer would take too long now; it is then worked on.
    fn must_work(&mut self, asked: &History, newest_s: u64) -> bool {
        let Some(granularity_s) = asked.granularity_s else { return false };
        if self.past.is_none() || self.worked.as_ref() == Some(asked) {
            return false;
        }
        if self.work.is_some() {
            return true;
        }
        let stretch = stretch(asked, newest_s);
        let missing = self.candles.missing(&stretch, granularity_s);
        if missing as u64 * u64::from(granularity_s) <= DERIV_WORK_SECONDS {
            return false;
        }
        self.candles.make_room(missing);
        let next_s = Some(stretch.end_s - stretch.end_s % u64::from(granularity_s));
        self.work = Some(Work { asked: asked.clone(), next_s });
        true
    }

    /// One piece of work.
    fn go_on_working(&mut self) {
        let Some(mut work) = self.work.take() else { return };
        let grid = self.past.as_deref().and_then(|past| Grid::new(past, &self.symbol, self.pip_size));
        let granularity_s = work.asked.granularity_s.unwrap_or(u32::MAX);
        let newest_s = self.newest.map_or(0, |newest| newest.epoch_s);
        let stretch = stretch(&work.asked, newest_s);
        let first_s = stretch.first_open_s(granularity_s);
        let mut spent_s = 0;
        while let Some(open_s) = work.next_s.filter(|open_s| *open_s >= first_s) {
            if spent_s >= DERIV_WORK_SECONDS {
                self.work = Some(work);
                return;
            }
            spent_s += u64::from(granularity_s);
            // Where the past has ended there is nothing before either.
            let candle = self.candles.at(open_s, granularity_s, grid.as_ref());
            work.next_s = open_s.checked_sub(u64::from(granularity_s)).filter(|_| candle.is_some());
        }
        self.worked = Some(work.asked);
    }

    /// The value of `history` or `candles`.
    fn write_history(&mut self, asked: &History, newest_s: u64) -> Vec<u8> {
        let grid = self.past.as_deref().and_then(|past| Grid::new(past, &self.symbol, self.pip_size));
        let Stretch { start_s, end_s, count } = stretch(asked, newest_s);
        let mut body = Vec::new();
        match asked.granularity_s {
            None => {
                if let Some(grid) = &grid {
                    self.ticks.fill(grid);
                }
                write_ticks(&self.ticks.between(start_s, end_s, count, grid.as_ref()), &mut body);
            }
            Some(granularity_s) => {
                let candles = self.candles.between(&Stretch { start_s, end_s, count }, granularity_s, grid.as_ref());
                write_candles(&candles, &mut body);
            }
        }
        body
    }
}

impl Product for DerivSymbol {
    fn sources(&self) -> Vec<Box<str>> {
        match &self.source {
            Source::Native { stream } => vec![stream.clone()],
            Source::Pair { trades, tops } => vec![trades.clone(), tops.clone()],
        }
    }

    fn want(&mut self, topic: &Topic, now_ms: u64) {
        self.begin(now_ms);
        match topic {
            Topic::Ticks { history: false, .. } => {
                self.wanted.ticks = true;
                self.announce = true;
            }
            Topic::Ticks { history: true, .. } => self.wanted.history = true,
            Topic::Candles { granularity_s, .. } if GRANULARITIES_S.contains(granularity_s) => {
                if !self.wanted.candles.iter().any(|(wanted_s, _)| wanted_s == granularity_s) {
                    self.wanted.candles.push((*granularity_s, None));
                }
            }
            _ => debug_assert!(false, "{topic} is none of {}", self.symbol),
        }
    }

    fn unwant(&mut self, topic: &Topic) {
        match topic {
            Topic::Ticks { history: false, .. } => {
                self.wanted.ticks = false;
                self.announce = false;
            }
            Topic::Ticks { history: true, .. } => self.wanted.history = false,
            Topic::Candles { granularity_s, .. } => {
                self.wanted.candles.retain(|(wanted_s, _)| wanted_s != granularity_s);
            }
            Topic::Hub { .. } | Topic::Rates { .. } | Topic::Stream { .. } => {}
        }
    }

    fn take(&mut self, source: &str, event: &Event<'_>, now_ms: u64, out: &mut Out<'_>) {
        match self.read(source, event, now_ms) {
            Some(Some(quote)) => self.tell(quote, out),
            Some(None) => {}
            None => self.ignored.malformed += 1,
        }
    }

    fn lose(&mut self, _source: &str) {
        self.is_lost = true;
        self.sampler.lose();
    }

    fn due_ms(&self) -> u64 {
        let can_announce = self.announce && self.newest.is_some() && !self.is_lost;
        if can_announce || self.work.is_some() { 0 } else { self.sampler.due_ms() }
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        self.go_on_working();
        if let Some(quote) = self.sampler.poll(now_ms) {
            self.tell(quote, out);
        }
        if self.announce
            && !self.is_lost
            && let Some(newest) = self.newest
        {
            self.tell_tick(&newest, false, out);
            self.announce = false;
        }
    }

    fn answer(&mut self, question: &Question, now_ms: u64) -> Option<Answer> {
        let symbol = match question {
            Question::Tick { symbol } | Question::Spot { symbol } => symbol,
            Question::History(history) => &history.symbol,
            Question::Rates { .. } => return Some(Answer::Unknown),
        };
        if *symbol != self.symbol {
            return Some(Answer::Unknown);
        }
        self.begin(now_ms);
        let newest = self.newest?;
        match question {
            // The past stays what it was; only of the present nothing is known.
            Question::History(asked) if self.must_work(asked, newest.epoch_s) => return None,
            Question::Tick { .. } | Question::Spot { .. } if self.is_lost => return None,
            _ => {}
        }
        let mut body = Vec::new();
        match question {
            Question::Tick { .. } => self.write_tick(&newest, &mut body),
            Question::History(asked) => body = self.write_history(asked, newest.epoch_s),
            Question::Spot { .. } => symbols::write_spot(newest.quote, newest.epoch_s, now_ms / 1000, &mut body),
            Question::Rates { .. } => {}
        }
        Some(Answer::Json { body, pip_size: self.pip_size })
    }

    fn take_skipped(&mut self) -> u64 {
        let ignored = self.ignored.malformed + self.ignored.repeated;
        ignored - std::mem::replace(&mut self.ignored_told, ignored)
    }
}

fn stretch(asked: &History, newest_s: u64) -> Stretch {
    Stretch {
        start_s: asked.start_s.unwrap_or(0),
        end_s: asked.end_s.unwrap_or(newest_s).min(newest_s),
        count: asked.count.min(DERIV_HISTORY_MAX),
    }
}

fn write_ticks(ticks: &[Tick], body: &mut Vec<u8>) {
    body.extend_from_slice(b"{\"prices\":[");
    for (index, tick) in ticks.iter().enumerate() {
        comma(index, body);
        tick.quote.write(body);
    }
    body.extend_from_slice(b"],\"times\":[");
    for (index, tick) in ticks.iter().enumerate() {
        comma(index, body);
        append(body, format_args!("{}", tick.epoch_s));
    }
    body.extend_from_slice(b"]}");
}

fn write_candles(candles: &[Candle], body: &mut Vec<u8>) {
    body.push(b'[');
    for (index, candle) in candles.iter().enumerate() {
        comma(index, body);
        let prices = [("close", candle.close), ("high", candle.high), ("low", candle.low), ("open", candle.open)];
        append(body, format_args!("{{\"epoch\":{}", candle.open_s));
        for (key, price) in prices {
            append(body, format_args!(",\"{key}\":"));
            price.write(body);
        }
        body.push(b'}');
    }
    body.push(b']');
}

fn comma(index: usize, body: &mut Vec<u8>) {
    if index > 0 {
        body.push(b',');
    }
}
