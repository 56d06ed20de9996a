//! Frames as a server sends them: whole messages, unmasked (RFC 6455 section 5.2).

/// Bytes of the longest header of an unmasked frame.
pub const HEADER_BYTES_MAX: usize = 10;

/// Bytes of the longest payload of a control frame.
pub const CONTROL_BYTES_MAX: usize = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn bits(self) -> u8 {
        match self {
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Writes the header of a final frame into the front of `out` and returns its length.
pub fn header(opcode: Opcode, payload_len: usize, out: &mut [u8; HEADER_BYTES_MAX]) -> usize {
    debug_assert!(
        !opcode.is_control() || payload_len <= CONTROL_BYTES_MAX,
        "a control frame carries at most 125 bytes"
    );
    const FINAL: u8 = 0x80;
    out[0] = FINAL | opcode.bits();
    if let Ok(short @ 0..=125) = u8::try_from(payload_len) {
        out[1] = short;
    } else if let Ok(medium) = u16::try_from(payload_len) {
        out[1] = 126;
        out[2..4].copy_from_slice(&medium.to_be_bytes());
    } else {
        out[1] = 127;
        out[2..10].copy_from_slice(&(payload_len as u64).to_be_bytes());
    }
    header_len(payload_len)
}

/// The length of the header that goes before a payload.
pub const fn header_len(payload_len: usize) -> usize {
    match payload_len {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => HEADER_BYTES_MAX,
    }
}

/// Makes room for a frame and appends its header; the payload follows.
pub fn begin(opcode: Opcode, payload_len: usize, out: &mut Vec<u8>) {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let len = header(opcode, payload_len, &mut bytes);
    out.reserve(len + payload_len);
    out.extend_from_slice(&bytes[..len]);
}

/// Appends a whole frame.
pub fn frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    begin(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a text message that is there in parts.
pub fn text<const PARTS: usize>(parts: [&[u8]; PARTS], out: &mut Vec<u8>) {
    begin(Opcode::Text, parts.iter().map(|part| part.len()).sum(), out);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Appends a close frame; without a code it is empty, and a reason too long for a control frame is cut.
pub fn close(code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
    let Some(code) = code else {
        return frame(Opcode::Close, &[], out);
    };
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    let mut payload = [0; CONTROL_BYTES_MAX];
    payload[..2].copy_from_slice(&code.to_be_bytes());
    payload[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
    frame(Opcode::Close, &payload[..2 + reason.len()], out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(opcode: Opcode, payload_len: usize, expected: &[u8]) {
        let mut out = [0; HEADER_BYTES_MAX];
        let len = header(opcode, payload_len, &mut out);
        assert_eq!(&out[..len], expected, "{opcode:?} of {payload_len} bytes");
        assert_eq!(header_len(payload_len), len);
    }

    #[test]
    fn headers_use_the_shortest_length() {
        check(Opcode::Text, 0, &[0x81, 0]);
        check(Opcode::Binary, 125, &[0x82, 125]);
        check(Opcode::Text, 126, &[0x81, 126, 0, 126]);
        check(Opcode::Text, 255, &[0x81, 126, 0, 255]);
        check(Opcode::Text, 0xFFFF, &[0x81, 126, 0xFF, 0xFF]);
        check(Opcode::Text, 0x1_0000, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        check(Opcode::Ping, 4, &[0x89, 4]);
        check(Opcode::Pong, 125, &[0x8A, 125]);
        check(Opcode::Close, 0, &[0x88, 0]);
    }

    /// Parts make the frame of the whole, whatever stood there before.
    #[test]
    fn parts_are_one_message() {
        for tail in [b"b".repeat(100), b"b".repeat(70_000)] {
            let mut whole = b"x".to_vec();
            frame(Opcode::Text, &[&b"a".repeat(60), tail.as_slice()].concat(), &mut whole);
            let mut parts = b"x".to_vec();
            text([&b"a".repeat(60), &tail], &mut parts);
            assert_eq!(parts, whole);
        }
    }

    #[test]
    fn close_frames_carry_a_code_or_nothing() {
        let check = |code, reason: &str, expected: &[u8]| {
            let mut out = Vec::new();
            close(code, reason, &mut out);
            assert_eq!(out, expected);
        };
        check(None, "ignored", &[0x88, 0]);
        check(Some(1001), "", &[0x88, 2, 0x03, 0xE9]);
        check(Some(1008), "Pong timeout", b"\x88\x0e\x03\xf0Pong timeout");

        let mut long = Vec::new();
        close(Some(1000), &"é".repeat(100), &mut long);
        assert_eq!(long.len(), 2 + 2 + 122, "123 bytes would cut a character in two");
    }
}
