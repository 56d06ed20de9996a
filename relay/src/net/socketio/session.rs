//! What a session does with what comes, and with time.

use std::sync::atomic::Ordering::Relaxed;

use sha2::{Digest, Sha256};

use crate::fanout::slab::Slot;
use crate::limits::{CLIENT_MESSAGE_BYTES_MAX, SOCKETIO_PACKETS_PER_SECOND};
use crate::net::conn::{MESSAGES_WINDOW_MS, Speaks, Stage, slot_of};
use crate::net::shard::Shard;
use crate::net::shared::Shared;
use crate::net::socketio::Client;
use crate::wire::close::CloseReason;
use crate::wire::dialect::Dialect;
use crate::wire::rate::Limit;
use crate::wire::socketio::output::{End, Output, Outputs};
use crate::wire::socketio::reply;
use crate::wire::socketio::session::Timing;
use crate::wire::socketio::sid::{RANDOM_BYTES, Sid};
use crate::wire::socketio::url::Transport;
use crate::wire::ws::encode;

/// An id that nobody can guess who does not know the process's secret, of a session of this shard.
pub fn new_sid(shared: &Shared, shard: usize) -> Sid {
    let count = shared.sids.fetch_add(1, Relaxed);
    let mut hash = Sha256::new();
    // The first word keeps these apart from whatever else is made of the secret.
    hash.update(b"socketio sid");
    hash.update(shared.secret.to_be_bytes());
    hash.update(count.to_be_bytes());
    let mut random = [0; RANDOM_BYTES];
    random.copy_from_slice(&hash.finalize()[..RANDOM_BYTES]);
    Sid::new(shard as u16, random)
}

impl Shard {
    pub(super) fn client(&mut self, slot: Slot) -> Option<&mut Client> {
        match &mut self.fanout.session_mut(slot)?.conn.speaks {
            Speaks::SocketIo(client) => Some(client),
            _ => None,
        }
    }

    /// The session of that id, if it began here and lives.
    pub(super) fn session_of(&mut self, sid: Sid) -> Option<Slot> {
        let (slot, generation) = slot_of(*self.socketio.keys.get(&sid)?);
        let session = self.fanout.tenant_mut(slot, generation)?;
        (session.conn.stage == Stage::Open).then_some(slot)
    }

    pub(super) fn socketio_time(&self) -> (u64, Timing) {
        (self.shared.clock.now_ms(), self.shared.config.socketio.timing)
    }

