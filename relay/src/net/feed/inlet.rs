//! The read half as the WebSocket reader sees it: buffered, and telling when bytes came from the socket.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncWrite, BufReader, ReadBuf};

use super::dial::ReadHalf;

/// One read's worth. fastwebsockets reads into what is left of its own 8 KiB, often a few bytes.
const READ_BYTES: usize = 64 * 1024;

pub(super) struct Inlet {
    buffer: BufReader<ReadHalf>,
    /// Set at each read that brought bytes; cleared by who stamps the time.
    is_fresh: Rc<Cell<bool>>,
}

impl Inlet {
    pub fn new(read: ReadHalf, leftover: Bytes, is_fresh: Rc<Cell<bool>>) -> Self {
        let read: ReadHalf = if leftover.is_empty() { read } else { Box::new(io::Cursor::new(leftover).chain(read)) };
        Self { buffer: BufReader::with_capacity(READ_BYTES, read), is_fresh }
    }
}

impl AsyncRead for Inlet {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let was_empty = self.buffer.buffer().is_empty();
        // Through the buffer also where `out` is larger: one path, and one copy is nothing beside the socket's.
        let bytes = ready!(Pin::new(&mut self.buffer).poll_fill_buf(context))?;
        let count = bytes.len().min(out.remaining());
        out.put_slice(&bytes[..count]);
        Pin::new(&mut self.buffer).consume(count);
        if was_empty && count > 0 {
            self.is_fresh.set(true);
        }
        Poll::Ready(Ok(()))
    }
}

/// fastwebsockets asks for a stream that can also be written. With automatic answers off it never does.
impl AsyncWrite for Inlet {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
