use proptest::prelude::*;

use super::decode::{Decoder, Inbound, WsError};
use super::encode;
use crate::wire::close::CloseReason;

/// What came out, in a form that outlives the buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(WsError),
}

impl From<Inbound<'_>> for Got {
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

const LIMIT: usize = 100_000;

/// Feeds the reads one after the other, as the shard does, up to the first error.
fn decode(reads: &[&[u8]]) -> Vec<Got> {
    let mut decoder = Decoder::new(LIMIT);
    let mut got = Vec::new();
    for read in reads {
        let mut buffer = read.to_vec();
        let mut input = &mut buffer[..];
        loop {
            match decoder.next(&mut input) {
                Ok(Some(inbound)) => got.push(inbound.into()),
                Ok(None) => break,
                Err(error) => {
                    got.push(Got::Failed(error));
                    return got;
                }
            }
        }
        assert!(input.is_empty(), "what was not decoded is kept by the decoder");
    }
    got
}

/// A client's frame, written without the code under test.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0xAB, 0x00, 0xFE];
    let mut bytes = vec![first];
    if payload.len() < 126 {
        bytes.push(0x80 | payload.len() as u8);
    } else if payload.len() < 65536 {
        bytes.push(0x80 | 126);
        bytes.extend((payload.len() as u16).to_be_bytes());
    } else {
        bytes.push(0x80 | 127);
        bytes.extend((payload.len() as u64).to_be_bytes());
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ mask[index % 4]));
    bytes
}

/// The frames in one read, cut in two anywhere, and byte by byte: the outcome has to be the same.
fn check(frames: &[Vec<u8>], expected: &[Got]) {
    let bytes = frames.concat();
    assert_eq!(decode(&[&bytes]), expected, "in one read: {bytes:x?}");
    for cut in 1..bytes.len().min(100) {
        let (left, right) = bytes.split_at(cut);
        assert_eq!(decode(&[left, right]), expected, "cut after {cut}: {bytes:x?}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&single), expected, "byte by byte: {bytes:x?}");
}

fn text(text: &str) -> Got {
    Got::Text(text.to_owned())
}

fn protocol(why: &'static str) -> Got {
    Got::Failed(WsError::Protocol(why))
}

const FIN: u8 = 0x80;
const NOT_UTF8: Got = Got::Failed(WsError::NotUtf8);

#[test]
fn messages_come_whole_whatever_their_length() {
    for len in [0, 1, 7, 125, 126, 127, 65535, 65536, 70_000] {
        let payload: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
        check(&[frame(FIN | 2, &payload)], &[Got::Binary(payload.clone())]);
        let twice = [frame(FIN | 2, &payload), frame(FIN | 1, b"and on")];
        check(&twice, &[Got::Binary(payload.clone()), text("and on")]);
        let letters = "x".repeat(len);
        check(&[frame(FIN | 1, letters.as_bytes())], &[text(&letters)]);
    }
}

#[test]
fn fragments_join_and_let_control_frames_through() {
    check(
        &[
            frame(1, b"a\xe5"),
            frame(FIN | 9, b"p"),
            frame(0, b""),
            frame(0, b"\xb8"),
            frame(FIN | 0xA, b""),
            frame(FIN, b"\x81"),
            frame(FIN | 2, b"b"),
            frame(FIN | 8, b"\x03\xe8bye"),
        ],
        &[
            Got::Ping(b"p".to_vec()),
            Got::Pong(vec![]),
            text("a币"),
            Got::Binary(b"b".to_vec()),
            Got::Close(Some(1000), "bye".to_owned()),
        ],
    );
    check(&[frame(1, b""), frame(0, b""), frame(FIN, b"")], &[text("")]);
}

#[test]
fn broken_frames_end_the_connection() {
    let unmasked = vec![0x81, 0x01, b'a'];
    check(&[unmasked], &[protocol("a client's frame is not masked")]);
    for reserved_bit in [0x40, 0x20, 0x10] {
        check(&[frame(FIN | reserved_bit | 1, b"a")], &[protocol("a reserved bit is set")]);
    }
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        check(&[frame(FIN | opcode, b"")], &[protocol("a reserved opcode")]);
    }
    check(&[frame(9, b"a")], &[protocol("a fragmented control frame")]);
    check(&[frame(FIN | 9, &[0; 126])], &[protocol("a control frame above 125 bytes")]);
    check(&[frame(FIN, b"a")], &[protocol("nothing to continue")]);
    check(&[frame(1, b"a"), frame(FIN | 1, b"b")], &[protocol("a message starts inside another")]);
    let endless = vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    check(&[endless], &[protocol("a length above 63 bits")]);
}

#[test]
fn what_came_before_an_error_still_counts() {
    check(&[frame(FIN | 1, b"a"), frame(3, b"")], &[text("a"), protocol("a reserved opcode")]);
}

#[test]
fn a_length_is_judged_before_its_payload_comes() {
    let too_big = |bytes| [Got::Failed(WsError::TooBig { bytes, limit: LIMIT })];
    let header_only = frame(FIN | 2, &vec![0; LIMIT + 1])[..14].to_vec();
    check(&[header_only], &too_big(LIMIT + 1));
    check(&[frame(2, &vec![0; LIMIT]), frame(FIN, b"x")[..6].to_vec()], &too_big(LIMIT + 1));
    check(&[frame(2, &vec![0; LIMIT]), frame(FIN, b"")], &[Got::Binary(vec![0; LIMIT])]);
    let huge = [vec![0x82, 0xFF, 0x7F], vec![0xFF; 7], vec![0; 4]].concat();
    check(&[huge], &too_big(usize::MAX >> 1));
    // A longer form than the length needs is allowed.
    check(&[vec![0x82, 0xFE, 0, 1, 0, 0, 0, 0, 7]], &[Got::Binary(vec![7])]);
}

#[test]
fn close_frames_are_judged() {
    let check = |payload: &[u8], expected: Got| check(&[frame(FIN | 8, payload)], &[expected]);
    check(b"", Got::Close(None, String::new()));
    check(b"\x03", protocol("half a close code"));
    check(b"\x03\xe8\xff", NOT_UTF8);
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999_u16] {
        check(&code.to_be_bytes(), Got::Close(Some(code), String::new()));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535_u16] {
        check(&code.to_be_bytes(), protocol("a close code nobody may send"));
    }
}

