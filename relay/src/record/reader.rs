//! Several recordings as one, in order, from a time on.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::Entry;
use super::files;
use super::format::{Cursor, Header, Record};
use super::source::{Condition, Source, SourceError};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}: {1}")]
    Source(PathBuf, SourceError),
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("{0}: there is no recording in this directory")]
    Empty(PathBuf),
}

/// The part of the recordings that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from_ns: u64,
    pub to_ns: u64,
}

impl Span {
    pub const ALL: Span = Span { from_ns: 0, to_ns: u64::MAX };

    pub fn has(&self, at_ns: u64) -> bool {
        (self.from_ns..=self.to_ns).contains(&at_ns)
    }
}

/// The records of one block, to be gone through with [`Block::next_record`].
pub struct Block {
    /// The same for all blocks of a file.
    pub header: Arc<Header>,
    raw: Vec<u8>,
    cursor: Cursor,
}

impl Block {
    pub fn next_record(&mut self) -> Option<Record<'_>> {
        self.cursor.next(&self.raw)
    }

    /// The next record, which is then still the next.
    pub fn peek(&self) -> Option<Record<'_>> {
        let mut cursor = self.cursor;
        cursor.next(&self.raw)
    }

    pub fn skip(&mut self) {
        self.cursor.next(&self.raw);
    }
}

/// What reading brought.
pub enum Read {
    /// Another file begins.
    File {
        path: PathBuf,
        condition: Condition,
    },
    Block(Block),
    /// A block whose checksum is wrong, left out.
    Damaged {
        path: PathBuf,
        entry: Entry,
    },
}

/// Goes through the files in the order of their beginning.
pub struct Reader {
    span: Span,
    files: VecDeque<PathBuf>,
    open: Option<Open>,
}

struct Open {
    path: PathBuf,
    source: Source<File>,
    header: Arc<Header>,
    entries: std::vec::IntoIter<Entry>,
}

impl Reader {
    /// Looks at the header of each file, and puts them in order.
    pub fn new(paths: &[PathBuf], span: Span) -> Result<Reader, ReadError> {
        let mut files = Vec::new();
        for path in paths {
            files.push((open(path)?.header.created_ns, path.clone()));
        }
        files.sort();
        Ok(Reader { span, files: files.into_iter().map(|(_, path)| path).collect(), open: None })
    }

    /// Blocks outside the span are passed by without being read, but for those from the last key block before it: they
    /// tell what stands when the span begins. `None` at the end of the last file.
    pub fn read(&mut self) -> Result<Option<Read>, ReadError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(path) = self.files.pop_front() else { return Ok(None) };
                let source = open(&path)?;
                let (condition, mut entries) = (source.condition, source.entries.clone());
                entries.drain(..first_entry(&entries, self.span.from_ns));
                let entries = entries.into_iter();
                let header = Arc::new(source.header.clone());
                self.open = Some(Open { path: path.clone(), source, header, entries });
                return Ok(Some(Read::File { path, condition }));
            };
            let Some(entry) = open.entries.next() else {
                self.open = None;
                continue;
            };
            if entry.first_ns > self.span.to_ns {
                continue;
            }
            let block = open.source.block(&entry).map_err(|error| ReadError::Io(open.path.clone(), error))?;
            return Ok(Some(match block {
                Some((head, raw)) => {
                    Read::Block(Block { header: open.header.clone(), raw, cursor: Cursor::new(head.first_ns) })
                }
                None => Read::Damaged { path: open.path.clone(), entry },
            }));
        }
    }
}

/// The recordings that a path stands for: a file, or all of a directory.
pub fn expand(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |error| ReadError::Io(path.to_owned(), error);
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == files::EXTENSION) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() { Err(ReadError::Empty(path.to_owned())) } else { Ok(found) }
}

/// Where a reader begins: the last key block before the first block that is wanted. At the end if none is.
fn first_entry(entries: &[Entry], from_ns: u64) -> usize {
    let Some(wanted) = entries.iter().position(|entry| entry.last_ns >= from_ns) else { return entries.len() };
    entries[..=wanted].iter().rposition(|entry| entry.is_key).unwrap_or(0)
}

/// What a file says about itself.
pub fn header(path: &Path) -> Result<Header, ReadError> {
    Ok(open(path)?.header)
}

pub(super) fn open(path: &Path) -> Result<Source<File>, ReadError> {
    let file = File::open(path).map_err(|error| ReadError::Io(path.to_owned(), error))?;
    Source::open(file).map_err(|error| ReadError::Source(path.to_owned(), error))
}
