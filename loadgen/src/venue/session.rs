//! One upstream connection of a relay: what it subscribed, what it may ask, and what it has not taken yet.
//!
//! No sockets: bytes and the time come in, bytes to send are left in `out`.

use super::counters::Counters;
use super::names::Names;
use crate::frame::{self, Sender};
use crate::handshake;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Real venues cut consumers that fall behind, too.
pub const BACKLOG_BYTES_MAX: usize = 64 * 1024 * 1024;

pub struct Session {
    received: Vec<u8>,
    pub out: Vec<u8>,
    upgraded: bool,
    /// Events come inside `{"stream":…,"data":…}`.
    pub combined: bool,
    names: Vec<String>,
    /// Whether each topic is subscribed.
    pub topics: Vec<bool>,
    recent_requests_ns: VecDeque<u64>,
}

/// What the connection's owner does after the bytes were taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Continue,
    /// Send what is in `out`, then end.
    End,
    /// The same, after the counters were put into `out`.
    Stats,
}

impl Session {
    pub fn new(topics: u32) -> Self {
        Self {
            received: Vec::new(),
            out: Vec::new(),
            upgraded: false,
            combined: false,
            names: Vec::new(),
            topics: vec![false; topics as usize],
            recent_requests_ns: VecDeque::new(),
        }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn receive(&mut self, bytes: &[u8], known: &Names, counters: &mut Counters, now_ns: u64) -> Next {
        self.received.extend_from_slice(bytes);
        if !self.upgraded {
            match self.upgrade(known, counters) {
                Next::Continue => {}
                end => return end,
            }
        }
        let mut start = 0;
        while self.upgraded {
            let frame = match frame::decode(&self.received[start..], Sender::Client) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(reason) => {
                    counters.protocol_errors += 1;
                    self.close(1002, reason);
                    return Next::End;
                }
            };
            let mut payload = self.received[start..][frame.payload.clone()].to_vec();
            frame::apply_mask(&mut payload, frame.mask.expect("the decoder refuses unmasked frames of clients"));
            start += frame.payload.end;
            counters.note_request(&mut self.recent_requests_ns, now_ns);
            match frame.opcode {
                frame::CLOSE => {
                    frame::encode_server(&mut self.out, frame::CLOSE, &payload);
                    return Next::End;
                }
                frame::PING => frame::encode_server(&mut self.out, frame::PONG, &payload),
                frame::PONG => {}
                _ => {
                    let reply = self.request(&payload, known, counters);
                    frame::encode_server(&mut self.out, frame::TEXT, reply.to_string().as_bytes());
                }
            }
        }
        self.received.drain(..start);
        Next::Continue
    }

