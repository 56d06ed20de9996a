//! Who may come in: how many connections there are, in all and by address.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use foldhash::fast::RandomState;

use crate::access::account::{Counted, Entitlement};
use crate::wire::http::ip::{IpKey, is_loopback};

/// Counts of the whole process.
pub struct Admission {
    connections: AtomicUsize,
    connections_max: usize,
    /// Per address; 0 is no limit.
    per_ip_max: usize,
    exempt_loopback: bool,
    by_ip: Mutex<HashMap<IpKey, usize, RandomState>>,
    /// Connections of each account of the configuration.
    by_account: Box<[AtomicUsize]>,
}

/// No account of the configuration.
const NOBODY: u32 = u32::MAX;

/// One connection's place in the counts. It leaves them all when it is dropped.
pub struct Ticket {
    admission: Arc<Admission>,
    ip: IpKey,
    loopback: bool,
    counted: bool,
    /// It counts for its account and not for its address.
    apart: bool,
    /// It is in its account's count.
    of_account: bool,
    account: u32,
}

impl Admission {
    pub fn new(connections_max: usize, per_ip_max: usize, exempt_loopback: bool, accounts: usize) -> Arc<Admission> {
        Arc::new(Admission {
            connections: AtomicUsize::new(0),
            connections_max,
            per_ip_max,
            exempt_loopback,
            by_ip: Mutex::new(HashMap::default()),
            by_account: (0..accounts).map(|_| AtomicUsize::new(0)).collect(),
        })
    }

    /// Counts a connection. The second value says whether it is one too many: it is answered, and that is all.
    pub fn enter(self: &Arc<Admission>, ip: IpKey, loopback: bool) -> (Ticket, bool) {
        let before = self.connections.fetch_add(1, Relaxed);
        let (counted, apart, of_account, account) = (false, false, false, NOBODY);
        let ticket = Ticket { admission: self.clone(), ip, loopback, counted, apart, of_account, account };
        (ticket, before >= self.connections_max)
    }

    /// Connections of each account, in the order of the configuration.
    pub fn by_account(&self) -> impl Iterator<Item = usize> {
        self.by_account.iter().map(|count| count.load(Relaxed))
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

    /// The place of its account in the configuration.
    pub fn account(&self) -> Option<u32> {
        (self.account != NOBODY).then_some(self.account)
    }

    /// Takes one of the account's places, where it has a limit of its own; false if there is none left. Such a
    /// limit was meant: it holds for loopback too.
    pub fn take_account(&mut self, entitlement: &Entitlement) -> bool {
        let Some(place) = entitlement.account().and_then(|account| account.place()) else { return true };
        let Some(count) = self.admission.by_account.get(place as usize) else { return true };
        let (counted, cap) = entitlement.connections(self.ip);
        let most = cap.over(None).map_or(usize::MAX, |most| most as usize);
        if count.fetch_add(1, Relaxed) >= most {
            count.fetch_sub(1, Relaxed);
            return false;
        }
        self.account = place;
        self.of_account = true;
        self.apart = matches!(counted, Counted::Account(_));
        true
    }

    /// Load tests come from the machine itself and are not to be limited by default.
    pub fn is_exempt(&self) -> bool {
        self.loopback && self.admission.exempt_loopback
    }

    /// Takes one of the address's places; false if there is none left.
    pub fn take_place(&mut self) -> bool {
        if self.counted || self.apart || self.is_exempt() || self.admission.per_ip_max == 0 {
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

    /// Gives its places back ahead of the connection's end: who has our CLOSE may come again at once.
    pub fn leave(&mut self) {
        self.leave_account();
        self.leave_place();
    }

    /// Gives the account's place back.
    pub fn leave_account(&mut self) {
        if std::mem::take(&mut self.of_account) {
            self.admission.by_account[self.account as usize].fetch_sub(1, Relaxed);
        }
    }

    /// Gives the address's place back.
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
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::access::account::{Account, Accounts, Cap, Required};
    use crate::access::key::Key;

    fn entitlement(connections: Cap) -> Entitlement {
        let key = Key::parse("k").unwrap();
        let account = Account {
            name: "a".into(),
            keys: vec![key.digest()],
            dialects: None,
            topics: Vec::new(),
            connections,
            messages_per_second: Cap::Usual,
        };
        let accounts = Accounts::new(Required::Nobody, vec![account]);
        accounts.entitlement(accounts.find(&key).unwrap())
    }

    fn ip(last: u8) -> IpKey {
        IpKey::from(IpAddr::from([192, 0, 2, last]))
    }

    /// An account with a limit is counted from all addresses together, loopback too, and not for any of them.
    #[test]
    fn accounts_have_places_of_their_own() {
        let admission = Admission::new(10, 1, true, 1);
        let rights = entitlement(Cap::AtMost(2));
        let enter = |last, loopback| {
            let (mut ticket, _) = admission.enter(ip(last), loopback);
            let has_room = ticket.take_account(&rights) && ticket.take_place();
            (ticket, has_room)
        };
        let (mut first, ok) = enter(1, false);
        assert!(ok);
        let (second, ok) = enter(1, true);
        assert!(ok, "the address has one place, which the account does not take");
        let (third, ok) = enter(2, false);
        assert!(!ok);
        assert_eq!((third.account(), first.account()), (None, Some(0)));
        let (mut stranger, _) = admission.enter(ip(1), false);
        assert!(stranger.take_account(&Entitlement::default()) && stranger.take_place());
        first.leave();
        first.leave();
        assert_eq!(admission.by_account().collect::<Vec<_>>(), [1]);
        drop((first, second, third));
        assert_eq!(admission.by_account().collect::<Vec<_>>(), [0]);
    }

    /// One without a limit of its own is counted for its address, as everybody.
    #[test]
    fn other_accounts_are_counted_by_address() {
        let admission = Admission::new(10, 1, true, 1);
        let rights = entitlement(Cap::Usual);
        let enter = || {
            let (mut ticket, _) = admission.enter(ip(1), false);
            let has_room = ticket.take_account(&rights) && ticket.take_place();
            (ticket, has_room)
        };
        let (_first, ok) = enter();
        assert!(ok);
        assert!(!enter().1);
        assert_eq!(admission.by_account().collect::<Vec<_>>(), [1]);
    }
}
