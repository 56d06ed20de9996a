//! The built-in venue: 20 pairs that trade, indices and currencies that tick, and a table of coins, without any network.
//!
//! What happens is a function of seed and time ([`model`], [`book`]), so history reaches back as far as anybody looks,
//! two runs with one seed agree, and only what is wanted costs anything. A [`market`] walks one instrument's [`tape`]
//! forward and tells its outputs, which turn news into payloads. What ticks by the second ([`ticks`]) and what is
//! published as a document ([`coins`]) is [`timed`] and looked up when due; anybody may look up the [`past`]. An
//! [`account`] trades on all that, for user data. No clock, socket or task lives here.

mod noise;

mod instrument;

mod candle;
mod drift;
mod model;

mod book;
mod day;
mod tape;

mod board;
mod encode;
mod market;
mod output;
mod stream;

mod symbol;
mod ticks;
mod walk;

pub mod past;

mod coins;
mod json;
mod timed;

pub mod account;

#[cfg(test)]
mod tests;

use board::Board;
use coins::Coins;
use instrument::INSTRUMENTS;
use market::{Market, Sink};
use past::Past;
use stream::Stream;
use timed::Timed;

/// A leap of the clock beyond this is not lived through: forward it is skipped, back it starts anew.
pub const LEAP_MS: u64 = 10_000;

/// Times beyond this are cut: the year 5138, far from where sums would overflow.
const TIME_MS_MAX: u64 = 100_000_000_000_000;

/// Which keys payloads carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Those of the document.
    Document,
    /// Binance's as well.
    Full,
}

/// The venue. Feed it time, take its frames.
pub struct Sim {
    past: Past,
    fields: Fields,
    clock: i64,
    /// By place in the table; built when first wanted and kept.
    markets: Vec<Option<Market>>,
    boards: Vec<Board>,
    timed: Vec<Timed>,
    /// Built when a document is first wanted and kept.
    coins: Option<Coins>,
    /// Whether a stream waits for its beginning.
    beginning: bool,
    buffer: Vec<u8>,
    skipped_ms: u64,
    set_back_ms: u64,
}

impl Sim {
    pub fn new(seed: u64, fields: Fields, start_ms: u64) -> Sim {
        Sim {
            past: Past::new(seed),
            fields,
            clock: time(start_ms),
            markets: INSTRUMENTS.iter().map(|_| None).collect(),
            boards: Vec::new(),
            timed: Vec::new(),
            coins: None,
            beginning: false,
            buffer: Vec::new(),
            skipped_ms: 0,
            set_back_ms: 0,
        }
    }

    /// Whether there is a stream of this name (its symbol in lower case).
    pub fn knows(&self, name: &str) -> bool {
        Stream::parse(name).is_some()
    }

    /// What ticked before, from the same source as the streams.
    pub fn past(&self) -> Past {
        self.past.clone()
    }

