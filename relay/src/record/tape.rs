//! What is being written: the current file, its blocks, and when the next file begins.
//!
//! A disk that takes nothing costs the recording, never the relay: what could not be written is counted, said once,
//! and told in the recording itself when it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::block::{Entry, Packer, encode_index};
use super::files::Files;
use super::format::{Header, Kind, Origin, Record, split_words, words};
use crate::limits::{RECORD_BLOCKS_MAX, RECORD_BODY_BYTES_MAX, RECORD_KEY_BLOCKS};

/// After a failure it is tried again, but not for each record.
const RETRY_NS: u64 = 1_000_000_000;

/// When files end, and how many may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A file ends with the block that reaches this.
    pub file_bytes: u64,
    pub file_age_ns: u64,
    /// Of all files of this name. At least two files' worth.
    pub disk_bytes_max: u64,
    /// Have the disk confirm each block.
    pub sync: bool,
}

/// What became of the records, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub records: u64,
    pub record_bytes: u64,
    pub written_bytes: u64,
    /// Not written, because the disk did not take them.
    pub lost: u64,
    pub errors: u64,
    pub files: u64,
    pub deleted: u64,
    /// All files of this name, the current one included.
    pub disk_bytes: u64,
}

pub struct Tape {
    bounds: Bounds,
    files: Files,
    origins: Vec<Origin>,
    packer: Packer,
    current: Option<Current>,
    /// The connections that stand: each key block begins with them.
    up: BTreeMap<(u32, u32), Standing>,
    /// Records that are missing, and not yet told in the file.
    missed: u64,
    /// The same, told in the block that is being gathered.
    missed_in_block: u64,
    /// Set while the disk takes nothing.
    trouble: Option<Trouble>,
    counts: Counts,
}

/// What a reader that begins in the middle has to know of a connection.
#[derive(Default)]
struct Standing {
    lane: u64,
    names: BTreeSet<Box<str>>,
}

struct Current {
    path: PathBuf,
    file: File,
    offset: u64,
    entries: Vec<Entry>,
    begun_ns: u64,
}

struct Trouble {
    retry_ns: u64,
    /// Counted when it began.
    lost_before: u64,
}

impl Tape {
    pub fn new(bounds: Bounds, files: Files, origins: Vec<Origin>) -> io::Result<Tape> {
        let packer = Packer::new()?;
        let counts = Counts { disk_bytes: files.bytes(), ..Counts::default() };
        let (current, up) = (None, BTreeMap::new());
        Ok(Tape { bounds, files, origins, packer, current, up, missed: 0, missed_in_block: 0, trouble: None, counts })
    }

    pub fn counts(&self) -> Counts {
        let current = self.current.as_ref().map_or(0, |current| current.offset);
        Counts { disk_bytes: self.files.bytes() + current, ..self.counts }
    }

    /// Whether the next record begins a file.
    pub fn is_between_files(&self, now_ns: u64) -> bool {
        self.packer.count() == 0 && self.current.as_ref().is_none_or(|current| self.is_over(current, now_ns))
    }

