//! Clients that fall behind, by the kind of data, and quick ones beside them that must not notice.

mod support;

use serde_json::Value;

use support::client::{Client, Got, connect_narrow};
use support::http::upgrade;
use support::relay::Relay;
use support::venue::Venue;

/// More than the kernel holds for a client that does not read.
const FLOOD_BYTES: usize = 4 * 1024 * 1024;
/// Frames sent before the quick client is waited for: it keeps up by construction, not by luck.
const LOT: u64 = 32;

struct Scene {
    venue: Venue,
    relay: Relay,
    name: &'static str,
    quick: Client,
    slow: Client,
}

fn scene(name: &'static str, slow_target: &str, limits: &str) -> Scene {
    let venue = Venue::start();
    let url = venue.url();
    let relay = Relay::configured(&format!("[limits]\n{limits}\n[[upstream]]\nkind = \"stream\"\nurl = \"{url}\""), &[]);
    let mut quick = relay.client(&format!("/ws/{name}"));
    let mut slow = Client::upgrade(connect_narrow(relay.public), &upgrade(slow_target));
    assert_eq!((quick.list(), slow.list()), (vec![name.to_owned()], vec![name.to_owned()]));
    venue.until_asked(name);
    Scene { venue, relay, name, quick, slow }
}

impl Scene {
    /// Sends frames from..to; the quick client gets each of them, once and in order.
    fn send(&mut self, from: u64, to: u64, payload: impl Fn(u64) -> String) {
        let mut n = from;
        while n < to {
            let lot = n..to.min(n + LOT);
            for n in lot.clone() {
                self.venue.send(self.name, &payload(n));
            }
            for n in lot.clone() {
                assert_eq!(self.quick.text(), payload(n), "the quick client misses nothing");
            }
            n = lot.end;
        }
    }
}

