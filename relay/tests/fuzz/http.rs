//! What stands before a WebSocket: the load balancer's header, the proxies' header, the upgrade.

use relay::wire::http::proxy::{self, Proxy};
use relay::wire::http::{forwarded, handshake};

use super::input::spell;

/// What a longer prefix says, a shorter one says already or wants more.
#[test]
fn fuzz_proxy_header() {
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    bolero::check!().with_max_len(64).for_each(|input: &[u8]| {
        // The first byte says how much of a real header there is, and keeps its length near to what follows.
        let Some((&shape, rest)) = input.split_first() else { return };
        let signature = &SIGNATURE[..SIGNATURE.len() - usize::from(shape % 13 == 12)];
        let mut bytes = if shape % 4 == 0 { Vec::new() } else { signature.to_vec() };
        if shape & 0x40 != 0 {
            bytes.extend([0x20 | shape >> 7, [0x11, 0x21, 0x00][usize::from(shape) % 3], 0, shape & 0x3F]);
        }
        bytes.extend(rest);

        let whole = proxy::parse(&bytes);
        for len in 0..bytes.len() {
            let prefix = proxy::parse(&bytes[..len]);
            assert!(prefix == Proxy::NeedMore || prefix == whole, "{len} bytes: {prefix:?}, all: {whole:?}");
        }
        if let Proxy::Header { len, .. } = whole {
            assert!(len <= bytes.len().min(proxy::HEADER_BYTES_MAX));
            assert_eq!(proxy::parse(&bytes[..len]), whole);
            assert_eq!(proxy::parse(&bytes[..len - 1]), Proxy::NeedMore);
        }
    });
}

/// A claim further left does not change who the trusted proxy saw.
#[test]
fn fuzz_forwarded() {
    let words = ["10.0.0.1", "::1", "[2001:db8::1]:80", ", ", ",", " ", "1.2.3.4:5", "unknown", "[", "]", ":", "%"];
    bolero::check!().with_max_len(40).for_each(|input: &[u8]| {
        let claim = spell(input, &words);
        let line = format!("{claim}, 192.0.2.7");
        let seen = "192.0.2.7".parse().ok();
        assert_eq!(forwarded::client_ip([line.as_str()].into_iter(), 1), seen);
        assert_eq!(forwarded::client_ip([claim.as_str(), "192.0.2.7"].into_iter(), 1), seen);
        for hops in 1..4 {
            forwarded::client_ip([claim.as_str()].into_iter(), hops);
        }
    });
}

/// An upgrade is granted only with everything RFC 6455 asks for.
#[test]
fn fuzz_upgrade() {
    let names = ["upgrade", "Connection", "sec-websocket-version", "Sec-WebSocket-Key", "host", "UPGRADE"];
    let values =
        ["websocket", "Upgrade", "keep-alive, Upgrade", "13", "8", "dGhlIHNhbXBsZSBub25jZQ==", "", ",", "\u{1}", "é"];
    bolero::check!().with_max_len(16).for_each(|input: &[u8]| {
        let headers: Vec<_> =
            input.iter().map(|&byte| (names[usize::from(byte) % 6], values[usize::from(byte >> 3) % 10])).collect();
        let lines = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        match handshake::upgrade("GET", (1, 1), lines) {
            Ok(upgrade) => {
                assert_eq!(upgrade.accept.len(), 28);
                let is_key = |name: &str| name.eq_ignore_ascii_case("sec-websocket-key");
                assert_eq!(headers.iter().filter(|(name, value)| is_key(name) && !value.is_empty()).count(), 1);
            }
            Err(refusal) => assert!((400..=426).contains(&refusal.status)),
        }
    });
}
