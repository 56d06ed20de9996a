//! `@miniTicker` of `@ticker`, and `!ticker@arr` of the tickers of each symbol.

use super::beat::Beat;
use super::message::{self, Ticker};
use super::recipe::{Recipe, Shape};
use super::write::Writer;
use crate::market::event::Event;
use crate::market::product::{Answer, Out, Product, Question, Undecodable};
use crate::market::topic::Topic;

/// How often an array comes.
const ARRAY_MS: u64 = 1_000;

/// What a ticker says, in short.
fn write_mini<'a>(writer: &'a mut Writer, ticker: &Ticker<'_>) -> &'a [u8] {
    writer.text.clear();
    writer.raw("{\"e\":\"24hrMiniTicker\"").key("E").raw(ticker.time).string("s", ticker.symbol);
    writer.string("c", ticker.last).string("o", ticker.open).string("h", ticker.high).string("l", ticker.low);
    writer.string("v", ticker.volume).string("q", ticker.quote_volume);
    writer.end()
}

pub struct Minis {
    source: Box<str>,
    topic: Option<Topic>,
    /// What was told last, for who comes while it is kept warm.
    newest: Option<Vec<u8>>,
    is_owed: bool,
    writer: Writer,
}

impl Minis {
    pub fn new(recipe: &Recipe) -> Minis {
        let source = recipe.sources.first().cloned().unwrap_or_default();
        Minis { source, topic: None, newest: None, is_owed: false, writer: Writer::new() }
    }
}

impl Product for Minis {
    fn sources(&self) -> Vec<Box<str>> {
        self.topic.iter().map(|_| self.source.clone()).collect()
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        self.topic = Some(topic.clone());
        self.is_owed = self.newest.is_some();
    }

    fn unwant(&mut self, _topic: &Topic) {
        self.topic = None;
        self.newest = None;
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
        _now_ms: u64,
        out: &mut Out<'_>,
    ) -> Result<(), Undecodable> {
        let ticker = message::ticker(text).ok_or(Undecodable)?;
        let Some(topic) = &self.topic else { return Ok(()) };
        let mini = write_mini(&mut self.writer, &ticker);
        out(topic, 0, mini);
        self.newest = Some(mini.to_vec());
        self.is_owed = false;
        Ok(())
    }

    fn lose(&mut self, _source: &str) {
        self.newest = None;
        self.is_owed = false;
    }

    fn due_ms(&self) -> u64 {
        if self.is_owed { 0 } else { u64::MAX }
    }

    fn poll(&mut self, _now_ms: u64, out: &mut Out<'_>) {
        if std::mem::take(&mut self.is_owed)
            && let (Some(topic), Some(newest)) = (&self.topic, &self.newest)
        {
            out(topic, 0, newest);
        }
    }

    /// Nobody asks a stream anything.
    fn answer(&mut self, _question: &Question, _now_ms: u64) -> Option<Answer> {
        Some(Answer::Unknown)
    }
}

/// The symbols that changed since the frame before, once a second.
pub struct Array {
    sources: Vec<Box<str>>,
    topic: Option<Topic>,
    /// The sources speak of more than this array tells.
    is_cut: bool,
    /// By source.
    newest: Vec<Row>,
    beat: Beat,
    writer: Writer,
}

#[derive(Clone, Default)]
struct Row {
    text: Vec<u8>,
    has_changed: bool,
}

impl Array {
    pub fn new(recipe: &Recipe) -> Array {
        let mut sources = recipe.sources.clone();
        sources.sort_unstable();
        let is_mini = recipe.shape == Shape::Array { is_mini: true };
        Array {
            newest: vec![Row::default(); sources.len()],
            is_cut: is_mini && sources.iter().all(|source| source.ends_with("@ticker")),
            sources,
            topic: None,
            beat: Beat::new(ARRAY_MS),
            writer: Writer::new(),
        }
    }
}

impl Product for Array {
    fn sources(&self) -> Vec<Box<str>> {
        if self.topic.is_some() { self.sources.clone() } else { Vec::new() }
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        self.topic = Some(topic.clone());
    }

    fn unwant(&mut self, _topic: &Topic) {
        self.topic = None;
        self.newest.fill(Row::default());
    }

    fn take(&mut self, _source: &str, _event: &Event<'_>, _now_ms: u64, _out: &mut Out<'_>) {}

    fn reads_messages(&self) -> bool {
        true
    }

    /// What is kept counts as new to this array.
    fn take_message(
        &mut self,
        source: &str,
        text: &str,
        _is_kept: bool,
        now_ms: u64,
        _out: &mut Out<'_>,
    ) -> Result<(), Undecodable> {
        let index = self.sources.binary_search_by(|known| (**known).cmp(source)).map_err(|_| Undecodable)?;
        let ticker = message::ticker(text).ok_or(Undecodable)?;
        let text = if self.is_cut { write_mini(&mut self.writer, &ticker) } else { text.as_bytes() };
        let row = &mut self.newest[index];
        if row.text != text {
            row.text.clear();
            row.text.extend_from_slice(text);
            row.has_changed = true;
            self.beat.wake(now_ms);
        }
        Ok(())
    }

