//! What HTTP requests want of a session, on the shard that has it.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Client, Letter};
use crate::fanout::slab::Slot;
use crate::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::net::admission::Ticket;
use crate::net::conn::{Conn, INTEREST, Speaks};
use crate::net::shard::Shard;
use crate::wire::close::CloseReason;
use crate::wire::socketio::output::Outputs;
use crate::wire::socketio::payload;
use crate::wire::socketio::sid::Sid;
use crate::wire::socketio::url::{Refusal, Request, Transport};

impl Shard {
    pub(in crate::net) fn take_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Open { sid, ticket, notices } => self.open_polled(sid, ticket, notices),
            Letter::Admit { request, sid, answer } => {
                let admitted = self.admit_request(&request, sid);
                let is_post = matches!(request, Request::Post(_)) && admitted.is_ok();
                // Who left meanwhile posts nothing.
                if answer.send(admitted).is_err() && is_post {
                    self.end_post(sid);
                }
            }
            Letter::Poll { sid, answer } => self.take_poll(sid, answer),
            Letter::Posted { sid, body, answer } => {
                if let Some(body) = body {
                    self.take_post(sid, &body);
                }
                self.end_post(sid);
                if let Some(answer) = answer {
                    // Who left need not be told.
                    let _ = answer.send(());
                }
            }
            Letter::Unread { sid, packets } => self.take_back_packets(sid, packets),
        }
    }

    fn open_polled(&mut self, sid: Sid, ticket: Ticket, notices: bool) {
        let (now_ms, timing) = self.socketio_time();
        let key_rule = self.shared.config.socketio.key_rule();
        let client = Client::new(sid, Transport::Polling, key_rule, now_ms, &timing);
        let speaks = Speaks::SocketIo(Box::new(client));
        let conn = Conn::without_socket(ticket, speaks, CLIENT_MESSAGE_BYTES_MAX, self.tick);
        let slot = self.fanout.open(conn, false, notices);
        self.watch(slot, INTEREST);
        self.greet_socketio(slot);
        if self.shared.is_draining() {
            self.close(slot, CloseReason::Restart);
        }
    }

    fn admit_request(&mut self, request: &Request, sid: Sid) -> Result<(), Refusal> {
        let slot = self.session_of(sid).ok_or(Refusal::UnknownSid)?;
        let client = self.client(slot).ok_or(Refusal::UnknownSid)?;
        client.session.admit(request)?;
        if matches!(request, Request::Post(_)) {
            let outputs = client.session.post_started();
            return self.end_or_go_on(slot, outputs);
        }
        Ok(())
    }

    /// Two at the same time end the session.
    fn end_or_go_on(&mut self, slot: Slot, outputs: Outputs<'static>) -> Result<(), Refusal> {
        self.apply(slot, outputs);
        match self.client(slot) {
            Some(client) if !client.session.is_closed() => Ok(()),
            _ => Err(Refusal::BadRequest),
        }
    }

    fn take_poll(&mut self, sid: Sid, answer: oneshot::Sender<Result<Vec<u8>, Refusal>>) {
        self.shared.metrics.shards[self.id].counters.socketio_polls.one();
        let begun = self.begin_poll(sid);
        let slot = match begun {
            Ok(slot) => slot,
            // Who left need not be told.
            Err(refusal) => return drop(answer.send(Err(refusal))),
        };
        if let Some(polled) = self.polled(slot) {
            polled.poll = Some(answer);
        }
        let outputs = match self.client(slot) {
            Some(client) => client.session.poll_started(),
            None => return,
        };
        self.apply(slot, outputs);
        self.answer_poll(slot);
    }

    /// Whether a poll may wait now. One whose client is gone does not count.
    fn begin_poll(&mut self, sid: Sid) -> Result<Slot, Refusal> {
        self.admit_request(&Request::Poll(sid), sid)?;
        let slot = self.session_of(sid).ok_or(Refusal::UnknownSid)?;
        let waits = self.polled(slot).and_then(|polled| polled.poll.as_ref()).map(|poll| !poll.is_closed());
        let Some(client) = self.client(slot) else { return Err(Refusal::UnknownSid) };
        match waits {
            Some(true) => {
                let outputs = client.session.poll_started();
                self.end_or_go_on(slot, outputs)?;
            }
            Some(false) => client.session.poll_ended(),
            None => {}
        }
        Ok(slot)
    }

    fn take_post(&mut self, sid: Sid, body: &Bytes) {
        self.shared.metrics.shards[self.id].counters.socketio_posts.one();
        let Some(slot) = self.session_of(sid) else { return };
        let packets = match payload::split(body) {
            Ok(packets) => packets,
            Err(broken) => return self.end_socketio(slot, broken.into()),
        };
        for packet in packets {
            if self.session_of(sid) != Some(slot) {
                return;
            }
            self.shared.metrics.shards[self.id].counters.messages_in.one();
            // Its answers are not fetched: there is no room for more of them.
            if self.fanout.session(slot).is_some_and(|session| session.lane_is_full()) {
                return self.close(slot, CloseReason::TooSlow);
            }
            self.take_socketio(slot, packet);
        }
    }

    fn end_post(&mut self, sid: Sid) {
        if let Some(slot) = self.session_of(sid)
            && let Some(client) = self.client(slot)
        {
            client.session.post_ended();
        }
    }
}
