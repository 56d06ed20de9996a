//! What clients send: read into the shard's one buffer, decoded there, answered at once.

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::conn::{MESSAGES_WINDOW_MS, Speaks, Stage, slot_of};
use super::shard::Shard;
use crate::fanout::slab::Slot;
use crate::limits::{LANE_BYTES_HARD_MAX, READ_BUFFER_BYTES};
use crate::wire::close::CloseReason;
use crate::wire::rate::Limit;
use crate::wire::ws::decode::{Decoder, Inbound};
use crate::wire::ws::encode::{self, Opcode};
use crate::wire::{deriv, hub};

impl Shard {
    /// The socket has something to say. `ended` if the event told of its end or an error: then a short read does not
    /// mean that it is read out.
    pub(super) fn readable(&mut self, slot: Slot, ended: bool) {
        let Some(session) = self.fanout.session(slot) else { return };
        match session.conn.stage {
            Stage::Head => self.peek(slot, ended),
            // Hyper will read it, and see its end.
            Stage::Ready => {}
            Stage::Open | Stage::Closing | Stage::Shut => self.read(slot, ended),
        }
    }

    /// Those who had more than one read's worth, or were not read because they took no answers.
    pub(super) fn read_again(&mut self) {
        for key in std::mem::take(&mut self.again) {
            let (slot, generation) = slot_of(key);
            if self.fanout.tenant_mut(slot, generation).is_some() {
                self.read(slot, true);
            }
        }
        let mut paused = std::mem::take(&mut self.paused);
        paused.retain(|&key| {
            let (slot, generation) = slot_of(key);
            let Some(session) = self.fanout.tenant_mut(slot, generation) else { return false };
            if session.lane_is_full() && session.conn.stage == Stage::Open {
                return true;
            }
            session.conn.paused = false;
            self.again.push(key);
            false
        });
        paused.append(&mut self.paused);
        self.paused = paused;
    }

