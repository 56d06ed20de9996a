//! Sockets: a client of our own against a venue on a port of its own.

use super::*;
use crate::handshake;
use crate::mock::server::{self, Clock};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// TLS by the test CA is trusted, by another it is not; venues that share the folder share the CA.
#[test]
fn tls() {
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let folder = tempfile::tempdir().unwrap();
    let first = crate::mock::tls::acceptors(folder.path()).unwrap();
    let second = crate::mock::tls::acceptors(folder.path()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (acceptor, trusted) in [(&first.good, true), (&second.good, true), (&first.wrong, false)] {
            let (client, server) = tokio::io::duplex(64 * 1024);
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let (client, _server) = tokio::join!(connector.connect(name, client), acceptor.accept(server));
            assert_eq!(client.is_ok(), trusted);
        }
    });
}

/// Runs a test beside a venue whose clock goes on.
fn with_venue<F: Future<Output = ()>>(test: impl FnOnce(server::Venue, String) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let clock = Clock { epoch_ms: START_MS, started: Instant::now() };
        let world = Rc::new(RefCell::new(world(Kind::Binance, &["btcusdt"], "")));
        let venue = server::Venue { world, clock, tls: None };
        let listener = crate::listen::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::task::spawn_local(server::accept(venue.clone(), listener));
        let ticking = venue.clone();
        tokio::task::spawn_local(async move {
            loop {
                ticking.world.borrow_mut().tick(ticking.clock.now_ms());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        // Far beyond what any of this takes: a hang fails instead of staying.
        tokio::time::timeout(Duration::from_secs(30), test(venue, address)).await.unwrap();
    });
}

struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Socket {
    async fn open(address: &str, target: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&handshake::request(address, target)).await.unwrap();
        let mut buffer = Vec::new();
        let accept = handshake::accept_for(handshake::KEY);
        loop {
            assert!(stream.read_buf(&mut buffer).await.unwrap() > 0);
            if let Some(length) = handshake::check_response(&buffer, &accept).unwrap() {
                buffer.drain(..length);
                return Self { stream, buffer };
            }
        }
    }

    /// The next frame, or how the connection ended.
    async fn next(&mut self) -> Result<(u8, Vec<u8>), Option<ErrorKind>> {
        loop {
            if let Some(frame) = frame::decode(&self.buffer, Sender::Server).unwrap() {
                let payload = self.buffer[frame.payload.clone()].to_vec();
                self.buffer.drain(..frame.payload.end);
                return Ok((frame.opcode, payload));
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(None),
                Ok(_) => {}
                Err(error) => return Err(Some(error.kind())),
            }
        }
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame::encode_client(&mut bytes, opcode, payload);
        self.stream.write_all(&bytes).await.unwrap();
    }
}

fn begin(venue: &server::Venue, asked: Value) {
    let now_ms = venue.clock.now_ms();
    venue.world.borrow_mut().begin(Fault::parse(&asked).unwrap(), now_ms);
}

/// Data flows, a request is answered, a cut is a reset, and what is sent again is a plain close.
#[test]
fn life() {
    with_venue(|venue, address| async move {
        let mut socket = Socket::open(&address, "/ws/btcusdt@bookTicker").await;
        socket.send(frame::TEXT, br#"{"method":"LIST_SUBSCRIPTIONS","id":9}"#).await;
        let (mut listed, mut data) = (false, 0);
        while !listed || data < 3 {
            let text = socket.next().await.unwrap().1;
            match text.starts_with(br#"{"result":["btcusdt@bookTicker"],"id":9}"#) {
                true => listed = true,
                false => data += 1,
            }
        }
        begin(&venue, serde_json::json!({"kind": "cut"}));
        let mut last = None;
        let end = loop {
            match socket.next().await {
                Ok((_, text)) => last = serde_json::from_slice::<Value>(&text).unwrap()["u"].as_u64().or(last),
                Err(end) => break end,
            }
        };
        assert_eq!(end, Some(ErrorKind::ConnectionReset));
        let told = venue.world.borrow().tell();
        let sent = told["streams"]["btcusdt@bookTicker"]["sent"].as_array().unwrap().clone();
        assert!(
            last.is_none() || sent[sent.len() - 1]["to"].as_u64() == last,
            "what was sent arrived: {last:?} {sent:?}"
        );
        let mut socket = Socket::open(&address, "/ws").await;
        begin(&venue, serde_json::json!({"kind": "close", "code": 4321, "reason": "x"}));
        assert_eq!(socket.next().await, Ok((frame::CLOSE, [&4321u16.to_be_bytes()[..], b"x"].concat())));
        assert_eq!(socket.next().await, Err(None));
    });
}

/// While it is half open nothing is answered, and afterwards what was asked meanwhile is.
#[test]
fn half_open() {
    with_venue(|venue, address| async move {
        let mut socket = Socket::open(&address, "/ws").await;
        begin(&venue, serde_json::json!({"kind": "half-open"}));
        socket.send(frame::PING, b"are you there").await;
        let quiet = tokio::time::timeout(Duration::from_millis(200), socket.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        venue.world.borrow_mut().faults.end_all(venue.clock.now_ms());
        assert_eq!(socket.next().await, Ok((frame::PONG, b"are you there".to_vec())));
    });
}

/// Nobody listens while connects are refused, and the same port takes them afterwards.
#[test]
fn refuse() {
    with_venue(|venue, address| async move {
        begin(&venue, serde_json::json!({"kind": "refuse"}));
        while TcpStream::connect(&address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        venue.world.borrow_mut().faults.end_all(venue.clock.now_ms());
        while TcpStream::connect(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Socket::open(&address, "/ws").await;
    });
}

/// A peer that takes nothing is reset all the same: nobody waits for it.
#[test]
fn cut_while_blocked() {
    with_venue(|venue, address| async move {
        let mut socket = Socket::open(&address, "/ws/btcusdt@bookTicker").await;
        begin(&venue, serde_json::json!({"kind": "corrupt", "how": "huge"}));
        let corrupted = || venue.world.borrow().tell()["streams"]["btcusdt@bookTicker"]["corrupted"] == 1;
        while !corrupted() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        begin(&venue, serde_json::json!({"kind": "cut"}));
        let mut total = 0;
        let end = loop {
            socket.buffer.clear();
            match socket.stream.read_buf(&mut socket.buffer).await {
                Ok(0) => break None,
                Ok(count) => total += count,
                Err(error) => break Some(error.kind()),
            }
        };
        assert_eq!(end, Some(ErrorKind::ConnectionReset));
        assert!(total < 64 * 1024 * 1024, "{total}");
    });
}
