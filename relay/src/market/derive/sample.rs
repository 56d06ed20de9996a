//! `@markPrice`, every three seconds, of `@markPrice@1s`: the last one before each.

use super::beat::Beat;
use super::message;
use super::recipe::Recipe;
use crate::market::event::Event;
use crate::market::product::{Answer, Out, Product, Question, Undecodable};
use crate::market::topic::Topic;

const PERIOD_MS: u64 = 3_000;

pub struct Sample {
    source: Box<str>,
    topic: Option<Topic>,
    newest: Option<Box<str>>,
    beat: Beat,
}

impl Sample {
    pub fn new(recipe: &Recipe) -> Sample {
        let source = recipe.sources.first().cloned().unwrap_or_default();
        Sample { source, topic: None, newest: None, beat: Beat::new(PERIOD_MS) }
    }
}

impl Product for Sample {
    fn sources(&self) -> Vec<Box<str>> {
        self.topic.iter().map(|_| self.source.clone()).collect()
    }

    fn want(&mut self, topic: &Topic, _now_ms: u64) {
        self.topic = Some(topic.clone());
        if self.newest.is_some() {
            self.beat.hurry();
        }
    }

    fn unwant(&mut self, _topic: &Topic) {
        self.topic = None;
        self.newest = None;
    }

    fn take(&mut self, _source: &str, _event: &Event<'_>, _now_ms: u64, _out: &mut Out<'_>) {}

    fn reads_messages(&self) -> bool {
        true
    }

    /// What is kept is told at once: it is the present.
    fn take_message(
        &mut self,
        _source: &str,
        text: &str,
        is_kept: bool,
        now_ms: u64,
        _out: &mut Out<'_>,
    ) -> Result<(), Undecodable> {
        message::mark_time(text).ok_or(Undecodable)?;
        self.newest = Some(text.into());
        self.beat.wake(now_ms);
        if is_kept {
            self.beat.hurry();
        }
        Ok(())
    }

    fn lose(&mut self, _source: &str) {
        self.newest = None;
    }

    fn due_ms(&self) -> u64 {
        self.beat.due_ms()
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        if self.beat.is_due(now_ms)
            && let (Some(topic), Some(newest)) = (&self.topic, &self.newest)
        {
            out(topic, 0, newest.as_bytes());
        }
    }

    /// Nobody asks a stream anything.
    fn answer(&mut self, _question: &Question, _now_ms: u64) -> Option<Answer> {
        Some(Answer::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::said::{Bench, START_MS};

    fn mark(price: u64) -> String {
        format!(
            r#"{{"e":"markPriceUpdate","E":1,"s":"X","p":"{price}.00","i":"1","P":"1","r":"0.00010000","T":2,"st":1}}"#
        )
    }

    #[test]
    fn the_last_one_of_three_seconds_as_it_came() {
        let mut bench = Bench::new("x@markPrice@1s", &["x@markPrice"]);
        let mut said = Vec::new();
        for second in 0..7 {
            said.extend(bench.until(START_MS + second * 1_000 + 500));
            bench.say("x@markPrice@1s", &mark(second));
        }
        said.extend(bench.until(START_MS + 60_000));
        assert_eq!(said, [2, 5, 6].map(|price| format!("x@markPrice {}", mark(price))));
        assert!(bench.tell("x@markPrice@1s", r#"{"e":"trade","E":1}"#, false).is_err());
    }

    proptest! {
        /// At each boundary the last one before it, if there is a new one.
        #[test]
        fn as_a_list_would_be(gaps in prop::collection::vec(1u64..9_000, 1..40)) {
            let mut bench = Bench::new("x@markPrice@1s", &["x@markPrice"]);
            let (mut said, mut told, mut at_ms) = (Vec::new(), Vec::new(), START_MS);
            for (number, gap) in gaps.into_iter().enumerate() {
                at_ms += gap;
                said.extend(bench.until(at_ms));
                bench.say("x@markPrice@1s", &mark(number as u64));
                told.push((at_ms, number as u64));
            }
            said.extend(bench.until(at_ms + 10_000));
            let mut expected = Vec::new();
            for (index, (at_ms, number)) in told.iter().enumerate() {
                let boundary = at_ms / 3_000;
                if told.get(index + 1).is_none_or(|(next_ms, _)| next_ms / 3_000 > boundary) {
                    expected.push(format!("x@markPrice {}", mark(*number)));
                }
            }
            prop_assert_eq!(said, expected);
        }
    }
}
