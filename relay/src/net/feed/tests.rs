//! The feed against a venue in the same process: what arrives, what is answered, what is survived.

use std::sync::Arc;
use std::time::Duration;

use fastwebsockets::OpCode;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::fake::{Got, Venue, data, frame, head_of, text};
use super::harness::{Told, World, on_a_shard};
use super::*;
use crate::limits::UPSTREAM_MESSAGE_BYTES_MAX;
use crate::venue::manager::Loss;

#[test]
fn frames_arrive_byte_for_byte_and_one_read_is_published_before_its_flush() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        let payloads: Vec<_> = (0..64).map(|n| format!(r#"{{"p": "00{n}.10","é":[ 1 ,2]}}"#)).collect();
        peer.send(&payloads.iter().flat_map(|payload| data("s1", payload)).collect::<Vec<_>>()).await;
        world.until_frame(&payloads[63]).await;
        let told = world.told.borrow();
        let frames = told.iter().filter(|told| matches!(told, Told::Frame(..))).cloned();
        let expected = payloads.iter().map(|payload| Told::Frame("s1".to_owned(), payload.clone()));
        assert!(frames.eq(expected));
        let first = told.iter().position(|told| matches!(told, Told::Frame(..))).expect("frames");
        assert!(told[first..first + 64].iter().all(|told| matches!(told, Told::Frame(..))), "no flush in between");
        assert_eq!(told[first + 64], Told::Flush);
    });
}

#[test]
fn a_flood_gives_others_their_turn_and_loses_nothing() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        let payloads: Vec<_> = (0..2_000).map(|n| format!("\"{n}\"")).collect();
        let bytes = payloads.iter().flat_map(|payload| data("s1", payload));
        peer.send(&bytes.collect::<Vec<_>>()).await;
        world.until_frame(&payloads[1_999]).await;
        let told = world.told.borrow();
        let frames = told.iter().filter_map(|told| match told {
            Told::Frame(_, data) => Some(data),
            _ => None,
        });
        assert!(frames.eq(&payloads));
        for turn in told.split(|told| *told == Told::Flush) {
            let frames = turn.iter().filter(|told| matches!(told, Told::Frame(..)));
            assert!(frames.count() <= 256, "a turn has its bound");
        }
    });
}

