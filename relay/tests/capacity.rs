//! Many clients, too many clients, and sockets that only cost: others do not notice.

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::client::{Client, Got};
use support::http::{self, ask, try_answer, upgrade};
use support::relay::Relay;

/// Proves that above `connections_max` a request is answered 503, those inside go on, and who leaves makes room.
#[test]
fn a_full_relay_says_so() {
    let relay = Relay::with(&["--connections-max", "5"]);
    let mut clients: Vec<Client> = (0..5).map(|_| relay.client("/ws/btcusdt@trade")).collect();
    for _ in 0..10 {
        let refused = ask(relay.public, &upgrade("/ws"));
        assert_eq!(refused.status, 503);
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(refused.header("connection"), Some("close"));
    }
    for client in &mut clients {
        assert_eq!(client.json()["e"], "trade");
    }
    assert!(relay.count_where("relay_refused_total", "reason=\"connections_max\"") >= 10.0);
    drop(clients.pop());
    support::until("there is room again", || {
        let client = Client::ask(TcpStream::connect(relay.public).expect("it accepts"), &upgrade("/ws/btcusdt@trade"));
        let is_in = client.answer.status == 101;
        if is_in {
            clients.push(client);
        }
        is_in
    });
    assert_eq!(ask(relay.public, &upgrade("/ws")).status, 503);
    for client in &mut clients {
        assert_eq!(client.json()["e"], "trade");
    }
}

/// Proves that silent sockets above `connections_max` are limited, and let nobody in by staying.
#[test]
fn a_crowd_before_the_door_harms_nobody() {
    let relay = Relay::with(&["--connections-max", "5"]);
    let mut clients: Vec<Client> = (0..5).map(|_| relay.client("/ws/btcusdt@trade")).collect();
    let crowd: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(relay.public).expect("it accepts")).collect();
    relay.until_count("relay_connections_accepted_total", "", 405.0);
    assert!(relay.count("relay_open_descriptors") < 300.0, "most of the crowd has been turned away");
    for client in &mut clients {
        assert_eq!(client.json()["e"], "trade");
    }
    drop(crowd);
    support::until("the crowd is gone", || relay.count("relay_connections") == 5.0);
}

/// Proves that out of descriptors the relay counts, waits without spinning, serves those inside, and recovers.
#[test]
fn out_of_descriptors_nobody_is_harmed() {
    let relay = Relay::with_file_limit(300, &["--connections-max", "1000"]);
    let mut client = relay.client("/ws/btcusdt@trade");
    let crowd: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(relay.public).expect("the kernel accepts")).collect();
    support::until("the relay is out of descriptors", || relay.log().contains("accept failed"));
    let (start, before) = (Instant::now(), relay.cpu_seconds());
    // The time over which the use of the processor is measured.
    std::thread::sleep(Duration::from_secs(2));
    let used = (relay.cpu_seconds() - before) / start.elapsed().as_secs_f64();
    assert!(used < 0.5, "{used} of a core while accept fails");
    for _ in 0..3 {
        assert_eq!(client.json()["e"], "trade");
    }
    drop(crowd);
    support::until("it accepts again", || {
        let Ok(mut stream) = TcpStream::connect(relay.public) else { return false };
        stream.write_all(upgrade("/ws").as_bytes()).is_ok()
            && try_answer(&mut stream, &mut Vec::new()).is_some_and(|answer| answer.status == 101)
    });
    relay.until_count("relay_accept_errors_total", "", 1.0);
    assert_eq!(client.json()["e"], "trade");
}

/// Proves that 500 sockets with requests that never end do not keep others from connecting, and are given up.
#[test]
fn trickling_requests_shut_nobody_out() {
    for args in [&[][..], &["--limit-loopback"]] {
        let relay = Relay::with(args);
        let mut slow: Vec<TcpStream> = (0..500).map(|_| TcpStream::connect(relay.public).expect("it accepts")).collect();
        let head = upgrade("/ws");
        for byte in head.bytes().take(4) {
            for stream in &mut slow {
                // Some may have been given up by now, which is what they are for.
                let _ = stream.write_all(&[byte]);
            }
            let mut client = relay.client("/ws/btcusdt@trade");
            assert_eq!(client.json()["e"], "trade");
        }
        relay.until_count("relay_handshakes_dropped_total", "reason=\"timeout\"", 400.0);
        assert_eq!(relay.client("/ws/btcusdt@trade").json()["e"], "trade");
    }
}

/// Proves that kept HTTP connections which ask nothing more do not keep others, of their own address too, from connecting.
#[test]
fn idle_http_connections_shut_nobody_out() {
    for args in [&[][..], &["--limit-loopback"]] {
        let relay = Relay::with(args);
        let mut idle = Vec::new();
        // As many as there are places for one address, or for all.
        for _ in 0..if args.is_empty() { 150 } else { 8 } {
            let mut stream = TcpStream::connect(relay.public).expect("it accepts");
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is read");
            assert_eq!(http::read_answer(&mut stream, &mut Vec::new()).status, 200);
            idle.push(stream);
        }
        for _ in 0..3 {
            let mut stream = TcpStream::connect(relay.public).expect("it accepts");
            stream.write_all(upgrade("/ws/btcusdt@trade").as_bytes()).expect("it is read");
            let answer = try_answer(&mut stream, &mut Vec::new());
            assert_eq!(answer.map(|answer| answer.status), Some(101), "{args:?}");
        }
    }
}