fn padded(n: u64, more: &str, len: usize) -> String {
    format!(r#"{{"n":{n}{more},"pad":"{}"}}"#, "x".repeat(len))
}

fn number(text: &str) -> u64 {
    let value: Value = serde_json::from_str(text).expect("JSON");
    value["n"].as_u64().unwrap_or_else(|| panic!("no number in {value}"))
}

/// Proves that of state a slow client gets the newest, is told what it was spared, and the sums are right.
#[test]
fn state_is_conflated_and_told() {
    let mut scene = scene("btcusdt@ticker", "/ws/btcusdt@ticker?notices=1", "");
    let frames = FLOOD_BYTES as u64 / 1000;
    scene.send(0, frames, |n| padded(n, "", 1000));
    scene.relay.until_count("relay_clients_blocked_total", "", 1.0);
    let (mut next, mut told) = (0, 0);
    while next < frames {
        let text = scene.slow.text();
        let value: Value = serde_json::from_str(&text).expect("JSON");
        if value["e"] == "relayNotice" {
            assert_eq!((&value["stream"], &value["state"]), (&"btcusdt@ticker".into(), &"live".into()));
            let field = |name: &str| value[name].as_u64().expect("a number");
            assert_eq!(field("to") - field("from") + 1, field("skipped"));
            told += field("skipped");
            next += field("skipped");
            continue;
        }
        assert_eq!(number(&text), next, "what is missing has been told before");
        next += 1;
    }
    assert!(told > 0, "it was too slow for some");
    assert_eq!(next, frames, "the last one it gets is the newest");
    support::until("what was skipped is counted", || scene.relay.count("relay_frames_skipped_total") == told as f64);
    // Delivered and skipped are all there was, for both.
    let delivered = 2.0 * frames as f64 - told as f64;
    support::until("deliveries are counted", || scene.relay.count("relay_frames_delivered_total") == delivered);
    // From here on it keeps up, and gets all.
    for n in frames..frames + 50 {
        scene.send(n, n + 1, |n| padded(n, "", 10));
        assert_eq!(number(&scene.slow.text()), n);
    }
}

/// Proves that without `notices=1` nobody is told, and that a combined client is resumed with the newest as well.
#[test]
fn state_is_conflated_in_silence_for_who_did_not_ask() {
    let mut scene = scene("btcusdt@depth5", "/stream?streams=btcusdt@depth5", "");
    let frames = FLOOD_BYTES as u64 / 1000;
    scene.send(0, frames, |n| padded(n, "", 1000));
    scene.relay.until_count("relay_clients_blocked_total", "", 1.0);
    let (mut last, mut count) = (None, 0);
    while last != Some(frames - 1) {
        let value = scene.slow.json();
        assert_eq!(value["stream"], "btcusdt@depth5");
        let n = value["data"]["n"].as_u64();
        assert!(last < n, "in order and none twice: {last:?}, {n:?}");
        last = n;
        count += 1;
    }
    assert!(count < frames);
}

/// Proves that closed candles reach a slow client all, while open ones are conflated.
#[test]
fn closed_candles_are_never_lost() {
    let mut scene = scene("btcusdt@kline_1m", "/ws/btcusdt@kline_1m", "");
    let frames = FLOOD_BYTES as u64 / 1000;
    let is_closed = |n: u64| n % 100 == 99;
    let payload = |n: u64| padded(n, &format!(r#","e":"kline","k":{{"x":{}}}"#, is_closed(n)), 1000);
    scene.send(0, frames, payload);
    scene.relay.until_count("relay_clients_blocked_total", "", 1.0);
    let (mut last, mut closed, mut open) = (None, Vec::new(), 0);
    while last != Some(frames - 1) {
        let n = number(&scene.slow.text());
        assert!(last < Some(n), "in order and none twice: {last:?}, {n}");
        last = Some(n);
        if is_closed(n) { closed.push(n) } else { open += 1 }
    }
    let expected: Vec<u64> = (0..frames).filter(|&n| is_closed(n)).collect();
    assert_eq!(closed, expected);
    assert!(open < frames - expected.len() as u64, "it was too slow for some");
}

/// Proves that events wait for a slow client as long as the log has them: it gets all of them, late.
#[test]
fn events_within_the_log_are_all_delivered() {
    let mut scene = scene("btcusdt@trade", "/ws/btcusdt@trade", "");
    // So many are kept however long ago they were.
    let frames = 256;
    scene.send(0, frames, |n| padded(n, "", FLOOD_BYTES / 256));
    scene.relay.until_count("relay_clients_blocked_total", "", 1.0);
    for n in 0..frames {
        assert_eq!(number(&scene.slow.text()), n);
    }
    support::until("nothing was skipped", || scene.relay.count("relay_frames_delivered_total") == 2.0 * frames as f64);
    assert_eq!(scene.relay.count("relay_frames_skipped_total"), 0.0);
}

/// Proves that a client which lost events is closed 1013, having got a part without a hole, and may come back.
#[test]
fn events_beyond_the_log_close_the_client() {
    let mut scene = scene("btcusdt@trade", "/ws/btcusdt@trade", "close_timeout = \"60s\"");
    // Above what the log keeps of a channel (16 MiB), also in frames (256).
    let frames = 420;
    scene.send(0, frames, |n| padded(n, "", 64 * 1024));
    scene.relay.until_count("relay_closes_total", "reason=\"too_slow\"", 1.0);
    let mut next = 0;
    loop {
        match scene.slow.next() {
            Got::Text(text) => {
                assert_eq!(number(&text), next);
                next += 1;
            }
            Got::Close(code, reason) => {
                assert_eq!((code, reason.as_str()), (Some(1013), "Too slow, please reconnect"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(next < frames, "it was too slow");
    scene.slow.expect_end();
    let mut again = scene.relay.client("/ws/btcusdt@trade");
    assert_eq!(again.list(), ["btcusdt@trade"]);
    // Events of before are nobody's any more; what comes now is.
    scene.send(frames, frames + 1, |n| padded(n, "", 10));
    let mut last = number(&again.text());
    while last != frames {
        last = number(&again.text());
    }
}

/// Proves that a blocked client's requests are answered, and that a subscription it ends brings nothing after that.
#[test]
fn a_blocked_client_may_still_ask() {
    let mut scene = scene("btcusdt@ticker", "/ws/btcusdt@ticker", "");
    let frames = FLOOD_BYTES as u64 / 1000;
    scene.send(0, frames, |n| padded(n, "", 1000));
    scene.relay.until_count("relay_clients_blocked_total", "", 1.0);
    let unsubscribe = r#"{"method":"UNSUBSCRIBE","params":["btcusdt@ticker"],"id":2}"#;
    scene.slow.send(unsubscribe);
    scene.slow.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#);
    scene.relay.until_count("relay_client_messages_total", "", 4.0);
    let mut text = scene.slow.text();
    while text.starts_with(r#"{"n":"#) {
        text = scene.slow.text();
    }
    assert_eq!(text, r#"{"result":null,"id":2}"#);
    assert_eq!(scene.slow.text(), r#"{"result":[],"id":3}"#);
    scene.send(frames, frames + 10, |n| padded(n, "", 10));
    assert_eq!(scene.slow.request(r#"{"method":"LIST_SUBSCRIPTIONS","id":4}"#), r#"{"result":[],"id":4}"#);
    assert_eq!(scene.slow.next_within(std::time::Duration::from_millis(1)), None);
}

/// Proves that a slow client does not hold another one's data back, nor the relay's memory up.
#[test]
fn many_slow_clients_cost_no_memory() {
    let mut scene = scene("btcusdt@ticker", "/ws/btcusdt@ticker", "");
    let head = upgrade("/ws/btcusdt@ticker");
    let slow: Vec<Client> = (0..200).map(|_| Client::upgrade(connect_narrow(scene.relay.public), &head)).collect();
    let before = scene.relay.count("relay_memory_resident_bytes");
    scene.send(0, 4000, |n| padded(n, "", 1000));
    scene.relay.until_count("relay_clients_blocked_total", "", 200.0);
    let grown = scene.relay.count("relay_memory_resident_bytes") - before;
    assert!(grown < 50e6, "{grown} bytes more for 200 slow clients");
    drop(slow);
    support::until("they have left", || scene.relay.count("relay_connections") == 2.0);
}
