//! The PROXY protocol, version 2: what a load balancer says about the peer before the peer's own bytes.
//!
//! <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt> section 2.2

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a connection starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// Too little to tell.
    NeedMore,
    /// No header: the bytes are the peer's own.
    Absent,
    Invalid(&'static str),
    /// A header of `len` bytes. Without a source the connection's own peer counts: the load balancer checks our
    /// health, or the client came by other means than TCP.
    Header {
        len: usize,
        source: Option<SocketAddr>,
    },
}

/// A header above this is no load balancer's; theirs have 28 to some hundred bytes.
pub const HEADER_BYTES_MAX: usize = 4096;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const FIXED_BYTES: usize = 16;

/// Looks at the first bytes of a connection, which stay where they are.
pub fn parse(prefix: &[u8]) -> Proxy {
    let compared = prefix.len().min(SIGNATURE.len());
    if prefix[..compared] != SIGNATURE[..compared] {
        return Proxy::Absent;
    }
    let Some((fixed, rest)) = prefix.split_first_chunk::<FIXED_BYTES>() else {
        return Proxy::NeedMore;
    };
    let (version, command, family) = (fixed[12] >> 4, fixed[12] & 0x0F, fixed[13]);
    let body_len = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let len = FIXED_BYTES + body_len;
    if version != 2 {
        return Proxy::Invalid("PROXY version is not 2");
    }
    if len > HEADER_BYTES_MAX {
        return Proxy::Invalid("PROXY header above 4096 bytes");
    }
    let Some(body) = rest.get(..body_len) else {
        return Proxy::NeedMore;
    };
    let source = match (command, family) {
        (0, _) => Ok(None),
        (1, TCP4) => tcp4(body).map(Some),
        (1, TCP6) => tcp6(body).map(Some),
        (1, _) => Ok(None),
        _ => Err("PROXY command is neither LOCAL nor PROXY"),
    };
    match source {
        Ok(source) => Proxy::Header { len, source },
        Err(why) => Proxy::Invalid(why),
    }
}

const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const SHORT: &str = "PROXY addresses are cut short";

/// Source and destination address, source and destination port, then anything.
fn tcp4(body: &[u8]) -> Result<SocketAddr, &'static str> {
    let body: &[u8; 12] = body.first_chunk().ok_or(SHORT)?;
    let ip = Ipv4Addr::new(body[0], body[1], body[2], body[3]);
    Ok(SocketAddr::from((ip, u16::from_be_bytes([body[8], body[9]]))))
}

fn tcp6(body: &[u8]) -> Result<SocketAddr, &'static str> {
    let body: &[u8; 36] = body.first_chunk().ok_or(SHORT)?;
    let (ip, _) = body.split_first_chunk::<16>().ok_or(SHORT)?;
    Ok(SocketAddr::from((Ipv6Addr::from(*ip), u16::from_be_bytes([body[32], body[33]]))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = (body.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, body].concat()
    }

    /// The header, then with bytes behind it; every shorter prefix wants more.
    fn check(header: &[u8], source: Option<&str>) {
        let expected = Proxy::Header { len: header.len(), source: source.map(|source| source.parse().unwrap()) };
        assert_eq!(parse(header), expected);
        assert_eq!(parse(&[header, b"GET / HTTP/1.1"].concat()), expected);
        for len in 0..header.len() {
            assert_eq!(parse(&header[..len]), Proxy::NeedMore, "{len} bytes");
        }
    }

    const BODY4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0, 80];

    #[test]
    fn sources_are_read() {
        check(&header(0x21, 0x11, &BODY4), Some("192.0.2.1:4660"));
        let tlv = [4, 0, 2, 9, 9];
        check(&header(0x21, 0x11, &[&BODY4[..], &tlv].concat()), Some("192.0.2.1:4660"));
        let mut body6 = [0; 36];
        body6[..2].copy_from_slice(&[0x20, 0x01]);
        body6[15] = 7;
        body6[33] = 99;
        check(&header(0x21, 0x21, &body6), Some("[2001::7]:99"));
    }

    #[test]
    fn some_headers_name_nobody() {
        check(&header(0x20, 0x00, b""), None);
        check(&header(0x20, 0x11, &BODY4), None);
        check(&header(0x21, 0x31, &[b'/'; 216]), None);
        check(&header(0x21, 0x00, b"tlv"), None);
    }

    #[test]
    fn other_bytes_are_told_apart() {
        let check = |bytes: &[u8], expected| assert_eq!(parse(bytes), expected, "{bytes:x?}");
        check(b"", Proxy::NeedMore);
        check(b"GET /ws HTTP/1.1\r\n", Proxy::Absent);
        check(b"\r\n\r\nG", Proxy::Absent);
        check(&header(0x11, 0x11, &BODY4), Proxy::Invalid("PROXY version is not 2"));
        check(&header(0x22, 0x11, &BODY4), Proxy::Invalid("PROXY command is neither LOCAL nor PROXY"));
        check(&header(0x21, 0x11, &BODY4[..11]), Proxy::Invalid(SHORT));
        check(&header(0x21, 0x21, &BODY4), Proxy::Invalid(SHORT));
        check(&header(0x21, 0x11, &[0; 5000])[..16], Proxy::Invalid("PROXY header above 4096 bytes"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            parse(&bytes);
            let signed = [&SIGNATURE[..], &bytes].concat();
            if let Proxy::Header { len, .. } = parse(&signed) {
                prop_assert!(len <= signed.len());
            }
        }
    }
}