    /// A session that has just been opened can be asked for, and is told what it needs to know.
    pub(in crate::net) fn greet_socketio(&mut self, slot: Slot) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        let Speaks::SocketIo(client) = &session.conn.speaks else { return };
        let (sid, key, transport) = (client.sid, session.conn.key, client.session.transport());
        self.socketio.keys.insert(sid, key);
        if transport == Transport::WebSocket {
            let (_, timing) = self.socketio_time();
            let open = reply::open(&sid.text(), transport, &timing, CLIENT_MESSAGE_BYTES_MAX);
            self.say(slot, open.as_bytes());
        }
    }

    /// A packet as text.
    pub(in crate::net) fn take_socketio(&mut self, slot: Slot, text: &str) {
        if !self.is_within_packet_rate(slot) {
            return self.close(slot, CloseReason::RateLimited);
        }
        let (now_ms, timing) = self.socketio_time();
        let Some(client) = self.client(slot) else { return };
        let outputs = client.session.text(text, now_ms, &timing);
        self.apply(slot, outputs);
    }

    pub(in crate::net) fn take_socketio_binary(&mut self, slot: Slot) {
        if !self.is_within_packet_rate(slot) {
            return self.close(slot, CloseReason::RateLimited);
        }
        let Some(client) = self.client(slot) else { return };
        let outputs = client.session.binary();
        self.apply(slot, outputs);
    }

    /// A sweep comes by.
    pub(in crate::net) fn tend_socketio(&mut self, slot: Slot) {
        let (now_ms, timing) = self.socketio_time();
        let Some(session) = self.fanout.session_mut(slot) else { return };
        let conn = &mut session.conn;
        let Speaks::SocketIo(client) = &mut conn.speaks else { return };
        if conn.stage != Stage::Open {
            return;
        }
        match client.polled {
            Some(_) => self.socketio.seen.polling += 1,
            None => self.socketio.seen.websocket += 1,
        }
        // An idle client keeps no record of its last hundred packets.
        if now_ms < client.session.due_ms() {
            return;
        }
        let outputs = client.session.poll(now_ms, &timing);
        if outputs.iter().any(|output| matches!(output, Output::Send(_))) {
            self.shared.metrics.shards[self.id].counters.pings.one();
        }
        self.apply(slot, outputs);
    }

    pub(super) fn apply(&mut self, slot: Slot, outputs: Outputs<'_>) {
        for output in outputs {
            match output {
                Output::Send(packet) => self.say(slot, packet.as_bytes()),
                Output::Reply(packet) => {
                    if let Some(probe) = self.probe_of(slot) {
                        self.say(probe, packet.as_bytes());
                    }
                }
                Output::CloseProbe => {
                    if let Some(probe) = self.probe_of(slot) {
                        self.close_probe(probe);
                    }
                }
                Output::ReleasePoll => self.release_poll(slot),
                Output::Upgraded => self.move_onto_probe(slot),
                Output::Connect { api_key } => self.decide(slot, api_key.as_deref()),
                Output::Event(event) => self.take_event(slot, &event),
                Output::Binary { ack } => self.refuse_binary_event(slot, ack.as_deref()),
                Output::Leave => self.leave_namespace(slot),
                Output::Close(end) => self.end_socketio(slot, end),
            }
        }
    }

    fn decide(&mut self, slot: Slot, api_key: Option<&str>) {
        let may = self.may_connect(slot, api_key);
        let socket_sid = new_sid(&self.shared, self.id).text();
        let Some(client) = self.client(slot) else { return };
        let packet = match may {
            true => client.session.accept(&socket_sid),
            false => client.session.refuse().map(str::to_owned),
        };
        if !may {
            self.shared.metrics.shards[self.id].counters.socketio_unauthorized.one();
        }
        if let Some(packet) = packet {
            self.say(slot, packet.as_bytes());
        }
    }

    /// Whether a client with this key is let in, and has a place of its account's. Without accounts any text will do: the
    /// dialect's own document asks for one.
    fn may_connect(&mut self, slot: Slot, api_key: Option<&str>) -> bool {
        let needs_key = self.shared.config.socketio.require_key;
        if self.shared.config.access.accounts.is_empty() {
            return api_key.is_some() || !needs_key;
        }
        let shared = self.shared.clone();
        let Some(session) = self.fanout.session_mut(slot) else { return false };
        let ticket = &mut session.conn.ticket;
        match shared.admit_key(api_key, Dialect::SocketIo, ticket.is_loopback(), needs_key) {
            Ok(rights) => {
                // Who connects again after it left is counted anew.
                ticket.leave_account();
                let has_room = ticket.take_account(&rights);
                if !has_room {
                    shared.metrics.shards[self.id].counters.refused_account.one();
                }
                has_room
            }
            Err(_) => false,
        }
    }

    /// Its subscriptions end and nothing it asked is answered; the transport stays.
    fn leave_namespace(&mut self, slot: Slot) {
        let names: Vec<String> = self.fanout.list(slot).into_iter().map(str::to_owned).collect();
        for name in names {
            self.fanout.unsubscribe(slot, &name);
        }
        self.release();
        if let Some(client) = self.client(slot) {
            client.pending = Vec::new();
        }
    }

    /// The protocol ends a session: the reference server closes without a code or a word.
    pub(super) fn end_socketio(&mut self, slot: Slot, end: End) {
        tracing::debug!(%end, "a Socket.IO session ends");
        let mut frame = Vec::new();
        encode::close(None, "", &mut frame);
        if self.begin_close(slot, &frame) {
            self.shared.metrics.shards[self.id].closes.one(end.reason());
        }
    }

    /// A connection closes or is gone: who else is part of its session gets to know.
    pub(in crate::net) fn part_socketio(&mut self, slot: Slot) {
        let Some(session) = self.fanout.session(slot) else { return };
        match &session.conn.speaks {
            Speaks::SocketIoProbe(_) => self.part_with_probe(slot),
            Speaks::SocketIo(client) => {
                self.socketio.keys.remove(&client.sid);
                if let Some(probe) = self.probe_of(slot) {
                    self.close_probe(probe);
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_within_packet_rate(&mut self, slot: Slot) -> bool {
        let now_ms = self.shared.clock.now_ms();
        let Some(session) = self.fanout.session_mut(slot) else { return true };
        if session.conn.ticket.is_exempt() {
            return true;
        }
        let limit = Limit { most: SOCKETIO_PACKETS_PER_SECOND, window_ms: MESSAGES_WINDOW_MS };
        session.conn.rate.get_or_insert_default().take(limit, now_ms).is_ok()
    }
}
