//! WebSocket frames as the tests write and read them, wrong ones included.

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The key of every masked frame.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub is_final: bool,
    pub opcode: u8,
    pub payload: Vec<u8>,
}

/// A client's frame. `first` is the whole first byte, so that a test can set what must not be set.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, 0x80, payload.len());
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
    bytes
}

/// A server's frame.
pub fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, 0, payload.len());
    bytes.extend_from_slice(payload);
    bytes
}

/// A whole message of a client.
pub fn message(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked(0x80 | opcode, payload)
}

pub fn close(code: Option<u16>, reason: &str) -> Vec<u8> {
    let mut payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
    payload.extend_from_slice(reason.as_bytes());
    message(CLOSE, &payload)
}

fn head(first: u8, mask: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    match len {
        0..=125 => bytes.push(mask | len as u8),
        126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes
}

/// The first frame in `bytes` and its length there, once it is whole.
pub fn decode(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (len, mut at) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        len => (u64::from(len), 2),
    };
    let mask = if second & 0x80 == 0 {
        [0; 4]
    } else {
        at += 4;
        bytes.get(at - 4..at)?.try_into().ok()?
    };
    let end = at + len as usize;
    let payload = bytes.get(at..end)?;
    let payload = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
    Some((Frame { is_final: first & 0x80 != 0, opcode: first & 0x0f, payload }, end))
}
