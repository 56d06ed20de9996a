//! From a whole request to hyper: so many at once, so many for each address, the oldest shed when there is no room.
//!
//! A storm of connections thus costs no more memory than one handshake after the other, and sockets that do nothing
//! shut nobody out.

use std::net::{IpAddr, TcpStream};
use std::rc::Rc;

use tokio::task::AbortHandle;

use super::clock::{TICKS_PER_SECOND, Tick};
use super::conn::slot_of;
use super::http::{self, Phase, Progress};
use super::shard::Shard;
use crate::wire::http::ip::IpKey;

/// An answered connection younger than this may be about to ask again: it is not shed.
const YOUNG: Tick = TICKS_PER_SECOND / 4;
/// An unanswered one is at work, or waits for a busy processor; above this it will not get done.
const STUCK: Tick = 5 * TICKS_PER_SECOND;

/// The connections that hyper has.
pub struct Handshakes {
    most: usize,
    running: Vec<Running>,
}

struct Running {
    task: AbortHandle,
    ip: IpKey,
    progress: Rc<Progress>,
}

impl Running {
    /// Whether it takes a place here: one whose answer stays open does not.
    fn counts(&self) -> bool {
        self.progress.phase() != Phase::Long
    }
}

impl Handshakes {
    pub fn new(most: usize) -> Handshakes {
        Handshakes { most, running: Vec::with_capacity(most) }
    }

    pub fn len(&self) -> usize {
        self.running.len()
    }

    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether one more may start; an idle old one gives way. The second value says if one did.
    fn make_room(&mut self, now: Tick) -> (bool, bool) {
        self.running.retain(|running| !running.task.is_finished());
        if self.running.iter().filter(|running| running.counts()).count() < self.most {
            return (true, false);
        }
        let shed = self.shed(now, None);
        (shed, shed)
    }

    /// Ends the oldest one that merely stays, of this address if one is given.
    fn shed(&mut self, now: Tick, of: Option<IpKey>) -> bool {
        let gives_way = |running: &Running| {
            let age = now.saturating_sub(running.progress.since());
            of.is_none_or(|ip| running.ip == ip)
                && running.counts()
                && (age > STUCK || age > YOUNG && running.progress.phase() == Phase::Idle)
        };
        let candidates = self.running.iter().enumerate().filter(|(_, running)| gives_way(running));
        let oldest = candidates.min_by_key(|(_, running)| running.progress.since()).map(|(at, _)| at);
        oldest.inspect(|&at| self.running.swap_remove(at).task.abort()).is_some()
    }

    pub fn forget_finished(&mut self) {
        self.running.retain(|running| !running.task.is_finished());
    }

    pub fn abort(&mut self) {
        for running in self.running.drain(..) {
            running.task.abort();
        }
    }
}

impl Shard {
    /// Gives whole requests to hyper as room permits.
    pub(super) fn dispatch_heads(&mut self) {
        for _ in 0..self.ready.len() {
            let (room, shed) = self.handshakes.make_room(self.tick);
            if shed {
                self.shared.metrics.shards[self.id].counters.head_shed.one();
            }
            if !room {
                return;
            }
            let Some(key) = self.ready.pop_front() else { return };
            let (slot, generation) = slot_of(key);
            let Some(session) = self.fanout.tenant_mut(slot, generation) else { continue };
            let ticket = &session.conn.ticket;
            let (ip, exempt) = (ticket.ip(), ticket.is_exempt());
            if !exempt && self.http.places(ip) >= self.shared.config.limits.handshakes_per_ip {
                // Others may still come; this one waits for its own, or for the oldest idle one among them to end.
                if self.handshakes.shed(self.tick, Some(ip)) {
                    self.shared.metrics.shards[self.id].counters.head_shed.one();
                }
                self.ready.push_back(key);
                continue;
            }
            let Some(conn) = self.fanout.close(slot) else { continue };
            let Some(fd) = conn.fd else { continue };
            // The set forgets the descriptor; it has no other holder yet.
            let _ = rustix::event::epoll::delete(&self.epoll, &fd);
            let stream = TcpStream::from(fd);
            let place = self.http.take_place(ip);
            let peer = stream.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
            let progress = Rc::new(Progress::new(self.tick));
            let request =
                http::Waiting { ticket: conn.ticket, refused: conn.refused, peer, place, progress: progress.clone() };
            let task = tokio::task::spawn_local(http::serve(self.http.clone(), stream, request));
            self.handshakes.running.push(Running { task: task.abort_handle(), ip, progress });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shed is the request that gets nowhere, or who has been answered, however old their connections are.
    #[tokio::test]
    async fn a_connection_that_asks_anew_is_not_old() {
        let old = 100 * TICKS_PER_SECOND;
        // (phase, since) of each, and which one is shed.
        type Case<'a> = (&'a [(Phase, Tick)], Option<usize>);
        let table: &[Case<'_>] = &[
            (&[(Phase::Busy, old), (Phase::Busy, old - STUCK - 1)], Some(1)),
            (&[(Phase::Busy, old - STUCK), (Phase::Idle, old - YOUNG - 1)], Some(1)),
            (&[(Phase::Busy, old - STUCK), (Phase::Idle, old - YOUNG)], None),
            (&[(Phase::Long, 0), (Phase::Busy, old)], None),
        ];
        for (connections, expected) in table {
            let mut handshakes = Handshakes::new(2);
            for &(phase, since) in *connections {
                let progress = Rc::new(Progress::new(0));
                progress.set(phase, since);
                let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
                let ip = IpKey::from(IpAddr::from([127, 0, 0, 1]));
                handshakes.running.push(Running { task, ip, progress });
            }
            let tasks: Vec<_> = handshakes.running.iter().map(|running| running.task.clone()).collect();
            let shed = handshakes.shed(old, None);
            tokio::task::yield_now().await;
            assert_eq!(tasks.iter().position(|task| task.is_finished()), *expected, "{connections:?}");
            assert_eq!(shed, expected.is_some());
        }
    }
}
