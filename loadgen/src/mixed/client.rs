//! One client: its handshake, its dialogue, its frames. No socket: bytes and the time come in.

use super::judge::{Judge, Seen};
use super::read::{self, Message, Quote};
use super::violations::Kind;
use super::who::{DIALECTS, Dialect, Who};
use super::window::Now;
use crate::frame::{self, Frame, Sender};
use crate::handshake::{self, Refused};
use crate::market;
use std::collections::VecDeque;

/// Messages remembered per dialect and pair: clients of one pair get the same bytes, a moment apart.
const RECENT_MAX: usize = 32;
const QUOTED_BYTES_MAX: usize = 160;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connecting,
    Upgrading,
    Open,
    /// We sent CLOSE and wait for the answer.
    Closing,
    /// Over, and counted.
    Done,
}

/// What all clients of a run have in common.
pub struct Common {
    pub accept: String,
    /// `trade-{base}`: the hub channel of one instrument.
    pub hub_channel: String,
    pub board: String,
    recent: Vec<VecDeque<(Vec<u8>, Quote)>>,
}

impl Common {
    pub fn new(pairs: u32, hub_channel: &str, board: &str) -> Self {
        Self {
            accept: handshake::accept_for(handshake::KEY),
            hub_channel: hub_channel.to_owned(),
            board: board.to_owned(),
            recent: vec![VecDeque::new(); DIALECTS.len() * pairs as usize],
        }
    }

    pub fn channel(&self, pair: u32) -> String {
        self.hub_channel.replace("{base}", &market::base(pair).to_ascii_lowercase())
    }

    /// What a message says, by its very bytes if another client had it just now: reading it takes longer than comparing.
    fn read(&mut self, who: Who, payload: &[u8]) -> Result<Message, String> {
        let pairs = self.recent.len() / DIALECTS.len();
        let slot = who.dialect as usize * pairs + who.pair as usize;
        if let Some((_, quote)) = self.recent[slot].iter().find(|(bytes, _)| bytes == payload) {
            return Ok(Message::Price(*quote));
        }
        let message = match who.dialect {
            Dialect::Stream => read::stream(payload),
            Dialect::Hub => read::hub(payload, &self.channel(who.pair), &self.board),
            Dialect::Deriv => read::deriv(payload, who.index),
            Dialect::Socketio => read::socketio(payload),
        }?;
        if let Message::Price(quote) = message {
            let recent = &mut self.recent[slot];
            recent.truncate(RECENT_MAX - 1);
            recent.push_front((payload.to_vec(), quote));
        }
        Ok(message)
    }
}

pub struct Client {
    pub who: Who,
    pub phase: Phase,
    pub seen: Seen,
    /// The start of what is not complete yet.
    rest: Vec<u8>,
}

impl Client {
    pub fn new(who: Who, pairs: u32) -> Self {
        Self { who, phase: Phase::Connecting, seen: Seen::new(who, pairs), rest: Vec::new() }
    }

    pub fn target(&self) -> String {
        match self.who.dialect {
            Dialect::Stream => format!("/ws/{}", market::stream(self.who.pair)),
            Dialect::Hub => "/ws".to_owned(),
            Dialect::Deriv => "/websockets/v3?app_id=1089".to_owned(),
            Dialect::Socketio => "/currency/?EIO=4&transport=websocket".to_owned(),
        }
    }

