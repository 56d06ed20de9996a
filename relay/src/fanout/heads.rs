//! What subscriptions put before the frames of a channel, where a dialect repeats a client's own words in each push.
//!
//! Equal heads are kept once, so that identical requests share all their bytes.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// No head: frames go out as they are.
pub const NO_HEAD: u32 = 0;

/// The heads of one channel's subscribers on one shard; a number stands for each.
#[derive(Default)]
pub struct Heads {
    list: Vec<Head>,
    free: Vec<u32>,
    by_hash: HashMap<u64, u32, RandomState>,
    hasher: RandomState,
}

struct Head {
    bytes: Box<[u8]>,
    count: u32,
}

impl Heads {
    /// The number of these bytes, counted once more.
    pub fn add(&mut self, bytes: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(bytes);
        if let Some(&number) = self.by_hash.get(&hash) {
            let head = &mut self.list[number as usize - 1];
            if *head.bytes == *bytes {
                head.count += 1;
                return number;
            }
            // Two heads with one hash: the second is kept apart and not found again.
        }
        let head = Head { bytes: bytes.into(), count: 1 };
        let number = match self.free.pop() {
            Some(number) => {
                self.list[number as usize - 1] = head;
                number
            }
            None => {
                self.list.push(head);
                self.list.len() as u32
            }
        };
        self.by_hash.entry(hash).or_insert(number);
        number
    }

    pub fn remove(&mut self, number: u32) {
        let head = &mut self.list[number as usize - 1];
        head.count -= 1;
        if head.count == 0 {
            let bytes = std::mem::take(&mut head.bytes);
            let hash = self.hasher.hash_one(&*bytes);
            if self.by_hash.get(&hash) == Some(&number) {
                self.by_hash.remove(&hash);
            }
            self.free.push(number);
        }
    }

    pub fn get(&self, number: u32) -> &[u8] {
        &self.list[number as usize - 1].bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_heads_are_one() {
        let mut heads = Heads::default();
        let a = heads.add(b"a");
        let b = heads.add(b"b");
        assert_eq!(heads.add(b"a"), a);
        assert_ne!(a, b);
        heads.remove(a);
        assert_eq!(heads.get(a), b"a");
        heads.remove(a);
        let c = heads.add(b"c");
        assert_eq!(c, a, "a place is used again");
        assert_ne!(heads.add(b"a"), c);
        assert_eq!((heads.get(b), heads.get(c)), (b"b".as_slice(), b"c".as_slice()));
    }
}
