//! The decoder gives the same items wherever the network cuts the bytes.

use relay::wire::ws::decode::{Decoder, Inbound, WsError};
use relay::wire::ws::encode::CONTROL_BYTES_MAX;

const LIMIT: usize = 300;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(WsError),
}

impl From<Inbound<'_>> for Item {
    fn from(inbound: Inbound<'_>) -> Self {
        match inbound {
            Inbound::Text(text) => Self::Text(text.to_owned()),
            Inbound::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Inbound::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Inbound::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Inbound::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }
}

impl Item {
    fn check_bounds(&self) {
        match self {
            Self::Text(text) => assert!(text.len() <= LIMIT),
            Self::Binary(bytes) => assert!(bytes.len() <= LIMIT),
            Self::Ping(bytes) | Self::Pong(bytes) => assert!(bytes.len() <= CONTROL_BYTES_MAX),
            Self::Close(_, reason) => assert!(reason.len() <= CONTROL_BYTES_MAX - 2),
            Self::Failed(error) => assert!((1002..=1009).contains(&error.close().code())),
        }
    }
}

/// Everything up to the end, a CLOSE or an error, with the length of each read taken from `cuts` in turn.
fn decode(bytes: &[u8], cuts: &[u8]) -> (Vec<Item>, bool) {
    let mut decoder = Decoder::new(LIMIT);
    let mut items = Vec::new();
    let mut lengths = cuts.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let len = lengths.next().map_or(rest.len(), |&cut| usize::from(cut) + 1).min(rest.len());
        let mut read = rest[..len].to_vec();
        rest = &rest[len..];
        let mut input = &mut read[..];
        loop {
            match decoder.next(&mut input) {
                Ok(Some(inbound)) => items.push(inbound.into()),
                Ok(None) => break,
                Err(error) => items.push(Item::Failed(error)),
            }
            if let Some(Item::Close(..) | Item::Failed(_)) = items.last() {
                return (items, true);
            }
        }
        assert!(input.is_empty(), "what was not decoded is kept by the decoder");
    }
    (items, decoder.is_idle())
}

/// Frames as clients send them, mostly: `plan` chooses kinds and lengths, the payloads are the plan's own bytes.
fn frames(plan: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = plan;
    while let Some(([kind, len, first_mask], after)) = rest.split_first_chunk() {
        let first = match kind % 16 {
            0..=2 => 0x81,
            3 => 0x82,
            4 | 5 => 0x01,
            6 => 0x02,
            7 | 8 => 0x00,
            9..=11 => 0x80,
            12 => 0x89,
            13 => 0x8A,
            14 => 0x88,
            _ => *kind,
        };
        let len = usize::from(*len);
        let payload = &after[..len.min(after.len())];
        rest = &after[payload.len()..];
        bytes.push(first);
        match payload.len() {
            short @ 0..126 => bytes.push(0x80 | short as u8),
            medium => bytes.extend([0x80 | 126, (medium >> 8) as u8, medium as u8]),
        }
        // The high bits of the kind say whether the payload shall be text, so that texts are not refused at once.
        let is_ascii = kind & 0xC0 != 0;
        let mask = [*first_mask, 0, 0x55, 0xFF];
        bytes.extend(mask);
        let plain = payload.iter().map(|byte| if is_ascii { byte & 0x7F } else { *byte });
        bytes.extend(plain.zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
    bytes.extend(rest);
    bytes
}

fn check(bytes: &[u8], cuts: &[u8]) {
    let (whole, is_over) = decode(bytes, &[]);
    let (pieces, is_over_in_pieces) = decode(bytes, cuts);
    assert_eq!(whole, pieces);
    assert_eq!(is_over, is_over_in_pieces);
    whole.iter().for_each(Item::check_bounds);
}

/// Frames near to valid ones give the same items in one read and in any pieces.
#[test]
fn fuzz_frames_in_pieces() {
    bolero::check!().with_max_len(2_000).for_each(|input: &[u8]| {
        let (cuts, plan) = input.split_at(input.len().min(5));
        check(&frames(plan), cuts);
    });
}

/// So does whatever else comes from the network.
#[test]
fn fuzz_bytes_in_pieces() {
    bolero::check!().with_max_len(200).for_each(|input: &[u8]| {
        let (cuts, bytes) = input.split_at(input.len().min(3));
        check(bytes, cuts);
    });
}
