//! The reader of a log.

use super::{
    Seq,
    segment::{Committed, Segment},
};
use crate::sync::Arc;

/// Stands at a position and reads on from there. Once given it misses nothing: it holds its segment, and with it
/// those that follow. So it lives for a turn, or with a shard that reads on soon; who waits keeps a position.
pub struct Cursor {
    segment: Arc<Segment>,
    position: Seq,
    offset: u32,
    /// Bytes of the segment known to be readable.
    readable: u32,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cursor({})", self.position)
    }
}

/// A frame in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub seq: Seq,
    pub stamp_ns: u64,
    pub payload: &'a [u8],
}

impl Cursor {
    /// Stands at `position`, which is not before `start`, by walking on from there.
    pub(super) fn seek(start: &Arc<Segment>, position: Seq) -> Self {
        let mut segment = start;
        while let Some(next) = segment.next.get() {
            if next.base_seq > position {
                break;
            }
            segment = next;
        }
        let committed = segment.committed();
        let end = segment.base_seq + u64::from(committed.count);
        debug_assert!(position <= end, "a reader is ahead of the writer");
        Self::stand(segment, position.min(end), committed)
    }

    fn stand(segment: &Arc<Segment>, position: Seq, committed: Committed) -> Self {
        Self {
            segment: Arc::clone(segment),
            position,
            offset: segment.offset_of(position - segment.base_seq, committed),
            readable: committed.bytes,
        }
    }

    /// The seq of the frame that `next` gives.
    pub fn position(&self) -> Seq {
        self.position
    }

    /// The next frame, or none when caught up. It is borrowed from the log.
    // It lends from itself, which an `Iterator` cannot.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Record<'_>> {
        if self.offset == self.readable && !self.advance() {
            return None;
        }
        let record = self.segment.record_at(self.offset);
        let seq = self.position;
        self.offset += super::segment::record_bytes(record.payload.len()) as u32;
        self.position += 1;
        Some(Record {
            seq,
            stamp_ns: record.stamp_ns,
            payload: record.payload,
        })
    }

    /// Finds out what has been appended, here or in later segments; false if nothing.
    fn advance(&mut self) -> bool {
        loop {
            // Before the length: once there is a next segment, the length loaded afterwards is final.
            let next = self.segment.next.get();
            self.readable = self.segment.committed().bytes;
            if self.offset < self.readable {
                return true;
            }
            let Some(next) = next else {
                return false;
            };
            // A segment that replaces the rest of the log by its newest frame starts before our position.
            *self = Self::stand(next, self.position, next.committed());
        }
    }
}
