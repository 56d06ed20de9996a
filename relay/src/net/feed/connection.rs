//! One life of one connection, from the dial to its end.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_rustls::rustls::ClientConfig;

use super::shared::Shared;
use super::writer::Outgoing;
use super::{DialError, Sink, Target, dial, reader, writer};
use crate::venue::adapter::Conversation;
use crate::venue::manager::{Conn, Loss};

/// What is said on it: the driver composes, the reader decodes, both on one thread.
pub(super) type Talk = Rc<RefCell<Box<dyn Conversation>>>;

/// The driver's ends of it. Dropping them makes the writer say goodbye and end.
pub(super) struct Handle {
    pub conn: Conn,
    pub talk: Talk,
    pub queue: mpsc::UnboundedSender<Outgoing>,
    pub abort_reader: tokio::task::AbortHandle,
    /// Dropped together with the queue: limits how long a stuck writer may linger.
    _ended: oneshot::Sender<()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.abort_reader.abort();
    }
}

/// Where a connection of a lane goes to.
pub(super) struct Place {
    pub target: Target,
    pub tls: Option<Arc<ClientConfig>>,
}

/// Starts the life; its tasks belong to `tasks`.
pub(super) fn start<S: Sink + 'static>(
    tasks: &mut tokio::task::JoinSet<()>,
    shared: &Rc<Shared<S>>,
    place: Place,
    talk: Box<dyn Conversation>,
    conn: Conn,
) -> Handle {
    let (queue, outgoing) = mpsc::unbounded_channel();
    let (_ended, ended) = oneshot::channel();
    let (to_writer, for_writer) = oneshot::channel();
    tasks.spawn_local(async move {
        // Not connected: nothing to write, nothing to say.
        if let Ok(socket) = for_writer.await {
            writer::write(socket, outgoing, ended).await;
        }
    });
    let talk: Talk = Rc::new(RefCell::new(talk));
    let heard = Rc::clone(&talk);
    let shared = Rc::clone(shared);
    let abort_reader = tasks.spawn_local(async move {
        let dialled = match dial::dial_target(&place.target, place.tls.as_ref()).await {
            Ok(dialled) => dialled,
            Err(error) => return shared.lost(conn, loss(error)),
        };
        // Fails only if the writer is gone, and then this task is about to be aborted.
        let _ = to_writer.send(dialled.write);
        shared.connected(conn, &heard);
        let why = reader::read(&shared, conn, &heard, dialled.read, dialled.leftover).await;
        shared.lost(conn, why);
    });
    Handle { conn, talk, queue, abort_reader, _ended }
}

fn loss(error: DialError) -> Loss {
    match error {
        DialError::Status { status, retry_after_ms } => Loss::Refused { status: status.as_u16(), retry_after_ms },
        other => Loss::NotConnected(other.to_string()),
    }
}
