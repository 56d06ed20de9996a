//! Clients of the Socket.IO dialect: sessions that outlive a connection, by polling, by WebSocket, or first one and
//! then the other.
//!
//! A session lives on the shard that its id names, as a session of the fan-out. While it is polled it has no socket:
//! what the fan-out writes lands in its [`outbox`], and HTTP requests, on whichever shard they came in, reach it as
//! [`Letter`]s ([`requests`]). [`session`] does what the protocol says, [`event`] what the client wishes, and [`probe`] gives a
//! polled session a WebSocket.

pub mod event;
pub mod outbox;
pub mod probe;
pub mod requests;
pub mod session;

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::RandomState;
use tokio::sync::oneshot;

use self::event::Pending;
use self::outbox::Polled;
use super::admission::Ticket;
use crate::fanout::slab::Slot;
use crate::wire::socketio::session::{KeyRule, Session, Timing};
use crate::wire::socketio::sid::Sid;
use crate::wire::socketio::url::{Refusal, Request, Transport};

/// What a session keeps for its dialect.
pub struct Client {
    session: Session,
    sid: Sid,
    next_token: u32,
    /// Acknowledgements that wait for the market.
    pending: Vec<Pending>,
    /// While it has no WebSocket.
    polled: Option<Box<Polled>>,
}

/// A second socket, until its session moves onto it or it is closed.
pub struct Probe {
    sid: Sid,
    /// The session, as its shard knows it, once the socket is there.
    session: Option<u64>,
}

impl Client {
    pub fn new(sid: Sid, transport: Transport, key_rule: KeyRule, now_ms: u64, timing: &Timing) -> Client {
        let session = Session::open(transport, key_rule, now_ms, timing);
        let polled = match transport {
            Transport::Polling => Some(Box::default()),
            Transport::WebSocket => None,
        };
        Client { session, sid, next_token: 0, pending: Vec::new(), polled }
    }
}

impl Probe {
    pub fn new(sid: Sid) -> Probe {
        Probe { sid, session: None }
    }
}

/// The sessions of one shard.
#[derive(Default)]
pub struct Sessions {
    /// Those that began here, by id. One that moves to another shard has a WebSocket, and nobody asks for it by id.
    keys: HashMap<Sid, u64, RandomState>,
    /// Those whose waiting poll can be answered.
    pub(super) due: Vec<u64>,
    /// The session that has just taken a probe's socket, and with it what was read and not yet acted upon.
    pub(super) moved: Option<Slot>,
    /// What the sweep has seen so far: sessions that are polled, and sessions with a WebSocket.
    pub(super) seen: Seen,
}

#[derive(Clone, Copy, Default)]
pub struct Seen {
    pub polling: u64,
    pub websocket: u64,
}

/// What an HTTP request wants of a session.
pub enum Letter {
    /// A new session, to be polled.
    Open { sid: Sid, ticket: Ticket, notices: bool },
    /// Whether a session takes such a request now; a post is then under way.
    Admit { request: Request, sid: Sid, answer: oneshot::Sender<Result<(), Refusal>> },
    /// Packets, whenever there are some.
    Poll { sid: Sid, answer: oneshot::Sender<Result<Vec<u8>, Refusal>> },
    /// The post's packets; none if it failed.
    Posted { sid: Sid, body: Option<Bytes>, answer: Option<oneshot::Sender<()>> },
    /// Packets whose client left before it was answered.
    Unread { sid: Sid, packets: Vec<u8> },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a session adds to its place in the slab: an idle one by WebSocket is to cost 1 KiB in all, a polled one 4.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Client>() <= 128, "{}", size_of::<Client>());
        assert!(size_of::<Polled>() <= 64, "{}", size_of::<Polled>());
    }
}
