//! The hub's channels: prices of some instruments, each in a message of its own, on a schedule or as they come.
//!
//! A [`spec`] says what a channel is. Of each instrument the newest [`value`] is kept: a scheduled channel pushes it
//! again and again, changed or not, until it is stale. [`okx`] and [`coins`] know the shapes of those sources.

mod coins;
mod okx;
pub mod spec;
mod value;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use self::coins::Keys;
use self::okx::OkxTicker;
use self::spec::{ChannelSpec, DataKind, Schedule};
use self::value::{Unfit, Value};
use super::event::Event;
use super::pair::Pair;
use super::product::{Answer, Key, Out, Product, Question};
use super::topic::Topic;
use crate::wire::hub::price::PriceUpdate;

/// One channel.
pub struct HubChannel {
    topic: Topic,
    spec: ChannelSpec,
    is_wanted: bool,
    /// The rows by source; of documents each source is all rows.
    row_of: HashMap<Box<str>, usize, foldhash::fast::FixedState>,
    /// By key.
    rows: Vec<Row>,
    /// Of documents: whose row has which key.
    keys: Keys,
    /// When the next push of all rows is due, where there is a schedule.
    next_ms: u64,
    /// Some rows are owed.
    is_owing: bool,
    skipped: u64,
    /// A message is written here.
    frame: Vec<u8>,
}

/// An instrument and its newest value.
#[derive(Debug, Default)]
struct Row {
    instrument: String,
    /// As Binance and OKX write it in their messages.
    symbol: String,
    okx_name: String,
    value: Value,
    okx: OkxTicker,
    /// When the value came; `None` while there is none.
    taken_ms: Option<u64>,
    /// Its source is gone or silent since: who comes now waits for what it says next.
    is_lost: bool,
    /// Somebody came who has not been told the value.
    is_owed: bool,
    /// The venue's own time, or when it came where the venue says none.
    source_ms: u64,
}

impl HubChannel {
    pub fn new(spec: ChannelSpec) -> HubChannel {
        let row = |pair: &Pair| Row {
            instrument: pair.to_string(),
            symbol: pair.symbol(),
            okx_name: pair.dashed(),
            ..Row::default()
        };
        let rows: Vec<Row> = spec.instruments.iter().map(row).collect();
        let kinds = spec.data.streams();
        let of_pair = |(index, pair): (usize, &Pair)| kinds.iter().map(|kind| (pair.stream(kind), index)).collect();
        let row_of = spec.instruments.iter().enumerate().flat_map::<Vec<_>, _>(of_pair).collect();
        HubChannel {
            topic: Topic::Hub { channel: spec.name.clone() },
            spec,
            is_wanted: false,
            row_of,
            rows,
            keys: Keys::default(),
            next_ms: u64::MAX,
            is_owing: false,
            skipped: 0,
            frame: Vec::new(),
        }
    }

    /// Forgets all values: once the sources are released nothing says that they still hold.
    fn forget(&mut self) {
        if self.spec.data.document().is_some() {
            self.rows.clear();
            self.keys.clear();
        }
        for row in &mut self.rows {
            row.taken_ms = None;
            row.lose();
        }
    }

    fn is_fresh(&self, row: &Row, now_ms: u64) -> bool {
        row.taken_ms.is_some_and(|taken_ms| now_ms.saturating_sub(taken_ms) <= self.spec.stale_ms)
    }

    /// Sets the next push after `now_ms`. The grid is that of the epoch, so that all relays push at the same times.
    fn schedule(&mut self, now_ms: u64) {
        self.next_ms = match self.spec.schedule {
            Schedule::Every(interval_ms) if self.is_wanted => {
                (now_ms / interval_ms + 1).saturating_mul(interval_ms.get())
            }
            Schedule::Every(_) | Schedule::Realtime => u64::MAX,
        };
    }

    /// A clock that was set back must not stop the pushes for as long.
    fn keep_schedule(&mut self, now_ms: u64) {
        if let Schedule::Every(interval_ms) = self.spec.schedule
            && self.next_ms.saturating_sub(now_ms) > interval_ms.get()
        {
            self.schedule(now_ms);
        }
    }

    fn take_value(&mut self, index: usize, event: &Event<'_>, at: Times, out: &mut Out<'_>) -> Result<(), Unfit> {
        let row = &mut self.rows[index];
        let source_ms = Some(venue_ms(event)).filter(|time_ms| *time_ms > 0).unwrap_or(at.said_ms);
        let mut is_news = true;
        match (self.spec.data, event) {
            (DataKind::Prices, Event::Ticker(ticker)) => row.value.prices(&row.symbol, ticker)?,
            (DataKind::Day, Event::Ticker(ticker)) => row.value.day(&row.symbol, ticker)?,
            (DataKind::Orderbook, Event::Book(book)) => row.value.book(&row.symbol, book)?,
            (DataKind::OkxTicker, event) => {
                // On a schedule everything new counts, since nothing is sent for it.
                let is_scheduled = self.spec.schedule != Schedule::Realtime;
                is_news = row.okx.take(event, source_ms)? || (is_scheduled && row.okx.is_known());
                if is_news {
                    row.okx.write(&row.okx_name, &mut row.value);
                }
            }
            _ => return Err(Unfit),
        }
        if is_news {
            row.source_ms = source_ms;
            self.store(index, at, out);
        }
        Ok(())
    }

