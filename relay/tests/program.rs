//! The relay as a program: how it starts, refuses to start, and ends.

mod support;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use support::client::{Client, Got};
use support::frame::close;
use support::http::{self, ask, upgrade};
use support::relay::{Relay, run, run_with_input};

/// Proves that on SIGTERM clients are told in their form, closed 1012, and the relay ends in time with code 0.
#[test]
fn a_stop_is_told_and_ends_in_time() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut relay = Relay::with(&["--drain", "1s"]);
        let mut raw = relay.client("/ws/btcusdt@kline_1M");
        let mut combined = relay.client("/stream?streams=btcusdt@kline_1M");
        let mut idle = relay.client("/ws");
        for client in [&mut raw, &mut combined] {
            client.text();
        }
        let start = Instant::now();
        relay.signal(signal);
        let shutdown = |client: &mut Client| loop {
            let text = client.text();
            if text.contains("serverShutdown") {
                return text;
            }
        };
        for client in [&mut raw, &mut idle] {
            let text = shutdown(client);
            assert!(text.starts_with(r#"{"e":"serverShutdown","E":1"#), "{text}");
        }
        let text = shutdown(&mut combined);
        assert!(text.starts_with(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1"#), "{text}");
        for mut client in [raw, combined, idle] {
            assert_eq!(client.closed(), (Some(1012), "Restarting, please reconnect".to_owned()));
            client.send_bytes(&close(Some(1012), ""));
            client.expect_end();
        }
        assert_eq!(relay.ended().code(), Some(0));
        // A second to spread the closes, and what a busy machine may add.
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    }
}

/// Proves that a stop waits for nobody who does not answer.
#[test]
fn a_stop_does_not_wait_for_the_silent() {
    let mut relay = Relay::configured("drain = \"1s\"\n[limits]\nclose_timeout = \"1s\"", &[]);
    let silent = relay.client("/ws/btcusdt@trade");
    let head = TcpStream::connect(relay.public).expect("it accepts");
    let mut kept = TcpStream::connect(relay.public).expect("it accepts");
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is read");
    assert_eq!(http::read_answer(&mut kept, &mut Vec::new()).status, 200);
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(0));
    drop((silent, head, kept));
}

/// Proves that a relay without clients stops at once.
#[test]
fn without_clients_a_stop_is_quick() {
    let mut relay = Relay::with(&["--drain", "30s"]);
    let start = Instant::now();
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// Proves that during a stop a request is answered 503, and what connects anew is answered so or not at all.
#[test]
fn during_a_stop_nobody_new_comes_in() {
    let relay = Relay::with(&["--drain", "60s"]);
    let mut client = relay.client("/ws/btcusdt@trade");
    let mut before = TcpStream::connect(relay.public).expect("it accepts");
    relay.until_count("relay_connections_accepted_total", "", 2.0);
    relay.signal(Signal::TERM);
    while !client.text().contains("serverShutdown") {}
    before.write_all(upgrade("/ws").as_bytes()).expect("it is read");
    let answer = http::read_answer(&mut before, &mut Vec::new());
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    if let Ok(mut after) = TcpStream::connect(relay.public) {
        let _ = after.write_all(upgrade("/ws").as_bytes());
        let answer = http::try_answer(&mut after, &mut Vec::new());
        assert!(answer.is_none_or(|answer| answer.status == 503));
    }
    assert_eq!(ask(relay.admin, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").status, 503);
    assert_eq!(ask(relay.admin, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    // Until its turn to be closed comes, an old client has its data.
    assert_eq!(client.json()["e"], "trade");
}

/// Proves that a second signal ends the relay at once.
#[test]
fn a_second_signal_does_not_wait() {
    let mut relay = Relay::with(&["--drain", "60s"]);
    let mut client = relay.client("/ws/btcusdt@trade");
    let start = Instant::now();
    relay.signal(Signal::TERM);
    while !client.text().contains("serverShutdown") {}
    assert!(relay.is_running());
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    while !matches!(client.next(), Got::End | Got::Reset) {}
}

/// Proves that the closes of a stop are spread over the drain time.
#[test]
fn the_closes_are_spread() {
    let mut relay = Relay::with(&["--drain", "2s", "--shards", "1"]);
    let mut clients: Vec<Client> = (0..64).map(|_| relay.client("/ws")).collect();
    let start = Instant::now();
    relay.signal(Signal::TERM);
    let mut times = Vec::new();
    for client in &mut clients {
        assert_eq!(client.closed().0, Some(1012));
        times.push(start.elapsed());
        client.send_bytes(&close(Some(1012), ""));
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    assert!(last - first > Duration::from_millis(500), "from {first:?} to {last:?}");
    drop(clients);
    assert_eq!(relay.ended().code(), Some(0));
}

/// Proves that a port in use ends the start with code 2 and a word that names it, whoever has it.
#[test]
fn a_busy_port_is_named() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = busy.local_addr().expect("an address").to_string();
    let check = |args: &[&str], address: &str| {
        let refusal = run(args);
        assert_eq!(refusal.code, Some(2), "{}", refusal.stderr);
        assert!(refusal.stderr.contains(address), "{}", refusal.stderr);
        assert_eq!(refusal.stdout, "");
    };
    check(&["--listen", &address, "--admin", "off"], &address);
    let with_way_out = format!("cannot listen on {address} (--admin takes another address, or \"off\")");
    check(&["--listen", "127.0.0.1:0", "--admin", &address], &with_way_out);
    let relay = Relay::start();
    let taken = relay.public.to_string();
    check(&["--listen", &taken, "--admin", "off"], &taken);
    check(&["--listen", "192.0.2.1:8000", "--admin", "off"], "192.0.2.1:8000");
}

/// Proves that a mistake in flags or file ends the start with code 2 and a word about it.
#[test]
fn mistakes_end_the_start() {
    let check = |args: &[&str], word: &str| {
        let refusal = run(args);
        assert_eq!(refusal.code, Some(2), "{args:?}: {}", refusal.stderr);
        assert!(refusal.stderr.contains(word), "{args:?}: {}", refusal.stderr);
    };
    check(&["--nonsense"], "--nonsense");
    check(&["--shards", "0"], "--shards 0");
    check(&["--shards", "many"], "many");
    check(&["--listen", "somewhere"], "somewhere");
    check(&["--upstream", "stream=http://a"], "http://a");
    check(&["--config", "/nonexistent/relay.toml"], "/nonexistent/relay.toml");
    check(&["--config", "/nonexistent/relay.toml", "--shards", "0"], "--shards 0");
    check(&["word"], "word");
}

/// Proves that `relay check` judges without running, and says what it found.
#[test]
fn check_judges_without_running() {
    let good = run(&["check"]);
    assert_eq!((good.code, good.stderr.as_str()), (Some(0), ""));
    assert!(good.stdout.contains("ok"), "{}", good.stdout);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "drain = 5\n[limits]\nping_intervall = \"1m\"\n").expect("it is written");
    let path = file.path().to_str().expect("text");
    let bad = run(&["check", "--config", path, "--shards", "0"]);
    assert_eq!(bad.code, Some(2));
    for word in ["drain", "ping_intervall", "did you mean ping_interval?", "--shards 0", "3 problems"] {
        assert!(bad.stderr.contains(word), "{word}: {}", bad.stderr);
    }
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/relay.example.toml");
    let good = run(&["check", "--config", example]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
}

/// Proves that `relay check` refuses what the start would: files that are not there or say nothing, and names that are none.
#[test]
fn check_looks_where_the_start_does() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text");
    let empty = tempfile::NamedTempFile::new().expect("another");
    let ca_file = empty.path().to_str().expect("text");
    let refused = |text: &str, words: &[&str]| {
        std::fs::write(file.path(), format!("listen = \"127.0.0.1:0\"\nadmin = \"off\"\n[[upstream]]\n{text}"))
            .expect("it is written");
        for args in [&["check", "--config", path][..], &["--config", path]] {
            let bad = run(args);
            assert_eq!((bad.code, bad.stdout.as_str()), (Some(2), ""), "{text}");
            assert!(words.iter().all(|word| bad.stderr.contains(word)), "{text}: {}", bad.stderr);
        }
    };
    refused("kind = \"binance\"\nca_file = \"/nonexistent/ca.pem\"", &["upstream binance", "/nonexistent/ca.pem"]);
    refused(&format!("kind = \"binance\"\nca_file = {ca_file:?}"), &[ca_file, "no certificate"]);
    let socketio = "kind = \"socketio\"\nurl = \"ws://127.0.0.1:1\"\napi_key_file = \"/nonexistent/key\"";
    refused(socketio, &["upstream socketio", "api_key_file /nonexistent/key"]);
    refused("kind = \"replay\"\nfile = \"/nonexistent/x.rec\"", &["upstream replay", "/nonexistent/x.rec"]);
    refused("kind = \"okx\"\nsymbols = [\"BTC-USDT-SWAP\"]", &["upstream okx", "BTC-USDT-SWAP"]);
    refused("kind = \"sim\"\nalways = [\"btcusdt@trades\"]", &["always", "btcusdt@trades"]);
}

/// The digest of a key, by the program; `None` if it refuses.
fn hashed(input: &str) -> Option<String> {
    let hashed = run_with_input(&["key", "hash"], input);
    (hashed.code == Some(0)).then(|| hashed.stdout.trim_end().to_owned())
}

/// Proves that a key is made by chance, that its digest is that of `key hash`, and that its lines are a configuration.
#[test]
fn a_new_key_comes_with_its_configuration() {
    let made = run(&["key", "new", "--account", "alice"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (key, lines) = made.stdout.split_once("\n\n").expect("a key and lines");
    assert!(key.starts_with("rk_") && key.len() == 67, "{key}");
    assert!(!lines.contains(key) && !made.stderr.contains(key), "the key is shown once");
    assert_ne!(run(&["key", "new"]).stdout.lines().next(), Some(key), "the next one is another one");
    let digest = hashed(&format!("{key}\n")).expect("it is a key");
    assert!(lines.contains(&format!("keys = [\"{digest}\"]")), "{lines}");

    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text");
    std::fs::write(file.path(), format!("[access]\nrequired = true\n{lines}")).expect("it is written");
    let good = run(&["check", "--config", path]);
    assert!(good.stdout.contains("a key needed, accounts alice"), "{}{}", good.stdout, good.stderr);
    // The key itself in the digest's place is refused with what to do, and repeated nowhere.
    std::fs::write(file.path(), format!("[access]\nrequired = true\n{}", lines.replace(&digest, key)))
        .expect("so is it");
    let bad = run(&["check", "--config", path]);
    assert_eq!(bad.code, Some(2));
    assert!(bad.stderr.contains("relay key hash") && !bad.stderr.contains(key), "{}", bad.stderr);
}

/// Proves that the digest is of the line's text, and that what is no key is refused with code 2.
#[test]
fn keys_are_hashed_from_the_standard_input() {
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for input in ["abc", "abc\n", "abc\r\n"] {
        assert_eq!(hashed(input).as_deref(), Some(abc), "{input:?}");
    }
    for input in ["", "\n", "a b\n", "a\nb\n", &"x".repeat(4097), &format!("{}\n", "x".repeat(100_000))] {
        assert_eq!(hashed(input), None, "{} bytes", input.len());
    }
    let weak = run_with_input(&["key", "hash"], "abc");
    assert!(weak.stderr.contains("warning") && !weak.stderr.contains("abc"), "{}", weak.stderr);
}

/// Proves that what the greeting says to try works with this configuration.
#[test]
fn the_greeting_fits_the_configuration() {
    let relay = Relay::start();
    assert!(relay.greeting.contains("R_100") && !relay.greeting.contains("a key is needed"), "{}", relay.greeting);
    let digest = hashed("abc").expect("it is a key");
    let text = format!(
        "[access]\nrequired = true\n[[account]]\nname = \"a\"\nkeys = [\"{digest}\"]\n\
         [[upstream]]\nkind = \"stream\"\nurl = \"ws://127.0.0.1:9/\""
    );
    let greeting = &Relay::configured(&text, &[]).greeting;
    assert!(greeting.contains("cryBTCUSD") && !greeting.contains("R_100"), "{greeting}");
    assert!(greeting.contains("a key is needed: add ?api_key=KEY"), "{greeting}");
}

/// Proves that help and version end with code 0.
#[test]
fn help_and_version_are_no_mistakes() {
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in ["--listen", "--connections-max", "--limit-loopback", "--upstream"] {
        assert!(help.stdout.contains(word), "{word}");
    }
    let version = run(&["--version"]);
    assert_eq!((version.code, version.stdout.trim()), (Some(0), concat!("relay ", env!("CARGO_PKG_VERSION"))));
}

/// Proves that the admin pages answer, and that its listener can be switched off.
#[test]
fn the_admin_pages_answer() {
    let relay = Relay::start();
    for (path, status) in [("/", 200), ("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/nothing", 404)] {
        assert_eq!(http::get(relay.admin, path).status, status, "{path}");
    }
    // They are not on the public port.
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(http::get(relay.public, path).status, 404, "{path}");
    }
    // The text format: each name has its help and type once, before its rows.
    let text = http::get(relay.admin, "/metrics").body;
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        assert!(seen.insert(line.split(' ').nth(2)), "twice: {line}");
    }
}
