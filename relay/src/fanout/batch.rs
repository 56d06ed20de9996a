//! The new frames of one channel, encoded once and laid end to end for everybody.

use std::borrow::Cow;

use bytes::Bytes;

use super::channel::{Channel, Style};
use super::log::{Cursor, Seq};
use super::rows::Rows;
use crate::limits::{BATCH_BYTES_MAX, BATCH_FRAMES_MAX, SERVE_BYTES_MAX};
use crate::wire::stream::wrap;
use crate::wire::ws::encode;

/// The frames `start..end` of a channel, in each form that somebody wants.
#[derive(Default)]
pub struct Batch {
    start: Seq,
    count: u32,
    shape: Shape,
    raw: Form,
    combined: Form,
    /// The wrapper of the combined form.
    prefix: Vec<u8>,
    rows: Rows,
    /// When the bytes of each frame were read from the venue.
    stamps: Vec<u64>,
    /// Frames whose first write has been reported.
    reported: usize,
    /// The last frame that had to be cut, shared by those who were cut in it.
    cut: Option<(bool, usize, Bytes)>,
}

/// How records become frames.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Frames,
    /// The same, and a key stands before each payload.
    KeyedFrames,
    /// Not framed yet: each subscription puts its own head before them.
    Tails,
    /// All records are one frame.
    OneFrame { before: &'static [u8], after: &'static [u8] },
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

/// How far a write came: the frames that need not be written again, of which the last may be cut.
pub struct Cut {
    pub moved: u64,
    /// What is left of the cut one.
    pub rest: Option<Bytes>,
}

