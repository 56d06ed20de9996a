//! The write half: a small queue, drained in order.

use std::time::Duration;

use fastwebsockets::Frame;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::dial::WriteHalf;

/// How long a close frame may take to get out. The connection is over anyway.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// At most what the manager's limit lets through: it is bounded by the venue's messages per second.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(String),
    Ping,
    Pong(Vec<u8>),
}

/// Ends when the queue is closed, after a close frame; or at once when the socket fails, which the reader sees too.
pub(super) async fn write(
    mut socket: WriteHalf,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    ended: oneshot::Receiver<()>,
) {
    // A write may be stuck in a dead connection: the end of the connection ends it. Dropping the half-done write is
    // fine, because nothing is written after it.
    let is_stuck = tokio::select! {
        result = drain(&mut socket, &mut queue) => result.is_err(),
        _ = async { let _ = ended.await; tokio::time::sleep(CLOSE_MAX).await } => true,
    };
    if !is_stuck {
        let close = send(&mut socket, Frame::close(1000, b""));
        let _ = timeout(CLOSE_MAX, close).await;
        let _ = timeout(CLOSE_MAX, socket.shutdown()).await;
    }
}

async fn drain(socket: &mut WriteHalf, queue: &mut mpsc::UnboundedReceiver<Outgoing>) -> std::io::Result<()> {
    while let Some(outgoing) = queue.recv().await {
        let frame = match outgoing {
            Outgoing::Text(text) => Frame::text(text.into_bytes().into()),
            Outgoing::Ping => Frame::new(true, fastwebsockets::OpCode::Ping, None, Vec::new().into()),
            Outgoing::Pong(payload) => Frame::pong(payload.into()),
        };
        send(socket, frame).await?;
    }
    Ok(())
}

/// Clients mask what they send (RFC 6455 section 5.3).
async fn send(socket: &mut WriteHalf, mut frame: Frame<'_>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    frame.mask();
    let bytes = frame.write(&mut bytes);
    socket.write_all(bytes).await?;
    socket.flush().await
}