/// Proves that 2 000 clients who connect at once are all served, and all have data.
#[test]
fn a_storm_is_served() {
    let relay = Relay::start();
    let head = upgrade("/ws/btcusdt@ticker");
    let streams: Vec<TcpStream> = (0..2000)
        .map(|_| {
            let mut stream = TcpStream::connect(relay.public).expect("it accepts");
            stream.write_all(head.as_bytes()).expect("the kernel takes it");
            stream
        })
        .collect();
    let mut clients: Vec<Client> = streams.into_iter().filter_map(Client::try_answered).collect();
    let dropped = ["timeout", "shed", "gone"]
        .map(|reason| (reason, relay.count_where("relay_handshakes_dropped_total", &format!("reason=\"{reason}\""))));
    assert_eq!(clients.len(), 2000, "answered; dropped: {dropped:?}");
    for client in &mut clients {
        assert_eq!(client.answer.status, 101);
        assert_eq!(client.json()["e"], "24hrTicker");
    }
    // Everybody is told the same values, in the same order.
    let frames: Vec<String> = clients.iter_mut().map(Client::text).collect();
    assert!(frames.iter().all(|text| text.starts_with(r#"{"e":"24hrTicker""#)));
    assert!(relay.count("relay_upgrades_total") >= 2000.0);
    drop(clients);
    support::until("all have left", || relay.count("relay_connections") == 0.0);
    assert_eq!(relay.client("/ws/btcusdt@trade").json()["e"], "trade");
}

/// Proves that a long `flush_interval` holds back what is written, and neither handshakes nor the rest of the work:
/// a crowd larger than the handshakes and the writes of one turn is let in and served.
#[test]
fn a_flush_interval_does_not_stop_the_work() {
    let relay = Relay::with(&["--flush-interval", "1s", "--shards", "1"]);
    let head = upgrade("/ws/btcusdt@ticker");
    let streams: Vec<TcpStream> = (0..1500)
        .map(|_| {
            let mut stream = TcpStream::connect(relay.public).expect("it accepts");
            stream.write_all(head.as_bytes()).expect("the kernel takes it");
            stream
        })
        .collect();
    let mut clients: Vec<Client> = streams.into_iter().filter_map(Client::try_answered).collect();
    assert_eq!(clients.len(), 1500, "none waited for its handshake until it was given up");
    for client in &mut clients {
        assert_eq!(client.json()["e"], "24hrTicker");
    }
    // The ticker moves once a second: everybody keeps up with it, nothing is skipped.
    for _ in 0..3 {
        for client in &mut clients {
            assert_eq!(client.json()["e"], "24hrTicker");
        }
    }
}

/// Proves that connecting, subscribing and leaving over and over leaves no connection, channel or topic behind.
#[test]
fn churn_leaves_nothing_behind() {
    let relay = Relay::configured("[[upstream]]\nkind = \"sim\"\nlinger = \"0s\"", &[]);
    // Everything of the relay itself is open once it serves.
    drop(relay.client("/ws/btcusdt@trade").text());
    support::until("it has left", || relay.count("relay_connections") == 0.0);
    let descriptors = relay.count("relay_open_descriptors");
    for round in 0..100 {
        let mut client = relay.client("/ws/btcusdt@trade");
        client.subscribe(&["ethusdt@ticker", "btcusdt@depth5", &format!("new{round}usdt@trade")]);
        assert!(client.json()["e"].is_string());
        match round % 3 {
            0 => client.reset(),
            1 => drop(client),
            _ => {
                client.send_bytes(&support::frame::close(Some(1000), ""));
                client.closed();
            }
        }
    }
    support::until("no connection is left", || relay.count("relay_connections") == 0.0);
    support::until("no channel is left", || relay.count("relay_channels") == 0.0);
    support::until("no topic is left", || relay.count("relay_topics") == 0.0);
    support::until("no descriptor is left", || relay.count("relay_open_descriptors") <= descriptors);
    let metrics = relay.metrics();
    let change = |change: &str| metrics.sum_where("relay_subscriptions_total", &format!("change=\"{change}\""));
    assert_eq!(change("begun"), change("ended"));
}

/// Proves that a client whose requests come in a hail is served, and others beside it.
#[test]
fn one_busy_client_does_not_slow_the_others() {
    let relay = Relay::start();
    let mut busy = relay.client("/ws");
    let mut other = relay.client("/ws");
    let hail = support::frame::message(support::frame::PING, b"x").repeat(20_000);
    let mut writer = busy.stream.try_clone().expect("a descriptor");
    let sender = std::thread::spawn(move || writer.write_all(&hail).expect("it is read"));
    for _ in 0..20 {
        other.subscribe(&["btcusdt@trade"]);
        other.unsubscribe(&["btcusdt@trade"]);
    }
    // It reads nothing meanwhile; of pings that came while it was blocked only the newest is answered.
    let mut pongs = 0;
    while let Some(got) = busy.next_within(Duration::from_millis(500)) {
        assert_eq!(got, Got::Pong(b"x".to_vec()));
        pongs += 1;
    }
    sender.join().expect("the whole hail was read");
    assert!(pongs > 0);
    busy.subscribe(&["btcusdt@trade"]);
}
