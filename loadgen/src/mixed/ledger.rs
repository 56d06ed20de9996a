//! What the venue said and when, as far as anybody was told, and what follows from it for samples of it.

use super::read::Push;

/// Clocks are read one after the other, and rounded down to a millisecond.
const CLOCK_MS: u64 = 2;

/// The venue's times by pair and trade.
#[derive(Debug)]
pub struct Ledger {
    /// Zero: nobody was told.
    said_ms: Vec<Vec<u64>>,
}

/// How far samples may be behind.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// From the venue to the relay's sampler.
    pub lag_ms: u64,
    /// Trades said before a scheduled push that it may not know yet.
    pub events: u64,
}

/// A trade was told with another time than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherTime {
    pub before_ms: u64,
}

impl Ledger {
    pub fn new(pairs: u32) -> Self {
        Self { said_ms: (0..pairs).map(|_| Vec::new()).collect() }
    }

    /// True if it is news.
    pub fn note(&mut self, pair: u32, seq: u64, time_ms: u64) -> Result<bool, OtherTime> {
        let said_ms = &mut self.said_ms[pair as usize];
        let index = seq as usize;
        if index >= said_ms.len() {
            said_ms.resize(index + 1, 0);
        }
        match std::mem::replace(&mut said_ms[index], time_ms) {
            0 => Ok(true),
            before_ms if before_ms == time_ms => Ok(false),
            before_ms => {
                said_ms[index] = before_ms;
                Err(OtherTime { before_ms })
            }
        }
    }

    pub fn said_ms(&self, pair: u32, seq: u64) -> Option<u64> {
        self.said_ms[pair as usize].get(seq as usize).copied().filter(|&time_ms| time_ms > 0)
    }

    /// The newest trade said until then.
    pub fn newest(&self, pair: u32, until_ms: u64) -> Option<u64> {
        let said_ms = &self.said_ms[pair as usize];
        said_ms.iter().rposition(|&time_ms| time_ms > 0 && time_ms <= until_ms).map(|index| index as u64)
    }

    /// Whether a trade was said so early in a second that the second must have a tick.
    pub fn has_trade_in(&self, pair: u32, epoch_s: u64, tolerance: Tolerance) -> bool {
        let (start_ms, end_ms) = (epoch_s * 1000, ((epoch_s + 1) * 1000).saturating_sub(tolerance.lag_ms));
        self.newest(pair, end_ms).and_then(|seq| self.said_ms(pair, seq)).is_some_and(|time_ms| time_ms >= start_ms)
    }

    /// A tick is the last trade that reached the relay within its second.
    pub fn check_tick(&self, pair: u32, seq: u64, epoch_s: u64, tolerance: Tolerance) -> Result<(), String> {
        let (start_ms, end_ms) = (epoch_s * 1000, (epoch_s + 1) * 1000);
        let Some(said_ms) = self.said_ms(pair, seq) else {
            return Err(format!("trade {seq} was told to no other client"));
        };
        if said_ms >= end_ms + CLOCK_MS {
            return Err(format!("trade {seq} was said {} ms after the second {epoch_s}", said_ms - end_ms));
        }
        if said_ms + tolerance.lag_ms < start_ms {
            return Err(format!("trade {seq} was said {} ms before the second {epoch_s}", start_ms - said_ms));
        }
        match self.said_ms(pair, seq + 1) {
            Some(next_ms) if next_ms + tolerance.lag_ms < end_ms => Err(format!(
                "trade {seq} was not the last one of the second {epoch_s}: the next was said {} ms before its end",
                end_ms - next_ms
            )),
            _ => Ok(()),
        }
    }

    /// A scheduled push has the newest price there was when it left, or nearly.
    pub fn check_push(&self, push: Push, tolerance: Tolerance) -> Result<(), String> {
        let Push { pair, seq, time_ms, source_ms } = push;
        let Some(said_ms) = self.said_ms(pair, seq) else {
            return Err(format!("trade {seq} was told to no other client"));
        };
        if said_ms > time_ms + CLOCK_MS {
            return Err(format!("trade {seq} was said {} ms after the push left", said_ms - time_ms));
        }
        if source_ms + CLOCK_MS < said_ms || source_ms > time_ms + CLOCK_MS {
            return Err(format!(
                "its source's time {source_ms} is not between the trade {said_ms} and the push {time_ms}"
            ));
        }
        match self.newest(pair, time_ms) {
            Some(newest) if newest > seq + tolerance.events => {
                Err(format!("trade {seq} was {} trades behind when the push left", newest - seq))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Tolerance = Tolerance { lag_ms: 100, events: 1 };

    /// Trades 0, 1, 2… of pair 0 at 10.0 s, 10.25 s, 10.5 s…
    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(1);
        (0..20).for_each(|seq| assert_eq!(ledger.note(0, seq, 10_000 + seq * 250), Ok(true)));
        ledger
    }

    /// A second telling must agree with the first.
    #[test]
    fn notes() {
        let mut ledger = ledger();
        assert_eq!(ledger.note(0, 3, 10_750), Ok(false));
        assert_eq!(ledger.note(0, 3, 10_751), Err(OtherTime { before_ms: 10_750 }));
        assert_eq!(ledger.said_ms(0, 3), Some(10_750));
        assert_eq!((ledger.said_ms(0, 20), ledger.newest(0, 9_999), ledger.newest(0, 10_999)), (None, None, Some(3)));
    }

    /// Only the last trade of a second is its tick, give or take the way to the relay.
    #[test]
    fn ticks() {
        let ledger = ledger();
        for (seq, epoch_s, ok) in [
            (3, 10, true),
            (7, 11, true),
            (2, 10, false),
            (5, 10, false),
            // At the very start of the next second: the clock may have been read a moment before.
            (4, 10, true),
            // It came in the next second, as the only one that did.
            (3, 11, false),
            (99, 10, false),
        ] {
            assert_eq!(ledger.check_tick(0, seq, epoch_s, TOLERANCE).is_ok(), ok, "{seq} in {epoch_s}");
        }
        // The trade at 10.75 s may have come too late with a way of 300 ms.
        assert_eq!(ledger.check_tick(0, 2, 10, Tolerance { lag_ms: 300, events: 1 }), Ok(()));
        assert!(ledger.has_trade_in(0, 10, TOLERANCE));
        assert!(!ledger.has_trade_in(0, 9, TOLERANCE) && !ledger.has_trade_in(0, 15, TOLERANCE));
    }

    /// A push may miss one trade, and knows no future.
    #[test]
    fn pushes() {
        let ledger = ledger();
        let push = |seq, source_ms| Push { pair: 0, seq, time_ms: 12_000, source_ms };
        for (push, ok) in [
            (push(8, 12_000), true),
            (push(7, 11_760), true),
            (push(6, 11_510), false),
            (push(9, 12_000), false),
            (push(7, 11_700), false),
            (push(7, 12_010), false),
            (push(50, 12_000), false),
        ] {
            assert_eq!(ledger.check_push(push, TOLERANCE).is_ok(), ok, "{push:?}");
        }
    }
}
