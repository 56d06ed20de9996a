//! `!ticker@arr` and `!miniTicker@arr`: once a second the instruments that traded since the last frame.

use super::encode::Encoder;
use super::instrument::INSTRUMENTS;
use super::market::{Market, Sink};
use super::stream::{Summary, TICKER_PERIOD_MS};

/// After the last instrument's own phase.
const PHASE_MS: i64 = 100;

pub struct Board {
    name: String,
    summary: Summary,
    /// First and last trade each instrument's window last had. None until it began.
    said: Option<[(i64, i64); INSTRUMENTS.len()]>,
    due: i64,
}

impl Board {
    pub fn new(name: &str, summary: Summary) -> Board {
        Board { name: name.to_owned(), summary, said: None, due: i64::MAX }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn due(&self) -> i64 {
        self.due
    }

    pub fn began(&self) -> bool {
        self.said.is_some()
    }

    pub fn restart(&mut self) {
        self.said = None;
        self.due = i64::MAX;
    }

    /// Tells the rows that changed; on the first call all of them.
    pub fn step(&mut self, markets: &mut [Option<Market>], now: i64, sink: &mut Sink<'_>) {
        let said = self.said.get_or_insert([(0, -1); INSTRUMENTS.len()]);
        let out = &mut *sink.buffer;
        out.clear();
        for (market, said) in markets.iter_mut().flatten().zip(said) {
            let source = &mut market.source;
            source.catch_up(now);
            let window = source.window(now);
            let trades = (window.candle.first_trade, window.candle.last_trade());
            if std::mem::replace(said, trades) == trades {
                continue;
            }
            out.push(if out.is_empty() { b'[' } else { b',' });
            let (fill, top) = (source.tape.last(), source.top(now));
            let mut encoder = Encoder { out, instrument: source.model.instrument, fields: sink.fields };
            match self.summary {
                Summary::Ticker => encoder.ticker(now, &window, fill, &top),
                Summary::MiniTicker => encoder.mini_ticker(now, &window),
            }
        }
        if !out.is_empty() {
            out.push(b']');
            (sink.emit)(&self.name, sink.buffer, false);
        }
        self.schedule(now);
    }

    /// Speaks next at the first of its moments after `now`, if it began.
    pub fn schedule(&mut self, now: i64) {
        if !self.began() {
            return;
        }
        self.due = ((now - PHASE_MS).div_euclid(TICKER_PERIOD_MS) + 1) * TICKER_PERIOD_MS + PHASE_MS;
    }
}
