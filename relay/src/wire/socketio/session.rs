//! One Engine.IO session and the Socket.IO connection in it: what may come when, and what time does.
//!
//! It is told everything and holds no queue: packets of a client that polls wait in the caller's outbox, which after
//! [`Output::Upgraded`] goes out over the WebSocket before anything else. After [`Output::Close`] it says nothing more.

use std::borrow::Cow;

use smallvec::smallvec;

use super::output::{End, Output, Outputs};
use super::packet::{Content, EnginePacket, Packet, ROOT};
use super::reply;
use super::url::{Refusal, Request, Transport};
use crate::wire::json::{Object, ValueKind};

/// The packet that releases a poll when there is nothing to say.
pub const NOOP: &str = "6";
/// The packet that ends a session that polls.
pub const CLOSE: &str = "1";
const PING: &str = "2";
const PROBE: &str = "probe";
const PROBE_ANSWER: &str = "3probe";

/// The waits of all sessions. Clients learn the first two and give the server up after their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub ping_interval_ms: u64,
    pub ping_timeout_ms: u64,
    /// From the start to the first CONNECT that was accepted.
    pub connect_timeout_ms: u64,
    /// From the second socket to the packet that upgrades.
    pub upgrade_timeout_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            connect_timeout_ms: 45_000,
            upgrade_timeout_ms: 10_000,
        }
    }
}

/// Whether a CONNECT without `api-key` is refused before anybody looks at keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    Required,
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Outside: at the start, after a refusal, after leaving.
    Outside,
    /// A CONNECT waits for the caller's decision.
    Asked,
    Joined,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upgrade {
    No,
    /// A second socket is there.
    Opened,
    /// It was probed: polls are answered at once, so that the client can stop polling.
    Probed,
}

/// What a packet with attachments still waits for.
#[derive(Debug)]
struct Awaited {
    left: u8,
    /// Of an event; acknowledgements with attachments are nothing to us.
    is_event: bool,
    ack: Option<Box<str>>,
}

#[derive(Debug)]
pub struct Session {
    /// When the next ping is due or, while one is unanswered, when the client is given up.
    heartbeat_due_ms: u64,
    connect_due_ms: u64,
    upgrade_due_ms: u64,
    awaited: Option<Box<Awaited>>,
    transport: Transport,
    stage: Stage,
    upgrade: Upgrade,
    key_rule: KeyRule,
    awaits_pong: bool,
    is_polled: bool,
    is_posted: bool,
}

const _: () = assert!(size_of::<Session>() <= 64, "an idle session costs at most a cache line");

const NEVER: u64 = u64::MAX;

impl Session {
    /// The open packet is [`reply::open`].
    pub fn open(transport: Transport, key_rule: KeyRule, now_ms: u64, timing: &Timing) -> Self {
        Self {
            heartbeat_due_ms: now_ms.saturating_add(timing.ping_interval_ms),
            connect_due_ms: now_ms.saturating_add(timing.connect_timeout_ms),
            upgrade_due_ms: NEVER,
            awaited: None,
            transport,
            stage: Stage::Outside,
            upgrade: Upgrade::No,
            key_rule,
            awaits_pong: false,
            is_polled: false,
            is_posted: false,
        }
    }

    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Whether events may come and go.
    pub fn is_joined(&self) -> bool {
        self.stage == Stage::Joined
    }

    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// Whether a poll waits for an answer.
    pub fn is_polled(&self) -> bool {
        self.is_polled
    }

