use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::limits::OUTBOX_BYTES_MAX;
use crate::wire::ws::encode::{self, Opcode};

fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::frame(opcode, payload, &mut out);
    out
}

fn text(payload: &str) -> Vec<u8> {
    frame(Opcode::Text, payload.as_bytes())
}

/// What is put into an outbox that holds `before`.
fn check(before: &str, parts: &[&[u8]], bytes_max: usize, after: &str, expected: Taken) {
    let mut out = before.as_bytes().to_vec();
    let taken = unframe(parts.iter().copied(), bytes_max, &mut out);
    assert_eq!(std::str::from_utf8(&out).unwrap(), after);
    assert_eq!(taken, expected);
}

fn taken(bytes: usize, packets: usize) -> Taken {
    Taken { bytes, packets, end: None }
}

#[test]
fn frames_become_packets() {
    let both = [text("42[\"a\"]"), text("2")].concat();
    check("", &[&both], 100, "42[\"a\"]\u{1e}2", taken(both.len(), 2));
    check("40", &[&both], 100, "40\u{1e}42[\"a\"]\u{1e}2", taken(both.len(), 2));
    let binary = frame(Opcode::Binary, &[1, 2, 3]);
    check("", &[&binary, &binary], 100, "bAQID\u{1e}bAQID", taken(10, 2));
    check("2", &[], 100, "2", taken(0, 0));
}

#[test]
fn frames_come_in_pieces() {
    let long = "x".repeat(300);
    let bytes = [text("a"), text(&long), text(&"y".repeat(70_000))].concat();
    let expected = format!("a\u{1e}{long}\u{1e}{}", "y".repeat(70_000));
    for piece in [1, 2, 3, 5, 4096, bytes.len()] {
        let parts: Vec<_> = bytes.chunks(piece).collect();
        check("", &parts, 100_000, &expected, taken(bytes.len(), 3));
    }
    let parts = [&bytes[..2], &[], &bytes[2..3], &[]];
    check("", &parts, 100, "a", taken(3, 1));
}

/// Proves that half a frame is left to the writer, which offers it again.
#[test]
fn half_a_frame_is_not_taken() {
    let bytes = [text("ab"), text(&"c".repeat(200))].concat();
    for end in 4..bytes.len() {
        check("", &[&bytes[..end]], 1000, "ab", taken(4, 1));
    }
    check("", &[&bytes[..3]], 1000, "", taken(0, 0));
    check("1", &[&frame(Opcode::Binary, b"abc")[..4]], 1000, "1", taken(0, 0));
}

#[test]
fn an_outbox_has_a_bound() {
    let bytes = [text("aaaa"), text("bbbb")].concat();
    check("", &[&bytes], 9, "aaaa\u{1e}bbbb", taken(12, 2));
    check("", &[&bytes], 8, "aaaa", taken(6, 1));
    check("x", &[&bytes], 5, "x", taken(0, 0));
    check("x", &[&bytes], 6, "x\u{1e}aaaa", taken(6, 1));
    // One packet of any size goes in alone.
    check("", &[&bytes], 1, "aaaa", taken(6, 1));
    check("2", &[&frame(Opcode::Binary, b"abc")], 6, "2", taken(0, 0));
    check("2", &[&frame(Opcode::Binary, b"abc")], 7, "2\u{1e}bYWJj", taken(5, 1));
}

#[test]
fn control_frames_are_not_for_polling() {
    let mut bytes = [frame(Opcode::Ping, b"now"), text("a"), frame(Opcode::Pong, &[])].concat();
    check("", &[&bytes], 100, "a", taken(bytes.len(), 1));
    let end = |code| Some(FrameEnd::Close(code));
    encode::close(Some(1012), "later", &mut bytes);
    let expected = Taken { bytes: bytes.len(), packets: 1, end: end(Some(1012)) };
    bytes.extend_from_slice(&text("never"));
    check("", &[&bytes], 100, "a", expected);
    check("", &[&[0x88, 0]], 100, "", Taken { bytes: 2, packets: 0, end: end(None) });
    check("", &[&text("")], 100, "", taken(2, 0));
}

#[test]
fn what_is_no_frame_is_said() {
    let end = Some(FrameEnd::NotAFrame);
    for bytes in [[0x01, 0], [0x80, 0], [0x83, 0], [0x81, 0x80], [0xC1, 0], [b'4', b'2']] {
        check("", &[&text("a"), &bytes], 100, "a", Taken { bytes: 3, packets: 1, end });
    }
}

proptest! {
    /// However the writer cuts, and however little room there is, packets arrive whole, once and in order.
    #[test]
    fn packets_arrive_in_any_pieces(
        packets in vec("[0-9a-z]{1,300}", 1..20),
        piece in 1usize..200,
        room in 1usize..2000,
    ) {
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| text(packet)).collect();
        let (mut at, mut bodies) = (0, Vec::new());
        while at < bytes.len() {
            let mut out = Vec::new();
            let taken = unframe(bytes[at..].chunks(piece), room, &mut out);
            prop_assert!(taken.bytes > 0 && taken.end.is_none());
            prop_assert!(out.len() <= room || taken.packets == 1);
            at += taken.bytes;
            bodies.push(String::from_utf8(out).unwrap());
        }
        let read: Vec<_> = bodies.iter().flat_map(|body| body.split('\u{1e}')).collect();
        prop_assert_eq!(read, packets);
    }

    #[test]
    fn any_bytes_are_taken_or_not(bytes in vec(any::<u8>(), 0..300), piece in 1usize..50) {
        let mut out = Vec::new();
        let taken = unframe(bytes.chunks(piece), OUTBOX_BYTES_MAX, &mut out);
        prop_assert!(taken.bytes <= bytes.len());
    }
}