#[test]
fn text_fails_at_the_first_impossible_byte() {
    let start = frame(1, b"ok");
    let impossible = frame(FIN, b"\xf4\x90\x80\x80 and more");
    check(&[start.clone(), impossible[..8].to_vec()], &[NOT_UTF8]);
    check(&[start, frame(FIN, b"\xe5\xb8")], &[NOT_UTF8]);
    check(&[frame(FIN | 1, b"\xe5")], &[NOT_UTF8]);
    check(&[frame(1, b"\xff")[..7].to_vec()], &[NOT_UTF8]);
    check(&[frame(FIN | 1, b"\xffabc")[..7].to_vec()], &[NOT_UTF8]);
}

#[test]
fn errors_name_their_close() {
    assert_eq!(WsError::Protocol("").close(), CloseReason::Protocol);
    assert_eq!(WsError::NotUtf8.close(), CloseReason::NotUtf8);
    let too_big = WsError::TooBig { bytes: 70_000, limit: 65_536 };
    assert_eq!(too_big.close(), CloseReason::TooBig);
    assert_eq!(too_big.to_string(), "message of 70000 bytes, limit 65536");
}

#[test]
fn an_idle_decoder_is_small_and_knows_that_it_is_idle() {
    assert!(size_of::<Decoder>() <= 64);
    let mut decoder = Decoder::new(LIMIT);
    let mut bytes = [frame(1, b"a"), frame(FIN, b"b")].concat();
    for index in 0..bytes.len() {
        assert_eq!(decoder.is_idle(), index == 0, "after {index} bytes");
        let mut input = &mut bytes[index..=index];
        while decoder.next(&mut input).unwrap().is_some() {}
    }
    assert!(decoder.is_idle());
    assert!(format!("{decoder:?}").contains("pending: None"), "memory waits for nothing");
}

