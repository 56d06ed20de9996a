//! What makes the messages of one or several topics.

use super::event::Event;
use super::topic::{Class, Topic};

/// What a frame replaces: of one key only the newest matters to a client that fell behind. Zero where the topic has
/// but one.
pub type Key = u32;

/// Takes what its sources say and says what the clients of its topics get. It is told the time and never asks.
pub trait Product {
    /// The streams it needs now, by canonical name. Asked again after every `want` and `unwant`.
    fn sources(&self) -> Vec<Box<str>>;

    /// Somebody wants a topic of it, which nobody did before. Told again for a topic that it was not told to give up
    /// yet: somebody came after the last one left, and gets the current value at once.
    fn want(&mut self, topic: &Topic, now_ms: u64);

    /// Nobody wants it any more.
    fn unwant(&mut self, topic: &Topic);

    /// A source has something new.
    fn take(&mut self, source: &str, event: &Event<'_>, now_ms: u64, out: &mut Out<'_>);

    /// The same for what a source said some time ago, which is its newest word: it was kept while nobody read it.
    fn take_kept(&mut self, source: &str, event: &Event<'_>, _said_ms: u64, now_ms: u64, out: &mut Out<'_>) {
        self.take(source, event, now_ms, out);
    }

    /// Whether it reads messages as they are rather than events: what is made of the stream dialect for the stream
    /// dialect needs more of them than others do.
    fn reads_messages(&self) -> bool {
        false
    }

    /// A message of a source, for those who read such. `is_kept`: its newest word from before anybody read it.
    fn take_message(
        &mut self,
        _source: &str,
        _text: &str,
        _is_kept: bool,
        _now_ms: u64,
        _out: &mut Out<'_>,
    ) -> Result<(), Undecodable> {
        Err(Undecodable)
    }

    /// The connection that brings a source is lost: it may miss something from here on.
    fn interrupt(&mut self, _source: &str) {}

    /// False while what it said cannot be believed though its sources are there: a book that resynchronises.
    fn is_sure(&self) -> bool {
        true
    }

    /// A source is gone, or silent for too long: who comes from now on waits for what it says next.
    fn lose(&mut self, _source: &str) {}

    /// When `poll` is due; `u64::MAX` for never.
    fn due_ms(&self) -> u64;

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>);

    /// Answers a question about the present or the past; `None` while it is not known yet (it is asked again after
    /// the next `take` and `poll`). While questions wait, the topic they are about ([`Question::topic`]) is wanted;
    /// what is said for it then goes nowhere.
    fn answer(&mut self, question: &Question, now_ms: u64) -> Option<Answer>;

    /// What it had to leave out of its sources since this was asked last: values that are missing or make no sense.
    fn take_skipped(&mut self) -> u64 {
        0
    }
}

/// A message that is malformed, or not what its stream's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read")]
pub struct Undecodable;

/// Where messages go: topic, key, and the message's text as the clients' dialect has it (what a Deriv subscription
/// itself must say is put before it for each).
pub type Out<'a> = dyn FnMut(&Topic, Key, &[u8]) + 'a;

/// What a client asks once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Deriv `ticks` without `subscribe`: the newest tick of a symbol.
    Tick { symbol: Box<str> },
    /// Deriv `ticks_history`.
    History(History),
    /// The price of each symbol (`active_symbols: full`).
    Spot { symbol: Box<str> },
    /// Socket.IO acknowledgements: the rows of a table, or one of them.
    Rates { class: Class, base: Box<str>, symbol: Option<Box<str>> },
}

impl Question {
    /// What must be wanted for it to be answered.
    pub fn topic(&self) -> Topic {
        match self {
            Question::Tick { symbol } | Question::Spot { symbol } | Question::History(History { symbol, .. }) => {
                Topic::Ticks { symbol: symbol.clone(), history: false }
            }
            Question::Rates { class, base, symbol } => {
                Topic::Rates { class: *class, base: base.clone(), symbol: symbol.clone() }
            }
        }
    }
}

/// A stretch of the past.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct History {
    pub symbol: Box<str>,
    /// Seconds; `None` is the present.
    pub end_s: Option<u64>,
    pub start_s: Option<u64>,
    pub count: usize,
    /// Seconds of a candle; `None` asks for ticks.
    pub granularity_s: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// JSON text: a tick's shared part, a `history` or `candles` value, a row, an array of rows.
    Json { body: Vec<u8>, pip_size: u32 },
    /// There is no such symbol or currency.
    Unknown,
    /// It exists and is not traded now.
    Closed,
}
