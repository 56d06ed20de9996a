//! Messages out of what clients send, without I/O and without memory between messages.
//!
//! The shard reads every socket into one shared buffer. A frame that is whole in there is unmasked in place and lent
//! out from there; only a frame or message that is not complete yet is copied, into memory that goes with it.

use std::mem;

use super::frame::{Frame, HEADER_BYTES_MAX, Opcode};
use super::mask::unmask;
use super::utf8::{NotUtf8, Text};
use crate::wire::close::CloseReason;

/// One connection's decoder.
///
/// ```
/// # use relay::wire::ws::decode::{Decoder, Inbound, WsError};
/// # fn echo(_: Inbound<'_>) {}
/// # fn main() -> Result<(), WsError> {
/// # let mut read_buffer = *b"\x81\x80\0\0\0\0";
/// # let mut decoder = Decoder::new(1024);
/// let mut input = &mut read_buffer[..];
/// while let Some(inbound) = decoder.next(&mut input)? {
///     echo(inbound);
/// }
/// assert!(input.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    /// What waits for more bytes. Boxed, so that an idle connection pays for a pointer.
    pending: Option<Box<Pending>>,
}

/// What a client sent: whole messages, and control frames, which may come between the fragments of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    Close { code: Option<u16>, reason: &'a str },
}

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WsError {
    #[error("{0}")]
    Protocol(&'static str),
    #[error("a text is not UTF-8")]
    NotUtf8,
    #[error("message of {bytes} bytes, limit {limit}")]
    TooBig { bytes: usize, limit: usize },
}

impl WsError {
    pub fn close(&self) -> CloseReason {
        match self {
            Self::Protocol(_) => CloseReason::Protocol,
            Self::NotUtf8 => CloseReason::NotUtf8,
            Self::TooBig { .. } => CloseReason::TooBig,
        }
    }
}

impl From<NotUtf8> for WsError {
    fn from(_: NotUtf8) -> Self {
        Self::NotUtf8
    }
}

#[derive(Debug, Default)]
struct Pending {
    /// The start of a header.
    header: [u8; HEADER_BYTES_MAX],
    header_len: usize,
    /// A frame whose header is known and whose payload is not complete.
    frame: Option<Frame>,
    /// The start of a control frame's payload.
    control: Vec<u8>,
    message: Option<Message>,
    /// What was handed out by the last call, and is over with this one.
    lent: Lent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lent {
    #[default]
    Nothing,
    Control,
    Message,
}

/// A data message that is not complete.
#[derive(Debug)]
enum Message {
    /// One that cannot become valid any more fails at once, not at its end (Autobahn 6.4).
    Text(Text),
    Binary(Vec<u8>),
}

impl Message {
    fn new(opcode: Opcode) -> Self {
        match opcode {
            Opcode::Text => Self::Text(Text::default()),
            _ => Self::Binary(Vec::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), NotUtf8> {
        match self {
            Self::Text(text) => text.append(payload),
            Self::Binary(bytes) => {
                bytes.extend_from_slice(payload);
                Ok(())
            }
        }
    }

    fn end(&self) -> Result<Inbound<'_>, NotUtf8> {
        match self {
            Self::Text(text) => text.end().map(Inbound::Text),
            Self::Binary(bytes) => Ok(Inbound::Binary(bytes)),
        }
    }
}

impl Decoder {
    /// A message, its fragments joined, may have `message_bytes_max` bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, pending: None }
    }

    /// The next message or control frame in `input`, which is moved past it. `None` says that `input` is used up and
    /// more bytes are needed; what was incomplete has been kept.
    ///
    /// The item lives until the next call. After `Close` and after an error the rest of the input means nothing,
    /// and the decoder is not to be called again.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i mut [u8]) -> Result<Option<Inbound<'a>>, WsError> {
        self.take_back();
        loop {
            let Some(mut frame) = self.frame(input)? else {
                return Ok(None);
            };
            let len = input.len().min(frame.len - frame.done);
            let (payload, rest) = mem::take(input).split_at_mut(len);
            *input = rest;
            unmask(payload, frame.mask, frame.done);
            frame.done += len;

            let whole_here = len == frame.len;
            let complete = frame.done == frame.len;
            if len == 0 && !complete {
                // Nothing of the payload came yet: it may still turn out to be whole in the next read.
                self.pending().frame = Some(frame);
                return Ok(None);
            }
            if frame.is_control() {
                if whole_here {
                    return control(frame.opcode, payload).map(Some);
                }
                let pending = self.pending();
                pending.control.extend_from_slice(payload);
                if complete {
                    return self.lend_control(frame.opcode).map(Some);
                }
            } else {
                if whole_here && frame.is_final && frame.opcode != Opcode::Continuation {
                    return data(frame.opcode, payload).map(Some);
                }
                let message = self.message(frame.opcode);
                message.append(payload)?;
                if complete && frame.is_final {
                    return self.lend_message().map(Some);
                }
            }
            if !complete {
                self.pending().frame = Some(frame);
                return Ok(None);
            }
        }
    }

    /// Nothing is incomplete, so nothing is kept on the heap.
    pub fn is_idle(&self) -> bool {
        self.pending.as_ref().is_none_or(|pending| pending.is_over())
    }

    /// Takes back what the last call lent out, and frees memory nothing waits in.
    fn take_back(&mut self) {
        let Some(pending) = &mut self.pending else {
            return;
        };
        match mem::take(&mut pending.lent) {
            Lent::Nothing => {}
            Lent::Control => pending.control.clear(),
            Lent::Message => pending.message = None,
        }
        if pending.is_over() {
            self.pending = None;
        }
    }

    /// The frame to go on with; `None` while its header is incomplete.
    fn frame(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, WsError> {
        if let Some(frame) = self.pending.as_mut().and_then(|pending| pending.frame.take()) {
            return Ok(Some(frame));
        }
        let kept = self.pending.as_ref().map_or(0, |pending| pending.header_len);
        let parsed = if kept == 0 {
            Frame::parse(input)?
        } else {
            let pending = self.pending();
            let fill = input.len().min(HEADER_BYTES_MAX - kept);
            pending.header[kept..kept + fill].copy_from_slice(&input[..fill]);
            pending.header_len += fill;
            Frame::parse(&pending.header[..kept + fill])?
        };
        let Some((frame, header_len)) = parsed else {
            self.keep_header(input, kept);
            return Ok(None);
        };
        debug_assert!(header_len > kept, "a complete header would not have been kept");
        skip(input, header_len - kept);
        if let Some(pending) = &mut self.pending {
            pending.header_len = 0;
        }
        self.admit(&frame)?;
        Ok(Some(frame))
    }

    fn keep_header(&mut self, input: &mut &mut [u8], kept: usize) {
        let len = input.len();
        if len == 0 {
            return;
        }
        if kept == 0 {
            let pending = self.pending();
            pending.header[..len].copy_from_slice(input);
            pending.header_len = len;
        }
        skip(input, len);
    }

    /// Whether this frame may come now, and fits.
    fn admit(&self, frame: &Frame) -> Result<(), WsError> {
        if frame.is_control() {
            return Ok(());
        }
        let message = self.pending.as_ref().and_then(|pending| pending.message.as_ref());
        let so_far = match (message, frame.opcode) {
            (Some(message), Opcode::Continuation) => message.len(),
            (Some(_), _) => return Err(WsError::Protocol("a message starts inside another")),
            (None, Opcode::Continuation) => return Err(WsError::Protocol("nothing to continue")),
            (None, _) => 0,
        };
        let bytes = so_far.saturating_add(frame.len);
        if bytes > self.message_bytes_max {
            return Err(WsError::TooBig { bytes, limit: self.message_bytes_max });
        }
        Ok(())
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending.get_or_insert_default()
    }

    fn message(&mut self, opcode: Opcode) -> &mut Message {
        self.pending().message.get_or_insert_with(|| Message::new(opcode))
    }

    fn lend_control(&mut self, opcode: Opcode) -> Result<Inbound<'_>, WsError> {
        let pending = self.pending();
        pending.lent = Lent::Control;
        control(opcode, &pending.control)
    }

    fn lend_message(&mut self) -> Result<Inbound<'_>, WsError> {
        let pending = self.pending();
        pending.lent = Lent::Message;
        let message = pending.message.as_ref().expect("a final fragment was just appended");
        Ok(message.end()?)
    }
}

