//! The writer of a log, and what it keeps.
//!
//! Whole segments are dropped, oldest first, when a segment is opened and when the owner trims. One goes
//!
//! - if nobody watches: always, as long as the newest frame stays;
//! - state and klines: if what stays is the newest frame and `STATE_FRAMES_KEPT` before it;
//! - keyed frames: if besides that every key's newest frame stays;
//! - events: if what stays is `EVENT_FRAMES_KEPT` frames, and either all its frames are older than the horizon or the
//!   log is above `EVENT_BYTES_KEPT`. So the count wins over the bytes, and the bytes win over the horizon: a log is
//!   above `EVENT_BYTES_KEPT` only if dropping its oldest segment would leave fewer frames than the count.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{
    Log, Seq,
    closed::ClosedPrefix,
    log,
    segment::{Segment, SegmentWriter, record_bytes},
};
use crate::{
    fanout::{kind::Kind, rows},
    limits::{EVENT_BYTES_KEPT, EVENT_FRAMES_KEPT, KEYED_BYTES_KEPT, STATE_FRAMES_KEPT},
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, Release},
    },
};

/// Segments double up to this size: a state log drops history in pieces of about as many frames as it keeps.
const STATE_SEGMENT_BYTES_MAX: usize = 16 * 1024;

/// The same for events, which keep more.
const EVENT_SEGMENT_BYTES_MAX: usize = 64 * 1024;

/// The one writer of a log. It never waits for a reader.
pub struct Appender {
    log: Arc<Log>,
    tail: SegmentWriter,
    /// Bytes of the segments from the log's oldest to the tail.
    bytes: usize,
    is_unwatched: bool,
    closed: Option<Box<ClosedAppender>>,
    /// Where the newest frame of each key is.
    #[allow(clippy::box_collection)] // Most channels have none: a word then, not the size of a map.
    keys: Option<Box<HashMap<u32, Seq, RandomState>>>,
}

struct ClosedAppender {
    appender: Appender,
    /// The seq after the newest closed frame.
    end: Seq,
}

impl Appender {
    pub(super) fn new(log: Arc<Log>, tail: SegmentWriter) -> Self {
        Self { log, bytes: tail.segment().heap_bytes(), tail, is_unwatched: false, closed: None, keys: None }
    }

    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Appends a frame and returns its seq. `stamp_ns` is when its bytes were read, on a monotonic clock; it never
    /// decreases, and retention by time goes by it.
    pub fn append(&mut self, payload: &[u8], stamp_ns: u64) -> Seq {
        self.append_parts(&[], payload, stamp_ns)
    }

    /// Appends a closed candle: a frame like any other, of which `Log::closed_since` keeps a copy.
    pub fn append_closed(&mut self, payload: &[u8], stamp_ns: u64) -> Seq {
        debug_assert_eq!(self.log.kind, Kind::Kline, "only candles close");
        let seq = self.tail.end_seq();
        let closed = self.closed.get_or_insert_with(|| {
            let (appender, log) = log(Kind::Event, Arc::clone(&self.log.budget));
            assert!(self.log.closed.set(log).is_ok(), "one writer sets it, when it opens its side");
            Box::new(ClosedAppender { appender, end: 0 })
        });
        let prefix = ClosedPrefix { seq, previous_end: closed.end };
        // Before the main log: who sees a head finds every closed frame below it.
        closed.appender.is_unwatched = self.is_unwatched;
        closed.appender.append_parts(&prefix.encode(), payload, stamp_ns);
        closed.end = seq + 1;
        self.append(payload, stamp_ns)
    }

    /// Appends a frame that replaces the one of the same key.
    pub fn append_keyed(&mut self, key: u32, payload: &[u8], stamp_ns: u64) -> Seq {
        debug_assert!(self.log.kind.is_keyed(), "readers of other kinds know no key");
        let seq = self.append_parts(&key.to_le_bytes(), payload, stamp_ns);
        self.keys.get_or_insert_default().insert(key, seq);
        seq
    }

    /// Appends rows that belong together, as [`crate::fanout::rows::add`] laid them end to end: whoever reads one of them
    /// reads all.
    pub fn append_rows(&mut self, rows: &[u8], stamp_ns: u64) -> Seq {
        debug_assert_eq!(self.log.kind, Kind::Rows, "readers of other kinds expect one payload");
        let seq = self.append_parts(&[], rows, stamp_ns);
        let keys = self.keys.get_or_insert_default();
        for (key, _) in rows::each(rows) {
            keys.insert(key, seq);
        }
        seq
    }

    /// Whether this is the newest payload of this epoch: who came since the last one ended has not been told it.
    pub fn newest_is(&self, payload: &[u8]) -> bool {
        let has_newest = self.log.epoch_start.load(Relaxed) < self.tail.end_seq();
        has_newest && self.tail.segment().newest().is_some_and(|newest| newest.payload == payload)
    }

