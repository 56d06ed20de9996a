//! What a subscription is called.

use sha1::{Digest, Sha1};

/// A UUID as text.
pub type SubscriptionId = [u8; 36];

/// Identical requests get one id, so that they share their heads too; others differ. It is good on its own connection
/// only, and nobody who does not know `secret` can tell what another one asked.
pub fn subscription_id(secret: u128, request: &str, symbol: &str) -> SubscriptionId {
    let mut hash = Sha1::new();
    hash.update(secret.to_be_bytes());
    // The length keeps symbol and request apart.
    hash.update((symbol.len() as u64).to_be_bytes());
    hash.update(symbol);
    hash.update(request);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    // RFC 9562 section 5.5: made of a name by SHA-1.
    bytes[6] = bytes[6] & 0x0F | 0x50;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    spell(bytes)
}

fn spell(bytes: [u8; 16]) -> SubscriptionId {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|place| ![8, 13, 18, 23].contains(place));
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    places.zip(digits).for_each(|(place, digit)| text[place] = digit);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::wire::deriv::request::{Call, parse};

    #[test]
    fn equal_requests_have_one_id_and_others_another() {
        let id = |secret, request, symbol| subscription_id(secret, request, symbol);
        assert_eq!(id(1, r#"{"ticks":"R_50"}"#, "R_50"), id(1, r#"{"ticks":"R_50"}"#, "R_50"));
        let others = [
            id(1, r#"{"ticks":"R_50"}"#, "R_50"),
            id(2, r#"{"ticks":"R_50"}"#, "R_50"),
            id(1, r#"{"ticks":"R_50","req_id":1}"#, "R_50"),
            id(1, r#"{"ticks":"R_50"}"#, "R_5"),
            // The same letters, parted elsewhere.
            id(1, r#"0{"ticks":"R_50"}"#, "R_5"),
        ];
        assert_eq!(BTreeSet::from(others).len(), others.len());
    }

    /// What we call a subscription is a UUID, and `forget` takes it.
    #[test]
    fn ids_have_the_documented_form() {
        let id = subscription_id(7, "{}", "R_100");
        let id = std::str::from_utf8(&id).unwrap();
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(id.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
        assert!(&id[14..15] == "5" && "89ab".contains(&id[19..20]), "{id}");
        assert_eq!(parse(&format!(r#"{{"forget":"{id}"}}"#)).unwrap().call, Call::Forget(id.into()));
    }
}
