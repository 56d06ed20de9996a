//! Who may connect: bans, and the limits of an address.

use super::{Connection, World};
use crate::mock::http::Reply;
use crate::mock::line::{self, Lines};
use crate::mock::rules::{Limit, Window};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Breaches of the message rate within that time that ban an address, and for how long.
const OFFENCES: Limit = Limit { count: 2, window_ms: 10 * 60_000 };
const BAN_MS: u64 = 120_000;

/// Remembered; beyond that, those that are not banned are forgotten.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Address {
    connects: Window,
    offences: Window,
    banned_until_ms: u64,
}

impl Address {
    /// The message rate was broken; again and again, and the address is banned.
    pub(super) fn offend(&mut self, now_ms: u64) {
        if !self.offences.note(OFFENCES, now_ms) {
            self.banned_until_ms = now_ms + BAN_MS;
        }
    }
}

impl World {
    /// An upgrade: a connection's number and its line, or what is answered instead.
    pub fn open(&mut self, peer: SocketAddr, target: &str, now_ms: u64) -> Result<(u64, Lines), Reply> {
        if let Some((status, retry_after)) = self.faults.http(now_ms) {
            return Err(refusal(status, retry_after));
        }
        if self.addresses.len() >= ADDRESSES_MAX {
            self.addresses.retain(|_, address| now_ms < address.banned_until_ms);
        }
        let address = self.addresses.entry(peer.ip()).or_default();
        let mut truth = self.truth.borrow_mut();
        if now_ms < address.banned_until_ms {
            truth.violation("connect-while-banned", now_ms, None, target);
            return Err(refusal(418, Some((address.banned_until_ms - now_ms).div_ceil(1000))));
        }
        if let Some(limit) = self.rules.connects
            && !address.connects.note(limit, now_ms)
        {
            truth.violation("connects", now_ms, None, &format!("more than {} in {} ms", limit.count, limit.window_ms));
            return Err(refusal(429, Some(limit.window_ms.div_ceil(1000))));
        }
        let here = self.connections.values().filter(|connection| connection.peer == peer.ip()).count();
        if self.rules.connections.is_some_and(|max| here >= max) {
            truth.violation("connections", now_ms, None, &format!("{} of one address", here + 1));
            return Err(refusal(429, None));
        }
        drop(truth);
        let session =
            self.kind.open(target, &self.rules).map_err(|refused| Reply::json(refused.status, &refused.body))?;
        let id = self.next_connection;
        self.next_connection += 1;
        self.truth.borrow_mut().connection_began(id, now_ms, &peer.to_string(), target);
        let (line, lines) = line::new();
        let connection = Connection {
            peer: peer.ip(),
            session,
            line,
            opened_ms: now_ms,
            messages: Window::default(),
            last_message_ms: now_ms,
            last_ping_ms: now_ms,
            unanswered: Vec::new(),
            held: HashMap::new(),
            handling: self.faults.handling(id),
            ends_ms: None,
        };
        self.connections.insert(id, connection);
        let mut out = Vec::new();
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.session.opened(&self.market, &mut out);
        }
        self.carry_out(id, out, now_ms);
        Ok((id, lines))
    }
}

pub(super) fn refusal(status: u16, retry_after: Option<u64>) -> Reply {
    let reply = Reply::json(status, r#"{"code":-1003,"msg":"Too many requests."}"#);
    match retry_after {
        Some(seconds) => reply.with("retry-after", seconds),
        None => reply,
    }
}