    fn upgrade(&mut self, known: &Names, counters: &mut Counters) -> Next {
        let (request, length) = match handshake::parse_request(&self.received) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Next::Continue,
            Err(reason) => {
                self.out = handshake::plain("400 Bad Request", &json!({ "error": reason }).to_string());
                return Next::End;
            }
        };
        self.received.drain(..length);
        if request.target == "/stats" {
            return Next::Stats;
        }
        let target = request.target.as_str();
        let names = target.strip_prefix("/ws").map(|rest| (rest.trim_start_matches('/'), false)).or_else(|| {
            let rest = target.strip_prefix("/stream")?;
            Some((rest.strip_prefix("?streams=").unwrap_or(""), true))
        });
        let (Some((names, combined)), Some(key)) = (names, request.key) else {
            self.out = handshake::plain("404 Not Found", "{}");
            return Next::End;
        };
        self.upgraded = true;
        self.combined = combined;
        for name in names.split('/').filter(|name| !name.is_empty()) {
            self.subscribe(name, known, counters);
        }
        counters.upstreams_total += 1;
        self.out.extend_from_slice(&handshake::response(&key));
        Next::Continue
    }

    fn request(&mut self, payload: &[u8], known: &Names, counters: &mut Counters) -> Value {
        let Ok(request) = serde_json::from_slice::<Value>(payload) else {
            counters.bad_requests += 1;
            return json!({"error": {"code": 3, "msg": "Invalid JSON"}});
        };
        let id = &request["id"];
        let names: Vec<&str> = request["params"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match request["method"].as_str() {
            Some("SUBSCRIBE") => names.iter().for_each(|name| self.subscribe(name, known, counters)),
            Some("UNSUBSCRIBE") => names.iter().for_each(|name| self.unsubscribe(name, known, counters)),
            Some("LIST_SUBSCRIPTIONS") => return json!({"result": self.names, "id": id}),
            Some("SET_PROPERTY") => self.combined = request["params"][1].as_bool().unwrap_or(self.combined),
            _ => {
                counters.bad_requests += 1;
                return json!({"error": {"code": 2, "msg": "Invalid request: unknown variant"}, "id": id});
            }
        }
        json!({"result": null, "id": id})
    }

    fn subscribe(&mut self, name: &str, known: &Names, counters: &mut Counters) {
        if self.names.iter().any(|held| held == name) {
            counters.repeated_subscriptions += 1;
            return;
        }
        self.names.push(name.to_owned());
        counters.subscriptions_total += 1;
        // A name we have nothing for is accepted and stays silent, as at the real venues.
        match known.topic(name).and_then(|topic| self.topics.get_mut(topic as usize)) {
            Some(held) => *held = true,
            None => counters.silent_subscriptions_total += 1,
        }
        counters.streams_per_connection_max = counters.streams_per_connection_max.max(self.names.len());
    }

    fn unsubscribe(&mut self, name: &str, known: &Names, counters: &mut Counters) {
        let before = self.names.len();
        self.names.retain(|held| held != name);
        counters.unsubscriptions_total += (before - self.names.len()) as u64;
        if let Some(held) = known.topic(name).and_then(|topic| self.topics.get_mut(topic as usize)) {
            *held = false;
        }
    }

    fn close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        frame::encode_server(&mut self.out, frame::CLOSE, &payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND_NS;
    use crate::event::NameTemplate;

    fn session(target: &str) -> (Session, Counters, Names) {
        let names = Names::Topics { template: NameTemplate::parse("s{t}@trade").unwrap(), count: 3 };
        let mut opened = (Session::new(3), Counters::new(2), names);
        opened.0.receive(&handshake::request("h", target), &opened.2, &mut opened.1, 0);
        assert!(opened.0.out.starts_with(b"HTTP/1.1 101"));
        opened.0.out.clear();
        opened
    }

    fn say(session: &mut Session, counters: &mut Counters, names: &Names, text: &str, at_ns: u64) -> String {
        let mut wire = Vec::new();
        frame::encode_client(&mut wire, frame::TEXT, text.as_bytes());
        session.receive(&wire, names, counters, at_ns);
        let frame = frame::decode(&session.out, Sender::Server).unwrap().unwrap();
        String::from_utf8(session.out.drain(..).collect::<Vec<u8>>()[frame.payload].to_vec()).unwrap()
    }

    /// A relay can subscribe by path and by message, list, and leave again.
    #[test]
    fn dialogue() {
        let (mut session, mut counters, names) = session("/stream?streams=s1@trade");
        assert_eq!((session.combined, &session.topics[..]), (true, &[false, true, false][..]));
        let mut ask = |text: &str| say(&mut session, &mut counters, &names, text, 0);
        let subscribe = r#"{"method":"SUBSCRIBE","params":["s2@trade","x@trade"],"id":7}"#;
        assert_eq!(ask(subscribe), r#"{"id":7,"result":null}"#);
        assert_eq!(
            ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":8}"#),
            r#"{"id":8,"result":["s1@trade","s2@trade","x@trade"]}"#
        );
        ask(r#"{"method":"UNSUBSCRIBE","params":["s1@trade"],"id":9}"#);
        assert!(ask("{").contains("Invalid JSON"));
        assert_eq!(session.topics, [false, false, true]);
        assert_eq!((counters.subscriptions_total, counters.silent_subscriptions_total), (3, 1));
    }

    /// The limit is per rolling second: what is spread out is no violation.
    #[test]
    fn rate() {
        let (mut session, mut counters, names) = session("/ws");
        for at_ns in [0, 1, SECOND_NS, SECOND_NS + 1] {
            say(&mut session, &mut counters, &names, r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#, at_ns);
        }
        assert_eq!(counters.violations, 0);
        say(&mut session, &mut counters, &names, r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#, SECOND_NS + 2);
        assert_eq!((counters.violations, counters.requests), (1, 5));
    }
}
