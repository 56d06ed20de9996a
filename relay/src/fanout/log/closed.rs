//! The closed candles of a kline log: copies in a log of their own, where open ones cannot push them out.

use super::{Lagged, Log, Record, Seq};

/// What stands before the payload in the log of closed candles.
pub(super) struct ClosedPrefix {
    /// The frame's seq in the main log.
    pub(super) seq: Seq,
    /// The seq after the closed candle before this one. It tells a reader that finds this record as the oldest
    /// whether it missed one, without a second variable that could disagree with the log.
    pub(super) previous_end: Seq,
}

impl ClosedPrefix {
    const BYTES: usize = 16;

    pub(super) fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8..].copy_from_slice(&self.previous_end.to_le_bytes());
        bytes
    }

    fn split(record: Record<'_>) -> (Self, &[u8]) {
        let (prefix, payload) = record.payload.split_at(Self::BYTES);
        let (seq, previous_end) = prefix.split_at(8);
        let number = |bytes: &[u8]| Seq::from_le_bytes(bytes.try_into().expect("half of the prefix"));
        let prefix = Self { seq: number(seq), previous_end: number(previous_end) };
        (prefix, payload)
    }
}

impl Log {
    /// Visits the closed candles from `position` on, in order, and returns the head up to which these are all:
    /// everything visited is below it. Visits nothing and fails if some were trimmed away.
    pub fn closed_since(&self, position: Seq, visit: &mut impl FnMut(Seq, &[u8])) -> Result<Seq, Lagged> {
        self.closed_records_since(position, &mut |record| visit(record.seq, record.payload))
    }

    /// The same with their stamps.
    pub fn closed_records_since(&self, position: Seq, visit: &mut impl FnMut(Record<'_>)) -> Result<Seq, Lagged> {
        // Before the closed log, which the writer appends to first.
        let head = self.head();
        let Some(log) = self.closed.get() else {
            return Ok(head);
        };
        // Mostly there is none to visit, and the newest tells.
        let mut newest = log.newest_cursor();
        match newest.next().map(ClosedPrefix::split) {
            Some((newest, _)) if newest.seq >= position => {}
            _ => return Ok(head),
        }
        let mut cursor = log.oldest_cursor();
        let mut is_first = true;
        while let Some(record) = cursor.next() {
            let stamp_ns = record.stamp_ns;
            let (prefix, payload) = ClosedPrefix::split(record);
            if is_first && prefix.previous_end > position {
                return Err(Lagged { oldest: prefix.seq });
            }
            is_first = false;
            if (position..head).contains(&prefix.seq) {
                visit(Record { seq: prefix.seq, stamp_ns, payload });
            }
        }
        Ok(head)
    }

    /// The seq of the oldest closed candle kept, if there is one.
    pub fn closed_oldest(&self) -> Option<Seq> {
        let mut cursor = self.closed.get()?.oldest_cursor();
        let oldest = cursor.next().map(ClosedPrefix::split)?;
        Some(oldest.0.seq)
    }
}
