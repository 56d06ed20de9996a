//! The past of everything that ticks: any second and any candle, without anything before it.
//!
//! What the live stream says at a second is what is said about it here, because it asks here.

use std::sync::{Arc, OnceLock};

use super::TIME_MS_MAX;
use super::instrument::INSTRUMENTS;
use super::model::Model;
use super::symbol::{self, SYMBOLS};
use super::ticks::Ticks;
use crate::limits::SIM_CANDLE_SECONDS_MAX;
use crate::venue::decimal::write_scaled;

/// What was quoted at a second, as text with the symbol's digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    pub quote: String,
    pub bid: String,
    pub ask: String,
}

/// All there ever was under one seed. Copies share what was once computed.
#[derive(Clone)]
pub struct Past {
    shared: Arc<Shared>,
}

/// What is drawn once per symbol, when first asked for.
struct Shared {
    seed: u64,
    models: [OnceLock<Arc<Model>>; INSTRUMENTS.len()],
    ticks: [OnceLock<Ticks>; SYMBOLS.len()],
}

impl Past {
    pub fn new(seed: u64) -> Past {
        let shared = Shared {
            seed,
            models: std::array::from_fn(|_| OnceLock::new()),
            ticks: std::array::from_fn(|_| OnceLock::new()),
        };
        Past { shared: Arc::new(shared) }
    }

    /// Every symbol that ticks, spelled as in payloads.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        SYMBOLS.iter().map(|symbol| symbol.name)
    }

    /// Seconds between two ticks, which fall on its multiples.
    pub fn period_s(&self, symbol: &str) -> Option<u64> {
        Some(SYMBOLS[symbol::find(symbol)?].period_s.unsigned_abs())
    }

    /// Digits after the point.
    pub fn pip_size(&self, symbol: &str) -> Option<u32> {
        Some(SYMBOLS[symbol::find(symbol)?].digits)
    }

    /// What was (or will be) quoted at a second. None for an unknown symbol and for a second without a tick.
    pub fn tick(&self, symbol: &str, epoch_s: u64) -> Option<Quote> {
        let ticks = self.ticks(symbol::find(symbol)?);
        let second = second(epoch_s).filter(|second| second % ticks.symbol.period_s == 0)?;
        let tick = ticks.at(second);
        let text = |pips| text(pips, ticks.symbol.digits);
        Some(Quote { quote: text(tick.quote), bid: text(tick.bid), ask: text(tick.ask) })
    }

    /// Open, high, low and close of the ticks of `open_s..end_s`: exactly what adding them up gives. None for an
    /// unknown symbol, where no tick falls into the range, and for a range longer than [`SIM_CANDLE_SECONDS_MAX`].
    pub fn candle(&self, symbol: &str, open_s: u64, end_s: u64) -> Option<[String; 4]> {
        let ticks = self.ticks(symbol::find(symbol)?);
        if end_s.checked_sub(open_s)? > SIM_CANDLE_SECONDS_MAX {
            return None;
        }
        let span = ticks.span(second(open_s)?, second(end_s)?)?;
        Some([span.open, span.high, span.low, span.close].map(|pips| text(pips, ticks.symbol.digits)))
    }

    /// The ticks of the symbol at a place in [`SYMBOLS`].
    pub(super) fn ticks(&self, index: usize) -> &Ticks {
        self.shared.ticks[index].get_or_init(|| Ticks::new(self.shared.seed, index, |pair| self.model(pair)))
    }

    /// The model of the pair at a place in [`INSTRUMENTS`].
    pub(super) fn model(&self, pair: usize) -> Arc<Model> {
        self.shared.models[pair].get_or_init(|| Arc::new(Model::new(self.shared.seed, pair))).clone()
    }

    pub(super) fn seed(&self) -> u64 {
        self.shared.seed
    }
}

/// None beyond the time the venue knows.
fn second(epoch_s: u64) -> Option<i64> {
    i64::try_from(epoch_s).ok().filter(|&second| second <= TIME_MS_MAX as i64 / 1_000)
}

fn text(pips: i64, digits: u32) -> String {
    let mut out = Vec::new();
    write_scaled(&mut out, pips.into(), digits);
    String::from_utf8(out).expect("digits are text")
}
