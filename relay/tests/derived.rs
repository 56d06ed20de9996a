//! Streams that the venue does not have: what they are made of is asked for, and only that; what is made follows the
//! venue through losses and gaps.

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use support::client::Client;
use support::relay::Relay;
use support::venue::Venue;

/// A venue that has but these streams.
fn configured(venue: &Venue, streams: &str, upstream: &str, top: &str) -> Relay {
    let url = venue.url();
    let text = format!(
        "stale_after = \"1s\"\n{top}\n[[upstream]]\nkind = \"stream\"\nurl = \"{url}\"\nstreams = [{streams}]\n{upstream}\n"
    );
    Relay::configured(&text, &[])
}

const BOOKS: &str = r#""*@depth@100ms", "*@snapshot""#;
const DIFFS: &str = "btcusdt@depth@100ms";
const SNAPSHOTS: &str = "btcusdt@snapshot";

fn diff(first: u64, last: u64, bids: &str) -> String {
    format!(r#"{{"e":"depthUpdate","E":{last},"s":"BTCUSDT","U":{first},"u":{last},"b":[{bids}],"a":[]}}"#)
}

fn snapshot(id: u64) -> String {
    format!(
        r#"{{"lastUpdateId":{id},"bids":[["99.50","1.0"],["99.40","2.0"]],"asks":[["100.50","1.0"],["101","0.5"]]}}"#
    )
}

/// The book of `btcusdt` as it stands at id 10.
fn say_book(venue: &Venue) {
    venue.until_asked(DIFFS);
    venue.until_asked(SNAPSHOTS);
    venue.send(DIFFS, &diff(9, 10, ""));
    venue.send(SNAPSHOTS, &snapshot(10));
}

fn book(client: &mut Client) -> (Value, Value, Value) {
    let frame = client.json();
    assert_eq!((&frame["e"], &frame["s"]), (&json!("depthUpdate"), &json!("BTCUSDT")), "{frame}");
    (frame["u"].clone(), frame["b"].clone(), frame["a"].clone())
}

/// Proves that one book serves all who want a part of it, that its diffs are still passed on as they are, and that the
/// snapshot is let go once it has served.
#[test]
fn a_book_serves_all_its_streams() {
    let venue = Venue::start();
    let relay = configured(&venue, BOOKS, "linger = \"0s\"", "");
    let mut deep = relay.client("/ws/btcusdt@depth5@100ms");
    let mut top = relay.client("/stream?streams=btcusdt@bookTicker");
    say_book(&venue);
    let (bids, asks) = (json!([["99.50", "1.0"], ["99.40", "2.0"]]), json!([["100.50", "1.0"], ["101", "0.5"]]));
    assert_eq!(book(&mut deep), (10.into(), bids, asks));
    let expected = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":10,"E":10,"T":10,"s":"BTCUSDT","b":"99.50","B":"1.0","a":"100.50","A":"1.0"}}"#;
    assert_eq!(top.text(), expected);
    venue.until_let_go(SNAPSHOTS);
    let mut native = relay.client("/ws/btcusdt@depth@100ms");
    native.list();
    let payload = diff(11, 11, r#"["99.50","0.00"]"#);
    venue.send(DIFFS, &payload);
    assert_eq!(native.text(), payload);
    assert_eq!(book(&mut deep).1, json!([["99.40", "2.0"]]));
    assert_eq!(top.json()["data"]["b"], "99.40");
    let mut late = relay.client("/ws/btcusdt@depth5@100ms");
    assert_eq!(book(&mut late).0, 11, "the newest comes at once");
    assert_eq!(venue.times_asked(DIFFS), 1);
}

/// Proves that a gap silences what is made of the book until it is in order again, and that clients are told.
#[test]
fn a_gap_is_told_and_healed() {
    let venue = Venue::start();
    let relay = configured(&venue, BOOKS, "linger = \"0s\"", "");
    let mut client = relay.client("/ws/btcusdt@depth5@100ms?notices=1");
    say_book(&venue);
    assert_eq!(book(&mut client).0, 10);
    venue.until_let_go(SNAPSHOTS);
    venue.send(DIFFS, &diff(20, 21, r#"["1","1"]"#));
    assert_eq!(client.json()["state"], "recovering");
    venue.until_asked(SNAPSHOTS);
    venue.send(SNAPSHOTS, &snapshot(12));
    venue.send(SNAPSHOTS, &snapshot(19));
    assert_eq!(client.json()["state"], "live");
    let (id, bids, _) = book(&mut client);
    assert_eq!((id, bids), (21.into(), json!([["99.50", "1.0"], ["99.40", "2.0"], ["1", "1"]])));
}

/// Proves that the loss of the venue is told as for a stream of its own.
#[test]
fn a_loss_is_told() {
    let mut venue = Venue::start();
    let relay = configured(&venue, BOOKS, "linger = \"0s\"", "");
    let mut client = relay.client("/ws/btcusdt@bookTicker?notices=1");
    say_book(&venue);
    assert_eq!(client.json()["e"], "bookTicker");
    venue.until_let_go(SNAPSHOTS);
    venue.vanish();
    assert_eq!(client.json()["state"], "recovering");
    assert_eq!(client.json()["state"], "stale");
    venue.listen();
    venue.until_asked(DIFFS);
    venue.send(DIFFS, &diff(31, 31, ""));
    assert_eq!(client.json()["state"], "recovering");
    venue.until_asked(SNAPSHOTS);
    venue.send(SNAPSHOTS, &snapshot(31));
    assert_eq!(client.json()["state"], "live");
    let top = client.json();
    assert_eq!((&top["u"], &top["b"]), (&31.into(), &"99.50".into()), "{top}");
}

/// Proves that closed klines made of trades are told, and that longer ones are made of those the venue has.
#[test]
fn klines_are_made_of_trades_or_of_klines() {
    let venue = Venue::start();
    let relay = configured(&venue, r#""*@trade", "ethusdt@kline_1m""#, "", "");
    let mut client = relay.client("/stream?streams=btcusdt@kline_1m/ethusdt@kline_3m");
    venue.until_asked("btcusdt@trade");
    venue.until_asked("ethusdt@kline_1m");
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    // In the future, so that the clock closes nothing.
    let open_ms = now_ms - now_ms % 180_000 + 360_000;
    let trade = |id: u64, price: &str, time_ms: u64| {
        let text = format!(
            r#"{{"e":"trade","E":{time_ms},"s":"BTCUSDT","t":{id},"p":"{price}","q":"0.5","T":{time_ms},"m":true}}"#
        );
        venue.send("btcusdt@trade", &text);
    };
    trade(1, "1.0", open_ms - 1);
    trade(2, "3.00", open_ms);
    trade(3, "2.0", open_ms + 59_999);
    trade(4, "9", open_ms + 60_000);
    let closed =
        std::iter::repeat_with(|| client.json()["data"].clone()).find(|frame| frame["k"]["x"] == true).unwrap();
    let expected = json!({"t": open_ms, "T": open_ms + 59_999, "s": "BTCUSDT", "i": "1m", "f": 2, "L": 3, "o": "3.00",
        "c": "2.0", "h": "3.00", "l": "2.0", "v": "1.0", "n": 2, "x": true, "q": "2.500", "V": "0.0", "Q": "0.000",
        "B": "0"});
    assert_eq!(closed["k"], expected);
    for minute in 0..3 {
        let from_ms = open_ms + minute * 60_000;
        let text = format!(
            r#"{{"e":"kline","E":1,"s":"ETHUSDT","k":{{"t":{from_ms},"T":{},"s":"ETHUSDT","i":"1m","f":{minute},"L":{minute},"o":"5.0","c":"5.0","h":"5.0","l":"5.0","v":"1","n":1,"x":true,"q":"5.0","V":"1","Q":"5.0","B":"0"}}}}"#,
            from_ms + 59_999
        );
        venue.send("ethusdt@kline_1m", &text);
    }
    let closed = std::iter::repeat_with(|| client.json())
        .find(|frame| frame["stream"] == "ethusdt@kline_3m" && frame["data"]["k"]["x"] == true)
        .unwrap();
    let candle = &closed["data"]["k"];
    assert_eq!((&candle["t"], &candle["v"], &candle["n"]), (&open_ms.into(), &"3".into(), &3.into()), "{closed}");
}

/// Proves that arrays are put together from the symbols that are configured, and minis from tickers.
#[test]
fn arrays_are_made_of_the_configured_symbols() {
    let venue = Venue::start();
    let relay = configured(&venue, r#""*@ticker""#, r#"symbols = ["btcusdt", "ethusdt"]"#, "");
    let mut client = relay.client("/stream?streams=!ticker@arr/ethusdt@miniTicker");
    venue.until_asked("btcusdt@ticker");
    venue.until_asked("ethusdt@ticker");
    let ticker = r#"{"e":"24hrTicker","E":5,"s":"ETHUSDT","p":"1","P":"1","w":"1","c":"2.50","Q":"1","o":"1","h":"1","l":"1","v":"1","q":"1","O":1,"C":2,"F":1,"L":2,"n":2}"#;
    venue.send("ethusdt@ticker", ticker);
    let mini = r#"{"e":"24hrMiniTicker","E":5,"s":"ETHUSDT","c":"2.50","o":"1","h":"1","l":"1","v":"1","q":"1"}"#;
    assert_eq!(client.text(), format!(r#"{{"stream":"ethusdt@miniTicker","data":{mini}}}"#));
    assert_eq!(client.text(), format!(r#"{{"stream":"!ticker@arr","data":[{ticker}]}}"#));
}

/// Proves that what nobody has and nothing makes is refused as before, and costs nobody anything.
#[test]
fn what_cannot_be_made_is_refused() {
    let venue = Venue::start();
    let relay = configured(&venue, r#""*@trade""#, "", "");
    let mut client = relay.client("/ws");
    for name in ["btcusdt@avgPrice", "btcusdt@depth5", "!ticker@arr", "btcusdt@ticker"] {
        let reply = client.request(&format!(r#"{{"method":"SUBSCRIBE","params":["{name}"],"id":1}}"#));
        assert!(reply.contains("No upstream carries this stream"), "{name}: {reply}");
    }
    client.subscribe(&["btcusdt@kline_1M"]);
    venue.until_asked("btcusdt@trade");
    assert_eq!(client.list(), ["btcusdt@kline_1M"]);
}

/// Proves that other dialects are served from streams that are made themselves.
#[test]
fn a_made_stream_serves_other_dialects() {
    let venue = Venue::start();
    let hub = "[hub]\nsymbols = [\"BTC/USDT\"]\n[[hub.channel]]\nname = \"books\"\ndata = \"orderbook\"\nevery = \"realtime\"\n";
    let relay = configured(&venue, BOOKS, "", hub);
    let mut client = relay.client("/ws");
    client.send(&json!({"type": "subscribe", "channels": ["books"]}).to_string());
    assert_eq!(client.json()["type"], "subscribed");
    say_book(&venue);
    let value = client.json();
    assert_eq!((&value["instrument"], &value["data"]["lastUpdateId"]), (&json!("BTC/USDT"), &json!(10)), "{value}");
}
