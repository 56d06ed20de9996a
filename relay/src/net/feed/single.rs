//! One connection to one stream of a venue: dialled, read to its end, kept alive by pings.
//!
//! For streams that are not subscribed to on a connection but are its URL. There is nothing to manage then.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use fastwebsockets::{OpCode, Role, WebSocket, WebSocketError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::dial::{DialError, Dialled, Trust, dial_target};
use super::inlet::Inlet;
use super::message::{Joined, Joiner};
use super::writer::{self, Outgoing};
use super::{DropReason, Target};
use crate::limits::UPSTREAM_MESSAGE_BYTES_MAX;

/// How often we ping.
const PING_EVERY: Duration = Duration::from_secs(60);
/// Without a frame for so long, not even an answer to a ping, the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(180);

/// What the connection brought.
pub enum Brought<'a> {
    Text(&'a [u8]),
    Dropped(DropReason),
}

/// An open connection.
pub struct Single {
    dialled: Dialled,
}

impl Single {
    pub async fn open(target: &Target, tls: Trust<'_>) -> Result<Single, DialError> {
        Ok(Single { dialled: dial_target(target, tls).await? })
    }

    /// Reads until it ends, or `take` says that it is enough; says why.
    pub async fn read(self, mut take: impl FnMut(Brought<'_>) -> bool) -> String {
        let Dialled { read, write, leftover } = self.dialled;
        let (queue, outgoing) = mpsc::unbounded_channel();
        let (ended, is_ended) = oneshot::channel();
        let heard = Rc::new(Cell::new(Instant::now()));
        let inlet = Inlet::new(read, leftover, Rc::default());
        let mut reading = Box::pin(frames(inlet, queue.clone(), heard.clone(), &mut take));
        let mut writing = pin!(writer::write(write, outgoing, is_ended));
        let mut ping = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        // Both futures stay where they are, whichever moves: none loses what it has begun.
        let why = loop {
            tokio::select! {
                why = &mut reading => break why,
                () = &mut writing => return "the connection takes nothing".to_owned(),
                _ = ping.tick() => {
                    if heard.get().elapsed() > SILENCE_MAX {
                        break "silence".to_owned();
                    }
                    // The writer is there: it was polled just now.
                    let _ = queue.send(Outgoing::Ping);
                }
            }
        };
        // The end of the queue is a goodbye, which gets half a second.
        drop((reading, queue, ended));
        writing.await;
        why
    }
}

async fn frames(
    inlet: Inlet,
    queue: mpsc::UnboundedSender<Outgoing>,
    heard: Rc<Cell<Instant>>,
    take: &mut dyn FnMut(Brought<'_>) -> bool,
) -> String {
    let mut socket = WebSocket::after_handshake(inlet, Role::Client);
    socket.set_auto_pong(false);
    socket.set_auto_close(false);
    socket.set_max_message_size(UPSTREAM_MESSAGE_BYTES_MAX + 1);
    let mut joiner = Joiner::new(UPSTREAM_MESSAGE_BYTES_MAX);
    loop {
        let frame = match socket.read_frame().await {
            Ok(frame) => frame,
            // The frame was read whole before it was found out, so what follows is intact.
            Err(WebSocketError::InvalidUTF8) => {
                take(Brought::Dropped(DropReason::NotUtf8));
                continue;
            }
            Err(error) => {
                if matches!(error, WebSocketError::FrameTooLarge) {
                    take(Brought::Dropped(DropReason::TooBig));
                }
                return error.to_string();
            }
        };
        heard.set(Instant::now());
        let go_on = match frame.opcode {
            OpCode::Text | OpCode::Binary | OpCode::Continuation => match joiner.push(&frame) {
                Joined::Part => true,
                Joined::Text(text) => take(Brought::Text(text)),
                Joined::Dropped(reason) => take(Brought::Dropped(reason)),
                Joined::Violation => return "fragments out of order".to_owned(),
            },
            // Pings are few, and a writer that is stuck ends the connection.
            OpCode::Ping => queue.send(Outgoing::Pong(frame.payload.to_vec())).is_ok(),
            OpCode::Pong => true,
            OpCode::Close => return "closed by the venue".to_owned(),
        };
        if !go_on {
            return "ended".to_owned();
        }
    }
}
