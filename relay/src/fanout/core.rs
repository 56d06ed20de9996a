//! The sessions and channels of one shard: who gets what, and in what order.
//!
//! The core writes through an [`Outlet`] and learns from it how much each client took. It holds no socket and no
//! clock; the time is told to it.

use std::io::IoSlice;

use bytes::Bytes;
use hashbrown_map::NameMap;

use super::batch::{Batch, Composed};
use super::channel::{Channel, Style};
use super::heads::{Heads, NO_HEAD};
use super::log::{Cursor, Seq};
use super::session::{BEHIND, BLOCKED, COMBINED, ENDING, Held, NOTICES, QUEUED, Session};
use super::slab::{Slab, Slot};
use super::stats::Stats;
use super::turn::Spare;
use crate::sync::Arc;
use crate::wire::notice::{Notice, StreamState};
use crate::wire::ws::encode::{self, Opcode};

mod hashbrown_map {
    /// Names to channels; the hash is seeded, so that nobody can choose names that collide.
    pub type NameMap = std::collections::HashMap<Box<str>, u32, foldhash::fast::RandomState>;
}

/// Where written bytes go.
pub trait Outlet {
    type Conn;

    /// Writes what it can, in order. Whoever did not take all is expected to say so later through
    /// [`Fanout::writable`].
    fn write(&mut self, slot: Slot, conn: &mut Self::Conn, parts: &[IoSlice<'_>]) -> Wrote;

    /// These frames have just been written for the first time; the stamps say when they were read.
    fn first_write(&mut self, _stamps_ns: &[u64]) {}

    /// These frames have been written to everybody who could take them.
    fn last_write(&mut self, _stamps_ns: &[u64]) {}
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// So many bytes; fewer than asked for means that the client is full.
    Bytes(usize),
    /// The connection is dead.
    Gone,
}

/// One shard's half of everything it fans out.
pub struct Fanout<C> {
    pub(super) shard: usize,
    pub(super) sessions: Slab<Session<C>>,
    pub(super) locals: Vec<Option<Box<Local>>>,
    pub(super) names: NameMap,
    /// Channels with something to hand out.
    pub(super) active: Vec<u32>,
    /// Sessions to be served by themselves: resumed, newly subscribed, or with more than one helping.
    pub(super) queue: Vec<Slot>,
    gone: Vec<Slot>,
    too_slow: Vec<Slot>,
    pub(super) released: Vec<u32>,
    pub(super) spare: Spare,
    /// Where the next gathering begins.
    pub(super) gather_at: usize,
    pub(super) turn: u32,
    pub(super) now_ms: u64,
    pub(super) calendar_ms: u64,
    pub(super) scratch: super::serve::Scratch,
    pub(super) composed: Composed,
    pub(super) pieces: Vec<super::turn::Piece>,
    pub(super) touched: Vec<Slot>,
    pub stats: Stats,
}

/// A channel as one shard sees it.
pub(super) struct Local {
    pub channel: Arc<Channel>,
    /// Where the next batch begins.
    pub tail: Cursor,
    pub subscribers: Vec<Subscriber>,
    pub combined_count: u32,
    /// What subscriptions put before each message, where they do.
    pub heads: Heads,
    /// Subscribers of keyed frames that have had none yet: they get the newest of each.
    pub fresh: Vec<Slot>,
    pub batch: Option<Box<Batch>>,
    /// The next subscriber to visit, and how many visits the pass still owes.
    pub next: usize,
    pub left: usize,
    pub active: bool,
    pub condition: StreamState,
    /// The frame somebody was last cut in while served alone.
    pub cut: Option<(Seq, bool, Bytes)>,
}

pub(super) struct Subscriber {
    pub slot: Slot,
    pub head: u32,
    pub position: Seq,
}

/// A session on its way to another shard.
pub struct Portable<C> {
    pub session: Session<C>,
    pub held: Vec<Carried>,
}

/// A subscription on its way.
pub struct Carried {
    pub channel: Arc<Channel>,
    pub position: Seq,
    /// What it puts before each message; empty where there is none.
    pub head: Box<[u8]>,
}

impl Local {
    /// Whether combined clients get its frames in the channel's one wrapper.
    pub fn wraps(&self) -> bool {
        self.channel.style == Style::Payload
    }

    pub fn head(&self, number: u32) -> &[u8] {
        if number == NO_HEAD { &[] } else { self.heads.get(number) }
    }
}

impl<C> Fanout<C> {
    pub fn new(shard: usize) -> Fanout<C> {
        Fanout {
            shard,
            sessions: Slab::default(),
            locals: Vec::new(),
            names: NameMap::default(),
            active: Vec::new(),
            queue: Vec::new(),
            gone: Vec::new(),
            too_slow: Vec::new(),
            released: Vec::new(),
            spare: Spare::new(),
            gather_at: 0,
            turn: 0,
            now_ms: 0,
            calendar_ms: 0,
            scratch: super::serve::Scratch::default(),
            composed: Composed::default(),
            pieces: Vec::new(),
            touched: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// Tells the time: one that never goes back for deadlines, the calendar's for notices.
    pub fn set_now(&mut self, now_ms: u64, calendar_ms: u64) {
        self.now_ms = now_ms;
        self.calendar_ms = calendar_ms;
    }

    pub fn open(&mut self, conn: C, combined: bool, notices: bool) -> Slot {
        self.sessions.insert(Session::new(conn, combined, notices))
    }

    pub fn session(&self, slot: Slot) -> Option<&Session<C>> {
        self.sessions.get(slot)
    }

    pub fn session_mut(&mut self, slot: Slot) -> Option<&mut Session<C>> {
        self.sessions.get_mut(slot)
    }

    pub fn tenant_mut(&mut self, slot: Slot, generation: u32) -> Option<&mut Session<C>> {
        self.sessions.tenant_mut(slot, generation)
    }

    pub fn generation(&self, slot: Slot) -> u32 {
        self.sessions.generation(slot)
    }

    pub fn places(&self) -> Slot {
        self.sessions.places()
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// A reply or control frame. It overtakes data, never a half-written frame.
    pub fn tell(&mut self, slot: Slot, frame: &[u8]) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if session.is(ENDING) {
            return;
        }
        session.owed(now_ms).push(frame);
        self.enqueue(slot);
    }

    /// The answer to a ping. A client that takes nothing is owed only the answer to its newest.
    pub fn tell_pong(&mut self, slot: Slot, frame: &[u8]) {
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if session.is(ENDING) {
            return;
        }
        let blocked = session.is(BLOCKED);
        let owed = session.owed(now_ms);
        if blocked || owed.has_pong() {
            owed.push_pong(frame)
        } else {
            owed.push(frame)
        }
        self.enqueue(slot);
    }

    /// The last frame of a session (a CLOSE): it gets nothing after it, and its subscriptions end now.
    pub fn end(&mut self, slot: Slot, frame: &[u8]) {
        self.tell(slot, frame);
        self.drop_subscriptions(slot);
        if let Some(session) = self.sessions.get_mut(slot) {
            session.marks |= ENDING;
            if let Some(owed) = &mut session.owed {
                owed.drop_pong();
            }
        }
    }

    /// Everything owed to an ending session has been written.
    pub fn is_told(&self, slot: Slot) -> bool {
        self.sessions.get(slot).is_none_or(|session| session.owed.as_ref().is_none_or(|owed| owed.is_empty()))
    }

    /// Removes a session with all it held.
    pub fn close(&mut self, slot: Slot) -> Option<C> {
        self.drop_subscriptions(slot);
        self.remove(slot).map(|session| session.conn)
    }

    /// A session takes over the connection of another, which ends. What that one was still owed goes first, then
    /// `frames`, then what the session itself is owed. Returns the connection's data.
    pub fn succeed(&mut self, from: Slot, to: Slot, frames: &[u8]) -> Option<C> {
        let now_ms = self.now_ms;
        let before = self.sessions.get_mut(from)?.owed.take().map_or(Vec::new(), |owed| owed.into_bytes());
        let conn = self.close(from)?;
        let session = self.sessions.get_mut(to)?;
        let owed = session.owed(now_ms);
        owed.rest = [&before[..], frames, &owed.rest].concat().into();
        session.marks &= !BLOCKED;
        self.enqueue(to);
        Some(conn)
    }

    /// The socket can be written again.
    pub fn writable(&mut self, slot: Slot) {
        if let Some(session) = self.sessions.get_mut(slot)
            && session.is(BLOCKED)
        {
            session.marks &= !BLOCKED;
            self.enqueue(slot);
        }
    }

    /// A doorbell told of news in this channel.
    pub fn news(&mut self, id: u32) {
        let shard = self.shard;
        let Some(local) = self.local_mut(id) else { return };
        // The flag is cleared before the log's head is read, in the turn.
        local.channel.news(shard).take();
        let condition = local.channel.condition();
        let changed = std::mem::replace(&mut local.condition, condition) != condition;
        if !local.active {
            local.active = true;
            self.active.push(id);
        }
        if changed {
            self.tell_condition(id, condition);
        }
    }

    /// Sessions whose socket failed during a write; each is named once.
    pub fn take_gone(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.gone)
    }

    /// Sessions that lost events they were owed; each is named once.
    pub fn take_too_slow(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.too_slow)
    }

    /// Channels that nobody here subscribes to any more.
    pub fn take_released(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.released)
    }

    /// A number that changes whenever a session is sent data of its subscriptions.
    pub fn progress(&self, slot: Slot) -> u64 {
        let Some(session) = self.sessions.get(slot) else { return 0 };
        let position = |held: &Held| Some(self.local(held.channel)?.subscribers[held.index as usize].position);
        session.held.iter().filter_map(position).fold(0, u64::wrapping_add)
    }

    /// Whether a blocked session has lost events it is owed: it need not wait until it can be told.
    pub fn has_lost_events(&self, slot: Slot) -> bool {
        let Some(session) = self.sessions.get(slot) else { return false };
        session.is(BLOCKED)
            && session.held.iter().any(|held| {
                self.local(held.channel).is_some_and(|local| {
                    local.channel.kind == super::kind::Kind::Event
                        && local.subscribers[held.index as usize].position < local.channel.log.oldest()
                })
            })
    }

    pub(super) fn local(&self, id: u32) -> Option<&Local> {
        self.locals.get(id as usize)?.as_deref()
    }

    pub(super) fn local_mut(&mut self, id: u32) -> Option<&mut Local> {
        self.locals.get_mut(id as usize)?.as_deref_mut()
    }

    /// Takes a session out, and off the list: the next one at its place is not served for it.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Session<C>> {
        let session = self.sessions.remove(slot)?;
        if session.is(QUEUED) {
            self.queue.retain(|&queued| queued != slot);
        }
        Some(session)
    }

