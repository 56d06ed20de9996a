//! The client's address as a trusted proxy reports it, in `X-Forwarded-For` or a header of its own.

use std::net::{IpAddr, SocketAddr};

/// The address `hops_trusted` places from the right: every trusted proxy appends the peer it saw, so with one of them
/// the last entry is the client, and what stands further left is what the client claims.
///
/// `values` are the header's lines in order. `None` if there is no such entry or it is no address.
pub fn client_ip<'a>(values: impl DoubleEndedIterator<Item = &'a str>, hops_trusted: usize) -> Option<IpAddr> {
    debug_assert!(hops_trusted > 0, "without a trusted proxy the header means nothing");
    let from_the_right = values.rev().flat_map(|line| line.rsplit(','));
    from_the_right.map(str::trim).nth(hops_trusted.checked_sub(1)?).and_then(address)
}

/// Some proxies add the port.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let ip = bare.parse().ok();
    ip.or_else(|| entry.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], hops_trusted: usize, expected: Option<&str>) {
        let actual = client_ip(lines.iter().copied(), hops_trusted);
        assert_eq!(actual, expected.map(|ip| ip.parse().unwrap()), "{lines:?}");
    }

    #[test]
    fn only_what_trusted_proxies_wrote_counts() {
        check(&["203.0.113.7"], 1, Some("203.0.113.7"));
        check(&["1.1.1.1, 203.0.113.7"], 1, Some("203.0.113.7"));
        check(&["1.1.1.1", "2.2.2.2,203.0.113.7"], 1, Some("203.0.113.7"));
        check(&["1.1.1.1, 203.0.113.7, 10.0.0.1"], 2, Some("203.0.113.7"));
        check(&["1.1.1.1, 203.0.113.7", "10.0.0.1"], 2, Some("203.0.113.7"));
        check(&["203.0.113.7"], 2, None);
        check(&[], 1, None);
    }

    #[test]
    fn addresses_come_in_several_forms() {
        check(&["203.0.113.7:4711"], 1, Some("203.0.113.7"));
        check(&["2001:db8::1"], 1, Some("2001:db8::1"));
        check(&["[2001:db8::1]"], 1, Some("2001:db8::1"));
        check(&["[2001:db8::1]:443"], 1, Some("2001:db8::1"));
        check(&["unknown"], 1, None);
        check(&["203.0.113.7, "], 1, None);
    }
}