    /// While nobody watches, the log keeps its newest frame only.
    pub fn set_unwatched(&mut self, unwatched: bool) {
        self.is_unwatched = unwatched;
        if let Some(closed) = &mut self.closed {
            closed.appender.set_unwatched(unwatched);
        }
        if unwatched {
            self.shrink();
        }
    }

    /// Drops what need not be kept any more, without appending.
    pub fn trim(&mut self, now_ns: u64) {
        if let Some(closed) = &mut self.closed {
            closed.appender.trim(now_ns);
        }
        if self.is_unwatched {
            self.shrink();
        } else {
            self.drop_oldest(now_ns);
        }
    }

    /// New subscribers get no frame from before; those who are behind still do.
    pub fn end_epoch(&mut self) {
        self.log.epoch_start.store(self.tail.end_seq(), Release);
    }

    pub(super) fn append_parts(&mut self, prefix: &[u8], rest: &[u8], stamp_ns: u64) -> Seq {
        let seq = self.tail.end_seq();
        if !self.tail.push(prefix, rest, stamp_ns) {
            let record = record_bytes(prefix.len() + rest.len());
            let mut tail = SegmentWriter::new(seq, self.next_capacity(record), &self.log.budget);
            let has_room = tail.push(prefix, rest, stamp_ns);
            debug_assert!(has_room, "a segment is opened for its first frame");
            self.link(tail);
            self.drop_oldest(stamp_ns);
        }
        seq
    }

    fn next_capacity(&self, record: usize) -> usize {
        if self.is_unwatched {
            return record;
        }
        let max = match self.log.kind {
            Kind::State | Kind::Kline | Kind::Keyed | Kind::Rows => STATE_SEGMENT_BYTES_MAX,
            Kind::Event => EVENT_SEGMENT_BYTES_MAX,
        };
        (self.tail.capacity() * 2).min(max).max(record)
    }

    /// Goes on to `tail`, which holds its first frame. The link comes first: `newest` is a shortcut into the chain.
    fn link(&mut self, tail: SegmentWriter) {
        let segment = tail.segment();
        self.bytes += segment.heap_bytes();
        let was_unset = self.tail.segment().next.set(Arc::clone(segment)).is_ok();
        debug_assert!(was_unset, "one writer goes on once");
        self.log.newest.store(Arc::clone(segment));
        self.tail = tail;
    }

    /// Replaces the log by its newest frame, in a segment of just its size. The two overlap by that frame, so
    /// readers that come from before skip it.
    fn shrink(&mut self) {
        if self.log.kind.is_keyed() {
            // The newest frame of each key is what it keeps anyway.
            return;
        }
        let Some(newest) = self.tail.segment().newest() else {
            return;
        };
        let record = record_bytes(newest.payload.len());
        if self.tail.capacity() > record {
            let seq = self.tail.end_seq() - 1;
            let mut tail = SegmentWriter::new(seq, record, &self.log.budget);
            let has_room = tail.push(&[], newest.payload, newest.stamp_ns);
            debug_assert!(has_room, "a segment is opened for its first frame");
            self.link(tail);
        }
        self.drop_oldest(0);
    }

    fn drop_oldest(&mut self, now_ns: u64) {
        let mut oldest = self.log.oldest.load_full();
        let mut is_moved = false;
        while let Some(next) = oldest.next.get() {
            let frames_left = self.tail.end_seq() - next.base_seq;
            if !self.is_droppable(&oldest, next.base_seq, frames_left, now_ns) {
                break;
            }
            self.bytes -= oldest.heap_bytes();
            oldest = Arc::clone(next);
            is_moved = true;
        }
        if is_moved {
            let begin = oldest.base_seq;
            if let Some(keys) = &mut self.keys {
                keys.retain(|_, seq| *seq >= begin);
            }
            self.log.oldest.store(oldest);
        }
    }

    fn is_droppable(&self, oldest: &Segment, begin: Seq, frames_left: u64, now_ns: u64) -> bool {
        let Some(last) = oldest.newest() else {
            return true;
        };
        if self.is_unwatched && !self.log.kind.is_keyed() {
            return true;
        }
        match self.log.kind {
            Kind::State | Kind::Kline => frames_left > STATE_FRAMES_KEPT,
            // A key that is never said again stays until the log is as big as it may be.
            Kind::Keyed | Kind::Rows => {
                let replaced = self.keys.iter().flat_map(|keys| keys.values()).all(|seq| *seq >= begin);
                frames_left > STATE_FRAMES_KEPT && (replaced || self.bytes > KEYED_BYTES_KEPT)
            }
            Kind::Event => {
                let age_ns = now_ns.saturating_sub(last.stamp_ns);
                let is_old = age_ns > self.log.budget.horizon_ms() * 1_000_000;
                frames_left >= EVENT_FRAMES_KEPT && (is_old || self.bytes > EVENT_BYTES_KEPT)
            }
        }
    }
}
