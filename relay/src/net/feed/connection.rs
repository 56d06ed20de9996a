//! One life of one connection, from the dial to its end.

use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};

use super::hub::Hub;
use super::writer::Outgoing;
use super::{Settings, Sink, dial, reader, writer};
use crate::venue::manager::{Conn, Loss};

/// The driver's ends of it. Dropping them makes the writer say goodbye and end.
pub(super) struct Handle {
    pub conn: Conn,
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

/// Starts the life; its tasks belong to `tasks`.
pub(super) fn start<S: Sink + 'static>(
    tasks: &mut tokio::task::JoinSet<()>,
    hub: &Rc<Hub<S>>,
    settings: &Rc<Settings>,
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
    let (hub, settings) = (Rc::clone(hub), Rc::clone(settings));
    let abort_reader = tasks.spawn_local(async move {
        let dialled = match dial::dial(&settings).await {
            Ok(dialled) => dialled,
            Err(error) => return hub.lost(conn, Loss::NotConnected(error.to_string())),
        };
        // Fails only if the writer is gone, and then this task is about to be aborted.
        let _ = to_writer.send(dialled.write);
        hub.connected(conn);
        let why = reader::read(&hub, conn, dialled.read, dialled.leftover).await;
        hub.lost(conn, why);
    });
    Handle {
        conn,
        queue,
        abort_reader,
        _ended,
    }
}
