//! The header of a client's frame (RFC 6455 section 5.2).

use super::decode::WsError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// Two bytes, a 64-bit length, a mask.
pub const HEADER_BYTES_MAX: usize = 14;

/// A frame, of whose payload `done` bytes were taken.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub is_final: bool,
    pub opcode: Opcode,
    pub mask: [u8; 4],
    pub len: usize,
    pub done: usize,
}

impl Frame {
    /// The frame a header announces, and the length of the header; `None` while that is incomplete.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, WsError> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        let (is_final, len_bits) = (first & 0x80 != 0, second & 0x7F);
        if first & 0x70 != 0 {
            return Err(WsError::Protocol("a reserved bit is set"));
        }
        let opcode = match first & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return Err(WsError::Protocol("a reserved opcode")),
        };
        if second & 0x80 == 0 {
            return Err(WsError::Protocol("a client's frame is not masked"));
        }
        let frame = Self { is_final, opcode, mask: [0; 4], len: 0, done: 0 };
        if frame.is_control() && !is_final {
            return Err(WsError::Protocol("a fragmented control frame"));
        }
        if frame.is_control() && len_bits > 125 {
            return Err(WsError::Protocol("a control frame above 125 bytes"));
        }
        let (len, rest) = match len_bits {
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            len => (u64::from(len), rest),
        };
        if len >> 63 != 0 {
            return Err(WsError::Protocol("a length above 63 bits"));
        }
        let Some((mask, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(Some((Self { mask: *mask, len, ..frame }, bytes.len() - rest.len())))
    }

    pub fn is_control(&self) -> bool {
        matches!(self.opcode, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}