    fn lose(&mut self, source: &str) {
        if let Ok(index) = self.sources.binary_search_by(|known| (**known).cmp(source)) {
            self.newest[index] = Row::default();
        }
    }

    fn due_ms(&self) -> u64 {
        self.beat.due_ms()
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        if !self.beat.is_due(now_ms) {
            return;
        }
        let Some(topic) = &self.topic else { return };
        let text = &mut self.writer.text;
        text.clear();
        for row in self.newest.iter_mut().filter(|row| row.has_changed) {
            row.has_changed = false;
            text.push(if text.is_empty() { b'[' } else { b',' });
            text.extend_from_slice(&row.text);
        }
        if !text.is_empty() {
            text.push(b']');
            out(topic, 0, text);
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

    use super::super::said::{Bench, START_MS};

    fn ticker(symbol: &str, last: u64) -> String {
        format!(
            r#"{{"e":"24hrTicker","E":{last},"s":"{symbol}","p":"1","P":"1.02","w":"1","c":"{last}.00","Q":"1","o":"0.10","h":"3","l":"1","v":"7.000","q":"8","O":1,"C":2,"F":1,"L":2,"n":2,"new":[1]}}"#
        )
    }

    fn mini(symbol: &str, last: u64) -> String {
        format!(
            r#"{{"e":"24hrMiniTicker","E":{last},"s":"{symbol}","c":"{last}.00","o":"0.10","h":"3","l":"1","v":"7.000","q":"8"}}"#
        )
    }

    #[test]
    fn a_mini_ticker_is_the_ticker_in_short() {
        let mut bench = Bench::new("x@ticker", &["x@miniTicker"]);
        bench.say("x@ticker", &ticker("X", 5));
        assert_eq!(bench.said(), [format!("x@miniTicker {}", mini("X", 5))]);
        bench.want("x@miniTicker");
        assert_eq!(bench.until(START_MS), [format!("x@miniTicker {}", mini("X", 5))]);
        assert!(bench.tell("x@ticker", &mini("X", 5).replace("\"c\"", "\"d\""), false).is_err());
        bench.lose("x@ticker");
        bench.want("x@miniTicker");
        assert_eq!(bench.until(START_MS + 9_000), Vec::<String>::new());
    }

    #[test]
    fn an_array_is_what_changed_as_it_came() {
        let mut bench = Bench::new("x@ticker y@ticker", &["!ticker@arr"]);
        assert_eq!(bench.sources(), "x@ticker y@ticker");
        bench.say("y@ticker", &ticker("Y", 1));
        bench.say("x@ticker", &ticker("X", 1));
        bench.say("x@ticker", &ticker("X", 2));
        assert_eq!(bench.until(START_MS + 999), Vec::<String>::new());
        assert_eq!(bench.until(START_MS + 1_000), [format!("!ticker@arr [{},{}]", ticker("X", 2), ticker("Y", 1))]);
        bench.say("x@ticker", &ticker("X", 2));
        assert_eq!(bench.until(START_MS + 5_500), Vec::<String>::new(), "nothing changed");
        bench.say("y@ticker", &ticker("Y", 3));
        assert_eq!(bench.until(START_MS + 6_000), [format!("!ticker@arr [{}]", ticker("Y", 3))]);
        bench.unwant("!ticker@arr");
        assert_eq!(bench.sources(), "");
        let mut bench = Bench::new("x@ticker y@ticker", &["!miniTicker@arr"]);
        bench.say("y@ticker", &ticker("Y", 1));
        assert_eq!(bench.until(START_MS + 1_000), [format!("!miniTicker@arr [{}]", mini("Y", 1))]);
    }

    proptest! {
        /// Each second the newest of each symbol that spoke in it.
        #[test]
        fn as_a_list_would_be(says in prop::collection::vec((0u64..900, 0usize..3), 1..80)) {
            let mut bench = Bench::new("a@ticker b@ticker c@ticker", &["!ticker@arr"]);
            let names = ["a", "b", "c"];
            let mut expected: BTreeMap<u64, BTreeMap<usize, u64>> = BTreeMap::new();
            let (mut said, mut at_ms) = (Vec::new(), START_MS);
            for (number, (gap, symbol)) in says.into_iter().enumerate() {
                at_ms += gap;
                said.extend(bench.until(at_ms));
                bench.say(&format!("{}@ticker", names[symbol]), &ticker(names[symbol], number as u64));
                expected.entry(at_ms / 1_000).or_default().insert(symbol, number as u64);
            }
            said.extend(bench.until(at_ms + 1_000));
            let frame = |rows: BTreeMap<usize, u64>| {
                let rows: Vec<String> = rows.into_iter().map(|(symbol, last)| ticker(names[symbol], last)).collect();
                format!("!ticker@arr [{}]", rows.join(","))
            };
            prop_assert_eq!(said, expected.into_values().map(frame).collect::<Vec<_>>());
        }
    }
}