#[test]
fn frames_behind_the_handshakes_answer_are_not_lost() {
    on_a_shard(async {
        let world = World::start().await;
        world.want(1);
        let _peer = world.venue.accept(&data("s1", r#"{"first":1}"#)).await;
        world.until_frame(r#"{"first":1}"#).await;
    });
}

#[test]
fn the_handshake_asks_for_the_combined_endpoint_and_offers_no_extension() {
    on_a_shard(async {
        let world = World::start().await;
        world.want(1);
        let (_socket, head) = world.venue.request().await;
        assert!(head.starts_with("GET /stream HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {}\r\n", world.venue.address)), "{head}");
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
    });
}

#[test]
fn a_wrong_accept_value_or_status_is_no_connection() {
    on_a_shard(async {
        let world = World::start().await;
        world.want(1);
        let _wrong = world.venue.accept_wrongly().await;
        let why = Loss::NotConnected("the answer's sec-websocket-accept header is wrong".to_owned());
        world.until_event(FeedEvent::Lost { conn: 0, why }).await;
        let (mut socket, _) = world.venue.request().await;
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await.expect("answered");
        let why = Loss::Refused { status: 503, retry_after_ms: None };
        world.until_event(FeedEvent::Lost { conn: 0, why }).await;
        let mut peer = world.venue.accept(b"").await;
        peer.subscribe(r#""s1""#, 1).await;
    });
}

/// The wait is the venue's, and not a moment of it is used to ask again.
#[test]
fn a_ban_is_obeyed_and_told_once() {
    on_a_shard(async {
        let world = World::start().await;
        world.want(1);
        let (mut socket, _) = world.venue.request().await;
        let answer = b"HTTP/1.1 418 I'm a teapot\r\nRetry-After: 1\r\ncontent-length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await.expect("answered");
        world.until_event(FeedEvent::Blocked { ms: 1_000 }).await;
        let why = Loss::Refused { status: 418, retry_after_ms: Some(1_000) };
        assert_eq!(why.to_string(), "refused: answered 418 instead of 101, retry after 1 s");
        assert_eq!(world.count(&FeedEvent::Lost { conn: 0, why }), 1);
        let blocked_at = tokio::time::Instant::now();
        let mut peer = world.venue.accept(b"").await;
        assert!(blocked_at.elapsed() >= Duration::from_millis(900), "{:?}", blocked_at.elapsed());
        peer.subscribe(r#""s1""#, 1).await;
        world.until_event(FeedEvent::Unblocked).await;
    });
}

#[test]
fn an_abrupt_end_is_followed_by_a_new_connection_that_holds_the_same() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        peer.send(&data("s1", "1")).await;
        world.until_event(FeedEvent::TopicLive(1)).await;
        // Half of a frame: what comes after the loss starts anew.
        peer.send(&data("s1", "2")[..10]).await;
        peer.cut();
        world.until_event(FeedEvent::TopicLost(1)).await;
        world.want(2);
        let mut peer = world.venue.accept(b"").await;
        peer.subscribe(r#""s1","s2""#, 1).await;
        peer.send(&data("s1", "3")).await;
        world.until_frame("3").await;
        world.until(|told| *told == Told::Event(FeedEvent::TopicLive(1))).await;
        assert_eq!(world.count(&FeedEvent::TopicLive(1)), 2);
        assert_eq!(world.count(&FeedEvent::TopicLost(1)), 1);
    });
}

#[test]
fn a_close_frame_is_told_with_its_reason() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        peer.send(&frame(true, OpCode::Close, b"\x03\xf0Too many requests")).await;
        let why = Loss::Closed { code: 1008, reason: "Too many requests".to_owned() };
        world.until_event(FeedEvent::Lost { conn: 0, why }).await;
        let mut peer = world.venue.accept(b"").await;
        peer.subscribe(r#""s1""#, 1).await;
    });
}

#[test]
fn an_announced_end_is_followed_by_another_connection_before_the_first_is_left() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        peer.send(&data("s1", "1")).await;
        world.until_event(FeedEvent::TopicLive(1)).await;
        peer.send(&text(r#"{"e":"serverShutdown","E":1}"#)).await;
        let mut next = world.venue.accept(b"").await;
        next.expect(r#"{"method":"SUBSCRIBE","params":["s1"],"id":1}"#).await;
        // Until it is acknowledged, and a while longer, both bring data.
        peer.send(&data("s1", "2")).await;
        world.until_frame("2").await;
        next.send(&text(r#"{"result":null,"id":1}"#)).await;
        next.send(&data("s1", "3")).await;
        assert_eq!(peer.next().await, Got::Close);
        world.until_frame("3").await;
        world.until_event(FeedEvent::Rotated { conn: 0 }).await;
        world.until_event(FeedEvent::Closed { conn: 0 }).await;
        assert_eq!(world.count(&FeedEvent::TopicLost(1)), 0);
        assert_eq!(world.brought_by("3"), Some(1), "the sink is told which connection it was");
    });
}

#[test]
fn pings_are_answered_with_their_payload_also_between_fragments() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        let whole = r#"{"stream":"s1","data":{"x":"é"}}"#.as_bytes();
        let split = whole.len() - 4;
        let mut bytes = frame(false, OpCode::Text, &whole[..split]);
        bytes.extend(frame(true, OpCode::Ping, b"1700000000000"));
        bytes.extend(frame(true, OpCode::Continuation, &whole[split..]));
        peer.send(&bytes).await;
        world.until_frame(r#"{"x":"é"}"#).await;
        assert_eq!(peer.next().await, Got::Pong(b"1700000000000".to_vec()));
    });
}

