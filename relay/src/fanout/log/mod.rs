//! The frames of one channel: one writer, any number of readers, no lock.
//!
//! A log is a chain of append-only segments. The writer (`appender`) puts a record into the newest one and then raises
//! its committed length; when there is no room it opens a bigger one and links it. Readers (`cursor`) stay below the
//! committed length and follow the links. Trimming stores a later `oldest`; a segment lives on while a cursor holds it.
//!
//! A session holds a position here, never bytes: a position is a number and pins no memory, so a slow client costs
//! none. It may be trimmed away, and then the reader is told from where on it can read.

mod appender;
mod budget;
mod cells;
mod closed;
mod cursor;
mod resume;
mod segment;

use crate::{
    fanout::kind::Kind,
    sync::{
        Arc, ArcSwap, OnceLock,
        atomic::{AtomicU64, Ordering::Acquire},
    },
};
use segment::{Segment, SegmentWriter, arc_bytes};

pub use {
    appender::Appender,
    budget::Budget,
    cursor::{Cursor, Record},
};

/// The position of a frame in its channel.
pub type Seq = u64;

/// What readers share.
pub struct Log {
    kind: Kind,
    oldest: ArcSwap<Segment>,
    /// The newest segment, or one that leads to it: a shortcut for readers that are not far behind.
    newest: ArcSwap<Segment>,
    epoch_start: AtomicU64,
    closed: OnceLock<Arc<Log>>,
    budget: Arc<Budget>,
}

/// The position was trimmed away; `oldest` is the first that can still be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    pub oldest: Seq,
}

/// A new log and its one writer. All logs share one `budget`.
pub fn log(kind: Kind, budget: Arc<Budget>) -> (Appender, Arc<Log>) {
    // Without room, so the first frame decides how big the first real segment is.
    let tail = SegmentWriter::new(0, 0, &budget);
    let log = Arc::new(Log {
        kind,
        oldest: ArcSwap::new(Arc::clone(tail.segment())),
        newest: ArcSwap::new(Arc::clone(tail.segment())),
        epoch_start: AtomicU64::new(0),
        closed: OnceLock::new(),
        budget,
    });
    (Appender::new(Arc::clone(&log), tail), log)
}

impl Log {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The seq the next frame gets. Everything below is readable, and no cursor of this thread is above.
    pub fn head(&self) -> Seq {
        let newest = self.newest.load();
        let mut segment: &Segment = &newest;
        // A cursor may have gone on to a segment before the writer stored it as the newest.
        while let Some(next) = segment.next.get() {
            segment = next;
        }
        segment.end_seq()
    }

    /// The oldest position that can be read.
    pub fn oldest(&self) -> Seq {
        self.oldest.load().base_seq
    }

    /// Frames before this one are not for new subscribers.
    pub fn epoch_start(&self) -> Seq {
        self.epoch_start.load(Acquire)
    }

    /// Bytes of heap, without what only cursors still hold.
    pub fn heap_bytes(&self) -> usize {
        let oldest = self.oldest.load();
        let mut segment: &Segment = &oldest;
        let mut bytes = arc_bytes::<Self>() + segment.heap_bytes();
        while let Some(next) = segment.next.get() {
            bytes += next.heap_bytes();
            segment = next;
        }
        bytes + self.closed.get().map_or(0, |closed| closed.heap_bytes())
    }

    /// A cursor at `position`, which is at most the head.
    pub fn cursor(&self, position: Seq) -> Result<Cursor, Lagged> {
        let newest = self.newest.load();
        if position >= newest.base_seq {
            return Ok(Cursor::seek(&newest, position));
        }
        let oldest = self.oldest.load();
        if position >= oldest.base_seq {
            return Ok(Cursor::seek(&oldest, position));
        }
        Err(Lagged { oldest: oldest.base_seq })
    }

    /// Where a new subscriber stands: one frame before the head, so that the last value and the first live frame
    /// cannot race; at the head if there is no such frame in this epoch, and for events. Where frames have keys, the
    /// newest of each is for it.
    pub fn subscribe_position(&self) -> Seq {
        let head = self.head();
        let position = match self.kind {
            Kind::State | Kind::Kline => head.saturating_sub(1),
            Kind::Event => head,
            Kind::Keyed | Kind::Rows => self.oldest(),
        };
        // The epoch may have ended after frames that came since the head was loaded.
        position.max(self.epoch_start())
    }

    /// At the oldest frame there is.
    pub fn oldest_cursor(&self) -> Cursor {
        let oldest = self.oldest.load();
        Cursor::seek(&oldest, oldest.base_seq)
    }

    /// At the newest frame, or at the head of an empty log.
    fn newest_cursor(&self) -> Cursor {
        let newest = self.newest.load();
        Cursor::seek(&newest, newest.end_seq().saturating_sub(1).max(newest.base_seq))
    }
}

#[cfg(all(test, loom))]
mod loom_models;
#[cfg(all(test, not(loom)))]
mod tests;
