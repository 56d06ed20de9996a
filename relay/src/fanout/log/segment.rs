//! One piece of a log: append-only bytes with a committed length, and the way to the next piece.
//!
//! A record is `[len u32][stamp_ns u64][payload][len u32]`. The length stands at both ends, so that a reader that
//! is a few frames behind finds its place from the newest record backwards instead of through the whole segment.

use super::{Budget, Seq, cells::Cells};
use crate::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::*},
};

const LEN_BYTES: usize = 4;
const HEADER_BYTES: usize = LEN_BYTES + 8;

/// What a record takes besides its payload.
pub(super) const RECORD_OVERHEAD_BYTES: usize = HEADER_BYTES + LEN_BYTES;

pub(super) struct Segment {
    pub(super) base_seq: Seq,
    /// A `Committed`. Stored by the writer (Release) after the record's bytes, loaded by readers (Acquire) before:
    /// bytes below it are initialised and never change.
    committed: AtomicU64,
    /// Set once, when the writer went on to another segment: from then on `committed` is final.
    pub(super) next: OnceLock<Arc<Segment>>,
    cells: Cells,
    budget: Arc<Budget>,
}

/// How much of a segment is readable.
#[derive(Clone, Copy)]
struct Committed {
    bytes: u32,
    count: u32,
}

/// The one right to write to a segment. It is not `Clone`, and a segment is born with it.
pub(super) struct SegmentWriter {
    segment: Arc<Segment>,
    committed: Committed,
}

/// A place between two records of a segment, or at its end.
#[derive(Clone)]
pub(super) struct SegmentReader {
    segment: Arc<Segment>,
    offset: u32,
    /// Bytes of the segment known to be committed.
    readable: u32,
}

pub(super) struct RawRecord<'a> {
    pub(super) stamp_ns: u64,
    pub(super) payload: &'a [u8],
}

impl Segment {
    fn committed(&self) -> Committed {
        let packed = self.committed.load(Acquire);
        Committed { bytes: (packed >> 32) as u32, count: packed as u32 }
    }

    /// The seq after its last frame so far.
    pub(super) fn end_seq(&self) -> Seq {
        self.base_seq + u64::from(self.committed().count)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        arc_bytes::<Self>() + self.cells.capacity()
    }

    /// Where the record number `index` starts. An index at or above the count gives the end.
    fn offset_of(&self, index: u64, committed: Committed) -> u32 {
        let count = u64::from(committed.count);
        let behind = count.saturating_sub(index);
        if behind <= index {
            (0..behind).fold(committed.bytes, |end, _| self.start_of(end))
        } else {
            (0..index).fold(0, |offset, _| offset + record_bytes(self.record_at(offset).payload.len()) as u32)
        }
    }

    /// The committed record that starts at `offset`.
    fn record_at(&self, offset: u32) -> RawRecord<'_> {
        let offset = offset as usize;
        let header = self.read(offset, HEADER_BYTES);
        let (len, stamp_ns) = header.split_at(LEN_BYTES);
        RawRecord {
            stamp_ns: u64::from_le_bytes(stamp_ns.try_into().expect("the header's other part")),
            payload: self.read(offset + HEADER_BYTES, length(len)),
        }
    }

    /// When its first record was read, if there is one.
    pub(super) fn first_stamp(&self) -> Option<u64> {
        (self.committed().count > 0).then(|| self.record_at(0).stamp_ns)
    }

    /// The newest record, if there is one.
    pub(super) fn newest(&self) -> Option<RawRecord<'_>> {
        let committed = self.committed();
        (committed.count > 0).then(|| self.record_at(self.start_of(committed.bytes)))
    }

    /// Where the committed record that ends at `end` starts.
    fn start_of(&self, end: u32) -> u32 {
        let len = length(self.read(end as usize - LEN_BYTES, LEN_BYTES));
        end - record_bytes(len) as u32
    }

    #[allow(unsafe_code)]
    fn read(&self, at: usize, len: usize) -> &[u8] {
        debug_assert!(at + len <= self.committed().bytes as usize, "a reader is ahead of the writer");
        // SAFETY: this and its callers `record_at` and `start_of` are private to this file, where every offset is at
        // the edge of a record below a `committed` of the same segment that was loaded with Acquire. The writer
        // stored that with Release after it wrote the bytes, and it only ever writes above.
        unsafe { self.cells.read(at, len) }
    }
}

