//! What the hub's channels say and when: at once, on schedule, as it comes, after a loss, and to those who fall behind.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use support::client::{Client, connect_narrow};
use support::http::upgrade;
use support::relay::Relay;
use support::shape::time_ms;
use support::venue::Venue;

fn configured(venue: &Venue, hub: &str) -> Relay {
    let url = venue.url();
    let text = format!("stale_after = \"1s\"\n{hub}\n[[upstream]]\nkind = \"stream\"\nurl = \"{url}\"\n");
    Relay::configured(&text, &[])
}

fn subscribe(client: &mut Client, names: &[&str]) {
    client.send(&json!({"type": "subscribe", "channels": names}).to_string());
    assert_eq!(client.json()["type"], "subscribed", "it is acknowledged before anything else");
}

/// Proves that nothing waits to be read: the answer to a ping is next.
#[track_caller]
fn expect_nothing(client: &mut Client) {
    client.send(r#"{"type":"ping"}"#);
    assert_eq!(client.text(), r#"{"type":"pong"}"#);
}

fn ticker(symbol: &str, last: &str) -> String {
    format!(
        r#"{{"e":"24hrTicker","E":1765211445123,"s":"{symbol}","p":"1","P":"2.45","w":"1","c":"{last}","Q":"1","o":"1","h":"1","l":"1","v":"1","q":"1","O":1,"C":2,"F":1,"L":2,"n":2}}"#
    )
}

fn trade(price: &str, time_ms: u64) -> String {
    format!(r#"{{"e":"trade","E":{time_ms},"s":"BTCUSDT","t":1,"p":"{price}","q":"0.100","T":{time_ms},"m":true}}"#)
}

/// Proves that the newest value of each instrument comes at once after the acknowledgement, once, also to the second
/// client, which comes between two pushes.
#[test]
fn the_newest_values_come_at_once() {
    let relay = Relay::configured("[hub]\ninterval = \"1h\"\n", &["--shards", "2"]);
    let mut all = BTreeSet::new();
    for client in 0..6 {
        let mut client = (client, relay.client("/ws"));
        subscribe(&mut client.1, &["binance_prices", "coingecko_top"]);
        let mut got = BTreeSet::new();
        let wanted = if client.0 == 0 { 120 } else { all.len() };
        while got.len() < wanted {
            let value = client.1.json();
            let key =
                (value["connector_id"].to_string(), value["instrument"].to_string(), value["data"]["id"].to_string());
            assert!(got.insert(key), "twice: {value}");
        }
        if client.0 == 0 {
            all = got;
        } else {
            assert_eq!(got, all);
            expect_nothing(&mut client.1);
        }
    }
}

/// Proves that a scheduled channel pushes each instrument once per interval, all with one time, changed or not.
#[test]
fn pushes_keep_their_schedule() {
    let venue = Venue::start();
    let relay = configured(&venue, "[hub]\ninterval = \"1s\"\n");
    let mut client = relay.client("/ws");
    subscribe(&mut client, &["binance_prices"]);
    for (stream, symbol) in [("btcusdt@ticker", "BTCUSDT"), ("ethusdt@ticker", "ETHUSDT")] {
        venue.until_asked(stream);
        venue.send(stream, &ticker(symbol, "42150.50"));
    }
    // Until both are known, a push may come between them.
    let (mut known, mut source_times) = (BTreeSet::new(), BTreeSet::new());
    while known.len() < 2 {
        let value = client.json();
        known.insert(value["instrument"].to_string());
        source_times.insert(value["source_timestamp"].to_string());
    }
    // By the second of the push: the instruments of it, and their one time.
    let mut pushes: BTreeMap<u64, Vec<(String, u64)>> = BTreeMap::new();
    for _ in 0..6 {
        let value = client.json();
        assert!(source_times.contains(&value["source_timestamp"].to_string()), "the value is what it was: {value}");
        let at_ms = time_ms(value["timestamp"].as_str().expect("a time"));
        pushes.entry(at_ms / 1000).or_default().push((value["instrument"].to_string(), at_ms));
    }
    assert_eq!(pushes.len(), 3, "one push in a second: {pushes:?}");
    for push in pushes.values() {
        let names: Vec<&str> = push.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["\"BTC/USDT\"", "\"ETH/USDT\""]);
        assert_eq!(push[0].1, push[1].1);
    }
}

/// Proves that a real-time channel says each trade as it comes, with the venue's digits and the venue's time.
#[test]
fn trades_are_told_as_they_come() {
    let venue = Venue::start();
    let relay = configured(&venue, "");
    let mut client = relay.client("/ws");
    subscribe(&mut client, &["bitcoinprice"]);
    venue.until_asked("btcusdt@trade");
    for (price, at_ms) in
        [("42150.50", 1_765_211_445_123), ("42150.5", 1_765_211_445_124), ("0.00000100", 1_765_211_445_125)]
    {
        venue.send("btcusdt@trade", &trade(price, at_ms));
        let text = client.text();
        assert!(text.contains(&format!("\"price\":{price},")), "{text}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(time_ms(value["timestamp"].as_str().expect("a time")), at_ms);
        let data = &value["data"];
        assert_eq!(
            (&data["instId"], &data["last"], &data["ts"]),
            (&json!("BTC-USDT"), &json!(price), &json!(at_ms.to_string()))
        );
    }
}

/// Proves that a configured channel is served like a documented one.
#[test]
fn channels_can_be_configured() {
    let venue = Venue::start();
    let channel = "[[hub.channel]]\nname = \"mine\"\ndata = \"prices\"\ninstruments = [\"SOL/USDC\"]\nexchange = \"here\"\nevery = \"realtime\"\n";
    let relay = configured(&venue, channel);
    let mut client = relay.client("/ws");
    subscribe(&mut client, &["mine"]);
    venue.until_asked("solusdc@ticker");
    venue.send("solusdc@ticker", &ticker("SOLUSDC", "0.10"));
    let value = client.json();
    let words = ["connector_id", "exchange", "instrument"].map(|key| value[key].as_str().expect("a word"));
    assert_eq!(words, ["mine", "here", "SOL/USDC"]);
}

/// Proves that who comes back within the linger gets the value of now, not that of when the last client left.
#[test]
fn who_comes_back_gets_the_present() {
    let venue = Venue::start();
    let relay = configured(&venue, "[hub]\ninterval = \"1h\"\nsymbols = [\"BTC/USDT\"]\n");
    let mut client = relay.client("/ws");
    subscribe(&mut client, &["binance_prices"]);
    venue.until_asked("btcusdt@ticker");
    venue.send("btcusdt@ticker", &ticker("BTCUSDT", "1.50"));
    assert_eq!(client.json()["data"]["price"], "1.50");
    client.finish();
    support::until("nobody subscribes", || relay.count("relay_channels") == 0.0);
    venue.send("btcusdt@ticker", &ticker("BTCUSDT", "1.60"));
    // The market is kept warm: it reads on.
    relay.until_count("relay_market_events_total", "decoded", 2.0);
    let mut client = relay.client("/ws");
    subscribe(&mut client, &["binance_prices"]);
    assert_eq!(client.json()["data"]["price"], "1.60");
    expect_nothing(&mut client);
}

/// Proves that a second channel made of one document does not wait for the next one.
#[test]
fn channels_share_a_document() {
    let venue = Venue::start();
    let channel = "[hub]\ninterval = \"1h\"\n[[hub.channel]]\nname = \"again\"\ndata = \"coingecko_top\"\n";
    let relay = configured(&venue, channel);
    let mut client = relay.client("/ws");
    subscribe(&mut client, &["coingecko_top"]);
    venue.until_asked("coingecko@top");
    venue.send("coingecko@top", r#"[{"id":"bitcoin","symbol":"btc","current_price":77671}]"#);
    let first = client.json();
    subscribe(&mut client, &["again"]);
    let second = client.json();
    assert_eq!((&first["connector_id"], &second["connector_id"]), (&json!("coingecko_top"), &json!("again")));
    assert_eq!(first["data"], second["data"]);
}

/// Proves that a loss of the source is told, that newcomers wait for its next word meanwhile, and that all goes on.
#[test]
fn a_loss_is_told() {
    let mut venue = Venue::start();
    let relay = configured(&venue, "[hub]\ninterval = \"1h\"\nsymbols = [\"BTC/USDT\"]\n");
    let mut client = relay.client("/ws?notices=1");
    subscribe(&mut client, &["binance_prices"]);
    venue.until_asked("btcusdt@ticker");
    venue.send("btcusdt@ticker", &ticker("BTCUSDT", "1.50"));
    assert_eq!(client.json()["data"]["price"], "1.50");
    venue.vanish();
    for state in ["recovering", "stale"] {
        let notice = client.json();
        let words = ["type", "channel", "state"].map(|key| notice[key].as_str().unwrap_or_default().to_owned());
        assert_eq!(words, ["notice", "binance_prices", state], "{notice}");
        time_ms(notice["timestamp"].as_str().expect("a time"));
    }
    let mut late = relay.client("/ws");
    subscribe(&mut late, &["binance_prices"]);
    expect_nothing(&mut late);
    venue.listen();
    venue.until_asked("btcusdt@ticker");
    venue.send("btcusdt@ticker", &ticker("BTCUSDT", "1.50"));
    assert_eq!(client.json()["state"], "live");
    // The same value: it is news that it still holds.
    assert_eq!(
        (client.json()["data"]["price"].clone(), late.json()["data"]["price"].clone()),
        (json!("1.50"), json!("1.50"))
    );
}

/// Proves that a slow client gets the newest of each instrument and is told what it was spared, while a quick one
/// beside it gets all.
#[test]
fn a_slow_client_gets_the_newest_of_each() {
    let venue = Venue::start();
    let channel = "[[hub.channel]]\nname = \"books\"\ndata = \"orderbook\"\nevery = \"realtime\"\n";
    let relay = configured(&venue, channel);
    let mut quick = relay.client("/ws");
    let mut slow = Client::upgrade(connect_narrow(relay.public), &upgrade("/ws?notices=1"));
    subscribe(&mut quick, &["books"]);
    subscribe(&mut slow, &["books"]);
    let pad = "[\"1.0\",\"1\"],".repeat(150);
    let book = |number: u64| format!(r#"{{"lastUpdateId":{number},"bids":[["1.0","1"]],"asks":[{pad}["2.0","1"]]}}"#);
    let streams = [("btcusdt@depth20", "BTC/USDT"), ("ethusdt@depth20", "ETH/USDT")];
    streams.iter().for_each(|(stream, _)| venue.until_asked(stream));
    let last = 2 * 1024;
    for number in 1..=last {
        for (stream, instrument) in streams {
            venue.send(stream, &book(number));
            let value = quick.json();
            assert_eq!((&value["instrument"], &value["data"]["lastUpdateId"]), (&json!(instrument), &json!(number)));
        }
    }
    relay.until_count("relay_clients_blocked_total", "", 1.0);
    let mut newest = BTreeMap::from(streams.map(|(_, instrument)| (instrument.to_owned(), 0)));
    let (mut got, mut skipped) = (0, 0);
    while newest.values().any(|number| *number < last) {
        let value = slow.json();
        if value["type"] == "notice" {
            assert_eq!((&value["channel"], &value["state"]), (&json!("books"), &json!("live")), "{value}");
            skipped += value["skipped"].as_u64().expect("a count");
            continue;
        }
        let number = value["data"]["lastUpdateId"].as_u64().expect("a number");
        let before = newest.insert(value["instrument"].as_str().expect("a pair").to_owned(), number);
        assert!(before.is_some_and(|before| before < number), "{before:?} before {number}");
        got += 1;
    }
    assert!(skipped > 0, "it was too slow for some");
    assert_eq!(got + skipped, 2 * last, "what it did not get it was told");
}
