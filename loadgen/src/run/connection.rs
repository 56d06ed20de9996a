//! One client: its handshake, its frames, and what it has seen. No socket: bytes and the time come in.

use super::check::{Cursor, Seen};
use super::tally::{Role, Tally};
use crate::event::{self, NameTemplate, Unverified};
use crate::frame::{self, Frame, Sender};
use crate::handshake::{self, Refused};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connecting,
    Upgrading,
    Open,
    /// We sent CLOSE and wait for the answer.
    Closing,
    /// Over, by a CLOSE or an error that is counted already.
    Done,
}

/// What all connections of a run have in common.
pub struct Common {
    pub accept: String,
    pub template: NameTemplate,
    /// Events come inside `{"stream":…,"data":…}`.
    pub combined: bool,
}

pub struct Connection {
    pub role: Role,
    pub phase: Phase,
    cursors: Vec<Cursor>,
    /// The start of what is not complete yet.
    rest: Vec<u8>,
    opened_ns: u64,
    last_event_ns: u64,
    /// The longest time between two events, and when it ended.
    pub silence_ns_max: u64,
    pub silence_ended_ns: u64,
}

impl Connection {
    pub fn new(role: Role, topics: impl Iterator<Item = u32>) -> Self {
        Self {
            role,
            phase: Phase::Connecting,
            cursors: topics.map(Cursor::new).collect(),
            rest: Vec::new(),
            opened_ns: 0,
            last_event_ns: 0,
            silence_ns_max: 0,
            silence_ended_ns: 0,
        }
    }

    pub fn cursors(&self) -> &[Cursor] {
        &self.cursors
    }

    pub fn has_events(&self) -> bool {
        self.last_event_ns > 0
    }

    /// Takes what was read; what must be answered is appended to `reply`.
    pub fn receive(&mut self, bytes: &[u8], common: &Common, tally: &mut Tally, now_ns: u64, reply: &mut Vec<u8>) {
        if self.rest.is_empty() {
            let taken = self.take(bytes, common, tally, now_ns, reply);
            self.rest.extend_from_slice(&bytes[taken..]);
        } else {
            let mut joined = std::mem::take(&mut self.rest);
            joined.extend_from_slice(bytes);
            let taken = self.take(&joined, common, tally, now_ns, reply);
            // An idle connection keeps no buffer.
            self.rest = joined[taken..].to_vec();
        }
    }

