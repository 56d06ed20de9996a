//! What one polling request or answer carries: packets joined by the byte 0x1e.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::packet::Broken;
use crate::wire::json;

/// Between packets. JSON escapes it, so no packet of ours has it inside.
pub const SEPARATOR: u8 = 0x1e;

/// The packets of a request's body, in order.
pub fn split(body: &[u8]) -> Result<impl Iterator<Item = &str>, Broken> {
    let text = json::utf8(body).map_err(|_| Broken::NotUtf8)?;
    Ok(text.split(char::from(SEPARATOR)))
}

/// Appends a packet.
pub fn push(packet: &[u8], out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(SEPARATOR);
    }
    out.extend_from_slice(packet);
}

/// Appends binary data, which travels as base64 here.
pub fn push_binary(data: &[u8], out: &mut Vec<u8>) {
    push(b"b", out);
    out.extend_from_slice(STANDARD.encode(data).as_bytes());
}

/// Bytes of binary data once it is a packet.
pub const fn binary_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::socketio::packet::EnginePacket;

    #[test]
    fn packets_are_joined_and_parted() {
        let mut out = Vec::new();
        push(b"40", &mut out);
        push_binary(&[1, 2, 3, 4], &mut out);
        push(b"2", &mut out);
        assert_eq!(out, b"40\x1ebAQIDBA==\x1e2");
        assert_eq!(split(&out).unwrap().collect::<Vec<_>>(), ["40", "bAQIDBA==", "2"]);
        assert_eq!(split(b"").unwrap().collect::<Vec<_>>(), [""]);
        assert_eq!(split(b"4\xff").err(), Some(Broken::NotUtf8));
    }

    #[derive(Clone, Debug, PartialEq)]
    enum Part {
        Text(String),
        Binary(Vec<u8>),
    }

    fn part() -> impl Strategy<Value = Part> {
        let text = "[0-6][^\u{1e}]{0,20}".prop_map(Part::Text);
        prop_oneof![text, proptest::collection::vec(any::<u8>(), 0..20).prop_map(Part::Binary)]
    }

    proptest! {
        #[test]
        fn what_is_joined_comes_apart(parts in proptest::collection::vec(part(), 1..10)) {
            let mut body = Vec::new();
            for part in &parts {
                match part {
                    Part::Text(text) => push(text.as_bytes(), &mut body),
                    Part::Binary(data) => {
                        let mut alone = Vec::new();
                        push_binary(data, &mut alone);
                        prop_assert_eq!(alone.len(), binary_len(data.len()));
                        push_binary(data, &mut body);
                    }
                }
            }
            let read = split(&body).unwrap().map(|text| match EnginePacket::parse(text) {
                Ok(EnginePacket::Binary(data)) => Part::Binary(data),
                _ => Part::Text(text.to_owned()),
            });
            prop_assert_eq!(read.collect::<Vec<_>>(), parts);
        }

        #[test]
        fn any_body_is_split(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(packets) = split(&body) {
                packets.for_each(|packet| drop(EnginePacket::parse(packet)));
            }
        }
    }
}
