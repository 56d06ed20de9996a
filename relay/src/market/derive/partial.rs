//! A stream of the best levels: told whole, if it changed.

use super::write::{Writer, write_levels};
use crate::market::product::Out;
use crate::market::topic::Topic;

pub struct Partial {
    pub topic: Topic,
    pub levels: usize,
    pub speed_ms: u64,
    /// The levels that were told last; empty if they are to be told in any case.
    told: Vec<u8>,
    /// The id they were told with. A client comes to an empty log, so that it is the first of a chain.
    told_id: Option<i64>,
    now: Vec<u8>,
    writer: Writer,
}

impl Partial {
    pub fn new(topic: Topic, levels: usize, speed_ms: u64) -> Partial {
        Partial { topic, levels, speed_ms, told: Vec::new(), told_id: None, now: Vec::new(), writer: Writer::new() }
    }

    /// The next ones are told whether they changed or not.
    pub fn forget(&mut self) {
        self.told.clear();
    }

    /// The symbol, the book's id and the time; then the levels, best first.
    pub fn tell<'a>(
        &mut self,
        (symbol, id, time_ms): (&str, i64, i64),
        bids: impl Iterator<Item = (&'a str, &'a str)>,
        asks: impl Iterator<Item = (&'a str, &'a str)>,
        out: &mut Out<'_>,
    ) {
        self.now.clear();
        self.now.extend_from_slice(b",\"b\":");
        write_levels(&mut self.now, bids);
        self.now.extend_from_slice(b",\"a\":");
        write_levels(&mut self.now, asks);
        if self.now == self.told {
            return;
        }
        std::mem::swap(&mut self.now, &mut self.told);
        // Frames chain for every subscriber; an id may also stand still or be set back by the venue.
        let first_id = self.told_id.map_or(id, |before| before.saturating_add(1).min(id));
        self.told_id = Some(id);
        let writer = &mut self.writer;
        writer.open("depthUpdate", time_ms).string("s", symbol).integer("U", first_id).integer("u", id);
        writer.text.extend_from_slice(&self.told);
        out(&self.topic, 0, writer.end());
    }
}
