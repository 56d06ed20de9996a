//! Writing what waits on a line: many frames at once, or slowly, or not at all.

use super::line::{Lines, Order};
use super::server::THAW;
use super::truth::Ticket;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// Frames are joined up to about so much for one write.
const BATCH_BYTES: usize = 64 * 1024;
/// Slow means a little so often.
const SLOW: Duration = Duration::from_millis(50);

pub struct Writer {
    lines: Lines,
    bytes: Vec<u8>,
    written: usize,
    /// The frames in `bytes`: where each ends, how long it is, and whom to tell.
    frames: VecDeque<(usize, usize, Option<Rc<Ticket>>)>,
}

impl Writer {
    pub fn new(lines: Lines) -> Self {
        Self { lines, bytes: Vec::new(), written: 0, frames: VecDeque::new() }
    }

    /// Writes until the venue ends the connection; false if the socket fails.
    ///
    /// Cancel-safe: what was written is known at every await, so it may be dropped and begun again.
    pub async fn run(&mut self, io: &mut (impl AsyncWrite + Unpin)) -> bool {
        let state = Rc::clone(&self.lines.state);
        loop {
            while self.frames.front().is_some_and(|frame| frame.0 <= self.written) {
                if let Some((_, bytes, ticket)) = self.frames.pop_front() {
                    state.written(bytes, ticket.as_deref());
                }
            }
            if state.cut.get() {
                return true;
            }
            if self.written == self.bytes.len() {
                self.bytes.clear();
                self.written = 0;
                match self.lines.orders.recv().await {
                    Some(order) => self.add(order),
                    None => return true,
                }
                while self.bytes.len() < BATCH_BYTES
                    && let Ok(order) = self.lines.orders.try_recv()
                {
                    self.add(order);
                }
            }
            if state.frozen.get() {
                sleep(THAW).await;
                continue;
            }
            let rest = &self.bytes[self.written..];
            let rate = state.bytes_per_second.get() as usize;
            let slice = if rate == 0 { rest.len() } else { rest.len().min((rate / 20).max(1)) };
            match io.write(&rest[..slice]).await {
                Ok(count) if count > 0 => self.written += count,
                _ => return false,
            }
            if io.flush().await.is_err() {
                return false;
            }
            if rate > 0 {
                sleep(SLOW).await;
            }
        }
    }

    fn add(&mut self, order: Order) {
        self.bytes.extend_from_slice(&order.bytes);
        self.frames.push_back((self.bytes.len(), order.bytes.len(), order.ticket));
    }
}
