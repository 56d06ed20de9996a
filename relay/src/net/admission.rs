//! Who may come in: how many connections there are, in all and by address.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use foldhash::fast::RandomState;

use crate::wire::http::ip::{IpKey, is_loopback};

/// Counts of the whole process.
pub struct Admission {
    connections: AtomicUsize,
    connections_max: usize,
    /// Per address; 0 is no limit.
    per_ip_max: usize,
    exempt_loopback: bool,
    by_ip: Mutex<HashMap<IpKey, usize, RandomState>>,
}

/// One connection's place in the counts. It leaves them all when it is dropped.
pub struct Ticket {
    admission: Arc<Admission>,
    ip: IpKey,
    loopback: bool,
    counted: bool,
}

impl Admission {
    pub fn new(connections_max: usize, per_ip_max: usize, exempt_loopback: bool) -> Arc<Admission> {
        Arc::new(Admission {
            connections: AtomicUsize::new(0),
            connections_max,
            per_ip_max,
            exempt_loopback,
            by_ip: Mutex::new(HashMap::default()),
        })
    }

    /// Counts a connection. The second value says whether it is one too many: it is answered, and that is all.
    pub fn enter(self: &Arc<Admission>, ip: IpKey, loopback: bool) -> (Ticket, bool) {
        let before = self.connections.fetch_add(1, Relaxed);
        (Ticket { admission: self.clone(), ip, loopback, counted: false }, before >= self.connections_max)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    pub fn connections_max(&self) -> usize {
        self.connections_max
    }
}

impl Ticket {
    pub fn ip(&self) -> IpKey {
        self.ip
    }

    /// A proxy told the real address.
    pub fn set_ip(&mut self, ip: IpKey, loopback: bool) {
        debug_assert!(!self.counted, "the address is known before it is counted");
        self.ip = ip;
        self.loopback = loopback;
    }

    /// One more place for the same client, or for the one at this address, which stays longer than the connection it
    /// came on. The second value is as for [`Admission::enter`].
    pub fn another(&self, told: Option<std::net::IpAddr>) -> (Ticket, bool) {
        let (ip, loopback) = told.map_or((self.ip, self.loopback), |ip| (IpKey::from(ip), is_loopback(ip)));
        self.admission.enter(ip, loopback)
    }

    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Load tests come from the machine itself and are not to be limited by default.
    pub fn is_exempt(&self) -> bool {
        self.loopback && self.admission.exempt_loopback
    }

    /// Takes one of the address's places; false if there is none left.
    pub fn take_place(&mut self) -> bool {
        if self.counted || self.is_exempt() || self.admission.per_ip_max == 0 {
            return true;
        }
        let mut by_ip = self.admission.by_ip.lock().expect("a panic ends the process");
        let count = by_ip.entry(self.ip).or_default();
        if *count >= self.admission.per_ip_max {
            return false;
        }
        *count += 1;
        self.counted = true;
        true
    }

    /// Gives the address's place back ahead of the connection's end: who has our CLOSE may come again at once.
    pub fn leave_place(&mut self) {
        if std::mem::take(&mut self.counted) {
            let mut by_ip = self.admission.by_ip.lock().expect("a panic ends the process");
            if let Some(count) = by_ip.get_mut(&self.ip) {
                *count -= 1;
                if *count == 0 {
                    by_ip.remove(&self.ip);
                }
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.connections.fetch_sub(1, Relaxed);
        self.leave_place();
    }
}
