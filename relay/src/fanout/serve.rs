//! Serving one session by itself: after a pause, at a subscription, or when it has been told something.
//!
//! A session that was blocked is resumed by the kind of data: of state it gets the newest frame, of candles the
//! closed ones and the newest, of events all that the log still has; if that is not all, it is too slow.

use std::io::IoSlice;

use bytes::Bytes;

use super::batch::Around;
use super::channel::{Channel, Style};
use super::core::{Fanout, Local, Outlet, Wrote};
use super::kind::Kind;
use super::log::{Cursor, Log, Seq};
use super::rows::{self, Rows};
use super::session::{BEHIND, BLOCKED, COMBINED, ENDING, Held, NOTICES, QUEUED};
use super::slab::Slot;
use crate::limits::SERVE_BYTES_MAX;
use crate::wire::stream::wrap;
use crate::wire::ws::encode;

/// Frames composed for one session.
#[derive(Default)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
    /// A notice, or a wrapper's prefix.
    text: Vec<u8>,
    helpings: Vec<Helping>,
    rows: Rows,
}

/// One frame of the scratch, and what it means for its subscription once written.
struct Helping {
    held: Held,
    end: usize,
    /// The position after it.
    position: Seq,
    /// A notice moves over what was skipped; it delivers nothing.
    notice: bool,
    /// The form in which others may share the frame's bytes, if they may.
    form: Option<bool>,
}

/// The subscriber lost events that it is owed.
struct TooSlow;

/// Whose frames of which channel.
#[derive(Clone, Copy)]
struct Order<'a> {
    held: Held,
    channel: &'a Channel,
    wish: Wish,
}

/// How a session wants its frames.
#[derive(Clone, Copy)]
struct Wish {
    combined: bool,
    notices: bool,
    /// It was blocked: newest first, instead of everything.
    behind: bool,
    calendar_ms: u64,
}

impl<C> Fanout<C> {
    /// Serves those who wait for it; returns how many writes that took, at most about `most`.
    pub(super) fn serve_queue<O: Outlet<Conn = C>>(&mut self, outlet: &mut O, most: usize) -> usize {
        let before = self.stats.writes;
        let mut queue = std::mem::take(&mut self.queue);
        let mut served = 0;
        for &slot in &queue {
            if (self.stats.writes - before) as usize >= most {
                break;
            }
            self.serve(slot, outlet);
            served += 1;
        }
        // Who came back onto the list meanwhile waits behind those who were not reached.
        queue.drain(..served);
        queue.append(&mut self.queue);
        self.queue = queue;
        (self.stats.writes - before) as usize
    }

