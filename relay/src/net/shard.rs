//! One shard: a thread, its listener, its connections, and the loop that serves them.
//!
//! Connections live in an epoll set of the shard's own, and only that set is known to tokio. A round takes what the
//! set tells, the mail and the news, hands out, and looks after those who are leaving; then it waits.

use std::collections::{HashMap, VecDeque};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use rustix::event::epoll;
use tokio::io::unix::AsyncFd;
use tokio::time::MissedTickBehavior;

use super::admission::Ticket;
use super::clock::{TICK_MS, Tick};
use super::conn::{Conn, Edge, INTEREST, Speaks, Stage, key, slot_of};
use super::shared::{Mail, Shared};
use crate::fanout::channel::Channel;
use crate::fanout::core::{Carried, Fanout};
use crate::fanout::slab::Slot;
use crate::fanout::topics::Wanted;
use crate::limits::{
    CLIENT_MESSAGE_BYTES_MAX, ECHO_MESSAGE_BYTES_MAX, EVENTS_PER_WAIT, READ_BUFFER_BYTES, TURN_WRITES_MAX,
};
use crate::metrics::Stages;
use crate::wire::close::CloseReason;
use crate::wire::stream::name::Name;
use crate::wire::ws::encode;

/// A connection that has just been upgraded.
pub struct Opening {
    pub fd: OwnedFd,
    pub ticket: Ticket,
    pub speaks: Speaks,
    pub combined: bool,
    pub notices: bool,
    pub names: Vec<Name>,
    /// Names in the URL that are none; the client is told in one error.
    pub bad: Vec<String>,
    /// What had been read behind the request.
    pub early: Bytes,
}

/// The listener's key in the epoll set; no slot has it.
pub(super) const LISTENER: u64 = u64::MAX;

pub struct Shard {
    pub(super) id: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) fanout: Fanout<Conn>,
    pub(super) epoll: OwnedFd,
    pub(super) listener: Option<TcpListener>,
    /// The listener waits until then, after a failed accept.
    pub(super) accept_after: Tick,
    pub(super) accept_pause: Tick,
    pub(super) tick: Tick,
    pub(super) buffer: Vec<u8>,
    /// Sockets that were not read out.
    pub(super) again: Vec<u64>,
    /// Clients that are not read until they take our answers.
    pub(super) paused: Vec<u64>,
    /// Connections whose CLOSE is on its way.
    pub(super) leaving: Vec<u64>,
    /// Connections whose request is whole.
    pub(super) ready: VecDeque<u64>,
    pub(super) handshakes: super::handshake::Handshakes,
    pub(super) http: std::rc::Rc<super::http::Http>,
    pub(super) stages: Stages,
    pub(super) drain: Option<Drain>,
    pub(super) swept: u32,
    /// Channels held for subscriptions that begin with an answer of the market, and how often.
    pub(super) holds: HashMap<u32, u32>,
    pub(super) socketio: super::socketio::Sessions,
}

/// A shutdown under way.
pub(super) struct Drain {
    pub from: Tick,
    pub until: Tick,
    /// Everybody below has been told to go.
    pub next: Slot,
}

/// The epoll set as tokio sees it. It stays open as long as the shard, which owns it.
struct Set(RawFd);

impl AsRawFd for Set {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl AsFd for Set {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the shard's epoll set outlives the loop that holds this.
        #[allow(unsafe_code)]
        unsafe {
            BorrowedFd::borrow_raw(self.0)
        }
    }
}

