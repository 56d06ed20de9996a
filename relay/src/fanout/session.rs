//! One client's subscriptions and what it is still owed, without its socket.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::limits::LANE_BYTES_MAX;

/// One subscription of a session: the channel, and where in the channel's list the position stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub channel: u32,
    pub index: u32,
}

/// A client as the core sees it. `C` is what its connection needs; the core passes it to the outlet unread.
// What a delivery reads comes first and together, so that it is one cache line.
#[repr(C)]
pub struct Session<C> {
    pub(super) marks: u8,
    pub conn: C,
    /// In the order of subscription.
    pub(super) held: SmallVec<[Held; 2]>,
    pub(super) owed: Option<Box<Owed>>,
    /// Its first and last piece while a turn gathers for it; `NONE` at any other time.
    pub(super) first: u32,
    pub(super) last: u32,
}

/// No piece.
pub(super) const NONE: u32 = u32::MAX;

/// Every frame goes out in the combined wrapper.
pub(super) const COMBINED: u8 = 1;
/// It asked to be told what it missed.
pub(super) const NOTICES: u8 = 2;
/// Its socket is full; it is served again when it can be written.
pub(super) const BLOCKED: u8 = 4;
/// It has been blocked since it was last up to date: it is resumed, not replayed.
pub(super) const BEHIND: u8 = 8;
/// It is on the list of those served by themselves.
pub(super) const QUEUED: u8 = 16;
/// It gets no data any more.
pub(super) const ENDING: u8 = 32;

/// What a client that is blocked, or about to be told something, is owed before any data.
#[derive(Default)]
pub struct Owed {
    /// The rest of a half-written frame. It goes first, whatever happened to its subscription.
    pub rest: Bytes,
    /// Replies and control frames, complete.
    lane: Vec<u8>,
    lane_taken: usize,
    /// The answer to the newest ping.
    pong: Vec<u8>,
    /// When it last took a byte, or was blocked first.
    pub since_ms: u64,
}

impl Owed {
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.lane_len() == 0 && self.pong.is_empty()
    }

    pub fn lane_len(&self) -> usize {
        self.lane.len() - self.lane_taken
    }

    /// All of it, in the order it would go.
    pub fn into_bytes(mut self) -> Vec<u8> {
        let mut bytes = self.rest.to_vec();
        bytes.extend_from_slice(&self.lane[self.lane_taken..]);
        bytes.append(&mut self.pong);
        bytes
    }

    /// Above the bound its messages are not read until it took some of the answers.
    pub fn is_full(&self) -> bool {
        self.lane_len() > LANE_BYTES_MAX
    }

    pub fn push(&mut self, frame: &[u8]) {
        // Of a client that never takes quite all, what it has taken would pile up.
        if self.lane_taken > LANE_BYTES_MAX {
            self.lane.drain(..self.lane_taken);
            self.lane_taken = 0;
        }
        self.lane.extend_from_slice(frame);
    }

    /// Of several pings only the newest is answered.
    pub fn push_pong(&mut self, frame: &[u8]) {
        self.pong.clear();
        self.pong.extend_from_slice(frame);
    }

    /// A newer answer must not overtake it, so it replaces it.
    pub fn has_pong(&self) -> bool {
        !self.pong.is_empty()
    }

    /// After a CLOSE no ping is answered.
    pub fn drop_pong(&mut self) {
        self.pong = Vec::new();
    }

    /// The next bytes to write.
    pub fn front(&mut self) -> &[u8] {
        if !self.rest.is_empty() {
            return &self.rest;
        }
        if self.lane_len() == 0 && !self.pong.is_empty() {
            self.lane.clear();
            self.lane_taken = 0;
            self.lane.append(&mut self.pong);
        }
        &self.lane[self.lane_taken..]
    }

    /// `bytes` of what `front` gave have been taken.
    pub fn took(&mut self, bytes: usize, now_ms: u64) {
        if bytes > 0 {
            self.since_ms = now_ms;
        }
        if !self.rest.is_empty() {
            let _ = self.rest.split_to(bytes);
            return;
        }
        self.lane_taken += bytes;
        if self.lane_taken == self.lane.len() {
            self.lane = Vec::new();
            self.lane_taken = 0;
        }
    }
}

impl<C> Session<C> {
    pub(super) fn new(conn: C, combined: bool, notices: bool) -> Session<C> {
        let marks = if combined { COMBINED } else { 0 } | if notices { NOTICES } else { 0 };
        Session { conn, held: SmallVec::new(), owed: None, first: NONE, last: NONE, marks }
    }

    pub(super) fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    pub fn is_combined(&self) -> bool {
        self.is(COMBINED)
    }

    pub fn is_blocked(&self) -> bool {
        self.is(BLOCKED)
    }

    pub fn is_ending(&self) -> bool {
        self.is(ENDING)
    }

    /// Since when it has taken nothing, if it is blocked.
    pub fn blocked_since_ms(&self) -> Option<u64> {
        if self.is(BLOCKED) { self.owed.as_ref().map(|owed| owed.since_ms) } else { None }
    }

    /// Bytes of replies it has not taken.
    pub fn lane_len(&self) -> usize {
        self.owed.as_ref().map_or(0, |owed| owed.lane_len())
    }

    pub fn lane_is_full(&self) -> bool {
        self.owed.as_ref().is_some_and(|owed| owed.is_full())
    }

    pub fn subscriptions(&self) -> usize {
        self.held.len()
    }

    pub(super) fn owed(&mut self, now_ms: u64) -> &mut Owed {
        self.owed.get_or_insert_with(|| Box::new(Owed { since_ms: now_ms, ..Owed::default() }))
    }

    /// The socket takes nothing more now.
    pub(super) fn block(&mut self, now_ms: u64, progressed: bool) {
        let was = self.is(BLOCKED);
        self.marks |= BLOCKED | BEHIND;
        let owed = self.owed(now_ms);
        if progressed || !was {
            owed.since_ms = now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(owed: &mut Owed, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !owed.is_empty() {
            let next = owed.front();
            let n = next.len().min(step);
            out.extend_from_slice(&next[..n]);
            owed.took(n, 0);
        }
        out
    }

    /// A half-written frame goes first, then the replies, then one answer to all pings; whatever the cuts.
    #[test]
    fn order_of_what_is_owed() {
        for step in 1..8 {
            let mut owed = Owed { rest: Bytes::from_static(b"rest"), ..Owed::default() };
            owed.push(b"[reply]");
            owed.push_pong(b"(old)");
            owed.push_pong(b"(new)");
            assert_eq!(written(&mut owed, step), b"rest[reply](new)");
        }
    }

    /// The lane holds little more than what is still to be written, also when the client never takes quite all of it.
    #[test]
    fn a_lane_that_never_empties_is_bounded() {
        let mut owed = Owed::default();
        owed.push(b"[reply]");
        for _ in 0..100 * LANE_BYTES_MAX / 7 {
            owed.push(b"[reply]");
            assert_eq!(owed.front()[..7], *b"[reply]");
            owed.took(7, 0);
        }
        assert_eq!(owed.lane_len(), 7);
        assert!(owed.lane.capacity() <= 4 * LANE_BYTES_MAX, "{} bytes", owed.lane.capacity());
    }
}
