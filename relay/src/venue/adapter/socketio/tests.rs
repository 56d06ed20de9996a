//! Conversations with a venue that speaks the dialect, and the recorded session.

use proptest::prelude::*;

use super::*;
use crate::venue::adapter::{Invalid, Said};

const NOW: u64 = 1_765_211_445_999;

struct World {
    talk: Box<dyn Conversation>,
}

impl World {
    fn new() -> World {
        World { talk: SocketIo::new(&Settings::new("k\"1")).converse(0) }
    }

    /// What a message means, in words.
    fn hear(&mut self, message: &str) -> Vec<String> {
        let mut heard = Vec::new();
        self.talk.decode(message.as_bytes(), NOW, &mut |said| {
            heard.push(match said {
                Said::Data { stream, payload } => format!("{stream} {}", std::str::from_utf8(payload).unwrap()),
                other => format!("{other:?}"),
            });
        });
        heard
    }

    fn check(&mut self, message: &str, expected: &[&str]) {
        assert_eq!(self.hear(message), expected, "{message}");
    }
}

const TICK: &str =
    r#"frxusdeur@tick {"e":"tick","E":1765211445000,"s":"frxUSDEUR","p":"0.92150","b":"0.92150","a":"0.92150","d":5}"#;
const EUR: &str = r#"{"base":"USD","currency":"EUR","price":"0.92150","timestamp":1765211445000}"#;

