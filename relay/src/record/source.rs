//! One recording, to be read: by its index, or by looking for its blocks where it was cut short.

use std::io::{self, Read, Seek, SeekFrom};

use super::block::{self, Entry, HEAD_BYTES, Head, MARK, TAIL_BYTES};
use super::format::{HEADER_START_BYTES, Header, HeaderError};
use crate::limits::RECORD_BLOCKS_MAX;

/// What one look for a lost block takes in.
const SEARCH_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Header(#[from] HeaderError),
}

/// An open recording.
pub struct Source<R> {
    input: R,
    pub header: Header,
    pub entries: Vec<Entry>,
    pub condition: Condition,
}

/// How a file came to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// It has its index, so it was ended properly.
    pub is_complete: bool,
    /// Bytes at the end that are no whole block: the writer was killed, or is still at it.
    pub torn_bytes: u64,
    /// Bytes before that in which no block was found.
    pub lost_bytes: u64,
}

impl<R: Read + Seek> Source<R> {
    /// Reads the header and the index; without an index all heads of blocks, but not their contents.
    pub fn open(mut input: R) -> Result<Source<R>, SourceError> {
        let file_bytes = input.seek(SeekFrom::End(0))?;
        let start = read_at(&mut input, 0, HEADER_START_BYTES)?;
        let (length, checksum) = Header::start(&start)?;
        let body = read_at(&mut input, HEADER_START_BYTES as u64, length)?;
        if body.len() < length {
            return Err(HeaderError::Short.into());
        }
        let header = Header::decode(&body, checksum)?;
        let blocks_at = (HEADER_START_BYTES + length) as u64;
        let indexed = read_index(&mut input, file_bytes, blocks_at)?;
        let (entries, condition) = match indexed {
            Some(entries) => (entries, Condition { is_complete: true, ..Condition::default() }),
            None => scan(&mut input, blocks_at, file_bytes)?,
        };
        Ok(Source { input, header, entries, condition })
    }

    /// The records of one block, or `None` if it is damaged.
    pub fn block(&mut self, entry: &Entry) -> io::Result<Option<(Head, Vec<u8>)>> {
        let head = read_at(&mut self.input, entry.offset, HEAD_BYTES)?;
        let Some(head) = Head::decode(&head).filter(|head| Entry::of(head, entry.offset) == *entry) else {
            return Ok(None);
        };
        let packed = read_at(&mut self.input, entry.offset + HEAD_BYTES as u64, head.packed_bytes as usize)?;
        Ok(head.unpack(&packed).map(|raw| (head, raw)))
    }
}

