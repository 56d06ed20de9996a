//! The new frames of one channel, encoded once and laid end to end for everybody.

use bytes::Bytes;

use super::log::{Cursor, Seq};
use crate::limits::{BATCH_BYTES_MAX, BATCH_FRAMES_MAX};
use crate::wire::stream::wrap;
use crate::wire::ws::encode;

/// The frames `start..end` of a channel, in each form that somebody wants.
#[derive(Default)]
pub struct Batch {
    start: Seq,
    count: u32,
    raw: Form,
    combined: Form,
    /// The wrapper of the combined form.
    prefix: Vec<u8>,
    /// When the bytes of each frame were read from the venue.
    stamps: Vec<u64>,
    /// Frames whose first write has been reported.
    reported: usize,
    /// The last frame that had to be cut, shared by those who were cut in it.
    cut: Option<(bool, usize, Bytes)>,
}

/// Frames end to end, and where each one ends.
#[derive(Default)]
struct Form {
    wanted: bool,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

/// A stretch of a batch that one client is owed.
#[derive(Clone, Copy)]
pub struct Stretch<'a> {
    pub bytes: &'a [u8],
    pub first: usize,
}

impl Batch {
    /// Starts over at `start`, in the forms wanted.
    pub fn begin(&mut self, start: Seq, name: &str, raw: bool, combined: bool) {
        self.start = start;
        self.count = 0;
        self.reported = 0;
        self.stamps.clear();
        self.cut = None;
        self.raw.begin(raw);
        self.combined.begin(combined);
        self.prefix.clear();
        if combined {
            wrap::prefix(name, &mut self.prefix);
        }
    }

    pub fn start(&self) -> Seq {
        self.start
    }

    pub fn end(&self) -> Seq {
        self.start + u64::from(self.count)
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes what the log has from the cursor on, as far as a batch may reach. True if the batch grew.
    pub fn extend(&mut self, cursor: &mut Cursor) -> bool {
        let before = self.count;
        while !self.is_full() {
            let Some(record) = cursor.next() else { break };
            debug_assert_eq!(record.seq, self.end(), "a batch has no holes");
            if self.raw.wanted {
                encode::frame(encode::Opcode::Text, record.payload, &mut self.raw.bytes);
                self.raw.ends.push(self.raw.bytes.len() as u32);
            }
            if self.combined.wanted {
                wrap::frame(&self.prefix, record.payload, &mut self.combined.bytes);
                self.combined.ends.push(self.combined.bytes.len() as u32);
            }
            self.stamps.push(record.stamp_ns);
            self.count += 1;
        }
        self.count > before
    }

    pub fn is_full(&self) -> bool {
        self.count as usize >= BATCH_FRAMES_MAX
            || self.raw.bytes.len().max(self.combined.bytes.len()) >= BATCH_BYTES_MAX
    }

    /// Whether it was made in this form.
    pub fn has(&self, combined: bool) -> bool {
        if combined { self.combined.wanted } else { self.raw.wanted }
    }

    /// What a client at `position` is owed; `None` if the batch does not reach back that far or lacks the form.
    pub fn from(&self, position: Seq, combined: bool) -> Option<Stretch<'_>> {
        let form = if combined { &self.combined } else { &self.raw };
        if position < self.start || !form.wanted {
            return None;
        }
        let first = (position - self.start) as usize;
        debug_assert!(first < self.count as usize, "who is up to date is not asked");
        Some(Stretch { bytes: &form.bytes[form.begin_of(first)..], first })
    }

    /// How many whole frames of a stretch `taken` bytes are, and the rest of the frame they end in, if they do.
    pub fn split(&mut self, first: usize, combined: bool, taken: usize) -> (u64, Option<Bytes>) {
        let form = if combined { &self.combined } else { &self.raw };
        let at = form.begin_of(first) + taken;
        let whole = form.ends[first..].partition_point(|&end| end as usize <= at);
        let index = first + whole;
        let begin = form.begin_of(index);
        if at == begin {
            return (whole as u64, None);
        }
        let frame = match &self.cut {
            Some((form, cut, frame)) if (*form, *cut) == (combined, index) => frame.clone(),
            _ => {
                let frame = Bytes::copy_from_slice(&form.bytes[begin..form.ends[index] as usize]);
                self.cut = Some((combined, index, frame.clone()));
                frame
            }
        };
        (whole as u64, Some(frame.slice(at - begin..)))
    }

    /// The stamps of the frames whose first write has not been reported yet; they count as reported now.
    pub fn report(&mut self) -> &[u64] {
        let from = std::mem::replace(&mut self.reported, self.stamps.len());
        &self.stamps[from..]
    }

    pub fn stamps(&self) -> &[u64] {
        &self.stamps
    }

    /// The cut frame belongs to those who were cut in it.
    pub fn let_go_of_cut(&mut self) {
        self.cut = None;
    }

    /// Whether keeping it for the next channel would hoard memory.
    pub fn is_large(&self) -> bool {
        self.raw.bytes.capacity().max(self.combined.bytes.capacity()) > 2 * BATCH_BYTES_MAX
    }
}

impl Form {
    fn begin(&mut self, wanted: bool) {
        self.wanted = wanted;
        self.bytes.clear();
        self.ends.clear();
    }

    fn begin_of(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] as usize }
    }
}
