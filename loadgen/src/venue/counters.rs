//! What relays did to the venue.

use crate::clock::SECOND_NS;
use serde_json::{Value, json};
use std::collections::VecDeque;

#[derive(Default)]
pub struct Counters {
    messages_per_second_limit: usize,
    pub upstreams_total: u64,
    pub requests: u64,
    pub requests_per_second_max: usize,
    pub violations: u64,
    pub bad_requests: u64,
    pub protocol_errors: u64,
    pub subscriptions_total: u64,
    pub unsubscriptions_total: u64,
    /// Names we have no events for.
    pub silent_subscriptions_total: u64,
    /// Names a connection held already.
    pub repeated_subscriptions: u64,
    pub streams_per_connection_max: usize,
    pub sent: u64,
    pub late_us_max: u64,
    /// Connections cut because they did not take what they had subscribed.
    pub overflows: u64,
}

impl Counters {
    /// A limit of 0 is none.
    pub fn new(messages_per_second_limit: usize) -> Self {
        Self { messages_per_second_limit, ..Self::default() }
    }

    /// Counts a request of a connection, and a violation if it exceeds the limit within any second.
    pub fn note_request(&mut self, recent_ns: &mut VecDeque<u64>, now_ns: u64) {
        self.requests += 1;
        while recent_ns.front().is_some_and(|&at| at + SECOND_NS <= now_ns) {
            recent_ns.pop_front();
        }
        recent_ns.push_back(now_ns);
        self.requests_per_second_max = self.requests_per_second_max.max(recent_ns.len());
        if self.messages_per_second_limit > 0 && recent_ns.len() > self.messages_per_second_limit {
            self.violations += 1;
        }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "upstreams_total": self.upstreams_total,
            "requests": self.requests,
            "requests_per_second_max": self.requests_per_second_max,
            "violations": self.violations,
            "bad_requests": self.bad_requests,
            "protocol_errors": self.protocol_errors,
            "subscriptions_total": self.subscriptions_total,
            "unsubscriptions_total": self.unsubscriptions_total,
            "silent_subscriptions_total": self.silent_subscriptions_total,
            "repeated_subscriptions": self.repeated_subscriptions,
            "streams_per_connection_max": self.streams_per_connection_max,
            "sent": self.sent,
            "late_us_max": self.late_us_max,
            "overflows": self.overflows,
        })
    }
}
