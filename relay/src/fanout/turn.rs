//! A turn: hands the new frames of the active channels out, one write for each client.

use std::io::IoSlice;

use smallvec::SmallVec;

use super::batch::{Around, Batch, Cut};
use super::core::{Fanout, Local, Outlet, Subscriber, Wrote};
use super::heads::NO_HEAD;
use super::session::{BLOCKED, COMBINED, ENDING, NONE, QUEUED, Session};
use super::slab::{Slab, Slot};
use super::stats::Stats;
use crate::limits::WRITE_PIECES_MAX;

/// One channel's part of what a client gets in a gathered write.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    channel: u32,
    subscriber: u32,
    next: u32,
}

/// Batches for the next channels, boxed as a channel holds them.
#[allow(clippy::vec_box)] // moving a box is what it is for
pub(super) type Spare = Vec<Box<Batch>>;

/// Batches kept for the next channels.
const SPARE_BATCHES_MAX: usize = 64;

/// Who is not written to in a pass: it is served by itself, later, or not at all.
const APART: u8 = BLOCKED | QUEUED | ENDING;

impl<C> Fanout<C> {
    /// Hands out what there is, in at most about `budget` writes. True if more is left to do.
    pub fn turn<O: Outlet<Conn = C>>(&mut self, outlet: &mut O, budget: usize) -> bool {
        self.turn = self.turn.wrapping_add(1);
        self.stats.turns += 1;
        // Half of the budget at most for those served by themselves, so that neither group starves the other.
        let mut left = budget.saturating_sub(self.serve_queue(outlet, budget.div_ceil(2)));
        self.prepare();
        match self.active.as_slice() {
            [] => {}
            [id] => {
                let id = *id;
                self.pass(id, outlet, &mut left);
            }
            _ => self.gather(outlet, &mut left),
        }
        self.finish(outlet);
        !self.active.is_empty() || !self.queue.is_empty()
    }

    /// Fills the batches of the active channels and drops the channels that have nothing.
    fn prepare(&mut self) {
        let mut active = std::mem::take(&mut self.active);
        active.retain(|&id| {
            let Some(local) = self.locals[id as usize].as_deref_mut() else { return false };
            local.active = local.prepare(&mut self.spare);
            local.active
        });
        self.active = active;
    }

    /// One channel: its subscribers in order, from where the last pass stopped.
    fn pass<O: Outlet<Conn = C>>(&mut self, id: u32, outlet: &mut O, budget: &mut usize) {
        let Fanout { locals, sessions, stats, now_ms, queue, composed, .. } = self;
        let local = locals[id as usize].as_deref_mut().expect("an active channel exists");
        let wraps = local.wraps();
        let Some(batch) = local.batch.as_deref_mut() else { return };
        let end = batch.end();
        let mut lost = Vec::new();
        let mut seen = 0;
        while local.left > 0 && *budget > 0 {
            let index = local.next;
            if seen == 0 {
                seen = look_ahead(&local.subscribers[index..], sessions);
            }
            seen -= 1;
            local.next = if index + 1 == local.subscribers.len() { 0 } else { index + 1 };
            local.left -= 1;
            let subscriber = &mut local.subscribers[index];
            if subscriber.position >= end {
                continue;
            }
            let slot = subscriber.slot;
            let session = sessions.get_mut(slot).expect("a subscriber has a session");
            if session.marks & APART != 0 {
                continue;
            }
            let combined = wraps && session.marks & COMBINED != 0;
            let Some(stretch) = batch.from(subscriber.position, combined) else {
                session.marks |= QUEUED;
                queue.push(slot);
                continue;
            };
            let first = stretch.first;
            let mut bytes = stretch.bytes;
            if subscriber.head != NO_HEAD {
                let around =
                    Around::new(local.channel.style, local.heads.get(subscriber.head), session.marks & COMBINED != 0);
                composed.make(batch, subscriber.position, around, id, subscriber.head);
                bytes = &composed.bytes;
            }
            *budget -= 1;
            stats.writes += 1;
            let len = bytes.len();
            match outlet.write(slot, &mut session.conn, &[IoSlice::new(bytes)]) {
                Wrote::Bytes(taken) if taken == len => {
                    let moved = if subscriber.head == NO_HEAD { end - subscriber.position } else { composed.frames() };
                    stats.delivered += moved;
                    stats.written_bytes += taken as u64;
                    subscriber.position += moved;
                    if subscriber.position < end {
                        session.marks |= QUEUED;
                        queue.push(slot);
                    }
                }
                Wrote::Bytes(taken) => {
                    let cut = match subscriber.head {
                        NO_HEAD => batch.split(first, combined, taken),
                        _ => composed.split(taken),
                    };
                    subscriber.position += settle(session, cut, taken, stats, *now_ms);
                    stats.blocked += 1;
                    session.block(*now_ms, taken > 0);
                }
                Wrote::Gone => lost.push(slot),
            }
            let fresh = batch.report();
            if !fresh.is_empty() {
                outlet.first_write(fresh);
            }
        }
        composed.forget();
        for slot in lost {
            self.lose(slot);
        }
    }