impl Batch {
    /// Starts over at `start`, in the forms wanted.
    pub fn begin(&mut self, start: Seq, channel: &Channel, raw: bool, combined: bool) {
        self.start = start;
        self.count = 0;
        self.reported = 0;
        self.stamps.clear();
        self.cut = None;
        self.shape = match channel.style {
            Style::Row { before, after } => Shape::OneFrame { before, after },
            Style::Tail | Style::Named => Shape::Tails,
            Style::Payload | Style::Message if channel.kind.is_keyed() => Shape::KeyedFrames,
            Style::Payload | Style::Message => Shape::Frames,
        };
        self.raw.begin(raw);
        self.combined.begin(combined);
        self.prefix.clear();
        if combined {
            wrap::prefix(&channel.name, &mut self.prefix);
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
        if let Shape::OneFrame { before: head, after } = self.shape {
            // One frame for all: what comes later goes into the next batch.
            if before == 0 {
                self.list(cursor, head, after);
            }
            return self.count > before;
        }
        while !self.is_full() {
            let Some(record) = cursor.next() else { break };
            debug_assert_eq!(record.seq, self.end(), "a batch has no holes");
            let mut payload = record.payload;
            if self.shape == Shape::KeyedFrames {
                payload = super::rows::split(payload).1;
            }
            if self.raw.wanted {
                match self.shape {
                    Shape::Tails => self.raw.bytes.extend_from_slice(payload),
                    _ => encode::frame(encode::Opcode::Text, payload, &mut self.raw.bytes),
                }
                self.raw.ends.push(self.raw.bytes.len() as u32);
            }
            if self.combined.wanted {
                wrap::frame(&self.prefix, payload, &mut self.combined.bytes);
                self.combined.ends.push(self.combined.bytes.len() as u32);
            }
            self.stamps.push(record.stamp_ns);
            self.count += 1;
        }
        self.count > before
    }

    fn list(&mut self, cursor: &mut Cursor, before: &[u8], after: &[u8]) {
        self.rows.clear();
        while (self.count as usize) < BATCH_FRAMES_MAX && self.rows.bytes() < BATCH_BYTES_MAX {
            let Some(record) = cursor.next() else { break };
            self.rows.push(record.payload);
            self.stamps.push(record.stamp_ns);
            self.count += 1;
        }
        if self.count > 0 {
            self.rows.frame(before, after, &mut self.raw.bytes);
            self.raw.ends.push(self.raw.bytes.len() as u32);
        }
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
        if first > 0 && self.is_one_frame() {
            return None;
        }
        Some(Stretch { bytes: &form.bytes[form.begin_of(first)..], first })
    }

    fn is_one_frame(&self) -> bool {
        matches!(self.shape, Shape::OneFrame { .. })
    }

    /// Where a write ended that took `taken` bytes of the stretch from `first` on.
    pub fn split(&mut self, first: usize, combined: bool, taken: usize) -> Cut {
        let form = if combined { &self.combined } else { &self.raw };
        let at = form.begin_of(first) + taken;
        let whole = form.ends[first..].partition_point(|&end| end as usize <= at);
        let index = first + whole;
        let begin = form.begin_of(index);
        let all = u64::from(self.count);
        if at == begin {
            let moved = if self.is_one_frame() && whole > 0 { all } else { whole as u64 };
            return Cut { moved, rest: None };
        }
        let frame = match &self.cut {
            Some((form, cut, frame)) if (*form, *cut) == (combined, index) => frame.clone(),
            _ => {
                let frame = Bytes::copy_from_slice(&form.bytes[begin..form.ends[index] as usize]);
                self.cut = Some((combined, index, frame.clone()));
                frame
            }
        };
        let moved = if self.is_one_frame() { all } else { whole as u64 + 1 };
        Cut { moved, rest: Some(frame.slice(at - begin..)) }
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
        let largest = self.raw.bytes.capacity().max(self.combined.bytes.capacity());
        largest.max(self.rows.capacity()) > 2 * BATCH_BYTES_MAX
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

/// Frames made for one subscription: its head before each tail.
#[derive(Default)]
pub struct Composed {
    pub bytes: Vec<u8>,
    ends: Vec<u32>,
    /// What it was made of; the next subscriber may want the same.
    made_of: Option<(u32, Seq, Seq, u32, bool)>,
}

impl Composed {
    /// What was made last is of no use any more.
    pub fn forget(&mut self) {
        self.made_of = None;
        if self.bytes.capacity() > 4 * SERVE_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    /// The frames of `batch` from `position` on, as far as is good for one write. `channel` and `number` say
    /// which head it is.
    pub fn make(&mut self, batch: &Batch, position: Seq, around: Around<'_>, channel: u32, number: u32) {
        let Around { before, after } = &around;
        let made_of = Some((channel, position, batch.end(), number, after.is_empty()));
        if self.made_of == made_of {
            return;
        }
        self.made_of = made_of;
        self.bytes.clear();
        self.ends.clear();
        let first = (position - batch.start) as usize;
        for index in first..batch.count as usize {
            if self.bytes.len() >= SERVE_BYTES_MAX {
                break;
            }
            let tail = &batch.raw.bytes[batch.raw.begin_of(index)..batch.raw.ends[index] as usize];
            encode::text([before, tail, after], &mut self.bytes);
            self.ends.push(self.bytes.len() as u32);
        }
    }

    pub fn frames(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Where a write ended that took `taken` bytes. The rest is a copy: nobody else has these bytes.
    pub fn split(&self, taken: usize) -> Cut {
        let whole = self.ends.partition_point(|&end| end as usize <= taken);
        let begin = if whole == 0 { 0 } else { self.ends[whole - 1] as usize };
        if begin == taken {
            return Cut { moved: whole as u64, rest: None };
        }
        let rest = Bytes::copy_from_slice(&self.bytes[taken..self.ends[whole] as usize]);
        Cut { moved: whole as u64 + 1, rest: Some(rest) }
    }
}

/// What stands around the records of a channel in one subscription's messages.
pub struct Around<'a> {
    pub before: Cow<'a, [u8]>,
    pub after: &'static [u8],
}

impl<'a> Around<'a> {
    pub fn new(style: Style, head: &'a [u8], combined: bool) -> Around<'a> {
        match (style, combined) {
            (Style::Named, true) => {
                let mut before = Vec::new();
                wrap::prefix(std::str::from_utf8(head).unwrap_or_default(), &mut before);
                Around { before: before.into(), after: wrap::SUFFIX }
            }
            (Style::Named, false) => Around { before: Cow::Borrowed(&[]), after: &[] },
            _ => Around { before: Cow::Borrowed(head), after: &[] },
        }
    }
}