    pub(super) fn enqueue(&mut self, slot: Slot) {
        if let Some(session) = self.sessions.get_mut(slot)
            && !session.is(QUEUED | BLOCKED)
        {
            session.marks |= QUEUED;
            self.queue.push(slot);
        }
    }

    pub(super) fn lose(&mut self, slot: Slot) {
        self.gone.push(slot);
        if let Some(session) = self.sessions.get_mut(slot) {
            session.marks |= ENDING | BLOCKED;
        }
    }

    pub(super) fn give_up(&mut self, slot: Slot) {
        self.too_slow.push(slot);
        // On the list, and so apart from the pass of this turn: it gets nothing but its CLOSE.
        self.enqueue(slot);
    }

    fn tell_condition(&mut self, id: u32, state: StreamState) {
        let Some(local) = self.local(id) else { return };
        let sessions = &self.sessions;
        // Who takes nothing is not told of every change: its lane has a bound.
        let asked = |session: &Session<C>| session.is(NOTICES) && !session.lane_is_full();
        let asked = |subscriber: &&Subscriber| sessions.get(subscriber.slot).is_some_and(asked);
        let told: Vec<(Slot, u32)> = local.subscribers.iter().filter(asked).map(|one| (one.slot, one.head)).collect();
        if told.is_empty() {
            return;
        }
        let at = local.channel.log.head();
        let channel = local.channel.clone();
        let wraps = channel.style.wraps();
        for (slot, number) in told {
            let combined = wraps && self.sessions.get(slot).is_some_and(|session| session.is(COMBINED));
            let mut frame = Vec::new();
            let mut text = Vec::new();
            if let Some(local) = self.local(id) {
                let head = local.head(number);
                let notice = Notice { state, ..channel.notice(head, self.calendar_ms, 0, at, at) };
                notice.write(channel.dialect, combined, head, &mut text);
            }
            encode::frame(Opcode::Text, &text, &mut frame);
            self.tell(slot, &frame);
        }
    }

    /// Up to date again: what comes next is replayed in full.
    pub(super) fn caught_up(&mut self, slot: Slot) {
        if let Some(session) = self.sessions.get_mut(slot) {
            session.marks &= !BEHIND;
        }
    }
}
