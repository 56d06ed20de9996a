//! The read half: publishes every frame that a read brought before anything else has its turn.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use fastwebsockets::{Frame, OpCode, Role, WebSocket, WebSocketError};

use super::connection::Talk;
use super::dial::ReadHalf;
use super::inlet::Inlet;
use super::message::{Joined, Joiner};
use super::shared::{Moment, Shared};
use super::{DropReason, Sink};
use crate::limits::UPSTREAM_MESSAGE_BYTES_MAX;
use crate::venue::manager::{Conn, Loss};

/// Frames published at most before others have their turn,
const FRAMES_PER_TURN: usize = 256;
/// or the time they may take.
const TURN_NS: u64 = 1_000_000;

/// A frame is skipped up to this size. Above it fastwebsockets gives up in the middle of the frame, and so do we.
const SKIPPED_FRAME_BYTES_MAX: usize = 16 * UPSTREAM_MESSAGE_BYTES_MAX;

/// Reads until the connection ends, and says why it did.
pub(super) async fn read<S: Sink>(
    shared: &Shared<S>,
    conn: Conn,
    talk: &Talk,
    socket: ReadHalf,
    leftover: bytes::Bytes,
) -> Loss {
    let is_fresh = Rc::new(Cell::new(false));
    let mut socket = WebSocket::after_handshake(Inlet::new(socket, leftover, Rc::clone(&is_fresh)), Role::Client);
    socket.set_auto_pong(false);
    socket.set_auto_close(false);
    // "At least this long" is too big for fastwebsockets.
    socket.set_max_message_size(SKIPPED_FRAME_BYTES_MAX + 1);

    let mut joiner = Joiner::new(UPSTREAM_MESSAGE_BYTES_MAX);
    let mut at = shared.now();
    let mut turn = Turn { frames: 0, since_ns: at.monotonic_ns };
    loop {
        let result = {
            // `read_frame` loses bytes when it is dropped half-way: one future is polled to its end, whatever happens
            // between its polls.
            let mut reading = pin!(socket.read_frame());
            match poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
                Poll::Ready(result) => result,
                Poll::Pending => {
                    shared.end_of_read(conn);
                    let result = reading.await;
                    turn = Turn { frames: 0, since_ns: shared.now_ns() };
                    result
                }
            }
        };
        if is_fresh.take() {
            at = shared.now();
        }
        let ended = match result {
            Ok(frame) => take(shared, conn, talk, &mut joiner, &frame, at),
            // The frame was read whole before it was found out, so what follows is intact.
            Err(WebSocketError::InvalidUTF8) => {
                shared.dropped(DropReason::NotUtf8);
                None
            }
            Err(error) => Some(broken(shared, error)),
        };
        if let Some(loss) = ended {
            shared.end_of_read(conn);
            return loss;
        }
        turn.frames += 1;
        if turn.frames >= FRAMES_PER_TURN || shared.now_ns() - turn.since_ns >= TURN_NS {
            shared.end_of_read(conn);
            tokio::task::yield_now().await;
            turn = Turn { frames: 0, since_ns: shared.now_ns() };
        }
    }
}

struct Turn {
    frames: usize,
    since_ns: u64,
}

/// Handles one frame; a reason if it ends the connection.
fn take<S: Sink>(
    shared: &Shared<S>,
    conn: Conn,
    talk: &Talk,
    joiner: &mut Joiner,
    frame: &Frame<'_>,
    at: Moment,
) -> Option<Loss> {
    match frame.opcode {
        OpCode::Text | OpCode::Binary | OpCode::Continuation => match joiner.push(frame) {
            Joined::Part => None,
            Joined::Text(text) => {
                shared.message(conn, talk, text, at);
                None
            }
            Joined::Dropped(reason) => {
                shared.dropped(reason);
                None
            }
            Joined::Violation => Some(Loss::Broken("fragments out of order".to_owned())),
        },
        OpCode::Ping => {
            shared.pinged(conn, &frame.payload);
            None
        }
        OpCode::Pong => None,
        OpCode::Close => Some(closed(&frame.payload)),
    }
}

/// The close frame's code and reason (RFC 6455 section 5.5.1); 1005 stands for none.
fn closed(payload: &[u8]) -> Loss {
    let (code, reason) = match payload {
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason).into_owned()),
        _ => (1005, String::new()),
    };
    Loss::Closed { code, reason }
}

fn broken<S: Sink>(shared: &Shared<S>, error: WebSocketError) -> Loss {
    if matches!(error, WebSocketError::FrameTooLarge) {
        shared.dropped(DropReason::TooBig);
    }
    Loss::Broken(error.to_string())
}
