//! Where a polled session's packets wait for the next poll.

use std::io::IoSlice;

use tokio::sync::oneshot;

use crate::fanout::core::Wrote;
use crate::fanout::slab::Slot;
use crate::limits::OUTBOX_BYTES_MAX;
use crate::net::conn::{Conn, Speaks, slot_of};
use crate::net::shard::Shard;
use crate::wire::socketio::polling::{self, FrameEnd};
use crate::wire::socketio::session::{CLOSE, NOOP};
use crate::wire::socketio::url::Refusal;
use crate::wire::socketio::{payload, sid::Sid};

/// What a session has while it has no WebSocket.
#[derive(Default)]
pub struct Polled {
    /// The body of the next answer.
    pub outbox: Vec<u8>,
    /// The request that waits for it.
    pub poll: Option<oneshot::Sender<Result<Vec<u8>, Refusal>>>,
    /// The connection that probes.
    pub probe: Option<u64>,
}

impl Conn {
    /// Takes frames for a client without a socket, as far as the outbox has room: whole ones only.
    pub(in crate::net) fn keep(&mut self, parts: &[IoSlice<'_>], due: &mut Vec<u64>) -> Wrote {
        let Speaks::SocketIo(client) = &mut self.speaks else { return Wrote::Gone };
        let Some(polled) = &mut client.polled else { return Wrote::Gone };
        let taken = polling::unframe(parts.iter().map(|part| &**part), OUTBOX_BYTES_MAX, &mut polled.outbox);
        if let Some(end) = taken.end {
            // Polled sessions are told of their end by a packet.
            debug_assert!(matches!(end, FrameEnd::Close(_)), "the fan-out writes whole frames");
            tracing::error!(?end, "a polled session was written what no poll can carry");
            return Wrote::Gone;
        }
        if polled.poll.is_some() && taken.packets > 0 {
            due.push(self.key);
        }
        Wrote::Bytes(taken.bytes)
    }
}

impl Shard {
    /// Answers the polls that wait and can be; true if that made room for more.
    pub(in crate::net) fn answer_polls(&mut self) -> bool {
        let due = std::mem::take(&mut self.socketio.due);
        for key in &due {
            let (slot, generation) = slot_of(*key);
            if self.fanout.tenant_mut(slot, generation).is_some() {
                self.answer_poll(slot);
            }
        }
        !due.is_empty()
    }

    /// Answers the poll that waits, if there is something to say.
    pub(super) fn answer_poll(&mut self, slot: Slot) {
        let is_empty = |polled: &Polled| polled.outbox.is_empty();
        if self.polled(slot).is_some_and(|polled| !is_empty(polled)) {
            self.release_poll(slot);
        }
    }

    /// Answers the poll that waits, if only to say that there is nothing.
    pub(super) fn release_poll(&mut self, slot: Slot) {
        let Some(polled) = self.polled(slot) else { return };
        let Some(poll) = polled.poll.take() else { return };
        let packets = std::mem::take(&mut polled.outbox);
        let is_noop = packets.is_empty();
        let body = if is_noop { NOOP.into() } else { packets };
        match poll.send(Ok(body)) {
            Ok(()) => self.fanout.writable(slot),
            // Its client left: the packets stay for the next one.
            Err(Ok(packets)) if !is_noop => polled.outbox = packets,
            Err(_) => {}
        }
        if let Some(client) = self.client(slot) {
            client.session.poll_ended();
        }
    }

    /// Packets that were to answer a poll whose client left come back, ahead of what came since.
    pub(super) fn take_back_packets(&mut self, sid: Sid, mut packets: Vec<u8>) {
        let Some(slot) = self.session_of(sid) else { return };
        if let Some(polled) = self.polled(slot) {
            if !polled.outbox.is_empty() {
                payload::push(&polled.outbox, &mut packets);
            }
            polled.outbox = packets;
            return self.answer_poll(slot);
        }
        // It has a WebSocket by now.
        for packet in packets.split(|byte| *byte == payload::SEPARATOR) {
            self.say(slot, packet);
        }
    }

    /// Ends a session that has no socket: at once, for there is nobody to wait for.
    pub(in crate::net) fn end_polled(&mut self, slot: Slot) {
        if let Some(polled) = self.polled(slot)
            && let Some(poll) = polled.poll.take()
        {
            let mut body = std::mem::take(&mut polled.outbox);
            payload::push(CLOSE.as_bytes(), &mut body);
            // Who left need not be told.
            drop(poll.send(Ok(body)));
        }
        self.remove(slot);
    }

    pub(super) fn polled(&mut self, slot: Slot) -> Option<&mut Polled> {
        self.client(slot)?.polled.as_deref_mut()
    }
}