    /// When the current file is over by its age.
    pub fn ends_ns(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.begun_ns.saturating_add(self.bounds.file_age_ns))
    }

    pub fn has_records(&self) -> bool {
        self.packer.count() > 0
    }

    /// So many records were left out before the next one.
    pub fn missed(&mut self, count: u64) {
        self.missed += count;
    }

    pub fn push(&mut self, record: &Record<'_>, now_ns: u64) {
        let is_ready = self.packer.count() > 0 || self.begin(record.at_ns, now_ns);
        let place = (record.upstream, record.connection);
        let (number, names) = split_words(record.body);
        match record.kind {
            Kind::Connected => drop(self.up.insert(place, Standing { lane: number, names: BTreeSet::new() })),
            Kind::Lost => drop(self.up.remove(&place)),
            Kind::Asked => self.up.entry(place).or_default().names.extend(names.map(Box::from)),
            Kind::Ended => {
                if let Some(standing) = self.up.get_mut(&place) {
                    for name in names {
                        standing.names.remove(name);
                    }
                }
            }
            Kind::Frame | Kind::Missed | Kind::Standing => {}
        }
        if !is_ready {
            self.lose(1);
            return;
        }
        self.packer.push(record);
        self.counts.records += 1;
        self.counts.record_bytes += record.body.len() as u64;
        if self.packer.is_full() {
            self.flush(now_ns);
        }
    }

    /// Writes the block that was gathered.
    pub fn flush(&mut self, now_ns: u64) {
        if self.packer.count() == 0 {
            return;
        }
        let count = u64::from(self.packer.count());
        let missed = std::mem::take(&mut self.missed_in_block);
        let written = match (&mut self.current, self.packer.finish()) {
            (Some(current), Ok((head, block))) => current.append(&head, &block, self.bounds.sync),
            (_, Err(error)) => Err(error),
            (None, _) => Err(io::Error::other("there is no file")),
        };
        match written {
            Ok(bytes) => {
                self.counts.written_bytes += bytes;
                self.recovered();
            }
            Err(error) => {
                self.lose(count);
                self.missed += missed;
                self.failed(&error, now_ns);
                // What the failed write left would lie between blocks. A file that cannot be cut is left as it is.
                let is_cut = self.current.as_mut().is_some_and(|current| current.cut().is_ok());
                if !is_cut && let Some(current) = self.current.take() {
                    self.files.finish(current.path, current.offset);
                }
            }
        }
    }

    /// Writes what is left, and the index.
    pub fn end(&mut self, now_ns: u64) {
        self.flush(now_ns);
        self.finish_file(now_ns);
    }

    /// Once its age is reached, and nothing is recorded that would begin the next.
    pub fn end_if_over(&mut self, now_ns: u64) {
        if self.current.as_ref().is_some_and(|current| self.is_over(current, now_ns)) {
            self.end(now_ns);
        }
    }

    fn is_over(&self, current: &Current, now_ns: u64) -> bool {
        current.offset >= self.bounds.file_bytes
            || now_ns.saturating_sub(current.begun_ns) >= self.bounds.file_age_ns
            || current.entries.len() >= RECORD_BLOCKS_MAX
    }

    /// Begins a block, in a new file if it is time. False if there is no file to write to.
    fn begin(&mut self, at_ns: u64, now_ns: u64) -> bool {
        if self.trouble.as_ref().is_some_and(|trouble| now_ns < trouble.retry_ns) {
            return false;
        }
        if self.current.as_ref().is_some_and(|current| self.is_over(current, now_ns)) {
            self.finish_file(now_ns);
        }
        if self.current.is_none()
            && let Err(error) = self.begin_file(now_ns)
        {
            self.failed(&error, now_ns);
            return false;
        }
        let blocks = self.current.as_ref().map_or(0, |current| current.entries.len());
        if blocks.is_multiple_of(RECORD_KEY_BLOCKS) {
            self.packer.set_key();
            for (&(upstream, connection), Standing { lane, names }) in &self.up {
                let body = words(*lane, names.iter().map(|name| &**name));
                if body.len() <= RECORD_BODY_BYTES_MAX {
                    self.packer.push(&Record { at_ns, upstream, connection, kind: Kind::Standing, body: &body });
                }
            }
        }
        if self.missed > 0 {
            let body = self.missed.to_string();
            self.packer.push(&Record { at_ns, upstream: 0, connection: 0, kind: Kind::Missed, body: body.as_bytes() });
            self.missed_in_block = std::mem::take(&mut self.missed);
        }
        true
    }

    fn begin_file(&mut self, now_ns: u64) -> io::Result<()> {
        let (deleted, error) = self.files.shrink_to(self.bounds.disk_bytes_max.saturating_sub(self.bounds.file_bytes));
        self.counts.deleted += deleted;
        if let Some(error) = error {
            return Err(io::Error::new(error.kind(), format!("an old recording cannot be deleted: {error}")));
        }
        let (path, mut file) = self.files.create(now_ns)?;
        let header = Header { created_ns: now_ns, upstreams: self.origins.clone() }.encode();
        let written = file.write_all(&header);
        if let Err(error) = written {
            // It was made by us a moment ago and has nothing in it.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        tracing::info!(file = %path.display(), deleted, "recording");
        self.counts.files += 1;
        self.counts.written_bytes += header.len() as u64;
        let offset = header.len() as u64;
        self.current = Some(Current { path, file, offset, entries: Vec::new(), begun_ns: now_ns });
        Ok(())
    }

    fn finish_file(&mut self, now_ns: u64) {
        let Some(mut current) = self.current.take() else { return };
        let index = encode_index(&current.entries, current.offset);
        match current.file.write_all(&index).and_then(|()| current.file.sync_data()) {
            Ok(()) => {
                current.offset += index.len() as u64;
                self.counts.written_bytes += index.len() as u64;
            }
            // Without its index it is read by looking for the blocks.
            Err(error) => self.failed(&error, now_ns),
        }
        self.files.finish(current.path, current.offset);
    }

    fn lose(&mut self, count: u64) {
        self.counts.lost += count;
        self.missed += count;
    }

    fn failed(&mut self, error: &io::Error, now_ns: u64) {
        self.counts.errors += 1;
        let retry_ns = now_ns.saturating_add(RETRY_NS);
        match &mut self.trouble {
            Some(trouble) => trouble.retry_ns = retry_ns,
            None => {
                tracing::error!(%error, "the recording cannot be written; trying on, the relay is not affected");
                self.trouble = Some(Trouble { retry_ns, lost_before: self.counts.lost });
            }
        }
    }

    fn recovered(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            let missing = self.counts.lost - trouble.lost_before;
            tracing::warn!(missing, "the recording goes on");
        }
    }
}

impl Current {
    fn append(&mut self, head: &super::block::Head, block: &[u8], sync: bool) -> io::Result<u64> {
        self.file.write_all(block)?;
        if sync {
            self.file.sync_data()?;
        }
        self.entries.push(Entry::of(head, self.offset));
        self.offset += block.len() as u64;
        Ok(block.len() as u64)
    }

    /// Takes back what a failed write may have left.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.offset)?;
        self.file.seek(SeekFrom::Start(self.offset)).map(drop)
    }
}
