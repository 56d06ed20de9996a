//! Ids of sessions and sockets: unguessable, and naming the shard that holds the session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 128 random bits, after the two bytes that name the shard.
pub const RANDOM_BYTES: usize = 16;

const BYTES: usize = 2 + RANDOM_BYTES;
const CHARS: usize = 24;
const _: () = assert!(BYTES * 4 == CHARS * 3, "no padding, so that each id has one form only");

/// An id of 24 characters of `A-Za-z0-9_-`. A session's and its socket's are made from different random bytes: whoever
/// sees the socket's, which pages like to show, cannot speak for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sid([u8; BYTES]);

impl Sid {
    pub fn new(shard: u16, random: [u8; RANDOM_BYTES]) -> Self {
        let mut bytes = [0; BYTES];
        bytes[..2].copy_from_slice(&shard.to_be_bytes());
        bytes[2..].copy_from_slice(&random);
        Self(bytes)
    }

    /// `None` is an id that we never gave.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        let is_ours = text.len() == CHARS && URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(BYTES);
        is_ours.then_some(Self(bytes))
    }

    pub fn shard(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn others_ids_are_none() {
        for text in
            ["", "nope", "lv_VI97HAXpY6yYWAAAC", &"A".repeat(23), &"A".repeat(25), "AAAAAAAAAAAAAAAAAAAAAAA=", "é"]
        {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn ids_are_read_as_they_are_written(shard: u16, random: [u8; RANDOM_BYTES]) {
            let sid = Sid::new(shard, random);
            let text = sid.text();
            prop_assert!(text.len() >= 20 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
            prop_assert_eq!(Sid::parse(&text), Some(sid));
            prop_assert_eq!(sid.shard(), shard);
        }

        #[test]
        fn any_text_is_judged(text in "\\PC{0,30}|[A-Za-z0-9_=+/-]{22,26}") {
            if let Some(sid) = Sid::parse(&text) {
                prop_assert_eq!(sid.text(), text);
            }
        }
    }
}