    fn serve<O: Outlet<Conn = C>>(&mut self, slot: Slot, outlet: &mut O) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.marks &= !QUEUED;
        if session.is(BLOCKED) || !self.serve_owed(slot, outlet) {
            return;
        }
        let session = self.sessions.get(slot).expect("it was there");
        if session.is(ENDING) {
            return;
        }
        match self.compose(slot) {
            Err(TooSlow) => self.give_up(slot),
            Ok(more) => {
                if self.scratch.helpings.is_empty() {
                    self.caught_up(slot);
                } else if self.serve_composed(slot, outlet) {
                    if more { self.enqueue(slot) } else { self.caught_up(slot) }
                }
            }
        }
    }

    /// Writes what is owed before any data. False if it did not all go.
    fn serve_owed<O: Outlet<Conn = C>>(&mut self, slot: Slot, outlet: &mut O) -> bool {
        let Fanout { sessions, stats, now_ms, .. } = self;
        let session = sessions.get_mut(slot).expect("it is being served");
        let Some(mut owed) = session.owed.take() else { return true };
        while !owed.is_empty() {
            let next = owed.front();
            let len = next.len();
            stats.writes += 1;
            match outlet.write(slot, &mut session.conn, &[IoSlice::new(next)]) {
                Wrote::Bytes(taken) => {
                    stats.written_bytes += taken as u64;
                    owed.took(taken, *now_ms);
                    if taken < len {
                        stats.blocked += 1;
                        session.owed = Some(owed);
                        session.block(*now_ms, taken > 0);
                        return false;
                    }
                }
                Wrote::Gone => {
                    self.lose(slot);
                    return false;
                }
            }
        }
        true
    }

    /// Lays the next helping of every channel out. True if there is more than fits.
    fn compose(&mut self, slot: Slot) -> Result<bool, TooSlow> {
        let Fanout { sessions, locals, scratch, turn, calendar_ms, .. } = self;
        if scratch.bytes.capacity() > 4 * SERVE_BYTES_MAX {
            // One huge frame is no reason to keep that much.
            scratch.bytes = Vec::new();
        }
        scratch.bytes.clear();
        scratch.helpings.clear();
        let session = sessions.get(slot).expect("it is being served");
        let wish = Wish {
            combined: session.is(COMBINED),
            notices: session.is(NOTICES),
            behind: session.is(BEHIND),
            calendar_ms: *calendar_ms,
        };
        let count = session.held.len();
        let mut more = false;
        for at in 0..count {
            // Each time another channel comes first, so that a busy one does not keep the others waiting.
            let held = session.held[(at + *turn as usize) % count];
            let local = locals[held.channel as usize].as_deref_mut().expect("a held channel exists here");
            if scratch.bytes.len() >= SERVE_BYTES_MAX {
                more |= local.subscribers[held.index as usize].position < local.channel.log.head();
                continue;
            }
            more |= scratch.add(held, local, wish)?;
        }
        Ok(more)
    }

    /// Writes the scratch and moves the positions accordingly. False if it did not all go.
    fn serve_composed<O: Outlet<Conn = C>>(&mut self, slot: Slot, outlet: &mut O) -> bool {
        let Fanout { sessions, locals, scratch, stats, now_ms, .. } = self;
        let session = sessions.get_mut(slot).expect("it is being served");
        let behind = session.is(BEHIND);
        stats.writes += 1;
        let wrote = outlet.write(slot, &mut session.conn, &[IoSlice::new(&scratch.bytes)]);
        let Wrote::Bytes(taken) = wrote else {
            self.lose(slot);
            return false;
        };
        stats.written_bytes += taken as u64;
        let mut begin = 0;
        for helping in &scratch.helpings {
            if begin >= taken {
                break;
            }
            let local = locals[helping.held.channel as usize].as_deref_mut().expect("a held channel exists here");
            let subscriber = &mut local.subscribers[helping.held.index as usize];
            let moved = helping.position - subscriber.position;
            let delivered = u64::from(!helping.notice);
            if local.channel.style.is_rows() {
                stats.delivered += moved;
            } else {
                stats.delivered += delivered;
                // Who has just subscribed missed nothing.
                let skipped =
                    if behind || !local.channel.kind.is_keyed() { &mut stats.skipped } else { &mut stats.replaced };
                *skipped += moved - delivered;
            }
            subscriber.position = helping.position;
            if helping.end > taken {
                let frame = &scratch.bytes[begin..helping.end];
                let frame = match helping.form {
                    Some(combined) => local.share(helping.position - 1, combined, frame),
                    None => Bytes::copy_from_slice(frame),
                };
                session.owed(*now_ms).rest = frame.slice(taken - begin..);
            }
            begin = helping.end;
        }
        if taken < scratch.bytes.len() {
            stats.blocked += 1;
            session.block(*now_ms, taken > 0);
            return false;
        }
        true
    }
}

impl Local {
    /// Whether the pass hands out everything from the position on: the batch, or the shard's own place in the log,
    /// holds what the log may have trimmed. The pass may have gone by already: it makes another round then.
    fn will_pass(&mut self, position: Seq, combined: bool) -> bool {
        match &self.batch {
            _ if !self.active => false,
            None => position >= self.tail.position(),
            Some(batch) if position >= batch.start() && batch.has(combined) => {
                self.left = self.subscribers.len();
                true
            }
            Some(_) => false,
        }
    }

    /// Nobody is cut in the shared frame any more.
    pub(super) fn let_go_of_cut(&mut self) {
        if self.cut.as_ref().is_some_and(|(_, _, bytes)| bytes.is_unique()) {
            self.cut = None;
        }
    }

    /// The frame's own bytes; whoever else is cut in the same frame shares them.
    fn share(&mut self, seq: Seq, combined: bool, frame: &[u8]) -> Bytes {
        if let Some((cut, form, bytes)) = &self.cut
            && (*cut, *form) == (seq, combined)
        {
            return bytes.clone();
        }
        let bytes = Bytes::copy_from_slice(frame);
        self.cut = Some((seq, combined, bytes.clone()));
        bytes
    }
}

impl Scratch {
    /// Adds what one subscription is owed. True if there is more than fits.
    fn add(&mut self, held: Held, local: &mut Local, wish: Wish) -> Result<bool, TooSlow> {
        let channel = &*local.channel.clone();
        let position = local.subscribers[held.index as usize].position;
        let head = channel.log.head();
        if position >= head {
            return Ok(false);
        }
        let combined = wish.combined && channel.style.wraps();
        let order = Order { held, channel, wish: Wish { combined, ..wish } };
        let resume = wish.behind && channel.kind != Kind::Event;
        let fresh = local.fresh.iter().position(|slot| *slot == local.subscribers[held.index as usize].slot);
        let by_key = channel.kind.is_keyed() && (resume || fresh.is_some());
        let number = local.subscribers[held.index as usize].head;
        match Log::cursor(&channel.log, position) {
            Ok(cursor) if by_key => Ok(self.newest_of_each(order, cursor, position)),
            Ok(cursor) if !resume => Ok(self.replay(order, cursor, position, local.head(number))),
            Err(_) if !resume && fresh.is_none() && local.will_pass(position, combined && local.wraps()) => Ok(false),
            Err(_) if channel.kind == Kind::Event => Err(TooSlow),
            Err(_) if channel.kind.is_keyed() => Ok(self.newest_of_each(order, channel.log.oldest_cursor(), position)),
            _ => self.resume(order, position, local.head(number)).map(|()| false),
        }
        .inspect(|more| {
            if let (Some(at), false) = (fresh, more) {
                local.fresh.swap_remove(at);
            }
        })
    }

