//! Deadlines, without a timer for each: every tick looks at an eighth of the connections.

use super::clock::{TICKS_PER_SECOND, Tick, ticks};
use super::conn::{Conn, MESSAGES_WINDOW_MS, Speaks, Stage};
use super::shard::{Drain, Shard};
use crate::config::Config;
use crate::fanout::slab::Slot;
use crate::limits::{HUB_PING_INTERVAL, HUB_SILENCE};
use crate::wire::close::CloseReason;
use crate::wire::stream::notice;
use crate::wire::ws::encode::{self, Opcode};
use std::sync::atomic::Ordering::Relaxed;

impl Shard {
    /// One tick's share of the connections, and once a second the rest of the housekeeping.
    pub(super) fn sweep(&mut self) {
        self.resume_accept();
        self.handshakes.forget_finished();
        let places = self.fanout.places();
        let part = self.swept % TICKS_PER_SECOND;
        let (from, to) = (share(places, part), share(places, part + 1));
        for slot in from..to {
            self.look_after(slot);
        }
        self.swept = self.swept.wrapping_add(1);
        if part == TICKS_PER_SECOND - 1 {
            self.publish_seen();
            self.publish_counts();
            self.balance();
        }
        self.go_on_draining();
    }

    /// What the sweep has seen once it came round.
    fn publish_seen(&mut self) {
        let seen = std::mem::take(&mut self.socketio.seen);
        let counters = &self.shared.metrics.shards[self.id].counters;
        counters.socketio_polling.set(seen.polling);
        counters.socketio_websocket.set(seen.websocket);
    }

    fn look_after(&mut self, slot: Slot) {
        self.note_news(slot);
        self.tend_socketio(slot);
        self.forget_rate(slot);
        let limits = &self.shared.config.limits;
        let Some(session) = self.fanout.session(slot) else { return };
        let conn = &session.conn;
        let age = self.tick.saturating_sub(conn.since);
        match conn.stage {
            // Its request is whole: it is served when its turn comes, also in a storm.
            Stage::Ready => {}
            Stage::Head => {
                if age > ticks(limits.head_timeout) {
                    self.shared.metrics.shards[self.id].counters.head_timeouts.one();
                    self.remove(slot);
                }
            }
            Stage::Closing | Stage::Shut => {
                if age > ticks(limits.close_timeout) {
                    self.reset(slot);
                }
            }
            Stage::Open => {
                let blocked = session.blocked_since_ms();
                let unheard = self.tick.saturating_sub(conn.heard.max(conn.since));
                // Spread over a tenth of the interval, so that a storm's clients are not all pinged in one tick.
                let Manners { interval, patience, reason } = manners(&conn.speaks, &self.shared.config);
                let due = interval.map(|interval| interval - (slot % (interval / 10).max(1)));
                let ping = due.is_some_and(|due| self.tick.saturating_sub(conn.pinged) >= due);
                let now_ms = self.shared.clock.now_ms();
                let patience_ms = limits.write_timeout.as_millis() as u64;
                // Who polls takes what there is at once; that it polls is seen to by its own pings.
                let stalled =
                    conn.fd.is_some() && blocked.is_some_and(|since| now_ms.saturating_sub(since) > patience_ms);
                let over = limits.lifetime.is_some_and(|lifetime| age > ticks(lifetime));
                if stalled {
                    self.close(slot, CloseReason::Stalled);
                } else if self.fanout.has_lost_events(slot) {
                    self.close(slot, CloseReason::TooSlow);
                } else if unheard > patience {
                    self.close(slot, reason);
                } else if over {
                    self.announce_end(slot);
                    self.close(slot, CloseReason::LifetimeOver);
                } else if ping {
                    self.ping(slot);
                }
            }
        }
    }

    /// Data that a Deriv client was sent is traffic too.
    fn note_news(&mut self, slot: Slot) {
        let (tick, now_ms) = (self.tick, self.shared.clock.now_ms());
        let Some(session) = self.fanout.session(slot) else { return };
        if !matches!(session.conn.speaks, Speaks::Deriv(_)) {
            return;
        }
        let progress = self.fanout.progress(slot);
        if let Some(session) = self.fanout.session_mut(slot)
            && let Speaks::Deriv(client) = &mut session.conn.speaks
        {
            client.rest(now_ms);
            if std::mem::replace(&mut client.progress, progress) != progress {
                session.conn.heard = tick;
            }
        }
    }

    /// An idle client costs nothing for having asked once.
    fn forget_rate(&mut self, slot: Slot) {
        let now_ms = self.shared.clock.now_ms();
        let Some(session) = self.fanout.session_mut(slot) else { return };
        if session.conn.rate.as_ref().is_some_and(|rate| rate.is_over(MESSAGES_WINDOW_MS, now_ms)) {
            session.conn.rate = None;
        }
    }

    fn ping(&mut self, slot: Slot) {
        let payload = self.shared.clock.calendar_ms().to_string();
        let mut frame = Vec::new();
        encode::frame(Opcode::Ping, payload.as_bytes(), &mut frame);
        let tick = self.tick;
        if let Some(session) = self.fanout.session_mut(slot) {
            session.conn.pinged = tick;
            // Who takes nothing is not sent more pings; the write timeout looks after it.
            if !session.is_blocked() {
                self.shared.metrics.shards[self.id].counters.pings.one();
                self.fanout.tell(slot, &frame);
            }
        }
    }