impl Shard {
    pub fn new(id: usize, shared: Arc<Shared>, listener: TcpListener) -> std::io::Result<Shard> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let handshakes = super::handshake::Handshakes::new(shared.config.limits.handshakes);
        Ok(Shard {
            id,
            fanout: Fanout::new(id),
            epoll,
            listener: Some(listener),
            accept_after: 0,
            accept_pause: 0,
            tick: 0,
            buffer: vec![0; READ_BUFFER_BYTES],
            again: Vec::new(),
            paused: Vec::new(),
            leaving: Vec::new(),
            ready: VecDeque::new(),
            handshakes,
            http: super::http::Http::new(shared.clone(), id),
            stages: Stages::default(),
            drain: None,
            swept: 0,
            holds: HashMap::new(),
            socketio: super::socketio::Sessions::default(),
            shared,
        })
    }

    /// Runs until the relay stops and everybody has been told.
    pub async fn run(mut self) -> std::io::Result<()> {
        // SAFETY: the descriptor stays open and the same while it is registered: the shard owns it, and drops it
        // after this registration, at the end of this function.
        #[allow(unsafe_code)]
        let set = unsafe { AsyncFd::register(Set(self.epoll.as_raw_fd())) }.map_err(|error| error.into_parts().1)?;
        let shared = self.shared.clone();
        let bell = &shared.bells[self.id];
        let mut timer = tokio::time::interval(Duration::from_millis(TICK_MS));
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let flush_interval = shared.config.flush_interval;
        let mut next_turn = tokio::time::Instant::now();
        // Handing out waits for `next_turn`; everything else goes on meanwhile.
        let mut waits = false;
        loop {
            let mut look = false;
            tokio::select! {
                biased;
                _ = timer.tick() => {
                    self.tick = shared.clock.tick();
                    self.sweep();
                    look = true;
                }
                ready = set.readable() => { ready?.clear_ready(); look = true; }
                () = bell.notify.notified() => {}
                () = tokio::time::sleep_until(next_turn), if waits => {}
            }
            loop {
                self.fanout.set_now(shared.clock.now_ms(), shared.clock.calendar_ms());
                if look {
                    self.look()?;
                }
                self.read_again();
                self.take_mail();
                self.dispatch_heads();
                // The flag first, then the queue: what is posted after the flag was cleared rings again.
                bell.doorbell.answer();
                while let Some(channel) = bell.doorbell.pop() {
                    self.fanout.news(channel);
                }
                let mut busy = !self.again.is_empty();
                waits = !flush_interval.is_zero() && tokio::time::Instant::now() < next_turn;
                if !waits {
                    let more = self.turn();
                    busy |= more;
                    // What one turn cannot write is not held back for another interval.
                    if !more && !flush_interval.is_zero() {
                        next_turn = tokio::time::Instant::now() + flush_interval;
                    }
                }
                self.leave();
                if !busy {
                    break;
                }
                // Upstreams and handshakes get their share between two turns.
                tokio::task::yield_now().await;
                look = true;
            }
            if self.drain.is_some() && self.fanout.is_empty() && self.handshakes.is_empty() {
                return Ok(());
            }
        }
    }

    /// Takes what the epoll set tells.
    fn look(&mut self) -> std::io::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_PER_WAIT);
        loop {
            events.clear();
            let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&now)) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let flags = event.flags;
                match event.data.u64() {
                    LISTENER => self.accept(),
                    key => self.client_event(key, flags),
                }
            }
            if events.len() < EVENTS_PER_WAIT {
                return Ok(());
            }
        }
    }

    fn client_event(&mut self, key: u64, flags: epoll::EventFlags) {
        let (slot, generation) = slot_of(key);
        let Some(session) = self.fanout.tenant_mut(slot, generation) else { return };
        if flags.contains(epoll::EventFlags::OUT) && session.conn.armed {
            let conn = &mut session.conn;
            conn.armed = false;
            let data = epoll::EventData::new_u64(key);
            // Disarming cannot fail on a socket of the set; if it did, the next write would arm it again.
            if let Some(fd) = &conn.fd {
                let _ = epoll::modify(&self.epoll, fd, data, INTEREST);
            }
            self.fanout.writable(slot);
        }
        let ends = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(epoll::EventFlags::IN | ends) {
            self.readable(slot, flags.intersects(ends));
        }
    }

    /// One turn of the core; true if there is more.
    fn turn(&mut self) -> bool {
        let (clock, due) = (self.shared.clock, &mut self.socketio.due);
        let mut edge = Edge { epoll: &self.epoll, clock, stages: &mut self.stages, due };
        let mut more = self.fanout.turn(&mut edge, TURN_WRITES_MAX);
        for slot in self.fanout.take_gone() {
            self.remove_lost(slot);
        }
        for slot in self.fanout.take_too_slow() {
            self.close(slot, CloseReason::TooSlow);
        }
        more |= self.answer_polls();
        self.release();
        more
    }

    /// Tells the table which channels nobody here wants any more.
    pub(super) fn release(&mut self) {
        for channel in self.fanout.take_released() {
            // Who waits for an answer about the past goes on with it.
            if self.holds.contains_key(&channel) {
                continue;
            }
            self.shared.topics.release(channel, self.id);
        }
    }

    fn take_mail(&mut self) {
        let shared = self.shared.clone();
        while let Some(mail) = shared.shards[self.id].mail.pop() {
            match mail {
                Mail::Move(portable) => self.arrive(*portable),
                Mail::Open(opening) => self.open(*opening),
                Mail::Answer(answered) => self.take_answer(*answered),
                Mail::SocketIo(letter) => self.take_letter(*letter),
                Mail::EndUser(ended) => self.end_user(&ended),
                Mail::TellHub(frame) => self.tell_hub(&frame),
                Mail::Drain => self.begin_drain(),
            }
        }
    }

    /// An upgraded connection becomes plain data.
    fn open(&mut self, opening: Opening) {
        let Opening { fd, ticket, speaks, combined, notices, names, bad, early } = opening;
        let message_bytes_max = match speaks {
            Speaks::Echo => ECHO_MESSAGE_BYTES_MAX,
            _ => CLIENT_MESSAGE_BYTES_MAX,
        };
        let is_stream = speaks.is_stream();
        let conn = Conn::new(fd, ticket, speaks, message_bytes_max, self.tick);
        let slot = self.fanout.open(conn, combined, notices);
        if !self.watch(slot, INTEREST) {
            return;
        }
        self.shared.metrics.shards[self.id].counters.upgraded.one();
        if is_stream {
            self.begin_user(slot);
            self.subscribe_from_url(slot, &names, &bad);
        }
        self.greet_socketio(slot);
        self.probe_opened(slot);
        if !early.is_empty() {
            let mut early = early.to_vec();
            self.take_bytes(slot, &mut early);
        }
        if self.shared.is_draining() {
            self.announce_end(slot);
            self.close(slot, CloseReason::Restart);
        }
    }

    /// Puts a connection into the epoll set.
    pub(super) fn watch(&mut self, slot: Slot, flags: epoll::EventFlags) -> bool {
        let key = key(slot, self.fanout.generation(slot));
        let Some(session) = self.fanout.session_mut(slot) else { return false };
        session.conn.key = key;
        let Some(fd) = &session.conn.fd else { return true };
        if epoll::add(&self.epoll, fd, epoll::EventData::new_u64(key), flags).is_err() {
            self.remove_lost(slot);
            return false;
        }
        true
    }

    fn arrive(&mut self, mut portable: crate::fanout::core::Portable<Conn>) {
        let before = portable.held.len();
        portable.held.retain_mut(|Carried { channel, position, .. }| {
            // While it was on its way, the last subscriber here may have left and the channel ended with it.
            let Some(current) = self.hold(channel, self.id) else { return false };
            if !Arc::ptr_eq(&current, channel) {
                *position = current.log.subscribe_position();
                *channel = current;
            }
            true
        });
        let lost = before - portable.held.len();
        let slot = self.fanout.arrive(portable);
        if let Some(session) = self.fanout.session_mut(slot) {
            session.conn.armed = false;
            session.conn.since = session.conn.since.min(self.tick);
        }
        if self.watch(slot, INTEREST) {
            self.check_user(slot);
            if lost > 0 {
                // What it subscribed to cannot be had any more: it may ask again.
                self.shared.metrics.shards[self.id].counters.refused_topics.add(lost as u64);
                self.close(slot, CloseReason::Overloaded);
            }
            if self.shared.is_draining() {
                self.announce_end(slot);
                self.close(slot, CloseReason::Restart);
            }
        }
    }

    /// Hands a connection to another shard, with everything it is.
    pub(super) fn hand_over(&mut self, slot: Slot, to: usize) {
        let Some(session) = self.fanout.session(slot) else { return };
        if session.conn.fd.as_ref().is_none_or(|fd| epoll::delete(&self.epoll, fd).is_err()) {
            return;
        }
        self.part_socketio(slot);
        if let Some(portable) = self.fanout.depart(slot) {
            // Before this shard lets go of the channels, or they would end in between.
            for held in &portable.held {
                self.hold(&held.channel, to);
            }
            self.shared.metrics.shards[self.id].counters.moved.one();
            self.shared.send(to, Mail::Move(Box::new(portable)));
        }
        self.release();
    }

    /// Has the table know that a shard subscribes to the channel of a connection that moves there.
    fn hold(&self, channel: &Channel, shard: usize) -> Option<Arc<Channel>> {
        let Channel { name, kind, dialect, .. } = channel;
        let dead = Name::parse(name, self.shared.config.profile).is_ok_and(|name| name.is_dead());
        let wanted = Wanted { name, kind: *kind, dialect: *dialect, dead, client: None };
        self.shared.topics.subscribe(wanted, shard).ok()
    }

    /// Says why, then ends the connection.
    pub(super) fn close(&mut self, slot: Slot, reason: CloseReason) {
        let mut frame = Vec::new();
        encode::close(Some(reason.code()), reason.text(), &mut frame);
        if self.begin_close(slot, &frame) {
            self.shared.metrics.shards[self.id].closes.one(reason);
        }
    }

    /// Sends a CLOSE frame and waits for the peer's end. False if that had been done before.
    pub(super) fn begin_close(&mut self, slot: Slot, frame: &[u8]) -> bool {
        let tick = self.tick;
        let Some(session) = self.fanout.session_mut(slot) else { return false };
        if session.conn.stage != Stage::Open {
            return false;
        }
        if session.conn.fd.is_none() {
            self.end_polled(slot);
            return true;
        }
        self.part_socketio(slot);
        let Some(session) = self.fanout.session_mut(slot) else { return false };
        session.conn.stage = Stage::Closing;
        session.conn.since = tick;
        session.conn.ticket.leave();
        self.leaving.push(session.conn.key);
        self.fanout.end(slot, frame);
        self.release();
        true
    }

    /// Those who have been told everything are shut for writing.
    fn leave(&mut self) {
        let mut leaving = std::mem::take(&mut self.leaving);
        leaving.retain(|&key| {
            let (slot, generation) = slot_of(key);
            if self.fanout.tenant_mut(slot, generation).is_none() {
                return false;
            }
            if !self.fanout.is_told(slot) {
                return true;
            }
            if let Some(session) = self.fanout.session_mut(slot) {
                session.conn.stage = Stage::Shut;
                if let Some(fd) = &session.conn.fd {
                    // A socket the peer has already ended cannot be shut; its end is read next.
                    let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Write);
                }
            }
            false
        });
        leaving.append(&mut self.leaving);
        self.leaving = leaving;
    }

    /// The socket failed, or the peer left without a word.
    pub(super) fn remove_lost(&mut self, slot: Slot) {
        if let Some(session) = self.fanout.session(slot) {
            let counters = &self.shared.metrics.shards[self.id].counters;
            match session.conn.stage {
                Stage::Open => counters.gone.one(),
                Stage::Head | Stage::Ready => counters.head_gone.one(),
                Stage::Closing | Stage::Shut => {}
            }
        }
        self.remove(slot);
    }

    /// Forgets a connection; its descriptor and its places in the counts go with it.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.part_socketio(slot);
        drop(self.fanout.close(slot));
        self.release();
    }

    /// Puts what the shard counts where the metrics find it.
    pub(super) fn publish_counts(&mut self) {
        let metrics = &self.shared.metrics.shards[self.id];
        metrics.stages.take_over(&mut self.stages);
        let (stats, counters) = (&self.fanout.stats, &metrics.counters);
        for (counter, value) in [
            (&counters.delivered, stats.delivered),
            (&counters.written_bytes, stats.written_bytes),
            (&counters.skipped, stats.skipped),
            (&counters.abandoned, stats.abandoned),
            (&counters.subscribed, stats.subscribed),
            (&counters.unsubscribed, stats.unsubscribed),
            (&counters.blocked, stats.blocked),
            (&counters.turns, stats.turns),
            (&counters.writes, stats.writes),
            (&counters.connections, (self.fanout.len() + self.handshakes.len()) as u64),
            (&counters.channels, self.fanout.channels() as u64),
            (&counters.http_streams, self.http.long_count() as u64),
        ] {
            counter.set(value);
        }
        self.shared.shards[self.id].connections.store(self.fanout.len(), Relaxed);
    }
}
