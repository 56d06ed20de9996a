//! Runs of plain bytes, found eight at a time.
//!
//! Most strings and numbers of market data end within two words, so that a word that holds their end is found without
//! a branch per byte. The arithmetic may mark bytes after the first hit wrongly, never before it.

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many bytes come before a quote, a backslash or a control character.
#[inline]
pub fn plain(bytes: &[u8]) -> usize {
    run(
        bytes,
        |word| {
            let quote = zero_bytes(word ^ repeat(b'"'));
            let backslash = zero_bytes(word ^ repeat(b'\\'));
            let control = word.wrapping_sub(repeat(0x20)) & !word & HIGH_BITS;
            quote | backslash | control
        },
        |byte| byte >= 0x20 && byte != b'"' && byte != b'\\',
    )
}

/// How many digits come first.
#[inline]
pub fn digits(bytes: &[u8]) -> usize {
    run(
        bytes,
        |word| {
            let value = word ^ repeat(b'0');
            (value.wrapping_add(repeat(0x76)) | value) & HIGH_BITS
        },
        |byte| byte.is_ascii_digit(),
    )
}

/// `stops` marks the high bit of the bytes of a word that end the run; `goes_on` decides for the last few bytes.
#[inline]
fn run(bytes: &[u8], stops: impl Fn(u64) -> u64, goes_on: impl Fn(u8) -> bool) -> usize {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let found = stops(u64::from_le_bytes(*word));
        if found != 0 {
            return bytes.len() - rest.len() + found.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    let tail = rest.iter().position(|byte| !goes_on(*byte)).unwrap_or(rest.len());
    bytes.len() - rest.len() + tail
}

const fn repeat(byte: u8) -> u64 {
    LOW_BITS * byte as u64
}

const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_find_what_bytes_find(
            mut bytes in "[ -~é]{0,20}".prop_map(String::into_bytes),
            odd in any::<[u8; 3]>(),
            at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, odd);
            let end = |goes_on: &dyn Fn(u8) -> bool| {
                bytes.iter().position(|byte| !goes_on(*byte)).unwrap_or(bytes.len())
            };
            prop_assert_eq!(plain(&bytes), end(&|byte| byte > 0x1f && !b"\"\\".contains(&byte)));
            prop_assert_eq!(digits(&bytes), end(&|byte| byte.is_ascii_digit()));
        }

        #[test]
        fn words_find_the_end_of_long_numbers(number in "[0-9]{0,30}", rest in any::<[u8; 9]>()) {
            let bytes = [number.as_bytes(), &rest].concat();
            let expected = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
            prop_assert_eq!(digits(&bytes), expected);
        }
    }
}
