//! Blocks: records compressed together, each block with its own checksums, and the index of a file's blocks.
//!
//! A block can be read without any other, so that damage costs the block it hits and a reader can begin anywhere.

use super::format::{Record, put_record, u32_at, u64_at};
use crate::limits::{RECORD_BLOCK_BYTES, RECORD_BLOCK_BYTES_MAX, RECORD_BLOCKS_MAX, RECORD_PACKED_BYTES_MAX};

/// What a block starts with: a reader that lost its way looks for it.
pub const MARK: [u8; 4] = *b"\xb1BK\n";
/// Mark, lengths, count, two times, the payload's checksum and this head's own.
pub const HEAD_BYTES: usize = 4 + 4 + 4 + 4 + 8 + 8 + 4 + 4;

/// What the index starts with, and what the file then ends with.
const INDEX_MARK: [u8; 4] = *b"\xb1IX\n";
const END_MARK: [u8; 8] = *b"\xb1RLYEND\n";
/// Offset, two times, count, length.
const ENTRY_BYTES: usize = 8 + 8 + 8 + 4 + 4;
/// The index's offset, its length, its checksum, and the mark.
pub const TAIL_BYTES: usize = 8 + 4 + 4 + 8;

/// Packs market data to a sixth. Level 3 is no better at it (docs/decisions/0010-recordings.md).
const LEVEL: i32 = 1;

/// In a count: the block begins with all that a reader needs to know of what stands.
const KEY: u32 = 1 << 31;

/// What stands before a block's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub packed_bytes: u32,
    pub raw_bytes: u32,
    pub count: u32,
    /// A reader may begin here.
    pub is_key: bool,
    /// The time that the first record's difference is counted from.
    pub first_ns: u64,
    /// The latest of its records.
    pub last_ns: u64,
    checksum: u32,
}

impl Head {
    pub fn decode(bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.first_chunk::<HEAD_BYTES>()?;
        let is_sound = bytes[..4] == MARK && crc32fast::hash(&bytes[..36]) == u32_at(bytes, 36);
        let head = Head {
            packed_bytes: u32_at(bytes, 4),
            raw_bytes: u32_at(bytes, 8),
            count: u32_at(bytes, 12) & !KEY,
            is_key: u32_at(bytes, 12) & KEY != 0,
            first_ns: u64_at(bytes, 16),
            last_ns: u64_at(bytes, 24),
            checksum: u32_at(bytes, 32),
        };
        let fits = head.packed_bytes as usize <= RECORD_PACKED_BYTES_MAX
            && head.raw_bytes as usize <= RECORD_BLOCK_BYTES_MAX
            && head.count <= head.raw_bytes;
        (is_sound && fits).then_some(head)
    }

    fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&MARK);
        bytes[4..8].copy_from_slice(&self.packed_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.raw_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&with_key(self.count, self.is_key).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_ns.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.last_ns.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.checksum.to_le_bytes());
        let own = crc32fast::hash(&bytes[..36]);
        bytes[36..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// The records of its payload, or `None` if it is damaged. Never takes more memory than the head admits, which is
    /// bounded.
    pub fn unpack(&self, packed: &[u8]) -> Option<Vec<u8>> {
        if crc32fast::hash(packed) != self.checksum {
            return None;
        }
        let raw = zstd::bulk::decompress(packed, self.raw_bytes as usize).ok()?;
        (raw.len() == self.raw_bytes as usize).then_some(raw)
    }
}

/// Gathers records until a block of them is worth writing.
pub struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    raw: Vec<u8>,
    count: u32,
    is_key: bool,
    first_ns: u64,
    previous_ns: u64,
    last_ns: u64,
}