/// Four MiB in fragments of 64 bytes (Autobahn 9.3): were the work not linear, this test would be felt.
#[test]
fn large_messages_of_small_fragments_take_linear_time() {
    const FRAGMENTS: usize = 1 << 16;
    let mut decoder = Decoder::new(64 * FRAGMENTS);
    let mut one = |first: u8| {
        let mut bytes = frame(first, &[b'x'; 64]);
        let mut input = &mut bytes[..];
        match decoder.next(&mut input).unwrap() {
            Some(Inbound::Text(text)) => text.len(),
            Some(other) => panic!("{other:?}"),
            None => 0,
        }
    };
    one(1);
    for _ in 0..FRAGMENTS - 2 {
        assert_eq!(one(0), 0);
    }
    assert_eq!(one(FIN), 64 * FRAGMENTS);
}

/// Frames that mostly obey the protocol, so that properties get past the first header.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => proptest::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A]),
        1 => Just(0x88),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zé币😀]{0,40}".prop_map(String::into_bytes),
        4 => "[a-z]{0,2}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ];
    let frames = proptest::collection::vec((first, payload), 0..8);
    (frames, proptest::collection::vec(any::<u8>(), 0..8)).prop_map(|(frames, rest)| {
        let mut bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        bytes.extend(rest);
        bytes
    })
}

/// A message and the sizes its fragments have.
fn message() -> impl Strategy<Value = (Got, Vec<usize>)> {
    let content = prop_oneof![
        ".{0,300}".prop_map(Got::Text),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Got::Binary),
    ];
    (content, proptest::collection::vec(0..90_usize, 0..5))
}

proptest! {
    #[test]
    fn reads_cut_anywhere_give_the_same(
        bytes in prop_oneof![3 => stream(), 1 => proptest::collection::vec(any::<u8>(), 0..64)],
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut reads = Vec::new();
        let mut start = 0;
        for cut in cuts {
            reads.push(&bytes[start..cut]);
            start = cut;
        }
        reads.push(&bytes[start..]);
        let whole = decode(&[&bytes]);
        prop_assert_eq!(&decode(&reads), &whole);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&decode(&single), &whole);
    }

    #[test]
    fn what_is_sent_in_fragments_arrives_whole(messages in proptest::collection::vec(message(), 0..5)) {
        let mut bytes = Vec::new();
        for (content, sizes) in &messages {
            let (opcode, payload) = match content {
                Got::Text(text) => (1, text.as_bytes()),
                Got::Binary(payload) => (2, &payload[..]),
                _ => unreachable!("messages are text or binary"),
            };
            let mut rest = payload;
            let mut first = opcode;
            for size in sizes {
                let (head, tail) = rest.split_at(rest.len().min(*size));
                bytes.extend(frame(first, head));
                first = 0;
                rest = tail;
            }
            bytes.extend(frame(FIN | first, rest));
        }
        let expected: Vec<Got> = messages.into_iter().map(|(content, _)| content).collect();
        prop_assert_eq!(decode(&[&bytes]), expected);
    }
    /// Our own frames, given the mask a client would add, one of zeros, are read back.
    #[test]
    fn what_we_write_can_be_read(payload in proptest::collection::vec(any::<u8>(), 0..70_000)) {
        let mut bytes = Vec::new();
        encode::frame(encode::Opcode::Binary, &payload, &mut bytes);
        let mask_at = encode::header_len(payload.len());
        bytes[1] |= 0x80;
        bytes.splice(mask_at..mask_at, [0; 4]);
        prop_assert_eq!(decode(&[&bytes]), [Got::Binary(payload)]);
    }
}
