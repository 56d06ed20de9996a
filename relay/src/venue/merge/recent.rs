//! The frames published last, for as long as another source may bring them again.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

use super::NS_PER_MS;
use crate::limits::{MERGE_OVERLAP_MS, MERGE_RECENT_BURST_FRAMES, MERGE_RECENT_FRAMES};

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
    /// How many of them have these bytes, where bursts are kept: most frames are not looked for then.
    hashes: Option<HashMap<u64, u32, FixedState>>,
    /// Numbers up to here are older than what is kept.
    pub floor: u64,
}

impl Recent {
    /// `keeps_bursts` where frames have no numbers.
    pub fn new(keeps_bursts: bool) -> Recent {
        Recent { hashes: keeps_bursts.then(HashMap::default), ..Recent::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn newest_ns(&self) -> u64 {
        self.entries.back().map_or(0, |entry| entry.at_ns)
    }

    pub fn push(&mut self, entry: Entry) {
        while self.entries.len() >= MERGE_RECENT_FRAMES
            && let Some(oldest) = self.entries.front()
        {
            let age_ms = entry.at_ns.saturating_sub(oldest.at_ns) / NS_PER_MS;
            let is_full = self.entries.len() >= MERGE_RECENT_BURST_FRAMES;
            if self.hashes.is_some() && age_ms <= MERGE_OVERLAP_MS && !is_full {
                break;
            }
            self.floor = self.floor.max(oldest.to);
            self.count(oldest.hash, false);
            self.entries.pop_front();
        }
        self.count(entry.hash, true);
        self.entries.push_back(entry);
    }

    fn count(&mut self, hash: u64, is_more: bool) {
        let Some(hashes) = &mut self.hashes else { return };
        let count = hashes.entry(hash).or_default();
        *count = if is_more { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            hashes.remove(&hash);
        }
    }

    /// A frame with these bytes that this source has not brought yet: then it is the same one.
    pub fn same_bytes(&mut self, hash: u64, bit: Bit) -> Option<&mut Entry> {
        if self.hashes.as_ref().is_some_and(|hashes| !hashes.contains_key(&hash)) {
            return None;
        }
        self.entries.iter_mut().rev().find(|entry| entry.hash == hash && entry.by & bit == 0)
    }

    /// Whether a frame with these bytes is kept.
    pub fn has_bytes(&self, hash: u64) -> bool {
        match &self.hashes {
            Some(hashes) => hashes.contains_key(&hash),
            None => self.entries.iter().rev().any(|entry| entry.hash == hash),
        }
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
        *self = Recent::new(self.hashes.is_some());
        self.floor = floor;
    }
}
