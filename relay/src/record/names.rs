//! Which streams a recording has: those that were asked for while it was made.

use std::collections::HashSet;
use std::path::PathBuf;

use foldhash::fast::RandomState;

use super::format::{Cursor, Kind, Origin, split_words};
use super::reader::{ReadError, open};
use crate::limits::{RECORD_NAMED_BYTES_MAX, RECORD_STREAMS_LISTED_MAX};

/// What one upstream has in all files of a recording.
#[derive(Debug)]
pub struct Holding {
    pub origin: Origin,
    names: HashSet<Box<str>, RandomState>,
    /// It said something.
    has_messages: bool,
    /// The names are not all that it has.
    is_open: bool,
}

impl Holding {
    /// True as well where that is not known.
    pub fn may_have(&self, name: &str) -> bool {
        self.is_open || self.names.contains(name)
    }
}

/// Reads the files, unless they are too long: then nothing is known of their streams, nor if a part is damaged or missing.
/// Upstreams of the same kind and the same symbols are one.
pub fn holdings(paths: &[PathBuf]) -> Result<Vec<Holding>, ReadError> {
    let mut found: Vec<Holding> = Vec::new();
    let (mut is_whole, mut bytes, mut count) = (true, 0, 0);
    for path in paths {
        let mut source = open(path)?;
        let places: Vec<usize> = source.header.upstreams.iter().map(|origin| place_of(&mut found, origin)).collect();
        bytes += source.entries.iter().map(|entry| u64::from(entry.bytes)).sum::<u64>();
        is_whole &= bytes <= RECORD_NAMED_BYTES_MAX && source.condition.lost_bytes == 0;
        for entry in source.entries.clone() {
            if !is_whole {
                break;
            }
            let block = source.block(&entry).map_err(|error| ReadError::Io(path.clone(), error))?;
            let Some((head, raw)) = block else {
                is_whole = false;
                break;
            };
            let mut cursor = Cursor::new(head.first_ns);
            while let Some(record) = cursor.next(&raw) {
                let Some(holding) = places.get(record.upstream as usize).map(|place| &mut found[*place]) else {
                    continue;
                };
                match record.kind {
                    Kind::Asked | Kind::Standing => {
                        for name in split_words(record.body).1 {
                            if !holding.names.contains(name) {
                                holding.names.insert(name.into());
                                count += 1;
                            }
                        }
                    }
                    Kind::Frame => holding.has_messages = true,
                    // It may have been a request.
                    Kind::Missed => is_whole = false,
                    Kind::Connected | Kind::Lost | Kind::Ended => {}
                }
            }
            is_whole &= count <= RECORD_STREAMS_LISTED_MAX;
        }
    }
    for holding in &mut found {
        // What nobody asked for came by itself.
        holding.is_open = !is_whole || holding.has_messages && holding.names.is_empty();
    }
    Ok(found)
}

fn place_of(found: &mut Vec<Holding>, origin: &Origin) -> usize {
    let is_same = |known: &Holding| known.origin.kind == origin.kind && known.origin.symbols == origin.symbols;
    found.iter().position(is_same).unwrap_or_else(|| {
        found.push(Holding { origin: origin.clone(), names: HashSet::default(), has_messages: false, is_open: false });
        found.len() - 1
    })
}
