//! WebSocket frames, RFC 6455 section 5, over whole buffers: the caller keeps what is incomplete.

use std::ops::Range;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// More than any message of the streams we test; a longer one is a broken header.
pub const PAYLOAD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Who sent the bytes: clients mask, servers must not (5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub opcode: u8,
    pub mask: Option<[u8; 4]>,
    /// Where the payload lies in the decoded bytes.
    pub payload: Range<usize>,
}

/// The first frame of `bytes`, `None` while it is incomplete, or why it breaks the protocol.
pub fn decode(bytes: &[u8], sender: Sender) -> Result<Option<Frame>, &'static str> {
    let &[first, second, ..] = bytes else {
        return Ok(None);
    };
    let (fin, opcode, masked) = (first & 0x80 != 0, first & 0x0f, second & 0x80 != 0);
    if first & 0x70 != 0 {
        return Err("reserved bits are set");
    }
    if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        return Err("unknown opcode");
    }
    if masked != (sender == Sender::Client) {
        return Err(if masked { "a server's frame is masked" } else { "a client's frame is not masked" });
    }
    let (length, mut start) = match second & 0x7f {
        126 => {
            let Some(bytes) = bytes.get(2..4) else {
                return Ok(None);
            };
            (bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)), 4)
        }
        127 => {
            let Some(bytes) = bytes.get(2..10) else {
                return Ok(None);
            };
            (bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)), 10)
        }
        short => (u64::from(short), 2),
    };
    if (start == 4 && length < 126) || (start == 10 && length < 65_536) {
        return Err("the length is longer than it need be");
    }
    if opcode >= CLOSE && (!fin || length > 125) {
        return Err("a control frame is long or fragmented");
    }
    if length > PAYLOAD_BYTES_MAX {
        return Err("a frame is longer than 16 MiB");
    }
    let mut mask = None;
    if masked {
        let Some(bytes) = bytes.get(start..start + 4) else {
            return Ok(None);
        };
        mask = Some([bytes[0], bytes[1], bytes[2], bytes[3]]);
        start += 4;
    }
    let end = start + length as usize;
    Ok((bytes.len() >= end).then_some(Frame { fin, opcode, mask, payload: start..end }))
}

/// Appends a server's frame.
pub fn encode_server(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    header(out, opcode, payload.len() as u64, 0);
    out.extend_from_slice(payload);
}

/// Appends a client's frame. The mask hides nothing here, so any will do.
pub fn encode_client(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    const MASK: [u8; 4] = [0x5a, 0x17, 0xc3, 0x2e];
    header(out, opcode, payload.len() as u64, 0x80);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], MASK);
}

pub fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// The code of a CLOSE frame; 1005 stands for none (7.1.5).
pub fn close_code(payload: &[u8]) -> u16 {
    match payload {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 1005,
    }
}

fn header(out: &mut Vec<u8>, opcode: u8, length: u64, masked: u8) {
    out.push(0x80 | opcode);
    match length {
        0..126 => out.push(masked | length as u8),
        126..65_536 => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], sender: Sender, expected: Result<Option<(u8, Range<usize>)>, &str>) {
        let got = decode(bytes, sender).map(|frame| frame.map(|f| (f.opcode, f.payload)));
        assert_eq!(got, expected, "{bytes:02x?}");
    }

    /// Headers are read exactly: what is whole, what is cut, what breaks the protocol.
    #[test]
    fn headers() {
        use Sender::{Client, Server};
        check(&[], Server, Ok(None));
        check(&[0x81], Server, Ok(None));
        check(&[0x81, 0], Server, Ok(Some((TEXT, 2..2))));
        check(&[0x81, 2, b'h'], Server, Ok(None));
        check(&[0x81, 2, b'h', b'i', 0x81], Server, Ok(Some((TEXT, 2..4))));
        check(&[0x82, 0x81, 1, 2, 3, 4, 5], Client, Ok(Some((BINARY, 6..7))));
        check(&[0x81, 126, 0], Server, Ok(None));
        check(&[0x81, 126, 0, 125], Server, Err("the length is longer than it need be"));
        check(&[0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255], Server, Err("the length is longer than it need be"));
        check(&[0x81, 127, 0x7f, 0, 0, 0, 0, 0, 0, 0], Server, Err("a frame is longer than 16 MiB"));
        check(&[0x81, 0x80, 1, 2, 3, 4], Server, Err("a server's frame is masked"));
        check(&[0x81, 0], Client, Err("a client's frame is not masked"));
        check(&[0xc1, 0], Server, Err("reserved bits are set"));
        check(&[0x83, 0], Server, Err("unknown opcode"));
        check(&[0x08, 0], Server, Err("a control frame is long or fragmented"));
        check(&[0x89, 126, 0, 200], Server, Err("a control frame is long or fragmented"));
    }

    /// What is encoded decodes to the same payload, on both sides of every length boundary.
    #[test]
    fn round_trip() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut wire = Vec::new();
            encode_server(&mut wire, TEXT, &payload);
            let frame = decode(&wire, Sender::Server).unwrap().unwrap();
            assert_eq!((&wire[frame.payload.clone()], frame.payload.end), (&payload[..], wire.len()));
            wire.clear();
            encode_client(&mut wire, TEXT, &payload);
            let frame = decode(&wire, Sender::Client).unwrap().unwrap();
            apply_mask(&mut wire[frame.payload.clone()], frame.mask.unwrap());
            assert_eq!(&wire[frame.payload], &payload[..]);
        }
    }

    /// A CLOSE without a code is 1005.
    #[test]
    fn close_codes() {
        assert_eq!(close_code(&[]), 1005);
        assert_eq!(close_code(&[0x03, 0xf5]), 1013);
    }
}