    /// Everything from the position on.
    fn replay(&mut self, order: Order<'_>, mut cursor: Cursor, mut position: Seq, head: &[u8]) -> bool {
        if let Style::Row { before, after } = order.channel.style {
            self.list(order, cursor, before, after);
            return false;
        }
        while self.bytes.len() < SERVE_BYTES_MAX {
            let Some(record) = cursor.next() else { return false };
            let payload = if order.channel.kind.is_keyed() { rows::split(record.payload).1 } else { record.payload };
            self.push(order, &mut position, record.seq, payload, head);
        }
        position < order.channel.log.head()
    }

    /// The newest frame, and before it the closed candles.
    fn resume(&mut self, order: Order<'_>, mut position: Seq, head: &[u8]) -> Result<(), TooSlow> {
        let Order { channel, .. } = order;
        // The cursor keeps the newest frame from being trimmed while the candles before it are looked up.
        let mut newest = loop {
            if let Ok(cursor) = Log::cursor(&channel.log, channel.log.head() - 1) {
                break cursor;
            }
        };
        if channel.kind == Kind::Kline {
            let from = position;
            let end = newest.position();
            let closed = channel.log.closed_since(from, &mut |seq, payload| {
                if seq < end {
                    self.push(order, &mut position, seq, payload, head);
                }
            });
            if closed.is_err() {
                return Err(TooSlow);
            }
        }
        if let Some(record) = newest.next() {
            self.push(order, &mut position, record.seq, record.payload, head);
        }
        Ok(())
    }

    /// Of each key the newest frame, in the order of the log.
    fn newest_of_each(&mut self, order: Order<'_>, cursor: Cursor, mut position: Seq) -> bool {
        let Order { channel, .. } = order;
        if let Style::Row { before, after } = channel.style {
            self.list(order, cursor, before, after);
            return false;
        }
        let mut payloads = cursor.clone();
        let mut look = cursor;
        let newest = rows::newest(&mut look, channel.log.head());
        let mut newest = newest.iter().peekable();
        while let Some(&&seq) = newest.peek() {
            if self.bytes.len() >= SERVE_BYTES_MAX {
                return true;
            }
            let Some(record) = payloads.next() else { break };
            if record.seq == seq {
                newest.next();
                self.push(order, &mut position, seq, rows::split(record.payload).1, &[]);
            }
        }
        false
    }

    /// All rows from the cursor on as one message.
    fn list(&mut self, order: Order<'_>, mut cursor: Cursor, before: &[u8], after: &[u8]) {
        self.rows.clear();
        while let Some(record) = cursor.next() {
            self.rows.push(record.payload);
        }
        self.rows.frame(before, after, &mut self.bytes);
        self.help(order.held, cursor.position(), false, None);
    }

    fn push(&mut self, order: Order<'_>, position: &mut Seq, seq: Seq, payload: &[u8], head: &[u8]) {
        let Order { held, channel, wish } = order;
        let skipped = seq - *position;
        if skipped > 0 && wish.notices && (wish.behind || !channel.kind.is_keyed()) {
            let (from, to) = (*position, seq - 1);
            self.text.clear();
            let notice = channel.notice(head, wish.calendar_ms, skipped, from, to);
            notice.write(channel.dialect, wish.combined, head, &mut self.text);
            encode::frame(encode::Opcode::Text, &self.text, &mut self.bytes);
            self.help(held, seq, true, None);
        }
        if wish.combined {
            self.text.clear();
            wrap::prefix(channel.name_for(head), &mut self.text);
            wrap::frame(&self.text, payload, &mut self.bytes);
        } else {
            let Around { before, after } = Around::new(channel.style, head, false);
            encode::text([&before, payload, after], &mut self.bytes);
        }
        *position = seq + 1;
        self.help(held, seq + 1, false, head.is_empty().then_some(wish.combined));
    }

    fn help(&mut self, held: Held, position: Seq, notice: bool, form: Option<bool>) {
        self.helpings.push(Helping { held, end: self.bytes.len(), position, notice, form });
    }
}
