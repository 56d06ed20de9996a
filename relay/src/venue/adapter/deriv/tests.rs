use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::market::decode;
use crate::market::event::Event;
use crate::venue::adapter::{Ping, Said};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../testdata/deriv/", $name))
    };
}

const ID: &str = "c84a793b-8a87-7999-ce10-9b22f7ceead3";
const OTHER_ID: &str = "1c3756dd-9eb0-1305-4500-cd835a4a377a";

fn talk() -> Box<dyn Conversation> {
    Deriv::new("/websockets/v3", Some(1089), []).unwrap().converse(0)
}

/// What a message means, a line for each: `r_100@tick {…}`, or the variant.
fn hear(talk: &mut dyn Conversation, message: &[u8]) -> Vec<String> {
    let mut heard = Vec::new();
    talk.decode(message, 0, &mut |said| {
        heard.push(match said {
            Said::Data { stream, payload } => format!("{stream} {}", std::str::from_utf8(payload).unwrap()),
            Said::Granted { stream } => format!("granted {stream}"),
            Said::Refused { stream, msg } => format!("refused {stream}: {msg}"),
            Said::Answer(text) => format!("answer {text}"),
            Said::Error { id, code, msg } => format!("error {id:?} {code} {msg}"),
            other => format!("{other:?}"),
        });
    });
    heard
}

fn check(talk: &mut dyn Conversation, message: &str, expected: &[&str]) {
    assert_eq!(hear(talk, message.as_bytes()), expected, "{message}");
}

fn tick(symbol: &str, id: &str, request: u64) -> String {
    format!(
        r#"{{"echo_req":{{"ticks":["x"],"subscribe":1,"req_id":{request}}},"msg_type":"tick","req_id":{request},"subscription":{{"id":"{id}"}},"tick":{{"ask":1.50,"bid":1.40,"epoch":7,"id":"{id}","pip_size":2,"quote":1.45,"symbol":"{symbol}"}}}}"#
    )
}

