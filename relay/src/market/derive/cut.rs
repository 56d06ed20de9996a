//! `@depth5@250ms` and `@bookTicker` of a venue's own `@depth20@100ms`: fewer levels, or less often. No book is needed
//! for it.

use super::beat::Beat;
use super::message::{self, each_level};
use super::partial::Partial;
use super::recipe::{Recipe, Shape, parse};
use super::top::{At, Top};
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
    top: Option<Top>,
}

struct Newest {
    id: i64,
    /// When it came, if the venue does not say.
    time_ms: i64,
    bids: Box<str>,
    asks: Box<str>,
}

impl Cut {
    pub fn new(recipe: &Recipe) -> Cut {
        let source = recipe.sources.first().cloned().unwrap_or_default();
        Cut { source, symbol: recipe.symbol.to_uppercase(), newest: None, streams: Vec::new(), top: None }
    }

    fn is_wanted(&self) -> bool {
        self.top.is_some() || !self.streams.is_empty()
    }

    fn tell_top(&mut self, out: &mut Out<'_>) {
        let (Some(top), Some(newest)) = (&mut self.top, &self.newest) else { return };
        top.is_owed = false;
        let Newest { id, time_ms, bids, asks } = newest;
        let at = At { symbol: &self.symbol, id: *id, time_ms: *time_ms, transaction_ms: *time_ms };
        top.tell(at, listed(bids, 1).first().copied(), listed(asks, 1).first().copied(), out);
    }
}

impl Product for Cut {
    fn sources(&self) -> Vec<Box<str>> {
        if self.is_wanted() { vec![self.source.clone()] } else { Vec::new() }
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        let Topic::Stream { name } = topic else { return };
        let Some((_, Shape::Partial { levels, speed_ms })) = parse(name) else {
            self.top = Some(Top::new(topic.clone()));
            return;
        };
        self.streams.retain(|(partial, _)| partial.topic != *topic);
        let mut beat = Beat::new(speed_ms);
        if self.newest.is_some() {
            beat.hurry();
        }
        self.streams.push((Partial::new(topic.clone(), levels, speed_ms), beat));
    }

    fn unwant(&mut self, topic: &Topic) {
        self.streams.retain(|(partial, _)| partial.topic != *topic);
        self.top.take_if(|top| top.topic == *topic);
        if !self.is_wanted() {
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
        let whole = message::whole(text).ok_or(Undecodable)?;
        let time_ms = whole.time_ms.unwrap_or(now_ms as i64);
        self.newest = Some(Newest { id: whole.last_id, time_ms, bids: whole.bids.into(), asks: whole.asks.into() });
        self.streams.iter_mut().for_each(|(_, beat)| beat.wake(now_ms));
        self.tell_top(out);
        Ok(())
    }

    /// What was said last is nothing to begin with any more.
    fn lose(&mut self, _source: &str) {
        self.newest = None;
        self.streams.iter_mut().for_each(|(partial, _)| partial.forget());
        if let Some(top) = &mut self.top {
            top.forget();
        }
    }

    fn due_ms(&self) -> u64 {
        if self.newest.is_some() && self.top.as_ref().is_some_and(|top| top.is_owed) {
            return 0;
        }
        self.streams.iter().map(|(_, beat)| beat.due_ms()).min().unwrap_or(u64::MAX)
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        if self.top.as_ref().is_some_and(|top| top.is_owed) {
            self.tell_top(out);
        }
        for (partial, beat) in &mut self.streams {
            if !beat.is_due(now_ms) {
                continue;
            }
            let Some(Newest { id, bids, asks, .. }) = &self.newest else { continue };
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
    use proptest::prelude::*;

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

    #[test]
    fn the_best_level_comes_when_it_changes() {
        let mut bench = Bench::new("x@depth20@100ms", &["x@bookTicker"]);
        bench.say("x@depth20@100ms", FOUR);
        let top = |id: u64, quantity: &str| {
            format!(
                r#"x@bookTicker {{"e":"bookTicker","u":{id},"E":{START_MS},"T":{START_MS},"s":"X","b":"4","B":"{quantity}","a":"5","A":"1"}}"#
            )
        };
        assert_eq!(bench.until(START_MS), [top(7, "1")]);
        bench.say("x@depth20@100ms", &FOUR.replace(":7", ":8").replace("6.00", "7"));
        bench.say("x@depth20@100ms", &FOUR.replace(":7", ":9").replace(r#"["4","1"]"#, r#"["4","2"]"#));
        assert_eq!(bench.until(START_MS), [top(9, "2")]);
        bench.want("x@bookTicker");
        assert_eq!(bench.until(START_MS), [top(9, "2")]);
        bench.lose("x@depth20@100ms");
        bench.want("x@bookTicker");
        assert_eq!(bench.until(START_MS + 9_000), Vec::<String>::new());
        bench.say("x@depth20@100ms", r#"{"lastUpdateId":7,"bids":[],"asks":[["5","1"]]}"#);
        assert_eq!(bench.said(), Vec::<String>::new(), "there is no best bid");
    }

    proptest! {
        /// At each beat the newest, if it is another one than was told before.
        #[test]
        fn as_a_list_would_be(says in prop::collection::vec((1u64..600, 0u32..3), 1..60)) {
            let mut bench = Bench::new("x@depth5@100ms", &["x@depth5@250ms"]);
            let (mut at_ms, mut said, mut told, mut newest) = (START_MS, Vec::new(), None, None);
            let mut expected = Vec::new();
            let mut beat = |from_ms: u64, to_ms: u64, newest: &Option<u32>| {
                if from_ms / 250 < to_ms / 250 && newest.is_some() && told != *newest {
                    told = *newest;
                    expected.push(newest.unwrap());
                }
            };
            for (gap, price) in says {
                beat(at_ms, at_ms + gap, &newest);
                at_ms += gap;
                said.extend(bench.until(at_ms));
                bench.say("x@depth5@100ms", &format!(r#"{{"lastUpdateId":{at_ms},"bids":[["{price}","1"]],"asks":[]}}"#));
                newest = Some(price);
            }
            beat(at_ms, at_ms + 250, &newest);
            said.extend(bench.until(at_ms + 250));
            let price = |line: &String| {
                let frame: serde_json::Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
                frame["b"][0][0].as_str().unwrap().parse::<u32>().unwrap()
            };
            prop_assert_eq!(said.iter().map(price).collect::<Vec<_>>(), expected);
        }
    }
}
