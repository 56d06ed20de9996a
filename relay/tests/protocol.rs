//! RFC 6455 as a client may use and break it.

mod support;

use support::client::{Client, Got};
use support::frame::{self, BINARY, CONTINUATION, PING, PONG, TEXT, close, masked, message, unmasked};
use support::relay::Relay;

const LIST: &str = r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#;
const EMPTY_LIST: &str = r#"{"result":[],"id":1}"#;
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

fn check_closed(relay: &Relay, bytes: &[u8], code: u16) {
    let mut client = relay.client("/ws");
    client.send_bytes(bytes);
    let (found, _) = client.closed();
    assert_eq!(found, Some(code), "{:?}", &bytes[..bytes.len().min(16)]);
    client.expect_end();
}

/// A request blown up to this length by spaces.
fn padded(len: usize) -> String {
    format!("{LIST}{}", " ".repeat(len - LIST.len()))
}

/// Proves that every break of the framing is answered by 1002 and the end.
#[test]
fn broken_frames_are_closed_1002() {
    let relay = Relay::start();
    for bytes in [
        unmasked(0x80 | TEXT, LIST.as_bytes()),
        unmasked(0x80 | PING, b""),
        masked(0xc0 | TEXT, b"x"),
        masked(0x90 | TEXT, b"x"),
        masked(0x83, b"x"),
        masked(0x8b, b""),
        masked(PING, b"x"),
        masked(0x80 | PING, &[b'x'; 126]),
        masked(0x80 | CONTINUATION, b"x"),
        [masked(TEXT, b"a"), masked(0x80 | TEXT, b"b")].concat(),
        message(frame::CLOSE, &[3]),
        close(Some(1005), ""),
        close(Some(1006), ""),
        close(Some(999), ""),
        close(Some(5000), ""),
    ] {
        check_closed(&relay, &bytes, 1002);
    }
}

/// Proves that text which is not UTF-8 is answered by 1007, also across fragments and in the reason of a CLOSE.
#[test]
fn text_that_is_not_utf8_is_closed_1007() {
    let relay = Relay::start();
    check_closed(&relay, &message(TEXT, b"\xff"), 1007);
    check_closed(&relay, &message(TEXT, b"\xed\xa0\x80"), 1007);
    check_closed(&relay, &message(TEXT, b"caf\xc3"), 1007);
    check_closed(&relay, &[masked(TEXT, b"\xc3"), masked(0x80 | CONTINUATION, b"(")].concat(), 1007);
    let mut reason = 1000_u16.to_be_bytes().to_vec();
    reason.push(0xff);
    check_closed(&relay, &message(frame::CLOSE, &reason), 1007);
}

/// Proves that a message of 64 KiB is read, and that one of a byte more is answered by 1009, fragments or not.
#[test]
fn a_message_has_a_limit() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    assert_eq!(client.request(&padded(MESSAGE_BYTES_MAX)), EMPTY_LIST);
    let text = padded(MESSAGE_BYTES_MAX);
    let (one, two) = text.as_bytes().split_at(50_000);
    client.send_bytes(&masked(TEXT, one));
    client.send_bytes(&masked(0x80 | CONTINUATION, two));
    assert_eq!(client.reply(), EMPTY_LIST);
    check_closed(&relay, &message(TEXT, padded(MESSAGE_BYTES_MAX + 1).as_bytes()), 1009);
    let over = [masked(TEXT, one), masked(CONTINUATION, one)].concat();
    check_closed(&relay, &over, 1009);
    // The length alone is enough; the rest need not come.
    let mut head = vec![0x80 | TEXT, 0xff];
    head.extend_from_slice(&(1_u64 << 40).to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    check_closed(&relay, &head, 1009);
}

/// Proves that a PING is answered by a PONG with the same payload, also many of them, in order.
#[test]
fn pings_are_answered_with_their_payload() {
    let relay = Relay::start();
    let mut client = relay.client("/ws/btcusdt@trade");
    let payloads = [&b""[..], b"x", &[0xff; 125], "币".as_bytes()];
    for payload in payloads {
        client.send_bytes(&message(PING, payload));
    }
    let mut pongs = Vec::new();
    while pongs.len() < payloads.len() {
        match client.next() {
            Got::Pong(payload) => pongs.push(payload),
            Got::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pongs, payloads);
}

/// Proves that control frames between the fragments of a message are answered at once and do not disturb it.
#[test]
fn control_frames_may_part_a_message() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    for (at, byte) in LIST.bytes().enumerate() {
        let opcode = if at == 0 { TEXT } else { CONTINUATION };
        let last = if at == LIST.len() - 1 { 0x80 } else { 0 };
        if at % 5 == 1 {
            client.send_bytes(&message(PONG, b"unasked"));
            client.send_bytes(&message(PING, &[byte]));
            assert_eq!(client.next(), Got::Pong(vec![byte]));
        }
        client.send_bytes(&masked(last | opcode, &[byte]));
    }
    assert_eq!(client.text(), EMPTY_LIST);
    client.send_bytes(&[masked(TEXT, b""), masked(CONTINUATION, b""), masked(0x80 | CONTINUATION, LIST.as_bytes())].concat());
    assert_eq!(client.text(), EMPTY_LIST);
}