#[test]
fn what_cannot_be_published_is_counted_and_the_connection_survives() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        let huge = format!("\"{}\"", "x".repeat(UPSTREAM_MESSAGE_BYTES_MAX));
        let half = vec![b' '; UPSTREAM_MESSAGE_BYTES_MAX / 2 + 1];
        peer.send(&data("s1", &huge)).await;
        peer.send(&frame(false, OpCode::Text, &half)).await;
        peer.send(&frame(true, OpCode::Continuation, &half)).await;
        peer.send(&text(r#"{"stream":"s1","data":{"#)).await;
        peer.send(&frame(true, OpCode::Text, b"{\"stream\":\"s1\",\"data\":\"\xff\"}")).await;
        peer.send(&frame(true, OpCode::Binary, b"{}")).await;
        peer.send(&text(r#"{"e":"trade","s":"BTCUSDT"}"#)).await;
        peer.send(&data("other", "1")).await;
        peer.send(&data("s1", "\"still here\"")).await;
        world.until_frame("\"still here\"").await;
        let reasons = [
            (DropReason::TooBig, 2),
            (DropReason::NotJson, 1),
            (DropReason::NotUtf8, 1),
            (DropReason::Binary, 1),
            (DropReason::NoStreamName, 1),
            (DropReason::UnknownTopic, 1),
        ];
        for (reason, count) in reasons {
            assert_eq!(world.count(&FeedEvent::Dropped { reason }), count, "{reason:?}");
        }
        assert_eq!(world.count(&FeedEvent::Connected { conn: 0, lane: 0 }), 1);
    });
}

#[test]
fn a_frame_beyond_all_measure_costs_the_connection() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        let mut head = vec![0x81, 127];
        head.extend((1u64 << 40).to_be_bytes());
        peer.send(&head).await;
        world.until_event(FeedEvent::Dropped { reason: DropReason::TooBig }).await;
        let mut peer = world.venue.accept(b"").await;
        peer.subscribe(r#""s1""#, 1).await;
    });
}

