//! What a venue allows, and counting within windows.

use std::collections::VecDeque;

/// So many within any window of so many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub count: usize,
    pub window_ms: u64,
}

/// What goes for every connection of a kind; its dialect has rules of its own besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Messages of the client: PING, PONG and text each count.
    pub messages: Option<Limit>,
    /// Upgrades of one address.
    pub connects: Option<Limit>,
    /// Connections of one address at one time.
    pub connections: Option<usize>,
    pub streams_per_connection: Option<usize>,
    /// The venue's own pings, and how long it waits for a pong.
    pub ping_every_ms: Option<u64>,
    pub pong_within_ms: u64,
    pub life_ms: Option<u64>,
    pub idle: Option<Idle>,
    /// Requests of one connection (OKX).
    pub requests: Option<Limit>,
}

/// Closed after so long without a message either way.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    pub after_ms: u64,
    pub code: u16,
    pub reason: &'static str,
}

/// When the last things happened.
#[derive(Debug, Default)]
pub struct Window(VecDeque<u64>);

impl Window {
    /// Counts one more; false if there were more than the limit within any window.
    pub fn note(&mut self, limit: Limit, now_ms: u64) -> bool {
        while self.0.front().is_some_and(|&at| at + limit.window_ms <= now_ms) {
            self.0.pop_front();
        }
        // One beyond the limit proves the breach; more need not be remembered.
        if self.0.len() > limit.count {
            self.0.pop_front();
        }
        self.0.push_back(now_ms);
        self.0.len() <= limit.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The window rolls: a bucket that refills would let more through.
    #[test]
    fn rolling() {
        let limit = Limit { count: 5, window_ms: 1000 };
        let mut window = Window::default();
        for at in [0, 200, 400, 600, 800] {
            assert!(window.note(limit, at));
        }
        assert!(!window.note(limit, 999));
        assert!(!window.note(limit, 1199), "999 counts, though it was refused");
        let mut window = Window::default();
        for at in 0..50 {
            assert!(window.note(limit, at * 200));
        }
    }
}
