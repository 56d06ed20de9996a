//! Who counts as one client.

use std::net::IpAddr;

/// An address as limits see it: IPv4 whole, also when mapped into IPv6, and IPv6 by its /64, which is what one
/// household or machine is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpKey(u64);

/// Marks an IPv4 key. As an IPv6 prefix it is multicast, which is no one's source address.
const IPV4_MARK: u64 = 0xFFFF_FFFF_0000_0000;

impl From<IpAddr> for IpKey {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(IPV4_MARK | u64::from(ip.to_bits())),
            IpAddr::V6(ip) => Self((ip.to_bits() >> 64) as u64),
        }
    }
}

/// Whether the address is this machine's own, also when it is mapped into IPv6.
pub fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shared_by_those_who_share_limits() {
        let key = |ip: &str| IpKey::from(ip.parse::<IpAddr>().unwrap());
        let same = |left, right| assert_eq!(key(left), key(right), "{left} {right}");
        let different = |left, right| assert_ne!(key(left), key(right), "{left} {right}");
        same("10.1.2.3", "::ffff:10.1.2.3");
        same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9");
        different("10.1.2.3", "10.1.2.4");
        different("2001:db8:1:2::1", "2001:db8:1:3::1");
        different("0.0.0.1", "::1");
        different("10.1.2.3", "::10.1.2.3");
    }

    #[test]
    fn loopback_is_known_in_every_form() {
        let check = |ip: &str, expected| assert_eq!(is_loopback(ip.parse().unwrap()), expected, "{ip}");
        check("127.0.0.1", true);
        check("127.9.9.9", true);
        check("::1", true);
        check("::ffff:127.0.0.1", true);
        check("10.0.0.1", false);
        check("::2", false);
    }
}
