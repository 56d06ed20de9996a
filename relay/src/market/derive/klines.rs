//! `@kline_…` of trades.
//!
//! A trade belongs to the bucket of its own time. A bucket closes a second after its end, or at the first trade of a
//! later one. What time it is at the venue follows from its last message, so that neither a clock that is off nor a
//! recording from another day closes buckets before their time. Of a bucket whose start was not witnessed (the relay came in its middle, or the venue's
//! connection was lost) open candles are told with what was heard, but never a closed one.

use super::bar::{Bar, Told};
use super::beat::Beat;
use super::message::{self, Trade};
use super::recipe::{Recipe, Shape, parse};
use super::write::Writer;
use crate::limits::EMPTY_KLINES_MAX;
use crate::market::event::Event;
use crate::market::product::{Answer, Out, Product, Question, Undecodable};
use crate::market::topic::Topic;
use crate::venue::interval::{Bucket, Interval};

/// How often an open candle is told while it changes.
const OPEN_MS: u64 = 250;

/// How long a bucket waits for trades that are late.
const LATE_MS: i64 = 1_000;

/// All intervals of one symbol.
pub struct TradeKlines {
    source: Box<str>,
    /// In upper case, as payloads have it.
    symbol: String,
    series: Vec<Series>,
    /// The newest trade, as a bar of its own.
    newest: Option<Bar>,
    /// A trade was heard since the source was lost: from then on nothing is missed.
    is_hearing: bool,
    /// How far the venue's clock was behind ours, with the way here, when it spoke last.
    behind_ms: i64,
    writer: Writer,
    skipped: u64,
}

struct Series {
    topic: Topic,
    interval: Interval,
    running: Option<Running>,
    beat: Beat,
}

/// A bucket that has not closed.
struct Running {
    bucket: Bucket,
    bar: Option<Bar>,
    /// All of its trades were heard so far.
    is_whole: bool,
}

impl TradeKlines {
    pub fn new(recipe: &Recipe) -> TradeKlines {
        TradeKlines {
            source: recipe.sources.first().cloned().unwrap_or_default(),
            symbol: recipe.symbol.to_uppercase(),
            series: Vec::new(),
            newest: None,
            is_hearing: false,
            behind_ms: 0,
            writer: Writer::new(),
            skipped: 0,
        }
    }

    fn stop_hearing(&mut self) {
        self.is_hearing = false;
        for running in self.series.iter_mut().filter_map(|series| series.running.as_mut()) {
            running.is_whole = false;
        }
    }

    fn take_trade(&mut self, trade: &Trade, now_ms: u64, out: &mut Out<'_>) {
        self.behind_ms = (now_ms as i64).saturating_sub(trade.said_ms);
        let Ok(bar) = Bar::of_trade(trade) else {
            // Nothing that it belongs to can be whole any more.
            self.skipped += 1;
            return self.stop_hearing();
        };
        let mut teller = Teller { symbol: &self.symbol, writer: &mut self.writer, now_ms, out };
        let mut is_late = false;
        for series in &mut self.series {
            if let Some(running) = &series.running
                && trade.time_ms < running.bucket.open
            {
                is_late = true;
                continue;
            }
            series.close_until(trade.time_ms, self.newest.as_ref(), self.is_hearing, &mut teller);
            // Whatever was said before it in this bucket may have been missed.
            let bucket = series.interval.bucket(trade.time_ms);
            let running = series.running.get_or_insert(Running { bucket, bar: None, is_whole: false });
            running.is_whole &= self.is_hearing;
            let added = match &mut running.bar {
                Some(sum) => sum.absorb(&bar),
                None => {
                    running.bar = Some(bar);
                    Ok(())
                }
            };
            if added.is_err() {
                running.is_whole = false;
                self.skipped += 1;
            }
            series.beat.wake(now_ms);
        }
        self.skipped += u64::from(is_late);
        self.newest = Some(bar);
        self.is_hearing = true;
    }
}

/// How candles are told.
struct Teller<'a, 'b> {
    symbol: &'a str,
    writer: &'a mut Writer,
    now_ms: u64,
    out: &'a mut Out<'b>,
}

