//! Records with a key: of each key the newest counts.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::log::{Cursor, Seq};
use crate::wire::ws::encode;

/// The key and the payload of a keyed record.
pub fn split(record: &[u8]) -> (u32, &[u8]) {
    let (key, payload) = record.split_at(4);
    (u32::from_le_bytes(key.try_into().expect("it was split there")), payload)
}

/// Lays a row behind others, into a record of rows that belong together.
pub fn add(record: &mut Vec<u8>, key: u32, row: &[u8]) {
    record.extend_from_slice(&key.to_le_bytes());
    record.extend_from_slice(&(row.len() as u32).to_le_bytes());
    record.extend_from_slice(row);
}

/// The rows of a record, each with its key.
pub fn each(mut record: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (key, rest) = record.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (row, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        record = rest;
        Some((u32::from_le_bytes(*key), row))
    })
}

/// The seqs of the newest record of each key, from the cursor's position up to `head`, in order.
pub fn newest(cursor: &mut Cursor, head: Seq) -> Vec<Seq> {
    let mut by_key: HashMap<u32, Seq, RandomState> = HashMap::default();
    while cursor.position() < head
        && let Some(record) = cursor.next()
    {
        by_key.insert(split(record.payload).0, record.seq);
    }
    let mut seqs: Vec<Seq> = by_key.into_values().collect();
    seqs.sort_unstable();
    seqs
}

/// Rows that become one message; a newer row takes the place of the one with its key.
#[derive(Default)]
pub struct Rows {
    bytes: Vec<u8>,
    /// Where each row stands, in the order of the newest.
    places: Vec<(u32, usize, usize)>,
    /// Which of the places has the newest row of a key.
    newest: HashMap<u32, usize, RandomState>,
}

impl Rows {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.newest.clear();
    }

    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub fn push(&mut self, record: &[u8]) {
        for (key, row) in each(record) {
            let begin = self.bytes.len();
            self.bytes.extend_from_slice(row);
            self.newest.insert(key, self.places.len());
            self.places.push((key, begin, self.bytes.len()));
        }
    }

    /// Appends the message as a frame.
    pub fn frame(&self, before: &[u8], after: &[u8], out: &mut Vec<u8>) {
        let newest = || self.places.iter().enumerate().filter(|(at, (key, ..))| self.newest.get(key) == Some(at));
        let rows: usize = newest().map(|(_, (_, begin, end))| end - begin + 1).sum();
        let text = before.len() + rows.saturating_sub(1) + after.len();
        encode::begin(encode::Opcode::Text, text, out);
        out.extend_from_slice(before);
        for (count, (_, &(_, begin, end))) in newest().enumerate() {
            if count > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&self.bytes[begin..end]);
        }
        out.extend_from_slice(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_row_of_each_key_is_listed() {
        let mut rows = Rows::default();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        add(&mut first, 1, b"a1");
        add(&mut first, 2, b"b1");
        add(&mut second, 1, b"a2");
        add(&mut second, 3, b"c1");
        rows.push(&first);
        rows.push(&second);
        let mut out = Vec::new();
        rows.frame(b"[", b"]", &mut out);
        assert_eq!(&out[..2], &[0x81, 10]);
        assert_eq!(&out[2..], b"[b1,a2,c1]");
    }
}