/// Proves that the code of a CLOSE comes back exactly, none for none, and that the relay then ends the connection.
#[test]
fn close_codes_come_back() {
    let relay = Relay::start();
    for code in [None, Some(1000), Some(1001), Some(1011), Some(3000), Some(4000), Some(4999)] {
        for reason in ["", "Normal closure"] {
            if code.is_none() && !reason.is_empty() {
                continue;
            }
            let mut client = relay.client("/ws/btcusdt@trade");
            client.send_bytes(&close(code, reason));
            assert_eq!(client.closed().0, code);
            client.expect_end();
        }
    }
}

/// Proves that a PONG nobody asked for is no mistake.
#[test]
fn unasked_pongs_are_tolerated() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    for payload in [&b""[..], b"whatever"] {
        client.send_bytes(&message(PONG, payload));
        assert_eq!(client.request(LIST), EMPTY_LIST);
    }
}

/// Proves that frames after a CLOSE are thrown away and the close handshake still ends well.
#[test]
fn frames_after_a_close_are_tolerated() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    let mut bytes = close(Some(1000), "");
    bytes.extend(message(TEXT, LIST.as_bytes()));
    bytes.extend(message(PING, b"x"));
    bytes.extend(b"not even a frame");
    client.send_bytes(&bytes);
    assert_eq!(client.next(), Got::Close(Some(1000), String::new()));
    // Later ones as well, in a packet of their own.
    let _ = std::io::Write::write_all(&mut client.stream, &message(TEXT, LIST.as_bytes()));
    client.expect_end();
}

/// Proves that a request in the same packet as the CLOSE is still answered, before it.
#[test]
fn a_request_before_the_close_is_answered() {
    let relay = Relay::start();
    let mut client = relay.client("/ws");
    client.send_bytes(&[message(TEXT, LIST.as_bytes()), close(Some(1000), "")].concat());
    assert_eq!(client.text(), EMPTY_LIST);
    assert_eq!(client.closed().0, Some(1000));
    client.expect_end();
}

/// Proves that whoever leaves without a CLOSE, by FIN or by RST, in mid-frame or not, is forgotten and counted.
#[test]
fn leaving_without_a_word_leaves_nothing_behind() {
    let relay = Relay::start();
    let mut watcher = relay.client("/ws/btcusdt@trade");
    for halfway in [false, true] {
        for reset in [false, true] {
            let mut client = relay.client("/ws/btcusdt@trade/ethusdt@trade");
            client.text();
            if halfway {
                client.send_bytes(&message(TEXT, LIST.as_bytes())[..9]);
            }
            if reset {
                client.reset();
                continue;
            }
            client.finish();
            // Its own side is open: it sees the relay end the other one.
            while !matches!(client.next(), Got::End | Got::Reset) {}
        }
    }
    relay.until_count("relay_connections_lost_total", "", 4.0);
    support::until("only the watcher is left", || relay.count("relay_connections") == 1.0);
    assert_eq!(watcher.json()["e"], "trade");
}

/// Proves that a request sent together with the FIN is no reason to lose the connection's place for long.
#[test]
fn data_and_the_end_in_one_packet_are_both_seen() {
    let relay = Relay::start();
    for _ in 0..50 {
        let mut client = relay.client("/ws");
        client.send(LIST);
        client.finish();
    }
    support::until("all of them are forgotten", || relay.count("relay_connections") == 0.0);
}