    fn read(&mut self, slot: Slot, ended: bool) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        let conn = &mut session.conn;
        if conn.paused {
            return;
        }
        let Some(fd) = &conn.fd else { return };
        let bytes = loop {
            match rustix::net::recv(fd, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((bytes, _)) => break bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => return self.remove_lost(slot),
            }
        };
        if bytes == 0 {
            return self.remove_lost(slot);
        }
        let key = conn.key;
        let mut buffer = std::mem::take(&mut self.buffer);
        self.take_bytes(slot, &mut buffer[..bytes]);
        self.buffer = buffer;
        if bytes == READ_BUFFER_BYTES || ended {
            self.again.push(key);
        }
    }

    /// Bytes of a client, as they came.
    pub(super) fn take_bytes(&mut self, mut slot: Slot, bytes: &mut [u8]) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        if session.conn.stage != Stage::Open {
            // After our CLOSE or the client's, whatever comes is thrown away.
            return;
        }
        self.shared.metrics.shards[self.id].counters.bytes_in.add(bytes.len() as u64);
        let session = self.fanout.session_mut(slot).expect("it was just there");
        // The decoder lends messages out while the shard acts on them, so it leaves the connection meanwhile.
        let mut decoder = std::mem::replace(&mut session.conn.decoder, Decoder::new(0));
        let mut input = bytes;
        loop {
            match decoder.next(&mut input) {
                Ok(Some(inbound)) => self.take_message(slot, inbound),
                Ok(None) => break,
                Err(error) => {
                    self.close(slot, error.close());
                    break;
                }
            }
            if self.end_if_too_much(slot) {
                break;
            }
            // A probe that became the transport goes on as the session whose socket it was.
            slot = self.socketio.moved.take().unwrap_or(slot);
            if self.fanout.session(slot).is_none_or(|session| session.conn.stage != Stage::Open) {
                break;
            }
        }
        let Some(session) = self.fanout.session_mut(slot) else { return };
        session.conn.decoder = decoder;
        if session.lane_is_full() && !session.conn.paused {
            session.conn.paused = true;
            self.paused.push(session.conn.key);
        }
    }

    /// A client whose replies pile up beyond all bounds is closed. True if it was.
    pub(super) fn end_if_too_much(&mut self, slot: Slot) -> bool {
        // Who wants its own bytes back may send large ones.
        let too_much = self.fanout.session(slot).is_some_and(|session| {
            session.lane_len() > LANE_BYTES_HARD_MAX && !matches!(session.conn.speaks, Speaks::Echo)
        });
        if too_much {
            self.close(slot, CloseReason::TooSlow);
        }
        too_much
    }

    fn take_message(&mut self, slot: Slot, inbound: Inbound<'_>) {
        if let Inbound::Close { code, .. } = inbound {
            return self.answer_close(slot, code);
        }
        self.shared.metrics.shards[self.id].counters.messages_in.one();
        let tick = self.tick;
        let Some(session) = self.fanout.session_mut(slot) else { return };
        // To these any frame is a sign of life, to stream clients only the pong they are asked for.
        if matches!(session.conn.speaks, Speaks::Deriv(_) | Speaks::Hub(_)) {
            session.conn.heard = tick;
        }
        if !self.is_within_rate(slot) {
            return self.close(slot, CloseReason::RateLimited);
        }
        match inbound {
            Inbound::Text(text) => self.take_text(slot, text),
            Inbound::Binary(bytes) => self.take_binary(slot, bytes),
            Inbound::Ping(payload) => {
                let mut frame = Vec::new();
                encode::frame(Opcode::Pong, payload, &mut frame);
                self.fanout.tell_pong(slot, &frame);
            }
            Inbound::Pong(_) => {
                let tick = self.tick;
                if let Some(session) = self.fanout.session_mut(slot) {
                    session.conn.heard = tick;
                }
            }
            Inbound::Close { .. } => {}
        }
    }

    fn take_text(&mut self, slot: Slot, text: &str) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        match session.conn.speaks {
            Speaks::Stream | Speaks::User(_) => self.take_command(slot, text),
            Speaks::Undecided => self.take_first(slot, text),
            Speaks::Hub(_) => self.take_hub(slot, text),
            Speaks::Deriv(_) => self.take_deriv(slot, text),
            Speaks::SocketIo(_) => self.take_socketio(slot, text),
            Speaks::SocketIoProbe(_) => self.take_probe(slot, text),
            Speaks::Echo => self.echo(slot, Opcode::Text, text.as_bytes()),
        }
    }

    fn take_binary(&mut self, slot: Slot, bytes: &[u8]) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        match session.conn.speaks {
            Speaks::Stream | Speaks::Undecided | Speaks::User(_) => self.refuse_binary(slot),
            Speaks::Hub(_) => self.refuse_hub(slot, &hub::reply::Reject::binary()),
            Speaks::Deriv(_) => self.refuse_deriv(slot, None, "error", &deriv::reject::Reject::bad_request()),
            Speaks::SocketIo(_) => self.take_socketio_binary(slot),
            Speaks::SocketIoProbe(_) => self.take_probe_binary(slot),
            Speaks::Echo => self.echo(slot, Opcode::Binary, bytes),
        }
    }

    fn echo(&mut self, slot: Slot, opcode: Opcode, payload: &[u8]) {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        encode::frame(opcode, payload, &mut frame);
        self.fanout.tell(slot, &frame);
    }

    /// The code goes back exactly as it came, and nothing if none came.
    fn answer_close(&mut self, slot: Slot, code: Option<u16>) {
        let mut frame = Vec::new();
        encode::close(code, "", &mut frame);
        if self.begin_close(slot, &frame) {
            self.shared.metrics.shards[self.id].closes.one(CloseReason::Normal);
        }
    }

    /// The usual limit is that of the stream dialect; what an account may has a limit of its own in any.
    fn is_within_rate(&mut self, slot: Slot) -> bool {
        let shared = self.shared.clone();
        let now_ms = shared.clock.now_ms();
        let Some(session) = self.fanout.session_mut(slot) else { return true };
        let conn = &session.conn;
        let is_limited = conn.speaks.is_stream() && !conn.ticket.is_exempt();
        let usual = shared.config.limits.messages_per_second.filter(|_| is_limited);
        let account = conn.ticket.account().and_then(|place| shared.config.access.accounts.at(place));
        let Some(limit) = account.map_or(usual, |account| account.messages_per_second.over(usual)) else {
            return true;
        };
        let limit = Limit { most: limit as usize, window_ms: MESSAGES_WINDOW_MS };
        session.conn.rate.get_or_insert_default().take(limit, now_ms).is_ok()
    }
}