    fn take_document(&mut self, document: &str, at: Times, out: &mut Out<'_>) -> Result<(), Unfit> {
        let found = coins::read(self.spec.data, document)?;
        self.skipped += found.skipped;
        for key in self.keys.retain(&found.rows) {
            self.rows[key as usize].taken_ms = None;
        }
        for coin in found.rows {
            let index = self.keys.key(&coin.id) as usize;
            if index == self.rows.len() {
                self.rows.push(Row::default());
            }
            let row = &mut self.rows[index];
            row.instrument = coin.instrument;
            row.value.set(coin.price, coin.data);
            row.source_ms = at.said_ms;
            self.store(index, at, out);
        }
        Ok(())
    }

    /// Keeps a row's new value, and sends it if it is the first one (since it was lost) or nothing holds it back.
    fn store(&mut self, index: usize, at: Times, out: &mut Out<'_>) {
        let row = &mut self.rows[index];
        let was_lost = std::mem::take(&mut row.is_lost);
        let is_first = row.taken_ms.replace(at.said_ms).is_none() || was_lost;
        if is_first || self.spec.schedule == Schedule::Realtime {
            self.send(index, at.now_ms, out);
        }
    }

    fn send(&mut self, index: usize, now_ms: u64, out: &mut Out<'_>) {
        self.rows[index].is_owed = false;
        let row = &self.rows[index];
        let (time_ms, source_time_ms) = match self.spec.schedule {
            Schedule::Realtime => (row.source_ms, None),
            Schedule::Every(_) => (now_ms, row.taken_ms),
        };
        let update = PriceUpdate {
            connector_id: &self.spec.name,
            exchange: &self.spec.exchange,
            instrument: &row.instrument,
            price: &row.value.price,
            time_ms,
            source_time_ms,
            data: &row.value.data,
        };
        self.frame.clear();
        update.write(&mut self.frame);
        out(&self.topic, Key::try_from(index).expect("a channel's rows are bounded"), &self.frame);
    }
}

impl Product for HubChannel {
    fn sources(&self) -> Vec<Box<str>> {
        if self.is_wanted { self.spec.sources() } else { Vec::new() }
    }

    fn want(&mut self, topic: &Topic, now_ms: u64) {
        debug_assert_eq!(*topic, self.topic, "a channel is asked for its own topic");
        if !self.is_wanted {
            self.is_wanted = true;
            self.schedule(now_ms);
            return;
        }
        // Somebody came back while it was kept warm.
        self.rows.iter_mut().for_each(|row| row.is_owed = row.taken_ms.is_some() && !row.is_lost);
        self.is_owing = true;
    }

    fn unwant(&mut self, topic: &Topic) {
        debug_assert_eq!(*topic, self.topic, "a channel is asked for its own topic");
        self.is_wanted = false;
        self.is_owing = false;
        self.next_ms = u64::MAX;
        self.forget();
    }

    fn take(&mut self, source: &str, event: &Event<'_>, now_ms: u64, out: &mut Out<'_>) {
        self.take_kept(source, event, now_ms, now_ms, out);
    }

    fn take_kept(&mut self, source: &str, event: &Event<'_>, said_ms: u64, now_ms: u64, out: &mut Out<'_>) {
        let at = Times { said_ms: said_ms.min(now_ms), now_ms };
        if !self.is_wanted {
            // What was on its way when the last client left.
            return;
        }
        self.keep_schedule(now_ms);
        let taken = match (self.row_of.get(source), event) {
            (Some(index), event) => self.take_value(*index, event, at, out),
            (None, Event::Document(document)) => self.take_document(document, at, out),
            (None, _) => Err(Unfit),
        };
        if taken.is_err() {
            self.skipped += 1;
        }
    }

    /// What is lost is still pushed on schedule, with the time it was fetched, until it is stale; only nobody new is
    /// told it at once.
    fn lose(&mut self, source: &str) {
        match self.row_of.get(source) {
            Some(index) => self.rows[*index].lose(),
            None => self.rows.iter_mut().for_each(Row::lose),
        }
    }

    fn due_ms(&self) -> u64 {
        if self.is_owing { 0 } else { self.next_ms }
    }

    /// Pushes every instrument once, also when several pushes were missed; between pushes only what is owed.
    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        self.keep_schedule(now_ms);
        let is_due = now_ms >= self.next_ms;
        if is_due {
            self.schedule(now_ms);
        }
        if !std::mem::take(&mut self.is_owing) && !is_due {
            return;
        }
        for index in 0..self.rows.len() {
            let row = &self.rows[index];
            if (is_due || row.is_owed) && self.is_fresh(row, now_ms) {
                self.send(index, now_ms, out);
            }
        }
    }

    /// Nobody asks a channel anything.
    fn answer(&mut self, _question: &Question, _now_ms: u64) -> Option<Answer> {
        Some(Answer::Unknown)
    }

    fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }
}

/// When a source said something, and what time it is.
#[derive(Clone, Copy)]
struct Times {
    said_ms: u64,
    now_ms: u64,
}

impl Row {
    fn lose(&mut self) {
        self.is_lost = true;
        self.is_owed = false;
        // It is put together anew from what comes.
        self.okx = OkxTicker::default();
    }
}

/// The time in an event; zero if it has none.
fn venue_ms(event: &Event<'_>) -> u64 {
    match event {
        Event::Trade(trade) => trade.time_ms,
        Event::Ticker(ticker) => ticker.time_ms,
        Event::Top(top) => top.time_ms,
        Event::Book(book) => book.time_ms,
        Event::Tick(tick) => tick.time_ms,
        Event::Document(_) => 0,
    }
}