    /// What it says once it is connected.
    fn greet(&self, common: &Common, reply: &mut Vec<u8>) {
        let base = market::base(self.who.pair);
        match self.who.dialect {
            // The path said it.
            Dialect::Stream => {}
            Dialect::Hub => {
                let mut names = vec![common.channel(self.who.pair)];
                names.extend(self.who.watches.then(|| common.board.clone()));
                say(reply, &serde_json::json!({"type": "subscribe", "channels": names}).to_string());
            }
            Dialect::Deriv => {
                say(reply, &format!(r#"{{"ticks":"cry{base}USD","subscribe":1,"req_id":{}}}"#, self.who.index));
            }
            // The server speaks first.
            Dialect::Socketio => {}
        }
    }

    /// Takes what was read; what must be answered is appended to `reply`.
    pub fn receive(&mut self, bytes: &[u8], common: &mut Common, judge: &mut Judge, now: Now, reply: &mut Vec<u8>) {
        if self.rest.is_empty() {
            let taken = self.take(bytes, common, judge, now, reply);
            self.rest.extend_from_slice(&bytes[taken..]);
        } else {
            let mut joined = std::mem::take(&mut self.rest);
            joined.extend_from_slice(bytes);
            let taken = self.take(&joined, common, judge, now, reply);
            self.rest = joined[taken..].to_vec();
        }
    }

    fn take(&mut self, bytes: &[u8], common: &mut Common, judge: &mut Judge, now: Now, reply: &mut Vec<u8>) -> usize {
        let who = self.who;
        let mut start = 0;
        if self.phase == Phase::Upgrading {
            match handshake::check_response(bytes, &common.accept) {
                Ok(None) => return 0,
                Ok(Some(length)) => {
                    start = length;
                    self.phase = Phase::Open;
                    judge.tally(who.dialect).opened += 1;
                    self.greet(common, reply);
                }
                Err(refused) => {
                    let why = match refused {
                        Refused::Status(status) => format!("with {status}"),
                        Refused::Malformed(reason) => reason.to_owned(),
                    };
                    judge.violations.note(Kind::Refused, || format!("{who}: upgrade refused, {why}"));
                    self.phase = Phase::Done;
                    return bytes.len();
                }
            }
        }
        while matches!(self.phase, Phase::Open | Phase::Closing) {
            match frame::decode(&bytes[start..], Sender::Server) {
                Ok(Some(frame)) => {
                    let payload = &bytes[start..][frame.payload.clone()];
                    start += frame.payload.end;
                    self.frame(&frame, payload, common, judge, now, reply);
                }
                Ok(None) => return start,
                Err(reason) => {
                    judge.violations.note(Kind::Protocol, || format!("{who}: {reason}"));
                    self.phase = Phase::Done;
                }
            }
        }
        bytes.len()
    }

    fn frame(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        common: &mut Common,
        judge: &mut Judge,
        now: Now,
        reply: &mut Vec<u8>,
    ) {
        let who = self.who;
        match frame.opcode {
            frame::TEXT if frame.fin => self.text(payload, common, judge, now, reply),
            frame::PING => frame::encode_client(reply, frame::PONG, payload),
            frame::PONG => {}
            frame::CLOSE => {
                if self.phase == Phase::Open {
                    let code = frame::close_code(payload);
                    judge.violations.note(Kind::Ended, || format!("{who} was closed with {code}"));
                    frame::encode_client(reply, frame::CLOSE, &payload[..payload.len().min(2)]);
                }
                self.phase = Phase::Done;
            }
            _ => judge.violations.note(Kind::Protocol, || format!("{who}: a frame is fragmented or binary")),
        }
    }

    fn text(&mut self, payload: &[u8], common: &mut Common, judge: &mut Judge, now: Now, reply: &mut Vec<u8>) {
        let who = self.who;
        let seen = &mut self.seen;
        match common.read(who, payload) {
            Ok(Message::Price(quote)) => judge.price(who, seen, quote, payload.len(), now),
            Ok(Message::Tick(tick)) => judge.tick(who, seen, tick, payload.len(), now),
            Ok(Message::Push(push)) => judge.push(who, seen, push, now),
            // Any key will do where none is configured.
            Ok(Message::Opened) => say(reply, r#"40{"api-key":"loadgen"}"#),
            Ok(Message::Ping) => say(reply, "3"),
            Ok(Message::Accepted) => {
                if who.dialect == Dialect::Socketio {
                    let base = market::base(who.pair);
                    say(reply, &format!(r#"42["crypto/onlyListen",{{"base":"USD","symbol":"{base}"}}]"#));
                }
            }
            Err(reason) => {
                let kind = if reason.starts_with(read::NEVER_SAID) { Kind::Changed } else { Kind::Protocol };
                judge.violations.note(kind, || {
                    let text = String::from_utf8_lossy(&payload[..payload.len().min(QUOTED_BYTES_MAX)]);
                    format!("{who}: {reason} in {text}")
                });
            }
        }
    }
}

fn say(reply: &mut Vec<u8>, text: &str) {
    frame::encode_client(reply, frame::TEXT, text.as_bytes());
}
