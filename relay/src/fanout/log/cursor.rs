//! The reader of a log.

use super::{
    Seq,
    segment::{Segment, SegmentReader},
};
use crate::sync::Arc;

/// Stands at a position and reads on from there. Once given it misses nothing: it holds its segment, and with it
/// those that follow. So it lives for a turn, or with a shard that reads on soon; who waits keeps a position.
#[derive(Clone)]
pub struct Cursor {
    reader: SegmentReader,
    position: Seq,
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
        let end = segment.end_seq();
        debug_assert!(position <= end, "a reader is ahead of the writer");
        let position = position.min(end);
        Self { reader: SegmentReader::new(segment, position - segment.base_seq), position }
    }

    /// The seq of the frame that `next` gives.
    pub fn position(&self) -> Seq {
        self.position
    }

    /// The next frame, or none when caught up. It is borrowed from the log.
    // It lends from itself, which an `Iterator` cannot.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Record<'_>> {
        while !self.reader.has_next() {
            self.go_on()?;
        }
        let record = self.reader.next()?;
        let seq = self.position;
        self.position += 1;
        Some(Record { seq, stamp_ns: record.stamp_ns, payload: record.payload })
    }

    /// The stamp of the frame that `next` gives.
    pub fn next_stamp(&mut self) -> Option<u64> {
        while !self.reader.has_next() {
            self.go_on()?;
        }
        self.reader.stamp()
    }

    /// Goes on to the next segment from the end of one that got none; none if there is nothing more.
    fn go_on(&mut self) -> Option<()> {
        let next = Arc::clone(self.reader.segment().next.get()?);
        // The last frames may have come between the look at the length and the one at the link. Now that there is
        // a next segment, the length is final.
        if !self.reader.has_next() {
            // A segment that replaces the log by its newest frame starts before our position.
            self.reader = SegmentReader::new(&next, self.position - next.base_seq);
        }
        Some(())
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cursor({})", self.position)
    }
}
