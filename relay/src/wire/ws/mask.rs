//! Masking (RFC 6455 section 5.3).

/// Undoes the mask of a part of a payload that starts `offset` bytes into it.
pub fn unmask(payload: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut mask = mask;
    mask.rotate_left(offset % 4);
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let masked = u64::from_ne_bytes((&*word).try_into().expect("chunks are of 8 bytes"));
        word.copy_from_slice(&(masked ^ wide).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_and_length_is_unmasked_byte_by_byte() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        for offset in 0..9 {
            for len in 0..40 {
                let payload: Vec<u8> = (0..len).collect();
                let mut actual = payload.clone();
                unmask(&mut actual, mask, offset);
                let keys = mask.iter().cycle().skip(offset);
                let expected: Vec<u8> = payload.iter().zip(keys).map(|(byte, key)| byte ^ key).collect();
                assert_eq!(actual, expected, "offset {offset}, {len} bytes");
            }
        }
    }
}
