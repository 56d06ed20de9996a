//! A second socket for a session that is polled: tried first, then taken over.

use rustix::event::epoll;

use crate::fanout::slab::Slot;
use crate::net::conn::{INTEREST, Speaks, key, slot_of};
use crate::net::shard::Shard;
use crate::wire::close::CloseReason;
use crate::wire::socketio::output::Outputs;
use crate::wire::socketio::payload;
use crate::wire::socketio::session::Session;
use crate::wire::ws::encode::{self, Opcode};

impl Shard {
    /// The socket is there: from now on its session may move onto it.
    pub(in crate::net) fn probe_opened(&mut self, probe: Slot) {
        let (now_ms, timing) = self.socketio_time();
        let probe_key = key(probe, self.fanout.generation(probe));
        let Some(session) = self.fanout.session(probe) else { return };
        let Speaks::SocketIoProbe(state) = &session.conn.speaks else { return };
        // The session may have ended since it was asked, or another socket may have been quicker.
        let slot = self.session_of(state.sid);
        let opened = slot.and_then(|slot| {
            let client = self.client(slot)?;
            let is_free = client.session.probe_opened(now_ms, &timing).is_empty();
            let polled = client.polled.as_deref_mut().filter(|_| is_free)?;
            polled.probe = Some(probe_key);
            Some(key(slot, self.fanout.generation(slot)))
        });
        if opened.is_none() {
            return self.close_probe(probe);
        }
        if let Some(session) = self.fanout.session_mut(probe)
            && let Speaks::SocketIoProbe(state) = &mut session.conn.speaks
        {
            state.session = opened;
        }
    }

    pub(in crate::net) fn take_probe(&mut self, probe: Slot, text: &str) {
        self.act_on_probe(probe, |session| session.probe(text));
    }

    pub(in crate::net) fn take_probe_binary(&mut self, probe: Slot) {
        self.act_on_probe(probe, |session| session.probe_binary());
    }

    fn act_on_probe(&mut self, probe: Slot, act: impl FnOnce(&mut Session) -> Outputs<'static>) {
        if !self.is_within_packet_rate(probe) {
            return self.close(probe, CloseReason::RateLimited);
        }
        let Some(slot) = self.session_of_probe(probe) else { return self.close(probe, CloseReason::GoingAway) };
        let Some(client) = self.client(slot) else { return };
        let outputs = act(&mut client.session);
        self.apply(slot, outputs);
    }

    fn session_of_probe(&mut self, probe: Slot) -> Option<Slot> {
        let Speaks::SocketIoProbe(state) = &self.fanout.session(probe)?.conn.speaks else { return None };
        let (slot, generation) = slot_of(state.session?);
        self.fanout.tenant_mut(slot, generation).map(|_| slot)
    }

    /// The probe of a session, if it has one.
    pub(super) fn probe_of(&mut self, slot: Slot) -> Option<Slot> {
        let (probe, generation) = slot_of(self.polled(slot)?.probe?);
        self.fanout.tenant_mut(probe, generation).map(|_| probe)
    }

    /// Closes a probe; its session goes on without it.
    pub(super) fn close_probe(&mut self, probe: Slot) {
        let mut frame = Vec::new();
        encode::close(None, "", &mut frame);
        self.begin_close(probe, &frame);
    }

    /// A probe closes or is gone: its session may try another.
    pub(super) fn part_with_probe(&mut self, probe: Slot) {
        let Some(slot) = self.session_of_probe(probe) else { return };
        if let Some(session) = self.fanout.session_mut(probe)
            && let Speaks::SocketIoProbe(state) = &mut session.conn.speaks
        {
            state.session = None;
        }
        let Some(client) = self.client(slot) else { return };
        client.session.probe_closed();
        if let Some(polled) = &mut client.polled {
            polled.probe = None;
        }
    }

    /// The probe's socket becomes the session's, which stays what it is: its positions, its subscriptions, what it is
    /// owed. The packets that no poll has fetched go first.
    pub(super) fn move_onto_probe(&mut self, slot: Slot) {
        let Some(probe) = self.probe_of(slot) else { return };
        self.release_poll_of_old(slot);
        let Some(polled) = self.client(slot).and_then(|client| client.polled.take()) else { return };
        let mut frames = Vec::with_capacity(polled.outbox.len() + encode::HEADER_BYTES_MAX);
        if !polled.outbox.is_empty() {
            for packet in polled.outbox.split(|byte| *byte == payload::SEPARATOR) {
                encode::frame(Opcode::Text, packet, &mut frames);
            }
        }
        // The probe's place in the counts goes with it: the session has its own.
        let Some(conn) = self.fanout.succeed(probe, slot, &frames) else { return };
        let Some(session) = self.fanout.session_mut(slot) else { return };
        let Some(fd) = conn.fd else { return };
        // The change makes the set look again, so nothing that has come meanwhile is overlooked.
        let data = epoll::EventData::new_u64(session.conn.key);
        let watched = epoll::modify(&self.epoll, &fd, data, INTEREST).is_ok();
        session.conn.fd = Some(fd);
        session.conn.armed = false;
        if !watched {
            return self.remove_lost(slot);
        }
        self.socketio.moved = Some(slot);
        self.shared.metrics.shards[self.id].counters.socketio_upgrades.one();
    }

    /// A poll that waits is told nothing more than that: what there is goes over the WebSocket.
    fn release_poll_of_old(&mut self, slot: Slot) {
        let Some(polled) = self.polled(slot) else { return };
        let packets = std::mem::take(&mut polled.outbox);
        self.release_poll(slot);
        if let Some(polled) = self.polled(slot) {
            polled.outbox = packets;
        }
    }
}
