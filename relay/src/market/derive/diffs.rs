//! `@depth` and `@depth@500ms` of `@depth@100ms`: several diffs become one.
//!
//! Of a price the last quantity counts, zeros as well. What does not follow on the diff before is not merged with it:
//! the chain of ids breaks downstream where it broke upstream, so that a client's own book finds out.

use std::collections::BTreeMap;

use super::beat::Beat;
use super::message::{self, Diff, each_level};
use super::recipe::{Recipe, Shape, parse};
use super::write::Writer;
use crate::limits::DIFF_LEVELS_MAX;
use crate::market::event::Event;
use crate::market::product::{Answer, Out, Product, Question, Undecodable};
use crate::market::topic::Topic;
use crate::venue::decimal::Decimal;

pub struct Diffs {
    source: Box<str>,
    streams: Vec<Stream>,
    writer: Writer,
}

/// One speed.
struct Stream {
    topic: Topic,
    beat: Beat,
    merged: Option<Merged>,
}

struct Merged {
    time_ms: i64,
    transaction_ms: Option<i64>,
    symbol: Box<str>,
    first_id: i64,
    last_id: i64,
    previous_id: Option<i64>,
    bids: Levels,
    asks: Levels,
}

/// By price: as it is spelled, and the quantity.
type Levels = BTreeMap<Decimal, (Box<str>, Box<str>)>;

impl Merged {
    fn new(diff: &Diff<'_>) -> Merged {
        let mut merged = Merged {
            time_ms: 0,
            transaction_ms: None,
            symbol: diff.symbol.into(),
            first_id: diff.first_id,
            last_id: diff.last_id,
            previous_id: diff.previous_id,
            bids: Levels::new(),
            asks: Levels::new(),
        };
        merged.add(diff);
        merged
    }

    fn is_followed_by(&self, diff: &Diff<'_>) -> bool {
        let is_linked = match diff.previous_id {
            Some(previous_id) => previous_id == self.last_id,
            None => diff.first_id == self.last_id.saturating_add(1),
        };
        is_linked && self.bids.len() + self.asks.len() < DIFF_LEVELS_MAX
    }

    fn add(&mut self, diff: &Diff<'_>) {
        self.time_ms = diff.time_ms;
        self.transaction_ms = diff.transaction_ms;
        self.last_id = diff.last_id;
        for (levels, changes) in [(&mut self.bids, diff.bids), (&mut self.asks, diff.asks)] {
            each_level(changes, |price, quantity| {
                if let Some(number) = Decimal::parse(price) {
                    levels.insert(number, (price.into(), quantity.into()));
                }
            });
        }
    }

    fn write<'a>(&self, writer: &'a mut Writer) -> &'a [u8] {
        writer.open("depthUpdate", self.time_ms);
        if let Some(transaction_ms) = self.transaction_ms {
            writer.integer("T", transaction_ms);
        }
        writer.string("s", &self.symbol).integer("U", self.first_id).integer("u", self.last_id);
        if let Some(previous_id) = self.previous_id {
            writer.integer("pu", previous_id);
        }
        writer.levels("b", self.bids.values().rev().map(|(price, quantity)| (&**price, &**quantity)));
        writer.levels("a", self.asks.values().map(|(price, quantity)| (&**price, &**quantity)));
        writer.end()
    }
}

impl Diffs {
    pub fn new(recipe: &Recipe) -> Diffs {
        let source = recipe.sources.first().cloned().unwrap_or_default();
        Diffs { source, streams: Vec::new(), writer: Writer::new() }
    }
}

impl Stream {
    fn tell(&mut self, writer: &mut Writer, out: &mut Out<'_>) {
        if let Some(merged) = self.merged.take() {
            out(&self.topic, 0, merged.write(writer));
        }
    }
}

impl Product for Diffs {
    fn sources(&self) -> Vec<Box<str>> {
        if self.streams.is_empty() { Vec::new() } else { vec![self.source.clone()] }
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        let Topic::Stream { name } = topic else { return };
        let Some((_, Shape::Diff { speed_ms })) = parse(name) else { return };
        if self.streams.iter().all(|stream| stream.topic != *topic) {
            self.streams.push(Stream { topic: topic.clone(), beat: Beat::new(speed_ms), merged: None });
        }
    }

    fn unwant(&mut self, topic: &Topic) {
        self.streams.retain(|stream| stream.topic != *topic);
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
        let diff = message::diff(text).ok_or(Undecodable)?;
        for stream in &mut self.streams {
            match &mut stream.merged {
                Some(merged) if merged.is_followed_by(&diff) => merged.add(&diff),
                _ => {
                    stream.tell(&mut self.writer, out);
                    stream.merged = Some(Merged::new(&diff));
                }
            }
            stream.beat.wake(now_ms);
        }
        Ok(())
    }

