//! `@kline_…` of shorter klines, which a venue's own are made of: a bucket joined in its first short one is whole.
//!
//! A bucket of which a short kline is missing, or did not close, is told while it is open, but not as closed.

use super::bar::{Bar, Told};
use super::message::{self, Kline};
use super::recipe::{Recipe, Shape, parse};
use super::write::Writer;
use crate::market::event::Event;
use crate::market::product::{Answer, Out, Product, Question, Undecodable};
use crate::market::topic::Topic;
use crate::venue::interval::{Bucket, Interval};

/// All longer intervals of one symbol.
pub struct Rollup {
    source: Box<str>,
    short: Interval,
    series: Vec<Series>,
    writer: Writer,
    skipped: u64,
}

struct Series {
    topic: Topic,
    interval: Interval,
    running: Option<Running>,
    /// Told last, for who comes while it is kept warm.
    newest: Option<Vec<u8>>,
    is_owed: bool,
}

struct Running {
    bucket: Bucket,
    /// The short ones before the newest.
    before: Option<Bar>,
    /// The newest, and when it opened.
    newest: Bar,
    newest_ms: i64,
    /// It was the last word on it.
    is_newest_closed: bool,
    is_whole: bool,
}

/// Why a short kline is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Late;

impl Running {
    fn sum(&self) -> Option<Bar> {
        let Some(mut sum) = self.before else { return Some(self.newest) };
        sum.absorb(&self.newest).ok()?;
        Some(sum)
    }
}

impl Series {
    /// `short_end_ms`: when the short kline ends.
    fn take(&mut self, kline: &Kline<'_>, short: Interval) -> Result<(), Late> {
        let bucket = self.interval.bucket(kline.open_ms);
        let bar = Bar::of_kline(kline);
        match &mut self.running {
            Some(running) if running.bucket == bucket => {
                if kline.open_ms < running.newest_ms || (kline.open_ms == running.newest_ms && running.is_newest_closed)
                {
                    return Err(Late);
                }
                if kline.open_ms > running.newest_ms {
                    let is_next = kline.open_ms == short.bucket(running.newest_ms).end;
                    running.is_whole &= is_next && running.is_newest_closed;
                    running.before = running.sum();
                    running.is_whole &= running.before.is_some();
                }
                running.newest = bar;
                running.newest_ms = kline.open_ms;
                running.is_newest_closed = kline.is_closed;
            }
            Some(running) if bucket.open < running.bucket.open => return Err(Late),
            _ => {
                self.running = Some(Running {
                    bucket,
                    before: None,
                    newest: bar,
                    newest_ms: kline.open_ms,
                    is_newest_closed: kline.is_closed,
                    is_whole: kline.open_ms == bucket.open,
                });
            }
        }
        Ok(())
    }
}

impl Rollup {
    pub fn new(recipe: &Recipe, short: Interval) -> Rollup {
        let source = recipe.sources.first().cloned().unwrap_or_default();
        Rollup { source, short, series: Vec::new(), writer: Writer::new(), skipped: 0 }
    }
}

impl Product for Rollup {
    fn sources(&self) -> Vec<Box<str>> {
        if self.series.is_empty() { Vec::new() } else { vec![self.source.clone()] }
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        let Topic::Stream { name } = topic else { return };
        let Some((_, Shape::Kline(interval))) = parse(name) else { return };
        match self.series.iter_mut().find(|series| series.topic == *topic) {
            Some(series) => series.is_owed = series.newest.is_some(),
            None => {
                self.series.push(Series { topic: topic.clone(), interval, running: None, newest: None, is_owed: false })
            }
        }
    }

    fn unwant(&mut self, topic: &Topic) {
        self.series.retain(|series| series.topic != *topic);
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
        let kline = message::kline(text).ok_or(Undecodable)?;
        if self.short.bucket(kline.open_ms).open != kline.open_ms {
            // One of another time zone, say.
            return Err(Undecodable);
        }
        for series in &mut self.series {
            if series.take(&kline, self.short).is_err() {
                self.skipped += 1;
                continue;
            }
            let Some(running) = &mut series.running else { continue };
            let is_last = kline.is_closed && self.short.bucket(kline.open_ms).end == running.bucket.end;
            let Some(sum) = running.sum() else {
                running.is_whole = false;
                self.skipped += 1;
                continue;
            };
            if is_last && !running.is_whole {
                continue;
            }
            let told = Told {
                symbol: kline.symbol,
                interval: series.interval,
                bucket: running.bucket,
                is_closed: is_last,
                time_ms: now_ms as i64,
            };
            let text = sum.write(&mut self.writer, &told);
            out(&series.topic, 0, text);
            series.newest = (!is_last).then(|| text.to_vec());
            series.is_owed = false;
        }
        Ok(())
    }

    fn lose(&mut self, _source: &str) {
        for series in &mut self.series {
            series.newest = None;
            series.is_owed = false;
        }
    }

    fn due_ms(&self) -> u64 {
        if self.series.iter().any(|series| series.is_owed) { 0 } else { u64::MAX }
    }

    fn poll(&mut self, _now_ms: u64, out: &mut Out<'_>) {
        for series in &mut self.series {
            if std::mem::take(&mut series.is_owed)
                && let Some(newest) = &series.newest
            {
                out(&series.topic, 0, newest);
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
