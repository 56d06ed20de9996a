//! Which streams the products need, counted, and what that asks of the caller.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

/// What the caller must subscribe to, or may let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceChange {
    pub name: Box<str>,
    pub wanted: bool,
}

#[derive(Default)]
pub struct Sources {
    /// The products that read a stream, by slot.
    readers: HashMap<Box<str>, Vec<u32>, RandomState>,
    /// Not told yet. A change and its reverse cancel out.
    changes: BTreeMap<Box<str>, bool>,
    /// Products that joined the readers of a stream which is held already: its newest word has passed them by.
    late: Vec<(u32, Box<str>)>,
}

impl Sources {
    pub fn readers(&self, name: &str) -> Option<&[u32]> {
        self.readers.get(name).map(Vec::as_slice)
    }

    /// Moves a product from the streams it had to those it needs.
    pub fn replace(&mut self, slot: u32, had: &[Box<str>], needed: &[Box<str>]) {
        for name in needed.iter().filter(|name| !had.contains(name)) {
            self.add(slot, name);
        }
        for name in had.iter().filter(|name| !needed.contains(name)) {
            self.remove(slot, name);
        }
    }

    pub fn take_changes(&mut self) -> Vec<SourceChange> {
        let changes = std::mem::take(&mut self.changes);
        changes.into_iter().map(|(name, wanted)| SourceChange { name, wanted }).collect()
    }

    /// Who reads which stream since this was asked last, though others did before.
    pub fn take_late(&mut self) -> Vec<(u32, Box<str>)> {
        std::mem::take(&mut self.late)
    }

    fn add(&mut self, slot: u32, name: &str) {
        let readers = self.readers.entry(name.into()).or_default();
        readers.push(slot);
        if readers.len() == 1 {
            self.change(name, true);
        } else if !self.changes.contains_key(name) {
            self.late.push((slot, name.into()));
        }
    }

    fn remove(&mut self, slot: u32, name: &str) {
        let Some(readers) = self.readers.get_mut(name) else { return };
        readers.retain(|reader| *reader != slot);
        self.late.retain(|(reader, late)| *reader != slot || **late != *name);
        if readers.is_empty() {
            self.readers.remove(name);
            self.change(name, false);
        }
    }

    fn change(&mut self, name: &str, wanted: bool) {
        if self.changes.remove(name).is_none() {
            self.changes.insert(name.into(), wanted);
        }
    }
}
