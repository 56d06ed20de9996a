//! `@depth5@250ms` of a venue's own `@depth20@100ms`: fewer levels, or less often. No book is needed for it.

use super::beat::Beat;
use super::message::{self, each_level};
use super::partial::Partial;
use super::recipe::{Recipe, Shape, parse};
use crate::market::event::Event;
use crate::market::product::{Answer, Out, Product, Question, Undecodable};
use crate::market::topic::Topic;

pub struct Cut {
    source: Box<str>,
    /// In upper case, as payloads have it.
    symbol: String,
    /// What the venue said last.
    newest: Option<Newest>,
    streams: Vec<(Partial, Beat)>,
}

struct Newest {
    id: i64,
    bids: Box<str>,
    asks: Box<str>,
}

impl Cut {
    pub fn new(recipe: &Recipe) -> Cut {
        let source = recipe.sources.first().cloned().unwrap_or_default();
        Cut { source, symbol: recipe.symbol.to_uppercase(), newest: None, streams: Vec::new() }
    }
}

impl Product for Cut {
    fn sources(&self) -> Vec<Box<str>> {
        if self.streams.is_empty() { Vec::new() } else { vec![self.source.clone()] }
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        let Topic::Stream { name } = topic else { return };
        let Some((_, Shape::Partial { levels, speed_ms })) = parse(name) else { return };
        self.streams.retain(|(partial, _)| partial.topic != *topic);
        let mut beat = Beat::new(speed_ms);
        if self.newest.is_some() {
            beat.hurry();
        }
        self.streams.push((Partial::new(topic.clone(), levels, speed_ms), beat));
    }

    fn unwant(&mut self, topic: &Topic) {
        self.streams.retain(|(partial, _)| partial.topic != *topic);
        if self.streams.is_empty() {
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
        _out: &mut Out<'_>,
    ) -> Result<(), Undecodable> {
        let whole = message::whole(text).ok_or(Undecodable)?;
        self.newest = Some(Newest { id: whole.last_id, bids: whole.bids.into(), asks: whole.asks.into() });
        self.streams.iter_mut().for_each(|(_, beat)| beat.wake(now_ms));
        Ok(())
    }

    /// What was said last is nothing to begin with any more.
    fn lose(&mut self, _source: &str) {
        self.newest = None;
        self.streams.iter_mut().for_each(|(partial, _)| partial.forget());
    }

    fn due_ms(&self) -> u64 {
        self.streams.iter().map(|(_, beat)| beat.due_ms()).min().unwrap_or(u64::MAX)
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        for (partial, beat) in &mut self.streams {
            if !beat.is_due(now_ms) {
                continue;
            }
            let Some(Newest { id, bids, asks }) = &self.newest else { continue };
            let (bids, asks) = (listed(bids, partial.levels), listed(asks, partial.levels));
            partial.tell((&self.symbol, *id, now_ms as i64), bids.into_iter(), asks.into_iter(), out);
        }
    }

    /// Nobody asks a stream anything.
    fn answer(&mut self, _question: &Question, _now_ms: u64) -> Option<Answer> {
        Some(Answer::Unknown)
    }
}

fn listed(levels: &str, count: usize) -> Vec<(&str, &str)> {
    let mut listed = Vec::with_capacity(count);
    each_level(levels, |price, quantity| {
        if listed.len() < count {
            listed.push((price, quantity));
        }
    });
    listed
}

#[cfg(test)]
mod tests {
    use super::super::recipe::{Offers, recipe};
    use super::super::said::{Bench, START_MS};

    const FOUR: &str = r#"{"lastUpdateId":7,"bids":[["4","1"],["3","1"]],"asks":[["5","1"],["6.00","1"]]}"#;

    fn bench() -> Bench {
        Bench::new("x@depth20@100ms", &["x@depth5@250ms", "x@depth5@500ms"])
    }

    #[test]
    fn the_best_levels_come_at_each_speed_if_they_changed() {
        let mut bench = bench();
        bench.say("x@depth20@100ms", FOUR);
        assert_eq!(bench.until(START_MS + 249), Vec::<String>::new());
        let frame = |time_ms: u64, first: u64, last: u64, ask: &str| {
            format!(
                r#"{{"e":"depthUpdate","E":{time_ms},"s":"X","U":{first},"u":{last},"b":[["4","1"],["3","1"]],"a":[["5","1"],["{ask}","1"]]}}"#
            )
        };
        let quick = |frame: String| format!("x@depth5@250ms {frame}");
        let slow = |frame: String| format!("x@depth5@500ms {frame}");
        assert_eq!(bench.until(START_MS + 250), [quick(frame(START_MS + 250, 7, 7, "6.00"))]);
        // The same again with another id is no news; what is, chains on what was told.
        bench.say("x@depth20@100ms", &FOUR.replace(":7", ":9"));
        assert_eq!(bench.until(START_MS + 500), [slow(frame(START_MS + 500, 9, 9, "6.00"))]);
        bench.say("x@depth20@100ms", &FOUR.replace(":7", ":12").replace("6.00", "7"));
        assert_eq!(bench.until(START_MS + 900), [quick(frame(START_MS + 750, 8, 12, "7"))]);
        assert_eq!(bench.until(START_MS + 9_000), [slow(frame(START_MS + 1_000, 10, 12, "7"))]);
    }

    #[test]
    fn only_as_many_levels_as_named() {
        let many: Vec<String> = (1..=20).map(|price| format!(r#"["{price}","1"]"#)).collect();
        let mut bench = bench();
        bench.say("x@depth20@100ms", &format!(r#"{{"lastUpdateId":7,"bids":[],"asks":[{}]}}"#, many.join(",")));
        let said = bench.until(START_MS + 250);
        assert!(said[0].ends_with(&format!(r#""b":[],"a":[{}]}}"#, many[..5].join(","))), "{said:?}");
        assert!(recipe("x@depth5@250ms", Offers { has: &|_| false, symbols: &[] }).is_none());
    }

    /// Who comes later gets it at once, but not after the venue was lost.
    #[test]
    fn who_comes_later_gets_the_present() {
        let mut bench = bench();
        bench.say("x@depth20@100ms", FOUR);
        bench.until(START_MS + 1_000);
        bench.want("x@depth5@250ms");
        assert_eq!(bench.until(START_MS + 1_001).len(), 1);
        bench.lose("x@depth20@100ms");
        bench.want("x@depth5@250ms");
        assert_eq!(bench.until(START_MS + 2_000).len(), 0);
        bench.say("x@depth20@100ms", FOUR);
        assert_eq!(bench.until(START_MS + 3_000).len(), 2, "it is told again though it is the same");
    }
}