    /// Ends a connection whose peer does not end it.
    fn reset(&mut self, slot: Slot) {
        if let Some(session) = self.fanout.session(slot) {
            // Without lingering the kernel forgets what the peer does not take.
            if let Some(fd) = &session.conn.fd {
                let _ = socket2::SockRef::from(fd).set_linger(Some(std::time::Duration::ZERO));
            }
        }
        self.remove(slot);
    }

    /// A shard with more than its share hands some to the one that has least.
    fn balance(&mut self) {
        let loads: Vec<usize> = self.shared.shards.iter().map(|post| post.connections.load(Relaxed)).collect();
        let mean = loads.iter().sum::<usize>() / loads.len();
        let least = loads.iter().enumerate().min_by_key(|(_, load)| **load).map_or(0, |(at, _)| at);
        // A handful more is no imbalance.
        let allowed = mean + mean / 5 + 16;
        if least == self.id || self.drain.is_some() || loads[self.id] <= allowed {
            return;
        }
        let mut excess = (loads[self.id] - mean).min(mean.saturating_sub(loads[least])).min(HANDED_OVER_AT_ONCE);
        for slot in (0..self.fanout.places()).rev() {
            if excess == 0 {
                break;
            }
            // A probe stays with its session.
            let movable = |conn: &Conn| {
                let at_rest = conn.stage == Stage::Open && !conn.paused && conn.asked == 0;
                at_rest && conn.fd.is_some() && !matches!(conn.speaks, Speaks::SocketIoProbe(_))
            };
            if self.fanout.session(slot).is_some_and(|session| movable(&session.conn)) {
                self.hand_over(slot, least);
                excess -= 1;
            }
        }
    }

    /// Stops accepting, and begins to tell everybody.
    pub(super) fn begin_drain(&mut self) {
        if self.drain.is_some() {
            return;
        }
        let drain = ticks(self.shared.config.drain);
        self.drain = Some(Drain { from: self.tick, until: self.tick + drain, next: 0 });
        self.take_backlog();
        for slot in 0..self.fanout.places() {
            self.announce_end(slot);
        }
    }

    /// Tells a stream client that its connection is about to end, and that it may come back at once.
    pub(super) fn announce_end(&mut self, slot: Slot) {
        let Some(session) = self.fanout.session(slot) else { return };
        if session.conn.stage == Stage::Open && session.conn.speaks.is_stream() {
            let (mut text, mut frame) = (Vec::new(), Vec::new());
            notice::server_shutdown(self.shared.clock.calendar_ms(), session.is_combined(), &mut text);
            encode::frame(Opcode::Text, &text, &mut frame);
            self.fanout.tell(slot, &frame);
        }
    }

    /// The closes are spread over the drain time, so that not everybody comes back at once.
    fn go_on_draining(&mut self) {
        let Some(Drain { from, until, next }) = self.drain else { return };
        let places = self.fanout.places();
        let total = (until - from).max(1);
        let passed = (self.tick - from).min(total);
        let to = if self.tick >= until {
            places
        } else {
            (u64::from(places) * u64::from(passed) / u64::from(total)) as Slot
        };
        for slot in next..to {
            match self.fanout.session(slot).map(|session| session.conn.stage) {
                Some(Stage::Open) => self.close(slot, CloseReason::Restart),
                Some(Stage::Head) if self.tick >= until => self.remove(slot),
                _ => {}
            }
        }
        // At the end everybody is looked at again: some came late, some do not answer.
        let next = if self.tick >= until { 0 } else { to };
        self.drain = Some(Drain { from, until, next });
        let patience: Tick = ticks(self.shared.config.limits.close_timeout) + TICKS_PER_SECOND;
        if self.tick > until + patience {
            self.handshakes.abort();
            for slot in 0..places {
                if self.fanout.session(slot).is_some() {
                    self.reset(slot);
                }
            }
        }
    }
}

/// How often a client is pinged, and how long it may be silent.
struct Manners {
    interval: Option<Tick>,
    patience: Tick,
    reason: CloseReason,
}

fn manners(speaks: &Speaks, config: &Config) -> Manners {
    let limits = &config.limits;
    let reason = CloseReason::PongTimeout;
    match speaks {
        Speaks::Stream | Speaks::Undecided | Speaks::User(_) | Speaks::Echo => {
            let interval = ticks(limits.ping_interval);
            Manners { interval: Some(interval), patience: ticks(limits.pong_timeout) + interval, reason }
        }
        Speaks::Hub(_) => {
            let (interval, patience) = (ticks(HUB_PING_INTERVAL), ticks(HUB_SILENCE));
            Manners { interval: Some(interval), patience, reason }
        }
        // Sessions have deadlines of their own.
        Speaks::SocketIo(_) | Speaks::SocketIoProbe(_) => Manners { interval: None, patience: Tick::MAX, reason },
        Speaks::Deriv(_) => Manners { interval: None, patience: ticks(config.deriv.idle), reason: CloseReason::Idle },
    }
}

/// A move costs both shards some; the rest follows in the next seconds.
const HANDED_OVER_AT_ONCE: usize = 512;

fn share(places: Slot, part: u32) -> Slot {
    (u64::from(places) * u64::from(part) / u64::from(TICKS_PER_SECOND)) as Slot
}
