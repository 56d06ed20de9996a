//! The way from the venue to one socket: frames wait here until the socket's task writes them.

use super::fault::{Corruption, Handling};
use super::truth::Ticket;
use crate::frame;
use std::cell::Cell;
use std::rc::Rc;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Real venues cut those who do not take what they asked for.
const QUEUED_BYTES_MAX: usize = 128 * 1024 * 1024;

#[derive(Default)]
pub struct State {
    pub frozen: Cell<bool>,
    /// 0 for no bound.
    pub bytes_per_second: Cell<u64>,
    /// End with a reset, and do not write what waits.
    pub cut: Cell<bool>,
    queued_bytes: Cell<usize>,
    sent: Cell<u64>,
    /// A frame went out that ends every connection whose peer keeps to RFC 6455: what follows is read by nobody.
    broken: Cell<bool>,
    /// The venue is done with the connection: the socket's task must not wait for its peer any longer.
    pub over: Notify,
}

pub struct Order {
    pub bytes: Vec<u8>,
    pub ticket: Option<Rc<Ticket>>,
}

/// The venue's end.
pub struct Line {
    orders: UnboundedSender<Order>,
    state: Rc<State>,
}

/// The socket's end.
pub struct Lines {
    pub orders: UnboundedReceiver<Order>,
    pub state: Rc<State>,
}

pub fn new() -> (Line, Lines) {
    let (sender, orders) = unbounded_channel();
    let state = Rc::<State>::default();
    (Line { orders: sender, state: Rc::clone(&state) }, Lines { orders, state })
}

impl Line {
    pub fn send(&self, bytes: Vec<u8>, ticket: Option<Rc<Ticket>>) {
        self.state.queued_bytes.set(self.state.queued_bytes.get() + bytes.len());
        let ticket = ticket.filter(|_| !self.state.broken.get());
        // A socket whose task has ended takes nothing more: its connection is about to be told gone.
        let _ = self.orders.send(Order { bytes, ticket });
    }

    /// Sends something else than `text`.
    pub fn send_corrupted(&self, how: Corruption, text: &str) {
        self.send(corrupted(how, text), None);
        if matches!(how, Corruption::Utf8 | Corruption::Protocol | Corruption::Huge) {
            self.state.broken.set(true);
        }
    }

    pub fn say_frame(&self, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(payload.len() + 10);
        frame::encode_server(&mut bytes, opcode, payload);
        self.send(bytes, None);
    }

    pub fn handle(&self, handling: Handling) {
        self.state.frozen.set(handling.frozen);
        self.state.bytes_per_second.set(handling.bytes_per_second.unwrap_or(0));
    }

    pub fn is_overfull(&self) -> bool {
        self.state.queued_bytes.get() > QUEUED_BYTES_MAX
    }

    pub fn cut(&self) {
        self.state.cut.set(true);
    }

    /// Messages of streams that the kernel took.
    pub fn sent(&self) -> u64 {
        self.state.sent.get()
    }

    /// What waits is still written if the peer takes it in time, then the socket closes.
    pub fn finish(self) {
        self.state.frozen.set(false);
        self.state.over.notify_one();
    }
}

impl State {
    /// The kernel took a frame of so many bytes.
    pub fn written(&self, bytes: usize, ticket: Option<&Ticket>) {
        self.queued_bytes.set(self.queued_bytes.get() - bytes);
        if let Some(ticket) = ticket {
            ticket.send();
            self.sent.set(self.sent.get() + 1);
        }
    }
}

/// A frame, or what looks like one, in place of `text`.
fn corrupted(how: Corruption, text: &str) -> Vec<u8> {
    const HUGE_BYTES: usize = 64 * 1024 * 1024;
    let mut bytes = Vec::new();
    let bad_utf8;
    let huge;
    let payload: &[u8] = match how {
        Corruption::Garbage => b"\x7b\x22garbage\x22:]]\x00\x01 no JSON at all",
        Corruption::Utf8 => {
            bad_utf8 = [&text.as_bytes()[..text.floor_char_boundary(text.len() / 2)], b"\xff\xc0"].concat();
            &bad_utf8
        }
        Corruption::Truncated => &text.as_bytes()[..text.floor_char_boundary(text.len() / 2)],
        Corruption::Huge => {
            huge = vec![b' '; HUGE_BYTES];
            &huge
        }
        Corruption::Protocol => {
            // A reserved bit, and a length of nothing.
            return vec![0xc1, 0];
        }
    };
    frame::encode_server(&mut bytes, frame::TEXT, payload);
    bytes
}