impl Pending {
    fn is_over(&self) -> bool {
        let control = self.control.is_empty() || self.lent == Lent::Control;
        let message = self.message.is_none() || self.lent == Lent::Message;
        control && message && self.header_len == 0 && self.frame.is_none()
    }
}

/// Moves `input` past its first `len` bytes.
fn skip(input: &mut &mut [u8], len: usize) {
    let (_, rest) = mem::take(input).split_at_mut(len);
    *input = rest;
}

fn data(opcode: Opcode, payload: &[u8]) -> Result<Inbound<'_>, WsError> {
    if opcode == Opcode::Binary {
        return Ok(Inbound::Binary(payload));
    }
    simdutf8::basic::from_utf8(payload).map(Inbound::Text).map_err(|_| WsError::NotUtf8)
}

fn control(opcode: Opcode, payload: &[u8]) -> Result<Inbound<'_>, WsError> {
    match opcode {
        Opcode::Ping => Ok(Inbound::Ping(payload)),
        Opcode::Pong => Ok(Inbound::Pong(payload)),
        _ => close(payload),
    }
}

/// The payload of a close frame (RFC 6455 sections 5.5.1 and 7.4).
fn close(payload: &[u8]) -> Result<Inbound<'_>, WsError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(Inbound::Close { code: None, reason: "" }),
            _ => Err(WsError::Protocol("half a close code")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(WsError::Protocol("a close code nobody may send"));
    }
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| WsError::NotUtf8)?;
    Ok(Inbound::Close { code: Some(code), reason })
}