    fn due_ms(&self) -> u64 {
        self.streams.iter().map(|stream| stream.beat.due_ms()).min().unwrap_or(u64::MAX)
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        for stream in &mut self.streams {
            if stream.beat.is_due(now_ms) {
                stream.tell(&mut self.writer, out);
            }
        }
    }

    /// Nobody asks a stream anything.
    fn answer(&mut self, _question: &Question, _now_ms: u64) -> Option<Answer> {
        Some(Answer::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::said::{Bench, START_MS};

    fn spot(first: i64, last: i64, bids: &str, asks: &str) -> String {
        format!(r#"{{"e":"depthUpdate","E":{last},"s":"X","U":{first},"u":{last},"b":[{bids}],"a":[{asks}]}}"#)
    }

    fn bench() -> Bench {
        Bench::new("x@depth@100ms", &["x@depth", "x@depth@500ms"])
    }

    #[test]
    fn the_last_quantity_of_a_price_counts() {
        let mut bench = bench();
        bench.say("x@depth@100ms", &spot(1, 3, r#"["9.0","1"],["8","1"]"#, ""));
        bench.say("x@depth@100ms", &spot(4, 4, r#"["9.00","0"]"#, r#"["11","2"]"#));
        assert_eq!(
            bench.until(START_MS + 500),
            [format!("x@depth@500ms {}", spot(1, 4, r#"["9.00","0"],["8","1"]"#, r#"["11","2"]"#))]
        );
        bench.say("x@depth@100ms", &spot(5, 6, "", r#"["10","1"]"#));
        let said = bench.until(START_MS + 1_000);
        let whole = spot(1, 6, r#"["9.00","0"],["8","1"]"#, r#"["10","1"],["11","2"]"#);
        assert_eq!(said, [format!("x@depth {whole}"), format!("x@depth@500ms {}", spot(5, 6, "", r#"["10","1"]"#))]);
        assert_eq!(bench.until(START_MS + 9_000), Vec::<String>::new());
    }

    #[test]
    fn futures_chain_by_the_previous_id() {
        let frame = |first: i64, last: i64, previous: i64| {
            format!(
                r#"{{"e":"depthUpdate","E":1,"T":{last},"s":"X","U":{first},"u":{last},"pu":{previous},"b":[],"a":[]}}"#
            )
        };
        let mut bench = Bench::new("x@depth@100ms", &["x@depth"]);
        bench.say("x@depth@100ms", &frame(10, 20, 5));
        bench.say("x@depth@100ms", &frame(30, 40, 20));
        bench.say("x@depth@100ms", &frame(60, 70, 50));
        assert_eq!(bench.said(), [format!("x@depth {}", frame(10, 40, 5))], "what is missing breaks the chain");
        assert_eq!(bench.until(START_MS + 1_000), [format!("x@depth {}", frame(60, 70, 50))]);
    }

    /// Applied one after the other, in books.
    fn books(frames: &[String]) -> [BTreeMap<String, String>; 2] {
        let mut books = [BTreeMap::new(), BTreeMap::new()];
        for frame in frames {
            let frame: Value = serde_json::from_str(frame).unwrap();
            for (book, key) in books.iter_mut().zip(["b", "a"]) {
                for level in frame[key].as_array().unwrap() {
                    book.insert(level[0].as_str().unwrap().to_owned(), level[1].as_str().unwrap().to_owned());
                }
            }
        }
        books
    }

    proptest! {
        /// The merged diffs lead to the same book, without a hole in their ids, at most one a second.
        #[test]
        fn they_lead_to_the_same_book(
            diffs in prop::collection::vec((1u64..400, 1i64..4, prop::collection::vec((0u32..9, 0u32..3, any::<bool>()), 0..6)), 1..60),
        ) {
            let mut bench = Bench::new("x@depth@100ms", &["x@depth"]);
            let (mut at_ms, mut id, mut frames, mut said) = (START_MS, 0, Vec::new(), Vec::new());
            for (gap, ids, levels) in diffs {
                at_ms += gap;
                said.extend(bench.until(at_ms));
                let side = |is_bid: bool| {
                    let levels = levels.iter().filter(|level| level.2 == is_bid);
                    levels.map(|(price, quantity, _)| format!(r#"["{price}","{quantity}"]"#)).collect::<Vec<_>>().join(",")
                };
                let frame = spot(id + 1, id + ids, &side(true), &side(false));
                bench.say("x@depth@100ms", &frame);
                frames.push(frame);
                id += ids;
            }
            said.extend(bench.until(at_ms + 1_000));
            let said: Vec<String> = said.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
            prop_assert_eq!(books(&said), books(&frames));
            prop_assert!(said.len() as u64 <= (at_ms - START_MS) / 1_000 + 1);
            let mut last = 0;
            for frame in &said {
                let frame: Value = serde_json::from_str(frame).unwrap();
                prop_assert_eq!(frame["U"].as_i64().unwrap(), last + 1);
                last = frame["u"].as_i64().unwrap();
            }
            prop_assert_eq!(last, id);
        }
    }
}
