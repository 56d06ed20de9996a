//! `@bookTicker`: the best level of either side, told when it changes.

use super::write::Writer;
use crate::market::product::Out;
use crate::market::topic::Topic;

pub struct Top {
    pub topic: Topic,
    /// To be told with the next `poll`.
    pub is_owed: bool,
    /// What was told last; empty if it is to be told in any case.
    told: String,
    writer: Writer,
}

/// Of which state of the book it is.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// In upper case, as payloads have it.
    pub symbol: &'a str,
    pub id: i64,
    pub time_ms: i64,
    pub transaction_ms: i64,
}

impl Top {
    pub fn new(topic: Topic) -> Top {
        Top { topic, is_owed: true, told: String::new(), writer: Writer::new() }
    }

    /// The next one is told whether it changed or not.
    pub fn forget(&mut self) {
        self.told.clear();
    }

    /// A side without a level has no best one, so that nothing is told.
    pub fn tell(&mut self, at: At<'_>, bid: Option<(&str, &str)>, ask: Option<(&str, &str)>, out: &mut Out<'_>) {
        let (Some(bid), Some(ask)) = (bid, ask) else { return };
        let now = [bid.0, " ", bid.1, " ", ask.0, " ", ask.1].concat();
        if self.told == now {
            return;
        }
        self.told = now;
        let writer = &mut self.writer;
        writer.text.clear();
        writer.raw("{\"e\":\"bookTicker\"").integer("u", at.id).integer("E", at.time_ms);
        writer.integer("T", at.transaction_ms).string("s", at.symbol);
        writer.string("b", bid.0).string("B", bid.1).string("a", ask.0).string("A", ask.1);
        out(&self.topic, 0, writer.end());
    }
}
