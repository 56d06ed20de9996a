//! One instrument's quotes and trades as time passes over them.

use super::book::Quote;
use super::candle::{Candle, Fill};
use super::model::{Execution, MINUTE_MS, Model};

/// Holds the executions of the current minute and which of them have happened.
pub struct Tape {
    minute: i64,
    executions: Vec<Execution>,
    next_index: usize,
    /// Whether the quote of the next execution already stands.
    quoted: bool,
    quote: Quote,
    last: Fill,
    so_far: Candle,
}

pub enum Event {
    Quoted,
    Traded(Execution),
    MinuteTurned,
}

impl Tape {
    /// The tape as it stands at `now`, its events up to then included.
    pub fn new(model: &Model, now: i64) -> Tape {
        let minute = now.div_euclid(MINUTE_MS);
        let mut executions = Vec::new();
        model.executions(minute - 1, &mut executions);
        let before = executions.last().expect("every minute has executions").clone();
        model.executions(minute, &mut executions);
        let mut tape = Tape {
            minute,
            executions,
            next_index: 0,
            quoted: false,
            quote: Quote { bid: before.bid, execution: before.number },
            last: before.fills().last().expect("every execution has fills"),
            so_far: Candle::default(),
        };
        while tape.next_at() <= now {
            tape.advance(model);
        }
        tape
    }

    /// The minute the tape stands in.
    pub fn minute(&self) -> i64 {
        self.minute
    }

    /// The trades of this minute up to now.
    pub fn so_far(&self) -> &Candle {
        &self.so_far
    }

    pub fn quote(&self) -> Quote {
        self.quote
    }

    pub fn last(&self) -> Fill {
        self.last
    }

    /// When the next event happens.
    pub fn next_at(&self) -> i64 {
        match self.executions.get(self.next_index) {
            Some(execution) if self.quoted => execution.trade_at,
            Some(execution) => execution.quote_at,
            None => self.minute_end(),
        }
    }

    /// Before this no trade happens.
    pub fn next_trade_at(&self) -> i64 {
        self.executions.get(self.next_index).map_or(self.minute_end(), |execution| execution.trade_at)
    }

    /// Lets the next event happen.
    pub fn advance(&mut self, model: &Model) -> Event {
        let Some(execution) = self.executions.get(self.next_index) else {
            self.minute += 1;
            model.executions(self.minute, &mut self.executions);
            self.next_index = 0;
            self.so_far = Candle::default();
            return Event::MinuteTurned;
        };
        if !self.quoted {
            self.quoted = true;
            self.quote.bid = execution.bid;
            return Event::Quoted;
        }
        self.quoted = false;
        self.next_index += 1;
        self.quote.execution = execution.number;
        self.last = execution.fills().last().expect("every execution has fills");
        self.so_far.push_execution(execution);
        Event::Traded(execution.clone())
    }

    fn minute_end(&self) -> i64 {
        (self.minute + 1) * MINUTE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tape placed in the middle of things stands as one that was there all along.
    #[test]
    fn placing_equals_walking() {
        let model = Model::new(5, 2);
        let start = 1_672_515_782_136;
        let mut walked = Tape::new(&model, start);
        for now in (start..start + 150_000).step_by(777) {
            while walked.next_at() <= now {
                walked.advance(&model);
            }
            let placed = Tape::new(&model, now);
            assert_eq!(placed.so_far, walked.so_far);
            assert_eq!((placed.minute, placed.next_at()), (walked.minute, walked.next_at()));
            assert_eq!((placed.quote.bid, placed.quote.execution), (walked.quote.bid, walked.quote.execution));
            assert_eq!((placed.last.id, placed.last.price), (walked.last.id, walked.last.price));
        }
    }
}