impl Drop for Segment {
    /// Takes the chain apart in a loop: dropping the links by recursion would overflow the stack on a long one.
    fn drop(&mut self) {
        self.budget.release(self.heap_bytes());
        let mut next = self.next.take();
        while let Some(segment) = next {
            next = Arc::into_inner(segment).and_then(|mut segment| segment.next.take());
        }
    }
}

impl SegmentWriter {
    pub(super) fn new(base_seq: Seq, capacity: usize, budget: &Arc<Budget>) -> Self {
        let segment = Segment {
            base_seq,
            committed: AtomicU64::new(0),
            next: OnceLock::new(),
            cells: Cells::new(capacity),
            budget: Arc::clone(budget),
        };
        budget.take(segment.heap_bytes());
        Self { segment: Arc::new(segment), committed: Committed { bytes: 0, count: 0 } }
    }

    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    pub(super) fn capacity(&self) -> usize {
        self.segment.cells.capacity()
    }

    pub(super) fn end_seq(&self) -> Seq {
        self.segment.base_seq + u64::from(self.committed.count)
    }

    /// Appends a record whose payload is `prefix` and `rest`; false, and nothing happens, if there is no room.
    #[allow(unsafe_code)]
    pub(super) fn push(&mut self, prefix: &[u8], rest: &[u8], stamp_ns: u64) -> bool {
        let payload_bytes = prefix.len() + rest.len();
        let start = self.committed.bytes as usize;
        let end = start + record_bytes(payload_bytes);
        if end > self.capacity() {
            return false;
        }
        let committed = Committed {
            bytes: u32::try_from(end).expect("a frame is far below 4 GiB"),
            count: self.committed.count + 1,
        };
        let len = (payload_bytes as u32).to_le_bytes();
        let mut at = start;
        for part in [&len[..], &stamp_ns.to_le_bytes(), prefix, rest, &len] {
            // SAFETY: these bytes are above the committed length, below which readers stay; and this is the only
            // writer of the segment, held by `&mut`.
            unsafe { self.segment.cells.write(at, part) };
            at += part.len();
        }
        debug_assert_eq!(at, end, "a record is its parts");
        self.committed = committed;
        self.segment.committed.store(u64::from(committed.bytes) << 32 | u64::from(committed.count), Release);
        true
    }
}

impl SegmentReader {
    /// Stands before the record number `index`, or at the end if there are fewer.
    pub(super) fn new(segment: &Arc<Segment>, index: u64) -> Self {
        let committed = segment.committed();
        Self { segment: Arc::clone(segment), offset: segment.offset_of(index, committed), readable: committed.bytes }
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Whether there is another record, among those known or after another look.
    pub(super) fn has_next(&mut self) -> bool {
        if self.offset == self.readable {
            self.readable = self.segment.committed().bytes;
        }
        self.offset < self.readable
    }

    /// The stamp of the next of the known records.
    pub(super) fn stamp(&self) -> Option<u64> {
        (self.offset < self.readable).then(|| self.segment.record_at(self.offset).stamp_ns)
    }

    /// The next of the known records.
    pub(super) fn next(&mut self) -> Option<RawRecord<'_>> {
        if self.offset == self.readable {
            return None;
        }
        let record = self.segment.record_at(self.offset);
        self.offset += record_bytes(record.payload.len()) as u32;
        Some(record)
    }
}

pub(super) fn record_bytes(payload_bytes: usize) -> usize {
    RECORD_OVERHEAD_BYTES + payload_bytes
}

/// What a `T` takes behind an `Arc`: itself and two counts.
pub(super) const fn arc_bytes<T>() -> usize {
    size_of::<T>() + 2 * size_of::<usize>()
}

fn length(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes.try_into().expect("a length is four bytes")) as usize
}
