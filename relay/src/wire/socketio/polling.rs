//! Clients that poll get what everyone else gets: whole WebSocket frames, taken out of their headers into an outbox
//! that is the body of the next answer.

use super::payload;

/// Header of every polling answer's body, besides `Cache-Control: no-store`.
pub const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";
/// The reference server's, on purpose: some browsers would offer `ok` as a download otherwise.
pub const POSTED_CONTENT_TYPE: &str = "text/html";
/// The body of a post's answer.
pub const POSTED: &str = "ok";
/// The status for a post above the limit; it has no body.
pub const TOO_LARGE: u16 = 413;

/// What a write to an outbox did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of whole frames, headers included. The rest is as if it had not been written.
    pub bytes: usize,
    /// Packets that were put into the outbox.
    pub packets: usize,
    pub end: Option<FrameEnd>,
}

/// Why nothing after this frame was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEnd {
    /// A close frame, with its code if it has one.
    Close(Option<u16>),
    /// No frame of a server's: our mistake.
    NotAFrame,
}

/// Appends the packets of the whole frames in `parts`, which follow each other as in one gathered write, until `out`
/// would hold more than `bytes_max`. An empty outbox takes one packet of any size, or it would never be taken.
/// Pings and pongs are dropped: polling has its own.
pub fn unframe<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone, bytes_max: usize, out: &mut Vec<u8>) -> Taken {
    let mut reader = Reader { parts, part: &[], taken: 0 };
    let mut taken = Taken::default();
    loop {
        let mut ahead = reader.clone();
        let Some(header) = ahead.header() else { break };
        let (opcode, len) = match header {
            Header::Frame { opcode, len } => (opcode, len),
            Header::NotAFrame => {
                taken.end = Some(FrameEnd::NotAFrame);
                break;
            }
        };
        let step = match opcode {
            TEXT | BINARY => ahead.data(opcode, len, bytes_max, out),
            CLOSE => ahead.close(len),
            _ => ahead.skip(len).map(|()| Step::Dropped),
        };
        match step {
            None => break,
            Some(Step::Packet) => taken.packets += 1,
            Some(Step::Dropped) => {}
            Some(Step::Close(code)) => taken.end = Some(FrameEnd::Close(code)),
        }
        reader = ahead;
        taken.bytes = reader.taken;
        if taken.end.is_some() {
            break;
        }
    }
    taken
}

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;

enum Header {
    Frame { opcode: u8, len: usize },
    NotAFrame,
}

enum Step {
    Packet,
    Dropped,
    Close(Option<u16>),
}

/// Reads across parts. Every method says `None` where the bytes end too soon.
#[derive(Clone)]
struct Reader<'a, Parts> {
    parts: Parts,
    part: &'a [u8],
    taken: usize,
}

impl<'a, Parts: Iterator<Item = &'a [u8]>> Reader<'a, Parts> {
    /// The next bytes that lie together, at most `len`.
    fn piece(&mut self, len: usize) -> Option<&'a [u8]> {
        while self.part.is_empty() {
            self.part = self.parts.next()?;
        }
        let (piece, rest) = self.part.split_at(len.min(self.part.len()));
        self.part = rest;
        self.taken += piece.len();
        Some(piece)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = *self.piece(1)?.first()?;
        }
        Some(bytes)
    }

    /// The header of an unmasked final frame (RFC 6455 section 5.2), which is all we send.
    fn header(&mut self) -> Option<Header> {
        let [first, second] = self.array()?;
        let opcode = first & 0x0F;
        let is_known = matches!(opcode, TEXT | BINARY | CLOSE | 0x9 | 0xA);
        if first & 0xF0 != 0x80 || second & 0x80 != 0 || !is_known {
            return Some(Header::NotAFrame);
        }
        let len = match second {
            126 => u64::from(u16::from_be_bytes(self.array()?)),
            127 => u64::from_be_bytes(self.array()?),
            short => u64::from(short),
        };
        Some(usize::try_from(len).map_or(Header::NotAFrame, |len| Header::Frame { opcode, len }))
    }

    /// Also `None` where the outbox has no room.
    fn data(&mut self, opcode: u8, len: usize, bytes_max: usize, out: &mut Vec<u8>) -> Option<Step> {
        if len == 0 && opcode == TEXT {
            return Some(Step::Dropped);
        }
        let packet_len = if opcode == TEXT { len } else { payload::binary_len(len) };
        let has_room = out.len().saturating_add(1).saturating_add(packet_len) <= bytes_max;
        if !out.is_empty() && !has_room {
            return None;
        }
        let begin = out.len();
        let copied = if opcode == TEXT {
            payload::push(&[], out);
            self.copy(len, out)
        } else {
            let mut data = Vec::new();
            self.copy(len, &mut data).map(|()| payload::push_binary(&data, out))
        };
        if copied.is_none() {
            out.truncate(begin);
        }
        copied.map(|()| Step::Packet)
    }

    fn close(&mut self, len: usize) -> Option<Step> {
        let mut payload = Vec::new();
        self.copy(len, &mut payload)?;
        Some(Step::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))))
    }

    fn copy(&mut self, mut len: usize, out: &mut Vec<u8>) -> Option<()> {
        while len > 0 {
            let piece = self.piece(len)?;
            out.extend_from_slice(piece);
            len -= piece.len();
        }
        Some(())
    }

    fn skip(&mut self, mut len: usize) -> Option<()> {
        while len > 0 {
            len -= self.piece(len)?.len();
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