impl Packer {
    pub fn new() -> std::io::Result<Packer> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Packer { compressor, raw: Vec::new(), count: 0, is_key: false, first_ns: 0, previous_ns: 0, last_ns: 0 })
    }

    /// A record's body must be within its limit.
    pub fn push(&mut self, record: &Record<'_>) {
        if self.count == 0 {
            (self.first_ns, self.previous_ns, self.last_ns) = (record.at_ns, record.at_ns, record.at_ns);
        }
        put_record(&mut self.raw, record, self.previous_ns);
        self.previous_ns = record.at_ns;
        self.last_ns = self.last_ns.max(record.at_ns);
        self.count += 1;
    }

    /// The block that begins now is one that readers may begin with.
    pub fn set_key(&mut self) {
        self.is_key = true;
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn is_full(&self) -> bool {
        self.raw.len() >= RECORD_BLOCK_BYTES
    }

    /// The block as it is written, and the packer is empty again.
    pub fn finish(&mut self) -> std::io::Result<(Head, Vec<u8>)> {
        let packed = self.compressor.compress(&self.raw);
        let (raw_bytes, count) = (self.raw.len() as u32, std::mem::take(&mut self.count));
        self.raw.clear();
        // One large message must not cost its memory for ever.
        self.raw.shrink_to(2 * RECORD_BLOCK_BYTES);
        let is_key = std::mem::take(&mut self.is_key);
        let packed = packed?;
        let head = Head {
            packed_bytes: packed.len() as u32,
            raw_bytes,
            count,
            is_key,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            checksum: crc32fast::hash(&packed),
        };
        Ok((head, [&head.encode(), packed.as_slice()].concat()))
    }
}

/// Where a block is, and what a reader has to know to pass it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub offset: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub count: u32,
    pub is_key: bool,
    /// With its head.
    pub bytes: u32,
}

impl Entry {
    pub fn of(head: &Head, offset: u64) -> Entry {
        let bytes = HEAD_BYTES as u32 + head.packed_bytes;
        let Head { first_ns, last_ns, count, is_key, .. } = *head;
        Entry { offset, first_ns, last_ns, count, is_key, bytes }
    }
}

fn with_key(count: u32, is_key: bool) -> u32 {
    if is_key { count | KEY } else { count }
}

/// The index and what closes a file, to be written at `offset`.
pub fn encode_index(entries: &[Entry], offset: u64) -> Vec<u8> {
    let mut bytes = INDEX_MARK.to_vec();
    for entry in entries {
        bytes.extend_from_slice(&entry.offset.to_le_bytes());
        bytes.extend_from_slice(&entry.first_ns.to_le_bytes());
        bytes.extend_from_slice(&entry.last_ns.to_le_bytes());
        bytes.extend_from_slice(&with_key(entry.count, entry.is_key).to_le_bytes());
        bytes.extend_from_slice(&entry.bytes.to_le_bytes());
    }
    let (length, checksum) = (bytes.len() as u32, crc32fast::hash(&bytes));
    bytes.extend_from_slice(&offset.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(&END_MARK);
    bytes
}

/// Where the index is, how long, and its checksum; from the last bytes of a file of this length.
pub fn decode_tail(tail: &[u8; TAIL_BYTES], file_bytes: u64) -> Option<(u64, usize, u32)> {
    let (offset, length) = (u64_at(tail, 0), u32_at(tail, 8) as usize);
    let is_sound = tail[16..] == END_MARK
        && length <= INDEX_MARK.len() + RECORD_BLOCKS_MAX * ENTRY_BYTES
        && offset.checked_add(length as u64 + TAIL_BYTES as u64) == Some(file_bytes);
    is_sound.then_some((offset, length, u32_at(tail, 12)))
}

pub fn decode_index(bytes: &[u8], checksum: u32) -> Option<Vec<Entry>> {
    let entries = bytes.strip_prefix(&INDEX_MARK)?;
    if crc32fast::hash(bytes) != checksum || entries.len() % ENTRY_BYTES != 0 {
        return None;
    }
    let entry = |bytes: &[u8]| Entry {
        offset: u64_at(bytes, 0),
        first_ns: u64_at(bytes, 8),
        last_ns: u64_at(bytes, 16),
        count: u32_at(bytes, 24) & !KEY,
        is_key: u32_at(bytes, 24) & KEY != 0,
        bytes: u32_at(bytes, 28),
    };
    Some(entries.chunks_exact(ENTRY_BYTES).map(entry).collect())
}

/// Whether these bytes begin an index: then there are no more blocks.
pub fn is_index(bytes: &[u8]) -> bool {
    bytes.starts_with(&INDEX_MARK)
}
