//! The places that HTTP connections take: one of the handshakes' while they are at work, another while an answer stays
//! open.

use std::cell::Cell;
use std::rc::Rc;

use super::{Http, Visit};
use crate::net::clock::Tick;
use crate::wire::http::ip::IpKey;

/// What a connection that speaks HTTP is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Busy,
    /// It has been answered and stays connected.
    Idle,
    /// Its answer stays open; it has no place among the handshakes.
    Long,
}

/// The phase of a connection, and since when. One that is kept alive asks again and again: it is the request that may
/// be stuck, not the connection.
#[derive(Debug)]
pub struct Progress {
    now: Cell<(Phase, Tick)>,
}

impl Progress {
    pub fn new(tick: Tick) -> Progress {
        Progress { now: Cell::new((Phase::Busy, tick)) }
    }

    pub fn phase(&self) -> Phase {
        self.now.get().0
    }

    pub fn since(&self) -> Tick {
        self.now.get().1
    }

    pub fn set(&self, phase: Phase, tick: Tick) {
        self.now.set((phase, tick));
    }
}

/// A place among the requests of one address; given back when dropped.
pub struct Place {
    http: Rc<Http>,
    ip: IpKey,
}

/// A place among the answers that stay open; given back when dropped.
pub struct Long {
    http: Rc<Http>,
    visit: Rc<Visit>,
}

impl Http {
    pub fn places(&self, ip: IpKey) -> usize {
        self.places.borrow().get(&ip).copied().unwrap_or(0)
    }

    pub fn take_place(self: &Rc<Http>, ip: IpKey) -> Place {
        *self.places.borrow_mut().entry(ip).or_default() += 1;
        Place { http: self.clone(), ip }
    }

    /// Answers that stay open now.
    pub fn long_count(&self) -> usize {
        self.longs.get()
    }

    pub(super) fn set(&self, visit: &Visit, phase: Phase) {
        visit.progress.set(phase, self.shared.clock.tick());
    }

    /// Lets an answer stay open, if there is room for one more; its place among the handshakes is free then.
    pub(in crate::net) fn stay(self: &Rc<Http>, visit: &Rc<Visit>) -> Option<Long> {
        let most = self.shared.config.limits.http_streams / self.shared.shards.len();
        if self.longs.get() >= most.max(1) {
            self.counters().refused_http_streams.one();
            return None;
        }
        self.longs.set(self.longs.get() + 1);
        drop(visit.place.take());
        self.set(visit, Phase::Long);
        Some(Long { http: self.clone(), visit: visit.clone() })
    }
}

impl Long {
    /// Ends the connection, whatever is still to be written to it.
    pub(super) fn cut(&self) {
        self.visit.cut.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.http.places.borrow_mut();
        if let Some(count) = places.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                places.remove(&self.ip);
            }
        }
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        self.http.longs.set(self.http.longs.get() - 1);
        self.http.set(&self.visit, Phase::Idle);
    }
}