fn payload(symbol: &str) -> String {
    let stream = symbol.to_ascii_lowercase();
    format!(r#"{stream}@tick {{"e":"tick","E":7000,"s":"{symbol}","p":"1.45","b":"1.40","a":"1.50","d":2}}"#)
}

fn error(code: &str, message: &str, request: u64) -> String {
    format!(
        r#"{{"echo_req":{{"req_id":{request}}},"error":{{"code":"{code}","message":"{message}","details":{{}}}},"msg_type":"ticks","req_id":{request}}}"#
    )
}

#[test]
fn streams_are_ticks() {
    let deriv = Deriv::new("/websockets/v3", Some(1089), ["stepRNG"]).unwrap();
    assert_eq!(deriv.lanes(), [Lane { name: "", path: "/websockets/v3?app_id=1089".into() }]);
    for stream in ["r_100@tick", "1hz100v@tick", "frxeurusd@tick", "steprng@tick"] {
        assert_eq!(deriv.lane_of(stream), Some(0), "{stream}");
    }
    for stream in ["R_100@tick", "r_100@trade", "r_100", "@tick", "btc-usdt@tick", "r_100@tick@1s"] {
        assert_eq!(deriv.lane_of(stream), None, "{stream}");
    }
    let public = Deriv::new("/trading/v1/options/ws/public", None, []).unwrap();
    assert_eq!(&*public.lanes()[0].path, "/trading/v1/options/ws/public");
}

#[test]
fn requests_are_those_of_the_document() {
    let mut talk = talk();
    assert_eq!(talk.subscribe(&["r_100@tick"], 3), r#"{"ticks":"R_100","subscribe":1,"req_id":3}"#);
    assert_eq!(
        talk.subscribe(&["crybtcusd@tick", "1hz100v@tick"], 4),
        r#"{"ticks":["cryBTCUSD","1HZ100V"],"subscribe":1,"req_id":4}"#
    );
    assert_eq!((talk.hello(), talk.ping()), (None, Ping::Text(r#"{"ping":1}"#.to_owned())));
}

/// The recorded-style session: the first tick grants, and its id ends the stream.
#[test]
fn the_session() {
    let lines = fixture!("session.jsonl").lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts: Vec<String> = lines
        .filter(|line| line["from"] == "venue" && line["text"].is_string())
        .map(|line| line["text"].as_str().unwrap().to_owned())
        .collect();
    let mut talk = talk();
    talk.subscribe(&["r_100@tick"], 3);
    let r_100 = |ms: i64, quote: &str, bid: &str, ask: &str| {
        format!(r#"r_100@tick {{"e":"tick","E":{ms},"s":"R_100","p":"{quote}","b":"{bid}","a":"{ask}","d":2}}"#)
    };
    check(&mut *talk, &texts[0], &["Other"]);
    check(&mut *talk, &texts[1], &["Other"]);
    let first = r_100(1_765_211_445_000, "1558.59", "1558.47", "1558.71");
    check(&mut *talk, &texts[2], &["granted r_100@tick", &first]);
    check(&mut *talk, &texts[3], &[&r_100(1_765_211_447_000, "1559.10", "1558.98", "1559.22")]);
    check(&mut *talk, &texts[4], &[&r_100(1_765_211_449_000, "1559.30", "1559.18", "1559.42")]);
    talk.subscribe(&["r_100@tick"], 4);
    check(&mut *talk, &texts[5], &["granted r_100@tick"]);
    check(&mut *talk, &texts[4], &[&r_100(1_765_211_449_000, "1559.30", "1559.18", "1559.42")]);
    assert_eq!(talk.unsubscribe(&["r_100@tick"], 5), format!(r#"{{"forget":"{ID}","req_id":5}}"#));
    check(&mut *talk, &texts[4], &["Other"]);
    check(&mut *talk, &texts[6], &["Other"]);
    check(&mut *talk, &texts[6].replace("\"forget\":1", "\"req_id\":5,\"forget\":1"), &["Ack { id: Some(5) }"]);
    check(&mut *talk, &texts[4], &["Other"]);
    talk.subscribe(&["frxeurusd@tick"], 6);
    let euro = r#"frxeurusd@tick {"e":"tick","E":1765211455000,"s":"frxEURUSD","p":"1.08412","b":"1.08409","a":"1.08415","d":5}"#;
    check(&mut *talk, &texts[8], &["granted frxeurusd@tick", euro]);
}

/// Each symbol of a request has its own answer, and a bad one costs the others nothing.
#[test]
fn every_symbol_is_answered() {
    let mut talk = talk();
    talk.subscribe(&["r_100@tick", "nope@tick", "frxeurusd@tick"], 1);
    check(&mut *talk, &tick("R_100", ID, 1), &["granted r_100@tick", &payload("R_100")]);
    check(
        &mut *talk,
        &error("InvalidSymbol", "Symbol NOPE is invalid.", 1),
        &["refused nope@tick: InvalidSymbol: Symbol NOPE is invalid."],
    );
    let closed = error("MarketIsClosed", "This market is presently closed.", 1);
    check(&mut *talk, &closed, &["refused frxeurusd@tick: MarketIsClosed: This market is presently closed."]);
    check(&mut *talk, &tick("R_100", ID, 1), &[&payload("R_100")]);
    check(&mut *talk, &tick("frxEURUSD", OTHER_ID, 1), &["Other"]);
}

/// An error that names no symbol is whose answer is missing once the others have theirs.
#[test]
fn errors_without_a_name_wait() {
    let mut talk = talk();
    talk.subscribe(&["r_100@tick", "frxeurusd@tick"], 1);
    check(&mut *talk, &error("MarketIsClosed", "This market is presently closed.", 1), &["Other"]);
    check(
        &mut *talk,
        &tick("R_100", ID, 1),
        &[
            "granted r_100@tick",
            &payload("R_100"),
            "refused frxeurusd@tick: MarketIsClosed: This market is presently closed.",
        ],
    );
}

/// What concerns a request hits all of it, or what is left of it.
#[test]
fn requests_fail() {
    let mut talk = talk();
    let often = "You have reached the rate limit for ticks.";
    talk.subscribe(&["r_100@tick", "r_50@tick"], 1);
    let expected = format!("error Some(1) 429 RateLimit: {often}");
    check(&mut *talk, &error("RateLimit", often, 1), &[&expected]);
    check(&mut *talk, &tick("R_100", ID, 1), &["Other"]);
    talk.subscribe(&["r_100@tick", "r_50@tick"], 2);
    check(&mut *talk, &tick("R_100", ID, 2), &["granted r_100@tick", &payload("R_100")]);
    check(&mut *talk, &error("WrongResponse", "Sorry.", 2), &["error Some(2) 500 WrongResponse: Sorry."]);
    talk.subscribe(&["r_50@tick"], 3);
    let unknown =
        r#"{"error":{"code":"UnrecognisedRequest","message":"Unrecognised request."},"msg_type":"error","req_id":3}"#;
    check(&mut *talk, unknown, &["error Some(3) 400 UnrecognisedRequest: Unrecognised request."]);
    check(&mut *talk, &error("Strange", "x", 9), &["error Some(9) 0 Strange: x"]);
    let text = error("InvalidAppID", "Your app_id is invalid.", 4);
    check(&mut *talk, &text, &[r#"End { msg: "InvalidAppID: Your app_id is invalid." }"#]);
    for line in fixture!("errors.jsonl").lines().filter(|line| line.contains("\\\"error\\\"")) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(hear(&mut *talk, line["text"].as_str().unwrap().as_bytes()).len(), 1, "{line}");
    }
}

/// A stream that ends before its id is known is ended when it is.
#[test]
fn an_early_end_is_kept_in_mind() {
    let mut talk = talk();
    talk.subscribe(&["r_100@tick"], 1);
    assert_eq!(talk.unsubscribe(&["r_100@tick"], 2), r#"{"ping":1,"req_id":2}"#);
    check(
        &mut *talk,
        r#"{"echo_req":{"ping":1,"req_id":2},"msg_type":"ping","ping":"pong","req_id":2}"#,
        &["Ack { id: Some(2) }"],
    );
    let farewell = format!(r#"answer {{"forget":"{ID}"}}"#);
    check(&mut *talk, &tick("R_100", ID, 1), &["granted r_100@tick", "Other", &farewell]);
    check(&mut *talk, &tick("R_100", ID, 1), &["Other"]);
    let gone = format!(r#"{{"echo_req":{{"forget":"{ID}"}},"forget":1,"msg_type":"forget"}}"#);
    check(&mut *talk, &gone, &["Other"]);

    // Wanted again before the venue has answered: it says that it has the stream already.
    talk.subscribe(&["r_100@tick"], 3);
    talk.unsubscribe(&["r_100@tick"], 4);
    talk.subscribe(&["r_100@tick"], 5);
    check(&mut *talk, &tick("R_100", ID, 3), &["granted r_100@tick", &payload("R_100")]);
    let already = error("AlreadySubscribed", "You are already subscribed to R_100", 5);
    check(&mut *talk, &already, &["granted r_100@tick"]);
    check(&mut *talk, &tick("R_100", ID, 3), &[&payload("R_100")]);
    assert_eq!(talk.unsubscribe(&["r_100@tick"], 6), format!(r#"{{"forget":"{ID}","req_id":6}}"#));
}

/// What the old subscription still sends does not lend its id to the new one.
#[test]
fn ids_are_those_of_the_last_request() {
    let mut talk = talk();
    talk.subscribe(&["r_100@tick"], 1);
    hear(&mut *talk, tick("R_100", ID, 1).as_bytes());
    talk.unsubscribe(&["r_100@tick"], 2);
    talk.subscribe(&["r_100@tick"], 3);
    check(&mut *talk, &tick("R_100", ID, 1), &[&payload("R_100")]);
    assert_eq!(talk.unsubscribe(&["r_100@tick"], 9), r#"{"ping":1,"req_id":9}"#, "its own id is not known yet");
    talk.subscribe(&["r_100@tick"], 3);
    let gone = format!(r#"{{"echo_req":{{"forget":"{ID}","req_id":2}},"forget":1,"msg_type":"forget","req_id":2}}"#);
    check(&mut *talk, &gone, &["Ack { id: Some(2) }"]);
    check(&mut *talk, &tick("R_100", OTHER_ID, 3), &["granted r_100@tick", &payload("R_100")]);
    assert_eq!(talk.unsubscribe(&["r_100@tick"], 4), format!(r#"{{"forget":"{OTHER_ID}","req_id":4}}"#));
}

/// Asked to end several at once, it ends one in the message and the others with the next one that comes.
#[test]
fn several_ends_at_once() {
    let mut talk = talk();
    talk.subscribe(&["r_100@tick", "r_50@tick"], 1);
    hear(&mut *talk, tick("R_100", ID, 1).as_bytes());
    hear(&mut *talk, tick("R_50", OTHER_ID, 1).as_bytes());
    let line = talk.unsubscribe(&["r_100@tick", "r_50@tick", "never@tick"], 2);
    assert_eq!(line, format!(r#"{{"forget":"{ID}","req_id":2}}"#));
    check(&mut *talk, "{}", &["Other", &format!(r#"answer {{"forget":"{OTHER_ID}"}}"#)]);
}

/// Digits stay; an exponent is written out, because nobody reads it further on.
#[test]
fn numbers_keep_their_digits() {
    let mut talk = talk();
    talk.subscribe(&["r_100@tick"], 1);
    hear(&mut *talk, tick("R_100", ID, 1).as_bytes());
    let odd = tick("R_100", ID, 1).replace("1.45", "1.4500000000000000000001").replace("1.40", "1.40e-05");
    let heard = hear(&mut *talk, odd.as_bytes());
    assert!(heard[0].contains(r#""p":"1.4500000000000000000001","b":"0.0000140","a":"1.50""#), "{heard:?}");
    let renamed = tick("R_100", ID, 1).replace("\"symbol\"", "\"underlying_symbol\"");
    check(&mut *talk, &renamed, &[&payload("R_100")]);
    talk.decode(odd.as_bytes(), 0, &mut |said| {
        let Said::Data { stream, payload } = said else { panic!("{said:?}") };
        assert!(matches!(decode::decode(stream, payload), Some(Event::Tick(_))));
    });
}

#[test]
fn what_is_wrong_is_said() {
    let mut talk = talk();
    talk.subscribe(&["r_100@tick"], 1);
    hear(&mut *talk, tick("R_100", ID, 1).as_bytes());
    for text in ["", "{", "x", r#"{"tick":{]}"#, "{} {}"] {
        check(&mut *talk, text, &["Invalid(NotJson)"]);
    }
    for text in ["[]", "1", "{}", r#"{"msg_type":"time","time":1}"#, r#"{"msg_type":"ping","ping":"pong"}"#] {
        check(&mut *talk, text, &["Other"]);
    }
    assert_eq!(hear(&mut *talk, b"{\"a\":\"\xff\"}"), ["Invalid(NotUtf8)"]);
    check(&mut *talk, r#"{"msg_type":"tick","tick":{}}"#, &["Invalid(NoStreamName)"]);
    let right = tick("R_100", ID, 1);
    for (part, wrong) in [
        ("1.50", "null"),
        ("\"epoch\":7", "\"epoch\":-7"),
        ("\"epoch\":7", "\"epoch\":9223372036854775807"),
        ("\"pip_size\":2", "\"pip_size\":-1"),
        ("\"pip_size\":2", "\"pip_size\":99"),
        ("1.40", "\"x\""),
    ] {
        assert!(right.contains(part));
        check(&mut *talk, &right.replace(part, wrong), &["Invalid(Malformed)"]);
    }
    for text in [r#"{"tick":1}"#, r#"{"error":1}"#, r#"{"error":{}}"#, r#"{"error":{"code":1}}"#] {
        check(&mut *talk, text, &["Invalid(Malformed)"]);
    }
    // An id that is none of the venue's, or would become syntax, is none.
    check(&mut *talk, &tick("R_100", "7", 1), &[&payload("R_100")]);
    check(&mut *talk, &tick("R_100", &"/".repeat(40), 1), &[&payload("R_100")]);
    let alien = tick("R_100", &"\\\"".repeat(20), 1);
    check(&mut *talk, &alien, &[&payload("R_100")]);
    assert_eq!(talk.unsubscribe(&["r_100@tick"], 2), format!(r#"{{"forget":"{ID}","req_id":2}}"#));
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut talk = talk();
        talk.subscribe(&["r_100@tick"], 1);
        prop_assert!(!hear(&mut *talk, &bytes).is_empty());
    }

    /// A message with a piece cut out or written over is judged, what is passed on is JSON, and so is what we say.
    #[test]
    fn damage_is_judged(is_error in any::<bool>(), at in any::<prop::sample::Index>(), with in "\\PC{0,6}", cut in 0..8usize) {
        let mut talk = talk();
        talk.subscribe(&["r_100@tick", "r_50@tick"], 1);
        let sample = if is_error { error("InvalidSymbol", "Symbol R_100 is invalid.", 1) } else { tick("R_100", ID, 1) };
        let at = at.index(sample.len());
        let end = (at + cut).min(sample.len());
        let text = format!("{}{with}{}", &sample[..at], &sample[end..]);
        for line in hear(&mut *talk, text.as_bytes()) {
            if let Some(payload) = line.strip_prefix("r_100@tick ") {
                prop_assert!(serde_json::from_str::<Value>(payload).is_ok(), "{payload}");
            }
        }
        let line = talk.unsubscribe(&["r_100@tick"], 2);
        prop_assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
    }
}