    fn take(&mut self, bytes: &[u8], common: &Common, tally: &mut Tally, now_ns: u64, reply: &mut Vec<u8>) -> usize {
        let mut start = 0;
        if self.phase == Phase::Upgrading {
            match handshake::check_response(bytes, &common.accept) {
                Ok(None) => return 0,
                Ok(Some(length)) => {
                    start = length;
                    self.phase = Phase::Open;
                    self.opened_ns = now_ns;
                    tally.group(self.role).opened += 1;
                }
                Err(refused) => {
                    let why = match refused {
                        Refused::Status(status) => status.to_string(),
                        Refused::Malformed(reason) => reason.to_owned(),
                    };
                    *tally.refused.entry(why).or_default() += 1;
                    tally.group(self.role).failed += 1;
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
                    self.frame(&frame, payload, common, tally, now_ns, reply);
                }
                Ok(None) => return start,
                Err(reason) => {
                    *tally.protocol_errors.entry(reason).or_default() += 1;
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
        common: &Common,
        tally: &mut Tally,
        now_ns: u64,
        reply: &mut Vec<u8>,
    ) {
        match frame.opcode {
            frame::TEXT if frame.fin => self.text(payload, common, tally, now_ns),
            frame::PING => frame::encode_client(reply, frame::PONG, payload),
            frame::PONG => {}
            frame::CLOSE => {
                if self.phase == Phase::Open {
                    *tally.group(self.role).closes.entry(frame::close_code(payload)).or_default() += 1;
                    frame::encode_client(reply, frame::CLOSE, &payload[..payload.len().min(2)]);
                }
                self.phase = Phase::Done;
            }
            // The relay sends an event as one frame; anything else would surprise its clients.
            _ => *tally.protocol_errors.entry("a data frame is fragmented or binary").or_default() += 1,
        }
    }

    fn text(&mut self, payload: &[u8], common: &Common, tally: &mut Tally, now_ns: u64) {
        let (name, event) = match event::unwrap_combined(payload).filter(|_| common.combined) {
            Some((name, event)) => (Some(name), event),
            None => (None, payload),
        };
        let mark = match event::verify(event) {
            Ok(mark) => mark,
            Err(Unverified::NoMarker) => return tally.other_frames += 1,
            Err(Unverified::Corrupt) => return tally.corrupted += 1,
        };
        let named_right = name.is_none_or(|name| name == common.template.name(mark.topic).as_bytes());
        let cursor = self.cursors.iter_mut().find(|cursor| cursor.topic == mark.topic);
        let Some(cursor) = cursor.filter(|_| named_right && name.is_some() == common.combined) else {
            return tally.misrouted += 1;
        };
        match cursor.see(mark.seq) {
            Seen::InOrder => {}
            Seen::Skipped(count) => tally.group(self.role).skipped += count,
            Seen::Reordered => tally.reordered += 1,
            Seen::Duplicate => tally.duplicated += 1,
        }
        tally.group(self.role).frames += 1;
        if self.role == Role::Steady {
            self.note_time(tally, now_ns);
            tally.deliver(mark, payload.len(), now_ns);
        }
    }

    fn note_time(&mut self, tally: &mut Tally, now_ns: u64) {
        if self.last_event_ns == 0 {
            tally.all_live_ns = now_ns;
            tally.first_event.saturating_record(now_ns.saturating_sub(self.opened_ns));
        } else if now_ns - self.last_event_ns > self.silence_ns_max {
            self.silence_ns_max = now_ns - self.last_event_ns;
            self.silence_ended_ns = now_ns;
        }
        self.last_event_ns = now_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Kind, Mark};

    fn common(combined: bool) -> Common {
        Common {
            accept: handshake::accept_for(handshake::KEY),
            template: NameTemplate::parse("s{t}@trade").unwrap(),
            combined,
        }
    }

    fn event(topic: u32, seq: u64) -> Vec<u8> {
        let mut event = Vec::new();
        let mark = Mark { due_ns: 5, topic, seq, late_us: 0 };
        event::write(&mut event, Kind::Trade, "s@trade", 200, mark, 0);
        event
    }

    /// However the bytes are cut, the same is seen.
    #[test]
    fn pieces() {
        let mut wire = handshake::response(handshake::KEY);
        for (opcode, payload) in [
            (frame::TEXT, event(3, 1)),
            (frame::TEXT, br#"{"result":null,"id":1}"#.to_vec()),
            (frame::PING, b"hi".to_vec()),
            (frame::TEXT, event(3, 2)),
            (frame::TEXT, event(3, 2)),
            (frame::TEXT, event(3, 5)),
            (frame::TEXT, event(4, 6)),
            (frame::CLOSE, vec![0x03, 0xf5]),
        ] {
            frame::encode_server(&mut wire, opcode, &payload);
        }
        for piece in [1, 2, 7, 100, wire.len()] {
            let mut tally = Tally::new(8, false).unwrap();
            (tally.start_ns, tally.end_ns) = (0, 10);
            let mut connection = Connection::new(Role::Steady, std::iter::once(3));
            connection.phase = Phase::Upgrading;
            let mut reply = Vec::new();
            for bytes in wire.chunks(piece) {
                connection.receive(bytes, &common(false), &mut tally, 9, &mut reply);
            }
            assert_eq!((tally.deliveries, tally.duplicated, tally.misrouted, tally.other_frames), (4, 1, 1, 1));
            assert_eq!(tally.group(Role::Steady).skipped, 2);
            assert_eq!(tally.group(Role::Steady).closes.get(&1013), Some(&1));
            assert_eq!(connection.phase, Phase::Done);
            let pong = frame::decode(&reply, Sender::Client).unwrap().unwrap();
            assert_eq!(pong.opcode, frame::PONG);
        }
    }

    /// A combined frame must carry the name of its event, a raw client must get no wrapper.
    #[test]
    fn wrappers() {
        let wrap = |name: &str| [br#"{"stream":""#, name.as_bytes(), br#"","data":"#, &event(3, 1), b"}"].concat();
        for (combined, payload, misrouted) in
            [(true, wrap("s3@trade"), 0), (true, wrap("s4@trade"), 1), (true, event(3, 1), 1), (false, event(3, 1), 0)]
        {
            let mut tally = Tally::new(8, false).unwrap();
            let mut connection = Connection::new(Role::Steady, std::iter::once(3));
            connection.text(&payload, &common(combined), &mut tally, 9);
            assert_eq!(tally.misrouted, misrouted, "{}", String::from_utf8_lossy(&payload));
        }
    }

    /// A refused upgrade is told by its status.
    #[test]
    fn refused() {
        let mut tally = Tally::new(1, false).unwrap();
        let mut connection = Connection::new(Role::Steady, std::iter::once(0));
        connection.phase = Phase::Upgrading;
        connection.receive(&handshake::plain("429 Too Many", "{}"), &common(false), &mut tally, 9, &mut Vec::new());
        assert_eq!(tally.refused.get("429"), Some(&1));
        assert_eq!(tally.group(Role::Steady).failed, 1);
    }
}
