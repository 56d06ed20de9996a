//! The rolling 24 hours behind every ticker, exact to the millisecond.
//!
//! The window is the rest of the minute it opens in, 1439 whole minutes, and the minute under way. Only the whole
//! ones are remembered; they change once a minute.

use super::candle::Candle;
use super::model::{Execution, MINUTE_MS, Model};
use super::tape::Tape;

pub const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

pub struct Day {
    /// The minute under way when the rest was filled in.
    minute: i64,
    whole: Candle,
    /// The minute the window opens in.
    opening: Vec<Execution>,
    close_before_opening: i64,
}

/// The trades from `open_at` to a moment, both included.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub open_at: i64,
    pub candle: Candle,
    /// The price of the last trade before the window.
    pub close_before: i64,
}

impl Day {
    pub fn new() -> Day {
        Day { minute: i64::MIN, whole: Candle::default(), opening: Vec::new(), close_before_opening: 0 }
    }

    /// The window that ends at `now`, where the tape stands.
    pub fn window(&mut self, model: &Model, tape: &Tape, now: i64) -> Window {
        debug_assert_eq!(now.div_euclid(MINUTE_MS), tape.minute(), "the tape stands at the window's end");
        if self.minute != tape.minute() {
            self.turn(model, tape.minute());
        }
        let open_at = now - DAY_MS;
        let outside = self.opening.partition_point(|execution| execution.trade_at < open_at);
        let close_before = match outside.checked_sub(1) {
            Some(index) => self.opening[index].price,
            None => self.close_before_opening,
        };
        let mut candle = Candle::default();
        self.opening[outside..].iter().for_each(|execution| candle.push_execution(execution));
        candle.absorb(&self.whole);
        candle.absorb(tape.so_far());
        Window { open_at, candle, close_before }
    }

    fn turn(&mut self, model: &Model, minute: i64) {
        let opening = minute - DAY_MS / MINUTE_MS;
        self.minute = minute;
        self.whole = model.candle(opening + 1..minute);
        self.close_before_opening = model.candle(opening - 1..opening).close;
        model.executions(opening, &mut self.opening);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The window equals all trades of 24 hours added up one by one.
    #[test]
    fn window_is_the_sum_of_its_trades() {
        let model = Model::new(11, 1);
        let now = 1_765_211_445_678;
        let mut expected = Candle::default();
        let mut close_before = 0;
        let mut executions = Vec::new();
        for minute in (now - DAY_MS) / MINUTE_MS - 1..=now / MINUTE_MS {
            model.executions(minute, &mut executions);
            for execution in &executions {
                if execution.trade_at < now - DAY_MS {
                    close_before = execution.price;
                } else if execution.trade_at <= now {
                    expected.push_execution(execution);
                }
            }
        }
        let window = Day::new().window(&model, &Tape::new(&model, now), now);
        assert_eq!(window.candle, expected);
        assert_eq!(window.close_before, close_before);
        assert_eq!(window.open_at, now - DAY_MS);
    }

    /// A window carried along equals one computed afresh, across turns of the minute.
    #[test]
    fn carried_equals_fresh() {
        let model = Model::new(12, 7);
        let mut day = Day::new();
        for now in (1_765_211_390_000..1_765_211_600_000).step_by(1_013) {
            let tape = Tape::new(&model, now);
            let (carried, fresh) = (day.window(&model, &tape, now), Day::new().window(&model, &tape, now));
            assert_eq!((carried.candle, carried.close_before), (fresh.candle, fresh.close_before));
        }
    }
}