    /// Judges a request that named this session, before any 101.
    pub fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let is_free = self.upgrade == Upgrade::No;
        match request {
            _ if self.is_closed() => Err(Refusal::UnknownSid),
            Request::Poll(_) | Request::Post(_) if self.transport == Transport::Polling => Ok(()),
            Request::Upgrade(_) if self.transport == Transport::Polling && is_free => Ok(()),
            _ => Err(Refusal::BadRequest),
        }
    }

    /// A packet that came over the session's transport: one of a POST's body, or a WebSocket's text message.
    pub fn text<'a>(&mut self, text: &'a str, now_ms: u64, timing: &Timing) -> Outputs<'a> {
        if self.is_closed() {
            return smallvec![];
        }
        match EnginePacket::parse(text) {
            Err(broken) => self.close(broken.into()),
            Ok(EnginePacket::Message(message)) => self.message(message),
            Ok(EnginePacket::Binary(_)) => self.binary(),
            Ok(EnginePacket::Ping(_)) => self.close(End::ClientPing),
            Ok(EnginePacket::Pong(_)) => {
                if self.awaits_pong {
                    self.awaits_pong = false;
                    self.heartbeat_due_ms = now_ms.saturating_add(timing.ping_interval_ms);
                }
                smallvec![]
            }
            // By WebSocket the client closes that next.
            Ok(EnginePacket::Close) if self.transport == Transport::Polling => self.close(End::Client),
            Ok(EnginePacket::Close | EnginePacket::Open | EnginePacket::Upgrade | EnginePacket::Noop) => smallvec![],
        }
    }

    /// A binary message: the next attachment of the packet before it.
    pub fn binary<'a>(&mut self) -> Outputs<'a> {
        if self.is_closed() {
            return smallvec![];
        }
        let Some(mut awaited) = self.awaited.take() else {
            return self.close(End::Attachments);
        };
        awaited.left -= 1;
        if awaited.left > 0 {
            self.awaited = Some(awaited);
            return smallvec![];
        }
        if awaited.is_event { smallvec![Output::Binary { ack: awaited.ack }] } else { smallvec![] }
    }

    /// The second socket opened, as [`Self::admit`] allowed.
    pub fn probe_opened<'a>(&mut self, now_ms: u64, timing: &Timing) -> Outputs<'a> {
        let is_possible = !self.is_closed() && self.transport == Transport::Polling && self.upgrade == Upgrade::No;
        if !is_possible {
            return smallvec![Output::CloseProbe];
        }
        self.upgrade = Upgrade::Opened;
        self.upgrade_due_ms = now_ms.saturating_add(timing.upgrade_timeout_ms);
        smallvec![]
    }

    /// A text message on the second socket. Whatever is no part of the probe ends the attempt.
    pub fn probe<'a>(&mut self, text: &str) -> Outputs<'a> {
        if self.is_closed() || self.upgrade == Upgrade::No {
            return smallvec![];
        }
        match EnginePacket::parse(text) {
            Ok(EnginePacket::Ping(PROBE)) => {
                self.upgrade = Upgrade::Probed;
                self.with_release(Output::Reply(PROBE_ANSWER))
            }
            Ok(EnginePacket::Upgrade) => {
                self.probe_closed();
                self.transport = Transport::WebSocket;
                self.with_release(Output::Upgraded)
            }
            _ => self.end_probe(),
        }
    }

    /// A binary message on the second socket.
    pub fn probe_binary<'a>(&mut self) -> Outputs<'a> {
        if self.is_closed() || self.upgrade == Upgrade::No { smallvec![] } else { self.end_probe() }
    }

    /// The second socket is gone, and was not the transport yet.
    pub fn probe_closed(&mut self) {
        self.upgrade = Upgrade::No;
        self.upgrade_due_ms = NEVER;
    }

    /// A poll arrived, as [`Self::admit`] allowed. A second one at the same time ends the session; it is answered
    /// with [`Refusal::BadRequest`].
    pub fn poll_started<'a>(&mut self) -> Outputs<'a> {
        if self.is_closed() {
            return smallvec![];
        }
        if self.is_polled {
            return self.close(End::Overlap);
        }
        self.is_polled = true;
        if self.upgrade == Upgrade::Probed { smallvec![Output::ReleasePoll] } else { smallvec![] }
    }

    /// The poll was answered, or its connection is gone.
    pub fn poll_ended(&mut self) {
        self.is_polled = false;
    }

    /// A post's head arrived; the rules are those of polls.
    pub fn post_started<'a>(&mut self) -> Outputs<'a> {
        if self.is_closed() {
            return smallvec![];
        }
        if self.is_posted {
            return self.close(End::Overlap);
        }
        self.is_posted = true;
        smallvec![]
    }

    pub fn post_ended(&mut self) {
        self.is_posted = false;
    }

    /// Lets the client in: the packet that says so, unless it gave up meanwhile.
    pub fn accept(&mut self, socket_sid: &str) -> Option<String> {
        if self.stage != Stage::Asked {
            return None;
        }
        self.stage = Stage::Joined;
        self.connect_due_ms = NEVER;
        Some(reply::connected(socket_sid))
    }

    /// Keeps the client out. It may ask again on the same transport, until the connect timeout.
    pub fn refuse(&mut self) -> Option<&'static str> {
        if self.stage != Stage::Asked {
            return None;
        }
        self.stage = Stage::Outside;
        Some(reply::UNAUTHORIZED)
    }

    /// The next time [`Self::poll`] has something to do.
    pub fn due_ms(&self) -> u64 {
        if self.is_closed() {
            return NEVER;
        }
        self.heartbeat_due_ms.min(self.connect_due_ms).min(self.upgrade_due_ms)
    }

    /// Time passed.
    pub fn poll<'a>(&mut self, now_ms: u64, timing: &Timing) -> Outputs<'a> {
        if self.is_closed() {
            return smallvec![];
        }
        if now_ms >= self.connect_due_ms {
            return self.close(End::ConnectTimeout);
        }
        let mut outputs = smallvec![];
        if now_ms >= self.upgrade_due_ms {
            outputs = self.end_probe();
        }
        if now_ms < self.heartbeat_due_ms {
            return outputs;
        }
        if self.awaits_pong {
            outputs.extend(self.close(End::PongTimeout));
        } else {
            self.awaits_pong = true;
            self.heartbeat_due_ms = now_ms.saturating_add(timing.ping_timeout_ms);
            outputs.push(Output::Send(PING.into()));
        }
        outputs
    }

    /// The transport is gone; nothing can be said any more.
    pub fn transport_closed<'a>(&mut self) -> Outputs<'a> {
        if self.is_closed() { smallvec![] } else { self.close(End::Client) }
    }

    fn message<'a>(&mut self, message: &'a str) -> Outputs<'a> {
        if self.awaited.is_some() {
            return self.close(End::Attachments);
        }
        let packet = match Packet::parse(message) {
            Ok(packet) => packet,
            Err(broken) => return self.close(broken.into()),
        };
        match (packet.content, self.stage) {
            (Content::Connect { .. }, _) if packet.namespace != ROOT => {
                smallvec![Output::Send(reply::unknown_namespace(packet.namespace).into())]
            }
            (Content::Connect { auth }, Stage::Outside) => self.connect(auth),
            _ if packet.namespace != ROOT => self.close(End::Namespace),
            (Content::Event(event), Stage::Joined) if packet.attachments > 0 => {
                self.await_attachments(packet.attachments, true, event.ack)
            }
            (Content::Event(event), Stage::Joined) => smallvec![Output::Event(event)],
            (Content::Ack, Stage::Joined) if packet.attachments > 0 => {
                self.await_attachments(packet.attachments, false, None)
            }
            (Content::Ack, Stage::Joined) => smallvec![],
            (Content::Disconnect, Stage::Joined) => {
                self.stage = Stage::Outside;
                smallvec![Output::Leave]
            }
            _ => self.close(End::Namespace),
        }
    }

    fn connect<'a>(&mut self, auth: Option<&'a str>) -> Outputs<'a> {
        let api_key = auth.and_then(api_key);
        if api_key.is_none() && self.key_rule == KeyRule::Required {
            return smallvec![Output::Send(reply::UNAUTHORIZED.into())];
        }
        self.stage = Stage::Asked;
        smallvec![Output::Connect { api_key }]
    }

    fn await_attachments<'a>(&mut self, left: u8, is_event: bool, ack: Option<&str>) -> Outputs<'a> {
        self.awaited = Some(Box::new(Awaited { left, is_event, ack: ack.map(Into::into) }));
        smallvec![]
    }

    fn with_release<'a>(&self, output: Output<'a>) -> Outputs<'a> {
        let mut outputs = smallvec![output];
        if self.is_polled {
            outputs.push(Output::ReleasePoll);
        }
        outputs
    }

    fn end_probe<'a>(&mut self) -> Outputs<'a> {
        self.probe_closed();
        smallvec![Output::CloseProbe]
    }

    fn close<'a>(&mut self, end: End) -> Outputs<'a> {
        let mut outputs = smallvec![];
        if self.upgrade != Upgrade::No {
            self.probe_closed();
            outputs.push(Output::CloseProbe);
        }
        self.stage = Stage::Closed;
        self.awaited = None;
        outputs.push(Output::Close(end));
        outputs
    }
}

/// The key in a CONNECT's data, which is a JSON object. A key that was written as a number is its digits.
fn api_key(auth: &str) -> Option<Cow<'_, str>> {
    let mut object = Object::open(auth)?;
    let mut key = None;
    while let Ok(Some(member)) = object.next() {
        if member.key() == "api-key" {
            key = match member.value.kind {
                ValueKind::Number => Some(Cow::Borrowed(member.value.text)),
                _ => member.value.string(),
            };
        }
    }
    key.filter(|key| !key.is_empty())
}