/// Proves that a client which neither reads nor closes is blocked, then given up, and that others have their data.
#[test]
fn a_half_open_client_is_given_up() {
    let relay = Relay::configured("[limits]\nwrite_timeout = \"1s\"\nclose_timeout = \"1s\"", &[]);
    let symbols = ["btc", "eth", "bnb", "sol", "xrp", "ada", "doge", "ltc"];
    let names: Vec<String> = symbols.iter().map(|symbol| format!("{symbol}usdt@depth20@100ms")).collect();
    let head = support::http::upgrade(&format!("/ws/{}", names.join("/")));
    let stuck = Client::upgrade(support::client::connect_narrow(relay.public), &head);
    let mut watcher = relay.client("/ws/btcusdt@trade");
    relay.until_count("relay_clients_blocked_total", "", 1.0);
    assert_eq!(watcher.json()["e"], "trade");
    relay.until_count("relay_closes_total", "reason=\"stalled\"", 1.0);
    support::until("only the watcher is left", || relay.count("relay_connections") == 1.0);
    assert_eq!(watcher.json()["e"], "trade");
    drop(stuck);
}

/// Proves that a client which floods with requests and reads no answer is not read any more, and others do not notice.
#[test]
fn a_client_that_takes_no_answers_is_not_read() {
    let relay = Relay::configured("[limits]\nwrite_timeout = \"2s\"", &[]);
    let stream = support::client::connect_narrow(relay.public);
    let mut flood = Client::upgrade(stream, &support::http::upgrade("/ws"));
    flood.stream.set_nonblocking(true).expect("it can be set");
    let bytes = message(TEXT, LIST.as_bytes()).repeat(1000);
    let mut watcher = relay.client("/ws/btcusdt@trade");
    let mut written = 0;
    support::until("the relay stops reading", || {
        match std::io::Write::write(&mut flood.stream, &bytes) {
            Ok(count) => written += count,
            // Full, for the moment or for good: the relay tells below.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        relay.count("relay_clients_blocked_total") >= 1.0
    });
    assert_eq!(watcher.json()["e"], "trade");
    relay.until_count("relay_closes_total", "reason=\"stalled\"", 1.0);
    let memory = relay.count("relay_memory_resident_bytes");
    assert!(memory < 200e6, "{memory} bytes after {written} bytes of requests");
    assert_eq!(watcher.json()["e"], "trade");
}

/// Proves that bytes without sense, cut anywhere, cost only the connection that sent them.
#[test]
fn garbage_harms_nobody() {
    let relay = Relay::start();
    let mut watcher = relay.client("/ws/btcusdt@trade");
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut byte = || {
        // Xorshift: the same garbage in every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 32) as u8
    };
    for round in 0..300 {
        let garbage: Vec<u8> = (0..round * 3).map(|_| byte()).collect();
        let mut stream = std::net::TcpStream::connect(relay.public).expect("it accepts");
        let mut head = support::http::upgrade("/ws/btcusdt@trade").into_bytes();
        match round % 4 {
            0 => head.clear(),
            1 => head.truncate(usize::from(byte())),
            2 => head.extend(masked(0x80 | TEXT, &garbage)),
            _ => {}
        }
        head.extend_from_slice(&garbage);
        // The relay may have hung up already, which is its right.
        let _ = std::io::Write::write_all(&mut stream, &head);
    }
    support::until("only the watcher is left", || relay.count("relay_connections") == 1.0);
    assert_eq!(watcher.json()["e"], "trade");
    assert_eq!(relay.client("/ws").request(LIST), EMPTY_LIST);
}

/// Proves that /echo exists only on request, and gives texts, bytes and fragments up to 16 MiB back.
#[test]
fn echo_is_off_unless_asked_for() {
    let relay = Relay::start();
    assert_eq!(support::http::ask(relay.public, &support::http::upgrade("/echo")).status, 404);
    let relay = Relay::with(&["--echo"]);
    let mut client = relay.client("/echo");
    client.send("{\"any\":\"text\"}");
    assert_eq!(client.next(), Got::Text("{\"any\":\"text\"}".to_owned()));
    client.send_bytes(&message(BINARY, &[0, 255]));
    assert_eq!(client.next(), Got::Binary(vec![0, 255]));
    client.send_bytes(&[masked(TEXT, b"a"), masked(0x80 | CONTINUATION, b"b")].concat());
    assert_eq!(client.next(), Got::Text("ab".to_owned()));
    let large: Vec<u8> = (0..16 * 1024 * 1024).map(|at: u32| (at % 251) as u8).collect();
    client.send_bytes(&message(BINARY, &large));
    assert!(client.next() == Got::Binary(large), "16 MiB come back as they were");
    let head = [&[0x80 | BINARY, 0xff][..], &(16_u64 * 1024 * 1024 + 1).to_be_bytes(), &[0; 4]].concat();
    client.send_bytes(&head);
    assert_eq!(client.closed().0, Some(1009));
}
