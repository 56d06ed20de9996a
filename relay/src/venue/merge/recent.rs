//! The frames published last, for as long as another source may bring them again.

use std::collections::VecDeque;

use crate::limits::MERGE_RECENT_FRAMES;

/// A source of a topic, as a bit.
pub type Bit = u16;

#[derive(Debug)]
pub struct Entry {
    pub from: u64,
    pub to: u64,
    pub hash: u64,
    pub at_ns: u64,
    /// The sources that have brought it.
    pub by: Bit,
}

/// Empty while there is one source only.
#[derive(Debug, Default)]
pub struct Recent {
    entries: VecDeque<Entry>,
    /// Numbers up to here are older than what is kept.
    pub floor: u64,
}

impl Recent {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn newest_ns(&self) -> u64 {
        self.entries.back().map_or(0, |entry| entry.at_ns)
    }

    pub fn push(&mut self, entry: Entry) {
        if self.entries.len() == MERGE_RECENT_FRAMES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.floor = self.floor.max(oldest.to);
        }
        self.entries.push_back(entry);
    }

    /// A frame with these bytes that this source has not brought yet: then it is the same one.
    pub fn same_bytes(&mut self, hash: u64, bit: Bit) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.hash == hash && entry.by & bit == 0)
    }

    /// Whether a frame with these bytes is kept.
    pub fn has_bytes(&self, hash: u64) -> bool {
        self.entries.iter().rev().any(|entry| entry.hash == hash)
    }

    /// Whether what was published about this number is kept.
    pub fn reaches(&self, number: u64) -> bool {
        number > self.floor && self.entries.iter().any(|entry| entry.from <= number)
    }

    /// What covers these numbers.
    pub fn covering(&mut self, from: u64, to: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.from <= from && to <= entry.to)
    }

    /// The place of a source is given to another one.
    pub fn forget_source(&mut self, bit: Bit) {
        self.entries.iter_mut().for_each(|entry| entry.by &= !bit);
    }

    pub fn clear(&mut self, floor: u64) {
        self.entries = VecDeque::new();
        self.floor = floor;
    }
}
