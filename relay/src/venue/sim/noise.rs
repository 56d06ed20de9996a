//! Randomness as a function: the same arguments give the same bits, on every platform and in every version.
//!
//! A crate's generator may change its output between releases; here recorded bytes must stay valid.

/// Spreads every input bit over all output bits: two rounds of multiply and fold.
pub fn mix(value: u64) -> u64 {
    let mut x = value ^ 0x6a09_e667_f3bc_c908;
    x = (x ^ (x >> 32)).wrapping_mul(0x9e6c_63d0_876a_3f6b);
    x = (x ^ (x >> 29)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

/// The bits that belong to `index` under `key`.
pub fn at(key: u64, index: i64) -> u64 {
    mix(key ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// `bits` folded evenly into `0..bound`.
pub fn below(bits: u64, bound: u32) -> u32 {
    (((bits >> 32) * u64::from(bound)) >> 32) as u32
}

/// A sequence that starts at a key.
pub struct Sequence {
    key: u64,
    index: i64,
}

impl Sequence {
    pub fn new(key: u64) -> Sequence {
        Sequence { key, index: 0 }
    }

    pub fn bits(&mut self) -> u64 {
        self.index += 1;
        at(self.key, self.index)
    }

    pub fn below(&mut self, bound: u32) -> u32 {
        below(self.bits(), bound)
    }

    /// Even over `-bound..=bound`.
    pub fn around(&mut self, bound: u32) -> i64 {
        i64::from(self.below(2 * bound + 1)) - i64::from(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits never change: recorded frames of a seed stay valid. A change here is a change of every payload.
    #[test]
    fn bits_are_pinned() {
        let bits: Vec<u64> = (0..3).map(|index| at(7, index)).collect();
        assert_eq!(bits, PINNED);
    }

    const PINNED: [u64; 3] = [1_489_082_553_139_282_895, 16_657_090_143_664_280_261, 16_993_671_869_586_973_114];

    /// Neighbouring indexes are spread evenly over a small range.
    #[test]
    fn spread_is_even() {
        let mut counts = [0u32; 16];
        for index in 0..16_000 {
            counts[below(at(42, index), 16) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
    }
}