impl Series {
    /// Closes every bucket that ends by then.
    fn close_until(&mut self, end_ms: i64, newest: Option<&Bar>, is_hearing: bool, teller: &mut Teller<'_, '_>) {
        for _ in 0..EMPTY_KLINES_MAX {
            let Some(running) = self.running.take_if(|running| running.bucket.end <= end_ms) else { return };
            self.beat = Beat::new(OPEN_MS);
            let bar = running.bar.or_else(|| newest.map(Bar::empty_after));
            if let Some(bar) = bar.filter(|_| running.is_whole) {
                self.tell(&bar, running.bucket, true, teller);
            }
            let bucket = self.interval.bucket(running.bucket.end);
            self.running = Some(Running { bucket, bar: None, is_whole: is_hearing });
        }
        if self.running.as_ref().is_some_and(|running| running.bucket.end <= end_ms) {
            // The clock leapt: nobody was there to hear.
            self.running = Some(Running { bucket: self.interval.bucket(end_ms), bar: None, is_whole: false });
        }
    }

    fn tell(&self, bar: &Bar, bucket: Bucket, is_closed: bool, teller: &mut Teller<'_, '_>) {
        let told =
            Told { symbol: teller.symbol, interval: self.interval, bucket, is_closed, time_ms: teller.now_ms as i64 };
        (teller.out)(&self.topic, 0, bar.write(teller.writer, &told));
    }

    fn due_ms(&self, behind_ms: i64) -> u64 {
        let close_ms = |running: &Running| running.bucket.end.saturating_add(LATE_MS).saturating_add(behind_ms);
        let close_ms = self.running.as_ref().map(|running| u64::try_from(close_ms(running)).unwrap_or(0));
        self.beat.due_ms().min(close_ms.unwrap_or(u64::MAX))
    }
}

impl Product for TradeKlines {
    fn sources(&self) -> Vec<Box<str>> {
        if self.series.is_empty() { Vec::new() } else { vec![self.source.clone()] }
    }

    fn want(&mut self, topic: &Topic, now_ms: u64) {
        let Topic::Stream { name } = topic else { return };
        let Some((_, Shape::Kline(interval))) = parse(name) else { return };
        if let Some(series) = self.series.iter_mut().find(|series| series.topic == *topic) {
            // Somebody came back while it was kept warm.
            return series.beat.hurry();
        }
        let bucket = interval.bucket((now_ms as i64).saturating_sub(self.behind_ms));
        let running = self.is_hearing.then_some(Running { bucket, bar: None, is_whole: false });
        self.series.push(Series { topic: topic.clone(), interval, running, beat: Beat::new(OPEN_MS) });
    }

    fn unwant(&mut self, topic: &Topic) {
        self.series.retain(|series| series.topic != *topic);
        if self.series.is_empty() {
            self.is_hearing = false;
            self.newest = None;
        }
    }

    fn take(&mut self, _source: &str, _event: &Event<'_>, _now_ms: u64, _out: &mut Out<'_>) {}

    fn reads_messages(&self) -> bool {
        true
    }

    fn take_message(
        &mut self,
        _source: &str,
        text: &str,
        _is_kept: bool,
        now_ms: u64,
        out: &mut Out<'_>,
    ) -> Result<(), Undecodable> {
        let Some(trade) = message::trade(text) else {
            self.stop_hearing();
            return Err(Undecodable);
        };
        self.take_trade(&trade, now_ms, out);
        Ok(())
    }

    fn interrupt(&mut self, _source: &str) {
        self.stop_hearing();
    }

    fn lose(&mut self, _source: &str) {
        self.stop_hearing();
    }

    fn due_ms(&self) -> u64 {
        self.series.iter().map(|series| series.due_ms(self.behind_ms)).min().unwrap_or(u64::MAX)
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        let over_ms = (now_ms as i64).saturating_sub(self.behind_ms).saturating_sub(LATE_MS);
        let mut teller = Teller { symbol: &self.symbol, writer: &mut self.writer, now_ms, out };
        for series in &mut self.series {
            series.close_until(over_ms, self.newest.as_ref(), self.is_hearing, &mut teller);
            if series.beat.is_due(now_ms)
                && let Some(Running { bucket, bar: Some(bar), .. }) = &series.running
            {
                series.tell(bar, *bucket, false, &mut teller);
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