/// Fewer bytes where the file ends.
fn read_at(input: &mut (impl Read + Seek), offset: u64, length: usize) -> io::Result<Vec<u8>> {
    input.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_index(input: &mut (impl Read + Seek), file_bytes: u64, blocks_at: u64) -> io::Result<Option<Vec<Entry>>> {
    let Some(tail_at) = file_bytes.checked_sub(TAIL_BYTES as u64) else { return Ok(None) };
    let tail = read_at(input, tail_at, TAIL_BYTES)?;
    let Some(tail) = tail.first_chunk::<TAIL_BYTES>() else { return Ok(None) };
    let Some((offset, length, checksum)) = block::decode_tail(tail, file_bytes) else { return Ok(None) };
    if offset < blocks_at {
        return Ok(None);
    }
    let bytes = read_at(input, offset, length)?;
    Ok(block::decode_index(&bytes, checksum))
}

/// Goes from head to head; where there is none, it looks for the next.
fn scan(input: &mut (impl Read + Seek), from: u64, file_bytes: u64) -> io::Result<(Vec<Entry>, Condition)> {
    let (mut entries, mut condition) = (Vec::new(), Condition::default());
    let mut at = from;
    while at < file_bytes {
        let bytes = read_at(input, at, HEAD_BYTES)?;
        // An index whose end is missing: everything before it was found.
        let is_over = block::is_index(&bytes) || entries.len() == RECORD_BLOCKS_MAX;
        let head = Head::decode(&bytes).filter(|_| !is_over);
        let entry = head.map(|head| Entry::of(&head, at));
        match entry.filter(|entry| at + u64::from(entry.bytes) <= file_bytes) {
            Some(entry) => {
                entries.push(entry);
                at += u64::from(entry.bytes);
            }
            None if is_over => break,
            None => match find_mark(input, at + 1, file_bytes)? {
                Some(next) => {
                    condition.lost_bytes += next - at;
                    at = next;
                }
                None => break,
            },
        }
    }
    condition.torn_bytes = file_bytes - at;
    Ok((entries, condition))
}

/// The next place from `from` on where a whole block begins.
fn find_mark(input: &mut (impl Read + Seek), from: u64, file_bytes: u64) -> io::Result<Option<u64>> {
    let mut at = from;
    while at < file_bytes {
        let bytes = read_at(input, at, SEARCH_BYTES)?;
        for place in memchr::memmem::find_iter(&bytes, &MARK) {
            let offset = at + place as u64;
            let head = Head::decode(&read_at(input, offset, HEAD_BYTES)?);
            if head.is_some_and(|head| offset + u64::from(Entry::of(&head, offset).bytes) <= file_bytes) {
                return Ok(Some(offset));
            }
        }
        // A mark may lie across the border.
        let step = bytes.len().saturating_sub(MARK.len() - 1);
        if step == 0 || bytes.len() < SEARCH_BYTES {
            return Ok(None);
        }
        at += step as u64;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor as Bytes;

    use proptest::prelude::*;

    use super::super::block::{Packer, encode_index};
    use super::super::format::{Cursor, Kind, Origin, Record};
    use super::*;

    /// A file of blocks with so many records each, and where its blocks begin.
    fn file(blocks: &[usize], with_index: bool) -> (Vec<u8>, Vec<Entry>) {
        let origin = Origin { name: "a".into(), kind: "stream".into(), url: "ws://a".into(), symbols: Vec::new() };
        let mut bytes = Header { created_ns: 7, upstreams: vec![origin] }.encode();
        let (mut entries, mut number) = (Vec::new(), 0_u64);
        let mut packer = Packer::new().unwrap();
        for count in blocks {
            for _ in 0..*count {
                let body = format!("message {number}");
                let record =
                    Record { at_ns: number * 10, upstream: 0, connection: 1, kind: Kind::Frame, body: body.as_bytes() };
                packer.push(&record);
                number += 1;
            }
            let (head, block) = packer.finish().unwrap();
            entries.push(Entry::of(&head, bytes.len() as u64));
            bytes.extend_from_slice(&block);
        }
        if with_index {
            let index = encode_index(&entries, bytes.len() as u64);
            bytes.extend_from_slice(&index);
        }
        (bytes, entries)
    }

    /// The numbers of the messages that can still be read. Fails on a message that was never written.
    fn numbers(bytes: &[u8]) -> Option<(Vec<u64>, Condition)> {
        let mut source = Source::open(Bytes::new(bytes)).ok()?;
        let mut numbers = Vec::new();
        for entry in source.entries.clone() {
            let Some((head, raw)) = source.block(&entry).unwrap() else { continue };
            let mut cursor = Cursor::new(head.first_ns);
            while let Some(record) = cursor.next(&raw) {
                let text = std::str::from_utf8(record.body).unwrap();
                numbers.push(text.strip_prefix("message ").unwrap().parse().unwrap());
                assert_eq!(record.at_ns, numbers.last().unwrap() * 10);
            }
            assert!(cursor.is_at_end(&raw));
        }
        Some((numbers, source.condition))
    }

    #[test]
    fn whole_files_are_read_by_their_index() {
        let (bytes, entries) = file(&[3, 1, 5], true);
        assert_eq!(Source::open(Bytes::new(&bytes)).unwrap().entries, entries);
        let (all, condition) = numbers(&bytes).unwrap();
        assert_eq!(all, Vec::from_iter(0..9));
        assert_eq!(condition, Condition { is_complete: true, torn_bytes: 0, lost_bytes: 0 });
    }

    #[test]
    fn a_torn_block_is_dropped_and_said() {
        let (bytes, entries) = file(&[3, 1, 5], false);
        let (all, condition) = numbers(&bytes).unwrap();
        assert_eq!((all.len(), condition), (9, Condition::default()));
        for cut in entries[2].offset + 1..bytes.len() as u64 {
            let (left, condition) = numbers(&bytes[..cut as usize]).unwrap();
            assert_eq!(left, Vec::from_iter(0..4));
            assert_eq!(condition.torn_bytes, cut - entries[2].offset);
        }
    }

    #[test]
    fn a_block_behind_a_damaged_head_is_found() {
        let (mut bytes, entries) = file(&[3, 1, 5], false);
        bytes[entries[1].offset as usize + 5] ^= 1;
        let (left, condition) = numbers(&bytes).unwrap();
        assert_eq!(left, [0, 1, 2, 4, 5, 6, 7, 8]);
        assert_eq!(condition.lost_bytes, u64::from(entries[1].bytes));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_costs_one_block_at_most(
            blocks in proptest::collection::vec(1_usize..6, 1..6), at: prop::sample::Index, bit in 0..8, with_index: bool,
        ) {
            let (mut bytes, entries) = file(&blocks, with_index);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let total: usize = blocks.iter().sum();
            let blocks_at = entries[0].offset as usize;
            match numbers(&bytes) {
                None => prop_assert!(at < blocks_at, "only a damaged header costs the file"),
                Some((left, _)) => {
                    let hit = entries.iter().position(|entry| {
                        (entry.offset as usize..(entry.offset + u64::from(entry.bytes)) as usize).contains(&at)
                    });
                    let cost = hit.map_or(0, |hit| blocks[hit]);
                    prop_assert_eq!(left.len(), total - cost, "hit {:?}", hit);
                }
            }
        }

        #[test]
        fn a_cut_costs_the_blocks_behind_it(
            blocks in proptest::collection::vec(1_usize..6, 1..6), cut: prop::sample::Index, with_index: bool,
        ) {
            let (bytes, entries) = file(&blocks, with_index);
            let cut = cut.index(bytes.len());
            let whole = entries.iter().zip(&blocks).filter(|(entry, _)| entry.offset + u64::from(entry.bytes) <= cut as u64);
            let expected: usize = whole.map(|(_, count)| count).sum();
            match numbers(&bytes[..cut]) {
                None => prop_assert!(cut < entries[0].offset as usize),
                Some((left, _)) => prop_assert_eq!(left, Vec::from_iter(0..expected as u64)),
            }
        }

        #[test]
        fn whatever_follows_a_header_never_panics(rest: Vec<u8>) {
            let (bytes, entries) = file(&[1], false);
            let header = &bytes[..entries[0].offset as usize];
            prop_assert!(numbers(&[header, &rest].concat()).unwrap().0.is_empty());
            let _ = numbers(&rest);
        }
    }
}
