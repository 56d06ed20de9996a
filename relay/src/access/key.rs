//! API keys: the text a client has, and the digest that is all the relay keeps.
//!
//! A key is 32 random bytes, so nobody can guess one from its digest by trying: a plain SHA-256 is right here, where
//! passwords would need something slow.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::limits::KEY_BYTES_MAX;

/// What our keys start with, so that people and leak scanners know one when they see it.
pub const PREFIX: &str = "rk_";
/// A key somebody made up should have at least this many characters: about 128 random bits in letters and digits.
pub const KEY_CHARS_GOOD: usize = 22;

const DIGEST_PREFIX: &str = "sha256:";

/// The text of a key, or of a token that stands for one: 1 to [`KEY_BYTES_MAX`] visible ASCII characters, as a header
/// carries them. It is never shown by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key<'a>(Cow<'a, str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key is empty")]
    Empty,
    #[error("a key has more than {KEY_BYTES_MAX} bytes")]
    TooLong,
    #[error("a key has a character that is not visible ASCII, such as a space")]
    Character,
}

impl Key<'static> {
    /// A new key. The caller has the bytes from the system's source of random numbers.
    pub fn new(random: [u8; 32]) -> Self {
        Self(Cow::Owned(format!("{PREFIX}{}", hex(&random))))
    }
}

impl<'a> Key<'a> {
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, KeyError> {
        let text = text.into();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Character);
        }
        Ok(Self(text))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(not shown)")
    }
}

/// A key at rest, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// Not a digest. The text is not repeated: it may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    #[error("a plain key, which does not belong into a file: put what `relay key hash` prints for it, \"sha256:…\"")]
    PlainKey,
    #[error("not \"sha256:\" and 64 hexadecimal digits, as `relay key new` and `relay key hash` print them")]
    Form,
}

impl Digest {
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let Some(digits) = text.strip_prefix(DIGEST_PREFIX) else {
            let is_key = text.starts_with(PREFIX) || Key::parse(text).is_ok();
            return Err(if is_key { DigestError::PlainKey } else { DigestError::Form });
        };
        unhex(digits).map(Self).ok_or(DigestError::Form)
    }

    /// Whether both are of one key, in a time that says nothing about where they differ.
    pub fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DIGEST_PREFIX}{}", hex(&self.0))
    }
}

/// Enough to tell two apart.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DIGEST_PREFIX}{}…", hex(&self.0[..4]))
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes any text");
    }
    text
}

fn unhex(digits: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The digest is the SHA-256 of the text, as any other program computes it.
    #[test]
    fn digests_are_plain_sha256() {
        let key = Key::parse("abc").unwrap();
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(key.digest().to_string(), expected);
        assert_eq!(Digest::parse(expected), Ok(key.digest()));
        assert_eq!(Digest::parse(&expected.to_uppercase().replace("SHA256", "sha256")), Ok(key.digest()));
        assert!(bool::from(key.digest().ct_eq(&Digest::parse(expected).unwrap())));
        assert!(!bool::from(key.digest().ct_eq(&Key::parse("abd").unwrap().digest())));
    }

    #[test]
    fn new_keys_carry_all_their_randomness() {
        let key = Key::new(std::array::from_fn(|at| at as u8));
        assert_eq!(key.text(), "rk_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        assert!(key.text().len() >= KEY_CHARS_GOOD);
        assert_ne!(key.text(), Key::new([0; 32]).text());
    }

    #[test]
    fn keys_are_visible_text() {
        let check = |text: &str, expected| assert_eq!(Key::parse(text).err(), expected, "{text:?}");
        check("T", None);
        check("your-api-key-here", None);
        check(&"x".repeat(KEY_BYTES_MAX), None);
        check("", Some(KeyError::Empty));
        check(&"x".repeat(KEY_BYTES_MAX + 1), Some(KeyError::TooLong));
        check("a b", Some(KeyError::Character));
        check("a\n", Some(KeyError::Character));
        check("schlüssel", Some(KeyError::Character));
    }

    #[test]
    fn a_plain_key_is_told_from_a_slip() {
        let check = |text: &str, expected| assert_eq!(Digest::parse(text), Err(expected), "{text}");
        check("rk_0011", DigestError::PlainKey);
        check("my-old-key", DigestError::PlainKey);
        check("", DigestError::Form);
        check("sha256:", DigestError::Form);
        check("sha256:00", DigestError::Form);
        check(&format!("sha256:{}", "0".repeat(63)), DigestError::Form);
        check(&format!("sha256:{}", "0".repeat(65)), DigestError::Form);
        check(&format!("sha256:{}", "g".repeat(64)), DigestError::Form);
        check(&format!("sha256:{}", "+1".repeat(32)), DigestError::Form);
    }

    #[test]
    fn no_key_is_shown() {
        let key = Key::new([7; 32]);
        assert_eq!(format!("{key:?}"), "Key(not shown)");
        assert!(!format!("{:?}", key.digest()).contains(&key.digest().to_string()));
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "\\PC{0,80}|sha256:[0-9a-gA-F]{60,66}") {
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.to_string(), text.to_lowercase());
            }
            let _ = Key::parse(text.as_str());
        }
    }
}
