//! The places that HTTP connections take: one of the handshakes' while they are at work, another while an answer stays
//! open.

use std::rc::Rc;

use super::{Http, Visit};
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

    /// Lets an answer stay open, if there is room for one more; its place among the handshakes is free then.
    pub(in crate::net) fn stay(self: &Rc<Http>, visit: &Rc<Visit>) -> Option<Long> {
        let most = self.shared.config.limits.http_streams / self.shared.shards.len();
        if self.longs.get() >= most.max(1) {
            self.counters().refused_http_streams.one();
            return None;
        }
        self.longs.set(self.longs.get() + 1);
        drop(visit.place.take());
        visit.phase.set(Phase::Long);
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
        self.visit.phase.set(Phase::Idle);
    }
}