    /// Several channels: first finds for each client all that it has to get, then writes it at once.
    fn gather<O: Outlet<Conn = C>>(&mut self, outlet: &mut O, budget: &mut usize) {
        // No channel takes more than its share while others wait.
        let share = (*budget / self.active.len()).max(32);
        let start = self.gather_at % self.active.len();
        self.pieces.clear();
        self.touched.clear();
        for at in 0..self.active.len() {
            let id = self.active[(start + at) % self.active.len()];
            let most = share.min(*budget);
            if most == 0 {
                break;
            }
            self.gather_at = start + at + 1;
            let local = self.locals[id as usize].as_deref_mut().expect("an active channel exists");
            *budget -= gather_channel(
                local,
                id,
                most,
                &mut self.sessions,
                &mut self.queue,
                &mut self.pieces,
                &mut self.touched,
            );
        }
        let touched = std::mem::take(&mut self.touched);
        for &slot in &touched {
            self.write_gathered(slot, outlet);
        }
        self.touched = touched;
    }

    fn write_gathered<O: Outlet<Conn = C>>(&mut self, slot: Slot, outlet: &mut O) {
        let Fanout { locals, sessions, stats, now_ms, pieces, queue, .. } = self;
        let session = sessions.get_mut(slot).expect("a touched session exists");
        let combined = session.marks & COMBINED != 0;
        let mut parts: SmallVec<[IoSlice<'_>; 8]> = SmallVec::new();
        let mut chain: SmallVec<[Piece; 8]> = SmallVec::new();
        let mut total = 0;
        let mut at = std::mem::replace(&mut session.first, NONE);
        while at != NONE && chain.len() < WRITE_PIECES_MAX {
            let piece = pieces[at as usize];
            at = piece.next;
            let local = locals[piece.channel as usize].as_deref().expect("an active channel exists");
            let batch = local.batch.as_deref().expect("an active channel has a batch");
            let position = local.subscribers[piece.subscriber as usize].position;
            let combined = combined && local.wraps();
            let stretch = batch.from(position, combined).expect("it was looked at when it was gathered");
            total += stretch.bytes.len();
            parts.push(IoSlice::new(stretch.bytes));
            chain.push(piece);
        }
        if at != NONE {
            // The rest is not lost: its positions stay, and the session is served by itself.
            session.marks |= QUEUED;
            queue.push(slot);
        }
        stats.writes += 1;
        let wrote = outlet.write(slot, &mut session.conn, &parts);
        drop(parts);
        let Wrote::Bytes(taken) = wrote else { return self.lose(slot) };
        let mut left = taken;
        for piece in chain {
            let local = locals[piece.channel as usize].as_deref_mut().expect("an active channel exists");
            let combined = combined && local.wraps();
            let batch = local.batch.as_deref_mut().expect("an active channel has a batch");
            let subscriber = &mut local.subscribers[piece.subscriber as usize];
            let stretch = batch.from(subscriber.position, combined).expect("nothing changed since");
            let (first, len) = (stretch.first, stretch.bytes.len());
            if left >= len {
                left -= len;
                stats.delivered += batch.end() - subscriber.position;
                stats.written_bytes += len as u64;
                subscriber.position = batch.end();
            } else {
                if left > 0 {
                    let cut = batch.split(first, combined, left);
                    subscriber.position += settle(session, cut, left, stats, *now_ms);
                }
                left = 0;
            }
            let fresh = batch.report();
            if !fresh.is_empty() {
                outlet.first_write(fresh);
            }
        }
        if taken < total {
            stats.blocked += u64::from(!session.is_blocked());
            session.block(*now_ms, taken > 0);
        }
    }

    /// Channels whose pass is over let go of their batch, unless there is more.
    fn finish<O: Outlet<Conn = C>>(&mut self, outlet: &mut O) {
        let mut active = std::mem::take(&mut self.active);
        active.retain(|&id| {
            let Some(local) = self.locals[id as usize].as_deref_mut() else { return false };
            if local.left > 0 {
                return true;
            }
            if let Some(batch) = local.batch.take() {
                outlet.last_write(batch.stamps());
                recycle(&mut self.spare, batch);
            }
            local.let_go_of_cut();
            local.active = local.tail.position() < local.channel.log.head();
            local.active
        });
        self.active = active;
    }
}

impl Local {
    /// Takes what is new into the batch. False if there is nothing to hand out.
    fn prepare(&mut self, spare: &mut Spare) -> bool {
        if self.batch.is_none() {
            let mut batch = spare.pop().unwrap_or_default();
            let combined = self.combined_count as usize;
            let raw = !self.wraps() || combined < self.subscribers.len();
            batch.begin(self.tail.position(), &self.channel, raw, self.wraps() && combined > 0);
            self.batch = Some(batch);
        }
        let batch = self.batch.as_deref_mut().expect("it was just made");
        if batch.extend(&mut self.tail) {
            // Those who were visited already get what is new by another round.
            self.left = self.subscribers.len();
        }
        if batch.is_empty() {
            spare.extend(self.batch.take());
            return false;
        }
        true
    }
}

/// Reads the sessions of the next few subscribers all at once, so that the waits for memory overlap; between two of them
/// lies a system call that evicts what was fetched singly. Returns how many it read, at least one.
fn look_ahead<C>(subscribers: &[Subscriber], sessions: &Slab<Session<C>>) -> usize {
    let ahead = &subscribers[..subscribers.len().min(LOOK_AHEAD)];
    let marks = ahead.iter().fold(0, |marks, next| marks ^ sessions.get(next.slot).map_or(0, |session| session.marks));
    std::hint::black_box(marks);
    ahead.len()
}

/// Sessions read at once: about what the processor can wait for at the same time.
const LOOK_AHEAD: usize = 8;

/// Keeps a batch for the next channel, unless that would hoard memory.
pub(super) fn recycle(spare: &mut Spare, mut batch: Box<Batch>) {
    batch.let_go_of_cut();
    if !batch.is_large() && spare.len() < SPARE_BATCHES_MAX {
        spare.push(batch);
    }
}

/// Notes what `local` has for each client; returns how many it noted.
#[allow(clippy::too_many_arguments)] // one borrow for each part of the shard that it touches
fn gather_channel<C>(
    local: &mut Local,
    id: u32,
    most: usize,
    sessions: &mut Slab<Session<C>>,
    queue: &mut Vec<Slot>,
    pieces: &mut Vec<Piece>,
    touched: &mut Vec<Slot>,
) -> usize {
    let wraps = local.wraps();
    let Some(batch) = local.batch.as_deref() else { return 0 };
    let end = batch.end();
    let mut noted = 0;
    while local.left > 0 && noted < most {
        let index = local.next;
        local.next = if index + 1 == local.subscribers.len() { 0 } else { index + 1 };
        local.left -= 1;
        let subscriber = &local.subscribers[index];
        if subscriber.position >= end {
            continue;
        }
        let slot = subscriber.slot;
        let session = sessions.get_mut(slot).expect("a subscriber has a session");
        if session.marks & APART != 0 {
            continue;
        }
        // Who has words of its own in its messages gets all its channels composed at once, by itself.
        let alone = subscriber.head != NO_HEAD;
        if alone || batch.from(subscriber.position, wraps && session.marks & COMBINED != 0).is_none() {
            session.marks |= QUEUED;
            queue.push(slot);
            continue;
        }
        noted += 1;
        let at = pieces.len() as u32;
        pieces.push(Piece { channel: id, subscriber: index as u32, next: NONE });
        if session.first == NONE {
            session.first = at;
            touched.push(slot);
        } else {
            pieces[session.last as usize].next = at;
        }
        session.last = at;
    }
    noted
}

/// Books a write that ended early. Returns how far to move on: a frame that was begun will be finished before
/// anything else, so it counts as delivered.
fn settle<C>(session: &mut Session<C>, cut: Cut, taken: usize, stats: &mut Stats, now_ms: u64) -> u64 {
    stats.written_bytes += taken as u64;
    stats.delivered += cut.moved;
    if let Some(rest) = cut.rest {
        session.owed(now_ms).rest = rest;
    }
    cut.moved
}