fn trade(symbol: &str, price: &str) -> String {
    let lower = symbol.to_lowercase();
    format!(r#"{lower}@trade {{"e":"trade","E":1765211445000,"s":"{symbol}","p":"{price}","q":"0","T":1765211445000}}"#)
}

#[test]
fn the_venue_opens_and_we_connect() {
    let adapter = SocketIo::new(&Settings::new("k"));
    assert_eq!(&*adapter.lanes()[0].path, "/currency/?EIO=4&transport=websocket");
    assert_eq!([adapter.lane_of("btcusd@trade"), adapter.lane_of("btcusd@depth")], [Some(0), None]);
    let mut world = World::new();
    assert_eq!(world.talk.hello().as_deref(), Some("3"));
    world.check(r#"0{"sid":"x","upgrades":[],"pingInterval":25000}"#, &[r#"Answer("40{\"api-key\":\"k\\\"1\"}")"#]);
    world.check(r#"40{"sid":"y"}"#, &["Ready"]);
    world.check("2", &[r#"Answer("3")"#]);
    for (message, msg) in [
        (r#"44{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#, "the venue refuses us: Unauthorized"),
        ("41", "closed by the venue"),
        ("1", "closed by the venue"),
    ] {
        world.check(message, &[&format!("End {{ msg: {msg:?} }}")]);
    }
}

/// The answer to the question is the first price; then we listen.
#[test]
fn one_price_is_asked_for_then_listened_to() {
    let mut world = World::new();
    let text = world.talk.subscribe(&["frxusdeur@tick"], 7);
    assert_eq!(text, r#"420["fiat/onlyAck",{"base":"USD","currency":"EUR"}]"#);
    let listen = r#"Answer("42[\"fiat/onlyListen\",{\"base\":\"USD\",\"currency\":\"EUR\"}]")"#;
    world.check(&format!("430[{EUR}]"), &[r#"Granted { stream: "frxusdeur@tick" }"#, TICK, listen]);
    world.check(&format!(r#"42["currency",{EUR}]"#), &["Other"]);
    let news = EUR.replace("0.92150", "0.9216");
    let expected = TICK.replace("0.92150", "0.9216").replace("\"d\":5", "\"d\":4");
    world.check(&format!(r#"42["currency",{news}]"#), &[&expected]);
    // Ended: the venue goes on, and its rows are nobody's. Wanted again, it is not listened to twice.
    let text = world.talk.unsubscribe(&["frxusdeur@tick"], 8);
    assert_eq!(text, r#"421["fiat/onlyAck",{"base":"USD","currency":"EUR"}]"#);
    world.check(&format!("431[{EUR}]"), &["Ack { id: Some(8) }"]);
    world.check(&format!(r#"42["currency",{EUR}]"#), &["Other"]);
    world.talk.subscribe(&["frxusdeur@tick"], 9);
    world.check(&format!("432[{EUR}]"), &[r#"Granted { stream: "frxusdeur@tick" }"#, TICK]);
}

/// Several of a base are one question and one listening, each class and base by itself; what the list lacks is asked
/// about alone.
#[test]
fn many_prices_are_one_listening() {
    let mut world = World::new();
    let streams = ["btcusd@trade", "ethusd@trade", "nopeusd@trade", "frxusdeur@tick"];
    let text = world.talk.subscribe(&streams, 1);
    assert_eq!(text, r#"420["fiat/onlyAck",{"base":"USD","currency":"EUR"}]"#);
    let heard = world.hear(&format!("430[{EUR}]"));
    assert_eq!(heard.last().unwrap(), r#"Answer("421[\"crypto/allAck\",{\"base\":\"USD\"}]")"#);
    let rows = concat!(
        r#"{"base":"USD","symbol":"BTC","price":42150.50,"timestamp":1765211445},"#,
        r#"{"base":"USD","symbol":"ETH","price":"2240.11","timestamp":1765211445000},"#,
        r#"{"base":"USD","symbol":"SOL","price":"1","timestamp":1765211445000}"#
    );
    world.check(
        &format!("431[[{rows}]]"),
        &[
            r#"Granted { stream: "btcusd@trade" }"#,
            r#"Granted { stream: "ethusd@trade" }"#,
            &trade("BTCUSD", "42150.50"),
            &trade("ETHUSD", "2240.11"),
            r#"Answer("42[\"crypto/allListen\",{\"base\":\"USD\"}]")"#,
            r#"Answer("422[\"crypto/onlyAck\",{\"base\":\"USD\",\"symbol\":\"NOPE\"}]")"#,
        ],
    );
    let refusal = r#"{"error":{"code":"BAD_REQUEST","message":"unknown symbol"}}"#;
    world.check(&format!("432[{refusal}]"), &[r#"Refused { stream: "nopeusd@trade", msg: "unknown symbol" }"#]);
    // All are listened to already.
    world.talk.subscribe(&["solusd@trade"], 2);
    let row = r#"{"base":"USD","symbol":"SOL","price":"1","timestamp":1765211445000}"#;
    world.check(&format!("433[{row}]"), &[r#"Granted { stream: "solusd@trade" }"#, &trade("SOLUSD", "1")]);
}

/// A second price of a base by itself makes it a listening to all.
#[test]
fn known_without_a_price_is_listened_to() {
    let mut world = World::new();
    world.talk.subscribe(&["btcusd@trade"], 1);
    let granted = r#"Granted { stream: "btcusd@trade" }"#;
    let listen = r#"Answer("42[\"crypto/onlyListen\",{\"base\":\"USD\",\"symbol\":\"BTC\"}]")"#;
    world.check("430[[]]", &[granted, listen]);
    world.talk.subscribe(&["ethusd@trade"], 2);
    let listen = r#"Answer("42[\"crypto/allListen\",{\"base\":\"USD\"}]")"#;
    world.check("431[]", &[r#"Granted { stream: "ethusd@trade" }"#, listen]);
}

/// A venue that answers the question and then refuses to push.
#[test]
fn a_refused_listening_is_known_by_its_event() {
    let mut world = World::new();
    world.talk.subscribe(&["btcusd@trade"], 1);
    world.hear("430[[]]");
    let error = |event: &str| format!(r#"42["error",{{"event":"{event}","code":"X","message":"not now"}}]"#);
    world.check(&error("fiat/onlyListen"), &["Other"]);
    world.check(&error("crypto/onlyListen"), &[r#"Refused { stream: "btcusd@trade", msg: "not now" }"#]);
    world.check(&error("crypto/onlyListen"), &["Other"]);
    world.talk.subscribe(&["btcusd@trade"], 2);
    assert!(world.hear("431[[]]")[1].contains("onlyListen"), "asked for again");
}

#[test]
fn what_is_no_price_is_told() {
    let mut world = World::new();
    for message in ["6", "3", "bAAEC", r#"451-["n",{"_placeholder":true,"num":0}]"#, r#"42["notice",{}]"#] {
        world.check(message, &["Other"]);
    }
    world.check(r#"44/nope,{"message":"Invalid namespace"}"#, &["Other"]);
    world.check("43999[1]", &["Other"]);
    world.check("4399999999999999999999999[1]", &["Other"]);
    for message in ["", "4", "9", "42{}", "42[]", "42[7]", "0[]", r#"42["currency"]"#, r#"42["crypto",{"base":"USD"}]"#]
    {
        world.check(message, &["Invalid(Malformed)"]);
    }
    for message in ["42[\"a\"", "0{", "42[1]2"] {
        world.check(message, &["Invalid(NotJson)"]);
    }
    let mut invalid = None;
    world.talk.decode(b"42[\"\xff\"]", NOW, &mut |said| {
        invalid = if let Said::Invalid(why) = said { Some(why) } else { None };
    });
    assert_eq!(invalid, Some(Invalid::NotUtf8));
}

/// The venue's half of the recorded session, after our own questions; every row of it is understood.
#[test]
fn the_recorded_session() {
    let mut world = World::new();
    let streams = ["frxusdeur@tick", "frxusdgbp@tick", "btcusd@trade", "ethusd@trade"];
    let mut data = Vec::new();
    for line in include_str!("../../../../testdata/socketio/websocket_only.jsonl").lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(text) = value["text"].as_str().filter(|_| value["from"] == "venue") else { continue };
        let heard = world.hear(text);
        assert!(!heard.iter().any(|said| said.starts_with("Invalid")), "{text}: {heard:?}");
        if heard == ["Ready"] {
            world.talk.subscribe(&streams, 1);
        }
        data.extend(heard.into_iter().filter(|said| said.contains("\"p\":")));
    }
    let prices: Vec<&str> = data.iter().map(|said| said.split_once(' ').unwrap().0).collect();
    let expected = ["frxusdeur@tick", "frxusdgbp@tick", "btcusd@trade", "ethusd@trade", "frxusdeur@tick"];
    assert_eq!(prices, expected, "each price once, however often it was pushed: {data:?}");
}

proptest! {
    #[test]
    fn any_message_is_judged(messages in prop::collection::vec(
        "(40|41|42|430|431|44|0|2|)[\\[\\]\\{\\}\":,a-z0-9. ]{0,40}|42\\[\"(crypto|currency|error)\",.{0,30}\\]",
        0..10,
    )) {
        let mut world = World::new();
        world.talk.subscribe(&["frxusdeur@tick", "btcusd@trade", "ethusd@trade"], 1);
        for message in messages {
            prop_assert!(!world.hear(&message).is_empty() || message.contains('['), "{}", message);
        }
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        SocketIo::new(&Settings::new("k")).converse(0).decode(&bytes, NOW, &mut |_| {});
    }
}
