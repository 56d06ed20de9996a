//! Relays behind proxies of ours: whose word on a client's address is believed.

mod support;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpStream};

use support::client::{Client, connect_from};
use support::http::{self, ask, upgrade, upgrade_with};
use support::relay::Relay;

const LIST: &str = r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#;

/// A PROXY header, version 2, of a client over TCP and IPv4.
fn proxy_header(source: Ipv4Addr) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    bytes.extend_from_slice(&source.octets());
    bytes.extend_from_slice(&[127, 0, 0, 1]);
    bytes.extend_from_slice(&40_000_u16.to_be_bytes());
    bytes.extend_from_slice(&8000_u16.to_be_bytes());
    bytes
}

fn by_proxy(relay: &Relay, source: Ipv4Addr) -> Client {
    let mut stream = TcpStream::connect(relay.public).expect("it accepts");
    stream.write_all(&proxy_header(source)).expect("it is read");
    Client::ask(stream, &upgrade("/ws"))
}

/// Proves that with the PROXY protocol a client is who the proxy says it is, and has its own places.
#[test]
fn the_proxy_protocol_names_the_client() {
    let config = "[edge]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.1/32\"]\n[limits]\nconnections_per_ip = 1";
    let relay = Relay::configured(config, &[]);
    let (one, two) = (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2));
    let mut first = by_proxy(&relay, one);
    assert_eq!(first.request(LIST), r#"{"result":[],"id":1}"#);
    assert_eq!(by_proxy(&relay, one).answer.status, 429);
    assert_eq!(by_proxy(&relay, two).answer.status, 101);
    drop(first);
    support::until("the place is free again", || by_proxy(&relay, one).answer.status == 101);
}

/// Proves that header and request may come in any pieces, in one packet too.
#[test]
fn a_proxy_header_may_come_in_pieces() {
    let config = "[edge]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let relay = Relay::configured(config, &[]);
    let request = upgrade("/ws").into_bytes();
    let bytes = [proxy_header(Ipv4Addr::new(198, 51, 100, 1)), request.clone()].concat();
    let local = [b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0".to_vec(), request].concat();
    for (bytes, step) in [(&bytes, 1), (&bytes, 13), (&bytes, bytes.len()), (&local, 1), (&local, local.len())] {
        let mut stream = TcpStream::connect(relay.public).expect("it accepts");
        stream.set_nodelay(true).expect("it can be set");
        for piece in bytes.chunks(step) {
            stream.write_all(piece).expect("it is read");
        }
        let mut client = Client::answered(stream);
        assert_eq!(client.answer.status, 101);
        assert_eq!(client.request(LIST), r#"{"result":[],"id":1}"#);
    }
}

/// Proves that a proxy of ours must send the header, and that nobody else's is believed.
#[test]
fn only_our_proxies_speak_for_others() {
    let config = "[edge]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.1/32\"]";
    let relay = Relay::configured(config, &[]);
    let mut stream = TcpStream::connect(relay.public).expect("it accepts");
    stream.write_all(upgrade("/ws").as_bytes()).expect("it is taken");
    assert!(http::try_answer(&mut stream, &mut Vec::new()).is_none(), "without a header it is not served");
    assert_eq!(relay.count_where("relay_refused_total", "reason=\"proxy_header\""), 1.0);
    let stranger = || connect_from(IpAddr::from([127, 0, 0, 2]), relay.public);
    assert_eq!(Client::ask(stranger(), &upgrade("/ws")).answer.status, 101);
    let mut liar = stranger();
    liar.write_all(&proxy_header(Ipv4Addr::new(198, 51, 100, 1))).expect("it is taken");
    let _ = liar.write_all(upgrade("/ws").as_bytes());
    let answer = http::try_answer(&mut liar, &mut Vec::new());
    assert!(answer.is_none_or(|answer| answer.status == 400), "for it the header is no request");
}

/// Proves that the trusted header names the client if one of our proxies sends it, and nobody else.
#[test]
fn the_trusted_header_names_the_client() {
    let config = "[edge]\ntrusted_header = \"X-Forwarded-For\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n[limits]\nconnections_per_ip = 1\nexempt_loopback = false";
    let relay = Relay::configured(config, &[]);
    let head = |ip: &str| upgrade_with("/ws", &format!("X-Forwarded-For: {ip}\r\n"));
    let open = |ip: &str| Client::ask(TcpStream::connect(relay.public).expect("it accepts"), &head(ip));
    let first = open("198.51.100.1");
    assert_eq!(first.answer.status, 101);
    assert_eq!(open("198.51.100.1").answer.status, 429);
    // What stands before our proxy's own word is what the client claims.
    assert_eq!(open("203.0.113.9, 198.51.100.1").answer.status, 429);
    let second = open("198.51.100.2");
    assert_eq!(second.answer.status, 101);
    let sixth = open("2001:db8::1");
    assert_eq!(sixth.answer.status, 101);
    // A stranger's header means nothing: both of its connections are its own.
    let stranger = || connect_from(IpAddr::from([127, 0, 0, 2]), relay.public);
    let third = Client::ask(stranger(), &head("198.51.100.3"));
    assert_eq!(third.answer.status, 101);
    assert_eq!(Client::ask(stranger(), &head("198.51.100.4")).answer.status, 429);
    drop((first, second, third, sixth));
    support::until("the place is free again", || ask(relay.public, &head("198.51.100.1")).status == 101);
}