/// The test authority's certificate for `localhost`.
fn localhost() -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_slice(include_bytes!("testdata/localhost.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("testdata/localhost.key"));
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let builder = builder.with_no_client_auth();
    let chain = vec![chain.expect("a certificate")];
    Arc::new(builder.with_single_cert(chain, key.expect("a key")).expect("a pair"))
}

#[test]
fn a_tls_venue_is_trusted_by_its_ca_file_and_asked_for_by_name() {
    on_a_shard(async {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/net/feed/testdata/ca.pem");
        let tls = tls::config(Some(path.as_ref())).expect("roots");
        let venue = Venue::start().await;
        let url = format!("wss://localhost:{}", venue.address.port());
        let world = World::start_with(venue, &url, Some(tls));
        world.want(1);
        let (mut peer, name) = world.venue.accept_tls(localhost()).await;
        assert_eq!(name.as_deref(), Some("localhost"));
        peer.subscribe(r#""s1""#, 1).await;
        let payloads: Vec<_> = (0..64).map(|n| format!("\"{n}\"")).collect();
        let bytes = payloads.iter().flat_map(|payload| data("s1", payload));
        peer.send(&bytes.collect::<Vec<_>>()).await;
        world.until_frame(&payloads[63]).await;
    });
}

#[test]
fn a_tls_venue_that_nobody_vouches_for_is_no_connection() {
    on_a_shard(async {
        let roots = RootCertStore { roots: Vec::new() };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let tls = builder.with_root_certificates(roots).with_no_client_auth();
        let venue = Venue::start().await;
        let url = format!("wss://localhost:{}", venue.address.port());
        let world = World::start_with(venue, &url, Some(Arc::new(tls)));
        world.want(1);
        let (socket, _) = world.venue.listener.accept().await.expect("dialled");
        assert!(TlsAcceptor::from(localhost()).accept(socket).await.is_err());
        let refused = |why: &Loss| matches!(why, Loss::NotConnected(why) if why.contains("UnknownIssuer"));
        world.until(|told| matches!(told, Told::Event(FeedEvent::Lost { why, .. }) if refused(why))).await;
    });
}

#[test]
fn a_refused_name_is_told() {
    on_a_shard(async {
        let world = World::start().await;
        world.want(1);
        let mut peer = world.venue.accept(b"").await;
        peer.expect(r#"{"method":"SUBSCRIBE","params":["s1"],"id":1}"#).await;
        peer.send(&text(r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#)).await;
        world.until_event(FeedEvent::Refused { id: 1, msg: "Invalid request: invalid stream".to_owned() }).await;
    });
}

#[test]
fn the_connection_lives_as_long_as_somebody_wants_something() {
    on_a_shard(async {
        let world = World::start().await;
        assert!(world.venue.nobody_comes_for(50).await);
        world.want(1);
        let mut peer = world.venue.accept(b"").await;
        peer.subscribe(r#""s1""#, 1).await;
        world.demand.send(Demand::Unwant { id: 1 }).expect("the feed runs");
        peer.expect(r#"{"method":"UNSUBSCRIBE","params":["s1"],"id":2}"#).await;
        peer.send(&text(r#"{"result":null,"id":2}"#)).await;
        world.until_event(FeedEvent::Released(1)).await;
        assert_eq!(peer.next().await, Got::Close);
        assert_eq!(peer.next().await, Got::Gone);
        assert!(world.venue.nobody_comes_for(50).await);
    });
}

#[test]
fn a_shutdown_says_goodbye_and_ends() {
    on_a_shard(async {
        let (world, mut peer) = World::connected().await;
        world.shutdown.send(()).expect("the feed runs");
        timeout(Duration::from_secs(2), world.feed).await.expect("ends in time").expect("without a panic");
        assert_eq!(peer.next().await, Got::Close);
        assert_eq!(peer.next().await, Got::Gone);
    });
}

/// A request with its token and one stream of its own, over TLS; what came behind the handshake's answer is not lost.
#[test]
fn a_request_and_a_single_stream_go_over_tls() {
    on_a_shard(async {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/net/feed/testdata/ca.pem");
        let tls = tls::config(Some(path.as_ref())).expect("roots");
        let venue = Venue::start().await;
        let port = venue.address.port();
        let asked = Target::exact(true, "localhost", port, "/api/v1/listenKey");
        let served = async {
            let (socket, _) = venue.listener.accept().await.expect("accepted");
            let mut socket = TlsAcceptor::from(localhost()).accept(socket).await.expect("trusted");
            let head = head_of(&mut socket).await;
            let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
            tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await.expect("answered");
            (socket, head)
        };
        let method = hyper::Method::POST;
        let ((_socket, head), answer) = tokio::join!(served, request::request(&method, &asked, Some(&tls), "T"));
        let (status, body) = answer.expect("an answer");
        assert_eq!((status.as_u16(), &body[..]), (201, b"{}".as_slice()));
        assert!(head.starts_with("POST /api/v1/listenKey HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: Bearer T\r\n") && head.contains("x-mbx-apikey: T\r\n"), "{head}");

        let stream = Target::exact(true, "localhost", port, "/ws/key");
        let (single, (mut peer, _)) =
            tokio::join!(single::Single::open(&stream, Some(&tls)), venue.accept_tls(localhost()));
        let mut brought = Vec::new();
        let reading = single.expect("open").read(|one| {
            brought.push(match one {
                single::Brought::Text(text) => String::from_utf8_lossy(text).into_owned(),
                single::Brought::Dropped(reason) => format!("{reason:?}"),
            });
            brought.len() < 3
        });
        let saying = async {
            peer.send(&[text("a"), frame(true, OpCode::Binary, b"x"), frame(true, OpCode::Ping, b"p")].concat()).await;
            assert_eq!(peer.next().await, Got::Pong(b"p".to_vec()));
            peer.send(&text("b")).await;
            assert_eq!(peer.next().await, Got::Close, "an end is said");
        };
        let (why, ()) = tokio::join!(reading, saying);
        assert_eq!((brought.join(" "), why.as_str()), ("a Binary b".to_owned(), "ended"));
    });
}