    /// The traded symbols as stream names spell them.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        INSTRUMENTS.iter().map(|instrument| instrument.name)
    }

    /// Begins a stream: at the next poll a state tells its current value, and events follow from there. A tick is both:
    /// the newest is told at once, with its own time, and the others follow. False when
    /// there is no such stream. Wanting it twice is wanting it once.
    pub fn want(&mut self, name: &str) -> bool {
        match Stream::parse(name) {
            None => return false,
            Some(Stream::One { instrument, kind }) => self.market(instrument).want(name, kind),
            Some(Stream::All(summary)) => {
                if !self.boards.iter().any(|board| board.name() == name) {
                    for index in 0..INSTRUMENTS.len() {
                        self.market(index);
                    }
                    self.boards.push(Board::new(name, summary));
                }
            }
            Some(Stream::Timed(item)) => {
                if !self.timed.iter().any(|timed| timed.name() == name) {
                    self.timed.push(Timed::new(name, item));
                }
            }
        }
        self.beginning = true;
        true
    }

    /// Ends a stream.
    pub fn unwant(&mut self, name: &str) {
        match Stream::parse(name) {
            None => {}
            Some(Stream::One { instrument, .. }) => {
                if let Some(market) = &mut self.markets[instrument] {
                    market.unwant(name, self.clock);
                }
            }
            Some(Stream::All(_)) => self.boards.retain(|board| board.name() != name),
            Some(Stream::Timed(_)) => self.timed.retain(|timed| timed.name() != name),
        }
    }

    /// Advances to `now_ms` and emits (name, payload, whether it closes a candle) what fell due since the last poll,
    /// in time order. A leap of the clock of more than [`LEAP_MS`] is counted instead; smaller steps back are waited for.
    pub fn poll(&mut self, now_ms: u64, emit: &mut dyn FnMut(&str, &[u8], bool)) {
        let mut now = time(now_ms);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut sink = Sink { emit, buffer: &mut buffer, fields: self.fields };
        if now - self.clock > LEAP_MS as i64 {
            self.leap(now, &mut sink);
        } else if self.clock - now > LEAP_MS as i64 {
            self.set_back(now);
        }
        now = now.max(self.clock);
        self.run(now, &mut sink);
        if std::mem::take(&mut self.beginning) {
            self.begin(now, &mut sink);
        }
        self.clock = now;
        self.buffer = buffer;
    }

    /// When the next poll has something to do, in ms; `u64::MAX` when nothing is wanted.
    pub fn next_due(&self) -> u64 {
        if self.is_idle() {
            return u64::MAX;
        }
        let due = if self.beginning { self.clock } else { self.earliest().0 };
        u64::try_from(due).unwrap_or(0)
    }

    /// The book a little before `now_ms` as `{"lastUpdateId":…,"bids":…,"asks":…}`, to apply diff depth to.
    /// It is taken at a moment at which diffs of every speed end, so none lies on both sides of it.
    /// None for an unknown symbol.
    pub fn depth(&mut self, symbol: &str, now_ms: u64) -> Option<Vec<u8>> {
        let index = instrument::find(symbol)?;
        Some(self.market(index).snapshot(time(now_ms)))
    }

    /// Time that was never lived through because the clock leapt forward while streams were wanted.
    pub fn skipped_ms(&self) -> u64 {
        self.skipped_ms
    }

    /// Time that is lived through again because the clock leapt back while streams were wanted.
    pub fn set_back_ms(&self) -> u64 {
        self.set_back_ms
    }

    fn market(&mut self, index: usize) -> &mut Market {
        let clock = self.clock;
        let unused = self.boards.is_empty();
        let market = self.markets[index].get_or_insert_with(|| Market::new(self.past.model(index), index, clock));
        if unused && market.is_idle() {
            market.place(clock);
        }
        market
    }

    fn is_idle(&self) -> bool {
        self.boards.is_empty() && self.timed.is_empty() && self.markets.iter().flatten().all(Market::is_idle)
    }

    fn is_running(&self) -> bool {
        self.boards.iter().any(Board::began)
            || self.timed.iter().any(Timed::began)
            || self.markets.iter().flatten().any(Market::is_running)
    }

    /// Everything due up to `now`; at one moment the markets come in table order, then the boards, then what is timed.
    fn run(&mut self, now: i64, sink: &mut Sink<'_>) {
        loop {
            match self.earliest() {
                (due, _) if due > now => return,
                (due, Place::Market(index)) => {
                    if let Some(market) = &mut self.markets[index] {
                        market.step(due, sink);
                    }
                }
                (due, Place::Board(index)) => self.boards[index].step(&mut self.markets, due, sink),
                (due, Place::Timed(index)) => self.timed[index].step(&self.past, &mut self.coins, due, sink),
            }
        }
    }

    fn earliest(&self) -> (i64, Place) {
        let mut earliest = (i64::MAX, Place::Market(0));
        for (index, market) in self.markets.iter().enumerate() {
            match market {
                Some(market) if market.due() < earliest.0 => earliest = (market.due(), Place::Market(index)),
                _ => {}
            }
        }
        for (index, board) in self.boards.iter().enumerate() {
            if board.due() < earliest.0 {
                earliest = (board.due(), Place::Board(index));
            }
        }
        for (index, timed) in self.timed.iter().enumerate() {
            if timed.due() < earliest.0 {
                earliest = (timed.due(), Place::Timed(index));
            }
        }
        earliest
    }

    fn begin(&mut self, now: i64, sink: &mut Sink<'_>) {
        for market in self.markets.iter_mut().flatten().filter(|market| !market.is_idle()) {
            market.begin(now, sink);
        }
        for board in self.boards.iter_mut().filter(|board| !board.began()) {
            board.step(&mut self.markets, now, sink);
        }
        for timed in self.timed.iter_mut().filter(|timed| !timed.began()) {
            timed.step(&self.past, &mut self.coins, now, sink);
        }
    }

    fn leap(&mut self, now: i64, sink: &mut Sink<'_>) {
        if self.is_running() {
            self.skipped_ms += now.abs_diff(self.clock);
        }
        for market in self.used_markets() {
            market.leap(now, sink);
        }
        self.boards.iter_mut().for_each(|board| board.schedule(now));
        self.timed.iter_mut().for_each(|timed| timed.schedule(now));
        self.clock = now;
    }

    fn set_back(&mut self, now: i64) {
        if self.is_running() {
            self.set_back_ms += now.abs_diff(self.clock);
        }
        for market in self.used_markets() {
            market.restart(now);
        }
        self.boards.iter_mut().for_each(Board::restart);
        self.timed.iter_mut().for_each(Timed::restart);
        self.beginning = true;
        self.clock = now;
    }

    fn used_markets(&mut self) -> impl Iterator<Item = &mut Market> {
        let all = !self.boards.is_empty();
        self.markets.iter_mut().flatten().filter(move |market| all || !market.is_idle())
    }
}

enum Place {
    Market(usize),
    Board(usize),
    Timed(usize),
}

fn time(ms: u64) -> i64 {
    ms.min(TIME_MS_MAX) as i64
}
